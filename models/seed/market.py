"""A community's market while it is being made: offers with what is left of them, who is taken when, and the
services that its sessions will carry out.
"""

from __future__ import annotations

import dataclasses
from uuid import UUID

from models.exchange.states import OfferStatus
from models.seed import words
from models.seed.people import Active, Lives
from models.seed.sheets import HOUR, MINUTE, midnight
from models.seed.world import Community, World

SLOTS = ((9 * HOUR, 120), (13 * HOUR + 30 * MINUTE, 120), (16 * HOUR, 90))
"""When services begin on a day, and how many minutes they last. Today has one slot, which is running now."""
TAKEN_UP = (OfferStatus.PUBLISHED, OfferStatus.EXPIRED, OfferStatus.PAUSED)
"""Offers that commitments may have been made out of."""


@dataclasses.dataclass
class Supply:
    """An offer while the needs are being made: how much of it is promised and given."""

    id: UUID
    no: str
    thing: int
    made: int
    ends: int
    total: int
    by: Active | None
    person: UUID | None
    status: OfferStatus
    title: str
    begins: int = 0
    """When its window begins; an hour after it was made, unless it repeats."""
    reserved: int = 0
    consumed: int = 0
    named: bool = False
    """Whether a commitment was ever made out of it, whatever came of that."""


@dataclasses.dataclass(frozen=True)
class Part:
    """One commitment in a service: who serves, and how much."""

    commitment: UUID
    volunteer: UUID
    organization: UUID | None
    qty: int
    booked: bool
    """Whether the commitment itself has booked, or had booked, his time."""


@dataclasses.dataclass(frozen=True)
class Service:
    """A session on a need: past or running."""

    need: UUID
    restricted: bool
    title: str
    category: str
    area: str
    slot: int
    parts: tuple[Part, ...]


@dataclasses.dataclass
class Market:
    """What the makers of a community's marketplace and sessions share."""

    world: World
    community: Community
    lives: Lives
    supplies: list[list[Supply]] = dataclasses.field(default_factory=lambda: [[] for _ in words.THINGS])
    """Offers by the thing that they offer."""
    stock: list[int] = dataclasses.field(default_factory=list)
    """The thing of each offer that may be taken up: what is offered much is asked for much."""
    services: list[Service] = dataclasses.field(default_factory=list)
    taken: set[tuple[int, UUID]] = dataclasses.field(default_factory=set)
    """Whose time is taken in which slot."""

    def pick(self, slot: int, count: int, among: list[int] | None = None) -> list[UUID]:
        """Up to `count` different volunteers whose time is free in a slot; the first of the list serve most."""
        everybody, random, taken = self.lives.volunteers, self.world.rng.random, self.taken
        many = len(everybody) if among is None else len(among)
        out: list[UUID] = []
        for _ in range(count * 4 if many else 0):
            luck = random()
            place = int(luck * (0.3 + 0.7 * luck) * many)
            who = everybody[place if among is None else among[place]]
            if (slot, who) not in taken:
                taken.add((slot, who))
                out.append(who)
                if len(out) == count:
                    break
        return out

    def reserve(self, slot: int, who: UUID) -> bool:
        """Takes somebody's time in a slot, if it is free."""
        if (slot, who) in self.taken:
            return False
        self.taken.add((slot, who))
        return True

    def take_on(self, organization: UUID, who: UUID, at: int) -> None:
        """Notes that an organization took a volunteer, and when first."""
        known = self.lives.taken.get((organization, who))
        if known is None or at < known:
            self.lives.taken[organization, who] = at

    def offered(self, thing: int, at: int, until: int, qty: int) -> Supply | None:
        """An offer of a thing that was published when a need was claimed, covers its time, and has enough left."""
        supplies = self.supplies[thing]
        for _ in range(3 if supplies else 0):
            s = self.world.one(supplies)
            fits = s.made + HOUR < at and s.ends > until and s.total - s.reserved - s.consumed >= qty
            if fits and s.status in TAKEN_UP:
                return s
        return None


def slot_number(day: int, part: int) -> int:
    """The number of a slot: no two of them overlap."""
    return day * len(SLOTS) + part


def slot_times(world: World, slot: int) -> tuple[int, int]:
    """When a slot begins and ends."""
    on, part = divmod(slot, len(SLOTS))
    if on == world.today:
        began = world.now - 40 * MINUTE - world.now % MINUTE
        return began, began + 120 * MINUTE
    start, minutes = SLOTS[part]
    return midnight(on) + start, midnight(on) + start + minutes * MINUTE
