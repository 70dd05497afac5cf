"""Frames that the protocol forbids: each ends the socket with its code, and none is an exception."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from api.live import socket
from tests.live.talking import INIT, Talk, subscribe, talking
from tests.live.watched import until
from tests.site import Site, served

TYPENAME = "{ __typename }"
SLOW = "{ serviceCategories { id code name } }"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(database: str) -> AsyncIterator[Site]:
    async with served(database) as found:
        yield found


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Nothing that a client sends is worth a line in the log."""
    yield
    assert capsys.readouterr() == ("", "")


DEEP = 20_000
BEFORE = {
    "null": "null",
    "a number": "1",
    "an array": "[]",
    "a string": '"connection_init"',
    "true": "true",
    "nothing": "",
    "no JSON": "{",
    "a key given twice": '{"type": "ping", "type": "connection_init"}',
    "a key given twice, deep down": '{"type": "ping", "payload": {"a": {"b": 1, "b": 2}}}',
    "two values": "{} {}",
    "not a number": '{"type": NaN}',
    "a binary frame": json.dumps(INIT).encode(),
    "deep brackets": "[" * DEEP,
    "deep brackets, closed": "[" * DEEP + "]" * DEEP,
    "deep objects": '{"type":' * DEEP,
    "a deep payload": '{"type":"ping","payload":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}",
    "half a surrogate pair": '{"type": "\\ud800"}',
    "a huge number": '{"type": 1' + "0" * 5000 + "}",
    "an object without a type": "{}",
    "a type that is no string": '{"type": 1}',
    "a type that is null": '{"type": null}',
    "a type that is an array": '{"type": ["ping"]}',
    "a type that is an object": '{"type": {}}',
    "an unknown type": '{"type": "start"}',
    "an empty type": '{"type": ""}',
    "a type in capitals": '{"type": "PING"}',
    "the server's own acknowledgement": {"type": "connection_ack"},
    "the server's own answer": {"type": "next", "id": "1", "payload": {}},
    "the server's own error": {"type": "error", "id": "1", "payload": []},
    "the older protocol's end": {"type": "connection_terminate"},
    "an init with a string": {"type": "connection_init", "payload": "x"},
    "an init with an array": {"type": "connection_init", "payload": []},
    "an init with a number": {"type": "connection_init", "payload": 0},
    "an init with false": {"type": "connection_init", "payload": False},
    "a credential that is no string": {"type": "connection_init", "payload": {"authorization": ["Bearer x"]}},
    "a credential that is an object": {"type": "connection_init", "payload": {"Authorization": {}}},
    "a time that is none": {"type": "connection_init", "payload": {"x-wushe-now": "yesterday"}},
    "a ping with a string": {"type": "ping", "payload": "x"},
    "a ping with an array": {"type": "ping", "payload": []},
    "a pong with a number": {"type": "pong", "payload": 1},
    "complete without an id": {"type": "complete"},
    "complete with an empty id": {"type": "complete", "id": ""},
    "complete with an id that is no string": {"type": "complete", "id": 1},
    "complete with an unhashable id": {"type": "complete", "id": {}},
}
AFTER = {
    "no id": {"type": "subscribe", "payload": {"query": TYPENAME}},
    "a null id": subscribe(TYPENAME, None),
    "an empty id": subscribe(TYPENAME, ""),
    "a number as id": subscribe(TYPENAME, 1),
    "an array as id": subscribe(TYPENAME, []),
    "an object as id": subscribe(TYPENAME, {}),
    "true as id": subscribe(TYPENAME, True),
    "an overlong id": subscribe(TYPENAME, "x" * 129),
    "no payload": {"type": "subscribe", "id": "1"},
    "a null payload": {"type": "subscribe", "id": "1", "payload": None},
    "a string as payload": {"type": "subscribe", "id": "1", "payload": TYPENAME},
    "an array as payload": {"type": "subscribe", "id": "1", "payload": [TYPENAME]},
    "no query": {"type": "subscribe", "id": "1", "payload": {}},
    "a null query": subscribe(None),
    "a number as query": subscribe(1),
    "an array as query": subscribe([TYPENAME]),
    "an object as query": subscribe({"query": TYPENAME}),
    "variables that are a string": subscribe(TYPENAME, variables="{}"),
    "variables that are an array": subscribe(TYPENAME, variables=[]),
    "variables that are a number": subscribe(TYPENAME, variables=0),
    "a name that is an object": subscribe(TYPENAME, operationName={}),
    "a name that is a number": subscribe(TYPENAME, operationName=7),
    "extensions that are a string": subscribe(TYPENAME, extensions="x"),
    "extensions that are an array": subscribe(TYPENAME, extensions=[]),
}


@pytest.mark.parametrize("frame", BEFORE.values(), ids=BEFORE.keys())
async def test_a_frame_that_is_no_message_ends_the_socket(site: Site, frame: Any) -> None:
    async with talking(site) as talk:
        await talk.say(frame)
        code, reason = await talk.end()
    assert code == 4400
    assert 0 < len(reason.encode()) <= 123


@pytest.mark.parametrize("frame", [*BEFORE.values(), *AFTER.values()], ids=[*BEFORE.keys(), *AFTER.keys()])
async def test_so_does_one_after_the_acknowledgement(site: Site, frame: Any) -> None:
    async with talking(site) as talk:
        await talk.greet()
        await talk.say(frame)
        code, reason = await talk.end()
    if isinstance(frame, dict) and frame["type"] == "connection_init" and isinstance(frame["payload"], dict):
        assert code == 4429
    else:
        assert code == 4400 and reason


