"""A client of sockets that says what it is told to, allowed or not, and hears what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.site import Site

PROTOCOL = "graphql-transport-ws"
INIT = {"type": "connection_init"}


def subscribe(query: Any, id: Any = "1", **more: Any) -> dict[str, Any]:
    """The message that begins an operation."""
    return {"type": "subscribe", "id": id, "payload": {"query": query, **more}}


class Talk:
    """One socket, seen by its client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, *messages: Any) -> None:
        """Sends each: text and bytes as they are, everything else as JSON. A socket that has ended takes nothing."""
        with contextlib.suppress(ConnectionClosed):
            for message in messages:
                await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def hear(self, seconds: float = 10.0) -> Any:
        """The next message."""
        async with asyncio.timeout(seconds):
            return json.loads(await self.connection.recv())

    async def greet(self, **payload: Any) -> None:
        """The handshake of the protocol."""
        await self.say({**INIT, "payload": payload})
        assert await self.hear() == {"type": "connection_ack"}

    async def ask(self, query: str, id: str = "1", **more: Any) -> Any:
        """The one answer to an operation that has one."""
        await self.say(subscribe(query, id, **more))
        answer = await self.hear()
        assert (answer["id"], answer["type"]) == (id, "next"), answer
        assert await self.hear() == {"id": id, "type": "complete"}
        return answer["payload"]

    async def end(self, seconds: float = 10.0) -> tuple[int, str]:
        """With which code and reason the server ends it; what it says before that is not looked at."""
        async with asyncio.timeout(seconds):
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code, self.connection.close_reason or ""

    async def alive(self) -> bool:
        """Whether it still answers."""
        await self.say({"type": "ping", "payload": {"still": "there"}})
        return bool(await self.hear() == {"type": "pong", "payload": {"still": "there"}})


@contextlib.asynccontextmanager
async def talking(site: Site, *, protocol: str | None = PROTOCOL, **more: Any) -> AsyncIterator[Talk]:
    """A socket to a served application. `more` goes to the client: headers, the origin."""
    url = site.url.replace("http", "ws", 1) + "/graphql"
    given = None if protocol is None else [Subprotocol(protocol)]
    async with connect(url, subprotocols=given, compression=None, close_timeout=1, proxy=None, **more) as connection:
        yield Talk(connection)
