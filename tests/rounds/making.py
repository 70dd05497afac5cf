"""Rounds and proposals for tests: as a worker would have written them, and helpers with time to give."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from models.exchange.rounds import actions, reading, rules
from models.exchange.rounds.actions.starting import RoundInput
from models.exchange.rounds.days import Days
from models.exchange.rounds.gathering import Gathered, gather
from tests.make_exchange import HERE, NOW, THERE, Scene, insert

X, Y = 2.0, -1.0
"""Where the community lies, in km."""


async def placed(scene: Scene) -> None:
    """Gives the community and its grid their places, before there are needs."""
    await scene.c.execute("UPDATE division SET x = $2, y = $3 WHERE code = $1", HERE, X, Y)
    await scene.c.execute("UPDATE division SET x = $2, y = $3 WHERE code = $1", THERE, X + 3, Y)
    await scene.c.execute("UPDATE grid SET x = $1, y = $2", X + 0.3, Y + 0.4)


async def willing(scene: Scene, name: str, *, x: float = X, y: float = Y, **over: Any) -> None:
    """A volunteer who has time every day from 8 to 18, within 3 km of a point."""
    person = scene.n.people[name]
    await scene.c.execute("UPDATE volunteer SET x = $2, y = $3, own_point = true WHERE person_id = $1", person, x, y)
    for column, value in over.items():
        await scene.c.execute(f"UPDATE volunteer SET {column} = $2 WHERE person_id = $1", person, value)
    for day in range(1, 8):
        await insert(scene.c, "volunteer_window", person_id=person, weekday=day, from_minute=8 * 60, to_minute=18 * 60)


async def a_round(scene: Scene, by: str = "staff", division: str = HERE, **over: Any) -> UUID:
    """A round that was asked for."""
    id = scene.n.communities.get(division) or scene.n.districts[division]
    return await actions.start_round(scene.as_(by), id, RoundInput(**over))


async def ready(scene: Scene, round: UUID) -> UUID:
    """A round that is planned, with figures of nothing much."""
    for plan in ("ROUND", "GREEDY"):
        figure = await insert(
            scene.c,
            "match_figure",
            plan=plan,
            area=HERE,
            needs=2,
            served=2 if plan == "ROUND" else 1,
            wanted=3,
            helpers=3 if plan == "ROUND" else 1,
            busy_helpers=1,
            objective=50_000,
            mean_km=0.5,
            walkable=1.0,
            continuity=0.0,
            worst_district=1.0,
            seconds=0.1,
        )
        column = "figures_id" if plan == "ROUND" else "greedy_id"
        await scene.c.execute(f"UPDATE match_round SET {column} = $2 WHERE id = $1", round, figure)
    await scene.c.execute(
        "UPDATE match_round SET status = 'READY', stage = 'DONE', valid_until = $2 WHERE id = $1",
        round,
        scene.now + timedelta(hours=20),
    )
    return round


@dataclasses.dataclass(frozen=True)
class Slot:
    """When."""

    start: datetime = NOW + timedelta(hours=22, minutes=30)
    end: datetime = NOW + timedelta(hours=25)


async def a_proposal(scene: Scene, round: UUID, need: UUID, **over: Any) -> UUID:
    """A proposal to 王, unless said otherwise, for tomorrow 08:30 to 11:00."""
    given: dict[str, Any] = {
        "round_id": round,
        "need_id": need,
        "person_id": scene.n.people["wang"],
        "area": HERE + "001",
        "priority": 2,
        "slot_from": Slot().start,
        "slot_to": Slot().end,
        "km": 0.5,
        "score": 5417,
        "points": [2917, 2500, 0, 0, 0, 0, 0, 0],
        "wishes": 0,
        "weights_version": 1,
        "valid_until": NOW + timedelta(hours=20),
        "created_at": NOW,
        **over,
    }
    made: UUID = await insert(scene.c, "match_proposal", **given)
    return made


async def gathered(scene: Scene, *, days: int = 7, area: str = HERE, first: date = date(2026, 11, 2)) -> Gathered:
    """What a round would ask now."""
    span = Days(first, first + timedelta(days=days - 1), scene.now + rules.LEAD)

    # reading begins a transaction of its own; here it is inside the test's, which has to be undone
    class Inside:
        def __getattr__(self, name: str) -> Any:
            return getattr(scene.c, name)

        def transaction(self, **_: Any) -> Any:
            return scene.c.transaction()

    there: Any = Inside()
    snapshot = await reading.read(there, area, span, scene.now)
    return gather(snapshot, span)


def of(found: Gathered, person: UUID) -> list[int]:
    """The numbers that somebody has, one for each week."""
    return [n for n, h in enumerate(found.helpers) if h.person == person or h.offer == person]
