"""Attachments end to end: added, shown, fetched, removed, on the record; over HTTP, with demo data."""

from __future__ import annotations

import hashlib

from tests.uploads import samples
from tests.uploads.conftest import Desk

SHOWN = "query ($id: ID!) { need(id: $id) { note attachments { id name caption url uploader { name } subject { __typename } } } }"


async def test_a_photo_comes_in_and_goes_out_without_its_place(desk: Desk) -> None:
    need, photo = await desk.need(), samples.jpeg()
    made = await desk.add(need, photo, name="C:\\照片\\王奶奶家 厨房.HTML", caption="水管在漏")
    assert made["__typename"] == "Attachment", made
    assert (made["media"], made["mediaType"], made["name"]) == ("JPEG", "image/jpeg", "王奶奶家_厨房.jpg")
    assert made["caption"] == "水管在漏"
    got = await desk.fetch(f"/files/{made['id']}", "community-staff")
    assert got.status_code == 200
    assert hashlib.sha256(got.content).hexdigest() == made["sha256"]
    assert len(got.content) == made["sizeBytes"] == int(got.headers["content-length"])
    assert samples.GPS not in got.content and got.content.endswith(b"\xff\xd9")
    assert got.headers["content-type"] == "image/jpeg"
    assert got.headers["content-disposition"].startswith(
        'attachment; filename="attachment-2026-11-02.jpg"; filename*=UTF-8'
    )
    assert got.headers.get_list("x-content-type-options")[-1] == "nosniff"
    assert got.headers["cache-control"] == "no-store"
    assert "sandbox" in got.headers["content-security-policy"]
    by_url = await desk.fetch(made["url"])
    assert (by_url.status_code, by_url.content) == (200, got.content)
