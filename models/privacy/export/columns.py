# ruff: noqa: S608 - statements of column names written here
"""What several statements of the export say of others, of places and of money, as SQL over a qualified column."""

from __future__ import annotations


def who(column: str) -> str:
    """Another person: masked."""
    return f"(SELECT name_masked FROM person WHERE id = {column})"


def unit(column: str) -> str:
    """An organization's name."""
    return f"(SELECT name FROM organization WHERE id = {column})"


def place(column: str) -> str:
    """The name of the division that an area, a qualified column, lies in."""
    return f"(SELECT name FROM division WHERE code = left({column}, 12))"


def yuan(column: str) -> str:
    """An amount as text with two decimals."""
    return f"(({column} * 0.01)::numeric(20, 2))::text"
