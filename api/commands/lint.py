"""Time is an input: a lint of ours, which finds code and SQL that ask the machine for it.

Only `models/clock.py` may. Everything else takes `now` as a parameter, or tests could not say what day it is, and two
statements of one request could disagree about it. Measuring how long something takes (`perf_counter`, `monotonic`)
is another matter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from api.settings import ROOT

LOOKED_AT = ("api", "models", "resolvers", "bench")
ALLOWED = ("models/clock.py", "models/migrations/versions/", "api/commands/lint.py", "bench/functions.py")
"""The last are functions for a peer of the benchmark, which has no clock of ours."""

CALLS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime"},
    "func": {"now", "current_timestamp", "current_date", "current_time", "localtimestamp", "localtime",
             "clock_timestamp", "statement_timestamp", "transaction_timestamp"},
}  # fmt: skip
"""What may not be called, by the name before the dot: `datetime.now()`, `dt.datetime.now()`, `sa.func.now()`."""

SQL = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(\s*\)"
    r"|\b(CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIMESTAMP|LOCALTIME)\b"
)
"""What SQL text may not hold."""

WORD = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WHERE|VALUES|DEFAULT|CHECK|SET|CREATE)\b|::|\(\s*\)$")
"""What makes a text SQL, and not a sentence about it."""


def report() -> int:
    """Prints what asks for the time; answers 1 when something does."""
    found = [line for path in files() for line in problems(path.read_text(encoding="utf-8"), path.relative_to(ROOT))]
    for line in found:
        print(line)
    return 1 if found else 0


def files() -> Iterator[Path]:
    """The Python files that are looked at, in order."""
    for folder in LOOKED_AT:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(ALLOWED) and "node_modules" not in path.parts:
                yield path


def problems(source: str, name: Path) -> list[str]:
    """One line for each place in a file that asks the machine for the time."""
    tree = ast.parse(source)
    described = {id(text) for text in _descriptions(tree)}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=called, value=ast.Name(id=owner) | ast.Attribute(attr=owner))):
                if called in CALLS.get(owner, ()):
                    found.append((node.lineno, f"{owner}.{called}()"))
            case ast.Constant(value=str(text)) if id(node) not in described and WORD.search(text):
                found += [(node.lineno, f"{match[0]} in SQL") for match in SQL.finditer(text)]
    return [f"{name}:{line}: {what}: time is an input, take `now` (models/clock.py)" for line, what in sorted(found)]


def _descriptions(tree: ast.AST) -> Iterator[ast.Constant]:
    """Docstrings, and texts that stand alone under what they describe."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
