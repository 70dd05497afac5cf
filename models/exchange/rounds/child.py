"""The process that plans, as the worker sees it: started, listened to, and ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from models.exchange.rounds.solving import ANSWER, LENGTH, Answered, Asked, packed

ROOT = Path(__file__).parents[3]
LONGEST_LINE = 1 << 16


class SolverFailed(Exception):
    """The process that plans ended without an answer: its exit status is what is known of it."""


async def plan(asked: Asked, tell: Callable[[float], None]) -> Answered:
    """Plans in another process; when this is cancelled that process is killed, and what it started. Raises SolverFailed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from models.exchange.rounds.solving import main; main()",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with contextlib.suppress(ConnectionError):  # it is dead: that is found out below
            process.stdin.write(packed(asked))
            await process.stdin.drain()
        try:
            return await _heard(process.stdout, tell)
        except asyncio.IncompleteReadError:
            raise SolverFailed(f"exit status {await process.wait()}") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(ConnectionError):
            process.stdin.close()
        await process.wait()


async def _heard(out: asyncio.StreamReader, tell: Callable[[float], None]) -> Answered:
    while (first := await out.readexactly(1)) != ANSWER:
        tell(orjson.loads(first + await out.readuntil(b"\n"))["done"])
    (length,) = LENGTH.unpack(await out.readexactly(LENGTH.size))
    data = await out.readexactly(length)
    answer: Answered = await asyncio.to_thread(pickle.loads, data)
    return answer
