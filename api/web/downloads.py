"""Files for people: what GraphQL says, as a spreadsheet reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.address import client_address
from api.auth import NotSignedIn, Tokens
from api.errors import UNAUTHENTICATED
from models import audit, clock
from models.access import PUBLIC_ACTOR, Actor
from models.database import transaction
from models.pool import Pool
from models.privacy.export import export
from models.problems import Forbidden, InvalidInput, NotFound, Problem
from models.reports.csv import fund_statement
from resolvers.verbs import read_id

NO_STORE = {"Cache-Control": "no-store"}
PART = 65_536
"""Bytes that are handed to the network at once."""


def routes(pool: Pool, tokens: Tokens, *, given_clock: bool = False, proxies: int = 0) -> list[Route]:
    """The routes of downloads. They take the same tokens as `/graphql`, and its clock where that is `given_clock`."""

    async def statement(request: Request) -> Response:
        """`/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31&fund=fund_…`: the caller's funds, or one of them."""
        try:
            actor = await tokens.actor(request.headers.get("authorization"), clock.now())
            since, until = _day(request, "from"), _day(request, "to")
            given = request.query_params.get("fund")
            fund: UUID | None = None if given is None else read_id(given, "fund", "fund")
            text = await transaction(pool, actor, clock.now(), lambda db: fund_statement(db, since, until, fund))
        except NotSignedIn:
            return JSONResponse({"code": UNAUTHENTICATED.code, "message": UNAUTHENTICATED.message}, 401)
        except Problem as no:
            return JSONResponse({"code": no.code, "message": no.message}, 403 if isinstance(no, Forbidden) else 400)
        name = quote(f"基金收支表-{since}-{until}.csv")
        return Response(
            text.encode(),
            media_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f"attachment; filename=\"fund-statement-{since}-{until}.csv\"; filename*=UTF-8''{name}",
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def own_data(request: Request) -> Response:
        """`/privacy/export/subject_request_….json`: all data of the person who asked, for himself or a child's guardian."""
        actor, now = PUBLIC_ACTOR, clock.now()
        try:
            at = _at(request) if given_clock else None
            actor = await tokens.caller(request.headers.get("authorization"), now, at)
            if actor is PUBLIC_ACTOR:
                raise NotSignedIn("no token")
            now = at or now
            given = read_id(request.path_params["id"], "subject_request")
            whose, text = await export(pool, actor, now, given)
        except NotSignedIn:
            return JSONResponse({"code": UNAUTHENTICATED.code, "message": UNAUTHENTICATED.message}, 401, NO_STORE)
        except Problem as no:
            if actor.person is not None:
                await _note(pool, request, proxies, actor, now, no.code)
            return JSONResponse(
                {"code": no.code, "message": no.message}, 404 if isinstance(no, NotFound) else 400, NO_STORE
            )
        await _note(pool, request, proxies, actor, now, audit.DONE, given, person=str(whose), bytes=len(text))
        name = quote(f"我的个人信息-{clock.day(now)}.json")
        return StreamingResponse(
            _parts(text),
            media_type="application/json; charset=utf-8",
            headers={
                "Content-Disposition": f"attachment; filename=\"personal-data-{clock.day(now)}.json\"; filename*=UTF-8''{name}",
                "Content-Length": str(len(text)),
                "X-Content-Type-Options": "nosniff",
                **NO_STORE,
            },
        )

    return [
        Route("/reports/fund-statement.csv", statement),
        Route("/privacy/export/{id:str}.json", own_data),
    ]


async def _parts(text: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(text), PART):
        yield text[start : start + PART]


async def _note(
    pool: Pool,
    request: Request,
    proxies: int,
    actor: Actor,
    now: datetime,
    result: str,
    subject: UUID | None = None,
    **detail: Any,
) -> None:
    """Writes on the audit log that somebody fetched a file of personal data, or was refused it."""
    row = audit.row(
        actor,
        now,
        "personalData.export",
        result,
        subject_type=None if subject is None else "SubjectRequest",
        subject=subject,
        address=client_address(request.scope, proxies),
        detail=detail,
    )
    async with pool.connection() as connection:
        await audit.write(connection, *row)


def _at(request: Request) -> datetime | None:
    """The time that a request says it is, outside production."""
    given = request.headers.get("x-wushe-now")
    try:
        return None if given is None else clock.read(given)
    except ValueError:
        raise InvalidInput(field="X-Wushe-Now", reason="X-Wushe-Now 须为带时区的 ISO 8601 时间。") from None


def _day(request: Request, name: str) -> date:
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        raise InvalidInput(field=name, reason=f"请用 {name}=2026-11-01 的格式给出日期。") from None
