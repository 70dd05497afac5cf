"""Where files are handed out: odd input is refused by name, nothing lasts for ever, and all of it is counted."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from api.web import downloads, role_exports
from tests.demo import Demo, demo_of_module
from tests.site import Site, served

SPAN = "from=2026-01-01&to=2026-12-31"
NEEDS = f"/exports/needs.csv?{SPAN}"
SHEETS = ("/exports/needs.csv", "/exports/sessions.csv", "/exports/hours.csv", "/reports/fund-statement.csv")
ODD = (
    ("9999-12-31", "9999-12-31"),
    ("0001-01-01", "0001-01-01"),
    ("0001-01-01", "9999-12-31"),
    ("1991-12-31", "1992-01-01"),
    ("2199-12-31", "2200-01-01"),
    ("2026-02-29", "2026-03-01"),
    ("2026-11-02", "2026-11-01"),
    ("2026-01-01T00:00:00", "2026-01-02"),
    ("", ""),
    ("0", "-1"),
    ("%00", "%00"),
    ("２０２６-01-01", "２０２６-01-02"),
    ("2026-01-01%20", "%ff"),
    ("9" * 400, "9" * 400),
)
EDGES = (("1992-01-01", "1992-12-31"), ("2199-01-01", "2199-12-31"), ("2199-12-31", "2199-12-31"))
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'wushe' AND state = 'active' AND wait_event_type = 'Lock'
"""


def signed(site: Site, demo: Demo, slug: str = "community-staff") -> dict[str, str]:
    return {"authorization": f"Bearer {site.token(demo.claims[slug])}"}


def counted(of: str, status: str) -> float:
    return REGISTRY.get_sample_value("wushe_downloads_total", {"of": of, "status": status}) or 0.0


async def records(site: Site, action: str) -> int:
    async with site.tokens.pool.connection() as connection:
        found: int = await connection.fetchval("SELECT count(*) FROM audit_event WHERE action = $1", action)
        return found


