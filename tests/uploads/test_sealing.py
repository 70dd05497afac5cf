"""A stored file opens whole, under its key and its name, or not at all."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.files.sealing import MAGIC, PIECE, TAG, Torn, opened, sealed

KEY = bytes(range(32))
SIZES = st.one_of(st.integers(0, 100), st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7]))


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@given(SIZES, st.integers(1, 3 * PIECE), st.integers(1, 3 * PIECE))
def test_it_opens_however_it_is_cut(size: int, written: int, read: int) -> None:
    plain = secrets.token_bytes(size)
    stored = b"".join(sealed(KEY, "name", cut(plain, written)))
    assert b"".join(opened(KEY, "name", cut(stored, read))) == plain
    assert stored.startswith(MAGIC) and (size < 16 or plain[:16] not in stored)


STORED = list(sealed(KEY, "name", [bytes(3 * PIECE)]))


@pytest.mark.parametrize(
    "parts",
    [
        [],
        STORED[:1],
        STORED[:-1],
        [STORED[0], STORED[2], STORED[1], STORED[3]],
        [*STORED, STORED[-1]],
        [STORED[0], *STORED[2:]],
        [*STORED[:-1], STORED[-1][:-1]],
        [b"WSF2", *STORED[1:]],
        [STORED[0], STORED[1][:-1] + bytes([STORED[1][-1] ^ 1]), *STORED[2:]],
    ],
    ids=["empty", "head", "cut", "swapped", "twice", "missing", "a byte less", "version", "flipped"],
)
def test_what_was_changed_does_not_open(parts: list[bytes]) -> None:
    assert [len(p) for p in STORED] == [len(MAGIC), *[PIECE + TAG] * 3]
    with pytest.raises(Torn):
        b"".join(opened(KEY, "name", parts))


def test_it_opens_under_its_own_name_and_key_only() -> None:
    for key, name in ((KEY, "other"), (bytes(32), "name")):
        with pytest.raises(Torn):
            b"".join(opened(key, name, STORED))
