"""Erasure: what is personal is nowhere any more, what is counted stays to the minute and the fen, and nobody is locked in."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import strawberry

from models import audit, vault
from models.access import Actor, Claims, Role
from models.database import Db, transaction
from models.identity.queries import actor_of
from models.people.actions import edit_myself, record_identity, register_resident, register_volunteer
from models.people.actions.persons import set_name, set_phone
from models.people.actions.residents import PersonInput, ResidentInput
from models.people.actions.volunteers import VolunteerInput
from models.people.identity import check_digit
from models.people.rules import IdType, PhoneWhose
from models.pinyin import sort_key
from models.pool import Pool
from models.privacy import actions
from models.privacy.actions import erasure
from models.privacy.actions.open_ends import _tried
from models.privacy.problems import ErasureBlocked, GuardianTooNew, NotGuardian
from models.privacy.rules import CODE_WORD, ErasureBar
from models.problems import Forbidden, InvalidInput, NotFound
from models.vault import Kind
from resolvers.activity import ActivityMutation, ActivityQuery
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.privacy import PrivacyMutation, PrivacyQuery
from resolvers.system import SystemQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import Town, as_resident, insert, membership, person, resident, staff, town
from tests.make_privacy import LOGIN, NAME, NUMBER, OPENID, PHONE, PLAIN, Life, guardianship, life
from tests.server import Server


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery, ActivityQuery, FundsQuery, PrivacyQuery, SystemQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, ExchangeMutation, ActivityMutation, FundsMutation, PrivacyMutation):
    pass


ENGINE = engine_of(Query, Mutation)
ERASE = """
mutation ($confirm: String!, $open: Boolean!, $person: ID, $key: String!) {
    accountErase(confirm: $confirm, cancelOpen: $open, person: $person, idempotencyKey: $key) {
        __typename
        ... on SubjectRequest { kind state kept person { name state gender isMinor phone } handledAt }
        ... on ErasureBlocked { code message by }
        ... on Problem { code }
    }
}
"""


@pytest.fixture
def ask(pool: Pool, now: datetime) -> Asked:
    return Asked(ENGINE, pool, now)


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


@pytest.fixture
async def lived(pool: Pool, there: Town, now: datetime) -> Life:
    async with pool.connection() as connection:
        return await life(connection, there, now)


async def erase(ask: Asked, who: Actor, key: str = "erase-account-1", *, cancel: bool = False, **more: Any) -> Any:
    return (await ask(who, ERASE, confirm=CODE_WORD, open=cancel, key=key, **more))["accountErase"]


COUNTED = """
SELECT (SELECT coalesce(sum(minutes), 0) FROM hour_entry), (SELECT count(*) FROM attendance),
    (SELECT coalesce(sum(credited_minutes), 0) FROM attendance), (SELECT coalesce(sum(amount_fen), 0) FROM donation),
    (SELECT count(*) FROM pii_access), (SELECT count(*) FROM contact_reveal), (SELECT count(*) FROM need),
    (SELECT coalesce(sum(qty_delivered), 0) FROM commitment), (SELECT coalesce(sum(rating), 0) FROM commitment),
    (SELECT count(*) FROM person), (SELECT count(*) FROM volunteer)
