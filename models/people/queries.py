"""Who may sign in as what, and the SQL that GraphQL fields about people name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import STAFF_ROLES, Actor, Role, within
from models.base import table
from models.database import Statement
from models.people.conflicts import unconcerned
from models.people.holding import holds
from models.people.organization_rules import ORGANIZATION_STEPS, LegalStatus, MembershipRequestState
from models.people.organizations import Membership, OrganizationVolunteer
from models.people.qualifications import QUALIFICATION_STEPS
from models.people.rules import VOLUNTEER_STEPS, PersonState, VolunteerRegistration
from models.people.scopes import GRANTS, MAY
from models.people.tables import ContactGrant, Person, Resident, Volunteer
from models.people.visible import ongoing

person, membership = table(Person), table(Membership)
resident, volunteer = table(Resident), table(Volunteer)

PRESENT = sa.exists().where(
    person.c.id == sa.bindparam("person", type_=sa.Uuid(), unique=False), person.c.state == PersonState.PRESENT.value
)
IN_OFFICE = Statement(
    sa.select(membership.c.role, membership.c.organization_id, membership.c.area).where(
        membership.c.id == sa.bindparam("membership", type_=sa.Uuid()),
        membership.c.person_id == sa.bindparam("person", type_=sa.Uuid(), unique=False),
        holds(membership.c),
        PRESENT,
    )
)
AS_RESIDENT = Statement(
    sa.select(resident.c.area).where(
        resident.c.person_id == sa.bindparam("person", type_=sa.Uuid(), unique=False),
        resident.c.refused_at.is_(None),
        PRESENT,
    )
)
AS_VOLUNTEER = Statement(
    sa.select(volunteer.c.area).where(
        volunteer.c.person_id == sa.bindparam("person", type_=sa.Uuid(), unique=False),
        volunteer.c.state == VolunteerRegistration.ACTIVE.value,
        PRESENT,
    )
)


AS_PERSON = Statement(sa.select(sa.null().label("area")).where(PRESENT))


async def actor_of(
    connection: asyncpg.Connection, person: UUID, role: Role, membership: UUID | None, now: datetime
) -> Actor | None:
    """The capacity that a token claims, if its person has it today; None when he does not.

    With a membership: its role must be the one claimed, it must not be revoked, and today must be one of its days.
    Without: a resident, or an active volunteer, in the area that he is registered in; or just himself, nowhere.
    """
    values = {"person": person, "membership": membership, "today": clock.day(now)}
    if membership is not None:
        row = await connection.fetchrow(IN_OFFICE.sql, *IN_OFFICE.arguments(values))
        if row is None or row["role"] != role.value:
            return None
        return Actor(role, person, row["organization_id"], row["area"])
    without = {Role.PERSON: AS_PERSON, Role.RESIDENT: AS_RESIDENT, Role.VOLUNTEER: AS_VOLUNTEER}
    statement = without.get(role)
    if statement is None:
        return None
    row = await connection.fetchrow(statement.sql, *statement.arguments(values))
    return None if row is None else Actor(role, person, None, row["area"])


def covered(viewer: Any, area: Any) -> sa.ColumnElement[bool]:
    """Whether an area lies in the asker's scope; an administrator without an area has the whole platform."""
    inside = sa.and_(area >= viewer.area, area < viewer.area_end)
    return sa.or_(viewer.area.is_(None), inside) if viewer.role is Role.ADMIN else inside


def plain(values: Any, column: str, person_id: Any) -> sa.ColumnElement[Any]:
    """One value of a person, from those rows of `person_name`, `person_contact` or `person_identity` that the asker may see."""
    chosen: sa.ColumnElement[Any] = sa.select(values.c[column]).where(values.c.person_id == person_id).scalar_subquery()
    return chosen


NO = sa.literal_column("false", sa.Boolean())


