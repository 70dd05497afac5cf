"""What cannot be kept true is refused when the schema is built, by the name of the field; and no SQL goes past the rules."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from typing import Annotated, Any, Union

import pytest
import sqlalchemy as sa
import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.engine.build import SchemaError
from resolvers.engine.engine import Engine, Request
from resolvers.engine.guard import Uncovered
from resolvers.engine.plans import BadInput, Run
from resolvers.scalars import SCALARS
from tests.engine import rows
from tests.engine import tables as t
from tests.engine.conftest import no_verbs
from tests.engine.tables import Actor, Role


def engine_of(item: type, rules: Any = t.RULES, ruled: set[str] | None = None, **roots: Any) -> Engine:
    """An engine for a schema whose root has a list of one type."""
    fields = {"items": w.many(order=("id",), limit=10), **{name: field for name, (_, field) in roots.items()}}
    types = {"items": list[item], **{name: type_ for name, (type_, _) in roots.items()}}
    query = strawberry.type(type("Query", (), {"__annotations__": types, **fields}))
    schema = strawberry.Schema(query, config=StrawberryConfig(scalar_map=SCALARS))
    return Engine(schema, rules, set(t.SEEN) if ruled is None else ruled, no_verbs)


def shown(name: str, table: sa.Table, **fields: tuple[Any, Any]) -> Any:
    """A GraphQL type over a table."""
    space = {"__annotations__": {k: a for k, (a, _) in fields.items()}, **{k: f for k, (_, f) in fields.items()}}
    return w.entity(table, name.lower())(strawberry.type(type(name, (), space)))


def place(**more: tuple[Any, Any]) -> Any:
    return shown("Place", t.place, code=(str, w.column(t.place.c.code)), **more)


def team(**more: tuple[Any, Any]) -> Any:
    return shown("Team", t.team, label=(str, w.column(t.team.c.name)), **more)


def task(**more: tuple[Any, Any]) -> Any:
    return shown("Task", t.task, title=(str, w.column(t.task.c.title)), **more)


def refused(*arguments: Any, **kw: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        engine_of(*arguments, **kw)
    return str(caught.value)


def test_a_table_without_a_rule() -> None:
    assert refused(team(), ruled={"task"}) == "Team: table team has neither a rule nor the mark PUBLIC"


def test_a_promise_that_nobody_declared() -> None:
    told = refused(
        shown("Pledge", t.pledge, task=(task(), w.one(t.pledge.c.task_id))), dataclasses.replace(t.RULES, implied=set())
    )
    assert told.startswith("Pledge.task: non-null, but its target may be hidden")


def test_a_reference_that_may_be_null() -> None:
    told = refused(
        place(parent=(shown("Above", t.place, code=(str, w.column(t.place.c.code))), w.one(t.place.c.parent_id)))
    )
    assert told == "Place.parent: place.parent_id may be NULL, the field may not"


def test_a_target_that_is_not_unique() -> None:
    told = refused(task(place=(place() | None, w.one(t.task.c.place_code, target="name"))))
    assert told == "Task.place: place.name is not unique"


def test_a_column_that_may_be_null() -> None:
    assert refused(task(note=(str, w.column(t.task.c.note)))) == "Task.note: the column may be NULL, the field may not"


def test_a_column_that_is_not_there() -> None:
    assert refused(task(other=(str, w.named("other")))) == "Task.other: task has no column other"


def test_a_list_by_a_column_that_is_not_there() -> None:
    told = refused(place(tasks=(list[task()], w.many(t.person.c.hidden, order=("nothing",)))))
    assert told.splitlines() == ["Place.tasks: task has no column hidden", "Place.tasks: task has no column nothing"]
    assert refused(task(team=(team() | None, w.one("nothing")))) == "Task.team: task has no column nothing"


def test_a_target_that_is_unique_only_among_some() -> None:
    some = sa.Table("some", sa.MetaData(), sa.Column("id", sa.Uuid, primary_key=True), sa.Column("code", sa.Text))
    sa.Index("some_live", some.c.code, unique=True, postgresql_where=some.c.code != "")
    rules = dataclasses.replace(t.RULES, public={"place", "some"})
    told = refused(
        place(
            some=(shown("Some", some, code=(str | None, w.column(some.c.code))) | None, w.one("code", target="code"))
        ),
        rules,
    )
    assert told == "Place.some: some.code is not unique"


@strawberry.interface
class Thing:
    code: str = w.column(t.place.c.code)


def test_one_prefix_for_two_types_that_an_id_may_lead_to() -> None:
    one, two = (w.entity(t.place, "place")(strawberry.type(type(name, (Thing,), {}))) for name in ("One", "Two"))
    both = (list[two], w.many(order=("id",)))  # type: ignore[valid-type]
    assert refused(one, both=both, thing=(Thing | None, w.by_id())) == "Query.thing: the prefix place leads to 2 types"
    engine_of(one, both=both)


def test_a_variant_that_is_no_member() -> None:
    union = Annotated[Union[team(), place()], strawberry.union("Owner")]  # noqa: UP007
    told = refused(task(owner=(union | None, w.variant({t.task.c.team_id: "Team", t.task.c.person_id: "Person"}))))
    assert told == "Task.owner: Person is no member of it"


def test_a_field_without_a_word() -> None:
    assert refused(task(other=(str, strawberry.field()))) == "Task.other: no word says where it lives"


def test_an_order_that_may_be_null() -> None:
    told = refused(place(), tasks=(Connection[task()], w.connection(order=(t.task.c.note,))))
    assert told == "Query.tasks: ordered by task.note, which may be NULL"


def test_an_order_that_no_cursor_can_hold() -> None:
    told = refused(place(), tasks=(Connection[task()], w.connection(order=(t.task.c.tags,))))
    assert told == "Query.tasks: ordered by task.tags, whose type no cursor can hold"


@pytest.mark.parametrize("field", [w.by_id(), w.single(lambda row: row.id == sa.null())])
def test_a_root_that_may_be_hidden(field: Any) -> None:
    assert refused(place(), it=(task(), field)) == "Query.it: what it refers to may be hidden, so it is nullable"


def test_lists_without_a_written_form() -> None:
    told = refused(task(times=(list[datetime], w.expression(lambda row: sa.func.array_agg(row.at))))).splitlines()
    assert told == ["Task.times: a list of DateTime has no written form"]


@pytest.mark.parametrize("type_", [str, int | None])
def test_what_is_told_once_is_null_ever_after(type_: Any) -> None:
    told = refused(task(token=(type_, w.once("token"))))
    assert told == "Task.token: it is told once and is null ever after, so it is nullable text"


@strawberry.input
class Inner:
    a: int = 1


@strawberry.input
class Filter:
    plain: int | None = None
    deep: list[Inner] | None = w.where(lambda row, value: sa.true())


def test_a_filter_without_a_condition() -> None:
    told = refused(place(), tasks=(Connection[task()], w.connection(order=(t.task.c.title,), filter=Filter)))
    assert told.splitlines() == [
        "Query.tasks: Filter.plain has no condition",
        "Query.tasks: Filter.deep: Inner cannot be bound",
    ]


def test_a_node_of_an_interface_s_fragment_is_another_field_in_each_type() -> None:
    item = task()

    def listing(default: int, on: Any) -> dict[str, Any]:
        field = w.many(on, order=("id",), limit=2 * default, default=default)
        return {"__annotations__": {"tasks": list[item]}, "tasks": field}  # type: ignore[valid-type]

    listed = strawberry.interface(type("HasTasks", (), listing(9, t.task.c.place_id)))

    def made(table: Any, default: int, on: Any) -> Any:
        space = listing(default, on)
        return w.entity(table, table.name)(strawberry.type(type(table.name.capitalize(), (listed,), space)))

    place_, team_ = made(t.place, 2, t.task.c.place_id), made(t.team, 4, t.task.c.team_id)
    engine = engine_of(place_, teams=(list[team_], w.many(order=("id",))), it=(listed | None, w.by_id()))
    text = "query($n: Int!) { items { ...F } teams { ...F } } fragment F on HasTasks { tasks { title } more: tasks(first: $n) { title } }"

    def bound(n: int) -> tuple[str, list[Any]]:
        actor = Actor(Role.STAFF, path="")
        request = Request(text, {"n": n}, None, actor, t.asker(actor, rows.NOW), None)
        document = engine.document(request)
        values = engine.coerced(document, request)
        plan = engine.plan(document, values, actor.role, strict=True)
        return plan.sql, plan.arguments(Run(values, request.asker))

    sql, arguments = bound(3)
    assert 3 in arguments and "LIMIT (2)" in sql and "LIMIT (4)" in sql
    with pytest.raises(BadInput):
        bound(5)  # a plan is there, and Team would allow it


def test_a_report_s_arguments_are_checked_at_each_run() -> None:
    @strawberry.type
    class Line:
        n: int = w.named("n")

    def counted(view: Any, at_least: Any) -> Any:
        rows = view.rows(t.person)
        return (
            sa.select(sa.func.count().label("n"))
            .select_from(rows)
            .having(sa.func.count() >= at_least)
            .order_by(sa.func.count())
        )

    def check(given: Any) -> None:
        if given["at_least"] > 3:
            raise BadInput("至多为 3。")

    lines = w.report(counted, {"at_least": (int, 1)}, check=check)
    engine = engine_of(place(), lines=(list[Line], lines))
    actor = Actor(Role.STAFF, path="")

    def bound(text: str, **variables: Any) -> list[Any]:
        request = Request(text, variables, None, actor, t.asker(actor, rows.NOW), None)
        document = engine.document(request)
        values = engine.coerced(document, request)
        return engine.plan(document, values, actor.role, strict=True).arguments(Run(values, request.asker))

    text = "query($n: Int!) { lines(atLeast: $n) { n } }"
    with pytest.raises(BadInput):
        bound(text, n=4)  # where the plan is written
    assert 3 in bound(text, n=3)
    with pytest.raises(BadInput):
        bound(text, n=4)  # where one is kept
    with pytest.raises(BadInput):
        bound("{ lines(atLeast: 9) { n } }")
    assert bound("{ lines { n } }") is not None


async def test_asc_is_ascending() -> None:
    assert w.ordering((sa.asc(t.task.c.title), sa.desc(t.task.c.at))) == (("title", False), ("at", True), ("id", True))


# No SQL past the rules


def compiled(engine: Engine, text: str, role: Role = Role.PUBLIC) -> str:
    actor = Actor(role)
    request = Request(text, {}, None, actor, t.asker(actor, rows.NOW), None)
    document = engine.document(request)
    return engine.plan(document, engine.coerced(document, request), role, strict=True).sql


NAKED = {
    "a scalar sub-select": lambda row: sa.select(sa.func.count()).select_from(t.person).scalar_subquery(),
    "an alias": lambda row: sa.select(sa.func.count()).select_from(t.person.alias()).scalar_subquery(),
    "an EXISTS": lambda row: sa.exists().where(t.person.c.team_id == row.id).cast(sa.Integer),
    "a column": lambda row: t.person.c.name.cast(sa.Integer),
    "deep inside": lambda row: sa.case((sa.func.coalesce(sa.select(t.person.c.hidden).limit(1).scalar_subquery(), sa.true()), 1)),
    "a join": lambda row: sa.select(sa.func.count()).select_from(t.team.join(t.person)).scalar_subquery(),
    "a CTE": lambda row: sa.select(sa.func.count()).select_from(sa.select(t.person).cte()).scalar_subquery(),
    "a sub-select in FROM": lambda row: sa.select(sa.func.count()).select_from(sa.select(t.person).subquery()).scalar_subquery(),
    "a lateral": lambda row: sa.select(sa.func.count()).select_from(sa.select(t.person).lateral()).scalar_subquery(),
    "a union": lambda row: sa.select(sa.func.count()).select_from(sa.union(sa.select(t.person.c.id), sa.select(t.team.c.id)).subquery()).scalar_subquery(),
    "a window": lambda row: sa.select(sa.func.count().over(order_by=t.person.c.name)).limit(1).scalar_subquery(),
    "ANY": lambda row: (row.id == sa.any_(sa.select(t.person.c.id).scalar_subquery())).cast(sa.Integer),
    "IN": lambda row: row.id.in_(sa.select(t.person.c.id)).cast(sa.Integer),
    "an ARRAY": lambda row: sa.func.cardinality(sa.func.array(sa.select(t.person.c.id).scalar_subquery())),
}  # fmt: skip


@pytest.mark.parametrize("naked", NAKED)
def test_an_expression_may_name_no_table(naked: str) -> None:
    engine = engine_of(team(people=(int, w.expression(NAKED[naked]))))
    with pytest.raises(Uncovered):
        compiled(engine, "{ items { people } }")


@pytest.mark.parametrize(
    "field",
    [
        w.many(order=("id",), where=lambda item: item.id.in_(sa.select(t.person.c.team_id))),
        w.many(order=("id",), match=lambda item, parent: sa.exists().where(t.person.c.team_id == item.id)),
    ],
)
def test_nor_may_a_list(field: Any) -> None:
    engine = engine_of(place(teams=(list[team()], field)))
    with pytest.raises(Uncovered):
        compiled(engine, "{ items { teams { label } } }")


def test_nor_may_a_report_or_a_single() -> None:
    @strawberry.type
    class Line:
        n: int = w.named("n")

    naked = w.report(lambda view: sa.select(sa.func.count().label("n")).select_from(t.person).order_by("n"))
    engine = engine_of(place(), lines=(list[Line], naked))
    with pytest.raises(Uncovered):
        compiled(engine, "{ lines { n } }")
    one = w.single(lambda row: row.id == sa.select(t.person.c.team_id).limit(1).scalar_subquery())
    engine = engine_of(place(), one=(team() | None, one))
    with pytest.raises(Uncovered):
        compiled(engine, "{ one { label } }")


def test_rows_of_a_view_are_those_that_may_be_seen() -> None:
    def people(row: Any, view: Any) -> Any:
        seen = view.rows(t.person)
        return sa.select(sa.func.count()).select_from(seen).where(seen.c.team_id == row.id).scalar_subquery()

    engine = engine_of(team(people=(int, w.expression(people))))
    assert re.search(r"FROM person AS (t\d+) \nWHERE NOT \1\.hidden", compiled(engine, "{ items { people } }"))


def test_sub_selects_read_the_rows_around_them_at_any_depth() -> None:
    def deep(row: Any, view: Any) -> Any:
        a, b = view.rows(t.person), view.rows(t.task)
        inner = sa.exists().where(b.c.asker_id == a.c.id, b.c.place_id == row.place_id)
        return sa.select(sa.func.count()).select_from(a).where(inner).scalar_subquery()

    sql = compiled(engine_of(team(people=(int, w.expression(deep)))), "{ items { people } }")
    assert len(re.findall(r"\bAS p\d+", sql)) == 1, "the parent's page stands in one FROM"
    assert len(re.findall(r"\bperson AS", sql)) == 1
