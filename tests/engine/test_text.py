"""What the compiler may conclude of an expression's NULL."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from resolvers.engine.text import concat, falls_with, literal, text

A, B = sa.column("a", sa.Integer()), sa.column("b", sa.Integer())


@pytest.mark.parametrize(
    ("expression", "falls"),
    [
        (A, True),
        (B, False),
        (text(A), True),
        (text(sa.cast(A, sa.Numeric()) * sa.literal_column("0.01")), True),
        (text(sa.func.to_json(A)), True),
        (concat(literal("{"), text(B), text(A)), True),
        (concat(literal("{"), text(B)), False),
        (sa.func.concat(literal("{"), text(A)), False),  # PostgreSQL's own passes NULLs over
        (sa.func.coalesce(A, 0), False),
        (sa.case((A.is_(None), 1), else_=A), False),
        (A.is_(None), False),
    ],
)
def test_what_is_null_with_a_column(expression: Any, falls: bool) -> None:
    assert falls_with(expression, [A]) is falls
