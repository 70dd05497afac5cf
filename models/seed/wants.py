"""What needs ask of whoever helps, the appointments to choose from, and needs that follow from one another: parts, and
repetitions. Chance is drawn from a need's number alone, so that nothing else of the city moves by it.
"""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING
from uuid import UUID

from models.exchange.kinds import GenderPreference, Kind
from models.exchange.states import NeedStatus
from models.seed.market import Market
from models.seed.sheets import DAY, HOUR, midnight
from models.seed.world import SEED

if TYPE_CHECKING:
    from models.seed.needs import Ask

N = NeedStatus
CERTIFICATES = {
    "HEALTH.COUNSELLING": "PSYCHOLOGIST",
    "HEALTH.SCREENING": "NURSE",
    "MEDIATION.LEGAL": "LAWYER",
    "SAFETY.REPAIRS": "ELECTRICIAN",
    "DISABLED.SIGN": "SIGN_INTERPRETER",
}
"""What somebody must be certified as, of some needs of a category."""
SKILLS = {
    "ELDERLY.HAIRCUT": "HAIRDRESSING",
    "ELDERLY.PHONES": "PHONES",
    "ELDERLY.ESCORT": "HOSPITAL_ESCORT",
    "DISABLED.ESCORT": "WHEELCHAIR",
    "DISABLED.REHAB": "REHABILITATION",
    "EDUCATION.TUTORING": "TUTORING",
    "SAFETY.REPAIRS": "PLUMBING",
}
"""What somebody must be able to do, of some needs of a category."""
LANGUAGES = ("KOREAN", "MONGOLIAN", "SIGN")
PARTS = 2
"""How many parts a need is split into."""
WEEKLY, REPETITIONS = "FREQ=WEEKLY;COUNT=2", 1
"""How one repeats, and how many follow the first."""
IN_DAYS, BEGINS, LASTS = 5, 9 * HOUR, 2 * HOUR
"""When the first of a series is, where it has no appointment yet."""
WEEK = 7 * DAY


@dataclasses.dataclass
class Wants:
    """What a need asks beside its kind and quantity, as its last columns hold it."""

    x: float
    y: float
    skill_code: str | None = None
    certificate: str | None = None
    language: str = "MANDARIN"
    gender: GenderPreference = GenderPreference.ANY
    gender_required: bool = False
    vulnerability: int = 0
    duration_minutes: int | None = None
    rrule: str | None = None
    options: int = 0
    parent: UUID | None = None
    series: UUID | None = None

    @property
    def row(self) -> tuple[object, ...]:
        """The columns, in the order of the sheet."""
        required = self.gender_required and self.gender is not GenderPreference.ANY
        return (
            *(self.x, self.y, self.skill_code, self.certificate, self.language, required, self.vulnerability),
            *(self.duration_minutes, self.rrule, self.options, self.parent, self.series),
        )


def wants(market: Market, ask: Ask, rank: int, chain: Chain | None) -> Wants:
    """What a need asks, and what it follows from. What nobody has promised yet may ask for more than anybody: of what was promised in the past
    nobody is said to have been unfit."""
    chance = random.Random(f"{SEED} wants {rank}").random
    out = Wants(*market.lives.places[ask.grid])
    if ask.beneficiary is None:
        return out
    if chance() < 0.3:
        out.vulnerability = 1 + int(3 * chance() ** 2)
    if chain is not None:
        chain.bind(out, ask)
        return out
    if ask.committed or ask.thing.kind is not Kind.SERVICE:
        return out
    if chance() < 0.06:
        out.language = LANGUAGES[int(chance() ** 2 * len(LANGUAGES))]
    if ask.thing.category in SKILLS and chance() < 0.4:
        out.skill_code = SKILLS[ask.thing.category]
    if ask.thing.category in CERTIFICATES and chance() < 0.3:
        out.certificate = CERTIFICATES[ask.thing.category]
    if ask.thing.category == "ELDERLY.BATHING" or chance() < 0.04:
        out.gender, out.gender_required = GenderPreference.FEMALE, True
    if ask.window is None and chance() < 0.4:
        out.duration_minutes = (30, 60, 90, 120)[int(4 * chance())]
    if ask.status is N.OPEN and ask.window is not None and chance() < 0.7:
        _options(market, ask, out, 2 + (chance() < 0.3))
    return out


def _options(market: Market, ask: Ask, out: Wants, many: int) -> None:
    """The appointment, and the same time of the days after it; the need's window spans them."""
    assert ask.window is not None
    starts, ends = ask.window
    for place in range(many):
        at = starts + place * DAY
        id = market.world.sheets.id("need_option", ask.created)
        market.world.sheets["need_option"].append((id, ask.id, place, at, at + ends - starts))
    out.options = many
    ask.window = (starts, ends + (many - 1) * DAY)
    ask.due = ask.window[1]


@dataclasses.dataclass
class Chain:
    """A need of the home community that the next ones follow from: split in parts, or first of a series."""

    first: Ask
    rrule: str | None
    left: int

    def bind(self, out: Wants, ask: Ask) -> None:
        """What a need of the chain refers to."""
        if self.rrule is not None:
            out.series = self.first.id
        if ask is self.first:
            out.rrule = self.rrule
        else:
            out.parent = self.first.id


def chained(market: Market, chain: Chain | None, ask: Ask) -> Chain | None:
    """The chain that an open need becomes part of, if nobody has promised it yet: the one that is being made, or one
    that begins with it. The first fit need at home is split, and the next one repeats."""
    plain = not ask.committed and ask.thing.kind is Kind.SERVICE
    if not market.community.home or not plain:
        return None
    if chain is not None and chain.left:
        _follow(chain, ask)
        return chain
    counts = market.world.counts
    if ask.total >= PARTS and not counts["split"]:
        counts["split"] += 1
        ask.status = N.SPLIT
        return Chain(ask, None, PARTS)
    if not counts["series"]:
        counts["series"] += 1
        if ask.window is None:
            starts = midnight(market.world.today + IN_DAYS) + BEGINS
            ask.window, ask.due = (starts, starts + LASTS), starts + LASTS
        return Chain(ask, WEEKLY, REPETITIONS)
    return None


def _follow(chain: Chain, ask: Ask) -> None:
    """Makes a need the chain's next one: the same thing for the same person, a part of it or a week later."""
    first = chain.first
    chain.left -= 1
    for name in ("place", "thing", "title", "grid", "area", "beneficiary", "requester", "via", "window", "due"):
        setattr(ask, name, getattr(first, name))
    if chain.rrule is None:
        ask.total = first.total // PARTS + (chain.left == 0) * (first.total % PARTS)
        return
    assert first.window is not None
    ask.total = first.total
    later = (REPETITIONS - chain.left) * WEEK
    ask.window = (first.window[0] + later, first.window[1] + later)
    ask.due = ask.window[1]
