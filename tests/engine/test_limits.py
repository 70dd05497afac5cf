"""What is too much is refused by name, before it costs anything."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import get_introspection_query

from resolvers.engine import limits
from resolvers.engine.engine import Refused
from tests.engine.conftest import Asking, make_engine


def code(ask: Asking, text: str, **variables: Any) -> str | None:
    """The name under which a document is refused; None when it is not."""
    try:
        ask.engine.document(ask.request(text, **variables))
    except Refused as refused:
        (error,) = refused.errors
        found = (error.extensions or {}).get("code")
        assert found is None or not error.message.isascii(), error.message
        return str(found or error.message)
    return None


def cpu(ask: Asking, text: str) -> float:
    """Seconds of CPU for a document: the least of three, for Python's collector may come by."""
    times = []
    for n in range(3):
        before = time.process_time()
        code(ask, text + " " * n)
        times.append(time.process_time() - before)
    return min(times)


def nested(depth: int) -> str:
    return "{ places(first: 1) " + "{ parent " * (depth - 2) + "{ code }" + " }" * (depth - 2) + " }"


def test_depth(ask: Asking) -> None:
    assert code(ask, nested(10)) is None
    assert code(ask, nested(11)) == "TOO_DEEP"
    inside = "{ places(first: 1) { ...A } } " + " ".join(
        f"fragment {a} on Place {{ parent {{ parent {{ parent {{ ...{b} }} }} }} }}" for a, b in ("AB", "BC", "CD")
    )
    assert code(ask, inside + " fragment D on Place { code }") == "TOO_DEEP"


@pytest.mark.parametrize(
    "text", ["{a" * 300 + "}" * 300, "{ tasks(filter: { state: " + "[" * 450 + "]" * 450 + " }) { totalCount } }"]
)
def test_depth_beyond_what_can_be_parsed(ask: Asking, text: str) -> None:
    assert code(ask, text) == "TOO_DEEP"


def test_aliases(ask: Asking) -> None:
    def aliased(n: int) -> str:
        return "{ places(first: 1) {" + " ".join(f"a{i}: code" for i in range(n)) + "} }"

    assert code(ask, aliased(15)) is None
    assert code(ask, aliased(16)) == "TOO_MANY_ALIASES"


def test_tokens(ask: Asking) -> None:
    assert code(ask, "{ places { " + "code " * 1000 + "} }") == "TOO_LONG"


def test_cost_counts_what_lists_multiply(ask: Asking) -> None:
    assert code(ask, "{ tasks(first: 100) { edges { node { title pledges(first: 6) { at } } } } }") is None
    assert (
        code(ask, "{ tasks(first: 100) { edges { node { title pledges(first: 6) { at team { label } } } } } }")
        == "TOO_EXPENSIVE"
    )
    assert code(ask, "{ tasks { edges { node { allPledges { edges { node { at } } } } } } }") is None
    assert (
        code(
            ask,
            "{ tasks { edges { node { allPledges { edges { node { at task { allPledges { totalCount } } } } } } } } }",
        )
        == "TOO_EXPENSIVE"
    )


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, None), (5, None), (100, "TOO_EXPENSIVE"), (100.0, "TOO_EXPENSIVE"), (10**6, "TOO_EXPENSIVE")],
)
def test_cost_counts_sizes_in_variables(ask: Asking, n: Any, expected: str | None) -> None:
    inside = "edges { node { allPledges(first: $n) { edges { node { at } } } } }"
    assert code(ask, f"query($n: Int) {{ tasks(first: $n) {{ {inside} }} }}", n=n) == expected
    assert code(ask, f"query($n: Int! = 100) {{ tasks(first: $n) {{ {inside} }} }}", n=n) == expected
    assert code(ask, f"query($n: Int! = 100) {{ tasks(first: $n) {{ {inside} }} }}") == "TOO_EXPENSIVE"
    fragment = f"fragment F on Query {{ tasks(last: $n) {{ {inside} }} }}"
    assert code(ask, f"query($n: Int) {{ ...F }} {fragment}", n=n) == expected


@pytest.mark.parametrize("backwards", [True, False])
def test_a_list_that_may_be_read_either_way_has_its_cost_at_once(backwards: bool) -> None:
    """`first` and `last` are both variables, and one of them is null: as clients write that page both ways."""
    engine = make_engine()
    text = "query($first: Int, $last: Int) { tasks(first: $first, last: $last) { totalCount } }"
    document = engine.documents.get(text, None)
    for size in (10, 20):
        given = {"first": None, "last": size} if backwards else {"first": size, "last": None}
        document.limit(given)
        assert document.cost(given) == document.measure_with(given).cost


def chain(links: int, link: str) -> str:
    """Fragments of which each names the next one twice."""
    every = " ".join(f"fragment F{i} on Task {{ {link.replace('NEXT', f'F{i + 1}')} }}" for i in range(links))
    return f'{{ task(id: "task_x") {{ ...F0 }} }} {every} fragment F{links} on Task {{ title }}'


@pytest.mark.parametrize("links", [5, 30, 100])
@pytest.mark.parametrize("link", ["...NEXT ...NEXT", "a: pledges { task { ...NEXT } } b: pledges { task { ...NEXT } }"])
def test_chains_of_fragments_are_refused_at_once(ask: Asking, links: int, link: str) -> None:
    text = chain(links, link)
    assert cpu(ask, text) < 0.1
    if links > 5:
        assert (code(ask, text) or "").startswith("TOO_")


