"""The verbs of sign-ins and keys: each calls one function of `models.identity.actions`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from models.identity import actions
from models.identity.rules import BUDGET, KEY_DAYS, ApiScope
from resolvers.identity.again import MaybeCode, MaybePassword, prove_if_account
from resolvers.identity.types import ActingInput, ApiKey, SignIn, told
from resolvers.people.me import Me
from resolvers.people.numbers import numbers
from resolvers.verbs import Call, mutation

Acting = Annotated[
    ActingInput | None,
    strawberry.argument(description="The capacity to act in from now on. Null: the last one, while he has it."),
]
Device = Annotated[
    str | None,
    strawberry.argument(
        description="What the client calls itself, such as `小程序 · iPhone`; cut after 60 characters."
    ),
]


@strawberry.input(description="A key to be made for the caller's organization.")
class ApiKeyMakeInput:
    name: str = strawberry.field(description="What it is for, 2 to 40 characters. Two live keys may have one name.")
    scopes: list[ApiScope] = strawberry.field(description="What it may do.")
    days: int = strawberry.field(default=KEY_DAYS, description="For how many days it is valid: 1 to 365.")
    points_per_minute: int = strawberry.field(
        default=BUDGET, description="How many points it may spend in a minute: 1000 to 10000."
    )


@strawberry.type
class IdentityMutation:
    @mutation(
        SignIn,
        actions.refresh,
        idempotent=False,
        description="New tokens for a refresh token; send it without an access token. The refresh token is used up: if it comes a second time, its sign-in ends. Whoever did not get the answer may ask again within 30 seconds.",
    )
    async def sign_in_refresh(
        call: Call,
        refresh_token: Annotated[str, strawberry.argument(description="The refresh token, `wsr_…`.")],
        acting: Acting = None,
        device: Device = None,
    ) -> UUID:
        as_ = None if acting is None else acting.read()
        return told(call, await actions.refresh(call.db, refresh_token, acting=as_, device=device))

    @mutation(
        SignIn,
        actions.switch,
        idempotent=False,
        description="Act in another capacity from now on: a new access token of the same sign-in. The refresh token stays as it is.",
    )
    async def sign_in_switch(
        call: Call,
        acting: Annotated[ActingInput, strawberry.argument(description="The capacity, one of `me.capacities`.")],
    ) -> UUID:
        id, token = await actions.switch(call.db, acting.read())
        call.once("access_token", token)
        return id

    @mutation(
        SignIn,
        actions.end_sign_in,
        idempotent=False,
        description="End one of one's sign-ins: sign out, or end another device's. Its tokens are worth nothing within a minute.",
    )
    async def sign_in_end(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The sign-in.")]
    ) -> UUID:
        return await actions.end_sign_in(call.db, call.id(id, "sign_in"))

    @mutation(
        Me, actions.end_all_sign_ins, idempotent=False, description="End all of one's sign-ins, or all but this one."
    )
    async def sign_ins_end(
        call: Call,
        except_this: Annotated[bool, strawberry.argument(description="Whether the present one is to last.")] = True,
    ) -> UUID:
        return await actions.end_all_sign_ins(call.db, except_this)

    @mutation(
        ApiKey,
        actions.make_key,
        idempotent=False,
        before=prove_if_account,
        description="Staff of an organization: make a key for its machines, with one's password if one has an account. It acts in the caller's name and ends with his membership, and when his password is changed; it is told once.",
    )
    async def api_key_make(
        call: Call,
        input: Annotated[ApiKeyMakeInput, strawberry.argument(description="The key.")],
        password: MaybePassword = None,
        code: MaybeCode = None,
    ) -> UUID:
        made = await actions.make_key(
            call.db,
            input.name,
            input.scopes,
            live=not numbers.fictional,
            days=input.days,
            budget=input.points_per_minute,
            proof=call.ready,
            code=code,
        )
        call.once("api_key", made.key)
        return made.id

    @mutation(ApiKey, actions.revoke_key, description="End a key of one's organization; administrators end any.")
    async def api_key_revoke(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The key.")]
    ) -> UUID:
        return await actions.revoke_key(call.db, call.id(id, "api_key"))
