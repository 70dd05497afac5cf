"""What every maker of rows draws on: one stream of chance, the time, places and their weights, and the sheets."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import asyncpg

from models.pinyin import sort_key
from models.seed.cast import DISTRICT, HOME
from models.seed.scales import Scale
from models.seed.sheets import DAY, Sheets, day_number, microseconds
from models.vault import Keys, Kind

T = TypeVar("T")
SEED = 2101
UNITS_SINCE = 700
"""Days for which there have been party units."""
DENSITY = {
    "210102": 1.7,
    "210103": 1.7,
    "210104": 1.5,
    "210105": 1.6,
    "210106": 1.5,
    "210111": 0.9,
    "210112": 1.1,
    "210113": 0.9,
    "210114": 1.1,
    "210115": 0.5,
    "210123": 0.4,
    "210124": 0.4,
    "210181": 0.5,
}
"""How busy a district's communities are: the centre more than the counties. Our own choice."""
PLACES = """
SELECT c.id, c.code, c.name, c.x, c.y, d.id AS district_id, d.code AS district_code, d.name AS district_name
FROM division c JOIN division d ON d.code = left(c.code, 6)
WHERE c.level = 'COMMUNITY' AND c.valid_to IS NULL AND starts_with(c.code, $1)
ORDER BY c.code
"""


@dataclasses.dataclass
class Community:
    """A community, how much of the whole falls to it, and who lives and works there once they are made."""

    id: UUID
    code: str
    name: str
    x: float
    y: float
    district_id: UUID
    district_code: str
    district_name: str
    weight: float
    quota: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def position(self) -> tuple[float, float]:
        """Where its service centre lies on the city's plane, in km."""
        return self.x, self.y

    @property
    def home(self) -> bool:
        """Whether the demo accounts live here."""
        return self.code == HOME


@dataclasses.dataclass
class World:
    """The invented city."""

    scale: Scale
    now: int
    rng: random.Random
    sheets: Sheets
    communities: list[Community]
    vault: Keys
    """The data keys of the database that it goes into."""
    categories: dict[str, UUID]
    """Ids by code."""
    divisions: dict[str, UUID]
    """Ids of the city and its districts, by code."""
    supporters: list[tuple[UUID, str]] = dataclasses.field(default_factory=list)
    """People with an account who also give: their person and plain name."""
    residents: list[tuple[UUID, UUID, str]] = dataclasses.field(default_factory=list)
    """Residents whom funds may pay: resident, person, community's code."""
    helpers: list[tuple[UUID, str]] = dataclasses.field(default_factory=list)
    """Organizations that funds may pay, with their community's code."""
    wants: list[tuple[UUID, str, str]] = dataclasses.field(default_factory=list)
    """Needs that funds may pay for: id, category, community's code."""
    keys: dict[str, str] = dataclasses.field(default_factory=dict)
    """Sort keys that are known already."""
    units: dict[str, UUID] = dataclasses.field(default_factory=dict)
    """The ids of party units, by the code of their place."""
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    """How many of something there are so far, where every so many of them are to be different."""

    @property
    def today(self) -> int:
        """The number of the Shanghai day that it is."""
        return day_number(self.now)

    def one(self, of: Sequence[T]) -> T:
        """One of some things, by chance."""
        return of[int(self.rng.random() * len(of))]

    def chance(self, p: float) -> bool:
        """True with a probability."""
        return self.rng.random() < p

    def between(self, least: int, most: int) -> int:
        """A whole number within bounds, both included."""
        return least + int(self.rng.random() * (most - least + 1))

    def ago(self, least_days: float, most_days: float) -> int:
        """An instant so many days before now."""
        return self.now - int((least_days + self.rng.random() * (most_days - least_days)) * DAY)

    def care(self, words: str | None, subject: UUID) -> bytes | None:
        """Words that may speak of somebody's condition, sealed for him."""
        return None if words is None else self.vault.seal(Kind.CARE, words, subject)

    def unit(self, code: str) -> UUID:
        """The id of a place's party unit: the same whenever it is asked for."""
        if code not in self.units:
            self.units[code] = self.sheets.id("party_unit", self.now - UNITS_SINCE * DAY)
        return self.units[code]

    def key(self, text: str) -> str:
        """A text's sort key."""
        found = self.keys.get(text)
        if found is None:
            found = self.keys[text] = sort_key(text)
        return found


def shares(total: int, weights: Sequence[float], least: int = 0) -> list[int]:
    """A total in whole parts, as the weights say, each at least `least`; the largest remainders get what is over."""
    free = total - least * len(weights)
    whole = sum(weights)
    exact = [free * w / whole for w in weights]
    out = [least + int(x) for x in exact]
    over = sorted(range(len(weights)), key=lambda i: (int(exact[i]) - exact[i], i))
    for i in over[: total - sum(out)]:
        out[i] += 1
    return out


SHARED = {
    "grids": 1,
    "buildings": 1,
    "organizations": 1,
    "registered": 0,
    "social_workers": 1,
    "volunteers": 12,
    "residents": 3,
    "needs": 1,
    "offers": 1,
    "commitments": 1,
    "sessions": 1,
    "attendances": 2,
}
"""What is shared out among communities, and the least that each gets."""
EVEN = ("grids", "buildings")
"""Of these the accounts' community has no more than others."""


async def build(connection: asyncpg.Connection, scale: Scale, now: datetime, keys: Keys) -> World:
    """The world before anything is in it: which communities, and how much of what each of them gets."""
    rng = random.Random(SEED)
    found = await connection.fetch(PLACES, scale.within)
    chosen = _chosen([r["code"] for r in found], scale.communities)
    communities = [
        Community(**dict(r), weight=DENSITY[r["district_code"]] * (0.7 + 0.6 * u))
        for r, u in ((r, rng.random()) for r in found)
        if r["code"] in chosen
    ]
    even = [c.weight for c in communities]
    busy = [scale.home * DENSITY[DISTRICT] if c.home else c.weight for c in communities]
    for what, least in SHARED.items():
        weights = even if what in EVEN else busy
        for community, share in zip(communities, shares(getattr(scale, what), weights, least), strict=True):
            community.quota[what] = share
    rows = await connection.fetch("SELECT code, id FROM service_category")
    wide = await connection.fetch("SELECT code, id FROM division WHERE level IN ('CITY', 'DISTRICT')")
    return World(
        scale,
        microseconds(now),
        rng,
        Sheets(),
        communities,
        keys,
        {r["code"]: r["id"] for r in rows},
        {r["code"]: r["id"] for r in wide},
    )


def _chosen(codes: list[str], count: int) -> set[str]:
    """So many codes, spread evenly over all of them, the accounts' community among them."""
    places = [i * len(codes) // count for i in range(min(count, len(codes)))]
    home = codes.index(HOME)
    nearest = min(range(len(places)), key=lambda i: abs(places[i] - home))
    places[nearest] = home
    return {codes[i] for i in places}
