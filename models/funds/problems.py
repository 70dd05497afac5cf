"""What can be refused about funds."""

from __future__ import annotations

import dataclasses

from models.problems import Fen, Problem, Retry


@dataclasses.dataclass(eq=False)
class RestrictionViolation(Problem):
    """A restricted gift would be spent outside its restriction: category, division or days (Charity Law art. 53, 54)."""

    says = "限定用途的捐赠不能这样使用：{reason}"
    retry = Retry.CHANGE_INPUT
    reason: str
    """Which gift does not admit the purpose, and why, in a sentence."""
    available: Fen
    """How much money admits the purpose, and is free."""


@dataclasses.dataclass(eq=False)
class InsufficientFunds(Problem):
    """There is not enough free money for this purpose."""

    says = "可用资金不足：可用 {available} 元。"
    retry = Retry.CHANGE_INPUT
    available: Fen
    """How much is free."""

    @property
    def message(self) -> str:
        """The sentence, in yuan."""
        return self.says.format(available=f"{self.available / 100:,.2f}")


@dataclasses.dataclass(eq=False)
class AllocationExceeded(Problem):
    """The disbursements of an allocation would be more than its amount."""

    says = "超出拨付计划的余额：尚可安排 {available} 元。"
    retry = Retry.CHANGE_INPUT
    available: Fen
    """How much of the allocation is neither spent nor bound by other disbursements."""

    @property
    def message(self) -> str:
        """The sentence, in yuan."""
        return self.says.format(available=f"{self.available / 100:,.2f}")


@dataclasses.dataclass(eq=False)
class MakerIsChecker(Problem):
    """Maker, checker and authoriser must be three people (I17)."""

    says = "经办、复核与审批须由不同的人担任。"


@dataclasses.dataclass(eq=False)
class PayeeIsApprover(Problem):
    """Nobody makes, checks or authorises a payment to himself, or to whom he works for (I17; Charity Law, articles 14 and 59)."""

    says = "收款人本人、收款单位的人员或联系人不能经办、复核或审批这笔支出。"


@dataclasses.dataclass(eq=False)
class AuthorisationRequired(Problem):
    """The allocation's total is above the threshold: an authoriser has to agree before it is paid."""

    says = "拨付总额超过限额，须经审批后才能付款。"
    threshold: Fen
    """Totals above this need an authoriser."""


@dataclasses.dataclass(eq=False)
class AlreadyReversed(Problem):
    """It was reversed, or returned, before."""

    says = "该笔已经冲销或退回，不能重复。"


@dataclasses.dataclass(eq=False)
class DonationInUse(Problem):
    """A gift of which something is allocated or spent cannot be reversed."""

    says = "该捐赠已有拨付或支出，不能冲销。"
    retry = Retry.REFRESH
    allocated: Fen
    """How much of it is bound to allocations, the spent part included."""
    spent: Fen
    """How much of it is spent."""


@dataclasses.dataclass(eq=False)
class PaymentRefConflict(Problem):
    """The payment's number came before on this channel, with another fund or amount."""

    says = "该渠道流水号已登记为捐赠 {donation_no}，但基金或金额不同。"
    retry = Retry.CHANGE_INPUT
    donation_no: str
    """The number of the donation that has it."""


@dataclasses.dataclass(eq=False)
class BankRefUsed(Problem):
    """The bank's number belongs to another payment."""

    says = "该银行流水号已用于另一笔支出。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class OutsideFundRestriction(Problem):
    """A gift to a fund is bound by the fund's own restriction at least; this one asks for something outside it."""

    says = "捐赠的限定超出了该基金的限定范围：{reason}"
    retry = Retry.CHANGE_INPUT
    reason: str
    """Which part lies outside, in a sentence."""


@dataclasses.dataclass(eq=False)
class OpenDisbursements(Problem):
    """An allocation with payments under way cannot be closed."""

    says = "还有 {count} 笔支出未办完，不能关闭。"
    retry = Retry.REFRESH
    count: int
    """How many payments are under way."""


@dataclasses.dataclass(eq=False)
class FundNameTaken(Problem):
    """The foundation has a fund of this name."""

    says = "本基金会已有同名基金。"
    retry = Retry.CHANGE_INPUT
