"""What invented rows are found by: the keys of their words, their category and their place, as verbs write them."""

from __future__ import annotations

from typing import Any

import asyncpg

from models import search

FOUND = {
    "need": ("title", "category_code"),
    "offer": ("title", "category_code"),
    "organization": ("name", None),
    "service_point": ("name", None),
}
"""The column of each table's words, and that of its category."""
COMMUNITY_DIGITS = 12


class Finding:
    """Puts the keys behind each row of a sheet."""

    def __init__(self, categories: dict[str, list[int]], divisions: dict[str, list[int]]) -> None:
        self.categories, self.divisions = categories, divisions

    def keyed(self, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with their keys behind them; as they are, where the table's are not looked for."""
        if table not in FOUND:
            return rows
        words, category = FOUND[table]
        word, area, of = columns.index(words), columns.index("area"), columns.index(category) if category else None
        none: list[int] = []
        return [
            (
                *row,
                [
                    *search.grams(row[word]),
                    *(none if of is None else self.categories[row[of]]),
                    *self.divisions.get(row[area][:COMMUNITY_DIGITS], none),
                ],
            )
            for row in rows
        ]


async def read(connection: asyncpg.Connection) -> Finding:
    """With the keys of the categories and divisions that are there."""

    async def of(table: str) -> dict[str, list[int]]:
        return {row["code"]: row["grams"] for row in await connection.fetch(f"SELECT code, grams FROM {table}")}  # noqa: S608 - tables named here

    return Finding(await of("service_category"), await of("division"))
