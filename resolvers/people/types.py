"""The types of people: masked everywhere, save the names of an organization's own volunteers for its staff."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.access import STAFF_ROLES, Role
from models.people import tables, visible
from models.people.availability import Language
from models.people.availability import VolunteerAbsence as VolunteerAbsences
from models.people.availability import VolunteerWindow as VolunteerWindows
from models.people.care import CareTier, ResidentTag
from models.people.identity import ADULT
from models.people.qualifications import Qualification as Qualifications
from models.people.queries import (
    covered,
    explained,
    may_edit_care,
    may_move_resident,
    may_move_volunteer,
    may_verify_resident,
    plain,
    reachable,
    taken_this_week,
)
from models.people.rules import Gender, IdType, PersonState, PhoneWhose, SocialWorkerLevel, VolunteerRegistration
from models.people.scopes import MAY
from models.vault import Kind
from resolvers.common import Node, Position
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.territory import Division, Grid

if TYPE_CHECKING:
    from resolvers.people.volunteering import Qualification

for values in (
    CareTier,
    Gender,
    IdType,
    Language,
    PersonState,
    PhoneWhose,
    ResidentTag,
    Role,
    SocialWorkerLevel,
    VolunteerRegistration,
):
    shown(values)


def own_or_staff(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """A value that the person himself and the staff of his area see; NULL for others."""
    if view.actor.role in STAFF_ROLES:
        return value
    return sa.case((row.person_id == view.actor.person, value))


@w.entity(tables.Person, "person")
@strawberry.type(description="A person, as others may see him: masked. 自然人。")
class Person(Node):
    name: str = w.column(
        tables.Person.name_masked, description="The surname, and a star for the rest, however long: `张*`."
    )
    phone: str | None = w.expression(
        lambda row, view: sa.case((reachable(row, view), row.phone_masked)),
        description="The phone number with four digits hidden, `138****1234`: for the person himself, his household, the staff who look after him and whom a commitment joins to him; null for others.",
    )
    address: str | None = w.expression(
        lambda row, view: sa.case((reachable(row, view), row.address_masked)),
        description="The address to its compound, without house and door: for those who see the phone number; null for others, and where none is recorded.",
    )
    full_name: str | None = w.sealed(
        Kind.NAME,
        lambda row, view: plain(view.rows(tables.PersonName), "name", row.id),
        subject=lambda row: row.id,
        description="The plain name: for the person himself, and for staff of an organization that took him as a volunteer; null for others.",
    )
    gender: Gender = w.column(tables.Person.gender, description="His gender, as recorded.")
    is_minor: bool | None = w.expression(
        lambda row, view: row.birth_date + sa.literal_column(f"interval '{ADULT} years'") > visible.today(view.actor),
        description="Whether he is under 18 today; null when no birth date is on record.",
    )
    state: PersonState = w.column(tables.Person.state, description="Whether these are his own data or a pseudonym's.")
    resident: Resident | None = w.one("id", target="person_id", description="His registration as a resident.")
    volunteer: Volunteer | None = w.one("id", target="person_id", description="His registration as a volunteer.")
    social_worker: SocialWorker | None = w.one("id", target="person_id", description="His licence as a social worker.")


def known(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """What the resident himself and the staff of his area see of his registration; NULL for others."""
    if view.actor.role in STAFF_ROLES:
        return sa.case((sa.or_(row.person_id == view.actor.person, covered(view.actor, row.area)), value))
    return sa.case((row.person_id == view.actor.person, value))


def caring(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """What the resident himself, his community's staff and its social workers see of him; NULL for others. Who has moved
    here is known here once they have made sure that he lives here."""
    if view.actor.role in MAY["resident.care"]:
        here = sa.and_(row.verified_at.is_not(None), covered(view.actor, row.area))
        return sa.case((sa.or_(row.person_id == view.actor.person, here), value))
    return sa.case((row.person_id == view.actor.person, value))


def looked_after(row: w.Row, view: w.View) -> w.Row:
    """The tier of care, for the same people and the grid's officer; NULL for others."""
    if view.actor.role is not Role.GRID_OFFICER:
        return caring(row, view, row.care_tier)
    return sa.case((sa.and_(row.verified_at.is_not(None), covered(view.actor, row.area)), row.care_tier))


