"""Enumerations as the schema shows them: described once, in the rules."""

from __future__ import annotations

import enum

import strawberry

from models.labels import TABLES


def shown(values: type[enum.StrEnum]) -> None:
    """Marks a labelled enumeration for the schema; each value's description is its English sentence and its label."""
    if "__strawberry_definition__" in vars(values):
        return  # a second definition would be a second type
    table = TABLES[values.__name__]
    strawberry.enum(values, description=table.description)
    for value in values.__strawberry_definition__.values:  # type: ignore[attr-defined]
        member = values[value.name]
        value.description = f"{table.described[member]} {table.labels[member]}。"
