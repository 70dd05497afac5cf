"""Handing an attachment out: to who sees it now; by his token, or by an address that was signed for him."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import sqlalchemy as sa

from models.access import Actor, Role, seen
from models.base import table
from models.clock import day
from models.database import Db, Seen
from models.files.kinds import MEDIA, MediaType
from models.files.ports import NoStorage, NotStored, Storage
from models.files.problems import StorageUnavailable
from models.files.sealing import Torn, opened
from models.files.tables import Attachment
from models.problems import NotFound
from models.vault import Keys, Kind, Tampered, UnknownKey

attachment = table(Attachment)
LASTS = timedelta(minutes=5)
"""How long a signed address opens its file."""

READ = Seen(
    lambda viewer: sa.select(attachment).where(
        attachment.c.id == sa.bindparam("id", type_=sa.Uuid()),
        attachment.c.removed_at.is_(None),
        *seen(attachment, "attachment", viewer),
    )
)


@dataclasses.dataclass(frozen=True)
class Found:
    """An attachment that somebody may open."""

    stored: str
    key: bytes
    media: str
    name: str
    ascii: str
    """A name for programs that read nothing else."""
    size: int
    uploader: UUID


class BadAddress(Exception):
    """A signed address that is none of ours, of another file, or past its time."""


def signed(keys: Keys, id: UUID, actor: Actor, now: datetime) -> str:
    """The address of an attachment for one caller, good for five minutes: for places that can send no header.

    Its key is sealed and bound to the file. It says who asks, and no more than his token does: what he may see is looked
    up again when it is used.
    """
    said = {
        "ends": int((now + LASTS).timestamp()),
        "role": actor.role.value,
        "person": actor.person,
        "organization": actor.organization,
        "area": actor.area,
        "sign_in": actor.sign_in,
        "key": actor.key,
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
    }
    given = {name: value for name, value in said.items() if value is not None}
    closed = keys.seal(Kind.TOKEN, orjson.dumps(given, default=str).decode(), id)
    return f"/files/attachment_{id}?s={base64.urlsafe_b64encode(closed).rstrip(b'=').decode()}"


def asker_of(keys: Keys, id: UUID, text: str, now: datetime) -> Actor:
    """Whom an address was signed for. Raises BadAddress. Whether he is that still is for the caller to ask."""
    try:
        said = orjson.loads(keys.open(Kind.TOKEN, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), id))
    except (ValueError, Tampered, UnknownKey):
        raise BadAddress() from None
    if now.timestamp() >= said["ends"]:
        raise BadAddress()
    ids = {name: UUID(said[name]) if name in said else None for name in ("person", "organization", "sign_in", "key")}
    scopes = frozenset(said["scopes"]) if "scopes" in said else None
    return Actor(Role(said["role"]), area=said.get("area"), scopes=scopes, **ids)


async def find(db: Db, id: UUID) -> Found:
    """An attachment that the actor sees, and what opens it. Raises NotFound."""
    row = await db.one(READ, id=id)
    if row is None:
        raise NotFound(what="该文件")
    uploader = row["uploader_id"]
    media, ending = MEDIA[MediaType(row["media"])]
    return Found(
        row["stored"],
        bytes.fromhex(await db.open(Kind.FILE, row["opener"], uploader)),
        media,
        await db.open(Kind.FILE, row["name"], uploader),
        f"attachment-{day(row['created_at'])}.{ending}",
        row["size_bytes"],
        uploader,
    )


async def content_of(storage: Storage | None, found: Found) -> Iterator[bytes]:
    """Its content, piece by piece: the first is there, the others block, and raise Torn. Raises StorageUnavailable.

    It holds no connection: the other system may be slow.
    """
    if storage is None:
        raise StorageUnavailable()
    content = opened(found.key, found.stored, storage.read(found.stored))
    first = await asyncio.to_thread(_first, content)
    return itertools.chain((first,), content)


def _first(content: Iterator[bytes]) -> bytes:
    """The first piece: what is wrong with a file is mostly wrong with that, and then nothing has been answered yet."""
    try:
        return next(content)
    except (NoStorage, NotStored, Torn):
        raise StorageUnavailable() from None
