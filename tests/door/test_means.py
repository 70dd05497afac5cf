"""A request by known means takes a shorter way; what is answered, and what it costs, is the same by either."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.means import LONGEST, MOST, Known
from tests.demo import Demo
from tests.site import Site, served

LONG = {"x-request-id": "the-long-way"}
"""A header that no other request of the client has: it is looked at by itself."""
NEEDS = "query N($n: Int!, $o: NeedOrder = NEWEST) { needs(first: $n, order: $o) { totalCount edges { node { no title } } } }"
ASKED: dict[str, dict[str, Any]] = {
    "a query": {"query": NEEDS, "variables": {"n": 3}, "operationName": "N"},
    "without a name": {"query": NEEDS, "variables": {"n": 2, "o": "DUE_FIRST"}},
    "a long answer": {"query": NEEDS, "variables": {"n": 40}},
    "no variables": {"query": "{ me { name } }", "variables": None},
    "a value that is none": {"query": NEEDS, "variables": {"n": "三"}},
    "too much": {"query": NEEDS, "variables": {"n": 101}},
    "another operation": {"query": NEEDS, "operationName": "M"},
    "no document": {"query": "{ needs(first: 1) { edges "},
    "a type of another kind": {"query": ["{ me { name } }"]},
    "variables of another kind": {"query": NEEDS, "variables": [3]},
    "no query": {"variables": {}},
    "a name of another document": {
        "query": NEEDS,
        "variables": {"n": 1},
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}},
    },
    "a mutation": {"query": 'mutation { needClaim(id: "need_1", idempotencyKey: "a-key-of-mine") { __typename } }'},
    "a subscription": {"query": 'subscription { needChanged(id: "need_1") { at } }'},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(demo_of_module: Demo) -> AsyncIterator[Site]:
    async with served(demo_of_module.api) as found:
        yield found


def without_id(answer: Any) -> Any:
    found = answer.json()
    for error in found.get("errors", ()):
        error["extensions"].pop("requestId", None)
    return found


@pytest.mark.parametrize("said", ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("who", ["public", "volunteer", "nobody"])
async def test_the_same_is_answered(site: Site, demo_of_module: Demo, who: str, said: dict[str, Any]) -> None:
    headers = {"accept": "application/graphql-response+json", "accept-encoding": "gzip"}
    if who == "volunteer":
        headers["authorization"] = f"Bearer {site.token(demo_of_module.claims['volunteer'])}"
    elif who == "nobody":
        headers["authorization"] = "Bearer of-nobody"
    answers = [
        await site.client.post("/graphql", json=said, headers={**headers, **more}) for more in (LONG, {}, {}, LONG)
    ]
    told = {"date", "x-request-id", "content-length", "content-encoding"}
    first = answers[0]
    for answer in answers[1:]:
        assert (answer.status_code, without_id(answer)) == (first.status_code, without_id(first))
        assert {k: v for k, v in answer.headers.items() if k not in told} == {
            k: v for k, v in first.headers.items() if k not in told
        }
        assert answer.headers.get("content-encoding") == first.headers.get("content-encoding")


@pytest.mark.parametrize("said", ASKED.values(), ids=ASKED)
async def test_under_another_server_the_same_is_answered(
    site: Site, demo_of_module: Demo, said: dict[str, Any]
) -> None:
    """One that knows nothing of our exchange: what it has are ASGI's messages."""
    token = site.token(demo_of_module.claims["volunteer"])
    body = json.dumps(said).encode()
    plain = {"authorization": f"Bearer {token}", "content-type": "application/json", "accept": "application/json"}
    ours = await site.client.post("/graphql", content=body, headers=plain)
    headers = [(name.encode(), value.encode()) for name, value in {"host": "wushe.example", **plain}.items()]
    told: list[Any] = []

    halves = [body[len(body) // 2 :], body[: len(body) // 2]]

    async def receive() -> Any:
        if not halves:
            await asyncio.Event().wait()
        half = halves.pop()
        return {"type": "http.request", "body": half, "more_body": bool(halves)}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
    await site.door({**scope, "client": ("127.0.0.1", 4000), "http_version": "1.1", "scheme": "http"}, receive, send)
    start, end = told
    found = json.loads(end["body"])
    for error in found.get("errors", ()):
        error["extensions"].pop("requestId", None)
    assert (start["status"], found) == (ours.status_code, without_id(ours))
    own = {"x-request-id", "content-length"}
    given = {k.decode(): v.decode() for k, v in start["headers"] if k.decode() not in own}
    assert given.items() <= dict(ours.headers).items() and "content-security-policy" in given


async def test_the_same_is_charged(site: Site, demo_of_module: Demo) -> None:
    claims = demo_of_module.claims["ngo-staff"]
    headers = {"authorization": f"Bearer {site.token(claims)}"}
    said = {"query": NEEDS, "variables": {"n": 7}}

    async def spent(more: dict[str, str]) -> float:
        bucket = site.door.operations.limits.people.kept[claims.person]
        before = bucket.left - bucket.debt
        assert (await site.client.post("/graphql", json=said, headers={**headers, **more})).status_code == 200
        return float(before - bucket.left + bucket.debt)

    for more in ({}, LONG):
        await site.client.post("/graphql", json=said, headers={**headers, **more})
    long, short = await spent(LONG), await spent({})
    assert long == short > 7


def scope(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    plain = [(b"host", b"wushe.example"), (b"content-type", b"application/json"), (b"content-length", b"20")]
    return {"client": ("192.0.2.7", 4000), "headers": [*plain, *headers], "method": "POST", "path": "/graphql"}


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-wushe-now", b"2026-11-02T10:00:00+08:00")],
        [(b"x-request-id", b"12345678")],
        [(b"x-wushe-wal", b"0/0")],
        [(b"origin", b"https://wushe.example")],
        [(b"content-encoding", b"gzip")],
        [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
        [(b"accept", b"text/event-stream")],
        [(b"accept", b"image/png")],
    ],
    ids=lambda h: h[0][0].decode() + "=" + h[0][1].decode(),
)
def test_what_means_something_for_one_request_is_not_known(headers: list[tuple[bytes, bytes]]) -> None:
    assert Known(0).of(scope()) is not None
    assert Known(0).of(scope(*headers)) is None


@pytest.mark.parametrize("media", [b"multipart/form-data; boundary=x", b"application/json; charset=gbk", b"text/plain"])
def test_only_json_is_known(media: bytes) -> None:
    asked = scope()
    asked["headers"][1] = (b"content-type", media)
    assert Known(0).of(asked) is None


def test_whom_a_proxy_names_is_part_of_it() -> None:
    known = Known(1)
    for address in ("198.51.100.1", "198.51.100.2", "198.51.100.1"):
        found = known.of(scope((b"x-forwarded-for", address.encode())))
        assert found is not None and found.address == address


def test_memory_is_bounded() -> None:
    known = Known(0)
    assert known.of(scope((b"user-agent", b"x" * LONGEST))) is not None
    assert not known._kept
    for n in range(MOST + 5):
        known.of(scope((b"user-agent", b"%d" % n)))
        assert len(known._kept) <= MOST
