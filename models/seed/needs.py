"""Makes a community's needs, each as far along as its age lets it be, and the commitments that its state implies.

The older part of the needs is settled, the newer part mostly open; what came in within the last days still waits for
the community's answer.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from models.clock import SHANGHAI
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, SubmittedVia
from models.exchange.rules import ANSWER_DAYS, DUE_DAYS
from models.exchange.states import NeedStatus
from models.seed import words
from models.seed.commitments import fail, promise, serve
from models.seed.items import take_on
from models.seed.market import SLOTS, Market, slot_number, slot_times
from models.seed.people import Resident
from models.seed.sheets import DAY, HOUR, MINUTE, day_number
from models.seed.supplies import supply, write_offers
from models.seed.wants import Chain, chained, wants
from models.seed.world import SEED
from models.vault import NO_ONE
from models.working_days import after_working_days

N = NeedStatus
SETTLED_SHARE, RECENT_DAYS, NEWEST_DAYS, GROWTH = 0.55, 100, 4, 1.6
"""The older part of the needs; within how many days the newer part came in, and the newest; how their pace grows."""
OLD_STATES = (*[N.CLOSED] * 14, N.EXPIRED, N.CANCELLED, N.EXPIRED, N.REJECTED, N.CANCELLED, N.REFERRED)
RECENT_STATES = (
    *(*[N.OPEN] * 7, N.CLOSED, *[N.OPEN] * 7, N.IN_PROGRESS, *[N.OPEN] * 6, N.CLOSED),
    *(*[N.OPEN] * 5, N.DELIVERED, N.IN_PROGRESS, N.OPEN, N.REOPENED),
)
NEWEST_STATES = (N.SUBMITTED, N.OPEN, N.SUBMITTED, N.VERIFIED, N.OPEN, N.SUBMITTED, N.DRAFT, N.OPEN)
SERVED = (N.CLOSED, N.DELIVERED, N.IN_PROGRESS, N.REOPENED)
OPENED = (N.OPEN, *SERVED, N.EXPIRED, N.SPLIT)
ANSWER = tuple(
    (after_working_days(asked, ANSWER_DAYS) - asked).days * DAY
    for asked in (datetime(2026, 11, 2 + weekday, 10, tzinfo=SHANGHAI) for weekday in range(7))
)
"""How long the community has for its answer, by the weekday of asking (Monday is 0)."""
SATURDAY = 5
"""The weekday of 2000-01-01."""
HINTS = {
    "ELDERLY.ESCORT": [Hint.STEADY_ARM, Hint.PATIENCE],
    "ELDERLY.MEALS": [Hint.DIET],
    "ELDERLY.BATHING": [Hint.LIFTING, Hint.FIRST_AID],
    "ELDERLY.COMPANY": [Hint.PATIENCE, Hint.SPEAK_CLEARLY],
    "DISABLED.ESCORT": [Hint.WHEELCHAIR, Hint.STAIRS],
    "DISABLED.SIGN": [Hint.SIGN_LANGUAGE],
}
"""What the community tells whoever helps, by category."""
WISHES = ("上午方便", "下午方便", "请提前联系", "家有老人，请轻声")
HOME_ITEMS = ((90, -30, True), (60, -14, True), (20, 10, True), (16, 25, True), (12, 18, False), (45, -3, False))
"""Of each livelihood item that the accounts' community has besides: how many days ago it came, in how many it is due (or was),
and whether somebody took it on."""
MINE_AT_MOST = 24
"""How many needs the resident's account has asked for."""


@dataclasses.dataclass
class Ask:
    """A need while it is being made."""

    id: UUID
    status: NeedStatus
    place: int
    """Which of the things; -1 for what no offer is made of."""
    thing: words.Thing
    title: str
    created: int
    opened: int
    due: int
    total: int
    grid: int
    area: str
    beneficiary: Resident | None
    requester: UUID
    via: SubmittedVia
    sensitivity: Sensitivity = Sensitivity.NORMAL
    slot: int | None = None
    """When it is, or was, to be served."""
    window: tuple[int, int] | None = None
    committed: int = 0
    delivered: int = 0
    closed: int | None = None
    reason: str | None = None
    referred: str | None = None
    result: str | None = None
    """Of a livelihood item that is settled: what was done."""

    @property
    def about(self) -> UUID:
        """Whom its sealed words are about."""
        return NO_ONE if self.beneficiary is None else self.beneficiary.person

    @property
    def subject(self) -> UUID | None:
        """Whose contact a provider needs."""
        if self.beneficiary is not None:
            return self.beneficiary.person
        return self.requester if self.via is SubmittedVia.ONLINE else None


