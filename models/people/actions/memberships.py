"""Verbs of capacities: give somebody one, take it back. Nobody gives himself one, or one wider than his own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import ROLE_LABELS, Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.people.actions.administrators import last_administrator
from models.people.actions.lesser import outgrown
from models.people.actions.persons import ACTS
from models.people.actions.places import KNOWN
from models.people.holding import lasts
from models.people.organization_rules import OrganizationKind, VerifiedState
from models.people.organizations import Membership, Organization
from models.people.problems import (
    LastAdministrator,
    LicenceMissing,
    MembershipExists,
    OrganizationNotVerified,
    OwnCase,
    RolesApart,
    ScopeExceeded,
)
from models.people.scopes import AREA_DIGITS, GRANTED_ROLES, GRANTS, MAY, ORGANIZATION_KINDS, SHOWN_ROLES, apart
from models.people.tables import Person, SocialWorker
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.territory.tables import Grid

person, organization, membership = table(Person), table(Organization), table(Membership)
worker, grid = table(SocialWorker), table(Grid)

PERSON = Seen(
    lambda viewer: (
        sa.select(person.c.id)
        .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(person, "person", viewer))
        .with_for_update()
    )
)
ORGANIZATION = Seen(
    lambda viewer: sa.select(organization.c.kind, organization.c.verified_state, organization.c.area).where(
        organization.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(organization, "organization", viewer)
    )
)
LICENCE = Statement(
    sa.select(
        sa.exists().where(
            worker.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
            worker.c.licence_until >= sa.bindparam("day", type_=sa.Date()),
        )
    )
)
THEN = (
    membership.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
    sa.or_(
        sa.bindparam("ends_on", type_=sa.Date(), unique=False).is_(None),
        membership.c.starts_on <= sa.bindparam("ends_on", type_=sa.Date(), unique=False),
    ),
    lasts(membership.c, sa.bindparam("starts_on", type_=sa.Date())),
)
"""Somebody's capacities of some of those days."""
SAME = Statement(
    sa.select(
        sa.exists().where(
            membership.c.role == sa.bindparam("role", type_=sa.Text()),
            membership.c.organization_id.is_not_distinct_from(sa.bindparam("organization", type_=sa.Uuid())),
            membership.c.area.is_not_distinct_from(sa.bindparam("area", type_=sa.Text())),
            *THEN,
        )
    )
)
BESIDES = Statement(sa.select(membership.c.role, membership.c.organization_id).where(*THEN))
INSERT = Statement(
    sa.insert(membership)
    .values(
        person_id=sa.bindparam("person"),
        organization_id=sa.bindparam("organization"),
        role=sa.bindparam("role"),
        area=sa.bindparam("area"),
        starts_on=sa.bindparam("starts_on"),
        ends_on=sa.bindparam("ends_on"),
        granted_by=sa.bindparam("by"),
        granted_at=sa.bindparam("now"),
    )
    .returning(membership.c.id)
)
OFFICER = Statement(
    sa.update(grid)
    .where(grid.c.code == sa.bindparam("code", type_=sa.Text()))
    .values(officer_id=sa.bindparam("person"))
)
NO_OFFICER = Statement(
    sa.update(grid)
    .where(
        grid.c.code == sa.bindparam("code", type_=sa.Text()),
        grid.c.officer_id == sa.bindparam("person", type_=sa.Uuid()),
    )
    .values(officer_id=sa.null())
)
ONE = Seen(
    lambda viewer: (
        sa.select(membership)
        .where(membership.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(membership, "membership", viewer))
        .with_for_update()
    )
)
REVOKE = Statement(
    sa.update(membership)
    .where(membership.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(revoked_at=sa.bindparam("now"))
)


@may(MAY["membership.grant"])
@refuses(OwnCase, ScopeExceeded, OrganizationNotVerified, MembershipExists, LicenceMissing, RolesApart)
async def grant_membership(
    db: Db,
    person_id: UUID,
    role: Role,
    *,
    organization_id: UUID | None = None,
    area: str | None = None,
    starts_on: date | None = None,
    ends_on: date | None = None,
) -> UUID:
    """Gives somebody a capacity from one day to another (today, and until it is revoked); returns the membership's id.

    An administrator gives any, within his area if he has one; an organization's staff gives its own NGO_STAFF only.
    A grid officer begins today without an end and becomes his grid's officer. What an administrator gives to somebody
    whose account another organization's staff made takes that account's password and authenticator away. Raises
    Forbidden, NotFound, InvalidInput and the problems named above.
    """
    if role not in GRANTED_ROLES:
        raise InvalidInput(field="role", reason="该身份不是任职，不能授予。")
    if role not in GRANTS[db.actor.role]:
        raise ScopeExceeded()
    today = clock.day(db.now)
    starts_on = starts_on or today
    _check_days(role, starts_on, ends_on, today)
    if await db.value(PERSON, id=person_id) is None:
        raise NotFound(what="该人员")
    if person_id == db.actor.person:
        raise OwnCase()
    await _check_scope(db, role, organization_id, area)
    if role is Role.SOCIAL_WORKER and not await db.value(LICENCE, person=person_id, day=ends_on or today):
        raise LicenceMissing()
    id_ = await appoint(db, person_id, role, organization_id, area, starts_on, ends_on, by=db.actor.person)
    if db.actor.role is Role.ADMIN:
        await outgrown(db, person_id, role, organization_id)
    if role is Role.GRID_OFFICER:
        await db.one(OFFICER, code=area, person=person_id)
    return id_


async def appoint(
    db: Db,
    person_id: UUID,
    role: Role,
    organization_id: UUID | None,
    area: str | None,
    starts_on: date,
    ends_on: date | None,
    *,
    by: UUID | None,
) -> UUID:
    """Writes a capacity that `by` gives; whether he may is the caller's to ask. Returns the membership's id.

    Raises MembershipExists, RolesApart.
    """
    values = {"person": person_id, "organization": organization_id, "role": role, "area": area}
    if await db.value(SAME, starts_on=starts_on, ends_on=ends_on, **values):
        raise MembershipExists()
    for row in await db.all(BESIDES, person=person_id, starts_on=starts_on, ends_on=ends_on):
        if apart(role, Role(row["role"]), same_organization=row["organization_id"] == organization_id):
            raise RolesApart(held=ROLE_LABELS[Role(row["role"])])
    id_: UUID = await db.value(INSERT, starts_on=starts_on, ends_on=ends_on, by=by, **values)
    if role in SHOWN_ROLES:
        await db.one(ACTS, id=person_id)
    db.detail.update(_of(values))
    db.tell("membership.granted", id_, area=area, role=role.value)
    return id_


def _of(row: Mapping[str, Any]) -> dict[str, str]:
    """Whose capacity it is and over what, for the audit log: ids and codes, which a membership's own id does not tell."""
    return {name: str(row[name]) for name in ("person", "role", "organization", "area") if row[name] is not None}


def _check_days(role: Role, starts_on: date, ends_on: date | None, today: date) -> None:
    """Raises InvalidInput for days in the wrong order, long past, or, for a grid officer, other than from today on."""
    if ends_on is not None and ends_on < starts_on:
        raise InvalidInput(field="endsOn", reason="结束日期不能早于开始日期。")
    if starts_on < today or starts_on.year > today.year + 5:
        raise InvalidInput(field="startsOn", reason="开始日期须从今天起，五年以内。")
    if role is Role.GRID_OFFICER and (starts_on != today or ends_on is not None):
        raise InvalidInput(field="startsOn", reason="网格员任职自今天起，至撤销为止。")


async def _check_scope(db: Db, role: Role, organization_id: UUID | None, area: str | None) -> None:
    """Whether the capacity has the scope that its role needs, and the giver may give it. Raises as `grant_membership`."""
    if role in ORGANIZATION_KINDS:
        if organization_id is None:
            raise InvalidInput(field="organization", reason="该任职须指定组织。")
        if area is not None:
            raise InvalidInput(field="area", reason="该任职以组织为范围，不能再指定区域。")
        if db.actor.role is Role.NGO_STAFF and organization_id != db.actor.organization:
            raise ScopeExceeded()
        found = await db.one(ORGANIZATION, id=organization_id)
        if found is None:
            raise NotFound(what="该组织")
        if found["verified_state"] != VerifiedState.VERIFIED:
            raise OrganizationNotVerified()
        if OrganizationKind(found["kind"]) not in ORGANIZATION_KINDS[role]:
            raise InvalidInput(field="organization", reason="该类组织没有这种任职。")
        if db.actor.area is not None and db.actor.role is Role.ADMIN and not db.actor.covers(found["area"]):
            raise ScopeExceeded()
        return
    if organization_id is not None:
        raise InvalidInput(field="organization", reason="该任职以区域为范围，不能指定组织。")
    digits = AREA_DIGITS.get(role)
    if digits is not None and (area is None or len(area) not in digits):
        raise InvalidInput(field="area", reason="该任职须指定相应层级的区划或网格代码。")
    if area is not None and not await db.value(KNOWN, code=area):
        raise InvalidInput(field="area", reason="没有这个区划或网格代码。")
    if db.actor.area is not None and (area is None or not db.actor.covers(area)):
        raise ScopeExceeded()


@may(MAY["membership.revoke"])
@refuses(InvalidTransition, LastAdministrator)
async def revoke_membership(db: Db, id: UUID) -> UUID:
    """Takes a capacity back, at once; returns the membership's id. One's own may always be laid down.

    An administrator any, within his area if he has one; an organization's staff its own NGO_STAFF. Raises Forbidden,
    NotFound, InvalidTransition when it is revoked already, LastAdministrator.
    """
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该任职")
    await _check_may_revoke(db, row)
    if row["revoked_at"] is not None:
        raise InvalidTransition(status="REVOKED", label="已撤销")
    if await last_administrator(db, id):
        raise LastAdministrator()
    await db.one(REVOKE, id=id)
    if row["role"] == Role.GRID_OFFICER:
        await db.one(NO_OFFICER, code=row["area"], person=row["person_id"])
    db.detail.update(_of({**row, "person": row["person_id"], "organization": row["organization_id"]}))
    db.tell("membership.revoked", id, area=row["area"], role=row["role"])
    return id


async def _check_may_revoke(db: Db, row: asyncpg.Record) -> None:
    actor = db.actor
    if row["person_id"] == actor.person:
        return
    if Role(row["role"]) not in GRANTS.get(actor.role, frozenset()):
        raise Forbidden()
    if actor.role is Role.NGO_STAFF and row["organization_id"] != actor.organization:
        raise Forbidden()
    if actor.role is Role.ADMIN and actor.area is not None:
        area = row["area"]
        if area is None and row["organization_id"] is not None:
            found = await db.one(ORGANIZATION, id=row["organization_id"])
            area = found["area"] if found else None
        if area is None or not actor.covers(area):
            raise Forbidden()
