"""The states of needs, offers and commitments, and every step that leads from one to another.

A table's key is (step, state before), its value the state after. What is not in a table is refused.
"""

from __future__ import annotations

import enum

from models.labels import ahead, labelled


class NeedStatus(enum.StrEnum):
    """Where a need stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    VERIFIED = "VERIFIED"
    OPEN = "OPEN"
    IN_PROGRESS = "IN_PROGRESS"
    DELIVERED = "DELIVERED"
    CLOSED = "CLOSED"
    REOPENED = "REOPENED"
    REJECTED = "REJECTED"
    REFERRED = "REFERRED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    SPLIT = "SPLIT"


N = NeedStatus
NEED_STEPS: dict[tuple[str, NeedStatus], NeedStatus] = {
    ("submit", N.DRAFT): N.SUBMITTED,
    ("verify", N.SUBMITTED): N.VERIFIED,
    ("reject", N.SUBMITTED): N.REJECTED,
    ("refer", N.SUBMITTED): N.REFERRED,
    ("open", N.VERIFIED): N.OPEN,
    ("open", N.REOPENED): N.OPEN,
    ("start", N.OPEN): N.IN_PROGRESS,  # the first service on it begins
    ("deliver", N.IN_PROGRESS): N.DELIVERED,  # the whole quantity is delivered
    ("settle", N.IN_PROGRESS): N.DELIVERED,  # staff ask for no more than was delivered
    ("return", N.DELIVERED): N.IN_PROGRESS,  # a disputed delivery was found void: its quantity is wanted again
    ("close", N.DELIVERED): N.CLOSED,
    ("reopen", N.CLOSED): N.REOPENED,
    ("expire", N.OPEN): N.EXPIRED,
    ("cancel", N.OPEN): N.CANCELLED,
    ("cancel", N.IN_PROGRESS): N.CANCELLED,
    # Who asked may also take back what nobody has offered to do yet.
    ("cancel", N.DRAFT): N.CANCELLED,
    ("cancel", N.SUBMITTED): N.CANCELLED,
    ("cancel", N.VERIFIED): N.CANCELLED,
    ("cancel", N.REOPENED): N.CANCELLED,
    # It goes on in its parts.
    ("split", N.VERIFIED): N.SPLIT,
    ("split", N.OPEN): N.SPLIT,
    # A duplicate ends, and the other one goes on.
    ("merge", N.SUBMITTED): N.CANCELLED,
    ("merge", N.VERIFIED): N.CANCELLED,
    ("merge", N.OPEN): N.CANCELLED,
    ("merge", N.REOPENED): N.CANCELLED,
    # Money was paid by the fund that was asked: nobody claims it (Charity Law art. 124).
    ("aid", N.VERIFIED): N.DELIVERED,
    ("aid", N.OPEN): N.DELIVERED,
}
ENDED = (N.CLOSED, N.REJECTED, N.REFERRED, N.CANCELLED, N.EXPIRED, N.SPLIT)
"""States in which nothing more is done for a need."""
CLAIMABLE = (N.OPEN, N.IN_PROGRESS)
"""States in which a need takes commitments while quantity is left."""
TRIAGE = (N.SUBMITTED, N.REOPENED)
"""States in which a need waits for the community's answer."""

