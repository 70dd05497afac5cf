"""Commitments, as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from models.activity import tables as activity
from models.exchange import queries as q
from models.exchange import tables
from models.exchange.kinds import (
    Origin,
    Side,
)
from models.exchange.states import CommitmentStatus
from models.files import tables as files
from models.vault import Kind as Class
from resolvers.attached import attached
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.exchange.appointments import NeedOption
from resolvers.party import PartyUnit
from resolvers.people import Organization, SocialWorker, Volunteer
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.activity import Attendance, SessionCommitment
    from resolvers.exchange.rounds import MatchProposal
    from resolvers.files import Attachment
from resolvers.exchange.common import Provider
from resolvers.exchange.offers import Offer
from resolvers.exchange.types import Need


def _commitment_can(step: str, description: str) -> Any:
    return w.expression(q.commitment_can(step), description=description)


@strawberry.type(description="What the caller may do with a commitment now.")
class CommitmentViewerCan:
    accept: bool = _commitment_can("accept", "`commitmentAccept`.")
    decline: bool = _commitment_can("decline", "`commitmentDecline`.")
    confirm: bool = _commitment_can("confirm", "`commitmentConfirm`.")
    cancel: bool = _commitment_can("cancel", "`commitmentCancel`.")
    no_show: bool = _commitment_can("no_show", "`commitmentNoShow`.")
    complete: bool = _commitment_can("complete", "`commitmentComplete`.")
    dispute: bool = _commitment_can("dispute", "`commitmentDispute`.")
    resolve: bool = _commitment_can("void", "`commitmentResolve`.")
    report: bool = _commitment_can("report", "`commitmentReport`.")


@w.entity(tables.Commitment, "commitment")
@strawberry.type(
    description="That a provider serves some of a need, out of an offer or directly, and how far it is. 对接单。"
)
class Commitment(Node):
    need: Need = w.one(tables.Commitment.need_id, description="The need that it serves.")
    offer: Offer | None = w.one(
        tables.Commitment.offer_id, description="The offer that it comes out of; null for a direct one."
    )
    provider: Provider | None = w.variant(
        {tables.Commitment.organization_id: "Organization", tables.Commitment.person_id: "Person"},
        description="Who has promised it; null for callers who may not see him.",
    )
    organization: Organization | None = w.one(
        tables.Commitment.organization_id, description="The organization that has promised it; null when a person has."
    )
    volunteer: Volunteer | None = w.one(
        tables.Commitment.volunteer_person_id,
        target="person_id",
        description="The volunteer who serves; null while an organization names none.",
    )
    social_worker: SocialWorker | None = w.one(
        tables.Commitment.social_worker_id, description="The social worker who accompanies it, if any."
    )
    community: Division = w.one(tables.Commitment.community_id, description="The need's community.")
    quantity: int = w.column(tables.Commitment.qty, description="How much of the need, in its unit.")
    quantity_delivered: int = w.column(tables.Commitment.qty_delivered, description="How much was delivered.")
    origin: Origin = w.column(tables.Commitment.origin, description="Who made the first move.")
    status: CommitmentStatus = w.expression(
        lambda row, view: q.standing(row, view.actor.now),
        description="Where it stands; LAPSED from the moment its hold is over.",
    )
    hold_until: datetime = w.column(
        tables.Commitment.hold_until, description="Until when the other side has to accept it."
    )
    slot_from: datetime | None = w.column(
        tables.Commitment.slot_from, description="When the service begins; null when no time is agreed."
    )
    slot_to: datetime | None = w.column(
        tables.Commitment.slot_to, description="When it ends; null when no time is agreed."
    )
    accepted_at: datetime | None = w.column(tables.Commitment.accepted_at, description="When both sides had said yes.")
    confirmed_at: datetime | None = w.column(
        tables.Commitment.confirmed_at, description="When the community confirmed it."
    )
    started_at: datetime | None = w.column(tables.Commitment.started_at, description="When the service began.")
    delivered_at: datetime | None = w.column(tables.Commitment.delivered_at, description="When it was delivered.")
    ended_at: datetime | None = w.column(
        tables.Commitment.ended_at, description="When it came to an end, of whatever kind."
    )
    rating: int | None = w.column(tables.Commitment.rating, description="1 to 5 stars; null when none were given.")
    comment: str | None = w.sealed(
        Class.CARE,
        lambda row: row.comment,
        subject=lambda row: row.subject_id,
        description="What the beneficiary said of it.",
    )
    cancelled_by: Side | None = w.column(
        tables.Commitment.cancelled_by, description="Which side called it off; null unless one did."
    )
    reason: str | None = w.sealed(
        Class.CARE,
        lambda row: row.reason,
        subject=lambda row: row.subject_id,
        description="Why it was declined, cancelled, disputed or decided as it was.",
    )
    party_unit: PartyUnit | None = w.one(
        tables.Commitment.party_unit_id,
        description="The party unit that took a livelihood item on; null where none did.",
    )
    option: NeedOption | None = w.one(
        tables.Commitment.option_id, description="Which of the need's appointments it is for; null where it has none."
    )
    late: bool = w.column(
        tables.Commitment.late,
        description="Whether it was called off less than 24 hours before the service, or during it.",
    )
    result: str | None = w.sealed(
        Class.CARE,
        lambda row: row.result,
        subject=lambda row: row.subject_id,
        description="Of a livelihood item: what whoever took it on says was done.",
    )
    created_at: datetime = w.column(tables.Commitment.created_at, description="When the first move was made.")
    version: int = w.column(tables.Commitment.version, description="How often it has changed, from 1.")
    sessions: list[Annotated[SessionCommitment, strawberry.lazy("resolvers.activity")]] = w.many(
        activity.SessionCommitment.commitment_id,
        order=(activity.SessionCommitment.id,),
        limit=50,
        default=3,
        description="The sessions that carry it out.",
    )
    attendances: list[Annotated[Attendance, strawberry.lazy("resolvers.activity")]] = w.many(
        activity.Attendance.commitment_id,
        order=(activity.Attendance.starts_at,),
        limit=100,
        default=3,
        description="Who served for it, when, and the hours that came of it.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.commitment_id, "commitment"
    )
    proposal: Annotated[MatchProposal, strawberry.lazy("resolvers.exchange.rounds")] | None = w.one(
        tables.Commitment.id,
        target="commitment_id",
        description="The proposal of a matching round that it came of, with its reasons; null for any other.",
    )
    viewer_can: CommitmentViewerCan = w.inside(description="What the caller may do with it now.")
