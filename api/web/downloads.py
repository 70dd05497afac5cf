"""Files for people: what GraphQL says, as a spreadsheet reads it."""

from __future__ import annotations

from datetime import date
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.auth import NotSignedIn, Tokens
from api.errors import UNAUTHENTICATED
from models import clock
from models.database import transaction
from models.pool import Pool
from models.problems import Forbidden, InvalidInput, Problem
from models.reports.csv import fund_statement
from resolvers.verbs import read_id


def routes(pool: Pool, tokens: Tokens) -> list[Route]:
    """The routes of downloads. They take the same tokens as `/graphql`."""

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

    return [Route("/reports/fund-statement.csv", statement)]


def _day(request: Request, name: str) -> date:
    try:
        return date.fromisoformat(request.query_params.get(name, ""))
    except ValueError:
        raise InvalidInput(field=name, reason=f"请用 {name}=2026-11-01 的格式给出日期。") from None
