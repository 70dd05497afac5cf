"""GraphQL over HTTP: a thin door in front of everything else, which only `/graphql` passes through.

It reads the body, asks who it is, hands the operation to the engine and sends the engine's bytes. What the
specification asks of media types, methods and status codes is kept here, and nothing of GraphQL itself.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import re
import secrets
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import orjson
import structlog
from graphql import ExecutionResult, OperationType

from api import errors, metrics
from api.address import client_address
from api.auth import NotSignedIn, Tokens
from api.databases import Databases
from api.errors import Failure
from api.logs import traced
from models import audit, audit_flood, clock
from models.access import PUBLIC_ACTOR, Actor, Role
from models.identity.rules import ApiScope
from models.pool import LOST
from models.problems import Busy
from resolvers.context import Context, asker
from resolvers.engine.documents import Document
from resolvers.engine.engine import Engine, Refused

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST = 1_000_000
"""Bytes of a body."""
SLOW = 0.05
"""Seconds after which a query is watched, at the latest after twice as many: its client may have left, or its time be
up. Fast ones pay nothing."""
GZIP_FROM = 1_000
PLAIN = b"application/json; charset=utf-8"
SPEC = b"application/graphql-response+json; charset=utf-8"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
WAL = b"x-wushe-wal"

log = structlog.get_logger("wushe.http")


class Failed(Exception):
    """A request that ends with one failure."""

    def __init__(self, failure: Failure, detail: str | None = None) -> None:
        self.failure, self.detail = failure, detail


class Gone(Exception):
    """The client has left; nobody waits for an answer."""


class Running:
    """A query that is being answered: since when, for whom, and why it was ended."""

    __slots__ = ("receive", "since", "task", "watcher", "why")

    def __init__(self, task: asyncio.Task[Any], receive: Receive, since: float) -> None:
        self.task, self.receive, self.since = task, receive, since
        self.watcher: asyncio.Task[None] | None = None
        self.why: type[BaseException] | None = None


class Door:
    """The ASGI application: `/graphql` here, everything else by `pages`."""

    def __init__(
        self,
        engine: Engine,
        databases: Databases,
        tokens: Tokens,
        pages: App,
        *,
        deadline: float,
        given_clock: bool,
        platform: Any = None,
        proxies: int = 0,
    ) -> None:
        self.engine, self.databases, self.tokens, self.pages = engine, databases, tokens, pages
        self.deadline, self.given_clock, self.platform = deadline, given_clock, platform
        self.proxies = proxies
        self._ids = itertools.count(1)
        self._process = secrets.token_hex(4)
        self._running: set[Running] = set()
        self._looking = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._graphql(scope, receive, send)
        else:
            await self.pages(scope, receive, send)

    async def _graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"") and not scope["query_string"]:
            scope = {**scope, "path": "/graphiql", "raw_path": b"/graphiql"}
            await self.pages(scope, receive, send)
            return
        request_id = self._request_id(headers)
        began = time.perf_counter()
        spec = False
        wal: bytes | None = None
        after: int | None = None
        try:
            spec = _accepts_spec(headers.get(b"accept"))
            text, variables, name = await _operation(scope, headers, receive)
            status, body, wal = await self._answer(scope, headers, receive, text, variables, name, request_id, spec)
        except Gone:
            metrics.ended("gone", began)
            return
        except Failed as failed:
            if failed.failure is errors.UNAUTHENTICATED:
                await self._turned_away(scope, request_id, failed.detail)
            status, body = self._failure(failed.failure, request_id, failed.detail)
            after = failed.failure.retry_after_seconds
        except Refused as refused:
            status, body = _refused(refused, request_id, spec)
        except BaseException as error:
            failure = errors.failure_of(error)
            if failure is None:
                raise
            if failure is errors.INTERNAL:
                log.error("bug", request_id=request_id, error=traced(error))
            status, body = self._failure(failure, request_id)
            after = failure.retry_after_seconds
        await _send(send, headers, status, body, SPEC if spec else PLAIN, request_id, wal, after)
        metrics.ended(str(status), began)

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        text: str,
        variables: dict[str, Any],
        name: str | None,
        request_id: str,
        spec: bool,
    ) -> tuple[int, bytes, bytes | None]:
        at = self._at(headers)
        now = at or clock.now()
        actor = await self._actor(headers, at)
        seen = headers.get(WAL)
        reads = self.databases.primary if not self.databases.replicas else await self.databases.reads(seen)
        context = Context(
            text,
            variables,
            name,
            actor,
            asker(actor, now),
            reads,
            self.databases.primary,
            now,
            self.deadline,
            client_address(scope, self.proxies),
            request_id,
            self.platform,
        )
        self._charge(actor, 1)  # a document that is refused costs something too
        document = self.engine.document(context)
        if actor.scopes is not None:
            if document.kind is OperationType.QUERY and ApiScope.READ not in actor.scopes:
                raise Failed(errors.OUT_OF_SCOPE)
            self._charge(actor, document.cost(variables))
        if document.kind is OperationType.MUTATION:
            if scope["method"] == "GET":
                raise Failed(errors.METHOD)
            answer = await self.engine.answer(context, document)
            wal = await self.databases.position()
        elif document.kind is OperationType.QUERY:
            answer = await self._watched(context, document, receive)
            if context.read or actor.role is Role.AUDITOR:
                await context.note_reading()
            wal = seen
        else:
            raise Failed(errors.METHOD, "subscriptions are not served over this transport")
        if isinstance(answer, bytes):
            return 200, answer, wal
        return (*_result(answer, request_id, spec), wal)

    async def _watched(self, context: Context, document: Document, receive: Receive) -> bytes | ExecutionResult:
        """A query's answer; if it takes long, an eye is kept on its client and on the deadline."""
        me = asyncio.current_task()
        assert me is not None
        running = Running(me, receive, me.get_loop().time())
        self._running.add(running)
        if not self._looking:
            self._looking = True
            me.get_loop().call_later(SLOW, self._look)
        try:
            return await self.engine.answer(context, document)
        except asyncio.CancelledError:
            if running.why is None:
                raise
            me.uncancel()
            raise running.why() from None
        finally:
            self._running.discard(running)
            if running.watcher is not None:
                running.watcher.cancel()

    def _look(self) -> None:
        """Begins to watch the queries that have run for long. One timer looks at all, so that fast ones need none."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for running in self._running:
            if running.watcher is None and now - running.since >= SLOW:
                running.watcher = loop.create_task(self._watch(running, self.deadline - (now - running.since)))
        self._looking = bool(self._running)
        if self._looking:
            loop.call_later(SLOW, self._look)

    async def _watch(self, running: Running, seconds: float) -> None:
        """Ends a query whose client leaves, or that has taken its time."""
        leaves = asyncio.ensure_future(_left(running.receive))
        try:
            done, _ = await asyncio.wait([leaves], timeout=seconds)
        finally:
            leaves.cancel()
        running.why = Gone if done else TimeoutError
        running.task.cancel()

    async def _actor(self, headers: dict[bytes, bytes], at: datetime | None) -> Actor:
        given = headers.get(b"authorization")
        if given is None:
            return PUBLIC_ACTOR
        try:
            return await self.tokens.caller(given.decode("latin-1"), clock.now(), at)
        except NotSignedIn as no:
            raise Failed(errors.UNAUTHENTICATED, str(no)) from None

    async def _turned_away(self, scope: Scope, request_id: str, why: str | None) -> None:
        """Writes that a token was refused: once a minute for each address, so that nobody fills the log with it."""
        address = client_address(scope, self.proxies)
        detail = {"why": why}
        code = errors.UNAUTHENTICATED.code
        row = audit.row(
            PUBLIC_ACTOR, clock.now(), "signIn.check", code, address=address, request=request_id, detail=detail
        )
        try:
            await audit_flood.note(self.databases.primary, ("door", address), audit_flood.DOOR, row)
        except (*LOST, Busy, asyncpg.PostgresError):
            log.warning("not on the audit log", action="signIn.check", request_id=request_id)

    def _charge(self, actor: Actor, points: int) -> None:
        """Takes points from a machine's budget. Raises Failed when they are spent."""
        if actor.key is not None and (wait := self.tokens.budgets.spend(actor.key, points)):
            raise Failed(dataclasses.replace(errors.RATE_LIMITED, retry_after_seconds=wait))

    def _at(self, headers: dict[bytes, bytes]) -> datetime | None:
        """The time that the request says it is, outside production."""
        given = headers.get(b"x-wushe-now") if self.given_clock else None
        if given is None:
            return None
        try:
            return clock.read(given.decode("latin-1"))
        except ValueError as no:
            raise Failed(errors.BAD_INPUT, f"X-Wushe-Now: {no}") from None

    def _request_id(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.fullmatch(given):
            return given.decode()
        return f"{self._process}-{next(self._ids):x}"

    def _failure(self, failure: Failure, request_id: str, detail: str | None = None) -> tuple[int, bytes]:
        if failure.status >= 500:
            log.warning("failed", request_id=request_id, code=failure.code)
        return failure.status, orjson.dumps({"errors": [errors.failed(failure, request_id, detail)]})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _accepts_spec(accept: bytes | None) -> bool:
    """Whether the client asks for application/graphql-response+json. Raises Failed when it takes no JSON at all."""
    if accept is None or accept == b"*/*" or accept == b"application/json":
        return False
    best: tuple[float, bool] | None = None
    for part in accept.decode("latin-1").lower().split(","):
        media, *parameters = [p.strip() for p in part.split(";")]
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if quality <= 0:
            continue
        if media == "application/graphql-response+json":
            offer = (quality, True)
        elif media in ("application/json", "*/*", "application/*"):
            offer = (quality, False)
        else:
            continue
        if best is None or offer > best:
            best = offer
    if best is None:
        raise Failed(errors.NOT_ACCEPTABLE)
    return best[1]


async def _operation(
    scope: Scope, headers: dict[bytes, bytes], receive: Receive
) -> tuple[str, dict[str, Any], str | None]:
    """The document, variables and operation name of a request. Raises Failed."""
    if scope["method"] == "POST":
        media = headers.get(b"content-type", b"")
        if media != b"application/json":
            media, _, parameters = media.partition(b";")
            if media.strip().lower() != b"application/json":
                raise Failed(errors.MEDIA_TYPE)
            if b"charset" in parameters.lower() and b"utf-8" not in parameters.lower():
                raise Failed(errors.MEDIA_TYPE, "charset: only utf-8")
        if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
            raise Failed(errors.MEDIA_TYPE, "content-encoding: send the body as it is")
        given: Any = _json(await _body(headers, receive))
        if not isinstance(given, dict):
            raise Failed(errors.MALFORMED, "the body is a JSON object with `query`")
    elif scope["method"] == "GET":
        try:
            pairs = parse_qsl(
                scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(scope["query_string"]),
                errors="strict",
                max_num_fields=20,
            )
        except ValueError:
            raise Failed(errors.MALFORMED, "the query string cannot be read") from None
        given = dict(pairs)
        for name in ("variables", "extensions"):
            if name in given:
                given[name] = _json(given[name].encode()) if given[name] else None
        if given.get("operationName") == "":
            given["operationName"] = None
    else:
        raise Failed(errors.METHOD)
    return _parts(given)


def _parts(given: dict[str, Any]) -> tuple[str, dict[str, Any], str | None]:
    text, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(text, str):
        raise Failed(errors.MALFORMED, "`query` must be a string")
    if variables is not None and not isinstance(variables, dict):
        raise Failed(errors.MALFORMED, "`variables` must be an object")
    if name is not None and not isinstance(name, str):
        raise Failed(errors.MALFORMED, "`operationName` must be a string")
    extensions = given.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise Failed(errors.MALFORMED, "`extensions` must be an object")
    return text, variables or {}, name


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except (ValueError, RecursionError):
        raise Failed(errors.MALFORMED, "not JSON in UTF-8") from None


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:12]) > MOST:
        raise Failed(errors.TOO_LARGE)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts = [body]
        size = len(body)
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > MOST:
                raise Failed(errors.TOO_LARGE)
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise Gone
    if len(body) > MOST:
        raise Failed(errors.TOO_LARGE)
    return body


