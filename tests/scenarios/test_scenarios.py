"""Whole stories over HTTP, on a fresh database, with the clock given by the script and exact figures."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio

from api.wechat.fake import Fake
from tests.demo import Demo
from tests.scenarios import five_parties, need_to_hours, restricted_gifts, who_may_see
from tests.scenarios.client import Api, Documents
from tests.site import Site
from tests.wechat import served_with_wechat


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(demo_of_module: Demo) -> AsyncIterator[Site]:
    async with served_with_wechat(demo_of_module.api, Fake()) as found:
        yield found


async def test_a_need_becomes_hours(site: Site) -> None:
    played = await need_to_hours.play(Api(site.client, Documents("need_to_hours"), need_to_hours.clock(0)("1 09:00")))
    assert played["result"] == need_to_hours.RESULT


async def test_restricted_gifts_are_spent_to_the_last_fen(site: Site) -> None:
    played = await restricted_gifts.play(Api(site.client, Documents("restricted_gifts"), restricted_gifts.RECEIVED))
    assert played["statement"] == restricted_gifts.STATEMENT

    reporter = await Api(site.client, Documents("restricted_gifts"), restricted_gifts.RECEIVED).sign_in("fund-reporter")
    asked = {"from": "2026-11-01", "to": "2026-11-30", "fund": played["fund"]}
    file = await site.client.get(
        "/reports/fund-statement.csv", params=asked, headers={"authorization": f"Bearer {reporter}"}
    )
    assert file.status_code == 200
    total = next(line for line in file.text.splitlines() if ",合计," in line)
    assert total.endswith("0.00,100000.00,60000.00,0.00,40000.00"), total
    nobody = await site.client.get("/reports/fund-statement.csv", params=asked)
    assert nobody.status_code == 403


async def test_who_may_see_a_phone_number_and_when(site: Site) -> None:
    played = await who_may_see.play(Api(site.client, Documents("who_may_see"), None))
    told = played["told"]
    assert told == ["NOT_FOUND"] * 4 + [played["number"]] * 2 + ["NOT_FOUND"] * 2
    for row in played["readers"]:
        assert (row["role"], row["purpose"], row["fields"]) == ("VOLUNTEER", "SERVICE", ["NAME", "PHONE"])
        assert row["subject"]["id"] == played["mother"]
    assert len(played["readers"]) == 2


async def test_one_query_links_the_five_parties(site: Site) -> None:
    walked = _steady(await five_parties.play(site.client, weeks=2))
    golden = Path(__file__).with_name("five_parties.json")
    assert walked == json.loads(golden.read_text(encoding="utf-8"))


def _steady(answer: Any) -> Any:
    """The answer without what another run would number otherwise."""
    text = json.dumps(answer, ensure_ascii=False)
    text = re.sub(r"XQ\d{9}", "XQ", text)
    return json.loads(re.sub(r"邻里互助专项[0-9a-f]{8}", "邻里互助专项", text))
