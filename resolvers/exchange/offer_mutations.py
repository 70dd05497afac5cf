"""The mutations of offers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from models.exchange import actions
from resolvers.exchange.batches import OfferBatch
from resolvers.exchange.mutations import Reason, Version
from resolvers.exchange.offer_inputs import OfferEditInput, OfferInput, OfferUpsertInput
from resolvers.exchange.offers import Offer
from resolvers.verbs import Call, mutation

OfferId = Annotated[strawberry.ID, strawberry.argument(description="The offer.")]
Resubmit = Annotated[
    bool,
    strawberry.argument(
        description="Whether it goes to the review again: a published one that changes in what was reviewed, one that expired or was rejected. What is promised holds."
    ),
]


@strawberry.type
class OfferMutation:
    @mutation(
        Offer,
        actions.submit_offer,
        description="Offer something free of charge: an organization's staff for it, a volunteer for himself. It waits for review.",
    )
    async def offer_submit(
        call: Call, input: Annotated[OfferInput, strawberry.argument(description="What is offered.")]
    ) -> UUID:
        return await actions.submit_offer(call.db, input.read())

    @mutation(Offer, actions.submit_offer_draft, description="Send a draft to the community's review.")
    async def offer_submit_draft(call: Call, id: OfferId) -> UUID:
        return await actions.submit_offer_draft(call.db, call.id(id, "offer"))

    @mutation(
        Offer,
        actions.edit_offer,
        description="Change one's own offer. What was reviewed of a published one stays, unless it is sent to the review again.",
    )
    async def offer_edit(
        call: Call,
        id: OfferId,
        version: Version,
        input: Annotated[OfferEditInput, strawberry.argument(description="What changes.")],
        resubmit: Resubmit = False,
    ) -> UUID:
        return await actions.edit_offer(call.db, call.id(id, "offer"), version, input.read(), resubmit=resubmit)

    @mutation(
        OfferBatch,
        actions.upsert_offers,
        description="An organization's staff or its system: make or change many offers at once, each found by `externalId`. One that is refused changes nothing of the others; what is sent again unchanged changes nothing.",
    )
    async def offers_upsert(
        call: Call,
        items: Annotated[list[OfferUpsertInput], strawberry.argument(description="The offers: 1 to 500.")],
    ) -> UUID:
        return await actions.upsert_offers(call.db, [item.read() for item in items])

    @mutation(Offer, actions.publish_offer, description="Community staff: an offer passed the review.")
    async def offer_publish(call: Call, id: OfferId) -> UUID:
        return await actions.publish_offer(call.db, call.id(id, "offer"))

    @mutation(Offer, actions.reject_offer, description="Community staff: an offer did not pass the review.")
    async def offer_reject(call: Call, id: OfferId, reason: Reason) -> UUID:
        return await actions.reject_offer(call.db, call.id(id, "offer"), reason)

    @mutation(Offer, actions.pause_offer, description="Not to be taken up for the time being; what is promised holds.")
    async def offer_pause(call: Call, id: OfferId) -> UUID:
        return await actions.pause_offer(call.db, call.id(id, "offer"))

    @mutation(Offer, actions.resume_offer, description="To be taken up again.")
    async def offer_resume(call: Call, id: OfferId) -> UUID:
        return await actions.resume_offer(call.db, call.id(id, "offer"))

    @mutation(Offer, actions.withdraw_offer, description="Take one's own offer back; what is promised holds.")
    async def offer_withdraw(call: Call, id: OfferId) -> UUID:
        return await actions.withdraw_offer(call.db, call.id(id, "offer"))
