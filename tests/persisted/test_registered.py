"""Automatic persisted queries: hash alone, hash with its text, and everything that they refuse; shared by processes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api import persisted as module
from models import documents
from models.manifests import digest
from tests.persisted.conftest import DIVISIONS, PLAIN, SPEC, Place, ask, by_hash, code, persisted
from tests.site import Site, served


def numbered(n: int) -> str:
    return f"query Q{n} {{ __typename }}"


async def test_a_hash_is_not_known_until_its_text_came_with_it(site: Site) -> None:
    text = numbered(1)
    for accept, status in ((SPEC, 400), (PLAIN, 200)):
        missed = await ask(site, accept=accept, **by_hash(text))
        assert (missed.status_code, code(missed)) == (status, "PERSISTED_QUERY_NOT_FOUND")
        assert missed.json()["errors"][0]["message"] == "PersistedQueryNotFound"
        assert missed.headers["cache-control"] == "no-store"
    sent = await ask(site, query=text, **by_hash(text))
    assert sent.json() == {"data": {"__typename": "Query"}}
    assert (await ask(site, **by_hash(text))).json() == sent.json()
    assert (await ask(site, query=text, **by_hash(text))).json() == sent.json()
    assert (await ask(site, documentId=f"sha256:{digest(text)}")).json() == sent.json()


async def test_by_get(site: Site) -> None:
    extensions = json.dumps(by_hash(DIVISIONS)["extensions"])
    named = {"extensions": extensions, "variables": '{"n": 1}', "operationName": "Divisions"}
    missed = await site.client.get("/graphql", params=named)
    assert missed.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    sent = await site.client.get("/graphql", params={"query": DIVISIONS, **named})
    assert sent.json() == {"data": {"divisions": {"edges": []}}}
    assert (await site.client.get("/graphql", params=named)).json() == sent.json()
    by_id = await site.client.get("/graphql", params={"documentId": f"sha256:{digest(DIVISIONS)}"})
    assert by_id.json() == sent.json()


async def test_a_mutation_by_its_hash_is_no_get(site: Site) -> None:
    text = "mutation M { __typename }"
    assert (await ask(site, query=text, **by_hash(text))).json() == {"data": {"__typename": "Mutation"}}
    told = await site.client.get("/graphql", params={"documentId": digest(text)})
    assert (told.status_code, told.headers["allow"]) == (405, "GET, POST")


async def test_a_text_that_is_not_its_hashs(site: Site) -> None:
    mine, other = numbered(2), numbered(3)
    wrong = await ask(site, query=other, **by_hash(mine))
    assert (wrong.status_code, code(wrong)) == (400, "DOCUMENT_HASH_MISMATCH")
    assert code(await ask(site, **by_hash(mine))) == "PERSISTED_QUERY_NOT_FOUND"
    assert (await ask(site, query=mine, **by_hash(mine))).status_code == 200
    assert code(await ask(site, query=other, **by_hash(mine))) == "DOCUMENT_HASH_MISMATCH"  # nor once it is known


@pytest.mark.parametrize(
    "given",
    [
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 63}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "Z" * 64}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["0" * 64]}}},
        {"extensions": {"persistedQuery": [1]}},
        {"extensions": {"persistedQuery": "0" * 64}},
        {"extensions": {"persistedQuery": None}},
        {"extensions": {"persistedQuery": {}}},
        {"extensions": []},
        {"documentId": 1},
        {"documentId": ""},
        {"documentId": "sha256:"},
        {"documentId": "md5:" + "0" * 32},
        {"documentId": "sha256:" + "A" * 64},
        {"documentId": "0" * 64, "query": "{ __typename }"},
        {"documentId": None},
        {"query": ["{ __typename }"], "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
    ],
)
async def test_names_that_cannot_be_read(site: Site, given: dict[str, Any]) -> None:
    told = await ask(site, **given)
    assert (told.status_code, code(told)) == (400, "MALFORMED_REQUEST")


async def test_an_id_that_nobody_published(site: Site) -> None:
    told = await ask(site, documentId="sha256:" + "0" * 64)
    assert (told.status_code, code(told)) == (400, "DOCUMENT_NOT_PUBLISHED")
    assert told.json()["errors"][0]["message"] == "没有这一已发布的查询文档，请更新应用后再试。"


async def test_only_valid_documents_are_kept(site: Site, place: Place) -> None:
    for text in ("{ nope }", "query {", "query A($x: Nope) { __typename }", "# " + "x" * 20_000 + "\n{ __typename }"):
        told = await ask(site, query=text, **by_hash(text))
        assert (told.status_code == 200) is text.startswith("#")
        assert code(await ask(site, **by_hash(text))) == "PERSISTED_QUERY_NOT_FOUND"
        await persisted(site).share()
        assert await place.sql("SELECT FROM registered_document WHERE hash = $1", bytes.fromhex(digest(text))) == []


async def test_another_process_knows_it_too(site: Site, place: Place) -> None:
    text = numbered(4)
    async with served(place.api) as other:
        assert (await ask(site, query=text, **by_hash(text))).status_code == 200
        assert code(await ask(other, **by_hash(text))) == "PERSISTED_QUERY_NOT_FOUND"  # not written yet: correct
        await persisted(site).share()
        assert (await ask(other, **by_hash(text))).json() == {"data": {"__typename": "Query"}}
        await place.sql("DELETE FROM registered_document")
        assert (await ask(other, **by_hash(text))).status_code == 200  # and keeps it


async def test_a_table_that_is_not_there_is_a_miss(site: Site, place: Place) -> None:
    await place.sql("ALTER TABLE registered_document RENAME TO away")
    try:
        assert code(await ask(site, **by_hash(numbered(5)))) == "PERSISTED_QUERY_NOT_FOUND"
        assert (await ask(site, query=numbered(5), **by_hash(numbered(5)))).status_code == 200
        await persisted(site).share()
        assert (await ask(site, **by_hash(numbered(5)))).status_code == 200
    finally:
        await place.sql("ALTER TABLE away RENAME TO registered_document")


async def test_misses_ask_the_table_so_often_and_no_more(
    site: Site, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = numbered(6)
    hash = bytes.fromhex(digest(text))
    await place.sql("INSERT INTO registered_document (hash, text, at) VALUES ($1, $2, now())", hash, text)
    monkeypatch.setattr(module, "LOOKUPS", 0)
    assert code(await ask(site, **by_hash(text))) == "PERSISTED_QUERY_NOT_FOUND"
    monkeypatch.undo()
    assert (await ask(site, **by_hash(text))).status_code == 200


async def test_strangers_fill_their_share_only(place: Place, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each share is bounded by itself, in the table and in the process; what goes is what was not sent for longest."""
    monkeypatch.setattr(documents, "SHARED", 5)
    monkeypatch.setattr(module, "SHARED", 5)
    await place.sql("DELETE FROM registered_document")
    known = "query Known { __typename }"
    await place.sql(
        "INSERT INTO registered_document (hash, text, at) VALUES ($1, $2, '2026-01-01')",
        bytes.fromhex(digest(known)),
        known,
    )
    for n in range(100, 112):
        assert (await ask(site, query=numbered(n), **by_hash(numbered(n)))).status_code == 200
        await persisted(site).share()
    rows = await place.sql("SELECT text, by_stranger FROM registered_document ORDER BY at")
    assert [row["text"] for row in rows] == [known, *map(numbered, range(107, 112))]
    assert [row["by_stranger"] for row in rows] == [False] + [True] * 5
    share = persisted(site)._registered[True]
    assert len(share._texts) == 5 and share._size == sum(map(len, share._texts.values()))
    assert code(await ask(site, **by_hash(numbered(100)))) == "PERSISTED_QUERY_NOT_FOUND"


async def test_strangers_write_so_many_rows_in_a_tick_and_no_more(
    place: Place, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await persisted(site).share()
    monkeypatch.setattr(module, "TICK", 3600.0)
    async with served(place.api) as other:  # its background waits for an hour
        await place.sql("DELETE FROM registered_document")
        for n in range(200, 200 + module.OF_STRANGERS + 5):
            assert (await ask(other, query=numbered(n), **by_hash(numbered(n)))).status_code == 200
        await persisted(other).share()
        rows = await place.sql("SELECT count(*) FROM registered_document")
        assert rows[0]["count"] == module.OF_STRANGERS
        assert (await ask(other, **by_hash(numbered(224)))).status_code == 200  # kept there all the same


async def test_a_known_text_is_one_object(site: Site) -> None:
    """So Python hashes it once, however often the engine looks its document up."""
    text = numbered(7)
    assert (await ask(site, query=text, **by_hash(text))).status_code == 200
    from models.access import PUBLIC_ACTOR

    one = await persisted(site).resolve(by_hash(text), PUBLIC_ACTOR)
    two = await persisted(site).resolve({"documentId": f"sha256:{digest(text)}"}, PUBLIC_ACTOR)
    assert one == text and one is two
