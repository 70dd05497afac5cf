"""Both storages keep the same promises; the bucket's against a real S3-compatible server."""

from __future__ import annotations

import importlib.util
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from api.settings import Settings, Trouble
from api.storage import storage_of
from api.storage.local import Folder
from api.storage.s3 import Bucket
from models import clock
from models.files.ports import NoStorage, NotStored, Storage
from tests.site import settings

NAME, OTHER = "a1" * 20, "b2" * 20


class S3(NamedTuple):
    """A running server: where it is, and the folder that holds its buckets."""

    url: str
    folder: Path


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """The address of a real S3-compatible server with a bucket `files`: the package `localbucket`."""
    if importlib.util.find_spec("localbucket") is None:
        pytest.skip("the package localbucket, an S3-compatible server, is not installed: pip install -e .[dev]")
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    (folder / "files").mkdir()
    command = [sys.executable, "-m", "localbucket", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(200):
                with socket.socket() as trying:
                    if trying.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield S3(f"http://127.0.0.1:{port}", folder)
        finally:
            server.terminate()


def bucket(url: str, prefix: str = "") -> Bucket:
    return Bucket("files", prefix, "key", "secret", endpoint=url, region="us-east-1")


@pytest.fixture(params=["folder", "bucket", "bucket with a prefix"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return Folder(tmp_path / "files")
    return bucket(request.getfixturevalue("s3").url, "some/where" if "prefix" in request.param else "")


def emptied(storage: Storage) -> None:
    for name in list(storage.older(clock.now() + timedelta(hours=1))):
        storage.delete(name)


def test_what_is_written_is_read(storage: Storage) -> None:
    emptied(storage)
    parts = [b"WSF1", os.urandom(300_000), b"", os.urandom(77)]
    storage.write(NAME, iter(parts))
    assert b"".join(storage.read(NAME)) == b"".join(parts)
    storage.write(OTHER, [b"x"])
    soon = clock.now() + timedelta(seconds=5)
    assert sorted(storage.older(soon)) == [NAME, OTHER]
    assert list(storage.older(clock.now() - timedelta(hours=1))) == []
    for _ in range(2):
        storage.delete(NAME)
    with pytest.raises(NotStored):
        b"".join(storage.read(NAME))
    assert list(storage.older(soon)) == [OTHER]


def test_ten_megabytes(storage: Storage) -> None:
    emptied(storage)
    part = os.urandom(65_536)
    storage.write(NAME, (part for _ in range(160)))
    assert sum(map(len, storage.read(NAME))) == 160 * 65_536
    storage.delete(NAME)


def test_what_breaks_off_is_not_there(storage: Storage) -> None:
    emptied(storage)

    def breaking() -> Iterator[bytes]:
        yield os.urandom(400_000)
        raise ValueError("the client's file was changed under us")

    with pytest.raises(ValueError, match="changed"):
        storage.write(NAME, breaking())
    assert list(storage.older(clock.now() + timedelta(hours=1))) == []


def test_more_than_a_page_is_listed(s3: S3) -> None:
    """The server tells a thousand at a time."""
    names = sorted(f"{n:040x}" for n in range(2300))
    folder = s3.folder / "files" / "many"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x")
    assert sorted(bucket(s3.url, "many").older(clock.now() + timedelta(hours=1))) == names


def test_two_prefixes_are_two_storages(s3: S3) -> None:
    one, other = bucket(s3.url, "one"), bucket(s3.url, "other")
    one.write(NAME, [b"x"])
    assert list(other.older(clock.now() + timedelta(hours=1))) == []
    with pytest.raises(NotStored):
        list(other.read(NAME))
    one.delete(NAME)


@pytest.mark.parametrize("does", ["write", "read", "delete", "older"])
def test_a_bucket_that_is_away_is_named_in_time(does: str) -> None:
    away = bucket(f"http://127.0.0.1:{free_port()}")
    calls: dict[str, Callable[[], object]] = {
        "write": lambda: away.write(NAME, [b"x"]),
        "read": lambda: list(away.read(NAME)),
        "delete": lambda: away.delete(NAME),
        "older": lambda: list(away.older(clock.now())),
    }
    began = time.monotonic()
    with pytest.raises(NoStorage):
        calls[does]()
    assert time.monotonic() - began < 10


def test_a_bucket_that_does_not_exist_is_named(s3: S3) -> None:
    with pytest.raises(NoStorage):
        Bucket("nowhere", "", "key", "secret", endpoint=s3.url, region="us-east-1").write(NAME, [b"x"])


FILL = """
import sys
from pathlib import Path
from typing import NamedTuple
from api.storage.local import Folder
from models.files.ports import NoStorage
storage = Folder(Path(sys.argv[1]))
storage.write("a1" * 20, [bytes(1000)])
try:
    storage.write("b2" * 20, (bytes(65_536) for _ in range(64)))
except NoStorage as no:
    print(no)
print(sum(map(len, storage.read("a1" * 20))))
"""


def filled(folder: Path, limit: Callable[[], None] | None = None) -> str:
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", FILL, str(folder)],
        cwd=root,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=True,
    )
    assert [p.name for p in folder.rglob("*") if p.is_file()] == ["a1" * 20], "what did not fit left nothing"
    return run.stdout


def test_no_file_may_grow(tmp_path: Path) -> None:
    """A process whose files may have a megabyte: the kernel refuses the rest, as a full disk does."""

    def limit() -> None:
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    assert filled(tmp_path / "files", limit) == "File too large\n1000\n"


def test_a_full_disk(tmp_path: Path) -> None:
    """A file system of two megabytes; only root can make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no file system can be mounted here: a full disk is shown by test_no_file_may_grow alone")
    try:
        assert filled(disk / "files") == "No space left on device\n1000\n"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_is_for_this_user_only(tmp_path: Path) -> None:
    storage = Folder(tmp_path / "files")
    storage.write(NAME, [b"x"])
    for path in (tmp_path / "files").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_what_was_being_written_when_the_power_failed_is_swept(tmp_path: Path) -> None:
    storage = Folder(tmp_path)
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1" / f"{NAME}.part").write_bytes(b"half")
    with pytest.raises(NotStored):
        list(storage.read(NAME))
    (name,) = storage.older(clock.now() + timedelta(hours=1))
    storage.delete(name)
    assert list(storage.older(clock.now() + timedelta(hours=1))) == []


def of(**env: str) -> Settings:
    return settings("postgresql://u:p@h/d", **env)


@pytest.mark.parametrize(
    "env",
    [
        {"WUSHE_STORAGE": "s3://bucket"},
        {"WUSHE_STORAGE": "s3://bucket", "WUSHE_STORAGE_KEY": "k"},
        {"WUSHE_STORAGE": "s3://", "WUSHE_STORAGE_KEY": "k", "WUSHE_STORAGE_SECRET": "s"},
        {"WUSHE_STORAGE": "ftp://bucket", "WUSHE_STORAGE_KEY": "k", "WUSHE_STORAGE_SECRET": "s"},
        {"WUSHE_STORAGE": "s3://bucket?end=x", "WUSHE_STORAGE_KEY": "k", "WUSHE_STORAGE_SECRET": "s"},
    ],
)
def test_a_wrong_setting_is_a_sentence(env: dict[str, str]) -> None:
    with pytest.raises(Trouble, match=r"WUSHE_STORAGE.*\.$"):
        storage_of(of(**env))


def test_which_storage_is_meant(tmp_path: Path) -> None:
    kept = storage_of(of(WUSHE_DATA=str(tmp_path)))
    assert isinstance(kept, Folder) and kept.root == tmp_path / "files"
    named = storage_of(of(WUSHE_STORAGE=str(tmp_path / "elsewhere")))
    assert isinstance(named, Folder) and named.root == tmp_path / "elsewhere"
    given = {"WUSHE_STORAGE_KEY": "k", "WUSHE_STORAGE_SECRET": "s"}
    assert isinstance(storage_of(of(WUSHE_STORAGE="s3://bucket/a/b?region=cn-north-1", **given)), Bucket)


def test_writers_do_not_meet(storage: Storage) -> None:
    emptied(storage)
    names = [f"{n:02x}" * 20 for n in range(12)]
    threads = [threading.Thread(target=storage.write, args=(name, [name.encode()] * 100)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b"".join(storage.read(name)) for name in names] == [name.encode() * 100 for name in names]
    emptied(storage)
