"""What changes sessions, attendances and hours."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from models.activity import actions
from models.people.rules import AccessPurpose, ContactField
from resolvers.activity.types import Attendance, ManualProposal, ServiceActivity, ServiceSession
from resolvers.common import PositionInput
from resolvers.people import ContactReveal
from resolvers.verbs import Call, mutation


def _told(description: str) -> Any:
    return strawberry.argument(description=description)


SessionId = Annotated[strawberry.ID, _told("The session.")]
AttendanceId = Annotated[strawberry.ID, _told("The attendance.")]
ProposalId = Annotated[strawberry.ID, _told("The proposal.")]
EntryId = Annotated[strawberry.ID, _told("The entry: a credit that stands.")]
Version = Annotated[int, _told("The version that was read.")]
Reason = Annotated[str, _told("Why: 1 to 200 characters, shown to whom it concerns.")]
MaybeReason = Annotated[str | None, _told("Why, if that is to be said: at most 200 characters.")]
Minutes = Annotated[int, _told("Whole minutes: at most the session's length, and 12 hours a day.")]
NewMinutes = Annotated[
    int | None,
    _told("Whole minutes of a corrected credit, at most those taken back; none stands in its place by default."),
]
Evidence = Annotated[str, _told("What shows that he was there: 1 to 2000 characters.")]
Note = Annotated[str, _told("Why: 1 to 200 characters.")]
MaybeNote = Annotated[str | None, _told("A word on it, at most 200 characters.")]
Registered = Annotated[int, _told("Known beneficiaries, each counted once.")]
Unregistered = Annotated[int, _told("Walk-ins.")]
Rating = Annotated[int, _told("1 to 5.")]


@strawberry.input(description="What an activity is made of.")
class ActivityCreateInput:
    title: str = strawberry.field(description="Its name, 2 to 60 characters.")
    description: str = strawberry.field(default="", description="What it is about, at most 2000 characters.")
    category: strawberry.ID = strawberry.field(description="What kind of service it is.")
    community: strawberry.ID = strawberry.field(description="Where it takes place.")
    starts_on: date = strawberry.field(description="Its first day.")
    ends_on: date | None = strawberry.field(default=None, description="Its last day, if one is planned.")


@strawberry.input(description="A commitment that a session is to carry out.")
class SessionCommitmentInput:
    commitment: strawberry.ID = strawberry.field(description="The commitment, confirmed or in service.")
    quantity: int | None = strawberry.field(
        default=None, description="How much of it this session is to deliver; all that is owed by default."
    )


@strawberry.input(
    description="What a session is made of: for commitments of one need, whose category, community and time it then takes unless others are given; or open, of an activity or of a category and community."
)
class SessionCreateInput:
    title: str | None = strawberry.field(
        default=None, description="Its name, 2 to 60 characters; the need's or the activity's by default."
    )
    commitments: list[SessionCommitmentInput] = strawberry.field(
        default_factory=list, description="The commitments that it carries out, all of one need; at most 20."
    )
    activity: strawberry.ID | None = strawberry.field(default=None, description="The activity that it belongs to.")
    community: strawberry.ID | None = strawberry.field(
        default=None, description="Where it takes place, when neither commitments nor an activity say so."
    )
    category: strawberry.ID | None = strawberry.field(
        default=None, description="What kind of service it is, when neither commitments nor an activity say so."
    )
    starts_at: datetime | None = strawberry.field(
        default=None, description="When it starts; the commitments' time by default."
    )
    ends_at: datetime | None = strawberry.field(default=None, description="When it ends, at most 24 hours later.")
    place: str | None = strawberry.field(
        default=None,
        description="Where to meet, as everybody may read it, never somebody's door; the community's name by default.",
    )
    meeting_point: PositionInput | None = strawberry.field(
        default=None, description="Where one may check in by position."
    )
    radius_m: int = strawberry.field(default=300, description="How near one has to be for it, 20 to 5000 metres.")
    capacity: int | None = strawberry.field(
        default=None, description="How many places, 1 to 10000; as many as the commitments need by default."
    )
    min_age: int = strawberry.field(default=0, description="The least age of its volunteers, in full years.")
    open_sign_up: bool | None = strawberry.field(
        default=None,
        description="Whether it is public and volunteers sign up themselves; by default so unless its commitments name all who serve.",
    )
    needs_approval: bool = strawberry.field(
        default=False, description="Whether a sign-up waits for the organizers' word."
    )


@strawberry.input(description="What to change of a session; what is absent stays.")
class SessionEditInput:
    title: strawberry.Maybe[str] = strawberry.field(description="Its name, 2 to 60 characters.")
    starts_at: strawberry.Maybe[datetime] = strawberry.field(description="When it starts.")
    ends_at: strawberry.Maybe[datetime] = strawberry.field(description="When it ends, at most 24 hours later.")
    place: strawberry.Maybe[str] = strawberry.field(description="Where to meet; never somebody's door.")
    meeting_point: strawberry.Maybe[PositionInput | None] = strawberry.field(
        description="Where one may check in by position; null for nowhere."
    )
    radius_m: strawberry.Maybe[int] = strawberry.field(description="How near one has to be, 20 to 5000 metres.")
    capacity: strawberry.Maybe[int] = strawberry.field(description="How many places; never below those taken.")
    min_age: strawberry.Maybe[int] = strawberry.field(description="The least age; nobody with a place may be younger.")
    needs_approval: strawberry.Maybe[bool] = strawberry.field(description="Whether a sign-up waits for approval.")

    def changes(self) -> dict[str, Any]:
        """The columns that were given, and their new values."""
        given = {name: some.value for name, some in vars(self).items() if some is not None}
        if "meeting_point" in given:
            at = given.pop("meeting_point")
            given |= {"latitude": at and at.latitude, "longitude": at and at.longitude}
        return given


@strawberry.input(description="What proves that a volunteer is there: the code, or his position. Organizers need none.")
class CheckInput:
    code: str | None = strawberry.field(default=None, description="The session's sign code, as shown at the place.")
    position: PositionInput | None = strawberry.field(default=None, description="Where he is.")

    def proof(self) -> tuple[str | None, float | None, float | None]:
        """The code, the latitude and the longitude."""
        at = self.position
        return self.code, at.latitude if at else None, at.longitude if at else None


NO_PROOF: tuple[None, None, None] = (None, None, None)


@strawberry.type
class ActivityMutation:
    @mutation(
        ServiceActivity,
        actions.create_activity,
        description="Make a programme that sessions can belong to. For an organization's staff, community staff and social workers.",
    )
    async def activity_create(call: Call, input: Annotated[ActivityCreateInput, _told("What it is made of.")]) -> UUID:
        draft = actions.ActivityDraft(
            title=input.title,
            description=input.description,
            category=call.id(input.category, "service_category", "category"),
            community=call.id(input.community, "division", "community"),
            starts_on=input.starts_on,
            ends_on=input.ends_on,
        )
        return await actions.create_activity(call.db, draft)

    @mutation(
        ServiceSession,
        actions.create_session,
        description="Plan a session. The volunteers whom its commitments name have their places, and are booked, at once.",
    )
    async def session_create(call: Call, input: Annotated[SessionCreateInput, _told("What it is made of.")]) -> UUID:
        at = input.meeting_point
        draft = actions.SessionDraft(
            title=input.title,
            commitments=tuple(
                (call.id(c.commitment, "commitment", "commitments"), c.quantity) for c in input.commitments
            ),
            activity=None if input.activity is None else call.id(input.activity, "activity", "activity"),
            community=None if input.community is None else call.id(input.community, "division", "community"),
            category=None if input.category is None else call.id(input.category, "service_category", "category"),
            starts_at=input.starts_at,
            ends_at=input.ends_at,
            place=input.place,
            latitude=at.latitude if at else None,
            longitude=at.longitude if at else None,
            radius_m=input.radius_m,
            capacity=input.capacity,
            min_age=input.min_age,
            open_sign_up=input.open_sign_up,
            needs_approval=input.needs_approval,
        )
        return await actions.create_session(call.db, draft)

    @mutation(
        ServiceSession,
        actions.edit_session,
        description="Change a session. More places go to the waitlist at once; a new time moves everybody's booking.",
    )
    async def session_edit(
        call: Call, id: SessionId, version: Version, input: Annotated[SessionEditInput, _told("What changes.")]
    ) -> UUID:
        return await actions.edit_session(call.db, call.id(id, "session"), version, input.changes())

    @mutation(ServiceSession, actions.publish_session, description="Announce a session; its sign code is made now.")
    async def session_publish(call: Call, id: SessionId) -> UUID:
        return await actions.publish_session(call.db, call.id(id, "session"))

    @mutation(
        ServiceSession,
        actions.cancel_session,
        description="Call a session off before anybody has checked in. Everybody's time is free again; commitments stand.",
    )
    async def session_cancel(call: Call, id: SessionId, reason: Reason) -> UUID:
        return await actions.cancel_session(call.db, call.id(id, "session"), reason)

    @mutation(ServiceSession, actions.end_session, description="End a session; the waitlist lapses, the code is gone.")
    async def session_end(call: Call, id: SessionId) -> UUID:
        return await actions.end_session(call.db, call.id(id, "session"))

    @mutation(
        ServiceSession,
        actions.confirm_session,
        description="Stand by a session's roster, once everybody is settled: who had a place and never came is absent.",
    )
    async def session_confirm(call: Call, id: SessionId) -> UUID:
        return await actions.confirm_session(call.db, call.id(id, "session"))

    @mutation(
        ServiceSession,
        actions.lock_session,
        description="Close a session with its period: nothing of it changes any more. For community staff and social workers.",
    )
    async def session_lock(call: Call, id: SessionId) -> UUID:
        return await actions.lock_session(call.db, call.id(id, "session"))

    @mutation(ServiceSession, actions.record_headcount, description="Record how many were served in a session.")
    async def session_record_headcount(
        call: Call, id: SessionId, registered: Registered, unregistered: Unregistered
    ) -> UUID:
        return await actions.record_headcount(call.db, call.id(id, "session"), registered, unregistered)

    @mutation(
        Attendance,
        actions.sign_up,
        description="Sign up for a session, as a volunteer: accepted while there are places, then waitlisted in order.",
    )
    async def session_sign_up(call: Call, id: SessionId) -> UUID:
        return await actions.sign_up(call.db, call.id(id, "session"))

    @mutation(
        Attendance,
        actions.withdraw,
        description="Step back from a session before it starts; the first of the waitlist moves up.",
    )
    async def attendance_withdraw(call: Call, id: AttendanceId, reason: MaybeReason = None) -> UUID:
        return await actions.withdraw(call.db, call.id(id, "attendance"), reason)

    @mutation(Attendance, actions.accept, description="Give a place to a volunteer who applied; not to oneself.")
    async def attendance_accept(call: Call, id: AttendanceId) -> UUID:
        return await actions.accept(call.db, call.id(id, "attendance"))

    @mutation(Attendance, actions.refuse, description="Not give a place to a volunteer who applied.")
    async def attendance_refuse(call: Call, id: AttendanceId, reason: Reason) -> UUID:
        return await actions.refuse(call.db, call.id(id, "attendance"), reason)

    @mutation(Attendance, actions.waitlist, description="Put a volunteer who applied on the waitlist.")
    async def attendance_waitlist(call: Call, id: AttendanceId) -> UUID:
        return await actions.waitlist(call.db, call.id(id, "attendance"))

    @mutation(
        Attendance,
        actions.check_in,
        description="Check in, from an hour before the start until the end. The first check-in starts the session.",
    )
    async def attendance_check_in(
        call: Call,
        id: AttendanceId,
        input: Annotated[CheckInput | None, _told("What proves it; organizers need none.")] = None,
    ) -> UUID:
        proof = input.proof() if input else NO_PROOF
        return await actions.check_in(call.db, call.id(id, "attendance"), *proof)

    @mutation(
        Attendance,
        actions.check_out,
        description="Check out, until two hours after the end. The minutes inside the session's time are credited at once, on the word of whoever marked another from the roster.",
    )
    async def attendance_check_out(
        call: Call,
        id: AttendanceId,
        input: Annotated[CheckInput | None, _told("What proves it; organizers need none.")] = None,
    ) -> UUID:
        proof = input.proof() if input else NO_PROOF
        return await actions.check_out(call.db, call.id(id, "attendance"), *proof)

    @mutation(Attendance, actions.mark_absent, description="Record that a volunteer with a place did not come.")
    async def attendance_mark_absent(call: Call, id: AttendanceId) -> UUID:
        return await actions.mark_absent(call.db, call.id(id, "attendance"))

    @mutation(
        Attendance,
        actions.excuse,
        description="Release a volunteer from his place; the first of the waitlist moves up.",
    )
    async def attendance_excuse(call: Call, id: AttendanceId, reason: Reason) -> UUID:
        return await actions.excuse(call.db, call.id(id, "attendance"), reason)

    @mutation(Attendance, actions.rate, description="Evaluate a credited service, 1 to 5; not one's own.")
    async def attendance_rate(call: Call, id: AttendanceId, rating: Rating) -> UUID:
        return await actions.rate(call.db, call.id(id, "attendance"), rating)

    @mutation(
        ManualProposal,
        actions.propose_hours,
        description="Propose hours for a volunteer who forgot to check in or out, or whose credit was reversed, with what shows that he was there.",
    )
    async def manual_hours_propose(
        call: Call, attendance: AttendanceId, minutes: Minutes, reason: Reason, evidence: Evidence
    ) -> UUID:
        of = call.id(attendance, "attendance", "attendance")
        return await actions.propose_hours(call.db, of, minutes, reason, evidence)

    @mutation(
        ManualProposal,
        actions.approve_hours,
        description="Approve proposed hours, as a second person of the community's staff: credited with trust MANUAL.",
    )
    async def manual_hours_approve(call: Call, id: ProposalId, note: MaybeNote = None) -> UUID:
        return await actions.approve_hours(call.db, call.id(id, "proposal"), note)

    @mutation(ManualProposal, actions.reject_hours, description="Reject proposed hours, saying why.")
    async def manual_hours_reject(call: Call, id: ProposalId, note: Note) -> UUID:
        return await actions.reject_hours(call.db, call.id(id, "proposal"), note)

    @mutation(
        Attendance,
        actions.reverse_hours,
        description="Take a credit back, whole; with `minutes`, a lower credit stands in its place. More takes a proposal by hand.",
    )
    async def hours_reverse(call: Call, entry: EntryId, reason: Reason, minutes: NewMinutes = None) -> UUID:
        return await actions.reverse_hours(call.db, call.id(entry, "hour", "entry"), reason, minutes)

    @mutation(
        Attendance,
        actions.credit_again,
        description="Credit an attendance whose credit was reversed, with none in its place; at most what was taken back.",
    )
    async def hours_credit_again(call: Call, attendance: AttendanceId, minutes: Minutes, reason: Reason) -> UUID:
        of = call.id(attendance, "attendance", "attendance")
        return await actions.credit_again(call.db, of, minutes, reason)

    @mutation(
        ContactReveal,
        actions.reveal_day,
        description="Social workers and grid officers: read the plain contacts of the residents of a day's list, today's or tomorrow's: those whom its confirmed commitments and sessions serve in the caller's area, and a social worker's own cases. Each reading is on record, and each person sees who read his. Never replayed.",
        idempotent=False,
    )
    async def contact_reveal_day(
        call: Call,
        date: Annotated[date, _told("Today or tomorrow.")],
        purpose: Annotated[AccessPurpose, _told("What for.")],
        fields: Annotated[list[ContactField] | None, _told("Which; name, phone and address when none is said.")] = None,
    ) -> UUID:
        return await (
            actions.reveal_day(call.db, date, purpose)
            if fields is None
            else actions.reveal_day(call.db, date, purpose, fields)
        )
