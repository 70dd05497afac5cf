"""The multipart request specification: every order of parts, every path; and bodies that mean harm."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import errors, uploads
from api.errors import Failure
from api.operations import Failed
from api.uploads import Uploads, is_upload
from api.watching import Gone
from models.files.ports import Upload
from tests.uploads.samples import BOUNDARY, end, operations, part, places

QUERY = "mutation ($file: Upload!) { x }"
TYPE = f"multipart/form-data; boundary={BOUNDARY}".encode()
ONE = operations(QUERY, {"file": None}) + places(f0=["variables.file"]) + part("0", b"content", "a.txt") + end()


async def read(
    folder: Path,
    pieces: Iterable[bytes],
    *,
    content_type: bytes = TYPE,
    files: int = 5,
    most: int = 1000,
    left: bool = False,
    **headers: str,
) -> Any:
    """The request object of a body, files as (name, content); its temporary files are gone when it is told."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.disconnect"} if left else {"type": "http.request", "body": b""})
    queue = iter(waiting)

    async def receive() -> Any:
        return next(queue)

    given_ = {b"content-type": content_type, **{k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}}
    kept: list[Any] = []
    async with Uploads(folder, files=files, most=most).received(given_, receive, "somebody") as found:
        told = shown(found, kept)
        json.dumps(told)
    assert all(body is None or body.closed for body in kept)
    return told


def shown(value: Any, kept: list[Any]) -> Any:
    if isinstance(value, dict):
        return {k: shown(v, kept) for k, v in value.items()}
    if isinstance(value, list):
        return [shown(v, kept) for v in value]
    if isinstance(value, Upload):
        kept.append(value.body)
        if value.body is None:
            return [value.name, None, value.size]
        value.body.seek(0)
        return [value.name, value.body.read().decode("latin-1"), value.size]
    return value


async def refused(folder: Path, body: bytes | list[bytes], failure: Failure, **more: Any) -> str | None:
    """The block's detail: it ends with that failure."""
    with pytest.raises(Failed) as raised:
        await read(folder, [body] if isinstance(body, bytes) else body, **more)
    assert raised.value.failure is failure, raised.value.detail
    return raised.value.detail


async def test_every_order_of_the_parts(tmp_path: Path) -> None:
    """The specification asks for operations, map, files; phones send what they like."""
    parts = [
        operations("mutation ($a: Upload!, $b: Upload) { x }", {"a": None, "b": None}),
        places(f0=["variables.a"], f1=["variables.b"]),
        part("0", b"alpha", "a.txt"),
        part("1", b"beta\r\n--", "b.txt"),
    ]
    for order in itertools.permutations(parts):
        told = await read(tmp_path, [b"".join(order) + end()])
        assert told["variables"] == {"a": ["a.txt", "alpha", 5], "b": ["b.txt", "beta\r\n--", 8]}


