"""What the marketplace's verbs are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from models.exchange import actions
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, SubmittedVia, Unit
from resolvers.verbs import Call


@strawberry.input(description="What is asked for.")
class NeedInput:
    title: str = strawberry.field(description="What is needed, in 2 to 60 characters.")
    category: strawberry.ID = strawberry.field(description="What kind of service it is.")
    kind: Kind = strawberry.field(default=Kind.SERVICE, description="What sort of thing is needed.")
    note: str | None = strawberry.field(
        default=None, description="Particulars, up to 2,000 characters; read only by the parties and staff."
    )
    quantity: int = strawberry.field(default=1, description="How much, 1 to 10,000.")
    unit: Unit | None = strawberry.field(
        default=None, description="What the quantity counts; null: what the kind counts."
    )
    window_from: datetime | None = strawberry.field(default=None, description="From when; null when any time will do.")
    window_to: datetime | None = strawberry.field(default=None, description="Until when; given if `windowFrom` is.")
    due_at: datetime | None = strawberry.field(
        default=None, description="When it expires; null: when its window ends, or in 30 days."
    )
    urgency: int = strawberry.field(default=2, description="1 can wait, 4 is most urgent.")
    sensitivity: Sensitivity = strawberry.field(default=Sensitivity.NORMAL, description="Who may read of it at all.")
    gender_preference: GenderPreference = strawberry.field(
        default=GenderPreference.ANY, description="Whom the beneficiary would rather have."
    )
    beneficiary: strawberry.ID | None = strawberry.field(
        default=None,
        description="The resident whom it is for: for residents somebody of the same household, null is oneself; for staff somebody of their area, null is a group or the whole place.",
    )
    grid: strawberry.ID | None = strawberry.field(
        default=None, description="For staff, where no beneficiary is named: the grid. Null: their own area."
    )
    submitted_via: SubmittedVia | None = strawberry.field(
        default=None, description="For staff: how it came in. Null: at the counter, or on a grid officer's round."
    )
    draft: bool = strawberry.field(default=False, description="True keeps it as a draft, for `needSubmitDraft`.")

    def read(self) -> actions.NeedInput:
        """The same, as the verbs take it."""
        return actions.NeedInput(
            title=self.title,
            category=Call.id(self.category, "service_category", "category"),
            kind=self.kind,
            note=self.note,
            quantity=self.quantity,
            unit=self.unit,
            window_from=self.window_from,
            window_to=self.window_to,
            due_at=self.due_at,
            urgency=self.urgency,
            sensitivity=self.sensitivity,
            gender_preference=self.gender_preference,
            beneficiary=optional(self.beneficiary, "resident", "beneficiary"),
            grid=optional(self.grid, "grid", "grid"),
            submitted_via=self.submitted_via,
            draft=self.draft,
        )


@strawberry.input(description="What of a need is to change. What is not given stays.")
class NeedEditInput:
    title: strawberry.Maybe[str] = strawberry.field(description="What is needed, in 2 to 60 characters.")
    note: strawberry.Maybe[str | None] = strawberry.field(description="Particulars; null takes them away.")
    category: strawberry.Maybe[strawberry.ID] = strawberry.field(description="What kind of service it is.")
    quantity: strawberry.Maybe[int] = strawberry.field(description="How much; not less than is promised.")
    window_from: strawberry.Maybe[datetime | None] = strawberry.field(description="From when; null: any time will do.")
    window_to: strawberry.Maybe[datetime | None] = strawberry.field(description="Until when; null: any time will do.")
    due_at: strawberry.Maybe[datetime] = strawberry.field(description="When it expires.")
    urgency: strawberry.Maybe[int] = strawberry.field(description="1 can wait, 4 is most urgent.")
    sensitivity: strawberry.Maybe[Sensitivity] = strawberry.field(description="Who may read of it at all.")
    gender_preference: strawberry.Maybe[GenderPreference] = strawberry.field(
        description="Whom the beneficiary would rather have."
    )
    hints: strawberry.Maybe[list[Hint]] = strawberry.field(
        description="For staff: all that whoever helps should know or bring."
    )


@strawberry.input(description="What is offered, free of charge.")
class OfferInput:
    title: str = strawberry.field(description="What is offered, in 2 to 60 characters.")
    category: strawberry.ID = strawberry.field(description="What kind of service it is.")
    window_from: datetime = strawberry.field(description="From when it can be given.")
    window_to: datetime = strawberry.field(description="Until when; at most 400 days later.")
    kind: Kind = strawberry.field(default=Kind.SERVICE, description="What sort of thing is offered.")
    note: str | None = strawberry.field(default=None, description="Particulars, up to 2,000 characters.")
    quantity: int = strawberry.field(default=1, description="How much in all, 1 to 10,000.")
    unit: Unit | None = strawberry.field(
        default=None, description="What the quantity counts; null: what the kind counts."
    )
    areas: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="The divisions that it serves, at most 20; none: the provider's own area."
    )
    draft: bool = strawberry.field(default=False, description="True keeps it as a draft, for `offerSubmitDraft`.")

    def read(self) -> actions.OfferInput:
        """The same, as the verbs take it."""
        return actions.OfferInput(
            title=self.title,
            category=Call.id(self.category, "service_category", "category"),
            window_from=self.window_from,
            window_to=self.window_to,
            kind=self.kind,
            note=self.note,
            quantity=self.quantity,
            unit=self.unit,
            areas=tuple(Call.id(area, "division", "areas") for area in self.areas),
            draft=self.draft,
        )


@strawberry.input(description="What of an offer is to change. What is not given stays.")
class OfferEditInput:
    title: strawberry.Maybe[str] = strawberry.field(description="What is offered; not once it is published.")
    note: strawberry.Maybe[str | None] = strawberry.field(description="Particulars; null takes them away.")
    category: strawberry.Maybe[strawberry.ID] = strawberry.field(
        description="What kind of service it is; not once it is published."
    )
    quantity: strawberry.Maybe[int] = strawberry.field(description="How much in all; not less than is promised.")
    window_from: strawberry.Maybe[datetime] = strawberry.field(description="From when it can be given.")
    window_to: strawberry.Maybe[datetime] = strawberry.field(description="Until when.")
    areas: strawberry.Maybe[list[strawberry.ID]] = strawberry.field(
        description="The divisions that it serves; not once it is published."
    )


@strawberry.input(description="Who is proposed for a need. One of offer, organization, volunteer or staff is needed.")
class ProposalInput:
    quantity: int = strawberry.field(default=1, description="How much of the need, in its unit.")
    offer: strawberry.ID | None = strawberry.field(default=None, description="Out of this offer, by its provider.")
    organization: strawberry.ID | None = strawberry.field(default=None, description="By this organization.")
    volunteer: strawberry.ID | None = strawberry.field(
        default=None, description="By this volunteer; beside an organization, the one whom it sends."
    )
    staff: strawberry.ID | None = strawberry.field(
        default=None, description="For a RESTRICTED need: by this person of the staff named for it."
    )
    social_worker: strawberry.ID | None = strawberry.field(default=None, description="Who accompanies it.")
    slot_from: datetime | None = strawberry.field(
        default=None, description="When the service is to begin; null: as the need's window says."
    )
    slot_to: datetime | None = strawberry.field(default=None, description="When it is to end; given if `slotFrom` is.")


def optional(given: str | None, kind: str, field: str) -> UUID | None:
    """The UUID of an id that may be absent."""
    return Call.id(given, kind, field) if given is not None else None


COLUMNS = {"quantity": "qty_total"}


def changes(given: Any) -> dict[str, Any]:
    """What an edit gives, by column; ids read."""
    out = {
        COLUMNS.get(name, name): part.value
        for name in given.__annotations__
        if (part := getattr(given, name)) is not None and part is not strawberry.UNSET
    }
    if "category" in out:
        out["category"] = Call.id(out["category"], "service_category", "category")
    if "areas" in out:
        out["areas"] = [Call.id(area, "division", "areas") for area in out["areas"]]
    return out