@contextlib.asynccontextmanager
async def needs_locked(demo: Demo) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Nobody can read a need. The connection is one that looks at the database."""
    holds, looks = await asyncpg.connect(demo.superuser), await asyncpg.connect(demo.superuser)
    try:
        async with holds.transaction():
            await holds.execute("LOCK TABLE need IN ACCESS EXCLUSIVE MODE")
            yield looks
    finally:
        await holds.close()
        await looks.close()


async def waiting(looks: asyncpg.Connection[Any], count: int) -> float:
    """Seconds until so many statements of the API wait for a lock."""
    began = time.monotonic()
    while await looks.fetchval(WAITING) != count:
        assert time.monotonic() - began < 10
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_odd_days_are_refused_by_name(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site:
        for path in SHEETS:
            headers = signed(site, demo_of_module, "fund-reporter" if "fund" in path else "community-staff")
            for since, until in ODD:
                got = await site.client.get(f"{path}?from={since}&to={until}", headers=headers)
                assert (got.status_code, got.json()["code"]) == (400, "INVALID_INPUT"), (path, since, until)
            for since, until in EDGES:
                got = await site.client.get(f"{path}?from={since}&to={until}", headers=headers)
                assert got.status_code == 200, (path, since, until, got.text)


async def test_a_query_that_is_refused_is_a_named_refusal(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = dataclasses.replace(role_exports.SHEETS["needs"], filter=lambda *_: {"createdAfter": "0001-01-01"})
    monkeypatch.setitem(role_exports.SHEETS, "needs", wrong)
    async with served(demo_of_module.api) as site:
        got = await site.client.get(NEEDS, headers=signed(site, demo_of_module))
        assert (got.status_code, got.json()["code"]) == (400, "BAD_VARIABLES")


async def test_pages_have_one_deadline_together(demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    read, pages = role_exports._page, 0

    async def slow(*args: Any) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        await asyncio.sleep(0.2)
        return await read(*args)

    monkeypatch.setattr(role_exports, "PAGE", 1)
    monkeypatch.setattr(role_exports, "_page", slow)
    monkeypatch.setattr(downloads, "SECONDS", 0.7)
    async with served(demo_of_module.api) as site:
        got = await site.client.get(NEEDS, headers=signed(site, demo_of_module))
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "DEADLINE", "2")
        assert 2 <= pages <= 4


async def test_an_export_whose_client_leaves_stops(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site, needs_locked(demo_of_module) as looks:
        before, noted = counted("exports", "gone"), await records(site, "rows.export")
        url = httpx.URL(site.url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        token = signed(site, demo_of_module)["authorization"]
        writer.write(f"GET {NEEDS} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
        await waiting(looks, 1)
        writer.close()
        assert await waiting(looks, 0) < 2, "a statement's own time is up after five seconds"
        for _ in range(100):
            if counted("exports", "gone") > before:
                break
            await asyncio.sleep(0.02)
        assert counted("exports", "gone") == before + 1
        assert await records(site, "rows.export") == noted, "nobody was handed anything"


async def test_a_bug_is_logged_by_its_place_and_counted(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(*_: object) -> None:
        raise KeyError("王奶奶 13800000000")

    monkeypatch.setattr("api.web.downloads.fund_statement", fails)
    async with served(demo_of_module.api) as site:
        before = counted("reports", "500")
        headers = {**signed(site, demo_of_module, "fund-reporter"), "x-request-id": "the-one-request"}
        got = await site.client.get(f"/reports/fund-statement.csv?{SPAN}", headers=headers)
        assert (got.status_code, got.headers["x-request-id"]) == (500, "the-one-request")
        assert counted("reports", "500") == before + 1
        text = (await site.client.get("/metrics", headers=signed(site, demo_of_module, "admin"))).text
        assert 'wushe_downloads_total{of="reports",status="500"}' in text
    said = capsys.readouterr().err
    assert '"bug"' in said and "KeyError at test_downloads.py" in said and "the-one-request" in said
    assert "王奶奶" not in said and "13800000000" not in said


async def test_every_end_is_counted(demo_of_module: Demo) -> None:
    statement = f"/reports/fund-statement.csv?{SPAN}"
    ends = (
        ("files", "401", f"/files/attachment_{UUID(int=1)}?s=x", None),
        ("files", "400", "/files/x", "resident"),
        ("files", "404", f"/files/attachment_{UUID(int=1)}", "resident"),
        ("exports", "401", NEEDS, None),
        ("exports", "200", NEEDS, "community-staff"),
        ("exports", "403", NEEDS, "auditor"),
        ("reports", "200", statement, "fund-reporter"),
        ("reports", "400", "/reports/fund-statement.csv", "fund-reporter"),
        ("privacy", "404", f"/privacy/export/subject_request_{UUID(int=1)}.json", "resident"),
    )
    async with served(demo_of_module.api) as site:
        for of, status, path, slug in ends:
            headers = {} if slug is None else signed(site, demo_of_module, slug)
            before = counted(of, status)
            assert str((await site.client.get(path, headers=headers)).status_code) == status, path
            assert counted(of, status) == before + 1, path


async def test_made_files_have_no_head(demo_of_module: Demo) -> None:
    async with served(demo_of_module.api) as site:
        headers = signed(site, demo_of_module, "fund-reporter")
        for path in (NEEDS, f"/reports/fund-statement.csv?{SPAN}", "/privacy/export/subject_request_x.json"):
            for method in ("HEAD", "POST"):
                got = await site.client.request(method, path, headers=headers)
                assert (got.status_code, got.headers["allow"]) == (405, "GET"), (method, path)
                assert got.content == b"" or method == "POST"
        for action in ("rows.export", "personalData.export"):
            async with site.tokens.pool.connection() as connection:
                reporter = demo_of_module.claims["fund-reporter"].person
                sql = "SELECT count(*) FROM audit_event WHERE action = $1 AND person = $2"
                assert await connection.fetchval(sql, action, reporter) == 0
        got = await site.client.head("/metrics", headers=signed(site, demo_of_module, "admin"))
        assert (got.status_code, got.content) == (200, b"")


__all__ = ["demo_of_module"]
