"""How long and how much of a connection is put up with: who dribbles a request, or does not read his answer, is cut.

One timer a second looks at every open connection of the server; requests set none. What a client is measured by is how
much he gets done in ten seconds, not whether he sends something: a byte a second keeps no connection.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import struct
import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any

from api import metrics
from models.identity.accounts.rules import network

if TYPE_CHECKING:
    from api.protocol import Protocol

LOOK = 1.0
HEAD_SECONDS = 10.0
"""From the first byte of a request, or from the connection on, until its head is whole."""
BODY_SECONDS = 10.0
"""What a body may take before SLOWEST is asked of it."""
SLOWEST = 8_192
"""Bytes a second that a body must come with, on the whole."""
STUCK_SECONDS = 10.0
READ = 65_536
"""Bytes of an answer that a client takes at least in STUCK_SECONDS, or the rest of it."""
IDLE_SECONDS = 65.0
"""Between two requests: longer than a balancer keeps its connections (nginx: 60 s), so that it closes, not we."""
HEADERS = 100
HEAD_BYTES = 32_768
"""Of a head, the request line included: documents asked for by GET stand there."""
REST_SECONDS = 10.0
REST_BYTES = 64_000_000
"""What may come of a body whose request was answered before: a client that sends it all reads the answer then."""
AT_ONCE = struct.pack("ii", 1, 0)
REFUSED = {
    400: b"400 Bad Request\r\n",
    408: b"408 Request Timeout\r\n",
    431: b"431 Request Header Fields Too Large\r\n",
    503: b"503 Service Unavailable\r\nretry-after: 1\r\n",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections may be open at once: in all, and of one address (None: any number, as behind a balancer)."""

    all: int = 4_000
    each: int | None = 256


class Patience:
    """The connections of one server."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.open: set[Protocol] = set()
        self._of: Counter[str] = Counter()
        self._stuck: dict[Protocol, tuple[float, int]] = {}
        """Since when a connection's answers wait for their reader, and how many bytes of them did then."""
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, protocol: Protocol) -> bool:
        """Counts a connection in; False when there are too many."""
        address = _address(protocol)
        each = self.bounds.each
        if len(self.open) >= self.bounds.all or (each is not None and self._of[address] >= each):
            metrics.CUT.labels("crowded").inc()
            return False
        self.open.add(protocol)
        self._of[address] += 1
        if self._timer is None:
            self._timer = protocol.loop.call_later(LOOK, self._look)
        return True

    def closed(self, protocol: Protocol) -> None:
        """Counts a connection out: it has ended, or is a socket now."""
        if protocol not in self.open:
            return
        self.open.discard(protocol)
        self._stuck.pop(protocol, None)
        address = _address(protocol)
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def _look(self) -> None:
        now = time.monotonic()
        for protocol in list(self.open):
            why = self._why(protocol, now)
            if why is not None:
                metrics.CUT.labels(why).inc()
                _cut(protocol, why)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK, self._look) if self.open else None

    def _why(self, protocol: Protocol, now: float) -> str | None:
        """Why a connection is cut, or None."""
        from api.protocol import BODY, HEAD, REST

        waiting: int = protocol.transport.get_write_buffer_size()
        if waiting:
            since, before = self._stuck.get(protocol, (now, waiting))
            if now - since > STUCK_SECONDS:
                return "answer"
            self._stuck[protocol] = (now, waiting) if waiting <= before - READ else (since, before)
        elif self._stuck:
            self._stuck.pop(protocol, None)
        if protocol.flow.read_paused:
            return None
        took = now - protocol.since
        match protocol.reading:
            case reading if reading is HEAD:
                return "head" if took > HEAD_SECONDS else None
            case reading if reading is BODY:
                return "body" if protocol.heard < (took - BODY_SECONDS) * SLOWEST else None
            case reading if reading is REST:
                return "body" if took > REST_SECONDS and (protocol.serving is None or protocol.serving.done) else None
        if protocol.idle and not waiting:
            return "idle" if took > (HEAD_SECONDS if protocol.cycle is None else IDLE_SECONDS) else None
        return None


def _cut(protocol: Protocol, why: str) -> None:
    """Ends a connection. What its client did not read is thrown away: else the system would keep it for minutes."""
    if why == "head" and (protocol.serving is None or protocol.serving.done):
        protocol.transport.write(refusal(protocol, 408))
    elif why == "answer":
        protocol.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    protocol.transport.abort()


def refusal(protocol: Protocol, status: int) -> bytes:
    """An answer that ends a connection before the application is asked."""
    return b"HTTP/1.1 %b%bconnection: close\r\ncontent-length: 0\r\n\r\n" % (REFUSED[status], protocol.standing())


def too_much(protocol: Protocol) -> bool:
    """Whether a head that has just been read is too long or has too many headers."""
    headers = protocol.headers
    if len(headers) > HEADERS:
        return True
    if max(protocol.fed, protocol.loose) <= HEAD_BYTES:
        return False
    return len(protocol.url) + sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_BYTES


_by_server: weakref.WeakKeyDictionary[Any, Patience] = weakref.WeakKeyDictionary()


def of(protocol: Protocol) -> Patience:
    """The patience of a connection's server; an application says by `bounds` how many connections it takes."""
    found = _by_server.get(protocol.server_state)
    if found is None:
        bounds = getattr(protocol.app, "bounds", None) or Bounds()
        found = _by_server[protocol.server_state] = Patience(bounds)
    return found


def _address(protocol: Protocol) -> str:
    return network(protocol.client[0]) if protocol.client else ""
