"""Attachments end to end: added, shown, fetched, removed, on the record; over HTTP, with demo data."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from tests.conftest import NOW
from tests.uploads import samples
from tests.uploads.conftest import ADD, Desk, key
from tests.uploads.test_multipart import ATTACKS

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


async def test_what_is_stored_shows_nothing(desk: Desk) -> None:
    """Neither the folder nor the row has the picture, its name, or what was said of it."""
    made = await desk.add(await desk.need(), samples.jpeg(), name="王奶奶家.jpg", caption="三楼左手")
    assert made["__typename"] == "Attachment", made
    (row,) = await desk.rows("SELECT * FROM attachment WHERE id = $1", UUID(made["id"].partition("_")[2]))
    (path,) = [p for p in desk.stored() if p.name == row["stored"]]
    assert b"JFIF" not in path.read_bytes() and path.stat().st_mode & 0o777 == 0o600
    plain = "王奶奶家.jpg", "三楼左手"
    assert not [
        v for v in row.values() for text in plain if text.encode() in (v if isinstance(v, bytes) else str(v).encode())
    ]
    assert made["id"] not in path.name and len(row["stored"]) == 40


@pytest.mark.parametrize(
    ("headers", "slug", "status", "code"),
    [
        ({}, None, 403, "PREFLIGHT_REQUIRED"),
        ({"apollo-require-preflight": "true"}, None, 401, "UNAUTHENTICATED"),
        ({"x-apollo-operation-name": "x"}, None, 401, "UNAUTHENTICATED"),
        ({"x-wushe-upload": "1"}, None, 401, "UNAUTHENTICATED"),
        ({"authorization": "Bearer nothing"}, None, 401, "UNAUTHENTICATED"),
        ({"content-encoding": "gzip"}, "resident", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-type": "multipart/mixed; boundary=x"}, "resident", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ({"content-type": "multipart/form-data"}, "resident", 400, "UPLOAD_MALFORMED"),
    ],
)
async def test_who_may_send_files_at_all(
    desk: Desk, headers: dict[str, str], slug: str | None, status: int, code: str
) -> None:
    """A form that a foreign page posts has none of these headers; and nobody's files are read before he is known."""
    got = await desk.post(samples.end(), slug, **headers)
    assert (got.status_code, got.json()["errors"][0]["extensions"]["code"]) == (status, code)


async def test_a_body_that_means_harm_is_answered_and_the_door_stays_open(desk: Desk) -> None:
    for name, (body, failure) in ATTACKS.items():
        got = await desk.post(body, "resident")
        assert got.status_code < 500, name
        code = got.json()["errors"][0]["extensions"]["code"]
        # the limits here are those of production: what is over the small ones of the parser's own tests may pass
        assert code in (failure.code, "UPLOAD_FILE_UNUSED", "UPLOAD_MALFORMED"), name
    assert await desk.ask("{ __typename }", "resident") == {"__typename": "Query"}


async def test_the_same_key_and_content_are_one_attachment(desk: Desk) -> None:
    """A phone that retries names its temporary file anew."""
    need, using = await desk.need(), key()
    told = await asyncio.gather(
        *(desk.add(need, samples.png(), name=f"tmp_{n}.png", caption="门口", using=using) for n in range(3))
    )
    assert {t["__typename"] for t in told} == {"Attachment"}
    assert len({t["id"] for t in told}) == 1
    other = await desk.add(need, samples.png(5, 5), caption="门口", using=using)
    assert other["code"] == "IDEMPOTENCY_CONFLICT"
    assert (await desk.add(need, samples.png(), caption="窗口", using=using))["code"] == "IDEMPOTENCY_CONFLICT"
    assert len(await desk.rows("SELECT 1 FROM attachment WHERE id = $1", UUID(told[0]["id"].partition("_")[2]))) == 1


