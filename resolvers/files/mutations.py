"""The verbs of attachments."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import strawberry

from models.database import transaction
from models.files import actions
from models.files.ports import Upload
from models.files.rules import SubjectKind
from models.files.storing import Stored, keep
from models.problems import NotFound
from resolvers.files.types import Attachment
from resolvers.verbs import Call, mutation, read_id

KINDS = {kind.value: kind for kind in SubjectKind}


def read_subject(given: str) -> tuple[SubjectKind, UUID]:
    """What an id names, if it is of something that may have attachments. Raises InvalidInput, NotFound."""
    prefix = given.rpartition("_")[0]
    id = read_id(given, prefix, "subject")
    if prefix not in KINDS:
        raise NotFound()
    return KINDS[prefix], id


async def kept(context: Any, subject: str, file: Upload, caption: str | None = None) -> Stored:
    """The file, in the storage. Who may not attach it is refused before it is looked at."""
    kind, id = read_subject(subject)
    await transaction(context.pool, context.actor, context.now, lambda db: actions.may_attach(db, kind, id))
    return await keep(context.platform.files if context.platform is not None else None, file)


@strawberry.type
class FilesMutation:
    @mutation(
        Attachment,
        actions.add_attachment,
        before=kept,
        description="Attach a file: to a need or commitment of one's own or one's area, an offer, session or attendance that one answers for, a pending proposal, an allocation or a payment. At most 20 each. What it is is found from its content; where a photo or film was taken is removed. The same key and the same content give the same attachment, whatever the file's name.",
    )
    async def attachment_add(
        call: Call,
        subject: Annotated[strawberry.ID, strawberry.argument(description="What it shows something about.")],
        file: Annotated[
            Upload, strawberry.argument(description="JPEG, PNG, WebP, PDF, MP3, AAC, AMR, M4A or MP4; at most 10 MB.")
        ],
        caption: Annotated[
            str | None, strawberry.argument(description="What is to be seen, at most 200 characters.")
        ] = None,
    ) -> UUID:
        return await actions.add_attachment(call.db, *read_subject(subject), call.ready, file.name, caption)

    @mutation(
        Attachment,
        actions.remove_attachment,
        description="Take an attachment away: its uploader, or staff of the community for what does not belong there. Vouchers of payments and evidence of credited hours stay.",
    )
    async def attachment_remove(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="The attachment.")],
    ) -> UUID:
        return await actions.remove_attachment(call.db, call.id(id, "attachment"))
