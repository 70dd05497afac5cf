"""Nothing personal in plain: not in logs, metrics or a dump, not in what others are answered, whatever goes wrong.

A scenario writes names, numbers and notes that occur nowhere else, asks for them, fails in every way that quotes
values, and then everything that is kept or told is searched for them.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api import metrics
from api.jobs import Duties
from models.access import Claims, Role
from models.database import Db
from models.people import actions
from models.people.identity import check_digit
from models.pool import Pool
from models.relay import Told
from tests import make_funds
from tests.make_people import membership, person, town
from tests.server import Server, _with, name_of
from tests.site import Site, served
from tests.worker.conftest import eventually, happen, working

NUMBER = "21999919440308771"
PLAIN = {
    "name": "欧阳隐名测",
    "phone": "10098765432",
    "address": "隐秘胡同987号3单元501",
    "document": NUMBER + check_digit(NUMBER),
    "care": "隐情病史记录甲乙丙",
    "note": "隐情需求备注丁戊己",
    "donor": "司徒隐捐者",
    "typed": "隐字直接写在文档里",
    "raised": "隐文异常之中庚辛壬",
}
REGISTER = """
mutation ($input: ResidentRegisterInput!, $key: String!) { residentRegister(input: $input, idempotencyKey: $key) {
  __typename ... on Resident { id person { id name } } ... on Problem { code message } } }
"""
LITERAL = """
mutation { residentRegister(input: {community: "%s", person: {name: "%s"}, careNote: "%s"}, idempotencyKey: "literal-1") {
  __typename ... on Resident { id } ... on Problem { code } } }
"""
NEED = """
mutation ($input: NeedInput!) { needSubmit(input: $input, idempotencyKey: "need-000001") {
  __typename ... on Need { id } ... on Problem { code message } } }
"""
DOCUMENT = """
mutation ($id: ID!, $number: String!) {
  personIdentityRecord(id: $id, type: ID_CARD, number: $number, idempotencyKey: "document-1") {
    __typename ... on Problem { code message } } }
"""
REVEAL = """
mutation ($persons: [ID!]!) {
  contactReveal(input: {persons: $persons, purpose: SERVICE, fields: [NAME, PHONE, ADDRESS]}) {
    ... on ContactReveal { contacts { name phone address } } ... on Problem { code message } } }
"""
FIND = """
mutation ($phone: String!) { personFind(input: {phone: $phone, purpose: SERVICE}) {
  ... on PersonSearch { persons { name } } ... on Problem { code message } } }
"""
GIFT = """
mutation ($input: DonationRecordInput!) { donationRecord(input: $input, idempotencyKey: "donation-1") {
  __typename ... on Donation { id } ... on Problem { code message } } }
"""
LOOK = """
{ residents(first: 10) { edges { node { person { name } } } } needs(first: 10) { edges { node { title note } } }
  donations(first: 10) { edges { node { no publicName } } } auditEvents(first: 100) { edges { node { action detail } } } }
"""


def hits(where: str, text: str) -> Iterator[str]:
    """Which of the values a text has, in plain or as the hexadecimal digits of their bytes."""
    for name, value in PLAIN.items():
        if value in text or value.encode().hex() in text or value.encode("unicode_escape").decode() in text:
            yield f"{name} in {where}"


def test_what_is_looked_for_would_be_found() -> None:
    for name, value in PLAIN.items():
        for text in (f"x{value}y", f"\\x00{value.encode().hex()}"):
            assert list(hits("it", text)) == [f"{name} in it"]


async def dump(url: str) -> dict[str, str]:
    """Every table's rows, as a dump writes them."""
    connection = await asyncpg.connect(url)
    try:
        out = {}
        for (table,) in await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ):
            text = io.BytesIO()
            await connection.copy_from_query(f"SELECT * FROM {table}", output=text)
            out[table] = text.getvalue().decode()
        return out
    finally:
        await connection.close()