def reachable(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker is shown a person's masked number: his own, and of those whom he looks after or deals with."""
    viewer = view.actor
    if viewer.role in (Role.ADMIN, Role.AUDITOR):
        return sa.true()
    shown = [row.id == viewer.person]

    def one_of(rows: Any, column: str, *conditions: Any) -> None:
        shown.append(sa.exists(sa.select(sa.literal_column("1")).where(rows.c[column] == row.id, *conditions)))

    if viewer.role in STAFF_ROLES:
        shown.append(within(row.area, viewer))
        one_of(view.rows(Resident), "person_id")
        volunteers = view.rows(Volunteer)
        one_of(volunteers, "person_id", within(volunteers.c.area, viewer))
    elif viewer.role is Role.NGO_STAFF:
        grants, took = view.rows(ContactGrant), view.rows(OrganizationVolunteer)
        one_of(grants, "subject_id", grants.c.viewer_organization_id == viewer.organization, ongoing(grants.c, viewer))
        one_of(took, "person_id", took.c.organization_id == viewer.organization, ongoing(took.c, viewer))
    elif viewer.role in (Role.RESIDENT, Role.VOLUNTEER):
        grants = view.rows(ContactGrant)
        one_of(grants, "subject_id", grants.c.viewer_person_id == viewer.person, ongoing(grants.c, viewer))
        one_of(view.rows(Resident), "person_id")
    return sa.or_(*shown)


def _from(steps: Mapping[tuple[str, Any], Any], step: str) -> Any:
    """The states that a step leads on from, as an SQL array."""
    states = ", ".join(f"'{before.value}'" for named, before in steps if named == step)
    return sa.literal_column(f"ARRAY[{states}]")


def may_move_volunteer(row: Any, viewer: Any, step: str) -> sa.ColumnElement[bool]:
    """Whether the asker may take a step of a volunteer's registration now, as its verb decides."""
    possible = row.state == sa.any_(_from(VOLUNTEER_STEPS, step))
    if step == "withdraw":
        return sa.func.coalesce(sa.and_(possible, row.person_id == viewer.person), NO)
    if viewer.role not in MAY["volunteer.decide"]:
        return NO
    return sa.func.coalesce(sa.and_(possible, covered(viewer, row.area), row.person_id != viewer.person), NO)


def taken_this_week(row: Any, view: Any) -> Any:
    """How much takes a volunteer's present week (ISO, Shanghai), as the lists and rounds count it against his cap."""
    monday = sa.func.date_trunc("week", view.actor.now, sa.literal_column("'Asia/Shanghai'"))
    return sa.func.week_load(row.person_id, monday, view.actor.now, type_=sa.Integer())


def explained(score: Any, completed: Any, no_shows: Any, late_cancels: Any) -> Any:
    """How reliable somebody is, as a sentence for him (PIPL art. 24)."""
    said: Any = sa.literal_column(
        "'近一年履约 %s 次，未到 %s 次，服务前 24 小时内取消 %s 次，守约分 %s（满分 1，新志愿者从 0.80 起）。'"
    )
    return sa.func.format(said, completed, no_shows, late_cancels, sa.func.round(sa.cast(score, sa.Numeric()), 2))


def may_decide_qualification(row: Any, view: Any, step: str) -> sa.ColumnElement[bool]:
    """Whether the asker may verify, reject or revoke a qualification now: of his community's, not of somebody close."""
    viewer = view.actor
    if viewer.role not in MAY["qualification.decide"]:
        return NO
    there = view.rows(Volunteer).c
    here = sa.exists(
        sa.select(sa.literal_column("1")).where(there.person_id == row.person_id, covered(viewer, there.area))
    )
    possible = row.status == sa.any_(_from(QUALIFICATION_STEPS, step))
    return sa.func.coalesce(sa.and_(possible, here, *unconcerned(view, [row.person_id])), NO)


def may_withdraw_qualification(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may take a qualification back now: his own."""
    possible = row.status == sa.any_(_from(QUALIFICATION_STEPS, "withdraw"))
    return sa.func.coalesce(sa.and_(possible, row.person_id == viewer.person), NO)


def may_verify_resident(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may verify, or refuse, a resident now."""
    if viewer.role not in MAY["resident.verify"]:
        return NO
    possible = sa.and_(
        row.verified_at.is_(None),
        row.refused_at.is_(None),
        covered(viewer, row.area),
        row.person_id != viewer.person,
    )
    return sa.func.coalesce(possible, NO)


def may_edit_care(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may say why a resident may need care."""
    if viewer.role not in MAY["resident.care"]:
        return NO
    return sa.func.coalesce(sa.and_(row.verified_at.is_not(None), covered(viewer, row.area)), NO)


def may_move_resident(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may have a resident registered in another community."""
    whose = row.person_id == viewer.person
    if viewer.role is Role.COMMUNITY_STAFF:
        whose = sa.or_(whose, covered(viewer, row.area))
    return sa.func.coalesce(sa.and_(row.refused_at.is_(None), whose), NO)


def may_edit_organization(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may edit and submit an application now."""
    possible = row.verified_state == sa.any_(_from(ORGANIZATION_STEPS, "submit"))
    return sa.func.coalesce(sa.and_(possible, row.contact_id == viewer.person), NO)


def may_decide_organization(row: Any, viewer: Any, step: str) -> sa.ColumnElement[bool]:
    """Whether the asker may verify or reject an application now."""
    if viewer.role not in MAY["organization.decide"]:
        return NO
    possible = [row.verified_state == sa.any_(_from(ORGANIZATION_STEPS, step)), covered(viewer, row.area)]
    if viewer.role is not Role.ADMIN:
        possible.append(row.legal_status != LegalStatus.REGISTERED.value)
    possible.append(row.contact_id.is_distinct_from(viewer.person))
    return sa.func.coalesce(sa.and_(*possible), NO)


def request_state(row: Any, viewer: Any) -> Any:
    """How far a request to join is: LAPSED from the moment its time is over, whether or not that has been written."""
    over = sa.and_(row.state == MembershipRequestState.PENDING.value, row.until <= viewer.now)
    return sa.case((over, MembershipRequestState.LAPSED.value), else_=row.state)


def may_answer_request(row: Any, viewer: Any, *, own: bool) -> sa.ColumnElement[bool]:
    """Whether it is the asker's to accept or refuse a request to join, or (`own`) to take it back."""
    waits = request_state(row, viewer) == MembershipRequestState.PENDING.value
    asks = row.made_by == row.person_id
    unit = row.organization_id == viewer.organization if viewer.role is Role.NGO_STAFF else NO
    him = row.person_id == viewer.person
    if own:
        side = sa.or_(sa.and_(asks, him), sa.and_(sa.not_(asks), unit))
    else:
        side = sa.or_(sa.and_(asks, unit, sa.not_(him)), sa.and_(sa.not_(asks), him))
    return sa.func.coalesce(sa.and_(waits, side), NO)


def may_end_volunteering(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may end a volunteer's belonging to an organization."""
    unit = row.organization_id == viewer.organization if viewer.role is Role.NGO_STAFF else NO
    return sa.func.coalesce(sa.and_(row.until.is_(None), sa.or_(unit, row.person_id == viewer.person)), NO)


def may_revoke_membership(row: Any, viewer: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may revoke a membership now; the last administrator's is refused besides."""
    whose = row.person_id == viewer.person
    if viewer.role is Role.NGO_STAFF:
        whose = sa.or_(whose, sa.and_(row.role == Role.NGO_STAFF.value, row.organization_id == viewer.organization))
    elif viewer.role in GRANTS:
        whose = sa.or_(whose, viewer.area.is_(None), covered(viewer, row.area))
    return sa.func.coalesce(sa.and_(row.revoked_at.is_(None), whose), NO)
