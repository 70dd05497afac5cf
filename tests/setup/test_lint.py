"""The lint that keeps time an input."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.commands.lint import problems

NAME = Path("models/x.py")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("at = datetime.now(ZONE)", "datetime.now()"),
        ("at = dt.datetime.utcnow()", "datetime.utcnow()"),
        ("on = date.today()", "date.today()"),
        ("at = time.time()", "time.time()"),
        ("column(server_default=sa.func.now())", "func.now()"),
        ("q = func.current_timestamp()", "func.current_timestamp()"),
        ("SQL = 'SELECT now()'", "now() in SQL"),
        ("SQL = f'UPDATE {t} SET at = CURRENT_TIMESTAMP'", "CURRENT_TIMESTAMP in SQL"),
        ("column(server_default=sa.text('now()'))", "now() in SQL"),
    ],
)
def test_asking_the_machine_is_found(source: str, what: str) -> None:
    assert problems(source, NAME) == [f"models/x.py:1: {what}: time is an input, take `now` (models/clock.py)"]


@pytest.mark.parametrize(
    "source",
    [
        "begun = time.perf_counter(); until = time.monotonic() + 1",
        "at = clock.now()",
        '"""Neither now() nor SELECT CURRENT_TIMESTAMP may be used."""',
        "SQL = 'SELECT :now'",
        "message = 'Try again now (or later)'",
        "known_at = row.now",
    ],
)
def test_what_is_not_asking_is_let_pass(source: str) -> None:
    assert problems(source, NAME) == []
