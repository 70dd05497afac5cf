"""What volunteers say of themselves: skills, hours, reach, papers; and whom people do not want to be matched with."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.people import actions
from models.people.availability import (
    LEAST_RADIUS_KM,
    MOST_RADIUS_KM,
    MOST_WEEKLY_CAP,
    RADIUS_KM,
    WEEKLY_CAP,
    Language,
)
from models.people.avoidances import Avoidance as Avoidances
from models.people.qualifications import Qualification as Qualifications
from models.people.qualifications import QualificationStatus, QualificationType
from models.people.queries import may_decide_qualification, may_withdraw_qualification
from models.people.skills import Skill as Skills
from models.people.visible import today
from models.vault import Kind
from resolvers.common import Connection, Node, PositionInput
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.arguments import Reason, Version
from resolvers.people.me import Me
from resolvers.people.types import Person, Volunteer
from resolvers.verbs import Call, mutation

if TYPE_CHECKING:
    from resolvers.exchange.types import ServiceCategory

for values in (Language, QualificationStatus, QualificationType):
    shown(values)


@w.entity(Skills, "skill")
@strawberry.type(description="A skill that volunteers say they have, and needs may ask for. 技能。")
class Skill(Node):
    code: str = w.column(Skills.code, description="Its code, which never changes: `HAIRDRESSING`.")
    name: str = w.column(Skills.name, description="Its name in Chinese.")
    pinyin: str = w.column(Skills.pinyin, description="The name in pinyin, without tones.")


@strawberry.type(description="What the caller may do with a qualification now.")
class QualificationCan:
    verify: bool = w.expression(
        lambda row, view: may_decide_qualification(row, view, "verify"), description="`qualificationVerify`."
    )
    reject: bool = w.expression(
        lambda row, view: may_decide_qualification(row, view, "reject"), description="`qualificationReject`."
    )
    revoke: bool = w.expression(
        lambda row, view: may_decide_qualification(row, view, "revoke"), description="`qualificationRevoke`."
    )
    withdraw: bool = w.expression(
        lambda row, view: may_withdraw_qualification(row, view.actor), description="`qualificationWithdraw`."
    )


@w.entity(Qualifications, "qualification")
@strawberry.type(
    description="A paper without which some services are given by nobody. It counts once the community's staff have seen it, until the end of its last day. 资质证书。"
)
class Qualification(Node):
    volunteer: Volunteer | None = w.one(
        Qualifications.person_id, target="person_id", description="Whose it is: his registration as a volunteer."
    )
    type: QualificationType = w.column(Qualifications.type, description="What it certifies.")
    number: str | None = w.sealed(
        Kind.IDENTITY,
        lambda row, view: sa.case((row.person_id == view.actor.person, row.number)),
        subject=lambda row: row.person_id,
        description="Its number, for whoever it belongs to; null for others.",
    )
    number_masked: str = w.column(
        Qualifications.number_masked,
        description="Its number with two characters before and two behind, `12****34`; of a short one nothing.",
    )
    issued_by: str = w.column(Qualifications.issued_by, description="The authority that issued it.")
    valid_to: date | None = w.column(
        Qualifications.valid_to, description="Its last day; null for one that has no end. Renewed, it is added anew."
    )
    status: QualificationStatus = w.column(Qualifications.status, description="How far it is checked.")
    counts: bool = w.expression(
        lambda row, view: sa.and_(
            row.status == sa.literal_column(f"'{QualificationStatus.VERIFIED.value}'"),
            sa.or_(row.valid_to.is_(None), row.valid_to >= today(view.actor)),
        ),
        description="Whether it counts today: verified, and not past its last day.",
    )
    decided_by: Person | None = w.one(
        Qualifications.decided_by, description="Who verified, rejected, revoked or withdrew it, masked."
    )
    decided_at: datetime | None = w.column(Qualifications.decided_at, description="When that was; null before.")
    reason: str | None = w.column(Qualifications.reason, description="Why it was rejected or revoked; null otherwise.")
    created_at: datetime = w.column(Qualifications.created_at, description="When it was added.")
    version: int = w.column(Qualifications.version, description="The version to give when deciding.")
    viewer_can: QualificationCan = w.inside(description="What the caller may do with it now.")


@w.entity(Avoidances, "avoidance")
@strawberry.type(
    description="That the caller does not want to be matched with somebody, or with a kind of service. Nobody else reads it. 不要给我派。"
)
class Avoidance(Node):
    person: Person | None = w.one(
        Avoidances.avoided_person_id,
        description="Whom, masked; null for a category, and where the caller sees him no longer.",
    )
    category: Annotated[ServiceCategory, strawberry.lazy("resolvers.exchange.types")] | None = w.one(
        Avoidances.category_code,
        target="code",
        description="Which service category, with all under it; null for a person.",
    )
    created_at: datetime = w.column(Avoidances.created_at, description="Since when.")


@strawberry.input(description="Which qualifications. What is not given does not narrow.")
class QualificationFilter:
    status: list[QualificationStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    type: list[QualificationType] | None = w.where(
        lambda row, value: row.type == sa.any_(value), description="Of one of these types."
    )
    ends_by: date | None = w.where(
        lambda row, value: row.valid_to <= value, description="Whose last day is this one or earlier."
    )


@strawberry.type
class VolunteeringQuery:
    skills: list[Skill] = w.many(
        order=(Skills.place,), limit=100, description="Every skill that can be named, in the order of lists. Public."
    )
    qualification: Qualification | None = w.by_id(description="The qualification of an id.")
    qualifications: Connection[Qualification] = w.connection(
        order=(desc(Qualifications.created_at),),
        filter=QualificationFilter,
        description="Qualifications by pages, the last added first: one's own; staff those of their community's volunteers; an organization the verified ones of its own volunteers.",
    )


@strawberry.input(description="Hours of a weekday, every week, by the clock of Shanghai.")
class VolunteerWindowInput:
    weekday: int = strawberry.field(description="1 is Monday, 7 Sunday.")
    from_minute: int = strawberry.field(description="From this minute of the day on: 540 is 9:00.")
    to_minute: int = strawberry.field(description="To this minute, which is no longer part of it; 1440 at the latest.")


@strawberry.input(description="Days on which one cannot help, both included.")
class VolunteerAbsenceInput:
    starts_on: date = strawberry.field(description="The first day.")
    ends_on: date = strawberry.field(description="The last day. Absences that are over are left out.")


@strawberry.input(
    description="All that a volunteer says of when, where and how much he helps. It replaces what he said before: what is not given is empty, or as for a newcomer."
)
class VolunteerAvailabilityInput:
    windows: list[VolunteerWindowInput] = strawberry.field(
        description="His week: at most 50 windows, none of which overlap. Without any he is in no list of candidates."
    )
    absences: list[VolunteerAbsenceInput] = strawberry.field(
        default_factory=list, description="When he is away: at most 50, none of which overlap, up to two years ahead."
    )
    radius_km: float = strawberry.field(
        default=RADIUS_KM,
        description=f"How far he goes, in km: {LEAST_RADIUS_KM:g} to {MOST_RADIUS_KM:g}, rounded to 0.1.",
    )
    weekly_cap: int = strawberry.field(
        default=WEEKLY_CAP,
        description=f"How many commitments of one week, Monday to Sunday, are proposed to him: 1 to {MOST_WEEKLY_CAP}. What he claims himself is not bound by it.",
    )
    languages: list[Language] = strawberry.field(
        default_factory=list, description="What he speaks besides Mandarin, which is taken for granted."
    )
    point: PositionInput | None = strawberry.field(
        default=None,
        description="Where he sets out from, rounded to 0.1 km; null for his community's service centre. Shown to nobody but himself.",
    )


@strawberry.input(description="A paper that a volunteer says he holds.")
class QualificationAddInput:
    type: QualificationType = strawberry.field(description="What it certifies.")
    number: str = strawberry.field(
        description="Its number, 4 to 40 letters, digits or Chinese characters. Kept sealed."
    )
    issued_by: str = strawberry.field(description="The authority that issued it, 2 to 60 characters.")
    valid_to: date | None = strawberry.field(default=None, description="Its last day; null for one that has no end.")


QualificationId = Annotated[strawberry.ID, strawberry.argument(description="The qualification.")]


@strawberry.type
class VolunteeringMutation:
    @mutation(
        Volunteer,
        actions.set_availability,
        description="Say when, where and how much one helps as a volunteer: the whole of it at once.",
    )
    async def volunteer_availability_set(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="One's own registration as a volunteer.")],
        version: Version,
        input: Annotated[VolunteerAvailabilityInput, strawberry.argument(description="The availability.")],
    ) -> UUID:
        given = actions.Availability(
            windows=[actions.Window(one.weekday, one.from_minute, one.to_minute) for one in input.windows],
            absences=[actions.Absence(one.starts_on, one.ends_on) for one in input.absences],
            radius_km=input.radius_km,
            weekly_cap=input.weekly_cap,
            languages=input.languages,
            point=None if input.point is None else (input.point.latitude, input.point.longitude),
        )
        return await actions.set_availability(call.db, call.id(id, "volunteer"), version, given)

    @mutation(
        Qualification,
        actions.add_qualification,
        description="As a volunteer, name a paper that one holds. It counts once the community's staff have seen it.",
    )
    async def qualification_add(
        call: Call, input: Annotated[QualificationAddInput, strawberry.argument(description="The paper.")]
    ) -> UUID:
        return await actions.add_qualification(call.db, input.type, input.number, input.issued_by, input.valid_to)

    @mutation(
        Qualification,
        actions.verify_qualification,
        description="Community staff: say that one has seen the paper of a volunteer, neither oneself nor somebody close.",
    )
    async def qualification_verify(
        call: Call,
        id: QualificationId,
        version: Version,
        number: Annotated[
            str, strawberry.argument(description="The number as it stands on the paper: it has to be the one he wrote.")
        ],
    ) -> UUID:
        return await actions.verify_qualification(call.db, call.id(id, "qualification"), version, number)

    @mutation(
        Qualification,
        actions.reject_qualification,
        description="Community staff: do not recognize a paper; its holder reads why.",
    )
    async def qualification_reject(call: Call, id: QualificationId, version: Version, reason: Reason) -> UUID:
        return await actions.reject_qualification(call.db, call.id(id, "qualification"), version, reason)

    @mutation(
        Qualification,
        actions.revoke_qualification,
        description="Community staff: say that a verified paper counts no longer; its holder reads why.",
    )
    async def qualification_revoke(call: Call, id: QualificationId, version: Version, reason: Reason) -> UUID:
        return await actions.revoke_qualification(call.db, call.id(id, "qualification"), version, reason)

    @mutation(
        Qualification,
        actions.withdraw_qualification,
        description="Take one's own qualification back: it counts no longer.",
    )
    async def qualification_withdraw(call: Call, id: QualificationId, version: Version) -> UUID:
        return await actions.withdraw_qualification(call.db, call.id(id, "qualification"), version)

    @mutation(
        Avoidance,
        actions.add_avoidance,
        description="Say that one does not want to be matched with somebody, or with a kind of service: in neither's lists does the other stand from now on. No reason is asked for, and nobody is told.",
    )
    async def avoidance_add(
        call: Call,
        person: Annotated[strawberry.ID | None, strawberry.argument(description="A person, by his id.")] = None,
        category: Annotated[
            str | None, strawberry.argument(description="Or the code of a service category, with all under it.")
        ] = None,
    ) -> UUID:
        avoided = None if person is None else call.id(person, "person", "person")
        return await actions.add_avoidance(call.db, avoided=avoided, category=category)

    @mutation(
        Me,
        actions.remove_avoidance,
        description="Say that one does not mind any more. Answers the caller himself: the avoidance is gone.",
    )
    async def avoidance_remove(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The avoidance.")]
    ) -> UUID:
        return await actions.remove_avoidance(call.db, call.id(id, "avoidance"))
