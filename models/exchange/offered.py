"""What hangs on an offer: when it can be given, and the batches in which organizations' systems send theirs."""

from __future__ import annotations

import enum
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import APPEND_ONLY, Table, check, choice, chosen, count, instant, key, text, to
from models.labels import labelled


class OfferOccurrence(Table, table=True):
    """供给时段: a time in which an offer can be given.

    Of one that repeats, each of its times, written by the verbs; of any other its window, by a trigger of the offer's.
    What the database looks for by it, Python finds by the rule itself (`models.exchange.offering`).
    """

    __tablename__ = "offer_occurrence"
    __table_args__ = (sa.UniqueConstraint("offer_id", "starts_at"), check("window", "starts_at < ends_at"))
    id: UUID = key()
    offer_id: UUID = Field(foreign_key="offer.id", ondelete="CASCADE")
    starts_at: datetime = instant()
    ends_at: datetime = instant()


class BatchOutcome(enum.StrEnum):
    """What became of one offer of a batch."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"


labelled(
    BatchOutcome,
    {
        BatchOutcome.CREATED: "已新增",
        BatchOutcome.UPDATED: "已更新",
        BatchOutcome.UNCHANGED: "无变化",
        BatchOutcome.REFUSED: "未接受",
    },
    colours={BatchOutcome.CREATED: "green", BatchOutcome.UPDATED: "blue", BatchOutcome.REFUSED: "red"},
    description="What became of one offer of a batch.",
    describe={
        BatchOutcome.CREATED: "It was new, and waits for review.",
        BatchOutcome.UPDATED: "Something of it was changed.",
        BatchOutcome.UNCHANGED: "It already was as it was sent.",
        BatchOutcome.REFUSED: "Nothing was done with it; its problem says why.",
    },
)


class OfferBatch(Table, table=True):
    """批量上报: offers that an organization's system sent at once, and what became of them."""

    __tablename__ = "offer_batch"
    __table_args__ = (
        check("counts", "created >= 0 AND updated >= 0 AND unchanged >= 0 AND refused >= 0"),
        sa.Index("ix_offer_batch_organization_id_sent_at_id", "organization_id", "sent_at", "id"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    organization_id: UUID = to("organization.id", index=False)
    sent_by: UUID = to("person.id", index=False)
    created: int = count()
    updated: int = count()
    unchanged: int = count()
    refused: int = count()
    sent_at: datetime = instant()


class OfferBatchItem(Table, table=True):
    """批量上报明细: what became of one of them, in the order in which they came."""

    __tablename__ = "offer_batch_item"
    __table_args__ = (
        sa.UniqueConstraint("batch_id", "place"),
        chosen("outcome", BatchOutcome),
        check("place", "place BETWEEN 0 AND 499"),
        check("refused", "(outcome = 'REFUSED') = (code IS NOT NULL)"),
        check("message", "(code IS NULL) = (message IS NULL)"),
        check("offer", "outcome = 'REFUSED' OR offer_id IS NOT NULL"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    batch_id: UUID = to("offer_batch.id", index=False)
    place: int = count()
    external_id: str = text()
    outcome: BatchOutcome = choice(BatchOutcome)
    offer_id: UUID | None = to("offer.id", optional=True, index=False)
    code: str | None = text(optional=True)
    """The problem's code; beside it the field that is wrong, where it says, and its message."""
    field: str | None = text(optional=True)
    message: str | None = text(optional=True)
