"""What an API key must be allowed for each mutation. A mutation that is not listed is for people only."""

from __future__ import annotations

SCOPES: dict[str, str] = {}
"""Mutation, by its Python name -> the scope of keys that it needs."""


def scope_of(mutation: str) -> str | None:
    """The scope that a key needs to call a mutation; None where no key may."""
    return SCOPES.get(mutation)
