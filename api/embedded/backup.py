"""Copies of an embedded server: a backup file, its restoration, and a streaming replica.

A backup is physical (pg_basebackup): taken while the server serves, and complete. A logical dump would not do: the
outbox is read in the order of transaction ids, which begin anew in another server.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path

from api.embedded import initial
from api.embedded.cluster import Cluster, start
from api.embedded.place import Place, clean_environment, find, wheel_programs
from api.settings import Trouble, keep, unusable


def backup(cluster: Cluster, file: Path) -> int:
    """Writes everything that the server holds to one compressed tar file; answers its size in bytes.

    The file appears when it is whole, readable by this user alone. Raises Trouble when it exists already, or cannot
    be written.
    """
    if file.exists():
        raise Trouble(f"{file} exists already: a backup overwrites nothing.")
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    # One file, so the log that it needs comes inside it (fetch), not over a second connection.
    arguments = ["-D", "-", "--format=tar", "--wal-method=fetch", "--gzip", "--checkpoint=fast", "--no-password"]
    command = [str(wheel_programs() / "pg_basebackup"), *arguments, "-d", cluster.url("superuser", "postgres")]
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False, env=clean_environment())
            if done.returncode:
                words = initial.last_words(done.stderr.decode(errors="replace"))
                raise Trouble(f"The backup to {file} failed: {words}.")
            os.fsync(out.fileno())
        part.rename(file)
    except OSError as problem:
        raise Trouble(f"The backup to {file} failed: {(problem.strerror or str(problem)).lower()}.") from problem
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def restore(file: Path, folder: Path) -> Place:
    """Makes a data folder from a backup file, and checks every file of it against the backup's manifest.

    Raises Trouble when the folder has data already, or the file is not a whole backup; nothing is left then.
    """
    place = _empty(folder)
    fresh = initial.building(place)
    try:
        with tarfile.open(file, "r:gz") as tar:
            _unpack(tar, fresh)
        place.give(fresh)
        initial.run(place, "pg_verifybackup", "--quiet", "--no-parse-wal", str(fresh))
        initial.rekey(place, fresh)
        initial.finish(place, fresh)
    except (tarfile.TarError, EOFError, zlib.error) as problem:
        raise Trouble(f"{file} is not a whole backup.") from problem
    except OSError as problem:
        raise Trouble(f"{file} cannot be restored: {(problem.strerror or str(problem)).lower()}.") from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place


def _unpack(tar: tarfile.TarFile, into: Path) -> None:
    """Folders and plain files below `into`, for their owner alone. Raises TarError for anything else.

    Written out, because tarfile's own filter came only with Python 3.11.4.
    """
    for member in tar:
        target = into / member.name
        if ".." in target.parts or into not in (target, *target.parents):
            raise tarfile.TarError("a name leads out of the folder")
        if member.isdir():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            source = tar.extractfile(member) if member.isfile() else None
            if source is None:
                raise tarfile.TarError("neither a folder nor a file")
            with source, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                shutil.copyfileobj(source, file)


def replicate(cluster: Cluster, folder: Path) -> Cluster:
    """A streaming replica of a running server, started in a folder of its own.

    Its roles and passwords are its primary's. Raises Trouble when the folder has data already.
    """
    place = _empty(folder)
    fresh = initial.building(place)
    try:
        # As the server's user, who owns what is written; -R writes down whom to follow.
        arguments = ["-D", str(fresh), "--write-recovery-conf", "--checkpoint=fast", "--no-password"]
        initial.run(place, "pg_basebackup", *arguments, "-d", cluster.url("superuser", "postgres"))
        keep(place.folder / "keys.json", (cluster.folder / "keys.json").read_text())
        initial.finish(place, fresh)
    except OSError as problem:
        raise unusable(place.folder, problem) from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return start(folder)


def _empty(folder: Path) -> Place:
    place = find(folder)
    if place.data.exists() and any(place.data.iterdir()):
        raise Trouble(f"{place.data} has data already: a restore overwrites nothing. Name another WUSHE_DATA.")
    return place
