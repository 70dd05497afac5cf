"""The laws of funds: states, what leads from one to the next, who may take each step, and the thresholds.

Money moves by three pairs of hands: a maker, a checker and, above the threshold, an authoriser (Charity Law art. 14,
54 and 59; the threshold is our own choice).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeVar

from models.access import FUND_ROLES, Role
from models.funds.books import Spending
from models.labels import ahead, label, labelled
from models.people.rules import AccessPurpose
from models.problems import InvalidTransition

AUTHORISE_ABOVE_FEN = 10_000_00
"""Disbursements of an allocation whose total is above this need an authoriser."""

LINES_AT_MOST = 5_000
"""How many gifts one allocation may be made of."""


class FundKind(enum.StrEnum):
    """What a fund is bound to, before any donor says more."""

    UNRESTRICTED = "UNRESTRICTED"
    PURPOSE = "PURPOSE"
    TIME = "TIME"
    BENEFICIARY_AREA = "BENEFICIARY_AREA"


labelled(
    FundKind,
    {
        FundKind.UNRESTRICTED: "非限定",
        FundKind.PURPOSE: "限定用途",
        FundKind.TIME: "限定期限",
        FundKind.BENEFICIARY_AREA: "限定受益地区",
    },
    description="What a fund is bound to, before any donor says more.",
    describe={
        FundKind.UNRESTRICTED: "Bound to nothing.",
        FundKind.PURPOSE: "Bound to a category of service.",
        FundKind.TIME: "Bound to a span of days.",
        FundKind.BENEFICIARY_AREA: "Bound to the people of a division.",
    },
)


class DonorKind(enum.StrEnum):
    """Who gives."""

    PERSON = "PERSON"
    ORGANIZATION = "ORGANIZATION"
    ANONYMOUS = "ANONYMOUS"


labelled(
    DonorKind,
    {DonorKind.PERSON: "个人", DonorKind.ORGANIZATION: "单位", DonorKind.ANONYMOUS: "匿名"},
    description="Who gives.",
    describe={
        DonorKind.PERSON: "A person.",
        DonorKind.ORGANIZATION: "An organization.",
        DonorKind.ANONYMOUS: "Somebody whose name is neither kept nor shown (Charity Law art. 38).",
    },
)


class DonationChannel(enum.StrEnum):
    """The way on which a gift came (Charity Law art. 22 to 27)."""

    DESIGNATED_PLATFORM = "DESIGNATED_PLATFORM"
    OWN_SITE = "OWN_SITE"
    OFFLINE_PUBLIC = "OFFLINE_PUBLIC"
    TARGETED = "TARGETED"
    CORPORATE = "CORPORATE"
    GRANT = "GRANT"


labelled(
    DonationChannel,
    {
        DonationChannel.DESIGNATED_PLATFORM: "指定互联网募捐平台",
        DonationChannel.OWN_SITE: "本组织网站",
        DonationChannel.OFFLINE_PUBLIC: "线下公开募捐",
        DonationChannel.TARGETED: "定向募捐",
        DonationChannel.CORPORATE: "单位捐赠",
        DonationChannel.GRANT: "资助拨款",
    },
    description="The way on which a gift came (Charity Law art. 22 to 27).",
    describe={
        DonationChannel.DESIGNATED_PLATFORM: "An internet platform designated by the Ministry of Civil Affairs (art. 27).",
        DonationChannel.OWN_SITE: "The foundation's own site, beside a designated platform (art. 27).",
        DonationChannel.OFFLINE_PUBLIC: "Public fundraising offline (art. 23).",
        DonationChannel.TARGETED: "Fundraising among founders, council and members (art. 29).",
        DonationChannel.CORPORATE: "A direct gift of a company or other unit.",
        DonationChannel.GRANT: "A grant of another foundation or of the government.",
    },
)


class DonationStatus(enum.StrEnum):
    """The state of a gift. How much of it is allocated and spent is counted, not a state."""

    RECEIVED = "RECEIVED"
    REVERSED = "REVERSED"


DONATION_STEPS: dict[tuple[str, DonationStatus], DonationStatus] = {
    ("reverse", DonationStatus.RECEIVED): DonationStatus.REVERSED,
}
"""(step, from) -> to. Recording makes RECEIVED."""

labelled(
    DonationStatus,
    {DonationStatus.RECEIVED: "已到账", DonationStatus.REVERSED: "已冲销"},
    description="The state of a gift. How much of it is allocated and spent is counted, not a state.",
    colours={DonationStatus.RECEIVED: "green", DonationStatus.REVERSED: "grey"},
    next=ahead(DONATION_STEPS),
    describe={
        DonationStatus.RECEIVED: "The money is in the account.",
        DonationStatus.REVERSED: "It was recorded by mistake, and taken back by a balanced entry.",
    },
)

labelled(
    Spending,
    {Spending.CHARITY: "慈善活动支出", Spending.MGMT: "管理费用", Spending.FUNDRAISING: "筹资费用"},
    description="What money is spent on, as the law tells it apart (Charity Law art. 61).",
    describe={
        Spending.CHARITY: "Charitable activities.",
        Spending.MGMT: "Management.",
        Spending.FUNDRAISING: "Raising funds.",
    },
)


class AllocationStatus(enum.StrEnum):
    """The state of an allocation."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"


