"""Loads Shenyang's divisions and the counts published about it from `data/`, by COPY, as the owner of the tables.

Safe to run again: what is there is compared by code, and only what differs is written. A division that has left the
list is kept, with the last day on which it was valid.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import asyncpg

from models import search
from models.pinyin import sort_key
from models.progress import Progress, silent

DATA = Path(__file__).parents[2] / "data"
LISTED = date(2023, 6, 30)
"""The reference date of the Bureau of Statistics' list of 2023; see data/README.md."""

MERGE = """
MERGE INTO division d
USING (
    SELECT listed.*, above.id AS parent_id
    FROM listed LEFT JOIN division above ON above.code = listed.parent_code
    WHERE listed.level = ANY ($1)
) l ON d.code = l.code
WHEN MATCHED AND (d.name, d.level, d.parent_id, d.as_of, d.grams, d.valid_to)
        IS DISTINCT FROM (l.name, l.level, l.parent_id, $2, l.grams, NULL)
    THEN UPDATE SET name = l.name, pinyin = l.pinyin, grams = l.grams, level = l.level, parent_id = l.parent_id, as_of = $2,
        valid_to = NULL
WHEN NOT MATCHED
    THEN INSERT (code, area, name, pinyin, grams, level, parent_id, valid_from, as_of)
    VALUES (l.code, l.code, l.name, l.pinyin, l.grams, l.level, l.parent_id, $2, $2)
"""
LEFT = """
UPDATE division SET valid_to = $1
WHERE valid_to IS NULL AND valid_from <= $1 AND code NOT IN (SELECT code FROM listed)
"""
COUNT = """
INSERT INTO division_count (division_id, measure, value, as_of, source)
SELECT d.id, c.measure, c.value, c.as_of, c.source
FROM counted c JOIN division d ON d.code = c.code
ON CONFLICT (division_id, measure, as_of, source) DO UPDATE SET value = excluded.value
WHERE division_count.value <> excluded.value
"""


def read_divisions(path: Path = DATA / "shenyang-divisions.csv") -> list[tuple[str, str, str, str, str]]:
    """(code, name, pinyin, level, parent's code) of every division in the list."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(r["code"], r["name"], sort_key(r["name"]), r["level"], r["parent_code"]) for r in csv.DictReader(file)]


def read_counts(path: Path = DATA / "division-counts.csv") -> list[tuple[str, str, int, date | None, str]]:
    """(code, measure, value, as of, source) of every published count."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            (
                r["code"],
                r["measure"],
                int(r["value"]),
                date.fromisoformat(r["as_of"]) if r["as_of"] else None,
                r["source"],
            )
            for r in csv.DictReader(file)
        ]


def found_by(code: str, name: str) -> list[int]:
    """The keys of a division."""
    return [*search.grams(name), *search.place_keys(code)]


async def load_divisions(connection: asyncpg.Connection, progress: Progress = silent) -> int:
    """Loads the list in one transaction; returns how many divisions it has. Raises asyncpg errors when it cannot write."""
    divisions, counts = read_divisions(), read_counts()
    with progress("沈阳市行政区划", len(divisions)) as advance:
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMP TABLE listed (code text, name text, pinyin text, level text, parent_code text, grams int[])"
                " ON COMMIT DROP"
            )
            await connection.execute(
                "CREATE TEMP TABLE counted (code text, measure text, value int, as_of date, source text) ON COMMIT DROP"
            )
            await connection.copy_records_to_table("listed", records=[(*d, found_by(d[0], d[1])) for d in divisions])
            await connection.copy_records_to_table("counted", records=counts)
            for levels in (["CITY"], ["DISTRICT"], ["STREET"], ["COMMUNITY", "VILLAGE"]):
                await connection.execute(MERGE, levels, LISTED)
                advance(sum(1 for d in divisions if d[3] in levels))
            await connection.execute(LEFT, LISTED - timedelta(days=1))
            await connection.execute(COUNT)
    return len(divisions)