"""


async def test_what_is_counted_stays_and_is_said(ask: Asked, pool: Pool, lived: Life) -> None:
    async with pool.connection() as connection:
        before = tuple(await connection.fetchrow(COUNTED))
    done = await erase(ask, lived.me)
    assert done["__typename"] == "SubjectRequest"
    assert (done["kind"], done["state"]) == ("DELETE", "DONE")
    said = " ".join(done["kept"])
    for word in ("时长分录 1 条", "参与记录 1 条", "捐赠 1 笔", "查阅您信息的记录 1 条", "需求 1 条"):
        assert word in said, word
    async with pool.connection() as connection:
        assert tuple(await connection.fetchrow(COUNTED)) == before
        row = await connection.fetchrow("SELECT publish_name, public_name, person_id FROM donation")
        assert tuple(row) == (False, "匿名", lived.person)
        assert await connection.fetchval("SELECT label FROM donor") == "匿名"
        assert await connection.fetchval("SELECT state FROM volunteer") == "WITHDRAWN"


async def everything(server: Server, database: str) -> str:
    """All that a dump of the database holds."""
    url = server.owner_url(database)
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind = 'r'"
        )
        parts = []
        for table in tables:
            rows = await connection.fetch(f"SELECT t::text AS row FROM {table['name']} t")
            parts += [f"{table['name']}: {row['row']}" for row in rows]
        return "\n".join(parts)
    finally:
        await connection.close()


async def sealed_about(server: Server, database: str, person: UUID) -> list[str]:
    """The cells of the whole database that open as something said about this person."""
    connection = await asyncpg.connect(server.owner_url(database))
    found = []
    try:
        keys = await vault.load(connection)
        columns = await connection.fetch(
            "SELECT c.table_name AS t, c.column_name AS c FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE c.table_schema = 'public' AND c.data_type = 'bytea' AND t.table_type = 'BASE TABLE'"
        )
        for column in columns:
            cells = await connection.fetch(
                f"SELECT {column['c']} AS cell FROM {column['t']} WHERE {column['c']} IS NOT NULL"
            )
            for cell in cells:
                for kind in Kind:
                    try:
                        text = keys.open(kind, cell["cell"], person)
                    except Exception:
                        continue
                    if text.strip() != "[]":
                        found.append(f"{column['t']}.{column['c']}")
    finally:
        await connection.close()
    return found


async def test_nothing_personal_is_left_in_any_table(
    ask: Asked, pool: Pool, server: Server, lived: Life, now: datetime
) -> None:
    async with pool.connection() as connection:
        database = await connection.fetchval("SELECT current_database()")
        donor = await connection.fetchval("SELECT id FROM donor")
    before = await everything(server, database)
    shown = [word for word in PLAIN if word in before]
    assert shown == ["陪诊：心内科"], "only a need's title, which is public, stands in the clear"
    assert {cell.split(".")[0] for cell in await sealed_about(server, database, lived.person)} == {
        *("person_name", "person_contact", "person_identity", "resident", "need", "commitment", "attendance"),
        *("wechat_identity", "account_login", "bound_phone", "qualification"),
    }
    assert await sealed_about(server, database, donor) == ["donor_name.name"]
    await erase(ask, lived.me)
    after = await everything(server, database)
    for word in (*PLAIN, "欧阳", "100****1234", "219***", "1944-03-08", "红米手机", "量血压", "h-77"):
        left = [line for line in after.splitlines() if word in line]
        if word == "h-77":
            left = [line for line in left if str(lived.relative) not in line]
        assert left == [], word
    assert await sealed_about(server, database, lived.person) == []
    assert await sealed_about(server, database, donor) == []
    async with pool.connection() as connection:
        keys = await vault.of(connection).keys(connection)
    number = NUMBER[:17]
    for kind, plain in ((Kind.PHONE, PHONE), (Kind.IDENTITY, number), (Kind.LOGIN, LOGIN), (Kind.LOGIN, OPENID)):
        for index in keys.indexes(kind, plain):
            assert index.hex() not in after


async def test_afterwards_the_id_leads_to_a_pseudonym_and_his_tokens_to_nothing(
    ask: Asked, pool: Pool, there: Town, lived: Life, now: datetime
) -> None:
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)
        claims = Claims(lived.person, Role.RESIDENT, None, lived.sign_in)
        assert await actor_of(connection, claims, now) is not None
    await erase(ask, lived.me)
    text = (
        "query ($id: ID!) { node(id: $id) { __typename ... on Person { name phone fullName gender isMinor state } } }"
    )
    admin = Actor(Role.ADMIN, clerk.person)
    found = (await ask(admin, text, id=f"person_{lived.person}"))["node"]
    assert found == {
        "__typename": "Person",
        "name": "已注销用户",
        "phone": None,
        "fullName": None,
        "gender": "UNKNOWN",
        "isMinor": None,
        "state": "PSEUDONYM",
    }
    async with pool.connection() as connection:
        assert await actor_of(connection, claims, now) is None
        row = await connection.fetchrow("SELECT ended_at, end_reason, device FROM sign_in")
        assert tuple(row) == (now, "PERSON_ERASED", None)
        assert (
            await connection.fetchval(
                "SELECT count(*) FROM membership WHERE revoked_at IS NULL AND person_id = $1", lived.person
            )
            == 0
        )


async def test_of_who_was_erased_nothing_is_written_any_more(
    ask: Asked, pool: Pool, there: Town, lived: Life, now: datetime
) -> None:
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)
    await erase(ask, lived.me)
    number = NUMBER[:17] + check_digit(NUMBER[:17])
    me, volunteer = lived.me, VolunteerInput(there.community, [], [], date(1944, 3, 8))
    refused: list[tuple[Actor, Any, Any]] = [
        (clerk, lambda db: record_identity(db, lived.person, IdType.ID_CARD, number), NotFound),
        (me, lambda db: edit_myself(db, address="多福社区1号楼"), NotFound),
        (me, lambda db: register_resident(db, ResidentInput(there.community)), Forbidden),
        (me, lambda db: register_volunteer(db, volunteer), Forbidden),
        (
            clerk,
            lambda db: set_phone(db, lived.person, PHONE, PhoneWhose.OWN),
            asyncpg.IntegrityConstraintViolationError,
        ),
        (clerk, lambda db: set_name(db, lived.person, NAME), asyncpg.IntegrityConstraintViolationError),
    ]
    for who, verb, problem in refused:
        with pytest.raises(problem):
            await transaction(pool, who, now, verb)
    async with pool.connection() as connection:
        for table in ("person_name", "person_contact", "person_identity"):
            count = f"SELECT count(*) FROM {table} WHERE person_id = $1"
            assert await connection.fetchval(count, lived.person) == 0
        row = await connection.fetchrow(
            "SELECT name_masked, phone_masked, address_masked, birth_date FROM person WHERE id = $1", lived.person
        )
        assert tuple(row) == ("已注销用户", None, None, None)


async def test_what_is_written_while_an_erasure_goes_on_waits_and_is_refused(pool: Pool, there: Town) -> None:
    async with pool.connection() as erasing, pool.connection() as writing:
        one = await person(erasing, "李四", phone=None)
        await erasing.execute("DELETE FROM person_name WHERE person_id = $1", one)
        async with erasing.transaction():
            await erasing.execute("SELECT FROM person WHERE id = $1 FOR UPDATE", one)
            await erasing.execute("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", one)
            insert_name = "INSERT INTO person_name (person_id, name) VALUES ($1, '\\x01')"
            late = asyncio.ensure_future(writing.execute(insert_name, one))
            await asyncio.sleep(0.1)
            assert not late.done()
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await late


async def test_a_refused_verb_leaves_nothing_and_tells_nothing(pool: Pool, there: Town, now: datetime) -> None:
    async def half(db: Db) -> None:
        await db.connection.execute("UPDATE division SET name = 'x'")
        db.tell("need.cancelled", there.community)
        raise NotFound(what="该需求")

    async def work(db: Db) -> list[str]:
        db.tell("offer.withdrawn", there.community)
        await _tried(db, half(db))
        return [event.topic for event in db.events]

    assert await transaction(pool, Actor(), now, work) == ["offer.withdrawn"]
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM division WHERE name = 'x'") == 0


async def test_that_addresses_stay_on_the_audit_log_is_said(ask: Asked, pool: Pool, lived: Life, now: datetime) -> None:
    async with pool.connection() as connection:
        await audit.write(connection, *audit.row(lived.me, now, "needSubmit", audit.DONE, address="203.0.113.7"))
    assert "操作日志 1 条：网络日志依法至少保存六个月，含编号与网络地址" in (await erase(ask, lived.me))["kept"]


async def test_the_same_phone_registers_somebody_new(
    ask: Asked, pool: Pool, there: Town, lived: Life, now: datetime
) -> None:
    await erase(ask, lived.me)
    async with pool.connection() as connection:
        clerk = await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)
    given = ResidentInput(
        community=there.community, person=PersonInput(name=NAME, phone=PHONE, phone_whose=PhoneWhose.OWN)
    )
    made = await transaction(pool, clerk, now, lambda db: register_resident(db, given, fictional=True))
    async with pool.connection() as connection:
        who = await connection.fetchval("SELECT person_id FROM resident WHERE id = $1", made)
    assert who != lived.person


async def test_of_two_at_once_one_erases_and_the_same_key_is_told_the_same(ask: Asked, pool: Pool, lived: Life) -> None:
    one, two = await asyncio.gather(erase(ask, lived.me, "erase-first-1"), erase(ask, lived.me, "erase-second-2"))
    assert sorted((one["__typename"], two["__typename"])) == ["NotFound", "SubjectRequest"]
    key = "erase-first-1" if one["__typename"] == "SubjectRequest" else "erase-second-2"
    assert (await erase(ask, lived.me, key))["state"] == "DONE"
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM subject_request") == 1


async def test_the_words_must_be_written(pool: Pool, lived: Life, now: datetime) -> None:
    with pytest.raises(InvalidInput):
        await transaction(pool, lived.me, now, lambda db: actions.erase_account(db, "是"))
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT state FROM person WHERE id = $1", lived.person) == "PRESENT"


async def reopen(pool: Pool, lived: Life, status: str = "OPEN") -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE need SET status = $2, qty_committed = 0, qty_delivered = 0, closed_at = NULL,"
            " due_at = due_at + interval '9 days' WHERE id = $1",
            lived.need,
            status,
        )


async def test_what_is_open_bars_it_and_may_be_cancelled(ask: Asked, pool: Pool, lived: Life, now: datetime) -> None:
    await reopen(pool, lived)
    async with pool.connection() as connection:
        await connection.execute(
            "UPDATE offer SET status = 'PUBLISHED', window_to = $1::timestamptz + interval '9 days'", now
        )
    barred = await erase(ask, lived.me)
    assert (barred["code"], barred["by"]) == ("ERASURE_BLOCKED", ["OPEN_NEEDS", "OPEN_OFFERS"])
    assert "未办结的需求、未结束的供给" in barred["message"]
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM person_name WHERE person_id = $1", lived.person) == 1
        assert await connection.fetchval("SELECT count(*) FROM subject_request") == 0
    done = await erase(ask, lived.me, "erase-account-2", cancel=True)
    assert done["state"] == "DONE"
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT status FROM need WHERE id = $1", lived.need) == "CANCELLED"
        assert await connection.fetchval("SELECT status FROM offer") == "WITHDRAWN"


async def test_what_is_being_served_cannot_be_cancelled_and_then_nothing_is(
    ask: Asked, pool: Pool, lived: Life, now: datetime
) -> None:
    await reopen(pool, lived, "IN_PROGRESS")
    async with pool.connection() as connection:
        await connection.execute("UPDATE need SET qty_committed = 1 WHERE id = $1", lived.need)
        await connection.execute(
            "UPDATE commitment SET status = 'IN_SERVICE', qty_delivered = 0, rating = NULL, ended_at = NULL WHERE need_id = $1",
            lived.need,
        )
        await connection.execute(
            "UPDATE offer SET status = 'PUBLISHED', window_to = $1::timestamptz + interval '9 days'", now
        )
    barred = await erase(ask, lived.me, cancel=True)
    assert (barred["code"], barred["by"]) == ("ERASURE_BLOCKED", ["OPEN_NEEDS"])
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT status FROM offer") == "PUBLISHED", "nothing was changed"


async def test_a_volunteer_who_has_signed_up_steps_back(
    ask: Asked, pool: Pool, there: Town, lived: Life, now: datetime
) -> None:
    async with pool.connection() as connection:
        held = await connection.fetchrow("SELECT * FROM service_session LIMIT 1")
        values = {
            k: held[k] for k in ("title", "category_id", "category_code", "community_id", "area", "place", "created_by")
        }
        session = await insert(
            connection,
            "service_session",
            starts_at=now + timedelta(days=1),
            ends_at=now + timedelta(days=1, hours=2),
            capacity=3,
            accepted_count=1,
            arrivals=1,
            created_at=now,
            published_at=now,
            status="PUBLISHED",
            **values,
        )
        part = await insert(
            connection,
            "attendance",
            session_id=session,
            volunteer_id=lived.person,
            status="ACCEPTED",
            position=1,
            applied_at=now,
            accepted_at=now,
            starts_at=now + timedelta(days=1),
            area=held["area"],
        )
    with pytest.raises(ErasureBlocked) as barred:
        await transaction(pool, lived.me, now, lambda db: actions.erase_account(db, CODE_WORD))
    assert barred.value.by == [ErasureBar.SESSIONS_AHEAD]
    await transaction(pool, lived.me, now, lambda db: actions.erase_account(db, CODE_WORD, cancel_open=True))
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT status FROM attendance WHERE id = $1", part) == "WITHDRAWN"
        assert await connection.fetchval("SELECT accepted_count FROM service_session WHERE id = $1", session) == 0


async def test_the_last_administrator_stays(pool: Pool, lived: Life, now: datetime) -> None:
    async with pool.connection() as connection:
        await membership(connection, lived.person, Role.ADMIN)
    with pytest.raises(ErasureBlocked) as barred:
        await transaction(pool, lived.me, now, lambda db: actions.erase_account(db, CODE_WORD, cancel_open=True))
    assert barred.value.by == [ErasureBar.LAST_ADMINISTRATOR]
    async with pool.connection() as connection:
        await staff(connection, Role.ADMIN, "何管理")
    await transaction(pool, lived.me, now, lambda db: actions.erase_account(db, CODE_WORD))


async def test_of_the_last_two_administrators_who_go_at_once_one_stays(pool: Pool, there: Town, now: datetime) -> None:
    async with pool.connection() as connection:
        two = [await staff(connection, Role.ADMIN, name) for name in ("何管理", "孙管理")]

    async def go(me: Actor) -> str:
        try:
            await transaction(pool, me, now, lambda db: actions.erase_account(db, CODE_WORD))
        except ErasureBlocked as barred:
            return barred.by[0].value
        return "DONE"

    assert sorted(await asyncio.gather(*map(go, two))) == ["DONE", "LAST_ADMINISTRATOR"]


async def test_a_child_s_erasure_waits_for_its_guardian(ask: Asked, pool: Pool, there: Town, now: datetime) -> None:
    async with pool.connection() as connection:
        mother = await resident(connection, there, "周敏", household="h9", birth_date=date(1985, 1, 1))
        child = await resident(connection, there, "赵小宝", household="h9", birth_date=date(2013, 5, 4))
    waits = await erase(ask, as_resident(child))
    assert waits["state"] == "WAITING_COSIGN"
    with pytest.raises(NotGuardian):
        await transaction(pool, as_resident(mother), now, lambda db: actions.erase_account(db, CODE_WORD, child.person))
    async with pool.connection() as connection:
        await guardianship(connection, child.person, mother.person, now)
    queue = "{ subjectRequests { edges { node { id state } } } }"
    found = (await ask(as_resident(mother), queue))["subjectRequests"]["edges"]
    cosign = """
    mutation ($id: ID!, $key: String!) { subjectRequestCosign(id: $id, idempotencyKey: $key) {
        __typename ... on SubjectRequest { state cosignedBy { name } person { name state } } ... on Problem { code }
    } }
    """
    own = await ask(as_resident(child), cosign, id=found[0]["node"]["id"], key="cosign-erase-1")
    assert own["subjectRequestCosign"]["code"] == "NOT_GUARDIAN"
    week = now + timedelta(days=7)

    async def may(at: datetime) -> bool:
        text = "{ subjectRequests { edges { node { viewerCan { cosign } } } } }"
        (edge,) = (await ask(as_resident(mother), text, at))["subjectRequests"]["edges"]
        can: bool = edge["node"]["viewerCan"]["cosign"]
        return can

    for n, at in enumerate(
        (now, week - timedelta(seconds=1))
    ):  # whoever was made a guardian just now may be a false one
        assert not await may(at)
        early = await ask(as_resident(mother), cosign, at, id=found[0]["node"]["id"], key=f"cosign-early-{n}")
        assert early["subjectRequestCosign"]["code"] == "GUARDIAN_TOO_NEW"
        with pytest.raises(GuardianTooNew):
            await transaction(
                pool, as_resident(mother), at, lambda db: actions.erase_account(db, CODE_WORD, child.person)
            )
    assert await may(week)
    done = await ask(as_resident(mother), cosign, week, id=found[0]["node"]["id"], key="cosign-erase-2")
    assert done["subjectRequestCosign"]["__typename"] == "SubjectRequest"
    assert done["subjectRequestCosign"]["state"] == "DONE"
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT state FROM person WHERE id = $1", child.person) == "PSEUDONYM"
        assert await connection.fetchval("SELECT count(*) FROM resident WHERE person_id = $1", child.person) == 0


def test_the_name_of_who_is_gone_is_sorted_as_it_reads() -> None:
    assert sort_key(erasure.GONE) == erasure.GONE_PINYIN
