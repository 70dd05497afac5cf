"""Donors who send until they are told, through kills of the API and of PostgreSQL: the books say what was acknowledged."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.client import FUND, RECEIVE, Client, bare, key, shares
from tests.faults.conftest import THOROUGH, Town
from tests.faults.processes import Api, Postgres, eventually

GIFTS, KILLS, SEEDS = (2_000, 3, range(1, 11)) if THOROUGH else (400, 1, range(1, 2))
"""How many donors there are, how often API and PostgreSQL are killed each, and the seeds of chance."""
WRITERS = 32
THRICE, AGAIN = 0.1, 0.2
"""The parts of the gifts that are sent three times at once, and once more later."""


@dataclasses.dataclass
class Gift:
    """One donation that a client means to record, whatever happens, and the id that it was told."""

    number: int
    fund: str
    fen: int
    thrice: bool
    again: bool
    key: str = dataclasses.field(default_factory=key)
    id: str | None = None

    @property
    def txn(self) -> str:
        return f"TXN-{self.fund[-8:]}-{self.number}"

    def input(self, fen: int | None = None) -> dict[str, Any]:
        return {
            "fund": self.fund,
            "amount": {"amount": f"{(fen or self.fen) / 100:.2f}"},
            "channel": "OWN_SITE",
            "externalTxn": self.txn,
            "newDonor": {"kind": "ANONYMOUS"},
        }


class Givers:
    """Clients that send each gift until it is acknowledged, some three times at once, some again later."""

    def __init__(self, client: Client, maker: str, chance: random.Random) -> None:
        self.client, self.maker, self.chance = client, maker, chance
        self.acknowledged: list[Gift] = []
        self.replayed = 0
        self.met: Counter[str] = Counter()
        """What came instead of an acknowledgement, and how often."""
        self.serves_since = 0.0
        """When the API began to take requests: before that, on a loaded machine, its port keeps who comes waiting."""

    async def give(self, gifts: list[Gift]) -> None:
        later: list[Gift] = []
        for gift in gifts:
            await self.send(gift, 3 if gift.thrice else 1)
            self.acknowledged.append(gift)
            later += [gift] * gift.again
            if len(later) > 5:
                await self.replay(later.pop(0))
        for gift in later:
            await self.replay(gift)

    async def send(self, gift: Gift, times: int) -> None:
        for told in await asyncio.gather(*(self._until_told(gift) for _ in range(times))):
            assert gift.id in (None, told), "the same id for a key"
            gift.id = told

    async def replay(self, gift: Gift) -> None:
        await self.send(gift, 1)
        self.replayed += 1

    async def _until_told(self, gift: Gift) -> str:
        for _ in range(2_000):
            began = time.monotonic()
            try:
                answer = await self.client.ask(self.maker, RECEIVE, input=gift.input(), key=gift.key)
            except OSError as no:
                hung = isinstance(no, TimeoutError) and began > self.serves_since
                self.met["hung" if hung else type(no).__name__] += 1
            else:
                if answer.code is None:
                    outcome = answer.outcome
                    assert Decimal(outcome["amount"]["amount"]) * 100 == gift.fen, outcome
                    told: str = outcome["id"]
                    return told
                assert answer.status == 503, answer.json
                self.met[answer.code] += 1
            await asyncio.sleep(self.chance.uniform(0.02, 0.1))
        raise AssertionError(f"gift {gift.number} was never acknowledged: {self.met}")

    async def so_many(self, count: int) -> None:
        """Waits until so many are acknowledged."""

        async def there() -> bool:
            return len(self.acknowledged) >= count

        await eventually(there, 180)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_acknowledged_gift_stands_once_through_kills(
    durable: Town, postgres: Postgres, log: Path, seed: int
) -> None:
    maker, chance = durable.tokens["fund-maker"], random.Random(seed)
    async with Api(durable.api_url, log) as api:
        client = Client(api.port)
        funds = [
            (await client.do(maker, FUND, input={"name": f"试验基金{n}{key()[-6:]}", "kind": "UNRESTRICTED"}))["id"]
            for n in range(2)
        ]
        gifts = [
            Gift(
                n, chance.choice(funds), chance.randint(1, 5_000_000), chance.random() < THRICE, chance.random() < AGAIN
            )
            for n in range(GIFTS)
        ]
        givers = Givers(client, maker, chance)
        moments = sorted(chance.sample(range(GIFTS // 20, GIFTS * 9 // 10), 2 * KILLS))
        victims = ["api", "postgres"] * KILLS
        chance.shuffle(victims)

        async def trouble() -> None:
            for moment, victim in zip(moments, victims, strict=True):
                await givers.so_many(moment)
                await asyncio.sleep(chance.uniform(0, 0.05))
                if victim == "api":
                    givers.serves_since = math.inf
                    api.kill()
                    await asyncio.sleep(chance.uniform(0, 0.3))
                    api.start()
                    await api.ready(120)
                    givers.serves_since = time.monotonic()
                else:
                    await postgres.killed_and_back(chance.uniform(0, 0.5))

        await asyncio.gather(trouble(), *(givers.give([gifts[n] for n in share]) for share in shares(GIFTS, WRITERS)))
        assert givers.met["UNAVAILABLE"], "PostgreSQL was gone for a while"
        assert givers.met["ConnectionRefusedError"], "the API was gone for a while"
        assert not givers.met["hung"], givers.met
        assert len(givers.acknowledged) == len({g.id for g in gifts}) == GIFTS
        assert givers.replayed == sum(g.again for g in gifts) > 0
        print(
            f"seed {seed}: {GIFTS} gifts, {sum(g.thrice for g in gifts)} thrice, {givers.replayed} again, {givers.met}"
        )
        await equals(durable, gifts)

        # The same keys, and the same payments, once more: what they made, or a refusal by name, and nothing new.
        for gift in gifts[:: GIFTS // 20]:
            again = await client.ask(maker, RECEIVE, input=gift.input(), key=gift.key)
            assert again.outcome["id"] == gift.id
            other = await client.ask(maker, RECEIVE, input=gift.input(gift.fen + 1), key=gift.key)
            assert other.outcome["code"] == "IDEMPOTENCY_CONFLICT"
            notice = await client.ask(maker, RECEIVE, input=gift.input(), key=key())
            assert notice.outcome["id"] == gift.id
            wrong = await client.ask(maker, RECEIVE, input=gift.input(gift.fen + 1), key=key())
            assert wrong.outcome["code"] == "PAYMENT_REF_CONFLICT"
        await equals(durable, gifts)


async def equals(durable: Town, gifts: list[Gift]) -> None:
    """The books equal what was acknowledged, to the fen, in every place that says how much there is."""
    for fund in {g.fund for g in gifts}:
        given = {bare(g.id or ""): (g.fen, g.txn) for g in gifts if g.fund == fund}
        total, of = sum(fen for fen, _ in given.values()), bare(fund)
        rows = await durable.sql("SELECT id, amount_fen, external_txn, status FROM donation WHERE fund_id = $1", of)
        assert {r["id"]: (r["amount_fen"], r["external_txn"]) for r in rows} == given
        assert {r["status"] for r in rows} == {"RECEIVED"}
        (has,) = await durable.sql(
            "SELECT balance_fen, received_fen, gift_count FROM fund_balance WHERE fund_id = $1", of
        )
        assert tuple(has) == (total, total, len(given))
        (moved,) = await durable.sql(
            "SELECT max(closing_fen), sum(received_fen), sum(gift_count) FROM fund_month WHERE fund_id = $1", of
        )
        assert tuple(moved) == (total, total, len(given))
        (bank,) = await durable.sql(
            """
            SELECT sum(e.amount_fen) AS fen, count(*) AS entries, count(DISTINCT e.txn_id) AS postings
            FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id
            WHERE e.fund_id = $1 AND a.kind = 'ASSET'
            """,
            of,
        )
        assert tuple(bank) == (total, len(given), len(given))
        (told,) = await durable.sql(
            "SELECT count(*) AS times, count(DISTINCT subject) AS gifts FROM event WHERE subject = ANY ($1)",
            list(given),
        )
        assert tuple(told) == (len(given), len(given)), "each is told once"
    assert await durable.sql("SELECT txn_id FROM ledger_entry GROUP BY txn_id HAVING sum(amount_fen) <> 0") == []
    (kept,) = await durable.sql(
        "SELECT count(*) AS keys FROM idempotency_record WHERE key = ANY ($1)", [g.key for g in gifts]
    )
    assert kept["keys"] == len(gifts)
