"""What is left when a process dies between writing and committing, and who takes it away."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from api.jobs import Tools, sweep_files
from api.storage.local import Folder
from models import clock
from models.files.actions import KEPT, sweep
from models.files.ports import NoStorage
from tests.conftest import NOW
from tests.uploads import samples
from tests.uploads.conftest import Desk

DIES = """
import asyncio, json, sys, tempfile, hashlib
from pathlib import Path
from uuid import UUID
from api.storage.local import Folder
from models import clock, vault
from models.access import Actor, Role
from models.database import transaction
from models.files import actions
from models.files.ports import Upload
from models.files.rules import SubjectKind
from models.files.storing import keep
from models.pool import Pool

given = json.loads(sys.argv[1])
vault.unlock(bytes.fromhex(given["master"]))

async def main():
    pool = Pool(given["url"], 2)
    actor = Actor(Role.COMMUNITY_STAFF, UUID(given["person"]), None, given["area"])
    with open(given["file"], "rb") as body:
        stored = await keep(Folder(Path(given["files"])), Upload("a.png", given["size"], b"", body, 10**7))
    async def work(db):
        await actions.add_attachment(db, SubjectKind.NEED, UUID(given["need"]), stored, "a.png")
        print("written", flush=True)
        await asyncio.sleep(60)
    await transaction(pool, actor, clock.read(given["now"]), work)

asyncio.run(main())
"""


async def test_killed_between_writing_and_committing(desk: Desk, tmp_path: Path) -> None:
    """There is no row without its bytes, and no bytes for long without their row."""
    need, actor = await desk.need(), desk.demo.actors["community-staff"]
    before = await desk.rows("SELECT id FROM attachment ORDER BY id")
    (tmp_path / "a.png").write_bytes(samples.png())
    given = {
        "master": b"tests only".ljust(32).hex(),
        "url": desk.demo.api,
        "person": str(actor.person),
        "area": actor.area,
        "file": str(tmp_path / "a.png"),
        "size": len(samples.png()),
        "files": str(desk.files),
        "need": need.partition("_")[2],
        "now": NOW.isoformat(),
    }
    root = Path(__file__).parents[2]
    child = subprocess.Popen(  # noqa: ASYNC220 - a start is short
        [sys.executable, "-c", DIES, json.dumps(given)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert await asyncio.to_thread(child.stdout.readline) == "written\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert len(desk.stored()) == 1
    kept = await desk.add(need, samples.png(5, 5))
    assert len(await desk.rows("SELECT id FROM attachment ORDER BY id")) == len(before) + 1
    pool, storage = desk.site.tokens.pool, Folder(desk.files)
    assert await sweep(pool, storage, clock.now()) == 0, "what is young may still find its row"
    later = clock.now() + KEPT + timedelta(minutes=1)
    assert await sweep_files(Tools(pool, None, later, files=storage)) == 1
    assert (await desk.fetch(kept["url"])).status_code == 200
    await desk.remove(kept["id"])
    assert await sweep(pool, storage, later) == 1
    assert desk.stored() == []
    assert await sweep_files(Tools(pool, None, later)) == 0


async def test_another_database_s_files_are_left_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    storage = Folder(desk.files)
    for n in range(120):
        storage.write(f"{n:040x}", [b"x"])
    assert await sweep(desk.site.tokens.pool, storage, clock.now() + KEPT + timedelta(hours=1)) == 0
    assert len(desk.stored()) == 120 and "another one's" in caplog.text


async def test_a_sweep_without_its_storage_fails_by_name(desk: Desk) -> None:
    class Away(Folder):
        def older(self, than: object) -> object:  # type: ignore[override]
            raise NoStorage("away")

    with pytest.raises(NoStorage):
        await sweep(desk.site.tokens.pool, Away(desk.files), clock.now())
