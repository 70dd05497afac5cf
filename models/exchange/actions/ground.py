"""What the verbs share: rows locked in one order, quantities given back, states written and told.

The order of locks is: needs by id, offers by id, commitments. Counters of a need or an offer change only under its
row's lock, together with the commitment that they count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models import search, vault
from models.access import Actor, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.exchange.kinds import Side
from models.exchange.rules import SIDES, step
from models.exchange.states import ENDED, NEED_STEPS, SERVED, CommitmentStatus, NeedStatus
from models.exchange.tables import Commitment, Need, Offer
from models.people.actions import end_contact_grants
from models.problems import NotFound

Row = Mapping[str, Any]
need, offer, commitment = table(Need), table(Offer), table(Commitment)
UUIDS, INTEGERS = ARRAY(sa.Uuid()), ARRAY(sa.Integer())


def bound(name: str, type_: Any = None) -> sa.BindParameter[Any]:
    """A parameter of a statement."""
    return sa.bindparam(name, type_=type_)


class Findable(Statement):
    """A statement that writes a need or an offer with what it is found by: the keys of its title are made here."""

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values in order, the title's keys among them."""
        return super().arguments({**values, "title_grams": search.grams(values["title"])})


def found_by(area: Any) -> Any:
    """What a need or an offer is found by, in the same statement as its title and category."""
    return sa.func.grams_of(bound("title_grams", INTEGERS), bound("category_code", sa.Text()), area, type_=INTEGERS)


def _read(rows: sa.Table) -> Any:
    """All of a row but what it is found by."""
    return sa.select(*(column for column in rows.c if column.name != "grams"))


def _locked(rows: sa.Table, name: str) -> Seen:
    return Seen(
        lambda viewer: (
            _read(rows)
            .where(rows.c.id == bound("id"), *seen(rows, name, viewer))
            .with_for_update(key_share=True, of=rows)
        )
    )


def _by_id(rows: sa.Table) -> Statement:
    return Statement(_read(rows).where(rows.c.id == bound("id")).with_for_update(key_share=True))


def _in_order(rows: sa.Table) -> Statement:
    of = rows.c.id == sa.any_(bound("ids", UUIDS))
    return Statement(sa.select(rows.c.id).where(of).order_by(rows.c.id).with_for_update(key_share=True))


def insertion(rows: sa.Table, columns: Iterable[str]) -> Statement:
    """Inserts these columns of a row, the others as the database has them by default; returns its id."""
    values = [bound(name, rows.c[name].type).label(f"v_{name}") for name in columns]
    more = {"grams": found_by(bound("area", sa.Text()))} if "grams" in rows.c else {}
    made = sa.insert(rows).from_select([*columns, *more], sa.select(*values, *more.values()), include_defaults=False)
    return (Findable if more else Statement)(made.returning(rows.c.id))


def _written(rows: sa.Table, columns: Iterable[str], **more: Any) -> Statement:
    values = {name: bound(name, rows.c[name].type) for name in columns}
    of = rows.c.id == bound("of", sa.Uuid())
    if "grams" not in rows.c:
        return Statement(sa.update(rows).where(of).values(**values, **more))
    return Findable(sa.update(rows).where(of).values(**values, **more, grams=found_by(rows.c.area)))


def _changed(rows: sa.Table, *counters: str, **also: Any) -> Statement:
    more = also | {name: rows.c[name] + bound(name, sa.Integer()) for name in counters}
    return Statement(sa.update(rows).where(rows.c.id == bound("of", sa.Uuid())).values(**more))


LOCK_NEED, LOCK_OFFER = _locked(need, "need"), _locked(offer, "offer")
RELOCK_NEED, RELOCK_OFFER, RELOCK_COMMITMENT = _by_id(need), _by_id(offer), _by_id(commitment)
LOCK_NEEDS, LOCK_OFFERS = _in_order(need), _in_order(offer)
KEYS = (commitment.c.need_id, commitment.c.offer_id)
KEYS_SEEN = Seen(
    lambda viewer: sa.select(*KEYS).where(commitment.c.id == bound("id"), *seen(commitment, "commitment", viewer))
)
KEYS_OF = Statement(sa.select(*KEYS).where(commitment.c.id == bound("id")))

