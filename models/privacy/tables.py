"""Consents and the texts they are to, guardians, and the requests of data subjects.

Nothing here is personal save what a correction proposes, which is sealed, and the masked words beside it.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import READ_ONLY, Table, check, choice, chosen, flag, instant, key, sealed, several, text, to
from models.privacy.rules import (
    LIVE_CONSENTS,
    OPEN_REQUESTS,
    ConsentPurpose,
    ConsentState,
    CorrectionField,
    GuardianEvidence,
    GuardianRelation,
    RequestKind,
    RequestState,
)
from models.vault import Kind


def _among(column: str, values: tuple[object, ...]) -> sa.TextClause:
    return sa.text(f"{column} IN (" + ", ".join(f"'{v}'" for v in values) + ")")


LIVE_CONSENT, OPEN_REQUEST = _among("state", LIVE_CONSENTS), _among("state", OPEN_REQUESTS)
ERASURE = sa.text(f"kind = '{RequestKind.DELETE.value}'")
FILED = sa.text(f"state = '{RequestState.IN_PROGRESS.value}'")


class ConsentText(Table, table=True):
    """同意文本: what is agreed to, for one purpose, in one version. Migrations write them; a text never changes."""

    __tablename__ = "consent_text"
    __table_args__ = (
        sa.UniqueConstraint("purpose", "version"),
        sa.UniqueConstraint("purpose", "since"),
        chosen("purpose", ConsentPurpose),
        {"info": READ_ONLY},
    )
    id: UUID = key()
    purpose: ConsentPurpose = choice(ConsentPurpose)
    version: str = text()
    title: str = text()
    text: str = text()
    required: bool = flag()
    """Whether the platform cannot be used without."""
    since: datetime = instant()


class Consent(Table, table=True):
    """同意: that somebody agreed to a text, until he withdraws (PIPL art. 14, 15, 29)."""

    __tablename__ = "consent"
    __table_args__ = (
        sa.ForeignKeyConstraint(["purpose", "version"], ["consent_text.purpose", "consent_text.version"]),
        chosen("purpose", ConsentPurpose),
        chosen("state", ConsentState),
        check("given", "state <> 'GIVEN' OR given_at IS NOT NULL"),
        check("ended", "(state IN ('WITHDRAWN', 'REPLACED')) = (ended_at IS NOT NULL)"),
        check("two", "guardian_id <> person_id"),
        sa.Index(
            "uq_consent_person_id_purpose_state",
            "person_id",
            "purpose",
            "state",
            unique=True,
            postgresql_where=LIVE_CONSENT,
        ),
        sa.Index("ix_consent_person_id_asked_at", "person_id", "asked_at"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    purpose: ConsentPurpose = choice(ConsentPurpose)
    version: str = text()
    state: ConsentState = choice(ConsentState)
    asked_at: datetime = instant()
    given_at: datetime | None = instant(optional=True)
    guardian_id: UUID | None = to("person.id", optional=True)
    """Who agreed for a child, or co-signed."""
    ended_at: datetime | None = instant(optional=True)
    """When it was withdrawn or replaced."""
    ended_by: UUID | None = to("person.id", optional=True, index=False)


class Guardianship(Table, table=True):
    """监护关系: that somebody is a minor's guardian; it counts once staff who did not record it have seen the evidence."""

    __tablename__ = "guardianship"
    __table_args__ = (
        chosen("relation", GuardianRelation),
        chosen("evidence", GuardianEvidence),
        check("two", "guardian_id <> minor_id"),
        check("by_another", "verified_by <> guardian_id AND verified_by <> minor_id"),
        check("two_hands", "verified_by <> recorded_by"),
        check("verified", "(verified_by IS NULL) = (verified_at IS NULL)"),
        check("ended", "(ended_by IS NULL) = (ended_at IS NULL)"),
        sa.Index(
            "uq_guardianship_minor_id_guardian_id",
            "minor_id",
            "guardian_id",
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
        sa.Index("ix_guardianship_minor_id", "minor_id"),
        sa.Index("ix_guardianship_guardian_id", "guardian_id"),
        sa.Index("ix_guardianship_area", "area"),
    )
    id: UUID = key()
    minor_id: UUID = to("person.id", index=False)
    guardian_id: UUID = to("person.id", index=False)
    relation: GuardianRelation = choice(GuardianRelation)
    evidence: GuardianEvidence | None = choice(GuardianEvidence, optional=True)
    """What staff saw, who recorded it or verified it; none while nobody has."""
    area: str = text()
    """The minor's."""
    recorded_by: UUID = to("person.id", index=False)
    recorded_at: datetime = instant()
    verified_by: UUID | None = to("person.id", optional=True, index=False)
    verified_at: datetime | None = instant(optional=True)
    ended_by: UUID | None = to("person.id", optional=True, index=False)
    ended_at: datetime | None = instant(optional=True)


class SubjectRequest(Table, table=True):
    """个人信息权利请求: what a data subject asked for, until when it is to be answered, and what came of it."""

    __tablename__ = "subject_request"
    __table_args__ = (
        chosen("kind", RequestKind),
        chosen("state", RequestState),
        check("refused", "state <> 'REFUSED' OR reason IS NOT NULL"),
        check("handled", "(state IN ('DONE', 'REFUSED', 'WITHDRAWN')) = (handled_at IS NOT NULL)"),
        check("file", "kind IN ('ACCESS', 'EXPORT') OR num_nonnulls(expires_at, size_bytes) = 0"),
        sa.Index("uq_subject_request_person_id_kind", "person_id", "kind", unique=True, postgresql_where=OPEN_REQUEST),
        sa.Index("ix_subject_request_person_id_received_at_id", "person_id", "received_at", "id"),
        sa.Index("ix_subject_request_area_due_at_id", "area", "due_at", "id"),
        sa.Index("ix_subject_request_made_by", "made_by", postgresql_where=ERASURE),
        sa.Index("ix_subject_request_cosigned_by", "cosigned_by", postgresql_where=ERASURE),
        sa.Index("ix_subject_request_expires_at", "expires_at", postgresql_where=FILED),
        sa.Index("ix_subject_request_due_at_id", "due_at", "id"),
    )
    id: UUID = key()
    kind: RequestKind = choice(RequestKind)
    state: RequestState = choice(RequestState)
    person_id: UUID = to("person.id", index=False)
    """Whose data it is about."""
    made_by: UUID = to("person.id", index=False)
    """Himself, or his guardian."""
    area: str | None = text(optional=True)
    """The person's, so that its staff find it."""
    received_at: datetime = instant()
    due_at: datetime = instant()
    cosigned_by: UUID | None = to("person.id", optional=True, index=False)
    cosigned_at: datetime | None = instant(optional=True)
    handled_by: UUID | None = to("person.id", optional=True, index=False)
    """None where it was done by itself."""
    handled_at: datetime | None = instant(optional=True)
    reason: str | None = text(optional=True)
    """Why it was refused."""
    cancel_open: bool = flag()
    """For an erasure that waits for a guardian: whether what is open is to be cancelled."""
    expires_at: datetime | None = instant(optional=True)
    """Until when the file may be fetched."""
    size_bytes: int | None = Field(default=None)
    """How large the file was when it was last fetched."""
    kept: list[str] = several()
    """What an erasure left, and by which rule: sentences for the person."""


class Correction(Table, table=True):
    """更正内容: one field that a person wants put right: what he proposes, sealed, and how it looked, masked."""

    __tablename__ = "correction"
    __table_args__ = (sa.UniqueConstraint("request_id", "field"), chosen("field", CorrectionField))
    id: UUID = key()
    request_id: UUID = to("subject_request.id", index=False)
    person_id: UUID = to("person.id")
    area: str | None = text(optional=True)
    field: CorrectionField = choice(CorrectionField)
    proposed: bytes | None = sealed(Kind.IDENTITY, optional=True)
    """None once it is decided and 30 days have passed."""
    before: str | None = text(optional=True)
    after: str = text()