async def test_several_files_in_one_request_and_one_file_twice(desk: Desk) -> None:
    need, names = await desk.need(), "abc"
    document = "mutation ($s: ID!, $a: Upload!, $b: Upload!, $ka: String!, $kb: String!, $kc: String!) {"
    for alias, file in zip(names, ("$a", "$b", "$a"), strict=True):
        document += f" {alias}: attachmentAdd(subject: $s, file: {file}, idempotencyKey: $k{alias}) {{ ... on Attachment {{ sha256 media }} }}"
    variables = {"s": need, "a": None, "b": None, **{f"k{alias}": key() for alias in names}}
    body = (
        samples.part("1", samples.PDF, "票据.pdf")
        + samples.places(f0=["variables.a"], f1=["variables.b"])
        + samples.part("0", samples.jpeg(), "a.jpg")
        + samples.operations(document + " }", variables)
        + samples.end()
    )
    data = (await desk.post(body)).json()["data"]
    assert [data[alias]["media"] for alias in names] == ["JPEG", "PDF", "JPEG"]
    assert data["a"] == data["c"]


async def test_a_file_only_where_a_file_belongs(desk: Desk) -> None:
    need = await desk.need()
    plain = await desk.site.post(
        ADD, {"subject": need, "file": "x", "key": key()}, token=desk.token("community-staff"), now=NOW.isoformat()
    )
    (error,) = plain.json()["errors"]
    assert error["extensions"]["code"] in ("BAD_INPUT", "BAD_VARIABLES") and "object at" not in plain.text
    literal = 'mutation { attachmentAdd(subject: "x", file: "x", idempotencyKey: "literal-file") { __typename } }'
    assert (await desk.site.post(literal, token=desk.token("community-staff"))).json()["errors"]
    variables = {"subject": need, "file": None, "caption": None, "key": key()}
    body = samples.operations(ADD, variables) + samples.places(f0=["variables.caption"])
    got = await desk.post(body + samples.part("0", b"x", "a") + samples.end())
    assert {error["extensions"]["code"] for error in got.json()["errors"]} == {"BAD_VARIABLES"}
    assert "0x" not in got.text and "tmp" not in got.text


REFUSED = [
    (b"<svg onload='x()'/>", "FILE_TYPE_REFUSED"),
    (b"GIF89a" + bytes(40), "FILE_TYPE_REFUSED"),
    (b"PK\x03\x04" + bytes(40), "FILE_TYPE_REFUSED"),
    (samples.jpeg()[:-2], "FILE_DAMAGED"),
    (b"", "FILE_DAMAGED"),
    (samples.jpeg(width=50_000, height=50_000), "PICTURE_TOO_LARGE"),
    (samples.PDF.replace(b"/Catalog", b"/S /JavaScript"), "FILE_ACTIVE"),
    (samples.jpeg(scan=bytes(10_000_001)), "FILE_TOO_LARGE"),
]


async def test_what_is_refused_leaves_nothing(desk: Desk) -> None:
    need, before = await desk.need(), await desk.rows("SELECT id FROM attachment ORDER BY id")
    for content, code in REFUSED:
        assert (await desk.add(need, content))["code"] == code
    assert desk.stored() == []
    assert await desk.rows("SELECT id FROM attachment ORDER BY id") == before


async def test_who_may_not_is_refused_before_anything_is_stored(desk: Desk) -> None:
    """What one does not see looks absent; what one sees and does not answer for is forbidden."""
    hidden = await desk.rows(
        "SELECT id FROM need WHERE left(area, 12) <> $1 AND sensitivity = 'RESTRICTED' LIMIT 1",
        desk.demo.actors["community-staff"].area,
    )
    nothing = "need_00000000-0000-7000-8000-000000000000"
    for slug in ("community-staff", "grid-officer"):
        for subject in (nothing, f"need_{hidden[0]['id']}"):
            told = await desk.add(subject, samples.png(), slug=slug)
            assert told == {
                "__typename": "NotFound",
                "code": "NOT_FOUND",
                "message": "没有找到该需求，或您无权查看。",
                "retry": "NEVER",
            }
    assert (await desk.add("person_00000000-0000-7000-8000-000000000000", samples.png()))["code"] == "NOT_FOUND"
    assert (await desk.add("no id", samples.png()))["code"] == "INVALID_INPUT"
    open_need = await desk.need()
    for slug in ("auditor", "city-viewer", "fund-checker", "department", "party-secretary", "person", "admin"):
        assert (await desk.add(open_need, samples.png(), slug=slug))["code"] == "FORBIDDEN"
    session = (await desk.ask("{ sessions(first: 1) { edges { node { id } } } }", "public"))["sessions"]["edges"][0]
    assert (await desk.add(session["node"]["id"], samples.png(), slug="volunteer"))["code"] == "FORBIDDEN"
    assert desk.stored() == []


