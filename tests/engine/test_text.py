"""What the compiler may conclude of an expression's NULL."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from resolvers.engine.text import certain, concat, falls_with, literal, text

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


TABLE = sa.Table("t", sa.MetaData(), sa.Column("always", sa.Integer, nullable=False), sa.Column("perhaps", sa.Integer))
ALWAYS, PERHAPS = TABLE.c.always, TABLE.c.perhaps


@pytest.mark.parametrize(
    ("expression", "sure"),
    [
        (ALWAYS, True),
        (PERHAPS, False),
        (sa.literal_column("x"), False),
        (sa.literal(3), True),
        (sa.null(), False),
        (sa.bindparam("viewer", type_=sa.Integer()), False),
        (ALWAYS.label("a"), True),
        (sa.cast(PERHAPS, sa.Text()), False),
        (ALWAYS + 1, True),
        (ALWAYS - PERHAPS, False),
        (ALWAYS / 2, False),  # which this does not look into
        (sa.case((PERHAPS > 1, 1), else_=ALWAYS), True),
        (sa.case((ALWAYS > 1, 1)), False),
        (sa.case((ALWAYS > 1, PERHAPS), else_=ALWAYS), False),
        (sa.case((ALWAYS > 1, ALWAYS), else_=sa.null()), False),
        (sa.func.coalesce(PERHAPS, 0), True),
        (sa.func.coalesce(PERHAPS, PERHAPS), False),
        (sa.func.greatest(ALWAYS, 1), False),
        (PERHAPS.is_(None), True),
        (ALWAYS == 3, True),
        (ALWAYS == PERHAPS, False),
        (sa.and_(ALWAYS == 3, PERHAPS.is_(None)), True),
        (sa.or_(ALWAYS == 3, PERHAPS == 3), False),
        (sa.not_(sa.and_(ALWAYS == 3, PERHAPS == 3)), False),
        (sa.exists(sa.select(PERHAPS)), True),
        (sa.select(ALWAYS).scalar_subquery(), False),  # of no row
        (sa.true(), True),
    ],
)
def test_what_is_certainly_not_null(expression: Any, sure: bool) -> None:
    assert certain(expression) is sure
