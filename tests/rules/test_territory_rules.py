"""The laws of places: codes, levels, and the list that is loaded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.access import Actor, Role
from models.territory.load import read_counts, read_divisions
from models.territory.rules import (
    DIGITS,
    UNDER,
    DivisionLevel,
    Measure,
    community_code,
    grid_code,
    is_code,
    is_under,
    parent_code,
)

CODES = st.sampled_from([4, 6, 9, 12, 15]).flatmap(
    lambda n: st.text(st.sampled_from("0123456789"), min_size=n, max_size=n)
)


@given(CODES)
def test_a_code_begins_with_its_parent_s(code: str) -> None:
    above = parent_code(code)
    assert (above is None) == (len(code) == 4)
    if above is not None:
        assert is_under(code, above)
        assert not is_under(above, code)


@given(st.text(max_size=20))
def test_other_texts_are_no_codes(text: str) -> None:
    if not is_code(text):
        with pytest.raises(ValueError):
            parent_code(text)


@given(st.text(st.sampled_from("0123456789"), min_size=12, max_size=12), st.integers(1, 999))
def test_a_grid_lies_in_its_community(community: str, number: int) -> None:
    code = grid_code(community, number)
    assert is_code(code)
    assert community_code(code) == community == parent_code(code)


@pytest.mark.parametrize(("community", "number"), [("210103005", 1), ("210103005024", 0), ("210103005024", 1000)])
def test_no_grid_code_outside(community: str, number: int) -> None:
    with pytest.raises(ValueError, match="2101"):
        grid_code(community, number)


@given(CODES, CODES)
def test_a_scope_is_a_range_of_codes(area: str, code: str) -> None:
    actor = Actor(Role.COMMUNITY_STAFF, area=area)
    assert actor.area_end is not None
    assert (area <= code < actor.area_end) == actor.covers(code) == is_under(code, area)


def test_shenyang_is_whole() -> None:
    rows = read_divisions()
    assert Counter(level for *_, level, _ in rows) == {
        "CITY": 1,
        "DISTRICT": 13,
        "STREET": 190,
        "COMMUNITY": 1156,
        "VILLAGE": 1547,
    }
    levels = {code: DivisionLevel(level) for code, _, _, level, _ in rows}
    assert len(levels) == len(rows) == 2907
    for code, name, pinyin, _, parent in rows:
        assert len(code) == DIGITS[levels[code]]
        assert name
        assert pinyin.isprintable()
        if levels[code] is not DivisionLevel.CITY:
            assert parent == parent_code(code)
            assert levels[parent] is UNDER[levels[code]]


def test_the_communities_of_the_articles_are_there() -> None:
    names = {code: name for code, name, *_ in read_divisions()}
    assert names["210103005024"] == "多福社区"
    assert names["210111001018"] == "葵花社区"
    assert names["210105001010"] == "牡丹社区"
    assert names["210104002014"] == "北苑社区"


def test_two_sources_count_the_communities_differently() -> None:
    counts = [(value, as_of) for code, measure, value, as_of, _ in read_counts() if measure == Measure.COMMUNITIES]
    assert counts == [(955, None), (967, None)]
    assert all(Measure(measure) for _, measure, *_ in read_counts())
