"""The file of one's own data over HTTP: for whom, with which headers, and on record."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import asyncpg
import pytest

from models.access import Claims, Role
from models.clock import SHANGHAI
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
