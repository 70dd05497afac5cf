"""Rounds and lists, asked of the same invented scene: whoever may serve a need by one may by the other."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.clock import midnight
from models.exchange import actions as exchange
from models.exchange.kinds import GenderPreference
from models.exchange.matching.candidates import candidates
from models.exchange.rounds.writing import Proposed, paired
from models.exchange.scoring import points
from models.problems import Problem
from tests.make_exchange import GRID, HERE, NOW, Scene, insert, neighbourhood
from tests.rounds.making import X, Y, gathered, placed, willing

NAMES = ("wang", "zhao", "sun")


async def a_volunteer(scene: Scene, chance: random.Random, name: str) -> None:
    one: Any = chance.choice
    await willing(
        *(scene, name),
        x=X + one((0, 0.5, 2.0)),
        radius_km=one((1.0, 3.0)),
        weekly_cap=one((2, 4, 7)),
        languages=one(([], ["SIGN"], ["KOREAN"])),
        skills=one(([], ["FIRST_AID"])),
        categories=one(([], ["ELDERLY"], ["ELDERLY.ESCORT", "CHILDCARE"])),
    )
    who = scene.n.people[name]
    await scene.c.execute("UPDATE person SET gender = $2 WHERE id = $1", who, one(("FEMALE", "MALE", "UNKNOWN")))
    await scene.c.execute("DELETE FROM volunteer_window WHERE person_id = $1 AND weekday = $2", who, one(range(1, 8)))
    day = NOW.date() + timedelta(days=one(range(7)))
    if chance.random() < 0.5:
        await insert(scene.c, "volunteer_absence", person_id=who, starts_on=day, ends_on=day)


async def an_offer(scene: Scene, chance: random.Random) -> UUID:
    one: Any = chance.choice
    made = await scene.offer(quantity=50)
    near = chance.random() < 0.5
    await scene.c.execute(
        "UPDATE offer SET service_areas = $2, x = $3, y = $4, radius_km = $5, parallel = $6, weekly_cap = $7,"
        " skills = $8, certificates = $9, languages = $10, min_notice_minutes = $11 WHERE id = $1",
        *(made, one(([HERE], [GRID, "210102"], ["2101"], ["210102"]))),
        *((X, Y, one((1.0, 6.0))) if near else (None, None, None)),
        *(
            one((2, 3)),
            one((None, 1, 4)),
            one(([], ["FIRST_AID"])),
            one(([], ["NURSE"])),
            one(([], ["SIGN"], ["KOREAN"])),
        ),
        one((0, 0, 2000)),
    )
    return made


async def a_need(scene: Scene, chance: random.Random) -> UUID:
    one: Any = chance.choice
    start = midnight(NOW.date() + timedelta(days=one(range(1, 7)))) + timedelta(minutes=30 * chance.randrange(14, 34))
    given: dict[str, Any] = {"window_from": start, "window_to": start + timedelta(minutes=one((30, 60, 150)))}
    if chance.random() < 0.5:
        given["beneficiary"] = scene.n.residents["grandmother"]
    made = await scene.need(quantity=3, gender_preference=one((GenderPreference.ANY, GenderPreference.FEMALE)), **given)
    await scene.c.execute(
        "UPDATE need SET x = $2, y = $3, skill_code = $4, language = $5, gender_required = $6 AND gender_preference <> 'ANY', unit = $7, area = $8,"
        " certificate = $9, category_code = $10 WHERE id = $1",
        *(made, X + one((0, 1, 1, 2.5, 7, 25)), Y, one((None, None, None, "FIRST_AID"))),
        *(
            one(("MANDARIN", "MANDARIN", "MANDARIN", "SIGN", "KOREAN")),
            one((True, False)),
            one(("HELPER",) * 5 + ("VISIT",)),
        ),
        *(one((GRID, HERE, GRID, "210102001001")), one((None, None, None, None, "NURSE"))),
        one(("ELDERLY.ESCORT", "ELDERLY.ESCORT", "ELDERLY", "HEALTH.TCM")),
    )
    return made


async def happens(scene: Scene, chance: random.Random, need: UUID, offers: list[UUID]) -> None:
    """Somebody claims it, for himself or an organization; it is accepted, declined, left to lapse, or served."""
    one: Any = chance.choice
    try:
        async with scene.c.transaction():
            who = one((*NAMES, "ngo", "ngo"))
            over: dict[str, Any] = {}
            if who == "ngo":
                over = {"offer": one([None, *offers]), "volunteer": one((None, scene.n.volunteer_ids["zhao"]))}
            made = await exchange.claim_need(scene.as_(who), need, **over)
            match one(("held", "accepted", "declined", "lapsed", "served")):
                case "accepted":
                    await exchange.accept_commitment(scene.as_("daughter"), made)
                case "declined":
                    await exchange.decline_commitment(scene.as_("daughter"), made)
                case "lapsed":
                    await scene.c.execute("UPDATE commitment SET hold_until = $2 WHERE id = $1", made, NOW)
                case "served":
                    done = "status = 'COMPLETED', accepted_at = created_at, qty_delivered = 1, ended_at = $2"
                    ended = NOW + timedelta(minutes=chance.randrange(60))
                    await scene.c.execute(f"UPDATE commitment SET {done} WHERE id = $1", made, ended)
                    await scene.c.execute("UPDATE need SET status = 'CLOSED', qty_delivered = 1 WHERE id = $1", need)
    except Problem:
        pass


async def somebody_avoids(scene: Scene, chance: random.Random) -> None:
    """Somebody, or a kind of service, or nobody."""
    people, who = scene.n.people, chance.choice(NAMES)
    match chance.randrange(3):
        case 0:
            over = {"person_id": people["grandmother"], "avoided_person_id": people[who]}
        case 1:
            over = {"person_id": people[who], "category_code": "ELDERLY"}
        case _:
            return
    await insert(scene.c, "avoidance", created_at=NOW, **over)


@pytest.mark.parametrize("seed", range(6))
async def test_a_round_and_a_list_say_the_same(connection: asyncpg.Connection, seed: int) -> None:
    scene, chance = Scene(connection, await neighbourhood(connection)), random.Random(seed)
    await placed(scene)
    for name in NAMES:
        await a_volunteer(scene, chance, name)
    offers = [await an_offer(scene, chance) for _ in range(6)]
    needs = [await a_need(scene, chance) for _ in range(40)]
    for need in needs:
        await happens(scene, chance, need, offers)
    await somebody_avoids(scene, chance)
    found = await gathered(scene, area="2101")
    edges, options = candidates(found.instance), found.instance.needs.options.shape[1]
    could, listed = {}, {}
    for row, provider in zip(edges.rows().tolist(), edges.provider.tolist(), strict=True):
        helper, pair = found.helpers[provider], paired(found, Proposed(row // options, provider, row % options))
        could[found.wants[row // options].id, helper.person or helper.offer] = list(
            points(pair, found.weights).values()
        )
    for want in found.wants:
        for row in await scene.c.fetch("SELECT * FROM match_candidates($1, $2, 50)", want.id, NOW):
            listed[want.id, row["provider_id"]] = row["points"]
    assert len(listed) >= 5
    assert could == listed
