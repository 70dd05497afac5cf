"""Money as GraphQL shows it: funds, gifts, allocations, disbursements and the books."""

from resolvers.funds.mutations import FundsMutation
from resolvers.funds.queries import FundsQuery
from resolvers.funds.spending import Allocation, AllocationLine, Disbursement, SpendTrace
from resolvers.funds.types import (
    Donation,
    Donor,
    Fund,
    FundTotals,
    LedgerAccount,
    LedgerEntry,
    LedgerTxn,
    Restriction,
)

__all__ = [
    "Allocation",
    "AllocationLine",
    "Disbursement",
    "Donation",
    "Donor",
    "Fund",
    "FundTotals",
    "FundsMutation",
    "FundsQuery",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerTxn",
    "Restriction",
    "SpendTrace",
]
