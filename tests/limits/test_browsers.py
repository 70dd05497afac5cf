"""What browsers are told, whose pages may ask, and that no page can make a browser ask in its place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from api.security import STANDING
from api.settings import Settings, Trouble
from tests.faults.client import exchange
from tests.site import Site, served

OURS, FOREIGN = "https://wushe.example", "https://elsewhere.example"
BODY = json.dumps({"query": "{ __typename }"})
JSON = {"content-type": "application/json"}
PAGES = ["/graphql", "/graphiql", "/healthz", "/nothing", "/graphiql/samples/public.graphql", "/metrics", "/"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(database: str) -> AsyncIterator[Site]:
    async with served(database, WUSHE_ORIGINS=OURS, WUSHE_HSTS="31536000") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def closed(database: str) -> AsyncIterator[Site]:
    async with served(database) as found:
        yield found


async def preflight(site: Site, origin: str, path: str = "/graphql") -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, authorization",
    }
    return await site.client.request("OPTIONS", path, headers=headers)


def cors(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("path", PAGES)
async def test_every_answer_has_the_headers_once(site: Site, path: str) -> None:
    answer = await site.client.get(path)
    for name, value in (*STANDING, ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")):
        assert answer.headers.get_list(name) == [value], name
    (policy,) = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none'") and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "*" not in policy
    assert len(answer.headers.get_list("cache-control")) == 1


async def test_a_connection_that_speaks_no_http_is_told_so_with_them_too(site: Site) -> None:
    port = httpx.URL(site.url).port
    assert port is not None
    status, headers, _ = await exchange(port, b"GET /graphql HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
    assert status == 400 and headers["x-content-type-options"] == "nosniff"


async def test_no_word_of_tls_where_there_is_none(closed: Site) -> None:
    assert "strict-transport-security" not in (await closed.client.get("/healthz")).headers


async def test_other_origins_are_closed_until_they_are_named(site: Site, closed: Site) -> None:
    for where, origin in (
        (closed, OURS),
        (closed, "null"),
        (site, FOREIGN),
        (site, "null"),
        (site, OURS + ".evil.example"),
    ):
        asked = await preflight(where, origin)
        assert asked.status_code == 403 and cors(asked) == {}
        answer = await where.client.post("/graphql", content=BODY, headers={**JSON, "origin": origin})
        assert cors(answer) == {}


@pytest.mark.parametrize("path", ["/graphql", "/reports/fund-statement.csv"])
async def test_a_named_origin_may_ask_and_read_without_credentials(site: Site, path: str) -> None:
    asked = await preflight(site, OURS, path)
    assert asked.status_code == 200 and asked.content == b""
    assert asked.headers["access-control-allow-origin"] == OURS and asked.headers["vary"] == "Origin"
    assert {"content-type", "authorization"} <= set(asked.headers["access-control-allow-headers"].split(", "))
    assert "access-control-allow-credentials" not in asked.headers
    answer = await site.client.get(path, headers={"origin": OURS})
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "retry-after" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("given", ["*", "https://wushe.example/", "wushe.example", "https://a.example/path", "ftp://a"])
def test_origins_are_named_whole(given: str) -> None:
    with pytest.raises(Trouble, match="WUSHE_ORIGINS"):
        Settings.from_env({"WUSHE_MODE": "test", "WUSHE_ORIGINS": given})


@pytest.mark.parametrize(
    "media",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "text/json",
        "",
        "application/json, text/plain",
    ],
)
async def test_what_a_form_can_send_is_no_operation(site: Site, media: str) -> None:
    """A browser sends these to another site without asking it first."""
    body = "mutation { signInsEnd { __typename } }"
    sent = {"application/x-www-form-urlencoded": "query=" + body}.get(media, json.dumps({"query": body}))
    answer = await site.client.post("/graphql", content=sent, headers={"content-type": media, "origin": FOREIGN})
    assert answer.status_code in (400, 403, 415), answer.text
    assert "data" not in answer.json()


async def test_a_link_makes_no_mutation(site: Site) -> None:
    asked = {"query": "mutation { signInsEnd { __typename } }"}
    assert (await site.client.get("/graphql", params=asked)).status_code == 405
    named = {"query": "query A { __typename } mutation B { signInsEnd { __typename } }", "operationName": "B"}
    assert (await site.client.get("/graphql", params=named)).status_code == 405
    assert (await site.client.request("HEAD", "/graphql", params=asked)).status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{ a }", "query": "{ __typename }"}',
        b'{"query": "{ a }", "\\u0071uery": "{ __typename }"}',
        b'{"query"\n:"{ a }", "query"\t : "{ __typename }"}',
        b'{"query": "{ __typename }", "variables": {"a": 1, "a": 2}}',
        b'{"query": "{ __typename }", "variables": {"a": [{"b": {"c": 1, "c": 1}}]}}',
        b'{"query": "{ __typename }", "extensions": {"a\\":": 1, "a\\":": 1}}',
        b'{"query": "{ __typename }", "variables": {"\xe4\xba\xba": 1, "\\u4eba": 2}}',
    ],
)
async def test_a_key_given_twice_is_refused(site: Site, body: bytes) -> None:
    answer = await site.client.post("/graphql", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["extensions"]["detail"] == "a key is given twice"


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{ __typename }", "variables": {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}}',
        rb'{"query": "{ __typename } # \"x\" : y"}',
        b'{"query": "{ t:__typename }", "operationName": null, "variables": {"s": "\\":\\":\\": a\\" : b"}}',
        b' { "query" : "{ __typename }" } ',
    ],
)
async def test_keys_of_other_objects_and_quotes_inside_of_strings_are_no_repetition(site: Site, body: bytes) -> None:
    answer = await site.client.post("/graphql", content=body, headers=JSON)
    assert answer.status_code == 200 and "data" in answer.json(), answer.text


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("application/json; charset=utf-16", BODY.encode("utf-16")),
        ("application/json; charset=utf-16; x=utf-8", BODY.encode()),
        ("application/json; charset=latin-1", BODY.encode()),
        ('application/json; charset="gbk"', BODY.encode()),
        ("application/json", BODY.encode("utf-16")),
        ("application/json", BODY.encode("utf-32")),
        ("application/json", b"\xef\xbb\xbf" + BODY.encode()),
        ("application/json", b'{"query": "{ __typename } #\xc0\xaf"}'),
        ("application/json", b'{"query": "{ __typename } #\xed\xa0\x80"}'),
        ("application/json", b'{"query": "{ __typename } #\\ud800"}'),
        ("application/json", b'{"query": "{ __typename } #\xf5\x80\x80\x80"}'),
        ("application/json", b"{'query': '{ __typename }'}"),
    ],
)
async def test_encodings_other_than_utf_8_are_refused(site: Site, media: str, body: bytes) -> None:
    answer = await site.client.post("/graphql", content=body, headers={"content-type": media})
    assert answer.status_code in (400, 415), answer.text


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", 'Application/JSON ; Charset="UTF-8"'])
async def test_utf_8_may_be_said(site: Site, media: str) -> None:
    assert (await site.client.post("/graphql", content=BODY, headers={"content-type": media})).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        "query={__typename}&query={a}",
        "query={__typename}&variables={}&variables={}",
        "query={__typename}&variables={%22a%22:1,%22a%22:2}",
        "query=%ff",
        "query=%c0%af",
        "query={__typename}&operationName=%ed%a0%80",
        "query",
        "&".join(f"a{n}=1" for n in range(50)),
    ],
)
async def test_a_query_string_that_can_be_read_in_two_ways_is_refused(site: Site, query: str) -> None:
    answer = await site.client.get(f"/graphql?{query}")
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("name", ["authorization", "content-type", "origin"])
async def test_a_header_given_twice_is_refused(site: Site, name: str) -> None:
    value = {"authorization": "Bearer x", "content-type": "application/json", "origin": OURS}[name]
    headers = [("content-type", "application/json"), (name, value), (name, value)]
    answer = await site.client.post("/graphql", content=BODY, headers=headers)
    assert answer.status_code == 400, answer.text


async def test_nobody_is_sent_to_the_host_that_he_names(site: Site) -> None:
    answer = await site.client.get("/healthz/", headers={"Host": "evil.example"})
    assert answer.status_code == 404 and "location" not in answer.headers
