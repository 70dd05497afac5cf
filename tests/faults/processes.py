"""The API and PostgreSQL as processes that a test can kill and start again."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from api import embedded
from api.settings import ROOT
from tests.faults.client import status
from tests.setup.conftest import forget
from tests.site import MASTER


class Api:
    """`serve` on a port of its own, which it keeps when it is started again. It ends with the block.

    `clock`: a file that says how wrong its clock is (`tests.faults.shifted`).
    """

    def __init__(self, database: str, log: Path, *, clock: Path | None = None, **env: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.log = log
        self.command = ["api.cli"] if clock is None else ["tests.faults.shifted", str(clock)]
        clean = {k: v for k, v in os.environ.items() if not re.match("DATABASE_|WUSHE_", k)}
        given = {"WUSHE_MODE": "test", "WUSHE_MASTER_KEY": MASTER, "WUSHE_LOG": "error", "PORT": str(self.port)}
        self.env = {**clean, **given, "DATABASE_URL": database, **env}
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command, "serve"],
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    async def ready(self, seconds: float = 60) -> Api:
        """Waits until it answers requests."""
        until = time.monotonic() + seconds
        while True:
            with suppress(OSError):
                if await status(self.port, "/readyz") == 200:
                    return self
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            await asyncio.sleep(0.05)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text() if self.log.is_file() else ""  # a device has no end

    async def __aenter__(self) -> Api:
        return await self.ready()

    async def __aexit__(self, *_: object) -> None:
        """No run may have had a bug, whatever was done to it."""
        self.kill()
        said = self.said()
        assert "Traceback" not in said, said
        assert '"bug"' not in said, said


class Postgres:
    """An embedded server in a folder of its own, durable as a real one: it survives a kill."""

    def __init__(self, folder: Path, run: embedded.Cluster | None = None) -> None:
        self.folder = folder
        self.runs = [run or embedded.start(folder)]

    @property
    def cluster(self) -> embedded.Cluster:
        """Its present run."""
        return self.runs[-1]

    def kill(self) -> None:
        """The postmaster and all its children, at once."""
        psutil.wait_procs(self._all(signal.SIGKILL), timeout=10)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Its processes stand still while the block runs: they hold their connections and say nothing."""
        family = self._all(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)

    def _all(self, number: signal.Signals) -> list[psutil.Process]:
        assert self.cluster.pid is not None
        postmaster = psutil.Process(self.cluster.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        return family

    def start(self) -> None:
        """Starts it again, with what its log holds."""
        before = self.cluster.api_url
        self.runs.append(embedded.start(self.folder))
        assert self.cluster.api_url == before

    async def killed_and_back(self, pause: float = 0.3) -> None:
        """Both, with a pause between, while the test's clients go on."""
        await asyncio.to_thread(self.kill)
        await asyncio.sleep(pause)
        await asyncio.to_thread(self.start)

    def stop(self) -> None:
        """Ends it in good order."""
        for run in self.runs:
            run.stop()

    def remove(self) -> None:
        self.stop()
        forget(self.folder)


async def eventually(holds: Callable[[], Awaitable[object]], seconds: float = 15.0) -> float:
    """Waits until something holds, and tells how long that took; fails when it does not in time."""
    began = time.monotonic()
    while not await holds():
        assert time.monotonic() < began + seconds, "it did not happen in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - began
