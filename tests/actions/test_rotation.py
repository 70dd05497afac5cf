"""Keys rotate while people read and write: nothing is lost, and nothing is left under an old key."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from models import rotation, vault
from models.access import Actor, Role
from models.database import Db, transaction
from models.people.actions import new_person, of_phone, set_address, set_name, set_phone
from models.people.rules import PhoneWhose
from models.people.tables import PersonContact, PersonName
from models.pool import Pool
from models.vault import ID, KEY_BYTES, Kind, Locked
from tests.demo import Demo, demo_to_change  # noqa: F401 - a fixture
from tests.make_people import identity, resident, town
from tests.server import Server, name_of

MASTER = b"tests only".ljust(KEY_BYTES)
SOON = timedelta(seconds=0.15)
LATER = timedelta(minutes=20)
CLERK = Actor(Role.ADMIN)


def moment() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def owner(server: Server, committed: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(server.owner_url(name_of(committed)))
    yield made
    await made.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keys are read again after a twentieth of a second, and batches are small."""
    monkeypatch.setattr(vault, "FRESH", 0.05)
    monkeypatch.setattr(rotation, "BATCH", 7)
    yield
    vault.unlock(MASTER)


class People:
    """People who are written and read all the time, and what they are known to be."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.r, self.at = pool, random.Random(7), moment()
        self.names: dict[UUID, str] = {}
        self.phones: dict[UUID, str] = {}
        self.addresses: dict[UUID, str] = {}
        self.written = self.read = 0
        self.going = True

    def phone(self) -> str:
        return f"12{self.r.randrange(10**9):09d}"

    async def begin(self, how_many: int) -> None:
        for n in range(how_many):
            name, phone, address = f"张{n}", self.phone(), f"万莲小区{n}号"

            async def work(db: Db, name: str = name, phone: str = phone, address: str = address) -> UUID:
                return await new_person(db, name=name, phone=phone, whose=PhoneWhose.OWN, address=address)

            who = await transaction(self.pool, CLERK, self.at, work)
            self.names[who], self.phones[who], self.addresses[who] = name, phone, address
        async with self.pool.connection() as connection:
            there = await town(connection)
            for n, who in enumerate(list(self.names)[:20]):
                await resident(connection, there, person=who, tags=("LOW_INCOME",), care_note="膝盖不便")
                await identity(connection, who, f"21999919440308{n:03d}0")

    async def writes(self) -> None:
        while self.going:
            who, n = self.r.choice(list(self.names)), self.written

            async def work(db: Db, who: UUID = who, n: int = n) -> None:
                if n % 3 == 0:
                    await set_name(db, who, f"李{n}")
                elif n % 3 == 1:
                    await set_phone(db, who, self.next, PhoneWhose.OWN)
                else:
                    await set_address(db, who, f"多福小区{n}号")

            self.next = self.phone()
            await transaction(self.pool, CLERK, self.at, work)
            if n % 3 == 0:
                self.names[who] = f"李{n}"
            elif n % 3 == 1:
                self.phones[who] = self.next
            else:
                self.addresses[who] = f"多福小区{n}号"
            self.written += 1
            await asyncio.sleep(0)

    async def reads(self) -> None:
        while self.going:
            who = self.r.choice(list(self.names))
            before = self.names[who], self.phones[who]

            async def work(db: Db, who: UUID = who, phone: str = before[1]) -> tuple[str, list[UUID]]:
                sealed = await db.connection.fetchval("SELECT name FROM person_name WHERE person_id = $1", who)
                return await db.open(Kind.NAME, sealed, who), [r["person_id"] for r in await of_phone(db, phone)]

            name, found = await transaction(self.pool, CLERK, self.at, work)
            assert name in (before[0], self.names[who]) or self.names[who] != before[0]
            assert who in found or self.phones[who] != before[1]
            self.read += 1
            await asyncio.sleep(0)


async def test_every_kind_is_rotated_under_way(quick: None, pool: Pool, owner: asyncpg.Connection) -> None:
    people = People(pool)
    await people.begin(60)
    first = {row["kind"]: row["id"] for row in await owner.fetch("SELECT kind, id FROM data_key")}
    busy = [asyncio.create_task(people.writes()), asyncio.create_task(people.reads())]
    for kind in Kind:
        await rotation.rotate(owner, [kind], moment(), SOON)
        await asyncio.sleep(0.3)  # every process has read it, and its time has come
        await rotation.reseal(owner, [kind], moment())
        assert all(not task.done() for task in busy), [task.exception() for task in busy if task.done()]
    people.going = False
    await asyncio.gather(*busy)
    assert people.written > 30 and people.read > 30

    retired, refused = await rotation.retire(owner, moment() + LATER)
    assert not refused
    assert {key.kind: key.id for key in retired} == {Kind(k): id for k, id in first.items()}
    keys = await vault.load(owner)
    for column in rotation.sealed_columns():
        rows = await owner.fetch(f"SELECT {column.name} AS sealed FROM {column.table.name}")
        assert {bytes(r["sealed"][:ID]) for r in rows if r["sealed"]} <= {keys.current(column.kind).bytes}
    for who, name in people.names.items():
        row = await owner.fetchrow(
            "SELECT * FROM person_name JOIN person_contact USING (person_id) WHERE person_id = $1", who
        )
        assert keys.open(Kind.NAME, row["name"], who) == name
        assert keys.open(Kind.PHONE, row["phone"], who) == people.phones[who]
        assert keys.open(Kind.ADDRESS, row["address"], who) == people.addresses[who]
        assert row["phone_index"] == keys.index(Kind.PHONE, people.phones[who])
    for row in await owner.fetch("SELECT person_id, care, care_note FROM resident"):
        assert keys.open(Kind.CARE, row["care"], row["person_id"]).strip() == '["LOW_INCOME"]'
        assert keys.open(Kind.CARE, row["care_note"], row["person_id"]) == "膝盖不便"
    assert await owner.fetchval("SELECT count(*) FROM person_identity") == 20
    for row in await owner.fetch("SELECT * FROM person_identity"):
        number = keys.open(Kind.IDENTITY, row["number"], row["person_id"])
        assert row["number_index"] == keys.index(Kind.IDENTITY, number)


async def test_each_step_is_on_the_audit_log(quick: None, pool: Pool, owner: asyncpg.Connection) -> None:
    await People(pool).begin(9)
    made = await rotation.rotate(owner, [Kind.NAME, Kind.INDEX], moment(), -SOON)
    done = await rotation.reseal(owner, [Kind.NAME, Kind.INDEX], moment())
    assert done["person_name.name"] == 9 and done["person_contact.phone_index"] == 9
    assert not (await rotation.reseal(owner, [Kind.NAME, Kind.INDEX], moment()))
    await rotation.retire(owner, moment() + LATER)
    rows = await owner.fetch("SELECT * FROM audit_event WHERE action LIKE 'command.keys.%' ORDER BY id")
    said = [(r["action"].removeprefix("command.keys."), r["role"], r["person"], r["result"]) for r in rows]
    steps = ["rotate", "rotate", "reseal", "reseal", "retire", "retire"]
    assert said == [(step, "ADMIN", None, "DONE") for step in steps]
    assert [r["subject"] for r in rows[:2]] == made


async def test_a_key_of_which_something_is_left_is_kept(quick: None, pool: Pool, owner: asyncpg.Connection) -> None:
    await People(pool).begin(3)
    await rotation.rotate(owner, [Kind.PHONE, Kind.INDEX, Kind.TOKEN], moment(), -SOON)
    retired, refused = await rotation.retire(owner, moment() + timedelta(minutes=5))
    assert not retired
    assert {(r.key.kind, r.reason.split(":")[0].split(" seconds")[0].rstrip("0123456789 ")) for r in refused} == {
        (Kind.PHONE, "3 values are still sealed with it"),
        (Kind.INDEX, "6 values are still sealed with it"),
        (Kind.TOKEN, "processes may still use it for"),
    }
    await rotation.reseal(owner, [Kind.PHONE, Kind.INDEX], moment())
    _, refused = await rotation.retire(owner, moment())  # nothing is left, but somebody may still write
    assert {r.key.kind for r in refused} == {Kind.PHONE, Kind.INDEX, Kind.TOKEN}
    assert await owner.fetchval("SELECT count(*) FROM data_key WHERE retired_at IS NOT NULL") == 0


async def test_a_key_waits_until_everybody_knows_it(owner: asyncpg.Connection) -> None:
    before = await vault.load(owner)
    made = (await rotation.rotate(owner, [Kind.NAME], moment()))[0]
    after = await vault.load(owner)
    assert after.current(Kind.NAME) == before.current(Kind.NAME) != made
    listed = {key.id: key for key in await rotation.listed(owner, moment() + LATER)}
    assert listed[made].newest and not listed[before.current(Kind.NAME)].newest


async def test_a_locked_row_is_sealed_when_it_is_free(quick: None, pool: Pool, owner: asyncpg.Connection) -> None:
    people = People(pool)
    await people.begin(10)
    who = list(people.names)[4]
    await rotation.rotate(owner, [Kind.NAME, Kind.INDEX], moment(), -SOON)
    async with pool.connection() as other:
        held = other.transaction()
        await held.start()
        await other.execute(
            "SELECT FROM person_name JOIN person_contact USING (person_id) WHERE person_id = $1 FOR UPDATE", who
        )
        work = asyncio.create_task(rotation.reseal(owner, [Kind.NAME, Kind.INDEX], moment()))
        await asyncio.sleep(0.5)
        assert not work.done()
        await held.commit()
    done = await asyncio.wait_for(work, 10)
    assert done["person_name.name"] == 10 and done["person_contact.phone_index"] == 10


async def test_every_sealed_column_can_be_walked(owner: asyncpg.Connection) -> None:
    """Of every area, also those whose tables are empty here: the statements are right, and whom a value is about is a UUID."""
    assert {PersonName.__tablename__, PersonContact.__tablename__} <= {c.table.name for c in rotation.sealed_columns()}
    for column in rotation.sealed_columns():
        read = [] if column.subject is None else [column.subject]
        walk = rotation.Walk(column.table, column.name, read, f"substring({column.name} FROM 1 FOR 16) <> $1")
        for sql in (walk.first, walk.next, walk.write):
            await owner.prepare(sql)
        assert column.subject is None or str(column.table.c[column.subject].type) in ("CHAR(32)", "UUID")
        info = await owner.fetchrow(
            "SELECT data_type FROM information_schema.columns WHERE table_name = $1 AND column_name = $2",
            column.table.name,
            column.name,
        )
        assert info["data_type"] == "bytea"
    for blind in rotation.blind_columns():
        await owner.prepare(rotation.Walk(blind.table, blind.name, [blind.of.name], "$1").first)


async def test_rows_that_never_change_are_sealed_anew_too(quick: None, demo_to_change: Demo) -> None:  # noqa: F811
    """Of the demo's data: sessions that are locked, needs that are closed, donors, accounts."""
    api, owner = await asyncpg.connect(demo_to_change.api), await asyncpg.connect(demo_to_change.owner)
    try:
        before = await opened(owner)
        assert {kind for kind, _, _ in before} >= {Kind.NAME, Kind.PHONE, Kind.ADDRESS, Kind.IDENTITY, Kind.CARE}
        await rotation.rotate(owner, list(Kind), moment(), -SOON)
        done = await rotation.reseal(owner, list(Kind), moment())
        assert sum(done.values()) >= len(before)
        _, refused = await rotation.retire(owner, moment() + LATER)
        assert not refused
        assert await opened(owner) == before
        locked = "SELECT a.id FROM attendance a JOIN service_session s ON s.id = session_id WHERE s.status = 'LOCKED' AND a.reason IS NOT NULL"
        one = await api.fetchval(locked)
        assert one is not None
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):  # for the API's role it stays locked
            await api.execute("UPDATE attendance SET reason = 'x' WHERE id = $1", one)
    finally:
        await api.close()
        await owner.close()


