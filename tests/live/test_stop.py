"""The stop of a server, whatever is under way: within one deadline."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
import structlog
import uvicorn

from api.commands import running
from api.commands.running import announced
from tests.live.watched import until


class Slow:
    """An application that takes its time: with its goodbyes, its answers, its end."""

    def __init__(self, *, forever: bool) -> None:
        self.forever = forever
        self.asked = asyncio.Event()
        self.given: list[float] = []
        self.ended: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.ended.append("lifespan")
            if self.forever:
                await asyncio.sleep(3600)
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.asked.set()
        await asyncio.sleep(3600)

    async def leave(self, seconds: float) -> None:
        self.given.append(seconds)
        await asyncio.sleep(3600 if self.forever else seconds)


@pytest.mark.parametrize("forever", [False, True])
async def test_a_stop_has_one_deadline(monkeypatch: pytest.MonkeyPatch, forever: bool) -> None:
    monkeypatch.setattr(running, "GRACE", 2.0)
    monkeypatch.setattr(running, "STOP", 4.0)
    app = Slow(forever=forever)
    with socket.socket() as door, structlog.testing.capture_logs() as logs:
        door.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=20)
        server = announced(None)(config)
        server.leave = app.leave
        serving = asyncio.ensure_future(server._serve([door]))
        await until(lambda: server.started)
        _, writer = await asyncio.open_connection(*door.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await app.asked.wait()
        began = time.monotonic()
        server.should_exit = True
        await serving
        took = time.monotonic() - began
        writer.close()
    assert app.given == [1.0] and app.ended == ["lifespan"]
    assert took < (4.6 if forever else 3.6)
    assert any(line["event"] == "the stop took too long" for line in logs) is forever


def test_what_is_waited_for_fits_into_what_a_process_is_given() -> None:
    """20 s, as docs/operations.md promises."""
    assert running.GRACE + 2 < running.STOP <= 18
