"""What comes in about funds, and what makes it sound: pure checks, before anything is read or written."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from uuid import UUID

from models.clock import EARLIEST
from models.funds.books import Spending
from models.funds.restrictions import Restriction, checked
from models.funds.rules import DonationChannel, DonorKind, FundKind
from models.people.identity import mask_name, read_name
from models.problems import InvalidInput
from models.rules_text import clean

FREE = Restriction()
ANONYMOUS = "匿名"
UNNAMED = "爱心人士"
"""What stands where a donor does not wish to be named (Charity Law art. 82)."""
MOST_FEN = 10**13
"""A hundred billion yuan: more is a mistake."""
GIFTS_NAMED_AT_MOST = 100


@dataclasses.dataclass(frozen=True)
class FundInput:
    """A new fund."""

    name: str
    kind: FundKind
    restriction: Restriction = FREE
    note: str | None = None


@dataclasses.dataclass(frozen=True)
class DonorInput:
    """A donor who is new to the foundation, or known by his account or his organization."""

    kind: DonorKind
    name: str | None = None
    person: UUID | None = None
    organization: UUID | None = None


@dataclasses.dataclass(frozen=True)
class DonationInput:
    """A gift that arrived: of a donor on record, or of one described here."""

    fund: UUID
    amount_fen: int
    channel: DonationChannel
    received_at: datetime | None = None
    donor: UUID | None = None
    giver: DonorInput | None = None
    external_txn: str | None = None
    designation: str | None = None
    restriction: Restriction = FREE
    publish_name: bool = False
    public_name: str | None = None


@dataclasses.dataclass(frozen=True)
class AllocationInput:
    """A plan to spend: for a need, or for a category and a place."""

    title: str
    amount_fen: int
    foundation: UUID | None = None
    fund: UUID | None = None
    purpose: str | None = None
    spending: Spending = Spending.CHARITY
    category: str | None = None
    area: str | None = None
    need: UUID | None = None
    donations: tuple[UUID, ...] = ()


@dataclasses.dataclass(frozen=True)
class DisbursementInput:
    """A payment to one payee: a supplier by name, an organization, or a resident."""

    allocation: UUID
    amount_fen: int
    payee_name: str | None = None
    payee_organization: UUID | None = None
    payee_resident: UUID | None = None
    purpose: str | None = None


def optional(given: str | None, field: str, *, most: int) -> str | None:
    """A text that may be left out; empty counts as left out. Raises InvalidInput."""
    return (clean(given, field, most=most, least=0, lines=True) or None) if given is not None else None


def amount(fen: int) -> int:
    """An amount above zero. Raises InvalidInput."""
    if not 0 < fen <= MOST_FEN:
        raise InvalidInput(field="amount", reason="金额必须大于零，且不超过一千亿元。")
    return fen


def happened(at: datetime | None, now: datetime, field: str, since: datetime = EARLIEST) -> datetime:
    """When something happened: not in the future, not before `since`; now when it is not said. Raises InvalidInput."""
    if at is None:
        return now
    if not since <= at <= now:
        raise InvalidInput(field=field, reason="时间不能晚于现在，也不能早于上一步。")
    return at


def fund(given: FundInput) -> FundInput:
    """A fund whose kind and restriction agree. Raises InvalidInput."""
    bound = checked(given.restriction)
    needed = {
        FundKind.PURPOSE: bound.category is not None,
        FundKind.BENEFICIARY_AREA: bound.area is not None,
        FundKind.TIME: bound.since is not None or bound.until is not None,
        FundKind.UNRESTRICTED: not bound,
    }
    if not needed[given.kind]:
        raise InvalidInput(field="restriction", reason="限定内容与基金类型不符。")
    return dataclasses.replace(
        given, name=clean(given.name, "name", most=60, least=2), note=optional(given.note, "note", most=2000)
    )


def donor(given: DonorInput) -> DonorInput:
    """A donor: an anonymous one has no name, a person has one, an organization has one or is one. Raises InvalidInput."""
    if given.kind is DonorKind.ANONYMOUS:
        if given.name is not None or given.organization is not None:
            raise InvalidInput(field="name", reason="匿名捐赠不登记姓名或单位。")
        return given
    if given.kind is DonorKind.PERSON and given.organization is not None:
        raise InvalidInput(field="organization", reason="个人捐赠不能同时指定单位。")
    if given.kind is DonorKind.ORGANIZATION and given.person is not None:
        raise InvalidInput(field="person", reason="单位捐赠不能同时指定个人。")
    if given.kind is DonorKind.ORGANIZATION and given.organization is not None:
        return dataclasses.replace(given, name=None)
    if given.name is None:
        raise InvalidInput(field="name", reason="请填写捐赠人的姓名或名称；不愿具名的选择匿名。")
    name = read_name(given.name) if given.kind is DonorKind.PERSON else clean(given.name, "name", most=100, least=2)
    return dataclasses.replace(given, name=name)


def donation(given: DonationInput, now: datetime) -> DonationInput:
    """A gift. Raises InvalidInput."""
    if (given.donor is None) == (given.giver is None):
        raise InvalidInput(field="donor", reason="请指定已登记的捐赠人，或填写新的捐赠人，二者选一。")
    anonymous = given.giver is not None and given.giver.kind is DonorKind.ANONYMOUS
    if anonymous and (given.publish_name or given.public_name is not None):
        raise InvalidInput(field="publishName", reason="匿名捐赠不能公开姓名。")
    if given.public_name is not None and not given.publish_name:
        raise InvalidInput(field="publicName", reason="不公开姓名的捐赠不能填写公开署名。")
    return dataclasses.replace(
        given,
        amount_fen=amount(given.amount_fen),
        received_at=happened(given.received_at, now, "receivedAt"),
        giver=donor(given.giver) if given.giver is not None else None,
        external_txn=clean(given.external_txn, "externalTxn", most=100) if given.external_txn is not None else None,
        designation=optional(given.designation, "designation", most=500),
        restriction=checked(given.restriction),
        public_name=clean(given.public_name, "publicName", most=50) if given.public_name is not None else None,
    )


def label(kind: DonorKind, name: str | None) -> str:
    """A donor as the foundation's reporter sees him: 张*, an organization's name, or 匿名."""
    if kind is DonorKind.ANONYMOUS or name is None:
        return ANONYMOUS
    return mask_name(name) if kind is DonorKind.PERSON else name


def shown_as(kind: DonorKind, name: str | None, publish: bool, signature: str | None) -> str:
    """What anybody reads where the donor's name would stand: only what he consents to (I21)."""
    if kind is DonorKind.ANONYMOUS or name is None:
        return ANONYMOUS
    return (signature or name) if publish else UNNAMED


