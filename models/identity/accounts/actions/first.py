"""The first administrator, whom nobody signed in can make: a command does, as the owner of the database."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models import clock
from models.access import Role
from models.base import INSTANT, table
from models.database import Db, Statement
from models.identity.accounts.actions.inviting import write_invited
from models.identity.accounts.rules import LoginKind, read_login
from models.identity.accounts.tables import Account
from models.people.actions.memberships import INSERT as MEMBERSHIP
from models.people.actions.once import once
from models.people.actions.persons import ACTS, new_person
from models.people.holding import holds
from models.people.identity import read_name
from models.people.organizations import Membership
from models.people.rules import PhoneWhose

account, membership = table(Account), table(Membership)
ADMINISTRATORS = Statement(
    sa.select(
        sa.exists().where(
            membership.c.role == Role.ADMIN.value,
            membership.c.area.is_(None),
            holds(membership.c),
            account.c.person_id == membership.c.person_id,
            account.c.disabled_at.is_(None),
            sa.or_(
                account.c.password_hash.is_not(None), account.c.invitation_until > sa.bindparam("now", type_=INSTANT)
            ),
        )
    )
)


class AdministratorExists(Exception):
    """Somebody administers the platform already and has an account, or holds an invitation to it."""


async def first_administrator(
    db: Db, name: str, login: str, *, another: bool, fictional: bool
) -> tuple[UUID, UUID, str]:
    """A new person who administers the whole platform: his account's id, his own, and the invitation.

    `another`: also when there is one already. Raises AdministratorExists, InvalidInput, LoginTaken.
    """
    plain_name = read_name(name)
    kind, plain = read_login(login, fictional=fictional)
    await once(db, "administrators")
    today = clock.day(db.now)
    if not another and await db.value(ADMINISTRATORS, today=today):
        raise AdministratorExists()
    phone = plain if kind is LoginKind.PHONE else None
    person = await new_person(db, name=plain_name, phone=phone, whose=PhoneWhose.OWN)
    await db.one(
        MEMBERSHIP,
        person=person,
        organization=None,
        role=Role.ADMIN,
        area=None,
        starts_on=today,
        ends_on=None,
        by=None,
    )
    await db.one(ACTS, id=person)
    id_, token = await write_invited(db, person, kind, plain, anew=True)
    return id_, person, token
