"""What a round writes when it is planned: its figures, what it proposes, what it left open. All of it, or nothing."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import scoring
from models.exchange.actions.ground import bound
from models.exchange.rounds import rules
from models.exchange.rounds.gathering import Gathered
from models.exchange.rounds.helpers import ANYBODY
from models.exchange.rounds.solving import Answered
from models.exchange.rounds.states import (
    ROUND_STEPS,
    MatchOpenReason,
    MatchProposalStatus,
    MatchRoundStatus,
    MatchStage,
    Part,
    Plan,
)
from models.exchange.rounds.tables import MatchProposal, MatchRound
from models.exchange.visible import is_any
from models.territory.queries import under

match_round, proposal = table(MatchRound), table(MatchProposal)
GENDER_ASKED, LANGUAGE_ASKED = 1, 2

LOCK_MINE = Statement(
    sa.select(match_round)
    .where(
        match_round.c.id == bound("id", sa.Uuid()),
        is_any(match_round.c.status, (MatchRoundStatus.RUNNING,)),
        match_round.c.tries == bound("tries", sa.Integer()),
    )
    .with_for_update(key_share=True)
)
SUPERSEDE = Statement(
    sa.update(proposal)
    .where(is_any(proposal.c.status, (MatchProposalStatus.OPEN,)), under(proposal.c.area, bound("area", sa.Text())))
    .values(
        status=MatchProposalStatus.SUPERSEDED.value, answered_at=bound("now", INSTANT), version=proposal.c.version + 1
    )
    .returning(proposal.c.id, proposal.c.area, proposal.c.round_id)
)
FINISH = Statement(
    sa.update(match_round)
    .where(match_round.c.id == bound("id", sa.Uuid()))
    .values(
        status=bound("status", sa.Text()),
        stage=MatchStage.DONE.value,
        progress=100,
        heartbeat_at=bound("now", INSTANT),
        figures_id=bound("figures", sa.Uuid()),
        greedy_id=bound("greedy", sa.Uuid()),
        weights_version=bound("weights", sa.Integer()),
        snapshot_at=bound("snapshot", INSTANT),
        valid_until=bound("until", INSTANT),
        version=match_round.c.version + 1,
    )
)
PATIENCE = "SET LOCAL statement_timeout = '120s'"
INSERT_FIGURE = """
INSERT INTO match_figure (plan, area, needs, served, wanted, helpers, busy_helpers, objective, mean_km, walkable,
    continuity, worst_district, seconds)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id
"""
INSERT_COVERAGE = (
    "INSERT INTO match_coverage (figure_id, area, part, code, needs, share) VALUES ($1, $2, $3, $4, $5, $6)"
)
INSERT_PROPOSAL = """
INSERT INTO match_proposal (round_id, need_id, offer_id, organization_id, person_id, area, priority, slot_from, slot_to,
    option, km, score, points, wishes, weights_version, valid_until, created_at)
SELECT $1, n.id, $3, $4, $5, n.area, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 FROM need n
WHERE n.id = $2 AND n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL' AND n.qty_committed < n.qty_total
ON CONFLICT DO NOTHING
"""
"""What was taken or closed since the snapshot is proposed to nobody."""
INSERT_OPEN = (
    "INSERT INTO match_open (round_id, need_id, area, priority, wanted, reason) VALUES ($1, $2, $3, $4, $5, $6)"
)
PROPOSED = """
SELECT coalesce(person_id, organization_id) AS whom, count(*) AS proposals FROM match_proposal
WHERE round_id = $1 AND status = 'OPEN' GROUP BY 1
"""


@dataclasses.dataclass(frozen=True)
class Proposed:
    """One helper for one need, at a time."""

    want: int
    helper: int
    option: int


async def write(db: Db, id: UUID, tries: int, gathered: Gathered, answer: Answered, snapshot_at: datetime) -> bool:
    """Writes all that a round came to; False, and nothing, where it was cancelled or is another worker's by now."""
    row = await db.one(LOCK_MINE, id=id, tries=tries)
    if row is None:
        return False
    await db.connection.execute(PATIENCE)
    plan = [Proposed(*each) for each in zip(answer.need, answer.provider, answer.option, strict=True)]
    figures = await _figure(db, row, gathered, Plan.ROUND, answer.figures, answer.objective, answer.seconds)
    greedy = await _figure(
        db, row, gathered, Plan.GREEDY, answer.greedy, answer.greedy_objective, answer.greedy_seconds
    )
    until = db.now
    if not row["dry_run"]:
        for old in await db.all(SUPERSEDE, area=row["area"]):
            db.tell("match_proposal.superseded", old["id"], area=old["area"], round=old["round_id"])
        records = [_record(id, gathered, each, db.now) for each in plan]
        await db.connection.executemany(INSERT_PROPOSAL, records)
        until = max((record[14] for record in records), default=db.now)
        for found in await db.connection.fetch(PROPOSED, id):
            db.tell("match_proposal.offered", found["whom"], round=id, proposals=found["proposals"])
    await db.connection.executemany(INSERT_OPEN, list(_open(id, gathered, answer)))
    status = rules.step(ROUND_STEPS, "finish", MatchRoundStatus(row["status"]))
    await db.value(
        FINISH,
        id=id,
        status=status,
        figures=figures,
        greedy=greedy,
        weights=gathered.weights_version,
        snapshot=snapshot_at,
        until=until,
    )
    db.tell("match_round.ready", id, area=row["area"])
    return True


