"""When, where and how much a volunteer helps: his week, his absences, how far he goes, and in which languages.

Minutes and days are those of Shanghai, whatever the zone of whoever asks: 9:00 stays 9:00 there. Nothing of it is shown
to other volunteers or to residents: when somebody is not at home, and where he sets out from, is his own.
"""

from __future__ import annotations

import enum
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, check, key, to
from models.labels import labelled

DAY_MINUTES = 24 * 60
RADIUS_KM, LEAST_RADIUS_KM, MOST_RADIUS_KM = 3.0, 0.5, 50.0
"""How far a volunteer goes unless he says otherwise, and the bounds of what he may say: the city is no wider."""
WEEKLY_CAP, MOST_WEEKLY_CAP = 3, 21
"""How many commitments a week are proposed to him unless he says otherwise; the bound is three on each day."""


class Language(enum.StrEnum):
    """A language in which help is given or asked for."""

    MANDARIN = "MANDARIN"
    KOREAN = "KOREAN"
    MONGOLIAN = "MONGOLIAN"
    SIGN = "SIGN"


labelled(
    Language,
    {
        Language.MANDARIN: "普通话",
        Language.KOREAN: "朝鲜语",
        Language.MONGOLIAN: "蒙古语",
        Language.SIGN: "手语",
    },
    description="A language in which help is given or asked for.",
    describe={
        Language.MANDARIN: "Mandarin: everybody is taken to speak it.",
        Language.KOREAN: "Korean, as the city's Korean minority (朝鲜族) speaks it.",
        Language.MONGOLIAN: "Mongolian.",
        Language.SIGN: "Chinese sign language (GB/T 24435).",
    },
)


class VolunteerWindow(Table, table=True):
    """服务时段: hours of a weekday on which a volunteer can help, every week.

    The migration adds `EXCLUDE`: no two of one person and day overlap.
    """

    __tablename__ = "volunteer_window"
    __table_args__ = (
        check("weekday", "weekday BETWEEN 1 AND 7"),
        check("minutes", f"from_minute >= 0 AND from_minute < to_minute AND to_minute <= {DAY_MINUTES}"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    weekday: int
    """1 is Monday, 7 Sunday (ISO 8601)."""
    from_minute: int
    to_minute: int
    """Minutes since midnight in Shanghai; the last is not part of it. 1440 is the day's end."""


class VolunteerAbsence(Table, table=True):
    """请假: days on which a volunteer cannot help, both included. The migration adds `EXCLUDE`: none overlap."""

    __tablename__ = "volunteer_absence"
    __table_args__ = (check("days", "starts_on <= ends_on"), sa.Index("ix_volunteer_absence_ends_on", "ends_on"))
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    starts_on: date
    ends_on: date
