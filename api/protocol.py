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
from typing import Any, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, service_unavailable
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from api import patience
from api.asgi import Message, Scope

NOTHING, HEAD, BODY, REST = "nothing", "head", "body", "rest"
"""What is being read of a connection: nothing, which is between two requests; a head; a body; or what is left of a body
whose request was answered before it had come, which is thrown away."""
EXCHANGE = "wushe.exchange"
"""The extension of ASGI under which an application finds the `Exchange`: a body that is there, an answer that is whole."""
QUEUED = 16
"""Requests that may wait behind the one that is answered."""


class Protocol(HttpToolsProtocol):
    """One connection. `reading` says what is being read of it, and `since` from when on (`time.monotonic()`)."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.reading, self.since = NOTHING, time.monotonic()
        self.cycle: Exchange | None = None  # type: ignore[assignment]  # uvicorn's own exchange, whose place ours takes
        self.pipeline: deque[tuple[Exchange, Any]] = deque()  # type: ignore[assignment]  # the same
        self.serving: Exchange | None = None
        """The exchange that the application answers; `cycle` is the one that is read, which may stand behind it."""
        self._date: list[tuple[bytes, bytes]] | None = None
        self._standing = b""
        self.heard = 0
        """Bytes that have come of the body that is read, or of what is thrown away."""
        self.fed = self.loose = 0
        """Bytes of the newest piece; bytes that came since the last of which it is known what they are."""
        self.came = self.since
        """When the newest piece came."""
        self._root = self.root_path.encode("ascii")
        self._paused = 0.0
        self.patience = patience.of(self)

    @property
    def idle(self) -> bool:
        """Whether nothing is read and nothing is answered."""
        return self.reading is NOTHING and (self.serving is None or self.serving.done) and not self.pipeline

    def standing(self) -> bytes:
        """The headers that every answer has, written; uvicorn makes a new list of them once a second, for the date."""
        given = self.server_state.default_headers
        if given is not self._date:
            self._date = given
            self._standing = b"".join([b"%b: %b\r\n" % pair for pair in given])
        return self._standing

    def read(self, what: str) -> None:
        """From now on this is read."""
        self.reading, self.since = what, time.monotonic()

    def reads_on(self, what: str) -> None:
        """In the newest piece this comes next."""
        self.reading, self.since = what, self.came

    def pause(self) -> None:
        """Reads no more until `go_on`: what has come is not taken yet."""
        if not self.flow.read_paused:
            self._paused = time.monotonic()
            self.flow.pause_reading()

    def go_on(self) -> None:
        """Reads on. The time in which we did not read is not the client's."""
        if self.flow.read_paused:
            self.since += time.monotonic() - self._paused
            self.flow.resume_reading()

    # from the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if not self.patience.opened(self):
            transport.write(patience.refusal(self, 503))
            transport.close()

    def data_received(self, data: bytes) -> None:
        if self.reading is REST:
            self.heard += len(data)
            if self.heard > patience.REST_BYTES:
                self.transport.abort()
            return
        self.came = time.monotonic()
        self.fed = len(data)
        self.loose += self.fed
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self.serving is None or self.serving.done:
                self.handle_websocket_upgrade()
                return
            self.read(REST)  # an upgrade that is not ours: its request is answered, and nothing behind it is one
        except httptools.HttpParserError:
            self.refuse(400)
        if self.loose > patience.HEAD_BYTES or len(self.headers or ()) > patience.HEADERS:
            self.refuse(431)

    def refuse(self, status: int) -> None:
        """Ends the connection, with a status where no answer has begun that it would stand in the middle of."""
        if self.transport.is_closing() or self.reading is REST:
            return
        if self.serving is not None and not self.serving.done:
            if self.serving.started:
                self.transport.abort()
                return
            self.serving.lose()
            self.pipeline.clear()
        self.transport.write(patience.refusal(self, status))
        self._rest()

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
        self.loose = 0
        self.reads_on(HEAD)

    def on_headers_complete(self) -> None:
        parser, url = self.parser, self.url
        version = parser.get_http_version()
        if patience.too_much(self):
            self._stop(431)
        if len(self.pipeline) >= QUEUED:
            self._stop(None)
        bodied = _framed(self.headers, version)
        if bodied is None:
            self._stop(400)
        answering = self.serving is not None and not self.serving.done
        upgrades = parser.should_upgrade()
        if upgrades:
            if answering or self.pipeline:
                self._stop(None)  # its answer would stand in the middle of another
            if bodied:
                self._stop(400)  # the parser ends here: the body would be read as the next request
        self.scope = scope = self._scope(parser.get_method().decode("ascii"), url)  # type: ignore[assignment]  # a dict
        if upgrades and scope["method"] == "GET" and self._should_upgrade():
            return
        if version != "1.1":
            scope["http_version"] = version
        self.headers = []  # trailers are headers of nothing: nobody in front has looked at them
        self.heard = self.loose = 0
        self.reads_on(BODY)
        busy = self.limit_concurrency is not None and (
            len(self.connections) >= self.limit_concurrency or len(self.tasks) >= self.limit_concurrency
        )
        app = service_unavailable if busy else self.app
        keeps = version != "1.0" and not upgrades and parser.should_keep_alive()
        self.cycle = Exchange(self, scope, keeps, self.expect_100_continue)
        if answering or self.pipeline:
            self.pipeline.appendleft((self.cycle, app))
        else:
            self._serve(self.cycle, app)

    def _stop(self, status: int | None) -> NoReturn:
        """Ends the connection from within the parser, which reads no further."""
        if status is None:
            self.transport.abort()
        else:
            self.refuse(status)
        raise ValueError(status)

    def _serve(self, exchange: Exchange, app: Any) -> None:
        self.serving = exchange
        exchange.task = self.loop.create_task(exchange.run_asgi(app))
        self.tasks.add(exchange.task)

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
            "raw_path": self._root + raw,
            "query_string": query,
        }

    def on_body(self, body: bytes) -> None:
        exchange = self.cycle
        self.loose = 0
        self.heard += len(body)
        if exchange is None or exchange.done:
            return
        exchange.parts.append(body)
        exchange.size += len(body)
        if exchange.size > HIGH_WATER_LIMIT:
            self.pause()
        exchange.wake()

    def on_message_complete(self) -> None:
        exchange = self.cycle
        self.loose = 0
        self.reads_on(NOTHING)
        if exchange is None or exchange.done:
            return
        exchange.more = False
        exchange.wake()

    # from the exchange

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.serving is not None and not self.serving.keep_alive:
            self.pipeline.clear()
            self._end()
            return
        if self.pipeline:
            self._serve(*self.pipeline.pop())
        else:
            self.go_on()
            if self.reading is NOTHING:
                self.read(NOTHING)

    def _end(self) -> None:
        """Closes, once what is left of a body has come: a client that still sends would not read why it was refused."""
        if self.reading is BODY:
            self._rest()
        else:
            self.transport.close()

    def _rest(self) -> None:
        """Says that nothing more will come from us, and throws away what still comes: closed at once, with something
        unread, the system would take back what we have said."""
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.heard = 0
        self.read(REST)
        self.go_on()

    def shutdown(self) -> None:
        if self.serving is None or (self.serving.done and not self.pipeline):
            self.transport.close()
        else:
            assert self.cycle is not None
            self.cycle.keep_alive = False