def trade(market: Market, offer_ranks: Iterable[int], need_ranks: Iterable[int]) -> None:
    """Writes a community's offers, needs and commitments. Ranks are their places in time among the whole city's."""
    for rank in offer_ranks:
        supply(market, rank)
    left = market.community.quota["commitments"]
    before = len(market.world.sheets["commitment"])
    spare: list[Ask] = []
    mine = 0
    chain: Chain | None = None
    for rank in need_ranks:
        ask = _ask(market, rank, mine)
        mine += ask.beneficiary is market.lives.residents[0]
        linked: Chain | None = None
        if ask.status in SERVED:
            serve(market, ask)
            if ask.status is N.REOPENED:
                _reopen(market, ask)
        elif ask.status is N.OPEN and ask.place >= 0 and ask.sensitivity is Sensitivity.NORMAL:
            promise(market, ask)
            linked = chained(market, chain, ask)
            chain = linked or chain
        if ask.place >= 0 and ask.status in (*OPENED, N.CANCELLED) and ask.sensitivity is Sensitivity.NORMAL:
            spare.append(ask)
        take_on(market, ask, rank)
        _write(market, ask, rank, linked)
    for number in range(left - (len(market.world.sheets["commitment"]) - before) if spare else 0):
        fail(market, market.world.one(spare), number)
    if market.community.home:
        _home_items(market)
    write_offers(market)


def _home_items(market: Market) -> None:
    """Livelihood items of the accounts' community, beside its needs: settled, taken on, wanted, overdue. Nothing else moves
    by them, since they have a chance of their own."""
    world, lives, rng = market.world, market.lives, market.world.rng
    world.rng = random.Random(f"{SEED} home items")
    for place, (days, due, taken) in enumerate(HOME_ITEMS):
        created = world.now - days * DAY - place * HOUR
        grid = place % len(lives.grids)
        title = words.LIVELIHOOD.needs[place % len(words.LIVELIHOOD.needs)]
        settled = taken and due < 0
        ask = Ask(
            *(world.sheets.id("need", created), N.EXPIRED if settled else N.OPEN, -1, words.LIVELIHOOD, title, created),
            *(created + DAY, world.now + due * DAY, 1, grid, lives.grids[grid][1], None),
            *(lives.officers[grid], SubmittedVia.GRID),
        )
        if taken:
            take_on(market, ask, world.scale.needs + place, surely=True)
        _write(market, ask, world.scale.needs + place, None)
    world.rng = rng


def _ask(market: Market, rank: int, mine: int) -> Ask:
    """A need as it came in, and the state that it has reached."""
    world, lives, random = market.world, market.lives, market.world.rng.random
    share = rank / world.scale.needs
    if share < SETTLED_SHARE:
        created = world.now - int((365 - (365 - RECENT_DAYS) * share / SETTLED_SHARE) * DAY)
        status = OLD_STATES[rank % len(OLD_STATES)]
    else:
        days = RECENT_DAYS * ((1 - share) / (1 - SETTLED_SHARE)) ** GROWTH
        created = world.now - int(days * DAY) - MINUTE
        states = NEWEST_STATES if days < NEWEST_DAYS else RECENT_STATES
        status = states[rank % len(states)]
    place = world.one(market.stock) if market.stock and random() < 0.65 else int(random() * len(words.THINGS))
    thing = words.THINGS[place]
    if status not in SERVED and random() < 0.05:
        thing, place = (words.CASH if random() < 0.4 else words.LIVELIHOOD), -1
    beneficiary: Resident | None = None
    if thing.kind is not Kind.LIVELIHOOD_ITEM and random() > 0.08:
        asks_himself = market.community.home and mine < MINE_AT_MOST and random() < 0.4
        beneficiary = lives.residents[0] if asks_himself else world.one(lives.residents)
    grid = beneficiary.grid if beneficiary else int(random() * len(lives.grids))
    via, requester = _came(market, beneficiary, grid, status)
    opened = created + int((2 + 30 * random()) * HOUR)
    ask = Ask(
        *(world.sheets.id("need", created), status, place, thing, world.one(thing.needs), created, opened),
        *(created + DUE_DAYS * DAY, world.between(1, thing.most), grid, lives.grids[grid][1], beneficiary),
        *(requester, via),
    )
    if beneficiary is not None and place >= 0 and random() < 0.05 and status in (N.OPEN, N.EXPIRED, N.SUBMITTED):
        ask.sensitivity = Sensitivity.RESTRICTED
    _plan(market, ask)
    return ask


def _came(market: Market, beneficiary: Resident | None, grid: int, status: NeedStatus) -> tuple[SubmittedVia, UUID]:
    """How a need came in, and who wrote it down."""
    lives, luck = market.lives, market.world.rng.random()
    if beneficiary is not None and (luck < 0.5 or status is N.DRAFT):
        return SubmittedVia.ONLINE, beneficiary.person
    if luck < 0.75:
        return SubmittedVia.GRID, lives.officers[grid]
    if luck < 0.85:
        return SubmittedVia.VISIT, market.world.one(lives.workers)[1]
    return (SubmittedVia.COUNTER if luck < 0.93 else SubmittedVia.PHONE), lives.staff[luck > 0.9]


