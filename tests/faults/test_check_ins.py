"""A check-in and a check-out that are sent a hundred times: the hours are credited once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from models import clock
from tests.faults.client import CATEGORIES, REFUSED, Client, bare, key
from tests.faults.conftest import Town
from tests.faults.processes import Api

CREATE = f"""mutation ($input: SessionCreateInput!, $key: String!) {{
  sessionCreate(input: $input, idempotencyKey: $key) {{ {REFUSED} ... on ServiceSession {{ id }} }}
}}"""
PUBLISH = f"""mutation ($id: ID!, $key: String!) {{
  sessionPublish(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on ServiceSession {{ signCode {{ code }} }} }}
}}"""
SIGN_UP = f"""mutation ($id: ID!, $key: String!) {{
  sessionSignUp(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on Attendance {{ id status }} }}
}}"""
CHECK_IN = f"""mutation ($id: ID!, $input: CheckInput, $key: String!) {{
  attendanceCheckIn(id: $id, input: $input, idempotencyKey: $key) {{
    {REFUSED} ... on Attendance {{ id status checkIn {{ at }} }}
  }}
}}"""
CHECK_OUT = f"""mutation ($id: ID!, $input: CheckInput, $key: String!) {{
  attendanceCheckOut(id: $id, input: $input, idempotencyKey: $key) {{
    {REFUSED} ... on Attendance {{ id status creditedMinutes entries {{ id kind minutes }} }}
  }}
}}"""
CREDITED = """
SELECT a.status, a.credited_minutes,
       (SELECT count(*) FROM hour_entry WHERE attendance_id = a.id) AS entries,
       (SELECT sum(minutes) FROM hour_entry WHERE attendance_id = a.id) AS minutes,
       (SELECT count(*) FROM idempotency_record WHERE outcome_id = a.id AND mutation LIKE 'attendance_check%') AS keys
FROM attendance a WHERE a.id = $1
"""


PATIENT = {"WUSHE_ACQUIRE_TIMEOUT": "20", "WUSHE_DEADLINE": "30", "WUSHE_STATEMENT_TIMEOUT": "30"}
"""A hundred at once wait for one row, in turn: on a loaded machine longer than a person would."""


@pytest.fixture(scope="module")
async def two(here: Town, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A client of two API processes on one database."""
    logs = tmp_path_factory.mktemp("api")
    async with Api(here.api_url, logs / "a", **PATIENT) as a, Api(here.api_url, logs / "b", **PATIENT) as b:
        yield Client(a.port, b.port)


async def attended(here: Town, client: Client, volunteer: str, day: int) -> tuple[str, dict[str, str], datetime]:
    """Somebody is signed up for a session of an hour, so many days from now: the attendance, its code, and its start."""
    ngo = here.tokens["ngo-staff"]
    starts = clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=day)
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    (row,) = await here.sql("SELECT community_id FROM need ORDER BY id LIMIT 1")
    given = {
        "title": "周末陪伴",
        "category": categories["ELDERLY.ESCORT"],
        "community": f"division_{row['community_id']}",
        "startsAt": starts.isoformat(),
        "endsAt": (starts + timedelta(hours=1)).isoformat(),
        "capacity": 5,
    }
    session = (await client.do(ngo, CREATE, input=given))["id"]
    code = (await client.do(ngo, PUBLISH, id=session))["signCode"]["code"]
    return (await client.do(volunteer, SIGN_UP, id=session))["id"], {"code": code}, starts


async def test_a_check_in_replayed_a_hundred_times_credits_once(here: Town, two: Client) -> None:
    """Fifty one after another and fifty at once, over two processes: the same check-in, and the same check-out."""
    volunteer = here.tokens["volunteer"]
    part, code, starts = await attended(here, two, volunteer, 40)
    for verb, at in ((CHECK_IN, starts), (CHECK_OUT, starts + timedelta(hours=1))):
        same = key()
        sending = [{"at": at, "id": part, "input": code, "key": same}] * 50
        told = [(await two.ask(volunteer, verb, **each)).outcome for each in sending]
        told += [a.outcome for a in await asyncio.gather(*(two.ask(volunteer, verb, **each) for each in sending))]
        assert len(told) == 100
        assert all(each == told[0] and "code" not in each for each in told), told[0]
    assert told[0]["creditedMinutes"] == 60
    (row,) = await here.sql(CREDITED, bare(part))
    assert tuple(row) == ("CONFIRMED", 60, 1, 60, 2)


async def test_a_hundred_impatient_taps_credit_once(here: Town, two: Client) -> None:
    """Each with a key of its own, all at once: one checks in, one checks out, the others are told how it stands."""
    volunteer = here.volunteers[50]
    part, code, starts = await attended(here, two, volunteer, 41)
    for verb, at in ((CHECK_IN, starts), (CHECK_OUT, starts + timedelta(hours=1))):
        taps = await asyncio.gather(
            *(two.ask(volunteer, verb, at=at, id=part, input=code, key=key()) for _ in range(100))
        )
        came = Counter(a.outcome.get("code", "done") for a in taps)
        assert came == {"done": 1, "INVALID_TRANSITION": 99}
    (row,) = await here.sql(CREDITED, bare(part))
    assert tuple(row) == ("CONFIRMED", 60, 1, 60, 2)