def allocation(given: AllocationInput) -> AllocationInput:
    """A plan: charity has a category, management and fundraising have none. Raises InvalidInput."""
    if given.need is None and given.area is None:
        raise InvalidInput(field="areaCode", reason="请指明受益地区，或所为的需求。")
    if given.spending is not Spending.CHARITY and (given.category is not None or given.need is not None):
        raise InvalidInput(field="categoryCode", reason="管理费用和筹资费用不属于任何服务类别。")
    if given.spending is Spending.CHARITY and given.category is None and given.need is None:
        raise InvalidInput(field="categoryCode", reason="慈善活动支出须指明服务类别，或所为的需求。")
    if len(given.donations) > GIFTS_NAMED_AT_MOST or len(set(given.donations)) < len(given.donations):
        raise InvalidInput(field="donations", reason=f"指定的捐赠不能重复，最多 {GIFTS_NAMED_AT_MOST} 笔。")
    return dataclasses.replace(
        given,
        title=clean(given.title, "title", most=100, least=2),
        purpose=optional(given.purpose, "purpose", most=2000),
        amount_fen=amount(given.amount_fen),
    )


def disbursement(given: DisbursementInput) -> DisbursementInput:
    """A payment with one payee. Raises InvalidInput."""
    payees = (given.payee_name, given.payee_organization, given.payee_resident)
    if sum(p is not None for p in payees) != 1:
        raise InvalidInput(field="payee", reason="收款人须为供应商名称、组织、居民三者之一。")
    name = clean(given.payee_name, "payeeName", most=100, least=2) if given.payee_name is not None else None
    return dataclasses.replace(
        given,
        amount_fen=amount(given.amount_fen),
        payee_name=name,
        purpose=optional(given.purpose, "purpose", most=500),
    )