async def test_as_a_mini_program_sends_it(tmp_path: Path) -> None:
    """wx.uploadFile: the file first, then the fields of formData, whose values are text; a name of the phone's making."""
    boundary = "WxBoundary0123456789"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="0"; filename="tmp_2d4f.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\npixels\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="map"\r\n\r\n{{"0":["variables.file"]}}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
        f'{{"query":"mutation","variables":{{"file":null}}}}\r\n--{boundary}--\r\n'
    ).encode()
    for kind in (f"multipart/form-data; boundary={boundary}", f'Multipart/Form-Data; boundary="{boundary}"'):
        told = await read(tmp_path, [body], content_type=kind.encode())
        assert told["variables"]["file"] == ["tmp_2d4f.jpg", "pixels", 6]


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_however_the_network_cuts_it(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    content = chance.randbytes(700) + b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n"
    body = operations(QUERY, {"file": None}) + part("0", content, "a") + places(f0=["variables.file"]) + end()
    at = sorted(chance.randrange(len(body)) for _ in range(chance.randrange(40)))
    pieces = [body[i:j] for i, j in itertools.pairwise([0, *at, len(body)])]
    told = asyncio.run(read(tmp_path_factory.mktemp("cut"), pieces))
    assert told["variables"]["file"] == ["a", content.decode("latin-1"), len(content)]


async def test_one_file_on_several_paths_is_one(tmp_path: Path) -> None:
    """Lists, input objects, and one file twice: stock servers read it empty the second time."""
    variables = {"files": [None, None], "input": {"photo": None, "other": 1}}
    paths = {"f0": ["variables.files.0", "variables.input.photo"], "f1": ["variables.files.1"]}
    body = operations("m", variables) + places(**paths) + part("0", b"same", "a") + part("1", b"", "b") + end()
    told = await read(tmp_path, [body])
    same = ["a", "same", 4]
    assert told["variables"] == {"files": [same, ["b", "", 0]], "input": {"photo": same, "other": 1}}


async def test_no_files_at_all(tmp_path: Path) -> None:
    told = await read(tmp_path, [operations("m", {"a": 1}) + places() + end()])
    assert told == {"query": "m", "variables": {"a": 1}}


async def test_what_is_over_its_limit_is_known_by_its_size_alone(tmp_path: Path) -> None:
    body = operations(QUERY, {"file": None}) + places(f0=["variables.file"]) + part("0", b"x" * 1001, "a") + end()
    assert (await read(tmp_path, [body]))["variables"]["file"] == ["a", None, 1001]


def mapped(paths: Any) -> bytes:
    return operations(QUERY, {"file": None, "text": "x", "list": [None], "deep": {"a": None}}) + part(
        "map", json.dumps(paths).encode()
    )


FILE = part("0", b"content", "a.txt") + end()
U = errors.UPLOAD_MALFORMED
HEADS = "".join(f"X-{n}: y\r\n" for n in range(9))
ATTACKS: dict[str, tuple[bytes, Failure]] = {
    "no parts": (end(), U),
    "nothing": (b"", U),
    "no operations": (places(f0=["variables.file"]) + FILE, U),
    "no map": (operations(QUERY, {"file": None}) + FILE, U),
    "truncated": (ONE[:-20], U),
    "truncated in a header": (ONE[:70], U),
    "another boundary": (ONE.replace(BOUNDARY.encode(), b"other"), U),
    "operations is no JSON": (part("operations", b"{query") + mapped({})[-1:] + FILE, U),
    "operations is a batch": (part("operations", b"[{}]") + part("map", b"{}") + end(), U),
    "operations is text": (part("operations", b'"x"') + part("map", b"{}") + end(), U),
    "map is a list": (mapped([]) + end(), U),
    "brackets": (part("operations", b"[" * 100_000) + part("map", b"{}") + end(), U),
    "not UTF-8": (part("operations", b'{"query": "\xff"}') + part("map", b"{}") + end(), U),
    "a path is no text": (mapped({"0": [1]}) + FILE, U),
    "no list of paths": (mapped({"0": "variables.file"}) + FILE, U),
    "an empty list of paths": (mapped({"0": []}) + FILE, U),
    "into the query": (mapped({"0": ["query"]}) + FILE, U),
    "into all variables": (mapped({"0": ["variables"]}) + FILE, U),
    "__proto__": (mapped({"0": ["variables.__proto__.polluted"]}) + FILE, U),
    "__class__": (mapped({"0": ["variables.file.__class__"]}) + FILE, U),
    "a place that is not there": (mapped({"0": ["variables.nothing"]}) + FILE, U),
    "over a value": (mapped({"0": ["variables.text"]}) + FILE, U),
    "beyond a list": (mapped({"0": ["variables.list.1"]}) + FILE, U),
    "before a list": (mapped({"0": ["variables.list.-1"]}) + FILE, U),
    "a huge index": (mapped({"0": ["variables.list." + "9" * 4000]}) + FILE, U),
    "a deep path": (mapped({"0": ["variables" + ".a" * 11]}) + FILE, U),
    "one place twice": (mapped({"0": ["variables.file", "variables.file"]}) + FILE, U),
    "four hundred paths": (mapped({"0": ["variables.file"] * 400}) + FILE, U),
    "a file that is missing": (
        mapped({"0": ["variables.file"], "1": ["variables.deep.a"]}) + FILE,
        errors.UPLOAD_MISSING,
    ),
    "a file that is not used": (mapped({}) + FILE, errors.UPLOAD_UNUSED),
    "a file twice": (mapped({"0": ["variables.file"]}) + part("0", b"a", "a") + FILE, U),
    "a field of no kind": (mapped({"0": ["variables.file"]}) + part("extra", b"text") + FILE, U),
    "map twice": (mapped({}) + part("map", b"{}") + end(), U),
    "six files": (mapped({}) + b"".join(part(str(n), b"x", "a") for n in range(6)) + end(), errors.UPLOAD_MANY),
    "a thousand parts": (
        mapped({}) + b"".join(part(f"p{n}", b"", "a") for n in range(1000)) + end(),
        errors.UPLOAD_MANY,
    ),
    "a huge header": (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{"a" * 5000}"\r\n\r\n'.encode() + FILE,
        U,
    ),
    "many headers": (f"--{BOUNDARY}\r\n{HEADS}\r\n".encode() + FILE, U),
    "headers without an end": (f"--{BOUNDARY}\r\n".encode() + b"X" * 100_000, U),
    "no disposition": (f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n".encode() + FILE, U),
    "another disposition": (
        f'--{BOUNDARY}\r\nContent-Disposition: attachment; name="0"\r\n\r\nx\r\n'.encode() + FILE,
        U,
    ),
    "base64": (
        mapped({"0": ["variables.file"]})
        + FILE.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1),
        U,
    ),
    "a length that lies": (
        mapped({"0": ["variables.file"]}) + FILE.replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 1),
        U,
    ),
    "a part without a name": (mapped({}) + part("", b"x", "a") + end(), U),
    "a negative length": (
        mapped({"0": ["variables.file"]}) + FILE.replace(b"\r\n\r\n", b"\r\nContent-Length: -3\r\n\r\n", 1),
        U,
    ),
    "bare line feeds": (ONE.replace(b"\r\n", b"\n"), U),
    "text without an end": (part("operations", b"x" * 1_000_001) + end(), errors.TOO_LARGE),
    "a map without an end": (part("map", b"x" * 10_001) + end(), errors.TOO_LARGE),
    "a body without an end": (mapped({}) + part("0", b"x" * 1_200_000, "a") + end(), errors.UPLOAD_LARGE),
}


