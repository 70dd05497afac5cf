"""The laws of sessions, attendances and hours: states, who may, and how minutes are counted. No database here.

Hours are recorded by whoever organizes the service, truthfully and accurately, travel excluded (志愿服务条例 art. 19;
志愿服务记录与证明出具办法 arts. 2-4).
"""

from __future__ import annotations

import enum
import math
from datetime import date, datetime, timedelta
from typing import TypeVar

from models.access import Role
from models.clock import SHANGHAI
from models.labels import ahead, label, labelled
from models.problems import InvalidInput, InvalidTransition

DAY_CAP_MINUTES = 12 * 60
"""At most this is credited to one volunteer for one Shanghai day."""
CHECK_IN_EARLY = timedelta(minutes=60)
"""Check-in opens this long before the session starts."""
CHECK_OUT_LATE = timedelta(minutes=120)
"""Check-out closes this long after the session ends; from then on only a manual proposal mends it."""
LONGEST_SESSION = timedelta(hours=24)
MOST_CAPACITY = 10_000
MOST_COMMITMENTS = 20
CONTACT_AFTER = timedelta(hours=24)
"""A provider may ask for the contact until this long after the session's end."""
NIGHT_FROM, NIGHT_TO = 22, 6
"""Hours of the day between which nobody under 18 serves."""
ADULT_AGE = 18
EARTH_RADIUS_M = 6_371_008.8


class SessionStatus(enum.StrEnum):
    PLANNED = "PLANNED"
    PUBLISHED = "PUBLISHED"
    RUNNING = "RUNNING"
    ENDED = "ENDED"
    CONFIRMED = "CONFIRMED"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"


SESSION_STEPS: dict[tuple[str, SessionStatus], SessionStatus] = {
    ("publish", SessionStatus.PLANNED): SessionStatus.PUBLISHED,
    ("start", SessionStatus.PUBLISHED): SessionStatus.RUNNING,
    ("end", SessionStatus.RUNNING): SessionStatus.ENDED,
    ("confirm", SessionStatus.ENDED): SessionStatus.CONFIRMED,
    ("lock", SessionStatus.CONFIRMED): SessionStatus.LOCKED,
    ("cancel", SessionStatus.PLANNED): SessionStatus.CANCELLED,
    ("cancel", SessionStatus.PUBLISHED): SessionStatus.CANCELLED,
}
"""(step, from) -> to. The first check-in starts a session; the other steps are staff's."""

labelled(
    SessionStatus,
    {
        SessionStatus.PLANNED: "筹备中",
        SessionStatus.PUBLISHED: "已发布",
        SessionStatus.RUNNING: "进行中",
        SessionStatus.ENDED: "已结束",
        SessionStatus.CONFIRMED: "已确认",
        SessionStatus.LOCKED: "已锁定",
        SessionStatus.CANCELLED: "已取消",
    },
    description="The state of a service session.",
    describe={
        SessionStatus.PLANNED: "Being prepared; only its organizers see it.",
        SessionStatus.PUBLISHED: "Announced; volunteers sign up.",
        SessionStatus.RUNNING: "Somebody has checked in.",
        SessionStatus.ENDED: "Over; the roster is being settled.",
        SessionStatus.CONFIRMED: "The organizers stand by the roster and its hours.",
        SessionStatus.LOCKED: "Closed with its period; corrections are booked later.",
        SessionStatus.CANCELLED: "Called off before anybody checked in.",
    },
    colours={
        SessionStatus.PUBLISHED: "blue",
        SessionStatus.RUNNING: "orange",
        SessionStatus.ENDED: "orange",
        SessionStatus.CONFIRMED: "green",
        SessionStatus.LOCKED: "green",
        SessionStatus.CANCELLED: "red",
    },
    next=ahead(SESSION_STEPS),
)


EDITABLE = (SessionStatus.PLANNED, SessionStatus.PUBLISHED, SessionStatus.RUNNING)
"""Sessions that their organizers may still change; once one runs, only its capacity."""
SIGNING = (SessionStatus.PUBLISHED, SessionStatus.RUNNING)
"""Sessions that give places, until their time is over."""
COUNTED = (SessionStatus.RUNNING, SessionStatus.ENDED, SessionStatus.CONFIRMED)
"""Sessions of which one may record how many were served."""
UNSETTLED = (SessionStatus.PLANNED, SessionStatus.PUBLISHED, SessionStatus.RUNNING, SessionStatus.ENDED)
"""Sessions whose roster nobody stands by yet: hours may be proposed."""


