"""Sealed values open for their kind and their person only; blind indexes are equal for equal values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import vault
from models.vault import ID, KEY_BYTES, NO_ONE, NONCE, TAG, Keys, Kind, Locked, Master, Tampered, UnknownKey

OLD, NEW, OTHER = uuid4(), uuid4(), uuid4()


def keys(*more: tuple[UUID, str, bytes, bool]) -> Keys:
    """One key of each kind, and these."""
    made = [(uuid4(), kind.value, os.urandom(KEY_BYTES), False) for kind in Kind]
    return Keys([*made, *more])


KEYS = keys()


@given(st.text(), st.sampled_from(Kind), st.uuids())
def test_what_is_sealed_opens(plain: str, kind: Kind, subject: UUID) -> None:
    sealed = KEYS.seal(kind, plain, subject)
    assert KEYS.open(kind, sealed, subject) == plain
    assert len(sealed) == ID + NONCE + len(plain.encode()) + TAG
    assert KEYS.seal(kind, plain, subject) != sealed


def test_it_is_bound_to_its_kind_and_its_person() -> None:
    one, two = uuid4(), uuid4()
    sealed = KEYS.seal(Kind.PHONE, "10012345678", one)
    for kind, subject in ((Kind.PHONE, two), (Kind.PHONE, NO_ONE), (Kind.NAME, one)):
        with pytest.raises(Tampered):
            KEYS.open(kind, sealed, subject)


@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(KEYS.seal(Kind.ADDRESS, "万莲小区3号楼", OLD))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnknownKey if at < ID else Tampered):
        KEYS.open(Kind.ADDRESS, bytes(sealed), OLD)


@given(st.binary(max_size=60))
def test_what_was_never_sealed_does_not_open(junk: bytes) -> None:
    with pytest.raises((UnknownKey, Tampered)):
        KEYS.open(Kind.NAME, junk, OLD)


def test_the_newest_key_seals_and_the_others_open() -> None:
    first, second = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
    before = Keys([(OLD, "NAME", first, False)])
    sealed = before.seal(Kind.NAME, "张三", OTHER)
    after = Keys([(OLD, "NAME", first, False), (NEW, "NAME", second, False)])
    assert after.open(Kind.NAME, sealed, OTHER) == "张三"
    assert after.current(Kind.NAME) == NEW
    assert after.seal(Kind.NAME, "张三", OTHER)[:ID] == NEW.bytes
    with pytest.raises(UnknownKey):
        before.open(Kind.NAME, after.seal(Kind.NAME, "张三", OTHER), OTHER)


def test_a_retired_key_seals_nothing_and_signs_nothing() -> None:
    first, second = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
    for kind in (Kind.TOKEN, Kind.INDEX):
        made = Keys([(OLD, kind.value, first, True), (NEW, kind.value, second, False)])
        assert made.secret(kind) == (NEW, second)
        assert dict(made.secrets(kind)) == {NEW: second}
    assert len(Keys([(OLD, "INDEX", first, True), (NEW, "INDEX", second, False)]).indexes(Kind.PHONE, "1")) == 1
    with pytest.raises(Locked):
        Keys([(OLD, "NAME", first, True)]).seal(Kind.NAME, "张三")


@given(st.text(), st.text())
def test_blind_indexes_are_equal_for_equal_values_only(one: str, two: str) -> None:
    assert (KEYS.index(Kind.PHONE, one) == KEYS.index(Kind.PHONE, two)) == (one == two)
    assert KEYS.index(Kind.PHONE, one) != KEYS.index(Kind.IDENTITY, one)
    assert KEYS.indexes(Kind.PHONE, one) == [KEYS.index(Kind.PHONE, one)]


def test_another_database_s_indexes_are_others() -> None:
    assert keys().index(Kind.PHONE, "10012345678") != keys().index(Kind.PHONE, "10012345678")


def test_while_index_keys_change_both_are_looked_for() -> None:
    first, second = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)
    before = Keys([(OLD, "INDEX", first, False)])
    after = Keys([(OLD, "INDEX", first, False), (NEW, "INDEX", second, False)])
    found = after.indexes(Kind.PHONE, "10012345678")
    assert before.index(Kind.PHONE, "10012345678") in found
    assert after.index(Kind.PHONE, "10012345678") in found
    assert len(found) == 2


@pytest.fixture
def unlocked() -> Iterator[None]:
    yield
    vault.unlock(b"tests only".ljust(KEY_BYTES))


def test_a_master_key_unwraps_what_it_wrapped(unlocked: None) -> None:
    secret = os.urandom(KEY_BYTES)
    master, plain = Master(secret), os.urandom(KEY_BYTES)
    wrapped = master.wrap(OLD, "NAME", plain)
    assert master.unwrap(OLD, "NAME", wrapped) == plain
    assert plain not in wrapped
    for id, kind, key in ((NEW, "NAME", wrapped), (OLD, "PHONE", wrapped), (OLD, "NAME", wrapped[:-1] + b"x")):
        with pytest.raises(Locked):
            master.unwrap(id, kind, key)
    with pytest.raises(Locked):
        Master(os.urandom(KEY_BYTES)).unwrap(OLD, "NAME", wrapped)
    assert master.name == Master(secret).name != Master(os.urandom(KEY_BYTES)).name
    assert secret.hex()[:16] != master.name
    vault.unlock(secret)
    assert vault.master() == master
