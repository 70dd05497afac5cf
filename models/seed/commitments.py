"""Makes the commitments of a need: those that were or are being served, those that are agreed, those that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from asyncpg import Range

from models.exchange.kinds import Origin, Sensitivity, Side
from models.exchange.rules import GRANT_AFTER, HOLD
from models.exchange.states import CommitmentStatus, NeedStatus
from models.seed import words
from models.seed.market import Market, Part, Service, Supply, slot_times
from models.seed.people import Active
from models.seed.sheets import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    from models.seed.needs import Ask

C = CommitmentStatus
FAILED = (C.DECLINED, C.LAPSED, C.CANCELLED, C.NO_SHOW, C.DECLINED, C.LAPSED, C.VOID)
HOLD_US = int(HOLD.total_seconds()) * SECOND
GRANT_US = int(GRANT_AFTER.total_seconds()) * SECOND
NO_SLOT = (None, None)
PROMISED = 6
"""How many open needs the volunteer's account has promised to serve, at most."""


def serve(market: Market, ask: Ask) -> None:
    """Commitments that were, or are being, served together in one session."""
    world, random = market.world, market.world.rng.random
    assert ask.slot is not None
    starts, ends = slot_times(world, ask.slot)
    running = ends > world.now
    providers = _providers(market, ask, ask.slot, 1 if random() < 0.62 else 2, ends)
    ask.total = max(ask.total, len(providers))
    parts: list[Part] = []
    for place, (by, supply, who, claimed) in enumerate(providers):
        qty = 1 if place else ask.total - len(providers) + 1
        status = C.IN_SERVICE if running else C.COMPLETED
        if ask.status is NeedStatus.DELIVERED and place == 0:
            world.counts["delivered"] += 1
            status = C.DISPUTED if world.counts["delivered"] % 3 == 1 else C.DELIVERED
        after = ends + int(random() * 15) * MINUTE
        ended = min(after + int((0.5 + 30 * random()) * HOUR), world.now) if status is C.COMPLETED else None
        agreed = claimed + min(int(0.2 * (starts - claimed)), HOLD_US - MINUTE)
        id = _write(
            market,
            ask,
            *(by, supply, who, qty, status, claimed),
            slot=ask.window or NO_SLOT,
            delivered=0 if running else qty,
            times=(
                agreed,
                agreed + int(0.3 * (starts - agreed)),
                starts - 5 * MINUTE,
                None if running else after,
                ended,
            ),
            rating=world.between(3, 5) if ended and random() < 0.6 else None,
            comment=world.one(words.COMMENTS) if ended and random() < 0.15 else None,
            reason="到达时间与约定不符" if status is C.DISPUTED else None,
            open_until=ends + GRANT_US,
        )
        if status is not C.COMPLETED:
            _grant(market, ask, id, by, who, agreed + int(0.3 * (starts - agreed)), ends + GRANT_US)
            if ask.window is not None:
                world.sheets["booking"].append((who, Range(starts, ends), id, None, agreed))
        parts.append(Part(id, who, by.id if by else None, qty, ask.window is not None))
        ask.committed += qty
        ask.delivered += 0 if running else qty
        if supply is not None:
            supply.reserved += qty if running else 0
            supply.consumed += 0 if running else qty
        if ask.status in (NeedStatus.CLOSED, NeedStatus.REOPENED):
            ask.closed = max(ask.closed or 0, ended or 0)
    if ask.status is NeedStatus.IN_PROGRESS and ask.delivered == ask.total:
        ask.total += 1
    restricted = ask.sensitivity is Sensitivity.RESTRICTED
    market.services.append(Service(ask.id, restricted, ask.title, ask.thing.category, ask.area, ask.slot, tuple(parts)))


