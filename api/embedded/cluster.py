"""Starting, sharing and stopping one embedded server.

Any number of processes may use one data folder: each holds a shared lock, the first starts the server, the last one
stops it. Locks vanish with their process, however it ends; a server left by a killed process is taken over by the
next one. So nothing has to be cleaned up by hand, and nothing is stopped that somebody still uses.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlsplit

from api.embedded import initial, postmaster
from api.embedded.initial import API_ROLE, DATABASE, OWNER_ROLE, SUPERUSER
from api.embedded.place import PORT, Place, clean_environment, find, wheel_programs
from api.settings import Trouble, unusable

__all__ = ["API_ROLE", "DATABASE", "OWNER_ROLE", "Cluster", "alone", "start"]

SETTINGS = {
    "jit": "off",
    "random_page_cost": "1.1",  # nobody keeps this on a turning disk, and the planner would otherwise read whole tables
    "timezone": "Asia/Shanghai",
    "log_timezone": "Asia/Shanghai",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    "max_wal_senders": "5",
    "wal_keep_size": "256MB",
    "hot_standby": "on",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # the details of an error quote keys and rows, and so may a statement's context
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "unix_socket_permissions": "0700",
}
"""What differs from PostgreSQL's defaults. `start` takes more, or other values."""

OTHERS_TURN = 60.0
"""Seconds to wait for another process that is starting or stopping the server."""

LOG_BYTES = 10_000_000
"""A log larger than this is begun anew at a start."""


@dataclass
class Cluster:
    """A running server. `stop` gives up this process's share of it; the last one to do so stops it."""

    place: Place
    owner_url: str
    api_url: str
    superuser_url: str
    _share: int | None = field(repr=False)

    @property
    def folder(self) -> Path:
        return self.place.folder

    @property
    def data(self) -> Path:
        return self.place.data

    @property
    def pid(self) -> int | None:
        """The server's process; None when it does not run."""
        return postmaster.pid(self.data)

    def url(self, role: str, database: str) -> str:
        """The same server by another database: `role` is superuser, owner or api."""
        known = {"superuser": self.superuser_url, "owner": self.owner_url, "api": self.api_url}[role]
        return urlsplit(known)._replace(path=f"/{quote(database)}").geturl()

    def sql(self, *statements: str, database: str = "postgres") -> str:
        """Runs statements as the superuser, each on its own; answers what they return, a line for each row.

        For making databases and the like, from synchronous code too. Raises Trouble with PostgreSQL's words.
        """
        arguments = [x for s in statements for x in ("-c", s)]
        command = [str(wheel_programs() / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", *arguments]
        done = subprocess.run(
            [*command, "-d", self.url("superuser", database)],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Trouble(f"PostgreSQL: {initial.last_words(done.stderr)}.")
        return done.stdout

    def create(self, name: str, template: str | None = None) -> None:
        """A new database of the owner's; a copy of `template` when that is given (nobody may be connected to it)."""
        self.sql(*initial.database(name, template))

    def drop(self, name: str) -> None:
        """Removes a database and whoever is connected to it. Nothing happens when there is none."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def log_size(self) -> int:
        """How much the server has said so far, in bytes of its log."""
        return self.place.log.stat().st_size

    def ran_out_of_disk(self, since: int) -> bool:
        """Whether the server has complained of a full disk since its log had a size."""
        return initial.DISK_FULL in postmaster.said_since(self.place.log, since)

    def stop(self) -> None:
        """Gives up this process's share; when it was the last, the server stops (open transactions roll back).

        Safe to call again. Raises Trouble when the server does not end.
        """
        if self._share is None:
            return
        share, self._share = self._share, None
        try:
            with _turn(self.place):
                if _last(share):
                    postmaster.end(self.data)
        finally:
            os.close(share)

    def destroy(self) -> None:
        """Stops and deletes the server with all its data: for tests. Raises Trouble when somebody else uses it."""
        self.stop()
        if self.pid is not None:
            raise Trouble(f"The server in {self.folder} is in use by another process.")
        for path in (self.place.data, self.place.run):
            shutil.rmtree(path, ignore_errors=True)
        for name in ("keys.json", "postgres.log", "users.lock", "start.lock"):
            (self.folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(folder: Path, settings: Mapping[str, str] | None = None) -> Cluster:
    """The server of a data folder, made when there is none, started when it is down, shared when it is up.

    `settings` are PostgreSQL's, over SETTINGS; a server that is up already keeps those it has. Raises Trouble when
    the folder cannot be used, is damaged or of another version, when the disk is full, or another server has it.
    """
    place = find(folder)
    try:
        with _turn(place):
            share = _lock_file(place, "users.lock")
            try:
                fcntl.flock(share, fcntl.LOCK_SH)
                return _started(place, share, settings or {})
            except BaseException:
                os.close(share)
                raise
    except OSError as problem:
        raise unusable(place.folder, problem) from problem


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Holds the right to do `what` on a data folder, such as to run its demo. Raises Trouble when another has it."""
    place = find(folder)
    held = _lock_file(place, f"{what}.lock")
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(held, 20, 0).decode() or "unknown"
            raise Trouble(
                f"Another ./wushe {what} (process {owner}) uses {place.folder}: stop it, or set WUSHE_DATA and PORT."
            ) from None
        os.truncate(held, 0)
        os.pwrite(held, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(held)


def _started(place: Place, share: int, settings: Mapping[str, str]) -> Cluster:
    if not postmaster.settle(place.data):
        initial.ensure(place)
        place.own(place.run)
        _launch(place, {**SETTINGS, **settings})
    keys = initial.passwords(place)
    address = _address(place)
    urls = {role: address.format(role=role, key=key, database=DATABASE) for role, key in keys.items()}
    return Cluster(place, urls[OWNER_ROLE], urls[API_ROLE], urls[SUPERUSER], share)


def _launch(place: Place, settings: Mapping[str, str]) -> None:
    if place.socket is not None:
        where = {"listen_addresses": "", "unix_socket_directories": str(place.run), "port": str(PORT)}
    else:
        where = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(_free_port())}
    options = [x for name, value in {**settings, **where}.items() for x in ("-c", f"{name}={value}")]
    command = [str(place.server_programs / "postgres"), "-D", str(place.data), *options]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(place.log, flags, 0o600)
    try:
        if os.fstat(log).st_size > LOG_BYTES:
            os.truncate(log, 0)
        postmaster.launch(place, command, log)
    finally:
        os.close(log)


def _address(place: Place) -> str:
    if place.socket is not None:
        return f"postgresql://{{role}}:{{key}}@/{{database}}?host={quote(str(place.run))}&port={PORT}"
    return f"postgresql://{{role}}:{{key}}@127.0.0.1:{postmaster.port(place.data)}/{{database}}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _turn(place: Place) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    held, patience = _lock_file(place, "start.lock"), time.monotonic() + OTHERS_TURN
    try:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience:
                    raise Trouble(f"Another process has been starting the server in {place.folder} for long.") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(held)


def _last(share: int) -> bool:
    """Whether nobody else holds a share."""
    try:
        fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_file(place: Place, name: str) -> int:
    return os.open(place.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
