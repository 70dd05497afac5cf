"""Which of a need's appointments a commitment is for: all that serve it come at the same one."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.base import table
from models.database import Db, Statement
from models.exchange import rules
from models.exchange.actions.ground import Row, bound
from models.exchange.problems import OtherAppointment
from models.exchange.tables import NeedOption
from models.problems import InvalidInput

option = table(NeedOption)
OPTIONS = Statement(sa.select(option).where(option.c.need_id == bound("need", sa.Uuid())).order_by(option.c.place))
Slot = tuple[datetime | None, datetime | None]


@dataclasses.dataclass(frozen=True)
class Chosen:
    """When a commitment is for; no slot where the need leaves that open."""

    slot: tuple[datetime, datetime] | None
    option: UUID | None = None
    place: int | None = None


async def appointment(db: Db, asked: Row, given: UUID | None, slot: Slot) -> Chosen:
    """When a commitment to a locked need is for: the option that is named, or whose times are; else the one that
    others have chosen, or the first that is not over.

    A need without options takes the slot that is agreed, or its window where that is an appointment. Raises
    InvalidInput, and OtherAppointment where others have chosen another one.
    """
    if not asked["options"]:
        if given is not None:
            raise InvalidInput(field="option", reason="该需求没有可选的预约时段。")
        start, end = slot
        agreed = (start, end) if start is not None and end is not None else None
        return Chosen(agreed or rules.slot(asked["window_from"], asked["window_to"]))
    rows = await db.all(OPTIONS, need=asked["id"])
    taken = asked["option_place"]
    if given is not None:
        fit = [row for row in rows if row["id"] == given]
    elif slot[0] is not None:
        fit = [row for row in rows if (row["starts_at"], row["ends_at"]) == slot]
    else:
        fit = [row for row in rows if (row["ends_at"] > db.now if taken is None else row["place"] == taken)]
    if not fit:
        raise InvalidInput(field="option", reason="请从该需求尚未结束的预约时段中选择。")
    row = fit[0]
    if taken is not None and row["place"] != taken:
        raise OtherAppointment(number=taken + 1)
    if row["ends_at"] <= db.now:
        raise InvalidInput(field="option", reason="该预约时段已经过去。")
    return Chosen((row["starts_at"], row["ends_at"]), row["id"], row["place"])