async def _figure(db: Db, row: Any, gathered: Gathered, plan: Plan, said: Any, objective: int, seconds: float) -> UUID:
    busy = {h.person or h.offer for h, n in zip(gathered.helpers, said.load, strict=True) if n}
    values = (said.needs, said.served, said.wanted, said.helpers, len(busy), objective, _number(said.mean_km))
    shares = (_number(said.walkable), _number(said.continuity), _number(said.worst_district))
    id: UUID = await db.connection.fetchval(INSERT_FIGURE, plan, row["area"], *values, *shares, seconds)
    by_priority = Counter(want.row["priority"] for want in gathered.wants)
    by_district = Counter(want.row["area"][:6] for want in gathered.wants)
    parts = [(Part.PRIORITY, str(p), by_priority[p], share) for p, share in said.coverage.items()]
    districts = gathered.districts
    parts += [
        (Part.DISTRICT, districts[d], by_district[districts[d]], share)
        for d, share in said.coverage_by_district.items()
    ]
    rows = [(id, row["area"], part, code, needs, float(share)) for part, code, needs, share in parts]
    await db.connection.executemany(INSERT_COVERAGE, rows)
    return id


def _number(value: float) -> float:
    """A mean of nothing is nothing."""
    return 0.0 if math.isnan(value) else float(value)


def _record(id: UUID, gathered: Gathered, each: Proposed, now: datetime) -> tuple[Any, ...]:
    want, helper = gathered.wants[each.want], gathered.helpers[each.helper]
    slot = want.slot(each.option, gathered.days)
    pair = paired(gathered, each)
    points = scoring.points(pair, gathered.weights)
    wishes = GENDER_ASKED * pair.gender_asked + LANGUAGE_ASKED * pair.language_asked
    return (
        *(id, want.id, helper.offer, helper.organization, helper.person, want.row["priority"], *slot, each.option),
        *(pair.km, scoring.score(points), list(points.values()), wishes, gathered.weights_version),
        *(rules.valid_until(now, slot[0]), now),
    )


def paired(gathered: Gathered, each: Proposed) -> scoring.Pair:
    """What the two are to each other, for the reasons."""
    want, helper, needs = gathered.wants[each.want], gathered.helpers[each.helper], gathered.instance.needs
    row, providers = want.row, gathered.instance.providers
    gender, language = int(needs.gender[each.want]), int(needs.language[each.want])
    return scoring.Pair(
        km=scoring.near(scoring.distance(row["x"], row["y"], helper.x, helper.y)),
        radius=helper.radius,
        continuity=providers.identity[each.helper] in needs.previous[each.want],
        certificate=bool(providers.certificate[each.helper, needs.category[each.want]]),
        reliability=helper.reliability,
        gender_asked=gender != 0,
        gender=gender == 0 or helper.gender in (ANYBODY, gender),
        language_asked=language != 0,
        language=language == 0 or helper.tongue == language,
        choice=each.option if want.named else None,
    )


def _open(id: UUID, gathered: Gathered, answer: Answered) -> Iterator[tuple[Any, ...]]:
    for n, reason in answer.open.items():
        want = gathered.wants[n]
        # who avoids whom is nobody's business: it looks as if they were taken
        shown = MatchOpenReason.ALL_TAKEN if reason == "REFUSED" else MatchOpenReason(reason)
        yield id, want.id, want.row["area"], want.row["priority"], want.quantity, shown
    for row, why in gathered.left_out:
        yield id, row["id"], row["area"], row["priority"], row["remaining"], why
