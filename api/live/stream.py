"""GraphQL over Server-Sent Events: the mode of distinct connections, as graphql-sse's PROTOCOL.md has it.

One request, one stream: an event `next` for each answer, then `complete`. What is wrong with a document is an answer
too, so that a browser's EventSource gets to see it. A stream that ends without `complete` was cut off, because the
process stops, and its client comes again. Who does not read is cut as with any answer (`api.patience`).
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import structlog
from graphql import OperationType

from api import errors, metrics
from api.asgi import Receive, Send
from api.live.hub import Hub
from api.live.open import Open
from api.live.places import Places
from api.operations import Failed, Operations
from models import clock
from models.access import Actor
from models.identity.accounts.rules import network
from resolvers.context import Context
from resolvers.engine.documents import Document

QUIET = 12.0
"""Seconds of silence after which a comment says that the stream still lives: proxies give up after thirty."""
ALIVE = b":\n\n"
COMPLETE = b"event: complete\ndata: \n\n"

log = structlog.get_logger("wushe.stream")


class Streams:
    """All streams of this process."""

    def __init__(self, operations: Operations, hub: Hub, places: Places) -> None:
        self.operations, self.hub, self.places = operations, hub, places
        self.open: Open[Stream] = Open()

    async def __call__(
        self,
        receive: Receive,
        send: Send,
        context: Context,
        document: Document,
        authorization: str | None,
        at: Any,
    ) -> None:
        """Answers an operation by a stream.

        Raises Failed or Busy, before anything is sent, where there is no place for it or it cannot be paid.
        """
        actor: Any = context.actor
        with self.places.one("stream", context.address and network(context.address), actor.key or actor.person):
            if document.kind is OperationType.SUBSCRIPTION:
                await self.hub.ready()
            await self.operations.charge(context, document)
            if self.places.closed:
                raise Failed(errors.BUSY, "the process is stopping")
            stream = Stream(self, send, context, document, authorization, at)
            with self.open.one(stream):
                await stream.run(receive)

    async def leave(self, seconds: float) -> None:
        """Ends every stream before the process does: what is being answered is answered first, for so long."""
        works = [stream.leave() for stream in self.open.all]
        if works:
            await asyncio.wait(works, timeout=seconds)


async def told(send: Send, answer: bytes, request_id: str) -> None:
    """A stream of one answer: of what is wrong with a document."""
    await _start(send, request_id)
    await send({"type": "http.response.body", "body": _next(answer) + COMPLETE})


class Stream:
    """One stream."""

    def __init__(
        self,
        all: Streams,
        send: Send,
        context: Context,
        document: Document,
        authorization: str | None,
        at: Any,
    ) -> None:
        self.all, self._raw, self.context, self.document = all, send, context, document
        self.authorization, self.at = authorization, at
        self.kind = document.kind
        self.sending = 0
        self.last = time.monotonic()
        """When something was last said."""
        self.until = 0.0
        """When its credential has to be looked at again (`time.monotonic()`)."""
        self.work: asyncio.Task[None] | None = None
        self.asking: asyncio.Task[None] | None = None

    async def run(self, receive: Receive) -> None:
        """Answers until there is nothing more to say, or nobody to say it to. What mutates is carried out all the same."""
        began, ended = time.perf_counter(), "200"
        request_id = self.context.request_id
        assert request_id is not None
        self.work = asyncio.create_task(self._work(request_id))
        leaves = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait([self.work, leaves], return_when=asyncio.FIRST_COMPLETED)
            if not self.work.done():
                ended = "gone"
                if self.kind is not OperationType.MUTATION:
                    self.work.cancel()
        finally:
            leaves.cancel()
            if self.asking is not None:
                self.asking.cancel()
            await asyncio.wait([self.work])
            if ended != "gone":
                await self._raw({"type": "http.response.body", "body": b""})
        metrics.ended(ended, began)

    def leave(self) -> asyncio.Task[None]:
        """The process stops: a subscription ends at once, everything else when it is answered."""
        assert self.work is not None
        if self.kind is OperationType.SUBSCRIPTION:
            self.work.cancel()
        return self.work

    def look(self) -> None:
        """What time asks for: called once a second."""
        if self.work is None or self.work.done():
            return
        if self.asking is None or self.asking.done():
            due = self.authorization is not None and time.monotonic() >= self.until
            if due or (not self.sending and time.monotonic() - self.last >= QUIET):
                self.asking = asyncio.create_task(self._look_again() if due else self._send(ALIVE))

    async def _work(self, request_id: str) -> None:
        """Says everything that there is to say."""
        operations = self.all.operations
        await _start(self._raw, request_id)
        await self._send(ALIVE)  # some browsers wait for a first byte
        try:
            if self.kind is OperationType.SUBSCRIPTION:
                async with aclosing(self.all.hub.subscribe(self.context, self.document, fresh=self._actor)) as answers:
                    async for answer in answers:
                        await self._send(_next(answer))
            else:
                await self._send(_next(await operations.run(self.context, self.document, charged=True)))
        except Exception as error:
            await self._send(_next(operations.told(error, request_id)[1]))
        await self._send(COMPLETE)

    async def _actor(self) -> Actor:
        """Who the client is, as of now. Raises Failed once his credential has ended."""
        actor = await self.all.operations.actor(self.authorization, self.at)
        self.until = self.all.operations.tokens.until(self.authorization, clock.now())
        return actor

    async def _look_again(self) -> None:
        """Ends a subscription when its credential has ended; what cannot be looked up now is looked up again."""
        try:
            await self._actor()
        except Failed as failed:
            if failed.failure is errors.UNAUTHENTICATED and self.kind is OperationType.SUBSCRIPTION:
                assert self.work is not None and self.context.request_id is not None
                _, answer, _ = self.all.operations.told(failed, self.context.request_id)
                self.work.cancel()
                await self._send(_next(answer) + COMPLETE)
        except Exception as error:
            log.warning("a stream's credential was not looked up", error=type(error).__name__)

    async def _send(self, part: bytes) -> None:
        self.sending += 1
        try:
            await self._raw({"type": "http.response.body", "body": part, "more_body": True})
        finally:
            self.sending -= 1
            self.last = time.monotonic()


async def _start(send: Send, request_id: str) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # nginx keeps nothing back
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


def _next(answer: bytes) -> bytes:
    """An answer as an event. Outside its strings, where JSON has no line ends, they mean nothing."""
    return b"event: next\ndata: " + answer.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n\n"


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
