"""The PostgreSQL of a test run, shared by its workers: the first starts it and migrates the template."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from models import migrate

TEMPLATE = "wushe_template"


@dataclasses.dataclass
class Server:
    """URLs of one PostgreSQL, by database."""

    superuser: str
    owner: str
    api: str
    template: str = TEMPLATE

    def owner_url(self, database: str) -> str:
        return _with(self.owner, database)

    def api_url(self, database: str) -> str:
        return _with(self.api, database)

    def clone(self, name: str) -> None:
        asyncio.run(
            self._execute(
                f'DROP DATABASE IF EXISTS "{own(name)}" WITH (FORCE)',
                f'CREATE DATABASE "{own(name)}" TEMPLATE "{self.template}" OWNER wushe_owner STRATEGY FILE_COPY',
            )
        )

    def drop(self, name: str) -> None:
        asyncio.run(self._execute(f'DROP DATABASE IF EXISTS "{own(name)}" WITH (FORCE)'))

    def make(self, name: str) -> None:
        """An empty database of the owner's."""
        asyncio.run(
            self._execute(
                f'DROP DATABASE IF EXISTS "{own(name)}" WITH (FORCE)',
                f'CREATE DATABASE "{own(name)}" OWNER wushe_owner',
            )
        )

    def prepare(self) -> None:
        """Makes the template anew and migrates it."""
        asyncio.run(
            self._execute(
                f'DROP DATABASE IF EXISTS "{self.template}" WITH (FORCE)',
                f'CREATE DATABASE "{self.template}" OWNER wushe_owner',
            )
        )
        migrate.upgrade(self.owner_url(self.template), "wushe_api")

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(_with(self.superuser, "postgres"))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


def name_of(url: str) -> str:
    """The name of a URL's database."""
    return urlsplit(url).path.lstrip("/")


def _with(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{own(database)}").geturl()


def own(database: str) -> str:
    """The name of a run's database: on a server that others test on, too, it begins with the run's template."""
    template = os.environ.get("WUSHE_TEST_TEMPLATE")
    return database if template is None or database.startswith(("postgres", template)) else f"{template}_{database}"


QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""A test run's server need not survive the machine."""


@contextlib.contextmanager
def running(factory: pytest.TempPathFactory, worker: str) -> Iterator[Server]:
    """The run's server: the embedded one, in a folder of this run; its workers share it and the last removes it.

    `WUSHE_TEST_POSTGRES` (a superuser's URL) names one that runs already, with the roles wushe_owner and wushe_api.
    """
    given = os.environ.get("WUSHE_TEST_POSTGRES")
    if given is not None:
        address = urlsplit(given).netloc.rpartition("@")[2]
        template = os.environ.get("WUSHE_TEST_TEMPLATE", TEMPLATE)
        server = Server(
            given, f"postgresql://wushe_owner:o@{address}/", f"postgresql://wushe_api:a@{address}/", template
        )
        prepare(server, factory, worker)
        yield server
        return
    from api import embedded
    from api.settings import Trouble

    cluster = embedded.start(shared(factory, worker) / "postgres", QUICK)
    try:
        server = Server(cluster.superuser_url, cluster.owner_url, cluster.api_url)
        prepare(server, factory, worker)
        yield server
    finally:
        with contextlib.suppress(Trouble):  # another worker still uses it
            cluster.destroy()


def prepare(server: Server, factory: pytest.TempPathFactory, worker: str) -> None:
    """The template, made by the first worker that comes."""
    with once(factory, worker, "template") as first:
        if first:
            server.prepare()


def shared(factory: pytest.TempPathFactory, worker: str) -> Path:
    """The folder that a run's workers share."""
    base = factory.getbasetemp()
    return Path(base if worker == "main" else base.parent)


@contextlib.contextmanager
def once(factory: pytest.TempPathFactory, worker: str, what: str) -> Iterator[bool]:
    """True for the first of the run's workers to come here; the others wait for it."""
    folder = shared(factory, worker)
    done = folder / f"{what}.done"
    with open(folder / f"{what}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()
