"""What happens to sessions, as it is told to whoever watches them, and to whom of those that see them.

The words come from the topics of the outbox. A change of somebody's part is told as such to who sees that part, to
others only that places were taken or given back. What happened before a session was announced is its organizers'.
"""

from __future__ import annotations

import enum
from typing import Any

import sqlalchemy as sa

from models.access import STAFF_ROLES, Role, within
from models.activity.rules import AttendanceStatus
from models.activity.tables import Attendance
from models.exchange.changes import among, constant, spoken
from models.labels import labelled

Where = sa.ColumnElement[bool]


class SessionTopic(enum.StrEnum):
    """What happened to a session."""

    PLANNED = "PLANNED"
    PUBLISHED = "PUBLISHED"
    STARTED = "STARTED"
    ENDED = "ENDED"
    CONFIRMED = "CONFIRMED"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"
    EDITED = "EDITED"
    COUNTED = "COUNTED"
    ROSTER = "ROSTER"
    PLACES = "PLACES"


T = SessionTopic
labelled(
    SessionTopic,
    {
        T.PLANNED: "已筹备",
        T.PUBLISHED: "已发布",
        T.STARTED: "已开始",
        T.ENDED: "已结束",
        T.CONFIRMED: "已确认",
        T.LOCKED: "已锁定",
        T.CANCELLED: "已取消",
        T.EDITED: "内容有更新",
        T.COUNTED: "服务人数已登记",
        T.ROSTER: "报名或到场有变动",
        T.PLACES: "名额有变动",
    },
    description="What happened to a session.",
    describe={
        T.PLANNED: "It was planned.",
        T.PUBLISHED: "It was announced.",
        T.STARTED: "The first volunteer checked in.",
        T.ENDED: "It is over.",
        T.CONFIRMED: "Its organizers stand by its roster.",
        T.LOCKED: "Its period was closed.",
        T.CANCELLED: "It was called off.",
        T.EDITED: "Its words, time or places were changed.",
        T.COUNTED: "How many were served was recorded.",
        T.ROSTER: "Somebody's part in it, which the caller may see, changed.",
        T.PLACES: "Places were taken or given back, by somebody whose part the caller may not see.",
    },
)

SESSION_TOPICS = {
    "session.planned": T.PLANNED,
    "session.published": T.PUBLISHED,
    "session.running": T.STARTED,
    "session.ended": T.ENDED,
    "session.confirmed": T.CONFIRMED,
    "session.locked": T.LOCKED,
    "session.cancelled": T.CANCELLED,
    "session.edited": T.EDITED,
    "session.counted": T.COUNTED,
}
ROSTER = [f"attendance.{status.value.lower()}" for status in AttendanceStatus]
A = AttendanceStatus
SEATING = [f"attendance.{status.value.lower()}" for status in (A.ACCEPTED, A.WITHDRAWN, A.EXCUSED)]
"""Topics by which the places that are left may change."""


def runs(session: Any, view: Any) -> Where:
    """Whether the asker is of the organization, or of the area's staff, that runs a session which he sees."""
    if view.actor.role in STAFF_ROLES:
        return within(session.area, view.actor)
    if view.actor.role is Role.NGO_STAFF:
        return sa.and_(session.organization_id == view.actor.organization)
    return sa.false()


def sees_part(event: Any, view: Any) -> Where:
    """Whether the asker sees the attendance that an event is about."""
    rows = view.rows(Attendance)
    return sa.exists(sa.select(sa.literal_column("1")).select_from(rows).where(rows.c.id == event.subject))


def told_of_session(event: Any, session: Any, view: Any) -> Where:
    """Whether the asker, who sees the session, is told of an event that concerns it."""
    known = sa.or_(runs(session, view), event.at >= session.published_at)
    return sa.or_(
        sa.and_(among(event.topic, [*SESSION_TOPICS, *SEATING]), known),
        sa.and_(among(event.topic, ROSTER), sees_part(event, view)),
    )


def session_topic(event: Any, view: Any) -> Any:
    """What happened to a session, as a SessionTopic."""
    part = sa.case(
        (sees_part(event, view), constant(T.ROSTER.value)),
        else_=constant(T.PLACES.value),
    )
    return spoken(event.topic, SESSION_TOPICS, otherwise=part)
