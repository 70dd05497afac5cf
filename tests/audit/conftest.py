"""A log of its own for each test: the API's role writes it, the owner seals it, a superuser tampers with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from models import audit, vault
from models.access import Actor, Role
from models.audit_proof import WAITING
from models.audit_seal import end, seal_all
from tests.server import Server, _with, name_of


class Log:
    """The audit log of one database, through the eyes of those who touch it."""

    def __init__(
        self, api: asyncpg.Connection, owner: asyncpg.Connection, root: asyncpg.Connection, owner_url: str = ""
    ) -> None:
        self.api, self.owner, self.root, self.owner_url = api, owner, root, owner_url
        """`root`: a superuser for whom no trigger fires."""

    async def write(self, at: datetime, action: str = "needVerify", **more: object) -> UUID:
        """One act, by the API's role; answers its subject."""
        actor = Actor(Role.COMMUNITY_STAFF, person=uuid4(), area="210106010001")
        subject = uuid4()
        row = audit.row(actor, at, action, audit.DONE, subject_type="Need", subject=subject, detail=more or None)
        await audit.write(self.api, *row)
        return subject

    async def seal(self, at: datetime) -> int:
        """Seals all that is there; how many rows. (Transactions of other databases of the server may hold it up.)"""
        keys, total = await self.keys(), 0
        for _ in range(750):
            total += await seal_all(self.owner, keys, at)
            if not await self.owner.fetchval(WAITING, *(await end(self.owner)).read):
                return total
            await asyncio.sleep(0.02)
        raise AssertionError("it could not be sealed in time")

    async def keys(self) -> vault.Keys:
        return await vault.load(self.owner)


@pytest.fixture
async def log(server: Server, committed: str) -> AsyncIterator[Log]:
    name = name_of(committed)
    api = await asyncpg.connect(committed, server_settings={"timezone": "Asia/Shanghai"})
    owner = await asyncpg.connect(server.owner_url(name))
    root = await asyncpg.connect(_with(server.superuser, name))
    await root.execute("SET session_replication_role = replica")
    yield Log(api, owner, root, server.owner_url(name))
    for connection in (api, owner, root):
        await connection.close()
