"""A small domain with every word of the engine in it."""

from __future__ import annotations

import enum
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Union

import sqlalchemy as sa
import strawberry
from strawberry.schema.config import StrawberryConfig

from models import problems
from models.funds.problems import InsufficientFunds
from resolvers.common import Connection, Money, Node, money
from resolvers.engine import words as w
from resolvers.scalars import SCALARS
from resolvers.verbs import Call, mutation
from tests.engine import tables as t

# What clients see


class State(enum.StrEnum):
    OPEN = "OPEN"
    DONE = "DONE"
    LOST = "LOST"


class Kind(enum.StrEnum):
    LIFT = "LIFT"
    READ = "READ"
    COOK = "COOK"


class TaskOrder(enum.StrEnum):
    NEWEST = "NEWEST"
    URGENT = "URGENT"
    TITLE = "TITLE"
    PRICE = "PRICE"
    WEIGHT = "WEIGHT"


for values in (State, Kind, TaskOrder):
    strawberry.enum(values)

ORDERS = {
    TaskOrder.NEWEST: (sa.desc(t.task.c.at),),
    TaskOrder.URGENT: (sa.desc(t.task.c.urgent), t.task.c.urgency, sa.desc(t.task.c.at)),
    TaskOrder.TITLE: (t.task.c.title,),
    TaskOrder.PRICE: (t.task.c.price,),
    TaskOrder.WEIGHT: (sa.desc(t.task.c.weight), t.task.c.place_code),
}


def _pledged(row: Any, value: Any, view: Any) -> Any:
    made = view.rows(t.pledge)
    return sa.exists().where(made.c.task_id == row.id) == value


@strawberry.input
class TaskFilter:
    state: list[State] | None = w.where(lambda row, value: row.state == sa.any_(value))
    kinds: list[Kind] | None = w.where(lambda row, value: row.kinds.overlap(value))
    urgency_min: int | None = w.where(lambda row, value: row.urgency >= value)
    weight_min: float | None = w.where(lambda row, value: row.weight >= value)
    price_max: Decimal | None = w.where(lambda row, value: row.price <= value)
    title_has: str | None = w.where(lambda row, value: sa.func.strpos(row.title, value) > 0)
    at_after: datetime | None = w.where(lambda row, value: row.at > value)
    due: date | None = w.where(lambda row, value: row.due == value, null=lambda row: row.due.is_(None))
    asker: strawberry.ID | None = w.where(
        lambda row, value: row.asker_id == value, null=lambda row: row.asker_id.is_(None)
    )
    ids: list[strawberry.ID] | None = w.where(lambda row, value: row.id == sa.any_(value))
    urgent: bool | None = w.where(lambda row, value: row.urgent == value)
    pledged: bool | None = w.where(_pledged)
    mine: bool | None = w.where(lambda row, value, view: (row.asker_id == view.actor.person) == value)


@strawberry.interface
class Labelled:
    label: str = strawberry.field()


@strawberry.interface
class Working:
    """One name for lists that lie elsewhere in each type."""

    tasks: Connection[Task] = w.connection(t.task.c.place_id, order=ORDERS, filter=TaskFilter)


def _working(on: Any, order: Any) -> Any:
    return w.connection(on, order=order, filter=TaskFilter)


@w.entity(t.place, "place")
@strawberry.type
class Place(Node, Labelled, Working):
    label: str = w.column(t.place.c.name)
    code: str = w.column(t.place.c.code)
    parent: Place | None = w.one(t.place.c.parent_id)
    children: list[Place] = w.many(t.place.c.parent_id, order=(t.place.c.code,), limit=20, default=4)
    tasks: Connection[Task] = _working(t.task.c.place_id, ORDERS)
    teams: Connection[Team] = w.connection(
        match=lambda item, parent, view: sa.exists().where(
            (inside := view.rows(t.place)).c.id == item.place_id, inside.c.path.startswith(parent.path)
        ),
        order=(t.team.c.name,),
    )
    open_teams: list[Team] = w.many(
        t.team.c.place_id, order=(sa.desc(t.team.c.name),), limit=5, where=lambda item: sa.not_(item.closed)
    )


