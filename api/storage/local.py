"""A folder as a storage. A file is written under another name, brought to the disk, and then given its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from models.files.ports import NoStorage, NotStored

PART = 262_144
"""Bytes that are read at once."""
BEGUN = ".part"
"""The end of the name of a file that is being written."""


class Folder:
    """Files in a folder, in 256 folders by the first two letters of their names. Only this user can read them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def _path(self, name: str) -> Path:
        assert name.isalnum(), "the names of stored files are our own"
        return self.root / name[:2] / name

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        path = self._path(name)
        begun = path.with_name(name + BEGUN)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            os.rename(begun, path)
            _settle(path.parent)
        except BaseException as no:
            with contextlib.suppress(OSError):
                begun.unlink(missing_ok=True)
            if isinstance(no, OSError):
                raise NoStorage(no.strerror) from no
            raise

    def read(self, name: str) -> Iterator[bytes]:
        try:
            with open(self._path(name), "rb") as file:
                while part := file.read(PART):
                    yield part
        except FileNotFoundError:
            raise NotStored(name) from None
        except OSError as no:
            raise NoStorage(no.strerror) from no

    def delete(self, name: str) -> None:
        try:
            self._path(name).unlink(missing_ok=True)
            self._path(name).with_name(name + BEGUN).unlink(missing_ok=True)
        except OSError as no:
            raise NoStorage(no.strerror) from no

    def older(self, than: datetime) -> Iterator[str]:
        before = than.timestamp()
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            try:
                if path.stat().st_mtime < before:
                    yield path.name.removesuffix(BEGUN)
            except FileNotFoundError:  # another worker was quicker
                continue
            except OSError as no:
                raise NoStorage(no.strerror) from no


def _settle(folder: Path) -> None:
    """Brings a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
