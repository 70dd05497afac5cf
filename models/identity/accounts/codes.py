"""One-time codes, recovery codes, invitations, and the tokens by which an account knows a device again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from uuid import UUID

import pyotp

from models.identity.accounts.rules import RECOVERY_CODES
from models.vault import Keys, Kind

STEP_SECONDS = 30
DIGITS = 6
AROUND = 1
"""Steps before and after the present one whose code is taken: clocks differ (RFC 6238, 5.2)."""
ISSUER = "五社联动"
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""For recovery codes: 32 characters that are not taken for one another."""


def new_secret() -> str:
    """An authenticator's secret: 160 bits in base32."""
    return pyotp.random_base32()


def uri(secret: str, name: str) -> str:
    """What the QR code of an authenticator says. `name` is shown beside the code: a masked login."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The 30-second step, near the present one, whose code this is; None for a wrong code."""
    given = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", given):
        return None
    present = int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    found = None
    for step in range(present - AROUND, present + AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(step), given):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 bits: ABCD-EFGH-JKLM-NPQR."""
    plain = ["".join(secrets.choice(LETTERS) for _ in range(16)) for _ in range(RECOVERY_CODES)]
    return ["-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in plain]


def recovery_hash(code: str) -> bytes:
    """What is stored of a recovery code, however it was typed."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).upper().encode("utf-8", "replace")).digest()


def new_token() -> str:
    """An invitation's token: 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of an invitation's token."""
    return hashlib.sha256(token.strip().encode("utf-8", "replace")).digest()


NONCE = 16


def new_device(keys: Keys, person: UUID) -> str:
    """A token by which an account knows a device again: chance, and an HMAC over it and the account.

    It opens nothing: it only says that somebody signed in to this account from there before (OWASP: device cookies).
    """
    nonce = secrets.token_bytes(NONCE)
    return base64.urlsafe_b64encode(nonce + keys.index(Kind.LOGIN, _device(person, nonce))).decode()


def device_of(keys: Keys, person: UUID, token: str | None) -> bytes | None:
    """The chance in a device's token, if the token is this account's; None for any other text."""
    if token is None or len(token) != 64:
        return None
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return None
    nonce, signed = raw[:NONCE], raw[NONCE:]
    right = [hmac.compare_digest(signed, known) for known in keys.indexes(Kind.LOGIN, _device(person, nonce))]
    return nonce if any(right) else None


def _device(person: UUID, nonce: bytes) -> str:
    return f"device {person} {nonce.hex()}"
