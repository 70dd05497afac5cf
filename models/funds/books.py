"""Double entry, pure: which accounts a fund has, their signs, and what each event posts.

Amounts are fen; a debit is positive, a credit negative, and every posting sums to 0 within each fund. Accounts and
their numbers are those of the accounting system for non-profit organizations (民间非营利组织会计制度), a set for each
fund. Spending a restricted gift moves as much from restricted to unrestricted net assets; income and expense accounts
run on until the books are closed.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from models.labels import labelled

K = TypeVar("K")


class Spending(enum.StrEnum):
    """What money is spent on, as the law tells it apart (Charity Law art. 61)."""

    CHARITY = "CHARITY"
    MGMT = "MGMT"
    FUNDRAISING = "FUNDRAISING"


class AccountKind(enum.StrEnum):
    """The kind of a ledger account; it decides the side on which its balance grows."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    NET_ASSET = "NET_ASSET"
    INCOME = "INCOME"
    EXPENSE = "EXPENSE"


SIGN = {
    AccountKind.ASSET: 1,
    AccountKind.EXPENSE: 1,
    AccountKind.LIABILITY: -1,
    AccountKind.NET_ASSET: -1,
    AccountKind.INCOME: -1,
}
"""What a debit does to an account's own balance: 1 raises it, -1 lowers it."""

labelled(
    AccountKind,
    {
        AccountKind.ASSET: "资产",
        AccountKind.LIABILITY: "负债",
        AccountKind.NET_ASSET: "净资产",
        AccountKind.INCOME: "收入",
        AccountKind.EXPENSE: "费用",
    },
    description="The kind of a ledger account; it decides the side on which its balance grows.",
    describe={
        AccountKind.ASSET: "What the fund has; grows by debits.",
        AccountKind.LIABILITY: "What the fund owes; grows by credits.",
        AccountKind.NET_ASSET: "What belongs to the fund, restricted or not; grows by credits.",
        AccountKind.INCOME: "What came in; grows by credits.",
        AccountKind.EXPENSE: "What was spent; grows by debits.",
    },
)


class Account(enum.StrEnum):
    """An account that every fund has."""

    BANK = "BANK"
    NET_UNRESTRICTED = "NET_UNRESTRICTED"
    NET_RESTRICTED = "NET_RESTRICTED"
    INCOME_UNRESTRICTED = "INCOME_UNRESTRICTED"
    INCOME_RESTRICTED = "INCOME_RESTRICTED"
    EXPENSE_CHARITY = "EXPENSE_CHARITY"
    EXPENSE_MGMT = "EXPENSE_MGMT"
    EXPENSE_FUNDRAISING = "EXPENSE_FUNDRAISING"


@dataclasses.dataclass(frozen=True)
class Heading:
    """An account's place in the chart."""

    code: str
    name: str
    kind: AccountKind
    restricted: bool = False
    """Whether it belongs to the restricted part of the fund's net assets."""


CHART: dict[Account, Heading] = {
    Account.BANK: Heading("1002", "银行存款", AccountKind.ASSET),
    Account.NET_UNRESTRICTED: Heading("3101", "非限定性净资产", AccountKind.NET_ASSET),
    Account.NET_RESTRICTED: Heading("3102", "限定性净资产", AccountKind.NET_ASSET, restricted=True),
    Account.INCOME_UNRESTRICTED: Heading("410101", "捐赠收入（非限定性）", AccountKind.INCOME),
    Account.INCOME_RESTRICTED: Heading("410102", "捐赠收入（限定性）", AccountKind.INCOME, restricted=True),
    Account.EXPENSE_CHARITY: Heading("5101", "业务活动成本", AccountKind.EXPENSE),
    Account.EXPENSE_MGMT: Heading("5201", "管理费用", AccountKind.EXPENSE),
    Account.EXPENSE_FUNDRAISING: Heading("5301", "筹资费用", AccountKind.EXPENSE),
}
"""The chart of accounts of every fund."""

labelled(
    Account,
    {a: f"{h.code} {h.name}" for a, h in CHART.items()},
    description="An account that every fund has.",
    describe={
        Account.BANK: "Money in the bank.",
        Account.NET_UNRESTRICTED: "Net assets free of donors' restrictions.",
        Account.NET_RESTRICTED: "Net assets under donors' restrictions.",
        Account.INCOME_UNRESTRICTED: "Gifts without a restriction.",
        Account.INCOME_RESTRICTED: "Gifts with a restriction.",
        Account.EXPENSE_CHARITY: "Cost of charitable activities.",
        Account.EXPENSE_MGMT: "Management cost.",
        Account.EXPENSE_FUNDRAISING: "Cost of raising funds.",
    },
)

