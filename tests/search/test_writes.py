"""Every way in which a title or a name is written writes what it is found by, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from models import search
from models.exchange import actions
from models.people import actions as people
from models.people.organization_rules import LegalStatus, OrganizationKind
from models.pool import Pool
from models.territory.load import found_by
from tests.make_exchange import HERE, Scene, neighbourhood


@pytest.fixture
async def scene(pool: Pool) -> AsyncIterator[Scene]:
    async with pool.connection() as connection:
        made = Scene(connection, await neighbourhood(connection))
        for code, name in await connection.fetch("SELECT code, name FROM division"):
            await connection.execute("UPDATE division SET grams = $2 WHERE code = $1", code, found_by(code, name))
        yield made


async def keys(c: asyncpg.Connection, table: str, id: UUID) -> set[int]:
    return set(await c.fetchval(f"SELECT grams FROM {table} WHERE id = $1", id))


def wanted(title: str, category: str, name: str) -> set[int]:
    """The keys of a title, a category and the community of the scene."""
    mine = {*search.grams(title), *search.grams(name), *search.category_keys(category)}
    return mine | set(found_by(HERE, "永顺社区"))


async def test_a_need_is_found_by_what_it_says_now(scene: Scene) -> None:
    need = await scene.need("daughter", opened=False, title="陪診，三樓")
    assert await keys(scene.c, "need", need) == wanted(
        "陪診，三樓", "ELDERLY.ESCORT", await named(scene, "ELDERLY.ESCORT")
    )
    await actions.edit_need(scene.as_("daughter"), need, 1, {"title": "理发"})
    assert await keys(scene.c, "need", need) == wanted("理发", "ELDERLY.ESCORT", await named(scene, "ELDERLY.ESCORT"))
    category = scene.n.categories["ELDERLY"]
    await actions.edit_need(scene.as_("staff"), need, 2, {"category": category})
    after = wanted("理发", "ELDERLY", await named(scene, "ELDERLY"))
    assert await keys(scene.c, "need", need) == after
    await actions.verify_need(scene.as_("staff"), need)
    assert await keys(scene.c, "need", need) == after


async def test_so_is_an_offer(scene: Scene) -> None:
    offer = await scene.offer("ngo", published=False, title="上门理髮")
    name = await named(scene, "ELDERLY.ESCORT")
    assert await keys(scene.c, "offer", offer) == wanted("上门理髮", "ELDERLY.ESCORT", name)
    await actions.edit_offer(scene.as_("ngo"), offer, 1, {"title": "陪诊"})
    assert await keys(scene.c, "offer", offer) == wanted("陪诊", "ELDERLY.ESCORT", name)


async def test_and_an_organization(scene: Scene) -> None:
    given = people.OrganizationInput(
        name="萬家燈火",
        kind=OrganizationKind.SOCIAL_ORG,
        legal_status=LegalStatus.FILED,
        division=scene.n.communities[HERE],
        filing_no="备〔2026〕1",
    )
    applied = await people.apply_for_organization(scene.as_("wang"), given, draft=True)
    place = set(found_by(HERE, "永顺社区"))
    assert await keys(scene.c, "organization", applied) == {*search.grams("万家灯火"), *place}
    again = people.OrganizationInput(**{**vars(given), "name": "邻里守望"})
    await people.edit_organization(scene.as_("wang"), applied, 1, again)
    assert await keys(scene.c, "organization", applied) == {*search.grams("邻里守望"), *place}


async def named(scene: Scene, code: str) -> str:
    found: str = await scene.c.fetchval("SELECT name FROM service_category WHERE code = $1", code)
    return found
