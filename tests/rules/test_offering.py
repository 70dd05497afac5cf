"""The terms of offers: which are sound, when they can be given, and whether they meet what is wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.access import Role
from models.clock import SHANGHAI
from models.exchange.kinds import Hint, Kind, Unit
from models.exchange.offering import Known, OfferInput, Venue, fresh, misfit, settled, times
from models.exchange.venues import VenueAccess, VenueEquipment
from models.people.availability import Language
from models.people.qualifications import QualificationType
from models.problems import InvalidInput

NOW = datetime(2026, 11, 2, 10, tzinfo=SHANGHAI)
"""A Monday."""
CATEGORY, DIVISION = UUID(int=1), UUID(int=2)
SKILLS = frozenset({"HAIRDRESSING", "FIRST_AID"})


def known(role: Role = Role.NGO_STAFF, **over: Any) -> Known:
    given: dict[str, Any] = {
        "role": role,
        "area": "210103005003",
        "categories": {CATEGORY: "ELDERLY"},
        "divisions": {DIVISION: "210103"},
        "skills": SKILLS,
        **over,
    }
    return Known(**given)


def offer(role: Role = Role.NGO_STAFF, **over: Any) -> dict[str, Any]:
    """A new offer's columns, for four weeks from tomorrow 9:00."""
    first = NOW + timedelta(hours=23)
    given: dict[str, Any] = {"title": "陪诊服务", "category": CATEGORY, "quantity": 10, "window_from": first} | over
    given.setdefault("window_to", first + timedelta(days=28))
    return settled(fresh(OfferInput(**given), known(role)), {}, known(role), NOW)


