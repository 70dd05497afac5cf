"""The real application on a real socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvicorn

from api.app import create
from api.auth import Tokens
from api.commands.running import QUIET, announced
from api.security import standing
from api.settings import Settings
from models import clock, vault
from models.access import Claims, Role
from models.identity.tokens import DEMO, sign
from models.pool import LOST
from models.vault import Keys

MASTER = base64.b64encode(b"tests only".ljust(vault.KEY_BYTES)).decode()
"""The master key of every test (tests/conftest.py)."""


def settings(database: str, **more: str) -> Settings:
    """Test mode on one database."""
    return Settings.from_env(
        {
            "WUSHE_MODE": "test",
            "DATABASE_URL": database,
            "WUSHE_MASTER_KEY": MASTER,
            "WUSHE_LOG": "error",
            **more,
        }
    )


class Site:
    """A served application, and clients of it."""

    def __init__(self, url: str, door: Any) -> None:
        self.url, self.door = url, door
        self.client = httpx.AsyncClient(base_url=url, timeout=30)

    @property
    def tokens(self) -> Tokens:
        found: Tokens = self.door.tokens
        return found

    @property
    def keys(self) -> Keys:
        """The data keys of its database."""
        found = self.tokens.pool.vault.held
        assert found is not None, "the database was not there when this was served"
        return found

    def token(self, claims: Claims) -> str:
        """A demo token; for claims with a sign-in, one of that."""
        return sign(self.keys, claims, clock.now(), DEMO)

    async def post(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        now: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """One operation as a client sends it."""
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        if now is not None:
            headers["x-wushe-now"] = now
        return await self.client.post("/graphql", json={"query": query, "variables": variables or {}}, headers=headers)

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, *, token: str | None = None, now: str | None = None
    ) -> Any:
        """The data of an answer that has no errors."""
        answer = (await self.post(query, variables, token=token, now=now)).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


@contextlib.asynccontextmanager
async def served(database: str, **more: str) -> AsyncIterator[Site]:
    """Serves until the block ends, then stops as gracefully as the product does."""
    given = settings(database, **more)
    door = create(given)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            door,
            **{**QUIET, "loop": "none", "log_level": "error"},
            headers=standing(given.hsts),
            timeout_graceful_shutdown=5,
        )
        server = announced(None)(config)
        server.leave = door.leave
        server.install_signal_handlers = lambda: None

        task = asyncio.ensure_future(server._serve([listening]))
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        site = Site(f"http://127.0.0.1:{listening.getsockname()[1]}", door)
        with contextlib.suppress(*LOST):
            async with door.databases.primary.connection() as connection:
                await door.databases.primary.vault.keys(connection)
        try:
            yield site
        finally:
            await site.client.aclose()
            server.should_exit = True
            await task


__all__ = ["Claims", "Role", "Site", "served", "settings"]
