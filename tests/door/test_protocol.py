"""HTTP/1.1 as the server speaks it, byte by byte, under an application that does what applications do."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn

from api.live.wire import Wire
from api.patience import HEAD_BYTES
from api.protocol import EXCHANGE, QUEUED, Protocol

pytestmark = pytest.mark.asyncio
ASKED: list[str] = []
LEFT: list[str] = []
HOW: list[str] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers by the path; what it was asked, and who left, is kept."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        return
    path = scope["path"]
    ASKED.append(f"{scope['method']} {path}")
    headers = [(b"content-type", b"text/plain")]
    match path:
        case "/echo":
            body = b""
            while (message := await receive())["type"] == "http.request":
                body += message["body"]
                if not message["more_body"]:
                    break
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]}
            )
            await send({"type": "http.response.body", "body": body})
        case "/whole":
            exchange = scope["extensions"][EXCHANGE]
            body = exchange.whole()
            HOW.append("at once" if body is not None else "received")
            if body is None:
                body, more = b"", True
                while more:
                    message = await receive()
                    body, more = body + message["body"], message["more_body"]
            if exchange.answer(b"content-type: text/plain\r\nx-a: b\r\n", body):
                HOW.append("at once")
                return
            HOW.append("as ASGI does")
            headers += [(b"x-a", b"b"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        case "/slow":
            await asyncio.sleep(0.2)
            await send({"type": "http.response.start", "status": 200, "headers": [*headers, (b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"slow"})
        case "/chunks":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for part in (b"one", b"", b"two"):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
        case "/leaves":
            while (await receive())["type"] != "http.disconnect":
                pass
            LEFT.append(path)
        case "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"on and on", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            LEFT.append(path)
        case "/no":
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"no"})
        case "/bug":
            raise ValueError("a bug")
        case "/half":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise ValueError("a bug in the middle")
        case "/silent":
            return
        case "/long":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"longer"})
        case "/split":
            value = b"a\r\nset-cookie: evil"
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-a", value)]})
            await send({"type": "http.response.body"})
        case _:
            said = f"{scope['http_version']} {path}?{scope['query_string'].decode()}".encode()
            await send(
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]}
            )
            await send({"type": "http.response.body", "body": said})


async def until(holds: Callable[[], object]) -> None:
    """Waits until something holds; fails when it does not in five seconds."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


