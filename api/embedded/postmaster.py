"""The server's process: whether one of ours runs, starting it, ending it.

PostgreSQL writes `postmaster.pid`: process id, data directory, start time, port, socket folder, address, shared
memory, state. After a kill the file stays, and its number may be another process by now.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from api.embedded.initial import damaged, last_words
from api.embedded.place import Place
from api.settings import Trouble

READY, STOPPING = "ready", "stopping"

RECOVERY = 600.0
"""Seconds that a start may take: after a crash the log is replayed first."""

ORPHANS = 10.0
"""Seconds to wait for the last children of a killed server, which hold its shared memory."""

FAST, IMMEDIATE = 30.0, 10.0
"""Seconds to wait for a fast stop, then for an immediate one."""

_children: list[subprocess.Popen[bytes]] = []
"""Servers that this process started and has not seen end. One may outlive its Cluster: others may use it still."""


def pid(data: Path) -> int | None:
    """The running server's process id; None when none runs on this directory, whatever a stale file says."""
    lines = _lines(data)
    if not lines or not lines[0].isdigit():
        return None
    found = int(lines[0])
    try:
        process = psutil.Process(found)
        # It works in its data directory, and nothing else that got the number would.
        ours = process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return None
    return found if ours else None


def port(data: Path) -> int:
    """The port that the running server says it uses."""
    return int(_lines(data)[3])


def settle(data: Path) -> bool:
    """Waits for a server that is starting or stopping. True when one is ready; False when none runs."""
    patience = time.monotonic() + RECOVERY
    while pid(data) is not None:
        if _state(data) == READY:
            return True
        if time.monotonic() > patience:
            raise Trouble(f"The server in {data} neither starts nor stops: look at its log.")
        time.sleep(0.02)
    return False


def launch(place: Place, command: list[str], log: int) -> None:
    """Starts the server and waits until it serves. Raises Trouble with the reason when it does not.

    It gets a session of its own, so that Ctrl-C on the terminal reaches us and not it.
    """
    patience = time.monotonic() + ORPHANS
    while True:
        _forget_stale(place)
        begun = os.fstat(log).st_size
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **place.run_as_server()
        )
        if _serves(place, process):
            _reap()
            _children.append(process)
            return
        said = said_since(place.log, begun)
        # The children of a server that was killed notice it a moment later, and hold its memory until then.
        if "shared memory block" not in said or time.monotonic() > patience:
            raise _refusal(place, said)
        time.sleep(0.1)


def end(data: Path) -> None:
    """Stops the server: connections are cut, open transactions roll back. Raises Trouble when it does not end."""
    found = pid(data)
    if found is None:
        return
    for sent, patience in ((signal.SIGINT, FAST), (signal.SIGQUIT, IMMEDIATE)):
        with suppress(ProcessLookupError):
            os.kill(found, sent)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if _ended(found):
                return
            time.sleep(0.01)
    raise Trouble(f"PostgreSQL (process {found}) in {data} does not stop.")


def _ended(process: int) -> bool:
    # Asked of the process, not of postmaster.pid, which goes a moment before.
    try:
        gone = psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        gone = True
    _reap()
    return bool(gone)


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]


def _serves(place: Place, process: subprocess.Popen[bytes]) -> bool:
    patience, told = time.monotonic() + RECOVERY, False
    try:
        while process.poll() is None:
            if _state(place.data) == READY and pid(place.data) == process.pid:
                return True
            if time.monotonic() > patience - RECOVERY + 5 and not told:
                told = True
                print("PostgreSQL is recovering what the last run left ...", flush=True)
            if time.monotonic() > patience:
                process.terminate()
            time.sleep(0.01)
    except BaseException:  # Ctrl-C while it starts: nobody would stop it otherwise
        process.send_signal(signal.SIGINT)
        process.wait(FAST)
        raise
    return False


def _forget_stale(place: Place) -> None:
    """Removes the marks of a server that is gone: PostgreSQL itself is afraid of a number that lives again."""
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    if place.socket is not None:
        place.socket.unlink(missing_ok=True)
        place.socket.with_name(f"{place.socket.name}.lock").unlink(missing_ok=True)


def _refusal(place: Place, said: str) -> Trouble:
    words = last_words(said)
    if "shared memory block" in said:
        return Trouble(f"Another PostgreSQL still uses {place.data}: stop it first.")
    if words == "the disk is full":
        return Trouble(f"PostgreSQL cannot start: the disk that holds {place.folder} is full.")
    if "Permission denied" in said:
        return Trouble(f"PostgreSQL may not use {place.data}: {words}.")
    return damaged(place, words)


def _lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _state(data: Path) -> str:
    lines = _lines(data)
    return lines[7].strip() if len(lines) > 7 else ""


def said_since(log: Path, offset: int) -> str:
    """What the server wrote to its log after an offset in bytes."""
    with open(log, "rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
