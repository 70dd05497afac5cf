"""How much invented data there is to make: the demo, the whole city, or a fraction of the city."""

from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Scale:
    """How many rows of what. Rows that follow from others (names, hours, traces) are counted by what they follow from."""

    communities: int
    """How many of the communities have people."""
    within: str
    """They lie in this division."""
    grids: int
    buildings: int
    organizations: int
    """Foundations and departments apart."""
    registered: int
    """How many of them are registered; the others are merely filed."""
    social_workers: int
    volunteers: int
    residents: int
    needs: int
    offers: int
    commitments: int
    sessions: int
    attendances: int
    funds: int
    donations: int
    home: float
    """How much of what people do falls to the accounts' community: so many times the centre's share."""


DEMO = Scale(
    communities=20,
    within="210103",
    grids=171,
    buildings=291,
    organizations=60,
    registered=14,
    social_workers=24,
    volunteers=500,
    residents=72,
    needs=180,
    offers=90,
    commitments=300,
    sessions=300,
    attendances=1_100,
    funds=9,
    donations=600,
    home=4.5,
)
CITY = Scale(
    communities=1_156,
    within="2101",
    grids=8_255,
    buildings=14_289,
    organizations=130_000,
    registered=4_000,
    social_workers=20_000,
    volunteers=200_000,
    residents=150_000,
    needs=300_000,
    offers=100_000,
    commitments=400_000,
    sessions=277_000,
    attendances=1_000_000,
    funds=50,
    donations=500_000,
    home=1.5,
)
FRACTION = re.compile(r"(?:city|1)/([1-9][0-9]{0,2})", re.ASCII)


def read(name: str) -> Scale:
    """A scale by its name: `demo`, `city`, or a fraction of the city such as `city/100`. Raises ValueError."""
    if name in ("demo", "city"):
        return {"demo": DEMO, "city": CITY}[name]
    found = FRACTION.fullmatch(name)
    if found is None:
        raise ValueError(f"There is no scale {name!r}: say demo, city, or a fraction of the city such as city/100.")
    return fraction(int(found[1]))


def fraction(of: int) -> Scale:
    """The city divided by a number. A handful of funds remains, so that there is one of each kind."""
    least = {"funds": 9, "communities": 6, "grids": 12, "buildings": 24}
    whole = {name: n for name, n in dataclasses.asdict(CITY).items() if isinstance(n, int)}
    return Scale(
        within=CITY.within, home=CITY.home, **{name: max(least.get(name, 1), n // of) for name, n in whole.items()}
    )
