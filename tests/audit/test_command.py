"""./wushe audit: it proves the log, names what is broken, and prints what is to be kept elsewhere."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import re
from datetime import datetime

import pytest

from api.commands import audit
from api.settings import Settings, Trouble
from models.access import Claims, Role
from tests.audit.conftest import Log
from tests.make_people import membership, person
from tests.site import served
from tests.site import settings as of_site


async def run(settings: Settings, step: str, **more: str | None) -> int:
    given = argparse.Namespace(step=step, **{"since": None, "head": None, **more})
    return await asyncio.to_thread(audit.audit, given, settings)


@pytest.fixture
def ready(log: Log, committed: str) -> Settings:
    return dataclasses.replace(of_site(committed), owner_url=log.owner_url)


async def test_it_proves_and_names(
    log: Log, ready: Settings, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        await log.write(now, action=f"act{n}")
    await log.seal(now)
    assert await run(ready, "head") == 0
    head = capsys.readouterr().out.strip()
    assert re.fullmatch(r"1 [0-9a-f]{64}", head)
    await log.write(now, action="later")
    await log.seal(now)
    assert await run(ready, "seal") == 0
    assert capsys.readouterr().out == "0 rows sealed.\n"
    assert await run(ready, "verify", head=head) == 0
    told = capsys.readouterr().out
    assert told == (
        "2 seals, 4 rows; 0 rows of dropped months.\n"
        "0 rows wait for their seal.\n"
        "The chain holds up to 2026-11-02 10:00:00+08:00.\n"
    )
    assert await run(ready, "verify", since="2027-01") == 0
    capsys.readouterr()
    assert await run(ready, "verify", head="00" * 31 + "01") == 1
    assert "the end was cut off" in capsys.readouterr().out
    broken = await log.root.fetchval("UPDATE audit_event SET result = 'X' WHERE action = 'act1' RETURNING id")
    assert await run(ready, "verify") == 1
    told = capsys.readouterr().out
    assert told == f"Broken: a row was changed: seal 1, row {broken}, 2026-11-02T10:00:00.000+08:00, act1.\n"


@pytest.mark.parametrize("wrong", [{"since": "last year"}, {"head": "no hash"}])
async def test_what_cannot_be_read_is_a_sentence(ready: Settings, wrong: dict[str, str]) -> None:
    with pytest.raises(Trouble):
        await run(ready, "verify", **wrong)


async def test_an_auditor_who_reads_by_http_is_written_down(log: Log, committed: str) -> None:
    who = await person(log.api, "审计员")
    given = await membership(log.api, who, Role.AUDITOR)
    async with served(committed) as site:
        token = site.token(Claims(who, Role.AUDITOR, given))
        await site.ask("{ me { id } }", token=token)
        await site.ask("{ auditEvents(first: 1) { edges { node { action } } } }", token=token)
    (row,) = await log.api.fetch("SELECT * FROM audit_event")
    assert (row["action"], row["person"], row["role"], row["address"]) == ("audit.read", who, "AUDITOR", "127.0.0.1")