def promise(market: Market, ask: Ask) -> None:
    """Commitments to an open need: some wait for a yes, some are agreed; most often something is left to claim."""
    world, random = market.world, market.world.rng.random
    luck = random()
    many = 0 if luck < 0.3 else 1 if luck < 0.6 else 2 if luck < 0.85 else 3
    many = min(many, ask.total if random() < 0.1 else ask.total - 1)
    starts, ends = ask.window or (ask.due, ask.due)
    seen: set[tuple[Any, ...]] = set()
    for _ in range(many):
        waits = random() < 0.4
        claimed = world.now - int(random() * 20 * HOUR) if waits else world.now - int((1 + 8 * random()) * DAY)
        claimed = max(claimed, ask.opened + MINUTE) if ask.opened + MINUTE < world.now else world.now
        by, supply, who = _provider(market, ask, claimed, ends)
        if market.community.home and world.counts["promised"] < PROMISED and random() < 0.3:
            world.counts["promised"] += 1
            by, supply, who = None, None, market.lives.volunteers[0]
        key = (supply.id if supply else None, by.id if by else who)
        if key in seen or any(who == k[-1] for k in seen):
            continue
        seen |= {key, (who,)}
        agreed = min(claimed + int(random() * 18 * HOUR), world.now)
        booked = not waits and ask.slot is not None and market.reserve(ask.slot, who)
        status = C.PROPOSED if waits or (ask.slot is not None and not booked) else C.ACCEPTED
        if status is C.PROPOSED:
            claimed = max(claimed, world.now - 20 * HOUR)
        confirmed = None
        if status is C.ACCEPTED and random() < 0.6:
            status, confirmed = C.CONFIRMED, min(agreed + int(random() * 6 * HOUR), world.now)
        agreed_at = None if status is C.PROPOSED else agreed
        id = _write(
            market,
            ask,
            *(by, supply, who, 1, status, claimed),
            slot=ask.window or NO_SLOT,
            times=(agreed_at, confirmed, None, None, None),
            open_until=None if confirmed is None else ends + GRANT_US,
        )
        if booked:
            world.sheets["booking"].append((who, Range(starts, ends), id, None, agreed))
        if confirmed is not None:
            _grant(market, ask, id, by, who, confirmed, ends + GRANT_US)
        ask.committed += 1
        if supply is not None:
            supply.reserved += 1


def fail(market: Market, ask: Ask, number: int) -> None:
    """A commitment that came to nothing, on a need that was, or is, open."""
    world, random = market.world, market.world.rng.random
    status = FAILED[number % len(FAILED)]
    latest = min(ask.due, world.now, ask.closed or world.now)
    claimed = ask.opened + int(0.6 * random() * max(0, latest - ask.opened))
    if claimed + HOLD_US > world.now and status is not C.DECLINED:
        status = C.DECLINED
    by, supply, who = _provider(market, ask, claimed, latest)
    agreed = min(claimed + int(random() * 18 * HOUR), latest)
    ended = (
        min(claimed + HOLD_US, world.now) if status is C.LAPSED else min(agreed + int(random() * 3 * DAY), world.now)
    )
    if status is C.DECLINED:
        ended = agreed
    accepted = agreed if status in (C.CANCELLED, C.NO_SHOW, C.VOID) else None
    confirmed = agreed if status in (C.NO_SHOW, C.VOID) else None
    served = agreed if status is C.VOID else None
    side = (Side.PROVIDER if number % 2 else Side.BENEFICIARY) if status is C.CANCELLED else None
    reason = {C.CANCELLED: world.one(words.CANCELS), C.VOID: "核实后认定未提供服务"}.get(status)
    _write(
        market,
        ask,
        *(by, supply, who, 1, status, claimed),
        slot=NO_SLOT,
        delivered=1 if status is C.VOID else 0,
        times=(accepted, confirmed, served, served, max(ended, claimed)),
        cancelled_by=side,
        reason=reason,
        open_until=None if confirmed is None else max(ended, claimed),
    )


Provider = tuple[Active | None, Supply | None, UUID]


