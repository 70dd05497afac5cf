"""What a file is, by its content; what of it is kept; and that nobody tells by it where it was taken."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.files.clean import MEGAPIXELS, cleaned, whole
from models.files.kinds import MEDIA, MediaType, called, media_type
from models.files.problems import FileActive, FileDamaged, FileTypeRefused, PictureTooLarge
from models.files.rules import NAME, shown_name
from models.labels import TABLES
from models.problems import Problem
from tests.uploads import samples

M = MediaType
EVERY = {
    M.JPEG: samples.jpeg(),
    M.PNG: samples.png(),
    M.WEBP: samples.webp(),
    M.PDF: samples.PDF,
    M.MP3: samples.MP3,
    M.AAC: samples.AAC,
    M.AMR: samples.AMR,
    M.M4A: samples.mp4(b"M4A "),
    M.MP4: samples.mp4(),
}


def clean(content: bytes) -> bytes:
    kind = media_type(content[:64])
    assert kind is not None
    return b"".join(whole(content, cleaned(kind, content), 1000))


@pytest.mark.parametrize("kind", list(MediaType))
def test_each_kind_is_found_from_its_content_and_stays_of_its_kind(kind: MediaType) -> None:
    assert media_type(EVERY[kind][:64]) is kind
    kept = clean(EVERY[kind])
    assert media_type(kept[:64]) is kind
    assert clean(kept) == kept, "cleaning again changes nothing"
    assert kind in MEDIA and kind in TABLES["MediaType"].labels


@pytest.mark.parametrize("kind", [M.JPEG, M.PNG, M.WEBP, M.MP4, M.M4A])
def test_where_it_was_taken_is_gone(kind: MediaType) -> None:
    assert samples.GPS in EVERY[kind]
    assert samples.GPS not in clean(EVERY[kind])


@pytest.mark.parametrize("kind", [M.JPEG, M.PNG, M.WEBP, M.PDF, M.AMR, M.AAC])
def test_what_stands_behind_the_end_is_gone(kind: MediaType) -> None:
    """A polyglot: a picture, and an archive or a page behind it."""
    behind = b"PK\x03\x04<script>alert(1)</script>"
    assert clean(EVERY[kind] + behind) == clean(EVERY[kind])


def test_a_photo_is_turned_as_before_and_its_picture_is_untouched() -> None:
    for order in ("II", "MM"):
        for turned in range(1, 9):
            kept = clean(samples.jpeg(meta=samples.exif(turned, order)))
            at = kept.find(b"Exif\0\0")
            assert (at >= 0) == (turned > 1)
            if turned > 1:
                (tag, _, _, value) = struct.unpack(">HHIH", kept[at + 16 : at + 26])
                assert (tag, value) == (0x0112, turned)
            assert b"JFIF" in kept and b"ICC_PROFILE" in kept
            assert kept.endswith(b"\x12\xff\x00\x34" * 50 + b"\xff\xd9")


def test_a_photo_in_several_scans_with_restarts_is_whole() -> None:
    second = samples.segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x01\xff\xd3\x02\xff\x00"
    photo = samples.jpeg(scan=b"\x05\xff\xd0\x06" + samples.segment(0xC4, bytes(29)) + second)
    assert clean(photo).endswith(second + b"\xff\xd9")


def test_a_film_keeps_every_byte_s_place() -> None:
    """The tables in a film say where in the file its pictures lie."""
    film = samples.mp4()
    kept = clean(film)
    assert len(kept) == len(film) and kept.find(b"frames") == film.find(b"frames")
    assert b"udta" not in kept and b"\xa9xyz" not in kept and kept.count(b"free") == 4


def test_room_in_a_film_is_empty() -> None:
    """What an editor took away stands in `free` boxes until somebody writes over it."""
    room = samples.box(b"free", samples.GPS)
    trak = samples.box(b"trak", samples.box(b"tkhd", bytes(20)) + room)
    film = (
        samples.box(b"ftyp", b"isom" + bytes(4)) + room + samples.box(b"mdat", b"frames") + samples.box(b"skip", room)
    )
    film += samples.box(b"moov", samples.box(b"mvhd", bytes(20)) + trak + room)
    kept = clean(film)
    assert len(kept) == len(film) and kept.find(b"frames") == film.find(b"frames")
    assert samples.GPS not in kept and clean(kept) == kept


def test_filling_and_restarts_in_a_scan_stay_with_it() -> None:
    """Any marker may stand behind filling (ITU-T T.81, B.1.1.2); an 0xFF before a zero is one that was meant."""
    for scan in (
        b"\x05\xff\xff\xff\x00\x06",
        b"\x05\xff\xff\xff",
        b"\x05" + b"\xff" * 300_000 + b"\x00\x07\xff\xd7\x08",
    ):
        photo = samples.jpeg(scan=scan)
        kept = clean(photo)
        assert kept.endswith(scan + b"\xff\xd9") and clean(kept) == kept


@pytest.mark.parametrize("at", range(262_144 - 45, 262_144 + 3))
def test_windows_hide_nothing(at: int) -> None:
    """Neither the name of a script, wherever it stands, nor the end of a scan."""
    name = b"/#45#6D#62#65#64#64#65#64#46#69#6c#65#73"
    padded = samples.PDF[:9] + b" " * (at - 9) + name + b" " + samples.PDF[9:]
    with pytest.raises(FileActive):
        clean(padded)
    clean(padded.replace(name, name + b"Not"))
    photo = samples.jpeg(scan=b"\x05" * at)
    assert clean(photo).endswith(b"\x05" * at + b"\xff\xd9")


LONG = {
    "an hour of speech": samples.AMR + (b"\x04" + bytes(12)) * 180_000,
    "an hour of AAC": samples.AAC[:16] * 170_000,
    "a PNG in small chunks": samples.png()[:33] + samples.chunk(b"IDAT", bytes(8_000)) * 1_200 + samples.png()[33:],
    "a film in fragments": samples.mp4() + (samples.box(b"moof", bytes(90)) + samples.box(b"mdat", bytes(900))) * 4_000,
    "a PDF with names in Chinese": samples.PDF[:9] + b"/ABCDEF+#CB#CE#CC#E5 12 Tf " * 20_000 + samples.PDF[9:],
    "a scan with /JS in it by chance": samples.PDF[:9] + b"\x01/JS\x02" * 9 + samples.PDF[9:],
}


@pytest.mark.parametrize("name", list(LONG))
def test_what_people_really_make_is_within_the_bounds(name: str) -> None:
    kept = clean(LONG[name])
    assert len(kept) > len(LONG[name]) - 400 and clean(kept) == kept


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<html><script>alert(1)</script>", "网页或 SVG"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><svg onload='x()'/>", "网页或 SVG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "网页或 SVG"),
        (b"GIF89a" + bytes(20), "GIF 动图"),
        (b"PK\x03\x04" + bytes(30), "压缩包或 Office 文档"),
        (b"\x1f\x8b\x08" + bytes(30), "压缩包"),
        (b"MZ\x90" + bytes(30), "程序"),
        (b"\x7fELF" + bytes(30), "程序"),
        (b"#!/bin/sh\nrm -rf /\n", "脚本"),
        (b"\0\0\0\x18ftypheic" + bytes(30), "HEIC 照片"),
        (b"\0\0\0\x18ftypavif" + bytes(30), "这种视频或图片"),
        (b"hello, world", "这种文件"),
        (b"\xff\xe0\0\0", "这种文件"),
        (b"", "这种文件"),
    ],
)
def test_what_is_not_kept_is_named(content: bytes, name: str) -> None:
    assert media_type(content) is None
    assert called(content) == name
    assert len(FileTypeRefused(found=name).message) <= 40


def lied(kind: MediaType, at: int, value: int) -> bytes:
    """A file with one byte changed."""
    content = bytearray(EVERY[kind])
    content[at] = value
    return bytes(content)


JPEG_SIZE = EVERY[M.JPEG].find(b"\xff\xdb") + 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (EVERY[M.JPEG][:-2], FileDamaged),
        (EVERY[M.JPEG][:200], FileDamaged),
        (b"\xff\xd8\xff\xd9", FileDamaged),
        (b"\xff\xd8\xff<script>alert(1)</script>", FileDamaged),
        (lied(M.JPEG, JPEG_SIZE, 0xFF), FileDamaged),
        (samples.jpeg(width=0), FileDamaged),
        (samples.jpeg(width=60_000, height=60_000), PictureTooLarge),
        (lied(M.PNG, 30, 1), FileDamaged),
        (EVERY[M.PNG][:-12], FileDamaged),
        (samples.png(50_000, 50_000), PictureTooLarge),
        (b"\x89PNG\r\n\x1a\n<html>" + bytes(20), FileDamaged),
        (samples.webp(0x0E), FileTypeRefused),
        (EVERY[M.WEBP][:-20], FileDamaged),
        (b"RIFF\x04\0\0\0WEBP", FileDamaged),
        (samples.PDF[:-8], FileDamaged),
        (samples.PDF.replace(b"/Catalog", b"/Catalog /OpenAction << /S /JavaScript /JS (x) >>"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/Catalog /S /J#61vaScript"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/Names << /EmbeddedFiles 3 0 R >>"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/S /Launch"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/Catalog /OpenAction << /S/Rendition /JS (x) >>"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/Names << /R#65nditions 3 0 R >>"), FileActive),
        (samples.PDF.replace(b"/Catalog", b"/S /GoToE"), FileActive),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(40), FileDamaged),
        (b"ID3\x04\0\0\0\0\0\0" + bytes(70_000) + b"\xff\xfb\x90\x00" + bytes(400), FileDamaged),
        (b"ID3<script>alert(1)</script>", FileDamaged),
        (b"#!AMR\n\xff\xff\xff", FileDamaged),
        (b"\xff\xf1\x50\x80\x7f\xff\xfc", FileDamaged),
        (samples.mp4()[:-10], FileDamaged),
        (samples.box(b"ftyp", b"isom") + samples.box(b"mdat", b"x"), FileDamaged),
        (struct.pack(">I", 24) + b"ftypisom" + b"\0\0\0\x02moov" + bytes(50), FileDamaged),
        (samples.box(b"ftyp", b"isom") + b"\0\0\0\x01mdat" + b"\xff" * 8, FileDamaged),
    ],
)
def test_what_does_not_go_on_as_it_begins_is_refused(content: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem):
        clean(content)


@given(st.sampled_from(list(MediaType)), st.data())
def test_whatever_is_changed_or_cut_nothing_breaks(kind: MediaType, data: Any) -> None:
    """A changed file is cleaned or refused by name; never more comes out than went in, save a word on its turning."""
    content = bytearray(EVERY[kind])
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(12, len(content)))]
    changed = bytes(content)
    found = media_type(changed[:64])
    if found is None:
        return
    try:
        kept = b"".join(whole(changed, cleaned(found, changed), 100))
    except (FileDamaged, FileActive, PictureTooLarge, FileTypeRefused):
        return
    assert 0 < len(kept) <= len(changed) + 40
    assert media_type(kept[:64]) is not None


@given(st.binary(max_size=300))
def test_chance_is_no_file(content: bytes) -> None:
    found = media_type(content[:64])
    if found is not None:
        with pytest.raises((FileDamaged, FileActive, PictureTooLarge, FileTypeRefused)):
            cleaned(found, content)


@given(st.text(max_size=200), st.sampled_from(list(MediaType)))
def test_a_shown_name_is_harmless_and_says_what_it_is(given_: str, kind: MediaType) -> None:
    name = shown_name(given_, kind)
    stem, _, ending = name.rpartition(".")
    assert ending == MEDIA[kind][1] and 0 < len(stem) <= NAME
    assert not set(name[:-1]) & set('/\\:*?"<>|%\n\r\t\0') and "." not in stem and stem[0] not in "-_ "
    name.encode()


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        ("../../etc/passwd", "passwd.jpg"),
        ("a\0b.php\0.jpg", "ab_php.jpg"),
        ("..", "附件.jpg"),
        ("", "附件.jpg"),
        ("照片\u202egpj.exe", "照片gpj.jpg"),
        ("-rf.sh", "rf.jpg"),
        ('x" onload="y.jpg', "x_onload=_y.jpg"),
    ],
)
def test_names_that_mean_harm(given_: str, shown: str) -> None:
    assert shown_name(given_, M.JPEG) == shown


def test_pixels_are_counted_in_millions() -> None:
    assert PictureTooLarge(megapixels=MEGAPIXELS).message == "图片像素过大，最多 100 百万像素。"
