"""Clients that dribble, do not read, or say nothing: all cut within fifteen seconds, and nobody else notices.

The connections are held at once, so that the whole takes as long as the slowest is allowed to.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import AsyncIterator

import pytest

from tests.faults.client import Client, exchange
from tests.faults.conftest import Town
from tests.faults.processes import Api

EACH = 40
WITHIN = 15.0
HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
WHOLE = json.dumps({"query": "{ __typename }"}).encode()


@pytest.fixture(scope="module")
async def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with Api(here.api_url, tmp_path_factory.mktemp("slow") / "log", WUSHE_LOG="warning") as made:
        yield made


async def opened(port: int) -> socket.socket:
    """A connection whose reader takes little at a time."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return made


async def sends(made: socket.socket, begin: bytes, drop: bytes) -> None:
    """Sends a little each second, for as long as it is let."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(made, begin)
    while True:
        await asyncio.sleep(1)
        await loop.sock_sendall(made, drop)


async def silent(made: socket.socket) -> None:
    await asyncio.sleep(60)


async def head(made: socket.socket) -> None:
    await sends(made, HEAD, b"X-A: b\r\n")


async def letters(made: socket.socket) -> None:
    await sends(made, b"GET /graph", b"q")


async def second_head(made: socket.socket) -> None:
    """A whole request first, then the beginning of another."""
    await sends(made, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal", b"t")


async def body(made: socket.socket) -> None:
    await sends(made, HEAD + b"Content-Length: 5000\r\n\r\n{", b" ")


async def chunks(made: socket.socket) -> None:
    await sends(made, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n")


async def trailers(made: socket.socket) -> None:
    await sends(made, HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n")


async def behind_a_stream(made: socket.socket) -> None:
    """A subscription, whose answer stays open, and the beginning of another request."""
    asked = json.dumps({"query": "{ needs(first: 1) { edges { node { id } } } }"}).encode()
    plain = b"%bConnection: close\r\nContent-Length: %d\r\n\r\n%b"
    _, _, found = await exchange(made.getpeername()[1], plain % (HEAD, len(asked), asked))
    id = json.loads(found)["data"]["needs"]["edges"][0]["node"]["id"]
    watch = json.dumps({"query": f'subscription {{ needChanged(id: "{id}") {{ at }} }}'}).encode()
    stream = b"%bAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n%bGET /heal"
    await sends(made, stream % (HEAD, len(watch), watch), b"t")


async def reads_nothing(made: socket.socket) -> None:
    """Asks for the console's program, a megabyte and a half, and takes none of it."""
    _, _, page = await exchange(
        made.getpeername()[1], b"GET /graphiql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    (where,) = set(re.findall(rb"/graphiql/static/[0-9a-f]+/vendor.js", page))
    await asyncio.get_running_loop().sock_sendall(made, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % where)
    await asyncio.sleep(60)


async def reads_little(made: socket.socket) -> None:
    """The same, and takes a hundred bytes a second."""
    asking = asyncio.ensure_future(reads_nothing(made))
    try:
        while True:
            await asyncio.sleep(1)
            if not await asyncio.get_running_loop().sock_recv(made, 100):
                return
            if asking.done():
                await asking
    finally:
        asking.cancel()


KINDS = (silent, head, letters, second_head, behind_a_stream, body, chunks, trailers, reads_nothing, reads_little)


async def cut(port: int, kind: object) -> float:
    """After how many seconds a connection was ended from the other side."""
    made = await opened(port)
    began = time.monotonic()
    doing = asyncio.ensure_future(kind(made))  # type: ignore[operator]
    try:
        while time.monotonic() - began < WITHIN + 5:
            if _ended(made) or (doing.done() and doing.exception() is not None):
                return time.monotonic() - began
            await asyncio.sleep(0.2)
        return float("inf")
    finally:
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
        made.close()


def _ended(made: socket.socket) -> bool:
    """Whether the server has ended a connection, whatever of its answers is not read: the state of TCP says it."""
    state: int = struct.unpack("B", made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0]
    return state != 1  # ESTABLISHED


async def test_slow_clients_are_cut_and_nobody_else_notices(api: Api, client: Client) -> None:
    times: list[float] = []
    slow = [asyncio.ensure_future(cut(api.port, kind)) for kind in KINDS for _ in range(EACH)]
    while not all(one.done() for one in slow):
        answer = await client.ask(None, "{ __typename }")
        assert answer.status == 200
        times.append(answer.seconds)
        await asyncio.sleep(0.05)
    for index, kind in enumerate(KINDS):
        took = [one.result() for one in slow[index * EACH : (index + 1) * EACH]]
        print(f"{kind.__name__}: {min(took):.1f} to {max(took):.1f} s")
        assert max(took) <= WITHIN, kind.__name__
    times.sort()
    print(f"others: {len(times)} answers, median {times[len(times) // 2] * 1e3:.1f} ms, last {times[-1] * 1e3:.0f} ms")
    assert len(times) > 50 and times[len(times) * 9 // 10] < 0.5
    assert len(api.said().splitlines()) < 2 * len(slow)


async def test_an_honest_client_may_be_slow_and_come_again(api: Api) -> None:
    """Thirty kilobytes a second is a phone on a bad day; and a connection may rest between two requests."""
    loop = asyncio.get_running_loop()
    made = await opened(api.port)
    padded = WHOLE + b" " * 360_000
    await loop.sock_sendall(made, HEAD + b"Content-Length: %d\r\n\r\n" % len(padded))
    for start in range(0, len(padded), 15_000):
        await loop.sock_sendall(made, padded[start : start + 15_000])
        await asyncio.sleep(0.5)
    assert (await loop.sock_recv(made, 65536)).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(3)
    await loop.sock_sendall(made, HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE)
    assert (await loop.sock_recv(made, 65536)).startswith(b"HTTP/1.1 200")
    made.close()


async def test_connections_of_one_address_are_bounded(
    here: Town, log: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("crowd")
    async with Api(here.api_url, folder / "log", WUSHE_CONNECTIONS_EACH="20") as crowded:
        held = [await opened(crowded.port) for _ in range(20)]
        await asyncio.sleep(0.2)
        loop = asyncio.get_running_loop()
        late = await opened(crowded.port)
        said = await loop.sock_recv(late, 4096)
        assert said.startswith(b"HTTP/1.1 503") and b"retry-after" in said
        assert await loop.sock_recv(late, 4096) == b""
        held.pop().close()
        await asyncio.sleep(0.2)
        assert (await Client(crowded.port).ask(None, "{ __typename }")).status == 200
        for one in (*held, late):
            one.close()
