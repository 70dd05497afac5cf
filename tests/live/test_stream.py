"""Operations over Server-Sent Events: when a stream is what the client gets, what stands in it, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api import patience
from api.accept import EVENTS, PLAIN, SPEC, accepted
from api.live import stream
from tests.demo import Demo
from tests.live.test_socket import HELD, waiting
from tests.live.watched import CHANGED, CLAIM, Place, key, placed, until

TYPENAME = "{ __typename }"
ONLY = {"accept": EVENTS}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(demo_of_module: Demo) -> AsyncIterator[Place]:
    async with placed(demo_of_module) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capsys.readouterr() == ("", "")


class Events:
    """A stream, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.aiter_lines()

    async def next(self, seconds: float = 10.0) -> tuple[str, Any] | None:
        """The next event and its data; None at the end. Comments are left out."""
        event, data = "message", ""
        async with asyncio.timeout(seconds):
            async for line in self.lines:
                name, _, value = line.partition(":")
                if name == "event":
                    event = value.strip()
                elif name == "data":
                    data += value.strip()
                elif not line and event != "message":
                    return event, json.loads(data) if data else None
        return None

    async def all(self) -> list[tuple[str, Any]]:
        found = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found


@contextlib.asynccontextmanager
async def streaming(
    place: Place, query: str, role: str | None = None, credential: str | None = None, **variables: Any
) -> AsyncIterator[Events]:
    """The stream of an operation."""
    given = credential or (None if role is None else place.token(role))
    headers = ONLY if given is None else {**ONLY, "authorization": given}
    body = {"query": query, "variables": variables}
    async with place.site.client.stream("POST", "/graphql", json=body, headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield Events(answer)


@pytest.mark.parametrize(
    ("accept", "json", "events", "prefers"),
    [
        (None, PLAIN, True, False),
        ("*/*", PLAIN, True, False),
        ("application/json", PLAIN, False, False),
        ("application/graphql-response+json", SPEC, False, False),
        ("application/graphql-response+json, application/json;q=0.9", SPEC, False, False),
        ("application/json, application/graphql-response+json;q=0.9", PLAIN, False, False),
        ("application/graphql-response+json, application/json", SPEC, False, False),
        ("text/event-stream", None, True, True),
        ("text/event-stream, multipart/mixed", None, True, True),
        ("text/event-stream, application/json", PLAIN, True, False),
        ("application/json;q=0.9, text/event-stream", PLAIN, True, True),
        ("application/json, text/event-stream;q=0.9", PLAIN, True, False),
        ("text/event-stream, */*", PLAIN, True, False),
        ("text/event-stream, */*;q=0.1", PLAIN, True, True),
        ("text/event-stream;q=0, */*", PLAIN, False, False),
        ("application/json;q=0, */*", None, True, True),
        ("text/*", None, True, True),
        ("text/event-stream;q=0, text/*", None, False, False),
        ("application/*", PLAIN, False, False),
        ("TEXT/Event-Stream ; Q=1.0", None, True, True),
        ("application/json;q=x, text/event-stream;q=0.1", None, True, True),
        ("text/event-stream;q=nan", None, False, False),
        ("text/html", None, False, False),
        ("", None, False, False),
        (
            "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed",
            SPEC,
            True,
            False,
        ),
        ("text/event-stream" + ", a/b" * 1000, None, True, True),
    ],
)
def test_what_a_client_takes(accept: str | None, json: str | None, events: bool, prefers: bool) -> None:
    found = accepted(None if accept is None else accept.encode())
    assert (found.json, found.events, found.prefers_events) == (json or None, events, prefers)


# when a stream is what the client gets


async def test_a_query_is_streamed_where_that_is_preferred(place: Place) -> None:
    async with streaming(place, TYPENAME) as events:
        assert events.answer.headers["cache-control"] == "no-store"
        assert events.answer.headers["x-accel-buffering"] == "no"
        assert len(events.answer.headers["x-request-id"]) >= 8
        assert await events.all() == [("next", {"data": {"__typename": "Query"}}), ("complete", None)]


async def test_a_query_is_json_where_a_stream_is_merely_listed(place: Place) -> None:
    urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
    answer = await place.site.post(TYPENAME, accept=urql)
    assert answer.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_a_subscription_needs_a_client_that_takes_streams(place: Place) -> None:
    need = await place.submitted()
    for accept in ("application/json", "application/graphql-response+json", "text/event-stream;q=0, */*"):
        answer = await place.site.post(CHANGED, {"id": need}, accept=accept)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"]) == (406, "NOT_ACCEPTABLE")
        assert "text/event-stream" in error["message"]


@pytest.mark.parametrize("accept", [EVENTS, "*/*", "application/json, text/event-stream"])
async def test_a_subscription_is_streamed_by_get_too(place: Place, accept: str) -> None:
    """As a browser's EventSource asks: by GET, and as the public, since it cannot send a header."""
    need = await place.submitted()
    asked = {"query": CHANGED, "variables": json.dumps({"id": need})}
    async with place.site.client.stream("GET", "/graphql", params=asked, headers={"accept": accept}) as answer:
        found = await Events(answer).all()
    assert [event for event, _ in found] == ["next", "complete"]
    assert found[0][1]["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_mutation_is_not_done_by_get(place: Place) -> None:
    asked = {"query": CLAIM, "variables": json.dumps({"id": "need_x", "key": key()})}
    answer = await place.site.client.get("/graphql", params=asked, headers=ONLY)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_what_a_document_lacks_is_told_in_a_stream(place: Place) -> None:
    for text, code in (("{", "BAD_DOCUMENT"), ("{ nothing }", "BAD_DOCUMENT"), ("query A { a } query B { b }", None)):
        async with streaming(place, text) as events:
            (first, told), (last, _) = await events.all()
        assert (first, last) == ("next", "complete") and "data" not in told
        assert code is None or told["errors"][0]["extensions"]["code"] == code


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"content": b"{"}, 400),
        ({"content": b"[]"}, 400),
        ({"json": {"query": TYPENAME}, "headers": {"authorization": "Bearer no"}}, 401),
        ({"content": b" " * 1_000_001}, 413),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
    ],
)
async def test_what_is_no_request_has_a_status_and_no_stream(place: Place, given: Any, status: int) -> None:
    headers = {"content-type": "application/json", **ONLY, **given.pop("headers", {})}
    answer = await place.site.client.post("/graphql", headers=headers, **given)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/json") and answer.json()["errors"]


