"""Search over the demo: what is found is what stands there, and by nobody who may not read it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from models import search
from models.access import Actor, Role
from models.seed.cast import account
from tests.asking import Asked

NEEDS = """query ($f: NeedFilter, $after: String, $first: Int, $o: NeedOrder! = NEWEST) {
  needs(first: $first, after: $after, filter: $f, order: $o) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { id no title } }
  }
}"""


async def staff(rows: asyncpg.Connection) -> Actor:
    """Who sees every NORMAL need of the home community, drafts apart."""
    claims = await account(rows, "community-staff")
    assert claims is not None
    area = await rows.fetchval("SELECT area FROM membership WHERE id = $1", claims.membership)
    return Actor(Role.COMMUNITY_STAFF, claims.person, None, area)


async def found(ask: Asked, actor: Actor, size: int = 7, **filter: Any) -> list[str]:
    """The numbers of all needs that a search finds, page by page, in order."""
    order = filter.pop("order", "NEWEST")
    out: list[str] = []
    after = None
    while True:
        page = (await ask(actor, NEEDS, f=filter, first=size, after=after, o=order))["needs"]
        out += [edge["node"]["no"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(out) == len(set(out))
            return out


WORDS = ("陪诊", "老人", "理发", "上门", "独居老人", "养老服务", "社区", "人", "需要陪诊", "物资")
STANDS = """
SELECT n.no FROM need n JOIN service_category c ON c.id = n.category_id JOIN division d ON d.id = n.community_id
WHERE (n.title LIKE $1 OR c.name LIKE $1 OR d.name LIKE $1) AND n.sensitivity = 'NORMAL' AND {seen}
ORDER BY n.created_at DESC, n.id DESC
"""


@pytest.mark.parametrize("word", WORDS)
async def test_whatever_stands_there_is_found_as_like_finds_it(ask: Asked, rows: asyncpg.Connection, word: str) -> None:
    """In the same order; of a longer word its pairs may stand apart, so a few more may be found."""
    everybody = await staff(rows)
    own = f"n.status <> 'DRAFT' AND n.area LIKE '{everybody.area}%'"
    for actor, seen in ((Actor(), "n.status IN ('OPEN', 'IN_PROGRESS') AND n.kind <> 'CASH_AID'"), (everybody, own)):
        stand = [row["no"] for row in await rows.fetch(STANDS.format(seen=seen), f"%{word}%")]
        got = await found(ask, actor, search=word, sensitivity="NORMAL")
        assert [no for no in got if no in stand] == stand
        assert len(got) <= len(stand) + (len(word) > 2)


@pytest.mark.parametrize("sought", ["peizhen", "PZ", "陪診", "ｐｅｉｚｈｅｎ", "陪zhen", "pei zhen", "诊 陪"])
async def test_pinyin_initials_and_traditional_characters_find_the_same(ask: Asked, sought: str) -> None:
    same = await found(ask, Actor(), search="陪诊")
    got = await found(ask, Actor(), search=sought)
    assert same and set(same) <= set(got)
    assert len(got) <= len(same) + 2, "initials may stand elsewhere, too"


async def test_it_goes_together_with_filters_orders_and_pages(ask: Asked, rows: asyncpg.Connection) -> None:
    every = await found(ask, Actor(), search="老人")
    here = await found(ask, Actor(), search="老人", under="210103", category="ELDERLY", status=["OPEN"])
    wanted = await rows.fetch(
        "SELECT no FROM need WHERE no = ANY ($1) AND category_code LIKE 'ELDERLY%' AND status = 'OPEN'", every
    )
    assert set(here) == {row["no"] for row in wanted} and here
    urgent = await found(ask, Actor(), search="老人", order="URGENT_FIRST")
    assert sorted(urgent) == sorted(every) and urgent != every
    backwards = """{ needs(last: 3, filter: {search: "老人"}) { edges { node { no } } } }"""
    last = (await ask(Actor(), backwards))["needs"]["edges"]
    assert [edge["node"]["no"] for edge in last] == every[-3:]
    for size in (1, 20, 100):
        assert await found(ask, Actor(), size, search="老人") == every


@pytest.mark.parametrize(("filter", "names"), [({"under": "2101030"}, True), ({"under": "210102"}, False)])
async def test_a_code_that_is_cut_short_narrows_as_it_does_without_a_search(
    ask: Asked, filter: dict[str, str], names: bool
) -> None:
    assert bool(await found(ask, Actor(), search="老人", **filter)) is names


async def test_a_search_finds_nothing_by_what_may_not_be_read(ask: Asked, rows: asyncpg.Connection) -> None:
    hidden = await rows.fetch("SELECT no, title FROM need WHERE sensitivity = 'RESTRICTED' OR status = 'DRAFT'")
    assert hidden
    for row in hidden:
        assert row["no"] not in await found(ask, Actor(), 100, search=row["title"])
    words = {row["note"] for row in await rows.fetch("SELECT note FROM need WHERE note IS NOT NULL LIMIT 5")}
    assert all(isinstance(word, bytes) for word in words), "what is sealed has no words to find"


async def test_offers_organizations_and_service_points(ask: Asked, rows: asyncpg.Connection) -> None:
    document = """query ($s: String!) {
      offers(first: 100, filter: {search: $s}) { totalCount edges { node { title titleHighlights(search: $s) { start end } } } }
      organizations(first: 100, filter: {search: $s}) { totalCount edges { node { name nameHighlights(search: $s) { start end } } } }
      servicePoints(first: 100, filter: {search: $s}) { totalCount edges { node { name kind address } } }
    }"""
    for word, spoken in (("理发", "lifa"), ("合唱队", "hcd"), ("党群服务中心", "dangqunfuwu")):
        plain, said = await ask(Actor(), document, s=word), await ask(Actor(), document, s=spoken)
        counted = {
            "offers": await rows.fetchval(
                "SELECT count(*) FROM offer o JOIN service_category c ON c.id = o.category_id"
                " WHERE o.status = 'PUBLISHED' AND o.kind <> 'CASH_AID' AND (o.title LIKE $1 OR c.name LIKE $1)",
                f"%{word}%",
            ),
            "organizations": await rows.fetchval(
                "SELECT count(*) FROM organization WHERE verified_state = 'VERIFIED' AND name LIKE $1", f"%{word}%"
            ),
            "servicePoints": await rows.fetchval("SELECT count(*) FROM service_point WHERE name LIKE $1", f"%{word}%"),
        }
        assert {name: plain[name]["totalCount"] for name in counted} == counted
        assert all(said[name]["totalCount"] >= count for name, count in counted.items())
    organizations = (await ask(Actor(), document, s="合唱队"))["organizations"]["edges"]
    for edge in organizations:
        node = edge["node"]
        ((start, end),) = [(h["start"], h["end"]) for h in node["nameHighlights"]]
        assert node["name"][start:end] == "合唱队"


@pytest.mark.parametrize("sought", ["", "%", "_", "陪" * 51, "a b c d e f g h i", "\u0000"])
async def test_what_cannot_be_sought_is_refused(ask: Asked, sought: str) -> None:
    with pytest.raises(AssertionError, match=r"请输入|最多|无法存储"):
        await ask(Actor(), NEEDS, f={"search": sought}, first=5)


@pytest.mark.parametrize("sought", ["👵", "100%无人", "' OR 1=1 --", "\\", "陪诊\u200b", "𠮷𠮷"])
async def test_what_is_odd_is_looked_for_as_it_stands(ask: Asked, sought: str) -> None:
    words = search.words(sought)
    if words == ["陪诊"]:
        assert await found(ask, Actor(), search=sought) == await found(ask, Actor(), search="陪诊")
    elif words:
        assert await found(ask, Actor(), search=sought) == []


SOURCES = {
    "need": "SELECT t.id, t.title AS text, t.category_code, t.area, t.grams FROM need t",
    "offer": "SELECT t.id, t.title AS text, t.category_code, t.area, t.grams FROM offer t",
    "organization": "SELECT t.id, t.name AS text, NULL AS category_code, t.area, t.grams FROM organization t",
    "service_point": "SELECT t.id, t.name AS text, NULL AS category_code, t.area, t.grams FROM service_point t",
}


@pytest.mark.parametrize("table", SOURCES)
async def test_every_row_of_a_load_has_the_keys_of_its_words(rows: asyncpg.Connection, table: str) -> None:
    categories = {r["code"]: r["name"] for r in await rows.fetch("SELECT code, name FROM service_category")}
    divisions = {r["code"]: r["name"] for r in await rows.fetch("SELECT code, name FROM division")}
    stored = await rows.fetch(SOURCES[table])
    assert len(stored) >= 40
    for row in stored:
        wanted = set(search.grams(row["text"]))
        if row["category_code"] is not None:
            wanted |= {*search.grams(categories[row["category_code"]]), *search.category_keys(row["category_code"])}
        if (place := row["area"][:12]) in divisions:
            wanted |= {*search.grams(divisions[place]), *search.place_keys(place)}
        assert set(row["grams"]) == wanted, row["text"]
