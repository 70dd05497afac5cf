"""Databases with invented data: loaded once for each worker that asks for them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator

import pytest

from models.seed import load
from tests.conftest import NOW
from tests.server import Server


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A database that a scale was loaded into."""

    owner: str
    api: str
    counts: dict[str, int]


def loaded(server: Server, name: str, scale: str) -> Loaded:
    server.clone(name)
    owner = server.owner_url(name)
    return Loaded(owner, server.api_url(name), asyncio.run(load(owner, scale, NOW)))


@pytest.fixture(scope="session")
def demo(server: Server, worker: str) -> Iterator[Loaded]:
    yield loaded(server, f"demo_{worker}", "demo")
    server.drop(f"demo_{worker}")


@pytest.fixture(scope="session")
def hundredth(server: Server, worker: str) -> Iterator[Loaded]:
    yield loaded(server, f"hundredth_{worker}", "city/100")
    server.drop(f"hundredth_{worker}")