async def opened(connection: asyncpg.Connection) -> set[tuple[Kind, UUID, str]]:
    """Every sealed value: of which kind, about whom, and what it says."""
    keys, found = await vault.load(connection), set()
    for column in rotation.sealed_columns():
        sql = (
            f"SELECT {column.subject or 'NULL'}, {column.name} FROM {column.table.name} WHERE {column.name} IS NOT NULL"
        )
        for subject, sealed in await connection.fetch(sql):
            whose = subject or vault.NO_ONE
            found.add((column.kind, whose, keys.open(column.kind, sealed, whose)))
    return found


async def test_a_new_master_key(quick: None, pool: Pool, owner: asyncpg.Connection) -> None:
    people = People(pool)
    await people.begin(2)
    new = os.urandom(KEY_BYTES)
    vault.unlock(new)
    with pytest.raises(Locked, match="which is not given"):
        await vault.load(owner)
    with pytest.raises(Locked):
        await rotation.rewrap(owner, moment())
    vault.unlock(new, MASTER)
    assert await rotation.rewrap(owner, moment()) == len(Kind)
    assert await rotation.rewrap(owner, moment()) == 0
    vault.unlock(new)
    keys = await vault.load(owner)
    for who, name in people.names.items():
        sealed = await owner.fetchval("SELECT name FROM person_name WHERE person_id = $1", who)
        assert keys.open(Kind.NAME, sealed, who) == name
    vault.unlock(MASTER)
    with pytest.raises(Locked):
        await vault.load(owner)