@w.entity(t.team, "team")
@strawberry.type
class Team(Node, Labelled, Working):
    label: str = w.column(t.team.c.name)
    place: Place = w.one(t.team.c.place_id)
    closed: bool = w.column(t.team.c.closed)
    tasks: Connection[Task] = _working(t.task.c.team_id, {k: ORDERS[k] for k in reversed(TaskOrder)})
    people: list[Person] = w.many(t.person.c.team_id, order=(t.person.c.name,), limit=10, default=10)


@w.entity(t.person, "person")
@strawberry.type
class Person(Node, Labelled):
    label: str = w.expression(lambda row: sa.func.left(row.name, 1).concat("某"))
    team: Team | None = w.one(t.person.c.team_id)
    pledges: Connection[Pledge] = w.connection(t.pledge.c.person_id, order=(sa.desc(t.pledge.c.minutes), t.pledge.c.at))


Owner = Annotated[Union[Team, Person], strawberry.union("Owner")]  # noqa: UP007


@strawberry.type
class ViewerCan:
    edit: bool = w.expression(
        lambda row, view: (
            sa.true()
            if view.actor.role is t.Role.STAFF
            else sa.func.coalesce(row.asker_id == view.actor.person, sa.false())
        )
    )
    pledge: bool = w.expression(
        lambda row, view: sa.and_(
            row.state == sa.literal_column("'OPEN'"),
            sa.not_(sa.exists().where(view.rows(t.pledge).c.task_id == row.id)),
        )
    )


def _pledges(row: Any, view: Any, what: Any) -> Any:
    made = view.rows(t.pledge)
    return sa.select(what(made.c)).select_from(made).where(made.c.task_id == row.id).scalar_subquery()


@w.entity(t.task, "task")
@strawberry.type
class Task(Node, Labelled):
    label: str = w.column(t.task.c.title)
    title: str = w.column(t.task.c.title)
    note: str | None = w.column(t.task.c.note)
    sealed: str | None = w.sealed(
        "NOTE", lambda row: sa.func.convert_to(row.note, "UTF8"), subject=lambda row: row.id, description="As `note`."
    )
    marks: list[str] = w.sealed(
        "TAGS",
        lambda row: sa.func.convert_to(sa.cast(sa.func.to_json(row.tags), sa.Text()), "UTF8"),
        subject=lambda row: row.place_id,
    )
    whispered: str | None = w.once("whispered")
    state: State = w.column(t.task.c.state)
    urgency: int = w.column(t.task.c.urgency)
    score: float = w.column(t.task.c.score)
    weight: float = w.column(t.task.c.weight)
    rating: float | None = w.column(t.task.c.rating)
    price: Decimal = w.column(t.task.c.price)
    big: int | None = w.column(t.task.c.big)
    at: datetime = w.column(t.task.c.at)
    seen_at: datetime | None = w.column(t.task.c.seen_at)
    due: date | None = w.column(t.task.c.due)
    tags: list[str] = w.column(t.task.c.tags)
    kinds: list[Kind] = w.column(t.task.c.kinds)
    days: list[date] | None = w.column(t.task.c.days)
    urgent: bool = w.column(t.task.c.urgent)
    place: Place = w.one(t.task.c.place_code, target="code")
    asker: Person | None = w.one(t.task.c.asker_id)
    team: Team | None = w.one(t.task.c.team_id)
    owner: Owner | None = w.variant({t.task.c.team_id: "Team", t.task.c.person_id: "Person"})
    cost: Money = money(t.task.c.cost_fen)
    budget: Money | None = money(t.task.c.budget_fen)
    left: Money | None = money(lambda row: row.budget_fen - row.cost_fen)
    viewer_can: ViewerCan = w.inside()
    pledge_count: int = w.expression(lambda row, view: _pledges(row, view, lambda c: sa.func.count()))
    minutes: int | None = w.expression(lambda row, view: _pledges(row, view, lambda c: sa.func.sum(c.minutes)))
    first_pledge_at: datetime | None = w.expression(lambda row, view: _pledges(row, view, lambda c: sa.func.min(c.at)))
    pledges: list[Pledge] = w.many(t.pledge.c.task_id, order=(sa.desc(t.pledge.c.at),), limit=6, default=3)
    all_pledges: Connection[Pledge] = w.connection(
        t.pledge.c.task_id,
        order=(sa.desc(t.pledge.c.minutes), t.pledge.c.at),
        where=lambda item: item.minutes > 0,
    )

    @w.computed(t.task.c.title, t.task.c.urgency)
    def shouted(row: Any, how_often: int = 1, end: str = "！") -> str:
        return row.title.upper() * how_often + end * min(row.urgency, 9)

    @w.computed(t.task.c.price, t.task.c.at, t.task.c.due, t.task.c.asker_id)
    def summary(row: Any) -> str:
        asked = type(row.asker_id).__name__
        return f"{row.price * 2} {row.at.year} {row.due and row.due.isoformat()} {asked}"


