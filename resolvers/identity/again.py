"""Asking somebody who is signed in for his password and a code once more: a token that was left open is not enough."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from models.identity.accounts import actions
from models.identity.accounts.actions import Proof
from models.identity.accounts.ports import Passwords
from resolvers.context import Context

Password = Annotated[str, strawberry.argument(description="The present password.")]
MaybePassword = Annotated[
    str | None,
    strawberry.argument(description="The present password; needed by whoever has an account."),
]
MaybeCode = Annotated[
    str | None,
    strawberry.argument(
        description="The authenticator's six digits, or a recovery code; needed once an authenticator is bound."
    ),
]


def passwords(context: Context) -> Passwords:
    """The process's hasher of passwords."""
    found: Passwords = context.platform.passwords
    return found


async def prove_again(context: Context, *, password: str | None = None, **_: Any) -> Proof:
    """Before what one does with one's own account."""
    return await actions.prove_again(context, passwords(context), password)


async def prove_if_account(context: Context, *, password: str | None = None, **_: Any) -> Proof | None:
    """Before what whoever has an account proves again; None for one who has none."""
    return await actions.prove_if_account(context, passwords(context), password)
