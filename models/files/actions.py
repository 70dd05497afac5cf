"""Verbs of attachments: put a file to something, take it away; and the sweep of what is nobody's."""

from __future__ import annotations

import asyncio
import itertools
import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.files.ports import Storage
from models.files.problems import (
    AttachmentKept,
    FileActive,
    FileDamaged,
    FileTooLarge,
    FileTypeRefused,
    PictureTooLarge,
    StorageUnavailable,
    TooManyAttachments,
)
from models.files.rules import (
    ADDERS,
    CLOSED,
    MAY_ADD,
    MOST,
    Row,
    SubjectKind,
    may_remove,
    removable,
    shown_name,
    theirs,
)
from models.files.storing import Stored
from models.files.subjects import SUBJECTS, Subject
from models.files.tables import Attachment
from models.labels import label
from models.pool import Pool
from models.problems import Forbidden, InvalidTransition, NotFound, refuses
from models.rules_text import clean
from models.vault import Kind

attachment = table(Attachment)
log = logging.getLogger("files")
CAPTION = 200
KEPT = timedelta(hours=24)
"""How long stored bytes may wait for their row. A verb ends after seconds."""
BATCH = 500
FOREIGN = 100
"""So many stored files in a row of which none is ours: then the storage is another database's, and nothing is swept."""


def bound(name: str, type_: Any = None) -> sa.BindParameter[Any]:
    """A parameter of a statement."""
    return sa.bindparam(name, type_=type_)


def _of(subject: Subject) -> Seen:
    """A thing that the actor may see, and what is attached to it, locked: attachments are counted under its lock."""
    rows = subject.rows
    return Seen(
        lambda viewer: (
            sa.select(rows)
            .where(rows.c.id == bound("id", sa.Uuid()), *subject.shown(rows, viewer))
            .with_for_update(key_share=True, of=rows)
        )
    )


LOCK = {kind: _of(subject) for kind, subject in SUBJECTS.items()}
THERE = {
    kind: Statement(
        sa.select(sa.func.count()).where(attachment.c[s.column] == bound("id"), attachment.c.removed_at.is_(None))
    )
    for kind, s in SUBJECTS.items()
}
COLUMNS = ("uploader_id", "role", "media", "size_bytes", "sha256", "stored", "opener", "name", "caption", "created_at")
INSERT = {
    kind: Statement(
        sa.insert(attachment)
        .values({name: bound(name, attachment.c[name].type) for name in (s.column, *COLUMNS)})
        .returning(attachment.c.id)
    )
    for kind, s in SUBJECTS.items()
}
FIND = Seen(
    lambda viewer: (
        sa.select(attachment)
        .where(
            attachment.c.id == bound("id", sa.Uuid()),
            attachment.c.removed_at.is_(None),
            *seen(attachment, "attachment", viewer),
        )
        .with_for_update(of=attachment)
    )
)
REMOVE = Statement(
    sa.update(attachment)
    .where(attachment.c.id == bound("of", sa.Uuid()), attachment.c.removed_at.is_(None))
    .values(removed_at=bound("now", INSTANT), removed_by=bound("by", sa.Uuid()), opener=None, name=None, caption=None)
)
OWNED = Statement(
    sa.select(attachment.c.stored).where(
        attachment.c.stored == sa.any_(bound("names", postgresql.ARRAY(sa.Text()))), attachment.c.removed_at.is_(None)
    )
)


@may(ADDERS)
async def may_attach(db: Db, kind: SubjectKind, id: UUID) -> Row:
    """A thing to which the actor may attach something now, locked. Raises NotFound, Forbidden, InvalidTransition, TooManyAttachments."""
    found = await db.one(LOCK[kind], id=id)
    if found is None:
        raise NotFound(what=SUBJECTS[kind].what)
    if db.actor.role not in MAY_ADD[kind] or not theirs(db.actor, kind, found):
        raise Forbidden()
    if kind in CLOSED and (status := found["status"]) in CLOSED[kind]:
        values = type(next(iter(CLOSED[kind])))
        raise InvalidTransition(status=status, label=label(values(status)))
    if await db.value(THERE[kind], id=id) >= MOST:
        raise TooManyAttachments(maximum=MOST)
    return found


@may(ADDERS)
@refuses(
    FileTooLarge,
    FileTypeRefused,
    FileDamaged,
    FileActive,
    PictureTooLarge,
    TooManyAttachments,
    InvalidTransition,
    StorageUnavailable,
)
async def add_attachment(
    db: Db, kind: SubjectKind, id: UUID, file: Stored, name: str, caption: str | None = None
) -> UUID:
    """Puts a stored file to a thing. Returns the attachment's id. Raises as `may_attach`, and InvalidInput."""
    said = clean(caption, "caption", most=CAPTION) if caption is not None and caption.strip() else None
    await may_attach(db, kind, id)
    uploader, keys = db.actor.person, await db.keys()
    assert uploader is not None, "machines act in a person's name, and the public may not attach"
    made: UUID = await db.value(
        INSERT[kind],
        **{SUBJECTS[kind].column: id},
        uploader_id=uploader,
        role=db.actor.role.value,
        media=file.media.value,
        size_bytes=file.size,
        sha256=file.sha256,
        stored=file.name,
        opener=keys.seal(Kind.FILE, file.key, uploader),
        name=keys.seal(Kind.FILE, shown_name(name, file.media), uploader),
        caption=None if said is None else keys.seal(Kind.FILE, said, uploader),
        created_at=db.now,
    )
    db.detail.update(subject=f"{kind.value}_{id}", media=file.media.value, bytes=file.size)
    return made


@may(ADDERS)
@refuses(AttachmentKept)
async def remove_attachment(db: Db, id: UUID) -> UUID:
    """Takes an attachment away: nobody opens its bytes any more, and they are swept. That there was one stays.

    Raises NotFound, Forbidden, AttachmentKept.
    """
    found = await db.one(FIND, id=id)
    if found is None:
        raise NotFound(what="该附件")
    kind = next(k for k, s in SUBJECTS.items() if found[s.column] is not None)
    if not may_remove(db.actor, kind, found["uploader_id"]):
        raise Forbidden()
    of = await db.one(LOCK[kind], id=found[SUBJECTS[kind].column])
    assert of is not None, "an attachment is visible where its subject is"
    if not removable(kind, of["status"]):
        raise AttachmentKept()
    await db.one(REMOVE, of=id, by=db.actor.person)
    db.detail.update(subject=f"{kind.value}_{of['id']}", uploader=str(found["uploader_id"]))
    return id


async def sweep(pool: Pool, storage: Storage, now: datetime) -> int:
    """Forgets stored files that are no attachment's a day after they were written; how many. Raises NoStorage.

    They are left by verbs that were refused, processes that died between writing and committing, and removals.
    """
    names = await asyncio.to_thread(lambda: iter(storage.older(now - KEPT)))
    swept = 0
    while batch := await asyncio.to_thread(lambda: list(itertools.islice(names, BATCH))):
        async with pool.connection() as connection:
            rows = await connection.fetch(OWNED.sql, *OWNED.arguments({"names": batch}))
        nobodys = set(batch) - {row["stored"] for row in rows}
        if len(nobodys) == len(batch) >= FOREIGN:
            log.error("none of %d stored files is this database's: is the storage another one's?", len(batch))
            return swept
        for name in nobodys:
            await asyncio.to_thread(storage.delete, name)
        swept += len(nobodys)
    return swept