def _refused(refused: Refused, request_id: str, spec: bool) -> tuple[int, bytes]:
    kind = errors.BAD_VARIABLES if refused.variables else errors.BAD_DOCUMENT
    told = [errors.told(e, request_id, kind) for e in refused.errors[:10]]
    return (400 if spec else 200), orjson.dumps({"errors": told})


def _result(result: ExecutionResult, request_id: str, spec: bool) -> tuple[int, bytes]:
    out: dict[str, Any] = {"data": result.data}
    for error in result.errors or ():
        original = error.original_error
        if original is not None and not hasattr(original, "extensions"):
            log.error("bug", request_id=request_id, path=error.path, error=traced(original))
    if result.errors:
        out = {
            "errors": [errors.told(e, request_id, errors.BAD_INPUT) for e in result.errors[:20]],
            "data": result.data,
        }
    return 200, orjson.dumps(out)


async def _send(
    send: Send,
    headers: dict[bytes, bytes],
    status: int,
    body: bytes,
    media: bytes,
    request_id: str,
    wal: bytes | None,
    after: int | None,
) -> None:
    out = [(b"content-type", media), (b"cache-control", b"no-store"), (b"x-request-id", request_id.encode())]
    if len(body) >= GZIP_FROM and b"gzip" in headers.get(b"accept-encoding", b""):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush()
        out += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
    if wal is not None:
        out.append((WAL, wal))
    if status == 405:
        out.append((b"allow", b"GET, POST"))
    if after is not None:
        out.append((b"retry-after", str(after).encode()))
    out.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": out})
    await send({"type": "http.response.body", "body": body})
