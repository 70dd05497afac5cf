"""Batches of offers that an organization's system sends, and what became of each."""

from __future__ import annotations

from datetime import datetime

import strawberry
from sqlmodel import desc

from models.exchange import offered
from models.exchange.offered import BatchOutcome
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.exchange.offers import Offer
from resolvers.people import Person
from resolvers.problems import ProblemCode

shown(BatchOutcome)


@w.entity(offered.OfferBatchItem, "offer_batch_item")
@strawberry.type(description="What became of one offer of a batch. 批量上报明细。")
class OfferBatchItem(Node):
    external_id: str = w.column(
        offered.OfferBatchItem.external_id, description="The number that it was sent under; a malformed one, shortened."
    )
    outcome: BatchOutcome = w.column(offered.OfferBatchItem.outcome, description="What became of it.")
    offer: Offer | None = w.one(
        offered.OfferBatchItem.offer_id, description="The offer, as it is now; null where there is none."
    )
    problem: BatchProblem | None = w.inside(
        lambda row: {"code": row.code, "field": row.field, "message": row.message},
        present="code",
        description="Why it was refused; null where it was not.",
    )


@strawberry.type(description="Why one offer of a batch was refused.")
class BatchProblem:
    code: ProblemCode = w.named("code", description="The name of the refusal; `problems` lists them all.")
    field: str | None = w.named("field", description="The input's field that is wrong, where it is one.")
    message: str = w.named("message", description="A sentence in Chinese.")


@w.entity(offered.OfferBatch, "offer_batch")
@strawberry.type(description="Offers that an organization sent at once, and what became of them. 批量上报。")
class OfferBatch(Node):
    created: int = w.column(offered.OfferBatch.created, description="How many were new.")
    updated: int = w.column(offered.OfferBatch.updated, description="How many were changed.")
    unchanged: int = w.column(offered.OfferBatch.unchanged, description="How many already were as they were sent.")
    refused: int = w.column(offered.OfferBatch.refused, description="How many were refused.")
    sent_at: datetime = w.column(offered.OfferBatch.sent_at, description="When it was sent.")
    sent_by: Person | None = w.one(offered.OfferBatch.sent_by, description="Who sent it, or on whose key; masked.")
    items: list[OfferBatchItem] = w.many(
        offered.OfferBatchItem.batch_id,
        order=(offered.OfferBatchItem.place,),
        limit=500,
        description="What became of each, in the order in which they were sent.",
    )


@strawberry.type
class OfferBatchQuery:
    my_offer_batches: Connection[OfferBatch] = w.connection(
        order=(desc(offered.OfferBatch.sent_at),),
        description="The batches of offers that the caller's organization sent, the newest first. With the items of several "
        "batches, say how many of each: `items(first: 20)`; one request may not ask for 500 of each of twenty batches.",
    )
