"""Personal data at rest: sealed by the application, so that neither a dump nor a database administrator reads it.

Each kind of data has its own data key (AES-256-GCM). Data keys lie in `data_key`, wrapped by a master key that never
enters the database; a sealed value says which data key it needs, so old and new keys work side by side while a
rotation goes on. A sealed value is bound to its kind and to the person it is about: moved to another row, it does not
open. Where equality is needed there is a blind index (HMAC-SHA-256 under a key of its own).

    keys = await vault.keys(connection)
    keys.seal(Kind.PHONE, "13800000000", person_id)
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import hmac
import logging
import os
import time
import weakref
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models import clock
from models.base import READ_ONLY, Table, choice, chosen, instant, key, text


class Kind(enum.StrEnum):
    """What a key is for: a class of personal data, blind indexes, or secrets of the platform."""

    NAME = "NAME"
    PHONE = "PHONE"
    ADDRESS = "ADDRESS"
    IDENTITY = "IDENTITY"
    """Numbers of identity documents."""
    CARE = "CARE"
    """Health and poverty: tags of residents, what needs say of somebody's condition."""
    LOGIN = "LOGIN"
    """What one signs in by: openid, e-mail, TOTP secrets."""
    FILE = "FILE"
    """Attachments: what opens each file, and what people call it."""
    INDEX = "INDEX"
    """Blind indexes."""
    TOKEN = "TOKEN"
    """Signing of access tokens, and tokens of outside platforms."""
    AUDIT = "AUDIT"
    """The seals of the audit log."""


NONCE, TAG, ID = 12, 16, 16
KEY_BYTES = 32
log = logging.getLogger("vault")
FRESH = 60.0
"""Seconds for which loaded keys are taken for the newest. A key that is not known is looked for at once."""
NO_ONE = UUID(int=0)
"""The subject of what is about nobody."""


class DataKey(Table, table=True):
    """A data key, wrapped. The API's role may only read it; commands make and retire keys as the owner."""

    __tablename__ = "data_key"
    __table_args__ = (
        chosen("kind", Kind),
        sa.Index("ix_data_key_kind_created_at", "kind", "created_at"),
        {"info": READ_ONLY},
    )
    id: UUID = key()
    kind: Kind = choice(Kind)
    wrapped: bytes
    master: str = text()
    """Which master key wrapped it: the first 16 hexadecimal digits of its SHA-256."""
    created_at: datetime = instant()
    """From when on it seals. A rotation makes it a little ahead, so that every process knows it before anyone uses it."""
    retired_at: datetime | None = instant(optional=True)
    """From when on nothing new is sealed with it, and nothing old is left: it may be deleted."""


class Locked(Exception):
    """There is no master key, or not the one that the data keys were wrapped by."""


class Empty(Locked):
    """The database has no data keys yet."""


class UnknownKey(Exception):
    """A sealed value names a data key that is not here."""


class Tampered(Exception):
    """A sealed value is not what was written for this kind and this person."""


@dataclasses.dataclass(frozen=True)
class Master:
    """A master key: it wraps data keys and does nothing else."""

    secret: bytes

    @property
    def name(self) -> str:
        return hashlib.sha256(b"wushe master" + self.secret).hexdigest()[:16]

    def wrap(self, id: UUID, kind: str, plain: bytes) -> bytes:
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(self.secret).encrypt(nonce, plain, id.bytes + kind.encode())

    def unwrap(self, id: UUID, kind: str, wrapped: bytes) -> bytes:
        try:
            return AESGCM(self.secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], id.bytes + kind.encode())
        except InvalidTag:
            raise Locked(f"data key {id} was changed, or the master key is another one") from None


_masters: dict[str, Master] = {}
_first: list[Master] = []


def unlock(secret: bytes, *old: bytes) -> None:
    """Gives the process its master key, 32 bytes, and those that came before it: once, when a command starts."""
    assert all(len(s) == KEY_BYTES for s in (secret, *old)), "a master key has 32 bytes"
    masters = [Master(s) for s in (secret, *old)]
    _masters.clear()
    _masters.update({m.name: m for m in masters})
    _first[:] = masters[:1]


def master() -> Master:
    """The master key that wraps new data keys. Raises Locked."""
    if not _first:
        raise Locked("no master key: set WUSHE_MASTER_KEY or WUSHE_MASTER_KEY_FILE")
    return _first[0]