def _framed(headers: list[tuple[bytes, bytes]], version: str) -> bool | None:
    """Whether a request says that it has a body; None where a proxy in front might read its end or its host otherwise."""
    bodied, hosts = False, 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            bodied = bodied or value != b"0"
        elif name == b"transfer-encoding":
            bodied = True
            if version != "1.1" or value.strip().lower() != b"chunked":
                return None
    return bodied if hosts == 1 or (hosts == 0 and version != "1.1") else None


class Exchange:
    """One request and its answer, as ASGI has it."""

    __slots__ = (
        "chunked", "continues", "done", "expected", "handed", "head", "keep_alive", "lost", "method", "more", "parts",
        "protocol", "scope", "size", "started", "task", "waiter",
    )  # fmt: skip

    def __init__(self, protocol: Protocol, scope: Scope, keep_alive: bool, continues: bool) -> None:
        self.protocol, self.keep_alive, self.continues = protocol, keep_alive, continues
        self.scope: Scope | None = scope
        """Until it is served: `whole` and `answer` are known by it, and the two would hold each other."""
        self.method: str = scope["method"]
        self.parts: list[bytes] = []
        self.size = 0
        self.more = True
        self.handed = self.lost = self.started = self.done = self.chunked = False
        self.head: bytes | None = None
        self.expected = 0
        self.waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    async def run_asgi(self, app: Any) -> None:
        """Lets the application answer. What it leaves unanswered is a 500, or a closed connection."""
        logger = self.protocol.logger
        scope, self.scope = self.scope, None
        assert scope is not None
        scope["extensions"] = {EXCHANGE: self}
        try:
            await app(scope, self.receive, self.send)
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
        finally:
            if self.task is not None:
                self.protocol.tasks.discard(self.task)

    async def _fail(self) -> None:
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"21"),
            (b"connection", b"close"),
        ]
        self.head = None
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def whole(self) -> bytes | None:
        """The body, where it is there as a whole; None where it has to be received."""
        if self.more or self.handed or self.lost or len(self.parts) != 1:
            return None
        (body,) = self.parts
        self.parts, self.size, self.handed, self.continues = [], 0, True, False
        return body

    def answer(self, lines: bytes, body: bytes) -> bool:
        """Sends a whole answer, 200: `lines` are its headers, written, but for those that say how it is sent.

        False, with nothing sent, where it has to be sent as ASGI does.
        """
        protocol = self.protocol
        if self.more or self.lost or self.head is not None or self.started or not self.keep_alive:
            return False
        if protocol.flow.write_paused or self.method == "HEAD":
            return False
        self.started = self.done = True
        protocol.transport.write(ANSWER % (protocol.standing(), lines, len(body), body))
        if self.waiter is not None:
            self.wake()
        protocol.on_response_complete()
        return True

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
            if self is protocol.cycle:  # else what is read is a later one's, and waits for its turn
                protocol.go_on()
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
        if self.method == "HEAD":
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
            protocol.on_response_complete()

    def _head(self, status: int, headers: Any) -> bytes:
        self.continues = False
        if self.more:
            self.keep_alive = False  # it is answered before it was read: what comes of it now is nobody's
        lines = [STATUS_LINE[status], self.protocol.standing()]
        told = False
        closes = False
        for name, value in headers:
            line = LINES.get((name, value))
            if line is not None:
                lines.append(line)
                continue
            line = _line(name, value)
            name = name.lower()
            if name == b"content-length" and not self.chunked:
                self.expected, told = int(value), True
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected, told, self.chunked = 0, True, True
            elif name == b"connection" and b"close" in [token.lower().strip() for token in value.split(b",")]:
                self.keep_alive, closes = False, True
            elif name not in OWN and len(LINES) < KEPT:
                LINES[(name, value)] = line
            lines.append(line)
        if not self.keep_alive and not closes:
            lines.append(b"connection: close\r\n")
        if not told and self.method != "HEAD" and status not in (204, 304):
            self.chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)


ANSWER = b"HTTP/1.1 200 OK\r\n%b%bcontent-length: %d\r\n\r\n%b"
LINES: dict[tuple[bytes, bytes], bytes] = {}
"""Headers that were written before; few, since an answer's own are not kept, nor those that say how it is sent."""
KEPT = 500
OWN = (b"content-length", b"x-request-id", b"x-wushe-wal", b"transfer-encoding", b"connection")


def written(headers: list[tuple[bytes, bytes]]) -> bytes:
    """Headers as they are sent. Raises RuntimeError for one that would be more than one."""
    return b"".join([_line(name, value) for name, value in headers])


def _line(name: bytes, value: bytes) -> bytes:
    """A header, written. Raises RuntimeError for one that would be more than one."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError("An answer's header has characters that no header may have.")
    return b"%b: %b\r\n" % (name.lower(), value)
