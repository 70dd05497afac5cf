"""What never changes stands in the statement: a parameter costs both sides, and hides from the planner what it will be.

That is what the rules say (`'VERIFIED'`), and of what the document says itself numbers, truth values and members of
enumerations. A client's text never does, wherever it stands: it is bound.
"""

from __future__ import annotations

import enum
import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg, PGDialect_asyncpg

MEMBER = re.compile(r"[A-Za-z0-9_]+")
"""How a member of an enumeration is stored."""


def said(raw: Any, value: Any, type_: Any) -> Any:
    """An argument that the document says itself, as SQL; None where it has to be bound.

    `raw`: as GraphQL read it; `value`: as it would be bound, as `type_`.
    """
    if not isinstance(value, list):
        written = _one(raw, value, type_)
        if written is None:
            return None
        return sa.literal_column(f"'{written}'::TEXT" if _is_text(type_) else f"({written})", type_)
    if not isinstance(type_, ARRAY) or not isinstance(raw, list) or len(raw) != len(value):
        return None
    items: list[str] = []
    for r, v in zip(raw, value, strict=True):
        item = _one(r, v, type_.item_type)
        if item is None:
            return None
        items.append(f'"{item}"')  # quoted, since a bare NULL would be none
    return sa.cast(sa.literal_column("'{" + ",".join(items) + "}'"), type_)


def _one(raw: Any, value: Any, type_: Any) -> str | None:
    if isinstance(raw, enum.Enum):
        return value if _is_text(type_) and value == raw.value and MEMBER.fullmatch(value) else None
    return None if type(value) is str else number(value, type_)


def number(value: Any, type_: Any) -> str | None:
    """A whole number or a truth value as SQL text; None for anything else."""
    if type(value) is bool:
        return str(value).lower() if isinstance(type_, sa.Boolean) else None
    if type(value) is int and isinstance(type_, sa.Integer):
        return str(value)
    return None


def _is_text(type_: Any) -> bool:
    return isinstance(type_, sa.String) and not isinstance(type_, sa.Enum)


class Writer(PGCompiler_asyncpg):
    """Writes statements; what the rules themselves compare with is written as it is."""

    def visit_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> str:
        value, type_ = bindparam.value, bindparam.type
        if not bindparam.expanding and not kw.get("literal_binds"):  # which writes all there is, for a reader
            if (written := number(value, type_)) is not None:
                return f"({written})"
            if type(value) is str and _is_text(type_):
                return f"{self.render_literal_value(value, sa.Text())}::TEXT"  # type: ignore[no-untyped-call]
        bound: str = super().visit_bindparam(bindparam, *args, **kw)  # type: ignore[no-untyped-call]
        return bound


class Dialect(PGDialect_asyncpg):
    """PostgreSQL as asyncpg speaks to it, in our writing."""

    statement_compiler = Writer
    supports_statement_cache = True


DIALECT = Dialect()  # type: ignore[no-untyped-call]
