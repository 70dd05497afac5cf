"""WebSockets under the application: uvicorn's protocol over the library `websockets`, without its rough edges.

Mended here, each with a test that fails without it (`tests/live/test_socket_wire.py`): a peer that reads nothing, or
answers no ping, keeps its connection for ever; the answers to pings that it does not read fill the memory, and so do
messages in endless parts; text that is no UTF-8 ends in a traceback, and a handshake that cannot be parsed hangs; what the application says after the library has closed is an error, and so is a handshake that
it refuses; and a server that stops says 1012 at once, in the middle of answers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from api.patience import READ

STUCK = 10.0
"""Seconds in which a client takes at least READ bytes of what waits for it, or all of it."""
LINGER = 5.0
"""Seconds in which a connection that we have closed may take what is still to be sent."""
PARTS = 1_000
"""Frames of one message."""
INVALID_TEXT, TOO_BIG = 1007, 1009


class Wire(WebSocketsSansIOProtocol):
    """One connection. It has no queue of its own: while a message waits to be taken by the application, or something
    waits to be taken by the client, nothing more is read."""

    _looking: asyncio.TimerHandle | None = None

    # the handshake

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.read_paused = True  # until the application has looked: frames before our answer are not parsed
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self._refuse()

    def _refuse(self) -> None:
        """Ends a handshake that cannot be answered."""
        self.close_sent = self.handshake_complete = True
        answer = b"".join(self.conn.data_to_send())
        self.transport.write(answer or b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()

    # what comes

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= PARTS:
            self._fail(TOO_BIG, "too many parts")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(INVALID_TEXT, "text is UTF-8")
                return
        super().send_receive_event_to_app()

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if self.writable.is_set():
                self.transport.resume_reading()
        return message

    def _fail(self, code: int, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    # what leaves

    async def send(self, message: Any) -> None:
        """As ASGI has it. Raises ClientDisconnected, an OSError, once the connection is closing."""
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def pause_writing(self) -> None:
        """The client is behind: nothing more is read of it, and it is looked at from now on."""
        super().pause_writing()
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self._looking = self.loop.call_later(STUCK, self._look, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look_no_more()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def _look(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting > before - READ:
            self.transport.abort()
        else:
            self._looking = self.loop.call_later(STUCK, self._look, waiting)

    def _look_no_more(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def keepalive_timeout(self) -> None:
        """A ping was not answered: the peer is gone, and takes no goodbye. One who is still reading is left in peace."""
        if self.writable.is_set():
            super().keepalive_timeout()
            self.transport.abort()
        else:
            self.pong_timer = self.loop.call_later(self.ping_timeout or STUCK, self.keepalive_timeout)

    # the end

    def connection_lost(self, exc: Exception | None) -> None:
        self._look_no_more()
        super().connection_lost(exc)

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._linger()

    async def run_asgi(self) -> None:
        await super().run_asgi()
        self._linger()

    def _linger(self) -> None:
        """What has been closed is gone soon, whether the peer reads or not."""
        if not self.disconnected:
            self.loop.call_later(LINGER, self._gone)

    def _gone(self) -> None:
        if not self.disconnected:
            self.transport.abort()

    def shutdown(self) -> None:
        """The door has said goodbye already (`api.live.socket`), save to whom it has not yet let in."""
        if not self.handshake_complete:
            super().shutdown()
        elif not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1001})
