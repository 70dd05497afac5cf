"""From a file that came in to one that is kept: looked at, cleaned, sealed, written. It blocks: it runs in a thread.

Bytes are written first and the row is committed after them: a row never lacks its file. What is written and then not
committed, since a verb refused or a process died, is nobody's; a sweep takes it away a day later.

One file is cleaned at a time: that is Python's own work, and each thread at it takes its share of the event loop's time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import mmap
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from models.files.clean import Parts, cleaned, whole
from models.files.kinds import MediaType, called, media_type
from models.files.ports import NoStorage, Storage, Upload
from models.files.problems import FileDamaged, FileTooLarge, FileTypeRefused, StorageUnavailable
from models.files.sealing import PIECE, sealed

HEAD = 64
CLEANING = ThreadPoolExecutor(1, "cleaning")


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A file that lies in the storage, and is nobody's yet."""

    name: str
    """Its name there."""
    key: str
    """What opens it, in hexadecimal digits."""
    media: MediaType
    size: int
    sha256: bytes


class _Counted:
    """Content on its way, measured as it passes."""

    def __init__(self) -> None:
        self.size, self.hash = 0, hashlib.sha256()

    def __call__(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            self.size += len(part)
            self.hash.update(part)
            yield part


async def keep(storage: Storage | None, upload: Upload) -> Stored:
    """Keeps a file. Raises FileTooLarge, FileTypeRefused, FileDamaged, FileActive, PictureTooLarge, StorageUnavailable."""
    if upload.body is None:
        raise FileTooLarge(megabytes=upload.most // 1_000_000)
    if upload.size == 0:
        raise FileDamaged()
    if storage is None:
        raise StorageUnavailable()
    media, parts = await asyncio.get_running_loop().run_in_executor(CLEANING, _looked_at, upload)
    try:
        return await asyncio.to_thread(_keep, storage, upload, media, parts)
    except NoStorage:
        raise StorageUnavailable() from None


def _mapped(upload: Upload) -> mmap.mmap:
    assert upload.body is not None
    return mmap.mmap(upload.body.fileno(), upload.size, access=mmap.ACCESS_READ)


def _looked_at(upload: Upload) -> tuple[MediaType, Parts]:
    with _mapped(upload) as content:
        media = media_type(content[:HEAD])
        if media is None:
            raise FileTypeRefused(found=called(content[:HEAD]))
        return media, cleaned(media, content)


def _keep(storage: Storage, upload: Upload, media: MediaType, parts: Parts) -> Stored:
    with _mapped(upload) as content:
        name, key, counted = secrets.token_hex(20), secrets.token_bytes(32), _Counted()
        storage.write(name, sealed(key, name, counted(whole(content, parts, PIECE))))
    return Stored(name, key.hex(), media, counted.size, counted.hash.digest())
