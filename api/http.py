"""GraphQL over HTTP: a thin door in front of everything else, which only `/graphql` passes through.

It reads the body, asks who it is, hands the operation to the engine and sends the engine's bytes. What the
specification asks of media types, methods and status codes is kept here, and nothing of GraphQL itself.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
import zlib
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from graphql import OperationType

from api import accept, errors, limits, metrics, strict
from api.accept import Accepted, accepted
from api.address import client_address
from api.asgi import App, Message, Receive, Scope, Send
from api.live.hub import Hub
from api.live.places import Places
from api.live.socket import Sockets
from api.live.stream import Streams, told
from api.log_bounds import named
from api.means import Known, Means, headed, media
from api.operations import Failed, Operations, parts
from api.patience import Bounds
from api.protocol import EXCHANGE, Exchange
from api.security import Cross
from api.uploads import PREFLIGHTED, Uploads, is_upload
from api.watching import Gone
from models import clock
from models.access import PUBLIC_ACTOR, Actor
from resolvers.engine.engine import Refused

MOST = 1_000_000
"""Bytes of a body."""
GZIP_FROM = 1_000
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
WAL = b"x-wushe-wal"
NONE: dict[str, Any] = {}


class Caller(NamedTuple):
    """Who sends a request, and when that is, where he may say it."""

    actor: Actor
    address: str | None
    authorization: str | None
    at: datetime | None


class Door:
    """The ASGI application: `/graphql` here, everything else by `pages`."""

    def __init__(
        self,
        operations: Operations,
        pages: App,
        hub: Hub,
        places: Places,
        uploads: Uploads,
        *,
        origins: frozenset[str] = frozenset(),
        bounds: Bounds | None = None,
    ) -> None:
        self.bounds, self.cross = bounds, Cross(origins)
        """How many connections the server takes (api/patience.py), and whose pages may ask."""
        self.operations, self.pages, self.places, self.uploads = operations, pages, places, uploads
        self.means = Known(operations.proxies)
        self.engine, self.databases, self.tokens = operations.engine, operations.databases, operations.tokens
        self.sockets = Sockets(operations, hub, places, origins=origins, request_id=self._new_id)
        self.streams = Streams(operations, hub, places)
        self._ids = itertools.count(1)
        self._process = secrets.token_hex(4)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            graphql = scope["path"] == "/graphql"
            if graphql and scope["method"] == "POST" and not self.cross.origins:
                means = self.means.of(scope)
                if means is not None:
                    await self._usual(means, scope, receive, send)
                    return
            app = self._graphql if graphql else self.pages
            if self.cross.concerns(scope):
                await self.cross.serve(app, scope, receive, send)
            else:
                await app(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/graphql":
            await self.sockets(scope, receive, send)
        else:
            await self.pages(scope, receive, send)

    async def leave(self, seconds: float) -> None:
        """Ends sockets and streams before the process ends; what is being answered is answered first, for so long."""
        self.places.closed = True
        await asyncio.gather(self.sockets.leave(seconds), self.streams.leave(seconds))

    async def _graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if (
            scope["method"] in ("GET", "HEAD")
            and b"text/html" in headers.get(b"accept", b"")
            and not scope["query_string"]
        ):
            scope = {**scope, "path": "/graphiql", "raw_path": b"/graphiql"}
            await self.pages(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = self._request_id(headers)
        takes = accepted(headers.get(b"accept"))
        actor: Actor = PUBLIC_ACTOR
        wal: bytes | None = None
        after: int | None = None
        try:
            if len(headers) != len(scope["headers"]):
                strict.once(scope["headers"])
            if takes.json is None and not takes.events:
                raise Failed(errors.NOT_ACCEPTABLE)
            if is_upload(scope["method"], headers):
                if not any(name in headers for name in PREFLIGHTED):
                    raise Failed(errors.PREFLIGHT)
                actor = (await self._caller(scope, headers)).actor
                if actor.person is None:
                    raise Failed(errors.UNAUTHENTICATED, "files are for who is signed in")
                async with self.uploads.received(headers, receive, actor.person) as given:
                    caller = await self._caller(scope, headers)  # an upload takes a minute
                    answer = await self._answer(scope, headers, receive, send, given, takes, request_id, caller)
            else:
                caller = await self._caller(scope, headers)
                actor = caller.actor
                if scope["method"] == "POST":
                    body = await _posted(headers, receive)
                    if len(body) > limits.FREE:
                        self.operations.weigh(actor, caller.address, len(body))
                        caller = await self._caller(scope, headers)  # so does a large body over a bad line
                    given = _json(body)
                else:
                    given = _queried(scope)
                answer = await self._answer(scope, headers, receive, send, given, takes, request_id, caller)
            if answer is None:
                return
            body, wal = answer
            status = 200
        except Gone:
            metrics.ended("gone", began)
            return
        except BaseException as error:
            address = client_address(scope, self.operations.proxies)
            status, body, after = await self._failed(error, takes, actor, address, request_id)
            if isinstance(error, Refused) and takes.prefers_events:
                await told(send, body, request_id)
                metrics.ended("200", began)
                return
        gzip = b"gzip" in headers.get(b"accept-encoding", b"")
        await _send(send, gzip, status, body, media(takes), request_id, wal, after)
        metrics.ended(str(status), began)

    async def _usual(self, means: Means, scope: Scope, receive: Receive, send: Send) -> None:
        """The same for JSON that is posted by known means, as nearly everything is; a known query takes the short way."""
        began = time.perf_counter()
        request_id = self._new_id()
        operations, databases = self.operations, self.databases
        exchange: Exchange | None = scope.get("extensions", NONE).get(EXCHANGE)
        actor: Actor = PUBLIC_ACTOR
        wal: bytes | None = None
        after: int | None = None
        status = 200
        try:
            now = clock.now()
            token = means.token
            known = None if token is None else operations.tokens.at_hand(token, now)
            actor = known or await operations.actor(means.authorization, None, means.address)
            there = None if exchange is None else exchange.whole()
            body = await _whole(await receive(), receive) if there is None else there
            if there is None or len(body) > limits.FREE:
                if len(body) > MOST:
                    raise Failed(errors.TOO_LARGE)
                operations.weigh(actor, means.address, len(body))
                actor = await operations.actor(means.authorization, None, means.address)
                now = clock.now()
            given = _json(body)
            reads = databases.primary if not databases.replicas else await databases.reads(None)
            asked = operations.at_hand(given, actor, means.address, request_id, now, reads)
            if asked is not None:
                answered = await operations.read(*asked, receive)
                body = answered if isinstance(answered, bytes) else operations.written(answered, request_id)
            else:
                caller = Caller(actor, means.address, means.authorization, None)
                answer = await self._answer(scope, {}, receive, send, given, means.takes, request_id, caller)
                if answer is None:
                    return
                body, wal = answer
        except Gone:
            metrics.ended("gone", began)
            return
        except BaseException as error:
            status, body, after = await self._failed(error, means.takes, actor, means.address, request_id)
        plain = status == 200 and wal is None and after is None and not (means.gzip and len(body) >= GZIP_FROM)
        if not plain or exchange is None or not exchange.answer(means.lines % request_id.encode(), body):
            await _send(send, means.gzip, status, body, means.media, request_id, wal, after)
        metrics.ended("200" if status == 200 else str(status), began)

    async def _failed(
        self, error: BaseException, takes: Accepted, actor: Actor, address: str | None, request_id: str
    ) -> tuple[int, bytes, int | None]:
        """A failure's status, answer and pause; what came to nothing is fined, and a credential that is refused noted."""
        operations = self.operations
        operations.limits.fine(address, actor=actor)
        if isinstance(error, Failed) and error.failure is errors.UNAUTHENTICATED:
            await operations.turned_away(address, request_id, error.detail)
        status, body, after = operations.told(error, request_id)
        if isinstance(error, Refused) and takes.json == accept.PLAIN and not takes.prefers_events:
            status = 200  # as the specification asks for application/json
        return status, body, after

    async def _answer(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        given: Any,
        takes: Accepted,
        request_id: str,
        caller: Caller,
    ) -> tuple[bytes, bytes | None] | None:
        """The answer to a request object, and the position in the log that it saw; None where a stream has answered."""
        operations, databases = self.operations, self.databases
        _, variables, name = parts(given)
        actor, address, authorization, at = caller
        seen = headers.get(WAL)
        context = operations.context(
            await operations.text(given, actor, address),
            variables,
            name,
            actor,
            reads=databases.primary if not databases.replicas else await databases.reads(seen),
            now=at or clock.now(),
            address=address,
            request_id=request_id,
        )
        document = operations.document(context)
        if document.kind is OperationType.SUBSCRIPTION:
            if not takes.events:
                raise Failed(errors.STREAM_ONLY)
        elif document.kind is OperationType.MUTATION and scope["method"] == "GET":
            raise Failed(errors.METHOD)
        if document.kind is OperationType.SUBSCRIPTION or takes.prefers_events:
            await self.streams(receive, send, context, document, authorization, at)
            return None
        answer = await operations.answer(context, document, receive)
        if document.kind is OperationType.MUTATION:
            seen = await databases.position()
        return operations.written(answer, request_id), seen

    async def _caller(self, scope: Scope, headers: dict[bytes, bytes]) -> Caller:
        """Who asks: known before a byte of the body is read. Raises Failed."""
        at = self.operations.at(_latin(headers.get(b"x-wushe-now")))
        address = client_address(scope, self.operations.proxies)
        authorization = _latin(headers.get(b"authorization"))
        return Caller(await self.operations.actor(authorization, at, address), address, authorization, at)

    def _request_id(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given is not None and REQUEST_ID.fullmatch(given):
            name = given.decode()
            named.set((name, self._new_id()))
            return name
        return self._new_id()

    def _new_id(self) -> str:
        return f"{self._process}-{next(self._ids):x}"


def _latin(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


async def _posted(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    """A body that is JSON. Raises Failed, Gone."""
    media = headers.get(b"content-type", b"")
    if media != b"application/json" and not strict.plain_json(media):
        raise Failed(errors.MEDIA_TYPE)
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise Failed(errors.MEDIA_TYPE, "content-encoding: send the body as it is")
    return await _body(headers, receive)


def _queried(scope: Scope) -> dict[str, Any]:
    """The request object of a query string. Raises Failed."""
    if scope["method"] != "GET":
        raise Failed(errors.METHOD)
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
    given: dict[str, Any] = dict(pairs)
    if len(given) != len(pairs):
        raise Failed(errors.MALFORMED, "a parameter is given twice")
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _json(given[name].encode()) if given[name] else None
    if given.get("operationName") == "":
        given["operationName"] = None
    return given


def _json(body: bytes) -> Any:
    try:
        return strict.loads(body)
    except strict.Unread as no:
        raise Failed(errors.MALFORMED, str(no)) from None


async def _body(headers: dict[bytes, bytes], receive: Receive) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:12]) > MOST:
        raise Failed(errors.TOO_LARGE)
    return await _whole(await receive(), receive)


async def _whole(message: Message, receive: Receive) -> bytes:
    """A body whose beginning has come. Raises Failed, Gone."""
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


async def _send(
    send: Send,
    gzip: bool,
    status: int,
    body: bytes,
    media: bytes,
    request_id: str,
    wal: bytes | None,
    after: int | None,
) -> None:
    out = headed(media, request_id.encode())
    if gzip and len(body) >= GZIP_FROM:
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
