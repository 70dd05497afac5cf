"""Files for people: what GraphQL says, as a spreadsheet reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api import errors
from api.limits import FILE
from api.operations import Failed, Operations
from api.watching import Watching
from api.web.desk import NO_STORE, Desk, hatch
from api.web.role_exports import SHEETS, role_export
from models import clock
from models.access import PUBLIC_ACTOR
from models.database import transaction
from models.privacy.export import export
from models.problems import InvalidInput, NotFound
from models.reports.csv import fund_statement
from resolvers.verbs import read_id

PART = 65_536
"""Bytes that are handed to the network at once."""
SECONDS = 20.0
"""For how long the pages of a sheet may be read, all together: each has an operation's deadline besides."""


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


Make = Callable[[Desk], Awaitable[File]]


def routes(operations: Operations) -> list[Route]:
    """The routes of downloads. They take the tokens of people as `/graphql` does, and its clock where that is given.
    Whoever fetches a file, or is refused it, is on the audit log before he has it."""
    pool = operations.databases.primary
    watching = Watching(SECONDS)

    def route(path: str, action: str, make: Make) -> Route:
        async def serve(desk: Desk) -> Response:
            await desk.admit(FILE)
            file = await make(desk)
            await desk.note(file.subject_type, file.subject, file.detail)
            return _handed(file)

        return hatch(operations, path, action, serve)

    async def statement(desk: Desk) -> File:
        """`/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31&fund=fund_…`: the caller's funds, or one of them."""
        since, until = _day(desk.request, "from"), _day(desk.request, "to")
        given = desk.request.query_params.get("fund")
        fund: UUID | None = None if given is None else read_id(given, "fund", "fund")
        text = await transaction(pool, desk.actor, desk.now, lambda db: fund_statement(db, since, until, fund))
        return File(
            text.encode(),
            "text/csv; charset=utf-8",
            f"基金收支表-{since}-{until}.csv",
            f"fund-statement-{since}-{until}.csv",
            None if fund is None else "Fund",
            fund,
            {"from": since, "to": until},
        )

    async def own_data(desk: Desk) -> File:
        """`/privacy/export/subject_request_….json`: all data of the person who asked, for himself or a child's guardian."""
        _signed_in(desk)
        given = read_id(desk.request.path_params["id"], "subject_request")
        whose, text = await export(pool, desk.actor, desk.now, given)
        return File(
            text,
            "application/json; charset=utf-8",
            f"我的个人信息-{clock.day(desk.now)}.json",
            f"personal-data-{clock.day(desk.now)}.json",
            "SubjectRequest",
            given,
            {"person": str(whose), "bytes": len(text)},
        )

    async def rows(desk: Desk) -> File:
        """`/exports/needs.csv?from=2026-11-01&to=2026-11-30`: what the caller's capacity sees (`api.web.role_exports`)."""
        _signed_in(desk)
        name = desk.request.path_params["sheet"]
        sheet = SHEETS.get(name)
        if sheet is None:
            raise NotFound(what="该导出")
        since, until = _day(desk.request, "from"), _day(desk.request, "to")
        text, count = await watching.run(role_export(desk, sheet, since, until), desk.request.receive)
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


def _handed(file: File) -> Response:
    return StreamingResponse(
        _parts(file.body),
        media_type=file.media,
        headers={
            "Content-Disposition": f"attachment; filename=\"{file.ascii}\"; filename*=UTF-8''{quote(file.name)}",
            "Content-Length": str(len(file.body)),
            **NO_STORE,
        },
    )


async def _parts(text: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(text), PART):
        yield text[start : start + PART]


def _signed_in(desk: Desk) -> None:
    """Raises Failed for who shows no token: nothing of what is here is the public's."""
    if desk.actor is PUBLIC_ACTOR:
        raise Failed(errors.UNAUTHENTICATED, "no token")


def _day(request: Request, name: str) -> date:
    """A day that is given, of the time that is believed at all (`models.clock`)."""
    try:
        found = date.fromisoformat(request.query_params.get(name, ""))
        if clock.EARLIEST.date() <= found < clock.LATEST.date():
            return found
    except ValueError:
        pass
    raise InvalidInput(field=name, reason=f"请用 {name}=2026-11-01 的格式给出 1992 至 2199 年间的日期。")
