"""Sockets byte by byte: handshakes and frames that no library would send, and clients that read nothing."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from api import patience
from api.commands.running import QUIET
from api.live import wire
from tests.live.watched import until
from tests.site import Site, served

UPGRADE = {
    "Host": "x",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "graphql-transport-ws",
}
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
INIT = b'{"type":"connection_init"}'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(database: str) -> AsyncIterator[Site]:
    async with served(database) as found:
        yield found


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capsys.readouterr() == ("", "")


class Raw:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def frame(
        self, opcode: int, data: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0
    ) -> None:
        self.writer.write(framed(opcode, data, fin=fin, masked=masked, rsv=rsv))
        await self.writer.drain()

    async def heard(self) -> tuple[int, bytes]:
        """The opcode and the data of the server's next frame."""
        first, size = await self.reader.readexactly(2)
        length = {126: "!H", 127: "!Q"}.get(size)
        if length is not None:
            (size,) = struct.unpack(length, await self.reader.readexactly(struct.calcsize(length)))
        return first & 15, await self.reader.readexactly(size)

    async def closed(self) -> int:
        """The code with which the server ends it; the connection ends too."""
        async with asyncio.timeout(10):
            while (heard := await self.heard())[0] != CLOSE:
                pass
            assert await self.reader.read() == b""
        (code,) = struct.unpack("!H", heard[1][:2])
        return int(code)


def framed(opcode: int, data: bytes = b"", *, fin: bool = True, masked: bool = True, rsv: int = 0) -> bytes:
    size = len(data)
    head = bytes([(128 if fin else 0) | rsv << 4 | opcode])
    mask = 128 if masked else 0
    head += (
        bytes([mask | size])
        if size < 126
        else bytes([mask | 126]) + struct.pack("!H", size)
        if size < 65536
        else bytes([mask | 127]) + struct.pack("!Q", size)
    )
    return head + (b"\0\0\0\0" if masked else b"") + data


@contextlib.asynccontextmanager
async def connected(
    site: Site, path: bytes = b"/graphql", method: bytes = b"GET", more: bytes = b"", **headers: str | None
) -> AsyncIterator[Raw]:
    """A connection that has sent its handshake. `headers` replace, or with None leave out, what a handshake has."""
    given = {**UPGRADE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{name}: {value}".encode() for name, value in given.items() if value is not None]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    writer.write(method + b" " + path + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n" + more + b"\r\n")
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def status(raw: Raw) -> int:
    """The status of the answer to a handshake that is refused; the connection ends with it."""
    async with asyncio.timeout(5):
        said = await raw.reader.read()
    return int(said.split(b" ", 2)[1])


@contextlib.asynccontextmanager
async def open_socket(site: Site) -> AsyncIterator[Raw]:
    async with connected(site) as raw:
        assert b"101" in await raw.reader.readuntil(b"\r\n\r\n")
        yield raw


# handshakes


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (b"/graphql\xff", b""),
        ("/图".encode(), b""),
        (b"/graphql?x=\xe5\x9b\xbe", b""),
        (b"/graphql?" + b"x" * 9000, b""),
        (b"/graphql", b"x: " + b"y" * 9000 + b"\r\n"),
        (b"/graphql", b"x: y\r\n" * 300),
        (b"/graphql", b"authorization: Bearer a\r\nauthorization: Bearer b\r\n"),
        (b"/graphql", b"origin: https://evil.example\r\nx: \xff\xfe\r\n"),
        (b"/elsewhere", b""),
    ],
    ids=["path", "Chinese path", "query", "long path", "long header", "many headers", "twice", "origin", "elsewhere"],
)
async def test_a_handshake_that_is_refused(site: Site, path: bytes, more: bytes) -> None:
    async with connected(site, path, more=more) as raw:
        assert 400 <= await status(raw) < 500


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Sec_WebSocket_Version": None}, 400),
    ],
)
async def test_a_handshake_that_is_none(site: Site, headers: dict[str, str | None], expected: int) -> None:
    async with connected(site, **headers) as raw:
        assert await status(raw) == expected


async def test_a_handshake_by_post(site: Site) -> None:
    async with connected(site, method=b"POST") as raw:
        assert 400 <= await status(raw) < 500