@pytest.mark.parametrize(
    ("field", "reason", "over"),
    [
        (
            "windowTo",
            "结束时间须晚于开始时间。",
            {"window_from": NOW + timedelta(days=2), "window_to": NOW + timedelta(days=1)},
        ),
        ("windowTo", "结束时间须晚于现在。", {"window_from": NOW - timedelta(days=2), "window_to": NOW}),
        ("rrule", "重复须有结束：填写次数或截止日期之一。", {"rrule": "FREQ=WEEKLY", "duration_minutes": 60}),
        ("rrule", "重复规则无法识别，请用每天、每周或每月的规则。", {"rrule": "每周二", "duration_minutes": 60}),
        (
            "rrule",
            "重复规则在起止时间内没有一次完整的时段。",
            {"rrule": "FREQ=WEEKLY;BYDAY=MO;COUNT=3", "duration_minutes": 60, "window_to": NOW + timedelta(days=2)},
        ),
        ("durationMinutes", "重复的供给须填写每次时长。", {"rrule": "FREQ=DAILY;COUNT=3"}),
        ("durationMinutes", "只有重复的供给才填写每次时长。", {"duration_minutes": 60}),
        (
            "durationMinutes",
            "每次时长须在 1 至 1440 分钟之间。",
            {"rrule": "FREQ=DAILY;COUNT=3", "duration_minutes": 0},
        ),
        (
            "durationMinutes",
            "每次时长须在 1 至 1440 分钟之间。",
            {"rrule": "FREQ=DAILY;COUNT=3", "duration_minutes": 1441},
        ),
        ("radiusKm", "服务半径须在 0.5 至 50 公里之间。", {"position": (41.8, 123.43), "radius_km": 50.1}),
        ("radiusKm", "服务半径须在 0.5 至 50 公里之间。", {"position": (41.8, 123.43), "radius_km": 0.4}),
        ("radiusKm", "服务半径须在 0.5 至 50 公里之间。", {"position": (41.8, 123.43), "radius_km": float("nan")}),
        ("position", "填写服务半径时须同时填写位置。", {"radius_km": 3.0}),
        ("position", "位置不在本市范围内。", {"position": (39.9, 116.4)}),
        ("position", "位置不在本市范围内。", {"position": (float("inf"), 123.4)}),
        ("skills", "技能不存在。", {"skills": ("HAIRDRESSING", "FLYING")}),
        ("skills", "技能最多 20 项。", {"skills": tuple(f"S{n}" for n in range(21))}),
        ("quantity", "数量须在 1 至 10000 之间。", {"quantity": 0}),
        ("quantity", "数量须在 1 至 10000 之间。", {"quantity": 10_001}),
        ("minNoticeMinutes", "提前预约时间须在 0 分钟至 30 天之间。", {"min_notice_minutes": -1}),
        ("minNoticeMinutes", "提前预约时间须在 0 分钟至 30 天之间。", {"min_notice_minutes": 43_201}),
        ("parallel", "同时可服务数须在 1 至 10000 之间。", {"parallel": 0}),
        ("weeklyCap", "每周上限须在 1 至 10000 之间。", {"weekly_cap": 0}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": ""}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": " \t "}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": "A" * 65}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": "A\x00B"}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": "A\nB"}),
        ("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。", {"external_id": "\ud800"}),
        ("areas", "服务区域不存在。", {"areas": (UUID(int=9),)}),
        ("areas", "服务区域须为 1 至 20 个。", {"areas": tuple(UUID(int=n) for n in range(21))}),
        ("category", "服务类别不存在。", {"category": UUID(int=9)}),
        ("kind", "资金救助只能由基金会提供。", {"kind": Kind.CASH_AID}),
        ("venue", "场地须填写地址与可容纳人数。", {"kind": Kind.VENUE}),
        ("venue", "可容纳人数须在 1 至 100000 之间。", {"kind": Kind.VENUE, "venue": Venue("一层多功能厅", 0)}),
        ("venue", "长度须在 2 至 200 个字之间。", {"kind": Kind.VENUE, "venue": Venue("厅", 20)}),
        ("venue", "只有场地类供给才填写场地信息。", {"venue": Venue("一层多功能厅", 20)}),
    ],
)
def test_bad_terms_are_refused_by_their_field(field: str, reason: str, over: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        offer(**over)
    assert (refusal.value.field, refusal.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("role", "field", "reason", "over"),
    [
        (Role.VOLUNTEER, "parallel", "志愿者本人同一时间只能服务一处。", {"parallel": 2}),
        (Role.VOLUNTEER, "externalId", "外部编号只用于组织的供给。", {"external_id": "A1"}),
        (
            Role.VOLUNTEER,
            "position",
            "志愿者的出发位置在“我的服务时间”里填写，不随供给公开。",
            {"position": (41.8, 123.43)},
        ),
        (
            Role.VOLUNTEER,
            "certificates",
            "志愿者的资格以本人已核实的资格证书为准，不在供给中填写。",
            {"certificates": (QualificationType.NURSE,)},
        ),
        (Role.FUND_MAKER, "kind", "基金会只提供物资和资金救助。", {"kind": Kind.SERVICE}),
    ],
)
def test_who_offers_matters(role: Role, field: str, reason: str, over: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refusal:
        offer(role, **over)
    assert (refusal.value.field, refusal.value.reason) == (field, reason)


def test_what_is_not_said_follows_from_who_offers() -> None:
    made = offer()
    assert (made["parallel"], made["service_areas"], made["unit"]) == (10, ["210103005003"], Unit.HELPER)
    near = offer(position=(41.8, 123.43), radius_km=2.3)
    assert (near["x"], near["y"], near["service_areas"]) == (0.0, 0.0, ["2101"])
    assert offer(position=(41.8, 123.43), radius_km=2.3, areas=(DIVISION,))["service_areas"] == ["210103"]
    mine = settled(
        fresh(
            OfferInput("理发", CATEGORY, NOW, NOW + timedelta(days=1), quantity=5),
            known(Role.VOLUNTEER, own_skills=["HAIRDRESSING"], own_languages=["SIGN"]),
        ),
        {},
        known(Role.VOLUNTEER),
        NOW,
    )
    assert (mine["parallel"], mine["skills"], mine["languages"]) == (1, ["HAIRDRESSING"], [Language.SIGN])
    spoken = offer(languages=(Language.SIGN, Language.MANDARIN, Language.KOREAN), skills=("FIRST_AID", "FIRST_AID"))
    assert (spoken["languages"], spoken["skills"]) == ([Language.KOREAN, Language.SIGN], ["FIRST_AID"])
    money = offer(Role.FUND_MAKER, kind=Kind.CASH_AID)
    assert (money["kind"], money["unit"]) == (Kind.CASH_AID, Unit.HOUSEHOLD)
    hall = Venue("  一层多功能厅 ", 60, (VenueEquipment.SOUND, VenueEquipment.PROJECTOR), (VenueAccess.STEP_FREE,))
    room = offer(kind=Kind.VENUE, venue=hall)
    assert (room["venue_address"], room["venue_seats"]) == ("一层多功能厅", 60)
    assert (room["venue_equipment"], room["venue_access"]) == (["PROJECTOR", "SOUND"], ["STEP_FREE"])


def test_its_times_lie_wholly_in_its_window_by_shanghais_clock() -> None:
    one = offer()
    assert times(one) == [(one["window_from"], one["window_to"])]
    weekly = offer(rrule="rrule:freq=weekly;byday=tu,th;count=10", duration_minutes=180)
    assert weekly["rrule"] == "FREQ=WEEKLY;COUNT=10;BYDAY=TU,TH"
    found = times(weekly)
    first = datetime(2026, 11, 3, 9, tzinfo=SHANGHAI)
    assert found[:3] == [(first + timedelta(days=n), first + timedelta(days=n, hours=3)) for n in (0, 2, 7)]
    assert len(found) == 8  # the ninth begins as the window ends
    assert {(a.hour, b.hour) for a, b in found} == {(9, 12)}


OFFER = offer(
    rrule="FREQ=WEEKLY;BYDAY=TU,TH;COUNT=8",
    duration_minutes=180,
    min_notice_minutes=120,
    position=(41.8, 123.43),
    radius_km=2.0,
    skills=("HAIRDRESSING",),
    certificates=(QualificationType.NURSE,),
    languages=(Language.SIGN,),
) | {"organization_id": UUID(int=5), "person_id": None}
TUESDAY = datetime(2026, 11, 3, 9, tzinfo=SHANGHAI)
NEED: dict[str, Any] = {
    "kind": Kind.SERVICE,
    "unit": Unit.HELPER,
    "category_code": "ELDERLY.HAIRCUT",
    "area": "210103005003001",
    "x": 1.0,
    "y": 1.0,
    "window_from": TUESDAY,
    "window_to": TUESDAY + timedelta(hours=2),
    "language": "MANDARIN",
}


def at(day: int, hour: float, hours: float = 1) -> tuple[datetime, datetime]:
    """An appointment in November 2026."""
    begins = datetime(2026, 11, day, tzinfo=SHANGHAI) + timedelta(hours=hour)
    return begins, begins + timedelta(hours=hours)


def window(day: int, hour: float, hours: float) -> dict[str, Any]:
    start, end = at(day, hour, hours)
    return {"window_from": start, "window_to": end}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"x": None, "y": None}, "需求位置不明，无法判断距离"),
        ({"x": 2.0, "y": 0.1}, "超出服务半径"),
        ({"x": 2.0, "y": 0.0}, None),
        ({"skill_code": "HAIRDRESSING"}, None),
        ({"skill_code": "FIRST_AID"}, "缺少所需技能"),
        ({"certificate": "NURSE"}, None),
        ({"certificate": "LAWYER"}, "缺少所需资格"),
        ({"language": "SIGN"}, None),
        ({"language": "KOREAN"}, "语言不通"),
        ({"gender_required": True, "gender_preference": "FEMALE"}, None),  # the organization sends somebody who fits
        (window(3, 11, 1), None),
        (window(3, 11.5, 1), "服务时间不重叠"),  # it ends at noon
        (window(4, 9, 1), "服务时间不重叠"),  # a Wednesday
        (window(5, 10, 2), None),
        (window(4, 9, 24.5), "服务时间不重叠"),  # a day to choose from, of which half an hour is left on Thursday
        (window(4, 9, 25), None),
        (window(4, 9, 26), None),
        (window(4, 9, 26) | {"duration_minutes": 121}, "服务时间不重叠"),
        ({"window_from": None, "window_to": None, "duration_minutes": 180}, None),
        ({"window_from": None, "window_to": None, "duration_minutes": 181}, "服务时间不重叠"),
        (window(26, 9, 1), None),
        (window(30, 9, 1), "服务时间不重叠"),  # a Monday, and over
    ],
)
def test_what_does_not_fit_is_told(change: dict[str, Any], why: str | None) -> None:
    assert misfit(OFFER, {**NEED, **change}, now=NOW) == why


