"""The embedded server: starting, sharing, dying and coming back."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from api import embedded
from api.commands.database import connected
from api.embedded import place
from api.settings import ROOT, SYSTEM, Settings, Trouble
from tests.setup.conftest import eventually

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")

HOLDER = """
import sys, time
from pathlib import Path
from api import embedded
cluster = embedded.start(Path(sys.argv[1]))
print(cluster.pid, flush=True)
time.sleep(600)
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """Another process with the server, and the server's process id."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        return process, int(process.stdout.readline())


async def test_three_roles_each_with_a_password(folder: Path) -> None:
    with embedded.start(folder) as cluster:
        owner = await asyncpg.connect(cluster.owner_url)
        await owner.execute("CREATE EXTENSION btree_gist; CREATE TABLE need (id int)")
        api = await asyncpg.connect(cluster.api_url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.execute("CREATE TABLE other (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await api.execute("SELECT * FROM need")
        wrong = cluster.api_url.replace("wushe_api:", "wushe_api:x")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(wrong)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(cluster.url("superuser", "postgres").replace("postgres:", "postgres:x"))
        shown = {name: await api.fetchval(f"SHOW {name}") for name in ("jit", "timezone", "server_encoding", "fsync")}
        assert shown == {"jit": "off", "timezone": "Asia/Shanghai", "server_encoding": "UTF8", "fsync": "on"}
        await owner.close()
        await api.close()


def test_databases_are_made_cloned_and_dropped(folder: Path) -> None:
    with embedded.start(folder, {"fsync": "off", "shared_buffers": "16MB"}) as cluster:
        cluster.create("template_a")
        cluster.sql("CREATE TABLE t AS SELECT generate_series(1, 3) AS n", database="template_a")
        cluster.create("copy_a", "template_a")
        assert cluster.sql("SELECT sum(n) FROM t", database="copy_a") == "6\n"
        cluster.drop("copy_a")
        cluster.drop("copy_a")
        with pytest.raises(Trouble, match="copy_a"):
            cluster.sql("SELECT 1", database="copy_a")
        assert cluster.sql("SHOW shared_buffers") == "16MB\n"


def test_second_start_is_fast_and_keeps_the_data(folder: Path) -> None:
    with embedded.start(folder) as cluster:
        cluster.sql("CREATE TABLE kept AS SELECT 7 AS n", database="wushe")
        pid = cluster.pid
        assert pid is not None
    assert not psutil.pid_exists(pid)
    begun = time.monotonic()
    with embedded.start(folder) as cluster:
        assert time.monotonic() - begun < 1.0
        assert cluster.sql("SELECT n FROM kept", database="wushe") == "7\n"
    cluster.stop()


def test_the_last_one_stops_it(folder: Path) -> None:
    first, second = embedded.start(folder), embedded.start(folder)
    assert first.pid == second.pid
    first.stop()
    assert second.sql("SELECT 1") == "1\n"
    second.stop()
    assert second.pid is None


def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    with embedded.start(folder) as cluster:
        assert cluster.pid is not None
        assert os.getsid(cluster.pid) == cluster.pid != os.getsid(0)


def test_recovers_after_the_server_was_killed(folder: Path) -> None:
    cluster = embedded.start(folder)
    cluster.sql("CREATE TABLE kept AS SELECT 7 AS n", database="wushe")
    assert cluster.pid is not None
    os.kill(cluster.pid, signal.SIGKILL)
    eventually(lambda: cluster.pid is None)
    again = embedded.start(folder)
    assert again.sql("SELECT n FROM kept", database="wushe") == "7\n"
    cluster.stop()
    assert again.pid is not None
    again.stop()
    assert again.pid is None


def test_takes_over_from_a_killed_owner(folder: Path) -> None:
    owner, server = holder(folder)
    owner.kill()
    owner.wait()
    with embedded.start(folder) as cluster:
        assert cluster.pid == server
        assert cluster.sql("SELECT 1") == "1\n"
    assert not psutil.pid_exists(server) or psutil.Process(server).status() == psutil.STATUS_ZOMBIE


def test_leaves_the_server_to_another_process(folder: Path) -> None:
    owner, server = holder(folder)
    with embedded.start(folder) as cluster:
        assert cluster.pid == server
    assert cluster.pid == server
    owner.kill()
    owner.wait()


def test_a_stale_pid_file_is_not_believed(folder: Path) -> None:
    embedded.start(folder).stop()
    data = place.find(folder).data
    # The number of a process that lives and is no server: this one.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n0\n5432\n\n\n0 0\nready   \n")
    with embedded.start(folder) as cluster:
        assert cluster.pid != os.getpid()
        assert cluster.sql("SELECT 1") == "1\n"


def test_an_interrupted_first_start_is_begun_anew(folder: Path) -> None:
    half = place.find(folder).own(place.find(folder).folder / "pg.new")
    (half / "PG_VERSION").write_text("18\n")
    with embedded.start(folder) as cluster:
        assert cluster.sql("SELECT 1") == "1\n"
    assert not half.exists()


def test_lost_keys_are_made_anew(folder: Path) -> None:
    with embedded.start(folder) as cluster:
        before = cluster.api_url
    (cluster.folder / "keys.json").unlink()
    with embedded.start(folder) as cluster:
        assert cluster.api_url != before
        assert cluster.sql("SELECT 1") == "1\n"
    assert stat.S_IMODE((cluster.folder / "keys.json").stat().st_mode) == 0o600


def test_a_path_too_long_for_a_socket_uses_tcp_with_passwords(tmp_path: Path) -> None:
    deep = tmp_path / ("long-" * 20)
    if os.geteuid() == 0:
        deep = place.find(tmp_path / "deep").folder / ("long-" * 20)
    with embedded.start(deep) as cluster:
        assert "@127.0.0.1:" in cluster.api_url
        assert cluster.sql("SELECT 1") == "1\n"
        with pytest.raises(Trouble, match="password"):
            subprocess_sql(cluster.superuser_url.replace("postgres:", "postgres:x"))
    cluster.destroy()
    if os.geteuid() == 0:
        deep.parent.rmdir()


def subprocess_sql(url: str) -> None:
    done = subprocess.run([place.wheel_programs() / "psql", "-Xqd", url], input="", capture_output=True, text=True)
    if done.returncode:
        raise Trouble(done.stderr)


def test_one_demo_on_a_folder(folder: Path) -> None:
    with (
        embedded.alone(folder, "demo"),
        pytest.raises(Trouble, match=rf"process {os.getpid()}\b"),
        embedded.alone(folder, "demo"),
    ):
        pass
    with embedded.alone(folder, "demo"):
        pass


@pytest.mark.parametrize("missing", ["PG_VERSION", "global/pg_control"])
def test_damaged_data_is_a_sentence(folder: Path, missing: str) -> None:
    embedded.start(folder).stop()
    (place.find(folder).data / missing).unlink()
    with pytest.raises(Trouble, match=f"damaged \\({missing} is missing\\)"):
        embedded.start(folder)


def test_data_damaged_inside_is_a_sentence(folder: Path) -> None:
    embedded.start(folder).stop()
    control = place.find(folder).data / "global/pg_control"
    control.write_bytes(b"\x00" * control.stat().st_size)
    with pytest.raises(Trouble, match="damaged"):
        embedded.start(folder)


def test_another_version_is_a_sentence(folder: Path) -> None:
    embedded.start(folder).stop()
    (place.find(folder).data / "PG_VERSION").write_text("17\n")
    with pytest.raises(Trouble, match="are of PostgreSQL 17, and this is 18"):
        embedded.start(folder)


def test_a_file_in_the_way_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Trouble, match="cannot be used: "):
        embedded.start(tmp_path / "file" / "data")


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many megabytes."""
    where = Path(f"/run/wushe-small-{os.getpid()}")

    def mount(megabytes: int) -> Path:
        where.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "none", where]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        return where

    yield mount
    subprocess.run(["umount", where], check=False)
    where.rmdir()


