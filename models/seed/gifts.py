"""What a fund's books are made of while they are being made: gifts, lines, plans, postings; and what happens how often."""

from __future__ import annotations

import dataclasses
from uuid import UUID

from models.funds import books
from models.funds.books import Account, Spending, TxnKind
from models.funds.restrictions import Purpose, Restriction
from models.funds.rules import (
    AllocationStatus,
    Confirmation,
    DisbursementStatus,
    DonationChannel,
    DonorKind,
)

Donor = tuple[UUID, DonorKind, UUID | None, str | None]
"""A donor's id, kind, account and plain name."""
NARROWER = {
    "ELDERLY": "ELDERLY.MEALS",
    "POVERTY": "POVERTY.HEATING",
    "CHILDCARE": "CHILDCARE.READING",
    "DISABLED": "DISABLED.AIDS",
    "HEALTH": "HEALTH.SCREENING",
    "EDUCATION": "EDUCATION.TUTORING",
}
"""What a donor may bind a gift to, beyond what its fund is bound to."""
PURPOSES = ("ELDERLY.MEALS", "POVERTY.MATERIALS", "POVERTY.HEATING", "CHILDCARE.AFTER_SCHOOL", "HEALTH.SCREENING")
TITLES = {
    "ELDERLY": "为老服务支出",
    "POVERTY": "困难家庭帮扶",
    "CHILDCARE": "托幼课堂物资",
    "DISABLED": "助残辅具与服务",
    "HEALTH": "健康义诊",
    "EDUCATION": "助学课程",
}
AMOUNTS = (10_00, 20_00, 50_00, 66_00, 88_00, 100_00, 100_00, 200_00, 300_00, 500_00, 1_000_00)
CORPORATE = (2_000_00, 5_000_00, 10_000_00, 20_000_00, 50_000_00)
CHANNELS = (*[DonationChannel.DESIGNATED_PLATFORM] * 6, DonationChannel.OFFLINE_PUBLIC, DonationChannel.TARGETED)
D, A = DisbursementStatus, AllocationStatus
PIPELINE: tuple[tuple[AllocationStatus, tuple[DisbursementStatus, ...]], ...] = (
    (A.ACTIVE, (D.SUBMITTED, D.DRAFT)),
    (A.SUBMITTED, ()),
    (A.ACTIVE, (D.APPROVED, D.PAYING)),
    (A.APPROVED, ()),
    (A.ACTIVE, (D.PAID, D.REJECTED, D.SUBMITTED)),
    (A.DRAFT, ()),
    (A.ACTIVE, (D.AUTHORISED, D.CANCELLED)),
    (A.REJECTED, ()),
    (A.ACTIVE, (D.FAILED, D.PAID, D.APPROVED)),
)
"""What is under way in the current month."""
LAST_MONTH = (D.RECEIVED_CONFIRMED, D.PAID, D.RECEIVED_CONFIRMED, D.RECEIVED_WITH_ISSUES, D.NOT_RECEIVED, D.RETURNED)
OUT = (D.PAID, D.RECEIVED_CONFIRMED, D.RECEIVED_WITH_ISSUES, D.NOT_RECEIVED, D.RETURNED, D.CLOSED)
"""States of payments whose money has left."""
CHECKED = (*OUT, D.APPROVED, D.AUTHORISED, D.PAYING, D.FAILED)
HANDED = (*OUT, D.PAYING, D.FAILED)
CONFIRMED = {
    D.RECEIVED_CONFIRMED: Confirmation.RECEIVED_CONFIRMED,
    D.CLOSED: Confirmation.RECEIVED_CONFIRMED,
    D.RECEIVED_WITH_ISSUES: Confirmation.RECEIVED_WITH_ISSUES,
    D.NOT_RECEIVED: Confirmation.NOT_RECEIVED,
}
REASONS = {
    D.REJECTED: "票据不全",
    D.FAILED: "收款账户信息有误",
    D.RETURNED: "供应方退款",
    D.RECEIVED_WITH_ISSUES: "数量与清单不符",
}


@dataclasses.dataclass
class Foundation:
    """A foundation, the hands that its money passes, and who gives to it."""

    id: UUID
    maker: UUID
    checker: UUID
    authoriser: UUID
    donors: list[Donor] = dataclasses.field(default_factory=list)
    asked: set[UUID] = dataclasses.field(default_factory=set)
    """Needs that it was asked to pay for."""


@dataclasses.dataclass
class Fund:
    """A fund, what binds it, and its accounts."""

    id: UUID
    of: Foundation
    name: str
    restriction: Restriction
    accounts: dict[Account, UUID] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Gift:
    """A gift, and what is taken of it."""

    id: UUID
    no: int
    donor: Donor
    fen: int
    at: int
    free: int
    restriction: Restriction
    spent: int = 0
    reversed: bool = False


@dataclasses.dataclass(slots=True)
class Line:
    """What an allocation holds of a gift."""

    id: UUID
    gift: Gift
    fen: int
    consumed: int = 0
    returned: int = 0
    held: int = 0


@dataclasses.dataclass(slots=True)
class Posting:
    """An event of the ledger, before all are put in the order of their time."""

    id: UUID
    kind: TxnKind
    at: int
    entries: list[books.Entry[UUID]]
    donation: UUID | None = None
    disbursement: UUID | None = None
    reverses: UUID | None = None


@dataclasses.dataclass
class Plan:
    """An allocation while its payments are being made."""

    id: UUID
    title: str
    spending: Spending
    purpose: Purpose
    need: UUID | None
    requester: UUID
    requester_organization: UUID | None
    at: int
    status: AllocationStatus
    lines: list[Line]
    fen: int
    committed: int = 0
    spent: int = 0