labelled(
    NeedStatus,
    {
        N.DRAFT: "草稿",
        N.SUBMITTED: "待核实",
        N.VERIFIED: "已核实",
        N.OPEN: "待认领",
        N.IN_PROGRESS: "服务中",
        N.DELIVERED: "已送达",
        N.CLOSED: "已办结",
        N.REOPENED: "重新提出",
        N.REJECTED: "未受理",
        N.REFERRED: "已转介",
        N.CANCELLED: "已取消",
        N.EXPIRED: "已过期",
        N.SPLIT: "已拆分",
    },
    colours={
        N.SUBMITTED: "orange",
        N.VERIFIED: "blue",
        N.OPEN: "blue",
        N.IN_PROGRESS: "blue",
        N.DELIVERED: "green",
        N.CLOSED: "green",
        N.REOPENED: "orange",
        N.REJECTED: "red",
        N.EXPIRED: "red",
    },
    next=ahead(NEED_STEPS),
    description="Where a need stands. It takes commitments in OPEN and IN_PROGRESS while quantity is left.",
    describe={
        N.DRAFT: "Being written; only its author sees it.",
        N.SUBMITTED: "Waits for the community to answer.",
        N.VERIFIED: "Found true, not yet published.",
        N.OPEN: "Published: may be claimed.",
        N.IN_PROGRESS: "Service on it has begun; what quantity is left may still be claimed.",
        N.DELIVERED: "All that is wanted was delivered; some of it waits to be confirmed.",
        N.CLOSED: "Done and confirmed.",
        N.REOPENED: "Asked for again after closing; waits for the community to answer.",
        N.REJECTED: "Not taken up, with a reason.",
        N.REFERRED: "Handed to a department or another system.",
        N.CANCELLED: "Taken back.",
        N.EXPIRED: "Its due time passed with nothing under way.",
        N.SPLIT: "Goes on in its parts, which are needs of their own.",
    },
)


class OfferStatus(enum.StrEnum):
    """Where an offer stands."""

    DRAFT = "DRAFT"
    PENDING_REVIEW = "PENDING_REVIEW"
    PUBLISHED = "PUBLISHED"
    PAUSED = "PAUSED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


O = OfferStatus  # noqa: E741
OFFER_STEPS: dict[tuple[str, OfferStatus], OfferStatus] = {
    ("submit", O.DRAFT): O.PENDING_REVIEW,
    ("publish", O.PENDING_REVIEW): O.PUBLISHED,
    ("reject", O.PENDING_REVIEW): O.REJECTED,
    ("pause", O.PUBLISHED): O.PAUSED,
    ("resume", O.PAUSED): O.PUBLISHED,
    ("withdraw", O.PUBLISHED): O.WITHDRAWN,
    ("withdraw", O.PAUSED): O.WITHDRAWN,
    ("expire", O.PUBLISHED): O.EXPIRED,
    ("expire", O.PAUSED): O.EXPIRED,
    # A provider may also take back what is not published yet.
    ("withdraw", O.DRAFT): O.WITHDRAWN,
    ("withdraw", O.PENDING_REVIEW): O.WITHDRAWN,
    # Changed in what was reviewed, or with a new window, it is looked at again; what is promised holds meanwhile.
    ("resubmit", O.PUBLISHED): O.PENDING_REVIEW,
    ("resubmit", O.PAUSED): O.PENDING_REVIEW,
    ("resubmit", O.EXPIRED): O.PENDING_REVIEW,
    ("resubmit", O.REJECTED): O.PENDING_REVIEW,
}

labelled(
    OfferStatus,
    {
        O.DRAFT: "草稿",
        O.PENDING_REVIEW: "待审核",
        O.PUBLISHED: "已发布",
        O.PAUSED: "已暂停",
        O.WITHDRAWN: "已撤回",
        O.EXPIRED: "已过期",
        O.REJECTED: "未通过",
    },
    colours={
        O.PENDING_REVIEW: "orange",
        O.PUBLISHED: "green",
        O.PAUSED: "orange",
        O.REJECTED: "red",
    },
    next=ahead(OFFER_STEPS),
    description="Where an offer stands. That its quantity is used up is told by `exhausted`, not by a state.",
    describe={
        O.DRAFT: "Being written; only its provider sees it.",
        O.PENDING_REVIEW: "Waits for the community's review.",
        O.PUBLISHED: "May be taken up.",
        O.PAUSED: "Not to be taken up for the time being.",
        O.WITHDRAWN: "Taken back; what was promised before still holds.",
        O.EXPIRED: "Its window is over.",
        O.REJECTED: "Did not pass the review, with a reason.",
    },
)


class CommitmentStatus(enum.StrEnum):
    """Where a commitment stands."""

    PROPOSED = "PROPOSED"
    ACCEPTED = "ACCEPTED"
    CONFIRMED = "CONFIRMED"
    IN_SERVICE = "IN_SERVICE"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    DISPUTED = "DISPUTED"
    DECLINED = "DECLINED"
    LAPSED = "LAPSED"
    CANCELLED = "CANCELLED"
    NO_SHOW = "NO_SHOW"
    VOID = "VOID"