class AttendanceStatus(enum.StrEnum):
    APPLIED = "APPLIED"
    ACCEPTED = "ACCEPTED"
    WAITLISTED = "WAITLISTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"
    CHECKED_IN = "CHECKED_IN"
    CHECKED_OUT = "CHECKED_OUT"
    CONFIRMED = "CONFIRMED"
    ABSENT = "ABSENT"
    EXCUSED = "EXCUSED"
    REVERSED = "REVERSED"


A = AttendanceStatus
ATTENDANCE_STEPS: dict[tuple[str, AttendanceStatus], AttendanceStatus] = {
    ("accept", A.APPLIED): A.ACCEPTED,
    ("waitlist", A.APPLIED): A.WAITLISTED,
    ("refuse", A.APPLIED): A.REFUSED,
    ("withdraw", A.APPLIED): A.WITHDRAWN,
    ("promote", A.WAITLISTED): A.ACCEPTED,
    ("withdraw", A.WAITLISTED): A.WITHDRAWN,
    ("lapse", A.WAITLISTED): A.LAPSED,
    ("withdraw", A.ACCEPTED): A.WITHDRAWN,
    ("check_in", A.ACCEPTED): A.CHECKED_IN,
    ("mark_absent", A.ACCEPTED): A.ABSENT,
    ("excuse", A.ACCEPTED): A.EXCUSED,
    ("check_out", A.CHECKED_IN): A.CHECKED_OUT,
    ("credit", A.CHECKED_OUT): A.CONFIRMED,
    ("credit_manually", A.ACCEPTED): A.CONFIRMED,
    ("credit_manually", A.CHECKED_IN): A.CONFIRMED,
    ("credit_manually", A.REVERSED): A.CONFIRMED,
    ("reverse", A.CONFIRMED): A.REVERSED,
    ("credit_again", A.REVERSED): A.CONFIRMED,
}
"""(step, from) -> to. A check-out credits at once, so it passes through CHECKED_OUT to CONFIRMED."""

HOLDS_SEAT = frozenset({A.ACCEPTED, A.CHECKED_IN, A.CHECKED_OUT, A.CONFIRMED, A.ABSENT, A.REVERSED})
"""Attendances that count against a session's capacity."""
BOOKED = HOLDS_SEAT - {A.ABSENT}
"""Attendances whose volunteer is taken for the session's time."""
WAS_THERE = frozenset({A.CHECKED_IN, A.CHECKED_OUT, A.CONFIRMED, A.REVERSED})
"""Attendances of volunteers who came: person-times (人次) count these."""

labelled(
    AttendanceStatus,
    {
        A.APPLIED: "待审核",
        A.ACCEPTED: "已录取",
        A.WAITLISTED: "候补中",
        A.REFUSED: "未录取",
        A.WITHDRAWN: "已退出",
        A.LAPSED: "候补失效",
        A.CHECKED_IN: "已签到",
        A.CHECKED_OUT: "已签退",
        A.CONFIRMED: "已记时长",
        A.ABSENT: "缺席",
        A.EXCUSED: "请假",
        A.REVERSED: "时长已冲正",
    },
    description="The state of one volunteer's part in a session.",
    describe={
        A.APPLIED: "Signed up; staff decide.",
        A.ACCEPTED: "Has a place, and is booked for the time.",
        A.WAITLISTED: "Waits for a place, in the order of signing up.",
        A.REFUSED: "Was not given a place.",
        A.WITHDRAWN: "Stepped back.",
        A.LAPSED: "Waited until the session was over or called off.",
        A.CHECKED_IN: "Is there.",
        A.CHECKED_OUT: "Has left; the minutes are being credited.",
        A.CONFIRMED: "The minutes are credited.",
        A.ABSENT: "Had a place and did not come.",
        A.EXCUSED: "Had a place and was released from it.",
        A.REVERSED: "The credit was reversed, and none stands in its place.",
    },
    colours={
        A.APPLIED: "orange",
        A.ACCEPTED: "blue",
        A.WAITLISTED: "orange",
        A.REFUSED: "red",
        A.CHECKED_IN: "blue",
        A.CHECKED_OUT: "blue",
        A.CONFIRMED: "green",
        A.ABSENT: "red",
        A.REVERSED: "red",
    },
    next=ahead(ATTENDANCE_STEPS),
)


