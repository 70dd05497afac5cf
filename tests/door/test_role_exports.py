"""What staff take away as a spreadsheet: what their capacity sees, no name plainer, no formula, on record."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from api.web import role_exports
from models.access import Claims, Role
from models.clock import SHANGHAI
from tests.make_people import Town, membership, person, town
from tests.make_privacy import CONDITION, NAME, NOTE, PHONE, Life, life
from tests.server import Server, name_of
from tests.site import Site, served

NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)
SPAN = "from=2026-10-01&to=2026-11-02"
DESKS = (
    ("clerk", Role.COMMUNITY_STAFF, Town.COMMUNITY),
    ("elsewhere", Role.COMMUNITY_STAFF, Town.NEIGHBOUR),
    ("worker", Role.SOCIAL_WORKER, Town.COMMUNITY),
    ("officer", Role.GRID_OFFICER, Town.GRID),
    ("viewer", Role.DISTRICT_VIEWER, Town.DISTRICT),
    ("auditor", Role.AUDITOR, None),
)


@pytest.fixture
async def desks(committed: str, server: Server) -> dict[str, Claims]:
    """Somebody's life in a community, and those who sit at its desks."""
    connection = await asyncpg.connect(committed, server_settings={"timezone": "Asia/Shanghai"})
    try:
        where = await town(connection)
        lived: Life = await life(connection, where, NOW, locked=False)
        out = {}
        for name, role, area in DESKS:
            who = await person(connection, "陈工")
            out[name] = Claims(who, role, await membership(connection, who, role, area=area))
        unit = await connection.fetchval("SELECT organization_id FROM organization_volunteer")
        who = await person(connection, "社工")
        out["ngo"] = Claims(who, Role.NGO_STAFF, await membership(connection, who, Role.NGO_STAFF, organization=unit))
        owner = await asyncpg.connect(server.owner_url(name_of(committed)))
        await owner.execute("ALTER TABLE hour_entry DISABLE TRIGGER USER")  # nobody else rewrites the ledger
        await owner.execute("UPDATE hour_entry SET organization_id = $1", unit)
        await owner.execute("ALTER TABLE hour_entry ENABLE TRIGGER USER")
        await owner.close()
        await connection.execute("UPDATE service_session SET organization_id = $1, title = '=1+1'", unit)
        await connection.execute("UPDATE need SET title = '+cmd', created_at = $1", NOW - timedelta(days=2))
        await connection.execute("UPDATE need SET assigned_to = $1 WHERE id = $2", out["worker"].person, lived.need)
        return out
    finally:
        await connection.close()


async def fetched(site: Site, who: Claims | None, sheet: str, span: str = SPAN) -> tuple[int, Any]:
    headers = {"x-wushe-now": NOW.isoformat()}
    if who is not None:
        headers["authorization"] = f"Bearer {site.token(who)}"
    got = await site.client.get(f"/exports/{sheet}.csv?{span}", headers=headers)
    if got.status_code != 200:
        return got.status_code, got.json()["code"]
    assert got.headers["cache-control"] == "no-store" and got.content.startswith(b"\xef\xbb\xbf")
    for plain in (PHONE, NOTE, CONDITION):
        assert plain not in got.text
    return 200, list(csv.DictReader(io.StringIO(got.text.split("\r\n", 1)[1])))


async def test_each_takes_what_he_sees_and_no_more(committed: str, desks: dict[str, Claims]) -> None:
    async with served(committed) as site:
        _, needs = await fetched(site, desks["clerk"], "needs")
        assert len(needs) == 2
        assert {n["服务对象"] for n in needs} == {"欧阳*", ""} and {n["标题"] for n in needs} == {"'+cmd"}
        assert {(n["状态"], n["社区"], n["单位"]) for n in needs} == {("已办结", "多福社区", "人")}
        assert [n["服务对象"] for n in (await fetched(site, desks["worker"], "needs"))[1]] == ["欧阳*"]
        assert await fetched(site, desks["elsewhere"], "needs") == (200, [])
        (session,) = (await fetched(site, desks["clerk"], "sessions"))[1]
        assert (session["名称"], session["组织"], session["名额"]) == ("'=1+1", "暖邻服务社", "5")
        (masked,) = (await fetched(site, desks["clerk"], "hours"))[1]
        assert masked["场次"] == "'=1+1"
        assert (masked["志愿者"], masked["分钟"], masked["依据"]) == ("欧阳*", "150", "系统记录")
        (named,) = (await fetched(site, desks["ngo"], "hours"))[1]
        assert (named["志愿者"], named["分钟"]) == (NAME, "150")
        assert await fetched(site, desks["elsewhere"], "hours") == (200, [])


async def test_who_takes_nothing(committed: str, desks: dict[str, Claims]) -> None:
    async with served(committed) as site:
        for name, sheet in (("officer", "needs"), ("viewer", "needs"), ("auditor", "hours"), ("ngo", "needs")):
            assert await fetched(site, desks[name], sheet) == (403, "FORBIDDEN"), name
        assert await fetched(site, None, "needs") == (401, "UNAUTHENTICATED")
        assert await fetched(site, desks["clerk"], "people") == (404, "NOT_FOUND")
        for span in ("from=2026-11-02&to=2026-11-01", "from=2025-01-01&to=2026-11-01", "from=2026-11-01"):
            assert await fetched(site, desks["clerk"], "needs", span) == (400, "INVALID_INPUT")


async def test_it_is_on_record_who_took_what_and_whose_names_he_read(
    committed: str, desks: dict[str, Claims], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_exports, "PAGE", 1)  # page by page it is the same
    async with served(committed) as site:
        assert len((await fetched(site, desks["clerk"], "needs"))[1]) == 2
        await fetched(site, desks["ngo"], "hours")
        await fetched(site, desks["officer"], "needs")
        monkeypatch.setattr(role_exports, "MOST", 1)
        assert await fetched(site, desks["clerk"], "needs") == (400, "INVALID_INPUT")
        async with site.tokens.pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT action, result, person, detail->>'sheet' AS sheet, detail->>'rows' AS rows FROM audit_event"
                " WHERE action IN ('rows.export', 'personalData.read') ORDER BY id"
            )
    assert [tuple(r) for r in rows] == [
        ("rows.export", "DONE", desks["clerk"].person, "needs", "2"),
        ("personalData.read", "DONE", desks["ngo"].person, None, None),
        ("rows.export", "DONE", desks["ngo"].person, "hours", "1"),
        ("rows.export", "FORBIDDEN", desks["officer"].person, None, None),
        ("rows.export", "INVALID_INPUT", desks["clerk"].person, None, None),
    ]