A = AllocationStatus
ALLOCATION_STEPS: dict[tuple[str, AllocationStatus], AllocationStatus] = {
    ("submit", A.DRAFT): A.SUBMITTED,
    ("approve", A.SUBMITTED): A.APPROVED,
    ("reject", A.SUBMITTED): A.REJECTED,
    ("spend", A.APPROVED): A.ACTIVE,
    ("spend", A.ACTIVE): A.ACTIVE,
    ("close", A.DRAFT): A.CLOSED,
    ("close", A.APPROVED): A.CLOSED,
    ("close", A.ACTIVE): A.CLOSED,
}
"""(step, from) -> to. The first disbursement makes it ACTIVE; REJECTED and CLOSED give the rest back to its gifts."""

labelled(
    A,
    {
        A.DRAFT: "草稿",
        A.SUBMITTED: "待审批",
        A.APPROVED: "已批准",
        A.ACTIVE: "执行中",
        A.CLOSED: "已关闭",
        A.REJECTED: "已驳回",
    },
    description="The state of an allocation.",
    colours={
        A.DRAFT: "grey",
        A.SUBMITTED: "orange",
        A.APPROVED: "blue",
        A.ACTIVE: "blue",
        A.CLOSED: "green",
        A.REJECTED: "red",
    },
    next=ahead({k: v for k, v in ALLOCATION_STEPS.items() if k[1] is not v}),
    describe={
        A.DRAFT: "Written down; a maker's draft already holds its gifts.",
        A.SUBMITTED: "Waits for another person's approval.",
        A.APPROVED: "May be spent.",
        A.ACTIVE: "Is being spent.",
        A.CLOSED: "Done; what was left went back to its gifts.",
        A.REJECTED: "Refused, with a reason; its gifts are free again.",
    },
)


