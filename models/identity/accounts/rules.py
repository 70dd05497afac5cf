"""The laws of accounts: what may be a login and a password, how long an invitation holds, how guesses are counted."""

from __future__ import annotations

import enum
import functools
import ipaddress
import re
import unicodedata
from datetime import timedelta

from models.access import Role
from models.labels import labelled
from models.people.identity import mask_phone, read_phone
from models.people.scopes import SIGNED_IN
from models.problems import InvalidInput
from models.rules_text import clean


class LoginKind(enum.StrEnum):
    """What one signs in by."""

    PHONE = "PHONE"
    EMAIL = "EMAIL"


labelled(
    LoginKind,
    {LoginKind.PHONE: "手机号", LoginKind.EMAIL: "电子邮箱"},
    description="What one signs in by.",
    describe={LoginKind.PHONE: "A Chinese mobile number.", LoginKind.EMAIL: "An e-mail address."},
)

MAY: dict[str, frozenset[Role]] = {
    "account.enter": frozenset(Role),
    "account.invite": frozenset({Role.ADMIN, Role.NGO_STAFF}),
    "account.switch": frozenset({Role.ADMIN}),
    "account.own": SIGNED_IN,
}
"""Which roles may take each step; whose account it may be is checked beside it."""

INVITED = timedelta(hours=72)
"""How long an invitation may be taken up."""
INVITATIONS, INVITING = 5, timedelta(hours=1)
"""How many invitations one of an organization's staff writes in a while."""
RECOVERY_CODES = 10

EMAIL = re.compile(r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+", re.ASCII)


def read_login(given: str, field: str = "login", *, fictional: bool = False) -> tuple[LoginKind, str]:
    """A phone number as 11 digits, or an e-mail address in small letters. Raises InvalidInput.

    `fictional`: outside production, phone numbers that nobody has pass too.
    """
    if "@" not in given:
        return LoginKind.PHONE, read_phone(given, field, fictional=fictional)
    address = unicodedata.normalize("NFKC", clean(given, field, most=200)).lower()
    if not EMAIL.fullmatch(address):
        raise InvalidInput(field=field, reason="电子邮箱的格式不正确。")
    return LoginKind.EMAIL, address


def mask_login(kind: LoginKind, login: str) -> str:
    """138****1234, or z***@example.org."""
    if kind is LoginKind.PHONE:
        return mask_phone(login)
    name, _, host = login.partition("@")
    return f"{name[0]}***@{host}"


GUESSES = 10
"""Failures that strangers have against one login, or one known device against its own account, in one window."""
GUESSES_FROM_ADDRESS = 30
"""Failures that strangers have from one network address, against whatever accounts, in one window."""
CODES_FROM_ADDRESS = 60
"""Codes that WeChat does not know, from one network address, in one window: many phones share one."""
WINDOW = timedelta(minutes=15)
LOCKED = timedelta(minutes=15)
"""How long the first lock lasts. Each one that follows within a day lasts twice as long, up to LOCKED_MOST."""
LOCKED_MOST = timedelta(hours=1)
FORGOTTEN = timedelta(days=1)
"""After this long without a lock the next one is a first one again."""


@functools.lru_cache(maxsize=16_384)
def network(address: str) -> str:
    """What of a network address guesses are counted by: IPv4 whole, IPv6 by its /64, which one subscriber has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