NEED_COLUMNS = (
    *("title", "note", "category_id", "category_code", "qty_total", "window_from", "window_to", "due_at"),
    *("answer_due_at", "urgency", "sensitivity", "gender_preference", "status", "reason", "referred_to", "reopened"),
    *("hints", "opened_at", "closed_at", "verified_by", "assigned_to", "skill_code", "certificate", "language"),
    *("gender_required", "vulnerability", "duration_minutes", "options", "rrule", "series_id", "merged_into", "result"),
    "overdue_told_at",
)
OFFER_COLUMNS = (
    *("title", "note", "category_id", "category_code", "qty_total", "window_from", "window_to", "service_areas"),
    *("status", "reason", "reviewed_by", "rrule", "duration_minutes", "min_notice_minutes", "parallel", "weekly_cap"),
    *("x", "y", "radius_km", "skills", "certificates", "languages", "external_id"),
    *("venue_address", "venue_seats", "venue_equipment", "venue_access"),
)
COMMITMENT_COLUMNS = (
    *("volunteer_person_id", "social_worker_id", "qty_delivered", "status", "accepted_at", "confirmed_at"),
    *("confirmed_by", "open_until", "started_at", "delivered_at", "ended_at", "rating", "comment", "cancelled_by"),
    *("reason", "late", "result"),
)
CARE = frozenset({"note", "reason", "comment", "result"})
"""What of a need or a commitment is sealed."""
WRITE_NEED = _written(need, NEED_COLUMNS, version=need.c.version + 1)
WRITE_OFFER = _written(offer, OFFER_COLUMNS, version=offer.c.version + 1)
WRITE_COMMITMENT = _written(commitment, COMMITMENT_COLUMNS, version=commitment.c.version + 1)
_nothing_ahead = need.c.qty_committed + bound("qty_committed", sa.Integer()) == (
    need.c.qty_delivered + bound("qty_delivered", sa.Integer())
)
COUNT_NEED = _changed(
    need, "qty_committed", "qty_delivered", option_place=sa.case((_nothing_ahead, sa.null()), else_=need.c.option_place)
)
"""When nothing is promised that is not delivered, the need's appointments may be chosen from again."""
HOLD_NEED = Statement(
    sa.update(need)
    .where(need.c.id == bound("of", sa.Uuid()))
    .values(
        qty_committed=need.c.qty_committed + bound("qty", sa.Integer()),
        option_place=sa.func.coalesce(need.c.option_place, bound("option_place", sa.Integer())),
    )
)
COUNT_OFFER = _changed(offer, "qty_reserved", "qty_consumed")


async def locked_need(db: Db, id: UUID) -> Row:
    """A need that the actor may see, locked. Raises NotFound."""
    found: Row | None = await db.one(LOCK_NEED, id=id)
    if found is None:
        raise NotFound(what="该需求")
    return found


async def locked_offer(db: Db, id: UUID) -> Row:
    """An offer that the actor may see, locked. Raises NotFound."""
    found: Row | None = await db.one(LOCK_OFFER, id=id)
    if found is None:
        raise NotFound(what="该供给")
    return found


async def locked_commitment(db: Db, id: UUID, *, checked: bool = True) -> tuple[Row, Row]:
    """A commitment and its need, locked with its offer, all in order. Raises NotFound.

    Not `checked`: for areas that have found it through rows of their own.
    """
    keys = await db.one(KEYS_SEEN if checked else KEYS_OF, id=id)
    if keys is None:
        raise NotFound(what="该对接")
    asked = await db.one(RELOCK_NEED, id=keys["need_id"])
    if keys["offer_id"] is not None:
        await db.one(RELOCK_OFFER, id=keys["offer_id"])
    found = await db.one(RELOCK_COMMITMENT, id=id)
    assert asked is not None and found is not None
    return found, asked