def _plan(market: Market, ask: Ask) -> None:
    """When a need is wanted, and why it ended where it did."""
    world, random, status = market.world, market.world.rng.random, ask.status
    if status in SERVED:
        first, last = day_number(ask.opened) + 2, world.today - 1
        if status is N.IN_PROGRESS and random() < 0.35:
            ask.slot = slot_number(world.today, 0)
        else:
            recent = {N.IN_PROGRESS: 20, N.DELIVERED: 6, N.REOPENED: 9}.get(status, 400)
            on = max(first, last - recent) + int(random() * 14)
            ask.slot = slot_number(min(last, on), int(random() * len(SLOTS)))
    elif status is N.OPEN:
        ask.opened = min(ask.opened, world.now - MINUTE)
        ask.due = max(ask.due, world.now + int((4 + 80 * random()) * DAY))
        ask.total += 0 if random() < 0.3 else 1
        if random() < 0.35:
            ask.slot = slot_number(world.today + 1 + int(random() * 20), int(random() * len(SLOTS)))
    elif status in (N.SUBMITTED, N.VERIFIED, N.DRAFT):
        ask.due = world.now + int((5 + 25 * random()) * DAY)
    elif status is N.REJECTED:
        ask.reason = world.one(words.REFUSALS)
    elif status is N.REFERRED:
        ask.reason, ask.referred = "属于部门职责", "转区级部门办理"
    elif status is N.CANCELLED:
        ask.reason = world.one(words.CANCELS)
    if ask.slot is not None:
        starts, ends = slot_times(world, ask.slot)
        over = status is N.IN_PROGRESS and ends <= world.now  # what is still wanted of it is wanted at any time
        if (random() < 0.5 and not over) or status is N.OPEN:
            ask.window, ask.due = (starts, ends), ends
        else:
            ask.due = max(ask.due, ends + DAY)
    if status is N.IN_PROGRESS and ask.window is None:
        ask.due = max(ask.due, world.now + 10 * DAY)


def _reopen(market: Market, ask: Ask) -> None:
    """One more of what was done and closed, which waits for the community."""
    ask.total, ask.closed, ask.window = ask.delivered + 1, None, None
    ask.due, ask.reason = market.world.now + DUE_DAYS * DAY, "还需要再来一次"


def _case(market: Market, ask: Ask, rank: int) -> UUID | None:
    """The social worker whose case a need is, who may ask for the contact while it lasts: some of the home community's."""
    who, sheets = ask.beneficiary, market.world.sheets
    under_way = ask.status in (N.OPEN, N.IN_PROGRESS) and ask.sensitivity is Sensitivity.NORMAL
    if who is None or not market.community.home or not under_way or rank % 3:
        return None
    worker = market.lives.workers[0][1]
    since = max(ask.created, ask.opened)
    given = (worker, None, who.person, ask.id, since, None, True)
    sheets["contact_grant"].append((sheets.id("contact_grant", since), *given))
    return worker


def _write(market: Market, ask: Ask, rank: int, chain: Chain | None) -> None:
    world, random, lives = market.world, market.world.rng.random, market.lives
    restricted = ask.sensitivity is Sensitivity.RESTRICTED
    if restricted:
        staff = (world.sheets.id("need_staff", ask.created), ask.id, lives.staff[0], ask.created)
        world.sheets["need_staff"].append(staff)
    asked_for = wants(market, ask, rank, chain)
    who, window = ask.beneficiary, ask.window or (None, None)
    note = None if random() < 0.7 else f"{ask.title}，{world.one(WISHES)}。"
    about = ask.about
    asked = market.world.now - HOUR if ask.status is N.REOPENED else ask.created
    answer = asked + ANSWER[(day_number(asked) + SATURDAY) % 7]
    preference = GenderPreference.ANY if random() < 0.9 else GenderPreference.FEMALE
    preference = asked_for.gender if asked_for.gender_required else preference
    world.sheets["need"].append(
        (
            *(
                ask.id,
                f"XQ{rank + 1:09d}",
                ask.title,
                world.care(note, about),
                about,
                ask.thing.kind,
                world.categories[ask.thing.category],
            ),
            *(ask.thing.category, who.id if who else None, who.household if who else None, ask.requester, ask.via),
            *(market.community.id, lives.grids[ask.grid][0], ask.area, ask.thing.unit, ask.total, ask.committed),
            *(ask.delivered, *window, ask.due, answer, 1 + int(random() * 4), ask.sensitivity, preference, ask.status),
            *(
                world.care(ask.reason, about),
                ask.referred,
                ask.status is N.REOPENED,
                ask.opened if ask.status in (*OPENED, N.CANCELLED) else None,
                ask.closed,
                ask.created,
                _case(market, ask, rank),
                [] if ask.status in (N.SUBMITTED, N.DRAFT) else HINTS.get(ask.thing.category, []),
            ),
            *asked_for.row,
            market.world.care(ask.result, about),
        )
    )
    if who is not None and not restricted and ask.status in (N.CLOSED, N.OPEN) and random() < 0.02:
        world.wants.append((ask.id, ask.thing.category, market.community.code))
