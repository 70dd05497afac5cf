"""Which offers can serve which needs, as SQL: the hard rules of `offering.misfit`, and what else keeps two apart.

`fits` is what an offer and a need say of themselves; `matching_offers` and `matching_needs` add what is left of both,
who does not wish to be matched, and what money is for. Times of offers, and appointments of needs, are read whoever
looks: that two fit is no secret to whoever sees both.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from models.base import table
from models.exchange.kinds import Hint, Kind
from models.exchange.offered import OfferOccurrence
from models.exchange.offering import TIMED
from models.exchange.queries import in_category, need_left, offer_left, surely
from models.exchange.states import CLAIMABLE, NeedStatus, OfferStatus
from models.exchange.tables import NeedFoundation, NeedOption
from models.exchange.venues import VenueAccess
from models.exchange.visible import ancestors, is_any, normal
from models.people.availability import Language
from models.people.avoidances import avoids
from models.people.qualifications import qualified_for
from models.people.tables import Person

ONE: Any = sa.literal_column("1")
FOREVER: Any = sa.literal_column("'infinity'::timestamptz")
DAY: Any = sa.literal_column("interval '24 hours'")
"""The longest appointment: `rules.LONGEST_SLOT`."""
ANY_SERVICE: Any = sa.literal_column("60")
"""Minutes that help takes where a need does not say: `offering.ANY_SERVICE`."""


def word(value: str) -> Any:
    """An enumeration's value, written into the statement."""
    return sa.literal_column(f"'{value}'", sa.Text())


def fits(offer: Any, need: Any, now: Any, *, searched: str) -> Any:
    """Whether an offer can serve a need (`offering.misfit`). `searched`: which of the two is looked for, by its index."""
    above = sa.cast(array([sa.func.split_part(need.category_code, ".", 1), need.category_code]), ARRAY(sa.Text()))
    category = (
        in_category(need.category_code, offer.category_code)
        if searched == "need"
        else offer.category_code == sa.any_(above)
    )
    return sa.and_(
        offer.kind == need.kind,
        offer.unit == need.unit,
        category,
        serves(offer, need.area),
        offer.window_from < sa.func.coalesce(need.window_to, FOREVER),
        sa.func.coalesce(need.window_from, now) < offer.window_to,
        surely(near(offer, need), able(offer, need, now)),
        there(offer, need, now),
    )


def near(offer: Any, need: Any) -> Any:
    """Whether a need lies within an offer's radius, where it has one."""
    distance: Any = sa.func.km_between(offer.x, offer.y, need.x, need.y, type_=sa.REAL())
    return sa.or_(offer.radius_km.is_(None), distance <= offer.radius_km)


def able(offer: Any, need: Any, now: Any) -> Any:
    """Whether who serves by an offer has the skill, paper, language and gender that a need asks for; a venue, no steps.

    A volunteer's papers are those that are verified and valid today, whatever his offer says (I11).
    """
    papers = sa.case(
        (
            offer.person_id.is_(None),
            sa.or_(need.certificate.is_(None), need.certificate == sa.any_(offer.certificates)),
        ),
        else_=qualified_for(
            offer.person_id,
            need.certificate,
            need.category_code,
            sa.cast(sa.func.timezone("Asia/Shanghai", now), sa.Date()),
        ),
    )
    people = table(Person).alias()
    wished = sa.exists(sa.select(ONE).where(people.c.id == offer.person_id, people.c.gender == need.gender_preference))
    wheels = need.hints.contains(sa.cast(array([word(Hint.WHEELCHAIR)]), ARRAY(sa.Text())))
    return sa.and_(
        sa.or_(need.skill_code.is_(None), need.skill_code == sa.any_(offer.skills)),
        papers,
        sa.or_(need.language == word(Language.MANDARIN), need.language == sa.any_(offer.languages)),
        sa.or_(sa.not_(need.gender_required), offer.person_id.is_(None), wished),
        sa.or_(
            need.kind != word(Kind.VENUE),
            sa.not_(wheels),
            word(VenueAccess.STEP_FREE) == sa.any_(offer.venue_access),
        ),
    )


