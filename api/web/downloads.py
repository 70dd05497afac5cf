"""Files for people: what GraphQL says, as a spreadsheet reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.address import client_address
from api.auth import NotSignedIn, Tokens
from api.errors import BUSY, RATE_LIMITED, UNAUTHENTICATED, UNAVAILABLE, Failure, failure_of
from api.limits import FILE, STRANGE_TOKEN, Limits
from api.web.role_exports import SHEETS, role_export
from models import audit, audit_flood, clock
from models.access import PUBLIC_ACTOR, Actor
from models.database import transaction
from models.pool import LOST, Pool
from models.privacy.export import export
from models.problems import Busy, Forbidden, InvalidInput, NotFound, Problem, Retry
from models.reports.csv import fund_statement
from resolvers.engine.engine import Engine
from resolvers.verbs import read_id

log = structlog.get_logger("wushe.downloads")
NO_STORE = {"Cache-Control": "no-store"}
PART = 65_536
"""Bytes that are handed to the network at once."""


@dataclasses.dataclass(frozen=True)
class File:
    """A file that is made, and what its fetching is on record as."""

    body: bytes
    media: str
    name: str
    """As people see it."""
    ascii: str
    """For programs that read nothing else."""
    subject_type: str | None
    subject: UUID | None
    detail: dict[str, Any]


Make = Callable[[Request, Actor, datetime], Awaitable[File]]


def routes(
    pool: Pool, tokens: Tokens, engine: Engine, limits: Limits, *, given_clock: bool = False, proxies: int = 0
) -> list[Route]:
    """The routes of downloads. They take the tokens of people as `/graphql` does, and its clock where that is
    `given_clock`. Whoever fetches a file, or is refused it, is on the audit log before he has it."""

    def route(path: str, action: str, make: Make) -> Route:
        async def serve(request: Request) -> Response:
            desk = Desk(pool, action, client_address(request.scope, proxies))
            try:
                at = at_of(request) if given_clock else None
                desk.actor = await tokens.actor(request.headers.get("authorization"), desk.now, at)
                desk.now = at or desk.now
                if wait := await limits.afford(desk.actor, desk.address, FILE):
                    return told(dataclasses.replace(RATE_LIMITED, retry_after_seconds=wait))
                return await desk.hand(await make(request, desk.actor, desk.now))
            except NotSignedIn:
                limits.fine(desk.address, STRANGE_TOKEN)
                return told(UNAUTHENTICATED)
            except Exception as no:
                return await desk.refuse(no)

        return Route(path, serve)

    async def statement(request: Request, actor: Actor, now: datetime) -> File:
        """`/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31&fund=fund_…`: the caller's funds, or one of them."""
        since, until = _day(request, "from"), _day(request, "to")
        given = request.query_params.get("fund")
        fund: UUID | None = None if given is None else read_id(given, "fund", "fund")
        text = await transaction(pool, actor, now, lambda db: fund_statement(db, since, until, fund))
        return File(
            text.encode(),
            "text/csv; charset=utf-8",
            f"基金收支表-{since}-{until}.csv",
            f"fund-statement-{since}-{until}.csv",
            None if fund is None else "Fund",
            fund,
            {"from": since, "to": until},
        )

    async def own_data(request: Request, actor: Actor, now: datetime) -> File:
        """`/privacy/export/subject_request_….json`: all data of the person who asked, for himself or a child's guardian."""
        if actor is PUBLIC_ACTOR:
            raise NotSignedIn("no token")
        given = read_id(request.path_params["id"], "subject_request")
        whose, text = await export(pool, actor, now, given)
        return File(
            text,
            "application/json; charset=utf-8",
            f"我的个人信息-{clock.day(now)}.json",
            f"personal-data-{clock.day(now)}.json",
            "SubjectRequest",
            given,
            {"person": str(whose), "bytes": len(text)},
        )

    async def rows(request: Request, actor: Actor, now: datetime) -> File:
        """`/exports/needs.csv?from=2026-11-01&to=2026-11-30`: what the caller's capacity sees (`api.web.role_exports`)."""
        if actor is PUBLIC_ACTOR:
            raise NotSignedIn("no token")
        name = request.path_params["sheet"]
        sheet = SHEETS.get(name)
        if sheet is None:
            raise NotFound(what="该导出")
        since, until = _day(request, "from"), _day(request, "to")
        address = client_address(request.scope, proxies)
        text, count = await role_export(engine, pool, sheet, actor, now, since, until, address)
        return File(
            text.encode(),
            "text/csv; charset=utf-8",
            f"{sheet.title}-{since}-{until}.csv",
            f"{name}-{since}-{until}.csv",
            None,
            None,
            {"sheet": name, "from": since, "to": until, "rows": count},
        )

    return [
        route("/exports/{sheet:str}.csv", "rows.export", rows),
        route("/reports/fund-statement.csv", "fundStatement.export", statement),
        route("/privacy/export/{id:str}.json", "personalData.export", own_data),
    ]