EXPENSE = {
    Spending.CHARITY: Account.EXPENSE_CHARITY,
    Spending.MGMT: Account.EXPENSE_MGMT,
    Spending.FUNDRAISING: Account.EXPENSE_FUNDRAISING,
}


class TxnKind(enum.StrEnum):
    """What a posting tells."""

    GIFT = "GIFT"
    GIFT_REVERSAL = "GIFT_REVERSAL"
    SPENDING = "SPENDING"
    SPENDING_RETURN = "SPENDING_RETURN"
    REFUND = "REFUND"


labelled(
    TxnKind,
    {
        TxnKind.GIFT: "捐赠到账",
        TxnKind.GIFT_REVERSAL: "捐赠冲销",
        TxnKind.SPENDING: "支出",
        TxnKind.SPENDING_RETURN: "支出退回",
        TxnKind.REFUND: "捐赠退款",
    },
    description="What a posting tells.",
    describe={
        TxnKind.GIFT: "A gift came in.",
        TxnKind.GIFT_REVERSAL: "A gift that was recorded by mistake is taken back.",
        TxnKind.SPENDING: "A disbursement was paid.",
        TxnKind.SPENDING_RETURN: "A disbursement came back.",
        TxnKind.REFUND: "A gift, or a part of it, went back to its donor.",
    },
)


@dataclasses.dataclass(frozen=True)
class Entry(Generic[K]):
    """One line of a posting: fen on an account of a fund, a debit positive."""

    fund: K
    account: Account
    amount_fen: int


@dataclasses.dataclass(frozen=True)
class Part(Generic[K]):
    """A part of a payment: so much of a fund's money, from restricted gifts or not."""

    fund: K
    amount_fen: int
    restricted: bool


def gift(fund: K, amount_fen: int, restricted: bool) -> list[Entry[K]]:
    """What a gift posts."""
    income = Account.INCOME_RESTRICTED if restricted else Account.INCOME_UNRESTRICTED
    return [Entry(fund, Account.BANK, amount_fen), Entry(fund, income, -amount_fen)]


def spending(parts: Iterable[Part[K]], what: Spending) -> list[Entry[K]]:
    """What a payment posts: for each fund the expense against the bank, and what it releases from restriction."""
    paid: dict[K, int] = {}
    released: dict[K, int] = {}
    for part in parts:
        paid[part.fund] = paid.get(part.fund, 0) + part.amount_fen
        if part.restricted:
            released[part.fund] = released.get(part.fund, 0) + part.amount_fen
    out: list[Entry[K]] = []
    for fund, amount in paid.items():
        out += [Entry(fund, EXPENSE[what], amount), Entry(fund, Account.BANK, -amount)]
        if free := released.get(fund):
            out += [Entry(fund, Account.NET_RESTRICTED, free), Entry(fund, Account.NET_UNRESTRICTED, -free)]
    return out


def reversal(entries: Sequence[Entry[K]]) -> list[Entry[K]]:
    """What undoes a posting: the same lines, turned round."""
    return [Entry(e.fund, e.account, -e.amount_fen) for e in entries]


@dataclasses.dataclass(frozen=True)
class Standing:
    """Where a fund stands, in fen."""

    balance: int = 0
    restricted: int = 0
    received: int = 0
    spent: int = 0
    refunded: int = 0


def standing(postings: Iterable[tuple[TxnKind, Iterable[Entry[K]]]]) -> Mapping[K, Standing]:
    """Where each fund stands after all these postings: what the database's roll-ups must equal."""
    out: dict[K, dict[str, int]] = {}
    for kind, entries in postings:
        for e in entries:
            now = out.setdefault(e.fund, dict.fromkeys(("balance", "restricted", "received", "spent", "refunded"), 0))
            heading = CHART[e.account]
            if heading.kind is AccountKind.ASSET:
                now["balance"] += e.amount_fen
            if heading.restricted:
                now["restricted"] -= e.amount_fen
            if heading.kind is AccountKind.EXPENSE:
                now["spent"] += e.amount_fen
            if heading.kind is AccountKind.INCOME:
                now["refunded" if kind is TxnKind.REFUND else "received"] += (
                    e.amount_fen if kind is TxnKind.REFUND else -e.amount_fen
                )
    return {fund: Standing(**values) for fund, values in out.items()}
