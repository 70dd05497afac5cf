"""No count under five is told, and none can be reckoned from what is; the database keeps the same law."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import asyncpg
from hypothesis import given
from hypothesis import strategies as st

from models.reports.small_cells import LEAST, Cell, hidden, sums

CODES = st.sampled_from(["210102001001", "210102001002", "210102002001", "210103001001", "210103001002"])
CELLS = st.builds(
    lambda code, digits, category, month: (code[:digits], category, month),
    CODES,
    st.just(12),
    st.sampled_from(["ELDERLY", "DISABLED", None]),
    st.sampled_from(["2026-10-01", "2026-11-01"]),
)
TABLES = st.dictionaries(CELLS, st.integers(0, 12), min_size=1, max_size=14)


def groups(cells: list[Cell]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for n, cell in enumerate(cells):
        for total in sums(cell):
            found[total].append(n)
    return found


@given(TABLES)
def test_no_small_count_is_told_nor_reckoned(table: dict[Cell, int]) -> None:
    cells, counts = list(table), list(table.values())
    closed = hidden(counts, cells)
    assert all(closed[n] for n, count in enumerate(counts) if 0 < count < LEAST)
    for group in groups(cells).values():
        out = [n for n in group if closed[n]]
        told = [n for n in group if not closed[n] and counts[n]]
        if out and told:  # else the total itself is small, or nothing is told that could be taken from it
            assert len(out) > 1
            assert sum(counts[n] for n in out) >= LEAST


@given(TABLES)
def test_nothing_is_hidden_without_a_reason(table: dict[Cell, int]) -> None:
    counts = list(table.values())
    closed = hidden(counts, list(table))
    if not any(0 < count < LEAST for count in counts):
        assert not any(closed)
    assert not any(closed[n] for n, count in enumerate(counts) if count == 0)


def test_the_next_smallest_goes_with_a_lone_one() -> None:
    cells: list[Cell] = [(f"21010{n}", None, "2026-11-01") for n in range(2, 6)]
    assert hidden([30, 3, 7, 9], cells) == [False, True, True, False]
    assert hidden([30, 1, 1, 9], cells) == [False, True, True, True]  # two of one each would be two
    assert hidden([30, 2, 3, 9], cells) == [False, True, True, False]
    assert hidden([0, 3, 0, 0], cells) == [False, True, False, False]  # so is its total
    assert hidden([30, 5, 7, 9], cells) == [False] * 4


def test_the_database_keeps_the_same_law(database: str) -> None:
    import random

    chance = random.Random(11)
    codes = [f"2101{d:02}{s:03}{c:03}" for d in (2, 3) for s in (1, 2) for c in (1, 2, 3)]

    async def ask() -> None:
        connection = await asyncpg.connect(database)
        try:
            for _ in range(150):
                digits = chance.choice((4, 6, 9, 12))
                every: list[Any] = sorted(
                    {
                        (chance.choice(codes)[:digits], chance.choice(("ELDERLY", "CHILDREN")), chance.choice((10, 11)))
                        for _ in range(chance.randrange(1, 16))
                    }
                )
                counts = [chance.choice((0, 1, 2, 4, 5, 6, 9, 40)) for _ in every]
                found = await connection.fetchval(
                    "SELECT hidden_cells($1, $2, $3, ARRAY (SELECT make_date(2026, m, 1) FROM unnest($4::int[]) m))",
                    counts,
                    [c[0] for c in every],
                    [c[1] for c in every],
                    [c[2] for c in every],
                )
                assert found == hidden(counts, every), (counts, every)
        finally:
            await connection.close()

    asyncio.run(ask())