@pytest.fixture
async def port() -> AsyncIterator[int]:
    ASKED.clear()
    LEFT.clear()
    HOW.clear()
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=Protocol, ws=Wire, lifespan="off", access_log=False, log_config=None, server_header=False
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals are pytest's
        running = asyncio.ensure_future(server._serve([door]))
        await until(lambda: server.started)
        yield door.getsockname()[1]
        server.should_exit = True
        await running


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def answer(reader: asyncio.StreamReader, *, head: bool = False) -> tuple[int, dict[str, str], bytes]:
    """One answer: its status, headers and body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert len(headers) == len(lines), "a header twice"
    body = b""
    if head:
        pass
    elif headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
    else:
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return int(first.split()[1]), headers, body


def request(path: str, method: str = "GET", body: bytes | None = None, *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: here", *headers]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def test_a_connection_serves_one_request_after_another(port: int) -> None:
    async with connected(port) as (reader, writer):
        for n in range(3):
            writer.write(request(f"/n{n}?a={n}%20b"))
            assert (await answer(reader))[2] == f"1.1 /n{n}?a={n}%20b".encode()
        writer.write(request("/%E4%BD%A0"))
        assert (await answer(reader))[2].decode() == "1.1 /你?"


async def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/slow") + request("/echo", "POST", b"hello") + request("/chunks") + request("/last"))
        assert [(await answer(reader))[2] for _ in range(4)] == [b"slow", b"hello", b"onetwo", b"1.1 /last?"]


async def test_the_first_of_a_pipeline_is_told_that_its_client_left(port: int) -> None:
    async with connected(port) as (_, writer):
        writer.write(request("/leaves") + request("/never"))
        await until(lambda: ASKED)
    await until(lambda: LEFT)
    assert ASKED == ["GET /leaves"]


@pytest.mark.parametrize("size", [0, 1, 70_000, 300_000])
async def test_a_body_in_pieces_is_whole(port: int, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with connected(port) as (reader, writer):
        whole = request("/echo", "POST", body)
        step = max(1, len(whole) // 7)
        for n in range(0, len(whole), step):
            writer.write(whole[n : n + step])
            await writer.drain()
            await asyncio.sleep(0.005)
        assert (await answer(reader))[2] == body
        writer.write(
            request("/echo", "POST", None, "transfer-encoding: chunked") + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n"
        )
        assert (await answer(reader))[2] == b"abcdefg"


@pytest.mark.parametrize("body", [b"x", b"x" * 40_000])
async def test_an_answer_at_once_is_the_answer_that_asgi_gives(port: int, body: bytes) -> None:
    async with connected(port) as (reader, writer):
        for n in range(3):
            writer.write(request("/whole", "POST", body) * 2 + request("/echo", "POST", b"between"))
            first, second, third = [await answer(reader) for _ in range(3)]
            assert first == second and first[0] == 200 and first[2] == body, n
            assert third[2] == b"between"
        writer.write(request("/whole", "POST", None, "transfer-encoding: chunked") + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
        status, headers, said = await answer(reader)
        assert (status, said, headers["x-a"]) == (200, b"abc", "b")
        writer.write(request("/whole", "POST", b"ok", "expect: 100-continue"))
        assert (await answer(reader))[2] == b"ok", "whoever has sent it does not wait to go on"
    assert HOW[-4:] == ["received", "at once", "at once", "at once"]
    async with connected(port) as (reader, writer):
        writer.write(request("/whole", "POST", body, "connection: close"))
        status, headers, said = await answer(reader)
        assert (status, said, headers["x-a"], headers["connection"]) == (200, body, "b", "close")
        assert HOW[-1] == "as ASGI does"
        assert await reader.read() == b""
    async with connected(port) as (reader, writer):
        writer.write(request("/whole", "HEAD", b"body"))
        assert await answer(reader, head=True) == (200, {**first[1], "content-length": "4"}, b"")
        writer.write(request("/last"))
        assert (await answer(reader))[2] == b"1.1 /last?"


async def test_a_body_that_comes_later_is_received(port: int) -> None:
    async with connected(port) as (reader, writer):
        whole = request("/whole", "POST", b"in two pieces")
        writer.write(whole[:-6])
        await until(lambda: ASKED)
        writer.write(whole[-6:])
        assert (await answer(reader))[2] == b"in two pieces"
        assert HOW == ["received", "at once"]


async def test_who_has_left_is_sent_nothing(port: int) -> None:
    async with connected(port) as (_, writer):
        writer.write(request("/slow") + request("/whole", "POST", b"never"))
        await until(lambda: ASKED)
    await asyncio.sleep(0.3)
    assert ASKED == ["GET /slow"] and HOW == []


async def test_continue_is_said_when_the_body_is_wanted(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/echo", "POST", None, "expect: 100-continue", "content-length: 2"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await answer(reader))[2] == b"ok"


async def test_head_has_headers_only(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/x", "HEAD") + request("/chunks", "HEAD") + request("/y"))
        assert (await answer(reader, head=True))[1]["content-length"] == "7"
        assert "transfer-encoding" not in (await answer(reader, head=True))[1]
        assert (await answer(reader))[2] == b"1.1 /y?"


@pytest.mark.parametrize(
    "first", ["GET /x HTTP/1.0\r\n\r\n", "GET /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"]
)
async def test_a_connection_that_is_not_kept_is_closed_and_says_so(port: int, first: str) -> None:
    async with connected(port) as (reader, writer):
        writer.write(first.encode())
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (200, "close")
        assert await reader.read() == b""


async def test_a_bug_is_a_500_or_a_cut(port: int, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/bug", "/silent", "/split"):
        async with connected(port) as (reader, writer):
            writer.write(request(path))
            status, headers, body = await answer(reader)
            assert (status, body, headers["connection"]) == (500, b"Internal Server Error", "close")
            assert "set-cookie" not in headers
            assert await reader.read() == b""
    for path in ("/half", "/long"):
        async with connected(port) as (reader, writer):
            writer.write(request(path))
            got = await reader.read()
            assert not got.endswith(b"longer"), "more than was promised"
            assert b"500" not in got.partition(b"\r\n")[0] or path == "/long"
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 5


async def test_what_is_no_http_is_refused_and_no_error(port: int, caplog: pytest.LogCaptureFixture) -> None:
    for garbage in (
        b"\x16\x03\x01garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):
        async with connected(port) as (reader, writer):
            writer.write(garbage)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []
    assert ASKED == []


async def test_an_upgrade_that_is_not_ours_is_an_ordinary_request(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/x", "GET", None, "connection: upgrade", "upgrade: h2c"))
        status, headers, body = await answer(reader)
        assert (status, headers["connection"], body) == (200, "close", b"1.1 /x?")
        assert await reader.read() == b""


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("to", ["foo", "h2c", "websocket"])
@pytest.mark.parametrize("apart", [0.0, 0.1])
async def test_a_body_behind_an_upgrade_is_no_request(port: int, method: str, to: str, apart: float) -> None:
    smuggled = request("/smuggled")
    length = f"content-length: {len(smuggled)}"
    for headers, body in (([length], smuggled), (["transfer-encoding: chunked"], b"0\r\n\r\n" + smuggled)):
        async with connected(port) as (reader, writer):
            writer.write(request("/x", method, None, "connection: upgrade", f"upgrade: {to}", *headers))
            await asyncio.sleep(apart)
            writer.write(body)
            assert (await answer(reader))[0] == 400
            assert await reader.read() == b""
    async with connected(port) as (reader, writer):  # nor is what comes behind one that says it has none
        writer.write(request("/x", method, None, "connection: upgrade", "upgrade: foo"))
        await asyncio.sleep(apart)
        writer.write(smuggled)
        assert (await answer(reader))[2] == b"1.1 /x?"
        assert await reader.read() == b""
    assert not [path for path in ASKED if "smuggled" in path]


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_could_be_read_otherwise_in_front_is_refused(port: int, head: str) -> None:
    async with connected(port) as (reader, writer):
        writer.write(head.encode())
        assert (await answer(reader))[0] == 400
    assert ASKED == []


async def test_an_answer_that_is_whole_leaves_in_one_write(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(5)
        await asyncio.to_thread(client.sendall, request("/x"))
        got = await asyncio.to_thread(client.recv, 65_536)
    assert got.endswith(b"\r\n\r\n1.1 /x?")


async def drained(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes, most: int) -> bytes:
    """Writes a piece over and over until the connection ends; what came on it. Fails when so many bytes were taken."""
    got = asyncio.ensure_future(reader.read())
    for _ in range(most // len(piece)):
        if got.done() or writer.transport.is_closing():
            break
        try:
            writer.write(piece)
            await writer.drain()
        except ConnectionError:
            break
        await asyncio.sleep(0)
    else:
        raise AssertionError("all of it was taken")
    try:
        return await got
    except ConnectionError:
        return b""


async def test_an_upgrade_behind_an_open_answer_ends_both(port: int) -> None:
    """Else its answer would stand in the middle of another's, whose client nobody would know to have left."""
    async with connected(port) as (reader, writer):
        writer.write(request("/stream"))
        assert (await reader.readuntil(b"on and on")).startswith(b"HTTP/1.1 200 ")
        key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
        writer.write(
            request("/", "GET", None, "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", key)
        )
        with contextlib.suppress(ConnectionError):
            assert b"101" not in await reader.read()
    await until(lambda: LEFT == ["/stream"])


