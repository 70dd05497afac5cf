"""Proving the audit log: nobody who cannot open the data keys can make it fit again."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from api.commands.database import connected, owner
from api.settings import Settings, Trouble

if TYPE_CHECKING:
    import asyncpg

    from models.vault import Keys

T = TypeVar("T")


def audit(args: argparse.Namespace, settings: Settings) -> int:
    """verify, head or seal."""
    return {"verify": verify, "head": head, "seal": seal}[args.step](args, settings)


def verify(args: argparse.Namespace, settings: Settings) -> int:
    """Walks the log; exit code 1, and the name of the first broken row, when it is not as it was written."""
    from models.audit_proof import Broken
    from models.audit_proof import verify as walk
    from models.clock import SHANGHAI

    since, kept = _month(args.since), _hash(args.head)
    with connected(settings) as ready:
        try:
            proof = asyncio.run(_owning(ready, lambda connection, keys: walk(connection, keys, since=since, head=kept)))
        except Broken as broken:
            print(f"Broken: {broken}.")
            return 1
    print(f"{proof.seals:,} seals, {proof.rows:,} rows; {proof.archived:,} rows of dropped months.")
    print(f"{proof.waiting:,} rows wait for their seal.")
    until = (
        "now: there is no seal" if proof.until is None else proof.until.astimezone(SHANGHAI).isoformat(" ", "seconds")
    )
    print(f"The chain holds up to {until}.")
    return 0


def head(args: argparse.Namespace, settings: Settings) -> int:
    """Prints the newest seal's number and hash, to be kept where the database's administrator does not get at it."""
    from models.audit_seal import end

    with connected(settings) as ready:
        last = asyncio.run(_owning(ready, lambda connection, keys: end(connection)))
    print(f"{last.n} {last.hash.hex()}")
    return 0


def seal(args: argparse.Namespace, settings: Settings) -> int:
    """Seals what no worker has sealed yet."""
    from models import clock
    from models.audit_seal import seal_all

    with connected(settings) as ready:
        count = asyncio.run(_owning(ready, lambda connection, keys: seal_all(connection, keys, clock.now())))
    print(f"{count:,} rows sealed.")
    return 0


async def _owning(settings: Settings, work: Callable[[asyncpg.Connection, Keys], Awaitable[T]]) -> T:
    import asyncpg

    from models import vault

    connection = await asyncpg.connect(owner(settings))
    try:
        return await work(connection, await vault.load(connection))
    except vault.Locked as no:
        raise Trouble(f"The data keys cannot be opened: {no}.") from no
    finally:
        await connection.close()


def _month(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Trouble(f"{text!r} is no month: write it as 2026-11.") from None


def _hash(text: str | None) -> bytes | None:
    """A hash as `head` prints it, with or without the seal's number before it."""
    try:
        return None if text is None else bytes.fromhex(text.rpartition(" ")[2])
    except ValueError:
        raise Trouble("--head is no hash: give what ./wushe audit head printed.") from None
