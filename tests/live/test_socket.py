"""Operations over a socket: whose they are, how they end, and how many there may be."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from api import auth
from tests.demo import Demo
from tests.live.talking import subscribe, talking
from tests.live.watched import CHANGED, CLAIM, READ, Place, key, placed, until

ME = "{ me { acting { role } } }"
HELD = "LOCK TABLE need IN ACCESS EXCLUSIVE MODE"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(demo_of_module: Demo) -> AsyncIterator[Place]:
    async with placed(demo_of_module) as made:
        yield made


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capsys.readouterr() == ("", "")


# who asks


async def test_without_a_credential_one_is_the_public(place: Place) -> None:
    async with place.talk() as talk:
        assert (await talk.ask(ME))["data"] == {"me": None}


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
async def test_who_one_is_stands_in_the_payload(place: Place, name: str) -> None:
    async with talking(place.site) as talk:
        await talk.greet(**{name: place.token("volunteer")})
        assert (await talk.ask(ME))["data"] == {"me": {"acting": {"role": "VOLUNTEER"}}}


async def test_or_in_the_header_and_the_payload_comes_first(place: Place) -> None:
    header = {"Authorization": place.token("volunteer")}
    async with talking(place.site, additional_headers=header) as talk:
        await talk.greet()
        assert (await talk.ask(ME))["data"]["me"]["acting"]["role"] == "VOLUNTEER"
    async with talking(place.site, additional_headers=header) as talk:
        await talk.greet(authorization=place.token("auditor"))
        assert (await talk.ask(ME))["data"]["me"]["acting"]["role"] == "AUDITOR"


async def test_a_credential_that_is_none_is_on_the_audit_log(demo_of_module: Demo) -> None:
    """Once a minute for each address, as at the door of HTTP."""
    async with placed(demo_of_module, WUSHE_PROXIES="1") as place:
        for _ in range(3):
            async with talking(place.site, additional_headers={"X-Forwarded-For": "198.51.100.7"}) as talk:
                await talk.say({"type": "connection_init", "payload": {"authorization": "Bearer no"}})
                assert (await talk.end())[0] == 4403
        await until(lambda: not place.site.door.sockets.open.all)
        noted = await place.sql(
            "SELECT result FROM audit_event WHERE action = 'signIn.check' AND address = '198.51.100.7'"
        )
    assert [row["result"] for row in noted] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("credential", ["Bearer no", "no", "Bearer ", "Basic eA==", "Bearer " + "x" * 5000])
async def test_a_credential_that_is_none_ends_the_socket(place: Place, credential: str) -> None:
    async with talking(place.site) as talk:
        await talk.say({"type": "connection_init", "payload": {"authorization": credential}})
        assert await talk.end() == (4403, "the credential is not valid, or has ended")


async def test_the_socket_ends_when_its_token_does(place: Place) -> None:
    async with talking(place.site) as talk:
        await talk.greet(authorization=place.token("volunteer", seconds=2))
        assert (await talk.ask(ME))["data"]["me"] is not None
        assert await talk.end(6) == (4403, "the credential is not valid, or has ended")


async def test_and_when_its_capacity_does(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "RECHECK", 0.5)
    async with place.talk("ngo-staff") as talk:
        claims = place.demo.claims["ngo-staff"]
        await place.sql("UPDATE membership SET revoked_at = now() WHERE id = $1 RETURNING 1", claims.membership)
        assert (await talk.end(6))[0] == 4403


# what runs over it


async def test_a_mutation_is_read_by_the_query_behind_it(place: Place) -> None:
    need = await place.submitted()
    await place.verify(need)
    async with place.talk("volunteer") as talk:
        given = {"id": need, "key": key()}
        first = await talk.ask(CLAIM, variables=given)
        assert first["data"]["needClaim"]["status"] == "PROPOSED"
        assert await talk.ask(CLAIM, variables=given) == first, "the same key, the same outcome"
        assert (await talk.ask(READ, variables={"id": need}))["data"]["need"]["id"] == need


async def test_answers_come_as_they_are_ready_each_by_its_id(place: Place) -> None:
    async with place.talk("community-staff") as talk:
        async with place.locked(HELD):
            await talk.say(subscribe("{ needs(first: 1) { totalCount } }", "slow"))
            assert (await talk.ask("{ __typename }", "fast"))["data"] == {"__typename": "Query"}
        assert [(m["id"], m["type"]) for m in (await talk.hear(), await talk.hear())] == [
            ("slow", "next"),
            ("slow", "complete"),
        ]


async def waiting(place: Place, count: int) -> None:
    """Waits until so many statements of the API wait for a lock."""
    query = """SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'wushe' AND state = 'active' AND wait_event_type = 'Lock'"""
    for _ in range(500):
        if (await place.sql(query))[0]["waiting"] == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there are never {count} that wait")


async def test_a_query_that_nobody_waits_for_any_more_stops(place: Place) -> None:
    async with place.talk("community-staff") as talk, place.locked(HELD):
        await talk.say(subscribe("{ needs(first: 1) { totalCount } }", "q"))
        await waiting(place, 1)
        await talk.say({"type": "complete", "id": "q"})
        await waiting(place, 0)
        assert await talk.alive(), "and nothing was said of it"
        await talk.say(subscribe("{ needs(first: 1) { totalCount } }", "q"))
        await waiting(place, 1)
        await talk.connection.close()
        await waiting(place, 0)


@pytest.mark.parametrize("leaves", [False, True], ids=["complete", "close"])
async def test_a_mutation_that_nobody_waits_for_any_more_is_done(place: Place, leaves: bool) -> None:
    need, same = await place.submitted(), key()
    await place.verify(need)
    bare = uuid.UUID(need.partition("_")[2])
    async with place.talk("volunteer") as talk:
        async with place.locked("SELECT FROM need WHERE id = $1 FOR UPDATE", bare):
            await talk.say(subscribe(CLAIM, "m", variables={"id": need, "key": same}))
            await waiting(place, 1)
            await (talk.connection.close() if leaves else talk.say({"type": "complete", "id": "m"}))
            await asyncio.sleep(0.3)
        if not leaves:
            assert await talk.alive(), "and nothing was said of it"
        for _ in range(300):
            if made := await place.sql("SELECT id FROM commitment WHERE need_id = $1", bare):
                break
            await asyncio.sleep(0.01)
    again = await place.do("volunteer", CLAIM, id=need, key=same)
    assert again["id"] == f"commitment_{made[0]['id']}"


async def test_a_query_that_takes_too_long_is_an_error(demo_of_module: Demo) -> None:
    async with placed(demo_of_module, WUSHE_DEADLINE="0.3") as place, place.talk("community-staff") as talk:
        async with place.locked(HELD):
            await talk.say(subscribe("{ needs(first: 1) { totalCount } }"))
            told = await talk.hear()
        assert told["type"] == "error" and told["payload"][0]["extensions"]["code"] == "DEADLINE"
        assert (await talk.ask(ME))["data"]["me"]


async def test_fifty_operations_at_once(place: Place) -> None:
    async with place.talk("community-staff") as talk:
        need = await place.submitted()
        for n in range(50):
            await talk.say(subscribe(CHANGED, str(n), variables={"id": need}))
        await talk.say(subscribe("{ __typename }", "50"))
        told = await talk.hear()
        assert (told["id"], told["type"]) == ("50", "error")
        assert told["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await talk.say({"type": "complete", "id": "7"})
        assert await talk.alive()
        assert (await talk.ask("{ __typename }", "7"))["data"]


# what is told


async def test_a_change_is_told(place: Place) -> None:
    need = await place.submitted()
    hub = place.site.door.sockets.hub
    async with place.talk("community-staff") as talk:
        await talk.say(subscribe(CHANGED, "s", variables={"id": need}))
        await until(lambda: len(hub) == 1)
        await place.verify(need)
        await place.do("volunteer", CLAIM, id=need)
        told = [await talk.hear() for _ in range(2)]
        assert [(m["type"], m["id"], m["payload"]["data"]["needChanged"]["topic"]) for m in told] == [
            ("next", "s", "OPENED"),
            ("next", "s", "COMMITMENT"),
        ]
        assert told[0]["payload"]["data"]["needChanged"]["need"] == {"id": need, "status": "OPEN"}
        await talk.say({"type": "complete", "id": "s"})
        await until(lambda: len(hub) == 0)
        await place.do("community-staff", CANCEL, id=need)
        assert await talk.alive(), "and nothing more was told"


CANCEL = """mutation ($id: ID!, $key: String!) {
  needCancel(id: $id, reason: "不再需要", idempotencyKey: $key) { ... on Need { id status } ... on Problem { code } }
}"""


async def test_who_leaves_leaves_nothing_behind(place: Place) -> None:
    need, hub = await place.submitted(), place.site.door.sockets.hub
    tasks = len(asyncio.all_tasks())
    for _ in range(3):
        async with place.talk("community-staff") as talk:
            for n in range(5):
                await talk.say(subscribe(CHANGED, str(n), variables={"id": need}))
            await until(lambda: len(hub) == 5)
            talk.connection.transport.abort()
        await until(lambda: len(hub) == 0)
    await until(lambda: not place.site.door.sockets.open.all)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_what_one_may_not_see_is_not_there(place: Place) -> None:
    need = await place.submitted()
    async with place.talk() as talk:
        await talk.say(subscribe(CHANGED, variables={"id": need}))
        told = await talk.hear()
        assert told["type"] == "error" and told["payload"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_a_subscription_ends_with_its_token(place: Place) -> None:
    need, hub = await place.submitted(), place.site.door.sockets.hub
    async with talking(place.site) as talk:
        await talk.greet(authorization=place.token("community-staff", seconds=2))
        await talk.say(subscribe(CHANGED, variables={"id": need}))
        assert (await talk.end(6))[0] == 4403
    await until(lambda: len(hub) == 0)


# who may come


@pytest.mark.parametrize(
    "origin", ["https://servicewechat.com", None, "http://{host}", "https://{host}", "https://a.example"]
)
async def test_pages_that_may(demo_of_module: Demo, origin: str | None) -> None:
    async with placed(demo_of_module, WUSHE_ORIGINS="https://a.example, https://b.example") as place:
        from_ = None if origin is None else origin.format(host=place.site.url.removeprefix("http://"))
        async with place.talk(origin=from_) as talk:
            assert await talk.alive()


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://servicewechat.com",
        "https://servicewechat.com.evil.example",
        "https://evil.example/{host}",
        "https://{host}.evil.example",
        "http://127.0.0.1",
        "{host}",
        "https://[",
        "https://x@{host}",
    ],
)
async def test_pages_that_may_not(place: Place, origin: str) -> None:
    named = origin.format(host=place.site.url.removeprefix("http://"))
    with pytest.raises(InvalidStatus) as no:
        async with talking(place.site, additional_headers={"Origin": named}):
            pass
    assert no.value.response.status_code == 403
    assert b"ORIGIN_NOT_ALLOWED" in no.value.response.body


async def test_as_many_as_there_is_room_for(demo_of_module: Demo) -> None:
    async with placed(demo_of_module, WUSHE_OPEN_EACH="2") as place:
        async with place.talk(), place.talk():
            with pytest.raises(InvalidStatus) as no:
                async with talking(place.site):
                    pass
            assert (no.value.response.status_code, no.value.response.headers["retry-after"]) == (429, "30")
        await until(lambda: not place.site.door.sockets.open.all)
        async with place.talk() as talk:
            assert await talk.alive()
    async with placed(demo_of_module, WUSHE_OPEN="1") as place, place.talk():
        with pytest.raises(InvalidStatus) as no:
            async with talking(place.site):
                pass
        assert no.value.response.status_code == 503


async def test_one_caller_from_many_addresses(demo_of_module: Demo) -> None:
    """Two are his; the third is told to come later."""
    async with placed(demo_of_module, WUSHE_OPEN_EACH="2", WUSHE_PROXIES="1") as place:

        def there(n: int) -> Any:
            return talking(place.site, additional_headers={"X-Forwarded-For": f"192.0.2.{n}"})

        mine = {"authorization": place.token("volunteer")}
        async with there(1) as one, there(2) as two, there(3) as three:
            await one.greet(**mine)
            await two.greet(**mine)
            await three.say({"type": "connection_init", "payload": mine})
            assert await three.end() == (1013, "come again later")


# the end


async def test_a_server_that_stops_answers_and_says_goodbye(demo_of_module: Demo) -> None:
    async with placed(demo_of_module) as place:
        need, watched = await place.submitted(), await place.submitted()
        await place.verify(need)
        bare = uuid.UUID(need.partition("_")[2])
        async with place.talk("volunteer") as talk, place.talk("community-staff") as other:
            await other.say(subscribe(CHANGED, variables={"id": watched}))
            async with place.locked("SELECT FROM need WHERE id = $1 FOR UPDATE", bare):
                await talk.say(subscribe(CLAIM, "m", variables={"id": need, "key": key()}))
                await waiting(place, 1)
                leaving = asyncio.create_task(place.site.door.leave(5))
                assert await other.end(2) == (1001, "the server restarts: come again")
                with pytest.raises(InvalidStatus) as no:
                    async with talking(place.site):
                        pass
                assert no.value.response.status_code == 503
            assert (await talk.hear())["payload"]["data"]["needClaim"]["status"] == "PROPOSED"
            assert (await talk.hear())["type"] == "complete"
            assert (await talk.end())[0] == 1001
            await leaving
