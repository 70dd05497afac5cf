"""A clock that is moved by an hour, forward or back: nobody is locked out or let in by it, and no time is measured by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from api import auth
from api.auth import NotSignedIn, Tokens
from models import clock, vault
from models.access import PUBLIC_ACTOR, Claims, Role
from models.database import transaction
from models.identity import actions
from models.identity.accounts.throttle import Count, counted
from models.identity.rules import SignInMethod
from models.identity.tokens import DEMO, sign
from models.pool import Pool
from models.relay import Told, relay
from models.seed import accounts
from tests.faults.client import CLAIM, DECLINE, NEEDS, REFUSED, Client, bare, key, need
from tests.faults.conftest import Town
from tests.faults.holding import needs_locked
from tests.faults.processes import Api, eventually

HOUR = 3600
ME = "{ me { id } }"
REFRESH = f"""mutation ($token: String!) {{
  signInRefresh(refreshToken: $token) {{ {REFUSED} ... on SignIn {{ accessToken refreshToken }} }}
}}"""


class Hands:
    """The hands of a process's clock."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.put(0)

    def put(self, by: int) -> None:
        """So many seconds before or behind the true time."""
        self.file.write_text(str(by))


@pytest.fixture(scope="module")
def clockwork(tmp_path_factory: pytest.TempPathFactory) -> Hands:
    return Hands(tmp_path_factory.mktemp("clock") / "hands")


@pytest.fixture
def hands(clockwork: Hands) -> Iterator[Hands]:
    """The module's, which are right when a test begins."""
    yield clockwork
    clockwork.put(0)


