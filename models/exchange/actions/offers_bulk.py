"""Offers of an organization's own system, many at once: each is found by that system's number, made or changed.

However many there are, it takes a dozen statements. Each is judged by itself: one that is refused changes nothing of
the others, and is named with its problem. What is sent again unchanged changes nothing. Calls of one organization wait
for each other, so that none makes what another has just made.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from models import search
from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import offering, rules
from models.exchange.actions.ground import OFFER_COLUMNS, Row, bound, commitment, offer
from models.exchange.actions.offers import MADE, edited, known, made, write_times
from models.exchange.actions.placing import lapse
from models.exchange.offered import BatchOutcome, OfferBatch, OfferBatchItem
from models.exchange.offering import Known, OfferInput
from models.exchange.problems import VolunteerInactive
from models.exchange.states import CommitmentStatus, OfferStatus
from models.exchange.visible import is_any
from models.problems import InvalidInput, Problem, refuses

batch, item = table(OfferBatch), table(OfferBatchItem)
MOST = 500
KEPT_ID = 64
"""How much of a number that is refused is kept: as much as a good one may have."""


@dataclasses.dataclass(frozen=True)
class OfferUpsert:
    """One offer of a batch. `terms()` gives what `OfferInput` takes; it may raise InvalidInput."""

    external_id: str
    terms: Callable[[], dict[str, Any]]
    resubmit: bool = False


@dataclasses.dataclass
class Line:
    """One offer of a batch while it is judged: what it is to be, and what became of it."""

    external_id: str
    resubmit: bool
    given: OfferInput | None = None
    id: UUID | None = None
    row: dict[str, Any] | None = None
    """The whole row as it is to be."""
    outcome: BatchOutcome = BatchOutcome.REFUSED
    problem: Problem | None = None


def _columns(names: Sequence[str]) -> list[sa.ColumnClause[Any]]:
    return [sa.column(name, offer.c[name].type) for name in names]


def _records(names: Sequence[str]) -> Any:
    """Rows of a JSON parameter, with the offer's own types; beside them `own`, the keys of the title's words."""
    of = sa.func.jsonb_to_recordset(sa.cast(bound("rows", sa.Text()), JSONB))
    own = sa.column("own", ARRAY(sa.Integer()))
    return of.table_valued(*_columns(names), own).render_derived(name="sent", with_types=True)


def _found_by(sent: Any) -> Any:
    return sa.func.grams_of(sent.c.own, sent.c.category_code, sent.c.area, type_=ARRAY(sa.Integer()))


LOCK = Statement(
    sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(sa.cast(bound("of"), sa.Text()), 20261122)))
)
NUMBERED = sa.and_(
    offer.c.organization_id == bound("organization", sa.Uuid()),
    offer.c.external_id == sa.any_(bound("numbers", ARRAY(sa.Text()))),
)
DUE = Statement(
    sa.select(commitment.c.need_id)
    .distinct()
    .join_from(offer, commitment, commitment.c.offer_id == offer.c.id)
    .where(
        NUMBERED,
        is_any(commitment.c.status, (CommitmentStatus.PROPOSED,)),
        commitment.c.hold_until <= bound("now", INSTANT),
    )
)
_row = sa.select(*(column for column in offer.c if column.name != "grams"))
EXISTING = Statement(_row.where(NUMBERED).order_by(offer.c.id).with_for_update(key_share=True))
_new = _records(MADE)
INSERT = Statement(
    sa.insert(offer)
    .from_select([*MADE, "grams"], sa.select(*(_new.c[name] for name in MADE), _found_by(_new)), include_defaults=False)
    .returning(offer.c.id, offer.c.external_id)
)
OLD = ("id", "area", *OFFER_COLUMNS)
_old = _records(OLD)
UPDATE = Statement(
    sa.update(offer)
    .where(offer.c.id == _old.c.id)
    .values({name: _old.c[name] for name in OFFER_COLUMNS} | {"grams": _found_by(_old), "version": offer.c.version + 1})
)
BATCH = Statement(
    sa.insert(batch)
    .values(
        organization_id=bound("organization"),
        sent_by=bound("by"),
        sent_at=bound("now"),
        **{outcome.value.lower(): bound(outcome.value.lower()) for outcome in BatchOutcome},
    )
    .returning(batch.c.id)
)
LISTED = ("place", "external_id", "outcome", "offer_id", "code", "field", "message")
ITEMS = Statement(
    sa.insert(item).from_select(
        ["batch_id", *LISTED],
        sa.select(
            bound("batch", sa.Uuid()), *(sa.func.unnest(bound(name, ARRAY(item.c[name].type))) for name in LISTED)
        ),
        include_defaults=False,
    )
)


@may(rules.MAY["offer.upsert"])
@refuses(VolunteerInactive)
async def upsert_offers(db: Db, given: Sequence[OfferUpsert]) -> UUID:
    """Makes or changes an organization's offers by its own numbers; the batch's id, with what became of each, in order.

    A new one waits for review. One that exists is changed as `edit_offer` would: what was reviewed of a published one
    stays, unless its `resubmit` sends it to the review again. Raises InvalidInput for none, or more than 500.
    """
    if not 1 <= len(given) <= MOST:
        raise InvalidInput(field="items", reason=f"每次须提交 1 至 {MOST} 项供给。")
    lines = [_read(one) for one in given]
    _twice(lines)
    sound = [line for line in lines if line.given is not None]
    await db.value(LOCK, of=str(db.actor.organization))
    checked = await known(db, [dataclasses.asdict(line.given) for line in sound if line.given is not None])
    keys = {"organization": db.actor.organization, "numbers": [line.external_id for line in sound]}
    await lapse(db, [row["need_id"] for row in await db.all(DUE, **keys)])
    existing = {row["external_id"]: row for row in await db.all(EXISTING, **keys)}
    for line in sound:
        _judge(db, line, existing.get(line.external_id), checked)
    await _write(db, lines, existing)
    return await _note(db, lines)


def _read(one: OfferUpsert) -> Line:
    """One line, with its problem where it cannot be read."""
    try:
        number = offering.external_id(one.external_id)
        assert number is not None
        return Line(number, one.resubmit, OfferInput(**one.terms(), external_id=number))
    except Problem as problem:
        kept = "".join(c for c in one.external_id if c.isprintable())[:KEPT_ID]
        return Line(kept, one.resubmit, problem=problem)


def _twice(lines: Sequence[Line]) -> None:
    """Refuses all lines of a number that comes more than once: which of them is meant nobody knows."""
    times = collections.Counter(line.external_id for line in lines if line.given is not None)
    for line in lines:
        if line.given is not None and times[line.external_id] > 1:
            line.given = None
            line.problem = InvalidInput(field="externalId", reason="同一批中外部编号重复。")


def _judge(db: Db, line: Line, before: Row | None, checked: Known) -> None:
    """Decides what becomes of a line, and what its row is to be."""
    assert line.given is not None
    try:
        if before is None:
            line.row, line.outcome = made(db, line.given, checked), BatchOutcome.CREATED
            return
        line.id = before["id"]
        changes = _changes(line.given, before, checked, db)
        new = edited(before, changes, checked, db, resubmit=line.resubmit) if changes else {}
        line.row, line.outcome = {**before, **new}, BatchOutcome.UPDATED if new else BatchOutcome.UNCHANGED
    except Problem as problem:
        line.problem = problem


def _changes(given: OfferInput, before: Row, checked: Known, db: Db) -> dict[str, Any]:
    """What a line would change of an offer, as `edited` takes it; empty where it already is so.

    Raises InvalidInput for what is not sound, and for a kind or unit, which stay as they were made.
    """
    whole = offering.fresh(given, checked)
    if whole["kind"] != before["kind"] or whole["unit"] != before["unit"]:
        raise InvalidInput(field="kind", reason="供给的种类和计量单位不能更改，请使用新的外部编号。")
    if not whole["areas"]:
        whole |= offering.home(whole, checked)
    for name in ("kind", "unit", "external_id", *(["areas"] if not whole["areas"] else [])):
        del whole[name]
    terms = {name: value for name, value in whole.items() if name not in offering.REPEATING}
    settled = offering.settled(terms, before, checked, db.now)
    asked = {name: offering.alone(name, whole[name]) for name in offering.REPEATING}
    same = all(settled[name] == before[name] for name in settled) and all(asked[n] == before[n] for n in asked)
    return {} if same else whole


async def _write(db: Db, lines: Sequence[Line], existing: Mapping[str, Row]) -> None:
    """Writes what is new and what has changed, with their times, and tells of it."""
    new = {line.external_id: line for line in lines if line.outcome is BatchOutcome.CREATED}
    old = [line for line in lines if line.outcome is BatchOutcome.UPDATED]
    if new:
        rows = [_json(line.row, MADE) for line in new.values()]
        for row in await db.all(INSERT, rows=json.dumps(rows, default=str)):
            new[row["external_id"]].id = row["id"]
    if old:
        await db.value(UPDATE, rows=json.dumps([_json(line.row, OLD) for line in old], default=str))
    moved = [line for line in old if offering.changed(line.row or {}, existing[line.external_id], offering.REPEATING)]
    await write_times(db, {line.id: line.row for line in (*new.values(), *moved) if line.id and line.row})
    for line in (*new.values(), *old):
        assert line.id is not None and line.row is not None
        before = existing.get(line.external_id)
        if before is None or before["status"] != line.row["status"]:
            db.tell(f"offer.{OfferStatus(line.row['status']).value.lower()}", line.id, area=line.row["area"])


def _json(row: Mapping[str, Any] | None, names: Sequence[str]) -> dict[str, Any]:
    assert row is not None
    return {name: row[name] for name in names} | {"own": search.grams(row["title"])}


async def _note(db: Db, lines: Sequence[Line]) -> UUID:
    """Writes down what became of each; the batch's id."""
    counts = collections.Counter(line.outcome for line in lines)
    numbers = {outcome.value.lower(): counts[outcome] for outcome in BatchOutcome}
    id: UUID = await db.value(BATCH, organization=db.actor.organization, by=db.actor.person, **numbers)
    problems = [line.problem for line in lines]
    await db.value(
        ITEMS,
        batch=id,
        place=list(range(len(lines))),
        external_id=[line.external_id for line in lines],
        outcome=[line.outcome.value for line in lines],
        offer_id=[line.id for line in lines],
        code=[None if p is None else p.code for p in problems],
        field=[getattr(p, "field", None) for p in problems],
        message=[None if p is None else p.message for p in problems],
    )
    db.detail |= numbers
    return id