class DisbursementStatus(enum.StrEnum):
    """The state of a payment out of an allocation."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    AUTHORISED = "AUTHORISED"
    PAYING = "PAYING"
    FAILED = "FAILED"
    PAID = "PAID"
    RECEIVED_CONFIRMED = "RECEIVED_CONFIRMED"
    RECEIVED_WITH_ISSUES = "RECEIVED_WITH_ISSUES"
    NOT_RECEIVED = "NOT_RECEIVED"
    RETURNED = "RETURNED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    CLOSED = "CLOSED"


D = DisbursementStatus
DISBURSEMENT_STEPS: dict[tuple[str, DisbursementStatus], DisbursementStatus] = {
    ("submit", D.DRAFT): D.SUBMITTED,
    ("approve", D.SUBMITTED): D.APPROVED,
    ("reject", D.SUBMITTED): D.REJECTED,
    ("reject", D.APPROVED): D.REJECTED,
    ("authorise", D.APPROVED): D.AUTHORISED,
    ("pay", D.APPROVED): D.PAYING,
    ("pay", D.AUTHORISED): D.PAYING,
    ("pay", D.FAILED): D.PAYING,
    ("fail", D.PAYING): D.FAILED,
    ("settle", D.PAYING): D.PAID,
    ("confirm", D.PAID): D.RECEIVED_CONFIRMED,
    ("complain", D.PAID): D.RECEIVED_WITH_ISSUES,
    ("miss", D.PAID): D.NOT_RECEIVED,
    ("confirm", D.NOT_RECEIVED): D.RECEIVED_CONFIRMED,
    ("return", D.PAID): D.RETURNED,
    ("return", D.NOT_RECEIVED): D.RETURNED,
    ("close", D.RECEIVED_CONFIRMED): D.CLOSED,
    ("close", D.RECEIVED_WITH_ISSUES): D.CLOSED,
    ("cancel", D.DRAFT): D.CANCELLED,
    ("cancel", D.SUBMITTED): D.CANCELLED,
    ("cancel", D.APPROVED): D.CANCELLED,
    ("cancel", D.AUTHORISED): D.CANCELLED,
    ("cancel", D.FAILED): D.CANCELLED,
}
"""(step, from) -> to. `pay` from APPROVED only where no authoriser is needed."""

HANDED_OVER = (D.PAYING, D.FAILED, D.PAID, D.RECEIVED_CONFIRMED, D.RECEIVED_WITH_ISSUES, D.NOT_RECEIVED, D.RETURNED)
"""States that only a payment reaches which every pair of hands has passed."""
SPENT = (D.PAID, D.RECEIVED_CONFIRMED, D.RECEIVED_WITH_ISSUES, D.NOT_RECEIVED, D.CLOSED)
"""States in which the money has left and not come back."""
RELEASED = (D.REJECTED, D.CANCELLED, D.RETURNED)
"""States in which the allocation has its money again."""

labelled(
    D,
    {
        D.DRAFT: "草稿",
        D.SUBMITTED: "待复核",
        D.APPROVED: "已复核",
        D.AUTHORISED: "已审批",
        D.PAYING: "付款中",
        D.FAILED: "付款失败",
        D.PAID: "已付款",
        D.RECEIVED_CONFIRMED: "已确认收到",
        D.RECEIVED_WITH_ISSUES: "收到但有问题",
        D.NOT_RECEIVED: "未收到",
        D.RETURNED: "已退回",
        D.REJECTED: "已驳回",
        D.CANCELLED: "已撤销",
        D.CLOSED: "已办结",
    },
    description="The state of a payment out of an allocation.",
    colours={
        D.DRAFT: "grey",
        D.SUBMITTED: "orange",
        D.APPROVED: "blue",
        D.AUTHORISED: "blue",
        D.PAYING: "blue",
        D.FAILED: "red",
        D.PAID: "green",
        D.RECEIVED_CONFIRMED: "green",
        D.RECEIVED_WITH_ISSUES: "orange",
        D.NOT_RECEIVED: "red",
        D.RETURNED: "grey",
        D.REJECTED: "red",
        D.CANCELLED: "grey",
        D.CLOSED: "green",
    },
    next=ahead(DISBURSEMENT_STEPS),
    describe={
        D.DRAFT: "Written down by the maker.",
        D.SUBMITTED: "Waits for the checker.",
        D.APPROVED: "Checked; waits for the authoriser where the allocation's total is above the threshold.",
        D.AUTHORISED: "Authorised.",
        D.PAYING: "Handed to the bank.",
        D.FAILED: "The bank could not pay; it may be tried again.",
        D.PAID: "The bank paid; the ledger and the trace are written.",
        D.RECEIVED_CONFIRMED: "The payee has it.",
        D.RECEIVED_WITH_ISSUES: "The payee has it, and something is wrong.",
        D.NOT_RECEIVED: "The payee says that it never came.",
        D.RETURNED: "The money came back; a balanced entry says so.",
        D.REJECTED: "Refused by the checker or the authoriser, with a reason.",
        D.CANCELLED: "Given up by the maker before any money left.",
        D.CLOSED: "Done.",
    },
)


class Confirmation(enum.StrEnum):
    """What became of a payment at the payee's end."""

    RECEIVED_CONFIRMED = "RECEIVED_CONFIRMED"
    RECEIVED_WITH_ISSUES = "RECEIVED_WITH_ISSUES"
    NOT_RECEIVED = "NOT_RECEIVED"


