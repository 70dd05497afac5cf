"""What the marketplace's verbs are given."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from models.exchange import actions
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, SubmittedVia, Unit
from models.people.availability import Language
from models.people.qualifications import QualificationType
from resolvers.exchange.appointments import AppointmentInput, windows
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
    skill: str | None = strawberry.field(
        default=None, description="The code of a skill that whoever helps must have; null: none in particular."
    )
    certificate: QualificationType | None = strawberry.field(
        default=None, description="What whoever helps must be certified as; null: nothing."
    )
    language: Language = strawberry.field(
        default=Language.MANDARIN, description="What is spoken; SIGN is a requirement, others are wishes."
    )
    gender_required: bool = strawberry.field(
        default=False, description="Whether `genderPreference` is insisted on: then nobody else serves it."
    )
    vulnerability: int = strawberry.field(
        default=0, description="For staff: 0 none to 3 special difficulty; from 2 on it comes one step earlier."
    )
    duration_minutes: int | None = strawberry.field(
        default=None,
        description="How long the help takes, 10 to 1,440 minutes; null: as long as the appointment, or an hour.",
    )
    hints: list[Hint] = strawberry.field(
        default_factory=list,
        description="How one gets in (`NO_LIFT`, `STEPS_AT_DOOR`, `NARROW_DOOR`, `BARRIER_FREE`, `NO_PARKING`); for staff, all that whoever helps should know or bring.",
    )
    options: list[AppointmentInput] = strawberry.field(
        default_factory=list,
        description="Up to three appointments to choose from, the one that suits best first, in place of a window.",
    )
    rrule: str | None = strawberry.field(
        default=None,
        description="How it repeats: a rule of RFC 5545 with FREQ DAILY, WEEKLY or MONTHLY, INTERVAL, BYDAY, BYMONTHDAY, and COUNT or UNTIL (`FREQ=WEEKLY;BYDAY=TU;COUNT=8`), on Shanghai's clock; the window is the first of 2 to 60 within 400 days. Each becomes a need of its own when it opens.",
    )

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
            skill=self.skill,
            certificate=self.certificate,
            language=self.language,
            gender_required=self.gender_required,
            vulnerability=self.vulnerability,
            duration_minutes=self.duration_minutes,
            hints=tuple(self.hints),
            options=tuple(windows(self.options)),
            rrule=self.rrule,
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
    skill: strawberry.Maybe[str | None] = strawberry.field(
        description="The code of a skill that whoever helps must have; null: none in particular."
    )
    certificate: strawberry.Maybe[QualificationType | None] = strawberry.field(
        description="What whoever helps must be certified as; null: nothing."
    )
    language: strawberry.Maybe[Language] = strawberry.field(description="What is spoken.")
    gender_required: strawberry.Maybe[bool] = strawberry.field(
        description="Whether the wish for a gender is insisted on."
    )
    vulnerability: strawberry.Maybe[int] = strawberry.field(description="For staff: 0 none to 3 special difficulty.")
    duration_minutes: strawberry.Maybe[int | None] = strawberry.field(
        description="How long the help takes, in minutes; null: as long as the appointment, or an hour."
    )
    options: strawberry.Maybe[list[AppointmentInput]] = strawberry.field(
        description="All appointments to choose from; none: its window is all that is said."
    )
    rrule: strawberry.Maybe[str | None] = strawberry.field(
        description="How it repeats, until it has opened; null: not at all."
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
    option: strawberry.ID | None = strawberry.field(
        default=None,
        description="Which of the need's appointments it is for; null: the one that others chose, or the first.",
    )


def optional(given: str | None, kind: str, field: str) -> UUID | None:
    """The UUID of an id that may be absent."""
    return Call.id(given, kind, field) if given is not None else None


@strawberry.input(description="A part of a need that is split.")
class NeedPartInput:
    quantity: int = strawberry.field(description="How much of it; those of all parts make the whole.")
    option: strawberry.ID | None = strawberry.field(
        default=None,
        description="Which of the need's appointments this part is for; null: all of them stay open to it.",
    )

    def read(self) -> actions.PartInput:
        """The same, as the verbs take it."""
        return actions.PartInput(self.quantity, optional(self.option, "need_option", "parts"))


COLUMNS = {"quantity": "qty_total", "skill": "skill_code", "options": "choices"}


def changes(given: Any) -> dict[str, Any]:
    """What an edit gives, by column; ids read."""
    out = {
        COLUMNS.get(name, name): part.value
        for name in given.__annotations__
        if (part := getattr(given, name)) is not None and part is not strawberry.UNSET
    }
    if "category" in out:
        out["category"] = Call.id(out["category"], "service_category", "category")
    if "choices" in out:
        out["choices"] = windows(out["choices"])
    if "areas" in out:
        out["areas"] = [Call.id(area, "division", "areas") for area in out["areas"]]
    return out
