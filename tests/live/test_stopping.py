"""A process that is told to stop while sockets and streams are open: each hears of it, and what was begun is done."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from pathlib import Path

from tests.demo import Demo
from tests.faults.client import CLAIM
from tests.faults.processes import Api
from tests.live.talking import subscribe, talking
from tests.live.test_socket import waiting
from tests.live.test_stream import ONLY, Events
from tests.live.watched import CHANGED, Place, key, placed


async def test_told_to_stop_it_says_goodbye(demo_of_module: Demo, tmp_path: Path) -> None:
    async with placed(demo_of_module) as place, Api(demo_of_module.api, tmp_path / "log") as api:
        there = Place(place.site, place.demo)
        need, watched = await there.submitted(), await there.submitted()
        await there.verify(need)
        url, bare = place.site.url, uuid.UUID(need.partition("_")[2])
        place.site.url = api.url  # whoever connects from here on does so to the process
        body = {"query": CHANGED, "variables": {"id": watched}}
        mine = {**ONLY, "authorization": there.token("community-staff")}
        async with (
            talking(place.site) as talk,
            talking(place.site) as other,
            place.site.client.stream("POST", f"{api.url}/graphql", json=body, headers=mine) as answer,
        ):
            place.site.url = url
            await talk.greet(authorization=there.token("volunteer"))
            await other.greet(authorization=there.token("community-staff"))
            await other.say(subscribe(CHANGED, variables={"id": watched}))
            assert await other.alive()
            async with there.locked("SELECT FROM need WHERE id = $1 FOR UPDATE", bare):
                await talk.say(subscribe(CLAIM, variables={"id": need, "key": key()}))
                await waiting(there, 1)
                api.process.send_signal(signal.SIGTERM)
                assert await other.end(5) == (1001, "the server restarts: come again")
                assert await Events(answer).all() == [], "cut off, so that its client comes again"
                assert api.process.poll() is None
            assert (await talk.hear())["payload"]["data"]["needClaim"]["status"] == "PROPOSED"
            assert (await talk.end())[0] == 1001
            began = time.monotonic()
            assert await asyncio.to_thread(api.process.wait, 10) == 0
            assert time.monotonic() - began < 3
