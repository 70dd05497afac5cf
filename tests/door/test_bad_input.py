"""Whatever comes in: a named error, in Chinese where the words are ours, never "internal", and nothing written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.demo import Demo
from tests.site import Site, served

NEED = """
mutation Submit($input: NeedInput!, $key: String!) {
  needSubmit(input: $input, idempotencyKey: $key) { __typename ... on Problem { code message } ... on InvalidInput { field } }
}
"""
GIFT = """
mutation Receive($input: DonationRecordInput!, $key: String!) {
  donationRecord(input: $input, idempotencyKey: $key) { __typename ... on Problem { code message } ... on InvalidInput { field } }
}
"""


class Market:
    """A seeded marketplace, and two people in it."""

    def __init__(self, site: Site, connection: asyncpg.Connection, resident: str, maker: str) -> None:
        self.site, self.connection, self.resident, self.maker = site, connection, resident, maker

    async def written(self) -> list[int]:
        names = ("need", "donation", "ledger_txn", "event", "idempotency_record")
        return [await self.connection.fetchval(f"SELECT count(*) FROM {n}") for n in names]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def market(demo_of_module: Demo) -> AsyncIterator[Market]:
    async with served(demo_of_module.api) as site:
        connection = await asyncpg.connect(demo_of_module.api)
        resident, maker = [site.token(demo_of_module.claims[slug]) for slug in ("resident", "fund-maker")]
        yield Market(site, connection, resident, maker)
        await connection.close()


async def category(market: Market) -> str:
    found = await market.site.ask("{ serviceCategories(first: 1) { id } }")
    return str(found["serviceCategories"][0]["id"])


def chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": "陪诊\x00"}, "title"),
        ({"title": "陪\x07诊"}, "title"),
        ({"title": ""}, "title"),
        ({"title": "长" * 5000}, "title"),
        ({"note": "a\x00b"}, "note"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -3}, "quantity"),
        ({"quantity": 2_000_000_000}, "quantity"),
        ({"urgency": 9}, "urgency"),
        ({"category": "category_x"}, "category"),
        ({"category": "need_00000000-0000-0000-0000-00000000000"}, "category"),
        ({"windowFrom": "2026-11-05T10:00:00+08:00", "windowTo": "2026-11-05T09:00:00+08:00"}, None),
    ],
    ids=str,
)
async def test_a_need_that_cannot_be(market: Market, change: dict[str, Any], field: str | None) -> None:
    before = await market.written()
    given = {"title": "陪诊", "category": await category(market), "quantity": 1, **change}
    answer = await market.site.post(NEED, {"input": given, "key": "bad-input-key"}, token=market.resident)
    outcome = answer.json()["data"]["needSubmit"]
    assert outcome["code"] == "INVALID_INPUT", outcome
    assert chinese(outcome["message"])
    assert field is None or outcome["field"] == field
    assert await market.written() == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantity": 2**40}, "BAD_VARIABLES"),
        ({"quantity": "1"}, "BAD_VARIABLES"),
        ({"quantity": 1.5}, "BAD_VARIABLES"),
        ({"title": None}, "BAD_VARIABLES"),
        ({"title": 3}, "BAD_VARIABLES"),
        ({"kind": "NONSENSE"}, "BAD_VARIABLES"),
        ({"kind": "service"}, "BAD_VARIABLES"),
        ({"nope": 1}, "BAD_VARIABLES"),
        ({"dueAt": "tomorrow"}, "BAD_INPUT"),
        ({"dueAt": "2026-11-05T10:00:00"}, "BAD_INPUT"),
        ({"dueAt": "0001-01-01T00:00:00+08:00"}, "BAD_INPUT"),
        ({"dueAt": "9999-12-31T23:59:59+00:00"}, "BAD_INPUT"),
        ({"dueAt": 5}, "BAD_INPUT"),
    ],
    ids=str,
)
async def test_variables_that_do_not_fit(market: Market, change: dict[str, Any], code: str) -> None:
    before = await market.written()
    given = {"title": "陪诊", "category": await category(market), "quantity": 1, **change}
    answer = await market.site.post(NEED, {"input": given, "key": "bad-input-key"}, token=market.resident)
    assert "data" not in answer.json()
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == code, error
    assert chinese(error["message"]), error
    assert await market.written() == before


@pytest.mark.parametrize(
    "amount", ["0.00", "-5", "1.005", "100000000000.01", "1e3", "NaN", "Infinity", "", "12,5", "١٢", 5.5, True, None]
)
async def test_an_amount_that_cannot_be(market: Market, amount: Any) -> None:
    before = await market.written()
    funds = await market.site.ask("{ funds(first: 1) { edges { node { id } } } }", token=market.maker)
    fund = funds["funds"]["edges"][0]["node"]["id"]
    given = {"fund": fund, "amount": {"amount": amount}, "channel": "TARGETED", "newDonor": {"kind": "ANONYMOUS"}}
    answer = (await market.site.post(GIFT, {"input": given, "key": "bad-input-key"}, token=market.maker)).json()
    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] in ("BAD_INPUT", "BAD_VARIABLES")
        assert chinese(answer["errors"][0]["message"])
    elif amount != 5.5:  # half a yuan, written as a number, is an amount
        assert answer["data"]["donationRecord"]["code"] == "INVALID_INPUT", answer
    if amount != 5.5:
        assert await market.written() == before


@pytest.mark.parametrize("key", ["", "short", "x" * 101, "has a space", "含中文的幂等键一二", "nul\x00nul\x00nul"])
async def test_an_idempotency_key_that_cannot_be(market: Market, key: str) -> None:
    given = {"title": "陪诊", "category": await category(market)}
    answer = await market.site.post(NEED, {"input": given, "key": key}, token=market.resident)
    assert answer.json()["data"]["needSubmit"]["code"] == "INVALID_INPUT"
    assert answer.json()["data"]["needSubmit"]["field"] == "idempotencyKey"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ need(id: "x") { no } }', "BAD_ID"),
        ('{ need(id: "") { no } }', "BAD_ID"),
        ('{ need(id: "need_zzzzzzzz-0000-0000-0000-000000000000") { no } }', "BAD_ID"),
        ('{ need(id: "need_\\u0000") { no } }', "BAD_ID"),
        ('{ node(id: "’; DROP TABLE need;--") { id } }', "BAD_ID"),
        ("{ needs(first: 0) { totalCount edges { node { no } } } }", "BAD_INPUT"),
        ("{ needs(first: -1) { edges { node { no } } } }", "BAD_INPUT"),
        ("{ needs(first: 101) { edges { node { no } } } }", "BAD_INPUT"),
        ("{ needs(last: 2147483647) { edges { node { no } } } }", "BAD_INPUT"),
        ("{ needs(first: 1, last: 1) { edges { node { no } } } }", "BAD_INPUT"),
        ('{ needs(after: "nonsense") { edges { node { no } } } }', "BAD_CURSOR"),
        ('{ needs(after: "WyIiLCIxIl0=") { edges { node { no } } } }', "BAD_CURSOR"),
        ('{ needs(before: "") { edges { node { no } } } }', "BAD_CURSOR"),
        ('{ needs(filter: { community: "x" }) { edges { node { no } } } }', "BAD_ID"),
        ('{ needs(filter: { titleContains: "\\u0000" }) { edges { node { no } } } }', "BAD_INPUT"),
    ],
)
async def test_arguments_of_queries(market: Market, query: str, code: str) -> None:
    answer = (await market.site.post(query)).json()
    error = answer["errors"][0]
    assert error["extensions"]["code"] == code, error
    assert chinese(error["message"])
    assert error["path"][0] in ("need", "node", "needs")


async def test_an_id_of_something_else_is_absent(market: Market) -> None:
    some = await category(market)
    assert await market.site.ask("query Q($id: ID!) { need(id: $id) { no } }", {"id": some}) == {"need": None}
    assert (await market.site.ask("query Q($id: ID!) { node(id: $id) { __typename } }", {"id": some}))[
        "node"
    ] is not None


async def test_null_for_what_may_only_be_left_out(market: Market) -> None:
    some = (await market.site.ask("{ myNeeds(first: 1) { edges { node { id version } } } }", token=market.resident))[
        "myNeeds"
    ]
    need = some["edges"][0]["node"]
    edit = 'mutation E($id: ID!, $v: Int!, $i: NeedEditInput!) { needEdit(id: $id, version: $v, input: $i, idempotencyKey: "null-edit") { __typename } }'
    answer = await market.site.post(
        edit, {"id": need["id"], "v": need["version"], "i": {"title": None}}, token=market.resident
    )
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == "BAD_INPUT", error
    assert chinese(error["message"])
    assert "Strawberry" not in answer.text


async def test_surrogates_and_nul_in_variables(market: Market) -> None:
    body = json.dumps(
        {
            "query": "query Q($t: String!) { needs(filter: { titleContains: $t }) { totalCount } }",
            "variables": {"t": "X"},
        }
    )
    lone = await market.site.client.post(
        "/graphql", content=body.replace('"X"', '"\\ud800"'), headers={"content-type": "application/json"}
    )
    assert (lone.status_code, lone.json()["errors"][0]["extensions"]["code"]) == (400, "MALFORMED_REQUEST")
    nul = await market.site.client.post(
        "/graphql", content=body.replace('"X"', '"\\u0000"'), headers={"content-type": "application/json"}
    )
    assert nul.json()["errors"][0]["extensions"]["code"] == "BAD_INPUT"


async def test_numbers_no_integer_can_hold(market: Market) -> None:
    for literal in ("9" * 30, "-" + "9" * 30, "2147483648"):
        answer = await market.site.post("{ needs(first: N) { totalCount } }".replace("N", literal))
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_DOCUMENT"
    for value in (2147483648, -1, 10**30, 1.5, True, "1"):
        answer = await market.site.post("query Q($n: Int) { needs(first: $n) { edges { node { no } } } }", {"n": value})
        assert answer.json()["errors"][0]["extensions"]["code"] in (
            "BAD_VARIABLES",
            "BAD_INPUT",
            "MALFORMED_REQUEST",
        ), value
