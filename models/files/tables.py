"""What is attached to what. The files themselves lie in the storage (`models.files.ports`), each under a key of its own.

One column for each kind of thing that may have attachments, so that the database keeps every reference true.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from models.access import Role
from models.base import Table, check, choice, chosen, count, instant, key, sealed, text, to
from models.files.kinds import MediaType
from models.vault import Kind

SUBJECTS = (
    "need_id",
    "offer_id",
    "commitment_id",
    "session_id",
    "attendance_id",
    "proposal_id",
    "allocation_id",
    "disbursement_id",
)
GONE = "(removed_at IS NULL) = (opener IS NOT NULL) AND (removed_at IS NULL OR (name IS NULL AND caption IS NULL))"


class Attachment(Table, table=True):
    """附件: a file that shows something about one thing. Once removed, that there was one, and nothing of it."""

    __tablename__ = "attachment"
    __table_args__ = (
        chosen("media", MediaType),
        chosen("role", Role),
        check("one_subject", f"num_nonnulls({', '.join(SUBJECTS)}) = 1"),
        check("size", "size_bytes > 0"),
        check("sha256", "length(sha256) = 32"),
        check("removed", GONE),
        sa.UniqueConstraint("stored"),
        sa.Index("ix_attachment_uploader_id_created_at", "uploader_id", "created_at"),
        *(
            sa.Index(
                f"ix_attachment_{column}_created_at_id",
                column,
                "created_at",
                "id",
                postgresql_where=sa.text(f"{column} IS NOT NULL"),
            )
            for column in SUBJECTS
        ),
    )
    id: UUID = key()
    need_id: UUID | None = to("need.id", optional=True, index=False)
    offer_id: UUID | None = to("offer.id", optional=True, index=False)
    commitment_id: UUID | None = to("commitment.id", optional=True, index=False)
    session_id: UUID | None = to("service_session.id", optional=True, index=False)
    attendance_id: UUID | None = to("attendance.id", optional=True, index=False)
    proposal_id: UUID | None = to("manual_proposal.id", optional=True, index=False)
    allocation_id: UUID | None = to("allocation.id", optional=True, index=False)
    disbursement_id: UUID | None = to("disbursement.id", optional=True, index=False)
    uploader_id: UUID = to("person.id", index=False)
    role: Role = choice(Role)
    """In which capacity it was uploaded: what an office put on record is not its person's to take along."""
    media: MediaType = choice(MediaType)
    size_bytes: int = count()
    """Of the file as it is handed out."""
    sha256: bytes
    """Of the file as it is handed out."""
    stored: str = text()
    """Its name in the storage: chance."""
    opener: bytes | None = sealed(Kind.FILE, "uploader_id", optional=True)
    """What opens the stored bytes, in hexadecimal digits."""
    name: bytes | None = sealed(Kind.FILE, "uploader_id", optional=True)
    caption: bytes | None = sealed(Kind.FILE, "uploader_id", optional=True)
    created_at: datetime = instant()
    removed_at: datetime | None = instant(optional=True)
    removed_by: UUID | None = to("person.id", optional=True, index=False)
