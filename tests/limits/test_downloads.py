"""Limits where files are handed out: guesses at credentials are stopped and on record, and an export pays by the page."""

from __future__ import annotations

import asyncio
from math import ceil
from uuid import uuid4

import asyncpg
import httpx
import pytest

from api.app import engine
from api.limits import FILE, OPERATION
from api.settings import RATES, Mode
from api.web import role_exports
from api.web.role_exports import MOST, PAGE, SHEETS
from tests.demo import Demo
from tests.site import Site, served

ID = uuid4()
PATHS = {
    "files": f"/files/attachment_{ID}",
    "signed": f"/files/attachment_{ID}?s=AAAA",
    "exports": "/exports/needs.csv?from=2026-10-01&to=2026-11-02",
    "privacy": f"/privacy/export/subject_request_{ID}.json",
    "reports": "/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31",
    "metrics": "/metrics",
}
SPAN = "from=2026-01-01&to=2026-12-31"


@pytest.fixture(autouse=True)
async def full(demo_of_module: Demo) -> None:
    """Every bucket is full again."""
    connection = await asyncpg.connect(demo_of_module.owner)
    await connection.execute("TRUNCATE rate_bucket")
    await connection.close()


async def guess(site: Site, path: str, n: int) -> httpx.Response:
    """A guess: at a signed address' seal where the path has one, else at a key."""
    headers = {"x-request-id": f"guess-{n:06d}"}
    if "?s=" not in path:
        headers["authorization"] = f"Bearer wsl_test_{n:08d}_{'x' * 38}"
    return await site.client.get(path, headers=headers)


@pytest.mark.parametrize("of", PATHS)
async def test_who_guesses_is_on_record_and_not_heard_any_more(demo_of_module: Demo, of: str) -> None:
    async with served(demo_of_module.api, WUSHE_RATE_ANONYMOUS="2000") as site:
        said = []
        for n in range(70):
            answer = await guess(site, PATHS[of], n)
            said.append(answer.status_code)
            if answer.status_code == 429:
                assert 1 <= int(answer.headers["retry-after"]) <= 60
                break
        assert 30 < len(said) < 70 and set(said[:-1]) == {401} and said[-1] == 429
        async with site.tokens.pool.connection() as connection:
            rows = await connection.fetch(
                "SELECT address, request, person FROM audit_event"
                " WHERE action = 'signIn.check' AND result = 'UNAUTHENTICATED' ORDER BY id DESC LIMIT 1"
            )
        assert [tuple(row) for row in rows] == [("127.0.0.1", "guess-000000", None)]


async def test_a_good_token_that_was_never_seen_is_not_heard_either_where_strangers_are_not(
    demo_of_module: Demo,
) -> None:
    async with served(demo_of_module.api, WUSHE_RATE_ANONYMOUS="2000") as site:
        for n in range(70):
            if (await guess(site, "/metrics", n)).status_code == 429:
                break
        headers = {"authorization": f"Bearer {site.token(demo_of_module.claims['admin'])}"}
        assert (await site.client.get("/metrics", headers=headers)).status_code == 429
        assert (await site.client.get(PATHS["exports"], headers=headers)).json()["code"] == "RATE_LIMITED"
        await asyncio.sleep(2.5)
        assert (await site.client.get("/metrics", headers=headers)).status_code == 200


async def test_each_page_of_an_export_costs_what_its_query_costs(
    demo_of_module: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(role_exports, "PAGE", 5)
    claims = demo_of_module.claims["community-staff"]
    async with served(demo_of_module.api) as site:
        headers = {"authorization": f"Bearer {site.token(claims)}"}
        await site.post("{ __typename }", token=site.token(claims))
        bucket = site.door.operations.limits.people.kept[claims.person]
        before = bucket.left
        got = await site.client.get(f"/exports/needs.csv?{SPAN}", headers=headers)
        rows = len(got.text.splitlines()) - 2
        document = site.door.engine.documents.get(SHEETS["needs"].query, None)
        document.limit({})
        assert rows > 10
        assert before - bucket.left == FILE + ceil(rows / 5) * (OPERATION + document.cost({}))


async def test_an_export_ends_where_the_bucket_does(demo_of_module: Demo) -> None:
    actor = demo_of_module.actors["community-staff"]
    async with served(demo_of_module.api, WUSHE_RATE_PERSON="2000") as site:
        headers = {"authorization": f"Bearer {site.token(demo_of_module.claims['community-staff'])}"}
        assert await site.door.operations.limits.afford(actor, "127.0.0.1", 1_600) == 0
        got = await site.client.get(f"/exports/needs.csv?{SPAN}", headers=headers)
        assert (got.status_code, got.json()["code"]) == (429, "RATE_LIMITED"), "400 were left: FILE, and not a page"
        assert int(got.headers["retry-after"]) >= 1


def test_the_largest_file_is_in_a_full_bucket() -> None:
    made = engine(production=True)
    for name, sheet in SHEETS.items():
        document = made.documents.get(sheet.query, None)
        document.limit({})
        price = FILE + (MOST // PAGE + 1) * (OPERATION + document.cost({}))
        assert price <= RATES[Mode.PRODUCTION].person, name
