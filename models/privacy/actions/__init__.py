"""Verbs of a data subject's rights: consents, guardians, requests, erasure."""

from models.privacy.actions.consents import cosign_consent, give_consent, withdraw_consent
from models.privacy.actions.corrections import CorrectionInput
from models.privacy.actions.guardianships import end_guardianship, record_guardianship, verify_guardianship
from models.privacy.actions.requests import (
    accept_correction,
    cosign_request,
    erase_account,
    make_request,
    refuse_correction,
    reveal_correction,
    withdraw_request,
)
from models.privacy.actions.retention import close_files, forget_grants, forget_proposals

__all__ = [
    "CorrectionInput",
    "accept_correction",
    "close_files",
    "cosign_consent",
    "cosign_request",
    "end_guardianship",
    "erase_account",
    "forget_grants",
    "forget_proposals",
    "give_consent",
    "make_request",
    "record_guardianship",
    "refuse_correction",
    "reveal_correction",
    "verify_guardianship",
    "withdraw_consent",
    "withdraw_request",
]
