"""Whether a person may serve a need: not his own, able to (I11), and neither side has asked to be kept from the other.

Who does not want somebody is never told of: a claim that this stands against is refused by a sentence that says no more
than that (`NotAvailable`). A claim of his own a volunteer may make against his own wish; a proposal, which somebody else
makes, not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange.actions.choosing import Slot
from models.exchange.actions.ground import bound, need
from models.exchange.kinds import Missing, Sensitivity
from models.exchange.problems import NotQualified, OwnNeed
from models.exchange.queries import misses
from models.exchange.visible import asking_side, is_any
from models.people.avoidances import Avoidance, avoids
from models.people.problems import NotAvailable
from models.people.qualifications import qualified_for
from models.people.tables import Resident

resident, avoidance = table(Resident), table(Avoidance)
UUID_ = sa.Uuid()
ONE: Any = sa.literal_column("1")


def is_own(person: Any) -> Any:
    """Whether a need is a person's own or his household's, RESTRICTED or not: he does not serve it. False for nobody."""
    household = sa.select(resident.c.household).where(resident.c.person_id == person).scalar_subquery()
    return sa.func.coalesce(sa.or_(need.c.requester_id == person, need.c.household == household), sa.false())


def is_refused(person: Any) -> Any:
    """Whether the need's side does not want this person."""
    return sa.exists(
        sa.select(ONE).where(avoidance.c.person_id == asking_side(need.c), avoidance.c.avoided_person_id == person)
    )


def service_day(slot_to: Any, today: Any) -> Any:
    """The day on which somebody has to be qualified, as SQL: that on which he serves, today where that is open."""
    last = sa.cast(sa.func.timezone("Asia/Shanghai", slot_to), sa.Date())
    return sa.func.greatest(last, today)


def _asked(need: UUID, person: UUID, slot: Slot, until: datetime) -> dict[str, Any]:
    return {"id": need, "person": person, "since": slot[0], "until": slot[1], "on_day": clock.day(until)}


_person = bound("person", UUID_)
_slot = bound("since", INSTANT), bound("until", INSTANT)
_on_day = bound("on_day", sa.Date())
_restricted = is_any(need.c.sensitivity, (Sensitivity.RESTRICTED,))
_without = sa.not_(qualified_for(_person, need.c.certificate, need.c.category_code, _on_day))
SUITS = Statement(
    sa.select(
        is_own(_person).label("own"),
        is_refused(_person).label("refused"),
        avoids(_person, asking_side(need.c), need.c.category_code).label("avoided"),
        _restricted.label("restricted"),
        sa.case(
            (_restricted, sa.case((_without, sa.literal_column(f"'{Missing.CERTIFICATE.value}'")))),
            else_=misses(need.c, _person, _slot, _on_day),
        ).label("missing"),
    ).where(need.c.id == bound("id", UUID_))
)


async def must_be_able(db: Db, need: UUID, person: UUID, held: tuple[datetime, datetime]) -> None:
    """Raises NotQualified where somebody lacks, on the day of a session, what a need requires of whoever serves it
    (I11)."""
    found = await db.one(SUITS, **_asked(need, person, held, held[1]))
    assert found is not None
    if found["missing"] is not None:
        raise NotQualified(missing=Missing(found["missing"]))


async def must_suit(
    db: Db, need: UUID, person: UUID, slot: Slot, *, proposed: bool = False, party: bool = False
) -> None:
    """Raises OwnNeed, NotAvailable or NotQualified where somebody may not serve a need at an appointment, or from now on
    where none is agreed.

    `proposed`: it is not he who asks for it. `party`: a unit's secretary, who answers himself for what its people can
    do. So do staff who are named for a RESTRICTED need; but the paper that it takes they hold (I11).
    """
    found = await db.one(SUITS, **_asked(need, person, slot, max(slot[1] or db.now, db.now)))
    assert found is not None
    if found["own"]:
        raise OwnNeed()
    if party:
        return
    if not found["restricted"] and (found["avoided"] if proposed else found["refused"]):
        raise NotAvailable()
    if found["missing"] is not None:
        raise NotQualified(missing=Missing(found["missing"]))
