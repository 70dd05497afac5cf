"""The reference: graphql-core's executor, field by field and row by row, over rows as they lie in the tables.

It shares nothing with the compiler but the schema's types and scalars: who may see, what an expression means, how a
page is cut are said here a second time, in plain Python, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import base64
import json
import math
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLNamedType, GraphQLObjectType, execute_sync, parse

from models.clock import SHANGHAI
from tests.engine import domain
from tests.engine.rows import INFINITY, NOW, Rows
from tests.engine.tables import Actor, Role

Row = dict[str, Any]
ANSWERS: dict[str, Callable[..., Any]] = {}
"""`Type.field` -> (context, row, arguments) -> the answer; any other field is the column of its name."""
KINDS = {"place": "Place", "team": "Team", "person": "Person", "task": "Task", "pledge": "Pledge"}


class Context:
    """Who asks, and the tables."""

    def __init__(self, rows: Rows, actor: Actor, now: datetime = NOW) -> None:
        self.rows, self.actor, self.now = rows, actor, now

    def table(self, name: str) -> list[Row]:
        """The rows that the asker may see, each looked at by itself."""
        return [{**row, "__table": name} for row in self.rows[name] if self.sees(name, row)]

    def get(self, name: str, key: Any, column: str = "id") -> Row | None:
        """The row that a key refers to, if it may be seen."""
        found = [row for row in self.table(name) if key is not None and row[column] == key]
        return found[0] if found else None

    def sees(self, name: str, row: Row) -> bool:
        """Whether the asker may see a row."""
        actor = self.actor
        match name, actor.role:
            case "place", _:
                return True
            case "team" | "person", Role.STAFF:
                return True
            case "team", _:
                return not row["closed"] or (actor.role is Role.MEMBER and row["id"] == actor.team)
            case "person", _:
                return not row["hidden"] or (actor.role is Role.MEMBER and row["id"] == actor.person)
            case "task", Role.STAFF:
                (lies,) = [p for p in self.rows["place"] if p["id"] == row["place_id"]]
                return actor.path is not None and lies["path"].startswith(actor.path)
            case "task", _:
                published = not row["private"] and row["published_at"] <= self.now
                ours = actor.role is Role.MEMBER and row["team_id"] is not None and row["team_id"] == actor.team
                return published or ours
            case "pledge", _:
                (of,) = [x for x in self.rows["task"] if x["id"] == row["task_id"]]
                return self.sees("task", of)
        raise AssertionError(name)


def answers(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        ANSWERS.update(dict.fromkeys(names, function))
        return function

    return keep


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


# Lists

Order = tuple[tuple[str, bool], ...]
AT, MINUTES = (("at", True), ("id", True)), (("minutes", True), ("at", False), ("id", False))
ORDERS: dict[str, Order] = {
    "NEWEST": AT,
    "URGENT": (("urgent", True), ("urgency", False), ("at", True), ("id", True)),
    "TITLE": (("title", False), ("id", False)),
    "PRICE": (("price", False), ("id", False)),
    "WEIGHT": (("weight", True), ("place_code", False), ("id", False)),
}
BY_NAME, BY_CODE = (("name", False), ("id", False)), (("code", False), ("id", False))


def compared(order: Order, left: list[Any], right: list[Any]) -> int:
    """Below zero when the row with the values `left` comes first."""
    for (_, down), a, b in zip(order, left, right, strict=True):
        if a != b:
            return -1 if (a > b if down else a < b) else 1
    return 0


def ordered(rows: list[Row], order: Order) -> list[Row]:
    values = [([row[n] for n, _ in order], row) for row in rows]
    return [row for _, row in sorted(values, key=cmp_to_key(lambda a, b: compared(order, a[0], b[0])))]


def said(value: Any) -> str:
    """A value as PostgreSQL writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime() if value == INFINITY:
            return "infinity"
        case datetime():
            text = value.astimezone(SHANGHAI).isoformat(" ")
            return re.sub(r"(\.\d*?)0+\+", r"\1+", text).removesuffix(":00")
        case float():
            return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def read(text: Any, like: Any) -> Any:
    """A value of the type of `like` from what a cursor says. Raises ValueError."""
    if type(text) is not str:
        raise ValueError
    match like:
        case bool():
            return {"true": True, "false": False}[text]
        case datetime():
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError
            return at
        case uuid.UUID():
            return uuid.UUID(text)
        case Decimal() | float() | int():
            number = type(like)(text)
            if isinstance(number, int) and not -(2**63) <= number < 2**63:
                raise ValueError
            return number
    if "\x00" in text:
        raise ValueError
    text.encode()  # a lone surrogate is no text
    return text


