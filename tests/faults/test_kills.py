"""The API and PostgreSQL killed under load: what was acknowledged stands, once, and service comes back by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.faults.client import FUND, NEEDS, RECEIVE, SUBMIT, Client, bare, key, shares, status
from tests.faults.conftest import Town
from tests.faults.processes import Api, Postgres, eventually

GIFTS = 1_000
WRITERS = 16


@dataclasses.dataclass
class Gift:
    """One donation that a client means to record, whatever happens, and the id that it was told."""

    number: int
    fund: str
    fen: int
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
    """Clients that send each gift until it is acknowledged, some twice at once, some again later."""

    def __init__(self, client: Client, maker: str) -> None:
        self.client, self.maker = client, maker
        self.acknowledged: list[Gift] = []
        self.met: Counter[str] = Counter()
        """What came instead of an acknowledgement, and how often."""
        self._chance = random.Random(11)

    async def give(self, gifts: list[Gift]) -> None:
        for gift in gifts:
            twice = gift.number % 10 == 3
            for told in await asyncio.gather(*(self._until_told(gift) for _ in range(1 + twice))):
                assert gift.id in (None, told)
                gift.id = told
            self.acknowledged.append(gift)
            if gift.number % 20 == 7:
                earlier = self._chance.choice(self.acknowledged)
                assert await self._until_told(earlier) == earlier.id

    async def _until_told(self, gift: Gift) -> str:
        for _ in range(2_000):
            try:
                answer = await self.client.ask(self.maker, RECEIVE, input=gift.input(), key=gift.key)
            except OSError as no:
                self.met[type(no).__name__] += 1
            else:
                if answer.code is None:
                    outcome = answer.outcome
                    assert Decimal(outcome["amount"]["amount"]) * 100 == gift.fen, outcome
                    told: str = outcome["id"]
                    return told
                assert answer.status == 503, answer.json
                self.met[answer.code] += 1
            await asyncio.sleep(self._chance.uniform(0.02, 0.1))
        raise AssertionError(f"gift {gift.number} was never acknowledged: {self.met}")

    async def so_many(self, count: int) -> None:
        """Waits until so many are acknowledged."""

        async def there() -> bool:
            return len(self.acknowledged) >= count

        await eventually(there, 120)


async def test_every_acknowledged_gift_stands_once_through_two_kills(
    durable: Town, postgres: Postgres, log: Path
) -> None:
    maker = durable.tokens["fund-maker"]
    async with Api(durable.api_url, log) as api:
        client = Client(api.port)
        funds = [
            (await client.do(maker, FUND, input={"name": f"试验基金{n}{key()[-6:]}", "kind": "UNRESTRICTED"}))["id"]
            for n in range(2)
        ]
        gifts = [Gift(n, funds[n % 3 % 2], 1 + n * 7_919 % 1_000_000) for n in range(GIFTS)]
        givers = Givers(client, maker)

        async def trouble() -> None:
            await givers.so_many(GIFTS // 3)
            api.kill()
            await asyncio.sleep(0.2)
            api.start()
            await givers.so_many(2 * GIFTS // 3)
            await postgres.killed_and_back()

        await asyncio.gather(trouble(), *(givers.give([gifts[n] for n in share]) for share in shares(GIFTS, WRITERS)))
        assert givers.met["UNAVAILABLE"], "PostgreSQL was gone for a while"
        assert givers.met["ConnectionRefusedError"], "the API was gone for a while"
        assert not givers.met["TimeoutError"], "nobody hung"
        assert len(givers.acknowledged) == len({g.id for g in gifts}) == GIFTS
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


async def test_postgresql_killed_and_back_is_served_from_at_once(durable: Town, postgres: Postgres, log: Path) -> None:
    """Meanwhile every answer is a named error, in time; then the same process serves, without a restart."""
    staff = durable.tokens["community-staff"]
    async with Api(durable.api_url, log) as api:
        client = Client(api.port)
        categories = (await client.ask(None, "{ serviceCategories { id code } }")).outcome
        given = {"title": "帮忙买菜", "category": next(c["id"] for c in categories if c["code"] == "ELDERLY.ESCORT")}

        async def write() -> Any:
            return await client.ask(staff, SUBMIT, input=given, key=key())

        async def read() -> Any:
            return await client.ask(staff, NEEDS)

        for _ in range(3):  # many connections are held when it goes
            for answer in await asyncio.gather(*(read() for _ in range(20)), *(write() for _ in range(10))):
                assert answer.status == 200

        stop = asyncio.Event()
        seen: list[tuple[float, Any]] = []

        async def watch(ask: Any) -> None:
            while not stop.is_set():
                began = time.monotonic()
                seen.append((began, await ask()))
                await asyncio.sleep(0.02)

        watchers = [asyncio.ensure_future(watch(ask)) for ask in (read, write) for _ in range(4)]
        await asyncio.sleep(0.2)
        down = time.monotonic()
        await asyncio.to_thread(postgres.kill)
        await asyncio.sleep(1)
        gone = await asyncio.gather(*(ask() for ask in (read, write) for _ in range(20)))
        assert {(a.status, a.code) for a in gone} <= {(503, "UNAVAILABLE"), (503, "BUSY")}
        assert await status(api.port, "/readyz") == 503
        assert await status(api.port, "/healthz") == 200
        await asyncio.to_thread(postgres.start)
        back = time.monotonic()

        async def served() -> bool:
            return all(a.status == 200 for a in await asyncio.gather(read(), write()))

        assert await eventually(served) < 2
        assert all(a.status == 200 for a in await asyncio.gather(*(ask() for ask in (read, write) for _ in range(30))))
        stop.set()
        await asyncio.gather(*watchers)
        assert {a.code for began, a in seen if began + a.seconds < down} == {None}
        assert {a.code for began, a in seen if began > back + 2} <= {None}
        assert max(a.seconds for _, a in seen) < 3
