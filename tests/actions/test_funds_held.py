"""What was checked at hand-over is what is settled: payments hold their gifts. And donors' names: sealed, revealed on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.funds import actions
from models.funds.inputs import DonorInput
from models.funds.problems import RestrictionViolation
from models.funds.rules import DonorKind
from models.people.rules import AccessPurpose
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, NotFound
from resolvers.activity import ActivityQuery
from resolvers.engine.engine import Engine
from resolvers.exchange import ExchangeQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.people import PeopleQuery
from tests import make_funds as make
from tests.asking import Asked, engine_of
from tests.make_funds import DISABLED, Books


@pytest.fixture
async def books(connection: asyncpg.Connection, now: datetime) -> Books:
    return Books(connection, now, await make.foundation(connection))


async def held(books: Books) -> list[tuple[int, int, int]]:
    """(amount, consumed, held) of each line, in yuan, and that the holds of payments say the same."""
    rows = await books.connection.fetch(
        "SELECT l.amount_fen, l.consumed_fen, l.held_fen, coalesce(sum(h.amount_fen), 0) AS sum FROM allocation_line l"
        " LEFT JOIN disbursement_line h ON h.line_id = l.id GROUP BY l.id ORDER BY l.position"
    )
    assert all(r["held_fen"] == r["sum"] for r in rows)
    return [(r["amount_fen"] // 100, r["consumed_fen"] // 100, r["held_fen"] // 100) for r in rows]


async def traced(books: Books, payment: UUID) -> list[tuple[UUID, int]]:
    rows = await books.connection.fetch(
        "SELECT donation_id, amount_fen FROM spend_trace WHERE disbursement_id = $1 ORDER BY id", payment
    )
    return [(r["donation_id"], r["amount_fen"] // 100) for r in rows]


async def test_no_payment_takes_the_gifts_that_another_was_handed_over_with(books: Books) -> None:
    fund, maker = await books.fund(), books.at.maker
    ending = await books.gift(fund, 100, category=DISABLED, until=books.now.date())
    later = await books.gift(fund, 100, category=DISABLED, since=books.now.date() + timedelta(days=1))
    free = await books.gift(fund, 100)
    with pytest.raises(RestrictionViolation):
        await books.approved(300)
    plan = await books.approved(200, donations=(ending, free))
    first, second, third = [await books.signed(plan, n) for n in (60, 60, 60)]
    await actions.pay_disbursement(books.db(maker), first)
    assert await held(books) == [(100, 0, 60), (100, 0, 0)]
    await actions.pay_disbursement(books.db(maker), second)
    assert await held(books) == [(100, 0, 100), (100, 0, 20)]
    tomorrow = books.later(days=1)
    await actions.pay_disbursement(tomorrow.db(maker), third)
    assert await held(books) == [(100, 0, 100), (100, 0, 80)]
    await actions.settle_disbursement(tomorrow.db(maker), second, "BK-2")
    await actions.settle_disbursement(tomorrow.db(maker), third, "BK-3")
    await actions.settle_disbursement(tomorrow.db(maker), first, "BK-1")
    assert await traced(books, first) == [(ending, 60)]
    assert await traced(books, second) == [(ending, 40), (free, 20)]
    assert await traced(books, third) == [(free, 60)]
    assert await held(books) == [(100, 100, 0), (100, 80, 0)]
    days = await books.connection.fetch("SELECT DISTINCT donation_id, on_day FROM spend_trace")
    assert {(r["donation_id"], r["on_day"]) for r in days if r["donation_id"] == ending} == {(ending, books.now.date())}
    assert later not in {r["donation_id"] for r in days}
    await make_whole(books)


async def make_whole(books: Books) -> None:
    balance = await books.connection.fetchrow("SELECT sum(balance_fen) AS fen FROM fund_balance")
    assert balance is not None and balance["fen"] == (300 - 180) * 100


async def test_what_the_bank_could_not_pay_is_free_again(books: Books) -> None:
    fund, maker = await books.fund(), books.at.maker
    ending = await books.gift(fund, 100, category=DISABLED, until=books.now.date())
    plan = await books.approved(100)
    payment = await books.signed(plan, 100)
    await actions.pay_disbursement(books.db(maker), payment)
    assert await held(books) == [(100, 0, 100)]
    await actions.fail_disbursement(books.db(maker), payment, "账户名不符")
    assert await held(books) == [(100, 0, 0)]
    with pytest.raises(RestrictionViolation):  # the gift's last day is over
        await actions.pay_disbursement(books.later(days=1).db(maker), payment)
    await actions.pay_disbursement(books.db(maker), payment)
    await actions.settle_disbursement(books.later(days=1).db(maker), payment, "BK-1")
    assert await traced(books, payment) == [(ending, 100)]
    await actions.return_disbursement(books.later(days=2).db(maker), payment, "收款人退回")
    assert await held(books) == [(100, 0, 0)]
    with pytest.raises(asyncpg.CheckViolationError, match="ck_allocation_line_consumed"):
        async with books.connection.transaction():
            await books.connection.execute("UPDATE allocation_line SET held_fen = amount_fen + 1")


@strawberry.type
class Query(PeopleQuery, ExchangeQuery, ActivityQuery, FundsQuery):
    pass


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(Query, FundsMutation)


@pytest.fixture
async def scene(engine: Engine, pool: Pool, now: datetime) -> AsyncIterator[tuple[Asked, Books]]:
    async with pool.connection() as connection:
        yield Asked(engine, pool, now), Books(connection, now, await make.foundation(connection))


REVEAL = """mutation ($donors: [ID!]!) { donorReveal(donors: $donors, purpose: RECEIPT, reason: "开具年度票据") {
  __typename ... on DonorReveal { id purpose reason donors { label name } } ... on Problem { message } } }"""


async def test_donors_names_are_read_on_record(scene: tuple[Asked, Books]) -> None:
    ask, books = scene
    c, at, fund = books.connection, books.at, await books.fund()
    who = await make.person(c)
    company = await make.organization(c, "试验企业", "COMPANY")
    for by in (
        DonorInput(DonorKind.PERSON, "钱试验", person=who),
        DonorInput(DonorKind.PERSON, "孙试验"),
        DonorInput(DonorKind.ORGANIZATION, organization=company),
        DonorInput(DonorKind.ANONYMOUS, person=who),
    ):
        await books.gift(fund, 1, by=by)
    donors = await c.fetch("SELECT id, kind, label FROM donor ORDER BY id")
    ids = [f"donor_{d['id']}" for d in donors]
    stored = await c.fetch("SELECT name FROM donor_name")
    assert len(stored) == 2 and not any("试验".encode() in r["name"] for r in stored)
    told = (await ask(at.maker, REVEAL, donors=ids[:3]))["donorReveal"]
    assert sorted((d["label"], d["name"]) for d in told["donors"]) == [
        ("孙*", "孙试验"),
        ("试验企业", None),
        ("钱*", "钱试验"),
    ]
    again = "{ donors { edges { node { label name } } } }"
    for actor in (at.maker, at.checker, at.reporter, Actor(Role.AUDITOR, who)):
        page = (await ask(actor, again))["donors"]
        assert len(page["edges"]) == 4 and all(e["node"]["name"] is None for e in page["edges"])
    (read,) = await c.fetch("SELECT * FROM pii_access")
    assert (read["subject_id"], read["actor_id"], read["fields"], read["purpose"], read["reason"]) == (
        *(who, at.maker.person, ["NAME"], "RECEIPT", "开具年度票据"),
    )
    (kept,) = await c.fetch("SELECT * FROM donor_reveal")
    assert (kept["actor_id"], kept["organization_id"], len(kept["donors"])) == (at.maker.person, at.id, 3)
    assert await c.fetchval("SELECT subject_count FROM contact_reveal") == 3
    for sql in ("UPDATE donor_reveal SET reason = ''", "DELETE FROM donor_reveal"):
        with pytest.raises(asyncpg.PostgresError):
            async with c.transaction():
                await c.execute(sql)


async def test_who_may_read_donors_names(books: Books) -> None:
    fund, c = await books.fund(), books.connection
    await books.gift(fund, 1)
    await books.gift(fund, 1, by=DonorInput(DonorKind.ANONYMOUS))
    named, anonymous = [r["id"] for r in await c.fetch("SELECT id FROM donor ORDER BY id")]
    receipt = AccessPurpose.RECEIPT
    for actor in (books.at.reporter, Actor(Role.ADMIN, books.at.maker.person), Actor()):
        with pytest.raises(Forbidden):
            await actions.reveal_donors(books.db(actor), [named], receipt)
    other = await make.foundation(c, "乙试验基金会")
    with pytest.raises(NotFound):
        await actions.reveal_donors(books.db(other.maker), [named], receipt)
    bad: tuple[tuple[list[UUID], AccessPurpose], ...] = (
        ([anonymous], receipt),
        ([named, anonymous], receipt),
        ([], receipt),
        ([UUID(int=n) for n in range(101)], receipt),
        ([named], AccessPurpose.VISIT),
        ([named], AccessPurpose.OTHER),
    )
    for donors, purpose in bad:
        with pytest.raises(InvalidInput):
            await actions.reveal_donors(books.db(books.at.maker), donors, purpose)
    assert await c.fetchval("SELECT count(*) FROM donor_reveal") == 0
    assert await c.fetchval("SELECT count(*) FROM contact_reveal") == 0
    for purpose in (receipt, AccessPurpose.THANKS, AccessPurpose.AUDIT):
        await actions.reveal_donors(books.db(books.at.checker), [named, named], purpose)
    assert await c.fetchval("SELECT count(*) FROM donor_reveal") == 3