def _provider(market: Market, ask: Ask, claimed: int, until: int) -> Provider:
    """An offer's provider, an organization with one of its volunteers, or a volunteer himself; whoever it is."""
    world, lives = market.world, market.lives
    supply = market.offered(ask.place, claimed, until, 1) if ask.place >= 0 and world.chance(0.7) else None
    by = supply.by if supply else world.one(lives.organizations) if world.chance(0.5) else None
    if supply is not None and supply.person is not None:
        return by, supply, supply.person
    members = by.members if by and by.members else None
    return by, supply, lives.volunteers[world.one(members)] if members else world.one(lives.volunteers)


def _providers(
    market: Market, ask: Ask, slot: int, many: int, until: int
) -> list[tuple[Active | None, Supply | None, UUID, int]]:
    """Those who serve in a slot, each with the time of his claim. Their time in the slot is theirs from now on."""
    world, random, lives = market.world, market.world.rng.random, market.lives
    starts = slot_times(world, slot)[0]
    out: list[tuple[Active | None, Supply | None, UUID, int]] = []
    for _ in range(many):
        claimed = ask.opened + int((0.1 + 0.3 * random()) * (starts - ask.opened))
        supply = market.offered(ask.place, claimed, until, ask.total) if random() < 0.75 else None
        if supply is not None and any(supply is other for _, other, _, _ in out):
            supply = None
        by = supply.by if supply else world.one(lives.organizations) if random() < 0.5 else None
        if supply is None and any(by is other for other, _, _, _ in out):
            by = None
        if market.community.home and random() < 0.25 and market.reserve(slot, lives.volunteers[0]):
            out.append((None, None, lives.volunteers[0], claimed))
            continue
        if supply is not None and supply.person is not None and market.reserve(slot, supply.person):
            out.append((None, supply, supply.person, claimed))
            continue
        if supply is not None and supply.person is not None:
            supply = None
        found = market.pick(slot, 1, by.members if by else None)
        if not found and out:
            continue
        if not found:
            by, supply, found = None, None, market.pick(slot, 1) or [_anybody(market, slot)]
        out.append((by, supply, found[0], claimed))
    return out


def _anybody(market: Market, slot: int) -> UUID:
    """The first whose time is free."""
    return next(who for who in market.lives.volunteers if market.reserve(slot, who))


def _grant(market: Market, ask: Ask, id: UUID, by: Active | None, who: UUID, since: int, until: int) -> None:
    """Lets the provider of a confirmed commitment ask for the contact of whoever is served."""
    subject, sheets = ask.subject, market.world.sheets
    if subject is None:
        return
    if by is not None:
        sheets["contact_grant"].append(
            (sheets.id("contact_grant", since), None, by.id, subject, id, since, until, False)
        )
    sheets["contact_grant"].append((sheets.id("contact_grant", since), who, None, subject, id, since, until, False))


def _write(
    market: Market,
    ask: Ask,
    by: Active | None,
    supply: Supply | None,
    who: UUID,
    qty: int,
    status: CommitmentStatus,
    claimed: int,
    *,
    slot: tuple[int | None, int | None],
    times: tuple[int | None, int | None, int | None, int | None, int | None],
    delivered: int = 0,
    rating: int | None = None,
    comment: str | None = None,
    cancelled_by: Side | None = None,
    reason: str | None = None,
    open_until: int | None = None,
) -> UUID:
    """Writes a commitment; `times` are those of accepting, confirming, starting, delivering and ending."""
    world = market.world
    if supply is not None:
        supply.named = True
    id = world.sheets.id("commitment", claimed)
    worker = world.one(market.lives.workers)[0] if world.chance(0.3) else None
    origin = Origin.CLAIM if world.chance(0.75) else Origin.PROPOSAL
    world.sheets["commitment"].append(
        (
            *(id, ask.id, supply.id if supply else None, by.id if by else None, None if by else who, who, worker),
            *(market.community.id, ask.area, ask.sensitivity, ask.about, qty, delivered, origin, status),
            *(claimed + HOLD_US, *slot, *times, rating, world.care(comment, ask.about), cancelled_by),
            *(world.care(reason, ask.about), open_until, claimed, None, None),
        )
    )
    if by is not None and times[0] is not None:
        market.take_on(by.id, who, times[0])
    return id
