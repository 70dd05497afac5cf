"""`./wushe keys`: the vault's keys, listed and rotated while everything runs. No secret is printed, save a new one."""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from api.commands.database import connected, owner
from api.settings import Settings, Trouble
from models import clock, rotation, vault
from models.vault import Kind

Step = Callable[[asyncpg.Connection, argparse.Namespace, datetime], Awaitable[int]]


def keys(args: argparse.Namespace, settings: Settings) -> int:
    """Runs one step as the owner of the tables, alone. Raises Trouble."""
    if args.step == "new":
        print(base64.urlsafe_b64encode(secrets.token_bytes(vault.KEY_BYTES)).decode())
        return 0
    with connected(settings) as ready:
        return asyncio.run(_run(STEPS[args.step], args, ready))


async def _run(step: Step, args: argparse.Namespace, settings: Settings) -> int:
    connection = await asyncpg.connect(owner(settings), command_timeout=None)
    try:
        if not await rotation.alone(connection):
            raise Trouble("Another command is at work on the keys: wait for it to end.")
        return await step(connection, args, clock.now())
    except vault.Locked as problem:
        raise Trouble(f"The data keys cannot be opened: {problem}.") from problem
    finally:
        await connection.close()


def _kinds(args: argparse.Namespace) -> list[Kind]:
    return list(Kind) if args.kind == "all" else [Kind(args.kind)]


async def _list(connection: asyncpg.Connection, args: argparse.Namespace, now: datetime) -> int:
    print(f"{'kind':<10}{'key':<38}{'master':<18}{'days':>6}{'values':>12}  state")
    for key in await rotation.listed(connection, now):
        waits = key.created_at > now
        state = "retired" if key.retired_at else "newest" if key.newest else "waits" if waits else "older"
        days = max(0, (now - key.created_at).days)
        print(f"{key.kind:<10}{key.id!s:<38}{key.master:<18}{days:>6}{key.values:>12,}  {state}")
    return 0


async def _rotate(connection: asyncpg.Connection, args: argparse.Namespace, now: datetime) -> int:
    made = await rotation.rotate(connection, _kinds(args), now)
    for kind, id in zip(_kinds(args), made, strict=True):
        print(f"{kind:<10}{id}")
    print(f"New values use {'them' if len(made) > 1 else 'it'} in {int(rotation.AHEAD.total_seconds())} seconds.")
    return 0


async def _reseal(connection: asyncpg.Connection, args: argparse.Namespace, now: datetime) -> int:
    done = await rotation.reseal(connection, _kinds(args), now)
    for column, count in sorted(done.items()):
        print(f"{column:<40}{count:>12,}")
    print(f"{sum(done.values()):,} values were sealed anew.")
    return 0


async def _retire(connection: asyncpg.Connection, args: argparse.Namespace, now: datetime) -> int:
    retired, refused = await rotation.retire(connection, now)
    for key in retired:
        print(f"{key.kind:<10}{key.id}  retired")
    for kept in refused:
        print(f"{kept.key.kind:<10}{kept.key.id}  kept: {kept.reason}")
    if not retired and not refused:
        print("There is no older key.")
    return 1 if refused else 0


async def _rewrap(connection: asyncpg.Connection, args: argparse.Namespace, now: datetime) -> int:
    count = await rotation.rewrap(connection, now)
    print(f"{count} data keys were wrapped by master key {vault.master().name}; the others were already.")
    return 0


STEPS: dict[str, Step] = {
    "list": _list,
    "rotate": _rotate,
    "reseal": _reseal,
    "retire": _retire,
    "rewrap": _rewrap,
}
