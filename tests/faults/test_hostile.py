"""Requests that mean harm, against a real process in production mode: none is a 5xx, takes a second, or tells anything.

Each attack is sent over a connection of its own. Afterwards the process still answers, has no bug on its log, and is
no bigger than it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from api.settings import ROOT
from tests.faults.client import exchange
from tests.faults.conftest import Town
from tests.faults.processes import Api

LEAKS = re.compile(
    rb"SELECT |INSERT |UPDATE |FROM |pg_|asyncpg|sqlalchemy|graphql-core|Traceback|File \"|site-packages|\.py\b|"
    rb"(?i:internal)|Did you mean|object at 0x|/(?:home|root)/|localhost:5|password=|" + re.escape(bytes(ROOT)),
)
SECOND = 1.0
RATES = {f"WUSHE_RATE_{of}": "1000000000" for of in ("PERSON", "ANONYMOUS", "ADDRESS", "SIGN_IN")}


@pytest.fixture(scope="module")
async def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    async with Api(here.api_url, log, WUSHE_MODE="production", WUSHE_LOG="warning", **RATES) as made:
        await asked(made, "{ __typename }")
        before = psutil.Process(made.process.pid).memory_info().rss
        yield made
        assert (await asked(made, "{ __typename }"))[0] == 200
        grown = psutil.Process(made.process.pid).memory_info().rss - before
        print(f"grown by {grown / 1e6:.0f} MB")
        assert grown < 100e6
        assert not LEAKS.search(re.sub(rb'"error": ?"[^"]*"', b"", made.log.read_bytes()))


def request(body: bytes, *headers: str, line: str = "POST /graphql HTTP/1.1", length: int | None = None) -> bytes:
    named = {h.partition(":")[0].lower() for h in headers}
    lines = [line, "Host: x", "Connection: close", *headers]
    lines += [] if "content-type" in named else ["Content-Type: application/json"]
    lines += [] if "transfer-encoding" in named else [f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def sent(api: Api, raw: bytes) -> tuple[int | None, bytes]:
    """Status and body of what is answered; None where the connection was ended instead. Nothing else may happen."""
    began = time.monotonic()
    try:
        status, _, body = await exchange(api.port, raw)
    except (ConnectionError, asyncio.IncompleteReadError):
        status, body = None, b""
    except ValueError:  # no answer at all
        status, body = None, b""
    took = time.monotonic() - began
    assert status is None or status < 500, (status, body[:500])
    assert not LEAKS.search(body), (status, body[:2000])
    assert took < SECOND, f"{took:.2f} s"
    return status, body


async def asked(api: Api, query: Any, variables: Any = None, **more: Any) -> tuple[int | None, Any]:
    body = json.dumps({"query": query, "variables": variables, **more}).encode()
    status, answer = await sent(api, request(body))
    return status, json.loads(answer) if answer else None


def code(answer: Any) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


def chain(links: int, link: str = "...NEXT ...NEXT") -> str:
    parts = [f"fragment F{i} on Need {{ {link.replace('NEXT', f'F{i + 1}')} }}" for i in range(links)]
    return (
        f"{{ needs(first: 1) {{ edges {{ node {{ ...F0 }} }} }} }} {' '.join(parts)} fragment F{links} on Need {{ id }}"
    )


@pytest.mark.parametrize("links", [30, 100])
@pytest.mark.parametrize("link", ["...NEXT ...NEXT", "a: category { id } ...NEXT b: category { id } ...NEXT"])
async def test_chains_of_fragments_are_refused_in_a_tenth_of_a_second(api: Api, links: int, link: str) -> None:
    process = psutil.Process(api.process.pid)
    times = []
    for n in range(3):
        before = sum(process.cpu_times()[:2])
        status, answer = await asked(api, chain(links, link) + " " * n)
        times.append(sum(process.cpu_times()[:2]) - before)
        assert status == 200 and code(answer) in (
            "TOO_LONG",
            "TOO_MANY_FIELDS",
            "TOO_MANY_FRAGMENTS",
            "TOO_MANY_ALIASES",
        )
    assert min(times) < 0.1


NODE = "needs(first: 1) { edges { node { %s } } }"
DOCUMENTS = {
    "aliases": "{ " + " ".join(f"a{n}: needs(first: 100) {{ totalCount }}" for n in range(100)) + " }",
    "aliases of leaves": "{ " + NODE % " ".join(f"a{n}: id" for n in range(250)) + " }",
    "duplicated leaves": "{ " + NODE % ("id " * 900) + "}",
    "duplicated objects": "{ " + NODE % ("category { id } " * 230) + "}",
    "duplicated roots": "{ " + "needs(first: 1) { totalCount } " * 90 + "}",
    "tokens": "{ " + "a " * 100_000 + "}",
    "directives": "{ __typename " + "@skip(if: false) " * 140 + "}",
    "unknown directives": "query @a @b(c: [1]) { __typename " + "@x " * 300 + "}",
    "directives on every place": (
        "query Q($a: Int @d) @skip(if: true) { ...F @deprecated ... @include(if: true) @include(if: true) { __typename } }"
        " fragment F on Query @skip(if: true) { __typename @specifiedBy(url: 1) @defer @stream }"
    ),
    "nested lists": "{ organizations(first: 100) { edges { node { memberships(first: 100) { edges { node { id } } } } } } }",
    "deep selection": "{ " + "needs { edges { node " * 100 + "{ id }" + " } }" * 100 + " }",
    "deeper": "{a" * 5_000 + "}" * 5_000,
    "deep list": "{ needs(filter: " + "[" * 400 + "]" * 400 + ") { totalCount } }",
    "deep object": "{ needs(filter: " + "{a:" * 300 + "1" + "}" * 300 + ") { totalCount } }",
    "deep type": "query($a: " + "[" * 450 + "Int" + "]" * 450 + ") { __typename }",
    "many operations": " ".join(f"query Q{n} {{ __typename }}" for n in range(160)),
    "many variables": "query(" + " ".join(f"$a{n}: Int" for n in range(240)) + ") { __typename }",
    "unknown fields": "{ " + " ".join(f"need{n}" for n in range(900)) + " }",
    "unknown arguments": "{ needs(" + " ".join(f"firs{n}: 1" for n in range(300)) + ") { totalCount } }",
    "a cycle": "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }",
    "a cycle through fields": "{ ...A } fragment A on Query { needs { edges { node { ...B } } } } fragment B on Need { "
    "commitments { edges { node { need { ...B } } } } }",
    "a long name": "{ " + "a" * 200_000 + " }",
    "a long string": '{ needs(filter: {titleContains: "' + "x" * 500_000 + '"}) { totalCount } }',
    "a long block string": '{ needs(filter: {titleContains: """' + "\n x" * 100_000 + '"""}) { totalCount } }',
    "a long number": "{ needs(first: " + "9" * 5_000 + ") { totalCount } }",
    "a long fraction": "{ needs(first: 1." + "9" * 5_000 + ") { totalCount } }",
    "an endless number": "{ needs(first: 1e400) { totalCount } }",
    "a comment": "{ __typename } #" + "x" * 500_000,
    "NUL": "{ __typename } \0",
    "NUL in a string": '{ needs(filter: {titleContains: "\\u0000"}) { totalCount } }',
    "a surrogate in a string": '{ needs(filter: {titleContains: "\\uD800"}) { totalCount } }',
    "a byte order mark": "\ufeff{ __typename }",
    "other white space": "{\u00a0__typename\u2003}",
    "right to left": "{ \u202e__typename }",
    "introspection": "{ __schema { types { name fields { name } } } }",
    "introspection in a fragment": '{ ...F } fragment F on Query { __type(name: "Need") { name } }',
    "a guess at a field": "{ nedes { totalCount } }",
    "SQL": """{ needs(filter: {titleContains: "'; DROP TABLE need; --"}) { totalCount } }""",
    "a bad id": '{ need(id: "need_00000000-0000-0000-0000-00000000000g") { id } }',
    "an id of nothing": '{ node(id: "x") { id } }',
    "an id with NUL": '{ node(id: "need_\\u0000") { id } }',
    "a bad cursor": '{ needs(after: "AAAA") { totalCount } }',
    "a cursor of another list": '{ needs(after: "eyJhIjpbMSwyXX0=") { totalCount } }',
    "a negative size": "{ needs(first: -1) { totalCount } }",
    "two sizes": "{ needs(first: 1, last: 1) { totalCount } }",
    "a date before time": '{ needs(filter: {windowFrom: "0000-01-01T00:00:00Z"}) { totalCount } }',
    "a subscription": "subscription { __typename }",
    "nothing": "",
    "a type": "type A { a: Int }",
    "a schema": "extend schema @link(url: 1) { query: Query }",
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_documents(api: Api, name: str) -> None:
    status, answer = await asked(api, DOCUMENTS[name])
    assert status in (200, 400, 405, 413)
    if name not in (
        "a comment",
        "a byte order mark",
        "SQL",
        "a long string",
        "a long block string",
        "an id of nothing",
    ):
        assert "errors" in answer and set(answer) <= {"errors", "data"}, answer


LISTS = """query($n: Int, $m: Int) {
  organizations(first: $n) { edges { node { memberships(first: $m) { edges { node { id } } } } } }
}"""
VARIABLES: dict[str, Any] = {
    "lists": {"n": 100, "m": 100},
    "lists as fractions": {"n": 100.0, "m": 1e2},
    "a huge whole": {"n": 10**400},
    "a huge negative": {"n": -(10**19)},
    "just over": {"n": 2**31},
    "a string": {"n": "1" * 100_000},
    "an object": {"n": {"a": 1}},
    "a list": {"n": list(range(20_000))},
    "many": {f"x{i}": i for i in range(20_000)},
    "a long key": {"x" * 500_000: 1},
    "nulls": {"n": None, "m": None},
    "true": {"n": True},
}


@pytest.mark.parametrize("name", VARIABLES)
async def test_variables(api: Api, name: str) -> None:
    status, _ = await asked(api, LISTS, VARIABLES[name])
    assert status in (200, 400)


async def test_sizes_in_variables_are_counted(api: Api) -> None:
    _, answer = await asked(api, LISTS, {"n": 100, "m": 100})
    assert code(answer) == "TOO_EXPENSIVE"


def raw(variables: str) -> bytes:
    return ('{"query": ' + json.dumps(LISTS) + ', "variables": ' + variables + "}").encode()


BODIES = {
    "a number without end": raw('{"n": 1e400}'),
    "five thousand digits": raw('{"n": ' + "9" * 5_000 + "}"),
    "five thousand digits behind a key": raw('{"n": 1, "\\u006d": ' + "9" * 5_000 + "}"),
    "a fraction without end": raw('{"n": 0.' + "1" * 100_000 + "}"),
    "NaN": raw('{"n": NaN}'),
    "minus nothing": raw('{"n": -}'),
    "brackets": raw("[" * 100_000),
    "closed brackets": raw("[" * 100_000 + "]" * 100_000),
    "objects": raw('{"a":' * 50_000),
    "closed objects": raw('{"a":' * 900 + "1" + "}" * 900),
    "a thousand closed brackets": raw('{"n":' + "[" * 1_000 + "]" * 1_000 + "}"),
    "a half": raw('{"n": 1}')[:-10],
    "nothing": b"",
    "blanks": b" " * 1_000,
    "null": b"null",
    "a number": b"1",
    "a list": b"[" + raw("null") + b"]",
    "a batch": b"[" + b",".join([raw("null")] * 50) + b"]",
    "a string": b'"query"',
    "NUL": raw("null") + b"\0",
    "NUL in a key": b'{"query\\u0000": "{ __typename }"}',
    "NUL in a name": b'{"query": "query A { __typename }", "operationName": "A\\u0000"}',
    "NUL in a variable": b'{"query": "query($t: String) { needs(filter: {titleContains: $t}) { totalCount } }", "variables": {"t": "\\u0000"}}',
    "a lone surrogate": b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
    "surrogates the wrong way": b'{"query": "\\udc00\\ud800"}',
    "invalid UTF-8": b'{"query": "\xff\xfe"}',
    "half a character": b'{"query": "\xe4\xba"}',
    "UTF-16": raw("null").decode().encode("utf-16"),
    "UTF-7": raw("null").decode().encode("utf-7"),
    "a form": b"query=%7B__typename%7D",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "numbers for strings": b'{"query": 1, "variables": 2, "operationName": 3, "extensions": 4}',
    "a proto key": b'{"query": "{ __typename }", "__proto__": {"a": 1}, "constructor": {"prototype": 1}}',
    "extensions": b'{"query": "{ __typename }", "extensions": {"persistedQuery": {"version": [], "sha256Hash": {}}}}',
    "a hash of nothing": b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "' + b"0" * 64 + b'"}}}',
    "a megabyte and more": raw("null") + b" " * 1_100_000,
    "an archive": gzip.compress(raw("null"), mtime=0),
    "a bomb": gzip.compress(b" " * 50_000_000, mtime=0),
    "deflated": zlib.compress(raw("null")),
}


@pytest.mark.parametrize("name", BODIES)
async def test_bodies(api: Api, name: str) -> None:
    status, _ = await sent(api, request(BODIES[name]))
    assert status == 413 if name == "a megabyte and more" else status in (200, 400), status


@pytest.mark.parametrize("name", ["an archive", "a bomb", "deflated"])
async def test_bodies_that_say_they_are_packed(api: Api, name: str) -> None:
    for way in ("gzip", "deflate", "br", "gzip, identity", "identity, gzip", "x-gzip"):
        status, _ = await sent(api, request(BODIES[name], f"Content-Encoding: {way}"))
        assert status == 415, (way, status)


QUERIES = [
    "query=" + quote("{" * 3_000),
    "query={__typename}&variables=" + quote("[" * 10_000),
    "query={__typename}&variables=" + quote('{"a":' * 3_000),
    "query={__typename}&variables=" + "9" * 5_000,
    "query={__typename}&variables=1e400",
    "query={__typename}&extensions=[]",
    "query={__typename}&operationName=%00",
    "query=%00",
    "query=%",
    "query=%zz",
    "query=" + "%25" * 5_000,
    "query[]={__typename}",
    "=" * 5_000,
    "&" * 5_000,
    "query=%7B__typename%7D%23" + "x" * 20_000,
    "query=mutation{signInsEnd{__typename}}",
]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
async def test_query_strings(api: Api, query: str) -> None:
    status, _ = await sent(api, request(b"", line=f"GET /graphql?{query} HTTP/1.1"))
    assert status in (200, 400, 405, 431)


BODY = json.dumps({"query": "{ __typename }"}).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
SMUGGLED = b"GET /demo/token/admin HTTP/1.1\r\nHost: x\r\nX-Request-Id: smuggled-1\r\n\r\n"
HEADS = {
    "both lengths": request(b"0\r\n\r\n" + SMUGGLED, "Transfer-Encoding: chunked", "Content-Length: 5"),
    "both lengths, turned": request(
        CHUNKED + SMUGGLED, f"Content-Length: {len(CHUNKED)}", "Transfer-Encoding: chunked"
    ),
    "two lengths": request(BODY, "Content-Length: 3"),
    "a length with a sign": request(BODY, "Transfer-Encoding:", f"Content-Length: +{len(BODY)}"),
    "a length in hex": request(BODY, "Transfer-Encoding:", "Content-Length: 0x10"),
    "a length of many digits": request(BODY, length=10**30),
    "a negative length": request(BODY, length=-1),
    "a list of lengths": request(BODY, "Transfer-Encoding:", f"Content-Length: {len(BODY)}, {len(BODY)}"),
    "a length too short": request(BODY + SMUGGLED, length=10),
    "encoded twice": request(CHUNKED, "Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "encoded otherwise": request(CHUNKED, "Transfer-Encoding: xchunked"),
    "encoded with a blank": request(CHUNKED, "Transfer-Encoding : chunked"),
    "encoded with a tab": request(CHUNKED, "Transfer-Encoding:\tchunked"),
    "encoded with control": request(CHUNKED, "Transfer-Encoding: \x0bchunked"),
    "a folded head": request(BODY, "X-A: b\r\n  folded"),
    "a bare CR": request(BODY, "X-A: b\rX-B: c"),
    "a bare LF": request(BODY, "X-A: b\nContent-Length: 3"),
    "NUL in a head": request(BODY, "X-A: b\0c"),
    "a chunk of endless size": request(b"f" * 40 + b"\r\n", "Transfer-Encoding: chunked"),
    "a chunk of negative size": request(b"-1\r\n", "Transfer-Encoding: chunked"),
    "a chunk with words": request(b"5;" + b"a" * 60_000 + b"\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "many small chunks": request(b"1\r\n \r\n" * 20_000 + b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    "trailers": request(CHUNKED[:-2] + b"Authorization: Bearer x\r\nX-A: b\r\n\r\n", "Transfer-Encoding: chunked"),
    "many trailers": request(CHUNKED[:-2] + b"X-A: b\r\n" * 5_000 + b"\r\n", "Transfer-Encoding: chunked"),
    "a megabyte in chunks": request(
        (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 20 + b"0\r\n\r\n", "Transfer-Encoding: chunked"
    ),
    "many headers": request(BODY, *[f"X-{n}: y" for n in range(5_000)]),
    "a long header": request(BODY, "X-A: " + "b" * 200_000),
    "a long name": request(BODY, "X" * 100_000 + ": y"),
    "a long line": request(b"", line="GET /" + "a" * 200_000 + " HTTP/1.1"),
    "a long token": request(BODY, "Authorization: Bearer " + "a.b.c" * 5_000),
    "a strange token": request(BODY, "Authorization: Bearer \xff\xfe"),
    "no token": request(BODY, "Authorization: Bearer"),
    "another scheme": request(BODY, "Authorization: Basic YWRtaW46YWRtaW4="),
    "a token of no algorithm": request(BODY, "Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."),
    "a media type": request(BODY, "Content-Type: " + "application/json;" * 1_000),
    "an accept": request(BODY, "Accept: " + ",".join(f"a/{n};q=0.{n}" for n in range(3_000))),
    "an accept of nonsense": request(BODY, "Accept: ;;;q=1e999,,*/*;q=nan,application/json;q=-1;q=x"),
    "a given clock": request(BODY, "X-Wushe-Now: 9999-12-31T23:59:59+14:00"),
    "a given position": request(BODY, "X-Wushe-Wal: FFFFFFFF/FFFFFFFF"),
    "a position of nonsense": request(BODY, "X-Wushe-Wal: ' OR 1=1"),
    "a number of its own": request(BODY, "X-Request-Id: \xe4\xba\xba\x85"),
    "forwarded": request(BODY, "X-Forwarded-For: " + "::1," * 5_000),
    "a method": request(b"", line="BREW /graphql HTTP/1.1"),
    "a method of ours": request(b"", line="DELETE /graphql HTTP/1.1"),
    "trace": request(b"", line="TRACE /graphql HTTP/1.1"),
    "connect": request(b"", line="CONNECT example.org:443 HTTP/1.1"),
    "a whole address": request(b"", line="GET http://example.org/graphql?query={__typename} HTTP/1.1"),
    "a path upwards": request(b"", line="GET /graphiql/static/../../../../etc/passwd HTTP/1.1"),
    "a path upwards, hidden": request(b"", line="GET /graphiql/samples/..%2f..%2fsettings.py HTTP/1.1"),
    "a path with NUL": request(b"", line="GET /healthz%00 HTTP/1.1"),
    "a path of bytes": request(b"", line="GET /%ff%fe HTTP/1.1"),
    "a path of letters": b"GET /\xe4\xba\xba HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "another version": request(BODY, line="POST /graphql HTTP/3.0"),
    "an old version": request(BODY, line="POST /graphql HTTP/0.9"),
    "the next version": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade": request(BODY, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"),
    "a socket by POST": request(BODY, "Upgrade: websocket", "Connection: Upgrade"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    "noise": bytes(range(256)) * 20,
    "a demo's token": request(b"", line="GET /demo/token/admin HTTP/1.1"),
    "what is counted": request(b"", line="GET /metrics HTTP/1.1"),
    "the console": request(b"", line="GET /graphiql HTTP/1.1"),
}


@pytest.mark.parametrize("name", HEADS)
async def test_heads(api: Api, name: str) -> None:
    status, body = await sent(api, HEADS[name])
    assert status is not None and 200 <= status < 500
    assert b"smuggled-1" not in body and b'"token"' not in body


async def test_two_lengths_make_no_second_request(api: Api) -> None:
    """A request in the body of another is no request, whichever length the proxy in front goes by."""
    for name in ("both lengths", "both lengths, turned"):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(HEADS[name].replace(b"Connection: close\r\n", b""))
        await asyncio.sleep(0.2)
        said = await asyncio.wait_for(reader.read(65536), 5)
        assert said.count(b"HTTP/1.1 ") == 1 and said.startswith(b"HTTP/1.1 400"), said
        assert await asyncio.wait_for(reader.read(65536), 5) == b""
        writer.close()


@pytest.mark.parametrize("name", ["many headers", "a long header", "a long name", "a long line", "many trailers"])
async def test_heads_are_bounded(api: Api, name: str) -> None:
    status, _ = await sent(api, HEADS[name])
    assert status == 431


async def test_many_at_once_harm_nobody(api: Api) -> None:
    """A hundred attacks in a row, eight at a time, and an honest client between them."""
    attacks = [request(json.dumps({"query": q}).encode()) for q in DOCUMENTS.values()] + [*HEADS.values()]
    turns = asyncio.Semaphore(8)

    async def attack(one: bytes) -> None:
        async with turns:
            with contextlib.suppress(ConnectionError, ValueError):
                await exchange(api.port, one)

    running = [asyncio.ensure_future(attack(one)) for one in attacks]
    times = []
    while not all(task.done() for task in running):
        began = time.monotonic()
        body = json.dumps({"query": "{ serviceCategories { id code } }"}).encode()
        assert (await exchange(api.port, request(body)))[0] == 200
        times.append(time.monotonic() - began)
    await asyncio.gather(*running)
    assert sorted(times)[len(times) * 9 // 10] < 0.5
