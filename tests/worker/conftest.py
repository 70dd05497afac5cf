"""Events, told and counted; workers as tasks and as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import structlog

from api.jobs import Duties
from api.settings import ROOT, Settings
from api.worker import run
from models.relay import CHANNEL

WRITE = "INSERT INTO event (at, topic, subject, role, data) VALUES ($1, $2, $3, 'ADMIN', '{}') RETURNING id"


@pytest.fixture(autouse=True)
def every_log() -> None:
    """Whatever an application that another test served was told to keep quiet about."""
    structlog.reset_defaults()


async def happen(connection: asyncpg.Connection, at: object, *, topic: str = "thing.happened") -> UUID:
    """Writes one event; answers its subject."""
    subject = uuid4()
    await connection.fetchval(WRITE, at, topic, subject)
    return subject


async def eventually(holds: Callable[[], Awaitable[object]], seconds: float = 15.0) -> None:
    """Waits until something holds; fails when it does not in time."""
    until = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < until, "it did not happen in time"
        await asyncio.sleep(0.02)


class Ears:
    """What is announced on the relay's channel."""

    def __init__(self) -> None:
        self.heard: list[dict[str, object]] = []
        self.times: list[float] = []

    def __call__(self, connection: object, pid: int, channel: str, payload: str) -> None:
        self.heard.append(json.loads(payload))
        self.times.append(time.perf_counter())

    @property
    def count(self) -> int:
        return sum(int(str(said["count"])) for said in self.heard)

    @property
    def places(self) -> list[tuple[int, int]]:
        """The place after each batch."""
        return [(int(str(said["xid"])), int(str(said["id"]))) for said in self.heard]


@pytest.fixture
async def plain(committed: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the API's role to the test's own database."""
    made = await asyncpg.connect(committed)
    yield made
    await made.close()


@pytest.fixture
async def second(committed: str) -> AsyncIterator[asyncpg.Connection]:
    """Another one."""
    made = await asyncpg.connect(committed)
    yield made
    await made.close()


@pytest.fixture
async def ears(committed: str) -> AsyncIterator[Ears]:
    listening = await asyncpg.connect(committed)
    found = Ears()
    await listening.add_listener(CHANNEL, found)
    yield found
    await listening.remove_listener(CHANNEL, found)
    await listening.close()


def settings(url: str, owner: str | None = None) -> Settings:
    """A worker's settings."""
    env = {"WUSHE_MODE": "test", "DATABASE_URL": url, "WUSHE_LOG": "error"}
    return Settings.from_env(env if owner is None else {**env, "DATABASE_OWNER_URL": owner})


@contextlib.asynccontextmanager
async def working(url: str, does: Duties, owner: str | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """A worker in this process, stopped at the end as the command stops it."""
    task = asyncio.create_task(run(settings(url, owner), does))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.contextmanager
def relaying(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that relays and queues a job for each `thing.happened`; killed at the end, if not before."""
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("process.py")), url], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
