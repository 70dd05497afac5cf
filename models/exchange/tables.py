"""The marketplace's nouns: categories, needs, offers, commitments, and the bookings that they make.

Counters stand on the need and the offer themselves and change under their rows' locks; CHECKs keep them in bounds, so
that no race can promise more than is wanted (I1) or offered (I2). `area` is the code of a grid or, where that is not
known, of a community: copied from a need to all that hangs on it, so that a scope is one range of an index.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlmodel import Field

from models import vault
from models.base import (
    INSTANT,
    Table,
    check,
    choice,
    chosen,
    count,
    flag,
    found_by,
    grams,
    instant,
    key,
    km,
    placed,
    sealed,
    several,
    text,
    to,
)
from models.exchange.kinds import GenderPreference, Hint, Kind, Origin, Sensitivity, Side, SubmittedVia, Unit
from models.exchange.states import LIVE, CommitmentStatus, NeedStatus, OfferStatus
from models.exchange.venues import VenueAccess, VenueEquipment
from models.people.availability import Language
from models.people.qualifications import QualificationType

LIVE_SQL = "status IN (" + ", ".join(f"'{s.value}'" for s in LIVE) + ")"
HINTS = ", ".join(f"'{hint}'" for hint in Hint)

PRIORITY = "LEAST(4, urgency + (vulnerability >= 2)::integer)"
COMMUNITY = sa.text('"left"(area, 12)')
"""The code of the community that an area lies in."""
ROOM = {"postgresql_with": {"fillfactor": "80"}}
"""Room on each page, so that a counter's change touches no index."""


def numbered(prefix: str, sequence: str) -> Any:
    """A number that people read out: a prefix and nine digits."""
    default = sa.text(f"'{prefix}' || lpad(nextval('{sequence}')::text, 9, '0')")
    return Field(default=None, sa_type=sa.Text, sa_column_kwargs={"server_default": default})


def about() -> Any:
    """The person whom a row's sealed words are about; nobody by default."""
    return Field(default=vault.NO_ONE, sa_column_kwargs={"server_default": sa.text(f"'{vault.NO_ONE}'")})


def listed(values: type[enum.StrEnum]) -> str:
    """An enumeration's values, for a CHECK."""
    return ", ".join(f"'{value}'" for value in values)


class ServiceCategory(Table, table=True):
    """服务类别: a tree of two levels; a child's code is its parent's, a dot, and a word of its own."""

    __tablename__ = "service_category"
    __table_args__ = (
        sa.UniqueConstraint("code"),
        check("code", r"code ~ '^[A-Z][A-Z_]*(\.[A-Z][A-Z_]*)?$'"),
        check("parent", "(parent_id IS NULL) = (position('.' in code) = 0)"),
        sa.Index("ix_service_category_parent_id_place", "parent_id", "place"),
    )
    id: UUID = key()
    code: str = text()
    name: str = text()
    pinyin: str = text()
    parent_id: UUID | None = to("service_category.id", optional=True, index=False)
    place: int = count()
    """Where it stands in lists, among all."""
    grams: list[int] = grams()
    """The keys of its name, and those by which searches are narrowed to it and to the one above it."""
    certificates: list[QualificationType] = several()
    """Whoever serves it holds one of these (I11); none are needed where none stand here."""