CONFIRMING = {
    Confirmation.RECEIVED_CONFIRMED: "confirm",
    Confirmation.RECEIVED_WITH_ISSUES: "complain",
    Confirmation.NOT_RECEIVED: "miss",
}
"""The step that each answer is."""

labelled(
    Confirmation,
    {
        Confirmation.RECEIVED_CONFIRMED: "已收到",
        Confirmation.RECEIVED_WITH_ISSUES: "收到但有问题",
        Confirmation.NOT_RECEIVED: "未收到",
    },
    description="What became of a payment at the payee's end.",
    describe={
        Confirmation.RECEIVED_CONFIRMED: "It came.",
        Confirmation.RECEIVED_WITH_ISSUES: "It came, and something is wrong; a note says what.",
        Confirmation.NOT_RECEIVED: "It did not come.",
    },
)

MAKER = frozenset({Role.FUND_MAKER})
CHECKER = frozenset({Role.FUND_CHECKER})
AUTHORISER = frozenset({Role.FUND_AUTHORISER})
REQUESTERS = frozenset({Role.SOCIAL_WORKER, Role.COMMUNITY_STAFF, Role.NGO_STAFF})
"""Who may ask a foundation for an allocation; its maker chooses the gifts when he submits it."""

MAY: dict[str, frozenset[Role]] = {
    "fund.create": MAKER,
    "donation.record": MAKER,
    "donation.reverse": CHECKER,
    "allocation.create": MAKER | REQUESTERS,
    "allocation.submit": MAKER,
    "allocation.approve": CHECKER | AUTHORISER,
    "allocation.reject": CHECKER | AUTHORISER,
    "allocation.close": MAKER | CHECKER,
    "disbursement.create": MAKER,
    "disbursement.submit": MAKER,
    "disbursement.approve": CHECKER,
    "disbursement.authorise": AUTHORISER,
    "disbursement.reject": CHECKER | AUTHORISER,
    "disbursement.pay": MAKER,
    "disbursement.settle": MAKER,
    "disbursement.fail": MAKER,
    "disbursement.cancel": MAKER,
    "disbursement.return": MAKER,
    "disbursement.close": MAKER,
    "disbursement.confirm": MAKER | CHECKER | AUTHORISER | REQUESTERS | {Role.RESIDENT},
    "donor.reveal": MAKER | CHECKER | AUTHORISER,
}
"""Who may take each step; beyond it, the foundation must be his own, and hands that differ must differ."""

FINANCE = FUND_ROLES - {Role.FUND_REPORTER}
"""The roles of a foundation that may read donors' names, each reading on record; its reporter sees them masked."""
REVEALED_FOR = frozenset({AccessPurpose.RECEIPT, AccessPurpose.THANKS, AccessPurpose.AUDIT})
"""What a donor's name is read for."""


S = TypeVar("S", bound=enum.StrEnum)


def step(steps: Mapping[tuple[str, S], S], name: str, status: str) -> S:
    """The state that a step leads to from a stored one. Raises InvalidTransition where the table has no such step."""
    before = type(next(iter(steps.values())))(status)
    after = steps.get((name, before))
    if after is None:
        raise InvalidTransition(status=status, label=label(before))
    return after


def same_hands(*hands: object | None) -> bool:
    """Whether one person would act twice among those who have acted or are about to (I17). None is nobody."""
    acted = [h for h in hands if h is not None]
    return len(set(acted)) < len(acted)


def needs_authoriser(allocation_fen: int) -> bool:
    """Whether payments out of an allocation of this total, in fen, need an authoriser."""
    return allocation_fen > AUTHORISE_ABOVE_FEN
