"""Attachments as files: by a token, or by an address that was signed for whoever asked for it (`Attachment.url`)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.auth import NotSignedIn
from api.limits import ATTACHMENT
from api.operations import Operations
from api.web.desk import NO_STORE, Desk, hatch
from models.access import Actor
from models.database import transaction
from models.files import reading
from models.files.ports import Storage
from models.identity.standing import stands
from resolvers.verbs import read_id

SAFE = {
    **NO_STORE,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Accept-Ranges": "none",
}
"""Whatever a file may be, no browser runs it, guesses at it, or keeps it."""


def routes(operations: Operations, storage: Storage | None) -> list[Route]:
    """`/files/attachment_…`: for who sees it now. Whoever fetches one, or is refused, is on the audit log before."""
    pool = operations.databases.primary

    async def serve(desk: Desk) -> Response:
        address = desk.request.query_params.get("s")

        async def signed_for(at: datetime | None) -> Actor:
            """Whom the address was signed for. Raises NotSignedIn."""
            assert address is not None
            now, id = at or desk.now, _id(desk)
            async with pool.connection() as connection:
                keys = await pool.vault.keys(connection)
            try:
                actor = reading.asker_of(keys, id, address, now)
            except reading.BadAddress:
                raise NotSignedIn("a signed address of nobody, or past its time") from None
            if not await transaction(pool, actor, now, lambda db: stands(db, actor)):
                raise NotSignedIn("that capacity, or that sign-in, has ended")
            return actor

        await desk.admit(ATTACHMENT, None if address is None else signed_for)
        id = _id(desk)
        found = await transaction(pool, desk.actor, desk.now, lambda db: reading.find(db, id))
        if desk.request.method == "HEAD":  # its name and size are the file's, so that is on record too
            await desk.note("Attachment", id, {"bytes": 0, "person": str(found.uploader)})
            return Response(headers=_headers(found), media_type=found.media)
        content: Iterator[bytes] = await reading.content_of(storage, found)
        await desk.note("Attachment", id, {"bytes": found.size, "person": str(found.uploader)})
        return StreamingResponse(content, headers=_headers(found), media_type=found.media)

    return [hatch(operations, "/files/{id:str}", "attachment.read", serve, methods=("GET", "HEAD"))]


def _id(desk: Desk) -> UUID:
    return read_id(desk.request.path_params["id"], "attachment")


def _headers(found: reading.Found) -> dict[str, str]:
    return {
        **SAFE,
        "Content-Disposition": f"attachment; filename=\"{found.ascii}\"; filename*=UTF-8''{quote(found.name)}",
        "Content-Length": str(found.size),
    }
