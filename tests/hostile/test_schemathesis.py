"""Every operation of the schema with arguments that schemathesis makes up, against a real process: nothing breaks.

`WUSHE_TEST_HOSTILE=50` says how many examples each operation gets; here it is a few, so that a build waits a minute.
Each role asks in its turn. What is wrong with an argument, a state or a right is told by name; nothing is a 5xx, an
INTERNAL, or says anything of how we are made.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from api.schema import build
from models.access import Role
from tests.faults.conftest import Town
from tests.faults.processes import Api
from tests.faults.test_hostile import LEAKS, RATES

EXAMPLES = int(os.environ.get("WUSHE_TEST_HOSTILE", "2"))
CODES = re.compile(r"[A-Z][A-Z_]+")
SCHEMA = schemathesis.graphql.from_file(build().as_str())
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())}
ROLES = [role.slug for role in Role]


def _offsets(offset: int) -> timezone:
    return timezone(timedelta(minutes=offset))


SCALARS: dict[str, st.SearchStrategy[str]] = {
    "Date": st.dates(date(1, 1, 1), date(9999, 12, 31)).map(str) | st.text(),
    "DateTime": st.datetimes(
        datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.integers(-1439, 1439).map(_offsets)
    ).map(lambda at: at.isoformat())
    | st.text(),
    "Decimal": st.decimals().map(str) | st.integers().map(str) | st.text(),
    "Upload": st.text(),
}
for _name, _values in SCALARS.items():
    schemathesis.graphql.scalar(_name, _values.map(nodes.String))


@pytest.fixture(scope="module")
def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process with demo data, which has not had a bug when all is done."""
    import asyncio

    made = Api(here.api_url, tmp_path_factory.mktemp("random") / "log", WUSHE_LOG="error", **RATES)
    try:
        asyncio.run(made.ready())
        yield made
    finally:
        made.kill()
    said = made.said()
    assert "Traceback" not in said and '"bug"' not in said, said[:5000]


@pytest.fixture(scope="module")
def client(api: Api) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api.url, timeout=30) as made:
        yield made


def looked_at(answer: httpx.Response, query: str) -> list[str]:
    """The codes of an answer's errors, if it is one that may be given to anybody."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:1000], query)
    said: dict[str, Any] = answer.json()
    errors = said.get("errors", [])
    codes = [e["extensions"]["code"] for e in errors]
    assert all(CODES.fullmatch(code) and code != "INTERNAL" for code in codes), (said, query)
    assert all(not e["message"].isascii() for e in errors), (said, query)
    told = json.dumps([{k: v for k, v in e["extensions"].items() if k != "detail"} for e in errors]).encode()
    details = " ".join(str(e["extensions"].get("detail", "")) for e in errors)
    assert not LEAKS.search(told), (said, query)
    assert not re.search(r"Traceback|\.py\b|asyncpg|pg_|sqlalchemy|object at 0x|site-packages", details), (said, query)
    return codes


@pytest.mark.parametrize("label", OPERATIONS)
def test_operation(here: Town, client: httpx.Client, label: str) -> None:
    seen: Counter[str] = Counter()
    slugs = iter(range(10**9))

    @given(case=OPERATIONS[label].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=EXAMPLES < 50,
    )
    def asks(case: Any) -> None:
        slug = ROLES[(next(slugs) + hash_of(label)) % len(ROLES)]
        signed = here.tokens.get(slug)
        headers = {} if signed is None else {"authorization": f"Bearer {signed}"}
        body = {"query": case.body, "variables": {}}
        answer = client.post("/graphql", json=body, headers=headers)
        seen.update(looked_at(answer, case.body) or ["DATA"])

    asks()
    print(label, dict(seen))


def hash_of(label: str) -> int:
    """A number that is the same in every run."""
    return sum(label.encode())