@w.entity(t.pledge, "pledge")
@strawberry.type
class Pledge(Node):
    task: Task = w.one(t.pledge.c.task_id)
    team: Team = w.one(t.pledge.c.team_id)
    person: Person | None = w.one(t.pledge.c.person_id)
    minutes: int = w.column(t.pledge.c.minutes)
    at: datetime = w.column(t.pledge.c.at)
    length: str = w.expression(lambda row: sa.case((row.minutes >= 60, "it's long"), else_="short"))


@strawberry.type
class Tally:
    """A row of a report."""

    state: State = w.named("state")
    place: Place = w.one("place_id")
    tasks: int = w.named("tasks")
    cost: Money = money("cost_fen")
    highest: float | None = w.named("highest")


def _tallied(view: Any) -> tuple[Any, sa.Select[Any]]:
    rows = view.rows(t.task)
    selected = (
        sa.select(
            rows.c.state,
            rows.c.place_id,
            sa.func.count().label("tasks"),
            sa.func.sum(rows.c.cost_fen).label("cost_fen"),
            sa.func.max(rows.c.rating).label("highest"),
        )
        .group_by(rows.c.state, rows.c.place_id)
        .order_by(sa.func.count().desc(), rows.c.place_id, rows.c.state)
    )
    return rows, selected


def tally(view: Any, state: Any, min_urgency: Any) -> sa.Select[Any]:
    rows, selected = _tallied(view)
    return selected.where(
        sa.or_(state.is_(None), rows.c.state == state), sa.or_(min_urgency.is_(None), rows.c.urgency >= min_urgency)
    )


def busiest(view: Any) -> sa.Select[Any]:
    return _tallied(view)[1].limit(2)


@strawberry.type
class Shift:
    """A row of a report that has read by itself what it refers to: a task, and a pledge if there is one so long."""

    task: Task | None = w.one("task_id")
    pledge: Pledge | None = w.one("pledge_id")
    person: Person | None = w.one("person_id")
    minutes: int | None = w.named("minutes")


def shifts(view: Any, at_least: Any) -> sa.Select[Any]:
    tasks, made = view.rows(t.task), view.rows(t.pledge)
    return (
        sa.select(
            tasks.c.id.label("task_id"), made.c.id.label("pledge_id"), made.c.person_id, made.c.minutes.label("minutes")
        )
        .select_from(tasks.outerjoin(made, sa.and_(made.c.task_id == tasks.c.id, made.c.minutes >= at_least)))
        .order_by(tasks.c.title, tasks.c.id, made.c.id)
    )


@strawberry.type
class Turn:
    """A row of a report in which one place stands in many lines: it is numbered, and its texts are written once."""

    place: Place = w.one("place_id")
    task: Task | None = w.one("task_id")
    cost: Money = money("cost_fen")


def turns(view: Any, beyond: Any) -> sa.Select[Any]:
    tasks = view.rows(t.task)
    places = view.rows(t.place, order=("name", "id"), where=lambda place: place.c.code > beyond)
    return (
        sa.select(places.c.id.label("place_id"), tasks.c.id.label("task_id"), tasks.c.cost_fen)
        .select_from(places.join(tasks, tasks.c.place_id == places.c.id))
        .order_by(places.c.place, tasks.c.id)
    )