class CheckMethod(enum.StrEnum):
    CODE = "CODE"
    GEO = "GEO"
    ROSTER = "ROSTER"


labelled(
    CheckMethod,
    {CheckMethod.CODE: "签到码", CheckMethod.GEO: "定位", CheckMethod.ROSTER: "工作人员点名"},
    description="How a check-in or check-out was proven. The time is always the server's.",
    describe={
        CheckMethod.CODE: "By the session's code, shown at the place.",
        CheckMethod.GEO: "By a position within the session's radius.",
        CheckMethod.ROSTER: "By the organizers, from the roster.",
    },
)


class HourKind(enum.StrEnum):
    CREDIT = "CREDIT"
    REVERSAL = "REVERSAL"


labelled(
    HourKind,
    {HourKind.CREDIT: "记入", HourKind.REVERSAL: "冲正"},
    description="What an entry of the hours ledger does.",
    describe={
        HourKind.CREDIT: "Credits minutes for an attendance.",
        HourKind.REVERSAL: "Takes back a credit, whole; a corrected credit may follow.",
    },
    colours={HourKind.CREDIT: "green", HourKind.REVERSAL: "red"},
)


class HourTrust(enum.StrEnum):
    SYSTEM = "SYSTEM"
    CONFIRMED = "CONFIRMED"
    MANUAL = "MANUAL"


labelled(
    HourTrust,
    {HourTrust.SYSTEM: "系统记录", HourTrust.CONFIRMED: "工作人员确认", HourTrust.MANUAL: "人工补录"},
    description="What a credit rests on.",
    describe={
        HourTrust.SYSTEM: "On the volunteer's own check-in and check-out, each proven, by the server's clock.",
        HourTrust.CONFIRMED: "On one organizer's word: he marked the check-in or check-out from the roster, or lowered a credit.",
        HourTrust.MANUAL: "On a proposal with evidence that a second person approved.",
    },
    colours={HourTrust.SYSTEM: "green", HourTrust.CONFIRMED: "blue", HourTrust.MANUAL: "orange"},
)


