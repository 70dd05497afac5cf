"""Plans: what is written anew, what is not, and how many are kept."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from resolvers.engine import documents
from resolvers.engine import engine as engines
from resolvers.engine.compiler import Compiler
from resolvers.engine.engine import Engine
from resolvers.engine.garbage import cleared
from resolvers.engine.plans import NotCompilable
from tests.engine.conftest import Asking, make_engine
from tests.engine.rows import World

PAGE = """query($first: Int, $after: String, $order: TaskOrder! = NEWEST, $filter: TaskFilter, $more: Boolean! = false) {
  tasks(first: $first, after: $after, order: $order, filter: $filter) { edges { cursor node { title @include(if: $more) id } } }
}"""


@pytest.fixture
def fresh(oracle: Any, worlds: list[World], at: Any) -> Asking:
    """Asks an engine that has written no plan yet."""
    return Asking(make_engine(), oracle, worlds[0], at[worlds[0].name])


async def written(ask: Asking, *asked: tuple[Any, ...], **variables: Any) -> int:
    """How many plans one question makes."""
    before = ask.engine.compiled
    await ask.fast(*asked, **variables)
    return ask.engine.compiled - before


async def test_other_values_and_other_people_make_no_plan(fresh: Asking) -> None:
    public, member, other, staff, elsewhere = fresh.world.actors
    given: dict[str, Any] = {"first": 2, "filter": {"state": ["OPEN"], "titleHas": "A"}}
    assert await written(fresh, PAGE, public, **given) == 1
    assert await written(fresh, PAGE, public, first=3, filter={"state": ["DONE", "LOST"], "titleHas": "沈"}) == 0
    assert await written(fresh, PAGE, member, **given) == 1
    assert await written(fresh, PAGE, other, **given) == 0
    assert await written(fresh, PAGE, staff, **given) == 1
    assert await written(fresh, PAGE, elsewhere, **given) == 0
    answers = [await fresh.fast(PAGE, a, first=100) for a in fresh.world.actors]
    assert len({str(a) for a in answers}) > 3, "the same plan, but not the same rows"


async def test_another_shape_makes_a_plan(fresh: Asking) -> None:
    shapes: list[dict[str, Any]] = [
        {},
        {"first": 1},
        {"first": None},
        {"filter": None},
        {"filter": {}},
        {"filter": {"due": None}},
        {"filter": {"due": "2026-11-01"}},
        {"filter": {"due": "2026-11-01", "urgencyMin": 1}},
        {"order": "URGENT"},
        {"order": "TITLE"},
        {"more": True},
    ]
    assert [await written(fresh, PAGE, **shape) for shape in shapes] == [1] * len(shapes)
    assert [await written(fresh, PAGE, **shape) for shape in shapes] == [0] * len(shapes)


async def test_an_id_s_kind_is_shape_the_id_is_not(fresh: Asking) -> None:
    text = "query($id: ID!) { node(id: $id) { id } }"
    ids = {kind: [i for i in fresh.world.ids if i.startswith(kind)] for kind in ("task", "team", "place")}
    assert await written(fresh, text, id=ids["task"][0]) == 1
    for other in ids["task"][1:]:
        assert await written(fresh, text, id=other) == 0
    assert await written(fresh, text, id=ids["team"][0]) == 1
    assert await written(fresh, text, id=ids["place"][0]) == 1
    assert [await written(fresh, text, id=ids[k][1]) for k in ids] == [0, 0, 0]
    rest = ids["task"][0].partition("_")[2]
    assert await written(fresh, text, id=f"nothing_{rest}") == 1
    for n in range(5):
        assert await written(fresh, text, id=f"nothing{n}_{rest}") == 0, "unknown kinds share one plan"


async def test_a_wrong_value_makes_no_plan_that_is_kept(fresh: Asking) -> None:
    await fresh.fast(PAGE, first=2)
    kept = len(fresh.engine._plans)
    for wrong in ({"first": 1000}, {"first": 2, "after": "x"}):
        assert await fresh.fast(PAGE, **wrong) is None
        result = await fresh.standard(PAGE, **wrong)
        assert result.errors
    assert len(fresh.engine._plans) <= kept + 1
    assert (await fresh.fast(PAGE, first=2)) is not None
    assert (await fresh.standard(PAGE, first=2)).errors is None
    assert (await fresh.standard(PAGE, first=1000)).errors[0].path == ["tasks"]


async def test_what_a_statement_does_not_use_may_still_be_wrong(fresh: Asking) -> None:
    """A page's size where only the count is asked for; an id of a kind that there is not."""
    count = "query($n: Int, $c: String) { tasks(first: $n, after: $c) { totalCount } }"
    cursor = (await fresh.fast(PAGE, first=1))["tasks"]["edges"][0]["cursor"]
    await fresh(count, n=5, c=cursor)
    assert await written(fresh, count, n=6, c=cursor) == 0
    assert await fresh.errors(count, n=500, c=cursor) == [(["tasks"], "BAD_INPUT")]
    assert await fresh.errors(count, n=5, c="x") == [(["tasks"], "BAD_CURSOR")]
    node = "query($id: ID!) { node(id: $id) { id } }"
    assert await fresh(node, id=f"nothing_{fresh.world.ids[0].partition('_')[2]}") == {"node": None}
    assert await fresh.errors(node, id="nothing_x") == [(["node"], "BAD_ID")]


