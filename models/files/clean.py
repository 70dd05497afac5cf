"""What of a file is kept: the picture, the sound, the words, and not where it was taken.

A photo of somebody's room tells by its GPS tags where the room is. So pictures and films are taken apart and put
together again from the parts that show something; EXIF, XMP, remarks, thumbnails, and whatever stands behind the end
(a second file, say) stay behind. Nothing is decoded: what is walked are lengths, each of them bounded.

Whoever sends a file chooses what it is made of, so what it costs is bounded too: so many pieces in it and no more
(FileDamaged beyond), no pattern that looks at a byte twice, and none over more than a window at once, since `re` holds
the interpreter until it is done. 10 MB of the worst take some 0.1 s.

What comes out is a list of parts: bytes of our own, and (from, to) of the content, so that nothing is copied.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from models.files.kinds import MediaType
from models.files.problems import FileActive, FileDamaged, FileTypeRefused, PictureTooLarge

Content: TypeAlias = Any
"""`bytes`, or a file mapped into memory (`mmap`)."""
Parts: TypeAlias = "list[bytes | tuple[int, int]]"

MEGAPIXELS = 100
ORIENTATION = 0x0112
MOST = 10_000
"""Segments of a JPEG, chunks of a PNG or WebP, boxes of a film. Cameras write hundreds."""
FRAMES_MOST = 250_000
"""Frames of AAC: 1.4 hours at 48 kHz, in which 10 MB are 15 kbit/s."""
WINDOW = 262_144
"""Bytes that a pattern looks at before others have their turn."""
MARKER = re.compile(rb"\xff{1,256}[^\x00\xff\xd0-\xd7]")
"""A marker of a JPEG, and filling before it."""
SCANNED = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""The end of a scan: 0xFF before anything but a stuffed zero, a restart or filling. Filling stays with the scan: a
pattern that takes it along looks at a run of it once from each of its bytes."""
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG's frame header, which has the picture's size."""
KEPT = FRAMES | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
"""Frame headers, and tables."""
SHOWN = {b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD", b"pHYs"}
"""Chunks of a PNG that say how it looks."""
PICTURE = {b"VP8X", b"ICCP", b"ALPH", b"VP8 ", b"VP8L"}
BOXES = {b"ftyp", b"mdat", b"moof", b"mfra", b"sidx", b"styp"}
SPOKEN = {b"udta", b"meta", b"uuid", b"free", b"skip"}
"""Boxes of a film that hold what its maker says of it, place, device, names; and room where that may have stood."""
ACTIVE = re.compile(rb"/(JavaScript|Launch|EmbeddedFiles?|RichMedia|Renditions?|XFA|ImportData|SubmitForm|GoToE)\b")
"""Names of what a PDF runs, opens or carries. No `/JS`: its action is one of these, and a scan of 10 MB has those three
bytes by chance."""
ESCAPED = re.compile(rb"#([4-7][0-9A-Fa-f])")
"""A letter of a name that is written as its number."""
NAMES, ESCAPES = 1_000_000, 200_000
"""Slashes and number signs in a PDF. By chance 10 MB have 40,000 of each."""
LONGEST_NAME = 64
"""Bytes of the longest active name, all of it escaped, and some."""
ADTS = struct.Struct(">HI").unpack_from
"""The head of an AAC frame: its sync word; and in the four bytes behind it, 13 bits of its size, five from the end."""
PADDING = re.compile(rb"\x00{0,65536}")


def _frames(sizes: tuple[int, ...]) -> re.Pattern[bytes]:
    """A thousand frames of AMR at most. Sizes: bytes behind a frame's first, by its type; -1 for types that nobody has."""
    kinds = (rb"[\x%02x\x%02x].{%d}" % (kind << 3, kind << 3 | 4, size) for kind, size in enumerate(sizes) if size >= 0)
    return re.compile(rb"(?:%s){1,1000}" % rb"|".join(kinds), re.DOTALL)


AMR = {
    b"#!AMR\n": _frames((12, 13, 15, 17, 19, 20, 26, 31, 5, *[-1] * 6, 0)),
    b"#!AMR-WB\n": _frames((17, 23, 32, 36, 40, 46, 50, 58, 60, 5, *[-1] * 4, 0, 0)),
}
AMR_MOST = 1_000
"""Thousands of frames of AMR: 5.5 hours, in which 10 MB are less than its lowest rate."""


def cleaned(kind: MediaType, content: Content) -> Parts:
    """What is kept of a file. Raises FileDamaged, FileActive, PictureTooLarge, FileTypeRefused."""
    return WAYS[kind](content)


