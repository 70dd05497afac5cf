"""`./wushe documents`: what released front ends were built with is published, listed, retired, and held against the schema."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from api.commands.database import connected, file, owner, up_to_date
from api.noting import noted
from api.settings import ROOT, Settings, Trouble
from models.manifests import Entry, Unreadable, read

if TYPE_CHECKING:
    import asyncpg

    from resolvers.engine.documents import Documents

COMMITTED = ROOT / "clients" / "manifests"
"""Manifests that live in the checkout, `CLIENT@VERSION.json`: CI holds them against the schema."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,59}")
SHOWN = 20
"""Problems of one release that are printed."""

T = TypeVar("T")
Release = tuple[str, list[Entry]]
"""What it is called, and its documents."""


def documents(args: argparse.Namespace, settings: Settings) -> int:
    """publish, list, retire or check."""
    steps = {"publish": publish, "list": listed, "retire": retire, "check": check}
    return steps[args.step](args, settings)


def publish(args: argparse.Namespace, settings: Settings) -> int:
    """Makes the documents of a manifest trusted ones. Raises Trouble for a manifest that this schema does not answer."""
    from models import clock
    from models import documents as store

    client, version = named(args)
    path = file(args.file)
    entries = manifest(path)
    if broken([(f"{client} {version}", entries)]):
        raise Trouble(f"{path.name} is not published: the schema does not answer it.")

    async def work(connection: asyncpg.Connection) -> bool:
        return await store.publish(connection, client, version, entries, clock.now())

    with connected(settings) as ready:
        up_to_date(ready)
        with noted(ready, "documents.publish", client=client, version=version, documents=len(entries)) as detail:
            try:
                detail["new"] = asyncio.run(_owning(ready, work))
            except store.OtherDocuments:
                raise Trouble(
                    f"{client} {version} is live with other documents: publish another version, or retire it first."
                ) from None
            except store.NoRoom:
                raise Trouble(
                    f"There would be more than {store.LIVE_DOCUMENTS:,} live documents, or {store.LIVE_BYTES:,} bytes"
                    " of them: retire releases that nobody uses."
                ) from None
    if detail["new"]:
        print(f"{client} {version}: {len(entries):,} documents are trusted, by every process within five seconds.")
    else:
        print(f"{client} {version} is live with these documents already.")
    return 0


def listed(args: argparse.Namespace, settings: Settings) -> int:
    """Prints every release, live or retired."""
    from models import documents as store
    from models.clock import SHANGHAI

    with connected(settings) as ready:
        rows = asyncio.run(_owning(ready, lambda connection: connection.fetch(store.LISTED)))
    for row in rows:
        at = row["published_at"].astimezone(SHANGHAI).isoformat(" ", "minutes")
        retired = row["retired_at"]
        state = "live" if retired is None else f"retired {retired.astimezone(SHANGHAI).isoformat(' ', 'minutes')}"
        print(f"{row['client']:<24}{row['version']:<16}{row['documents']:>7,}  published {at}  {state}")
    if not rows:
        print("Nothing was published yet.")
    return 0


def retire(args: argparse.Namespace, settings: Settings) -> int:
    """Ends a release: its documents are trusted no more, unless another live one has them too."""
    from models import clock
    from models import documents as store

    client, version = named(args)
    with connected(settings) as ready:
        up_to_date(ready)
        with noted(ready, "documents.retire", client=client, version=version):
            done = asyncio.run(_owning(ready, lambda c: store.retire(c, client, version, clock.now())))
            if not done:
                raise Trouble(f"No release {client} {version} is live: ./wushe documents list tells which are.")
    print(f"{client} {version} is retired, for every process within five seconds.")
    return 0


def check(args: argparse.Namespace, settings: Settings) -> int:
    """Holds manifests, or else every live document of the database, against the schema; 1 when one breaks."""
    if args.files:
        releases = [(name, manifest(path)) for name, path in ((p.stem, p) for p in map(file, args.files))]
    else:
        with connected(settings) as ready:
            releases = asyncio.run(_owning(ready, _live))
    return _report(releases)


def committed() -> int:
    """The same for the checkout's own manifests: a step of `./wushe check`."""
    return _report([(path.stem, manifest(path)) for path in sorted(COMMITTED.glob("*.json"))])


def _report(releases: Sequence[Release]) -> int:
    count = broken(releases)
    total = sum(len(entries) for _, entries in releases)
    print(f"{total:,} documents of {len(releases)} releases; {count} do not fit the schema.")
    return 1 if count else 0


def broken(releases: Iterable[Release], against: Documents | None = None) -> int:
    """Prints each document that the schema does not answer: of which release, where and why. How many they are.

    `against`: another schema's documents than those of the code.
    """
    if against is None:
        from api.app import engine

        against = engine(production=True).documents
    count = 0
    for release, entries in releases:
        wrong = [(entry, told) for entry in entries if (told := list(problems(against, entry.text)))]
        count += len(wrong)
        for entry, told in wrong[:SHOWN]:
            for sentence in told:
                print(f"{release}: {entry.name} ({entry.hash[:12]}), {sentence}")
        if len(wrong) > SHOWN:
            print(f"{release}: and {len(wrong) - SHOWN} more")
    return count


def problems(against: Documents, text: str) -> Iterator[str]:
    """Where and why a document cannot be answered: each of its operations is read as a request would be."""
    from graphql import GraphQLError, OperationDefinitionNode, parse

    from resolvers.engine.documents import Refused

    try:
        operations = [d for d in parse(text).definitions if isinstance(d, OperationDefinitionNode)]
    except GraphQLError:
        operations = []  # what is wrong, the reading says
    said = set()
    for name in [o.name.value if o.name else None for o in operations] or [None]:
        try:
            against.get(text, name)
        except Refused as refused:
            for error in refused.errors:
                at = error.locations[0] if error.locations else None
                where = f"line {at.line} column {at.column}: " if at else ""
                said.add(f"{where}{error.message}")
    yield from sorted(said)


def manifest(path: Path) -> list[Entry]:
    """The documents of a manifest file. Raises Trouble."""
    try:
        return read(path.read_bytes())
    except OSError as problem:
        raise Trouble(f"{path} cannot be read: {str(problem.strerror).lower()}.") from problem
    except Unreadable as problem:
        raise Trouble(f"{path.name} cannot be taken: {problem}.") from problem


def named(args: argparse.Namespace) -> tuple[str, str]:
    """The release that was named. Raises Trouble."""
    for what in ("client", "version"):
        if not NAME.fullmatch(getattr(args, what)):
            raise Trouble(f"--{what} must be 1 to 60 letters, digits and . _ + -, such as miniprogram or 1.4.0.")
    return args.client, args.version


async def _live(connection: asyncpg.Connection) -> list[Release]:
    from models import documents as store

    releases: dict[str, list[Entry]] = {}
    for row in await connection.fetch(store.DOCUMENTS):
        entry = Entry(row["hash"].hex(), row["name"], row["text"])
        releases.setdefault(f"{row['client']} {row['version']}", []).append(entry)
    return list(releases.items())


async def _owning(settings: Settings, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    import asyncpg

    connection = await asyncpg.connect(owner(settings), server_settings={"timezone": "Asia/Shanghai"})
    try:
        async with connection.transaction():
            return await work(connection)
    finally:
        await connection.close()