@strawberry.type(description="What the caller may do with a resident's registration now.")
class ResidentCan:
    verify: bool = w.expression(lambda row, view: may_verify_resident(row, view.actor), description="`residentVerify`.")
    reject: bool = w.expression(lambda row, view: may_verify_resident(row, view.actor), description="`residentReject`.")
    move: bool = w.expression(lambda row, view: may_move_resident(row, view.actor), description="`residentMove`.")
    edit_care: bool = w.expression(lambda row, view: may_edit_care(row, view.actor), description="`residentCareEdit`.")


@w.entity(tables.Resident, "resident")
@strawberry.type(description="A person who lives in a community. 居民。")
class Resident(Node):
    person: Person | None = w.one(tables.Resident.person_id, description="Who he is, masked.")
    community: Division = w.one(tables.Resident.community_id, description="The community that he lives in.")
    grid: Grid | None = w.one(tables.Resident.grid_id, description="The grid that he lives in, where it is known.")
    household: list[Resident] = w.many(
        match=lambda item, parent: item.household == parent.household,
        order=(tables.Resident.created_at,),
        limit=20,
        description="The residents of his household, himself included; only those whom the caller may see.",
    )
    tags: list[ResidentTag] | None = w.sealed(
        Kind.CARE,
        lambda row, view: caring(row, view, row.care),
        subject=lambda row: row.person_id,
        description="Why he may need care; null for callers other than himself, his community's staff and social workers.",
    )
    care_note: str | None = w.sealed(
        Kind.CARE,
        lambda row, view: caring(row, view, row.care_note),
        subject=lambda row: row.person_id,
        description="What is known of his health or poverty, in words; for the same people as the tags.",
    )
    care_tier: CareTier | None = w.sealed(
        Kind.CARE,
        looked_after,
        subject=lambda row: row.person_id,
        description="How closely he is looked after, which does not say why: for the same people as the tags, and his grid's officer; null for others, and for nobody in particular.",
    )
    is_verified: bool = w.expression(
        lambda row: row.verified_at.is_not(None),
        description="Whether staff have made sure that he lives there. Who registered himself waits for it, and may ask for help meanwhile.",
    )
    verified_at: datetime | None = w.column(
        tables.Resident.verified_at, description="When staff made sure; null before that."
    )
    refused_at: datetime | None = w.expression(
        lambda row, view: known(row, view, row.refused_at),
        description="When staff found that he does not live there: he is no resident until he registers again. For himself and staff; null otherwise.",
    )
    refusal: str | None = w.sealed(
        Kind.CARE,
        lambda row, view: known(row, view, row.refusal),
        subject=lambda row: row.person_id,
        description="Why they found so; for the same people.",
    )
    created_at: datetime = w.column(
        tables.Resident.created_at, description="When he was registered, in the community where he is now."
    )
    former_residences: list[FormerResidence] = w.many(
        match=lambda item, parent: item.person_id == parent.person_id,
        order=(tables.FormerResidence.until,),
        limit=20,
        description="Where he was registered before: for himself, and each for the staff of that place.",
    )
    viewer_can: ResidentCan = w.inside(description="What the caller may do with the registration now.")


@w.entity(tables.FormerResidence)
@strawberry.type(description="Where a resident was registered before. 曾居住社区。")
class FormerResidence:
    community: Division = w.one(tables.FormerResidence.community_id, description="The community.")
    since: datetime = w.column(tables.FormerResidence.since, description="Since when.")
    until: datetime = w.column(tables.FormerResidence.until, description="Until when.")
    refused: bool = w.column(
        tables.FormerResidence.refused, description="Whether its staff refused him; otherwise he moved away."
    )


