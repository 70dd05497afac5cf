"""What a file is, found from its first bytes: never from its name, nor from what the client says of it.

What a community's work needs, and nothing that a browser runs: photos, scans, a voice message, a short film. SVG and
HTML are programs, archives hide what they hold, HEIC keeps where it was taken in a place that we do not clean; they are
refused by name. So are animated GIFs: nobody needs one as evidence.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from models.labels import labelled

Bytes: TypeAlias = bytes | memoryview
"""A file's content; in use it is a file mapped into memory."""


class MediaType(enum.StrEnum):
    """The kinds of file that are kept."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    PDF = "PDF"
    MP3 = "MP3"
    AAC = "AAC"
    AMR = "AMR"
    M4A = "M4A"
    MP4 = "MP4"


labelled(
    MediaType,
    {
        MediaType.JPEG: "照片（JPEG）",
        MediaType.PNG: "图片（PNG）",
        MediaType.WEBP: "图片（WebP）",
        MediaType.PDF: "文档（PDF）",
        MediaType.MP3: "音频（MP3）",
        MediaType.AAC: "音频（AAC）",
        MediaType.AMR: "语音（AMR）",
        MediaType.M4A: "音频（M4A）",
        MediaType.MP4: "视频（MP4）",
    },
    description="What an attachment is, by its content.",
    describe={
        MediaType.JPEG: "A photo; where and with what it was taken was removed.",
        MediaType.PNG: "A picture, without remarks in it.",
        MediaType.WEBP: "A picture; where it was taken was removed.",
        MediaType.PDF: "A document.",
        MediaType.MP3: "Sound, MPEG layer 3.",
        MediaType.AAC: "Sound, as the mini-program's recorder makes it.",
        MediaType.AMR: "A voice message.",
        MediaType.M4A: "Sound in an MP4 file; where it was recorded was removed.",
        MediaType.MP4: "A film; where it was taken was removed.",
    },
)

MEDIA: Mapping[MediaType, tuple[str, str]] = {
    MediaType.JPEG: ("image/jpeg", "jpg"),
    MediaType.PNG: ("image/png", "png"),
    MediaType.WEBP: ("image/webp", "webp"),
    MediaType.PDF: ("application/pdf", "pdf"),
    MediaType.MP3: ("audio/mpeg", "mp3"),
    MediaType.AAC: ("audio/aac", "aac"),
    MediaType.AMR: ("audio/amr", "amr"),
    MediaType.M4A: ("audio/mp4", "m4a"),
    MediaType.MP4: ("video/mp4", "mp4"),
}
"""What a file is sent as, and the end of its name."""

FILMS = {b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V ", b"dash", b"3gp4", b"3gp5"}
"""Brands of MP4 files that phones write. Others are refused: among them HEIC's and AVIF's."""
REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF 动图"),
    (b"PK\x03\x04", "压缩包或 Office 文档"),
    (b"PK\x05\x06", "压缩包"),
    (b"Rar!", "压缩包"),
    (b"7z\xbc\xaf", "压缩包"),
    (b"\x1f\x8b", "压缩包"),
    (b"BZh", "压缩包"),
    (b"\xfd7zXZ", "压缩包"),
    (b"\xd0\xcf\x11\xe0", "旧版 Office 文档"),
    (b"MZ", "程序"),
    (b"\x7fELF", "程序"),
    (b"#!", "脚本"),
)
"""What is recognised only to be refused by its name."""
MARKUP = (b"<!doctype", b"<html", b"<svg", b"<?xml", b"<script", b"<head", b"<body", b"<?php", b"<math", b"<iframe")
BLANK = b"\xef\xbb\xbf \t\r\n\x00"


def media_type(head: bytes) -> MediaType | None:
    """The kind of a file by its first bytes (64 suffice); None for one that is not kept."""
    if head.startswith(b"\xff\xd8\xff"):
        return MediaType.JPEG
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaType.PNG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return MediaType.WEBP
    if head.startswith((b"%PDF-1.", b"%PDF-2.")):
        return MediaType.PDF
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return MediaType.AMR
    if head[4:8] == b"ftyp":
        return MediaType.M4A if head[8:12] in (b"M4A ", b"M4B ") else MediaType.MP4 if head[8:12] in FILMS else None
    return _sound(head)


def _sound(head: bytes) -> MediaType | None:
    """MP3, with tags or without, or AAC in ADTS frames. Their sync words differ in the layer's two bits."""
    if head.startswith(b"ID3"):
        return MediaType.MP3
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0 and head[1] & 0xF0 == 0xF0:
        return MediaType.AAC
    sane = head[1] >> 3 & 3 != 1 and head[2] >> 4 not in (0, 15) and head[2] >> 2 & 3 != 3
    return MediaType.MP3 if layer == 1 and sane else None


def called(head: bytes) -> str:
    """What a file that is not kept seems to be, in Chinese."""
    for mark, name in REFUSED:
        if head.startswith(mark):
            return name
    if head[4:8] == b"ftyp":
        return "HEIC 照片" if head[8:11] in (b"hei", b"hev", b"mif", b"msf") else "这种视频或图片"
    if head.lstrip(BLANK).lower().startswith(MARKUP):
        return "网页或 SVG"
    return "这种文件"