async def test_an_address_is_for_one_file_one_caller_and_five_minutes(desk: Desk) -> None:
    need = await desk.need()
    one, other = [await desk.add(need, samples.png(n, n)) for n in (4, 5)]
    sealed = one["url"].partition("?s=")[2]
    assert (await desk.fetch(one["url"])).status_code == 200
    later = (NOW + timedelta(minutes=4, seconds=59)).isoformat()
    assert (await desk.fetch(one["url"], **{"x-wushe-now": later})).status_code == 200
    late = (NOW + timedelta(minutes=5)).isoformat()
    wrong = [
        (one["url"], {"x-wushe-now": late}),
        (f"/files/{other['id']}?s={sealed}", {}),
        (f"/files/{one['id']}?s={sealed[:-2]}AA", {}),
        (f"/files/{one['id']}?s=", {}),
        (f"/files/{one['id']}?s=%00%ff", {}),
        (f"/files/{one['id']}?s={'A' * 4000}", {}),
    ]
    for path, headers in wrong:
        got = await desk.fetch(path, **headers)
        assert (got.status_code, got.json()["code"]) == (401, "UNAUTHENTICATED"), path
    assert (await desk.fetch(f"/files/{one['id']}")).status_code == 404, "the public sees no photo of a need"
    for path in (
        "/files/need_" + one["id"].partition("_")[2],
        "/files/../schema.graphql",
        "/files/x",
        "/files/attachment_",
    ):
        assert (await desk.fetch(path, "community-staff")).status_code in (400, 404)


async def test_an_address_ends_with_its_caller_s_capacity(desk: Desk) -> None:
    made = await desk.add(await desk.need(), samples.png())
    said = desk.demo.claims["community-staff"]
    owner = await asyncpg.connect(desk.demo.owner)
    try:
        await owner.execute("UPDATE membership SET revoked_at = $2 WHERE id = $1", said.membership, NOW)
        got = await desk.fetch(made["url"])
        assert (got.status_code, got.json()["code"]) == (401, "UNAUTHENTICATED")
    finally:
        await owner.execute("UPDATE membership SET revoked_at = NULL WHERE id = $1", said.membership)
        await owner.close()
    assert (await desk.fetch(made["url"])).status_code == 200


async def test_taken_away_nobody_opens_it_and_that_there_was_one_stays(desk: Desk) -> None:
    need = await desk.need()
    made = await desk.add(need, samples.png(), caption="不该在这里")
    assert (await desk.remove(made["id"], "volunteer"))["code"] in ("FORBIDDEN", "NOT_FOUND")
    gone = await desk.remove(made["id"])
    assert gone == {
        "__typename": "Attachment",
        "id": made["id"],
        "name": None,
        "caption": None,
        "url": None,
        "removedAt": NOW.isoformat(timespec="milliseconds"),
    }
    assert (await desk.remove(made["id"]))["code"] == "NOT_FOUND"
    assert (await desk.fetch(made["url"])).status_code == 404
    shown = await desk.ask(SHOWN, "community-staff", id=need)
    assert made["id"] not in [a["id"] for a in shown["need"]["attachments"]]
    (row,) = await desk.rows(
        "SELECT opener, name, caption FROM attachment WHERE id = $1", UUID(made["id"].partition("_")[2])
    )
    assert tuple(row) == (None, None, None)


async def test_at_most_twenty(desk: Desk) -> None:
    (row,) = await desk.rows(
        "SELECT id FROM offer WHERE organization_id = $1 LIMIT 1",
        desk.demo.actors["ngo-staff"].organization,
    )
    offer = f"offer_{row['id']}"
    told = []
    for at in range(1, 24, 3):
        told += await asyncio.gather(*(desk.add(offer, samples.png(4, n), slug="ngo-staff") for n in range(at, at + 3)))
    codes = [t.get("code") for t in told]
    assert codes.count(None) == 20 and codes.count("TOO_MANY_ATTACHMENTS") == 4
    shown = await desk.ask("query ($id: ID!) { offer(id: $id) { attachments { media } } }", "ngo-staff", id=offer)
    assert len(shown["offer"]["attachments"]) == 20