def standing(row: Row, db: Db) -> CommitmentStatus:
    """Where a commitment stands: LAPSED once its hold is due, whether or not that has been written."""
    status = CommitmentStatus(row["status"])
    overdue = status is CommitmentStatus.PROPOSED and row["hold_until"] <= db.now
    return CommitmentStatus.LAPSED if overdue else status


def sides(actor: Actor, row: Row) -> frozenset[Side]:
    """On which side of a commitment that he sees the actor stands; who serves it is its provider in whatever capacity,
    so that nobody accepts his own claim."""
    if actor.person is not None and row["volunteer_person_id"] == actor.person:
        return frozenset({Side.PROVIDER})
    return frozenset({SIDES[actor.role]} if actor.role in SIDES else ())


async def care(db: Db, words: str | None, subject: UUID) -> bytes | None:
    """Words that may speak of somebody's condition, sealed for him."""
    return None if words is None else (await db.keys()).seal(vault.Kind.CARE, words, subject)


async def _closed(db: Db, row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a row, what is to be sealed of them sealed."""
    words = {name: text for name, text in changes.items() if name in CARE and isinstance(text, str)}
    return {**changes, **{name: await care(db, text, row["subject_id"]) for name, text in words.items()}}


async def write_need(db: Db, row: Row, **changes: Any) -> None:
    """Writes a need, one version on, and tells of it when its state has changed. What is written is sealed here.

    When it has ended, its social worker has no more to ask its beneficiary.
    """
    kept = {name: row[name] for name in NEED_COLUMNS}
    await db.value(WRITE_NEED, of=row["id"], **{**kept, **await _closed(db, row, changes)})
    if "status" in changes:
        db.tell(f"need.{str(changes['status']).lower()}", row["id"], area=row["area"])
        if row["assigned_to"] is not None and changes["status"] in ENDED:
            await end_contact_grants(db, row["id"])


async def write_offer(db: Db, row: Row, **changes: Any) -> None:
    """Writes an offer, one version on, and tells of it when its state has changed."""
    kept = {name: row[name] for name in OFFER_COLUMNS}
    await db.value(WRITE_OFFER, of=row["id"], **{**kept, **changes})
    if "status" in changes:
        db.tell(f"offer.{str(changes['status']).lower()}", row["id"], area=row["area"])


async def write_commitment(db: Db, row: Row, status: CommitmentStatus, **changes: Any) -> None:
    """Writes a commitment's next state, and tells of it. What is written is sealed here."""
    kept = {name: row[name] for name in COMMITMENT_COLUMNS}
    await db.value(WRITE_COMMITMENT, of=row["id"], **{**kept, "status": status, **await _closed(db, row, changes)})
    db.tell(f"commitment.{status.value.lower()}", row["id"], area=row["area"], need=row["need_id"])


async def count(db: Db, row: Row, *, held: int = 0, delivered: int = 0) -> None:
    """Changes what a commitment's need and offer count of it. Their rows are locked."""
    await db.value(COUNT_NEED, of=row["need_id"], qty_committed=held, qty_delivered=delivered)
    if row["offer_id"] is not None:
        await db.value(COUNT_OFFER, of=row["offer_id"], qty_reserved=held - delivered, qty_consumed=delivered)


async def give_back(db: Db, row: Row) -> None:
    """Returns what a commitment held, as it leaves the states that hold: to the need, and to the offer."""
    if CommitmentStatus(row["status"]) in SERVED:
        await count(db, row, held=-row["qty_delivered"], delivered=-row["qty_delivered"])
    else:
        await count(db, row, held=-row["qty"])


async def move_need(db: Db, row: Row, *steps: str, **changes: Any) -> None:
    """Takes a need some steps on, and writes where it arrives. Raises InvalidTransition."""
    status = NeedStatus(row["status"])
    for name in steps:
        status = step(NEED_STEPS, name, status)
    await write_need(db, row, status=status, **changes)