def whole(content: Content, parts: Parts, size: int) -> Iterator[bytes]:
    """The parts as bytes, at most `size` at once."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        for start in range(part[0], part[1], size):
            yield bytes(content[start : min(start + size, part[1])])


def _measured(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise FileDamaged()
    if width * height > MEGAPIXELS * 1_000_000:
        raise PictureTooLarge(megapixels=MEGAPIXELS)


# photos


def _jpeg(content: Content) -> Parts:
    out: Parts = []
    turned: int | None = None
    at, framed, scanned = 2, False, False
    for _ in range(MOST):
        found = MARKER.match(content, at)
        if found is None:
            raise FileDamaged()
        marker, start = content[found.end() - 1], found.end() - 2
        at = found.end()
        if marker == 0xD9 and scanned:
            return [b"\xff\xd8", *([_turned(turned)] if turned and turned > 1 else []), *out, b"\xff\xd9"]
        size = int.from_bytes(content[at : at + 2], "big")
        body, end = at + 2, at + size
        if marker == 0xD9 or size < 2 or end > len(content):
            raise FileDamaged()
        if marker in FRAMES:
            _measured(*_pair(content, body + 3, body + 1))
            framed = True
        if marker in KEPT or _colours(marker, content[body : min(end, body + 12)]):
            out.append((start, end))
        elif marker == 0xE0 and content[body : body + 5] == b"JFIF\0" and size >= 16:
            out.append(b"\xff\xe0\x00\x10" + bytes(content[body : body + 12]) + b"\0\0")  # without its thumbnail
        elif marker == 0xE1 and turned is None and content[body : body + 6] == b"Exif\0\0":
            turned = _orientation(bytes(content[body + 6 : end]))
        elif marker == 0xDA:
            if not framed:
                raise FileDamaged()
            end, scanned = _scanned(content, end), True
            out.append((start, end))
        at = end
    raise FileDamaged()


def _scanned(content: Content, at: int) -> int:
    """Where a scan ends that begins at a place. Raises FileDamaged."""
    for start in range(at, len(content), WINDOW):
        if found := SCANNED.search(content, start, start + WINDOW + 1):
            return found.start()
    raise FileDamaged()


def _pair(content: Content, one: int, other: int) -> tuple[int, int]:
    return int.from_bytes(content[one : one + 2], "big"), int.from_bytes(content[other : other + 2], "big")


def _colours(marker: int, begins: bytes) -> bool:
    """Whether an application's segment says how colours are meant."""
    return (marker == 0xE2 and begins == b"ICC_PROFILE\0") or (marker == 0xEE and begins.startswith(b"Adobe"))