class Keys:
    """The data keys of one database, unwrapped. Never written down, never logged."""

    def __init__(self, rows: list[tuple[UUID, str, bytes, bool]], waiting: Collection[UUID] = ()) -> None:
        """Rows of (id, kind, plain key, whether it is retired), the newest last; `waiting`: keys whose time is to come."""
        self._ciphers: dict[bytes, AESGCM] = {}
        self._secrets: dict[str, dict[UUID, bytes]] = {}
        self._newest: dict[str, UUID] = {}
        self._retired: set[UUID] = set()
        for id, kind, plain, retired in rows:
            self._ciphers[id.bytes] = AESGCM(plain)
            self._secrets.setdefault(kind, {})[id] = plain
            if retired:
                self._retired.add(id)
            elif id not in waiting:
                self._newest[kind] = id
            else:  # before the first one there is none to wait for: only a clock that was put back makes it wait
                self._newest.setdefault(kind, id)

    def seal(self, kind: Kind, plain: str, subject: UUID = NO_ONE) -> bytes:
        """Sealed UTF-8: key id, nonce, ciphertext with its tag. Bound to the kind and to the person it is about."""
        id = self._current(kind).bytes
        nonce = os.urandom(NONCE)
        return id + nonce + self._ciphers[id].encrypt(nonce, plain.encode(), kind.encode() + subject.bytes)

    def open(self, kind: str, sealed: bytes, subject: UUID = NO_ONE) -> str:
        """What was sealed. Raises UnknownKey and Tampered."""
        cipher = self._ciphers.get(bytes(sealed[:ID]))
        if cipher is None:
            raise UnknownKey(sealed[:ID].hex())
        nonce, rest = sealed[ID : ID + NONCE], sealed[ID + NONCE :]
        try:
            return cipher.decrypt(nonce, rest, kind.encode() + subject.bytes).decode()
        except (InvalidTag, ValueError):
            raise Tampered(kind) from None

    def index(self, kind: Kind, plain: str) -> bytes:
        """The blind index of a value, normalized by the caller: equal values have equal ones."""
        return self._blind(self._secrets[Kind.INDEX][self._current(Kind.INDEX)], kind, plain)

    def indexes(self, kind: Kind, plain: str) -> list[bytes]:
        """The blind indexes of a value under every index key there is: what to look for while a rotation goes on."""
        return [self._blind(secret, kind, plain) for secret in self.secrets(Kind.INDEX).values()]

    def secret(self, kind: Kind) -> tuple[UUID, bytes]:
        """The newest key of a kind that signs rather than seals, and its id."""
        id = self._current(kind)
        return id, self._secrets[kind][id]

    def secrets(self, kind: Kind) -> Mapping[UUID, bytes]:
        """Every key of a kind that signs, save the retired ones: what they signed counts no more."""
        return {id: plain for id, plain in self._secrets.get(kind, {}).items() if id not in self._retired}

    def every(self, kind: Kind) -> Mapping[UUID, bytes]:
        """Every key of a kind that signs, the retired ones too: what they signed in their time is still to be proven."""
        return self._secrets.get(kind, {})

    def current(self, kind: Kind) -> UUID:
        """The id of the key that new values are sealed with."""
        return self._current(kind)

    def _current(self, kind: str) -> UUID:
        found = self._newest.get(kind)
        if found is None:
            raise Locked(f"there is no data key for {kind}: run ./wushe migrate")
        return found

    @staticmethod
    def _blind(secret: bytes, kind: str, plain: str) -> bytes:
        return hmac.digest(secret, f"{kind}\0{plain}".encode(), "sha256")


def master_of(row: asyncpg.Record) -> Master:
    """The master key that a data key was wrapped by. Raises Locked."""
    found = _masters.get(row["master"])
    if found is None:
        raise Locked(f"data key {row['id']} was wrapped by master key {row['master']}, which is not given")
    return found


READ = (
    "SELECT id, kind, wrapped, master, retired_at IS NOT NULL AS retired, created_at > $1 AS waiting"
    " FROM data_key ORDER BY created_at, id"
)


async def load(connection: asyncpg.Connection) -> Keys:
    """Reads and unwraps a database's data keys. Raises Locked."""
    rows, waiting = [], set()
    for row in await connection.fetch(READ, clock.now()):
        rows.append(
            (row["id"], row["kind"], master_of(row).unwrap(row["id"], row["kind"], row["wrapped"]), row["retired"])
        )
        if row["waiting"]:
            waiting.add(row["id"])
    if not rows:
        raise Empty("the database has no data keys: run ./wushe migrate")
    return Keys(rows, waiting)


class Vault:
    """The keys of one database, kept for a while."""

    def __init__(self) -> None:
        self._keys: Keys | None = None
        self._until = 0.0

    async def keys(self, connection: asyncpg.Connection, *, newest: bool = False) -> Keys:
        """The keys, read again after a minute, or when `newest` asks for it.

        Those that are held serve on where they do not open again, because they were wrapped anew by a master key that
        this process is not given before it starts again. Raises Locked when there are none, or `newest` ones are asked
        for.
        """
        if self._keys is not None and not newest and time.monotonic() <= self._until:
            return self._keys
        try:
            self._keys = await load(connection)
        except Locked as problem:
            if self._keys is None or newest:
                raise
            log.warning("the data keys do not open any more; those that were read before serve on: %s", problem)
        self._until = time.monotonic() + FRESH
        return self._keys

    @property
    def held(self) -> Keys | None:
        """The keys as last read; None before that."""
        return self._keys


_by_connection: weakref.WeakKeyDictionary[Any, Vault] = weakref.WeakKeyDictionary()


def of(connection: Any) -> Vault:
    """The vault of one connection that belongs to no pool."""
    return _by_connection.setdefault(connection, Vault())


MAKE = "INSERT INTO data_key (id, kind, wrapped, master, created_at) VALUES ($1, $2, $3, $4, $5)"


async def make(connection: asyncpg.Connection, kind: Kind, since: datetime | None = None) -> UUID:
    """A new data key of a kind, as the owner; from an instant (now) on new values are sealed with it. Returns its id."""
    id: UUID = await connection.fetchval("SELECT uuidv7()")
    wrapper = master()
    await connection.execute(
        MAKE, id, kind.value, wrapper.wrap(id, kind, os.urandom(KEY_BYTES)), wrapper.name, since or clock.now()
    )
    return id


async def found(connection: asyncpg.Connection) -> None:
    """Makes the data keys that are missing, as the owner. Raises Locked."""
    there = {r[0] for r in await connection.fetch("SELECT DISTINCT kind FROM data_key WHERE retired_at IS NULL")}
    for kind in Kind:
        if kind.value not in there:
            await make(connection, kind)
