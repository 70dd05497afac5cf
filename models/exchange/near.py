"""How far needs and offers lie from whoever asks, and where lists by distance find them.

Staff, who may read where a need of their area is, are told from its own point. For everybody else it is where its
community's centre is: a list that could be asked for 500 m around any place would otherwise give the point away. An
organization's offer is where it says; a volunteer's, whose starting point is his own affair, at his community's centre.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import STAFF_ROLES
from models.territory.near import communities, distance, within
from models.territory.queries import under


def need_is_near(need: Any, near: Any, view: Any) -> Any:
    """Whether a need lies as near as was asked, by what the asker may know of its place."""
    if view.actor.role in STAFF_ROLES:
        return within(need, near)
    around = communities(near, view).subquery()
    return need.community_id.in_(sa.select(around.c.id))


def needs_by_distance(need: Any, near: Any, view: Any) -> list[tuple[Any, Any, tuple[Any, ...]]]:
    """Where needs are found nearest first: (distance, beside what, on what)."""
    if view.actor.role in STAFF_ROLES:
        return [(distance(need, near), None, (within(need, near),))]
    around = communities(near, view).subquery()
    return [(around.c.km, around, (need.community_id == around.c.id,))]


def offer_is_near(offer: Any, near: Any, view: Any) -> Any:
    """Whether an offer is given as near as was asked."""
    around = communities(near, view).subquery()
    here = sa.exists(sa.select(sa.literal_column("1")).where(under(offer.area, around.c.code)))
    return sa.case((offer.x.is_not(None), within(offer, near)), else_=here)


def offers_by_distance(offer: Any, near: Any, view: Any) -> list[tuple[Any, Any, tuple[Any, ...]]]:
    """Where offers are found nearest first: those with a point of their own, and those of their community."""
    around = communities(near, view).subquery()
    return [
        (distance(offer, near), None, (within(offer, near),)),
        (around.c.km, around, (offer.x.is_(None), under(offer.area, around.c.code))),
    ]
