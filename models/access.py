"""Who is asking, and what he may see.

A token is for one person in one capacity: a role with its scope. Each area registers, in its `visible.py`, one
condition for each of its tables; every read, by list, relation, id, aggregate or verb, is given that condition.
A table with neither a condition nor the mark PUBLIC cannot be read through the API at all.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa

from models.base import INSTANT
from models.problems import Forbidden


class Role(enum.StrEnum):
    """A capacity in which somebody acts."""

    PUBLIC = "PUBLIC"
    PERSON = "PERSON"
    RESIDENT = "RESIDENT"
    VOLUNTEER = "VOLUNTEER"
    SOCIAL_WORKER = "SOCIAL_WORKER"
    GRID_OFFICER = "GRID_OFFICER"
    COMMUNITY_STAFF = "COMMUNITY_STAFF"
    NGO_STAFF = "NGO_STAFF"
    FUND_MAKER = "FUND_MAKER"
    FUND_CHECKER = "FUND_CHECKER"
    FUND_AUTHORISER = "FUND_AUTHORISER"
    FUND_REPORTER = "FUND_REPORTER"
    DISTRICT_VIEWER = "DISTRICT_VIEWER"
    CITY_VIEWER = "CITY_VIEWER"
    DEPARTMENT = "DEPARTMENT"
    PARTY_SECRETARY = "PARTY_SECRETARY"
    AUDITOR = "AUDITOR"
    ADMIN = "ADMIN"

    @property
    def slug(self) -> str:
        """The role's name in commands and addresses: `community-staff`."""
        return self.value.lower().replace("_", "-")


ROLE_LABELS = {
    Role.PUBLIC: "公众",
    Role.PERSON: "个人",
    Role.RESIDENT: "居民",
    Role.VOLUNTEER: "志愿者",
    Role.SOCIAL_WORKER: "社会工作者",
    Role.GRID_OFFICER: "网格员",
    Role.COMMUNITY_STAFF: "社区工作人员",
    Role.NGO_STAFF: "社会组织工作人员",
    Role.FUND_MAKER: "基金经办",
    Role.FUND_CHECKER: "基金复核",
    Role.FUND_AUTHORISER: "基金审批",
    Role.FUND_REPORTER: "基金报表",
    Role.DISTRICT_VIEWER: "区级查看",
    Role.CITY_VIEWER: "市级查看",
    Role.DEPARTMENT: "部门",
    Role.PARTY_SECRETARY: "党组织书记",
    Role.AUDITOR: "审计",
    Role.ADMIN: "平台管理员",
}
FUND_ROLES = frozenset({Role.FUND_MAKER, Role.FUND_CHECKER, Role.FUND_AUTHORISER, Role.FUND_REPORTER})
STAFF_ROLES = frozenset({Role.SOCIAL_WORKER, Role.GRID_OFFICER, Role.COMMUNITY_STAFF})
STRANGERS = frozenset({Role.PUBLIC, Role.PERSON})
"""They are registered as nothing: what is open to all is all that they see of others."""
VIEWER_ROLES = frozenset({Role.DISTRICT_VIEWER, Role.CITY_VIEWER})


@dataclasses.dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking: a person in one role, for one organization or one area."""

    role: Role = Role.PUBLIC
    person: UUID | None = None
    organization: UUID | None = None
    area: str | None = None
    """The code of a division or grid; his scope is everything whose code begins with it."""
    sign_in: UUID | None = None
    """The sign-in that his token came from; None for a machine's key, and for demo tokens."""
    key: UUID | None = None
    """The API key that asks in his place."""
    scopes: frozenset[str] | None = None
    """What that key may do; None where no key narrows it."""

    @property
    def area_end(self) -> str | None:
        """The first text after every code that begins with `area`."""
        return None if self.area is None else self.area + "~"

    def covers(self, area: str) -> bool:
        """Whether a place lies in his scope."""
        return self.area is not None and area.startswith(self.area)


PUBLIC_ACTOR = Actor()


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: who, as what, and by which membership. Whether it is true is asked when the token is read."""

    person: UUID
    role: Role
    membership: UUID | None = None
    sign_in: UUID | None = None


class Viewer(Protocol):
    """The asker, as a statement sees him: his role is known when it is written, the rest is bound when it runs."""

    role: Role
    person: sa.ColumnElement[Any]
    organization: sa.ColumnElement[Any]
    area: sa.ColumnElement[Any]
    area_end: sa.ColumnElement[Any]
    sign_in: sa.ColumnElement[Any]
    now: sa.ColumnElement[Any]


def within(column: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether a row's `area` lies in the asker's scope; false for one who has none. An index on `area` serves it."""
    return sa.and_(column >= viewer.area, column < viewer.area_end)


Condition = Callable[[Any, Viewer], sa.ColumnElement[bool] | None]
"""(the columns of an alias, the asker) -> which rows he may see; None for all."""

VISIBLE: dict[str, Condition] = {}
PUBLIC: set[str] = set()
IMPLIED: set[tuple[str, str]] = set()
"""(table, column): whoever sees the row also sees the row that the column refers to. Proven by a property test."""

NOBODY = sa.literal_column("false", sa.Boolean())


def visible(table: str, *, implies: tuple[str, ...] = ()) -> Callable[[Condition], Condition]:
    """Registers a table's condition, and the references whose targets are seen whenever the row is."""

    def register(condition: Condition) -> Condition:
        assert table not in VISIBLE, table
        VISIBLE[table] = condition
        IMPLIED.update((table, column) for column in implies)
        return condition

    return register


def public(*tables: str) -> None:
    """Marks tables of which no row is ever hidden."""
    PUBLIC.update(tables)


def seen(rows: Any, table: str, viewer: Viewer) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions under which rows of a table (an alias or its columns) are shown to the asker."""
    if table in PUBLIC:
        return ()
    condition = VISIBLE[table](getattr(rows, "c", rows), viewer)
    return () if condition is None else (condition,)


P = ParamSpec("P")
T = TypeVar("T")


def may(roles: frozenset[Role]) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Says which roles may call a verb, and refuses all others before it begins. The access matrix is made of this.

    The outermost decorator of a verb, above `@refuses`; the verb's first parameter is its `Db`.
    """

    def wrap(verb: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(verb)
        async def guarded(*args: P.args, **kw: P.kwargs) -> T:
            db: Any = args[0]
            require(db.actor, roles)
            return await verb(*args, **kw)

        guarded.may = roles  # type: ignore[attr-defined]  # a function has no such attribute until here
        return guarded

    return wrap


def require(actor: Actor, roles: frozenset[Role]) -> None:
    """Raises Forbidden unless the actor's role is one of those that may."""
    if actor.role not in roles:
        raise Forbidden()


VIEWER_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "person": sa.Uuid(),
    "organization": sa.Uuid(),
    "area": sa.Text(),
    "area_end": sa.Text(),
    "sign_in": sa.Uuid(),
    "now": INSTANT,
}
"""What of the asker a statement may bind, and as what."""