class Need(Table, table=True):
    """需求: what somebody needs, how much of it, by when, and how far it is met."""

    __tablename__ = "need"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        chosen("kind", Kind),
        chosen("submitted_via", SubmittedVia),
        chosen("unit", Unit),
        chosen("sensitivity", Sensitivity),
        chosen("gender_preference", GenderPreference),
        chosen("status", NeedStatus),
        check("area", "area ~ '^([0-9]{12}|[0-9]{15})$'"),
        check("hints", f"hints <@ ARRAY[{HINTS}]::text[]"),
        check("urgency", "urgency BETWEEN 1 AND 4"),
        check("quantity", "qty_total BETWEEN 1 AND 1000000"),
        check("committed", "qty_committed BETWEEN 0 AND qty_total"),
        check("delivered", "qty_delivered BETWEEN 0 AND qty_committed"),
        check("window", "(window_from IS NULL) = (window_to IS NULL) AND window_from < window_to"),
        check("second_person", "verified_by <> requester_id"),
        check("position", "num_nonnulls(x, y) <> 1"),
        chosen("language", Language),
        chosen("certificate", QualificationType),
        check("gender_required", "NOT gender_required OR gender_preference <> 'ANY'"),
        check("vulnerability", "vulnerability BETWEEN 0 AND 3"),
        check("duration", "duration_minutes BETWEEN 1 AND 1440"),
        check("options", "options BETWEEN 0 AND 3 AND (option_place IS NULL OR option_place < options)"),
        check("merged", "merged_into IS NULL OR status = 'CANCELLED'"),
        check("result", "result IS NULL OR kind = 'LIVELIHOOD_ITEM'"),
        check("cash", "kind <> 'CASH_AID' OR qty_committed = qty_delivered"),
        found_by("need"),
        sa.Index("ix_need_newest", sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index("ix_need_community_newest", "community_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index("ix_need_grid_newest", "grid_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index("ix_need_requester_newest", "requester_id", sa.text("created_at DESC"), sa.text("id DESC")),
        sa.Index("ix_need_urgent", sa.text("urgency DESC"), "due_at", "id", "status"),
        sa.Index("ix_need_community_urgent", "community_id", sa.text("urgency DESC"), "due_at", "id", "status"),
        sa.Index("ix_need_due", "due_at", "id", "status"),
        sa.Index("ix_need_community_due", "community_id", "due_at", "id", "status"),
        sa.Index("ix_need_scope_newest", COMMUNITY, sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index(
            "ix_need_triage",
            COMMUNITY,
            "answer_due_at",
            "id",
            postgresql_where=sa.text("status IN ('SUBMITTED', 'REOPENED')"),
        ),
        sa.Index(
            "ix_need_wanted",
            "category_code",
            "area",
            postgresql_where=sa.text("status IN ('OPEN', 'IN_PROGRESS') AND sensitivity = 'NORMAL'"),
        ),
        sa.Index("ix_need_household", "household", postgresql_where=sa.text("household IS NOT NULL")),
        sa.Index("ix_need_beneficiary_id", "beneficiary_id", postgresql_where=sa.text("beneficiary_id IS NOT NULL")),
        sa.Index("ix_need_subject_id", "subject_id"),
        sa.Index("ix_need_assigned_to", "assigned_to", postgresql_where=sa.text("assigned_to IS NOT NULL")),
        sa.Index("ix_need_parent_id", "parent_id", postgresql_where=sa.text("parent_id IS NOT NULL")),
        sa.Index("ix_need_series_id", "series_id", postgresql_where=sa.text("series_id IS NOT NULL")),
        sa.Index("ix_need_merged_into", "merged_into", postgresql_where=sa.text("merged_into IS NOT NULL")),
        sa.Index("ix_need_items", "area", "due_at", "id", postgresql_where=sa.text("kind = 'LIVELIHOOD_ITEM'")),
        ROOM,
    )
    id: UUID = key()
    no: str = numbered("XQ", "need_no")
    title: str = text()
    note: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    """Particulars: what somebody's condition is. Sealed; nothing is looked for in it."""
    subject_id: UUID = about()
    """The person whom its sealed words are about: the beneficiary's; `vault.NO_ONE` for a place or a group."""
    kind: Kind = choice(Kind)
    category_id: UUID = to("service_category.id", index=False)
    category_code: str = text()
    beneficiary_id: UUID | None = to("resident.id", optional=True, index=False)
    """Who is to be served; none for a group, or for a matter of the whole community."""
    household: str | None = text(optional=True)
    """The beneficiary's household, whose members see the need as their own."""
    requester_id: UUID = to("person.id", index=False)
    submitted_via: SubmittedVia = choice(SubmittedVia)
    community_id: UUID = to("division.id", index=False)
    grid_id: UUID | None = to("grid.id", optional=True, index=False)
    area: str = text()
    unit: Unit = choice(Unit)
    qty_total: int
    qty_committed: int = count(0)
    """What live and completed commitments hold, overdue holds included until they are written down as lapsed."""
    qty_delivered: int = count(0)
    window_from: datetime | None = instant(optional=True)
    window_to: datetime | None = instant(optional=True)
    due_at: datetime = instant()
    answer_due_at: datetime = instant()
    urgency: int = count(2)
    """1 can wait, 4 is most urgent."""
    sensitivity: Sensitivity = choice(Sensitivity, default=Sensitivity.NORMAL)
    gender_preference: GenderPreference = choice(GenderPreference, default=GenderPreference.ANY)
    hints: list[str] = several()
    """What whoever helps should know: chosen by staff; `Hint`."""
    status: NeedStatus = choice(NeedStatus)
    reason: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    """Why it was rejected, referred, cancelled or asked for again. Sealed: a reason often speaks of somebody's condition."""
    referred_to: str | None = text(optional=True)
    reopened: bool = flag()
    verified_by: UUID | None = to("person.id", optional=True, index=False)
    assigned_to: UUID | None = to("person.id", optional=True, index=False)
    """The social worker whose case it is."""
    opened_at: datetime | None = instant(optional=True)
    closed_at: datetime | None = instant(optional=True)
    created_at: datetime = instant()
    version: int = count(1)
    grams: list[int] = grams()
    """The keys of its title, its category's and its community's name: never of what is sealed."""
    x: float | None = km(optional=True)
    """Where it is, roughly: its grid's point, or else its community's; never a door's."""
    y: float | None = km(optional=True)
    skill_code: str | None = Field(default=None, sa_type=sa.Text, foreign_key="skill.code", nullable=True)
    """What whoever helps must be able to do."""
    certificate: QualificationType | None = choice(QualificationType, optional=True)
    """What he must be certified as."""
    language: Language = choice(Language, default=Language.MANDARIN)
    """What is spoken with him."""
    gender_required: bool = flag()
    """Whether the wish for a gender is a bar."""
    vulnerability: int = count(0)
    """0 none to 3 special difficulty."""
    duration_minutes: int | None = None
    """How long the help takes, where that is not the length of the appointment."""
    priority: int = Field(
        default=None, sa_column=sa.Column(sa.Integer, sa.Computed(PRIORITY, persisted=True), nullable=False)
    )
    """What comes first, 1 to 4: the urgency, one higher for the vulnerable."""
    rrule: str | None = text(optional=True)
    """Of the first need of a series: how it repeats (`models.recurrence`)."""
    options: int = count(0)
    """How many appointments there are to choose from; 0 where its window is all that is said."""
    option_place: int | None = None
    """Which of them was chosen, while something of it is promised and not delivered yet."""
    parent_id: UUID | None = to("need.id", optional=True, index=False)
    """The need that it is a part or a repetition of."""
    series_id: UUID | None = to("need.id", optional=True, index=False)
    """The first need of its series, which bears it too; set when that is verified."""
    merged_into: UUID | None = to("need.id", optional=True, index=False)
    """The need that it turned out to be the same as."""
    result: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    """Of a livelihood item: what was done, as written down when it was settled. 销号."""
    overdue_told_at: datetime | None = instant(optional=True)
    """When it was told that its answer was overdue."""


class NeedOption(Table, table=True):
    """预约时段: one of up to three appointments that whoever asks can keep, the one that suits best first."""

    __tablename__ = "need_option"
    __table_args__ = (
        sa.UniqueConstraint("need_id", "place"),
        check("place", "place BETWEEN 0 AND 2"),
        check("window", "starts_at < ends_at AND ends_at <= starts_at + interval '24 hours'"),
    )
    id: UUID = key()
    need_id: UUID = to("need.id", index=False)
    place: int = count()
    starts_at: datetime = instant()
    ends_at: datetime = instant()


class NeedStaff(Table, table=True):
    """经办人: who of the staff is named for a RESTRICTED need, and so may see it."""

    __tablename__ = "need_staff"
    __table_args__ = (sa.UniqueConstraint("need_id", "person_id"),)
    id: UUID = key()
    need_id: UUID = to("need.id", index=False)
    person_id: UUID = to("person.id")
    named_by: UUID | None = to("person.id", optional=True, index=False)
    """None where the rule named him when the need came in."""
    named_at: datetime = instant()


class NeedFoundation(Table, table=True):
    """转介资助: a foundation that was asked to pay for a need; its people see the need from then on."""

    __tablename__ = "need_foundation"
    __table_args__ = (sa.UniqueConstraint("need_id", "organization_id"),)
    id: UUID = key()
    need_id: UUID = to("need.id", index=False)
    organization_id: UUID = to("organization.id")
    asked_by: UUID = to("person.id", index=False)
    asked_at: datetime = instant()
    eligible: bool | None = None
    """Whether the community says that the beneficiary is of those whom the category is for; None: it does not say."""


class Offer(Table, table=True):
    """供给: what an organization or a person can give, how much of it, when and where. Always free of charge (I13)."""

    __tablename__ = "offer"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        chosen("kind", Kind),
        chosen("unit", Unit),
        chosen("status", OfferStatus),
        check("area", "area ~ '^[0-9]+$'"),
        check("provider", "num_nonnulls(organization_id, person_id) = 1"),
        check("quantity", "qty_total BETWEEN 1 AND 1000000"),
        check("reserved", "qty_reserved >= 0 AND qty_consumed >= 0 AND qty_reserved + qty_consumed <= qty_total"),
        check("window", "window_from < window_to"),
        check("cost_free", "cost_free"),
        check("second_person", "reviewed_by <> person_id"),
        check("position", "num_nonnulls(x, y) <> 1"),
        check("radius", "radius_km BETWEEN 0.5 AND 50 AND (radius_km IS NULL OR x IS NOT NULL)"),
        check("whereabouts", "person_id IS NULL OR x IS NULL"),
        check("notice", "min_notice_minutes BETWEEN 0 AND 43200"),
        check("repeats", "(rrule IS NULL) = (duration_minutes IS NULL) AND (duration_minutes BETWEEN 1 AND 1440)"),
        check("parallel", "parallel BETWEEN 1 AND 10000"),
        check("weekly_cap", "weekly_cap BETWEEN 1 AND 10000"),
        check("languages", "languages <@ ARRAY['MANDARIN', 'KOREAN', 'MONGOLIAN', 'SIGN']::text[]"),
        check(
            "external_id",
            "external_id IS NULL OR (organization_id IS NOT NULL AND length(external_id) BETWEEN 1 AND 64)",
        ),
        check("equipment", f"venue_equipment <@ ARRAY[{listed(VenueEquipment)}]::text[]"),
        check("access", f"venue_access <@ ARRAY[{listed(VenueAccess)}]::text[]"),
        check("seats", "venue_seats BETWEEN 1 AND 100000"),
        check(
            "venue",
            "kind = 'VENUE' OR num_nonnulls(venue_address, venue_seats) = 0"
            " AND venue_equipment = '{}' AND venue_access = '{}'",
        ),
        sa.Index(
            "uq_offer_external_id",
            "organization_id",
            "external_id",
            unique=True,
            postgresql_where=sa.text("external_id IS NOT NULL"),
        ),
        found_by("offer"),
        placed("offer"),
        sa.Index("ix_offer_newest", sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index(
            "ix_offer_organization_newest",
            "organization_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("organization_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_offer_person_newest",
            "person_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("person_id IS NOT NULL"),
        ),
        sa.Index("ix_offer_published", "category_code", "area", postgresql_where=sa.text("status = 'PUBLISHED'")),
        sa.Index("ix_offer_review", "created_at", "id", postgresql_where=sa.text("status = 'PENDING_REVIEW'")),
        sa.Index("ix_offer_ending", "window_to", postgresql_where=sa.text("status IN ('PUBLISHED', 'PAUSED')")),
        sa.Index("ix_offer_area_status", "area", "status"),
        ROOM,
    )
    id: UUID = key()
    no: str = numbered("GJ", "offer_no")
    title: str = text()
    note: str | None = text(optional=True)
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    person_id: UUID | None = to("person.id", optional=True, index=False)
    kind: Kind = choice(Kind)
    category_id: UUID = to("service_category.id", index=False)
    category_code: str = text()
    unit: Unit = choice(Unit)
    qty_total: int
    qty_reserved: int = count(0)
    qty_consumed: int = count(0)
    window_from: datetime = instant()
    window_to: datetime = instant()
    service_areas: list[str] = several()
    """Codes of the divisions that it serves."""
    area: str = text()
    """The provider's own."""
    cost_free: bool = flag(True)
    status: OfferStatus = choice(OfferStatus)
    reason: str | None = text(optional=True)
    """Why it was rejected."""
    reviewed_by: UUID | None = to("person.id", optional=True, index=False)
    created_at: datetime = instant()
    version: int = count(1)
    grams: list[int] = grams()
    """The keys of its title, its category's and its provider's community's name."""
    x: float | None = km(optional=True)
    """Where an organization's offer is given from. A volunteer's has none: where he sets out from is not for all."""
    y: float | None = km(optional=True)
    radius_km: float | None = km(optional=True)
    """How far from there it reaches; None: wherever its areas are."""
    min_notice_minutes: int = count(0)
    """How long before an appointment it must be asked for."""
    rrule: str | None = text(optional=True)
    """How it repeats, from `window_from` on (`models.recurrence`); None: it is there all its window long."""
    duration_minutes: int | None = None
    """How long each time lasts, where it repeats."""
    parallel: int = count(1)
    """How many tasks it can serve at one instant."""
    weekly_cap: int | None = None
    """How many tasks in a week, by Shanghai's days; None: as many as there is quantity."""
    skills: list[str] = several()
    """Codes of the skills that whoever serves has."""
    certificates: list[QualificationType] = several()
    """What whoever serves is certified as."""
    languages: list[Language] = several()
    """Besides Mandarin."""
    external_id: str | None = text(optional=True)
    """The organization's own number for it, by which `upsert_offers` finds it."""
    venue_address: str | None = text(optional=True)
    venue_seats: int | None = None
    venue_equipment: list[str] = several()
    venue_access: list[str] = several()


class Commitment(Table, table=True):
    """对接单: that a provider serves a need, out of an offer or directly, and how far it is."""

    __tablename__ = "commitment"
    __table_args__ = (
        chosen("origin", Origin),
        chosen("status", CommitmentStatus),
        chosen("cancelled_by", Side),
        chosen("sensitivity", Sensitivity),
        check("provider", "num_nonnulls(organization_id, person_id, party_unit_id) = 1"),
        check("late", "NOT late OR status = 'CANCELLED'"),
        check("himself", "person_id IS NULL OR volunteer_person_id IS NOT DISTINCT FROM person_id"),
        check("quantity", "qty BETWEEN 1 AND 1000000"),
        check("delivered", "qty_delivered BETWEEN 0 AND qty"),
        check("slot", "(slot_from IS NULL) = (slot_to IS NULL) AND slot_from < slot_to"),
        check("rating", "rating BETWEEN 1 AND 5"),
        check("second_person", "confirmed_by <> volunteer_person_id"),
        sa.Index(
            "uq_commitment_live",
            "need_id",
            "offer_id",
            "organization_id",
            "person_id",
            "party_unit_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text(LIVE_SQL),
        ),
        sa.Index("ix_commitment_subject_id", "subject_id"),
        sa.Index("ix_commitment_need_id_created_at_id", "need_id", "created_at", "id"),
        sa.Index(
            "ix_commitment_offer_id_created_at_id",
            "offer_id",
            "created_at",
            "id",
            postgresql_where=sa.text("offer_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_commitment_organization_newest",
            "organization_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("organization_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_commitment_volunteer_newest",
            "volunteer_person_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("volunteer_person_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_commitment_social_worker_newest",
            "social_worker_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("social_worker_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_commitment_community_newest", "community_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"
        ),
        sa.Index("ix_commitment_scope_newest", COMMUNITY, sa.text("created_at DESC"), sa.text("id DESC"), "status"),
        sa.Index(
            "ix_commitment_party_unit_newest",
            "party_unit_id",
            sa.text("created_at DESC"),
            sa.text("id DESC"),
            postgresql_where=sa.text("party_unit_id IS NOT NULL"),
        ),
        sa.Index("ix_commitment_option_id", "option_id", postgresql_where=sa.text("option_id IS NOT NULL")),
        sa.Index("ix_commitment_hold", "hold_until", "need_id", postgresql_where=sa.text("status = 'PROPOSED'")),
    )
    id: UUID = key()
    need_id: UUID = to("need.id", index=False)
    offer_id: UUID | None = to("offer.id", optional=True, index=False)
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    person_id: UUID | None = to("person.id", optional=True, index=False)
    """The volunteer, where he is the provider himself."""
    volunteer_person_id: UUID | None = to("person.id", optional=True, index=False)
    """Who serves: the provider himself, or the volunteer whom the organization names."""
    social_worker_id: UUID | None = to("social_worker.id", optional=True, index=False)
    """Who accompanies it."""
    community_id: UUID
    """The need's, which never changes: without a foreign key, whose lock on the division each claim would take."""
    area: str = text()
    """The need's."""
    sensitivity: Sensitivity = choice(Sensitivity, default=Sensitivity.NORMAL)
    """The need's."""
    subject_id: UUID = about()
    """The need's."""
    qty: int
    qty_delivered: int = count(0)
    origin: Origin = choice(Origin)
    status: CommitmentStatus = choice(CommitmentStatus)
    hold_until: datetime = instant()
    slot_from: datetime | None = instant(optional=True)
    slot_to: datetime | None = instant(optional=True)
    accepted_at: datetime | None = instant(optional=True)
    confirmed_at: datetime | None = instant(optional=True)
    confirmed_by: UUID | None = to("person.id", optional=True, index=False)
    open_until: datetime | None = instant(optional=True)
    """Until when its provider may read the need's particulars and ask for the contact: from the confirmation until 24 h
    after the service; the instant on which it was called off."""
    started_at: datetime | None = instant(optional=True)
    delivered_at: datetime | None = instant(optional=True)
    ended_at: datetime | None = instant(optional=True)
    """When it came to an end, of whatever kind."""
    rating: int | None = count()
    comment: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    cancelled_by: Side | None = choice(Side, optional=True)
    reason: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    """Why it was declined, cancelled, disputed or found void."""
    created_at: datetime = instant()
    version: int = count(1)
    party_unit_id: UUID | None = to("party_unit.id", optional=True, index=False)
    """The party unit that took a livelihood item on, where one did; who answers for it is `volunteer_person_id`."""
    option_id: UUID | None = to("need_option.id", optional=True, index=False, ondelete="SET NULL")
    """Which of the need's appointments it is for."""
    late: bool = flag()
    """Whether it was called off less than 24 h before the service, or during it."""
    result: bytes | None = sealed(vault.Kind.CARE, "subject_id", optional=True)
    """Of a livelihood item: what its provider says was done."""


class Booking(Table, table=True):
    """占用时段: that a person's time is taken, by a commitment or by an attendance; never two at once (I6).

    The migration makes the key `PRIMARY KEY (person_id, during WITHOUT OVERLAPS)`. A row is deleted when what it is
    for stops being live. `attendance_id` is the activity area's, which comes later, and so has no foreign key here.
    """

    __tablename__ = "booking"
    __table_args__ = (
        check("for", "num_nonnulls(commitment_id, attendance_id) = 1"),
        sa.Index("ix_booking_commitment_id", "commitment_id", postgresql_where=sa.text("commitment_id IS NOT NULL")),
        sa.Index("ix_booking_attendance_id", "attendance_id", postgresql_where=sa.text("attendance_id IS NOT NULL")),
    )
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    during: Any = Field(sa_column=sa.Column(TSTZRANGE(), primary_key=True))
    commitment_id: UUID | None = to("commitment.id", optional=True, index=False)
    attendance_id: UUID | None = None
    created_at: datetime = Field(sa_type=INSTANT)
