"""Enumerations as the schema shows them: described once, in the rules."""

from __future__ import annotations

import enum

import strawberry

from models.labels import TABLES


def shown(values: type[enum.StrEnum]) -> None:
    """Marks a labelled enumeration for the schema; each value's description is its English sentence and its label."""
    table = TABLES[values.__name__]
    if "__strawberry_definition__" not in vars(values):
        strawberry.enum(values)
    definition = values.__strawberry_definition__  # type: ignore[attr-defined]
    definition.description = table.description  # whoever named it first: a second definition would be a second type
    for value in definition.values:
        member = values[value.name]
        value.description = f"{table.described[member]} {table.labels[member]}。"
