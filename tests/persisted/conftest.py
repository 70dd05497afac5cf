"""A site over a database of the module's own, and the command as its owner runs it."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest_asyncio

from api.commands import documents
from api.persisted import Persisted
from api.settings import Settings
from models.manifests import digest
from tests.server import Server
from tests.site import Site, served
from tests.site import settings as of_site

PLAIN = "application/json"
SPEC = "application/graphql-response+json"
DIVISIONS = "query Divisions($n: Int) { divisions(first: $n) { edges { node { code } } } }"


@dataclasses.dataclass(frozen=True)
class Place:
    """A database, and how its owner and the API reach it."""

    api: str
    owner: str
    folder: Path

    @property
    def settings(self) -> Settings:
        return dataclasses.replace(of_site(self.api), owner_url=self.owner)

    async def run(self, step: str, **given: Any) -> int:
        """`./wushe documents STEP`."""
        return await asyncio.to_thread(documents.documents, argparse.Namespace(step=step, **given), self.settings)

    def manifest(self, *texts: str, name: str = "manifest.json") -> str:
        """A file of the plain form."""
        path = self.folder / name
        path.write_text(json.dumps({digest(text): text for text in texts}), "utf-8")
        return str(path)

    async def publish(self, client: str, version: str, *texts: str) -> int:
        return await self.run("publish", file=self.manifest(*texts), client=client, version=version)

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.owner)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(server: Server, worker: str, request: Any, tmp_path_factory: Any) -> AsyncIterator[Place]:
    name = f"{request.module.__name__.rpartition('.')[2]}_{worker}"
    await asyncio.to_thread(server.clone, name)
    yield Place(server.api_url(name), server.owner_url(name), tmp_path_factory.mktemp("manifests"))
    await asyncio.to_thread(server.drop, name)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(place: Place) -> AsyncIterator[Site]:
    """One that takes every document."""
    async with served(place.api) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(place: Place) -> AsyncIterator[Site]:
    """One that takes published documents only."""
    async with served(place.api, WUSHE_DOCUMENTS="trusted") as found:
        yield found


def persisted(site: Site) -> Persisted:
    found: Persisted = site.door.operations.persisted
    return found


async def ask(site: Site, *, accept: str = SPEC, token: str | None = None, **given: Any) -> httpx.Response:
    """One request object, by POST."""
    headers = {"accept": accept} | ({"authorization": f"Bearer {token}"} if token else {})
    return await site.client.post("/graphql", json=given, headers=headers)


def by_hash(text: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}}


def code(answer: httpx.Response) -> str:
    """The one error's code, of an answer without data."""
    said = answer.json()
    assert "data" not in said and len(said["errors"]) == 1, said
    found: str = said["errors"][0]["extensions"]["code"]
    return found