def run(
    server: Server, name: str, master: bytes, *arguments: str, old: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "WUSHE_MODE": "test",
        "DATABASE_URL": server.api_url(name),
        "DATABASE_OWNER_URL": server.owner_url(name),
        "WUSHE_MASTER_KEY": base64.b64encode(master).decode(),
        "WUSHE_MASTER_KEYS_OLD": "" if old is None else base64.b64encode(old).decode(),
    }
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "api.cli", "keys", *arguments]
    return subprocess.run(command, env=env, cwd=root, capture_output=True, text=True, timeout=60)


def test_the_command(server: Server, committed: str) -> None:
    name, new = name_of(committed), os.urandom(KEY_BYTES)
    printed = run(server, name, MASTER, "new").stdout.strip()
    assert len(base64.urlsafe_b64decode(printed)) == KEY_BYTES
    listed = run(server, name, MASTER, "list")
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == sorted(k.value for k in Kind)
    wrong = run(server, name, new, "list")
    assert wrong.returncode == 1 and wrong.stderr.count("\n") == 1
    assert wrong.stderr.startswith("wushe: The data keys cannot be opened: data key ")
    changed = run(server, name, new, "rewrap", old=MASTER)
    assert changed.returncode == 0 and changed.stdout.startswith(f"{len(Kind)} data keys were wrapped"), changed.stderr
    assert run(server, name, new, "list").returncode == 0
    for step in (["rotate", "PHONE"], ["reseal", "all"]):
        done = run(server, name, new, *step)
        assert done.returncode == 0, done.stderr
    kept = run(server, name, new, "retire")
    assert (kept.returncode, kept.stdout) == (0, "There is no older key.\n")
    assert "waits" in run(server, name, new, "list").stdout