async def test_plans_are_bounded_and_the_used_ones_stay(fresh: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "PLANS", 10)
    for n in range(40):
        await fresh.fast(f"{{ places(first: 1) {{ a{n}: code }} }}")
        await fresh.fast("{ places(first: 1) { label } }")
        assert len(fresh.engine._plans) <= 10
    assert await written(fresh, "{ places(first: 1) { label } }") == 0
    assert await written(fresh, "{ places(first: 1) { a1: code } }") == 1


async def test_documents_are_bounded(fresh: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "DOCUMENTS_TEXT", 50_000)
    for n in range(60):
        await fresh.fast(f"{{ places(first: 1) {{ a{n}: code }} }}")
    assert len(fresh.engine.documents._kept) < 30
    document = fresh.engine.documents.get("{ places(first: 1) { a59: code } }", None)
    assert document is fresh.engine.documents.get("{ places(first: 1) { a59: code } }", None)


async def test_what_is_refused_is_not_kept(engine: Engine) -> None:
    before = len(engine.documents._kept)
    for text in ("{", "{ nothing }", "{ tasks { edges { node { nothing } } } }"):
        with pytest.raises(engines.Refused):
            engine.documents.get(text, None)
    assert len(engine.documents._kept) == before


async def test_constants_are_known_before_the_database(ask: Asking) -> None:
    data = await ask("query($k: Kind, $n: Int! = 0) { kinds(only: $k, howPolite: $n) { said } }", k="COOK", n=3)
    assert data == {"kinds": [{"said": "请请请COOK"}]}
    assert await ask("query($k: Kind) { kinds(only: $k) { said } }") != data


async def test_what_cannot_be_written_keeps_nobody_s_frames(fresh: Asking) -> None:
    """An exception that is raised again and again would gather them, and with them everything that was asked."""
    for _ in range(3):
        assert await fresh.fast("{ tasks(first: 2) { edges { node { summary } } } }") is None
    (kept,) = fresh.engine._plans.values()
    assert isinstance(kept, NotCompilable) and kept.__traceback__ is None and str(kept) == "a computed field"


async def test_what_is_thrown_away_is_free_at_once(fresh: Asking) -> None:
    """The collector, left to itself, would find it in use while it is made, and look again after many more."""
    assert gc.isenabled()
    for n in range(3):
        await fresh.fast(f"{{ tasks(first: {n + 1}) {{ edges {{ node {{ title place {{ code }} }} }} }} }}")
        assert not [thing for thing in gc.get_objects() if isinstance(thing, Compiler)]
    assert gc.isenabled()
    with pytest.raises(ValueError, match="inside"), cleared():
        assert not gc.isenabled()
        raise ValueError("inside")
    assert gc.isenabled()
