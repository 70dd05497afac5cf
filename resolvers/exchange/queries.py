"""What of the marketplace can be read from the top."""

from __future__ import annotations

import strawberry
from sqlmodel import desc

from models.exchange import queries as q
from models.exchange import tables
from models.exchange.near import needs_by_distance, offers_by_distance
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.exchange.commitments import Commitment
from resolvers.exchange.common import BY_AGE
from resolvers.exchange.filters import (
    CommitmentFilter,
    NeedFilter,
    NeedOrder,
    OfferFilter,
    OfferOrder,
)
from resolvers.exchange.offers import Offer
from resolvers.exchange.types import Need, ServiceCategory
from resolvers.finding import DISTANCE, by_distance

NEED_ORDERS = {
    NeedOrder.NEWEST: (desc(tables.Need.created_at),),
    NeedOrder.URGENT_FIRST: (desc(tables.Need.urgency), tables.Need.due_at),
    NeedOrder.DUE_FIRST: (tables.Need.due_at,),
    NeedOrder.NEAREST: (DISTANCE,),
}
OFFER_ORDERS = {
    OfferOrder.NEWEST: (desc(tables.Offer.created_at),),
    OfferOrder.OLDEST: (tables.Offer.created_at,),
    OfferOrder.NEAREST: (DISTANCE,),
}
NEEDS_NEAR, OFFERS_NEAR = by_distance(needs_by_distance), by_distance(offers_by_distance)


@strawberry.type
class ExchangeQuery:
    service_categories: list[ServiceCategory] = w.many(
        order=(tables.ServiceCategory.place,), limit=100, description="The tree of service categories, parents first."
    )
    need: Need | None = w.by_id(description="A need.")
    needs: Connection[Need] = w.connection(
        order=NEED_ORDERS, filter=NeedFilter, measure=NEEDS_NEAR, description="The needs that the caller may see."
    )
    my_needs: Connection[Need] = w.connection(
        order=NEED_ORDERS,
        filter=NeedFilter,
        measure=NEEDS_NEAR,
        where=q.my_needs,
        description="What the caller asked for, or what is for his household.",
    )
    triage_queue: Connection[Need] = w.connection(
        order=(tables.Need.answer_due_at,),
        filter=NeedFilter,
        measure=NEEDS_NEAR,
        where=q.awaiting_answer,
        description="Needs that wait for the community's answer, the one due soonest first.",
    )
    offer: Offer | None = w.by_id(description="An offer.")
    offers: Connection[Offer] = w.connection(
        order=OFFER_ORDERS, filter=OfferFilter, measure=OFFERS_NEAR, description="The offers that the caller may see."
    )
    my_offers: Connection[Offer] = w.connection(
        order=OFFER_ORDERS,
        filter=OfferFilter,
        measure=OFFERS_NEAR,
        where=q.my_offers,
        description="The caller's own offers, or his organization's.",
    )
    commitment: Commitment | None = w.by_id(description="A commitment.")
    commitments: Connection[Commitment] = w.connection(
        order=BY_AGE, filter=CommitmentFilter, description="The commitments that the caller may see."
    )
    my_commitments: Connection[Commitment] = w.connection(
        order=BY_AGE,
        filter=CommitmentFilter,
        where=q.my_commitments,
        description="Those that the caller, or his organization, serves or accompanies; for a resident, those to his own needs.",
    )
