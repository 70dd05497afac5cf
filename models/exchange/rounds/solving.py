"""The planning itself, in a process of its own: `main`, which the worker starts (`models.exchange.rounds.child`).

It is told what to plan by its standard input, a pickle of our own making, and says how far it is by lines of JSON; the
last thing that it says is a pickle of the answer. It opens no connection. When the worker ends, however, its input ends,
and with it this process and whatever it started: nothing is left behind to plan for nobody.
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import struct
import sys
import threading
import time
from typing import Any, BinaryIO

import orjson

LENGTH = struct.Struct(">Q")
LINE, ANSWER = b"\n", b"="
"""How what it says begins: a line of progress, or the answer's length and the answer."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the worker asks. `seconds`: for how long it may plan."""

    instance: Any
    seconds: int
    seed: int
    fairness: float


@dataclasses.dataclass(frozen=True)
class Answered:
    """What it answers: the plan, what greedy would do, what both are worth, and why needs stay open, by their number."""

    need: list[int]
    option: list[int]
    provider: list[int]
    figures: Any
    objective: int
    seconds: float
    greedy: Any
    greedy_objective: int
    greedy_seconds: float
    open: dict[int, str]


def packed(asked: Asked) -> bytes:
    """What is asked, behind its length."""
    data = pickle.dumps(asked, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(data)) + data


def solved(asked: Asked, tell: Any) -> Answered:
    """Plans. `tell(done)`: of 1."""
    from models.exchange.matching import figures, greedy, solve, why_open

    instance = asked.instance
    began = time.monotonic()
    simple = greedy(instance)
    simple_seconds = time.monotonic() - began
    began = time.monotonic()
    best = solve(
        instance,
        seconds=asked.seconds,
        seed=asked.seed,
        fairness=asked.fairness,
        progress=lambda p: tell(p.done),
    )
    seconds = time.monotonic() - began
    return Answered(
        need=best.need.tolist(),
        option=best.option.tolist(),
        provider=best.provider.tolist(),
        figures=figures(instance, best),
        objective=int(best.objective),
        seconds=seconds,
        greedy=figures(instance, simple),
        greedy_objective=int(simple.objective),
        greedy_seconds=simple_seconds,
        open={int(n): str(reason) for n, reason in why_open(instance, best).items()},
    )


def _end_with(stream: BinaryIO) -> None:
    """Ends this process, and all of its group, when the worker is gone."""

    def wait() -> None:
        stream.read(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Reads, plans, answers."""
    source, out = sys.stdin.buffer, sys.stdout.buffer
    (length,) = LENGTH.unpack(source.read(LENGTH.size))
    asked: Asked = pickle.loads(source.read(length))
    _end_with(source)

    def tell(done: float) -> None:
        out.write(orjson.dumps({"done": round(done, 3)}) + LINE)
        out.flush()

    data = pickle.dumps(solved(asked, tell), pickle.HIGHEST_PROTOCOL)
    out.write(ANSWER + LENGTH.pack(len(data)) + data)
    out.flush()
