"""Where files are handed out: who asks, what it costs him, what he is answered, and what is written and counted of it.

Everything that ends otherwise than with a file is answered with the codes and seconds that `/graphql` has for it.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api import errors, limits, metrics
from api.address import client_address
from api.asgi import Message, Receive, Scope, Send
from api.errors import Failure
from api.http import REQUEST_ID
from api.logs import traced
from api.operations import Failed, Operations
from api.watching import Gone
from models import audit, audit_flood, clock
from models.access import PUBLIC_ACTOR, Actor
from models.pool import LOST
from models.problems import Busy, Forbidden, InvalidInput, NotFound, Problem, Retry
from resolvers.engine.engine import Refused

log = structlog.get_logger("wushe.downloads")
NO_STORE = {"Cache-Control": "no-store"}
GET_ONLY = dataclasses.replace(errors.METHOD, message="请用 GET 下载。")


class Desk:
    """One request for a file: who asks, from where, when; what he is answered, and what is written of it."""

    def __init__(self, operations: Operations, action: str, request: Request) -> None:
        self.operations, self.action, self.request = operations, action, request
        self.pool = operations.databases.primary
        self.address = client_address(request.scope, operations.proxies)
        self.request_id = id_of(request)
        self.actor, self.now = PUBLIC_ACTOR, clock.now()

    async def admit(self, points: float, find: Callable[[datetime | None], Awaitable[Actor]] | None = None) -> None:
        """Learns who asks and when, and takes what the file costs him. Raises Failed, InvalidInput.

        `find`: who asks where that is not said by a token; of the time that the request says it is.
        """
        at = self._at() if self.operations.given_clock else None

        async def found() -> Actor:
            if find is not None:
                return await find(at)
            tokens = self.operations.tokens
            return await tokens.actor(self.request.headers.get("authorization"), self.now, at)

        shown = None if find is not None else self.request.headers.get("authorization")
        self.actor = await self.operations.known(found, self.address, self.request_id, shown)
        self.now = at or self.now
        if wait := await self.operations.limits.afford(self.actor, self.address, points):
            raise Failed(dataclasses.replace(errors.RATE_LIMITED, retry_after_seconds=wait))

    def _at(self) -> datetime | None:
        """The time that a request says it is, outside production."""
        given = self.request.headers.get("x-wushe-now")
        try:
            return None if given is None else clock.read(given)
        except ValueError:
            raise InvalidInput(field="X-Wushe-Now", reason="X-Wushe-Now 须为带时区的 ISO 8601 时间。") from None

    async def note(self, subject_type: str | None, subject: UUID | None, detail: dict[str, Any]) -> None:
        """Puts on record that something was fetched."""
        row = self._row(audit.DONE, subject_type=subject_type, subject=subject, detail=detail)
        async with self.pool.connection() as connection:
            await audit.write(connection, *row)

    async def refuse(self, no: Exception) -> Response:
        """A refusal, or a failure, as the same codes say it at /graphql. That it cannot be written stops no answer."""
        self.operations.limits.fine(self.address, limits.OPERATION)
        failure = _failure(no)
        if not isinstance(no, Failed):  # those are written, or need not be, as at /graphql
            await self._note_refusal(no, failure)
        if failure is not None:
            return self._failed(failure, no)
        assert isinstance(no, Problem)
        status = 404 if isinstance(no, NotFound) else 403 if isinstance(no, Forbidden) else 400
        if no.retry is Retry.LATER:
            status = 503
        return JSONResponse({"code": no.code, "message": no.message}, status, NO_STORE)

    async def _note_refusal(self, no: Exception, failure: Failure | None) -> None:
        code = no.code if isinstance(no, Problem) else failure.code if failure else type(no).__name__
        refused = failure is None or failure.status < 500
        key = ("refused", self.actor.person or self.address) if refused else ("failed", code)
        try:
            if failure in (errors.BUSY, errors.UNAVAILABLE):
                audit_flood.count(self.pool, key, self._row(code))
            else:
                await audit_flood.note(self.pool, key, audit_flood.EACH, self._row(code))
        except (*LOST, Busy, TimeoutError, asyncpg.PostgresError):
            log.warning("not on the audit log", action=self.action, result=code, request_id=self.request_id)

    def _failed(self, failure: Failure, no: Exception) -> Response:
        said = {"action": self.action, "request_id": self.request_id}
        if failure is errors.INTERNAL:
            log.error("bug", **said, error=traced(no))
        if failure.status >= 500:
            log.warning("failed", **said, code=failure.code)
        return told(failure)

    def _row(self, result: str, **more: Any) -> tuple[Any, ...]:
        return audit.row(
            self.actor, self.now, self.action, result, address=self.address, request=self.request_id, **more
        )


Serve = Callable[[Desk], Awaitable[Response]]


class Hatch:
    """A path at which files are handed out. Every request that ends there is counted."""

    def __init__(self, operations: Operations, action: str, of: str, serve: Serve, methods: tuple[str, ...]) -> None:
        self.operations, self.action, self.of, self.serve, self.methods = operations, action, of, serve, methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises what broke a file off that had begun."""
        status = "gone"

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            request = Request(scope, receive)
            answer = await self._answer(request)
            await answer(scope, receive, heard)
        except Gone:
            pass
        except Exception:
            status = "500"
            raise
        finally:
            metrics.DOWNLOADS.labels(self.of, status).inc()

    async def _answer(self, request: Request) -> Response:
        desk = Desk(self.operations, self.action, request)
        try:
            if request.method not in self.methods:
                raise Failed(GET_ONLY)
            answer = await self.serve(desk)
        except Gone:
            raise
        except Exception as no:
            answer = await desk.refuse(no)
            if answer.status_code == GET_ONLY.status:
                answer.headers["Allow"] = ", ".join(self.methods)
        answer.headers["X-Request-Id"] = desk.request_id
        return answer


