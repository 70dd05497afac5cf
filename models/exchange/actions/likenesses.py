"""Needs that are made of another one: the repetitions of a series, and the parts of a need that is split.

They are needs of their own from then on: claimed, edited and cancelled each for itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange import appointments, rules
from models.exchange.actions.assigning import entrust
from models.exchange.actions.choosing import OPTIONS
from models.exchange.actions.ground import Row, bound, locked_need, move_need, need
from models.exchange.actions.placing import lapse
from models.exchange.problems import CommitmentsUnderWay
from models.exchange.states import NEED_STEPS, NeedStatus
from models.exchange.tables import NeedOption, NeedStaff
from models.problems import InvalidInput, InvalidTransition, refuses

option, staff = table(NeedOption), table(NeedStaff)
MOST_PARTS = 20
ITS_OWN = frozenset(
    {
        *(
            "id",
            "no",
            "qty_total",
            "qty_committed",
            "qty_delivered",
            "window_from",
            "window_to",
            "due_at",
            "created_at",
        ),
        *("status", "opened_at", "closed_at", "reason", "referred_to", "reopened", "options", "option_place", "rrule"),
        *("parent_id", "series_id", "merged_into", "result", "overdue_told_at", "priority", "version"),
    }
)
"""What a need that is made of another one does not take over."""
_wanted = (
    sa.func.unnest(
        bound("quantities", ARRAY(sa.Integer())),
        bound("froms", ARRAY(INSTANT)),
        bound("tos", ARRAY(INSTANT)),
        bound("choices", ARRAY(sa.Integer())),
    )
    .table_valued("qty", "starts", "ends", "choices", name="wanted")
    .render_derived()
)
_taken_over = [column for column in need.c if column.name not in ITS_OWN]
_new: dict[str, Any] = {
    "qty_total": _wanted.c.qty,
    "window_from": _wanted.c.starts,
    "window_to": _wanted.c.ends,
    "due_at": sa.func.coalesce(_wanted.c.ends, need.c.due_at),
    "options": _wanted.c.choices,
    "parent_id": need.c.id,
    "series_id": bound("series", sa.Uuid()),
    "status": bound("status", sa.Text()),
    "opened_at": bound("opened_at", INSTANT),
    "created_at": bound("now", INSTANT),
}
MAKE = Statement(
    sa.insert(need)
    .from_select(
        [*(column.name for column in _taken_over), *_new],
        sa.select(*_taken_over, *(value.label(f"v_{name}") for name, value in _new.items()))
        .select_from(need.join(_wanted, sa.true()))
        .where(need.c.id == bound("of", sa.Uuid())),
        include_defaults=False,
    )
    .returning(need.c.id, need.c.options)
)
_named = sa.select(bound("made", sa.Uuid()).label("made"), staff.c.person_id, staff.c.named_by, staff.c.named_at).where(
    staff.c.need_id == bound("of", sa.Uuid())
)
NAME_TOO = Statement(
    insert(staff).from_select(["need_id", "person_id", "named_by", "named_at"], _named, include_defaults=False)
)
_offered = sa.select(
    bound("made", sa.Uuid()).label("made"), option.c.place, option.c.starts_at, option.c.ends_at
).where(option.c.need_id == bound("of", sa.Uuid()))
OFFER_TOO = Statement(
    sa.insert(option).from_select(["need_id", "place", "starts_at", "ends_at"], _offered, include_defaults=False)
)


@dataclasses.dataclass(frozen=True)
class PartInput:
    """A part of a need: so much of it, and at which of its appointments, where that is settled."""

    quantity: int
    option: UUID | None = None


@dataclasses.dataclass(frozen=True)
class Likeness:
    """A need that is to be made of another one."""

    quantity: int
    window: tuple[datetime | None, datetime | None]
    options: int = 0


async def make(db: Db, of: UUID, status: NeedStatus, wanted: Sequence[Likeness], *, series: UUID | None) -> list[UUID]:
    """Makes needs of a locked one, each with the staff and the social worker that it has."""
    row = await locked_need(db, of)
    opened = db.now if status is NeedStatus.OPEN else None
    arrays = {
        "quantities": [one.quantity for one in wanted],
        "froms": [one.window[0] for one in wanted],
        "tos": [one.window[1] for one in wanted],
        "choices": [one.options for one in wanted],
    }
    made = await db.all(MAKE, of=of, series=series, status=status, opened_at=opened, **arrays)
    for one in made:
        await db.value(NAME_TOO, made=one["id"], of=of)
        if one["options"]:
            await db.value(OFFER_TOO, made=one["id"], of=of)
        if row["assigned_to"] is not None:
            await entrust(db, {**row, "id": one["id"]}, row["assigned_to"])
        db.tell(f"need.{status.value.lower()}", one["id"], area=row["area"])
    return [one["id"] for one in made]


async def repeat(db: Db, row: Row) -> None:
    """Of a need that has just been opened for the first time, and repeats: makes the repetitions that are not over."""
    if row["rrule"] is None or row["series_id"] is not None:
        return
    _, windows = appointments.repeated(row["rrule"], (row["window_from"], row["window_to"]))
    ahead = [Likeness(row["qty_total"], window) for window in windows[1:] if window[1] > db.now]
    await make(db, row["id"], NeedStatus.OPEN, ahead, series=row["id"])


@may(rules.MAY["need.split"])
@refuses(InvalidTransition, CommitmentsUnderWay)
async def split_need(db: Db, need: UUID, parts: Sequence[PartInput]) -> UUID:
    """Splits a need of which nothing is promised into 2 to 20 parts, which together want as much as it does.

    It goes on in them: they are where it was, verified or open. A part that names no appointment has all of the need's.
    """
    await lapse(db, {need})
    row = await locked_need(db, need)
    before = NeedStatus(row["status"])
    rules.step(NEED_STEPS, "split", before)
    if row["qty_committed"]:
        raise CommitmentsUnderWay(count=row["qty_committed"])
    if not 2 <= len(parts) <= MOST_PARTS:
        raise InvalidInput(field="parts", reason=f"请拆分为 2 至 {MOST_PARTS} 个部分。")
    if sum(rules.quantity(part.quantity, "parts") for part in parts) != row["qty_total"]:
        raise InvalidInput(field="parts", reason=f"各部分数量之和须等于总数 {row['qty_total']}。")
    windows = {found["id"]: (found["starts_at"], found["ends_at"]) for found in await db.all(OPTIONS, need=need)}
    if any(part.option is not None and part.option not in windows for part in parts):
        raise InvalidInput(field="parts", reason="预约时段不属于该需求。")
    whole = (row["window_from"], row["window_to"])
    wanted = [
        Likeness(part.quantity, whole, row["options"])
        if part.option is None
        else Likeness(part.quantity, windows[part.option])
        for part in parts
    ]
    await make(db, need, before, wanted, series=row["series_id"])
    await move_need(db, row, "split", closed_at=db.now)
    db.detail["parts"] = len(parts)
    return need
