"""Makes a community's offers, of organizations and of volunteers, and writes them once it is known what was taken."""

from __future__ import annotations

from models.exchange.kinds import Kind, Unit
from models.exchange.states import OfferStatus
from models.seed import words
from models.seed.market import TAKEN_UP, Market, Supply
from models.seed.sheets import DAY, HOUR
from models.seed.terms import Terms, is_venue, room, terms

ROOMS = "CULTURE"
"""The category that rooms are offered in."""


def supply(market: Market, rank: int) -> None:
    """An offer of an organization, or of a volunteer himself; the newest come last in rank."""
    world, random = market.world, market.world.rng.random
    share = rank / world.scale.offers
    made = world.now - int((400 - 399.5 * share) * DAY)
    ends = made + int((90 + 300 * random()) * DAY)
    place = int(random() * len(words.THINGS))
    thing = words.THINGS[place]
    by = world.one(market.lives.organizations) if random() < 0.7 or thing.kind is not Kind.SERVICE else None
    status = OfferStatus.EXPIRED if ends <= world.now else OfferStatus.PUBLISHED
    luck = rank % 20
    if luck in (7, 13) and status is OfferStatus.PUBLISHED:
        status = OfferStatus.PAUSED if luck == 7 else OfferStatus.WITHDRAWN
    elif share > 0.9 and luck in (1, 4, 6):
        status = OfferStatus.DRAFT if luck == 4 else OfferStatus.PENDING_REVIEW
    elif luck == 17:
        status = OfferStatus.REJECTED
    if status in TAKEN_UP:
        market.stock.append(place)
    market.supplies[place].append(
        Supply(
            world.sheets.id("offer", made),
            f"GJ{rank + 1:09d}",
            place,
            made,
            ends,
            world.between(4, 40),
            by,
            None if by is not None else world.one(market.lives.volunteers),
            status,
            world.one(thing.offers),
            begins=made + HOUR,
        )
    )


def write_offers(market: Market) -> None:
    """Writes the offers, with what was taken of them. Some of which nothing was taken are rooms."""
    for place, supplies in enumerate(market.supplies):
        thing = words.THINGS[place]
        for s in supplies:
            if s.by is not None and is_venue(s):
                s.title, on = room(market, s)
                _write(market, s, ROOMS, Kind.VENUE, Unit.SESSION, on)
            else:
                on = terms(market, s, thing.category, thing.kind)
                _write(market, s, thing.category, thing.kind, thing.unit, on)


def _write(market: Market, s: Supply, category: str, kind: Kind, unit: Unit, on: Terms) -> None:
    code, wide = market.community.code, 6 if on.radius_km is not None else 9
    market.world.sheets["offer"].append(
        (
            *(s.id, s.no, s.title, None, s.by.id if s.by else None, s.person, kind),
            *(market.world.categories[category], category, unit, s.total, s.reserved, s.consumed, s.begins, s.ends),
            *([code[:wide]] if s.by else [code], code, s.status),
            *("与本社区需要不符" if s.status is OfferStatus.REJECTED else None, s.made),
            *on.row,
        )
    )