class Bureau:
    """Who acts, and where."""

    def __init__(self, site: Site, ids: dict[str, str], tokens: dict[str, str]) -> None:
        self.site, self.ids, self.tokens = site, ids, tokens
        self.to_others: list[str] = []

    async def say(self, text: str, who: str = "staff", **variables: Any) -> Any:
        return (await self.site.post(text, variables, token=self.tokens.get(who))).json()

    async def look(self, *who: str) -> None:
        """What others are answered."""
        for one in who:
            self.to_others.append((await self.site.post(LOOK, token=self.tokens.get(one))).text)


async def opened(site: Site, pool: Pool) -> Bureau:
    async with pool.connection() as connection:
        where = await town(connection)
        books = await make_funds.foundation(connection)
        fund = await make_funds.Books(connection, datetime.now().astimezone(), books).fund("隐名测试基金")
        ids = {
            "community": f"division_{where.community}",
            "category": f"service_category_{await connection.fetchval('SELECT id FROM service_category LIMIT 1')}",
            "fund": f"fund_{fund}",
        }

        async def token(role: Role, **over: Any) -> str:
            who = over.pop("who", None) or await person(connection, "员工", phone=None)
            given = await membership(connection, who, role, **over)
            return site.token(Claims(who, role, given))

        tokens = {
            "staff": await token(Role.COMMUNITY_STAFF, area=where.COMMUNITY),
            "elsewhere": await token(Role.COMMUNITY_STAFF, area=where.FAR),
            "viewer": await token(Role.CITY_VIEWER, area=where.CITY),
            "admin": await token(Role.ADMIN),
            "auditor": await token(Role.AUDITOR),
            "maker": await token(Role.FUND_MAKER, organization=books.id),
        }
        return Bureau(site, ids, tokens)


async def happened(bureau: Bureau) -> str:
    """The good part: everything is written once; the id of the person."""
    about = {"community": bureau.ids["community"], "address": PLAIN["address"], "careNote": PLAIN["care"]}
    who = {"name": PLAIN["name"], "phone": PLAIN["phone"], "phoneWhose": "OWN"}
    made = await bureau.say(REGISTER, input={**about, "person": who}, key="register-1")
    person_id: str = made["data"]["residentRegister"]["person"]["id"]
    assert (await bureau.say(DOCUMENT, id=person_id, number=PLAIN["document"]))["data"]["personIdentityRecord"]
    need = {"title": "送餐", "category": bureau.ids["category"], "note": PLAIN["note"]}
    need["beneficiary"] = made["data"]["residentRegister"]["id"]
    told = await bureau.say(NEED, input={**need, "submittedVia": "COUNTER"})
    assert told["data"]["needSubmit"]["__typename"] == "Need", told
    told = await bureau.say(LITERAL % (bureau.ids["community"], PLAIN["typed"], PLAIN["typed"]))
    assert told["data"]["residentRegister"]["__typename"] == "Resident", told
    gift = {"fund": bureau.ids["fund"], "amount": {"amount": "100.00"}, "channel": "TARGETED"}
    donor = {"kind": "PERSON", "name": PLAIN["donor"]}
    told = await bureau.say(GIFT, "maker", input={**gift, "newDonor": donor, "publishName": False})

    assert told["data"]["donationRecord"]["__typename"] == "Donation", told
    (read,) = (await bureau.say(REVEAL, persons=[person_id]))["data"]["contactReveal"]["contacts"]
    assert (read["name"], read["phone"]) == (PLAIN["name"], PLAIN["phone"])
    assert (await bureau.say(FIND, phone=PLAIN["phone"]))["data"]["personFind"]["persons"]
    return person_id


