"""A second client, on a socket: what it hears while the first one acts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.scenarios.client import Api

CHANGED = "subscription ($id: ID!) { needChanged(id: $id) { topic need { status quantityLeft } } }"
PROTOCOL = Subprotocol("graphql-transport-ws")


class Heard:
    """What has come so far."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.news = asyncio.Event()

    async def until(self, topic: str, seconds: float = 15.0) -> None:
        """Waits for a topic. Raises TimeoutError when it does not come."""
        async with asyncio.timeout(seconds):
            while topic not in self.topics:
                self.news.clear()
                await self.news.wait()

    async def listen(self, socket: ClientConnection) -> None:
        """Reads to the end."""
        async for text in socket:
            said = json.loads(text)
            assert said["type"] == "next" and "errors" not in said["payload"], said
            self.topics.append(said["payload"]["data"]["needChanged"]["topic"])
            self.news.set()


@contextlib.asynccontextmanager
async def heard(api: Api, token: str, need: str) -> AsyncIterator[Heard]:
    """Follows a need while the block runs."""
    url = str(api.http.base_url).replace("http", "ws", 1).rstrip("/") + "/graphql"
    hello = {"authorization": f"Bearer {token}", **({} if api.at is None else {"x-wushe-now": api.at})}
    found = Heard()
    async with connect(url, subprotocols=[PROTOCOL], close_timeout=1, proxy=None) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": hello}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        asked = {"query": CHANGED, "variables": {"id": need}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": asked}))
        await asyncio.sleep(0.5)  # the protocol does not say when a subscription has begun
        listening = asyncio.create_task(found.listen(socket))
        try:
            yield found
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