# frames


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([framed(TEXT, INIT, masked=False)], 1002),
        ([framed(TEXT, INIT, rsv=4)], 1002),
        ([framed(TEXT, INIT, rsv=1)], 1002),
        ([framed(3, b"x")], 1002),
        ([framed(11, b"x")], 1002),
        ([framed(0, b"x")], 1002),
        ([framed(TEXT, b"{", fin=False), framed(TEXT, b"}")], 1002),
        ([framed(PING, b"x", fin=False)], 1002),
        ([b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126], 1002),
        ([framed(CLOSE, b"\x03")], 1002),
        ([framed(CLOSE, struct.pack("!H", 1005))], 1002),
        ([framed(CLOSE, struct.pack("!H", 99))], 1002),
        ([framed(CLOSE, struct.pack("!H", 1000) + b"\xff")], 1007),
        ([framed(TEXT, b"\xff")], 1007),
        ([framed(TEXT, "图".encode()[:2], fin=False), framed(0, b"x")], 1007),
        ([framed(BINARY, b"", fin=False), framed(0, INIT)], 4400),
        ([b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"], 1009),
        ([b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"], 1009),
        ([framed(TEXT, b"[", fin=False), *[framed(0, b"", fin=False)] * 2000], 1009),
    ],
    ids=[
        "no mask", "a reserved bit", "another", "an unknown kind", "an unknown control", "a part of nothing",
        "a message within another", "a ping in parts", "a long ping", "half a code", "a code that is none", "a code below",
        "a reason that is no text", "no UTF-8", "no UTF-8, in parts", "binary parts", "nine exabytes", "more than there are",
        "endless parts",
    ],
)  # fmt: skip
async def test_a_frame_that_is_none(
    site: Site, monkeypatch: pytest.MonkeyPatch, frames: list[bytes], code: int
) -> None:
    monkeypatch.setattr(wire, "LINGER", 0.5)
    async with open_socket(site) as raw:
        raw.writer.write(b"".join(frames))
        assert await raw.closed() == code


async def test_text_in_parts_that_cut_a_character(site: Site) -> None:
    async with open_socket(site) as raw:
        ping = '{"type":"ping","payload":{"一":"图"}}'.encode()
        for n, part in enumerate(ping[i : i + 1] for i in range(len(ping))):
            await raw.frame(TEXT if n == 0 else 0, part, fin=n == len(ping) - 1)
        assert json.loads((await raw.heard())[1]) == {"type": "pong", "payload": {"一": "图"}}


async def test_a_ping_of_the_wire(site: Site) -> None:
    async with open_socket(site) as raw:
        await raw.frame(PING, b"there?")
        assert await raw.heard() == (10, b"there?")
        await raw.frame(10, b"unasked for")
        await raw.frame(CLOSE, struct.pack("!H", 1000))
        assert await raw.closed() == 1000


async def test_what_comes_behind_a_close_is_not_heard(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LINGER", 0.5)
    async with open_socket(site) as raw:
        raw.writer.write(framed(TEXT, b"null") + framed(TEXT, INIT) * 100)
        assert await raw.closed() == 4400


async def test_garbage(site: Site) -> None:
    """Bytes by chance, the same each time: every connection ends in order, or waits for more."""
    for seed in range(40):
        async with open_socket(site) as raw:
            raw.writer.write(bytes((seed * 31 + n * n * 7 + n) % 256 for n in range(2000)))
            raw.writer.write_eof()
            async with asyncio.timeout(5):
                await raw.reader.read()
    await until(lambda: not site.door.sockets.open.all)


# clients that read nothing


@pytest.mark.parametrize(
    "frame",
    [framed(PING, b"x" * 125), framed(TEXT, b'{"type":"ping","payload":{"x":"' + b"x" * 1000 + b'"}}')],
    ids=["of the wire", "of the protocol"],
)
async def test_answers_to_pings_that_nobody_reads_do_not_pile_up(
    site: Site, monkeypatch: pytest.MonkeyPatch, frame: bytes
) -> None:
    """The server stops reading, so that the client can send no more; and then it lets go of him."""
    assert wire.STUCK == 10.0
    monkeypatch.setattr(wire, "STUCK", 1.0)
    async with open_socket(site) as raw:
        sent, many = 0, frame * (65536 // len(frame))
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while sent < 200_000_000:
                    raw.writer.write(many)
                    await raw.writer.drain()
                    sent += len(many)
        assert sent < 60_000_000, "what the wire holds"
    await until(lambda: not site.door.sockets.open.all)


async def test_who_reads_slowly_but_reads_is_left_in_peace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STUCK", 0.5)
    assert patience.READ == 65_536
    async with open_socket(site) as raw:
        text = b'{"type":"ping","payload":{"x":"' + base64.b64encode(os.urandom(150_000)) + b'"}}'
        began, heard = time.monotonic(), 0
        sending = asyncio.create_task(send_all(raw, framed(TEXT, text), 60))
        while heard < 60:
            assert (await raw.heard())[0] == TEXT
            heard += 1
            await asyncio.sleep(0.05)
        await sending
        assert time.monotonic() - began > 2.5, "several times as long as one that reads nothing is given"


async def send_all(raw: Raw, frame: bytes, times: int) -> None:
    for _ in range(times):
        raw.writer.write(frame)
        await raw.writer.drain()


async def test_who_answers_no_ping_is_gone(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUIET, "ws_ping_interval", 0.1)
    monkeypatch.setitem(QUIET, "ws_ping_timeout", 0.3)
    async with served(database) as site, open_socket(site) as raw:
        assert site.door.sockets.open.all
        await until(lambda: not site.door.sockets.open.all, 5)
        with contextlib.suppress(ConnectionError):
            assert (await raw.heard())[0] == PING
