"""What somebody uploaded: in the file of his own data, erased with him, and sealed anew by a rotation."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from models import rotation
from models.access import Actor, Role
from models.database import transaction
from models.pool import Pool
from models.privacy.actions.erasure import erase_person
from models.privacy.export.build import own_data
from models.vault import Keys, Kind
from tests.make_people import Town, insert, person, town
from tests.make_privacy import Life, life


async def attached(c: asyncpg.Connection, keys: Keys, by: UUID, role: Role, at: datetime, **subject: Any) -> UUID:
    """An attachment's row."""
    words = {name: keys.seal(Kind.FILE, name, by) for name in ("opener", "name", "caption")}
    given = {"media": "JPEG", "size_bytes": 77, "sha256": bytes(32), "created_at": at, "role": role.value}
    stored = f"{len(await c.fetch('SELECT id FROM attachment')):040x}"
    return await insert(c, "attachment", uploader_id=by, stored=stored, **given, **words, **subject)


async def lived(pool: Pool, now: datetime) -> tuple[Life, dict[str, UUID]]:
    """Somebody with a need, who served in a session; and six attachments, his and others'."""
    async with pool.connection() as c:
        keys = await pool.vault.keys(c)
        who = await life(c, await town(c), now)
        staff = await person(c, "林社区", area=Town.COMMUNITY)
        session = await c.fetchval("SELECT id FROM attendance WHERE volunteer_id = $1", who.person)
        made = {
            "his own": await attached(c, keys, who.person, Role.RESIDENT, now, need_id=who.need),
            "by staff, of his need": await attached(c, keys, staff, Role.COMMUNITY_STAFF, now, need_id=who.need),
            "of his part": await attached(c, keys, staff, Role.NGO_STAFF, now, attendance_id=session),
            "as a volunteer": await attached(c, keys, who.person, Role.VOLUNTEER, now, session_id=who.session),
            "in an office": await attached(c, keys, who.person, Role.NGO_STAFF, now, session_id=who.session),
            "others'": await attached(c, keys, staff, Role.NGO_STAFF, now, session_id=who.session),
        }
    return who, made


async def test_it_is_in_the_file_of_his_own_data(pool: Pool, now: datetime) -> None:
    who, _ = await lived(pool, now)
    async with pool.connection() as c:
        keys = await pool.vault.keys(c)
        async with c.transaction(isolation="repeatable_read", readonly=True):
            data = await own_data(c, keys, who.person, now)
    uploaded = data["categories"]["needs"]["attachments"]
    assert len(uploaded) == 3
    assert {tuple(sorted(row)) for row in uploaded} == {
        ("caption", "media", "name", "removedAt", "sizeBytes", "uploadedAt")
    }
    assert uploaded[0]["name"] == "name" and uploaded[0]["caption"] == "caption"
    assert {"caption", "media", "sizeBytes", "uploadedAt"} <= data["documentation"]["fields"].keys()


async def test_it_goes_with_him_save_what_he_did_in_an_office(pool: Pool, now: datetime) -> None:
    who, made = await lived(pool, now)
    kept = await transaction(
        pool, Actor(Role.RESIDENT, who.person), now, lambda db: erase_person(db, who.person, cancel=True)
    )
    assert any(line.startswith("上传记录 3 条") for line in kept), kept
    async with pool.connection() as c:
        rows = {r["id"]: r for r in await c.fetch("SELECT id, opener, name, caption, removed_at FROM attachment")}
    gone = {name for name, id in made.items() if rows[id]["removed_at"] is not None}
    assert gone == {"his own", "by staff, of his need", "of his part", "as a volunteer"}
    for id in made.values():
        words = [rows[id][name] for name in ("opener", "name", "caption")]
        assert (words == [None] * 3) == (rows[id]["removed_at"] is not None)


def test_a_rotation_finds_what_opens_files() -> None:
    """The row is sealed anew; the stored bytes stay as they are."""
    sealed = {(s.table.name, s.name) for s in rotation.sealed_columns(Kind.FILE)}
    assert sealed == {("attachment", name) for name in ("opener", "name", "caption")}
