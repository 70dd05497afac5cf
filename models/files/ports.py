"""What the verbs of attachments are handed: a file that came in, and the place where files are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO, Protocol


class Upload:
    """A file that came with a request: temporary, read and gone when the request ends.

    No dataclass: the digest of a mutation's arguments would look into one, and find a temporary file (`__str__`).
    """

    __slots__ = ("body", "most", "name", "sha256", "size")

    def __init__(self, name: str, size: int, sha256: bytes, body: BinaryIO | None, most: int) -> None:
        self.name = name
        """As the client calls it. It decides nothing."""
        self.size = size
        """Bytes."""
        self.sha256 = sha256
        """Of the whole content, as it came."""
        self.body = body
        """The content; None for a file over the limit, of which nothing was kept."""
        self.most = most
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
