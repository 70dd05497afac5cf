"""Attachments, and the field by which things show theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
import strawberry

from models.files import visible
from models.files.kinds import MEDIA, MediaType
from models.files.tables import Attachment as Row
from models.vault import Kind
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people import Person

shown(MediaType)


def _media_type(row: Any) -> Any:
    return sa.case({media.value: sent for media, (sent, _) in MEDIA.items()}, value=row.media, else_=None)


@w.entity(Row, "attachment")
@strawberry.type(
    description="A file that shows something about one thing, for whoever is shown that thing: of a need, for whoever reads its note. 附件。"
)
class Attachment(Node):
    media: MediaType = w.column(Row.media, description="What it is, found from its content.")
    media_type: str = w.expression(_media_type, description="The media type that it is sent as: `image/jpeg`.")
    size_bytes: int = w.column(Row.size_bytes, description="Its size in bytes, as it is handed out.")
    sha256: str = w.expression(
        lambda row: sa.func.encode(row.sha256, sa.literal_column("'hex'"), type_=sa.Text()),
        description="SHA-256 of what is handed out, in hexadecimal digits. Where it was taken was removed before.",
    )
    name: str | None = w.sealed(
        Kind.FILE,
        lambda row: row.name,
        subject=lambda row: row.uploader_id,
        description="Its name, with the ending of what it is; null once it was removed.",
    )
    caption: str | None = w.sealed(
        Kind.FILE,
        lambda row: row.caption,
        subject=lambda row: row.uploader_id,
        description="What the uploader wrote about it.",
    )
    url: str | None = w.made(
        "file",
        lambda row: sa.case((row.removed_at.is_(None), row.id)),
        description="Where it is fetched, below the API's own address, by the caller of this query only, for five minutes and without a header; null once it was removed. With a header, `/files/` and the id will do.",
    )
    uploader: Person | None = w.one(Row.uploader_id, description="Who uploaded it, masked.")
    subject: Node | None = w.variant(
        {
            Row.need_id: "Need",
            Row.offer_id: "Offer",
            Row.commitment_id: "Commitment",
            Row.session_id: "ServiceSession",
            Row.attendance_id: "Attendance",
            Row.proposal_id: "ManualProposal",
            Row.allocation_id: "Allocation",
            Row.disbursement_id: "Disbursement",
        },
        description="What it is attached to: a need, an offer, a commitment, a session, an attendance, a proposal, an allocation or a payment.",
    )
    created_at: datetime = w.column(Row.created_at, description="When it was uploaded.")
    removed_at: datetime | None = w.column(Row.removed_at, description="When it was taken away.")


__all__ = ["Attachment", "FilesQuery", "visible"]


@strawberry.type
class FilesQuery:
    attachment: Attachment | None = w.by_id(description="An attachment.")
