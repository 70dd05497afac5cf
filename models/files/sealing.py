"""A file at rest: sealed in pieces under a key of its own, so that neither a disk nor a bucket shows a photo.

Every piece of 64 KiB is AES-256-GCM with a counter for a nonce, whose last byte says whether it is the last piece: cut
off, reordered or joined with another's, a file does not open (the STREAM construction). The name under which it is
stored is bound in. The key is chance, used for one file, and lies sealed in the file's row: a rotation of data keys
touches the row only, and a file whose row has no key any more is noise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"WSF1"
PIECE = 65_536
"""Plain bytes in a piece; the last one may have fewer, and none only in an empty file."""
TAG = 16


class Torn(Exception):
    """What is stored is not what was written: cut off, changed, or under another name."""


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def sealed(key: bytes, name: str, plain: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """A file's stored form, piece by piece, from its content in parts of any size."""
    cipher, bound = AESGCM(key), name.encode()
    yield MAGIC
    held = bytearray()
    number = 0
    for part in plain:
        for start in range(0, len(part), PIECE):
            held += part[start : start + PIECE]
            if len(held) > PIECE:
                yield cipher.encrypt(_nonce(number, False), bytes(held[:PIECE]), bound)
                del held[:PIECE]
                number += 1
    yield cipher.encrypt(_nonce(number, True), bytes(held), bound)


def opened(key: bytes, name: str, stored: Iterable[bytes]) -> Iterator[bytes]:
    """The content, piece by piece, from its stored form in parts of any size. Raises Torn."""
    cipher, bound = AESGCM(key), name.encode()
    held = bytearray()
    number = 0
    begun = False
    for part in stored:
        held += part
        if not begun and len(held) >= len(MAGIC):
            if held[: len(MAGIC)] != MAGIC:
                raise Torn(name)
            del held[: len(MAGIC)]
            begun = True
        while begun and len(held) > PIECE + TAG:
            yield _open(cipher, number, False, held[: PIECE + TAG], bound)
            del held[: PIECE + TAG]
            number += 1
    if not begun:
        raise Torn(name)
    yield _open(cipher, number, True, held, bound)


def _open(cipher: AESGCM, number: int, last: bool, piece: bytearray, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(_nonce(number, last), bytes(piece), bound)
    except (InvalidTag, ValueError):
        raise Torn(bound.decode()) from None
