"""What a gift may be spent on: restrictions, purposes, and how an amount is put together of gifts. Pure.

A restricted gift is spent only where the purpose's category lies in the restriction's, the division under its
division, and the day inside its window (Charity Law art. 53, 54 and 56; I15). A fund's restriction is the default of
its gifts, and the least that binds them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date
from typing import Generic, TypeVar

from models.exchange.rules import lies_in
from models.funds.problems import OutsideFundRestriction
from models.problems import InvalidInput

K = TypeVar("K")
WIDEST = 1_000_000
"""The breadth of a gift that is bound to nothing."""


@dataclasses.dataclass(frozen=True)
class Purpose:
    """What money is to be spent on."""

    category: str | None
    """A service category's code; None for what serves no category, such as management."""
    area: str
    """The code of the division or grid whose people it is for."""
    on: date


@dataclasses.dataclass(frozen=True)
class Restriction:
    """What a donor, or a fund, binds its money to; None does not bind."""

    category: str | None = None
    area: str | None = None
    since: date | None = None
    until: date | None = None
    """The last day."""

    def __bool__(self) -> bool:
        return any(v is not None for v in (self.category, self.area, self.since, self.until))

    @property
    def breadth(self) -> int:
        """How much it leaves open: the smaller, the narrower.

        More things bound is narrower; then the smaller division, the deeper category, and the window that ends sooner
        than none. Our own choice; ties are broken by the day received.
        """
        bound = (
            (self.category is not None) + (self.area is not None) + (self.since is not None or self.until is not None)
        )
        depth = 0 if self.category is None else 1 + self.category.count(".")
        return WIDEST - 100_000 * bound - 1_000 * len(self.area or "") - 10 * min(depth, 9) - (self.until is not None)

    def refusal(self, purpose: Purpose) -> str | None:
        """Why a purpose does not lie in it, in a sentence; None when it does."""
        if self.category is not None and (purpose.category is None or not lies_in(purpose.category, self.category)):
            return f"限定用途为 {self.category}，不含 {purpose.category or '无类别支出'}。"
        if self.area is not None and not purpose.area.startswith(self.area):
            return f"限定受益地区为 {self.area}，不含 {purpose.area}。"
        if self.since is not None and purpose.on < self.since:
            return f"限定自 {self.since} 起使用。"
        if self.until is not None and purpose.on > self.until:
            return f"限定使用期至 {self.until} 已过。"
        return None

    def admits(self, purpose: Purpose) -> bool:
        """Whether money under this restriction may be spent on a purpose."""
        return self.refusal(purpose) is None


def checked(given: Restriction) -> Restriction:
    """A restriction whose days are in order. Raises InvalidInput."""
    if given.since is not None and given.until is not None and given.since > given.until:
        raise InvalidInput(field="until", reason="限定期限的结束日不能早于开始日。")
    return given


def bound(given: Restriction, fund: Restriction) -> Restriction:
    """The restriction that a gift to a fund really has: the donor's, and where he says nothing the fund's.

    Raises OutsideFundRestriction when the donor's lies outside the fund's.
    """
    if given.category is not None and fund.category is not None and not lies_in(given.category, fund.category):
        raise OutsideFundRestriction(reason=f"该基金限定用途为 {fund.category}。")
    if given.area is not None and fund.area is not None and not given.area.startswith(fund.area):
        raise OutsideFundRestriction(reason=f"该基金限定受益地区为 {fund.area}。")
    since = max((d for d in (given.since, fund.since) if d is not None), default=None)
    until = min((d for d in (given.until, fund.until) if d is not None), default=None)
    if since is not None and until is not None and since > until:
        raise OutsideFundRestriction(reason=f"该基金限定期限为 {fund.since or '不限'} 至 {fund.until or '不限'}。")
    return Restriction(given.category or fund.category, given.area or fund.area, since, until)


@dataclasses.dataclass(frozen=True)
class Share(Generic[K]):
    """So many fen of one thing."""

    of: K
    fen: int


def take(free: Iterable[Share[K]], amount_fen: int) -> tuple[list[Share[K]], int]:
    """Takes an amount from things in their order; gives the shares, and how much is still missing."""
    out: list[Share[K]] = []
    missing = amount_fen
    for share in free:
        if missing == 0:
            break
        fen = min(share.fen, missing)
        if fen > 0:
            out.append(Share(share.of, fen))
            missing -= fen
    return out, missing
