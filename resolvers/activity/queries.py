"""Where reading sessions, attendances and hours begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry
from sqlmodel import desc

from models.activity import queries, tables
from models.activity.rules import HourTrust
from models.people.tables import Volunteer
from resolvers.activity.inputs import (
    ActivityFilter,
    ActivityOrder,
    AttendanceFilter,
    AttendanceOrder,
    HourFilter,
    HourOrder,
    ProposalFilter,
    SessionFilter,
    SessionOrder,
)
from resolvers.activity.types import Attendance, HourEntry, ManualProposal, ServiceActivity, ServiceSession
from resolvers.common import Connection
from resolvers.engine import words as w

if TYPE_CHECKING:
    from resolvers.exchange import ServiceCategory

Session, Part, Entry, Proposal = (
    tables.ServiceSession,
    tables.Attendance,
    tables.HourEntry,
    tables.ManualProposal,
)


STARTS = {
    AttendanceOrder.STARTS_LATEST: (desc(Part.starts_at),),
    AttendanceOrder.STARTS_SOONEST: (Part.starts_at,),
}


@w.entity(Volunteer)
@strawberry.type(description="A volunteer's hours: the sum of his entries.")
class VolunteerHours:
    total_minutes: int = w.expression(queries.minutes_of_volunteer(), description="All minutes that stand credited.")
    system_minutes: int = w.expression(
        queries.minutes_of_volunteer(HourTrust.SYSTEM),
        description="Of these, proven by the volunteer, by the server's clock.",
    )
    confirmed_minutes: int = w.expression(
        queries.minutes_of_volunteer(HourTrust.CONFIRMED), description="Of these, on one organizer's word."
    )
    manual_minutes: int = w.expression(
        queries.minutes_of_volunteer(HourTrust.MANUAL), description="Of these, credited by hand."
    )
    sessions: int = w.expression(queries.services_of_volunteer, description="In how many sessions he was credited.")


@strawberry.type(description="A volunteer's hours of one service category.")
class CategoryHours:
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange")] | None = w.one(
        "category_code", target="code", description="The category."
    )
    minutes: int = w.named("minutes", description="The minutes that stand credited.")
    sessions: int = w.named("sessions", description="In how many sessions.")


@strawberry.type
class ActivityQuery:
    activity: ServiceActivity | None = w.by_id(description="The activity of an id.")
    activities: Connection[ServiceActivity] = w.connection(
        order={
            ActivityOrder.NEWEST: (desc(tables.ServiceActivity.starts_on),),
            ActivityOrder.STARTS_SOONEST: (tables.ServiceActivity.starts_on,),
        },
        filter=ActivityFilter,
        description="Activities by pages.",
    )
    session: ServiceSession | None = w.by_id(description="The session of an id.")
    sessions: Connection[ServiceSession] = w.connection(
        order={
            SessionOrder.STARTS_SOONEST: (Session.starts_at,),
            SessionOrder.STARTS_LATEST: (desc(Session.starts_at),),
            SessionOrder.NEWEST: (desc(Session.created_at),),
        },
        filter=SessionFilter,
        description="Sessions by pages: those open to sign-up, and all that concern the caller.",
    )
    attendance: Attendance | None = w.by_id(description="The attendance of an id.")
    attendances: Connection[Attendance] = w.connection(
        order=STARTS, filter=AttendanceFilter, description="Attendances by pages: `mine` for one's own schedule."
    )
    hour_entries: Connection[HourEntry] = w.connection(
        order={HourOrder.NEWEST: (desc(Entry.at),), HourOrder.OLDEST: (Entry.at,)},
        filter=HourFilter,
        description="The ledger of hours by pages.",
    )
    manual_proposals: Connection[ManualProposal] = w.connection(
        order={HourOrder.NEWEST: (desc(Proposal.proposed_at),), HourOrder.OLDEST: (Proposal.proposed_at,)},
        filter=ProposalFilter,
        description="Proposals of hours by pages: `status: [PENDING]` for what waits.",
    )
    my_hours: VolunteerHours | None = w.single(
        lambda row, view: row.person_id == view.actor.person,
        description="The caller's own hours; null for one who is no volunteer.",
    )
    my_hours_by_category: list[CategoryHours] = w.report(
        queries.my_hours_by_category, size=30, description="The caller's own hours by category, the most first."
    )
