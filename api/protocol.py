"""HTTP/1.1 under the application: uvicorn's protocol over httptools, with an exchange of our own.

uvicorn's own exchange writes headers and body apart, looks at each header with two regular expressions, makes an event
for each request and two timers for each answer: half of what a small query costs besides its statement. This one is as
strict about what is sent and says the same to the application; an answer that is whole leaves in one write.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, service_unavailable
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from api import patience
from api.asgi import Message, Scope

IDLE, HEAD, BODY, ANSWER = "idle", "head", "body", "answer"
"""What a connection waits for: a request, the rest of a head, the rest of a body, or our answer (and its being read)."""


class Protocol(HttpToolsProtocol):
    """One connection. `state` says what it waits for, and `since` from when on (`time.monotonic()`)."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.state, self.since = IDLE, time.monotonic()
        self.cycle: Exchange | None = None  # type: ignore[assignment]  # uvicorn's own exchange, whose place ours takes
        self.pipeline: deque[tuple[Exchange, Any]] = deque()  # type: ignore[assignment]  # the same
        self.serving: Exchange | None = None
        """The exchange that the application answers; `cycle` is the one that is read, which may stand behind it."""
        self._date: list[tuple[bytes, bytes]] | None = None
        self._standing = b""
        self.heard = 0
        """Bytes that have come since a head, or a body, began."""
        self.patience = patience.of(self)

    def standing(self) -> bytes:
        """The headers that every answer has, written; uvicorn makes a new list of them once a second, for the date."""
        given = self.server_state.default_headers
        if given is not self._date:
            self._date = given
            self._standing = b"".join([b"%b: %b\r\n" % pair for pair in given])
        return self._standing

    def wait(self, state: str) -> None:
        """From now on the connection waits for this."""
        self.state, self.since = state, time.monotonic()

    # from the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if not self.patience.opened(self):
            self.refuse(503)

    def data_received(self, data: bytes) -> None:
        if self.state is IDLE:
            self.wait(HEAD)
            self.heard = 0
        self.heard += len(data)
        super().data_received(data)
        if (self.state is HEAD and self.heard > patience.HEAD_BYTES) or len(self.headers or ()) > patience.HEADERS:
            self.refuse(431)

    def refuse(self, status: int) -> None:
        """Ends the connection with a status, before there is an exchange that could be answered."""
        if not self.transport.is_closing():
            self.transport.write(patience.REFUSED[status])
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        self.patience.closed(self)
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.serving is not None:
            self.serving.lose()
        self.pipeline.clear()
        self.cycle = self.serving = None
        self.patience.closed(self)
        super().connection_lost(exc)

    # from the parser

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        if self.state is IDLE:
            self.wait(HEAD)

    def on_headers_complete(self) -> None:
        parser, url = self.parser, self.url
        if patience.too_much(self):
            self.refuse(431)
            raise ValueError("too much of a head")  # so the parser stops
        if parser.should_upgrade() and self._upgrades():
            return
        self.scope = scope = self._scope(parser.get_method().decode("ascii"), url)  # type: ignore[assignment]  # a dict
        version = parser.get_http_version()
        if version != "1.1":
            scope["http_version"] = version
        self.headers = []  # trailers are headers of nothing: nobody in front has looked at them
        self.heard = 0
        busy = self.limit_concurrency is not None and (
            len(self.connections) >= self.limit_concurrency or len(self.tasks) >= self.limit_concurrency
        )
        app = service_unavailable if busy else self.app
        earlier = self.cycle
        self.cycle = Exchange(self, scope, version != "1.0" and parser.should_keep_alive(), self.expect_100_continue)
        if earlier is None or (earlier.done and not self.pipeline):
            self.wait(BODY)
            self._serve(self.cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def _serve(self, exchange: Exchange, app: Any) -> None:
        self.serving = exchange
        self._start_asgi_task(exchange, app)  # type: ignore[arg-type]  # it asks for `run_asgi` alone

    def _upgrades(self) -> bool:
        """Whether this becomes a socket. uvicorn hands its scope on, so there has to be one."""
        if not self._should_upgrade():
            return False
        self.scope = self._scope(self.parser.get_method().decode("ascii"), self.url)  # type: ignore[assignment]
        return True

    def _scope(self, method: str, url: bytes) -> Scope:
        if b"?" in url or b"%" in url or not url.startswith(b"/"):
            parsed = httptools.parse_url(url)
            raw, query = parsed.path, parsed.query or b""
            path = raw.decode("ascii")
            if "%" in path:
                path = urllib.parse.unquote(path)
        else:
            raw, query, path = url, b"", url.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": method,
            "path": self.root_path + path,
            "raw_path": self.root_path.encode("ascii") + raw,
            "query_string": query,
        }

    def on_body(self, body: bytes) -> None:
        exchange = self.cycle
        if exchange is None or exchange.done:
            return
        exchange.parts.append(body)
        exchange.size += len(body)
        if exchange.size > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.wake()

    def on_message_complete(self) -> None:
        exchange = self.cycle
        if exchange is None or exchange.done:
            return
        exchange.more = False
        if not self.pipeline:
            self.wait(ANSWER)
        exchange.wake()

    # from the exchange

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            exchange, app = self.pipeline.pop()
            self.wait(BODY if exchange.more else ANSWER)
            self._serve(exchange, app)
        else:
            self.wait(IDLE)

    def shutdown(self) -> None:
        if self.serving is None or (self.serving.done and not self.pipeline):
            self.transport.close()
        else:
            assert self.cycle is not None
            self.cycle.keep_alive = False


