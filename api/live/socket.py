"""GraphQL over WebSocket: the sub-protocol `graphql-transport-ws`, as its PROTOCOL.md has it.

Queries and mutations run here too. What the protocol forbids ends the socket with the close code that it names, and
nothing that a client can send is an exception. A client that cannot send headers (a browser, a mini-program) says
who it is in the payload of `connection_init`; when that credential ends, so does the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

import orjson
import structlog
from graphql import OperationType

from api import errors, metrics, strict
from api.address import client_address
from api.asgi import Message, Receive, Scope, Send
from api.errors import Failure
from api.live.frames import (
    AGAIN,
    FORBIDDEN,
    GOING_AWAY,
    INTERNAL,
    INVALID,
    LATER,
    PROTOCOL,
    SUBPROTOCOL,
    TAKEN,
    TIMEOUT,
    UNAUTHORIZED,
    Closed,
    id_of,
    read,
)
from api.live.hub import Hub
from api.live.open import Open
from api.live.places import Places
from api.operations import Failed, Operations, parts
from api.watching import Gone
from models import clock
from models.access import PUBLIC_ACTOR, Actor
from models.identity.accounts.rules import network

WECHAT = "https://servicewechat.com"
"""The origin that mini-programs name, whichever they are."""
INIT = 10.0
"""Seconds in which a client has to say `connection_init`."""
MOST = 50
"""Operations of a socket at once, mutations that nobody waits for any more among them."""

log = structlog.get_logger("wushe.socket")


def welcome(origin: str | None, host: str | None, others: frozenset[str]) -> bool:
    """Whether a page of that origin may open a socket here: browsers ask nobody else before they do (RFC 6455 §10.2).

    What is no browser names none. `others`: origins that the settings allow.
    """
    if origin is None or origin == WECHAT or origin in others:
        return True
    return host is not None and origin.lower() in (f"https://{host.lower()}", f"http://{host.lower()}")


class Sockets:
    """All sockets of this process."""

    def __init__(
        self,
        operations: Operations,
        hub: Hub,
        places: Places,
        *,
        origins: frozenset[str],
        request_id: Callable[[], str],
    ) -> None:
        self.operations, self.hub, self.places = operations, hub, places
        self.origins, self.request_id = origins, request_id
        self.open: Open[Socket] = Open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One socket, from its handshake to its end."""
        await receive()  # that it wants to connect
        headers: dict[bytes, bytes] = dict(scope["headers"])
        address = client_address(scope, self.operations.proxies)
        with contextlib.suppress(OSError):
            try:
                if not welcome(_latin(headers.get(b"origin")), _latin(headers.get(b"host")), self.origins):
                    raise Failed(errors.ORIGIN)
                strict.once(scope["headers"])
                with self.places.one("socket", address and network(address)):
                    socket = Socket(self, scope, headers, address, receive, send)
                    with self.open.one(socket):
                        await socket.run()
            except Failed as failed:
                self.operations.limits.fine(address)
                await _refuse(send, failed.failure, self.request_id())

    async def leave(self, seconds: float) -> None:
        """Ends every socket before the process does: what is being answered is answered first, for so long."""
        await asyncio.gather(*[socket.leave(seconds) for socket in self.open.all])


class Operation:
    """One operation of a socket. `mutates`: it goes on when nobody waits for it any more, and is not heard of."""

    __slots__ = ("id", "mutates", "silent", "streams", "task")

    def __init__(self, id: str) -> None:
        self.id = id
        self.mutates = self.streams = self.silent = False
        self.task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self.silent = True
        if not self.mutates and self.task is not None:
            self.task.cancel()


