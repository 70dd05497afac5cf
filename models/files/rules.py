"""Laws of attachments: who may add one to what, who may take it away, and until when."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeAlias

from models.access import FUND_ROLES, STAFF_ROLES, Actor, Role
from models.activity.rules import AttendanceStatus, ProposalStatus, SessionStatus
from models.files.kinds import MEDIA, MediaType
from models.funds.rules import AllocationStatus, DisbursementStatus

Row: TypeAlias = Any
"""A row of the database, by its columns' names."""

MOST = 20
"""Attachments of one thing."""
NAME = 80
"""Characters of a file's name."""


class SubjectKind(enum.StrEnum):
    """What may have attachments; the values are the prefixes of their ids."""

    NEED = "need"
    OFFER = "offer"
    COMMITMENT = "commitment"
    SESSION = "session"
    ATTENDANCE = "attendance"
    PROPOSAL = "proposal"
    ALLOCATION = "allocation"
    DISBURSEMENT = "disbursement"


K = SubjectKind
ORGANIZERS = frozenset({Role.SOCIAL_WORKER, Role.COMMUNITY_STAFF})
MAY_ADD: Mapping[SubjectKind, frozenset[Role]] = {
    K.NEED: STAFF_ROLES | {Role.RESIDENT},
    K.OFFER: frozenset({Role.VOLUNTEER, Role.NGO_STAFF}),
    K.COMMITMENT: STAFF_ROLES | {Role.RESIDENT, Role.VOLUNTEER, Role.NGO_STAFF},
    K.SESSION: ORGANIZERS | {Role.NGO_STAFF},
    K.ATTENDANCE: ORGANIZERS | {Role.VOLUNTEER, Role.NGO_STAFF},
    K.PROPOSAL: ORGANIZERS | {Role.NGO_STAFF},
    K.ALLOCATION: ORGANIZERS | {Role.NGO_STAFF, Role.FUND_MAKER},
    K.DISBURSEMENT: ORGANIZERS | {Role.NGO_STAFF, Role.FUND_MAKER},
}
"""Which roles may attach to what; `theirs` says to which of those that they see."""
ADDERS = frozenset().union(*MAY_ADD.values())
MODERATED = frozenset({K.NEED, K.OFFER, K.COMMITMENT, K.SESSION, K.ATTENDANCE})
"""Of what a community's staff may take away pictures that others uploaded: what does not belong there."""

CLOSED: Mapping[SubjectKind, frozenset[enum.StrEnum]] = {
    K.SESSION: frozenset({SessionStatus.LOCKED}),
    K.PROPOSAL: frozenset({ProposalStatus.APPROVED, ProposalStatus.REJECTED}),
    K.ALLOCATION: frozenset({AllocationStatus.CLOSED, AllocationStatus.REJECTED}),
    K.DISBURSEMENT: frozenset({DisbursementStatus.REJECTED}),
}
"""States in which nothing is attached any more: what was decided was decided by what lay before (I24, I25)."""
LOOSE: Mapping[SubjectKind, frozenset[enum.StrEnum]] = {
    K.SESSION: frozenset(SessionStatus) - {SessionStatus.LOCKED},
    K.ATTENDANCE: frozenset(AttendanceStatus) - {AttendanceStatus.CONFIRMED, AttendanceStatus.REVERSED},
    K.PROPOSAL: frozenset({ProposalStatus.PENDING}),
    K.ALLOCATION: frozenset({AllocationStatus.DRAFT}),
    K.DISBURSEMENT: frozenset({DisbursementStatus.DRAFT}),
}
"""States in which an attachment may still be taken away. Evidence of credited hours and vouchers of payments stay (会计档案管理办法)."""


def theirs(actor: Actor, kind: SubjectKind, row: Row) -> bool:
    """Whether somebody may attach to a thing that he sees, in a role that may."""
    if actor.role in FUND_ROLES:
        return bool(row["organization_id"] == actor.organization)
    match kind:
        case K.OFFER:
            own = row["person_id"] if actor.role is Role.VOLUNTEER else row["organization_id"]
            return own is not None and own in (actor.person, actor.organization)
        case K.SESSION:
            return _runs(actor, row)
        case K.ATTENDANCE:
            return row["volunteer_id"] == actor.person if actor.role is Role.VOLUNTEER else _runs(actor, row)
        case K.ALLOCATION | K.DISBURSEMENT if actor.role is not Role.NGO_STAFF:
            return bool(row["requested_by"] == actor.person)
    return (
        True  # needs, commitments, proposals, and money for an organization: whoever sees it in such a role is a party
    )


def _runs(actor: Actor, row: Row) -> bool:
    if actor.role is Role.NGO_STAFF:
        return row["organization_id"] is not None and row["organization_id"] == actor.organization
    return actor.covers(row["area"])


def removable(kind: SubjectKind, status: str) -> bool:
    """Whether what is attached to a thing in this state may be taken away."""
    return kind not in LOOSE or status in LOOSE[kind]


def may_remove(actor: Actor, kind: SubjectKind, uploader: object) -> bool:
    """Whether somebody who sees an attachment may take it away: who uploaded it, and whoever keeps order there."""
    if uploader == actor.person and actor.role in MAY_ADD[kind]:
        return True
    return actor.role is Role.COMMUNITY_STAFF and kind in MODERATED


FORBIDDEN = re.compile(r'[\\/:*?"<>|%\s.]+')


def shown_name(given: str, media: MediaType) -> str:
    """A file's name as people see it: without folders, control characters or anything that a system reads as a command,
    and with the ending of what it is. A phone's `tmp_1a2b….jpg` says nothing, and becomes the date's business.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    stem = last.rpartition(".")[0] or last
    kept = "".join(c for c in unicodedata.normalize("NFC", stem) if unicodedata.category(c)[0] not in "CZ" or c == " ")
    kept = FORBIDDEN.sub("_", kept).strip("_ -")[:NAME].strip("_ -")
    return f"{kept or '附件'}.{MEDIA[media][1]}"