async def test_text_that_is_no_utf8(site: Site) -> None:
    async with talking(site) as talk:
        await talk.connection.send(b'{"type":"\xff"}', text=True)
        assert (await talk.end())[0] == 1007


async def test_a_message_that_is_too_big(site: Site) -> None:
    async with talking(site) as talk:
        await talk.greet()
        await talk.say(subscribe(TYPENAME + " " * 262_144))
        assert (await talk.end())[0] == 1009


async def test_a_message_that_is_too_big_in_small_parts(site: Site) -> None:
    async with talking(site) as talk:
        await talk.say("[" + " " * 1000)  # no JSON, to be sure that it is not read

    async with talking(site) as talk:
        parts = ['{"type":"ping",', *[" " * 10_000] * 30, '"payload":{}}']
        with pytest.raises(Exception, match="1009"):
            await talk.connection.send(parts)
            await talk.connection.recv()


async def test_the_largest_message_is_taken(site: Site) -> None:
    async with talking(site) as talk:
        text = json.dumps({"type": "ping", "payload": {"x": ""}})
        await talk.say(text.replace('""', '"' + "x" * (262_144 - len(text)) + '"'))
        assert (await talk.hear())["type"] == "pong"


async def test_an_operation_before_the_acknowledgement(site: Site) -> None:
    async with talking(site) as talk:
        await talk.say(subscribe(TYPENAME))
        assert await talk.end() == (4401, "Unauthorized")


async def test_a_second_init(site: Site) -> None:
    async with talking(site) as talk:
        await talk.say(INIT, INIT)
        assert await talk.end() == (4429, "Too many initialisation requests")


@pytest.mark.parametrize(
    ("id", "shown"),
    [("一", "一"), ("0b7e5c3e-5e0e-4b52-a3a8-6b8b0e1f7d55",) * 2, ("图" * 128, "图" * 30), ("😀" * 128, "😀" * 22)],
)
async def test_an_id_that_is_taken(site: Site, id: str, shown: str) -> None:
    async with talking(site) as talk:
        await talk.greet()
        await talk.say(subscribe(SLOW, id), subscribe(SLOW, id))
        assert await talk.end() == (4409, f"Subscriber for {shown} already exists")


async def test_an_id_is_free_again_after_its_end(site: Site) -> None:
    async with talking(site) as talk:
        await talk.greet()
        for _ in range(3):
            assert (await talk.ask(TYPENAME, "x" * 128))["data"] == {"__typename": "Query"}


async def test_an_init_that_does_not_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert socket.INIT == 10.0
    monkeypatch.setattr(socket, "INIT", 0.1)
    async with talking(site) as talk:
        pings = asyncio.create_task(keep_pinging(talk))
        code, reason = await talk.end(5)
        pings.cancel()
    assert (code, reason) == (4408, "connection_init took too long")


async def keep_pinging(talk: Talk) -> None:
    while True:
        await talk.say({"type": "ping"})
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("protocol", [None, "graphql-ws", "GRAPHQL-TRANSPORT-WS", "graphql-transport-ws2"])
async def test_another_protocol(site: Site, protocol: str | None) -> None:
    async with talking(site, protocol=protocol) as talk:
        await talk.say(INIT)
        assert (await talk.end())[0] == 4406


async def test_pings_are_answered_with_what_they_brought(site: Site) -> None:
    async with talking(site) as talk:
        await talk.say({"type": "ping"}, {"type": "ping", "payload": None}, {"type": "ping", "payload": {}})
        assert [await talk.hear() for _ in range(3)] == [
            {"type": "pong"},
            {"type": "pong"},
            {"type": "pong", "payload": {}},
        ]
        await talk.say({"type": "pong"}, {"type": "pong", "payload": {"a": 1}})
        assert await talk.alive()


async def test_the_end_of_what_is_not_known_is_ignored(site: Site) -> None:
    async with talking(site) as talk:
        await talk.say({"type": "complete", "id": "before the beginning"})
        await talk.greet()
        await talk.ask(TYPENAME)
        await talk.say({"type": "complete", "id": "1"}, {"type": "complete", "id": "never"})
        assert await talk.alive()


async def test_what_a_document_lacks_is_an_error_and_no_end(site: Site) -> None:
    async with talking(site) as talk:
        await talk.greet()
        for text, code in (
            ("{", "BAD_DOCUMENT"),
            ("{ nothing }", "BAD_DOCUMENT"),
            ("", "BAD_DOCUMENT"),
            ("{" * 10_000, "BAD_DOCUMENT"),
            ("query A { __typename } query B { __typename }", "UNKNOWN_OPERATION"),
            ("query ($n: Int!) { needs(first: $n) { totalCount } }", "BAD_VARIABLES"),
            ("subscription { nothing }", "BAD_DOCUMENT"),
        ):
            await talk.say(subscribe(text, "7"))
            told = await talk.hear()
            assert (told["id"], told["type"]) == ("7", "error")
            assert told["payload"][0]["extensions"]["code"] == code, text[:60]
            assert len(told["payload"][0]["extensions"]["requestId"]) >= 8
        assert await talk.alive()


async def test_a_client_that_says_goodbye_is_answered_in_kind(site: Site) -> None:
    async with talking(site) as talk:
        await talk.greet()
        await talk.connection.close(1000, "enough")
        assert talk.connection.close_code == 1000


async def test_no_socket_is_left(site: Site) -> None:
    await until(lambda: not site.door.sockets.open.all)
    assert not site.door.places._taken and not site.door.places._all