@pytest.mark.parametrize("name", list(ATTACKS))
async def test_a_body_that_means_harm_is_refused_by_name(tmp_path: Path, name: str) -> None:
    body, failure = ATTACKS[name]
    detail = await refused(tmp_path, body, failure)
    assert detail is None or len(detail) <= 200
    pieces = [body[at : at + 977] for at in range(0, len(body), 977)]
    await refused(tmp_path, pieces, failure)


@pytest.mark.parametrize(
    "content_type",
    [
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary=""',
        b"multipart/form-data; boundary=" + b"a" * 71,
        b"multipart/form-data; boundary=" + b"a" * 100_000,
        b"multipart/form-data; boundary=a\xff",
        b'multipart/form-data; boundary="a b "',
        b'multipart/form-data; boundary="a;b"',
        b"multipart/form-data-x; boundary=a",
    ],
)
async def test_boundaries(tmp_path: Path, content_type: bytes) -> None:
    await refused(tmp_path, ONE, U, content_type=content_type)


async def test_a_multipart_in_a_multipart_is_a_file_like_any(tmp_path: Path) -> None:
    inner = b'--inner\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{}\r\n--inner--\r\n'
    body = operations(QUERY, {"file": None}) + places(f0=["variables.file"]) + part("0", inner, "a") + end()
    assert (await read(tmp_path, [body]))["variables"]["file"][1] == inner.decode()


async def test_what_stands_behind_the_end_is_passed_over(tmp_path: Path) -> None:
    whole = await read(tmp_path, [ONE])
    for at in range(len(ONE) - 6, len(ONE) + 1):
        assert await read(tmp_path, [ONE[:at], ONE[at:] + b"epilogue"]) == whole
    await refused(tmp_path, [ONE, b"x" * 2_000_000], errors.UPLOAD_LARGE)


async def test_names_are_only_names(tmp_path: Path) -> None:
    for name in ("../../../etc/passwd", "a\x00b", "x" * 500, "..%2f..", "C:\\x", "照片", "", "CON", "a'b;c"):
        body = operations(QUERY, {"file": None}) + places(f0=["variables.file"]) + part("0", b"x", name) + end()
        try:
            told = await read(tmp_path, [body])
        except Failed as no:
            assert no.failure is U
            continue
        assert told["variables"]["file"][1:] == ["x", 1]


async def test_lengths_and_encodings_that_lie(tmp_path: Path) -> None:
    await refused(tmp_path, ONE, errors.UPLOAD_LARGE, content_length="9" * 30)
    assert await read(tmp_path, [ONE], content_length="3")
    for encoding in ("gzip", "deflate", "br", "gzip, identity"):
        await refused(tmp_path, ONE, errors.MEDIA_TYPE, content_encoding=encoding)


