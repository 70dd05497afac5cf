"""Verbs by which somebody joins an organization: he asks and its staff answer, or they invite him and he answers.

Nobody answers what he made, nor for himself on the organization's side. Who of its staff took him stands in what comes
of it: a membership, or his place among the organization's volunteers.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import Role, may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.labels import label
from models.people.actions.memberships import appoint
from models.people.actions.once import once
from models.people.actions.organizations import take_volunteer
from models.people.actions.persons import PRESENT
from models.people.holding import holds
from models.people.organization_rules import (
    MEMBERSHIP_REQUEST_STEPS,
    JoinsAs,
    MembershipRequestState,
    OrganizationKind,
    VerifiedState,
)
from models.people.organizations import Membership, MembershipRequest, Organization, OrganizationVolunteer
from models.people.problems import (
    AnswerPending,
    MembershipExists,
    OrganizationNotVerified,
    OwnCase,
    RolesApart,
    TooManyPending,
)
from models.people.rules import VolunteerRegistration
from models.people.scopes import MAY, ORGANIZATION_KINDS
from models.people.tables import Person, Volunteer
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

LASTS = timedelta(days=30)
"""For how long a request or an invitation waits for its answer."""
MOST_OF_PERSON, MOST_OF_ORGANIZATION = 20, 200
"""How many of somebody's requests, and of an organization's invitations, may wait at once."""

asked, person, organization = table(MembershipRequest), table(Person), table(Organization)
membership, volunteer, took = table(Membership), table(Volunteer), table(OrganizationVolunteer)
S = MembershipRequestState

UNIT = Seen(
    lambda viewer: sa.select(organization.c.kind, organization.c.verified_state).where(
        organization.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(organization, "organization", viewer)
    )
)
PERSON = Seen(
    lambda viewer: (
        sa.select(person.c.id)
        .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), PRESENT, *seen(person, "person", viewer))
        .with_for_update()
    )
)
_WHO = sa.bindparam("person", type_=sa.Uuid(), unique=False)
_UNIT = sa.bindparam("organization", type_=sa.Uuid(), unique=False)
SERVES = Statement(
    sa.select(
        sa.exists().where(
            volunteer.c.person_id == _WHO,
            volunteer.c.state == sa.literal_column(f"'{VolunteerRegistration.ACTIVE.value}'"),
        )
    )
)
BELONGS = {
    JoinsAs.VOLUNTEER: Statement(
        sa.select(sa.exists().where(took.c.person_id == _WHO, took.c.organization_id == _UNIT, took.c.until.is_(None)))
    ),
    JoinsAs.STAFF: Statement(
        sa.select(
            sa.exists().where(
                membership.c.person_id == _WHO,
                membership.c.organization_id == _UNIT,
                membership.c.role == sa.literal_column(f"'{Role.NGO_STAFF.value}'"),
                holds(membership.c),
            )
        )
    ),
}
"""Whether somebody is already what he would join as."""
LAPSE = Statement(
    sa.update(asked)
    .where(
        sa.or_(asked.c.person_id == _WHO, asked.c.organization_id == _UNIT),
        asked.c.state == sa.literal_column(f"'{S.PENDING.value}'"),
        asked.c.until <= sa.bindparam("now", type_=INSTANT),
    )
    .values(state=sa.literal_column(f"'{S.LAPSED.value}'"))
)
PENDING = Statement(
    sa.select(
        sa.func.count()
        .filter(
            asked.c.person_id == _WHO,
            asked.c.organization_id == _UNIT,
            asked.c.joins_as == sa.bindparam("joins_as", type_=sa.Text()),
        )
        .label("same"),
        sa.func.count().filter(asked.c.person_id == _WHO, asked.c.made_by == _WHO).label("his"),
        sa.func.count().filter(asked.c.organization_id == _UNIT, asked.c.made_by != asked.c.person_id).label("theirs"),
    ).where(
        sa.or_(asked.c.person_id == _WHO, asked.c.organization_id == _UNIT),
        asked.c.state == sa.literal_column(f"'{S.PENDING.value}'"),
    )
)
INSERT = Statement(
    sa.insert(asked)
    .values(
        organization_id=_UNIT,
        person_id=_WHO,
        joins_as=sa.bindparam("joins_as"),
        made_by=sa.bindparam("by"),
        made_at=sa.bindparam("now"),
        until=sa.bindparam("until"),
        state=S.PENDING.value,
    )
    .returning(asked.c.id)
)
ONE = Seen(
    lambda viewer: (
        sa.select(asked)
        .where(asked.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(asked, "membership_request", viewer))
        .with_for_update()
    )
)
DECIDE = Statement(
    sa.update(asked)
    .where(asked.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        state=sa.bindparam("state"),
        decided_by=sa.bindparam("by"),
        decided_at=sa.bindparam("now"),
        reason=sa.bindparam("reason"),
    )
)
TAKEN = Seen(
    lambda viewer: (
        sa.select(took)
        .where(took.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(took, "organization_volunteer", viewer))
        .with_for_update()
    )
)
END = Statement(
    sa.update(took)
    .where(took.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(until=sa.bindparam("now"), ended_by=sa.bindparam("by"))
)


@may(MAY["membership.ask"])
@refuses(OrganizationNotVerified, MembershipExists, AnswerPending, TooManyPending)
async def ask_to_join(db: Db, organization: UUID, joins_as: JoinsAs) -> UUID:
    """Whoever is signed in asks to join an organization, as one of its volunteers or its staff; returns the request's id.

    Its staff answer within thirty days; until then they see his masked name. Raises NotFound, InvalidInput for a kind of
    organization that nobody joins, and for a volunteer who is not an active one, and the problems named above.
    """
    assert db.actor.person is not None
    await _check_unit(db, organization)
    return await _ask(db, organization, db.actor.person, joins_as)


@may(MAY["membership.invite"])
@refuses(OwnCase, OrganizationNotVerified, MembershipExists, AnswerPending, TooManyPending)
async def invite_to_join(db: Db, person: UUID, joins_as: JoinsAs) -> UUID:
    """An organization's staff invite somebody whom they see; he answers within thirty days. Returns the invitation's id.

    Raises Forbidden, NotFound, InvalidInput and the problems named above.
    """
    if person == db.actor.person:
        raise OwnCase()
    assert db.actor.organization is not None
    await _check_unit(db, db.actor.organization)
    if await db.value(PERSON, id=person) is None:
        raise NotFound(what="该人员")
    return await _ask(db, db.actor.organization, person, joins_as)


@may(MAY["membership.answer"])
@refuses(OwnCase, InvalidTransition, MembershipExists, RolesApart)
async def accept_membership(db: Db, id: UUID) -> UUID:
    """The other side says yes, and he has joined, from today on; returns the request's id.

    To a request the organization's staff, but not whoever made it; to an invitation whom it names, as long as who
    invited him is of the staff himself. Raises Forbidden, NotFound and the problems named above.
    """
    row = await _to_answer(db, id)
    state = _moved("accept", row)
    who, unit, joins_as = row["person_id"], row["organization_id"], JoinsAs(row["joins_as"])
    by = row["made_by"] if row["made_by"] != who else db.actor.person
    of = {"person": by, "organization": unit}
    if by != db.actor.person and not await db.value(BELONGS[JoinsAs.STAFF], today=clock.day(db.now), **of):
        raise _lapsed()
    await _check_fit(db, who, joins_as)
    if joins_as is JoinsAs.STAFF:
        await appoint(db, who, Role.NGO_STAFF, unit, None, clock.day(db.now), None, by=by)
    else:
        await take_volunteer(db, unit, who, by)
    return await _decide(db, row, state, None)


@may(MAY["membership.answer"])
@refuses(OwnCase, InvalidTransition)
async def refuse_membership(db: Db, id: UUID, reason: str | None = None) -> UUID:
    """The other side says no, staff with a reason that he reads; returns the request's id. Who may, as for accepting.

    Raises Forbidden, NotFound, InvalidInput and the problems named above.
    """
    why = None if reason is None else clean(reason, "reason", most=200)
    row = await _to_answer(db, id)
    if why is None and db.actor.person != row["person_id"]:
        raise InvalidInput(field="reason", reason="请说明理由。")
    return await _decide(db, row, _moved("refuse", row), why)


@may(MAY["membership.answer"])
@refuses(InvalidTransition)
async def withdraw_request(db: Db, id: UUID) -> UUID:
    """The side that made it takes it back: whoever asked, or the staff of the organization that invited.

    Returns the request's id. Raises Forbidden, NotFound, InvalidTransition.
    """
    row = await _load(db, id)
    own = row["made_by"] == row["person_id"]
    if (own and db.actor.person != row["person_id"]) or (not own and not _for_unit(db, row)):
        raise Forbidden()
    return await _decide(db, row, _moved("withdraw", row), None)


@may(MAY["membership.answer"])
@refuses(InvalidTransition)
async def end_volunteering(db: Db, id: UUID) -> UUID:
    """A volunteer leaves an organization, or its staff let him go: they see his name no longer. Returns its id.

    Sessions that he is signed up for stay. Raises Forbidden, NotFound, InvalidTransition when it has ended already.
    """
    row = await db.one(TAKEN, id=id)
    if row is None:
        raise NotFound(what="该志愿者")
    if row["person_id"] != db.actor.person and not _for_unit(db, row):
        raise Forbidden()
    if row["until"] is not None:
        raise InvalidTransition(status="ENDED", label="已结束")
    await db.one(END, id=id, by=db.actor.person)
    db.detail.update(person=row["person_id"], organization=row["organization_id"])
    db.tell("organization_volunteer.ended", id, organization=row["organization_id"])
    return id


async def _check_unit(db: Db, id: UUID) -> None:
    found = await db.one(UNIT, id=id)
    if found is None:
        raise NotFound(what="该组织")
    if found["verified_state"] != VerifiedState.VERIFIED:
        raise OrganizationNotVerified()
    if OrganizationKind(found["kind"]) not in ORGANIZATION_KINDS[Role.NGO_STAFF]:
        raise InvalidInput(field="organization", reason="该类组织不接受加入申请。")


async def _check_fit(db: Db, who: UUID, joins_as: JoinsAs) -> None:
    if joins_as is JoinsAs.VOLUNTEER and not await db.value(SERVES, person=who):
        raise InvalidInput(field="joinsAs", reason="须先注册为志愿者并通过核验。")


async def _ask(db: Db, unit: UUID, who: UUID, joins_as: JoinsAs) -> UUID:
    await _check_fit(db, who, joins_as)
    await once(db, f"joining {unit}", f"joining {who}")
    of = {"person": who, "organization": unit}
    if await db.value(BELONGS[joins_as], today=clock.day(db.now), **of):
        raise MembershipExists()
    await db.one(LAPSE, **of)
    waiting = await db.one(PENDING, joins_as=joins_as, **of)
    assert waiting is not None
    if waiting["same"]:
        raise AnswerPending()
    own = who == db.actor.person
    most = MOST_OF_PERSON if own else MOST_OF_ORGANIZATION
    if waiting["his" if own else "theirs"] >= most:
        raise TooManyPending(most=most)
    id_: UUID = await db.value(INSERT, joins_as=joins_as, by=db.actor.person, until=db.now + LASTS, **of)
    db.detail.update(person=who, organization=unit)
    db.tell("membership.asked" if own else "membership.invited", id_, organization=unit)
    return id_


async def _load(db: Db, id: UUID) -> asyncpg.Record:
    """A request that waits, locked. Raises NotFound, InvalidTransition once its time is over."""
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该申请")
    if row["state"] == S.PENDING and row["until"] <= db.now:
        raise _lapsed()
    return row


async def _to_answer(db: Db, id: UUID) -> asyncpg.Record:
    """A request that it is the actor's to answer. Raises as `_load`, and Forbidden, OwnCase."""
    row = await _load(db, id)
    asks = row["made_by"] == row["person_id"]
    if asks and db.actor.person == row["person_id"]:
        raise OwnCase()
    if not (_for_unit(db, row) if asks else db.actor.person == row["person_id"]):
        raise Forbidden()
    return row


def _moved(step: str, row: asyncpg.Record) -> MembershipRequestState:
    now = S(row["state"])
    after = MEMBERSHIP_REQUEST_STEPS.get((step, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after


def _for_unit(db: Db, row: Any) -> bool:
    return db.actor.role is Role.NGO_STAFF and row["organization_id"] == db.actor.organization


def _lapsed() -> InvalidTransition:
    return InvalidTransition(status=S.LAPSED.value, label=label(S.LAPSED))


async def _decide(db: Db, row: asyncpg.Record, state: MembershipRequestState, reason: str | None) -> UUID:
    id_: UUID = row["id"]
    await db.one(DECIDE, id=id_, state=state, by=db.actor.person, reason=reason)
    db.detail.update(person=row["person_id"], organization=row["organization_id"])
    db.tell(f"membership_request.{state.value.lower()}", id_, organization=row["organization_id"])
    return id_
