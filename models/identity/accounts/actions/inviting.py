"""Inviting somebody to an account, which also resets one; disabling one, and enabling it again.

There is no mail and no SMS here: an invitation's token is told to whoever invites, who hands it on. Whoever invites
could take it up himself. So an organization's staff invites only people who never were anything but its members and have
never signed in: as one of these he could act anyway, and what he sets falls when they become more (people's lesser.py).
He invites a few an hour: each answer tells whether somebody has a login. An administrator invites anybody, never
himself; what he did is on the audit log, and the owner's sign-ins end with it, so that he notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

import models.identity.accounts.visible  # noqa: F401 - whose account one may switch
from models import clock
from models.access import Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.identity.accounts import throttle
from models.identity.accounts.actions.other_ways import shut_other_ways
from models.identity.accounts.actions.second import FORGET_CODES, LOCK, WHOSE
from models.identity.accounts.codes import new_token, token_hash
from models.identity.accounts.problems import AccountActive, LoginTaken, OtherCapacities, TooManyAttempts
from models.identity.accounts.rules import INVITED, MAY, LoginKind, mask_login, read_login
from models.identity.accounts.tables import Account, AccountLogin
from models.identity.actions.sign_ins import end_sign_ins_of
from models.identity.rules import SignInEnd
from models.identity.tables import Capacity, SignIn
from models.identity.wechat.tables import WechatIdentity
from models.people.actions.administrators import last_administrator
from models.people.actions.once import once, secret_name
from models.people.organizations import Membership, Organization
from models.people.problems import LastAdministrator, OwnCase, ScopeExceeded
from models.people.rules import PersonState
from models.people.tables import GuardianConsent, Person, Resident, SocialWorker, Volunteer
from models.problems import InvalidTransition, Kept, NotFound, refuses
from models.vault import Kind

account, login, person = table(Account), table(AccountLogin), table(Person)
capacity, organization = table(Capacity), table(Organization)
membership = table(Membership)
OTHERWISE = (
    *(table(rows).c.person_id for rows in (SignIn, WechatIdentity, Resident, Volunteer, SocialWorker)),
    table(GuardianConsent).c.guardian_id,
)
"""Whoever stands here signs in, or will, or answers for somebody, as more than an organization's member."""

PERSON = Seen(
    lambda viewer: (
        sa.select(person.c.id)
        .where(
            person.c.id == sa.bindparam("id", type_=sa.Uuid()),
            person.c.state == PersonState.PRESENT.value,
            *seen(person, "person", viewer),
        )
        .with_for_update()
    )
)
CAPACITIES = Statement(
    sa.select(
        capacity.c.role,
        capacity.c.organization_id,
        sa.func.coalesce(capacity.c.area, organization.c.area).label("area"),
        capacity.c.starts_on,
        capacity.c.ends_on,
    )
    .select_from(capacity.outerjoin(organization, organization.c.id == capacity.c.organization_id))
    .where(capacity.c.person_id == WHOSE, capacity.c.role != Role.PERSON.value)
)
_WHO = sa.bindparam("person", type_=sa.Uuid(), unique=False)
MORE = Statement(
    sa.select(
        sa.or_(
            sa.exists().where(
                membership.c.person_id == _WHO,
                sa.or_(
                    membership.c.role != Role.NGO_STAFF.value,
                    membership.c.organization_id.is_distinct_from(sa.bindparam("ours", type_=sa.Uuid())),
                ),
            ),
            *(sa.exists().where(c == _WHO) for c in OTHERWISE),
        )
    )
)
"""Whether somebody is, or ever was, more than our organization's member: what was revoked comes back some day."""
TAKEN = Statement(
    sa.select(login.c.person_id).where(
        login.c.login_index == sa.any_(sa.bindparam("indexes", type_=postgresql.ARRAY(sa.LargeBinary()))),
        login.c.person_id != sa.bindparam("person", type_=sa.Uuid()),
    )
)
_invitation: dict[str, Any] = {
    "invitation_hash": sa.bindparam("token"),
    "invitation_until": sa.bindparam("until"),
    "invited_by": sa.bindparam("by"),
    "invited_for": sa.bindparam("ours"),
}
INSERT = Statement(
    sa.insert(account).values(person_id=WHOSE, created_at=sa.bindparam("now"), **_invitation).returning(account.c.id)
)
RESET = Statement(
    sa.update(account)
    .where(account.c.person_id == WHOSE)
    .values(
        password_hash=sa.null(),
        password_changed_at=sa.null(),
        totp_secret=sa.null(),
        totp_pending=sa.null(),
        totp_confirmed_at=sa.null(),
        totp_last_step=sa.null(),
        **_invitation,
    )
    .returning(account.c.id)
)
_login = postgresql.insert(login).values(
    person_id=WHOSE,
    kind=sa.bindparam("kind"),
    login=sa.bindparam("login"),
    login_index=sa.bindparam("index"),
    masked=sa.bindparam("masked"),
)
LOGIN = Statement(
    _login.on_conflict_do_update(
        index_elements=["person_id", "kind"],
        set_={name: _login.excluded[name] for name in ("login", "login_index", "masked")},
    )
)
ONE = Seen(
    lambda viewer: (
        sa.select(account)
        .where(account.c.id == sa.bindparam("id", type_=sa.Uuid()), *seen(account, "account", viewer))
        .with_for_update()
    )
)
SWITCH = Statement(
    sa.update(account).where(account.c.id == sa.bindparam("id", type_=sa.Uuid())).values(disabled_at=sa.bindparam("at"))
)