def cut(
    context: Context, rows: list[Row], every: list[Row], tag: str, order: Order, maximum: int = 100, **given: Any
) -> Row:
    """A page of rows. `every` has a row of the table, to know its types by."""
    first, last = given.get("first"), given.get("last")
    if first is not None and last is not None:
        raise GraphQLError("first and last")
    if any(n is not None and not 1 <= n <= maximum for n in (first, last)):
        raise GraphQLError("page size")
    rows = ordered(rows, order)
    total = len(rows)
    for name, sign in (("after", 1), ("before", -1)):
        if given.get(name) is not None:
            try:
                kind, *cells = json.loads(base64.b64decode(given[name], validate=True))
                if kind != tag:
                    raise ValueError
                at = [read(c, every[0][n]) for c, (n, _) in zip(cells, order, strict=True)]
            except (ValueError, KeyError, TypeError, ArithmeticError):
                raise GraphQLError("cursor") from None
            rows = [row for row in rows if compared(order, [row[n] for n, _ in order], at) == sign]
    if last is not None:
        shown = rows[max(0, len(rows) - last) :]
        after, before = given.get("before") is not None, len(rows) > len(shown)
    else:
        shown = rows[: 20 if first is None else first]
        after, before = len(rows) > len(shown), given.get("after") is not None
    edges = []
    for row in shown:
        cells = json.dumps([tag, *[said(row[n]) for n, _ in order]], ensure_ascii=False)
        edges.append({"node": row, "cursor": base64.b64encode(cells.encode()).decode()})
    ends = (edges[0]["cursor"], edges[-1]["cursor"]) if edges else (None, None)
    info = {"has_next_page": after, "has_previous_page": before, "start_cursor": ends[0], "end_cursor": ends[1]}
    return {"edges": edges, "total_count": total, "page_info": info}


def short(rows: list[Row], order: Order, limit: int, first: int) -> list[Row]:
    """A bounded list."""
    if not 0 <= first <= limit:
        raise GraphQLError("page size")
    return ordered(rows, order)[:first]


def unid(given: Any) -> tuple[str, uuid.UUID]:
    """A global id's prefix and UUID."""
    prefix, _, rest = str(given).rpartition("_")
    try:
        if len(rest) != 36 or not prefix:
            raise ValueError
        return prefix, uuid.UUID(rest)
    except ValueError:
        raise GraphQLError("id") from None


def meets(context: Context, row: Row, given: Row) -> bool:
    """Whether a task meets a filter."""

    def pledged() -> bool:
        return any(p["task_id"] == row["id"] for p in context.table("pledge"))

    def mine() -> bool | None:
        asker, person = row["asker_id"], context.actor.person
        return None if asker is None or person is None else asker == person

    for name, value in given.items():
        if value is None:
            if name in ("due", "asker") and row[{"asker": "asker_id"}.get(name, name)] is not None:
                return False
            continue
        match name:
            case "state":
                met = row["state"] in {v.value for v in value}
            case "kinds":
                met = bool({v.value for v in value} & set(row["kinds"]))
            case "urgencyMin":
                met = row["urgency"] >= value
            case "weightMin":
                met = row["weight"] >= value
            case "priceMax":
                met = row["price"] <= value
            case "titleHas":
                met = value in row["title"]
            case "atAfter":
                met = row["at"] > value
            case "due":
                met = row["due"] == value
            case "asker":
                met = row["asker_id"] == unid(value)[1]
            case "ids":
                met = row["id"] in [unid(v)[1] for v in value]
            case "urgent":
                met = row["urgent"] == value
            case "pledged":
                met = pledged() == value
            case "mine":
                met = mine() is value
            case _:
                raise AssertionError(name)
        if not met:
            return False
    return True


