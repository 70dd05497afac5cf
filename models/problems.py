"""What can be refused: a class each, its code derived from its name, its message a sentence for a toast.

An expected refusal is raised by a verb, rolls its transaction back, and becomes a member of the mutation's result.
Anything else that is raised is a bug, and loud. Each area's problems stand in its own `problems.py`.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable
from typing import Any, ClassVar, NewType, TypeVar

from models.labels import TABLES, label, labelled

Fen = NewType("Fen", int)
"""An amount in fen; a problem's field of this type crosses the API as Money."""


class Retry(enum.StrEnum):
    """What a client should do after a problem."""

    NEVER = "NEVER"
    CHANGE_INPUT = "CHANGE_INPUT"
    REFRESH = "REFRESH"
    LATER = "LATER"
    SIGN_IN = "SIGN_IN"


labelled(
    Retry,
    {
        Retry.NEVER: "不必重试",
        Retry.CHANGE_INPUT: "修改输入后再试",
        Retry.REFRESH: "刷新后再试",
        Retry.LATER: "稍后重试",
        Retry.SIGN_IN: "登录或切换身份后再试",
    },
    description="What a client should do after a problem.",
    describe={
        Retry.NEVER: "The same request will not succeed.",
        Retry.CHANGE_INPUT: "Change what was sent, then send it again.",
        Retry.REFRESH: "Read the present state, then decide again.",
        Retry.LATER: "Send the same request again, with the same idempotency key, after a while.",
        Retry.SIGN_IN: "Sign in again, or in another capacity.",
    },
)

CATALOGUE: dict[str, type[Problem]] = {}
"""Every problem by its code."""


@dataclasses.dataclass(eq=False)
class Problem(Exception):
    """Something that was refused, by name."""

    says: ClassVar[str] = ""
    retry: ClassVar[Retry] = Retry.NEVER
    retry_after_seconds: ClassVar[int | None] = None
    code: ClassVar[str] = ""

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).upper()
        assert cls.code not in CATALOGUE or CATALOGUE[cls.code].__module__ == cls.__module__, cls.code
        CATALOGUE[cls.code] = cls

    def __str__(self) -> str:
        return self.message

    @property
    def message(self) -> str:
        """The sentence, with this refusal's data in it."""
        return self.says.format(**{f.name: _spoken(getattr(self, f.name)) for f in dataclasses.fields(self)})


def _spoken(value: Any) -> Any:
    return label(value) if isinstance(value, enum.StrEnum) and type(value).__name__ in TABLES else value


class Kept(Exception):
    """A refusal whose traces stay: the transaction commits, and the caller is told the problem. For failed sign-ins."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


@dataclasses.dataclass(eq=False)
class NotFound(Problem):
    """The thing named does not exist, or this caller may not see it: the two look alike."""

    says = "没有找到{what}，或您无权查看。"
    what: str = "该记录"


@dataclasses.dataclass(eq=False)
class Forbidden(Problem):
    """The caller's role may not do this."""

    says = "当前身份无权进行此操作。"
    retry = Retry.SIGN_IN


@dataclasses.dataclass(eq=False)
class InvalidInput(Problem):
    """A value is malformed, out of range or does not fit the others."""

    says = "{reason}"
    retry = Retry.CHANGE_INPUT
    field: str
    """The input's field, as the schema spells it."""
    reason: str
    """What is wrong with it, in a sentence."""


@dataclasses.dataclass(eq=False)
class InvalidTransition(Problem):
    """The thing is in a state from which this step does not lead on."""

    says = "当前状态“{label}”不允许此操作。"
    retry = Retry.REFRESH
    status: str
    """The state it is in."""
    label: str
    """That state's Chinese label."""


@dataclasses.dataclass(eq=False)
class StaleVersion(Problem):
    """Somebody has edited the thing since it was read."""

    says = "内容已被他人更新，请刷新后再改。"
    retry = Retry.REFRESH
    current: int
    """The version it has now."""


@dataclasses.dataclass(eq=False)
class IdempotencyConflict(Problem):
    """The same idempotency key came before with other arguments."""

    says = "该幂等键已用于另一个请求，请换一个新的键。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class Busy(Problem):
    """The server is at its limit; nothing was changed."""

    says = "系统繁忙，请稍后再试。"
    retry = Retry.LATER
    retry_after_seconds = 1


COMMON: tuple[type[Problem], ...] = (NotFound, Forbidden, InvalidInput, IdempotencyConflict)
"""Members of every mutation's result."""

V = TypeVar("V", bound=Callable[..., Any])


def refuses(*problems: type[Problem]) -> Callable[[V], V]:
    """Says what a verb may refuse, beyond what every verb may: these become members of its mutation's result."""

    def mark(verb: V) -> V:
        verb.refuses = problems  # type: ignore[attr-defined]
        return verb

    return mark
