"""Activities, sessions, who takes part, and the ledger of hours.

What a rule of visibility needs (area, organization) is repeated in each row, so that no rule needs a join. The
database keeps: capacity, one part for each volunteer, one live credit for each attendance, two people for each
manual proposal, and that nothing of a locked session changes (triggers in the migration).
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from models.activity.rules import (
    HOLDS_SEAT,
    AttendanceStatus,
    CheckMethod,
    HourKind,
    HourTrust,
    ProposalStatus,
    SessionStatus,
)
from models.base import APPEND_ONLY, Table, check, choice, chosen, count, flag, instant, key, sealed, text, to
from models.vault import Kind

SEATED = ", ".join(f"'{s.value}'" for s in sorted(HOLDS_SEAT))


class ServiceActivity(Table, table=True):
    """活动/项目: a programme that sessions belong to."""

    __tablename__ = "service_activity"
    __table_args__ = (
        check("dates", "ends_on IS NULL OR starts_on <= ends_on"),
        sa.Index("ix_service_activity_area_starts_on", "area", "starts_on"),
        sa.Index("ix_service_activity_organization_id_starts_on", "organization_id", "starts_on"),
        sa.Index("ix_service_activity_category_code_starts_on", "category_code", "starts_on"),
        sa.Index("ix_service_activity_starts_on_id", "starts_on", "id"),
    )
    id: UUID = key()
    title: str = text()
    description: str = text(default="")
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    """Who runs it; none when the community does."""
    category_id: UUID = to("service_category.id")
    category_code: str = text()
    community_id: UUID = to("division.id")
    area: str = text()
    starts_on: date
    ends_on: date | None = None
    created_by: UUID = to("person.id", index=False)
    created_at: datetime = instant()


class ServiceSession(Table, table=True):
    """服务场次: a service at a place and time, with places for volunteers."""

    __tablename__ = "service_session"
    __table_args__ = (
        chosen("status", SessionStatus),
        check("window", "starts_at < ends_at AND ends_at <= starts_at + interval '24 hours'"),
        check("capacity", "capacity BETWEEN 1 AND 10000"),
        check("accepted", "accepted_count BETWEEN 0 AND capacity"),
        check("arrivals", "arrivals >= 0"),
        check("min_age", "min_age BETWEEN 0 AND 120"),
        check(
            "position",
            "(latitude IS NULL) = (longitude IS NULL)"
            " AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 AND radius_m BETWEEN 20 AND 5000",
        ),
        check("headcount", "headcount_registered >= 0 AND headcount_unregistered >= 0"),
        check("cancelled", "(status = 'CANCELLED') = (cancelled_reason IS NOT NULL)"),
        check("restricted", "restricted_need_id = need_id AND NOT open_sign_up OR restricted_need_id IS NULL"),
        check("published", "status = 'CANCELLED' OR (status = 'PLANNED') = (published_at IS NULL)"),
        sa.Index("ix_service_session_area_starts_at", "area", "starts_at"),
        sa.Index("ix_service_session_community_id_starts_at", "community_id", "starts_at"),
        sa.Index("ix_service_session_organization_id_starts_at", "organization_id", "starts_at"),
        sa.Index("ix_service_session_activity_id_starts_at", "activity_id", "starts_at"),
        sa.Index("ix_service_session_need_id_starts_at", "need_id", "starts_at"),
        sa.Index("ix_service_session_category_code_starts_at", "category_code", "starts_at"),
        sa.Index("ix_service_session_starts_at_id", "starts_at", "id"),
        sa.Index("ix_service_session_created_at_id", "created_at", "id"),
    )
    id: UUID = key()
    title: str = text()
    activity_id: UUID | None = to("service_activity.id", optional=True, index=False)
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    """Who runs it; none when the community does."""
    need_id: UUID | None = to("need.id", optional=True, index=False)
    """The need whose commitments it serves."""
    restricted_need_id: UUID | None = None
    """The same need, where it is a RESTRICTED one: then only the staff named for it see the session."""
    category_id: UUID = to("service_category.id")
    category_code: str = text()
    community_id: UUID = to("division.id", index=False)
    area: str = text()
    starts_at: datetime = instant()
    ends_at: datetime = instant()
    place: str = text()
    """Where to meet, as everybody who sees the session may read it: never somebody's door."""
    latitude: float | None = None
    longitude: float | None = None
    radius_m: int = count(300)
    capacity: int = count()
    accepted_count: int = count(0)
    arrivals: int = count(0)
    """How many have ever signed up: the next one's position is one more."""
    min_age: int = count(0)
    open_sign_up: bool = flag(True)
    """Whether the public sees it, and volunteers sign up themselves."""
    needs_approval: bool = flag()
    """Whether a sign-up waits for staff; without, it is accepted or waitlisted at once."""
    sign_code_hash: str | None = text(optional=True)
    status: SessionStatus = choice(SessionStatus, default=SessionStatus.PLANNED)
    headcount_registered: int = count(0)
    """Beneficiaries who are known to the system, each counted once."""
    headcount_unregistered: int = count(0)
    """Walk-ins."""
    cancelled_reason: str | None = text(optional=True)
    created_by: UUID = to("person.id", index=False)
    created_at: datetime = instant()
    published_at: datetime | None = instant(optional=True)
    version: int = count(1)


