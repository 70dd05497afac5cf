"""The log of a request is bounded, whatever its document: by lines and by bytes, of one and of all."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from api.log_bounds import BURST, EACH, KEPT, LONGEST, SECOND, Bounds
from api.logs import configure
from tests.demo import Demo
from tests.faults.client import Client
from tests.faults.processes import Api
from tests.site import served

WIDE = (
    "query($n:Int!){"
    + "needs(first:$n){edges{node{id "
    + "...A ...B " * 12
    + "}}}}"
    + (
        "fragment A on Need{" + "title status urgency category{code name} createdAt " * 3 + "}"
        "fragment B on Need{" + "...A id subject{id} offers{id} nope{nope{nope}} " * 4 + "}"
    )
)
"""691 bytes of which the stock stack made 91 kB of log: errors, each with the text of the whole document."""


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def configured() -> Iterator[None]:
    """The log as a server has it; afterwards the tests' own again."""
    configure("debug")
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    for handler in [h for h in root.handlers if type(h).__name__ == "_Heeded"]:
        root.removeHandler(handler)


def test_a_request_writes_a_few_lines_and_no_more(configured: None, capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger("wushe")
    for n in range(500):
        log.error("bug", request_id="r-1", path=["needs", n] * 2_000, error="x" * 100_000)
    log.error("bug", request_id="r-2")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == EACH + 1
    assert max(len(line) for line in lines) < 3 * LONGEST
    assert json.loads(lines[-1])["dropped_before"] == 500 - EACH


def test_all_requests_together_have_a_bound_too() -> None:
    clock = Time()
    bounds = Bounds(clock)

    def written(of: int) -> int:
        count = 0
        for n in range(of):
            try:
                bounds(None, "error", {"event": "bug", "request_id": f"{clock.now}-{n}"})
                count += 1
            except structlog.DropEvent:
                pass
        return count

    assert written(BURST * 3) == BURST
    clock.now += 2
    assert written(BURST) == 2 * SECOND
    clock.now += 3600
    assert written(BURST * 2) == BURST
    assert len(bounds._of) <= KEPT


def test_no_number_of_warnings_hides_an_error() -> None:
    bounds, written = Bounds(Time()), 0
    for n in range(5 * BURST):
        try:
            bounds(None, "warning", {"event": "Invalid HTTP request received."})
            written += 1
        except structlog.DropEvent:
            pass
        if n % 1000 == 0:
            assert bounds(None, "error", {"event": "bug", "request_id": f"r-{n}"})
    assert written == BURST
    bounds = Bounds(Time())
    for _ in range(EACH):
        bounds(None, "warning", {"event": "failed", "request_id": "r-x"})
    with pytest.raises(structlog.DropEvent):
        bounds(None, "warning", {"event": "failed", "request_id": "r-x"})
    assert bounds(None, "error", {"event": "bug", "request_id": "r-x"})


async def test_one_name_for_many_requests_hides_none_of_them(
    demo_of_module: Demo, configured: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(demo_of_module.api) as site:

        async def breaks(*_: Any, **__: Any) -> None:
            raise RuntimeError("no sentence of anybody's")

        monkeypatch.setattr(site.door.operations, "answer", breaks)
        configure("debug")
        for _ in range(4 * EACH):
            answer = await site.post("{ __typename }", **{"x-request-id": "always-the-same"})
            assert answer.status_code == 500
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    bugs = [line for line in lines if line.get("event") == "bug"]
    assert len(bugs) == 4 * EACH
    assert {line["request_id"] for line in bugs} == {"always-the-same"}
    assert len({line["own_id"] for line in bugs}) == 4 * EACH


@pytest.mark.parametrize("value", [None, 1, 2.5, True, "text", ["a", 1]])
def test_what_is_short_stays_as_it_is(value: Any) -> None:
    assert Bounds()(None, "info", {"event": "x", "value": value})["value"] == value


async def test_no_document_writes_more_than_a_few_hundred_bytes(demo_of_module: Demo, tmp_path: Any) -> None:
    """Errors of documents are the client's, and told to him: nothing of them is logged at all."""
    bad = "{" + " ".join(f'a{n}: node(id: "need_{n}") {{ id }}' for n in range(15)) + "}"
    texts = [WIDE[:691], WIDE, bad, "{" * 691, "{ nope " * 90, "query($a: [[[Int]]]) { __typename }", '"' * 691]
    async with Api(demo_of_module.api, tmp_path / "log", WUSHE_LOG="debug") as api:
        before = len(api.said())
        client = Client(api.port)
        for text in texts:
            await client.ask(None, text, n=100)
        written = len(api.said()) - before
    print(f"{written} bytes for {len(texts)} documents")
    assert written < 300 * len(texts)