@strawberry.type(description="What the caller may do with a volunteer's registration now.")
class VolunteerCan:
    verify: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "verify"), description="`volunteerVerify`."
    )
    reject: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "reject"), description="`volunteerReject`."
    )
    suspend: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "suspend"), description="`volunteerSuspend`."
    )
    resume: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "resume"), description="`volunteerResume`."
    )
    withdraw: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "withdraw"), description="`volunteerWithdraw`."
    )


def own_or_local(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """What the volunteer himself and the staff of his community see; NULL for others."""
    own = row.person_id == view.actor.person
    if view.actor.role in STAFF_ROLES:
        return sa.case((sa.or_(own, covered(view.actor, row.area)), value))
    return sa.case((own, value))


@w.entity(VolunteerWindows)
@strawberry.type(description="Hours of a weekday on which a volunteer can help, every week, by the clock of Shanghai.")
class VolunteerWindow:
    weekday: int = w.column(VolunteerWindows.weekday, description="1 is Monday, 7 Sunday.")
    from_minute: int = w.column(
        VolunteerWindows.from_minute, description="From this minute of the day on: 540 is 9:00."
    )
    to_minute: int = w.column(VolunteerWindows.to_minute, description="To this minute, which is no longer part of it.")


@w.entity(VolunteerAbsences)
@strawberry.type(description="Days on which a volunteer cannot help, both included. 请假。")
class VolunteerAbsence:
    starts_on: date = w.column(VolunteerAbsences.starts_on, description="The first day.")
    ends_on: date = w.column(VolunteerAbsences.ends_on, description="The last day.")


@strawberry.type(
    description="How reliably a volunteer comes to what he has taken on, out of the last 365 days. A newcomer begins as if eight of ten had gone well. 守约。"
)
class Reliability:
    score: float = w.named("score", description="0 to 1: (8 + completed) / (10 + completed + noShows + lateCancels).")
    completed: int = w.named("completed", description="Commitments that he completed, and sessions that he served in.")
    no_shows: int = w.named("no_shows", description="Those to which he did not come, unexcused.")
    late_cancels: int = w.named("late_cancels", description="Those that he called off less than 24 hours before.")
    sentence: str = w.expression(
        lambda row: explained(row.score, row.completed, row.no_shows, row.late_cancels),
        description="The same as a sentence in Chinese.",
    )


@w.entity(tables.Volunteer, "volunteer")
@strawberry.type(description="A person's registration as a volunteer. 志愿者。")
class Volunteer(Node):
    person: Person | None = w.one(tables.Volunteer.person_id, description="Who he is, masked.")
    volunteer_no: str = w.column(tables.Volunteer.volunteer_no, description="His number, for life. 统一编号。")
    state: VolunteerRegistration = w.column(tables.Volunteer.state, description="The state of the registration.")
    state_reason: str | None = w.expression(
        lambda row, view: own_or_staff(row, view, row.state_reason),
        description="Why he was refused or suspended; for himself and staff.",
    )
    division: Division = w.one(
        tables.Volunteer.area, target="code", description="The community that he is registered in."
    )
    skills: list[str] = w.column(tables.Volunteer.skills, description="Codes of what he says he can do: see `skills`.")
    categories: list[str] = w.column(
        tables.Volunteer.categories, description="Codes of the service categories that he would serve in."
    )
    is_minor: bool = w.expression(
        lambda row, view: row.adult_on > visible.today(view.actor), description="Whether he is under 18 today."
    )
    no_matching: bool | None = w.expression(
        lambda row, view: own_or_staff(row, view, row.no_matching),
        description="Whether he does not wish to stand in candidate lists; for himself and staff.",
    )
    languages: list[Language] = w.column(
        tables.Volunteer.languages, description="What he speaks besides Mandarin, which is taken for granted."
    )
    windows: list[VolunteerWindow] = w.many(
        match=lambda item, parent: item.person_id == parent.person_id,
        order=(VolunteerWindows.weekday, VolunteerWindows.from_minute),
        limit=50,
        description="His week, from Monday on; empty for callers other than himself and his community's staff.",
    )
    absences: list[VolunteerAbsence] = w.many(
        match=lambda item, parent: item.person_id == parent.person_id,
        order=(VolunteerAbsences.starts_on,),
        limit=50,
        description="When he is away, in order; for the same people as the windows.",
    )
    radius_km: float | None = w.expression(
        lambda row, view: own_or_local(row, view, row.radius_km),
        description="How far he goes, in km; for the same people, null for others.",
    )
    weekly_cap: int | None = w.expression(
        lambda row, view: own_or_local(row, view, row.weekly_cap),
        description="How many commitments of one week, Monday to Sunday, are proposed to him; for the same people.",
    )
    taken_this_week: int | None = w.expression(
        lambda row, view: own_or_local(row, view, taken_this_week(row, view)),
        description="How much he has taken on in this week, Monday to Sunday, and at no fixed time yet: what is held against `weeklyCap`; for the same people.",
    )
    point: Position | None = w.inside(
        lambda row, view: {
            name: sa.case((sa.and_(row.own_point, row.person_id == view.actor.person), getattr(row, name)))
            for name in ("x", "y")
        },
        present="x",
        description="Where he sets out from, as he chose it; for himself. Null where it is his community's service centre.",
    )
    reliability: Reliability | None = w.inside(
        lambda row, view: {
            "score": own_or_local(row, view, row.reliability),
            **{name: getattr(row, name) for name in ("completed", "no_shows", "late_cancels")},
        },
        present="score",
        description="How reliably he comes to what he has taken on; for himself and his community's staff, null for others. Staff to whom he is listed for a need read it as points of a reason: what decides is told (PIPL art. 24).",
    )
    qualifications: list[Annotated[Qualification, strawberry.lazy("resolvers.people.volunteering")]] = w.many(
        match=lambda item, parent: item.person_id == parent.person_id,
        order=(desc(Qualifications.created_at),),
        limit=30,
        description="His papers, the last added first: for himself and his community's staff; the verified ones for an organization that took him.",
    )
    created_at: datetime = w.column(tables.Volunteer.created_at, description="When he first registered.")
    version: int = w.column(tables.Volunteer.version, description="The version to give when editing.")
    viewer_can: VolunteerCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.SocialWorker, "social_worker")
