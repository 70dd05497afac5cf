"""Files that come with an operation, by the GraphQL multipart request specification.

    operations  {"query": "mutation ($f: Upload!) { … }", "variables": {"f": null}}
    map         {"0": ["variables.f"]}
    0           (the file)

The parts may come in any order: phones send the file first. Files go to temporary files as they arrive, which have no
name in any folder and are gone with the request; nothing is ever whole in memory. Everything has a bound: parts,
headers, boundary, bytes of a file and of all, paths, time, and how many do this at once.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Hashable
from pathlib import Path
from typing import Any, BinaryIO

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from api import errors, strict
from api.asgi import Receive
from api.operations import Failed
from api.watching import Gone
from models.files.ports import Upload

TEXT = {"operations": 1_000_000, "map": 10_000}
"""The two parts that are text, and how many bytes they may have."""
SLACK = 65_536
"""Bytes for boundaries and headers."""
PATHS = 20
PATH = re.compile(r"variables(\.[_A-Za-z][_0-9A-Za-z]{0,99}|\.[0-9]{1,4}){1,10}", re.ASCII)
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]", re.ASCII)
HELD = 262_144
"""Bytes that are held until they are written."""
IDLE, LONGEST = 10.0, 60.0
"""Seconds between two pieces of a body, and for all of it: as long as a mini-program waits."""
AT_ONCE, EACH = 16, 3
"""Requests with files in a process, and of one person: with 50 MB each, a bound for the temporary folder."""
PREFLIGHTED = (
    b"authorization",
    b"x-apollo-operation-name",
    b"apollo-require-preflight",
    b"graphql-preflight",
    b"graphql-require-preflight",
    b"x-requested-with",
    b"x-wushe-upload",
)
"""A page of somebody else's can post a form to us unasked, but none of these headers without a preflight."""


def is_upload(method: str, headers: dict[bytes, bytes]) -> bool:
    """Whether a request brings files."""
    return method == "POST" and headers.get(b"content-type", b"")[:20].lower().startswith(b"multipart/form-data")


@dataclasses.dataclass
class Part:
    """A file on its way into a temporary file."""

    name: str
    body: BinaryIO | None
    size: int = 0
    hash: Any = dataclasses.field(default_factory=hashlib.sha256)
    held: bytearray = dataclasses.field(default_factory=bytearray)

    def drop(self) -> None:
        """Keeps nothing of it: it is over its limit."""
        if self.body is not None:
            self.body.close()
        self.body = None
        self.held.clear()

    def write(self) -> None:
        """Writes what is held. It blocks. Raises OSError."""
        if self.body is not None:
            self.hash.update(self.held)
            left = memoryview(bytes(self.held))
            while left:
                left = left[self.body.write(left) :]
            self.held.clear()


class Uploads:
    """Reads the bodies of requests with files, so many at once."""

    def __init__(self, folder: Path, *, files: int, most: int) -> None:
        self.folder, self.files, self.most = folder, files, most
        self.total = files * most + sum(TEXT.values()) + SLACK
        self._whose: collections.Counter[Hashable] = collections.Counter()

    @contextlib.asynccontextmanager
    async def received(
        self, headers: dict[bytes, bytes], receive: Receive, who: Hashable
    ) -> AsyncIterator[dict[str, Any]]:
        """The request object of a multipart body, its files in their places, until the block ends.

        `who`: whose it is, for the bound of how many one has at once. Raises Failed, Gone.
        """
        if self._whose.total() >= AT_ONCE or self._whose[who] >= EACH:
            raise Failed(errors.UPLOADS_BUSY)
        reading = Reading(self, headers)  # it may refuse: nobody has a place before
        self._whose[who] += 1
        try:
            yield await reading.whole(receive)
        finally:
            self._whose[who] -= 1
            self._whose += collections.Counter()  # forgets who has none
            for part in reading.parts.values():
                part.drop()