def storable(given: Any) -> None:
    """Refuses what a filter may not hold, before any row is looked at."""
    for name, value in (given or {}).items():
        if name == "titleHas" and value is not None and "\x00" in value:
            raise GraphQLError("text")
        if name in ("asker", "ids") and value is not None:
            for one in value if isinstance(value, list) else [value]:
                unid(one)


def tasks(context: Context, rows: list[Row], order: Any, filter: Any = None, **given: Any) -> Row:
    storable(filter)
    name = order.value
    chosen = [row for row in rows if meets(context, row, filter or {})]
    return cut(context, chosen, context.rows["task"], name, ORDERS[name], **given)


# Fields


@answers("Query.node", "Query.labelled", "Query.working", "Query.task", "Query.place")
def by_id(context: Context, row: Row, *, id: str, allowed: set[str]) -> Row | None:
    prefix, key = unid(id)
    return context.get(prefix, key) if KINDS.get(prefix) in allowed else None


@answers("Query.tasks")
def all_tasks(context: Context, row: Row, **given: Any) -> Row:
    return tasks(context, context.table("task"), **given)


@answers("Place.tasks")
def tasks_of_place(context: Context, row: Row, **given: Any) -> Row:
    return tasks(context, [x for x in context.table("task") if x["place_id"] == row["id"]], **given)


@answers("Team.tasks")
def tasks_of_team(context: Context, row: Row, **given: Any) -> Row:
    return tasks(context, [x for x in context.table("task") if x["team_id"] == row["id"]], **given)


@answers("Query.people")
def people(context: Context, row: Row, **given: Any) -> Row:
    return cut(context, context.table("person"), context.rows["person"], "", BY_NAME, **given)


@answers("Query.pledges")
def pledges(context: Context, row: Row, **given: Any) -> Row:
    return cut(context, context.table("pledge"), context.rows["pledge"], "", MINUTES, **given)


@answers("Person.pledges")
def pledges_of_person(context: Context, row: Row, **given: Any) -> Row:
    mine = [x for x in context.table("pledge") if x["person_id"] == row["id"]]
    return cut(context, mine, context.rows["pledge"], "", MINUTES, **given)


@answers("Task.allPledges")
def pledges_of_task(context: Context, row: Row, **given: Any) -> Row:
    mine = [x for x in context.table("pledge") if x["task_id"] == row["id"] and x["minutes"] > 0]
    return cut(context, mine, context.rows["pledge"], "", MINUTES, **given)


@answers("Task.pledges")
def newest_pledges(context: Context, row: Row, first: int) -> list[Row]:
    return short([x for x in context.table("pledge") if x["task_id"] == row["id"]], AT, 6, first)


@answers("Place.teams")
def teams(context: Context, row: Row, **given: Any) -> Row:
    inside = [p["id"] for p in context.table("place") if p["path"].startswith(row["path"])]
    found = [x for x in context.table("team") if x["place_id"] in inside]
    return cut(context, found, context.rows["team"], "", BY_NAME, **given)


@answers("Place.openTeams")
def open_teams(context: Context, row: Row, first: int) -> list[Row]:
    found = [x for x in context.table("team") if x["place_id"] == row["id"] and not x["closed"]]
    return short(found, (("name", True), ("id", True)), 5, first)


@answers("Place.children")
def children(context: Context, row: Row, first: int) -> list[Row]:
    return short([x for x in context.table("place") if x["parent_id"] == row["id"]], BY_CODE, 20, first)


@answers("Query.places")
def places(context: Context, row: Row, first: int) -> list[Row]:
    return short(context.table("place"), BY_CODE, 20, first)


@answers("Team.people")
def people_of_team(context: Context, row: Row, first: int) -> list[Row]:
    return short([x for x in context.table("person") if x["team_id"] == row["id"]], BY_NAME, 10, first)


@answers("Query.urgentTasks")
def urgent_tasks(context: Context, row: Row, first: int) -> list[Row]:
    order = (("urgency", False), ("at", True), ("id", True))
    return short([x for x in context.table("task") if x["urgent"]], order, 10, first)


