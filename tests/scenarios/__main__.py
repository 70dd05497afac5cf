"""Plays the scenarios against a demo that runs: python -m tests.scenarios [http://127.0.0.1:8000]"""

from __future__ import annotations

import asyncio
import json
import sys

import httpx

from tests.scenarios import ask_and_serve, five_parties, need_to_hours, restricted_gifts, rights
from tests.scenarios.client import Api, Documents


async def main(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        served = await need_to_hours.play(Api(http, Documents("need_to_hours"), need_to_hours.clock(0)("1 09:00")))
        assert served["result"] == need_to_hours.RESULT, served
        print("需求→时长：", json.dumps(served["result"], ensure_ascii=False))
        spent = await restricted_gifts.play(Api(http, Documents("restricted_gifts"), restricted_gifts.RECEIVED))
        assert spent["statement"] == restricted_gifts.STATEMENT, spent
        print("限定捐赠：", json.dumps(spent["statement"], ensure_ascii=False))
        seen = await ask_and_serve.play(Api(http, Documents("ask_and_serve"), None))
        print("谁能看到：", json.dumps(seen, ensure_ascii=False))
        owned = await rights.play(Api(http, Documents("rights"), None))
        print("本人权利：", json.dumps(owned["adult"]["after"], ensure_ascii=False), owned["child"]["states"])
        print("五方联通：", json.dumps(await five_parties.play(http), ensure_ascii=False, indent=1))


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"))