class ProposalStatus(enum.StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


PROPOSAL_STEPS: dict[tuple[str, ProposalStatus], ProposalStatus] = {
    ("approve", ProposalStatus.PENDING): ProposalStatus.APPROVED,
    ("reject", ProposalStatus.PENDING): ProposalStatus.REJECTED,
}

labelled(
    ProposalStatus,
    {ProposalStatus.PENDING: "待审批", ProposalStatus.APPROVED: "已批准", ProposalStatus.REJECTED: "已驳回"},
    description="The state of a proposal to credit hours by hand.",
    describe={
        ProposalStatus.PENDING: "Waits for a second person.",
        ProposalStatus.APPROVED: "Approved: the hours are credited.",
        ProposalStatus.REJECTED: "Rejected; another may be proposed.",
    },
    colours={ProposalStatus.PENDING: "orange", ProposalStatus.APPROVED: "green", ProposalStatus.REJECTED: "red"},
    next=ahead(PROPOSAL_STEPS),
)

ORGANIZERS = frozenset({Role.NGO_STAFF, Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER})
"""Who runs sessions: an organization's staff its own, community staff and social workers those of their area."""
STEWARDS = frozenset({Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER})
"""Who answers for hours and closed periods."""

MAY: dict[str, frozenset[Role]] = {
    "activity.create": ORGANIZERS,
    "session.create": ORGANIZERS,
    "session.edit": ORGANIZERS,
    "session.publish": ORGANIZERS,
    "session.cancel": ORGANIZERS,
    "session.end": ORGANIZERS,
    "session.confirm": ORGANIZERS,
    "session.lock": STEWARDS,
    "session.record_headcount": ORGANIZERS,
    "session.sign_up": frozenset({Role.VOLUNTEER}),
    "attendance.decide": ORGANIZERS,
    "attendance.withdraw": frozenset({Role.VOLUNTEER}),
    "attendance.check": ORGANIZERS | {Role.VOLUNTEER, Role.GRID_OFFICER},
    "attendance.mark": ORGANIZERS,
    "attendance.rate": ORGANIZERS,
    "hours.propose": ORGANIZERS,
    "hours.decide": STEWARDS,
    "hours.reverse": STEWARDS,
    "contact.reveal_day": frozenset({Role.SOCIAL_WORKER, Role.GRID_OFFICER}),
}
"""Which roles may take a step; which sessions they may take it on is their scope."""

S = TypeVar("S", bound=enum.StrEnum)


def step(steps: dict[tuple[str, S], S], name: str, status: S) -> S:
    """The state that a step leads to. Raises InvalidTransition where the table has none."""
    after = steps.get((name, status))
    if after is None:
        raise InvalidTransition(status=status.value, label=label(status))
    return after


def before(steps: dict[tuple[str, S], S], name: str) -> tuple[S, ...]:
    """The states from which a step leads on."""
    return tuple(status for (taken, status) in steps if taken == name)


def credited_minutes(
    came: datetime, left: datetime, starts: datetime, ends: datetime, *, most: int = DAY_CAP_MINUTES
) -> int:
    """The whole minutes of [came, left] within [starts, ends], at most `most`: what the day's cap leaves (I8)."""
    inside = min(left, ends) - max(came, starts)
    return max(0, min(int(inside.total_seconds() // 60), most))


def old_enough_on(adult_on: date, age: int) -> date:
    """The day on which somebody who comes of age on `adult_on` is `age` years old."""
    try:
        return adult_on.replace(year=adult_on.year + age - ADULT_AGE)
    except ValueError:  # 29 February
        return date(adult_on.year + age - ADULT_AGE, 3, 1)


def length_minutes(starts: datetime, ends: datetime) -> int:
    """A session's length in whole minutes."""
    return int((ends - starts).total_seconds() // 60)


def check_in_opens(starts: datetime) -> datetime:
    """From when on one may check in."""
    return starts - CHECK_IN_EARLY


def check_out_closes(ends: datetime) -> datetime:
    """Until when, inclusive, one may check out."""
    return ends + CHECK_OUT_LATE


def distance_m(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """The great-circle distance between two positions in degrees, in metres (haversine)."""
    a, b = math.radians(lat), math.radians(other_lat)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(other_lon - lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, h)))


def at_night(starts: datetime, ends: datetime) -> bool:
    """Whether a window touches 22:00 to 06:00, Shanghai time."""
    start, end = starts.astimezone(SHANGHAI), ends.astimezone(SHANGHAI)
    opens = start.replace(hour=NIGHT_TO, minute=0, second=0, microsecond=0)
    closes = start.replace(hour=NIGHT_FROM, minute=0, second=0, microsecond=0)
    return not opens <= start <= end <= closes


def window(starts: datetime, ends: datetime, now: datetime) -> None:
    """Raises InvalidInput unless a session's window runs forward, lasts 1 minute to 24 hours, and is not over."""
    if ends < starts + timedelta(minutes=1):
        raise InvalidInput(field="endsAt", reason="结束时间必须晚于开始时间。")
    if ends - starts > LONGEST_SESSION:
        raise InvalidInput(field="endsAt", reason="一个场次最长 24 小时，请拆分为多个场次。")
    if ends <= now:
        raise InvalidInput(field="endsAt", reason="结束时间已经过去。")


def capacity(value: int) -> int:
    """The capacity itself. Raises InvalidInput outside 1 to 10000."""
    return bounded(value, "capacity", 1, MOST_CAPACITY)


def bounded(value: int, field: str, least: int, most: int) -> int:
    """The number itself. Raises InvalidInput outside `least` to `most`."""
    if not least <= value <= most:
        raise InvalidInput(field=field, reason=f"须在 {least} 至 {most} 之间。")
    return value


def position(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """A position in degrees, or None. Raises InvalidInput for half of one, or one that is not on Earth."""
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        raise InvalidInput(field="latitude", reason="经纬度须同时填写。")
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise InvalidInput(field="latitude", reason="经纬度超出范围。")
    return latitude, longitude