@answers("Query.me")
def me(context: Context, row: Row) -> Row | None:
    return context.get("person", context.actor.person)


@answers("Query.myTeam")
def my_team(context: Context, row: Row) -> Row | None:
    return context.get("team", context.actor.team)


@answers("Query.tally")
def tally(context: Context, row: Row, state: Any = None, minUrgency: int | None = None) -> list[Row]:
    groups: dict[Any, list[Row]] = {}
    for x in context.table("task"):
        if (state is None or x["state"] == state.value) and (minUrgency is None or x["urgency"] >= minUrgency):
            groups.setdefault((x["state"], x["place_id"]), []).append(x)
    out = [
        {
            "state": key[0],
            "place_id": key[1],
            "tasks": len(group),
            "fen": sum(x["cost_fen"] for x in group),
            "highest": max((x["rating"] for x in group if x["rating"] is not None), default=None),
        }
        for key, group in groups.items()
    ]
    return ordered(out, (("tasks", True), ("place_id", False), ("state", False)))


@answers("Query.busiest")
def busiest(context: Context, row: Row) -> list[Row]:
    return tally(context, row)[:2]


@answers("Query.shifts")
def shifts(context: Context, row: Row, atLeast: int) -> list[Row]:
    out = []
    for task in ordered(context.table("task"), (("title", False), ("id", False))):
        made = [p for p in context.table("pledge") if p["task_id"] == task["id"] and p["minutes"] >= atLeast]
        for p in sorted(made, key=lambda p: p["id"]) or [{"id": None, "person_id": None, "minutes": None}]:
            out.append({"task_id": task["id"], "pledge_id": p["id"], **{n: p[n] for n in ("person_id", "minutes")}})
    return out


@answers("Query.turns")
def turns(context: Context, row: Row, beyond: str) -> list[Row]:
    out = []
    for place in ordered(context.table("place"), (("name", False), ("id", False))):
        there = [x for x in context.table("task") if x["place_id"] == place["id"] and place["code"] > beyond]
        for x in sorted(there, key=lambda x: x["id"]):
            out.append({"place_id": place["id"], "task_id": x["id"], "fen": x["cost_fen"]})
    return out


@answers("Shift.pledge")
def pledge_of_shift(context: Context, row: Row) -> Row | None:
    return context.get("pledge", row["pledge_id"])


@answers("Tally.cost", "Turn.cost")
def tally_cost(context: Context, row: Row) -> Row:
    return money(row["fen"])


@answers("Query.kinds")
def kinds(context: Context, row: Row, howPolite: int, only: Any = None) -> list[Row]:
    def kept(kind: Any) -> Any:
        return {snake(k): kept(v) for k, v in kind.items()} if isinstance(kind, dict) else kind

    return [kept(kind) for kind in domain.kinds(only, howPolite)]


@answers("Person.label")
def masked(context: Context, row: Row) -> str:
    return row["name"][:1] + "某"


@answers("Place.label", "Team.label")
def name(context: Context, row: Row) -> str:
    return row["name"]


@answers("Task.label")
def title(context: Context, row: Row) -> str:
    return row["title"]


@answers("Task.sealed")
def opened(context: Context, row: Row) -> str | None:
    found: str | None = row["note"]
    return found


@answers("Task.marks")
def opened_list(context: Context, row: Row) -> Any:
    return row["tags"]


@answers("Task.whispered")
def told_before(context: Context, row: Row) -> None:
    return None


@answers("Place.parent")
def parent(context: Context, row: Row) -> Row | None:
    return context.get("place", row["parent_id"])


@answers("Team.place", "Tally.place", "Turn.place")
def place(context: Context, row: Row) -> Row | None:
    return context.get("place", row["place_id"])


@answers("Task.place")
def place_by_code(context: Context, row: Row) -> Row | None:
    return context.get("place", row["place_code"], "code")


@answers("Person.team", "Task.team", "Pledge.team")
def team(context: Context, row: Row) -> Row | None:
    return context.get("team", row["team_id"])


@answers("Task.asker")
def asker(context: Context, row: Row) -> Row | None:
    return context.get("person", row["asker_id"])


@answers("Pledge.person", "Shift.person")
def pledging(context: Context, row: Row) -> Row | None:
    return context.get("person", row["person_id"])


