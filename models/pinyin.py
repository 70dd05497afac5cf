"""How Chinese is said: sort keys in the order of pinyin, and every reading of a character.

Single characters are enough for both. They are read where they stand in pypinyin's file, each when it is first met: to
import the package and hold its table would cost each process 11 MB. The file is mapped, so that all processes share it.
"""

from __future__ import annotations

import functools
import mmap
import unicodedata
from importlib.util import find_spec
from pathlib import Path

MOST_READINGS = 3
"""So many readings of a character are looked for; what comes after is hardly ever said."""
TONES = {"\u0300", "\u0301", "\u0304", "\u030c"}
"""Marks over a vowel. The two dots of ü are none."""
UMLAUT = "u\u0308"


def mapped(package: str, name: str) -> mmap.mmap:
    """A file beside a package that is not imported."""
    found = find_spec(package)
    assert found is not None and found.origin is not None
    with Path(found.origin).with_name(name).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@functools.cache
def _table() -> mmap.mmap:
    """Lines of `"36866": "zhě,zhè"`: a character's number, and how it is said, the usual reading first."""
    return mapped("pypinyin", "pinyin_dict.json")


@functools.lru_cache(maxsize=20_000)
def readings(character: str) -> tuple[str, ...]:
    """How a Chinese character is said, the usual reading first, without tones, ü as v: 重 is zhong, chong. () for others."""
    key = b'"%d": "' % ord(character)
    begin = _table().find(key) if ord(character) > 127 else -1
    if begin < 0:
        return ()
    begin += len(key)
    said = _table()[begin : _table().find(b'"', begin)].decode()
    return tuple(dict.fromkeys(map(_plain, said.split(","))))[:MOST_READINGS]


def _plain(syllable: str) -> str:
    """A syllable without its tone."""
    letters = "".join(c for c in unicodedata.normalize("NFD", syllable) if c not in TONES)
    return unicodedata.normalize("NFC", letters.replace(UMLAUT, "v"))


def sort_key(text: str) -> str:
    """The pinyin of a text, lower case, a space between syllables; what is no Chinese stays as it is: `shen he qu`."""
    parts: list[str] = []
    other = ""
    for character in text:
        if said := readings(character):
            parts += [other, said[0]] if other else [said[0]]
            other = ""
        else:
            other += character
    return " ".join([*parts, other] if other else parts).lower()
