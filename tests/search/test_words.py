"""What a text is found by, without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import search
from models.problems import InvalidInput

TITLE = "独居老人需要陪诊"
HAN = st.text(st.sampled_from("独居老人需要陪诊上门理发重庆长春行乐"), min_size=1, max_size=12)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def finds(text: str, sought: str) -> bool:
    keys = set(search.grams(text))
    return any(keys >= set(way) for way in search.ways(sought))


@pytest.mark.parametrize(
    "sought",
    [
        *("陪诊", "陪診", "诊", "独居老人需要陪诊", "老人 陪诊", "陪诊 老人", "陪%诊", "_陪诊*", "“陪诊”"),
        *("peizhen", "PEIZHEN", "ｐｅｉｚｈｅｎ", "peizh", "pei", "pe", "laoren", "pz", "ＰＺ", "pz lr", "laoren pz"),
        *("陪zhen", "陪zh", "xuyaopeizhen", "djlrxypz"),
    ],
)
def test_one_title_is_found_in_many_ways(sought: str) -> None:
    assert finds(TITLE, sought)


@pytest.mark.parametrize(
    "sought", ["诊陪", "陪护", "门诊", "zhenpei", "zp", "peihu", "陪hu", "陪 护", "p", "👵", "陪诊 理发", "x陪诊"]
)
def test_and_not_in_others(sought: str) -> None:
    assert not finds(TITLE, sought)


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("陪診服務", "陪诊服务"),
        ("ＣＴ检查陪同", "ct"),
        ("CT检查陪同", "ctjianch"),
        ("安装WiFi", "wifi"),
        ("LED灯维修", "led"),
        ("3D打印", "3d"),
        ("3号楼水管", "3号楼"),
        ("A座电梯", "a座"),
        ("👵👴需要帮助", "👵"),
        ("👩‍⚕️上门", "👩⚕"),
        ("𠮷野家", "𠮷野"),
        ("曾老师", "zenglaoshi"),
        ("单女士", "shannvshi"),
        ("重庆", "chongqing"),
        ("重庆", "zq"),
        ("关爱儿童", "guanaiertong"),
        ("关爱儿童", "gaet"),
        ("绿化", "lvhua"),
        ("㎡", "m2"),
    ],
)
def test_what_else_is_written(text: str, sought: str) -> None:
    assert finds(text, sought)


@given(HAN, st.integers(0, 11), st.integers(1, 12))
def test_whatever_stands_in_a_text_finds_it(text: str, start: int, length: int) -> None:
    part = text[start : start + length]
    if part:
        assert finds(text, part)


@given(ANY, ANY)
def test_any_text_can_be_written_and_sought(text: str, sought: str) -> None:
    assert all(-(2**31) <= key < 2**31 for key in search.grams(text))
    try:
        ways = search.ways(sought)
    except InvalidInput:
        return
    assert 1 <= len(ways) <= search.WAYS and all(ways)


@given(ANY)
def test_keys_of_words_are_never_those_that_narrow(text: str) -> None:
    narrowing = {*search.place_keys("210103005024"), *search.category_keys("ELDERLY.ESCORT"), search.NEVER}
    assert len(narrowing) == 6
    assert not narrowing & set(search.grams(text))


@pytest.mark.parametrize(
    ("sought", "reason"),
    [
        ("", "请输入要找的文字。"),
        ("  %_*", "请输入要找的文字。"),
        ("\u200d", "请输入要找的文字。"),
        ("陪" * 51, "搜索内容最多 50 个字。"),
        ("一 二 三 四 五 六 七 八 九", "最多同时找 8 个词。"),
    ],
)
def test_what_cannot_be_sought_is_said(sought: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        search.ways(sought)
    assert (refused.value.field, refused.value.reason) == ("search", reason)


@pytest.mark.parametrize(
    ("text", "sought", "found"),
    [
        (TITLE, "陪诊", [(6, 8)]),
        (TITLE, "peizhen", [(6, 8)]),
        (TITLE, "peizh", [(6, 8)]),
        (TITLE, "pz", [(6, 8)]),
        (TITLE, "老人 陪诊", [(2, 4), (6, 8)]),
        (TITLE, "人需 老人", [(2, 5)]),
        ("👵需要陪診", "陪诊", [(4, 6)]),
        ("👵需要陪診", "👵", [(0, 2)]),
        ("ＣＴ检查", "ct", [(0, 2)]),
        ("陪诊小队", "陪zhen", [(0, 2)]),
        ("理发", "陪诊", []),
    ],
)
def test_what_is_highlighted(text: str, sought: str, found: list[tuple[int, int]]) -> None:
    assert search.found_in(text, sought) == found


@given(ANY, ANY)
def test_highlights_lie_in_the_text_and_apart(text: str, sought: str) -> None:
    try:
        found = search.found_in(text, sought)
    except InvalidInput:
        return
    ends = [0, *(place for part in found for place in part), len(text.encode("utf-16-le")) // 2]
    assert ends == sorted(ends)
    assert all(start < end for start, end in found)
