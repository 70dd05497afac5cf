"""Asking for a round, and calling it off."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.exchange.actions.ground import bound, insertion
from models.exchange.rounds import rules
from models.exchange.rounds.problems import RoundUnderWay
from models.exchange.rounds.states import (
    ROUND_STEPS,
    UNDER_WAY,
    MatchProposalStatus,
    MatchRoundStatus,
    MatchStage,
)
from models.exchange.rounds.tables import MatchProposal, MatchRound
from models.exchange.visible import is_any
from models.problems import InvalidTransition, NotFound, refuses
from models.territory.tables import Division

match_round, proposal, division = table(MatchRound), table(MatchProposal), table(Division)


@dataclasses.dataclass(frozen=True)
class RoundInput:
    """What a round is to be. `first`: the first day, today if none is named; `seed`: for the same plan again."""

    first: date | None = None
    days: int = 7
    dry_run: bool = False
    fairness: float = 0.0
    seconds: int = rules.SECONDS
    seed: int = 1


DIVISION = Statement(sa.select(division.c.code).where(division.c.id == bound("id", sa.Uuid())))
COLUMNS = (
    *("division_id", "area", "horizon_from", "horizon_to", "dry_run", "fairness", "seconds", "seed", "status"),
    *("stage", "heartbeat_at", "requested_by", "created_at"),
)
INSERT = insertion(match_round, COLUMNS)
OTHER = Statement(
    sa.select(match_round.c.no)
    .where(
        is_any(match_round.c.status, UNDER_WAY),
        sa.or_(
            sa.func.starts_with(match_round.c.area, bound("area", sa.Text())),
            sa.func.starts_with(bound("area", sa.Text()), match_round.c.area),
        ),
    )
    .limit(1)
)
LOCK_ROUND = Seen(
    lambda viewer: (
        sa.select(match_round)
        .where(match_round.c.id == bound("id", sa.Uuid()), *seen(match_round, "match_round", viewer))
        .with_for_update(key_share=True)
    )
)
END_ROUND = Statement(
    sa.update(match_round)
    .where(match_round.c.id == bound("id", sa.Uuid()))
    .values(
        status=bound("status", sa.Text()),
        stage=sa.literal_column(f"'{MatchStage.DONE.value}'"),
        failure=bound("failure", sa.Text()),
        ended_at=bound("now", INSTANT),
        version=match_round.c.version + 1,
    )
)
WITHDRAW_ALL = Statement(
    sa.update(proposal)
    .where(proposal.c.round_id == bound("id", sa.Uuid()), is_any(proposal.c.status, (MatchProposalStatus.OPEN,)))
    .values(
        status=MatchProposalStatus.WITHDRAWN.value, answered_at=bound("now", INSTANT), version=proposal.c.version + 1
    )
    .returning(proposal.c.id)
)


@may(rules.MAY["round.start"])
@refuses(RoundUnderWay)
async def start_round(db: Db, division: UUID, given: RoundInput) -> UUID:
    """Asks for a round over a division: community staff over their own, administrators over any of their area.

    It waits for a worker. Raises RoundUnderWay while another one is under way in an area that overlaps.
    """
    first, last = rules.horizon(given.first, given.days, clock.day(db.now))
    code = await db.value(DIVISION, id=division)
    if code is None:
        raise NotFound(what="该区划")
    rules.must_cover(db.actor, code)
    values: dict[str, Any] = {
        "division_id": division,
        "area": code,
        "horizon_from": first,
        "horizon_to": last,
        "dry_run": given.dry_run,
        "fairness": rules.fairness(given.fairness),
        "seconds": rules.seconds(given.seconds),
        "seed": rules.seed(given.seed),
        "status": MatchRoundStatus.QUEUED,
        "stage": MatchStage.WAITING,
        "heartbeat_at": db.now,
        "requested_by": db.actor.person,
        "created_at": db.now,
    }
    try:
        async with db.connection.transaction():
            made: UUID = await db.value(INSERT, **values)
    except asyncpg.ExclusionViolationError:
        raise RoundUnderWay(no=await db.value(OTHER, area=code) or "另一轮") from None
    db.tell("match_round.requested", made, area=code)
    return made


@may(rules.MAY["round.cancel"])
@refuses(InvalidTransition)
async def cancel_round(db: Db, round: UUID) -> UUID:
    """Calls a round off: its worker stops within a second or so and writes nothing; what was proposed and not answered
    is withdrawn. What was accepted stands."""
    row = await locked_round(db, round)
    rules.must_cover(db.actor, row["area"])
    status = rules.step(ROUND_STEPS, "cancel", MatchRoundStatus(row["status"]))
    await db.value(END_ROUND, id=round, status=status, failure=None)
    withdrawn = await db.all(WITHDRAW_ALL, id=round)
    db.detail["withdrawn"] = len(withdrawn)
    db.tell("match_round.cancelled", round, area=row["area"])
    return round


async def locked_round(db: Db, id: UUID) -> Any:
    """A round that the actor may see, locked. Raises NotFound."""
    found = await db.one(LOCK_ROUND, id=id)
    if found is None:
        raise NotFound(what="该轮匹配")
    return found
