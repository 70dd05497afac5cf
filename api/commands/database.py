"""Commands about the database, and the way every command comes by one."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from api.noting import noted
from api.settings import ROOT, Settings, Trouble
from models import vault

OLDEST = 180000
"""PostgreSQL 18, as server_version_num says it."""


@contextmanager
def connected(settings: Settings) -> Iterator[Settings]:
    """Settings with a database in them: the one they name, or the embedded server, started for as long as needed.

    Raises Trouble when there is none to be had, it is too old, or its data keys were wrapped by a master key that is
    not given. The process has its master keys from then on.
    """
    settings.unlock()
    if settings.database_url is not None:
        check(settings)
        asyncio.run(opens(settings.database_url))
        yield settings
        return
    from api import embedded

    with embedded.start(settings.data) as cluster:
        said = cluster.log_size()
        try:
            asyncio.run(opens(cluster.api_url))
            yield replace(settings, database_url=cluster.api_url, owner_url=cluster.owner_url)
        except Exception as problem:
            # A full disk shows as many errors, down to a lost connection. The server's log knows.
            if cluster.ran_out_of_disk(said):
                raise Trouble(f"The disk that holds {cluster.folder} is full: make room and start again.") from problem
            raise


def check(settings: Settings) -> None:
    """Raises Trouble when a database that the settings name cannot be reached, or is too old."""
    named = [("DATABASE_URL", settings.database_url), ("DATABASE_OWNER_URL", settings.owner_url)]
    named += [("DATABASE_REPLICA_URLS", url) for url in settings.replica_urls]
    for name, url in named:
        if url is not None:
            asyncio.run(version(name, url))


async def version(name: str, url: str) -> int:
    """The version number of a named PostgreSQL, such as 180006. Raises Trouble, with the name, never the URL."""
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            found = int(await connection.fetchval("SHOW server_version_num"))
            by_code = await connection.fetchval("SELECT '2101~' > '21019'")
        finally:
            await connection.close()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as problem:
        said = str(problem) or type(problem).__name__
        raise Trouble(f"The PostgreSQL of {name} cannot be reached: {said.splitlines()[0].rstrip('.')}.") from problem
    if found < OLDEST:
        raise Trouble(f"The PostgreSQL of {name} is version {found // 10000}: 18 or newer is needed.")
    if not by_code:  # scopes are ranges of codes, which a language's order would break
        raise Trouble(f"The database of {name} sorts by a language: make it with TEMPLATE template0 LOCALE 'C.UTF-8'.")
    return found


async def opens(url: str) -> None:
    """Raises Trouble when the data keys of a database, if it has some, do not open with the master keys given."""
    import asyncpg

    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('data_key') IS NOT NULL"):
            await vault.load(connection)
    except (asyncpg.InsufficientPrivilegeError, vault.Empty):  # before the first migration is done
        pass
    except vault.Locked as problem:
        raise Trouble(f"The data keys cannot be opened: {problem}.") from problem
    finally:
        await connection.close()


def owner(settings: Settings) -> str:
    """The owner's URL. Raises Trouble when only the API's was given."""
    if settings.owner_url is None:
        raise Trouble("This needs DATABASE_OWNER_URL: the role that owns the tables.")
    return settings.owner_url


def role_of(url: str) -> str:
    """The user that a URL signs in as."""
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).username or "")


def up_to_date(settings: Settings) -> None:
    """Migrates when the database is behind, showing that it does."""
    from models import migrate as migrations
    from models.progress import progress

    if asyncio.run(migrations.revision(owner(settings))) == migrations.head():
        return
    assert settings.database_url is not None
    with progress("migrating the database"):
        migrations.upgrade(owner(settings), role_of(settings.database_url))


def is_empty(settings: Settings) -> bool:
    """Whether nobody is registered yet. What migrations bring, such as the categories, does not count."""

    async def look() -> bool:
        import asyncpg

        connection = await asyncpg.connect(owner(settings))
        try:
            return not await connection.fetchval("SELECT EXISTS (SELECT FROM person)")
        finally:
            await connection.close()

    return asyncio.run(look())


def migrate(args: argparse.Namespace, settings: Settings) -> int:
    """To the newest migration. Running it again repeats the grants and makes the coming months' partitions."""
    with connected(settings) as ready:
        from models import migrate as migrations
        from models.progress import progress

        assert ready.database_url is not None
        with progress("migrating the database"), noted(ready, "migrate", to=migrations.head()):
            migrations.upgrade(owner(ready), role_of(ready.database_url))
        print(f"The database is at {migrations.head()}.")
    return 0


def seed(args: argparse.Namespace, settings: Settings) -> int:
    """Loads data of a scale into an empty, migrated database, and prints how many rows of what."""
    if settings.production:
        raise Trouble("Production mode has no invented data.")
    with connected(settings) as ready:
        up_to_date(ready)
        for name, count in load(ready, args.scale).items():
            print(f"{name:<28}{count:>12,}")
    return 0


def load(settings: Settings, scale: str) -> dict[str, int]:
    """The rows that were loaded, by table. Raises Trouble for an unknown scale or a database that has data."""
    from models import clock
    from models.progress import progress
    from models.seed import load as loaded

    try:
        with noted(settings, "seed", scale=scale):
            return asyncio.run(loaded(owner(settings), scale, clock.now(), progress))
    except ValueError as problem:
        raise Trouble(f"{problem}") from problem


def token(args: argparse.Namespace, settings: Settings) -> int:
    """A signed token, alone on standard output, so that it can be put into a variable."""
    if settings.production:
        raise Trouble("Production mode has no demo accounts.")
    from api.auth import issue_demo_token

    with connected(settings) as ready:
        try:
            with noted(ready, "token", role=args.role):
                print(issue_demo_token(args.role, ready))
        except LookupError as problem:
            raise Trouble(str(problem.args[0] if problem.args else problem)) from problem
    return 0


def explain(args: argparse.Namespace, settings: Settings) -> int:
    """What a document becomes, for one role."""
    from api.explain import run

    with connected(settings) as ready:
        run(file(args.file), args.role, ready)
    return 0


def file(name: str) -> Path:
    """A file argument, as it was meant where the command was typed."""
    return Path(os.environ.get("WUSHE_CWD", str(ROOT))) / Path(name).expanduser()