@answers("Pledge.task", "Shift.task", "Turn.task")
def pledged_for(context: Context, row: Row) -> Row | None:
    return context.get("task", row["task_id"])


@answers("Task.owner")
def owner(context: Context, row: Row) -> Row | None:
    return context.get("team", row["team_id"]) or context.get("person", row["person_id"])


def money(fen: int | None) -> Row | None:
    return None if fen is None else {"amount": Decimal(fen).scaleb(-2).quantize(Decimal("0.01")), "currency": "CNY"}


@answers("Task.cost")
def cost(context: Context, row: Row) -> Row | None:
    return money(row["cost_fen"])


@answers("Task.budget")
def budget(context: Context, row: Row) -> Row | None:
    return money(row["budget_fen"])


@answers("Task.left")
def left(context: Context, row: Row) -> Row | None:
    return None if row["budget_fen"] is None else money(row["budget_fen"] - row["cost_fen"])


def pledges_on(context: Context, row: Row) -> list[Row]:
    return [p for p in context.table("pledge") if p["task_id"] == row["id"]]


@answers("Task.viewerCan")
def viewer_can(context: Context, row: Row) -> Row:
    person = context.actor.person
    return {
        "edit": context.actor.role is Role.STAFF or (person is not None and row["asker_id"] == person),
        "pledge": row["state"] == "OPEN" and not pledges_on(context, row),
    }


@answers("Task.pledgeCount")
def pledge_count(context: Context, row: Row) -> int:
    return len(pledges_on(context, row))


@answers("Task.minutes")
def minutes(context: Context, row: Row) -> int | None:
    found = pledges_on(context, row)
    return sum(p["minutes"] for p in found) if found else None


@answers("Pledge.length")
def length(context: Context, row: Row) -> str:
    return "it's long" if row["minutes"] >= 60 else "short"


@answers("Task.firstPledgeAt")
def first_pledge_at(context: Context, row: Row) -> datetime | None:
    return min((p["at"] for p in pledges_on(context, row)), default=None)


@answers("Task.shouted")
def shouted(context: Context, row: Row, howOften: int, end: str) -> str:
    return row["title"].upper() * howOften + end * min(row["urgency"], 9)


@answers("Task.summary")
def summary(context: Context, row: Row) -> str:
    asked = type(row["asker_id"]).__name__
    at = row["at"].astimezone(SHANGHAI)
    return f"{row['price'] * 2} {at.year} {row['due'] and row['due'].isoformat()} {asked}"


# The executor


def column(context: Context, row: Row, name: str) -> Any:
    value = row[name]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # the rule: what JSON cannot say is absent
    if value == INFINITY:
        return None
    return value


def _resolver(type_: GraphQLObjectType, name: str, schema: Any) -> Callable[..., Any]:
    answer = ANSWERS.get(f"{type_.name}.{name}")

    def resolve(row: Row, info: Any, **given: Any) -> Any:
        if name == "id":
            return f"{row['__table']}_{row['id']}"
        if answer is None:
            return column(info.context, row, snake(name))
        if answer is by_id:
            named: GraphQLNamedType = type_.fields[name].type  # type: ignore[assignment]
            kinds = schema.get_possible_types(named) if not isinstance(named, GraphQLObjectType) else [named]
            given["allowed"] = {k.name for k in kinds}
        return answer(info.context, row, **given)

    return resolve


def build() -> Any:
    """The schema, with this file's resolvers."""
    schema = domain.schema()._schema
    for type_ in schema.type_map.values():
        if hasattr(type_, "resolve_type"):
            type_.resolve_type = lambda row, info, abstract: KINDS[row["__table"]]
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            type_.is_type_of = None
            for name, field in type_.fields.items():
                field.resolve = _resolver(type_, name, schema)
    return schema


def run(
    schema: Any, rows: Rows, actor: Actor, text: str, variables: dict[str, Any] | None = None, name: str | None = None
) -> ExecutionResult:
    """What a query answers."""
    result = execute_sync(schema, parse(text), {}, Context(rows, actor), variables, name)
    assert isinstance(result, ExecutionResult)
    return result
