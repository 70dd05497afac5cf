"""GraphQL over HTTP, as its specification asks."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.site import Site, served

SPEC = "application/graphql-response+json"
JSON = {"content-type": "application/json"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(database: str) -> AsyncIterator[Site]:
    async with served(database) as found:
        yield found


async def test_post(site: Site) -> None:
    answer = await site.post("{ __typename }")
    assert (answer.status_code, answer.json()) == (200, {"data": {"__typename": "Query"}})
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


async def test_get_serves_queries_and_refuses_mutations(site: Site) -> None:
    asked = await site.client.get(
        "/graphql",
        params={
            "query": "query Q($a: Boolean!) { __typename @include(if: $a) }",
            "variables": '{"a": true}',
            "operationName": "Q",
        },
    )
    assert asked.json() == {"data": {"__typename": "Query"}}
    told = await site.client.get("/graphql", params={"query": "mutation { __typename }"})
    assert (told.status_code, told.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (SPEC, SPEC),
        (f"{SPEC}, application/json;q=0.9", SPEC),
        (f"application/json, {SPEC};q=0.5", "application/json"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
async def test_media_type_of_the_answer(site: Site, accept: str, media: str) -> None:
    answer = await site.post("{ __typename }", accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{media}; charset=utf-8")


@pytest.mark.parametrize("query", ["{", "{ nope }", "query Q($a: Int!) { enums(name: $a) { name } }"])
async def test_request_errors_have_no_data_and_say_400_where_the_client_knows_the_media_type(
    site: Site, query: str
) -> None:
    for accept, status in ((SPEC, 400), ("application/json", 200)):
        answer = await site.post(query, accept=accept)
        assert answer.status_code == status
        assert "data" not in answer.json()
        error = answer.json()["errors"][0]
        assert error["extensions"]["code"] == "BAD_DOCUMENT"
        assert error["extensions"]["requestId"] == answer.headers["x-request-id"]
        assert error["message"] == "查询文档无效。"


async def test_variables_that_do_not_fit(site: Site) -> None:
    answer = await site.post("query Q($a: Boolean!) { __typename @skip(if: $a) }", {"a": "yes"}, accept=SPEC)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_VARIABLES")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"1",
        b"[]",
        b'"x"',
        b"{",
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": "{__typename}", "variables": []}',
        b'{"query": "{__typename}", "variables": "x"}',
        b'{"query": "{__typename}", "operationName": 3}',
        b'{"query": "{__typename}", "extensions": 3}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"query": "{__typename}", "variables": {"a": ' + b"9" * 5000 + b"}}",
        b'{"query": "\\ud800"}',
        gzip.compress(b'{"query": "{__typename}"}', mtime=0),
        b'[{"query": "{__typename}"}]',
    ],
    ids=lambda body: f"{len(body)}-{body[:8].hex()}",
)
async def test_malformed_bodies_are_the_clients_fault(site: Site, body: bytes) -> None:
    answer = await site.client.post("/graphql", content=body, headers=JSON)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert answer.json()["errors"][0]["extensions"]["code"] == "MALFORMED_REQUEST"
    else:  # a number that JSON allows, in a variable that is not declared
        assert answer.json() == {"data": {"__typename": "Query"}}


async def test_what_is_refused_before_it_is_read(site: Site) -> None:
    query = json.dumps({"query": "{ __typename }"})
    plain = await site.client.post("/graphql", content=query, headers={"content-type": "text/plain"})
    packed = await site.client.post(
        "/graphql", content=gzip.compress(query.encode()), headers={**JSON, "content-encoding": "gzip"}
    )
    large = await site.client.post("/graphql", content=b" " * 1_000_001, headers=JSON)
    html = await site.post("{ __typename }", accept="image/png")
    put = await site.client.put("/graphql", content=query, headers=JSON)
    codes = [(r.status_code, r.json()["errors"][0]["extensions"]["code"]) for r in (plain, packed, large, html, put)]
    assert codes == [
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (413, "BODY_TOO_LARGE"),
        (406, "NOT_ACCEPTABLE"),
        (405, "METHOD_NOT_ALLOWED"),
    ]


async def test_chinese_is_not_escaped_and_long_answers_are_packed(site: Site) -> None:
    answer = await site.post("{ problems { code message description } }", **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "系统繁忙，请稍后再试。" in answer.text
    plain = await site.post("{ problems { code message description } }", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text


async def test_a_request_id_of_the_clients_own_is_kept(site: Site) -> None:
    answer = await site.post("{ nope }", **{"x-request-id": "page-42.retry-1"})
    assert answer.headers["x-request-id"] == "page-42.retry-1"
    assert answer.json()["errors"][0]["extensions"]["requestId"] == "page-42.retry-1"
    other = await site.post("{ nope }", **{"x-request-id": "<script>"})
    assert other.headers["x-request-id"] != "<script>"


async def test_bad_tokens(site: Site) -> None:
    for token in ("x", "a.b.c", "é"):
        answer = await site.client.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"authorization": f"Bearer {token}".encode()}
        )
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (401, "UNAUTHENTICATED")


async def test_the_given_clock(site: Site) -> None:
    assert (await site.post("{ __typename }", now="2026-01-05T09:00:00+08:00")).status_code == 200
    for bad in ("yesterday", "2026-01-05T09:00:00", "1900-01-01T00:00:00+08:00"):
        answer = await site.post("{ __typename }", now=bad)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_INPUT")


async def test_health(site: Site) -> None:
    assert (await site.client.get("/healthz")).text == "ok"
    assert (await site.client.get("/readyz")).json() == {"ready": True}
    assert (await site.client.get("/metrics")).status_code == 404


async def test_metrics_where_they_are_public(database: str) -> None:
    async with served(database, WUSHE_METRICS="public") as open_site:
        await open_site.post("{ __typename }")
        told = await open_site.client.get("/metrics")
        assert 'wushe_requests_total{status="200"}' in told.text
        assert "\nwushe_audit_unsealed_rows " in told.text and "\nwushe_audit_unsealed_seconds " in told.text


async def test_production_has_no_introspection_no_suggestions_and_no_pages(database: str) -> None:
    async with served(database, WUSHE_MODE="production") as site:
        schema = await site.post("{ __schema { queryType { name } } }")
        assert schema.json()["errors"][0]["extensions"]["code"] == "INTROSPECTION_OFF"
        typo = await site.post("{ problem { code } }")
        assert "Did you mean" not in typo.text
        assert (await site.client.get("/graphiql")).status_code == 404
        assert (await site.client.get("/demo/token/admin")).status_code == 404
        ignored = await site.post("{ __typename }", now="yesterday")
        assert ignored.status_code == 200


async def test_a_browser_is_shown_graphiql(site: Site) -> None:
    page = await site.client.get(
        "/graphql", headers={"accept": "text/html,application/xhtml+xml"}, follow_redirects=True
    )
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


async def test_no_database_is_a_named_failure() -> None:
    async with served("postgresql://nobody:x@127.0.0.1:1/none") as site:
        answer: httpx.Response = await site.post("{ divisions(first: 1) { edges { node { name } } } }")
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (503, "UNAVAILABLE")
        assert (await site.client.get("/readyz")).status_code == 503
