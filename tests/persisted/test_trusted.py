"""Trusted documents: published by the command, named by hash, and, where nothing else is taken, the only ones."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest

from api import persisted as module
from api.settings import Trouble
from models import documents
from models.access import PUBLIC_ACTOR, Actor, Claims, Role
from models.identity.rules import ApiScope
from models.manifests import digest
from resolvers.engine.documents import Refused
from tests.make_people import membership, organization, person, town
from tests.persisted.conftest import DIVISIONS, PLAIN, SPEC, Place, ask, by_hash, code, persisted
from tests.site import Site, served

ANSWER = {"data": {"divisions": {"edges": []}}}
FREE = "query Free { funds(first: 1) { edges { node { name } } } }"
FREELY = {"data": {"funds": {"edges": []}}}


async def live(site: Site) -> None:
    """Lets a site read what is published, as it does every few seconds."""
    persisted(site)._looked = -1e9
    await persisted(site).look()


def by_every_name(text: str) -> list[dict[str, Any]]:
    return [
        {"documentId": f"sha256:{digest(text)}"},
        {"documentId": digest(text)},
        by_hash(text),
        {"query": text, **by_hash(text)},
        {"query": text},
    ]


async def test_published_by_hash_by_id_and_by_text(place: Place, site: Site, strict: Site) -> None:
    for found in by_every_name(DIVISIONS):
        told = await ask(strict, **found)
        assert (told.status_code, code(told)) == (400, "DOCUMENT_NOT_PUBLISHED"), found
    assert await place.publish("miniprogram", "1.0.0", DIVISIONS) == 0
    for each in (site, strict):
        await live(each)
        for found in by_every_name(DIVISIONS):
            for accept in (SPEC, PLAIN):
                assert (await ask(each, accept=accept, variables={"n": 1}, **found)).json() == ANSWER
        got = await each.client.get("/graphql", params={"documentId": f"sha256:{digest(DIVISIONS)}"})
        assert got.json() == ANSWER
    assert code(await ask(strict, query=DIVISIONS + " ")) == "DOCUMENT_NOT_PUBLISHED"
    assert code(await ask(strict, query=FREE, **by_hash(DIVISIONS))) == "DOCUMENT_HASH_MISMATCH"


async def test_what_is_refused_says_so_and_registers_nothing(place: Place, strict: Site) -> None:
    told = await ask(strict, accept=PLAIN, query=FREE, **by_hash(FREE))
    assert (told.status_code, code(told)) == (200, "DOCUMENT_NOT_PUBLISHED")
    error = (await ask(strict, query=FREE)).json()["errors"][0]
    assert error["message"] == "本平台只接受已发布的查询文档，不接受自拟的。"
    assert error["extensions"]["retry"] == "CHANGE_INPUT"
    await persisted(strict).share()
    assert await place.sql("SELECT FROM registered_document") == []
    assert code(await ask(strict, **by_hash(FREE))) == "DOCUMENT_NOT_PUBLISHED"
    await place.sql(
        "INSERT INTO registered_document (hash, text, at) VALUES ($1, $2, now())", bytes.fromhex(digest(FREE)), FREE
    )  # as an open process would have
    assert code(await ask(strict, **by_hash(FREE))) == "DOCUMENT_NOT_PUBLISHED"


async def test_the_schema_is_told_where_it_is_told_at_all(strict: Site) -> None:
    schema = await ask(strict, query='query S { __schema { queryType { name } } __type(name: "Need") { name } }')
    assert schema.json()["data"] == {"__schema": {"queryType": {"name": "Query"}}, "__type": {"name": "Need"}}
    for more in (
        "query S { __schema { queryType { name } } divisions { totalCount } }",
        "{",
        "",
        "fragment F on Need { id }",
    ):
        assert code(await ask(strict, query=more)) == "DOCUMENT_NOT_PUBLISHED"


async def test_a_key_with_the_scope_writes_its_own(place: Place, strict: Site, site: Site) -> None:
    (keys,) = await keys_of(place, site, [[ApiScope.READ, ApiScope.DOCUMENTS]])
    (bound,) = await keys_of(place, site, [[s for s in ApiScope if s is not ApiScope.DOCUMENTS]])
    assert (await ask(strict, token=keys, query=FREE)).json() == FREELY
    assert code(await ask(strict, token=bound, query=FREE)) == "DOCUMENT_NOT_PUBLISHED"
    # Registering is off for it too, and its client is told to send texts from now on.
    missed = await ask(strict, token=keys, **by_hash(FREE))
    assert code(missed) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert missed.json()["errors"][0]["message"] == "PersistedQueryNotSupported"
    assert (await ask(strict, token=keys, query=FREE, **by_hash(FREE))).json() == FREELY
    assert code(await ask(strict, token=keys, **by_hash(FREE))) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert code(await ask(strict, token=keys, documentId=digest(FREE))) == "DOCUMENT_NOT_PUBLISHED"
    assert code(await ask(strict, token=keys, query=DIVISIONS, **by_hash(FREE))) == "DOCUMENT_HASH_MISMATCH"


async def keys_of(place: Place, site: Site, scopes: list[list[ApiScope]]) -> list[str]:
    """Keys of an organization, as its staff make them through the API."""
    import asyncpg

    connection = await asyncpg.connect(place.owner)
    try:
        there = await town(connection)
        ngo = await organization(connection, there, f"暖邻服务社 {datetime.now().microsecond}")
        who = await person(connection, "吕竣煜")
        held = await membership(connection, who, Role.NGO_STAFF, organization=ngo)
    finally:
        await connection.close()
    token = site.token(Claims(who, Role.NGO_STAFF, held))
    make = "mutation ($input: ApiKeyMakeInput!) { apiKeyMake(input: $input) { __typename ... on ApiKey { secret } } }"
    out = []
    for n, each in enumerate(scopes):
        given = {"name": f"第 {n} 把", "scopes": [s.value for s in each]}
        out.append((await site.ask(make, {"input": given}, token=token))["apiKeyMake"]["secret"])
    return out


async def test_publishing_again(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = "query P1 { __typename }", "query P2 { __typename }"
    assert await place.publish("again", "1", one) == 0
    assert capsys.readouterr().out == "again 1: 1 documents are trusted, by every process within five seconds.\n"
    assert await place.publish("again", "1", one) == 0
    assert capsys.readouterr().out == "again 1 is live with these documents already.\n"
    with pytest.raises(Trouble, match=r"again 1 is live with other documents: publish another version"):
        await place.publish("again", "1", two)
    rows = await place.sql("SELECT documents FROM client_release WHERE client = 'again'")
    assert [row["documents"] for row in rows] == [1]
    assert await place.run("retire", client="again", version="1") == 0
    assert await place.publish("again", "1", two) == 0  # a retired one may come back, with others
    rows = await place.sql(
        "SELECT action, result, role, detail FROM audit_event"
        " WHERE action LIKE 'command.documents.%' AND detail::text LIKE '%again%' ORDER BY id"
    )
    told = [(r["action"].removeprefix("command.documents."), r["result"], json.loads(r["detail"])) for r in rows]
    assert [(action, result) for action, result, _ in told] == [
        ("publish", "DONE"),
        ("publish", "DONE"),
        ("publish", "FAILED"),
        ("retire", "DONE"),
        ("publish", "DONE"),
    ]
    assert {r["role"] for r in rows} == {"SYSTEM"}
    assert [d.get("new") for _, _, d in told] == [True, False, None, None, True]
    assert all((d["client"], d["version"]) == ("again", "1") and d["user"] for _, _, d in told)


async def test_two_releases_share_a_document(place: Place, strict: Site) -> None:
    both, old = "query Both { __typename }", "query Old { __typename }"
    await place.publish("web", "1", both, old)
    await place.publish("web", "2", both)
    await live(strict)
    kept = await persisted(strict).resolve(by_hash(both), PUBLIC_ACTOR)
    await place.run("retire", client="web", version="1")
    await live(strict)
    assert (await ask(strict, **by_hash(both))).status_code == 200
    assert await persisted(strict).resolve(by_hash(both), PUBLIC_ACTOR) is kept  # read once
    assert code(await ask(strict, **by_hash(old))) == "DOCUMENT_NOT_PUBLISHED"
    with pytest.raises(Trouble, match=r"No release web 1 is live"):
        await place.run("retire", client="web", version="1")


async def test_list(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    await place.publish("listed", "1", "query L { __typename }")
    await place.run("retire", client="listed", version="1")
    await place.publish("listed", "2", "query L { __typename }", "query M { __typename }")
    capsys.readouterr()
    assert await place.run("list") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("listed")]
    assert [(line[1], line[2], line[6]) for line in lines] == [("1", "1", "retired"), ("2", "2", "live")]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"text": "query X { nope }"}, "m.json is not published: the schema does not answer it."),
        ({"hash": "0" * 64}, f"m.json cannot be taken: the document {'0' * 64} does not match its hash"),
        ({"client": "a b"}, "--client must be"),
        ({"version": "../1"}, "--version must be"),
        ({"file": "nowhere.json"}, "cannot be read: no such file"),
    ],
)
async def test_what_is_not_published(place: Place, change: dict[str, str], sentence: str) -> None:
    text = change.get("text", "query X { __typename }")
    path = place.folder / "m.json"
    path.write_text(json.dumps({change.get("hash", digest(text)): text}))
    given = {"client": "refused", "version": "1", "file": str(path)}
    with pytest.raises(Trouble) as told:
        await place.run("publish", **{**given, **{k: v for k, v in change.items() if k in given}})
    assert sentence in str(told.value)
    assert await place.sql("SELECT FROM client_release WHERE client = 'refused'") == []


async def test_there_is_an_end_to_what_processes_hold(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LIVE_DOCUMENTS", 0)
    with pytest.raises(Trouble, match=r"retire releases that nobody uses"):
        await place.publish("much", "1", "query Much { __typename }")
    assert await place.sql("SELECT FROM client_release WHERE client = 'much'") == []


async def test_the_api_can_publish_nothing(place: Place) -> None:
    import asyncpg

    connection = await asyncpg.connect(place.api)
    try:
        for statement in (
            "INSERT INTO client_release (client, version, documents, published_at) VALUES ('x', '1', 0, now())",
            "UPDATE client_release SET retired_at = NULL",
            "DELETE FROM trusted_document",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_every_process_learns_by_itself(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background, without a request that misses; and what was retired goes."""
    monkeypatch.setattr(module, "TICK", 0.05)
    monkeypatch.setattr(module, "EVERY", 0.05)
    text = "query Background { __typename }"
    async with served(place.api, WUSHE_DOCUMENTS="trusted") as one, served(place.api) as two:
        await place.publish("background", "1", text)
        await until(lambda: all(digest(text) in persisted(each)._trusted for each in (one, two)))
        assert (await ask(one, **by_hash(text))).json() == {"data": {"__typename": "Query"}}
        await place.run("retire", client="background", version="1")
        await until(lambda: all(digest(text) not in persisted(each)._trusted for each in (one, two)))
        assert code(await ask(one, **by_hash(text))) == "DOCUMENT_NOT_PUBLISHED"
        assert code(await ask(two, **by_hash(text))) == "PERSISTED_QUERY_NOT_FOUND"


