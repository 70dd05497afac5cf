"""What the lists say of offers is what a claim from them would be told (`offering.misfit`)."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from models.base import table
from models.database import Statement
from models.exchange import actions, matches, offering
from models.exchange.problems import OfferDoesNotFit
from models.exchange.tables import Need, Offer
from tests.make_exchange import HERE, NOW, START, THERE, insert, refused
from tests.ranking.conftest import Streets

PAPERS = {"HEALTH.TCM": ["DOCTOR"]}
"""Of the categories below, those that ask for a paper."""


async def an_offer(s: Streets, chance: random.Random) -> UUID:
    one: Any = chance.choice
    begins = NOW + timedelta(hours=chance.randrange(-48, 72))
    alone, near = chance.random() < 0.3, chance.random() < 0.5
    kind = "SERVICE" if alone else one(("SERVICE", "SERVICE", "VENUE"))
    repeats = one((None, "FREQ=DAILY;COUNT=9", "FREQ=WEEKLY;COUNT=4"))
    made: UUID = await insert(
        *(s.c, "offer"),
        title="x",
        organization_id=None if alone else s.n.organization,
        person_id=s.n.people["wang"] if alone else None,
        kind=kind,
        category_id=s.n.categories["ELDERLY"],
        category_code=one(("ELDERLY", "ELDERLY.ESCORT", "HEALTH")),
        unit="HELPER",
        qty_total=10,
        parallel=10,
        window_from=begins,
        window_to=begins + timedelta(hours=chance.randrange(2, 400)),
        service_areas=one(([HERE], [HERE], [THERE], ["2101"])),
        area=HERE,
        status="PUBLISHED",
        created_at=NOW,
        rrule=repeats,
        duration_minutes=one((120, 600, 1400)) if repeats else None,
        min_notice_minutes=one((0, 0, 600)),
        x=0.0 if near and not alone else None,
        y=0.0 if near and not alone else None,
        radius_km=one((None, 2.0)) if near and not alone else None,
        skills=one(([], ["FIRST_AID"])),
        certificates=one(([], ["NURSE"], ["DOCTOR"])) if not alone else [],
        languages=one(([], ["SIGN"], ["KOREAN"])),
        venue_access=one(([], ["STEP_FREE"])) if kind == "VENUE" else [],
    )
    row = await s.row("offer", made)
    for start, end in offering.times(row) if repeats else []:
        await insert(s.c, "offer_occurrence", offer_id=made, starts_at=start, ends_at=end)
    return made


async def a_need(s: Streets, chance: random.Random) -> UUID:
    one: Any = chance.choice
    start = NOW + timedelta(minutes=15 * chance.randrange(1, 500))
    anytime = chance.random() < 0.3
    made: UUID = await insert(
        *(s.c, "need"),
        title="x",
        kind=one(("SERVICE", "SERVICE", "VENUE")),
        category_id=s.n.categories["ELDERLY.ESCORT"],
        category_code=one(("ELDERLY.ESCORT", "ELDERLY.ESCORT", "ELDERLY", "HEALTH.TCM")),
        requester_id=s.n.people["daughter"],
        submitted_via="ONLINE",
        community_id=s.n.communities[HERE],
        area=HERE,
        unit="HELPER",
        qty_total=2,
        window_from=None if anytime else start,
        window_to=None if anytime else start + timedelta(minutes=one((30, 60, 150, 2000, 6000))),
        due_at=NOW + timedelta(days=30),
        answer_due_at=NOW,
        status="OPEN",
        created_at=NOW,
        x=one((0.0, 1.0, 3.0)),
        y=0.0,
        skill_code=one((None, None, "FIRST_AID")),
        certificate=one((None, None, "NURSE")),
        language=one(("MANDARIN", "MANDARIN", "SIGN", "KOREAN")),
        hints=one(([], ["WHEELCHAIR"])),
        duration_minutes=one((None, 30, 240, 1000)),
    )
    return made


async def test_every_offer_that_is_listed_fits(streets: Streets) -> None:
    """Random pairs, from both sides. Not the other way round: a list also asks what is left, and who is free."""
    s, chance = streets, random.Random(20261123)
    windows = [(day, 0, 1440) for day in range(1, 8)]
    everything = {"skills": ["FIRST_AID"], "languages": ["SIGN", "KOREAN"], "categories": [], "weekly_cap": 21}
    await s.volunteers("wang", windows=windows, **everything)
    await s.qualified("wang", "NURSE")
    offers = {id: await s.row("offer", id) for id in [await an_offer(s, chance) for _ in range(40)]}
    needs = {id: await s.row("need", id) for id in [await a_need(s, chance) for _ in range(120)]}
    listed = set()
    for need in needs:
        listed |= {(row["provider_id"], need) for row in await s.listed("match_candidates", need, 100)}
    for offer in offers:
        listed |= {(offer, row["need_id"]) for row in await s.listed("match_needs_for_offer", offer, 200)}
    pairs = [(offers[a], needs[b]) for a, b in listed if a in offers]
    assert len(pairs) >= 40
    for given, asked in pairs:
        papers = PAPERS.get(asked["category_code"], [])
        if given["person_id"] is not None:  # what he holds himself
            given = given | {"gender": "UNKNOWN", "certificates": ["NURSE"]}
        assert offering.misfit(given, asked, now=NOW, papers=papers) is None, (given, asked)


FITTING = Statement(
    sa.select(sa.literal_column("true")).where(
        table(Offer).c.id == sa.bindparam("offer", type_=sa.Uuid()),
        table(Need).c.id == sa.bindparam("need", type_=sa.Uuid()),
        matches.fits(
            table(Offer).c, table(Need).c, sa.bindparam("now", type_=table(Offer).c.created_at.type), searched="offer"
        ),
    )
)


@pytest.mark.parametrize(("held", "fits"), [([], False), (["NURSE"], False), (["DOCTOR"], True)])
async def test_what_takes_a_paper_by_law_is_not_offered_without(streets: Streets, held: list[str], fits: bool) -> None:
    """Though the need itself asks for none (I11): in what is listed, in what fits, and when it is taken up."""
    s = streets
    offer = await s.offer(category=s.n.categories["HEALTH.TCM"])
    await s.c.execute("UPDATE offer SET certificates = $2 WHERE id = $1", offer, held)
    need = await s.need(category=s.n.categories["HEALTH.TCM"], window_from=START)
    assert (await s.candidates(need) == ["offer"]) is fits
    assert (await s.as_("staff").value(FITTING, offer=offer, need=need) is True) is fits
    if fits:
        assert await actions.propose_commitment(s.as_("staff"), need, offer=offer)
    else:
        async with refused(s, OfferDoesNotFit):
            await actions.propose_commitment(s.as_("staff"), need, offer=offer)


@pytest.mark.parametrize(("hour", "fits"), [(9, True), (21, False)])
async def test_what_a_minor_offers_is_not_for_the_night(streets: Streets, hour: int, fits: bool) -> None:
    s, begins = streets, START.replace(hour=hour, minute=0)
    offer = await s.offer("wang")
    await s.c.execute("UPDATE volunteer SET adult_on = '2027-01-01' WHERE person_id = $1", s.n.people["wang"])
    need = await s.need(window_from=begins, window_to=begins + timedelta(minutes=90))
    assert (await s.as_("staff").value(FITTING, offer=offer, need=need) is True) is fits


@pytest.mark.parametrize(("days", "fits"), [(3, False), (0, True)])
async def test_what_is_risky_is_not_listed_of_who_is_no_adult_yet(streets: Streets, days: int, fits: bool) -> None:
    """Though he will be one on the first day on which any time will do: what is listed is what fits."""
    s, risky = streets, streets.n.categories["ELDERLY.BATHING"]
    await s.volunteers("wang", categories=["CULTURE"], adult_on=NOW.date() + timedelta(days=days))
    offer = await s.offer("wang", category=risky)
    await s.c.execute("UPDATE offer SET window_to = $2 WHERE id = $1", offer, START + timedelta(days=30))
    times = {"window_from": START + timedelta(days=5), "window_to": START + timedelta(days=8)}
    need = await s.need(category=risky, **times)
    assert (await s.as_("staff").value(FITTING, offer=offer, need=need) is True) is fits
    assert ("offer" in await s.candidates(need)) is fits
    assert (need in {row["need_id"] for row in await s.listed("match_needs_for_offer", offer)}) is fits
