"""The appointments that a need may be served at."""

from __future__ import annotations

from datetime import datetime

import strawberry

from models.exchange import tables
from models.exchange.kinds import Missing
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown

shown(Missing)


@w.entity(tables.NeedOption, "need_option")
@strawberry.type(description="An appointment that whoever asks can keep; `needClaim` and `commitmentPropose` name one.")
class NeedOption(Node):
    number: int = w.expression(lambda row: row.place + 1, description="1 is the one that suits best.")
    starts_at: datetime = w.column(tables.NeedOption.starts_at, description="When it begins.")
    ends_at: datetime = w.column(tables.NeedOption.ends_at, description="When it ends, at most 24 hours later.")


@strawberry.input(description="A time from when to when.")
class AppointmentInput:
    from_: datetime = strawberry.field(name="from", description="When it begins, in the future.")
    to: datetime = strawberry.field(description="When it ends, at most 24 hours later.")


def windows(given: list[AppointmentInput]) -> list[tuple[datetime, datetime]]:
    """The same, as the verbs take them."""
    return [(one.from_, one.to) for one in given]