async def until(true: Any) -> None:
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never came true")


async def test_a_miss_looks_once_and_together(place: Place, site: Site) -> None:
    """A front end may be released the moment that publishing it has ended: who does not know it yet asks."""
    text = "query Fresh { __typename }"
    found = module.Persisted(site.door.databases.primary, published_only=True)
    reads = 0
    read = found._read

    async def counted() -> None:
        nonlocal reads
        reads += 1
        await read()

    found._read = counted  # type: ignore[method-assign]
    await place.publish("fresh", "1", text)
    asked = [found.resolve(by_hash(text), PUBLIC_ACTOR) for _ in range(50)]
    assert await asyncio.gather(*asked) == [text] * 50
    assert reads == 1
    for _ in range(50):
        with pytest.raises(Refused):
            await found.resolve(by_hash(FREE), PUBLIC_ACTOR)
    assert reads == 1  # not again within the second


async def test_what_is_known_stays_true_without_the_database(place: Place, site: Site) -> None:
    from models.pool import Pool

    gone = Pool("postgresql://wushe_api:a@127.0.0.1:1/nowhere", 1, patience=0.2)
    found = module.Persisted(gone, published_only=True)
    try:
        for _ in range(2):
            with pytest.raises(OSError):  # nothing was ever read: unavailable, not refused
                await found.resolve(by_hash(DIVISIONS), PUBLIC_ACTOR)
        found.pool, found._looked = site.door.databases.primary, -1e9
        await place.publish("known", "1", DIVISIONS)
        assert await found.resolve(by_hash(DIVISIONS), PUBLIC_ACTOR) == DIVISIONS
        found.pool, found._looked = gone, -1e9
        assert await found.resolve(by_hash(DIVISIONS), PUBLIC_ACTOR) == DIVISIONS
        with pytest.raises(Refused):
            await found.resolve(by_hash(FREE), PUBLIC_ACTOR)
    finally:
        await gone.close()


async def test_a_person_who_administers_is_bound_like_everybody(strict: Site) -> None:
    with pytest.raises(Refused):
        await persisted(strict).resolve({"query": FREE}, Actor(Role.ADMIN))


async def test_the_consoles_samples_are_answered(strict: Site) -> None:
    from api.web.pages import documents as samples

    page = (await strict.client.get("/graphiql")).text
    assert "此平台只接受已发布的查询文档" in page and 'role="note" >' in page
    found = samples("test")
    assert len(found) == 18 and samples("production") == []
    for text in found:
        assert await persisted(strict).resolve({"query": text}, PUBLIC_ACTOR) == text
    told = await ask(strict, query=next(t for t in found if "OpenNeeds" in t), operationName="OpenNeeds")
    assert told.json()["data"]["needs"]["totalCount"] == 0


async def test_an_open_console_has_no_notice(site: Site) -> None:
    assert 'role="note" hidden>' in (await site.client.get("/graphiql")).text