@dataclasses.dataclass
class Desk:
    """One request for a file: who asks, from where, when; what he is answered, and what is written of it."""

    pool: Pool
    action: str
    address: str | None
    actor: Actor = PUBLIC_ACTOR
    now: datetime = dataclasses.field(default_factory=clock.now)

    async def note(self, subject_type: str | None, subject: UUID | None, detail: dict[str, Any]) -> None:
        """Puts on record that something was fetched."""
        row = self._row(audit.DONE, subject_type=subject_type, subject=subject, detail=detail)
        async with self.pool.connection() as connection:
            await audit.write(connection, *row)

    async def hand(self, file: File) -> Response:
        """The file, once it is on record that it was fetched."""
        await self.note(file.subject_type, file.subject, file.detail)
        return StreamingResponse(
            _parts(file.body),
            media_type=file.media,
            headers={
                "Content-Disposition": f"attachment; filename=\"{file.ascii}\"; filename*=UTF-8''{quote(file.name)}",
                "Content-Length": str(len(file.body)),
                **NO_STORE,
            },
        )

    async def refuse(self, no: Exception) -> Response:
        """A refusal, or a failure, as the same codes say it at /graphql. That it cannot be written stops no answer."""
        refused = isinstance(no, Problem) and not isinstance(no, Busy)
        failure = None if refused else failure_of(no)
        code = no.code if isinstance(no, Problem) else failure.code if failure else type(no).__name__
        key = ("refused", self.actor.person or self.address) if refused else ("failed", code)
        try:
            if failure in (BUSY, UNAVAILABLE):
                audit_flood.count(self.pool, key, self._row(code))
            else:
                await audit_flood.note(self.pool, key, audit_flood.EACH, self._row(code))
        except (*LOST, Busy, TimeoutError, asyncpg.PostgresError):
            log.warning("not on the audit log", action=self.action, result=code)
        if failure is not None:
            log.warning("failed", action=self.action, code=code, exc_info=no if failure.code == "INTERNAL" else None)
            return told(failure)
        assert isinstance(no, Problem)
        status = 404 if isinstance(no, NotFound) else 403 if isinstance(no, Forbidden) else 400
        if no.retry is Retry.LATER:
            status = 503
        return JSONResponse({"code": no.code, "message": no.message}, status, NO_STORE)

    def _row(self, result: str, **more: Any) -> tuple[Any, ...]:
        return audit.row(self.actor, self.now, self.action, result, address=self.address, **more)


def told(failure: Failure) -> Response:
    """A failure as the answer to who asked for a file."""
    later = failure.retry_after_seconds
    headers = NO_STORE if later is None else {**NO_STORE, "Retry-After": str(later)}
    return JSONResponse({"code": failure.code, "message": failure.message}, failure.status, headers)


async def _parts(text: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(text), PART):
        yield text[start : start + PART]


def at_of(request: Request) -> datetime | None:
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
