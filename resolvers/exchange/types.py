"""Categories and needs, as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.access import STRANGERS
from models.activity import tables as activity
from models.exchange import matches, ranking, tables
from models.exchange import queries as q
from models.exchange.kinds import (
    Fulfilment,
    GenderPreference,
    Hint,
    Kind,
    Sensitivity,
    SubmittedVia,
    Unit,
)
from models.exchange.states import NeedStatus
from models.files import tables as files
from models.funds.spending import Allocation as AllocationRow
from models.people.availability import Language
from models.people.qualifications import QualificationType
from models.vault import Kind as Class
from resolvers.attached import attached
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.exchange.appointments import NeedOption
from resolvers.exchange.filters import CommitmentFilter
from resolvers.finding import TextRange, distance_km, highlights
from resolvers.people import Organization, Person, Resident, Volunteer
from resolvers.people.volunteering import Skill
from resolvers.territory import Division, Grid

if TYPE_CHECKING:
    from resolvers.activity import ServiceSession
    from resolvers.exchange.commitments import Commitment
    from resolvers.exchange.matching import MatchCandidate
    from resolvers.exchange.offers import Offer
    from resolvers.files import Attachment
    from resolvers.funds import Allocation, Fund
from resolvers.exchange.common import BY_AGE, LEFT


def in_full(column: str) -> Any:
    """A column of a need for those who may read its particulars; null for everybody else."""
    return lambda row, view: sa.case((q.in_full(row, view), getattr(row, column)))


@w.entity(tables.ServiceCategory, "service_category")
@strawberry.type(description="What kind of service something is. Two levels. 服务类别。")
class ServiceCategory(Node):
    code: str = w.column(tables.ServiceCategory.code, description="Its code: `ELDERLY`, or below it `ELDERLY.ESCORT`.")
    name: str = w.column(tables.ServiceCategory.name, description="Its name.")
    pinyin: str = w.column(tables.ServiceCategory.pinyin, description="The name's pinyin.")
    certificates: list[QualificationType] = w.column(
        tables.ServiceCategory.certificates,
        description="Whoever serves it holds one of these; empty where no paper is needed.",
    )
    parent: ServiceCategory | None = w.one(
        tables.ServiceCategory.parent_id, description="The category that it belongs to; null at the top."
    )
    children: list[ServiceCategory] = w.many(
        tables.ServiceCategory.parent_id,
        order=(tables.ServiceCategory.place,),
        limit=50,
        default=20,
        description="The categories below it.",
    )


def _need_can(step: str, description: str) -> Any:
    return w.expression(q.need_can(step), description=description)


@strawberry.type(description="What the caller may do with a need now.")
class NeedViewerCan:
    submit: bool = _need_can("submit", "`needSubmitDraft`.")
    edit: bool = _need_can("edit", "`needEdit`.")
    verify: bool = _need_can("verify", "`needVerify`.")
    open: bool = _need_can("open", "`needOpen`.")
    reject: bool = _need_can("reject", "`needReject`.")
    refer: bool = _need_can("refer", "`needRefer`.")
    cancel: bool = _need_can("cancel", "`needCancel`.")
    close: bool = _need_can("close", "`needClose`.")
    reopen: bool = _need_can("reopen", "`needReopen`.")
    claim: bool = _need_can("claim", "`needClaim`, for some of it.")
    propose: bool = _need_can("propose", "`commitmentPropose`.")
    name_staff: bool = _need_can("name_staff", "`needNameStaff`.")
    assign: bool = _need_can("assign", "`needAssign`.")
    ask_foundation: bool = _need_can("ask_foundation", "`needAskFoundation`.")
    split: bool = _need_can("split", "`needSplit`.")
    merge: bool = _need_can("merge", "`needMerge`, into another one.")


@w.entity(tables.NeedStaff, "need_staff")
@strawberry.type(description="That somebody of the staff is named for a RESTRICTED need, and so may see it. 经办人。")
class NeedStaff(Node):
    person: Person | None = w.one(tables.NeedStaff.person_id, description="Who, masked.")
    named_by: Person | None = w.one(
        tables.NeedStaff.named_by, description="Who named him, masked; null where the rule did, when the need came in."
    )
    named_at: datetime = w.column(tables.NeedStaff.named_at, description="When.")


@w.entity(tables.NeedFoundation, "need_foundation")
@strawberry.type(
    description="That a foundation was asked to pay for a need; its people see the need from then on. 转介资助。"
)
class NeedFoundation(Node):
    organization: Organization | None = w.one(tables.NeedFoundation.organization_id, description="The foundation.")
    asked_at: datetime = w.column(tables.NeedFoundation.asked_at, description="When.")
    eligible: bool | None = w.column(
        tables.NeedFoundation.eligible,
        description="Whether the community says that the beneficiary is of those whom such aid is for: yes or no, never why. Null: it has not said.",
    )
    eligible_funds: list[Annotated[Fund, strawberry.lazy("resolvers.funds")]] = w.many(
        match=q.funds_for,
        order=("name",),
        limit=50,
        default=20,
        description="The foundation's funds that may pay for it today by what they are bound to, category, division and days; none unless `eligible`.",
    )


def registered(column: str) -> Any:
    """A column of a need for whoever is registered as something; null for strangers."""
    return lambda row, view: (
        sa.case((sa.literal(False), getattr(row, column))) if view.actor.role in STRANGERS else getattr(row, column)
    )


@w.entity(tables.Need, "need")
@strawberry.type(
    description="What somebody needs, how much of it, by when, and how far it is met. Who is no party to it and no staff of its area sees neither note nor people. 需求。"
)
class Need(Node):
    no: str = w.column(tables.Need.no, description="Its number, to read out: `XQ` and nine digits.")
    title: str = w.column(tables.Need.title, description="What is needed, in a few words.")

    @w.computed(tables.Need.title, description="What of the title was found by a search, in order.")
    def title_highlights(row: Any, search: str) -> list[TextRange]:
        return highlights(row.title, search)

    distance_km: float | None = distance_km(
        "In a list whose filter has `near`: how far it is, in kilometres to 0.1, as that filter reckons; null elsewhere."
    )
    note: str | None = w.sealed(
        Class.CARE,
        in_full("note"),
        subject=lambda row: row.subject_id,
        description="Particulars; null for callers who may not read them, or when there are none. A provider reads them from CONFIRMED until 24 h after the service.",
    )
    kind: Kind = w.column(tables.Need.kind, description="What sort of thing is needed.")
    category: ServiceCategory = w.one(tables.Need.category_id, description="What kind of service it is.")
    community: Division = w.one(tables.Need.community_id, description="The community that it belongs to.")
    grid: Grid | None = w.one(
        tables.Need.grid_id,
        when=q.in_full,
        description="The grid, where it is known; for its parties and staff: a few hundred households are no secret.",
    )
    requester: Person | None = w.one(
        tables.Need.requester_id,
        when=q.in_full,
        description="Who submitted it, masked; for its parties and staff, as far as they may see him.",
    )
    beneficiary: Resident | None = w.one(
        tables.Need.beneficiary_id,
        description="Whom it is for; null for a group or a whole community, and for callers who may not see him.",
    )
    submitted_via: SubmittedVia = w.column(tables.Need.submitted_via, description="How it came in.")
    unit: Unit = w.column(tables.Need.unit, description="What its quantities count.")
    quantity: int = w.column(tables.Need.qty_total, description="How much is wanted.")
    quantity_committed: int = w.expression(
        lambda row, view: row.qty_total - q.need_left(row, view.actor.now),
        description="How much commitments hold or have delivered.",
    )
    quantity_delivered: int = w.column(tables.Need.qty_delivered, description="How much was delivered.")
    quantity_left: int = w.expression(lambda row, view: q.need_left(row, view.actor.now), description=LEFT)
    fulfilment: Fulfilment = w.expression(lambda row: q.fulfilment(row), description="How much of it was delivered.")
    window_from: datetime | None = w.expression(
        registered("window_from"),
        description="From when it is wanted; null when any time will do, and for whoever is registered as nothing: when somebody waits at home is not for everybody.",
    )
    window_to: datetime | None = w.expression(
        registered("window_to"),
        description="Until when; null when any time will do, and for whoever is registered as nothing.",
    )
    due_at: datetime = w.column(tables.Need.due_at, description="When it expires, if nothing is under way.")
    answer_due_at: datetime = w.column(
        tables.Need.answer_due_at, description="By when the community has to answer it: three working days."
    )
    urgency: int = w.column(tables.Need.urgency, description="1 can wait, 4 is most urgent.")
    sensitivity: Sensitivity = w.column(tables.Need.sensitivity, description="Who may read of it at all.")
    gender_preference: GenderPreference | None = w.expression(
        registered("gender_preference"),
        description="Whom the beneficiary would rather have; null for whoever is registered as nothing.",
    )
    hints: list[Hint] | None = w.expression(
        q.hints,
        description="What whoever helps should know or bring, as staff chose it: for volunteers, its parties and staff; null for others. It says what there is to do, never why.",
    )
    status: NeedStatus = w.column(tables.Need.status, description="Where it stands.")
    reason: str | None = w.sealed(
        Class.CARE,
        in_full("reason"),
        subject=lambda row: row.subject_id,
        description="Why it was rejected, referred, cancelled or asked for again; null for callers who may not read it.",
    )
    referred_to: str | None = w.expression(
        in_full("referred_to"), description="Whom it was referred to; null for callers who may not read it."
    )
    skill: Skill | None = w.one(
        tables.Need.skill_code,
        target="code",
        description="What whoever helps must be able to do; null: nothing in particular.",
    )
    certificate: QualificationType | None = w.column(
        tables.Need.certificate, description="What whoever helps must be certified as; null: nothing."
    )
    language: Language | None = w.expression(
        registered("language"), description="What is spoken; null for whoever is registered as nothing."
    )
    gender_required: bool | None = w.expression(
        registered("gender_required"),
        description="Whether the beneficiary insists on `genderPreference`; null for whoever is registered as nothing.",
    )
    vulnerability: int | None = w.expression(
        in_full("vulnerability"),
        description="0 none to 3 special difficulty, as staff found it; null for callers who may not read particulars.",
    )
    priority: int | None = w.expression(
        in_full("priority"),
        description="What comes first, 1 to 4: the urgency, and one step more from vulnerability 2 on; null for callers who may not read particulars.",
    )
    duration_minutes: int = w.expression(
        lambda row: q.duration(row),
        description="How long the help takes: as it was said, or as long as its appointment, or an hour.",
    )
    rrule: str | None = w.expression(
        registered("rrule"), description="Of the first need of a series: how it repeats, by RFC 5545; null otherwise."
    )
    options: list[NeedOption] = w.many(
        tables.NeedOption.need_id,
        order=(tables.NeedOption.place,),
        limit=3,
        default=3,
        description="The appointments to choose from, the one that suits best first; none where its window is all that is said, and for whoever is registered as nothing.",
    )
    parent: Need | None = w.one(
        tables.Need.parent_id, description="The need that it is a part or a repetition of; null where it is neither."
    )
    parts: list[Need] = w.many(
        tables.Need.parent_id,
        order=(tables.Need.due_at,),
        limit=100,
        default=20,
        description="Its parts or repetitions, the one due soonest first, as far as the caller may see them.",
    )
    merged_into: Need | None = w.one(
        tables.Need.merged_into, description="The need that it turned out to be the same as; null otherwise."
    )
    possible_duplicates: list[Need] = w.many(
        match=q.may_be_duplicate,
        order=(desc(tables.Need.created_at),),
        limit=20,
        default=5,
        description="For staff: needs that may be the same: for the same resident or grid, of the same category, not ended, written down within 14 days of it.",
    )
    previous_helpers: list[Volunteer] = w.many(
        match=q.helped_before,
        order=("id",),
        limit=1,
        default=1,
        description="The volunteer who last completed something of the same category for the same resident, if the caller may see him; for the need's parties and staff.",
    )
    answer_overdue: bool = w.expression(
        lambda row, view: q.answer_overdue(row, view.actor.now),
        description="Whether the community should have answered it by now, and has not.",
    )
    overdue: bool = w.expression(
        lambda row, view: q.overdue(row, view.actor.now),
        description="Of a livelihood item: whether its deadline has passed and it is not settled.",
    )
    result: str | None = w.sealed(
        Class.CARE,
        in_full("result"),
        subject=lambda row: row.subject_id,
        description="Of a livelihood item: what staff wrote down when it was settled; null for callers who may not read it.",
    )
    reopened: bool = w.column(tables.Need.reopened, description="Whether it was asked for again after closing.")
    opened_at: datetime | None = w.column(tables.Need.opened_at, description="When it was last opened.")
    closed_at: datetime | None = w.column(tables.Need.closed_at, description="When it came to an end.")
    created_at: datetime = w.column(tables.Need.created_at, description="When it was written down.")
    version: int = w.column(tables.Need.version, description="The version to give when editing.")
    commitments: list[Annotated[Commitment, strawberry.lazy("resolvers.exchange.commitments")]] = w.many(
        tables.Commitment.need_id,
        order=(tables.Commitment.created_at,),
        limit=50,
        default=20,
        description="The commitments to it that the caller may see, oldest first; `commitmentsConnection` has all.",
    )
    commitments_connection: Connection[Annotated[Commitment, strawberry.lazy("resolvers.exchange.commitments")]] = (
        w.connection(
            tables.Commitment.need_id,
            order=BY_AGE,
            filter=CommitmentFilter,
            description="The commitments to it that the caller may see.",
        )
    )
    match_candidates: list[Annotated[MatchCandidate, strawberry.lazy("resolvers.exchange.matching")]] = w.listing(
        ranking.candidates,
        limit=ranking.LONGEST,
        default=10,
        description="Volunteers and offers that may serve it by every hard rule, best first, with the reasons: for the staff of its area, empty for others. Who does not wish to be matched by the machine stands in none; staff may propose whomever they like.",
    )
    matching_offers: list[Annotated[Offer, strawberry.lazy("resolvers.exchange.offers")]] = w.many(
        match=matches.matching_offers,
        order=(desc(tables.Offer.created_at),),
        limit=50,
        default=10,
        description="Published offers that can serve it: of the same kind, unit and category, for its area, in its window, with something left. Newest first.",
    )
    staff: list[NeedStaff] = w.many(
        tables.NeedStaff.need_id,
        order=(tables.NeedStaff.named_at,),
        limit=20,
        description="For a RESTRICTED need: the staff who may see it.",
    )
    assigned_to: Person | None = w.one(
        tables.Need.assigned_to,
        when=q.by_staff,
        description="The social worker whose case it is, masked; for the beneficiary and staff.",
    )
    foundations: list[NeedFoundation] = w.many(
        tables.NeedFoundation.need_id,
        order=(tables.NeedFoundation.asked_at,),
        limit=20,
        description="The foundations that were asked to pay for it, as far as the caller may see them.",
    )
    allocations: list[Annotated[Allocation, strawberry.lazy("resolvers.funds")]] = w.many(
        AllocationRow.need_id,
        order=("requested_at",),
        limit=20,
        default=5,
        description="Money that foundations plan to spend, or spent, on it; those that the caller may see, oldest first.",
    )
    sessions: list[Annotated[ServiceSession, strawberry.lazy("resolvers.activity")]] = w.many(
        activity.ServiceSession.need_id,
        order=(activity.ServiceSession.starts_at,),
        limit=50,
        default=5,
        description="The sessions that serve it, the earliest first.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.need_id, "need, for whoever reads its note"
    )
    viewer_can: NeedViewerCan = w.inside(description="What the caller may do with it now.")
