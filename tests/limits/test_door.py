"""Limits as callers meet them: over HTTP, who is told to wait and for how long; guesses at credentials; sign-ins."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from api.limits import MUTATION, OPERATION
from tests.demo import Demo
from tests.live.talking import subscribe, talking
from tests.site import Site, served

LITTLE = {
    "WUSHE_RATE_PERSON": "3000",
    "WUSHE_RATE_ANONYMOUS": "2000",
    "WUSHE_RATE_ADDRESS": "1000000",
    "WUSHE_RATE_SIGN_IN": "5",
}
NEEDS = "{ needs(first: 100) { edges { node { id title } } } }"
"""101 points, and one for being an operation."""
SIGN_IN = """mutation ($n: String!) {
  signInWithPassword(login: $n, password: "盛京的雪下得早啊真好看") { __typename ... on Problem { code } }
}"""


@pytest.fixture(autouse=True)
async def full(demo_of_module: Demo) -> None:
    """Every bucket is full again."""
    connection = await asyncpg.connect(demo_of_module.owner)
    await connection.execute("TRUNCATE rate_bucket")
    await connection.close()


def refused(answer: httpx.Response) -> dict[str, Any]:
    """The error of an answer that says to wait, in its head and its body."""
    assert answer.status_code == 429, answer.text
    (error,) = answer.json()["errors"]
    advice: dict[str, Any] = error["extensions"]
    assert advice["code"] == "RATE_LIMITED" and advice["retry"] == "LATER"
    assert answer.headers["retry-after"] == str(advice["retryAfterSeconds"])
    assert 1 <= advice["retryAfterSeconds"] <= 60
    return {**advice, "message": error["message"]}


async def until_refused(site: Site, query: str, token: str | None = None, most: int = 5_000) -> tuple[int, Any]:
    """How many went well before one was refused, and what that was told."""
    for n in range(most):
        answer = await site.post(query, token=token)
        if answer.status_code != 200:
            return n, refused(answer)
        assert "errors" not in answer.json()
    raise AssertionError("it was never refused")


async def test_a_person_and_the_public_have_buckets_of_their_own_and_are_told_to_wait(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site:
        signed = site.token(demo_of_module.claims["community-staff"])
        asked, told = await until_refused(site, NEEDS, signed)
        assert 29 <= asked <= 40
        assert told["message"] == "请求过于频繁，请稍后再试。"
        asked, _ = await until_refused(site, NEEDS)
        assert 19 <= asked <= 30
        assert (await site.post(NEEDS, token=site.token(demo_of_module.claims["resident"]))).status_code == 200
        await asyncio.sleep(told["retryAfterSeconds"])
        assert (await site.post(NEEDS, token=signed)).status_code == 200


async def test_documents_that_are_refused_and_requests_that_cannot_be_read_cost_something(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site:
        limits = site.door.operations.limits
        await site.post("{ nope }")
        anonymous = limits.anonymous.kept["127.0.0.1"]
        where = limits.addresses.kept["127.0.0.1"]
        left, there = anonymous.left, where.left
        await site.post("{ nope }")
        assert anonymous.left == left - 2 * OPERATION and where.left == there - OPERATION
        await site.client.post("/graphql", content=b"[", headers={"content-type": "application/json"})
        assert anonymous.left == left - 3 * OPERATION and where.left == there - OPERATION


async def test_a_mutation_costs_more_than_a_query(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site:
        limits = site.door.operations.limits
        await site.post("{ __typename }")
        bucket = limits.addresses.kept["127.0.0.1"]
        before = bucket.left
        await site.post("{ me { id } }")
        query = before - bucket.left
        before = bucket.left
        await site.post("mutation { signInsEnd { __typename } }")
        assert before - bucket.left >= query + MUTATION


async def test_an_address_is_refused_whoever_asks_from_there(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **{**LITTLE, "WUSHE_RATE_ADDRESS": "2000"}) as site:
        for slug in ("community-staff", "grid-officer"):
            signed = site.token(demo_of_module.claims[slug])
            for _ in range(9):
                assert (await site.post(NEEDS, token=signed)).status_code == 200
        signed = site.token(demo_of_module.claims["resident"])
        assert [(await site.post(NEEDS, token=signed)).status_code for _ in range(4)][-1] == 429


async def test_who_guesses_at_credentials_is_not_heard_any_more(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **{**LITTLE, "WUSHE_RATE_ADDRESS": "2000"}) as site:
        said = []
        for n in range(70):
            answer = await site.post("{ __typename }", token=f"wsl_test_{n:08d}_{'x' * 38}")
            said.append(answer.status_code)
            if answer.status_code == 429:
                refused(answer)
        first = said.index(429)
        assert 38 <= first < 60 and set(said[:first]) == {401} and set(said[first:]) <= {429, 401}
        assert said[first:].count(401) <= 3  # while a new lease is asked for, one or the other is heard


async def test_sign_ins_of_an_address_are_counted_whatever_is_guessed_at(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site:
        said = [await site.post(SIGN_IN, {"n": f"1010000{n:04d}"}) for n in range(9)]
        assert [a.status_code for a in said[:5]] == [200] * 5
        assert refused(said[-1])["retryAfterSeconds"] <= 12
        twice = SIGN_IN.replace("signInWithPassword", "a: signInWithPassword").replace("{\n", "{\n  ...F\n")
        hidden = twice.replace("a: signIn", "b: signIn") + (
            ' fragment F on Mutation { c: signInWithPassword(login: "x", password: "y") { __typename } }'
        )
        refused(await site.post(hidden, {"n": "10100009999"}))
        assert (await site.post("{ __typename }")).status_code == 200


async def test_two_processes_share_a_bucket(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as one, served(demo_of_module.api, **LITTLE) as two:
        signed = one.token(demo_of_module.claims["fund-maker"])
        first, _ = await until_refused(one, NEEDS, signed)
        second, _ = await until_refused(two, NEEDS, signed)
        assert 29 <= first <= 40 and second <= 15


async def test_files_are_dear(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site:
        token = {"authorization": f"Bearer {site.token(demo_of_module.claims['fund-reporter'])}"}
        said = []
        for _ in range(25):
            answer = await site.client.get("/reports/fund-statement.csv?from=2026-01-01&to=2026-01-31", headers=token)
            said.append(answer.status_code)
            if answer.status_code == 429:
                break
        assert said[:14] == [200] * 14 and said[-1] == 429
        assert answer.json()["code"] == "RATE_LIMITED" and 1 <= int(answer.headers["retry-after"]) <= 5
        assert answer.headers["cache-control"] == "no-store"


async def test_in_a_socket_each_operation_is_charged_and_refused_by_itself(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api, **LITTLE) as site, talking(site) as talk:
        await talk.greet(authorization=f"Bearer {site.token(demo_of_module.claims['volunteer'])}")
        for n in range(40):
            await talk.say(subscribe(NEEDS, str(n)))
            answer = await talk.hear()
            if answer["type"] == "error" or "errors" in answer["payload"]:
                break
            assert await talk.hear() == {"id": str(n), "type": "complete"}
        assert 29 <= n <= 38
        told = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
        assert told[0]["extensions"]["code"] == "RATE_LIMITED" and told[0]["extensions"]["retryAfterSeconds"] >= 1
        assert await talk.alive()