@strawberry.type
class KindInfo:
    kind: Kind = strawberry.field()
    said: str = strawberry.field()
    rank: int = strawberry.field()
    next_kinds: list[Kind] = strawberry.field()
    parent: KindInfo | None = strawberry.field()


def kinds(only: Kind | None = None, how_polite: int = 0) -> list[dict[str, Any]]:
    every = [
        {"kind": k, "said": "请" * how_polite + k.value, "rank": n, "nextKinds": list(Kind)[n + 1 :], "parent": None}
        for n, k in enumerate(Kind)
    ]
    every[1]["parent"] = every[0]
    return [k for k in every if only is None or k["kind"] == only]


@strawberry.type
class Query:
    node: Node | None = w.by_id()
    labelled: Labelled | None = w.by_id()
    working: Working | None = w.by_id()
    task: Task | None = w.by_id()
    place: Place | None = w.by_id()
    tasks: Connection[Task] = w.connection(order=ORDERS, filter=TaskFilter)
    people: Connection[Person] = w.connection(order=(t.person.c.name,))
    pledges: Connection[Pledge] = w.connection(order=(sa.desc(t.pledge.c.minutes), t.pledge.c.at))
    places: list[Place] = w.many(order=(t.place.c.code,), limit=20)
    urgent_tasks: list[Task] = w.many(
        order=(t.task.c.urgency, sa.desc(t.task.c.at)), limit=10, default=3, where=lambda item: item.urgent
    )
    me: Person | None = w.single(lambda row, view: row.id == view.actor.person)
    my_team: Team | None = w.single(lambda row, view: row.id == view.actor.team)
    tally: list[Tally] = w.report(tally, {"state": (State | None, None), "min_urgency": (int | None, None)}, size=12)
    busiest: list[Tally] = w.report(busiest, size=2)
    shifts: list[Shift] = w.report(shifts, {"at_least": (int, 30)}, size=12)
    turns: list[Turn] = w.report(turns, {"beyond": (str, "")}, size=12)
    kinds: list[KindInfo] = w.constant(kinds, {"only": (Kind | None, None), "how_polite": (int, 0)})


# What clients may do


class Bug(Exception):
    """What no verb expects."""


@problems.refuses(InsufficientFunds)
async def retitle(db: Any, id: uuid.UUID, title: str, price: Decimal | None = None) -> uuid.UUID:
    """Gives a task another title; some titles are refused, some meet a bug, always after the UPDATE."""
    done = await db.execute("UPDATE task SET title = $2 WHERE id = $1", id, title)
    if done != "UPDATE 1":
        raise problems.NotFound(what="任务")
    if title == "bug":
        raise Bug("秘密")
    if title == "hide":
        await db.execute("UPDATE task SET private = true, team_id = NULL WHERE id = $1", id)
    if price is not None:
        await db.execute("UPDATE task SET price = $2 WHERE id = $1", id, price)
        if price > 1000:
            raise InsufficientFunds(available=problems.Fen(100_000))
    return id


@strawberry.input
class Change:
    title: str
    price: Decimal | None = None


@strawberry.type
class Mutation:
    @mutation(Task, retitle, description="Gives a task another title.")
    async def task_retitle(call: Call, id: strawberry.ID, changes: list[Change]) -> uuid.UUID:
        key = call.id(id, "task")
        for change in changes:
            await retitle(call.db, key, change.title, change.price)
        return key

    @mutation(Pledge, retitle, description="Retitles a task and shows one of its pledges.", idempotent=False)
    async def pledge_touch(call: Call, id: strawberry.ID, new_title: str = "动") -> uuid.UUID:
        key = call.id(id, "pledge")
        await retitle(call.db, await call.db.fetchval("SELECT task_id FROM pledge WHERE id = $1", key), new_title)
        return key


def schema() -> strawberry.Schema:
    """A schema of its own each time: the engine replaces its resolvers."""
    return strawberry.Schema(Query, Mutation, config=StrawberryConfig(scalar_map=SCALARS))
