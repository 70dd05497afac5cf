"""A served platform with demo data and a storage of its own; and its people, who attach things."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conftest import NOW
from tests.demo import Demo, demo_of_module
from tests.site import Site, served
from tests.uploads import samples

ADD = """
mutation ($subject: ID!, $file: Upload!, $caption: String, $key: String!) {
    attachmentAdd(subject: $subject, file: $file, caption: $caption, idempotencyKey: $key) {
        __typename
        ... on Attachment { id media mediaType sizeBytes sha256 name caption url removedAt }
        ... on Problem { code message retry }
    }
}
"""
REMOVE = """
mutation ($id: ID!, $key: String!) { attachmentRemove(id: $id, idempotencyKey: $key) {
    __typename ... on Attachment { id name caption url removedAt } ... on Problem { code message }
} }
"""
_keys = itertools.count()
_sites = itertools.count()


def key() -> str:
    return f"upload-{next(_keys):06d}"


@dataclasses.dataclass
class Desk:
    """The platform, as whoever brings files to it sees it."""

    site: Site
    demo: Demo
    files: Path

    def token(self, slug: str) -> str:
        return self.site.token(self.demo.claims[slug])

    async def post(self, body: bytes, slug: str | None = "community-staff", **headers: str) -> httpx.Response:
        """A multipart body as a client sends it."""
        given = {"content-type": f"multipart/form-data; boundary={samples.BOUNDARY}", "x-wushe-now": NOW.isoformat()}
        if slug is not None:
            given["authorization"] = f"Bearer {self.token(slug)}"
        return await self.site.client.post("/graphql", content=body, headers={**given, **headers})

    async def add(
        self,
        subject: str,
        content: bytes,
        *,
        slug: str = "community-staff",
        name: str = "照片.jpg",
        caption: str | None = None,
        using: str | None = None,
    ) -> Any:
        """What attachmentAdd answers."""
        variables = {"subject": subject, "file": None, "caption": caption, "key": using or key()}
        body = samples.operations(ADD, variables) + samples.places(f0=["variables.file"])
        answer = await self.post(body + samples.part("0", content, name, "text/html") + samples.end(), slug)
        said = answer.json()
        assert "errors" not in said, said
        return said["data"]["attachmentAdd"]

    async def remove(self, id: str, slug: str = "community-staff") -> Any:
        data = await self.ask(REMOVE, slug, id=id, key=key())
        return data["attachmentRemove"]

    async def ask(self, query: str, slug: str | None, **variables: Any) -> Any:
        token = None if slug is None or slug == "public" else self.token(slug)
        return await self.site.ask(query, variables, token=token, now=NOW.isoformat())

    async def fetch(self, path: str, slug: str | None = None, **headers: str) -> httpx.Response:
        given = {"x-wushe-now": NOW.isoformat(), **headers}
        if slug is not None:
            given["authorization"] = f"Bearer {self.token(slug)}"
        return await self.site.client.get(path, headers=given)

    async def rows(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        async with self.site.tokens.pool.connection() as connection:
            return list(await connection.fetch(sql, *args))

    async def need(self, slug: str = "community-staff") -> str:
        """A need that somebody reads in full, NORMAL and open."""
        found = await self.ask("{ needs(first: 100) { edges { node { id note sensitivity status } } } }", slug)
        nodes = [edge["node"] for edge in found["needs"]["edges"]]
        return next(n["id"] for n in nodes if n["note"] and n["sensitivity"] == "NORMAL" and n["status"] == "OPEN")

    def stored(self) -> list[Path]:
        return sorted(p for p in self.files.rglob("*") if p.is_file())


@pytest.fixture
async def desk(demo_of_module: Demo, tmp_path: Path) -> AsyncIterator[Desk]:
    files = tmp_path / "files"
    async with served(demo_of_module.api, WUSHE_DATA=str(tmp_path), WUSHE_STORAGE=str(files)) as site:
        yield Desk(site, demo_of_module, files)


__all__ = ["demo_of_module"]
