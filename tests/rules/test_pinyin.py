"""The files of two libraries, read line by line: as the libraries read them, for every character that they know."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")  # as we read: by single characters
import pypinyin
import zhconv

from models.pinyin import MOST_READINGS, readings, sort_key
from models.search import plain


def test_every_character_is_said_as_the_library_says_it() -> None:
    known = json.loads(Path(pypinyin.__file__).with_name("pinyin_dict.json").read_text("utf-8"))
    assert len(known) > 40_000
    for number in known:
        character = chr(int(number))
        said = pypinyin.pinyin(character, heteronym=True, style=pypinyin.Style.NORMAL, errors="ignore")
        assert readings(character) == tuple(said[0][:MOST_READINGS]), character


@pytest.mark.parametrize(
    "text",
    [
        "沈河区多福社区",
        "A座3号楼",
        "（东）张  三",
        "李四Smith先生",
        "绿色女",
        "",
        "123",
        "嗯嗯",
        "𠀀甲",
        " 空 格 ",
        "重庆路",
    ],
)
def test_sort_keys_are_the_librarys(text: str) -> None:
    assert sort_key(text) == " ".join(pypinyin.lazy_pinyin(text)).lower()


def test_every_traditional_character_is_compared_as_the_library_simplifies_it() -> None:
    known = json.loads(Path(zhconv.__file__).with_name("zhcdict.json").read_text("utf-8"))["zh2Hans"]
    single = {a: b for a, b in known.items() if len(a) == len(b) == 1}
    assert len(single) > 3_000
    wrong = {a: plain(a) for a, b in single.items() if plain(a) not in (b, plain(b))}
    assert not wrong
    assert [plain(c) for c in "诊疗龘〇A"] == ["诊", "疗", "龘", "〇", "a"]
