"""Verbs of rounds and their proposals, and what the worker does for them."""

import models.exchange.rounds.visible  # noqa: F401 - its rules register themselves
from models.exchange.rounds.actions.answering import accept_proposal, decline_proposal, withdraw_proposal
from models.exchange.rounds.actions.jobs import close_rounds, lapse_proposals, requeue_rounds
from models.exchange.rounds.actions.starting import cancel_round, start_round

__all__ = [
    "accept_proposal",
    "cancel_round",
    "close_rounds",
    "decline_proposal",
    "lapse_proposals",
    "requeue_rounds",
    "start_round",
    "withdraw_proposal",
]