def _orientation(tiff: bytes) -> int:
    """How a photo has to be turned, 1 to 8, from its EXIF; 1 where that is not said."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)  # type: ignore[arg-type]  # one of the two words

    first = number(4, 4)
    for n in range(min(number(first, 2), 200)):
        at = first + 2 + 12 * n
        if number(at, 2) == ORIENTATION:
            return found if 1 <= (found := number(at + 8, 2)) <= 8 else 1
    return 1


def _turned(orientation: int) -> bytes:
    """An EXIF segment that says how the photo has to be turned, and nothing else."""
    entry = ORIENTATION.to_bytes(2, "big") + b"\0\x03\0\0\0\x01" + orientation.to_bytes(2, "big") + b"\0\0"
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + bytes(4)
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body


def _png(content: Content) -> Parts:
    out: Parts = [(0, 8)]
    at, drawn = 8, False
    for _ in range(MOST):
        size, name = int.from_bytes(content[at : at + 4], "big"), bytes(content[at + 4 : at + 8])
        end = at + 12 + size
        if end > len(content) or (at == 8) != (name == b"IHDR"):
            raise FileDamaged()
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            raise FileDamaged()
        if name == b"IHDR":
            if size != 13:
                raise FileDamaged()
            _measured(
                int.from_bytes(content[at + 8 : at + 12], "big"), int.from_bytes(content[at + 12 : at + 16], "big")
            )
        drawn = drawn or name == b"IDAT"
        if name in SHOWN:
            out.append((at, end))
        elif name == b"IEND":
            if not drawn:
                raise FileDamaged()
            return [*out, (at, end)]
        at = end
    raise FileDamaged()


def _webp(content: Content) -> Parts:
    out: Parts = []
    at, total, drawn, seen = 12, 4, False, 0
    until = 8 + int.from_bytes(content[4:8], "little")
    if until > len(content):
        raise FileDamaged()
    while at + 8 <= until:
        if (seen := seen + 1) > MOST:
            raise FileDamaged()
        name, size = bytes(content[at : at + 4]), int.from_bytes(content[at + 4 : at + 8], "little")
        body, end = at + 8, at + 8 + size + size % 2
        if body + size > until:
            raise FileDamaged()
        if name == b"VP8X":
            if size < 10 or at != 12:
                raise FileDamaged()
            if content[body] & 0x02:
                raise FileTypeRefused(found="动图")
            side = [1 + int.from_bytes(content[body + n : body + n + 3], "little") for n in (4, 7)]
            _measured(side[0], side[1])
            out.append(bytes(content[at:body]) + bytes([content[body] & ~0x0C]) + bytes(content[body + 1 : end]))
        elif name in PICTURE:
            if name in (b"VP8 ", b"VP8L"):
                _measured(*_webp_size(name, bytes(content[body : body + 10])))
                drawn = True
            out.append((at, end) if end <= len(content) else bytes(content[at : len(content)]) + b"\0")
        total += end - at if name in PICTURE else 0
        at = end
    if not drawn:
        raise FileDamaged()
    return [b"RIFF" + total.to_bytes(4, "little") + b"WEBP", *out]


def _webp_size(name: bytes, body: bytes) -> tuple[int, int]:
    if name == b"VP8 ":
        if body[3:6] != b"\x9d\x01\x2a":
            raise FileDamaged()
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if body[:1] != b"\x2f":
        raise FileDamaged()
    bits = int.from_bytes(body[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


# films, and sound in their boxes


def _boxes(content: Content, start: int, end: int, left: Iterator[int]) -> Iterator[tuple[bytes, int, int, int]]:
    """(type, its start, its body's, its end) of the boxes between two places. Raises FileDamaged.

    `left` has an item for each box that a file may have.
    """
    at = start
    while at < end:
        size, name, body = int.from_bytes(content[at : at + 4], "big"), bytes(content[at + 4 : at + 8]), at + 8
        if size == 1:
            size, body = int.from_bytes(content[at + 8 : at + 16], "big"), at + 16
        elif size == 0:
            size = end - at
        if size < body - at or at + size > end or next(left, None) is None:
            raise FileDamaged()
        yield name, at, body, at + size
        at += size


def _film(content: Content) -> Parts:
    out: Parts = []
    seen = set()
    left = iter(range(MOST))
    for name, at, body, end in _boxes(content, 0, len(content), left):
        seen.add(name)
        if name == b"moov":
            out += _silenced(content, at, body, end, left, {b"trak"})
        else:
            out += [(at, end)] if name in BOXES else _emptied(at, end)
    if not {b"ftyp", b"moov", b"mdat"} <= seen:
        raise FileDamaged()
    return out


def _silenced(content: Content, start: int, body: int, end: int, left: Iterator[int], within: set[bytes]) -> Parts:
    """A box whose remarks are empty, and those of the boxes `within` it. Nothing moves: its tables say where in the file
    pictures lie. Raises FileDamaged, also for a track in a track (ISO/IEC 14496-12, 8.3.1: it stands in the `moov`).
    """
    out: Parts = [(start, body)]
    for name, at, inner, until in _boxes(content, body, end, left):
        if name in within:
            out += _silenced(content, at, inner, until, left, set())
        elif name == b"trak":
            raise FileDamaged()
        else:
            out += _emptied(at, until) if name in SPOKEN else [(at, until)]
    return out


def _emptied(at: int, end: int) -> Parts:
    return [(end - at).to_bytes(4, "big") + b"free" + bytes(end - at - 8)]


# documents and sound


def _pdf(content: Content) -> Parts:
    last = content.rfind(b"%%EOF", max(0, len(content) - 2048))
    if last < 0:
        raise FileDamaged()
    names, escapes = 0, 0
    for start in range(0, last + 5, WINDOW):
        written = bytes(content[start : min(start + WINDOW + LONGEST_NAME, last + 5)])
        names += written.count(b"/")
        escapes += written.count(b"#")
        if names > NAMES or escapes > ESCAPES:
            raise FileDamaged()
        if b"#" in written:
            written = ESCAPED.sub(lambda m: bytes.fromhex(m[1].decode()), written)
        if ACTIVE.search(written):
            raise FileActive()
    return [(0, last + 5), b"\n"]


def _mp3(content: Content) -> Parts:
    at = 0
    if content[:3] == b"ID3":
        size = bytes(content[6:10])
        if content[3] not in (2, 3, 4) or len(size) < 4 or max(size) > 0x7F:
            raise FileDamaged()
        at = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    if at < len(content) and (padding := PADDING.match(content, at)):
        at = padding.end()
    head = bytes(content[at : at + 4])
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        raise FileDamaged()
    return [(at, len(content))]


def _aac(content: Content) -> Parts:
    at = 0
    for _ in range(FRAMES_MOST):
        if at + 7 > len(content):
            break
        sync, rest = ADTS(content, at)
        size = rest >> 5 & 0x1FFF
        if sync & 0xFFF6 != 0xFFF0 or size < 7 or at + size > len(content):
            break
        at += size
    else:
        raise FileDamaged()
    if at == 0:
        raise FileDamaged()
    return [(0, at)]


def _amr(content: Content) -> Parts:
    mark = next(m for m in AMR if content[: len(m)] == m)
    at = len(mark)
    for _ in range(AMR_MOST):
        if (frames := AMR[mark].match(content, at)) is None:
            break
        at = frames.end()
    else:
        raise FileDamaged()
    if at == len(mark):
        raise FileDamaged()
    return [(0, at)]


WAYS: dict[MediaType, Callable[[Content], Parts]] = {
    MediaType.JPEG: _jpeg,
    MediaType.PNG: _png,
    MediaType.WEBP: _webp,
    MediaType.PDF: _pdf,
    MediaType.MP3: _mp3,
    MediaType.AAC: _aac,
    MediaType.AMR: _amr,
    MediaType.M4A: _film,
    MediaType.MP4: _film,
}
