"""What happens to needs and commitments, as it is told to whoever watches them, and to whom of those that see them.

The words come from the topics of the outbox. A commitment's change is its need's, too: who sees the commitment is told
so, anybody else only that a quantity changed, where it did. What happened to a need before it was opened, and who
handles it, is for those who may read of that at all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from models.exchange.queries import by_staff, in_full
from models.exchange.states import CommitmentStatus
from models.exchange.tables import Commitment
from models.labels import TABLES, label, labelled

Where = sa.ColumnElement[bool]


class NeedTopic(enum.StrEnum):
    """What happened to a need."""

    SUBMITTED = "SUBMITTED"
    VERIFIED = "VERIFIED"
    OPENED = "OPENED"
    STARTED = "STARTED"
    DELIVERED = "DELIVERED"
    CLOSED = "CLOSED"
    REOPENED = "REOPENED"
    REJECTED = "REJECTED"
    REFERRED = "REFERRED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    EDITED = "EDITED"
    ASSIGNED = "ASSIGNED"
    FOUNDATION_ASKED = "FOUNDATION_ASKED"
    SPLIT = "SPLIT"
    ANSWER_OVERDUE = "ANSWER_OVERDUE"
    COMMITMENT = "COMMITMENT"
    QUANTITY = "QUANTITY"


T = NeedTopic
labelled(
    NeedTopic,
    {
        T.SUBMITTED: "已提交",
        T.VERIFIED: "已核实",
        T.OPENED: "已开放认领",
        T.STARTED: "开始服务",
        T.DELIVERED: "已送达",
        T.CLOSED: "已办结",
        T.REOPENED: "重新提出",
        T.REJECTED: "未受理",
        T.REFERRED: "已转介",
        T.CANCELLED: "已取消",
        T.EXPIRED: "已过期",
        T.EDITED: "内容有更新",
        T.ASSIGNED: "经办社工有变动",
        T.FOUNDATION_ASKED: "已请基金会资助",
        T.SPLIT: "已拆分",
        T.ANSWER_OVERDUE: "答复已超期",
        T.COMMITMENT: "对接有变动",
        T.QUANTITY: "数量有变动",
    },
    description="What happened to a need.",
    describe={
        T.SUBMITTED: "It was sent to the community.",
        T.VERIFIED: "It was found true.",
        T.OPENED: "It may be claimed.",
        T.STARTED: "Service on it began, or goes on after a disputed delivery.",
        T.DELIVERED: "All that is wanted was delivered.",
        T.CLOSED: "It is done and confirmed.",
        T.REOPENED: "It was asked for again.",
        T.REJECTED: "It was not taken up.",
        T.REFERRED: "It was handed to somebody else.",
        T.CANCELLED: "It was taken back.",
        T.EXPIRED: "Its due time passed.",
        T.EDITED: "Its words or numbers were changed.",
        T.ASSIGNED: "It is another social worker's case, or nobody's. Told to the beneficiary and staff.",
        T.SPLIT: "It goes on in its parts.",
        T.ANSWER_OVERDUE: "The community has not answered it within the legal term. Told to the beneficiary and staff.",
        T.FOUNDATION_ASKED: "A foundation was asked to pay for it. Told to the beneficiary and staff.",
        T.COMMITMENT: "A commitment to it, which the caller may see, was made or went on.",
        T.QUANTITY: "How much of it is promised or delivered changed, by a commitment that the caller may not see.",
    },
)

NEED_TOPICS: Mapping[str, NeedTopic] = {
    "need.submitted": T.SUBMITTED,
    "need.verified": T.VERIFIED,
    "need.open": T.OPENED,
    "need.in_progress": T.STARTED,
    "need.delivered": T.DELIVERED,
    "need.closed": T.CLOSED,
    "need.reopened": T.REOPENED,
    "need.rejected": T.REJECTED,
    "need.referred": T.REFERRED,
    "need.cancelled": T.CANCELLED,
    "need.expired": T.EXPIRED,
    "need.edited": T.EDITED,
    "need.assigned": T.ASSIGNED,
    "need.foundation_asked": T.FOUNDATION_ASKED,
    "need.split": T.SPLIT,
    "need.answer_overdue": T.ANSWER_OVERDUE,
}
HANDLING = ("need.assigned", "need.foundation_asked", "need.answer_overdue")
"""Topics that say who handles a need."""

CommitmentTopic = enum.StrEnum("CommitmentTopic", {s.name: s.value for s in CommitmentStatus})  # type: ignore[misc]  # made from another
"""What happened to a commitment: it came to this state."""
labelled(
    CommitmentTopic,
    {topic: label(CommitmentStatus(topic.value)) for topic in CommitmentTopic},
    description="What happened to a commitment: the state that it came to.",
    describe={topic: TABLES["CommitmentStatus"].described[CommitmentStatus(topic.value)] for topic in CommitmentTopic},
)
COMMITMENT_TOPICS = {f"commitment.{topic.value.lower()}": topic for topic in CommitmentTopic}
C = CommitmentStatus
COUNTING = [
    f"commitment.{s.value.lower()}"
    for s in (C.PROPOSED, C.DELIVERED, C.DECLINED, C.LAPSED, C.CANCELLED, C.NO_SHOW, C.VOID)
]
"""Topics of commitments by which a need's quantities change."""


def constant(value: str) -> Any:
    """Text that is written into the statement; none of ours has a quote."""
    return sa.literal_column(f"'{value}'", sa.Text())


def among(topic: Any, topics: Any) -> Where:
    """Whether a topic is one of these."""
    return sa.or_(sa.false(), *(topic == constant(t) for t in topics))


def spoken(topic: Any, topics: Mapping[str, enum.StrEnum], *, otherwise: Any = None) -> Any:
    """A topic of the outbox as the enumeration's value."""
    whens = [(topic == constant(t), constant(value.value)) for t, value in topics.items()]
    return sa.case(*whens, else_=otherwise)


def sees_commitment(event: Any, view: Any) -> Where:
    """Whether the asker sees the commitment that an event is about."""
    rows = view.rows(Commitment)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(rows).where(rows.c.id == event.subject))


def told_of_need(event: Any, need: Any, view: Any) -> Where:
    """Whether the asker, who sees the need, is told of an event that concerns it."""
    known = sa.or_(in_full(need, view), event.at >= need.opened_at)
    return sa.or_(
        sa.and_(among(event.topic, HANDLING), by_staff(need, view)),
        sa.and_(among(event.topic, [t for t in NEED_TOPICS if t not in HANDLING]), known),
        sa.and_(among(event.topic, COUNTING), known),
        sa.and_(among(event.topic, COMMITMENT_TOPICS), sees_commitment(event, view)),
    )


def need_topic(event: Any, view: Any) -> Any:
    """What happened to a need, as a NeedTopic."""
    other = sa.case((sees_commitment(event, view), constant(T.COMMITMENT.value)), else_=constant(T.QUANTITY.value))
    return spoken(event.topic, NEED_TOPICS, otherwise=other)


def told_of_commitment(event: Any, commitment: Any, view: Any) -> Where:
    """Whether the asker, who sees the commitment, is told of an event about it: of each."""
    return among(event.topic, COMMITMENT_TOPICS)


def commitment_topic(event: Any) -> Any:
    """What happened to a commitment, as a CommitmentTopic."""
    return spoken(event.topic, COMMITMENT_TOPICS)
