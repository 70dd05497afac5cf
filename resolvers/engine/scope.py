"""Where in the statement a row stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any


class From:
    """The FROM clause of one SELECT under construction: to-one relations are joined to it."""

    def __init__(self, clause: Any) -> None:
        self.clause = clause


@dataclasses.dataclass(frozen=True)
class Scope:
    """A row in that SELECT: its columns, and whether its own NOT NULL columns can be trusted."""

    row: Any
    source: From | None
    alias: Any = None
    """What a sub-select correlates to; None for columns that are no table's."""
    beside: Mapping[tuple[str, str], Any] = dataclasses.field(default_factory=dict)
    """Related rows that a SELECT has at hand: their columns, by the column that refers to them and their table."""


class Columns:
    """Expressions under names, as if they were a row's columns."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.__dict__.update(columns)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.__dict__.values())