async def test_it_is_on_the_record(desk: Desk) -> None:
    made = await desk.add(await desk.need(), samples.png())
    await desk.fetch(made["url"])
    await desk.fetch(f"/files/{made['id']}", "resident")
    await desk.remove(made["id"])
    of = UUID(made["id"].partition("_")[2])
    rows = await desk.rows("SELECT action, result, person FROM audit_event WHERE subject = $1 ORDER BY id", of)
    who = desk.demo.claims["community-staff"].person
    assert [tuple(r) for r in rows] == [
        ("attachmentAdd", "DONE", who),
        ("attachment.read", "DONE", who),
        ("attachmentRemove", "DONE", who),
    ]
    refused = await desk.rows(
        "SELECT person FROM audit_event WHERE action = 'attachment.read' AND result = 'NOT_FOUND'"
    )
    assert desk.demo.claims["resident"].person in [r["person"] for r in refused]


async def test_without_its_storage_nothing_is_half_done(desk: Desk) -> None:
    need, before = await desk.need(), await desk.rows("SELECT id FROM attachment ORDER BY id")
    made = await desk.add(need, samples.png())
    (path,) = desk.stored()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for _ in range(2):
        got = await desk.fetch(made["url"])
        assert (got.status_code, got.json()["code"]) == (503, "STORAGE_UNAVAILABLE")
        path.unlink(missing_ok=True)
    path.write_bytes(whole)
    assert (await desk.fetch(made["url"])).status_code == 200
    await desk.remove(made["id"])
    path.unlink()
    path.parent.rmdir()
    desk.files.rmdir()
    desk.files.write_text("no folder any more")
    told = await desk.add(need, samples.png())
    assert (told["code"], told["retry"]) == ("STORAGE_UNAVAILABLE", "LATER")
    assert len(await desk.rows("SELECT id FROM attachment ORDER BY id")) == len(before) + 1


async def test_a_head_tells_of_a_file_and_sends_none_of_it(desk: Desk) -> None:
    made = await desk.add(await desk.need(), samples.png())
    asked = {"x-wushe-now": NOW.isoformat(), "authorization": f"Bearer {desk.token('community-staff')}"}
    got = await desk.site.client.head(f"/files/{made['id']}", headers=asked)
    assert (got.status_code, got.content) == (200, b"")
    assert (got.headers["content-type"], int(got.headers["content-length"])) == ("image/png", made["sizeBytes"])
    assert got.headers["cache-control"] == "no-store" and "sandbox" in got.headers["content-security-policy"]
    stranger = await desk.site.client.head(f"/files/{made['id']}", headers={"x-wushe-now": NOW.isoformat()})
    assert (stranger.status_code, stranger.content) == (404, b"")
    assert (await desk.fetch(f"/files/{made['id']}", "community-staff")).status_code == 200
    of = UUID(made["id"].partition("_")[2])
    rows = await desk.rows(
        "SELECT detail->>'bytes' AS bytes FROM audit_event"
        " WHERE subject = $1 AND action = 'attachment.read' AND result = 'DONE' ORDER BY id",
        of,
    )
    assert [row["bytes"] for row in rows] == ["0", str(made["sizeBytes"])]
    assert (await desk.site.client.post(f"/files/{made['id']}", headers=asked)).headers["allow"] == "GET, HEAD"


async def test_a_file_that_breaks_off_is_counted_as_a_failure(desk: Desk) -> None:
    made = await desk.add(await desk.need(), samples.jpeg(scan=b"\x12\xff\x00\x34" * 50_000))
    assert made["__typename"] == "Attachment", made
    (row,) = await desk.rows("SELECT stored FROM attachment WHERE id = $1", UUID(made["id"].partition("_")[2]))
    (path,) = [p for p in desk.stored() if p.name == row["stored"]]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    told = {"of": "files", "status": "500"}
    before = REGISTRY.get_sample_value("wushe_downloads_total", told) or 0.0
    with pytest.raises(httpx.RemoteProtocolError):
        await desk.fetch(f"/files/{made['id']}", "community-staff")
    assert REGISTRY.get_sample_value("wushe_downloads_total", told) == before + 1