async def test_an_upgrade_after_an_answer_is_a_socket(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/x"))
        await answer(reader)
        key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
        writer.write(
            request("/", "GET", None, "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13", key)
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


async def test_a_head_without_end_is_cut_whatever_is_open(port: int) -> None:
    most = 40 * HEAD_BYTES
    async with connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nx-a: ")
        assert (await drained(reader, writer, b"a" * 10_000, most)).startswith(b"HTTP/1.1 431 ")
    async with connected(port) as (reader, writer):
        writer.write(request("/stream"))
        await reader.readuntil(b"on and on")
        writer.write(b"GET / HTTP/1.1\r\nx-a: ")
        assert b"431" not in await drained(reader, writer, b"a" * 10_000, most)
    await until(lambda: LEFT == ["/stream"])
    for part in (b"0\r\nx-a: ", b"1;x="):  # a trailer, and an extension of a chunk
        async with connected(port) as (reader, writer):
            writer.write(request("/echo", "POST", None, "transfer-encoding: chunked") + part)
            await drained(reader, writer, b"a" * 10_000, most)


async def test_who_asks_without_listening_is_ended(port: int) -> None:
    """A hundred thousand small requests behind one that takes its time are not kept."""
    async with connected(port) as (reader, writer):
        writer.write(request("/leaves"))
        await drained(reader, writer, request("/x") * 500, 4_000_000)
    await until(lambda: LEFT == ["/leaves"])
    assert len(ASKED) <= QUEUED


@pytest.mark.parametrize("size", [10, 20_000, 8_000_000])
async def test_who_is_refused_before_his_body_has_come_reads_why(port: int, size: int) -> None:
    async with connected(port) as (reader, writer):
        whole = request("/no", "POST", b"x" * size)
        writer.write(whole[:-1])
        await asyncio.sleep(0.05)
        writer.write(whole[-1:])
        await writer.drain()
        status, headers, body = await answer(reader)
        assert (status, headers["connection"], body) == (401, "close", b"no")
        assert await reader.read() == b"", "and nothing else"
    assert ASKED == ["POST /no"]

    def plainly() -> int:
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        asked.request("POST", "/no", b"x" * size)
        found = asked.getresponse()
        assert found.read() == b"no"
        asked.close()
        return found.status

    assert await asyncio.to_thread(plainly) == 401


async def test_who_waits_to_go_on_and_is_refused_is_told_that_the_connection_ends(port: int) -> None:
    async with connected(port) as (reader, writer):
        writer.write(request("/no", "POST", None, "expect: 100-continue", "content-length: 2"))
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (401, "close")
        assert await reader.read() == b""