def hatch(
    operations: Operations, path: str, action: str, serve: Serve, *, methods: tuple[str, ...] = ("GET",)
) -> Route:
    """The route of a path at which files are handed out: counted by the first word of the path.

    `action`: what the audit log calls a fetching there. `methods`: a file that is made to be fetched has no HEAD, which
    would cost as much as the file, and put on record that somebody has it.
    """
    return Route(path, Hatch(operations, action, path.split("/")[1], serve, methods))


async def counting(operations: Operations, request: Request) -> Actor | Response:
    """Who asks for what is counted, or why nobody is told: in plain words, for Prometheus."""
    request_id, shown = id_of(request), request.headers.get("authorization")

    async def found() -> Actor:
        return await operations.tokens.actor(shown, clock.now())

    try:
        return await operations.known(found, client_address(request.scope, operations.proxies), request_id, shown)
    except Exception as no:
        status, _, later = operations.told(no, request_id)
        headers = {} if later is None else {"Retry-After": str(later)}
        return PlainTextResponse("not signed in" if status == 401 else "come again later", status, headers)


def id_of(request: Request) -> str:
    """What the audit log and ours call a request: what its client does, or a word of our own."""
    given = request.headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given.encode("latin-1")) else uuid.uuid4().hex


def told(failure: Failure) -> Response:
    """A failure as the answer to who asked for a file."""
    later = failure.retry_after_seconds
    headers = NO_STORE if later is None else {**NO_STORE, "Retry-After": str(later)}
    return JSONResponse({"code": failure.code, "message": failure.message}, failure.status, headers)


def _failure(no: Exception) -> Failure | None:
    """What an exception is to the client; None for a refusal that says it itself."""
    if isinstance(no, Failed):
        return no.failure
    if isinstance(no, Refused):
        return errors.BAD_VARIABLES if no.variables else errors.BAD_DOCUMENT
    return None if isinstance(no, Problem) and not isinstance(no, Busy) else errors.failure_of(no)
