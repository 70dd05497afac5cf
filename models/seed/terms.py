"""On which terms things are offered: how far, how early, how often, by whom with what; venues; what foundations give.

Chance is drawn from an offer's number alone, so that nothing else of the city moves by it.
"""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from uuid import UUID

from models.exchange.kinds import Kind, Unit
from models.exchange.states import OfferStatus
from models.exchange.venues import VenueAccess, VenueEquipment
from models.seed.market import Market, Supply
from models.seed.places import GRID, beside
from models.seed.sheets import DAY, HOUR, MINUTE, day_number, midnight
from models.seed.wants import CERTIFICATES, SKILLS
from models.seed.world import SEED, World

TONGUES = ("KOREAN", "MONGOLIAN", "SIGN")
RADII = (2.0, 3.0, 5.0, 8.0)
NOTICES = (0, 0, 0, 120, 24 * 60, 48 * 60)
"""How many minutes before an appointment something must be asked for."""
WEEKS = 26
"""For how many weeks something is offered once a week, at most."""
TIMES = (8 * HOUR + 30 * MINUTE, 9 * HOUR, 13 * HOUR + 30 * MINUTE, 16 * HOUR, 18 * HOUR + 30 * MINUTE)
VENUES = ("多功能厅", "会议室", "舞蹈排练室", "书画活动室", "共享厨房", "亲子活动室")
EQUIPPED = {
    "多功能厅": ("SEATS_AND_TABLES", "PROJECTOR", "SOUND"),
    "会议室": ("SEATS_AND_TABLES", "PROJECTOR", "WHITEBOARD"),
    "舞蹈排练室": ("SOUND", "MATS"),
    "书画活动室": ("SEATS_AND_TABLES",),
    "共享厨房": ("SEATS_AND_TABLES", "KITCHEN"),
    "亲子活动室": ("MATS", "PLAY_CORNER"),
}
GIVEN = (
    ("冬衣棉被定向捐助", Kind.GOODS, "POVERTY.MATERIALS", Unit.PIECE, 300),
    ("困难家庭临时救助金", Kind.CASH_AID, "POVERTY.LIVING_AID", Unit.HOUSEHOLD, 80),
)
"""What each foundation offers: title, kind, category, unit, quantity."""


@dataclasses.dataclass
class Terms:
    """What an offer says beside its quantity and window, as its last columns hold it."""

    x: float | None = None
    y: float | None = None
    radius_km: float | None = None
    notice: int = 0
    rrule: str | None = None
    minutes: int | None = None
    parallel: int = 1
    weekly_cap: int | None = None
    skills: list[str] = dataclasses.field(default_factory=list)
    certificates: list[str] = dataclasses.field(default_factory=list)
    languages: list[str] = dataclasses.field(default_factory=list)
    external_id: str | None = None
    address: str | None = None
    seats: int | None = None
    equipment: list[VenueEquipment] = dataclasses.field(default_factory=list)
    access: list[VenueAccess] = dataclasses.field(default_factory=list)

    @property
    def row(self) -> tuple[object, ...]:
        """The columns, in the order of the sheet."""
        return tuple(getattr(self, field.name) for field in dataclasses.fields(self))


def is_venue(s: Supply) -> bool:
    """Whether an organization's offer is of a room: some that nobody ever asked for."""
    return not s.named and random.Random(f"{SEED} venue {s.no}").random() < 0.15


def repeats(s: Supply, category: str, kind: Kind) -> bool:
    """Whether an offer is there once a week: of services, some that nobody ever asked for."""
    live = s.status in (OfferStatus.PUBLISHED, OfferStatus.PENDING_REVIEW) and not s.named
    return live and kind is Kind.SERVICE and random.Random(f"{SEED} weekly {s.no}").random() < 0.3


def terms(market: Market, s: Supply, category: str, kind: Kind) -> Terms:
    """An offer's terms. Where it repeats, its window is moved to begin with its first time, and its times are written."""
    chance = random.Random(f"{SEED} terms {s.no}").random
    out = Terms(parallel=s.total if s.by else 1, notice=NOTICES[int(len(NOTICES) * chance())])
    if category in SKILLS and chance() < 0.8:
        out.skills = [SKILLS[category]]
    if chance() < 0.08:
        out.languages = [TONGUES[int(chance() ** 2 * len(TONGUES))]]
    if s.by is not None:
        if category in CERTIFICATES and chance() < 0.7:
            out.certificates = [CERTIFICATES[category]]
        if chance() < 0.4:
            out.x, out.y = beside(market.community.position, f"{market.community.code} {s.no}", GRID)
            out.radius_km = RADII[int(len(RADII) * chance())]
        if chance() < 0.2:
            out.weekly_cap = max(2, s.total // 3)
        if chance() < 0.25:
            out.external_id = f"GY-{s.no[2:]}"
    if repeats(s, category, kind):
        _weekly(market.world, s, out, TIMES[int(len(TIMES) * chance())], (60, 120, 180)[int(3 * chance())])
    return out


def _weekly(world: World, s: Supply, out: Terms, time: int, minutes: int) -> None:
    first = midnight(day_number(s.made) + 1) + time
    count = min(WEEKS, (s.ends - first - minutes * MINUTE) // (7 * DAY) + 1)
    out.rrule, out.minutes = f"FREQ=WEEKLY;COUNT={count}", minutes
    s.begins = first
    for week in range(count):
        at = first + week * 7 * DAY
        row = (world.sheets.id("offer_occurrence", s.made), s.id, at, at + minutes * MINUTE)
        world.sheets["offer_occurrence"].append(row)


def room(market: Market, s: Supply) -> tuple[str, Terms]:
    """A venue's title, and its terms: where it is, whom it takes and how one gets in."""
    chance = random.Random(f"{SEED} room {s.no}").random
    what = VENUES[int(len(VENUES) * chance())]
    x, y = beside(market.community.position, f"{market.community.code} {s.no}", GRID)
    place = f"{market.community.district_name}{market.community.name}{1 + int(20 * chance())}号楼一层{what}"
    access = [a for a, p in zip(VenueAccess, (0.8, 0.5, 0.5, 0.4, 0.2, 0.3), strict=True) if chance() < p]
    return what, Terms(
        *(x, y),
        notice=24 * 60,
        parallel=1,
        weekly_cap=10,
        external_id=f"CD-{s.no[2:]}" if chance() < 0.5 else None,
        address=place,
        seats=15 + 5 * int(20 * chance()),
        equipment=[one for one in VenueEquipment if one.value in EQUIPPED[what]],
        access=access,
    )


def give(world: World, foundation: UUID, area: str, first: int, at: int) -> None:
    """Writes what a foundation offers: things, and money, which is asked for by staff and never claimed."""
    for place, (title, kind, category, unit, total) in enumerate(GIVEN):
        id, no = world.sheets.id("offer", at), f"GJ{first + place:09d}"
        ends = world.now + timedelta(days=200) // timedelta(microseconds=1)
        world.sheets["offer"].append(
            (
                *(id, no, title, None, foundation, None, kind, world.categories[category], category, unit, total, 0, 0),
                *(at, ends, [area], area, OfferStatus.PUBLISHED, None, at),
                *Terms(parallel=total).row,
            )
        )
