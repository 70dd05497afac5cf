"""Whose points strangers spend, and what bytes cost: who guesses mutes no neighbour, and nobody reads a megabyte for one."""

from __future__ import annotations

import time
from collections import OrderedDict

import asyncpg
import pytest

from api import auth
from api.limits import FREE, OPERATION, PIECE, weight
from models import clock
from resolvers.engine.limits import TEXT
from tests.demo import Demo
from tests.live.talking import talking
from tests.site import Site, served

HERE = "127.0.0.1"
JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
async def full(demo_of_module: Demo) -> None:
    """Every bucket is full again."""
    connection = await asyncpg.connect(demo_of_module.owner)
    await connection.execute("TRUNCATE rate_bucket")
    await connection.close()


async def closed(site: Site, most: int = 200) -> None:
    """Guesses until nobody listens to strangers any more."""
    for n in range(most):
        if (await site.post("{ __typename }", token=f"wsl_test_{n:08d}_{'x' * 38}")).status_code == 429:
            return
    raise AssertionError("strangers were heard all the time")


async def test_who_guesses_mutes_no_neighbour_who_is_signed_in(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(demo_of_module.api, WUSHE_RATE_ANONYMOUS="2000", WUSHE_RATE_ADDRESS="2000") as site:
        token = site.token(demo_of_module.claims["community-staff"])
        assert (await site.post("{ __typename }", token=token)).status_code == 200
        await closed(site)
        assert (await site.post("{ me { id } }", token=token)).status_code == 200
        assert (await site.client.get("/metrics", headers={"authorization": f"Bearer {token}"})).status_code != 429
        stale = OrderedDict((text, (actor, 0.0, 0.0)) for text, (actor, _, _) in site.tokens._known.items())
        monkeypatch.setattr(site.tokens, "_known", stale)
        await closed(site)
        assert (await site.post("{ me { id } }", token=token)).status_code == 200, (
            "a look that is due is nobody's guess"
        )
        assert (await site.post("{ __typename }")).status_code == 429
        other = site.token(demo_of_module.claims["resident"])
        assert (await site.post("{ __typename }", token=other)).status_code == 429, "nobody knows it yet"


async def test_what_a_known_person_sends_that_is_nothing_is_his_own_expense(demo_of_module: Demo) -> None:
    claims = demo_of_module.claims["community-staff"]
    async with served(demo_of_module.api) as site:
        token = site.token(claims)
        await site.post("{ __typename }", token=token)
        await site.post("{ __typename }")
        limits = site.door.operations.limits
        his, strangers = limits.people.kept[claims.person], limits.anonymous.kept[HERE]
        before, there = his.left, strangers.left
        headers = {**JSON, "authorization": f"Bearer {token}"}
        assert (await site.client.post("/graphql", content=b"[", headers=headers)).status_code == 400
        assert (before - his.left, there - strangers.left) == (OPERATION, 0)


async def test_a_body_is_not_read_from_where_strangers_are_not_heard(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(demo_of_module.api, WUSHE_RATE_ANONYMOUS="2000") as site:
        await closed(site)

        def read(*_: object) -> None:
            raise AssertionError("it was read")

        monkeypatch.setattr("api.http._body", read)
        answer = await site.client.post("/graphql", content=b"[]" * 100, headers=JSON)
        assert answer.status_code == 429


def test_bytes_cost_points() -> None:
    assert [weight(n) for n in (0, FREE, FREE + 1, FREE + PIECE, FREE + PIECE + 1, 1_000_000)] == [0, 0, 1, 1, 2, 246]


async def test_a_megabyte_costs_what_its_bytes_cost_whatever_it_says(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site:
        await site.post("{ __typename }")
        bucket = site.door.operations.limits.anonymous.kept[HERE]
        for body, status in ((b"[" * 900_000, 400), (b'{"query":"{ __typename }"}' + b" " * 900_000, 200)):
            before = bucket.left
            answer = await site.client.post("/graphql", content=body, headers=JSON)
            assert answer.status_code == status
            assert before - bucket.left == weight(len(body)) + OPERATION


async def test_bodies_are_refused_when_their_bytes_cannot_be_paid(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, WUSHE_RATE_ANONYMOUS="2000") as site:
        said = []
        for _ in range(20):
            said.append((await site.client.post("/graphql", content=b"[" * 900_000, headers=JSON)).status_code)
        assert set(said) == {400, 429} and said.count(400) <= 10


@pytest.mark.parametrize("text", ["#" + "x" * 990_000 + "\n{ __typename }", '{ a(b: "' + "y" * TEXT + '") }'])
async def test_a_document_has_so_many_characters_at_most(demo_of_module: Demo, text: str) -> None:
    async with served(demo_of_module.api) as site:
        began = time.process_time()
        answer = await site.post(text)
        assert answer.json()["errors"][0]["extensions"]["code"] == "TOO_LONG"
        assert time.process_time() - began < 0.1
        fits = "#" + "x" * (TEXT - 30) + "\n{ __typename }"
        assert (await site.post(fits)).json() == {"data": {"__typename": "Query"}}


async def test_one_token_is_remembered_once_however_it_is_written(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site:
        token = site.token(demo_of_module.claims["resident"])
        operations, known = site.door.operations, site.tokens._known
        before = len(known)
        for word in ("Bearer", "bearer", "BEARER"):
            assert (await operations.actor(f"{word} {token}", None)).person is not None
        assert len(known) == before + 1
        for strange in (
            f"Bearer  {token}",
            f"Bearer {token} ",
            f"Bearer\t{token}",
            f"Bearer {token}=",
            f"Bearer {token}\n",
        ):
            with pytest.raises(auth.NotSignedIn):
                await site.tokens.caller(strange, clock.now())
        assert len(known) == before + 1


async def test_a_credential_that_is_too_long_is_not_looked_at(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(demo_of_module.api) as site:

        async def look(*_: object) -> None:
            raise AssertionError("it was looked at")

        monkeypatch.setattr(site.tokens, "_look", look)
        assert (await site.post("{ __typename }", token="a" * auth.LONGEST)).status_code == 401


async def test_frames_cost_what_their_bytes_cost_and_so_does_a_greeting(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site:
        await site.post("{ __typename }")
        bucket = site.door.operations.limits.anonymous.kept[HERE]
        before = bucket.left
        async with talking(site) as talk:
            await talk.greet()
            assert before - bucket.left == OPERATION
            before = bucket.left
            text = '{"type":"ping","payload":{"a":"' + "x" * 200_000 + '"}}'
            await talk.say(text)
            assert (await talk.hear())["type"] == "pong"
            assert before - bucket.left == weight(len(text))
