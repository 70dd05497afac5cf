"""Signing in by the mini-program, proving a phone number, and becoming one person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from models.identity.accounts.actions import Proof
from models.identity.wechat import actions, tables
from models.identity.wechat import visible as _  # noqa: F401 - its rules
from models.identity.wechat.actions.sign_in import read_code
from models.identity.wechat.problems import WechatUnavailable
from resolvers.common import Node
from resolvers.context import Context
from resolvers.engine import words as w
from resolvers.identity.again import MaybeCode, Password, prove_again
from resolvers.identity.mutations import Acting, Device
from resolvers.identity.types import SignIn, told
from resolvers.people.me import Me
from resolvers.people.numbers import numbers
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

Code = Annotated[str, strawberry.argument(description="The code of `wx.login`: good once, for five minutes.")]


@w.entity(tables.BoundPhone, "bound_phone")
@strawberry.type(description="That the caller has proven that a phone number is his. 手机号验证。")
class PhoneBinding(Node):
    phone_masked: str = w.column(tables.BoundPhone.phone_masked, description="The number, `138****1234`.")
    records_found: bool = w.column(
        tables.BoundPhone.records_found,
        description="Whether a record that others made has this number: `personClaim` may make it his.",
    )
    proven_at: datetime = w.column(
        tables.BoundPhone.proven_at, description="When he proved it. It serves `personClaim` for 15 minutes."
    )


async def show(context: Context, code: str, **rest: Any) -> actions.Shown:
    """Shows the code to WeChat, before the transaction."""
    return await actions.shown(context.platform.wechat, context, code)


async def prove_and_show(
    context: Context, *, code: str, password: str, **rest: Any
) -> tuple[Proof, actions.Shown | None]:
    """Compares the password, then shows the code to WeChat: for a wrong password none is used up."""
    proof = await prove_again(context, password=password)
    return proof, await show(context, code) if proof.right else None


async def ask_phone(context: Context, code: str) -> str:
    """Asks WeChat for the number, before the transaction."""
    if context.platform.wechat is None:
        raise WechatUnavailable()
    number: str = await context.platform.wechat.phone(read_code(code))
    return number


@strawberry.type
class WechatMutation:
    @mutation(
        SignIn,
        actions.sign_in_with_wechat,
        idempotent=False,
        before=show,
        description="Sign in by the mini-program. Who was never here becomes a person without a name. Whoever did not get the answer may send the same code again for five minutes.",
    )
    async def sign_in_with_wechat(call: Call, code: Code, acting: Acting = None, device: Device = None) -> UUID:
        as_ = None if acting is None else acting.read()
        return told(call, await actions.sign_in_with_wechat(call.db, call.ready, device=device, acting=as_))

    @mutation(
        Me,
        actions.bind_wechat,
        idempotent=False,
        before=prove_and_show,
        description="Let the WeChat user whose code this is sign in as the caller: for whoever has an account, and no WeChat bound.",
    )
    async def wechat_bind(call: Call, code: Code, password: Password, authenticator_code: MaybeCode = None) -> UUID:
        proof, shown = call.ready
        return await actions.bind_wechat(call.db, shown, proof, authenticator_code)

    @mutation(
        Me,
        actions.unbind_wechat,
        description="Let one's WeChat no longer sign in; what it has signed in ends. For whoever can sign in with a password.",
    )
    async def wechat_unbind(call: Call) -> UUID:
        return await actions.unbind_wechat(call.db)

    @mutation(
        PhoneBinding,
        actions.bind_phone,
        before=ask_phone,
        description="Prove a phone number by the mini-program's phone number button, and keep it as one's own.",
    )
    async def phone_bind(
        call: Call,
        code: Annotated[
            str, strawberry.argument(description="The button's code, not that of `wx.login`: good once, five minutes.")
        ],
    ) -> UUID:
        return await actions.bind_phone(call.db, call.ready, fictional=numbers.fictional)

    @mutation(
        SignIn,
        actions.claim_record,
        idempotent=False,
        description="Become one person with the record that others made: by the phone number proven in this sign-in within 15 minutes and the record's full name, or by name and an identity card that has been on record for a day. The answer is a new sign-in; the present ones end. Five failures a day.",
    )
    async def person_claim(
        call: Call,
        name: Annotated[str, strawberry.argument(description="The full name, as the record has it.")],
        id_number: Annotated[
            str | None,
            strawberry.argument(description="The number of the identity card. Null: by the proven phone number."),
        ] = None,
    ) -> UUID:
        return told(call, await actions.claim_record(call.db, name, id_number))

    @mutation(
        Person,
        actions.merge_records,
        description="Community staff: make one person of two records that have a phone number, as their own, in common, which one of them has proven within 24 hours; or, given `idNumber`, of the record of that identity card and one without a document. What the first one has is the second's from then on.",
    )
    async def person_merge(
        call: Call,
        from_: Annotated[
            strawberry.ID, strawberry.argument(name="from", description="The person whose record is given up.")
        ],
        into: Annotated[strawberry.ID, strawberry.argument(description="The person whose record stays.")],
        reason: Annotated[str, strawberry.argument(description="How it was made sure: up to 200 characters.")],
        id_number: Annotated[
            str | None,
            strawberry.argument(
                description="The number of the identity card that he shows. Null: by the phone number."
            ),
        ] = None,
    ) -> UUID:
        from_id, into_id = call.id(from_, "person", "from"), call.id(into, "person", "into")
        return await actions.merge_records(call.db, from_id, into_id, reason, id_number)
