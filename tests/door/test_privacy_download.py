"""The file of one's own data over HTTP: for whom, with which headers, and on record."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import asyncpg
import pytest

from models.access import Claims, Role
from models.clock import SHANGHAI
from models.problems import Busy
from models.vault import Locked
from tests.make_people import Town, resident, staff, town
from tests.make_privacy import NAME, Life, life
from tests.site import served

EXPORT = """
mutation ($key: String!) { myDataExport(idempotencyKey: $key) {
    __typename ... on SubjectRequest { id file { path } } ... on Problem { code }
} }
"""
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)


@pytest.fixture
async def lived(committed: str) -> Life:
    connection = await asyncpg.connect(committed, server_settings={"timezone": "Asia/Shanghai"})
    try:
        where = await town(connection)
        await resident(connection, where, "孙邻居")
        await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)
        return await life(connection, where, NOW)
    finally:
        await connection.close()


async def test_fetched_by_its_person_and_by_nobody_else(committed: str, lived: Life) -> None:
    async with served(committed) as site:
        mine = site.token(Claims(lived.person, Role.RESIDENT))
        other = site.token(Claims(lived.relative, Role.RESIDENT))
        made = (await site.ask(EXPORT, {"key": "export-data-1"}, token=mine, now=NOW.isoformat()))["myDataExport"]
        path = made["file"]["path"]

        async def fetch(token: str | None, at: datetime = NOW) -> tuple[int, bytes, dict[str, str]]:
            headers = {"x-wushe-now": at.isoformat()}
            if token is not None:
                headers["authorization"] = f"Bearer {token}"
            answer = await site.client.get(path, headers=headers)
            return answer.status_code, answer.content, dict(answer.headers)

        for token, status in ((None, 401), ("no token at all", 401), (other, 404)):
            got, body, headers = await fetch(token)
            assert (got, headers["cache-control"]) == (status, "no-store")
            assert NAME not in body.decode()
        status_, body, headers = await fetch(mine, NOW + timedelta(days=6))
        assert status_ == 200
        assert headers["cache-control"] == "no-store"
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert headers["content-disposition"].startswith('attachment; filename="personal-data-2026-11-08.json"')
        assert int(headers["content-length"]) == len(body)
        found = json.loads(body)
        assert len(found["categories"]) == 12
        assert found["categories"]["identity"]["person"]["name"] == NAME
        assert (await fetch(mine, NOW + timedelta(days=7)))[0] == 404
        async with site.tokens.pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT result, person, detail->>'person' AS whose FROM audit_event"
                " WHERE action = 'personalData.export' ORDER BY id"
            )
            assert [tuple(r) for r in rows] == [
                ("NOT_FOUND", lived.relative, None),
                ("DONE", lived.person, str(lived.person)),
                ("NOT_FOUND", lived.person, None),
            ]
            row = await connection.fetchrow("SELECT state, size_bytes FROM subject_request")
            assert tuple(row) == ("DONE", len(body))


@pytest.mark.parametrize(
    ("raised", "status", "code", "later"),
    [
        (Busy(), 503, "BUSY", "1"),
        (asyncpg.QueryCanceledError("too long"), 503, "BUSY", "1"),
        (TimeoutError(), 503, "DEADLINE", "2"),
        (ConnectionRefusedError(), 503, "UNAVAILABLE", "2"),
        (Locked("no master key"), 503, "UNAVAILABLE", "2"),
        (KeyError("a mistake of ours"), 500, "INTERNAL", "5"),
    ],
)
async def test_failures_say_what_they_are(
    committed: str, lived: Life, monkeypatch: pytest.MonkeyPatch, raised: Exception, status: int, code: str, later: str
) -> None:
    async def fails(*_: object) -> None:
        raise raised

    monkeypatch.setattr("api.web.downloads.export", fails)
    async with served(committed) as site:
        headers = {"authorization": f"Bearer {site.token(Claims(lived.person, Role.RESIDENT))}"}
        got = await site.client.get(f"/privacy/export/subject_request_{lived.person}.json", headers=headers)
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (status, code, later)
        assert got.headers["cache-control"] == "no-store"
        async with site.tokens.pool.connection() as connection:
            rows = await connection.fetch("SELECT result FROM audit_event WHERE action = 'personalData.export'")
        assert [row["result"] for row in rows] == ([code] if code in ("DEADLINE", "INTERNAL") else [])


async def test_a_file_is_not_handed_out_that_could_not_be_put_on_record(
    committed: str, lived: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(committed) as site:
        mine = site.token(Claims(lived.person, Role.RESIDENT))
        made = await site.ask(EXPORT, {"key": "export-data-1"}, token=mine, now=NOW.isoformat())

        async def fails(*_: object) -> None:
            raise Busy()

        monkeypatch.setattr("models.audit.write", fails)
        headers = {"authorization": f"Bearer {mine}", "x-wushe-now": NOW.isoformat()}
        got = await site.client.get(made["myDataExport"]["file"]["path"], headers=headers)
        assert (got.status_code, got.json()["code"]) == (503, "BUSY")
        assert NAME not in got.text


async def test_a_fund_statement_goes_by_the_given_clock_and_is_on_record(committed: str, lived: Life) -> None:
    connection = await asyncpg.connect(committed)
    try:
        auditor = await staff(connection, Role.AUDITOR, "郑审计")
        held = await connection.fetchval("SELECT id FROM membership WHERE person_id = $1", auditor.person)
    finally:
        await connection.close()
    path = "/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31"
    assert auditor.person is not None
    async with served(committed) as site:
        tokens = [
            site.token(Claims(auditor.person, Role.AUDITOR, held)),
            site.token(Claims(lived.person, Role.RESIDENT)),
        ]
        got = []
        for token in tokens:
            headers = {"authorization": f"Bearer {token}", "x-wushe-now": NOW.isoformat()}
            got.append((await site.client.get(path, headers=headers)).status_code)
        assert got == [200, 403]
        bad = await site.client.get(path, headers={"authorization": f"Bearer {tokens[0]}", "x-wushe-now": "today"})
        assert bad.json()["code"] == "INVALID_INPUT"
        async with site.tokens.pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT at, result, person, detail->>'from' AS since FROM audit_event"
                " WHERE action = 'fundStatement.export' ORDER BY id LIMIT 2"
            )
    assert [tuple(row) for row in rows] == [
        (NOW, "DONE", auditor.person, "2026-01-01"),
        (NOW, "FORBIDDEN", lived.person, None),
    ]
