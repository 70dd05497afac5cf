"""Accounts as GraphQL shows them, and their verbs. Secrets are told once: in the answer of the verb that made them.

No verb that is given a password, a code or a login takes an idempotency key: its record would keep a hash of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.identity.accounts import actions, tables
from models.identity.accounts.actions import Proof
from models.identity.accounts.rules import LoginKind
from resolvers.common import Connection, Node
from resolvers.context import Context
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.identity.again import MaybeCode, Password, passwords, prove_again
from resolvers.identity.mutations import Acting, Device
from resolvers.identity.types import SignIn, told
from resolvers.people.numbers import numbers
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

shown(LoginKind)


def codes_left(row: w.Row, view: w.View) -> w.Row:
    """How many recovery codes are not used; NULL for others than the owner."""
    codes = view.rows(tables.RecoveryCode)
    left = sa.select(sa.func.count()).where(codes.c.person_id == row.person_id, codes.c.used_at.is_(None))
    return sa.case((row.person_id == view.actor.person, left.scalar_subquery()))


@w.entity(tables.AccountLogin)
@strawberry.type(description="What somebody signs in by.")
class AccountLogin:
    kind: LoginKind = w.column(tables.AccountLogin.kind, description="What it is.")
    masked: str = w.column(
        tables.AccountLogin.masked, description="The number or address in part: `138****1234`, `z***@example.org`."
    )


@w.entity(tables.Account, "user_account")
@strawberry.type(
    description="How somebody of the staff signs in with a password: his own; an administrator sees all, an organization's staff their members'. 账号。"
)
class UserAccount(Node):
    person: Person | None = w.one(tables.Account.person_id, description="Whose it is, masked.")
    logins: list[AccountLogin] = w.many(
        match=lambda item, parent: item.person_id == parent.person_id,
        order=(tables.AccountLogin.id,),
        limit=2,
        description="What he signs in by.",
    )
    activated: bool = w.expression(
        lambda row: row.password_hash.is_not(None), description="Whether he has taken his invitation up."
    )
    password_changed_at: datetime | None = w.column(
        tables.Account.password_changed_at, description="When the password was set; null before it first is."
    )
    totp_confirmed: bool = w.expression(
        lambda row: row.totp_confirmed_at.is_not(None),
        description="Whether an authenticator is bound: then each sign-in asks for its code.",
    )
    recovery_codes_left: int | None = w.expression(
        codes_left, description="How many recovery codes are not used yet; for the owner, null for others."
    )
    invited_until: datetime | None = w.column(
        tables.Account.invitation_until,
        description="Until when his invitation may be taken up; null when none is open.",
    )
    disabled_at: datetime | None = w.column(
        tables.Account.disabled_at, description="When an administrator disabled it; null while it may be used."
    )
    created_at: datetime = w.column(tables.Account.created_at, description="When he was first invited.")
    invitation_token: str | None = w.once(
        "invitation_token", description="What he takes the invitation up with: in the answer of `accountInvite` only."
    )
    totp_secret: str | None = w.once(
        "totp_secret", description="The new authenticator's secret, in base32: in the answer of `totpBegin` only."
    )
    totp_uri: str | None = w.once(
        "totp_uri", description="The same as an `otpauth://` address, for a QR code: in the answer of `totpBegin` only."
    )
    recovery_codes: list[str] | None = w.once(
        "recovery_codes",
        description="Ten recovery codes: in the answers of `totpConfirm` and `recoveryCodesRenew` only.",
    )


@strawberry.type
class AccountsQuery:
    user_account: UserAccount | None = w.by_id(description="The account of an id.")
    user_accounts: Connection[UserAccount] = w.connection(
        order=(desc(tables.Account.created_at),),
        description="Accounts by pages, the last to be made first: for administrators and auditors all, for an organization's staff their members'.",
    )


async def prove_login(context: Context, *, login: str, password: str, device_token: str | None, **_: Any) -> Proof:
    """Before `signInWithPassword`."""
    fictional = numbers.fictional
    return await actions.prove_login(context, passwords(context), login, password, device_token, fictional=fictional)


async def choose_by_invitation(context: Context, *, token: str, password: str, **_: Any) -> Proof:
    """Before `accountActivate`."""
    return await actions.choose_by_invitation(context, passwords(context), token, password)


async def choose(context: Context, *, password: str, new_password: str) -> Proof:
    """Before `passwordSet`."""
    return await actions.prove_and_choose(context, passwords(context), password, new_password)


NewPassword = Annotated[
    str,
    strawberry.argument(
        description="The password to be set: 10 to 128 characters of any kind, none of the commonest, not made of one's name or login."
    ),
]
Code = Annotated[str, strawberry.argument(description="The authenticator's six digits, or a recovery code.")]
AccountId = Annotated[strawberry.ID, strawberry.argument(description="The account.")]


def signed_in(call: Call, done: tuple[Any, str]) -> UUID:
    """Tells the tokens of a sign-in, and its device's."""
    opened, device = done
    call.once("device_token", device)
    return told(call, opened)


