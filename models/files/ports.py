"""What the verbs of attachments are handed: a file that came in, and the place where files are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Upload:
    """A file that came with a request: temporary, read and gone when the request ends."""

    name: str
    """As the client calls it. It decides nothing."""
    size: int
    """Bytes."""
    sha256: bytes
    """Of the whole content, as it came."""
    body: BinaryIO | None
    """The content; None for a file over the limit, of which nothing was kept."""
    most: int
    """How many bytes a file may have."""

    def __str__(self) -> str:
        """What it counts as among a mutation's arguments (I29): its content. A phone names it anew at each attempt."""
        return f"upload:{self.size}:{self.sha256.hex()}"


class NoStorage(Exception):
    """Files can be neither kept nor read just now: the disk is full, or the other system does not answer."""


class NotStored(Exception):
    """Nothing is kept under that name."""


class Storage(Protocol):
    """Where files are kept, under names that say nothing. All of it blocks: it is called in threads.

    What is written is there wholly or not at all, and once `write` has returned it outlives a power cut.
    """

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Keeps a file under a new name. Raises NoStorage, and whatever `parts` raises; then nothing is kept."""

    def read(self, name: str) -> Iterator[bytes]:
        """A file in parts, of which the first may be waited for. Raises NotStored, NoStorage."""

    def delete(self, name: str) -> None:
        """Forgets a file, if it is there. Raises NoStorage."""

    def older(self, than: datetime) -> Iterator[str]:
        """The names of what was written before an instant. Raises NoStorage."""