def test_one_of_several_appointments_is_enough() -> None:
    assert misfit(OFFER, NEED, now=NOW, options=[at(4, 9), at(5, 9)]) is None
    assert misfit(OFFER, NEED, now=NOW, options=[at(4, 9), at(6, 9)]) == "服务时间不重叠"


def test_an_appointment_nearer_than_the_notice_does_not_fit() -> None:
    start = TUESDAY
    assert misfit(OFFER, NEED, now=start - timedelta(minutes=120)) is None
    assert misfit(OFFER, NEED, now=start - timedelta(minutes=119)) == "预约时间太近，未留足提前量"
    later = [at(3, 9), at(3, 11)]
    assert misfit(OFFER, NEED, now=start - timedelta(minutes=30), options=later) is None
    assert misfit({**OFFER, "min_notice_minutes": 0}, NEED, now=start + timedelta(minutes=30)) is None


def test_a_room_with_steps_is_nothing_for_a_wheelchair() -> None:
    room = offer(kind=Kind.VENUE, venue=Venue("一层多功能厅", 60)) | {"person_id": None}
    need = NEED | {"kind": Kind.VENUE, "unit": Unit.SESSION, "hints": [Hint.WHEELCHAIR]}
    assert misfit(room, need, now=NOW) == "场地不能无障碍进入"
    assert misfit(room | {"venue_access": ["STEP_FREE"]}, need, now=NOW) is None


def test_a_volunteers_gender_and_papers_are_his_own() -> None:
    his = offer(Role.VOLUNTEER, quantity=1) | {"person_id": UUID(int=7), "gender": "MALE"}
    wish = NEED | {"gender_required": True, "gender_preference": "FEMALE"}
    assert misfit(his, wish, now=NOW) == "性别不符合要求"
    assert misfit(his | {"gender": "FEMALE"}, wish, now=NOW) is None
    assert misfit(his, NEED | {"certificate": "NURSE"}, now=NOW) == "缺少所需资格"
    assert misfit(his | {"certificates": ["NURSE"]}, NEED | {"certificate": "NURSE"}, now=NOW) is None