def test_the_measure_is_linear() -> None:
    """Without the limit of tokens: the stock limiters would not come back."""
    from graphql import parse

    engine = make_engine()
    document = parse(chain(2000, "...NEXT ...NEXT"))
    before = time.process_time()
    measure = limits.Measure(engine.schema, document)
    with pytest.raises(RecursionError):
        measure.operation(document.definitions[0], {})  # type: ignore[arg-type]
    document = parse(chain(150, "a: pledges { task { ...NEXT } } b: pledges { task { ...NEXT } }"))
    measure = limits.Measure(engine.schema, document)
    assert measure.operation(document.definitions[0], {}).fields == limits.TOP  # type: ignore[arg-type]
    assert time.process_time() - before < 1


def test_cycles_and_unknown_names_are_left_to_validation(ask: Asking) -> None:
    for text in (
        '{ task(id: "x") { ...A } } fragment A on Task { id ...B } fragment B on Task { id ...A }',
        '{ task(id: "x") { ...A } } fragment A on Task { pledges { task { ...A } } }',
        '{ task(id: "x") { ...Nobody } }',
        "{ nothing { at { all } } }",
        '{ task(id: "x") { ... on Nobody { id } } }',
    ):
        with pytest.raises(Refused):
            ask.engine.document(ask.request(text))


def test_spreads(ask: Asking) -> None:
    text = '{ task(id: "x") { ' + "...A " * 300 + "} } fragment A on Task { id }"
    assert code(ask, text) == "TOO_MANY_FRAGMENTS"
    assert cpu(ask, text) < 0.1


@pytest.mark.parametrize(
    "text",
    [
        "{ places { " + "code " * 900 + "} }",
        "{ places { " + "... { code } " * 190 + "} }",
        "{ places(first: 1) { " + "parent { code } " * 240 + "} }",
        "{ " + "places(first: 1) { code code code code code code code } " * 60 + "}",
        "{ " + ("places(first: 1) { " + "parent { code } " * 12 + "} ") * 15 + "}",
        "{ __typename } fragment A on Place { " + "parent { code } " * 240 + "}",
        "{ places(first: 1) { "
        + " ".join(f"...A{n}" for n in range(20))
        + "} } "
        + " ".join(f"fragment A{n} on Place {{ {'parent { code } ' * 9} }}" for n in range(20)),
        "{ __typename } "
        + " ".join(
            f"fragment A{n} on Place {{ a: parent {{ ...A{n + 1} }} b: parent {{ ...A{n + 1} }} }}" for n in range(40)
        ),
    ],
    ids=range(8),
)
def test_fields_of_one_name_are_bounded_before_validation_compares_their_pairs(ask: Asking, text: str) -> None:
    """A third of a second of CPU for a thousand tokens, without."""
    assert code(ask, text) == "TOO_MANY_FIELDS"
    assert cpu(ask, text) < 0.1


def test_fields_of_one_name_may_be_as_many_as_programs_write(ask: Asking) -> None:
    parts = [f"fragment A{n} on Place {{ __typename id code parent {{ id }} }}" for n in range(30)]
    text = "{ places(first: 1) { " + " ".join(f"...A{n}" for n in range(30)) + " } } " + " ".join(parts)
    assert code(ask, text) is None
    assert cpu(ask, text) < 0.1


def test_fields_after_fragments_are_expanded(ask: Asking) -> None:
    wide = "fragment W on Task { " + " ".join(["title note state urgency"] * 10) + " } "
    text = "{ tasks { edges { node { " + "...V " * 20 + "} } } } fragment V on Task { " + "...W " * 3 + "} " + wide
    assert code(ask, text) == "TOO_MANY_FIELDS"


def test_introspection_has_a_limit_of_its_own(ask: Asking) -> None:
    assert code(ask, get_introspection_query()) is None
    deep = "{ __schema { types " + "{ fields { type " * 6 + "{ name }" + " } }" * 6 + " } }"
    assert code(ask, deep) in ("TOO_DEEP", "Maximum introspection depth exceeded")
    deeper = "{ __schema { types " + "{ ofType " * 25 + "{ name }" + " }" * 25 + " } }"
    assert code(ask, deeper) == "TOO_DEEP"


def test_introspection_can_be_off(ask: Asking) -> None:
    engine = make_engine(introspection=False, suggestions=False)
    for text in (
        "{ __schema { queryType { name } } }",
        '{ ...F } fragment F on Query { __type(name: "Task") { name } }',
    ):
        with pytest.raises(Refused) as refused:
            engine.document(ask.request(text))
        assert [e.extensions for e in refused.value.errors] == [{"code": "INTROSPECTION_OFF"}]
    with pytest.raises(Refused) as refused:
        engine.document(ask.request("{ taskz { id } }"))
    assert "Did you mean" not in str(refused.value.errors)
    engine.document(ask.request("{ __typename me { __typename } }"))


def test_operations_are_chosen_by_name(ask: Asking) -> None:
    two = "query A { me { id } } query B { __typename }"
    assert ask.engine.document(ask.request(two, None, "B")).operation.name.value == "B"
    for text, name in ((two, None), (two, "C"), (two, ""), ("fragment F on Task { id }", None)):
        with pytest.raises(Refused) as refused:
            ask.engine.document(ask.request(text, None, name))
        assert [e.extensions for e in refused.value.errors] == [{"code": "UNKNOWN_OPERATION"}]
    with pytest.raises(Refused):
        ask.engine.document(ask.request("subscription { me { id } }"))
