"""Attachments as files: by a token, or by an address that was signed for whoever asked for it (`Attachment.url`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.address import client_address
from api.auth import NotSignedIn, Tokens
from api.errors import RATE_LIMITED, UNAUTHENTICATED
from api.limits import ATTACHMENT, STRANGE_TOKEN, Limits
from api.web.downloads import NO_STORE, Desk, at_of, told
from models.access import Actor
from models.database import transaction
from models.files import reading
from models.files.ports import Storage
from models.identity.standing import stands
from models.pool import Pool
from resolvers.verbs import read_id

SAFE = {
    **NO_STORE,
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
}
"""Whatever a file may be, no browser runs it, guesses at it, or keeps it."""


def routes(
    pool: Pool, tokens: Tokens, storage: Storage | None, limits: Limits, *, given_clock: bool = False, proxies: int = 0
) -> list[Route]:
    """`/files/attachment_…`: for who sees it now. Whoever fetches one, or is refused, is on the audit log before."""

    async def asker(request: Request, id: UUID, now: datetime, at: datetime | None) -> Actor:
        """Who asks: by an address that was signed for him, or by his token. Raises NotSignedIn."""
        address = request.query_params.get("s")
        if address is None:
            return await tokens.actor(request.headers.get("authorization"), now, at)
        async with pool.connection() as connection:
            keys = await pool.vault.keys(connection)
        try:
            actor = reading.asker_of(keys, id, address, at or now)
        except reading.BadAddress:
            raise NotSignedIn("a signed address of nobody, or past its time") from None
        if not await transaction(pool, actor, at or now, lambda db: stands(db, actor)):
            raise NotSignedIn("that capacity, or that sign-in, has ended")
        return actor

    async def serve(request: Request) -> Response:
        desk = Desk(pool, "attachment.read", client_address(request.scope, proxies))
        try:
            at = at_of(request) if given_clock else None
            id = read_id(request.path_params["id"], "attachment")
            desk.actor = await asker(request, id, desk.now, at)
            desk.now = at or desk.now
            if wait := await limits.afford(desk.actor, desk.address, ATTACHMENT):
                return told(dataclasses.replace(RATE_LIMITED, retry_after_seconds=wait))
            found = await transaction(pool, desk.actor, desk.now, lambda db: reading.find(db, id))
            content = await reading.content_of(storage, found)
            await desk.note("Attachment", id, {"bytes": found.size, "person": str(found.uploader)})
            return _response(found, content)
        except NotSignedIn:
            limits.fine(desk.address, STRANGE_TOKEN)
            return told(UNAUTHENTICATED)
        except Exception as no:
            return await desk.refuse(no)

    return [Route("/files/{id:str}", serve)]


def _response(found: reading.Found, content: Iterator[bytes]) -> Response:
    return StreamingResponse(
        content,
        media_type=found.media,
        headers={
            **SAFE,
            "Content-Disposition": f"attachment; filename=\"{found.ascii}\"; filename*=UTF-8''{quote(found.name)}",
            "Content-Length": str(found.size),
        },
    )
