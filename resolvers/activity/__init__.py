"""Activities, sessions, attendances and hours as GraphQL shows them."""

from models.activity import visible
from resolvers.activity.mutations import ActivityMutation
from resolvers.activity.queries import ActivityQuery
from resolvers.activity.types import (
    Attendance,
    HourEntry,
    ManualProposal,
    ServiceActivity,
    ServiceSession,
    SessionCommitment,
)

__all__ = [
    "ActivityMutation",
    "ActivityQuery",
    "Attendance",
    "HourEntry",
    "ManualProposal",
    "ServiceActivity",
    "ServiceSession",
    "SessionCommitment",
    "visible",
]
