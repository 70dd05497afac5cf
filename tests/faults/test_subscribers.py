"""Sockets and streams when a process goes: each is told to come again, and whoever comes again has missed nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from api.jobs import Duties
from models import clock, relay
from tests.faults.client import CLAIM, DECLINE, NEEDS, Client, key, need
from tests.faults.conftest import Town
from tests.faults.holding import held, needs_locked, waiting
from tests.faults.processes import Api, eventually
from tests.live.talking import PROTOCOL, Talk, subscribe
from tests.live.test_stream import Events
from tests.worker.conftest import happen, relaying, working

WATCH = "subscription ($id: ID!, $since: String) { needChanged(id: $id, since: $since) { topic cursor } }"
QUEUED = "SELECT count(*) AS jobs FROM pgqueuer"
GOING_AWAY = 1001


@contextlib.asynccontextmanager
async def talking(api: Api, signed: str) -> AsyncIterator[Talk]:
    """A socket of somebody's."""
    url = f"ws://127.0.0.1:{api.port}/graphql"
    async with connect(
        url, subprotocols=[Subprotocol(PROTOCOL)], compression=None, close_timeout=1, proxy=None
    ) as connection:
        talk = Talk(connection)
        await talk.greet(authorization=f"Bearer {signed}")
        yield talk


async def watches(talk: Talk, id: str, since: str | None = None) -> None:
    """Subscribes, and waits until that has begun."""
    await talk.say(subscribe(WATCH, variables={"id": id, "since": since}))
    await asyncio.sleep(0.5)


async def change(talk: Talk) -> dict[str, Any]:
    """The next change that is told."""
    said = await talk.hear()
    assert said["type"] == "next" and "errors" not in said["payload"], said
    found: dict[str, Any] = said["payload"]["data"]["needChanged"]
    return found


@contextlib.asynccontextmanager
async def streaming(api: Api, signed: str, id: str) -> AsyncIterator[Events]:
    """A stream of somebody's, which watches a need."""
    given = {"query": WATCH, "variables": {"id": id}}
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {signed}"}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{api.url}/graphql", json=given, headers=headers) as answer,
    ):
        assert answer.status_code == 200
        yield Events(answer)


async def test_told_to_stop_it_answers_first_and_sends_sockets_and_streams_on(here: Town, tmp_path: Path) -> None:
    """A query, a mutation, a socket and a stream are in flight. Another process tells what was missed meanwhile, once."""
    staff, volunteer = here.tokens["community-staff"], here.tokens["volunteer"]
    async with (
        working(here.api_url, Duties()),
        Api(here.api_url, tmp_path / "a") as first,
        Api(here.api_url, tmp_path / "b") as second,
    ):
        client = Client(first.port)
        wanted, watched = await need(client, here.tokens), await need(client, here.tokens)
        await eventually(lambda: relayed(here), 30)
        async with talking(first, staff) as talk, streaming(first, staff, watched) as stream:
            await watches(talk, watched)
            made = await client.do(volunteer, CLAIM, id=watched)
            seen = await change(talk)
            told = await stream.next()
            assert told is not None and told[1]["data"]["needChanged"]["cursor"] == seen["cursor"]
            async with needs_locked(here):
                asked = [client.ask(volunteer, CLAIM, id=wanted, key=key()), client.ask(staff, NEEDS)]
                both = asyncio.gather(*asked)
                await waiting(here, 2)
                first.process.send_signal(signal.SIGTERM)
                assert (await talk.end(5))[0] == GOING_AWAY
                assert await stream.next(5) is None, "cut off without `complete`, so that its client comes again"
                assert first.process.poll() is None and not both.done()
            claim, read = await both
            assert claim.outcome["status"] == "PROPOSED" and read.outcome["edges"]
            began = time.monotonic()
            assert await asyncio.to_thread(first.process.wait, 10) == 0
            assert time.monotonic() - began < 3
        await Client(second.port).do(staff, DECLINE, id=made["id"])
        async with talking(second, staff) as talk:
            await watches(talk, watched, since=seen["cursor"])
            missed = await change(talk)
            assert missed["cursor"] != seen["cursor"]
            await Client(second.port).do(volunteer, CLAIM, id=watched)
            assert (await change(talk))["topic"] == seen["topic"]


async def test_a_relay_killed_between_reading_and_notifying_is_heard_once(here: Town, tmp_path: Path) -> None:
    """It has read two events, waits to queue the job that one calls for, and is killed. The next one tells both, once."""
    staff, volunteer = here.tokens["community-staff"], here.tokens["volunteer"]
    writer = await asyncpg.connect(here.api_url)
    async with Api(here.api_url, tmp_path / "log") as api:
        client = Client(api.port)
        watched = await need(client, here.tokens)
        with relaying(here.api_url):
            await eventually(lambda: relayed(here), 30)
        async with talking(api, staff) as talk:
            await watches(talk, watched)
            async with held(here, "LOCK TABLE pgqueuer IN SHARE ROW EXCLUSIVE MODE"):
                await happen(writer, clock.now())
                await client.do(volunteer, CLAIM, id=watched)
                with relaying(here.api_url) as process:
                    await eventually(lambda: here.sql(STUCK), 30)
                    process.kill()
                    await asyncio.to_thread(process.wait)
                    await eventually(lambda: _none(here), 10)
                assert await talk.alive(), "nothing was told before this answer"
            (row,) = await here.sql(QUEUED)
            assert row["jobs"] == 0
            with relaying(here.api_url):
                assert (await change(talk))["topic"] == "COMMITMENT"
                await eventually(lambda: relayed(here), 30)
                await asyncio.sleep(0.3)
            assert await talk.alive(), "and nothing was told a second time before this one"
            (row,) = await here.sql(QUEUED)
            assert row["jobs"] == 1
    await writer.close()


async def relayed(here: Town) -> bool:
    """Whether everything that has happened was told."""
    return not await here.sql(relay.LOOK)


STUCK = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock' AND query ILIKE '%pgqueuer%'
"""


async def _none(here: Town) -> bool:
    return not await here.sql(STUCK)