class Socket:
    """One socket, and what runs over it."""

    def __init__(
        self,
        all: Sockets,
        scope: Scope,
        headers: dict[bytes, bytes],
        address: str | None,
        receive: Receive,
        send: Send,
    ) -> None:
        self.all, self.scope, self.headers, self.address = all, scope, headers, address
        self.operations = all.operations
        self._receive, self._raw = receive, send
        self.loop = asyncio.get_running_loop()
        self.opened = self.loop.time()
        self.asked = self.acknowledged = self.leaving = self.closed = False
        self.authorization = _latin(headers.get(b"authorization"))
        self.at: datetime | None = None
        self.actor: Actor = PUBLIC_ACTOR
        """Who the client was when that was last asked."""
        self.until = 0.0
        """When its credential has to be looked at again (`time.monotonic()`)."""
        self.wal: bytes | None = None
        """What its mutations have written, so that its queries read it."""
        self.running: dict[str, Operation] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._held = contextlib.ExitStack()

    async def run(self) -> None:
        """Speaks with the client until one of both ends it. What was begun to be written is written to its end."""
        speaks = PROTOCOL in self.scope["subprotocols"]
        try:
            await self._raw({"type": "websocket.accept", "subprotocol": PROTOCOL if speaks else None})
            if not speaks:
                raise Closed(SUBPROTOCOL, f"speak {PROTOCOL}")
            while (message := await self._receive())["type"] != "websocket.disconnect":
                await self._heard(message)
        except Closed as closed:
            self.operations.limits.fine(self.address, actor=self.actor)
            await self._close(closed.code, closed.reason)
        except Failed:  # its bytes cannot be paid
            await self._close(LATER, "come again later")
        except Gone:
            pass
        finally:
            self.closed = True
            for operation in list(self.running.values()):
                operation.stop()
            with self._held:
                if self.tasks:
                    await asyncio.wait(self.tasks)

    def look(self) -> None:
        """What time asks for: called once a second."""
        if self.closed:
            return
        if not self.asked and self.loop.time() - self.opened > INIT:
            self._aside(self._close(TIMEOUT, "connection_init took too long"))
        elif self.acknowledged and self.authorization is not None and time.monotonic() >= self.until:
            self.until = time.monotonic() + 10  # one look at a time; this answers sooner
            self._aside(self._look_again())

    async def leave(self, seconds: float) -> None:
        """Says goodbye, once what is being answered has been."""
        self.leaving = True
        waited = [o.task for o in self.running.values() if o.task is not None and not o.streams]
        for operation in self.running.values():
            if operation.streams:
                operation.stop()
        if waited:
            await asyncio.wait(waited, timeout=seconds)
        await self._close(GOING_AWAY, "the server restarts: come again")

    # what is heard

    async def _heard(self, message: Message) -> None:
        """One message. Raises Closed for what the protocol forbids."""
        self.operations.weigh(self.actor, self.address, len(message.get("text") or ""))
        said = read(message)
        match said["type"]:
            case "subscribe":
                await self._subscribe(said)
            case "complete":
                if (operation := self.running.pop(id_of(said), None)) is not None:
                    operation.stop()
            case "ping":
                payload = {"payload": said["payload"]} if said.get("payload") is not None else {}
                await self._say({"type": "pong", **payload})
            case "pong":
                pass
            case "connection_init":
                await self._init(said.get("payload") or {})
            case _:
                raise Closed(INVALID, "an unknown type of message")

    async def _init(self, payload: dict[str, Any]) -> None:
        if self.asked:
            raise Closed(AGAIN, "Too many initialisation requests")
        self.asked = True
        given = payload.get("authorization", payload.get("Authorization"))
        if given is not None and not isinstance(given, str):
            raise Closed(INVALID, "connection_init: authorization is a string")
        self.authorization = given or self.authorization
        try:
            said = payload.get("x-wushe-now")
            self.at = self.operations.at(said if isinstance(said, str) else _latin(self.headers.get(b"x-wushe-now")))
            actor = await self._actor(self.address)
            self.operations.arrive(actor, self.address)
            self._held.enter_context(self.all.places.among(actor.key or actor.person))
        except Exception as error:
            self.operations.limits.fine(self.address, actor=self.actor)
            await self._unwelcome(error)
            return
        await self._say({"type": "connection_ack"})
        self.acknowledged = True

    async def _subscribe(self, said: dict[str, Any]) -> None:
        id, payload = id_of(said), said.get("payload")
        if not isinstance(payload, dict):
            raise Closed(INVALID, "subscribe: the payload is an object")
        if not self.acknowledged:
            raise Closed(UNAUTHORIZED, "Unauthorized")
        if id in self.running:
            shown = id.encode()[:90].decode(errors="ignore")  # a reason has room for 123 bytes
            raise Closed(TAKEN, f"Subscriber for {shown} already exists")
        if self.leaving:
            return  # it is told to come again
        if len(self.tasks) >= MOST:
            self.operations.limits.fine(self.address, actor=self.actor)
            await self._fail(Operation(id), Failed(errors.TOO_MANY_OPERATIONS), self.all.request_id())
            return
        try:
            parts(payload)
        except Failed as failed:
            if failed.failure is errors.MALFORMED:
                raise Closed(INVALID, f"subscribe: {failed.detail}") from None
            self.operations.limits.fine(self.address, actor=self.actor)
            await self._fail(Operation(id), failed, self.all.request_id())
            return
        operation = self.running[id] = Operation(id)
        operation.task = self._aside(self._operate(operation, payload))

    # what is done

    def _aside(self, work: Any) -> asyncio.Task[None]:
        """Does something while the socket listens on."""
        task: asyncio.Task[None] = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _operate(self, operation: Operation, given: dict[str, Any]) -> None:
        """Answers one operation, whatever happens."""
        request_id, began, ended = self.all.request_id(), time.perf_counter(), "gone"
        try:
            await self._answer(operation, given, request_id)
            ended = "200"
        except Gone:
            pass
        except Exception as error:
            if isinstance(error, Failed) and error.failure is errors.UNAUTHENTICATED:
                ended = "401"
                await self._unwelcome(error)
            else:
                ended = await self._fail(operation, error, request_id)
        finally:
            self._forget(operation)
            if not operation.streams:
                metrics.ended(ended, began)

    async def _answer(self, operation: Operation, given: dict[str, Any], request_id: str) -> None:
        operations, databases = self.operations, self.operations.databases
        _, variables, name = parts(given)
        actor = await self._actor()
        context = operations.context(
            await operations.text(given, actor, self.address),
            variables,
            name,
            actor,
            reads=databases.primary if not databases.replicas else await databases.reads(self.wal),
            now=self.at or clock.now(),
            address=self.address,
            request_id=request_id,
        )
        document = operations.document(context)
        if document.kind is OperationType.SUBSCRIPTION:
            if self.leaving:
                raise Gone
            operation.streams = True
            await operations.charge(context, document)
            async with aclosing(self.all.hub.subscribe(context, document, fresh=self._actor)) as answers:
                async for answer in answers:
                    await self._next(operation, answer)
        else:
            operation.mutates = document.kind is OperationType.MUTATION
            result = await operations.answer(context, document)
            if operation.mutates:
                self.wal = await databases.position()
            await self._next(operation, operations.written(result, request_id))
        self._forget(operation)
        if not operation.silent:
            await self._say({"id": operation.id, "type": "complete"})

    async def _actor(self, address: str | None = None) -> Actor:
        """Who the client is, as of now. Raises Failed once his credential has ended.

        `address`, the first time: whoever else guesses at credentials from there later does not end what is open.
        """
        actor = self.actor = await self.operations.actor(self.authorization, self.at, address)
        self.until = self.operations.tokens.until(self.authorization, clock.now())
        return actor

    async def _look_again(self) -> None:
        """Ends the socket when its credential has ended; what cannot be looked up now is looked up again."""
        try:
            await self._actor()
        except Failed as failed:
            await self._unwelcome(failed)
        except Exception as error:
            log.warning("a socket's credential was not looked up", error=type(error).__name__)

    def _forget(self, operation: Operation) -> None:
        if self.running.get(operation.id) is operation:
            del self.running[operation.id]

    # what is said

    async def _next(self, operation: Operation, answer: bytes) -> None:
        if not operation.silent:
            id = orjson.dumps(operation.id).decode()
            await self._send(
                {"type": "websocket.send", "text": f'{{"id":{id},"type":"next","payload":{answer.decode()}}}'}
            )

    async def _fail(self, operation: Operation, error: Exception, request_id: str) -> str:
        """Says why an operation was not begun, or could not go on. Answers its status."""
        status, answer, _ = self.operations.told(error, request_id)
        self._forget(operation)
        if not operation.silent:
            with contextlib.suppress(Gone):
                payload = orjson.loads(answer)["errors"]
                await self._say({"id": operation.id, "type": "error", "payload": payload})
        return str(status)

    async def _unwelcome(self, error: Exception) -> None:
        """Ends the socket of somebody who is not let in, or not any more."""
        request_id = self.all.request_id()
        status, _, _ = self.operations.told(error, request_id)
        if isinstance(error, Failed) and error.failure is errors.UNAUTHENTICATED:
            await self._close(FORBIDDEN, "the credential is not valid, or has ended")
            await self.operations.turned_away(self.address, request_id, error.detail)
        elif status in (429, 503):
            await self._close(LATER, "come again later")
        else:
            await self._close(*((INVALID, "x-wushe-now") if status < 500 else (INTERNAL, "Internal server error")))

    async def _say(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": orjson.dumps(message).decode()})

    async def _close(self, code: int, reason: str) -> None:
        if not self.closed:
            self.closed = True
            metrics.CLOSES.labels(str(code)).inc()
            with contextlib.suppress(Gone):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def _send(self, message: Message) -> None:
        """Sends, as fast as the client takes it. Raises Gone."""
        try:
            await self._raw(message)
        except OSError:
            raise Gone from None


async def _refuse(send: Send, failure: Failure, request_id: str) -> None:
    """Answers a handshake with a failure."""
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]
    if failure.retry_after_seconds is not None:
        headers.append((b"retry-after", str(failure.retry_after_seconds).encode()))
    body = orjson.dumps({"errors": [errors.failed(failure, request_id)]})
    await send({"type": "websocket.http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _latin(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
