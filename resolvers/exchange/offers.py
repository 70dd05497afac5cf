"""Offers, as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.exchange import matches, offered, ranking, tables
from models.exchange import queries as q
from models.exchange.kinds import (
    Kind,
    Unit,
)
from models.exchange.states import OfferStatus
from models.files import tables as files
from models.people.availability import Language
from models.people.qualifications import QualificationType
from resolvers.attached import attached
from resolvers.common import Connection, Node, Position, position
from resolvers.engine import words as w
from resolvers.exchange.filters import CommitmentFilter
from resolvers.exchange.venues import OfferOccurrence, Venue
from resolvers.finding import TextRange, distance_km, highlights
from resolvers.people import Organization
from resolvers.territory import Division

if TYPE_CHECKING:
    from resolvers.exchange.commitments import Commitment
    from resolvers.exchange.matching import RankedNeed
    from resolvers.files import Attachment
from resolvers.exchange.common import BY_AGE, LEFT, Provider
from resolvers.exchange.types import Need, ServiceCategory


def _offer_can(step: str, description: str) -> Any:
    return w.expression(q.offer_can(step), description=description)


@strawberry.type(description="What the caller may do with an offer now.")
class OfferViewerCan:
    submit: bool = _offer_can("submit", "`offerSubmitDraft`.")
    edit: bool = _offer_can("edit", "`offerEdit`.")
    publish: bool = _offer_can("publish", "`offerPublish`.")
    reject: bool = _offer_can("reject", "`offerReject`.")
    pause: bool = _offer_can("pause", "`offerPause`.")
    resume: bool = _offer_can("resume", "`offerResume`.")
    withdraw: bool = _offer_can("withdraw", "`offerWithdraw`.")


@w.entity(tables.Offer, "offer")
@strawberry.type(
    description="What an organization or a volunteer can give, how much of it, when and where; always free of charge. 供给。"
)
class Offer(Node):
    no: str = w.column(tables.Offer.no, description="Its number, to read out: `GJ` and nine digits.")
    title: str = w.column(tables.Offer.title, description="What is offered, in a few words.")

    @w.computed(tables.Offer.title, description="What of the title was found by a search, in order.")
    def title_highlights(row: Any, search: str) -> list[TextRange]:
        return highlights(row.title, search)

    distance_km: float | None = distance_km(
        "In a list whose filter has `near`: how far it is, in kilometres to 0.1; null elsewhere."
    )
    note: str | None = w.column(tables.Offer.note, description="Particulars.")
    provider: Provider | None = w.variant(
        {tables.Offer.organization_id: "Organization", tables.Offer.person_id: "Person"},
        description="Who offers it; null for callers who may not see him.",
    )
    organization: Organization | None = w.one(
        tables.Offer.organization_id, description="The organization that offers it; null when a person does."
    )
    kind: Kind = w.column(tables.Offer.kind, description="What sort of thing is offered.")
    category: ServiceCategory = w.one(tables.Offer.category_id, description="What kind of service it is.")
    unit: Unit = w.column(tables.Offer.unit, description="What its quantities count.")
    quantity: int = w.column(tables.Offer.qty_total, description="How much is offered in all.")
    quantity_consumed: int = w.column(tables.Offer.qty_consumed, description="How much was delivered.")
    quantity_left: int = w.expression(lambda row, view: q.offer_left(row, view.actor.now), description=LEFT)
    exhausted: bool = w.expression(
        lambda row, view: q.offer_left(row, view.actor.now) <= 0, description="Whether nothing is left. 已用完。"
    )
    window_from: datetime = w.column(tables.Offer.window_from, description="From when it can be given.")
    window_to: datetime = w.column(tables.Offer.window_to, description="Until when.")
    areas: list[Division] = w.many(
        match=lambda item, parent: item.code == sa.any_(parent.service_areas),
        order=("code",),
        limit=20,
        description="The divisions that it serves, with everything in them.",
    )
    rrule: str | None = w.column(
        tables.Offer.rrule,
        description="How it repeats from `windowFrom` on, as a rule of RFC 5545 without `RRULE:`; null: it is there all its window long.",
    )
    duration_minutes: int | None = w.column(
        tables.Offer.duration_minutes, description="How long each time lasts, in minutes, where it repeats."
    )
    next_occurrences: list[OfferOccurrence] = w.many(
        offered.OfferOccurrence.offer_id,
        order=(offered.OfferOccurrence.starts_at,),
        where=lambda item, view: item.ends_at > view.actor.now,
        limit=100,
        default=5,
        description="The times in which it can be given that are not over, the next first; its window, where it does not repeat.",
    )
    min_notice_minutes: int = w.column(
        tables.Offer.min_notice_minutes,
        description="How many minutes before an appointment it must be asked for: a nearer one does not fit.",
    )
    parallel: int = w.column(tables.Offer.parallel, description="How many tasks it can serve at one instant.")
    weekly_cap: int | None = w.column(
        tables.Offer.weekly_cap,
        description="How many tasks it serves in a week, Monday to Sunday in Shanghai; null: as many as there is quantity.",
    )
    position: Position | None = position(
        description="Where it is given from: a venue's place, or an organization's. Null where it does not say, and of a volunteer's: where he sets out from is his own."
    )
    radius_km: float | None = w.column(
        tables.Offer.radius_km,
        description="How far from its position it reaches, in kilometres; null: wherever its areas are.",
    )
    skills: list[str] = w.column(tables.Offer.skills, description="Codes of what whoever serves is able to do.")
    certificates: list[QualificationType] = w.column(
        tables.Offer.certificates,
        description="What whoever serves is certified as, as the review has seen it; of a volunteer nothing: his own verified qualifications count.",
    )
    languages: list[Language] = w.column(
        tables.Offer.languages, description="What whoever serves speaks besides Mandarin."
    )
    external_id: str | None = w.expression(
        q.external_id, description="The organization's own number for it; null for everybody else."
    )
    venue: Venue | None = w.inside(
        lambda row: {name: getattr(row, f"venue_{name}") for name in ("address", "seats", "equipment", "access")},
        present="address",
        description="For a venue: the room; null for anything else.",
    )
    cost_free: bool = w.column(tables.Offer.cost_free, description="Always true: nothing is taken from beneficiaries.")
    status: OfferStatus = w.column(tables.Offer.status, description="Where it stands.")
    reason: str | None = w.column(tables.Offer.reason, description="Why it was rejected.")
    created_at: datetime = w.column(tables.Offer.created_at, description="When it was written down.")
    version: int = w.column(tables.Offer.version, description="The version to give when editing.")
    commitments: Connection[Annotated[Commitment, strawberry.lazy("resolvers.exchange.commitments")]] = w.connection(
        tables.Commitment.offer_id,
        order=BY_AGE,
        filter=CommitmentFilter,
        description="The commitments out of it that the caller may see.",
    )
    ranked_needs: list[Annotated[RankedNeed, strawberry.lazy("resolvers.exchange.matching")]] = w.listing(
        ranking.for_offer,
        limit=ranking.LONGEST,
        default=10,
        shows=True,
        description="Open needs that it can serve, best first, with the reasons: for whoever makes it and for community staff; empty for others.",
    )
    matching_needs: list[Need] = w.many(
        match=matches.matching_needs,
        order=(desc(tables.Need.urgency), tables.Need.due_at),
        limit=50,
        default=10,
        description="Open needs that it can serve: of the same kind, unit and category, in its areas and window, with something left. Most urgent first, then by due time.",
    )
    attachments: list[Annotated[Attachment, strawberry.lazy("resolvers.files")]] = attached(
        files.Attachment.offer_id, "offer"
    )
    viewer_can: OfferViewerCan = w.inside(description="What the caller may do with it now.")