class Exchange:
    """One request and its answer, as ASGI has it."""

    __slots__ = (
        "chunked", "continues", "done", "expected", "handed", "head", "keep_alive", "lost", "more", "parts",
        "protocol", "scope", "size", "started", "waiter",
    )  # fmt: skip

    def __init__(self, protocol: Protocol, scope: Scope, keep_alive: bool, continues: bool) -> None:
        self.protocol, self.scope, self.keep_alive, self.continues = protocol, scope, keep_alive, continues
        self.parts: list[bytes] = []
        self.size = 0
        self.more = True
        self.handed = self.lost = self.started = self.done = self.chunked = False
        self.head: bytes | None = None
        self.expected = 0
        self.waiter: asyncio.Future[None] | None = None

    async def run_asgi(self, app: Any) -> None:
        """Lets the application answer. What it leaves unanswered is a 500, or a closed connection."""
        logger = self.protocol.logger
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            logger.error("Exception in ASGI application\n", exc_info=error)
            if self.started:
                self.protocol.transport.close()
            else:
                await self._fail()
            if not isinstance(error, Exception):
                raise
        else:
            if not self.done and not self.lost:
                logger.error("The application returned without completing its answer.")
                if self.started:
                    self.protocol.transport.close()
                else:
                    await self._fail()

    async def _fail(self) -> None:
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"21"),
            (b"connection", b"close"),
        ]
        self.head = None
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def wake(self) -> None:
        """Somebody who waits in `receive` may look again."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def lose(self) -> None:
        """The connection has ended."""
        if not self.done:
            self.lost = True
        self.wake()

    async def receive(self) -> Message:
        """The body as it has come so far; then waits until the client leaves or is answered."""
        protocol = self.protocol
        if self.continues and not protocol.transport.is_closing():
            protocol.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.continues = False
        while not (self.lost or self.done or self.parts or not (self.more or self.handed)):
            protocol.flow.resume_reading()
            self.waiter = protocol.loop.create_future()
            await self.waiter
        if self.lost or self.done:
            return {"type": "http.disconnect"}
        parts = self.parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        self.parts, self.size = [], 0
        self.handed = not self.more
        return {"type": "http.request", "body": body, "more_body": self.more}

    async def send(self, message: Message) -> None:
        """Takes the answer. Its head leaves with the first part of its body, as ASGI asks for."""
        protocol = self.protocol
        if protocol.flow.write_paused and not self.lost:
            await protocol.flow.drain()
        if self.lost:
            return
        kind = message["type"]
        if self.head is None and not self.started:
            if kind != "http.response.start":
                raise RuntimeError(f"Expected 'http.response.start', but got {kind!r}.")
            self.head = self._head(message["status"], message.get("headers", ()))
            return
        if self.done or kind != "http.response.body":
            raise RuntimeError(f"Unexpected {kind!r}.")
        body, more = message.get("body", b""), message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            self.expected, body = 0, b""
        elif self.chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self.expected -= len(body)
            if self.expected < 0 or (self.expected > 0 and not more):
                raise RuntimeError("The answer is not as long as its Content-Length says.")
        if not self.started:
            assert self.head is not None
            self.started = True
            protocol.transport.write(self.head + body)
        elif body:
            protocol.transport.write(body)
        if not more:
            self.done = True
            if self.waiter is not None:
                self.wake()
            if not self.keep_alive:
                protocol.transport.close()
            protocol.on_response_complete()

    def _head(self, status: int, headers: Any) -> bytes:
        self.continues = False
        lines = [STATUS_LINE[status], self.protocol.standing()]
        told = False
        closes = False
        for name, value in headers:
            if (name, value) not in CLEAN:
                _check(name, value)
            name = name.lower()
            if name == b"content-length" and not self.chunked:
                self.expected, told = int(value), True
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected, told, self.chunked = 0, True, True
            elif name == b"connection" and b"close" in [token.lower().strip() for token in value.split(b",")]:
                self.keep_alive, closes = False, True
            lines.append(b"%b: %b\r\n" % (name, value))
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if not told and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)


CLEAN: set[tuple[bytes, bytes]] = set()
"""Headers that were looked at before; few, since an answer's own (its length, its number) are not kept."""
KEPT = 500


def _check(name: bytes, value: bytes) -> None:
    """Raises RuntimeError for a header that would be more than one."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError("An answer's header has characters that no header may have.")
    if name not in (b"content-length", b"x-request-id") and len(CLEAN) < KEPT:
        CLEAN.add((name, value))
