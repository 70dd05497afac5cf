"""Seals: nothing is missed, nothing is sealed twice, nobody waits, and whatever is changed is named."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import migrate, vault
from models.audit_archive import archive, before
from models.audit_proof import Broken, Fault, head, verify
from models.audit_seal import BATCH, BEGINNING, canonical, end, foreign, seal, waiting, write
from models.clock import SHANGHAI
from models.pool import Pool
from models.vault import Kind
from tests.audit.conftest import Log
from tests.server import Server, name_of


async def held(log: Log) -> list[UUID]:
    return [r[0] for r in await log.owner.fetch("SELECT unnest(row_ids) FROM audit_seal ORDER BY n")]


async def written(log: Log) -> list[UUID]:
    return [r[0] for r in await log.owner.fetch("SELECT id FROM audit_event ORDER BY era, xid, id")]


async def test_what_is_written_is_sealed_once_in_order(log: Log, now: datetime) -> None:
    assert await log.seal(now) == 0
    for n in range(3):
        await log.write(now, purpose=f"{n}")
    assert await log.seal(now) == 3
    await log.write(now)
    assert await log.seal(now) == 1
    assert await log.seal(now) == 0
    assert await held(log) == await written(log)
    proof = await verify(log.owner, await log.keys())
    assert (proof.seals, proof.rows, proof.waiting, proof.until) == (2, 4, 0, now)
    await log.write(now)
    assert (await verify(log.owner, await log.keys())).waiting == 1


async def test_sixteen_writers_wait_for_nobody_and_nothing_is_missed(
    log: Log, pool: Pool, server: Server, now: datetime
) -> None:
    done = asyncio.Event()
    longest = 0.0

    async def writer(n: int) -> None:
        nonlocal longest
        mine = Log(await asyncpg.connect(pool.url), log.owner, log.root)
        for k in range(60):
            began = asyncio.get_running_loop().time()
            async with mine.api.transaction():
                await mine.write(now)
                if (n + k) % 5 == 0:
                    await asyncio.sleep(0.003)  # commits late
                    await mine.write(now)
            longest = max(longest, asyncio.get_running_loop().time() - began)
        await mine.api.close()

    async def sealer() -> None:
        owner = await asyncpg.connect(server.owner_url(name_of(pool.url)))
        keys = await vault.load(owner)
        while not done.is_set():
            await seal(owner, keys, now)
            await asyncio.sleep(0)
        await owner.close()

    sealers = [asyncio.create_task(sealer()) for _ in range(2)]
    await asyncio.gather(*(writer(n) for n in range(16)))
    done.set()
    await asyncio.gather(*sealers)
    await log.seal(now)
    all_of_it = await written(log)
    assert len(all_of_it) == 16 * 72
    assert await held(log) == all_of_it
    assert longest < 1.0
    assert (await verify(log.owner, await log.keys())).rows == len(all_of_it)


async def test_what_waits_for_a_seal_is_counted(log: Log, now: datetime) -> None:
    assert await waiting(log.api) == (0, None)
    await log.write(now)
    await log.seal(now)
    assert await waiting(log.api) == (0, None)
    for minutes in (5, 3, 4):
        await log.write(now + timedelta(minutes=minutes))
    assert await waiting(log.api) == (3, now + timedelta(minutes=3))


async def test_a_sealer_holds_up_no_writer(log: Log, now: datetime) -> None:
    await log.write(now)
    keys = await log.keys()
    async with log.owner.transaction():
        while not await seal(log.owner, keys, now):  # noqa: ASYNC110 - transactions of other databases hold it up
            await asyncio.sleep(0.02)
        await asyncio.wait_for(log.write(now), 2)


async def test_a_row_that_is_committed_late_is_not_passed_by(log: Log, pool: Pool, now: datetime) -> None:
    async with pool.connection() as connection:
        late = connection.transaction()
        await late.start()
        slow = await Log(connection, log.owner, log.root).write(now)
        await log.write(now)
        assert await seal(log.owner, await log.keys(), now) == 0  # the later one must wait for the earlier one
        await late.commit()
    await log.write(now)
    assert await log.seal(now) == 3
    first = await log.owner.fetchval("SELECT subject FROM audit_event WHERE id = $1", (await held(log))[0])
    assert first == slow
    assert (await verify(log.owner, await log.keys())).rows == 3


async def test_batches_follow_one_another(log: Log, now: datetime) -> None:
    await log.api.execute(
        "INSERT INTO audit_event (at, action, result, role, detail)"
        " SELECT $1, 'x', 'DONE', 'SYSTEM', '{}' FROM generate_series(1, $2)",
        now,
        BATCH + 5,
    )
    keys = await log.keys()
    assert await log.seal(now) == BATCH + 5
    assert (await verify(log.owner, keys)).seals == 2


async def test_a_seal_is_of_one_month(log: Log) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=SHANGHAI)
    for seconds in (-2, -1, 1, -3):
        await log.write(midnight + timedelta(seconds=seconds))
    await log.seal(midnight)
    assert await log.owner.fetch("SELECT month, count FROM audit_seal ORDER BY n") == [
        (dt.date(2026, 11, 1), 2),
        (dt.date(2026, 12, 1), 1),
        (dt.date(2026, 11, 1), 1),
    ]
    keys = await log.keys()
    assert (await verify(log.owner, keys)).rows == 4
    assert (await verify(log.owner, keys, since=dt.date(2026, 12, 1))).rows == 2
    assert (await verify(log.owner, keys, since=dt.date(2027, 1, 1))).rows == 0


Tamper = Callable[[Log], Awaitable[object]]
THIRD = "(SELECT row_ids[1] FROM audit_seal WHERE n = 3)"


def done(*statements: str) -> Tamper:
    async def tamper(log: Log) -> None:
        for statement in statements:
            assert (await log.root.execute(statement)).split()[-1] != "0", statement

    return tamper


SAME = "INSERT INTO audit_event (at, era, xid, action, result, role, detail) SELECT at, era, xid, 'needClose', 'DONE', 'ADMIN', '{}' FROM audit_event"
CHANGES = {
    "another actor": (done(f"UPDATE audit_event SET person = uuidv7() WHERE id = {THIRD}"), Fault.ROW_CHANGED, True),
    "another result": (done(f"UPDATE audit_event SET result = 'X' WHERE id = {THIRD}"), Fault.ROW_CHANGED, True),
    "a detail": (
        done(f"UPDATE audit_event SET detail = '{{\"a\": 1}}' WHERE id = {THIRD}"),
        Fault.ROW_CHANGED,
        True,
    ),
    "null is not empty": (done(f"UPDATE audit_event SET address = '' WHERE id = {THIRD}"), Fault.ROW_CHANGED, True),
    "another hour": (
        done(f"UPDATE audit_event SET at = at + interval '1 us' WHERE id = {THIRD}"),
        Fault.ROW_CHANGED,
        True,
    ),
    "another month": (
        done(f"UPDATE audit_event SET at = at + interval '40 days' WHERE id = {THIRD}"),
        Fault.ROW_CHANGED,
        True,
    ),
    "another transaction": (
        done(f"UPDATE audit_event SET xid = '3' WHERE id = {THIRD}"),
        Fault.ROW_CHANGED,
        True,
    ),
    "a row gone": (done(f"DELETE FROM audit_event WHERE id = {THIRD}"), Fault.ROW_MISSING, True),
    "another id": (done(f"UPDATE audit_event SET id = uuidv7() WHERE id = {THIRD}"), Fault.ROW_MISSING, True),
    "a row behind a seal": (done(f"{SAME} WHERE id = {THIRD}"), Fault.ROW_ADDED, False),
    "a copy of a row": (
        done(
            'INSERT INTO audit_event SELECT (e).* FROM (SELECT jsonb_populate_record(a, \'{"at": "2026-11-02T10:00:01+08:00"}\') AS e'
            f" FROM audit_event a WHERE id = {THIRD}) AS copied"
        ),
        Fault.ROW_ADDED,
        True,
    ),
    "a seal's row list": (
        done("UPDATE audit_seal SET row_ids = ARRAY[uuidv7()] WHERE n = 3"),
        Fault.SEAL_CHANGED,
        False,
    ),
    "a seal's time": (done("UPDATE audit_seal SET at = at - interval '1 day' WHERE n = 3"), Fault.SEAL_CHANGED, False),
    "a seal's month": (done("UPDATE audit_seal SET month = '2020-01-01' WHERE n = 3"), Fault.SEAL_CHANGED, False),
    "a seal's reach": (done("UPDATE audit_seal SET last_xid = '4' WHERE n = 3"), Fault.SEAL_CHANGED, False),
    "a seal gone": (done("DELETE FROM audit_seal WHERE n = 3"), Fault.SEAL_MISSING, False),
    "a seal and its rows gone, the others moved up": (
        done(
            f"DELETE FROM audit_event WHERE id = {THIRD}",
            "DELETE FROM audit_seal WHERE n = 3",
            "UPDATE audit_seal SET n = n - 1 WHERE n > 3",
        ),
        Fault.SEAL_CHANGED,
        False,
    ),
    "two seals in each other's place": (
        done(
            "UPDATE audit_seal SET n = 99 WHERE n = 3",
            "UPDATE audit_seal SET n = 3 WHERE n = 4",
            "UPDATE audit_seal SET n = 4 WHERE n = 99",
        ),
        Fault.SEAL_CHANGED,
        False,
    ),
    "another's archive record": (
        done("INSERT INTO audit_archive VALUES ('2026-11-01', '2030-01-01', 5, '\\x00', uuidv7())"),
        Fault.ARCHIVE_CHANGED,
        False,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_is_changed_is_named(log: Log, now: datetime, change: str) -> None:
    for n in range(5):
        await log.write(now + timedelta(minutes=n), action=f"act{n + 1}")
        await log.seal(now)
    keys = await log.keys()
    assert (await verify(log.owner, keys)).rows == 5
    third = await log.owner.fetchrow(f"SELECT id, at FROM audit_event WHERE id = {THIRD}")
    tamper, fault, row = CHANGES[change]
    await tamper(log)
    with pytest.raises(Broken) as found:
        await verify(log.owner, keys)
    broken = found.value
    assert broken.fault is fault
    if fault not in (Fault.ARCHIVE_CHANGED, Fault.ROW_ADDED):
        assert broken.seal == 3
    if row:
        assert broken.row == third["id"]
        assert str(third["id"]) in str(broken)
    if fault is Fault.ROW_CHANGED:
        assert broken.action == "act3"
        assert "act3" in str(broken)


async def test_the_first_of_several_is_named(log: Log, now: datetime) -> None:
    for n in range(5):
        await log.write(now, action=f"act{n + 1}")
        await log.seal(now)
    await log.root.execute("UPDATE audit_event SET result = 'X' WHERE action IN ('act4', 'act2')")
    with pytest.raises(Broken) as found:
        await verify(log.owner, await log.keys())
    assert (found.value.seal, found.value.action) == (2, "act2")


async def test_who_owns_the_database_cannot_forge_a_seal(log: Log, now: datetime) -> None:
    """He has the algorithm and every row, but not the master key: another key of his own gives other hashes."""
    await log.write(now)
    await log.seal(now)
    await log.root.execute("UPDATE audit_event SET result = 'X'")
    forged = vault.Keys([((await log.keys()).secret(Kind.AUDIT)[0], "AUDIT", b"guessed".ljust(32), False)])
    await log.root.execute("DELETE FROM audit_seal")
    assert await seal(log.root, forged, now) == 1
    with pytest.raises(Broken) as found:
        await verify(log.owner, await log.keys())
    assert found.value.fault is Fault.SEAL_CHANGED


async def test_an_end_that_was_cut_off_is_found_by_a_hash_that_was_kept(log: Log, now: datetime) -> None:
    for n in range(4):
        await log.write(now, action=f"act{n + 1}")
        await log.seal(now)
    number, kept = await head(log.owner)
    assert number == 4
    keys = await log.keys()
    await log.write(now)
    await log.seal(now)
    assert (await verify(log.owner, keys, head=kept)).seals == 5
    assert (await verify(log.owner, keys, since=dt.date(2027, 1, 1), head=kept)).seals == 2
    await log.root.execute("DELETE FROM audit_event WHERE action = 'act4' OR action = 'needVerify'")
    await log.root.execute("DELETE FROM audit_seal WHERE n > 3")
    assert (await verify(log.owner, keys)).seals == 3  # nothing inside says so
    with pytest.raises(Broken) as found:
        await verify(log.owner, keys, head=kept)
    assert found.value.fault is Fault.CUT


async def test_the_apis_role_only_adds(log: Log, now: datetime) -> None:
    await log.write(now)
    await log.seal(now)
    month = next(
        r[0]
        for r in await log.owner.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass"
        )
    )
    for table in ("audit_event", "audit_seal", "audit_archive"):
        for statement in (
            f"UPDATE {table} SET at = at",
            f"DELETE FROM {table}",
            f"TRUNCATE {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER ALL",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await log.api.execute(statement)
    for statement in (f"DELETE FROM {month}", f"UPDATE {month} SET result = 'X'", f"DROP TABLE {month}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await log.api.execute(statement)
    for table in ("audit_seal", "audit_archive"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await log.api.execute(f"INSERT INTO {table} SELECT * FROM {table}")


async def test_the_owner_is_refused_as_well_but_for_whole_months(log: Log, now: datetime) -> None:
    await log.write(now)
    await log.seal(now)
    parts = [
        r[0]
        for r in await log.owner.fetch(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_event'::regclass"
        )
    ]
    for table in ("audit_event", "audit_seal"):
        for statement in (f"UPDATE {table} SET at = at", f"DELETE FROM {table}"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await log.owner.execute(statement)
    for table in ("audit_event", "audit_seal", "audit_archive", *parts):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await log.owner.execute(f"TRUNCATE {table}")


async def test_a_new_key_leaves_old_seals_provable(log: Log, now: datetime) -> None:
    await log.write(now)
    await log.seal(now)
    await vault.make(log.owner, Kind.AUDIT)
    await log.write(now)
    await log.seal(now)
    keys = await log.keys()
    assert await log.owner.fetchval("SELECT count(DISTINCT key) FROM audit_seal") == 2
    assert (await verify(log.owner, keys)).rows == 2
    old = await log.owner.fetchval("SELECT key FROM audit_seal WHERE n = 1")
    await log.owner.execute("UPDATE data_key SET retired_at = $1 WHERE id = $2", now, old)
    assert (await verify(log.owner, await log.keys())).rows == 2
    await log.owner.execute("DELETE FROM data_key WHERE id = $1", old)
    with pytest.raises(Broken) as found:
        await verify(log.owner, await log.keys())
    assert found.value.fault is Fault.KEY_MISSING


async def test_a_month_past_its_time_is_dropped_and_what_remains_is_provable(log: Log) -> None:
    old, new = datetime(2026, 11, 20, 9, 0, tzinfo=SHANGHAI), datetime(2027, 5, 2, 9, 0, tzinfo=SHANGHAI)
    await migrate.make_partitions(log.owner, dt.date(2026, 11, 1))
    await migrate.make_partitions(log.owner, dt.date(2027, 5, 1))
    for at in (old, new, old, new):
        await log.write(at)
    keys = await log.keys()
    assert await archive(log.owner, keys, new, 6) == {}
    later = datetime(2027, 6, 1, 0, 1, tzinfo=SHANGHAI)
    assert await archive(log.owner, keys, later, 6) == {}  # not sealed yet: it waits
    await log.seal(new)
    assert await archive(log.owner, keys, later, 6) == {"audit_event_p202611": 2}
    assert await archive(log.owner, keys, later, 6) == {}
    proof = await verify(log.owner, keys)
    assert (proof.rows, proof.archived, proof.seals) == (2, 2, 4)
    await log.write(later)
    await log.seal(later)
    assert (await verify(log.owner, keys)).rows == 3
    await log.root.execute("UPDATE audit_archive SET count = 1")
    with pytest.raises(Broken):
        await verify(log.owner, keys)


async def test_a_month_that_is_not_as_it_was_is_not_dropped(log: Log) -> None:
    old, new = datetime(2026, 11, 20, 9, 0, tzinfo=SHANGHAI), datetime(2027, 8, 2, 9, 0, tzinfo=SHANGHAI)
    await migrate.make_partitions(log.owner, dt.date(2026, 11, 1))
    await log.write(old)
    await log.seal(old)
    await log.root.execute("UPDATE audit_event SET result = 'X'")
    with pytest.raises(Broken):
        await archive(log.owner, await log.keys(), new, 6)
    assert await log.owner.fetchval("SELECT count(*) FROM audit_event") == 1


async def test_a_month_that_somebody_else_dropped_is_missed(log: Log, now: datetime) -> None:
    await migrate.make_partitions(log.owner, dt.date(2026, 11, 1))
    await log.write(now)
    await log.seal(now)
    await log.root.execute("DROP TABLE audit_event_p202611")
    with pytest.raises(Broken) as found:
        await verify(log.owner, await log.keys())
    assert found.value.fault is Fault.ROW_MISSING


async def test_after_a_move_to_another_server_the_chain_goes_on(log: Log, now: datetime) -> None:
    """A dump brings transactions with it whose numbers this server has not reached."""
    ahead = await log.owner.fetchval("SELECT pg_current_xact_id()::text::bigint") + 1_000_000
    await log.write(now, action="sealed")
    await log.write(now, action="unsealed")
    await log.root.execute("UPDATE audit_event SET xid = (($1::bigint + 1)::text)::xid8 WHERE action = 'sealed'", ahead)
    keys = await log.keys()
    rows = await log.owner.fetch("SELECT * FROM audit_event WHERE action = 'sealed'")
    await write(log.owner, keys, now, await end(log.owner), rows)
    await log.root.execute(
        "UPDATE audit_event SET xid = (($1::bigint + 2)::text)::xid8 WHERE action = 'unsealed'", ahead
    )
    await log.write(now, action="stray")  # before anybody migrated
    assert await foreign(log.owner)
    assert await seal(log.owner, keys, now) == 0
    await asyncio.to_thread(migrate.upgrade, log.owner_url, "wushe_api")
    assert not await foreign(log.owner)
    await log.write(now, action="after")
    assert await log.seal(now) == 2  # the move itself is the first row of the new era
    proof = await verify(log.owner, keys)
    assert (proof.rows, proof.waiting) == (5, 0)
    assert sorted(await held(log)) == sorted(await written(log))
    await log.root.execute("UPDATE audit_event SET result = 'X' WHERE action = 'stray'")
    with pytest.raises(Broken) as found:
        await verify(log.owner, keys)
    assert (found.value.fault, found.value.action) == (Fault.ROW_CHANGED, "stray")


VALUES = st.lists(
    st.one_of(st.none(), st.text(st.characters(codec="utf-8")), st.integers(), st.uuids(), st.binary()), max_size=4
)


@given(VALUES, VALUES)
def test_two_lists_of_values_are_never_the_same_bytes(one: list[object], other: list[object]) -> None:
    """Of columns of the same types, that is: which a row's always are."""
    if [type(v) for v in one] == [type(v) for v in other] and one != other:
        assert canonical("row", one) != canonical("row", other)
    assert canonical("row", one) != canonical("seal", one)
    assert canonical("row", [*one, None]) != canonical("row", one)


def test_months_are_counted_back() -> None:
    assert before(dt.date(2026, 11, 1), 6) == dt.date(2026, 5, 1)
    assert before(dt.date(2026, 11, 1), 11) == dt.date(2025, 12, 1)
    assert before(dt.date(2026, 11, 1), 36) == dt.date(2023, 11, 1)


async def test_an_empty_log_is_whole(log: Log) -> None:
    assert (await end(log.owner)).read == BEGINNING
    assert (await verify(log.owner, await log.keys())).rows == 0
