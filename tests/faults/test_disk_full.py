"""A disk that is full: writes are refused by name, reads go on, nothing acknowledged is lost, and room is all it needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from api.settings import Trouble, keep
from tests.faults.client import CATEGORIES, NEEDS, SUBMIT, Answer, Client, bare, key, page
from tests.faults.conftest import Town
from tests.faults.holding import needs_locked
from tests.faults.processes import Api, Postgres, eventually

MEGABYTE = 1 << 20
PAGE = 4096
ROOM, SEGMENTS = 4 * MEGABYTE, 64 * MEGABYTE
"""What is left on the small disks beside what lies there already: the log of writes grows by 16 MB at once."""


class Disk:
    """A small file system in memory, laid over a folder with what that holds."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.ballast = folder, folder / "ballast"
        self.held = folder.with_name(f"{folder.name}-held")
        owner = folder.stat()
        folder.rename(self.held)
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
        size = sum(-(-f.stat().st_size // PAGE) * PAGE for f in self.held.rglob("*") if f.is_file()) + room
        options = f"size={size},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
        subprocess.run(["cp", "-a", f"{self.held}/.", str(folder)], check=True)

    def fill(self) -> None:
        """Takes what room there is."""
        with contextlib.suppress(OSError), open(self.ballast, "wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))

    def clear(self) -> None:
        """Gives it back."""
        self.ballast.unlink(missing_ok=True)

    def lift(self) -> None:
        """Takes it away; what it holds now is where it was before."""
        self.clear()
        shutil.rmtree(self.held)
        shutil.copytree(self.folder, self.held, symlinks=True)
        owner = self.folder.stat()
        for path in (self.held, *self.held.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        subprocess.run(["umount", str(self.folder)], check=True)
        self.folder.rmdir()
        self.held.rename(self.folder)


def may_mount(tmp: Path) -> bool:
    """Whether this user may: in most containers root may not either."""
    tmp.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=65536", "tmpfs", str(tmp)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        return False
    subprocess.run(["umount", str(tmp)], check=True)
    return True


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A user who may mount disks."""
    if not may_mount(tmp_path_factory.mktemp("mount") / "disk"):
        pytest.skip("a full disk is made by mounting a small one, which this user may not do here")


@pytest.fixture(scope="module")
def disks(mounts: None, postgres: Postgres, durable: Town) -> Iterator[tuple[Disk, Disk]]:
    """The durable server's tables lie on one small disk and its log of writes lies on another."""
    postgres.stop()
    data = postgres.cluster.data
    made = Disk(data / "base", ROOM), Disk(data / "pg_wal", SEGMENTS)
    try:
        postgres.start()
        yield made
    finally:
        postgres.stop()
        for disk in made:
            disk.lift()
        postgres.start()


@pytest.fixture
async def api(durable: Town, disks: tuple[Disk, Disk], log: Path) -> AsyncIterator[Api]:
    async with Api(durable.api_url, log) as made:
        yield made


class Writer:
    """Submits needs with a key each, and keeps what came of them."""

    def __init__(self, client: Client, staff: str, category: str) -> None:
        self.client, self.staff, self.category = client, staff, category
        self.acknowledged: dict[str, str] = {}
        """Key: the id that was told."""
        self.refused: dict[str, str] = {}
        """Key: the failure's name."""

    async def write(self, same: str | None = None) -> Answer:
        same = same or key()
        given = {"title": "帮忙买菜", "category": self.category, "note": "米面油盐，" * 60}
        answer = await self.client.ask(self.staff, SUBMIT, input=given, key=same)
        if answer.code is None:
            self.acknowledged[same] = answer.outcome["id"]
        else:
            self.refused[same] = answer.code
        return answer

    async def until_refused(self, times: int, between: Callable[[], Awaitable[object]] | None = None) -> None:
        """Eight at a time, until so many were refused."""
        for _ in range(400):
            await asyncio.gather(*(self.write() for _ in range(8)))
            if len(self.refused) >= times:
                return
            if between is not None:
                await between()
        raise AssertionError("the disk never filled up")

    async def again(self) -> None:
        """What was refused is sent again, with its keys."""
        for same in list(self.refused):
            assert (await self.write(same)).code is None

    async def all_there(self, here: Town) -> None:
        """Every need that was acknowledged is there, once, and none besides."""
        ids = [bare(id) for id in self.acknowledged.values()]
        assert len(set(ids)) == len(ids)
        (row,) = await here.sql(
            """
            SELECT (SELECT count(*) FROM need WHERE id = ANY ($1)) AS needs,
                   (SELECT count(*) FROM idempotency_record WHERE key = ANY ($2)) AS keys,
                   (SELECT count(*) FROM need WHERE id >= $3) AS since
            """,
            ids,
            list(self.acknowledged),
            min(ids),
        )
        assert tuple(row) == (len(ids),) * 3


async def writer(client: Client, here: Town) -> Writer:
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    return Writer(client, here.tokens["community-staff"], categories["ELDERLY.ESCORT"])


async def test_where_tables_have_no_room_writes_are_refused_by_name_and_reads_go_on(
    durable: Town, api: Api, disks: tuple[Disk, Disk]
) -> None:
    client, (tables, _) = Client(api.port), disks
    writes = await writer(client, durable)
    assert (await writes.write()).code is None
    stop, reads = asyncio.Event(), []

    async def read() -> None:
        while not stop.is_set():
            reads.append(await client.ask(writes.staff, NEEDS))
            await asyncio.sleep(0.02)

    reading = asyncio.ensure_future(read())
    tables.fill()
    await writes.until_refused(20)
    assert set(writes.refused.values()) == {"STORAGE_FULL"}

    async def enough() -> bool:
        return len(reads) > 20

    await eventually(enough)
    stop.set()
    await reading
    assert all(a.outcome["edges"] for a in reads), "no reader has noticed"
    tables.clear()
    for _ in range(20):
        assert (await writes.write()).code is None, "room is all that was missing"
    await writes.again()
    await writes.all_there(durable)


async def test_where_the_log_of_writes_has_no_room_nothing_acknowledged_is_lost(
    durable: Town, postgres: Postgres, api: Api, disks: tuple[Disk, Disk]
) -> None:
    """PostgreSQL cannot go on then: it ends, and everything is UNAVAILABLE until there is room and it is started again."""
    client, (_, log) = Client(api.port), disks
    writes = await writer(client, durable)
    assert (await writes.write()).code is None
    log.fill()

    async def next_segment() -> None:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            await durable.sql("SELECT pg_switch_wal()")

    await writes.until_refused(20, next_segment)
    assert set(writes.refused.values()) <= {"UNAVAILABLE", "STORAGE_FULL"}, Counter(writes.refused.values())
    assert (await client.ask(writes.staff, NEEDS)).code in {None, "UNAVAILABLE", "BUSY"}
    if postgres.cluster.pid is not None:  # it tries again and again to recover; else it has ended by itself
        await asyncio.to_thread(postgres.kill)
    log.clear()
    await asyncio.to_thread(postgres.start)

    async def served() -> bool:
        return (await writes.write()).code is None

    assert await eventually(served) < 3
    await writes.again()
    await writes.all_there(durable)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here, which takes no byte")
async def test_where_the_logs_have_no_room_requests_are_answered_all_the_same(here: Town) -> None:
    """Failures too, each of which writes to the log; how many of its lines are lost is counted."""
    staff = here.tokens["community-staff"]
    env = {"WUSHE_LOG": "debug", "WUSHE_STATEMENT_TIMEOUT": "0.2", "WUSHE_METRICS": "public"}
    async with Api(here.api_url, Path("/dev/full"), **env) as api:
        client = Client(api.port)
        async with needs_locked(here):
            late = await asyncio.gather(*(client.ask(staff, NEEDS) for _ in range(4)))
        assert {a.code for a in late} == {"BUSY"}
        assert (await client.ask(staff, NEEDS)).outcome["edges"]
        counted = (await page(api.port, "/metrics")).decode()
        assert float(counted.partition("\nwushe_log_writes_lost_total ")[2].partition("\n")[0]) >= 4


def test_a_key_that_has_no_room_is_not_half_kept(mounts: None, tmp_path: Path) -> None:
    """A master key's file is whole or not there, and what is wrong is said in a sentence."""
    folder = tmp_path / "data"
    folder.mkdir()
    disk = Disk(folder, 64 * 1024)
    try:
        disk.fill()
        with pytest.raises(Trouble, match="no space left on device"):
            keep(folder / "master-key", "x" * 44)
        assert os.listdir(folder) == ["ballast"]
        disk.clear()
        assert keep(folder / "master-key", "y" * 44) == "y" * 44
        assert keep(folder / "master-key", "z" * 44) == "y" * 44
    finally:
        disk.lift()
