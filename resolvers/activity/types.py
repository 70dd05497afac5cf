"""Activities, sessions, attendances and hours as GraphQL shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.activity import queries, rules, tables
from models.activity.rules import (
    AttendanceStatus,
    CheckMethod,
    HourKind,
    HourTrust,
    ProposalStatus,
    SessionStatus,
)
from models.files import tables as files
from models.vault import Kind
from resolvers.activity.inputs import RosterFilter, SessionFilter, SessionOrder
from resolvers.attached import attached
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.exchange import Commitment, Need, ServiceCategory
    from resolvers.files import Attachment
    from resolvers.people import Organization, Person

Session, Part, Entry, Proposal = (
    tables.ServiceSession,
    tables.Attendance,
    tables.HourEntry,
    tables.ManualProposal,
)


@w.entity(tables.ServiceActivity, "activity")
@strawberry.type(description="A programme that sessions belong to. 活动。")
class ServiceActivity(Node):
    title: str = w.column(tables.ServiceActivity.title, description="Its name.")
    description: str = w.column(tables.ServiceActivity.description, description="What it is about; may be empty.")
    organization: Annotated[Organization, strawberry.lazy("resolvers.people")] | None = w.one(
        tables.ServiceActivity.organization_id, description="Who runs it; null when the community does."
    )
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] = w.one(
        tables.ServiceActivity.category_id, description="What kind of service it is."
    )
    community: Division = w.one(tables.ServiceActivity.community_id, description="Where it takes place.")
    starts_on: date = w.column(tables.ServiceActivity.starts_on, description="Its first day.")
    ends_on: date | None = w.column(
        tables.ServiceActivity.ends_on, description="Its last day; null when none is planned."
    )
    created_at: datetime = w.column(tables.ServiceActivity.created_at, description="When it was made.")
    sessions: Connection[ServiceSession] = w.connection(
        Session.activity_id,
        order={
            SessionOrder.STARTS_SOONEST: (Session.starts_at,),
            SessionOrder.STARTS_LATEST: (desc(Session.starts_at),),
        },
        filter=SessionFilter,
        description="Its sessions.",
    )


def _may(step: str, description: str) -> Any:
    return w.expression(queries.session_can(step), description=description)


@strawberry.type(description="What the caller may do with a session now.")
class SessionViewerCan:
    edit: bool = _may("edit", "Change it; once it runs, only its capacity.")
    publish: bool = _may("publish", "Announce it.")
    cancel: bool = _may("cancel", "Call it off.")
    end: bool = _may("end", "End it.")
    confirm: bool = _may("confirm", "Stand by its roster, once everybody is settled.")
    lock: bool = _may("lock", "Close it with its period.")
    record_headcount: bool = _may("record_headcount", "Record how many were served.")
    sign_up: bool = _may("sign_up", "Sign up, as a volunteer.")


@strawberry.type(description="A position, and how near one has to be to check in by it.")
class MeetingPoint:
    latitude: float = w.named("latitude", description="Degrees north, WGS 84.")
    longitude: float = w.named("longitude", description="Degrees east, WGS 84.")
    radius_m: int = w.named("radius_m", description="How near one has to be, in metres.")


@w.entity(tables.SessionCode)
@strawberry.type(description="A session's sign code, for its organizers alone to show at the place.")
class SessionCode:
    code: str = w.column(tables.SessionCode.code, description="Eight letters and digits; capitals do not matter.")


@w.entity(Session, "session")
@strawberry.type(description="A service at a place and time, with places for volunteers. 服务场次。")
class ServiceSession(Node):
    title: str = w.column(Session.title, description="Its name.")
    activity: ServiceActivity | None = w.one(Session.activity_id, description="The activity that it belongs to.")
    organization: Annotated[Organization, strawberry.lazy("resolvers.people")] | None = w.one(
        Session.organization_id, description="Who runs it; null when the community does."
    )
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.one(
        Session.need_id, description="The need that it serves, where the caller may see it."
    )
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] = w.one(
        Session.category_id, description="What kind of service it is."
    )
    community: Division = w.one(Session.community_id, description="Where it takes place.")
    starts_at: datetime = w.column(Session.starts_at, description="When it starts.")
    ends_at: datetime = w.column(Session.ends_at, description="When it ends.")
    place: str = w.column(Session.place, description="Where to meet; never somebody's door.")
    meeting_point: MeetingPoint | None = w.inside(
        lambda row: {"latitude": row.latitude, "longitude": row.longitude, "radius_m": row.radius_m},
        present="latitude",
        description="Where one checks in by position; null when only the code or the organizers do it.",
    )
    capacity: int = w.column(Session.capacity, description="How many volunteers it has places for.")
    accepted_count: int = w.column(Session.accepted_count, description="How many places are taken.")
    places_left: int = w.expression(
        lambda row: row.capacity - row.accepted_count, description="How many places are left."
    )
    min_age: int = w.column(Session.min_age, description="The least age of its volunteers, in full years; 0 for none.")
    open_sign_up: bool = w.column(
        Session.open_sign_up, description="Whether it is public, and volunteers sign up themselves."
    )
    needs_approval: bool = w.column(
        Session.needs_approval, description="Whether a sign-up waits for the organizers' word."
    )
    status: SessionStatus = w.column(Session.status, description="Its state.")
    headcount_registered: int = w.column(
        Session.headcount_registered, description="How many known beneficiaries were served, each counted once."
    )
    headcount_unregistered: int = w.column(Session.headcount_unregistered, description="How many walk-ins were served.")
    cancelled_reason: str | None = w.column(
        Session.cancelled_reason, description="Why it was called off; null when it was not."
    )
    created_at: datetime = w.column(Session.created_at, description="When it was made.")
    published_at: datetime | None = w.column(
        Session.published_at, description="When it was announced; null before that."
    )
    version: int = w.column(Session.version, description="One more with each edit; `sessionEdit` asks for it.")
    sign_code: SessionCode | None = w.one(
        "id", target="session_id", description="Its sign code, from publishing to its end; null for all but organizers."
    )
    commitments: list[SessionCommitment] = w.many(
        tables.SessionCommitment.session_id,
        order=(tables.SessionCommitment.id,),
        limit=rules.MOST_COMMITMENTS,
        default=5,
        description="The commitments that it carries out.",
    )
    attendances: Connection[Attendance] = w.connection(
        Part.session_id,
        order=(Part.position,),
        filter=RosterFilter,
        description="Its roster in the order of signing up, as far as the caller may see it.",
    )
    credited_minutes: int = w.expression(
        queries.minutes_of_session, description="The minutes credited for it, of the entries that the caller may see."
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.session_id, "session"
    )
    viewer_can: SessionViewerCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.SessionCommitment)
@strawberry.type(description="That a session carries out a commitment, and how much of it.")
class SessionCommitment:
    session: ServiceSession | None = w.one(tables.SessionCommitment.session_id, description="The session.")
    commitment: Annotated[Commitment, strawberry.lazy("resolvers.exchange")] | None = w.one(
        tables.SessionCommitment.commitment_id, description="The commitment, where the caller may see it."
    )
    quantity: int = w.column(
        tables.SessionCommitment.quantity, description="How much of the commitment the session is to deliver."
    )


@strawberry.type(description="A check-in or a check-out.")
class CheckMark:
    at: datetime = w.named("at", description="When, by the server's clock.")
    method: CheckMethod = w.named("method", description="How it was proven.")


def _mark(row: w.Row, view: w.View, name: str) -> dict[str, w.Row]:
    """A check-in or check-out, for those who may read when somebody was where."""
    shown = queries.may_read_marks(row, view)
    return {part: sa.case((shown, getattr(row, f"{name}_{part}"))) for part in ("at", "method")}


def _can(step: str, description: str) -> Any:
    return w.expression(queries.attendance_can(step), description=description)


@strawberry.type(description="What the caller may do with an attendance now.")
class AttendanceViewerCan:
    withdraw: bool = _can("withdraw", "Step back.")
    accept: bool = _can("accept", "Give it a place.")
    refuse: bool = _can("refuse", "Not give it a place.")
    waitlist: bool = _can("waitlist", "Put it on the waitlist.")
    check_in: bool = _can("check_in", "Check in.")
    check_out: bool = _can("check_out", "Check out.")
    mark_absent: bool = _can("mark_absent", "Record that he did not come.")
    excuse: bool = _can("excuse", "Release him from his place.")
    rate: bool = _can("rate", "Evaluate his service.")
    propose_hours: bool = _can("credit_manually", "Propose hours by hand.")
    credit_again: bool = _can("credit_again", "Credit it anew after a reversal.")


@w.entity(Part, "attendance")
@strawberry.type(description="One volunteer's part in one session. 参与记录。")
class Attendance(Node):
    session: ServiceSession = w.one(Part.session_id, description="The session.")
    volunteer: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Part.volunteer_id, description="The volunteer, as far as the caller may see him."
    )
    commitment: Annotated[Commitment, strawberry.lazy("resolvers.exchange")] | None = w.one(
        Part.commitment_id, description="The commitment that his presence carries out, where the caller may see it."
    )
    organization: Annotated[Organization, strawberry.lazy("resolvers.people")] | None = w.one(
        Part.organization_id, description="The organization for which he serves; null for the community's own."
    )
    status: AttendanceStatus = w.column(Part.status, description="Its state.")
    position: int = w.column(
        Part.position, description="The order of signing up, from 1: the waitlist moves up in this order."
    )
    applied_at: datetime = w.column(Part.applied_at, description="When he signed up.")
    accepted_at: datetime | None = w.column(Part.accepted_at, description="When he was given a place.")
    starts_at: datetime = w.column(Part.starts_at, description="When the session starts.")
    check_in: CheckMark | None = w.inside(
        lambda row, view: _mark(row, view, "check_in"),
        present="at",
        description="His check-in; null when there is none, and for grid officers.",
    )
    check_out: CheckMark | None = w.inside(
        lambda row, view: _mark(row, view, "check_out"),
        present="at",
        description="His check-out; null when there is none, and for grid officers.",
    )
    credited_minutes: int | None = w.column(
        Part.credited_minutes, description="The minutes that stand credited; null when none do."
    )
    rating: int | None = w.expression(
        lambda row, view: sa.case((queries.to_organizers(row, view), row.rating)),
        description="The organizers' evaluation, 1 to 5; null when there is none, and for grid officers and residents.",
    )
    reason: str | None = w.sealed(
        Kind.CARE,
        lambda row, view: sa.case((queries.to_organizers(row, view), row.reason)),
        subject=lambda row: row.volunteer_id,
        description="Why it was refused, withdrawn or excused; for himself, the organizers, community staff and social workers.",
    )
    entries: list[HourEntry] = w.many(
        Entry.attendance_id,
        order=(Entry.at, Entry.id),
        limit=20,
        default=3,
        description="Its entries of the hours ledger, the oldest first.",
    )
    proposals: list[ManualProposal] = w.many(
        Proposal.attendance_id,
        order=(Proposal.proposed_at,),
        limit=20,
        default=3,
        description="Proposals to credit its hours by hand, the oldest first.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.attendance_id, "attendance"
    )
    viewer_can: AttendanceViewerCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="What the caller may do with an entry of the hours ledger now.")
class HourViewerCan:
    reverse: bool = w.expression(queries.can_reverse, description="Take it back, whole.")


@w.entity(Entry, "hour")
@strawberry.type(description="Minutes credited, or taken back. Never edited. 时长分录。")
class HourEntry(Node):
    attendance: Attendance | None = w.one(Entry.attendance_id, description="The attendance that it is for.")
    volunteer: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Entry.volunteer_id, description="Whose hours they are, as far as the caller may see him."
    )
    organization: Annotated[Organization, strawberry.lazy("resolvers.people")] | None = w.one(
        Entry.organization_id, description="For which organization; null for the community's own."
    )
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        Entry.category_code, target="code", description="What kind of service it was."
    )
    kind: HourKind = w.column(Entry.kind, description="Whether it credits or takes back.")
    revision: int = w.column(
        Entry.revision, description="1 for the attendance's first credit and its reversal, 2 for the next, …"
    )
    reverses: HourEntry | None = w.one(Entry.reverses_id, description="The credit that this reversal takes back.")
    follows: HourEntry | None = w.one(
        Entry.follows_id, description="The reversal in whose place this corrected credit stands."
    )
    minutes: int = w.column(Entry.minutes, description="Minutes; below zero for a reversal.")
    trust: HourTrust = w.column(Entry.trust, description="What the credit rests on.")
    approved_by: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Entry.approved_by, description="Who answered for it; null where the server's clock did."
    )
    reason: str | None = w.column(Entry.reason, description="Why; null where the server's clock recorded it.")
    served_on: date = w.column(Entry.served_on, description="The day of the service.")
    credited_on: date = w.column(
        Entry.credited_on,
        description="The day whose period it belongs to: the day of the service, or of booking once the session is locked.",
    )
    at: datetime = w.column(Entry.at, description="When it was written.")
    viewer_can: HourViewerCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="What the caller may do with a proposal of hours now.")
class ProposalViewerCan:
    approve: bool = w.expression(queries.can_decide, description="Approve it, as a second person.")
    reject: bool = w.expression(queries.can_decide, description="Reject it, as a second person.")


@w.entity(Proposal, "proposal")
@strawberry.type(description="A proposal to credit hours by hand; a second person decides. 补录申请。")
class ManualProposal(Node):
    attendance: Attendance | None = w.one(Proposal.attendance_id, description="The attendance that it is for.")
    volunteer: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Proposal.volunteer_id, description="Whose hours they are, as far as the caller may see him."
    )
    minutes: int = w.column(Proposal.minutes, description="How many minutes are proposed.")
    reason: str = w.column(Proposal.reason, description="Why by hand.")
    evidence: str = w.column(Proposal.evidence, description="What shows that he was there.")
    status: ProposalStatus = w.column(Proposal.status, description="Its state.")
    proposed_by: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Proposal.proposed_by, description="Who proposed it, as far as the caller may see him."
    )
    proposed_at: datetime = w.column(Proposal.proposed_at, description="When it was proposed.")
    decided_by: Annotated[Person, strawberry.lazy("resolvers.people")] | None = w.one(
        Proposal.decided_by, description="Who decided; null while it waits."
    )
    decided_at: datetime | None = w.column(Proposal.decided_at, description="When it was decided.")
    note: str | None = w.column(Proposal.note, description="What the decider wrote.")
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.proposal_id, "proposal"
    )
    viewer_can: ProposalViewerCan = w.inside(description="What the caller may do with it now.")
