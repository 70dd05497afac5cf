"""The laws of accounts: logins, passwords, one-time codes, and how guesses are counted."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import SHANGHAI
from models.identity.accounts import codes
from models.identity.accounts.passwords import check_password, commonest, prepared
from models.identity.accounts.problems import PasswordWeak
from models.identity.accounts.rules import (
    GUESSES,
    LOCKED,
    LOCKED_MOST,
    WINDOW,
    LoginKind,
    mask_login,
    network,
    read_login,
)
from models.identity.accounts.throttle import Count, counted
from models.problems import InvalidInput
from models.vault import Keys

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("given", "kind", "plain", "masked"),
    [
        (" 138 0013-8000 ", LoginKind.PHONE, "13800138000", "138****8000"),
        ("+86 13800138000", LoginKind.PHONE, "13800138000", "138****8000"),
        ("Li.Na@Example.ORG", LoginKind.EMAIL, "li.na@example.org", "l***@example.org"),
        ("ｚ@ｅxample.org", LoginKind.EMAIL, "z@example.org", "z***@example.org"),
    ],
)
def test_logins(given: str, kind: LoginKind, plain: str, masked: str) -> None:
    assert read_login(given) == (kind, plain)
    assert mask_login(kind, plain) == masked


@pytest.mark.parametrize(
    "given", ["", "abc", "10012345678", "a@b", "a b@example.org", "@example.org", "a@.org", "a@b..c"]
)
def test_no_logins(given: str) -> None:
    with pytest.raises(InvalidInput):
        read_login(given)


def test_numbers_that_nobody_has_pass_where_they_may() -> None:
    assert read_login("10012345678", fictional=True) == (LoginKind.PHONE, "10012345678")


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "123456789",
        "1234567890",
        "0987654321abcdef",
        "qwertyuiop",
        "aaaaaaaaaaaa",
        "abc123abc123",
        "abcdefghijkl",
        "Password2026!",
        "p@ssw0rd123",
        "woaini1314520",
        "Shenyang2026",
        "13800138000",
        "13800138000ab",
        "li.na@example.org",
        "李娜李娜李娜李娜李娜",
        "lina123456",
        "x" * 129,
    ],
)
def test_passwords_that_are_guessed_first(password: str) -> None:
    with pytest.raises(PasswordWeak):
        check_password(password, ("13800138000", "li.na@example.org", "li.na", "李娜", "lina"))


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "盛京的雪下得早啊真好看", "9x!Lq2#vT0p", "wo ai chi suan cai yu", "tuesday-Hunhe-47"],
)
def test_passwords_need_no_composition(password: str) -> None:
    check_password(password, ("13800138000", "李娜", "lina"))


def test_a_password_is_the_same_from_every_keyboard() -> None:
    assert prepared("ｐａｓｓ①") == prepared("pass1")
    assert prepared("\ud800") == "?"


def test_the_list_of_the_commonest_is_one() -> None:
    assert len(commonest()) > 250
    assert all(word == word.lower() for word in commonest())


def test_a_code_counts_a_step_before_and_after() -> None:
    secret = codes.new_secret()
    totp, step = pyotp.TOTP(secret), int(NOW.timestamp()) // 30
    for near in (-1, 0, 1):
        assert codes.step_of(secret, totp.at(NOW + near * timedelta(seconds=30)), NOW) == step + near
    code = totp.at(NOW)
    assert codes.step_of(secret, f"{code[:3]} {code[3:]}", NOW) == step
    for wrong in ("", "abcdef", code + "0", "１２３４５６", codes.new_recovery_codes()[0]):
        assert codes.step_of(secret, wrong, NOW) is None
    far = {totp.at(NOW + n * timedelta(seconds=30)) for n in (-3, -2, 2, 3)}
    near_codes = {totp.at(NOW + n * timedelta(seconds=30)) for n in (-1, 0, 1)}
    assert all(codes.step_of(secret, one, NOW) is None for one in far - near_codes)


def test_the_uri_names_the_platform_and_a_masked_login() -> None:
    parsed = pyotp.parse_uri(codes.uri("A" * 32, "138****8000"))
    assert (parsed.issuer, parsed.name, parsed.secret) == ("五社联动", "138****8000", "A" * 32)


def test_recovery_codes_are_long_and_read_as_they_are_typed() -> None:
    made = codes.new_recovery_codes()
    assert len(set(made)) == 10
    assert all(len(code.replace("-", "")) == 16 for code in made)
    assert codes.recovery_hash(made[0].lower().replace("-", " ")) == codes.recovery_hash(made[0])


def test_a_device_is_known_to_its_own_account_only() -> None:
    keys = Keys([(uuid.uuid4(), "INDEX", b"1" * 32, False)])
    older = Keys([*[(uuid.uuid4(), "INDEX", b"1" * 32, False)], (uuid.uuid4(), "INDEX", b"2" * 32, False)])
    one, other = uuid.uuid4(), uuid.uuid4()
    token = codes.new_device(keys, one)
    assert codes.device_of(keys, one, token) is not None
    assert codes.device_of(older, one, token) == codes.device_of(keys, one, token)
    for who, wrong in (
        (other, token),
        (one, None),
        (one, ""),
        (one, "é" * 64),
        (one, "A" * 64),
        (one, token[:-4] + "AAAA"),
    ):
        assert codes.device_of(keys, who, wrong) is None


@pytest.mark.parametrize(
    ("address", "counted_by"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("a socket", "a socket"),
    ],
)
def test_networks(address: str, counted_by: str) -> None:
    assert network(address) == counted_by


def test_the_guess_after_the_last_one_locks_and_each_lock_lasts_longer() -> None:
    count, now = Count(0, NOW), NOW
    for lasts in (LOCKED, 2 * LOCKED, LOCKED_MOST, LOCKED_MOST):
        for _ in range(GUESSES):
            count, allowed = counted(count, now, GUESSES)
            assert allowed
        count, allowed = counted(count, now, GUESSES)
        assert not allowed
        assert count.locked_until == now + lasts
        assert counted(count, now + lasts - timedelta(seconds=1), GUESSES) == (count, False)
        now += lasts
    count, allowed = counted(count, now + timedelta(days=1), GUESSES)
    assert allowed
    for _ in range(GUESSES):
        count, allowed = counted(count, now + timedelta(days=1), GUESSES)
    assert count.locked_until == now + timedelta(days=1) + LOCKED


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=200))
def test_nobody_guesses_more_than_the_windows_allow(waits: list[int]) -> None:
    """However guesses are spaced, no window of 15 minutes that begins with one has more than twice the limit."""
    count, now, made = Count(0, NOW), NOW, []
    for seconds in waits:
        now += timedelta(seconds=seconds)
        count, allowed = counted(count, now, GUESSES)
        if allowed:
            made.append(now)
    for begin in made:
        assert sum(begin <= at < begin + WINDOW for at in made) <= 2 * GUESSES