async def test_a_client_that_leaves(tmp_path: Path) -> None:
    with pytest.raises(Gone):
        await read(tmp_path, [ONE[:100]], left=True)


async def test_a_slow_body_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "IDLE", 0.05)
    pieces = iter([ONE[:200]])

    async def receive() -> Any:
        if (piece := next(pieces, None)) is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": piece, "more_body": True}

    with pytest.raises(Failed) as raised:
        async with Uploads(tmp_path, files=5, most=1000).received({b"content-type": TYPE}, receive, 1):
            raise AssertionError
    assert raised.value.failure is errors.UPLOAD_SLOW

    async def drip() -> Any:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"", "more_body": True}

    monkeypatch.setattr(uploads, "LONGEST", 0.1)
    with pytest.raises(Failed) as raised:
        async with Uploads(tmp_path, files=5, most=1000).received({b"content-type": TYPE}, drip, 1):
            raise AssertionError
    assert raised.value.failure is errors.UPLOAD_SLOW


async def test_so_many_at_once(tmp_path: Path) -> None:
    """Three of one person, sixteen in all; what has ended makes room."""
    made = Uploads(tmp_path, files=5, most=1000)
    hold = asyncio.Event()

    async def receive() -> Any:
        await hold.wait()
        return {"type": "http.disconnect"}

    async def one(who: int) -> str:
        try:
            async with made.received({b"content-type": TYPE}, receive, who):
                return "done"
        except Gone:
            return "gone"
        except Failed as no:
            return no.failure.code

    waiting = [asyncio.ensure_future(one(n // 3)) for n in range(16)]
    await asyncio.sleep(0.01)
    assert await one(99) == "UPLOADS_BUSY"
    hold.set()
    assert await asyncio.gather(*waiting) == ["gone"] * 16
    hold.clear()
    waiting = [asyncio.ensure_future(one(1)) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert await one(1) == "UPLOADS_BUSY"
    hold.set()
    await asyncio.gather(*waiting)
    assert not made._whose


async def test_who_is_refused_before_he_begins_takes_no_place(tmp_path: Path) -> None:
    """A place that is not given back is lost until a restart: three shut a person out, sixteen everybody."""
    made = Uploads(tmp_path, files=5, most=1000)

    async def receive() -> Any:
        return {"type": "http.request", "body": ONE}

    wrong: list[dict[bytes, bytes]] = [
        {b"content-type": b"multipart/form-data"},
        {b"content-type": TYPE, b"content-length": b"60000000"},
        {b"content-type": TYPE, b"content-encoding": b"gzip"},
        {b"content-type": b"multipart/form-data; boundary=\xff"},
    ]
    for n in range(50):
        with pytest.raises(Failed) as raised:
            async with made.received(wrong[n % 4], receive, "somebody"):
                raise AssertionError
        assert raised.value.failure is not errors.UPLOADS_BUSY
    assert not made._whose
    async with made.received({b"content-type": TYPE}, receive, "somebody") as found:
        assert found["query"] == QUERY


async def test_what_is_wrong_is_told_in_words_of_ours(tmp_path: Path) -> None:
    """Neither Python's nor the parser's, which quote what was sent."""
    name = ONE.replace(b"a.txt", b"\xff\xfe.jpg")
    assert name != ONE
    details = [await refused(tmp_path, name, U), await refused(tmp_path, ONE[:-20], U)]
    details.append(await refused(tmp_path, ATTACKS["many headers"][0], U))
    for detail in details:
        assert detail is not None and detail.startswith(("the body is not well-formed", "parts or headers are more"))
    long = mapped({"x" * 5000: ["variables.file"]}) + FILE
    assert await refused(tmp_path, long, errors.UPLOAD_MISSING) == "x" * 40


async def test_no_room_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.RawIOBase):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads, "_temporary", lambda folder: Full())
    await refused(tmp_path, ONE, errors.NO_STORAGE)


def test_which_requests_bring_files() -> None:
    assert is_upload("POST", {b"content-type": TYPE})
    assert is_upload("POST", {b"content-type": b"Multipart/Form-Data; boundary=x"})
    assert not is_upload("GET", {b"content-type": TYPE})
    assert not is_upload("POST", {b"content-type": b"application/json"})
    assert not is_upload("POST", {})
