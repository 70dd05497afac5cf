"""Who looks at the replicas goes on looking, whatever happens to him."""

from __future__ import annotations

from typing import Any

import pytest

from api import databases
from api.databases import Databases, Replica
from models.pool import Pool
from tests.live.watched import until


async def test_a_bug_ends_no_look_for_good(
    committed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(databases, "BEHIND", 0.1)
    monkeypatch.setattr(databases, "LOOK", 0.02)
    real, looks = Replica.look, 0

    async def look(replica: Replica, due: int) -> Any:
        nonlocal looks
        looks += 1
        if looks <= 2:
            raise ZeroDivisionError
        return await real(replica, due)

    monkeypatch.setattr(Replica, "look", look)
    both = Databases(Pool(committed, 2), [Pool(committed, 2)])  # the second is no replica: it has replayed nothing
    await both.reads(None)
    await until(lambda: both.replicas[0].behind)
    assert looks > 2 and "".join(capsys.readouterr()).count("ZeroDivisionError") >= 2  # wherever the log goes
    assert await both.reads(None) is both.primary
    await both.close()
