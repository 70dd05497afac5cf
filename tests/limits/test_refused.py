"""What is refused costs its address; a network of IPv6 is one address everywhere; strangers end nothing of others'."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import asyncpg
import pytest
from prometheus_client import REGISTRY
from websockets.exceptions import InvalidStatus

from api import auth
from api.limits import OPERATION
from api.live import hub as hubs
from api.operations import Failed
from api.patience import Bounds, Patience
from tests.demo import Demo
from tests.limits.test_door import LITTLE, NEEDS, refused
from tests.live.talking import subscribe, talking
from tests.live.test_socket import HELD, waiting
from tests.live.watched import CHANGED, placed, until
from tests.site import served

ONLY = {"accept": "text/event-stream"}
HERE = "127.0.0.1"
MUCH = "subscription ($id: ID!) { needChanged(id: $id) { need { commitments(first: 100) { id } } } }"


@dataclasses.dataclass(eq=False)
class Connection:
    """What is looked at of a connection when it is counted."""

    client: tuple[str, int]
    loop: asyncio.AbstractEventLoop


@pytest.fixture(autouse=True)
async def full(demo_of_module: Demo) -> None:
    """Every bucket is full again."""
    connection = await asyncpg.connect(demo_of_module.owner)
    await connection.execute("TRUNCATE rate_bucket")
    await connection.close()


async def turned_away(site: Any, **more: Any) -> int:
    """With which status a handshake is refused."""
    with pytest.raises(InvalidStatus) as no:
        async with talking(site, **more):
            pass
    return no.value.response.status_code


def ended(status: str) -> float:
    """How many requests have ended so in this process."""
    return REGISTRY.get_sample_value("wushe_requests_total", {"status": status}) or 0.0


# what is refused


async def test_handshakes_that_are_refused_cost_their_address(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, WUSHE_OPEN_EACH="1") as site:
        limits = site.door.operations.limits
        limits.fine(HERE)
        bucket = limits.anonymous.kept[HERE]
        left = bucket.left
        assert await turned_away(site, origin="https://evil.example") == 403
        assert bucket.left == left - OPERATION
        async with talking(site):
            assert await turned_away(site) == 429
        assert bucket.left == left - 2 * OPERATION
        async with talking(site) as talk:
            await talk.say("no JSON")
            assert (await talk.end())[0] == 4400
        await until(lambda: bucket.left == left - 3 * OPERATION)


async def test_operations_that_find_no_room_cost_whoever_asks_for_them(demo_of_module: Demo) -> None:
    async with placed(demo_of_module) as place, place.talk("community-staff") as talk:
        need = await place.submitted()
        for n in range(50):
            await talk.say(subscribe(CHANGED, str(n), variables={"id": need}))
        await until(lambda: len(place.site.door.sockets.hub) == 50)
        limits, who = place.site.door.operations.limits, place.demo.claims["community-staff"].person
        bucket = limits.people.kept[who]
        left = bucket.left
        for n in range(20):
            await talk.say(subscribe("{ __typename }", f"more {n}"))
            assert (await talk.hear())["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        assert bucket.left == left - 20 * OPERATION


async def test_what_its_client_gives_up_is_counted_as_such(demo_of_module: Demo) -> None:
    async with placed(demo_of_module) as place, place.talk("community-staff") as talk, place.locked(HELD):
        gone, well = ended("gone"), ended("200")
        for _ in range(3):
            await talk.say(subscribe("{ needs(first: 1) { totalCount } }", "q"))
            await waiting(place, 1)
            await talk.say({"type": "complete", "id": "q"})
            await waiting(place, 0)
        assert (ended("gone") - gone, ended("200") - well) == (3, 0)


@pytest.mark.parametrize("query", [NEEDS, MUCH], ids=["query", "subscription"])
async def test_a_stream_that_cannot_be_paid_is_refused_before_it_starts(demo_of_module: Demo, query: str) -> None:
    asked = {"query": query, "variables": {"id": "need_01990000-0000-7000-8000-000000000000"} if "$" in query else {}}
    async with served(demo_of_module.api, **LITTLE) as site:
        said = [await site.client.post("/graphql", json=asked, headers=ONLY) for _ in range(3)]
        assert all(answer.status_code == 200 for answer in said[:2])
        while said[-1].status_code == 200 and len(said) < 200:
            said.append(await site.client.post("/graphql", json=asked, headers=ONLY))
        assert not any("RATE_LIMITED" in answer.text for answer in said[:-1])
        refused(said[-1])


async def test_a_stream_for_which_nothing_is_heard_is_refused_before_it_starts(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "PATIENCE", 0.05)
    async with served(demo_of_module.api) as site:
        heard = site.door.streams.hub._there
        await until(heard.is_set)
        heard.clear()
        answer = await site.post(CHANGED, {"id": "need_1"}, **ONLY)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
        assert answer.json()["errors"][0]["extensions"]["code"] == "BUSY"
        assert not site.door.places._all and not site.door.places._taken


# whose budget it is


async def test_what_strangers_used_up_ends_no_socket(demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that are asked about again, of whom no address is known, are not counted together."""
    monkeypatch.setattr(auth, "RECHECK", 0.2)
    async with placed(demo_of_module, WUSHE_RATE_ANONYMOUS="2000") as place, place.talk("ngo-staff") as talk:
        for n in range(120):
            with pytest.raises(Failed) as no:
                await place.site.door.operations.actor(f"Bearer wsl_test_{n:08d}_{'x' * 38}", None)
            assert no.value.failure.status == 401
            if n % 20 == 19:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.5)
        assert await talk.alive()
        assert (await talk.ask("{ me { acting { role } } }"))["data"]["me"]["acting"]["role"] == "NGO_STAFF"


# whose place it is


async def test_a_network_of_ipv6_has_the_places_of_one_address(demo_of_module: Demo) -> None:
    async with placed(demo_of_module, WUSHE_OPEN_EACH="2", WUSHE_PROXIES="1") as place:
        need = await place.submitted()

        def there(address: str) -> Any:
            return talking(place.site, additional_headers={"X-Forwarded-For": address})

        async with there("2001:db8:0:1::1"), there("2001:db8:0:1::2"), there("2001:db8:0:2::1"):
            last = {"X-Forwarded-For": "2001:db8:0:1:ffff::9"}
            assert await turned_away(place.site, additional_headers=last) == 429
            headers = {**ONLY, **last, "authorization": place.token("community-staff")}
            asked = {"query": CHANGED, "variables": {"id": need}}
            no = await place.site.client.post("/graphql", json=asked, headers=headers)
            assert no.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_CONNECTIONS"


async def test_a_network_of_ipv6_has_the_connections_of_one_address() -> None:
    """A test has one address of IPv6 at most: what stands for the connections has nothing but theirs."""
    patience, loop = Patience(Bounds(all=100, each=3)), asyncio.get_running_loop()

    def comes(address: str) -> Any:
        return Connection((address, 1), loop)

    first = comes("2001:db8::1")
    assert patience.opened(first)
    assert [patience.opened(comes(f"2001:db8::{n:x}")) for n in range(2, 7)] == [True, True, False, False, False]
    assert patience.opened(comes("2001:db8:0:1::1")) and patience.opened(comes("192.0.2.1"))
    patience.closed(first)
    assert patience.opened(comes("2001:db8::ffff"))
    assert patience._timer is not None
    patience._timer.cancel()
