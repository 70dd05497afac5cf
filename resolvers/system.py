"""What front ends need to know of the API itself: enumerations with their labels, problems with their advice, any node."""

from __future__ import annotations

from typing import Any

import strawberry

from models.labels import TABLES
from models.problems import CATALOGUE, Retry
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.problems import ProblemCode

shown(Retry)


@strawberry.type(description="One value of an enumeration, as front ends show it.")
class EnumValue:
    name: str = strawberry.field(description="The value, as the schema spells it.")
    label: str = strawberry.field(description="What people read, in Chinese.")
    description: str = strawberry.field(description="What it means, in English.")
    colour: str = strawberry.field(description="A colour to show it in: grey, blue, green, orange or red.")
    position: int = strawberry.field(description="Its place in the enumeration's order, from 0.")
    next: list[str] = strawberry.field(description="The states that may follow, for an enumeration of states.")


@strawberry.type(description="An enumeration of the schema.")
class EnumTable:
    name: str = strawberry.field(description="The enumeration's name in the schema.")
    description: str = strawberry.field(description="What it is about.")
    values: list[EnumValue] = strawberry.field(description="Its values, in order.")


@strawberry.type(description="A kind of refusal.")
class ProblemKind:
    code: ProblemCode = strawberry.field(description="Its code.")
    type_name: str = strawberry.field(description="The name of its type in the schema.")
    message: str = strawberry.field(description="Its sentence, with {places} for the data of a refusal.")
    description: str = strawberry.field(description="When it is given.")
    retry: Retry = strawberry.field(description="What a client should do after it.")
    retry_after_seconds: int | None = strawberry.field(description="How long to wait, where waiting helps.")


def enum_tables(name: str | None = None) -> list[dict[str, Any]]:
    """Every enumeration's table, or one."""
    return [_table(n) for n in sorted(TABLES) if name in (None, n)]


def _table(name: str) -> dict[str, Any]:
    t = TABLES[name]
    values = [
        {
            "name": v.name,
            "label": t.labels[v],
            "description": t.described[v],
            "colour": t.colours[v],
            "position": n,
            "next": [x.name for x in t.next[v]],
        }
        for n, v in enumerate(t.values)
    ]
    return {"name": name, "description": t.description, "values": values}


def problem_kinds() -> list[dict[str, Any]]:
    """Every kind of refusal there is."""
    return [
        {
            "code": code,
            "typeName": kind.__name__,
            "message": kind.says,
            "description": " ".join((kind.__doc__ or "").split()),
            "retry": kind.retry.value,
            "retryAfterSeconds": kind.retry_after_seconds,
        }
        for code, kind in sorted(CATALOGUE.items())
        if kind.says
    ]


@strawberry.type
class SystemQuery:
    node: Node | None = w.by_id(description="Anything with an id, if the caller may see it.")
    enums: list[EnumTable] = w.constant(
        enum_tables,
        {"name": (str | None, None)},
        description="The enumerations with their Chinese labels, colours, order and next states; or the one that is named.",
    )
    problems: list[ProblemKind] = w.constant(problem_kinds, description="Every kind of refusal, with its retry advice.")