class SessionCommitment(Table, table=True):
    """That a session carries out a commitment. A commitment may take several sessions, a session serve several."""

    __tablename__ = "session_commitment"
    __table_args__ = (
        sa.UniqueConstraint("session_id", "commitment_id"),
        check("quantity", "quantity >= 1"),
    )
    id: UUID = key()
    session_id: UUID = to("service_session.id", index=False)
    commitment_id: UUID = to("commitment.id")
    quantity: int = count()
    """How much of the commitment this session is to deliver."""
    organization_id: UUID | None = to("organization.id", optional=True)
    """The commitment's provider, where it is an organization."""
    area: str = text()


class SessionCode(Table, table=True):
    """A session's sign code, for its organizers to show at the place; the row goes when the session ends."""

    __tablename__ = "session_code"
    __table_args__ = (sa.UniqueConstraint("session_id"),)
    id: UUID = key()
    session_id: UUID = to("service_session.id", index=False)
    code: str = text()
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    area: str = text()


class Attendance(Table, table=True):
    """参与记录: one volunteer's part in one session."""

    __tablename__ = "attendance"
    __table_args__ = (
        sa.UniqueConstraint("session_id", "volunteer_id"),
        sa.UniqueConstraint("session_id", "position"),
        chosen("status", AttendanceStatus),
        chosen("check_in_method", CheckMethod),
        chosen("check_out_method", CheckMethod),
        check("accepted", f"status NOT IN ({SEATED}) OR accepted_at IS NOT NULL"),
        check("check_in", "(check_in_at IS NULL) = (check_in_method IS NULL)"),
        check("check_in_by", "check_in_by IS NULL OR (check_in_method = 'ROSTER' AND check_in_by <> volunteer_id)"),
        check("check_out", "(check_out_at IS NULL) = (check_out_method IS NULL) AND check_in_at <= check_out_at"),
        check("came_first", "check_out_at IS NULL OR check_in_at IS NOT NULL"),
        check("credited", "(status = 'CONFIRMED') = (credited_minutes IS NOT NULL)"),
        check("minutes", "credited_minutes BETWEEN 0 AND 720"),
        check("late", "NOT late OR status = 'WITHDRAWN'"),
        check("rating", "rating BETWEEN 1 AND 5"),
        sa.Index("ix_attendance_session_id_status_position", "session_id", "status", "position"),
        sa.Index("ix_attendance_volunteer_id_starts_at", "volunteer_id", "starts_at"),
        sa.Index("ix_attendance_organization_id_starts_at", "organization_id", "starts_at"),
        sa.Index("ix_attendance_area_starts_at", "area", "starts_at"),
        sa.Index("ix_attendance_starts_at_id", "starts_at", "id"),
    )
    id: UUID = key()
    session_id: UUID = to("service_session.id", index=False)
    volunteer_id: UUID = to("person.id", index=False)
    commitment_id: UUID | None = to("commitment.id", optional=True)
    """The commitment that this volunteer's presence carries out."""
    status: AttendanceStatus = choice(AttendanceStatus)
    position: int = count()
    """The order of signing up, from 1; the waitlist moves up in this order."""
    applied_at: datetime = instant()
    accepted_at: datetime | None = instant(optional=True)
    starts_at: datetime = instant()
    """The session's start."""
    check_in_at: datetime | None = instant(optional=True)
    check_in_method: CheckMethod | None = choice(CheckMethod, optional=True)
    check_in_by: UUID | None = to("person.id", optional=True, index=False)
    """Who marked it from the roster. Who marked a check-out so answers for its credit."""
    check_out_at: datetime | None = instant(optional=True)
    check_out_method: CheckMethod | None = choice(CheckMethod, optional=True)
    credited_minutes: int | None = None
    """The live credit's minutes."""
    rating: int | None = None
    """The organizers' evaluation, 1 to 5."""
    reason: bytes | None = sealed(Kind.CARE, "volunteer_id", optional=True)
    """Why it was refused, withdrawn, excused: a volunteer's illness, say. Sealed."""
    restricted_need_id: UUID | None = None
    """The session's."""
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    area: str = text()
    late: bool = flag()
    """Whether he gave up a place that he had, less than 24 h before the session."""