@AS_ROOT
def test_a_full_disk_at_the_first_start_is_a_sentence(small_disk: Callable[[int], Path]) -> None:
    with pytest.raises(Trouble, match="the disk is full"):
        embedded.start(small_disk(8) / "data")


@AS_ROOT
def test_a_disk_that_fills_up_later_is_a_sentence(small_disk: Callable[[int], Path]) -> None:
    settings = Settings.from_env({"WUSHE_DATA": str(small_disk(80) / "data")})
    with pytest.raises(Trouble, match="is full: make room"), connected(settings) as ready:
        assert ready.owner_url is not None
        asyncio.run(fill(ready.owner_url))
    with connected(settings):
        pass


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    finally:
        connection.terminate()


@AS_ROOT
def test_data_of_another_user_are_left_alone() -> None:
    shared = Path(f"/run/wushe-shared-{os.getpid()}")
    (shared / "pg").mkdir(parents=True)
    try:
        with pytest.raises(Trouble, match="belong to the user 'root'"):
            embedded.start(shared)
    finally:
        (shared / "pg").rmdir()
        shared.rmdir()


@AS_ROOT
def test_root_changes_no_permissions(tmp_path: Path) -> None:
    """Also when the data folder lies where only root may go: the server then lives in the system's folder."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    wheel = place.wheel_programs()
    watched = {p for start in (closed, ROOT, wheel, Path.home(), SYSTEM.parent) for p in (start, *start.parents)}
    watched |= {*ROOT.iterdir(), *wheel.iterdir(), *wheel.parent.iterdir()}

    def look() -> dict[Path, tuple[int, int, int]]:
        return {p: (s.st_mode, s.st_uid, s.st_gid) for p in watched for s in [p.stat()]}

    before = look()
    cluster = embedded.start(closed / "data")
    try:
        assert look() == before
        assert cluster.pid is not None
        assert psutil.Process(cluster.pid).username() == place.SERVANT
        assert cluster.folder.parent == SYSTEM
        assert stat.S_IMODE(cluster.folder.stat().st_mode) == 0o700
        assert cluster.folder.owner() == place.SERVANT
        assert stat.S_IMODE(cluster.data.stat().st_mode) == 0o700
        assert (cluster.folder / "keys.json").owner() == "root"
    finally:
        cluster.destroy()
    assert look() == before


@AS_ROOT
def test_root_uses_a_folder_that_can_be_reached(tmp_path: Path) -> None:
    open_to_all = Path(f"/run/wushe-open-{os.getpid()}")
    previous = os.umask(0o077)
    try:
        with embedded.start(open_to_all / "data") as cluster:
            assert cluster.folder == open_to_all / "data"
            assert cluster.data.owner() == place.SERVANT
    finally:
        os.umask(previous)
    cluster.destroy()
    open_to_all.rmdir()
