"""What never changes stands in the statement; what a client writes as text never does."""

from __future__ import annotations

import enum
import uuid
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from resolvers.engine.fixed import DIALECT, said
from tests.engine.conftest import Asking
from tests.engine.tables import Actor, Role

STAFF = Actor(Role.STAFF, path="")
"""Whose statements bind one value: the path."""
TEXT = sa.Text()


class Shade(enum.Enum):
    LIGHT = "LIGHT"
    NULL = "NULL"
    ODD = "it's"


@pytest.mark.parametrize(
    ("raw", "value", "type_", "written"),
    [
        (3, 3, sa.Integer(), "(3)"),
        (-3, -3, sa.Integer(), "(-3)"),
        (True, True, sa.Boolean(), "(true)"),
        (Shade.LIGHT, "LIGHT", TEXT, "'LIGHT'::TEXT"),
        ([Shade.LIGHT, Shade.NULL], ["LIGHT", "NULL"], ARRAY(TEXT), """CAST('{"LIGHT","NULL"}' AS TEXT[])"""),
        ([1, -2], [1, -2], ARRAY(sa.Integer()), """CAST('{"1","-2"}' AS INTEGER[])"""),
        ([], [], ARRAY(TEXT), "CAST('{}' AS TEXT[])"),
        ("LIGHT", "LIGHT", TEXT, None),
        (["LIGHT"], ["LIGHT"], ARRAY(TEXT), None),
        (Shade.ODD, "it's", TEXT, None),
        (Shade.LIGHT, "another", TEXT, None),
        ([Shade.LIGHT, None], ["LIGHT", None], ARRAY(TEXT), None),
        (None, None, sa.Integer(), None),
        (1, 1, sa.Numeric(), None),
        (1.5, 1.5, sa.Float(), None),
        (1, True, sa.Integer(), None),
        ("need_x", uuid.UUID(int=1), sa.Uuid(), None),
    ],
)
def test_what_a_document_says_itself(raw: Any, value: Any, type_: Any, written: str | None) -> None:
    found = said(raw, value, type_)
    assert (None if found is None else str(sa.select(found.label("x")).compile(dialect=DIALECT))) == (
        None if written is None else f"SELECT {written} AS x"
    )


def test_what_the_rules_say() -> None:
    t = sa.table("t", sa.column("a", sa.Text()), sa.column("n", sa.Integer()), sa.column("s", sa.String(3)))
    rules = [t.c.a == "it's 100% \\ :x", t.c.n == 7, t.c.s == "longer", t.c.a == sa.bindparam("p", type_=sa.Text())]
    told = str(sa.select(t.c.n).where(*rules, t.c.a.in_(["x", "y"])).compile(dialect=DIALECT))
    assert r"'it''s 100% \ :x'::TEXT" in told and "t.n = (7)" in told and "'longer'::TEXT" in told
    assert "::TEXT AND t.a = $" in told and "IN (__[POSTCOMPILE" in told


@pytest.mark.parametrize(
    ("text", "variables", "bound", "there"),
    [
        ("{ tasks(first: 2) { edges { node { title } } } }", {}, 0, "LIMIT (2)"),
        ("query($n: Int!) { tasks(first: $n) { edges { node { title } } } }", {"n": 2}, 1, "::INTEGER) AS p2"),
        ("{ tasks { edges { node { title } } } }", {}, 0, "LIMIT 20"),
        ('{ tasks(filter: {titleHas: "x\' OR true --"}) { edges { node { title } } } }', {}, 1, "$1"),
    ],
)
async def test_text_is_bound_and_numbers_are_not(
    ask: Asking, text: str, variables: dict[str, Any], bound: int, there: str
) -> None:
    await ask.fast(text, STAFF, **variables)
    sql, values = ask.reads.statements[-1]
    assert there in sql and "OR true --" not in sql
    assert len(values) == bound + 1