@pytest.fixture(scope="module")
async def api(here: Town, clockwork: Hands, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """One that goes by those hands, and is short of patience."""
    env = {"WUSHE_DEADLINE": "2", "WUSHE_STATEMENT_TIMEOUT": "2"}
    async with Api(here.api_url, tmp_path_factory.mktemp("api") / "log", clock=clockwork.file, **env) as made:
        yield made


async def volunteer(here: Town) -> Any:
    (row,) = await here.sql("SELECT person_id FROM volunteer WHERE state = 'ACTIVE' ORDER BY volunteer_no LIMIT 1")
    return row["person_id"]


async def signed_in(here: Town) -> actions.Opened:
    """A sign-in of a volunteer's, begun just now."""
    pool, person = Pool(here.api_url, 1), await volunteer(here)
    try:
        return await transaction(
            pool,
            PUBLIC_ACTOR,
            clock.now(),
            lambda db: actions.open_sign_in(db, person, SignInMethod.WECHAT, strong=False),
        )
    finally:
        await pool.close()


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
async def test_who_is_signed_in_stays_so(here: Town, client: Client, hands: Hands, by: int) -> None:
    """A token that is not good at the new time is refused as one that has ended is, and a refresh gives one that is."""
    opened = await signed_in(here)
    access, fresh = opened.access_token, opened.refresh_token
    assert (await client.ask(access, ME)).outcome["id"]
    for moved in (by, 0, -by, 0):
        hands.put(moved)
        asked = await client.ask(access, ME)
        assert asked.code in (None, "UNAUTHENTICATED")
        renewed = (await client.ask(None, REFRESH, token=fresh)).outcome
        access, fresh = renewed["accessToken"], renewed["refreshToken"]
        assert (await client.ask(access, ME)).outcome["id"]


async def test_an_ended_sign_in_ends_within_a_minute_whatever_the_clock_says(
    here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who he is was looked up just before the clock was put back: it is looked up again by the time that has passed."""
    monkeypatch.setattr(auth, "RECHECK", 0.2)
    pool, person, opened = Pool(here.api_url, 2), await volunteer(here), await signed_in(here)
    tokens, now = Tokens(pool, demo=False, allow=lambda *_: None), clock.now()
    async with pool.connection() as connection:
        keys = await pool.vault.keys(connection)
    claims = Claims(person, Role.VOLUNTEER, sign_in=opened.sign_in)
    header = f"Bearer {sign(keys, claims, now - timedelta(hours=2), timedelta(hours=4))}"
    assert (await tokens.caller(header, now)).person == person
    earlier = now - timedelta(hours=1)
    assert (await tokens.caller(header, earlier)).person == person
    await here.sql("UPDATE sign_in SET ended_at = $2, end_reason = 'SIGNED_OUT' WHERE id = $1", opened.sign_in, now)
    await asyncio.sleep(0.25)
    with pytest.raises(NotSignedIn):
        await tokens.caller(header, earlier)
    await pool.close()


@pytest.mark.parametrize("by", [HOUR, -HOUR], ids=["forward", "back"])
async def test_deadlines_are_measured(here: Town, client: Client, hands: Hands, by: int) -> None:
    """What waits when the clock is moved is ended when its seconds are over, neither at once nor an hour later."""
    staff, volunteer = here.tokens["community-staff"], here.tokens["volunteer"]
    wanted, same = await need(client, here.tokens), key()
    async with needs_locked(here):
        waits = asyncio.gather(client.ask(staff, NEEDS), client.ask(volunteer, CLAIM, id=wanted, key=same))
        await asyncio.sleep(0.5)
        hands.put(by)
        for answer in await waits:
            assert answer.code in ("DEADLINE", "BUSY") and 1.5 < answer.seconds < 3.5
    hands.put(0)
    assert (await client.ask(volunteer, CLAIM, id=wanted, key=same)).outcome["status"] == "PROPOSED"


async def test_writes_go_on_and_are_told_in_order_while_the_clock_jumps(here: Town, log: Path, hands: Hands) -> None:
    """Its first look at the keys is an hour before they were made; then it jumps about. Nothing is lost or told twice."""
    tokens = await at_all_times(here)
    reader = await asyncpg.connect(here.api_url)
    await told(reader)
    hands.put(-HOUR)
    async with Api(here.api_url, log, clock=hands.file) as api:
        client, claims = Client(api.port), []
        for by in (-HOUR, 0, HOUR, 0, -HOUR, HOUR):
            hands.put(by)
            wanted, same = await need(client, tokens), key()
            first = (await client.ask(tokens["volunteer"], CLAIM, id=wanted, key=same)).outcome
            hands.put(0)
            assert (await client.ask(tokens["volunteer"], CLAIM, id=wanted, key=same)).outcome == first
            claims.append(first["id"])
            await client.do(tokens["volunteer"], DECLINE, id=first["id"])
    events: list[Told] = []
    ours = [bare(id) for id in claims]

    async def all_told() -> bool:
        events.extend(e for e in await told(reader) if e.subject in ours)
        return len([e for e in events if e.topic == "commitment.declined"]) >= len(claims)

    await eventually(all_told)  # what runs elsewhere on the server may hold the relay back for a while
    places = [(event.xid, event.id) for event in events]
    assert places == sorted(set(places))
    assert [e.subject for e in events if e.topic == "commitment.proposed"] == ours
    await reader.close()


async def at_all_times(here: Town) -> dict[str, str]:
    """Credentials of the demo's people that are good an hour ago and in an hour."""
    connection = await asyncpg.connect(here.api_url)
    try:
        keys = await vault.load(connection)
    finally:
        await connection.close()
    since = clock.now() - timedelta(hours=2)
    return {slug: sign(keys, claims, since, DEMO) for slug, claims in await accounts(here.api_url)}


async def told(connection: asyncpg.Connection) -> list[Told]:
    """What the relay tells until there is nothing more."""
    events: list[Told] = []

    async def hand(_: asyncpg.Connection, batch: Any) -> None:
        events.extend(batch)

    while await relay(connection, clock.now(), hand):
        pass
    return events


def test_a_lock_lasts_no_longer_because_the_clock_was_put_back() -> None:
    now, minutes = clock.now(), timedelta(minutes=10)
    was = Count(5, now + timedelta(hours=1), 1, now + timedelta(hours=1) + minutes)
    count, allowed = counted(was, now, 5)
    assert not allowed and count.locked_until == now + minutes
    assert counted(count, now + minutes, 5)[1]
    skewed = Count(5, now + timedelta(seconds=2))
    assert not counted(skewed, now, 5)[1], "clocks of two processes differ a little, and nobody gains a guess by it"