@strawberry.type
class AccountsMutation:
    @mutation(
        SignIn,
        actions.sign_in,
        idempotent=False,
        before=prove_login,
        description="Sign in with a phone number or an e-mail address, a password and, once an authenticator is bound, a code. Send it without an access token. Whether a login is known is never told.",
    )
    async def sign_in_with_password(
        call: Call,
        login: Annotated[str, strawberry.argument(description="The phone number or e-mail address.")],
        password: Password,
        code: MaybeCode = None,
        device_token: Annotated[
            str | None,
            strawberry.argument(
                description="What an earlier sign-in from this device answered as `deviceToken`: with it, others' failures do not lock this device out."
            ),
        ] = None,
        device: Device = None,
        acting: Acting = None,
    ) -> UUID:
        as_ = None if acting is None else acting.read()
        return signed_in(
            call, await actions.sign_in(call.db, call.ready, code, known_by=device_token, device=device, acting=as_)
        )

    @mutation(
        SignIn,
        actions.activate,
        idempotent=False,
        before=choose_by_invitation,
        description="Take an invitation up: set a password, and be signed in, without a second factor. Capacities that need one come after `totpBegin`, `totpConfirm` and a new sign-in.",
    )
    async def account_activate(
        call: Call,
        token: Annotated[str, strawberry.argument(description="The invitation's token.")],
        password: NewPassword,
        device: Device = None,
    ) -> UUID:
        return signed_in(call, await actions.activate(call.db, call.ready, token, device=device))

    @mutation(
        UserAccount,
        actions.invite,
        idempotent=False,
        description="Invite somebody to an account: an administrator anybody but himself, an organization's staff those who are its members and nothing else, and have never signed in. An administrator resets by it: password, authenticator, recovery codes, WeChat and API keys are gone, sign-ins end. The invitation is told once and holds for 72 hours.",
    )
    async def account_invite(
        call: Call,
        person: Annotated[strawberry.ID, strawberry.argument(description="Whom.")],
        login: Annotated[
            str, strawberry.argument(description="The phone number or e-mail address that he will sign in by.")
        ],
    ) -> UUID:
        id, token = await actions.invite(
            call.db, call.id(person, "person", "person"), login, fictional=numbers.fictional
        )
        call.once("invitation_token", token)
        return id

    @mutation(
        UserAccount,
        actions.disable,
        description="Administrators: end an account's sign-ins, unbind its owner's WeChat, revoke his API keys, and let nobody in by it; never one's own.",
    )
    async def account_disable(call: Call, id: AccountId) -> UUID:
        return await actions.disable(call.db, call.id(id, "user_account"))

    @mutation(
        UserAccount, actions.enable, description="Administrators: let a disabled account's owner in again, as he was."
    )
    async def account_enable(call: Call, id: AccountId) -> UUID:
        return await actions.enable(call.db, call.id(id, "user_account"))

    @mutation(
        UserAccount,
        actions.set_password,
        idempotent=False,
        before=choose,
        description="Set another password for one's own account. All other sign-ins end, and so do one's WeChat and one's API keys.",
    )
    async def password_set(call: Call, password: Password, new_password: NewPassword) -> UUID:
        return await actions.set_password(call.db, call.ready)

    @mutation(
        UserAccount,
        actions.begin_totp,
        idempotent=False,
        before=prove_again,
        description="Begin to bind an authenticator (TOTP, RFC 6238): its secret, told once. It counts from `totpConfirm` on; one that is bound counts until then.",
    )
    async def totp_begin(call: Call, password: Password, code: MaybeCode = None) -> UUID:
        id, secret, uri = await actions.begin_totp(call.db, call.ready, code)
        call.once("totp_secret", secret)
        call.once("totp_uri", uri)
        return id

    @mutation(
        UserAccount,
        actions.confirm_totp,
        idempotent=False,
        before=prove_again,
        description="Bind the new authenticator by its first code: ten recovery codes, told once. For capacities that need a second factor, sign in again.",
    )
    async def totp_confirm(
        call: Call, code: Annotated[str, strawberry.argument(description="Six digits of the new authenticator.")]
    ) -> UUID:
        id, codes = await actions.confirm_totp(call.db, call.ready, code)
        call.once("recovery_codes", codes)
        return id

    @mutation(
        UserAccount,
        actions.end_totp,
        idempotent=False,
        before=prove_again,
        description="Give the authenticator up; not for whoever holds a capacity that needs a second factor.",
    )
    async def totp_end(call: Call, password: Password, code: MaybeCode = None) -> UUID:
        return await actions.end_totp(call.db, call.ready, code)

    @mutation(
        UserAccount,
        actions.renew_recovery_codes,
        idempotent=False,
        before=prove_again,
        description="Ten new recovery codes, told once, in place of all the old ones.",
    )
    async def recovery_codes_renew(call: Call, code: Code) -> UUID:
        id, codes = await actions.renew_recovery_codes(call.db, call.ready, code)
        call.once("recovery_codes", codes)
        return id