def there(offer: Any, need: Any, now: Any, *, roomy: bool = False) -> Any:
    """Whether an offer is there when a need wants it (`offering.meets`); `roomy`: and not taken up then by others.

    Its times are rows; of the need's it is one of the appointments still open, or the window.
    """
    times, options = table(OfferOccurrence).alias(), table(NeedOption).alias()

    def suits(start: Any, end: Any) -> Any:
        notice = sa.func.make_interval(0, 0, 0, 0, 0, offer.min_notice_minutes)
        inside = sa.and_(
            times.c.starts_at <= start,
            times.c.ends_at >= end,
            sa.or_(offer.min_notice_minutes == 0, start >= now + notice),
            *([free(offer, start, end, now)] if roomy else []),
        )
        lasts = sa.func.make_interval(0, 0, 0, 0, 0, sa.func.coalesce(need.duration_minutes, ANY_SERVICE))
        common = sa.func.least(times.c.ends_at, end) - sa.func.greatest(times.c.starts_at, start, now + notice)
        return sa.case((end - start <= DAY, inside), else_=common >= lasts)

    of = times.c.offer_id == offer.id
    window = sa.exists(sa.select(ONE).where(of, suits(need.window_from, need.window_to)))
    open_ = sa.or_(need.option_place.is_(None), options.c.place == need.option_place)
    choice = sa.exists(
        sa.select(ONE).where(of, options.c.need_id == need.id, open_, suits(options.c.starts_at, options.c.ends_at))
    )
    return sa.case((need.options == 0, window), else_=choice)


def free(offer: Any, start: Any, end: Any, now: Any) -> Any:
    """Whether an offer may take one task more at a time, and in its week."""
    busy = sa.func.offer_busy(offer.id, start, end, now, type_=sa.Integer())
    week = sa.func.offer_week(offer.id, start, now, type_=sa.Integer())
    return sa.and_(
        sa.case((is_any(offer.kind, TIMED), busy < offer.parallel), else_=sa.true()),
        sa.case((offer.weekly_cap.is_(None), sa.true()), else_=week < offer.weekly_cap),
    )


def given_at(offer: Any, at: Any) -> Any:
    """Whether an offer can be given at an instant."""
    times = table(OfferOccurrence).alias()
    then = sa.exists(sa.select(ONE).where(times.c.offer_id == offer.id, times.c.starts_at <= at, times.c.ends_at > at))
    return sa.and_(offer.window_from <= at, offer.window_to > at, then)


def serves(offer: Any, code: Any) -> Any:
    """Whether an offer is meant for a division or grid, or for something around it."""
    return offer.service_areas.overlap(ancestors(code))


def unmatched(need: Any, offer: Any, now: Any) -> Any:
    """Whether whom a need is for, or the volunteer who offers, is not to be matched by the machine (PIPL art. 24, 31),
    or does not want the other."""
    refused = sa.func.matching_refused(need.beneficiary_id, offer.person_id, now, type_=sa.Boolean())
    return sa.or_(refused, avoids(need.subject_id, offer.person_id, need.category_code))


def wanted(need: Any) -> Any:
    """Whether a need may be served now; where it asks for money, a foundation may be asked from its verification on."""
    cash = sa.and_(is_any(need.kind, (Kind.CASH_AID,)), is_any(need.status, (NeedStatus.VERIFIED,)))
    return sa.or_(is_any(need.status, CLAIMABLE), cash)


def referred(need: Any, offer: Any) -> Any:
    """Whether a need that asks for money was referred to the foundation that offers it; any other needs no referral."""
    asked = table(NeedFoundation).alias()
    there = sa.exists(
        sa.select(ONE).where(asked.c.need_id == need.id, asked.c.organization_id == offer.organization_id)
    )
    return sa.or_(sa.not_(is_any(need.kind, (Kind.CASH_AID,))), there)


def matching_offers(offer: Any, need: Any, view: Any) -> Any:
    """Published offers with something left that can serve a need which may still be claimed, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        fits(offer, need, now, searched="offer"),
        wanted(need),
        referred(need, offer),
        there(offer, need, now, roomy=True),
        sa.case((offer.window_to <= now, 0), (unmatched(need, offer, now), 0), else_=offer_left(offer, now)) > 0,
    )


def matching_needs(need: Any, offer: Any, view: Any) -> Any:
    """Open needs with something left that a published offer can serve, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        wanted(need),
        normal(need),
        referred(need, offer),
        fits(offer, need, now, searched="need"),
        there(offer, need, now, roomy=True),
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        # not a condition of its own: an index on the due time would be read for nearly every open need
        sa.case((need.due_at <= now, 0), (unmatched(need, offer, now), 0), else_=need_left(need, now)) > 0,
    )