# what stands in it


async def test_a_mutation_is_streamed(place: Place) -> None:
    need = await place.submitted()
    await place.verify(need)
    async with streaming(place, CLAIM, "volunteer", id=need, key=key()) as events:
        (first, told), (last, _) = await events.all()
    assert (first, last) == ("next", "complete") and told["data"]["needClaim"]["status"] == "PROPOSED"


async def test_a_change_is_told(place: Place) -> None:
    need, hub = await place.submitted(), place.site.door.streams.hub
    async with streaming(place, CHANGED, "community-staff", id=need) as events:
        await until(lambda: len(hub) == 1)
        await place.verify(need)
        await place.do("volunteer", CLAIM, id=need)
        told = [await events.next() for _ in range(2)]
    assert [(t[0], t[1]["data"]["needChanged"]["topic"]) for t in told if t] == [
        ("next", "OPENED"),
        ("next", "COMMITMENT"),
    ]
    await until(lambda: len(hub) == 0)
    await until(lambda: not place.site.door.streams.open.all)


async def test_silence_is_broken_by_comments(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream.QUIET == 12.0
    monkeypatch.setattr(stream, "QUIET", 0.1)
    need = await place.submitted()
    async with streaming(place, CHANGED, "community-staff", id=need) as events:
        got = b""
        async with asyncio.timeout(6):
            async for part in events.answer.aiter_raw():
                got += part
                if got.count(b":\n\n") == 3:
                    break
        assert got == b":\n\n" * 3


# how it ends


async def test_who_leaves_leaves_nothing_behind(place: Place) -> None:
    need, hub = await place.submitted(), place.site.door.streams.hub
    tasks = len(asyncio.all_tasks())
    for _ in range(5):
        async with streaming(place, CHANGED, "community-staff", id=need):
            await until(lambda: len(hub) == 1)
        await until(lambda: len(hub) == 0)
    await until(lambda: not place.site.door.streams.open.all)
    assert not place.site.door.places._all and not place.site.door.places._taken
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_a_query_whose_client_leaves_stops(place: Place) -> None:
    async with place.locked(HELD):
        async with streaming(place, "{ needs(first: 1) { totalCount } }", "community-staff"):
            await waiting(place, 1)
        await waiting(place, 0)


async def test_a_mutation_whose_client_leaves_is_done(place: Place) -> None:
    need, same = await place.submitted(), key()
    await place.verify(need)
    bare = uuid.UUID(need.partition("_")[2])
    async with place.locked("SELECT FROM need WHERE id = $1 FOR UPDATE", bare):
        async with streaming(place, CLAIM, "volunteer", id=need, key=same):
            await waiting(place, 1)
        await asyncio.sleep(0.3)
        await waiting(place, 1)
    for _ in range(300):
        if made := await place.sql("SELECT id FROM commitment WHERE need_id = $1", bare):
            break
        await asyncio.sleep(0.01)
    assert (await place.do("volunteer", CLAIM, id=need, key=same))["id"] == f"commitment_{made[0]['id']}"


async def test_it_ends_with_its_token(place: Place) -> None:
    need = await place.submitted()
    async with streaming(place, CHANGED, credential=place.token("community-staff", seconds=2), id=need) as events:
        (first, told), (last, _) = await events.all()
    assert (first, last) == ("next", "complete") and told["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert told["errors"][0]["extensions"]["retry"] == "SIGN_IN"


async def test_a_client_that_takes_nothing_is_let_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for more than the wire holds, and reads none of it."""
    monkeypatch.setattr(patience, "STUCK_SECONDS", 0.5)
    _, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(place.site.url).port, limit=1)
    many = "{" + " ".join(f"a{n}: __schema {{ types {{ name description }} }}" for n in range(12)) + "}"
    body = json.dumps({"query": many}).encode()
    writer.write(
        b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )
    await until(lambda: place.site.door.streams.open.all)
    await until(lambda: not place.site.door.streams.open.all, 15)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_as_many_as_there_is_room_for(demo_of_module: Demo) -> None:
    async with placed(demo_of_module, WUSHE_OPEN_EACH="2") as place:
        need = await place.submitted()
        asked = {"query": CHANGED, "variables": {"id": need}}
        mine = {**ONLY, "authorization": place.token("community-staff")}
        async with streaming(place, CHANGED, "community-staff", id=need), place.talk():
            no = await place.site.client.post("/graphql", json=asked, headers=mine)
            assert (no.status_code, no.headers["retry-after"]) == (429, "30")
            assert no.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_CONNECTIONS"


async def test_a_server_that_stops_ends_streams_and_answers_first(demo_of_module: Demo) -> None:
    async with placed(demo_of_module) as place:
        need, watched = await place.submitted(), await place.submitted()
        await place.verify(need)
        bare = uuid.UUID(need.partition("_")[2])
        lock = place.locked("SELECT FROM need WHERE id = $1 FOR UPDATE", bare)
        async with streaming(place, CHANGED, "community-staff", id=watched) as changes:
            await lock.__aenter__()
            async with streaming(place, CLAIM, "volunteer", id=need, key=key()) as claim:
                async with contextlib.AsyncExitStack() as held:
                    held.push_async_exit(lock)
                    await waiting(place, 1)
                    leaving = asyncio.create_task(place.site.door.leave(5))
                    assert await changes.all() == [], "cut off, so that its client comes again"
                    assert not leaving.done()
                (_, told), (last, _) = await claim.all()
                assert told["data"]["needClaim"]["status"] == "PROPOSED" and last == "complete"
        await leaving