async def failed(bureau: Bureau, pool: Pool, monkeypatch: pytest.MonkeyPatch, owner: asyncpg.Connection) -> None:
    """The bad part: whatever goes wrong with those values at hand."""
    community, who = bureau.ids["community"], {"name": PLAIN["name"], "phone": PLAIN["phone"], "phoneWhose": "OWN"}
    given = {"community": community, "person": who}
    assert (await bureau.say(REGISTER, input={**given, "householdOf": PLAIN["name"]}, key="bad-input-1"))["data"]
    assert (await bureau.say(REGISTER, input={**given, "person": {"name": [PLAIN["name"]]}}, key="bad-input-2"))[
        "errors"
    ]
    assert (await bureau.say(f'{{ resident(id: "{PLAIN["name"]}") {{ id }} }}'))["errors"]
    assert (await bureau.say(f"{{ {PLAIN['phone']} }}"))["errors"]
    assert await bureau.say(REGISTER, input={**given, "address": PLAIN["address"] + "\x00"}, key="bad-input-3")
    assert (await bureau.site.post("{ me { id } }", authorization=f"Bearer {PLAIN['phone']}")).status_code != 500
    assert (await bureau.say(REGISTER, "viewer", input=given, key="forbidden-1"))["data"]["residentRegister"]
    async with owner.transaction():  # nobody gets at the table: the statement is ended
        await owner.execute("LOCK TABLE person_name IN ACCESS EXCLUSIVE MODE")
        told = await bureau.say(REGISTER, input=given, key="too-late-1")
        assert told["errors"][0]["extensions"]["code"] in ("BUSY", "DEADLINE")

    async def broken(db: Db, *arguments: Any, **more: Any) -> UUID:
        await db.connection.execute("CREATE TEMP TABLE IF NOT EXISTS twice (phone text PRIMARY KEY) ON COMMIT DROP")
        for _ in range(2):
            await db.connection.execute("INSERT INTO twice VALUES ($1)", PLAIN["phone"])
        raise AssertionError

    async def raised(db: Db, *arguments: Any, **more: Any) -> UUID:
        raise KeyError(PLAIN["raised"], arguments)

    for n, bug in enumerate((broken, raised)):
        with monkeypatch.context() as patch:
            patch.setattr(actions, "register_resident", bug)
            told = await bureau.say(REGISTER, input=given, key=f"a-bug-00{n}")
            assert told["errors"][0]["extensions"]["code"] == "INTERNAL"
            assert not list(hits("its own answer", str(told)))
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %r", ValueError(PLAIN["raised"]))


async def worked(url: str, connection: asyncpg.Connection) -> None:
    """A job that fails with a value in its exception."""

    async def job(db: Db, event: Told) -> None:
        raise ValueError(PLAIN["raised"], PLAIN["name"])

    async with working(url, Duties(called={"thing.happened": job})):
        await happen(connection, datetime.now().astimezone())
        await eventually(lambda: connection.fetchval("SELECT count(*) FROM pgqueuer WHERE attempts > 0"))
        await asyncio.sleep(0.1)


async def test_nothing_personal_is_kept_or_told_in_plain(
    server: Server,
    committed: str,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    name = name_of(committed)
    owner = await asyncpg.connect(server.owner_url(name))
    plain = await asyncpg.connect(committed)
    try:
        async with served(committed, WUSHE_LOG="debug", WUSHE_STATEMENT_TIMEOUT="0.5", WUSHE_DEADLINE="3") as site:
            bureau = await opened(site, pool)
            await happened(bureau)
            await failed(bureau, pool, monkeypatch, owner)
            await bureau.look("nobody", "viewer", "elsewhere", "admin", "auditor")
        await worked(committed, plain)
    finally:
        await owner.close()
        await plain.close()
    logs = "".join(capfd.readouterr())
    assert logs.count('"event": "bug"') == 2 and "never retrieved" in logs
    found = [*hits("the logs", logs), *hits("the metrics", metrics.text().decode())]
    for n, answer in enumerate(bureau.to_others):
        found += hits(f"answer {n} to others", answer)
    tables = await dump(_with(server.superuser, name))
    assert tables["audit_event_pdefault"] or any(t.startswith("audit_event_p2") and r for t, r in tables.items())
    for table, rows in tables.items():
        found += hits(f"table {table}", rows)
    assert found == []
