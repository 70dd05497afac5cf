"""Which offers can serve which needs, as SQL: the hard rules of `offering.misfit`, and what else keeps two apart.

`fits` is what an offer and a need say of themselves; `matching_offers` and `matching_needs` add what is left of both, and
who does not wish to be matched. Times of offers, and appointments of needs, are read by a function of the database,
whoever looks: that two fit is no secret to whoever sees both.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, array

from models.exchange.kinds import Hint, Kind
from models.exchange.offered import OfferOccurrence
from models.exchange.queries import in_category, need_left, offer_left, surely
from models.exchange.states import CLAIMABLE, NeedStatus, OfferStatus
from models.exchange.venues import VenueAccess
from models.exchange.visible import ancestors, asking_side, is_any, normal
from models.people.availability import Language
from models.people.avoidances import avoids
from models.people.qualifications import qualified_for

FOREVER: Any = sa.literal_column("'infinity'::timestamptz")


def word(value: str) -> Any:
    """An enumeration's value, written into the statement."""
    return sa.literal_column(f"'{value}'", sa.Text())


def fits(offer: Any, need: Any, now: Any, *, searched: str, roomy: bool = False) -> Any:
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
        suits(offer, need, now, roomy=roomy),
    )


def near(offer: Any, need: Any) -> Any:
    """Whether a need lies within an offer's radius, where it has one."""
    distance: Any = sa.func.km_between(offer.x, offer.y, need.x, need.y, type_=sa.REAL())
    return sa.or_(offer.radius_km.is_(None), distance <= offer.radius_km)


def able(offer: Any, need: Any, now: Any) -> Any:
    """Whether who serves by an offer has the skill, paper and language that a need asks for; a venue, no steps.

    A volunteer's papers are those that are verified and valid today, whatever his offer says (I11).
    """
    held = sa.func.papers_do(offer.certificates, need.certificate, need.category_code, type_=sa.Boolean())
    papers = sa.case(
        (offer.person_id.is_(None), held),
        else_=qualified_for(
            offer.person_id,
            need.certificate,
            need.category_code,
            sa.cast(sa.func.timezone("Asia/Shanghai", now), sa.Date()),
        ),
    )
    wheels = need.hints.contains(sa.cast(array([word(Hint.WHEELCHAIR)]), ARRAY(sa.Text())))
    return sa.and_(
        sa.or_(need.skill_code.is_(None), need.skill_code == sa.any_(offer.skills)),
        papers,
        sa.or_(need.language == word(Language.MANDARIN), need.language == sa.any_(offer.languages)),
        sa.or_(
            need.kind != word(Kind.VENUE),
            sa.not_(wheels),
            word(VenueAccess.STEP_FREE) == sa.any_(offer.venue_access),
        ),
    )


def suits(offer: Any, need: Any, now: Any, *, roomy: bool = False) -> Any:
    """Whether an offer is there when a need wants it (`offering.meets`); `roomy`: and not taken up then by others.

    A function of the database, which reads its times and the need's appointments. It also asks whether a volunteer is
    of the gender that is insisted on, and whether a need that asks for money was referred to whose offer it is.
    """
    return sa.func.offer_suits(
        offer.id, need.id, now, sa.literal_column("true" if roomy else "false"), type_=sa.Boolean()
    )


def given_at(offer: Any, at: Any, view: Any) -> Any:
    """Whether an offer can be given at an instant."""
    times = view.rows(OfferOccurrence).c
    then = sa.exists(
        sa.select(sa.literal_column("1")).where(times.offer_id == offer.id, times.starts_at <= at, times.ends_at > at)
    )
    return sa.and_(offer.window_from <= at, offer.window_to > at, then)


def serves(offer: Any, code: Any) -> Any:
    """Whether an offer is meant for a division or grid, or for something around it."""
    return offer.service_areas.overlap(ancestors(code))


def unmatched(need: Any, offer: Any, now: Any) -> Any:
    """Whether whom a need is for, or the volunteer who offers, is not to be matched by the machine (PIPL art. 24, 31),
    or does not want the other."""
    refused = sa.func.matching_refused(need.beneficiary_id, offer.person_id, now, type_=sa.Boolean())
    return sa.or_(refused, avoids(offer.person_id, asking_side(need), need.category_code))


def wanted(need: Any) -> Any:
    """Whether a need may be served now; where it asks for money, a foundation may be asked from its verification on."""
    cash = sa.and_(is_any(need.kind, (Kind.CASH_AID,)), is_any(need.status, (NeedStatus.VERIFIED,)))
    return sa.or_(is_any(need.status, CLAIMABLE), cash)


def matching_offers(offer: Any, need: Any, view: Any) -> Any:
    """Published offers with something left that can serve a need which may still be claimed, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        fits(offer, need, now, searched="offer", roomy=True),
        wanted(need),
        sa.case((offer.window_to <= now, 0), (unmatched(need, offer, now), 0), else_=offer_left(offer, now)) > 0,
    )


def matching_needs(need: Any, offer: Any, view: Any) -> Any:
    """Open needs with something left that a published offer can serve, of and for the willing."""
    now = view.actor.now
    return sa.and_(
        wanted(need),
        normal(need),
        fits(offer, need, now, searched="need", roomy=True),
        is_any(offer.status, (OfferStatus.PUBLISHED,)),
        # not a condition of its own: an index on the due time would be read for nearly every open need
        sa.case((need.due_at <= now, 0), (unmatched(need, offer, now), 0), else_=need_left(need, now)) > 0,
    )
