"""How a mutation is declared: its outcome, the verb that does it, and one line that calls the verb.

    @mutation(Commitment, exchange.claim_need, description="…")
    async def need_claim(call: Call, id: strawberry.ID, quantity: int = 1) -> UUID:
        return await exchange.claim_need(call.db, call.id(id, "need"), quantity)

The argument `idempotencyKey` is added to each, and the union `NeedClaimResult` is made of the outcome, the problems
that the verb says it `refuses`, and those that every mutation may answer.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.arguments import StrawberryArgument
from strawberry.utils.str_converters import to_camel_case

from models.database import Db
from models.problems import InvalidInput
from resolvers import problems
from resolvers.engine import words as w

KEY = "A key of the client's own, 8 to 100 characters. The same key with the same arguments gives the same outcome, however often it is sent, for 7 days."


class Call(strawberry.Info):
    """What a mutation's resolver is given: the open transaction. (An `Info` to Strawberry, so that it is no argument.)"""

    db: Db
    ready: Any
    """What `before` made ready."""
    secrets: dict[str, str | list[str]]

    def __init__(self, db: Db, ready: Any = None, secrets: dict[str, str | list[str]] | None = None) -> None:
        self.db, self.ready = db, ready
        self.secrets = {} if secrets is None else secrets

    def once(self, name: str, value: str | list[str]) -> None:
        """Tells the caller a value that is stored nowhere, such as a new token: fields declared by `w.once(name)`."""
        self.secrets[name] = value

    @staticmethod
    def id(given: str, kind: str, field: str = "id") -> UUID:
        """The UUID in a global id of one kind. Raises InvalidInput for text that is no id; another kind finds nothing."""
        return read_id(given, kind, field)


NOTHING = UUID(int=0)


def read_id(given: str, kind: str, field: str = "id") -> UUID:
    """The UUID in a global id; one of another kind gives a UUID that nothing has. Raises InvalidInput when malformed."""
    prefix, _, rest = given.rpartition("_")
    try:
        if len(rest) != 36 or not prefix:
            raise ValueError
        found = UUID(rest)
    except ValueError:
        raise InvalidInput(field=field, reason=f"“{given[:40]}”不是有效的 ID。") from None
    return found if prefix == kind else NOTHING


def mutation(
    outcome: Any,
    verb: Callable[..., Awaitable[Any]],
    *,
    description: str,
    idempotent: bool = True,
    before: Callable[..., Awaitable[Any]] | None = None,
) -> Callable[[Callable[..., Awaitable[UUID]]], Any]:
    """Declares a mutation: `outcome` is the GraphQL type that it answers, `verb` the function that it calls.

    `before(context, **arguments)` runs before the transaction, holds no connection, and may refuse: for slow hashes
    and other systems. What it returns is `call.ready`.
    """

    def wrap(resolver: Callable[..., Awaitable[UUID]]) -> Any:
        name = "".join(part.capitalize() for part in resolver.__name__.split("_")) + "Result"
        refusals = getattr(verb, "refuses", ())
        word = w.Verb(outcome.__strawberry_definition__.name, idempotent, before, verb)
        union = problems.result(name, outcome, refusals)
        field = strawberry.mutation(
            resolver=resolver, description=description, metadata={w.Word: word}, graphql_type=union | None
        )
        if idempotent:
            key = StrawberryArgument(
                "idempotency_key",
                to_camel_case("idempotency_key"),
                StrawberryAnnotation(str, namespace=sys.modules[__name__].__dict__),
                description=KEY,
            )
            field.arguments = [*field.arguments, key]
        return field

    return wrap
