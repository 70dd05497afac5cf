"""What the verbs of offers are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from models.exchange import actions, offering
from models.exchange.kinds import Kind, Unit
from models.people.availability import Language
from models.people.qualifications import QualificationType
from resolvers.common import PositionInput
from resolvers.exchange.inputs import changes
from resolvers.exchange.venues import VenueInput
from resolvers.verbs import Call


@strawberry.input(description="What an offer is and on which terms.")
class OfferTerms:
    title: str = strawberry.field(description="What is offered, in 2 to 60 characters.")
    category: strawberry.ID = strawberry.field(description="What kind of service it is.")
    window_from: datetime = strawberry.field(
        description="From when it can be given; of one that repeats, when its first time begins."
    )
    window_to: datetime = strawberry.field(description="Until when; at most 400 days later.")
    kind: Kind = strawberry.field(
        default=Kind.SERVICE,
        description="What sort of thing is offered. CASH_AID and GOODS are what a foundation's people offer; money, they alone.",
    )
    note: str | None = strawberry.field(default=None, description="Particulars, up to 2,000 characters.")
    quantity: int = strawberry.field(default=1, description="How much in all, 1 to 10,000.")
    unit: Unit | None = strawberry.field(
        default=None, description="What the quantity counts; null: what the kind counts."
    )
    areas: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="The divisions that it serves, at most 20; none: the provider's own area, or with `radiusKm` the city as far as that reaches.",
    )
    rrule: str | None = strawberry.field(
        default=None,
        description="How it repeats within its window: a rule of RFC 5545 with FREQ DAILY, WEEKLY or MONTHLY and an end, COUNT or UNTIL; hours are Shanghai's. Null: it is there all its window long.",
    )
    duration_minutes: int | None = strawberry.field(
        default=None, description="How long each time lasts, 1 to 1,440 minutes; given if `rrule` is."
    )
    min_notice_minutes: int = strawberry.field(
        default=0, description="How many minutes before an appointment it must be asked for, at most 43,200 (30 days)."
    )
    parallel: int | None = strawberry.field(
        default=None,
        description="How many tasks it can serve at one instant, 1 to 10,000; a volunteer one. Null: one for a volunteer, for an organization as many as `quantity`.",
    )
    weekly_cap: int | None = strawberry.field(
        default=None, description="How many tasks in a week, 1 to 10,000; null: as many as there is quantity."
    )
    position: PositionInput | None = strawberry.field(
        default=None, description="Where it is given from, in the city; shown to everybody. Not for a volunteer's."
    )
    radius_km: float | None = strawberry.field(
        default=None, description="How far from there it reaches, 0.5 to 50 km; null: wherever its areas are."
    )
    skills: list[str] | None = strawberry.field(
        default=None, description="Codes of what whoever serves is able to do, at most 20; null: a volunteer's own."
    )
    certificates: list[QualificationType] = strawberry.field(
        default_factory=list,
        description="What whoever serves is certified as; the review asks for the papers. Not for a volunteer's: his verified qualifications count.",
    )
    languages: list[Language] | None = strawberry.field(
        default=None, description="What whoever serves speaks besides Mandarin; null: a volunteer's own."
    )
    venue: VenueInput | None = strawberry.field(default=None, description="For an offer of the kind VENUE: the room.")

    def terms(self) -> dict[str, Any]:
        """The same, as `actions.OfferInput` takes it."""
        return {
            "title": self.title,
            "category": Call.id(self.category, "service_category", "category"),
            "window_from": self.window_from,
            "window_to": self.window_to,
            "kind": self.kind,
            "note": self.note,
            "quantity": self.quantity,
            "unit": self.unit,
            "areas": tuple(Call.id(area, "division", "areas") for area in self.areas),
            "rrule": self.rrule,
            "duration_minutes": self.duration_minutes,
            "min_notice_minutes": self.min_notice_minutes,
            "parallel": self.parallel,
            "weekly_cap": self.weekly_cap,
            "position": position(self.position),
            "radius_km": self.radius_km,
            "skills": None if self.skills is None else tuple(self.skills),
            "certificates": tuple(self.certificates),
            "languages": None if self.languages is None else tuple(self.languages),
            "venue": venue(self.venue),
        }


@strawberry.input(description="What is offered, free of charge.")
class OfferInput(OfferTerms):
    external_id: str | None = strawberry.field(
        default=None, description="An organization's own number for it, 1 to 64 characters, one offer each."
    )
    draft: bool = strawberry.field(default=False, description="True keeps it as a draft, for `offerSubmitDraft`.")

    def read(self) -> actions.OfferInput:
        """The same, as the verbs take it."""
        return actions.OfferInput(**self.terms(), external_id=self.external_id, draft=self.draft)


@strawberry.input(description="An offer as an organization's own system has it.")
class OfferUpsertInput(OfferTerms):
    external_id: str = strawberry.field(
        description="That system's number for it, 1 to 64 characters: by it the offer is found again."
    )
    resubmit: bool = strawberry.field(
        default=False,
        description="Whether it may be sent to the review again where that is needed: when something reviewed of a published offer has changed, or anything of one that expired or was rejected. False refuses it.",
    )

    def read(self) -> actions.OfferUpsert:
        """The same, as the verb takes it; what cannot be read refuses this offer alone."""
        return actions.OfferUpsert(self.external_id, self.terms, self.resubmit)


@strawberry.input(description="What of an offer is to change. What is not given stays.")
class OfferEditInput:
    title: strawberry.Maybe[str] = strawberry.field(description="What is offered. Reviewed.")
    note: strawberry.Maybe[str | None] = strawberry.field(description="Particulars; null takes them away. Reviewed.")
    category: strawberry.Maybe[strawberry.ID] = strawberry.field(description="What kind of service it is. Reviewed.")
    quantity: strawberry.Maybe[int] = strawberry.field(description="How much in all; not less than is promised.")
    window_from: strawberry.Maybe[datetime] = strawberry.field(description="From when it can be given.")
    window_to: strawberry.Maybe[datetime] = strawberry.field(description="Until when.")
    areas: strawberry.Maybe[list[strawberry.ID]] = strawberry.field(
        description="The divisions that it serves, 1 to 20. Reviewed."
    )
    rrule: strawberry.Maybe[str | None] = strawberry.field(
        description="How it repeats; null, with `durationMinutes` null: not."
    )
    duration_minutes: strawberry.Maybe[int | None] = strawberry.field(description="How long each time lasts.")
    min_notice_minutes: strawberry.Maybe[int] = strawberry.field(
        description="How many minutes before an appointment it must be asked for."
    )
    parallel: strawberry.Maybe[int] = strawberry.field(description="How many tasks it can serve at one instant.")
    weekly_cap: strawberry.Maybe[int | None] = strawberry.field(
        description="How many tasks in a week; null: as many as there is quantity."
    )
    position: strawberry.Maybe[PositionInput | None] = strawberry.field(
        description="Where it is given from; null takes it away. Reviewed."
    )
    radius_km: strawberry.Maybe[float | None] = strawberry.field(
        description="How far from there it reaches; null: wherever its areas are. Reviewed."
    )
    skills: strawberry.Maybe[list[str]] = strawberry.field(
        description="Codes of all that whoever serves is able to do. Reviewed."
    )
    certificates: strawberry.Maybe[list[QualificationType]] = strawberry.field(
        description="All that whoever serves is certified as. Reviewed."
    )
    languages: strawberry.Maybe[list[Language]] = strawberry.field(
        description="All that whoever serves speaks besides Mandarin. Reviewed."
    )
    external_id: strawberry.Maybe[str | None] = strawberry.field(
        description="An organization's own number for it; null takes it away."
    )
    venue: strawberry.Maybe[VenueInput] = strawberry.field(description="The room, of a venue. Reviewed.")

    def read(self) -> dict[str, Any]:
        """What changes, by column, as the verb takes it."""
        out = changes(self)
        if "position" in out:
            out["position"] = position(out["position"])
        if "venue" in out:
            out["venue"] = venue(out["venue"])
        return out


def position(given: PositionInput | None) -> tuple[float, float] | None:
    """Latitude and longitude."""
    return None if given is None else (given.latitude, given.longitude)


def venue(given: VenueInput | None) -> offering.Venue | None:
    """A room, as the laws know it."""
    if given is None:
        return None
    return offering.Venue(given.address, given.seats, tuple(given.equipment), tuple(given.access))
