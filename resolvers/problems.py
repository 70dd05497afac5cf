"""The models' problems as GraphQL types: made from their classes, never written a second time."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import importlib.util
from typing import Annotated, Any, Union, get_type_hints

import strawberry

from models import problems as p
from models.tables import AREAS
from resolvers.common import Money
from resolvers.engine.engine import Told
from resolvers.enums import shown

shown(p.Retry)


def first_sentence(kind: type[p.Problem]) -> str:
    """When a problem is given, in a sentence."""
    return " ".join((kind.__doc__ or "").split()).partition(". ")[0].rstrip(".") + "."


for area in AREAS:
    if importlib.util.find_spec(f"models.{area}.problems") is not None:
        importlib.import_module(f"models.{area}.problems")

ProblemCode = enum.StrEnum("ProblemCode", {code: code for code, kind in sorted(p.CATALOGUE.items()) if kind.says})  # type: ignore[misc]
strawberry.enum(ProblemCode, description="The name of a refusal.")
for value in ProblemCode.__strawberry_definition__.values:  # type: ignore[attr-defined]
    value.description = f"{first_sentence(p.CATALOGUE[value.name])} {p.CATALOGUE[value.name].says}"


@strawberry.interface(name="Problem", description="Something that was refused, and by what name. Nothing was changed.")
class ProblemInterface:
    code: ProblemCode = strawberry.field(description="The name of the refusal; `problems` lists them all.")
    message: str = strawberry.field(description="A sentence in Chinese, short enough for a toast.")
    retry: p.Retry = strawberry.field(description="What to do now.")
    retry_after_seconds: int | None = strawberry.field(description="How long to wait, where waiting helps.")


NAMES = {"status": "presentState", "reason": "detail"}
"""What outcomes call these is of another type: under a name of its own, a problem can be asked for beside them."""

_made: dict[type[p.Problem], type] = {}


def graphql_type(problem: type[p.Problem]) -> type:
    """The GraphQL type of a problem: its data fields behind those of the interface."""
    if problem in _made:
        return _made[problem]
    hints = get_type_hints(problem)
    space: dict[str, Any] = {"__annotations__": {}, "__module__": __name__, "__doc__": problem.__doc__}
    for field in dataclasses.fields(problem):
        kind = hints[field.name]
        space["__annotations__"][field.name] = Money if kind is p.Fen else kind
        space[field.name] = strawberry.field(
            name=NAMES.get(field.name), description=f"{field.name.replace('_', ' ')}, as it was when this was refused."
        )
    made = type(problem.__name__, (ProblemInterface,), space)
    _made[problem] = strawberry.type(made, name=problem.__name__, description=" ".join((problem.__doc__ or "").split()))
    return _made[problem]


def told(problem: p.Problem) -> Told:
    """A refusal as the data of its GraphQL type, by Python name."""
    out: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "retry": problem.retry,
        "retry_after_seconds": problem.retry_after_seconds,
    }
    hints = get_type_hints(type(problem))
    for field in dataclasses.fields(problem):
        value = getattr(problem, field.name)
        money = hints[field.name] is p.Fen
        out[field.name] = Told("Money", {"amount": f"{value / 100:.2f}", "currency": "CNY"}) if money else value
    return Told(type(problem).__name__, out)


def result(name: str, outcome: Any, refusals: tuple[type[p.Problem], ...]) -> Any:
    """The union of a mutation: its outcome and everything that it may refuse."""
    members = (outcome, *(graphql_type(r) for r in dict.fromkeys((*p.COMMON, *refusals))))
    return Annotated[Union[members], strawberry.union(name, description="The outcome, or why it was refused.")]  # noqa: UP007
