"""Verbs of the marketplace, and what later areas and the worker call."""

from models.exchange.actions.asking import NeedInput, name_staff, submit_need
from models.exchange.actions.assigning import ask_foundation, assign_need, show_to_foundation
from models.exchange.actions.claims import claim_need, propose_commitment
from models.exchange.actions.commitments import (
    accept_commitment,
    cancel_commitment,
    complete_commitment,
    confirm_commitment,
    decline_commitment,
    deliver,
    dispute_commitment,
    keep_open,
    mark_no_show,
    report_commitment,
    resolve_commitment,
    start_service,
)
from models.exchange.actions.jobs import expire_needs, expire_offers, lapse_due_holds, tell_overdue_answers
from models.exchange.actions.likenesses import PartInput, split_need
from models.exchange.actions.merging import merge_need
from models.exchange.actions.needs import (
    cancel_need,
    close_need,
    edit_need,
    open_need,
    refer_need,
    reject_need,
    reopen_need,
    submit_draft,
    verify_need,
)
from models.exchange.actions.offers import (
    edit_offer,
    pause_offer,
    publish_offer,
    reject_offer,
    resume_offer,
    submit_offer,
    submit_offer_draft,
    withdraw_offer,
)
from models.exchange.actions.offers_bulk import OfferUpsert, upsert_offers
from models.exchange.offering import OfferInput

__all__ = [
    "NeedInput",
    "OfferInput",
    "OfferUpsert",
    "PartInput",
    "accept_commitment",
    "ask_foundation",
    "assign_need",
    "cancel_commitment",
    "cancel_need",
    "claim_need",
    "close_need",
    "complete_commitment",
    "confirm_commitment",
    "decline_commitment",
    "deliver",
    "dispute_commitment",
    "edit_need",
    "edit_offer",
    "expire_needs",
    "expire_offers",
    "keep_open",
    "lapse_due_holds",
    "mark_no_show",
    "merge_need",
    "name_staff",
    "open_need",
    "pause_offer",
    "propose_commitment",
    "publish_offer",
    "refer_need",
    "reject_need",
    "reject_offer",
    "reopen_need",
    "report_commitment",
    "resolve_commitment",
    "resume_offer",
    "show_to_foundation",
    "split_need",
    "start_service",
    "submit_draft",
    "submit_need",
    "submit_offer",
    "submit_offer_draft",
    "tell_overdue_answers",
    "upsert_offers",
    "verify_need",
    "withdraw_offer",
]
