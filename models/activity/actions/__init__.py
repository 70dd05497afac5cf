"""What may be done with activities, sessions, attendances and hours: one function for each use case."""

from models.activity.actions.creating import ActivityDraft, SessionDraft, create_activity, create_session
from models.activity.actions.hours import approve_hours, credit_again, propose_hours, reject_hours, reverse_hours
from models.activity.actions.presence import check_in, check_out, excuse, mark_absent, rate
from models.activity.actions.revealing import reveal_day
from models.activity.actions.sessions import (
    cancel_session,
    confirm_session,
    edit_session,
    end_session,
    lock_session,
    publish_session,
    record_headcount,
)
from models.activity.actions.signing import accept, refuse, sign_up, waitlist, withdraw

__all__ = [
    "ActivityDraft",
    "SessionDraft",
    "accept",
    "approve_hours",
    "cancel_session",
    "check_in",
    "check_out",
    "confirm_session",
    "create_activity",
    "create_session",
    "credit_again",
    "edit_session",
    "end_session",
    "excuse",
    "lock_session",
    "mark_absent",
    "propose_hours",
    "publish_session",
    "rate",
    "record_headcount",
    "refuse",
    "reject_hours",
    "reveal_day",
    "reverse_hours",
    "sign_up",
    "waitlist",
    "withdraw",
]
