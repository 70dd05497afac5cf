"""Which activities, sessions, attendances and hours a list shows, and in which order."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
import strawberry

from models.activity.rules import (
    AttendanceStatus,
    CheckMethod,
    HourKind,
    HourTrust,
    ProposalStatus,
    SessionStatus,
)
from models.exchange.queries import in_category, in_grid
from models.territory.queries import under
from resolvers.engine import words as w
from resolvers.enums import shown

for values in (SessionStatus, AttendanceStatus, CheckMethod, HourKind, HourTrust, ProposalStatus):
    shown(values)


class ActivityOrder(enum.StrEnum):
    NEWEST = "NEWEST"
    STARTS_SOONEST = "STARTS_SOONEST"


class SessionOrder(enum.StrEnum):
    STARTS_SOONEST = "STARTS_SOONEST"
    STARTS_LATEST = "STARTS_LATEST"
    NEWEST = "NEWEST"


class AttendanceOrder(enum.StrEnum):
    STARTS_LATEST = "STARTS_LATEST"
    STARTS_SOONEST = "STARTS_SOONEST"


class HourOrder(enum.StrEnum):
    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


def ordered(values: type[enum.StrEnum], description: str, *told: str) -> None:
    """Describes an enumeration of orders for the schema."""
    strawberry.enum(values, description=description)
    for value, sentence in zip(values.__strawberry_definition__.values, told, strict=True):  # type: ignore[attr-defined]
        value.description = sentence


ordered(ActivityOrder, "In which order activities come.", "The latest start first.", "The earliest start first.")
ordered(
    SessionOrder,
    "In which order sessions come.",
    "The earliest start first.",
    "The latest start first.",
    "The one made last first.",
)
ordered(AttendanceOrder, "In which order attendances come.", "The latest session first.", "The earliest session first.")
ordered(HourOrder, "In which order entries come.", "The newest first.", "The oldest first.")

WHERE = "In the division of this code, or the grid of this code."
KIND = "Of the service category of this code, or of one below it, such as `ELDERLY`."


@strawberry.input(description="Which activities. What is not given does not narrow.")
class ActivityFilter:
    under: str | None = w.where(lambda row, value: under(row.area, value), description=WHERE)
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value,
        null=lambda row: row.organization_id.is_(None),
        description="Run by this organization; null for those of communities themselves.",
    )
    category: str | None = w.where(lambda row, value: in_category(row.category_code, value), description=KIND)
    on: date | None = w.where(
        lambda row, value: sa.and_(row.starts_on <= value, sa.or_(row.ends_on.is_(None), row.ends_on >= value)),
        description="Going on at this day.",
    )


@strawberry.input(description="Which sessions. What is not given does not narrow.")
class SessionFilter:
    under: str | None = w.where(
        lambda row, value, view: sa.and_(under(row.area, value), in_grid(value, view)),
        description="In the division of this code, or, for staff, the grid of this code.",
    )
    community: strawberry.ID | None = w.where(
        lambda row, value: row.community_id == value, description="In this community."
    )
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value,
        null=lambda row: row.organization_id.is_(None),
        description="Run by this organization; null for those of communities themselves.",
    )
    activity: strawberry.ID | None = w.where(
        lambda row, value: row.activity_id == value, description="Of this activity."
    )
    need: strawberry.ID | None = w.where(lambda row, value: row.need_id == value, description="For this need.")
    category: str | None = w.where(lambda row, value: in_category(row.category_code, value), description=KIND)
    status: list[SessionStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    starts_from: datetime | None = w.where(
        lambda row, value: row.starts_at >= value, description="Starting at this moment or later."
    )
    starts_before: datetime | None = w.where(
        lambda row, value: row.starts_at < value, description="Starting before this moment."
    )
    open_sign_up: bool | None = w.where(
        lambda row, value: row.open_sign_up == value, description="Whether volunteers sign up themselves."
    )
    has_places: bool | None = w.where(
        lambda row, value: (row.accepted_count < row.capacity) == value, description="Whether places are left."
    )


@strawberry.input(description="Which attendances. What is not given does not narrow.")
class AttendanceFilter:
    mine: bool | None = w.where(
        lambda row, value, view: sa.func.coalesce(row.volunteer_id == view.actor.person, sa.false()) == value,
        description="Whether they are the caller's own.",
    )
    session: strawberry.ID | None = w.where(lambda row, value: row.session_id == value, description="Of this session.")
    volunteer: strawberry.ID | None = w.where(
        lambda row, value: row.volunteer_id == value, description="Of this person."
    )
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="For this organization."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=WHERE)
    status: list[AttendanceStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    starts_from: datetime | None = w.where(
        lambda row, value: row.starts_at >= value, description="Whose session starts at this moment or later."
    )
    starts_before: datetime | None = w.where(
        lambda row, value: row.starts_at < value, description="Whose session starts before this moment."
    )


@strawberry.input(description="Which of a session's attendances. What is not given does not narrow.")
class RosterFilter:
    status: list[AttendanceStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )


@strawberry.input(description="Which entries of the hours ledger. What is not given does not narrow.")
class HourFilter:
    mine: bool | None = w.where(
        lambda row, value, view: sa.func.coalesce(row.volunteer_id == view.actor.person, sa.false()) == value,
        description="Whether they are the caller's own.",
    )
    volunteer: strawberry.ID | None = w.where(
        lambda row, value: row.volunteer_id == value, description="Of this person."
    )
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="For this organization."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=WHERE)
    category: str | None = w.where(lambda row, value: in_category(row.category_code, value), description=KIND)
    kind: list[HourKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    trust: list[HourTrust] | None = w.where(
        lambda row, value: row.trust == sa.any_(value), description="Resting on one of these."
    )
    credited_from: date | None = w.where(
        lambda row, value: row.credited_on >= value, description="Belonging to this day or a later one."
    )
    credited_to: date | None = w.where(
        lambda row, value: row.credited_on <= value, description="Belonging to this day or an earlier one."
    )


@strawberry.input(description="Which proposals of hours. What is not given does not narrow.")
class ProposalFilter:
    status: list[ProposalStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=WHERE)
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="For this organization."
    )
