"""WebSockets under the application: uvicorn's protocol over the library `websockets`, without its rough edges.

Mended here, each with a test that fails without it: a peer that reads nothing keeps its connection for ever; text that
is no UTF-8, a request line that is no ASCII and a handshake that cannot be parsed end in a traceback; what the
application says after the library has closed is an error, and so is a handshake that it refuses; a server that stops says 1012 at once, in the middle of
answers.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

ABORT = "wushe.abort"
"""The ASGI extension by which the application ends a socket whose client takes nothing."""
LINGER = 5.0
"""Seconds in which a connection that we have closed may take what is still to be sent."""
INVALID_TEXT = 1007


class Wire(WebSocketsSansIOProtocol):
    """One connection. It has no queue of its own: while a message waits to be taken nothing more is read, and `send`
    waits while the peer does not read."""

    def handle_connect(self, event: Request) -> None:
        if not event.path.isascii():
            self._refuse()
            return
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][ABORT] = self.transport.abort  # type: ignore[assignment]
            self.read_paused = True  # until the application has looked: frames before our answer are not parsed
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            self._refuse()

    def _refuse(self) -> None:
        """Ends a handshake that cannot be answered."""
        self.close_sent = self.handshake_complete = True
        self.transport.write(
            b"".join(self.conn.data_to_send()) or b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.fail(INVALID_TEXT, "text is UTF-8")
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """As ASGI has it. Raises ClientDisconnected, an OSError, once the connection is closing."""
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientDisconnected
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._linger()

    def keepalive_timeout(self) -> None:
        """The peer has not answered a ping: it is gone, or it reads nothing. Either way it takes no goodbye."""
        super().keepalive_timeout()
        self.transport.abort()

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
        """The door has said goodbye already (`api.live.sockets`), save to whom it has not yet let in."""
        if not self.handshake_complete:
            super().shutdown()
        elif not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": 1001})
