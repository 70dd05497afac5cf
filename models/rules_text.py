"""What text may be stored: checked once, the same everywhere."""

from __future__ import annotations

import unicodedata

from models.problems import InvalidInput


def clean(given: str, field: str, *, most: int = 200, least: int = 1, lines: bool = False) -> str:
    """The text without white space at its ends, in NFC.

    Raises InvalidInput for control characters (line breaks pass where `lines`), lone surrogates, and lengths outside
    `least` to `most` characters.
    """
    text = unicodedata.normalize("NFC", given.strip())
    for c in text:
        kind = unicodedata.category(c)
        if kind in ("Cs", "Cn") or (kind == "Cc" and not (lines and c in "\n\t")):
            raise InvalidInput(field=field, reason="文字中含有无法存储的字符。")
    if not least <= len(text) <= most:
        raise InvalidInput(
            field=field, reason=f"长度须在 {least} 至 {most} 个字之间。" if least else f"长度不能超过 {most} 个字。"
        )
    return text
