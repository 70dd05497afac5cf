"""What the worker does by the clock: rounds that lost their worker, proposals that nobody answered, rounds that are over.

None of it decides anything that counts otherwise until it runs: a proposal lapses at its instant, and what was lost is
only begun anew. Each call does a batch and says how many.
"""

from __future__ import annotations

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange.actions.ground import bound
from models.exchange.rounds import rules
from models.exchange.rounds.actions.starting import END_ROUND
from models.exchange.rounds.states import (
    ROUND_STEPS,
    MatchFailure,
    MatchProposalStatus,
    MatchRoundStatus,
    MatchStage,
)
from models.exchange.rounds.tables import MatchProposal, MatchRound
from models.exchange.states import CLAIMABLE
from models.exchange.tables import Need
from models.exchange.visible import is_any, normal

BATCH = 200
match_round, proposal, need = table(MatchRound), table(MatchProposal), table(Need)
R, P = MatchRoundStatus, MatchProposalStatus

LOST = Statement(
    sa.select(match_round.c.id, match_round.c.area, match_round.c.status, match_round.c.tries)
    .where(
        sa.or_(
            sa.and_(is_any(match_round.c.status, (R.RUNNING,)), match_round.c.heartbeat_at < bound("silent", INSTANT)),
            sa.and_(is_any(match_round.c.status, (R.QUEUED,)), match_round.c.heartbeat_at < bound("waiting", INSTANT)),
        )
    )
    .order_by(match_round.c.heartbeat_at)
    .limit(BATCH)
    .with_for_update(key_share=True, skip_locked=True)
)
QUEUE_AGAIN = Statement(
    sa.update(match_round)
    .where(match_round.c.id == bound("id", sa.Uuid()))
    .values(
        status=R.QUEUED.value,
        stage=MatchStage.WAITING.value,
        progress=0,
        heartbeat_at=bound("now", INSTANT),
        version=match_round.c.version + 1,
    )
)


def _ended(which: sa.Select[tuple[object, ...]], status: MatchProposalStatus) -> Statement:
    """Writes that some open proposals are over, a batch at a time; what somebody answers just now waits."""
    few = which.limit(BATCH).with_for_update(key_share=True, skip_locked=True, of=proposal)
    changed = sa.update(proposal).where(proposal.c.id.in_(few))
    return Statement(
        changed.values(
            status=status.value, answered_at=bound("now", INSTANT), version=proposal.c.version + 1
        ).returning(proposal.c.id, proposal.c.area, proposal.c.round_id)
    )


OPEN = is_any(proposal.c.status, (P.OPEN,))
LAPSE = _ended(
    sa.select(proposal.c.id)
    .where(OPEN, proposal.c.valid_until <= bound("now", INSTANT))
    .order_by(proposal.c.valid_until),
    P.LAPSED,
)
TOO_LATE = _ended(
    sa.select(proposal.c.id)
    .join(need, need.c.id == proposal.c.need_id)
    .where(
        OPEN,
        sa.or_(
            sa.not_(is_any(need.c.status, CLAIMABLE)),
            sa.not_(normal(need.c)),
            need.c.qty_committed >= need.c.qty_total,
            need.c.due_at <= bound("now", INSTANT),
        ),
    ),
    P.SUPERSEDED,
)
CLOSE = Statement(
    sa.update(match_round)
    .where(
        match_round.c.id.in_(
            sa.select(match_round.c.id)
            .where(
                is_any(match_round.c.status, (R.READY,)),
                match_round.c.valid_until <= bound("now", INSTANT),
                ~sa.exists().where(proposal.c.round_id == match_round.c.id, OPEN),
            )
            .limit(BATCH)
            .with_for_update(key_share=True, skip_locked=True)
        )
    )
    .values(status=R.CLOSED.value, ended_at=bound("now", INSTANT), version=match_round.c.version + 1)
    .returning(match_round.c.id, match_round.c.area)
)


async def requeue_rounds(db: Db) -> int:
    """Begins rounds anew whose worker was lost; what was begun twice fails by name. How many there were.

    One that waits since long is told of again: the job that called for it may be lost, too. It does no harm twice.
    """
    found = await db.all(LOST, silent=db.now - rules.STALE, waiting=db.now - rules.FORGOTTEN)
    for row in found:
        status = R(row["status"])
        if status is R.RUNNING and row["tries"] >= rules.TRIES:
            ended = rules.step(ROUND_STEPS, "fail", status)
            await db.value(END_ROUND, id=row["id"], status=ended, failure=MatchFailure.WORKER_LOST)
            db.tell("match_round.failed", row["id"], area=row["area"])
            continue
        await db.value(QUEUE_AGAIN, id=row["id"])
        db.tell("match_round.requested", row["id"], area=row["area"])
    return len(found)


async def lapse_proposals(db: Db) -> int:
    """Writes LAPSED for proposals whose time is over, SUPERSEDED for those whose need takes nothing more; how many."""
    done = 0
    for statement, topic in ((LAPSE, "match_proposal.lapsed"), (TOO_LATE, "match_proposal.superseded")):
        rows = await db.all(statement)
        for row in rows:
            db.tell(topic, row["id"], area=row["area"], round=row["round_id"])
        done += len(rows)
    return done


async def close_rounds(db: Db) -> int:
    """Closes rounds whose time to answer is over and of whose proposals none is open; how many there were."""
    rows = await db.all(CLOSE)
    for row in rows:
        db.tell("match_round.closed", row["id"], area=row["area"])
    return len(rows)
