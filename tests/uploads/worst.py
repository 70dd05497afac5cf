"""Files that are made to be dear to clean: each begins as one of its kind, and goes on as long as it is let."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from tests.uploads.samples import box, jpeg, riff, segment

HEAD = b"\xff\xd8" + segment(0xC0, b"\x08\0\x10\0\x10\x01\x01\x11\0")
SCAN = segment(0xDA, b"\x01\x01\0\0\x3f\0")
FTYP = box(b"ftyp", b"isom" + bytes(4))
PDF = b"%PDF-1.7\n"
NESTING = 2_000


def _filled(head: bytes, unit: bytes, size: int, tail: bytes = b"") -> bytes:
    return head + unit * ((size - len(head) - len(tail)) // len(unit)) + tail


def nested(name: bytes, depth: int) -> bytes:
    """A film whose `moov` has boxes in boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(name, inner)
    return FTYP + box(b"mdat", b"x") + box(b"moov", inner)


def plain(size: int) -> bytes:
    """A photo of that size as a camera makes it: what it shows is chance."""
    return jpeg(scan=random.Random(1).randbytes(size).replace(b"\xff", b"\xff\0"))


FULL = b"\x01\x01" + b"Exif\0\0II*\0\x08\0\0\0\xff\xff"
WORST: dict[str, Callable[[int], bytes]] = {
    "jpeg: filling, then a stuffed zero": lambda n: _filled(HEAD + SCAN, b"\xff", n, b"\0\xff\xd9"),
    "jpeg: filling without an end": lambda n: _filled(HEAD, b"\xff", n),
    "jpeg: stuffed zeros": lambda n: _filled(HEAD + SCAN, b"\xff\0", n, b"\xff\xd9"),
    "jpeg: restarts": lambda n: _filled(HEAD + SCAN, b"\xff\xd0", n, b"\xff\xd9"),
    "jpeg: empty tables": lambda n: _filled(HEAD, segment(0xDB, b""), n),
    "jpeg: scans": lambda n: _filled(HEAD, SCAN, n),
    "jpeg: many EXIF": lambda n: _filled(b"\xff\xd8", segment(0xE1, FULL[2:]), n),
    "png: empty chunks": lambda n: _filled(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + _IHDR + _crc(b"IHDR" + _IHDR),
        struct.pack(">I", 0) + b"tEXt" + _crc(b"tEXt"),
        n,
    ),
    "webp: empty chunks": lambda n: (
        b"RIFF" + struct.pack("<I", (n - 12) // 8 * 8 + 4) + b"WEBP" + riff(b"EXIF", b"") * ((n - 12) // 8)
    ),
    "pdf: escaped letters": lambda n: _filled(PDF, b"#41", n, b"%%EOF"),
    "pdf: number signs": lambda n: _filled(PDF, b"#", n, b"%%EOF"),
    "pdf: slashes": lambda n: _filled(PDF, b"/", n, b"%%EOF"),
    "pdf: beginnings of names": lambda n: _filled(PDF, b"/EmbeddedFil", n, b"%%EOF"),
    "pdf: as many names as there may be": lambda n: _filled(PDF, b"/J/J/J/J#a" + bytes(40), n, b"%%EOF"),
    "pdf: as much as it may have": lambda n: _filled(
        PDF + b"/J" * (n // 10 - 1000) + b"#41" * (n // 50 - 1000), b"/EmbeddedFil"[1:], n, b"%%EOF"
    ),
    "pdf: ends": lambda n: _filled(PDF, b"%%EO", n),
    "mp3: zeros": lambda n: _filled(b"ID3\x04\0\0\0\0\0\0", b"\0", n),
    "aac: empty frames": lambda n: _filled(b"", b"\xff\xf1\x50\x80\x00\xff\xfc", n),
    "amr: empty frames": lambda n: _filled(b"#!AMR\n", b"\x7c", n),
    "amr: frames": lambda n: _filled(b"#!AMR\n", b"\x44" + bytes(5), n),
    "mp4: empty boxes": lambda n: _filled(FTYP, box(b"free", b""), n),
    "mp4: empty boxes in a moov": lambda n: FTYP + box(b"moov", box(b"udta", b"") * (n // 8)),
    "mp4: boxes in boxes": lambda n: nested(b"trak", NESTING) + bytes(max(0, n - 20_000)),
}
_IHDR = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)


def _crc(of: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(of))