@may(MAY["account.invite"])
@refuses(OwnCase, ScopeExceeded, OtherCapacities, AccountActive, LoginTaken, InvalidTransition, TooManyAttempts)
async def invite(db: Db, person_id: UUID, given: str, *, fictional: bool = False) -> tuple[UUID, str]:
    """Makes somebody an account, or, by an administrator, resets the one that he has; its id, and the invitation.

    The token is told once and holds for 72 hours; the one before it is void. A reset takes password, authenticator,
    recovery codes, his WeChat and his keys away and ends his sign-ins. Raises NotFound, InvalidInput, and the
    problems named above.
    """
    kind, plain = read_login(given, fictional=fictional)
    if person_id == db.actor.person:
        raise OwnCase()
    if await db.one(PERSON, id=person_id) is None:
        raise NotFound(what="该人员")
    row = await db.one(LOCK, person=person_id)
    if db.actor.role is Role.NGO_STAFF:
        await _check_member(db, person_id, row)
    else:
        await check_reach(db, person_id)
    if row is not None and row["disabled_at"] is not None:
        raise InvalidTransition(status="DISABLED", label="已停用")
    db.detail.update(person=person_id, reset=row is not None and row["password_hash"] is not None)
    if db.actor.role is Role.NGO_STAFF:
        wait = await throttle.guess(db, throttle.of_inviter(await db.keys(), db.actor.person))
        if wait is not None:
            raise Kept(TooManyAttempts(retry_after_seconds=wait))
    try:
        made = await write_invited(db, person_id, kind, plain, anew=row is None)
    except LoginTaken as problem:
        if db.actor.role is Role.NGO_STAFF:  # nothing else was written yet: only that it was asked stays
            raise Kept(problem) from None
        raise
    if row is not None:
        await db.one(FORGET_CODES, person=person_id)
        await end_sign_ins_of(db, person_id, SignInEnd.PASSWORD_CHANGED)
        await shut_other_ways(db, person_id)
    return made


async def write_invited(db: Db, person_id: UUID, kind: LoginKind, plain: str, *, anew: bool) -> tuple[UUID, str]:
    """Writes an account that waits for its invitation to be taken up: its id, and the token. Raises LoginTaken."""
    keys = await db.keys()
    index = keys.index(Kind.LOGIN, plain)
    await once(db, secret_name("login", plain))
    if await db.value(TAKEN, indexes=keys.indexes(Kind.LOGIN, plain), person=person_id) is not None:
        raise LoginTaken()
    token = new_token()
    id_: UUID = await db.value(
        INSERT if anew else RESET,
        person=person_id,
        token=token_hash(token),
        until=db.now + INVITED,
        by=db.actor.person,
        ours=db.actor.organization if db.actor.role is Role.NGO_STAFF else None,
    )
    sealed = keys.seal(Kind.LOGIN, plain, person_id)
    await db.one(LOGIN, person=person_id, kind=kind, login=sealed, index=index, masked=mask_login(kind, plain))
    return id_, token


async def _check_member(db: Db, person_id: UUID, row: asyncpg.Record | None) -> None:
    """Whether an organization's staff may invite somebody: its member, and nobody besides. Raises as `invite`."""
    today = clock.day(db.now)
    capacities = await db.all(CAPACITIES, person=person_id)
    ours = [c for c in capacities if (c["role"], c["organization_id"]) == (Role.NGO_STAFF, db.actor.organization)]
    if not any(c["starts_on"] <= today and (c["ends_on"] is None or today <= c["ends_on"]) for c in ours):
        raise NotFound(what="本机构的该成员")
    if row is not None and row["password_hash"] is not None:
        raise AccountActive()
    if await db.value(MORE, person=person_id, ours=db.actor.organization):
        raise OtherCapacities()


async def check_reach(db: Db, person_id: UUID) -> None:
    """Whether an administrator of an area may decide over somebody's account: all that he is, is there.

    Otherwise he could take a greater administrator's place. Raises ScopeExceeded.
    """
    if db.actor.area is None:
        return
    areas: Sequence[str | None] = [row["area"] for row in await db.all(CAPACITIES, person=person_id)]
    if not areas or not all(area is not None and db.actor.covers(area) for area in areas):
        raise ScopeExceeded()


@may(MAY["account.switch"])
@refuses(OwnCase, ScopeExceeded, InvalidTransition, LastAdministrator)
async def disable(db: Db, id: UUID) -> UUID:
    """Ends an account's sign-ins and lets nobody in by it until it is enabled again; never the caller's own.

    Meanwhile its owner has none of the capacities that a membership gives, however he comes. His WeChat is unbound and
    his keys are revoked, for good.
    """
    row = await _another(db, id)
    if row["disabled_at"] is not None:
        raise InvalidTransition(status="DISABLED", label="已停用")
    if await last_administrator(db, row["person_id"]):
        raise LastAdministrator()
    await db.one(SWITCH, id=id, at=db.now)
    await end_sign_ins_of(db, row["person_id"], SignInEnd.ACCOUNT_DISABLED)
    await shut_other_ways(db, row["person_id"])
    return id


@may(MAY["account.switch"])
@refuses(OwnCase, ScopeExceeded, InvalidTransition)
async def enable(db: Db, id: UUID) -> UUID:
    """Lets an account's owner in again, with the password and the authenticator that he had."""
    row = await _another(db, id)
    if row["disabled_at"] is None:
        raise InvalidTransition(status="ENABLED", label="未停用")
    await db.one(SWITCH, id=id, at=None)
    return id


async def _another(db: Db, id: UUID) -> asyncpg.Record:
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该账号")
    if row["person_id"] == db.actor.person:
        raise OwnCase()
    await check_reach(db, row["person_id"])
    db.detail["person"] = row["person_id"]
    return row
