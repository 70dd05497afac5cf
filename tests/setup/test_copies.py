"""Backup, restore, and a replica that streams."""

from __future__ import annotations

import stat
import tarfile
from pathlib import Path

import pytest

from api import embedded
from api.embedded import place
from api.settings import Trouble
from tests.setup.conftest import eventually


def test_a_backup_is_restored_whole(folder: Path, other: Path, tmp_path: Path) -> None:
    file = tmp_path / "wushe.backup"
    with embedded.start(folder) as cluster:
        cluster.sql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n", database="wushe")
        xid = int(cluster.sql("SELECT pg_current_xact_id()"))
        size = embedded.backup(cluster, file)
        assert size == file.stat().st_size
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        with pytest.raises(Trouble, match="exists already"):
            embedded.backup(cluster, file)
        cluster.sql("DROP TABLE kept", database="wushe")
        with pytest.raises(Trouble, match="overwrites nothing"):
            embedded.restore(file, folder)
    embedded.restore(file, other)
    with embedded.start(other) as restored:
        assert restored.sql("SELECT sum(n) FROM kept", database="wushe") == "500500\n"
        # The outbox is read in the order of these: they go on, and do not begin anew.
        assert int(restored.sql("SELECT pg_current_xact_id()")) > xid
        assert restored.api_url != cluster.api_url


def test_half_a_backup_is_refused_and_leaves_nothing(folder: Path, other: Path, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole", tmp_path / "half"
    with embedded.start(folder) as cluster:
        embedded.backup(cluster, whole)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for wrong in (half, tmp_path / "none"):
        with pytest.raises(Trouble, match=str(wrong)):
            embedded.restore(wrong, other)
    found = place.find(other)
    assert not found.data.exists()
    assert not (found.folder / "pg.new").exists()


@pytest.mark.parametrize("name", ["../out", "/tmp/wushe-out", "link"])
def test_a_file_that_would_write_elsewhere_is_refused(other: Path, tmp_path: Path, name: str) -> None:
    evil = tmp_path / "evil"
    with tarfile.open(evil, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        if name == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(member)
    with pytest.raises(Trouble, match="is not a whole backup"):
        embedded.restore(evil, other)
    assert not Path("/tmp/wushe-out").exists()


def test_a_backup_that_cannot_be_written_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    with embedded.start(folder) as cluster, pytest.raises(Trouble, match="no such file"):
        embedded.backup(cluster, tmp_path / "missing" / "file")


def test_a_replica_streams_and_only_reads(folder: Path, other: Path) -> None:
    with embedded.start(folder) as primary, embedded.replicate(primary, other) as replica:
        primary.sql("CREATE TABLE seen AS SELECT 7 AS n", database="wushe")
        written = primary.sql("SELECT pg_current_wal_lsn()").strip()
        eventually(lambda: replica.sql(f"SELECT pg_last_wal_replay_lsn() >= '{written}'") == "t\n")
        assert replica.sql("SELECT n FROM seen", database="wushe") == "7\n"
        with pytest.raises(Trouble, match="read-only"):
            replica.sql("CREATE TABLE mine (n int)", database="wushe")
        replica.stop()
        primary.sql("UPDATE seen SET n = 8", database="wushe")
        with embedded.start(other) as again:
            eventually(lambda: again.sql("SELECT n FROM seen", database="wushe") == "8\n")
