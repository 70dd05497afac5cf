"""Loads invented data of a scale into an empty, migrated database, in one transaction, and checks them."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import asyncpg

from models import vault
from models.base import VIEW
from models.people.reliability import COUNTS, reckon_everybody
from models.progress import Progress, silent
from models.seed import scales, sheets
from models.seed.bulk import put_aside, put_back
from models.seed.checks import verify
from models.seed.market import Market
from models.seed.money import fund, platform
from models.seed.needs import trade
from models.seed.party import found_party_units
from models.seed.people import populate
from models.seed.places import place_divisions
from models.seed.sessions import hold
from models.seed.volunteers import qualify_who_served
from models.seed.world import SEED, World, build
from models.tables import METADATA
from models.territory.load import load_divisions

REFERENCE = ("division", "division_count", "service_category", "skill", "consent_text", "match_weights")
"""Tables that migrations and the list of divisions fill."""
MACHINERY = ("event", "idempotency_record", "relay_position", "data_key", "audit_event")
"""Tables of the machinery: a load leaves them alone."""
TOGETHER = 12
"""How many communities' rows are written at once: more would only need more memory."""
NUMBERED = {"need_no": "no", "offer_no": "no", "donation_no": "no", "volunteer_no": "volunteer_no"}
"""Sequences whose numbers are given out here, named after their table; and the column that ends with a number."""
DIGITS = 9
"""At least so many digits end it."""


async def load(owner_url: str, scale: str, now: datetime, progress: Progress = silent) -> dict[str, int]:
    """Loads a scale (`demo`, `city`, `city/100`) as the tables' owner; the same scale and time give the same rows.

    Returns the number of rows by table. Raises ValueError, with a sentence, for an unknown scale and for a database
    that has data already.
    """
    size = scales.read(scale)
    connection = await asyncpg.connect(owner_url, command_timeout=None)
    try:
        with _no_collector():
            async with connection.transaction():
                await _must_be_empty(connection)
                await load_divisions(connection, progress)
                await place_divisions(connection)
                await _load(connection, size, now, progress)
        with progress("整理"):
            await connection.execute("VACUUM")
        names = [name for name in _stored() if name not in MACHINERY]
        counted = {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in names}  # noqa: S608
    finally:
        await connection.close()
    return {name: count for name, count in counted.items() if count}


def _stored() -> list[str]:
    """Every table, in the order of references; views hold nothing of their own."""
    return [t.name for t in METADATA.sorted_tables if t.info != VIEW]


async def _must_be_empty(connection: asyncpg.Connection) -> None:
    if await connection.fetchval("SELECT to_regclass('service_category')") is None:
        raise ValueError("The database has no tables yet: run ./wushe migrate first.")
    for name in _stored():
        if name in (*REFERENCE, *MACHINERY):
            continue
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})"):  # noqa: S608
            raise ValueError(f"The database has data already (table {name}): invented data go into an empty one.")


async def _load(connection: asyncpg.Connection, size: scales.Scale, now: datetime, progress: Progress) -> None:
    keys = await vault.load(connection)
    await sheets.prepare(connection)
    filled = [name for name in _stored() if name not in (*REFERENCE, *MACHINERY)]
    off = await put_aside(connection, filled)
    world = await build(connection, size, now, keys)
    needs = _ranks(size.needs, [c.quota["needs"] for c in world.communities])
    offers = _ranks(size.offers, [c.quota["offers"] for c in world.communities])
    platform(world)
    with progress("社区、居民与服务", len(world.communities)) as advance:
        for number, community in enumerate(world.communities, 1):
            market = Market(world, community, populate(world, community))
            trade(market, next(offers), next(needs))
            hold(market)
            _taken(world, market)
            if number % TOGETHER == 0:
                await world.sheets.write(connection)
            advance(1)
        await world.sheets.write(connection)
    await found_party_units(connection, world)
    await qualify_who_served(connection, world)
    await fund(connection, world, progress)
    await reckon_everybody(connection, world.now - COUNTS.days * sheets.DAY)
    await put_back(connection, off, progress)
    await connection.execute("SELECT match_mirrors_rebuilt()")  # the triggers that keep them were aside
    for sequence, column in NUMBERED.items():  # the greatest, not how many: the funds' gifts leave gaps
        last = f"SELECT setval($1::regclass, max(right({column}, {DIGITS})::bigint)) FROM {sequence[:-3]}"  # noqa: S608
        await connection.execute(last, sequence)
    with progress("统计与核对"):
        await connection.execute("ANALYZE")
        await verify(connection)


def _ranks(total: int, counts: Sequence[int]) -> Iterator[list[int]]:
    """Shares out the places 0 … total-1 by chance, so many to each; each share in order."""
    places = list(range(total))
    random.Random(SEED).shuffle(places)
    at = 0
    for count in counts:
        yield sorted(places[at : at + count])
        at += count


def _taken(world: World, market: Market) -> None:
    """Writes which organizations took which volunteers."""
    rows = world.sheets["organization_volunteer"]
    for (organization, who), since in market.lives.taken.items():
        rows.append((world.sheets.id("organization_volunteer", since), organization, who, since))


@contextmanager
def _no_collector() -> Iterator[None]:
    """Millions of rows hold no cycles: looking for some would take a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
