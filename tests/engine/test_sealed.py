"""Marks: what a statement carries closed is opened by the request, on every path; and nobody can write a mark."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from resolvers.engine.plans import MARK
from tests.engine.conftest import Asking, Opening

FORGED = [f"{MARK}?:whispered{MARK}", f"{MARK}s:NOTE:00000000-0000-0000-0000-000000000000:41{MARK}", MARK]


@pytest.mark.parametrize("text", FORGED)
async def test_a_mark_in_stored_text_stays_text(ask: Asking, text: str) -> None:
    await ask.reads.connection.execute("BEGIN")
    try:
        row = ask.world.rows["task"][0]
        await ask.reads.connection.execute("UPDATE task SET title = $1, note = $1 WHERE id = $2", text, row["id"])
        asked = "query($id: ID!) { task(id: $id) { title sealed label again: title } }"
        for actor in ask.world.actors:
            data = await ask.fast(asked, actor, None, id=f"task_{row['id']}")
            standard = await ask.standard(asked, actor, None, id=f"task_{row['id']}")
            assert standard.data == data
            assert data["task"] in (None, dict.fromkeys(("title", "sealed", "label", "again"), text))
    finally:
        await ask.reads.connection.execute("ROLLBACK")


@pytest.mark.parametrize("text", FORGED)
async def test_a_mark_in_a_document_stays_text(ask: Asking, text: str) -> None:
    """As a variable, in a filter, in an id, and in a cursor."""
    asked = "query($t: String, $i: ID!, $c: String) { tasks(filter: {titleHas: $t}) { totalCount } task(id: $i) { id } people(after: $c) { totalCount } }"
    for given in ({"t": text, "i": "x"}, {"t": "a", "i": text}, {"t": "a", "i": "x", "c": text}):
        request = ask.request(asked, None, None, **given)
        result = await ask.engine.standard(request, ask.engine.document(request))
        assert MARK not in str(result.data)


async def test_one_statement_and_nothing_plain_in_it(ask: Asking) -> None:
    data = await ask.fast("{ tasks(first: 30) { edges { node { sealed note marks } } } }")
    (sql, arguments), *more = ask.reads.statements
    assert not more
    for edge in data["tasks"]["edges"]:
        assert edge["node"]["sealed"] == edge["node"]["note"]
    assert "encode(" in sql and not any(isinstance(a, bytes) for a in arguments)


@dataclasses.dataclass(slots=True, eq=False)
class Refusing(Opening):
    async def unmark(self, text: bytes) -> bytes:
        raise AssertionError("there is nothing to open")


async def test_a_plan_without_seals_is_not_looked_through(ask: Asking) -> None:
    request = ask.request("{ tasks(first: 3) { edges { node { id title } } } }")
    given: dict[str, Any] = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
    document = ask.engine.document(request)
    found = await ask.engine.fast(Refusing(**given), document, ask.engine.coerced(document, request))
    assert found is not None
