"""Sort keys: Chinese text in the order of its pinyin."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import cast


@functools.cache
def _reader() -> Callable[[str], list[str]]:
    # single characters are enough to sort by; the phrase table would cost each process 40 MB
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    from pypinyin import lazy_pinyin

    return cast(Callable[[str], list[str]], lazy_pinyin)


def sort_key(text: str) -> str:
    """The pinyin of a text, lower case, a space between syllables; what is no Chinese stays as it is: `shen he qu`."""
    return " ".join(_reader()(text)).lower()


MOST_READINGS = 3
"""So many readings of a character are looked for; what comes after is hardly ever said."""


@functools.lru_cache(maxsize=20_000)
def readings(character: str) -> tuple[str, ...]:
    """How a Chinese character is said, the usual reading first, without tones, ü as v: 重 is zhong, chong. () for others."""
    _reader()
    from pypinyin import Style, pinyin

    found = pinyin(character, heteronym=True, style=Style.NORMAL, errors="ignore")
    return tuple(found[0][:MOST_READINGS]) if found else ()