@strawberry.type(description="A licensed social worker. 社会工作者。")
class SocialWorker(Node):
    person: Person | None = w.one(tables.SocialWorker.person_id, description="Who he is, masked.")
    level: SocialWorkerLevel = w.column(tables.SocialWorker.level, description="The professional level.")
    licence_no: str = w.column(tables.SocialWorker.licence_no, description="The licence's number.")
    licence_until: date = w.column(tables.SocialWorker.licence_until, description="The last day on which it is valid.")
    division: Division = w.one(tables.SocialWorker.area, target="code", description="Where he works.")


@w.entity(tables.GuardianConsent, "guardian_consent")
@strawberry.type(description="That a guardian consents to a minor's serving as a volunteer. 监护人同意。")
class GuardianConsent(Node):
    minor: Person | None = w.one(tables.GuardianConsent.minor_id, description="The minor, masked.")
    guardian: Person | None = w.one(tables.GuardianConsent.guardian_id, description="The guardian, masked.")
    recorded_by: Person | None = w.one(
        tables.GuardianConsent.recorded_by, description="Who recorded it: the guardian himself, or staff."
    )
    given_at: datetime = w.column(tables.GuardianConsent.given_at, description="When it was recorded.")
    withdrawn_at: datetime | None = w.column(
        tables.GuardianConsent.withdrawn_at, description="When it was withdrawn; null while it holds."
    )
