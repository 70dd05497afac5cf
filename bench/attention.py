"""What sharing attention does: rounds of volunteers who look at their lists, against the same lists without it.

    .venv/bin/python -m bench.attention [seed]

Needs and volunteers are drawn over a plane as dense as the city's centre, with a few places that everybody is near and
edges that few are. In each round some volunteers come, are shown their best ten by the score of
`models.exchange.scoring`, and connect to at most one: they look down the list, one in five falls off at each line, and
take what they see with a chance that grows with how near it is. A need that asks for one helper is gone when it has
one; half of them ask for more than they will ever get. Both orders see the same volunteers, the same chances.

Reported: the share of needs with at least one connection, and how many connections there were. Nothing here reads a
database: the score, the hard rules of place and category, and the sampling are the real ones.
"""

from __future__ import annotations

import dataclasses
import random
import sys
from uuid import UUID

from models.exchange import scoring
from models.exchange.attention import Tally
from models.exchange.scoring import Pair
from models.exchange.weights import DEFAULTS

NEEDS, VOLUNTEERS, ROUNDS, COMING = 1500, 900, 30, 60
SHOWN, FALLS, TAKES = 10, 0.2, 0.12
EVERY = 10
"""After how many visits the counts are written."""


@dataclasses.dataclass
class Asked:
    """A need of the simulation."""

    id: UUID
    x: float
    y: float
    category: int
    left: int
    shown: int = 0
    connected: int = 0


@dataclasses.dataclass(frozen=True)
class Helper:
    """A volunteer of the simulation."""

    x: float
    y: float
    radius: float
    category: int


def world(seed: int) -> tuple[list[Asked], list[Helper]]:
    """Needs spread widely, volunteers crowded: so that some needs are near many and others near few."""
    rng = random.Random(seed)

    def place(spread: float) -> tuple[float, float]:
        return round(rng.gauss(0, spread), 2), round(rng.gauss(0, spread), 2)

    needs = [
        Asked(UUID(int=n + 1), *place(4.0), rng.choices(range(4), (5, 2, 2, 1))[0], rng.choice((1, 1, 2, 50)))
        for n in range(NEEDS)
    ]
    helpers = [
        Helper(*place(2.5), rng.choice((2.0, 3.0, 5.0)), rng.choices(range(4), (5, 2, 2, 1))[0])
        for _ in range(VOLUNTEERS)
    ]
    return needs, helpers


def best(needs: list[Asked], helper: Helper, *, shared: bool) -> list[tuple[float, Asked]]:
    """The needs that a volunteer is shown, best first."""
    ranked = []
    for need in needs:
        if need.left <= 0 or need.category != helper.category:
            continue
        far = scoring.distance(need.x, need.y, helper.x, helper.y)
        if far > helper.radius:
            continue
        near = scoring.near(far)
        pair = Pair(near, helper.radius, shown=need.shown, connected=need.connected, listed=shared)
        ranked.append((-scoring.score(scoring.points(pair, DEFAULTS)), near, need.id, need))
    ranked.sort(key=lambda row: row[:3])
    return [(near, need) for _, near, _, need in ranked[:SHOWN]]


def run(seed: int, *, shared: bool) -> dict[str, float]:
    """One season: what came of it."""
    needs, helpers = world(seed)
    by_id = {need.id: need for need in needs}
    rng, tally, visits = random.Random(seed + 1), Tally(seed=seed), 0
    for _ in range(ROUNDS):
        for who in rng.sample(range(VOLUNTEERS), COMING):
            chances = [rng.random() for _ in range(2 * SHOWN)]
            list_ = best(needs, helpers[who], shared=shared)
            visits += 1
            if visits % tally.sampled == 0:
                tally.count(need.id for _, need in list_)
            if visits % EVERY == 0:
                for id, times in tally.shown.items():
                    by_id[id].shown += times
                tally.shown = {}
            for place, (near, need) in enumerate(list_):
                if chances[2 * place] < FALLS:
                    break
                if chances[2 * place + 1] < TAKES * (1.5 - near / helpers[who].radius):
                    need.connected += 1
                    need.left -= 1
                    break
    reached = [need for need in needs if need.connected]
    return {
        "connections": sum(need.connected for need in needs),
        "needs with one": len(reached),
        "share": round(len(reached) / len(needs), 4),
        "most for one": max(need.connected for need in needs),
    }


def main() -> None:
    seeds = [int(sys.argv[1])] if len(sys.argv) > 1 else [1, 2, 3, 4, 5]
    sums: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for seed in seeds:
        for shared in (False, True):
            found = run(seed, shared=shared)
            sums[shared].append(found)
            print(f"seed {seed}, {'attention shared' if shared else 'plain':<17} {found}", flush=True)
    plain, shared_ = (
        {name: sum(run_[name] for run_ in sums[which]) / len(seeds) for name in ("connections", "needs with one")}
        for which in (False, True)
    )
    for name, before in plain.items():
        print(f"{name}: {before:.0f} -> {shared_[name]:.0f} ({(shared_[name] / before - 1) * 100:+.1f} %)")


if __name__ == "__main__":
    main()
