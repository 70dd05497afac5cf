"""Files as phones make them, small; and multipart bodies, well-formed and not."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

BOUNDARY = "----WushePart7MA4YWxk"
GPS = b"41.8057N,123.4315E"
"""What must not come through: where it was taken, as text, so that a test can look for it."""


def exif(orientation: int = 6, order: str = "II") -> bytes:
    """An EXIF block as a camera writes it: orientation, and a GPS directory."""
    e = "<" if order == "II" else ">"
    head = (b"II*\0" if order == "II" else b"MM\0*") + struct.pack(e + "I", 8)
    rows = struct.pack(e + "HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack(e + "HHII", 0x8825, 4, 1, 60)
    return b"Exif\0\0" + head + struct.pack(e + "H", 2) + rows + bytes(20) + GPS


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg(
    *, width: int = 640, height: int = 480, meta: bytes | None = None, scan: bytes = b"\x12\xff\x00\x34" * 50
) -> bytes:
    """A photo's segments in their order; what it shows is no matter."""
    told = segment(0xE1, exif() if meta is None else meta) if meta != b"" else b""
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\x01\x02\0\0\x48\0\x48\0\0")
        + told
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + GPS + b"</x:xmpmeta>")
        + segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(24))
        + segment(0xE2, b"MPF\0" + GPS)
        + segment(0xFE, b"taken at " + GPS)
        + segment(0xDB, bytes(65))
        + segment(0xC0, b"\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00")
        + segment(0xC4, bytes(29))
        + segment(0xDA, b"\x01\x01\x00\x00\x3f\x00")
        + scan
        + b"\xff\xd9"
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int = 4, height: int = 4) -> bytes:
    rows = b"".join(b"\0" + bytes(min(width, 4096) * 3) for _ in range(min(height, 64)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"tEXt", b"Comment\0" + GPS)
        + chunk(b"eXIf", exif()[6:])
        + chunk(b"pHYs", bytes(9))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp(flags: int = 0x0C) -> bytes:
    body = (
        riff(b"VP8X", bytes([flags, 0, 0, 0]) + b"\x0f\0\0\x0f\0\0")
        + riff(b"VP8L", b"\x2f" + struct.pack("<I", 15 | 15 << 14) + b"pixels")
        + riff(b"EXIF", exif()[6:])
        + riff(b"XMP ", b"<x>" + GPS + b"</x>")
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def mp4(brand: bytes = b"isom") -> bytes:
    told = box(b"udta", box(b"\xa9xyz", GPS)) + box(b"meta", GPS)
    trak = box(b"trak", box(b"tkhd", bytes(20)) + box(b"udta", GPS) + box(b"mdia", b"tables"))
    return (
        box(b"ftyp", brand + bytes(4) + brand)
        + box(b"mdat", b"frames" * 30)
        + box(b"moov", box(b"mvhd", bytes(20)) + trak + told)
        + box(b"uuid", bytes(16) + GPS)
    )


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"
AMR = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 5
MP3 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x00" + bytes(413)
AAC = (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 3


def part(name: str, body: bytes, filename: str | None = None, media: str | None = None) -> bytes:
    """One part, framed."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if media is not None:
        head += f"\r\nContent-Type: {media}"
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


def end() -> bytes:
    return f"--{BOUNDARY}--\r\n".encode()


def operations(query: str, variables: dict[str, Any]) -> bytes:
    return part("operations", json.dumps({"query": query, "variables": variables}).encode())


def places(**paths: list[str]) -> bytes:
    return part("map", json.dumps({name.lstrip("f") or name: value for name, value in paths.items()}).encode())