C = CommitmentStatus
COMMITMENT_STEPS: dict[tuple[str, CommitmentStatus], CommitmentStatus] = {
    ("accept", C.PROPOSED): C.ACCEPTED,
    ("decline", C.PROPOSED): C.DECLINED,
    ("lapse", C.PROPOSED): C.LAPSED,
    ("confirm", C.ACCEPTED): C.CONFIRMED,
    ("cancel", C.ACCEPTED): C.CANCELLED,
    ("cancel", C.CONFIRMED): C.CANCELLED,
    ("no_show", C.CONFIRMED): C.NO_SHOW,
    ("start", C.CONFIRMED): C.IN_SERVICE,
    ("deliver", C.IN_SERVICE): C.DELIVERED,
    ("complete", C.DELIVERED): C.COMPLETED,
    ("dispute", C.DELIVERED): C.DISPUTED,
    ("uphold", C.DISPUTED): C.COMPLETED,
    ("void", C.DISPUTED): C.VOID,
}
LIVE = (C.PROPOSED, C.ACCEPTED, C.CONFIRMED, C.IN_SERVICE, C.DELIVERED, C.DISPUTED)
"""Under way: at most one for each (need, offer, provider) (invariant I3)."""
HOLDING = (*LIVE, C.COMPLETED)
"""States whose quantity counts against need and offer (I1, I2)."""
SERVED = (C.DELIVERED, C.DISPUTED, C.COMPLETED)
"""States whose quantity counts as delivered."""
AGREED = (C.ACCEPTED, C.CONFIRMED, C.IN_SERVICE, *SERVED)
"""States in which both sides have said yes."""
BOOKED = (C.ACCEPTED, C.CONFIRMED, C.IN_SERVICE, C.DELIVERED, C.DISPUTED)
"""States in which the commitment takes up its volunteer's time (I6)."""

labelled(
    CommitmentStatus,
    {
        C.PROPOSED: "待接受",
        C.ACCEPTED: "已接受",
        C.CONFIRMED: "已确认",
        C.IN_SERVICE: "服务中",
        C.DELIVERED: "待评价",
        C.COMPLETED: "已完成",
        C.DISPUTED: "有异议",
        C.DECLINED: "已谢绝",
        C.LAPSED: "已失效",
        C.CANCELLED: "已取消",
        C.NO_SHOW: "未到场",
        C.VOID: "已作废",
    },
    colours={
        C.PROPOSED: "orange",
        C.ACCEPTED: "blue",
        C.CONFIRMED: "blue",
        C.IN_SERVICE: "blue",
        C.DELIVERED: "green",
        C.COMPLETED: "green",
        C.DISPUTED: "red",
        C.NO_SHOW: "red",
        C.VOID: "red",
    },
    next=ahead(COMMITMENT_STEPS),
    description="Where a commitment stands. A PROPOSED one whose hold is over counts as LAPSED from that moment.",
    describe={
        C.PROPOSED: "Claimed or proposed; the other side has until `holdUntil` to accept.",
        C.ACCEPTED: "Both sides have said yes.",
        C.CONFIRMED: "The community has confirmed it; the provider may ask for the contact.",
        C.IN_SERVICE: "Somebody has checked in.",
        C.DELIVERED: "Served; waits for the beneficiary's word.",
        C.COMPLETED: "The beneficiary, or staff for him, has said that it was done.",
        C.DISPUTED: "The beneficiary disagrees; staff decide.",
        C.DECLINED: "One side has said no before both had said yes.",
        C.LAPSED: "Nobody answered in time.",
        C.CANCELLED: "Called off after both had said yes, with a reason.",
        C.NO_SHOW: "The provider did not come.",
        C.VOID: "Staff found that it was not delivered; its quantity is wanted again.",
    },
)

Status = NeedStatus | OfferStatus | CommitmentStatus
