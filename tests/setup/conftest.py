"""Real servers in folders of their own, removed afterwards wherever root had to put them."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from api.embedded import place, postmaster
from api.settings import Trouble

Folder = Callable[[str], Path]


def forget(folder: Path) -> None:
    """Ends what still runs on a data folder and removes it."""
    with suppress(Trouble):
        found = place.find(folder)
        pid = postmaster.pid(found.data)
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            with suppress(psutil.Error):
                psutil.Process(pid).wait(10)
        shutil.rmtree(found.folder)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder that does not exist yet."""
    yield tmp_path / "data"
    forget(tmp_path / "data")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    """A second one."""
    yield tmp_path / "other"
    forget(tmp_path / "other")


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until something holds; fails when it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