class HourEntry(Table, table=True):
    """时长分录: minutes credited or taken back. Never edited: a credit is reversed, and a corrected one follows."""

    __tablename__ = "hour_entry"
    __table_args__ = (
        chosen("kind", HourKind),
        chosen("trust", HourTrust),
        check("minutes", "CASE kind WHEN 'CREDIT' THEN minutes BETWEEN 0 AND 720 ELSE minutes BETWEEN -720 AND 0 END"),
        check("revision", "revision >= 1"),
        check("reverses", "(kind = 'REVERSAL') = (reverses_id IS NOT NULL)"),
        check("follows", "(kind = 'CREDIT' AND revision > 1) = (follows_id IS NOT NULL)"),
        check("by_another", "approved_by <> volunteer_id"),
        check("answered", "(kind = 'CREDIT' AND trust = 'SYSTEM') OR (approved_by IS NOT NULL AND reason IS NOT NULL)"),
        sa.Index(
            "uq_hour_entry_credit",
            "attendance_id",
            "revision",
            unique=True,
            postgresql_where=sa.text("kind = 'CREDIT'"),
        ),
        sa.UniqueConstraint("reverses_id"),
        sa.UniqueConstraint("follows_id"),
        sa.Index("ix_hour_entry_attendance_id_at", "attendance_id", "at"),
        sa.Index("ix_hour_entry_volunteer_id_at", "volunteer_id", "at"),
        sa.Index("ix_hour_entry_volunteer_id_served_on", "volunteer_id", "served_on"),
        sa.Index("ix_hour_entry_organization_id_at", "organization_id", "at"),
        sa.Index("ix_hour_entry_area_credited_on", "area", "credited_on"),
        sa.Index("ix_hour_entry_area_at", "area", "at"),
        sa.Index("ix_hour_entry_at_id", "at", "id"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    attendance_id: UUID = to("attendance.id", index=False)
    session_id: UUID = to("service_session.id")
    volunteer_id: UUID = to("person.id", index=False)
    kind: HourKind = choice(HourKind)
    revision: int = count()
    """1 for the first credit of an attendance and its reversal, 2 for the next, …"""
    reverses_id: UUID | None = to("hour_entry.id", optional=True, index=False)
    """The credit that a reversal takes back."""
    follows_id: UUID | None = to("hour_entry.id", optional=True, index=False)
    """The reversal in whose place a corrected credit stands."""
    minutes: int = count()
    trust: HourTrust = choice(HourTrust)
    approved_by: UUID | None = to("person.id", optional=True, index=False)
    reason: str | None = text(optional=True)
    served_on: date
    """The Shanghai day of the session's start: the daily cap counts by it."""
    credited_on: date
    """The day whose period it belongs to: the day served, or, once the session is locked, the day of booking."""
    at: datetime = instant()
    category_code: str = text()
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    area: str = text()


class ManualProposal(Table, table=True):
    """A proposal to credit hours by hand, where check-in or check-out was forgotten: two people, and evidence."""

    __tablename__ = "manual_proposal"
    __table_args__ = (
        chosen("status", ProposalStatus),
        check("minutes", "minutes BETWEEN 0 AND 720"),
        check("second_person", "decided_by NOT IN (proposed_by, volunteer_id)"),
        check("not_for_oneself", "proposed_by <> volunteer_id"),
        check(
            "decided",
            "(status = 'PENDING') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
        ),
        sa.Index(
            "uq_manual_proposal_pending", "attendance_id", unique=True, postgresql_where=sa.text("status = 'PENDING'")
        ),
        sa.Index("ix_manual_proposal_attendance_id_proposed_at", "attendance_id", "proposed_at"),
        sa.Index("ix_manual_proposal_session_id_status", "session_id", "status"),
        sa.Index("ix_manual_proposal_organization_id_proposed_at", "organization_id", "proposed_at"),
        sa.Index("ix_manual_proposal_area_proposed_at", "area", "proposed_at"),
        sa.Index("ix_manual_proposal_volunteer_id_proposed_at", "volunteer_id", "proposed_at"),
        sa.Index("ix_manual_proposal_proposed_at_id", "proposed_at", "id"),
    )
    id: UUID = key()
    attendance_id: UUID = to("attendance.id", index=False)
    session_id: UUID = to("service_session.id", index=False)
    volunteer_id: UUID = to("person.id", index=False)
    minutes: int = count()
    reason: str = text()
    evidence: str = text()
    status: ProposalStatus = choice(ProposalStatus, default=ProposalStatus.PENDING)
    proposed_by: UUID = to("person.id", index=False)
    proposed_at: datetime = instant()
    decided_by: UUID | None = to("person.id", optional=True, index=False)
    decided_at: datetime | None = instant(optional=True)
    note: str | None = text(optional=True)
    """What the decider wrote."""
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    area: str = text()
