"""A restore to a point in time, as docs/operations.md says it: a copy, the log since, and a moment before the mistake."""

from __future__ import annotations

import asyncio
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from api import embedded
from api.embedded import initial
from api.embedded.place import find
from models import clock, migrate
from models.progress import silent
from models.seed import load
from tests.faults.client import FUND, RECEIVE, Client, key
from tests.faults.conftest import Town, town
from tests.faults.processes import Api, Postgres, eventually

GIFTS = "SELECT external_txn FROM donation WHERE external_txn LIKE 'PIT-%' ORDER BY 1"
BALANCED = "SELECT txn_id FROM ledger_entry GROUP BY txn_id HAVING sum(amount_fen) <> 0"


async def give(client: Client, town: Town, fund: str, numbers: range) -> None:
    """Records gifts of a yuan each."""
    for n in numbers:
        gift: dict[str, Any] = {
            "fund": fund,
            "amount": {"amount": "1.00"},
            "channel": "OWN_SITE",
            "externalTxn": f"PIT-{n:03}",
            "newDonor": {"kind": "ANONYMOUS"},
        }
        answer = await client.ask(town.tokens["fund-maker"], RECEIVE, input=gift, key=key())
        assert "id" in answer.outcome, answer.json


async def test_all_stands_as_it_was_at_a_moment(tmp_path: Path, log: Path) -> None:
    folder = tmp_path / "data"
    place = find(folder)
    archive, copy = place.own(place.folder / "archive"), place.own(place.folder / "copy")
    kept = {
        "archive_mode": "on",
        "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f",
        "restore_command": f"cp {archive}/%f %p",
    }
    postgres = Postgres(folder, run=await asyncio.to_thread(embedded.start, folder, kept))
    try:
        await asyncio.to_thread(migrate.upgrade, postgres.cluster.owner_url, "wushe_api")
        await load(postgres.cluster.owner_url, "demo", clock.now(), silent)
        url = postgres.cluster.superuser_url
        initial.run(place, "pg_basebackup", "-D", str(copy), "--checkpoint=fast", "-d", url)
        here = await town(postgres.cluster.api_url, postgres.cluster.owner_url, url)
        async with Api(postgres.cluster.api_url, log) as api:
            client = Client(api.port)
            made = await client.ask(
                here.tokens["fund-maker"], FUND, input={"name": "时点恢复基金", "kind": "UNRESTRICTED"}, key=key()
            )
            fund = made.outcome["id"]
            await give(client, here, fund, range(20))
            ((at,),) = await here.sql("SELECT clock_timestamp()")
            await give(client, here, fund, range(20, 40))
        assert len(await here.sql(GIFTS)) == 40
        await here.sql("SELECT pg_switch_wal()")
        await eventually(lambda: archived(here))
        postgres.kill()  # and its disk is gone
        shutil.rmtree(place.data)
        shutil.move(copy, place.data)
        before = await restored(postgres, kept, at)
        assert [row[0] for row in await before.sql(GIFTS)] == [f"PIT-{n:03}" for n in range(20)]
        assert await before.sql(BALANCED) == []
        async with Api(postgres.cluster.api_url, log) as api:  # and it goes on from there
            client = Client(api.port)
            await give(client, before, fund, range(20, 30))
        assert len(await before.sql(GIFTS)) == 30
    finally:
        postgres.remove()


async def archived(town: Town) -> bool:
    """Whether all of the log is in the archive but what is being written."""
    ((left,),) = await town.sql("SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'")
    return int(left) == 0


async def restored(postgres: Postgres, kept: dict[str, str], at: datetime) -> Town:
    """The server, started on the copy, once it has read the log up to a moment and taken up writing."""
    place = find(postgres.folder)
    signal = place.data / "recovery.signal"
    signal.touch(mode=0o600)
    place.give(signal)
    until = {**kept, "recovery_target_time": at.isoformat(), "recovery_target_action": "promote"}
    postgres.runs.append(await asyncio.to_thread(embedded.start, postgres.folder, until))

    async def writes() -> bool:
        return "f" in await asyncio.to_thread(postgres.cluster.sql, "SELECT pg_is_in_recovery()")

    await eventually(writes, 60)
    return await town(postgres.cluster.api_url, postgres.cluster.owner_url, postgres.cluster.superuser_url)
