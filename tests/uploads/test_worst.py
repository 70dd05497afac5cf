"""What it costs to clean a file that is made to be dear, and whoever waits meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from api.storage.local import Folder
from models.files.clean import MOST, cleaned, whole
from models.files.kinds import media_type
from models.files.ports import Upload
from models.files.problems import FileDamaged
from models.files.sealing import PIECE, sealed
from models.files.storing import keep
from models.problems import Problem
from tests.uploads import samples
from tests.uploads.conftest import Desk
from tests.uploads.worst import WORST, nested, plain

SIZE = 10_000_000
SMALL = 60_000
DEARER = 10
"""How much dearer than all that is done with a photo of that size. Measured: 4 at most."""


def clean(content: bytes) -> None:
    kind = media_type(content[:64])
    assert kind is not None
    with contextlib.suppress(Problem):
        cleaned(kind, content)


def kept(content: bytes) -> None:
    """All that is done with a photo: it is hashed as it comes, cleaned, hashed and sealed."""
    hashlib.sha256(content)
    kind = media_type(content[:64])
    assert kind is not None
    parts = list(whole(content, cleaned(kind, content), PIECE))
    hashlib.sha256(b"".join(parts))
    for _ in sealed(bytes(32), "name", parts):
        pass


def cost(work: Callable[[bytes], None], content: bytes) -> float:
    """Seconds of this thread's own, the least of three: what others do on the machine is no matter."""
    took = []
    for _ in range(3):
        began = time.thread_time()
        work(content)
        took.append(time.thread_time() - began)
        if took[-1] > 3:
            break
    return min(took)


@pytest.fixture(scope="module")
def photo() -> float:
    return cost(kept, plain(SIZE))


@pytest.mark.parametrize("name", list(WORST))
def test_the_worst_costs_little_more_than_a_photo(name: str, photo: float) -> None:
    """A small one first: of a pattern that looks at bytes twice the large one never ends."""
    assert cost(clean, WORST[name](SMALL)) < photo
    content = WORST[name](SIZE)
    assert len(content) > SIZE * 0.99
    assert cost(clean, content) < DEARER * photo


@pytest.mark.parametrize("unit", [samples.box(b"udta", b""), samples.box(b"trak", b""), samples.box(b"free", b"")])
def test_so_many_boxes_and_no_more(unit: bytes) -> None:
    """Wherever they stand: one count for all of a film."""
    start = samples.box(b"ftyp", b"isom" + bytes(4)) + samples.box(b"mdat", b"x")
    for many, problem in ((MOST - 3, None), (MOST - 2, FileDamaged)):
        assert _refusal(start + samples.box(b"moov", unit * many)) is problem
        assert _refusal(start + samples.box(b"moov", b"") + unit * many) is problem


def _refusal(content: bytes) -> type[Problem] | None:
    kind = media_type(content[:64])
    assert kind is not None
    try:
        cleaned(kind, content)
    except Problem as no:
        return type(no)
    return None


@pytest.mark.parametrize("depth", [2, 2_000])
def test_a_track_in_a_track_is_damage(depth: int) -> None:
    assert _refusal(nested(b"trak", depth)) is FileDamaged
    assert _refusal(nested(b"mdia", depth)) is None, "what is in other boxes is not looked at"
    assert _refusal(nested(b"trak", 1)) is None


def _upload(content: bytes) -> Upload:
    body = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  an upload closes it
    body.write(content)
    return Upload("a", len(content), bytes(32), body, SIZE * 2)


async def _slowest(during: Iterable[Any]) -> float:
    """The longest that the event loop kept something small waiting while that was done."""
    slowest = 0.0

    async def beat() -> None:
        nonlocal slowest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            slowest = max(slowest, time.monotonic() - began)

    beating = asyncio.ensure_future(beat())
    await asyncio.gather(*during, return_exceptions=True)
    beating.cancel()
    return slowest


async def test_nobody_waits_meanwhile(tmp_path: Path) -> None:
    """A probe of health is answered while all of the worst are cleaned at once; the best of three, as others work here too."""
    storage, uploads = Folder(tmp_path), [_upload(make(SIZE)) for make in WORST.values()]
    gc.collect()  # what was imported is looked through once; that is no cleaning's business
    waits = []
    for _ in range(3):
        waits.append(await _slowest(keep(storage, upload) for upload in uploads))
        if waits[-1] < 0.2:
            break
    for upload in uploads:
        assert upload.body is not None
        upload.body.close()
    assert min(waits) < 0.2, waits


async def test_nobody_is_shut_out_by_bodies_that_are_wrong(desk: Desk) -> None:
    """Of one person, who has three places: his fourth wrong body is answered like his first."""
    for headers in ({"content-type": "multipart/form-data"}, {"content-encoding": "gzip"}) * 4:
        got = await desk.post(samples.end(), **headers)
        assert got.json()["errors"][0]["extensions"]["code"] in ("UPLOAD_MALFORMED", "UNSUPPORTED_MEDIA_TYPE")
    assert (await desk.add(await desk.need(), samples.png()))["__typename"] == "Attachment"


async def test_a_film_of_nothing_but_tracks_in_tracks_is_answered(desk: Desk) -> None:
    assert (await desk.add(await desk.need(), nested(b"trak", 2_000)))["code"] == "FILE_DAMAGED"


async def test_a_name_that_is_no_text_is_answered_in_words_of_ours(desk: Desk) -> None:
    body = samples.operations("{ __typename }", {}) + samples.places() + samples.part("0", b"x", "NAME") + samples.end()
    got = await desk.post(body.replace(b"NAME", b"\xff\xfe.jpg"))
    assert got.status_code == 400 and "UPLOAD_MALFORMED" in got.text
    assert not [word for word in ("codec", "0x", "Unicode", "Error", "utf") if word in got.text]


async def test_a_range_is_answered_with_the_whole(desk: Desk) -> None:
    """Ranges are optional (RFC 9110, 14.2): nobody is promised them, and no piece is cut out of a sealed file."""
    made = await desk.add(await desk.need(), samples.png())
    for asked in ("bytes=0-1", "bytes=-5", "bytes=999999-", "bytes=5-2", "bytes=" + "0-1," * 1000, "lines=x"):
        got = await desk.fetch(f"/files/{made['id']}", "community-staff", range=asked)
        assert (got.status_code, len(got.content)) == (200, made["sizeBytes"])
        assert got.headers["accept-ranges"] == "none" and "content-range" not in got.headers