class Reading:
    """One body."""

    def __init__(self, uploads: Uploads, headers: dict[bytes, bytes]) -> None:
        self.uploads = uploads
        self.parts: dict[str, Part] = {}
        self.text: dict[str, bytearray] = {}
        self.now: Part | bytearray | None = None
        self.most = 0
        """Bytes that the text which is read now may have."""
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length[:12]) > uploads.total:
            raise Failed(errors.UPLOAD_LARGE)
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Failed(errors.MEDIA_TYPE, "content-encoding: send the body as it is")
        self.parser = PushMultipartParser(
            _boundary(headers[b"content-type"]),
            max_header_size=2048,
            max_header_count=6,
            max_segment_count=uploads.files + len(TEXT) + 1,
            # not `strict`: that refuses an epilogue (RFC 2046, 5.1.1), if it comes in a packet of its own
        )

    async def whole(self, receive: Receive) -> dict[str, Any]:
        """The request object. Raises Failed, Gone."""
        try:
            async with asyncio.timeout(LONGEST):
                await self._read(receive)
        except TimeoutError:
            raise Failed(errors.UPLOAD_SLOW) from None
        except OSError:
            raise Failed(errors.NO_STORAGE) from None
        except ParserLimitReached:
            raise _wrong("parts or headers are more or longer than they may be") from None
        except MultipartError:
            raise _wrong("the body is not well-formed: boundaries, headers in UTF-8, lengths, and its end") from None
        return self._placed()

    async def _read(self, receive: Receive) -> None:
        total = 0
        while True:
            async with asyncio.timeout(IDLE):
                message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            body = message.get("body", b"")
            total += len(body)
            if total > self.uploads.total:
                raise Failed(errors.UPLOAD_LARGE)
            if body:
                await self._parse(body)
            if not message.get("more_body"):
                break
        self.parser.close()

    async def _parse(self, body: bytes) -> None:
        for event in self.parser.parse(body):
            if isinstance(event, MultipartSegment):
                await self._begin(event)
            elif event is None:
                if isinstance(self.now, Part):
                    await asyncio.to_thread(self.now.write)
                self.now = None
            else:
                await self._take(event)

    async def _begin(self, segment: MultipartSegment) -> None:
        name = segment.name or ""
        if not name:
            raise _wrong("a part without a name")
        if name in self.text or name in self.parts:
            raise _wrong(f"two parts are called {name[:40]!r}")
        if str(segment.header("Content-Transfer-Encoding", "binary")).lower() not in ("binary", "8bit", "7bit"):
            raise _wrong("parts are sent as they are")
        if name in TEXT:
            self.now = self.text[name] = bytearray()
            self.most = TEXT[name]
            return
        if segment.filename is None:
            raise _wrong(f"the part {name[:40]!r} is no file")
        if len(self.parts) >= self.uploads.files:
            raise Failed(errors.UPLOAD_MANY, f"at most {self.uploads.files}")
        body = await asyncio.to_thread(_temporary, self.uploads.folder)
        self.now = self.parts[name] = Part(segment.filename, body)

    async def _take(self, piece: bytes | bytearray) -> None:
        now = self.now
        assert now is not None
        if isinstance(now, bytearray):
            now += piece
            if len(now) > self.most:
                raise Failed(errors.TOO_LARGE)
            return
        now.size += len(piece)
        if now.body is None:
            return
        if now.size > self.uploads.most:
            now.drop()
            return
        now.held += piece
        if len(now.held) >= HELD:
            await asyncio.to_thread(now.write)

    def _placed(self) -> dict[str, Any]:
        """The request object with its files where `map` says. Raises Failed."""
        if "operations" not in self.text or "map" not in self.text:
            raise _wrong("the parts `operations` and `map` are needed")
        given, places = (_json(bytes(self.text[name])) for name in TEXT)
        if isinstance(given, list):
            raise _wrong("one operation at a time")
        if not isinstance(given, dict) or not isinstance(places, dict):
            raise _wrong("`operations` and `map` are JSON objects")
        if sum(len(paths) if isinstance(paths, list) else 1 for paths in places.values()) > PATHS:
            raise _wrong(f"`map` has more than {PATHS} paths")
        if missing := places.keys() - self.parts.keys():
            raise Failed(errors.UPLOAD_MISSING, min(missing)[:40])
        if unused := self.parts.keys() - places.keys():
            raise Failed(errors.UPLOAD_UNUSED, min(unused)[:40])
        for name, paths in places.items():
            if not isinstance(paths, list) or not paths:
                raise _wrong("each file of `map` has a list of paths")
            part = self.parts[name]
            file = Upload(part.name, part.size, part.hash.digest(), part.body, self.uploads.most)
            for path in paths:
                _put(given, path, file)
        return given


def _put(given: dict[str, Any], path: Any, file: Upload) -> None:
    """Puts a file where a null stands. Raises Failed for every other place."""
    if not isinstance(path, str) or not PATH.fullmatch(path):
        raise _wrong("a path of `map` looks like variables.input.file, or variables.files.0")
    *way, last = path.split(".")
    at: Any = given
    for step in way:
        at = _in(at, step)
    if _in(at, last, ...) is not None:
        raise _wrong(f"at {path[:60]} there is no null to be replaced")
    at[int(last) if isinstance(at, list) else last] = file


def _in(at: Any, step: str, absent: Any = None) -> Any:
    if isinstance(at, dict):
        return at.get(step, absent)
    if isinstance(at, list) and step.isdigit() and int(step) < len(at):
        return at[int(step)]
    return absent


def _boundary(content_type: bytes) -> str:
    try:
        media, options = parse_options_header(content_type.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        raise _wrong("the content type cannot be read") from None
    boundary: str = options.get("boundary", "")
    if media != "multipart/form-data" or not BOUNDARY.fullmatch(boundary):
        raise _wrong("the boundary is missing, or has more than 70 characters or other ones than it may")
    return boundary


def _temporary(folder: Path) -> BinaryIO:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder, buffering=0)


def _json(text: bytes) -> Any:
    try:
        return strict.loads(text)
    except strict.Unread:
        raise _wrong("`operations` and `map` are JSON in UTF-8") from None


def _wrong(detail: str) -> Failed:
    return Failed(errors.UPLOAD_MALFORMED, detail)
