"""Verbs of funds: gifts, allocations, disbursements. Each is one use case in one transaction."""

from models.funds.actions.allocations import (
    approve_allocation,
    close_allocation,
    create_allocation,
    reject_allocation,
    submit_allocation,
)
from models.funds.actions.disbursements import (
    approve_disbursement,
    authorise_disbursement,
    cancel_disbursement,
    close_disbursement,
    confirm_receipt,
    create_disbursement,
    reject_disbursement,
    submit_disbursement,
)
from models.funds.actions.donors import reveal_donors
from models.funds.actions.gifts import create_fund, record_donation, reverse_donation
from models.funds.actions.payments import (
    fail_disbursement,
    pay_disbursement,
    return_disbursement,
    settle_disbursement,
)

__all__ = [
    "approve_allocation",
    "approve_disbursement",
    "authorise_disbursement",
    "cancel_disbursement",
    "close_allocation",
    "close_disbursement",
    "confirm_receipt",
    "create_allocation",
    "create_disbursement",
    "create_fund",
    "fail_disbursement",
    "pay_disbursement",
    "record_donation",
    "reject_allocation",
    "reject_disbursement",
    "return_disbursement",
    "reveal_donors",
    "reverse_donation",
    "settle_disbursement",
    "submit_allocation",
    "submit_disbursement",
]
