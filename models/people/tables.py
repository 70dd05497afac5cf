"""People and what they are to each other: residents, volunteers, social workers; and who read what of theirs.

A name, phone number, address or number of a document stands in `person_name`, `person_contact` and `person_identity`
only, and what is known of a resident's health and poverty in `resident`: all of them sealed, bound to their person.
Everything else is masked. So no query can leak a plain value, whatever is selected, nor does a dump hold one.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import (
    APPEND_ONLY,
    Table,
    blind,
    check,
    choice,
    chosen,
    count,
    flag,
    instant,
    key,
    km,
    sealed,
    several,
    text,
    to,
)
from models.events import Xid8
from models.people.availability import LEAST_RADIUS_KM, MOST_RADIUS_KM, MOST_WEEKLY_CAP, RADIUS_KM, WEEKLY_CAP, Language
from models.people.rules import (
    AccessPurpose,
    ContactField,
    Gender,
    IdType,
    PersonState,
    PhoneWhose,
    SearchKey,
    SocialWorkerLevel,
    VolunteerRegistration,
)
from models.vault import Kind

EVER = "until IS NULL OR since <= until"


def listed(values: Any) -> str:
    """Values as SQL lists them."""
    return ", ".join(f"'{v.value}'" for v in values)


class Person(Table, table=True):
    """自然人, as others may see him: masked. `acts`: he acts for others, so his masked name is shown more widely."""

    __tablename__ = "person"
    __table_args__ = (
        chosen("gender", Gender),
        chosen("state", PersonState),
        check("born", "birth_date >= '1900-01-01'"),
        sa.Index("ix_person_area", "area"),
        sa.Index("ix_person_pinyin_id", "pinyin", "id"),
    )
    id: UUID = key()
    name_masked: str = text()
    phone_masked: str | None = text(optional=True)
    address_masked: str | None = text(optional=True)
    """To the compound: no building, door or number."""
    gender: Gender = choice(Gender, default=Gender.UNKNOWN)
    birth_date: date | None = None
    """Never shown: it decides who is a minor. Unknown for people whom staff registered without it."""
    pinyin: str = text()
    """A sort key of the masked name, never of the plain one."""
    area: str | None = text(optional=True)
    """Where he lives: a community's or grid's code; none for people who only work here."""
    acts: bool = flag()
    no_sharing: bool = flag()
    """He has withdrawn his consent to sharing his contact with providers: none is granted it."""
    state: PersonState = choice(PersonState, default=PersonState.PRESENT)
    created_at: datetime = instant()


class PersonName(Table, table=True):
    """A person's name: for himself, and for the staff of an organization that took him as a volunteer.

    Who came by the mini-program and has not said it yet has none.
    """

    __tablename__ = "person_name"
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    name: bytes = sealed(Kind.NAME)


class PersonContact(Table, table=True):
    """A person's phone number and address: for himself, and for one reveal's own answer.

    A number that is a relative's reaches him and proves nothing: nobody becomes him by it.
    """

    __tablename__ = "person_contact"
    __table_args__ = (
        chosen("phone_whose", PhoneWhose),
        check("phone", "num_nulls(phone, phone_index, phone_whose) IN (0, 3)"),
    )
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    phone: bytes | None = sealed(Kind.PHONE, optional=True)
    """11 digits."""
    phone_index: bytes | None = blind("phone", optional=True)
    phone_whose: PhoneWhose | None = choice(PhoneWhose, optional=True)
    address: bytes | None = sealed(Kind.ADDRESS, optional=True)


class PersonIdentity(Table, table=True):
    """The identity document of a person that staff have seen. No two people have the same."""

    __tablename__ = "person_identity"
    __table_args__ = (chosen("id_type", IdType), sa.UniqueConstraint("number_index", "id_type"))
    person_id: UUID = Field(foreign_key="person.id", primary_key=True)
    id_type: IdType = choice(IdType)
    number: bytes = sealed(Kind.IDENTITY)
    number_index: bytes = blind("number", index=False)
    number_masked: str = text()
    recorded_by: UUID | None = to("person.id", optional=True, index=False)
    recorded_at: datetime = instant()


class Resident(Table, table=True):
    """居民: a person who lives in a community. `household` is an opaque key that his household shares.

    Who registers himself is a resident at once (whoever needs help may ask for it), and unverified until the
    community's staff have made sure that he lives there.
    """

    __tablename__ = "resident"
    __table_args__ = (
        sa.UniqueConstraint("person_id"),
        check("verified", "num_nulls(verified_at, verified_by) IN (0, 2)"),
        check("refused", "num_nulls(refused_at, refused_by) IN (0, 2)"),
        check("one_answer", "verified_at IS NULL OR refused_at IS NULL"),
        sa.Index("ix_resident_area_id", "area", "id"),
        sa.Index("ix_resident_household", "household"),
        sa.Index("ix_resident_unverified", "area", "id", postgresql_where=sa.text("verified_at IS NULL")),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    area: str = text()
    community_id: UUID = to("division.id")
    grid_id: UUID | None = to("grid.id", optional=True)
    household: str = text()
    care: bytes = sealed(Kind.CARE)
    """The tags, as `care.written_tags` writes them: of one length for everybody, so that it does not tell which."""
    care_note: bytes | None = sealed(Kind.CARE, optional=True)
    care_tier: bytes | None = sealed(Kind.CARE, optional=True)
    """How closely he is looked after, as `care.written_tier` writes it; none for nobody in particular."""
    no_matching: bool = flag()
    """He does not wish that what he needs is put before providers by the machine (PIPL art. 24)."""
    no_care: bool = flag()
    """He has withdrawn his consent to the record of his care: staff write none."""
    created_at: datetime = instant()
    verified_at: datetime | None = instant(optional=True)
    verified_by: UUID | None = to("person.id", optional=True, index=False)
    refused_at: datetime | None = instant(optional=True)
    """Then he is no resident, until he registers again."""
    refused_by: UUID | None = to("person.id", optional=True, index=False)
    refusal: bytes | None = sealed(Kind.CARE, optional=True)
    """Why, to him: where somebody lives, and with whom, is nobody else's."""


class FormerResidence(Table, table=True):
    """曾居住社区: where a resident was registered before he moved, or before he was refused there and registered anew.

    Its staff see him for as long as a need of his is under way there.
    """

    __tablename__ = "former_residence"
    __table_args__ = (
        check("ever", "since <= until"),
        sa.Index("ix_former_residence_person_id", "person_id"),
        sa.Index("ix_former_residence_area", "area"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    community_id: UUID = to("division.id", index=False)
    area: str = text()
    since: datetime = instant()
    until: datetime = instant()
    refused: bool = flag()
    ended_by: UUID = to("person.id", index=False)
    """Who moved him: mostly himself."""


class Volunteer(Table, table=True):
    """志愿者: a person's registration as a volunteer, under one number for life."""

    __tablename__ = "volunteer"
    __table_args__ = (
        sa.UniqueConstraint("person_id"),
        sa.UniqueConstraint("volunteer_no"),
        chosen("state", VolunteerRegistration),
        sa.Index("ix_volunteer_area_state_id", "area", "state", "id"),
        sa.Index("ix_volunteer_created_at_id", "created_at", "id"),
        sa.Index("ix_volunteer_categories", "categories", postgresql_using="gin"),
        sa.Index(
            "ix_volunteer_reliable_until", "reliable_until", postgresql_where=sa.text("reliable_until IS NOT NULL")
        ),
        check("position", "num_nonnulls(x, y) <> 1"),
        check("own_point", "NOT own_point OR x IS NOT NULL"),
        check("radius", f"radius_km BETWEEN {LEAST_RADIUS_KM} AND {MOST_RADIUS_KM}"),
        check("weekly_cap", f"weekly_cap BETWEEN 1 AND {MOST_WEEKLY_CAP}"),
        check("languages", "languages <@ ARRAY['KOREAN', 'MONGOLIAN', 'SIGN']::text[]"),
        check("reliability", "reliability BETWEEN 0 AND 1"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    volunteer_no: str = Field(
        default=None,
        sa_type=sa.Text,
        sa_column_kwargs={
            "server_default": sa.text("'2101' || lpad(nextval('volunteer_no')::text, 10, '0')"),
        },
    )
    state: VolunteerRegistration = choice(VolunteerRegistration)
    state_reason: str | None = text(optional=True)
    area: str = Field(foreign_key="division.code", sa_type=sa.Text)
    adult_on: date
    """The day on which he becomes, or became, 18: before it he is shown to staff and his own organizations only."""
    skills: list[str] = several()
    """Codes of `skill`."""
    categories: list[str] = several()
    no_matching: bool = flag()
    """He does not wish to stand in candidate lists."""
    created_at: datetime = instant()
    version: int = count(1)
    x: float | None = km(optional=True)
    y: float | None = km(optional=True)
    """Where he sets out from: his own point, rounded to 0.1 km, or (by a trigger) his community's."""
    own_point: bool = flag()
    radius_km: float = Field(default=RADIUS_KM, sa_type=sa.REAL, sa_column_kwargs={"server_default": sa.text("3")})
    weekly_cap: int = count(WEEKLY_CAP)
    """How many commitments of one week (ISO, Shanghai) are proposed to him. What he claims himself is not bound by it."""
    languages: list[Language] = several()
    """Besides Mandarin."""
    reliability: float = Field(default=0.8, sa_type=sa.REAL, sa_column_kwargs={"server_default": sa.text("0.8")})
    """0 to 1, out of the three counts below (`models/people/reliability.py`). For himself and staff."""
    completed: int = count(0)
    no_shows: int = count(0)
    late_cancels: int = count(0)
    """What he did, did not come to, and called off late, within a year."""
    reliable_until: datetime | None = instant(optional=True)
    """When the oldest of what is counted is a year old; None where nothing is."""


class GuardianConsent(Table, table=True):
    """监护人同意: that a minor may serve as a volunteer (PIPL art. 31, 志愿服务条例 art. 7)."""

    __tablename__ = "guardian_consent"
    __table_args__ = (
        check("two", "guardian_id <> minor_id"),
        check("withdrawn", "withdrawn_at IS NULL OR withdrawn_at >= given_at"),
        sa.Index(
            "uq_guardian_consent_minor_id_guardian_id",
            "minor_id",
            "guardian_id",
            unique=True,
            postgresql_where=sa.text("withdrawn_at IS NULL"),
        ),
        sa.Index("ix_guardian_consent_area", "area"),
    )
    id: UUID = key()
    minor_id: UUID = to("person.id")
    guardian_id: UUID = to("person.id")
    recorded_by: UUID = to("person.id", index=False)
    area: str = text()
    given_at: datetime = instant()
    withdrawn_at: datetime | None = instant(optional=True)


class SocialWorker(Table, table=True):
    """社会工作者: a licensed professional."""

    __tablename__ = "social_worker"
    __table_args__ = (
        sa.UniqueConstraint("person_id"),
        sa.UniqueConstraint("licence_no"),
        chosen("level", SocialWorkerLevel),
        sa.Index("ix_social_worker_area_id", "area", "id"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    level: SocialWorkerLevel = choice(SocialWorkerLevel)
    licence_no: str = text()
    licence_until: date
    area: str = Field(foreign_key="division.code", sa_type=sa.Text)


class ContactGrant(Table, table=True):
    """That a person or an organization may reveal somebody's contact for a while: a commitment was confirmed.

    Later areas insert it on confirmation and end it at the session's end + 24 h; `source_id` says what it is for.
    """

    __tablename__ = "contact_grant"
    __table_args__ = (
        check("viewer", "num_nonnulls(viewer_person_id, viewer_organization_id) = 1"),
        check("ever", EVER),
        sa.UniqueConstraint(
            "source_id",
            "subject_id",
            "viewer_person_id",
            "viewer_organization_id",
            name="uq_contact_grant_source_id",
            postgresql_nulls_not_distinct=True,
        ),
        sa.Index("ix_contact_grant_until", "until", postgresql_where=sa.text("until IS NOT NULL")),
        sa.Index("ix_contact_grant_viewer_person_id_subject_id", "viewer_person_id", "subject_id"),
        sa.Index("ix_contact_grant_viewer_organization_id_subject_id", "viewer_organization_id", "subject_id"),
    )
    id: UUID = key()
    viewer_person_id: UUID | None = to("person.id", optional=True, index=False)
    viewer_organization_id: UUID | None = to("organization.id", optional=True, index=False)
    subject_id: UUID = to("person.id")
    source_id: UUID
    since: datetime = instant()
    until: datetime | None = instant(optional=True)
    for_staff: bool = flag()
    """To the social worker who looks after him, as one: not a sharing with a provider, from which he may withdraw."""


class PersonSearch(Table, table=True):
    """One search for a person by his exact phone number or document, by staff: who, when, what for, and who was found.

    What was looked for is not kept.
    """

    __tablename__ = "person_search"
    __table_args__ = (
        chosen("purpose", AccessPurpose),
        chosen("found_by", SearchKey),
        sa.Index("ix_person_search_person_id_at", "person_id", "at"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    at: datetime = instant()
    person_id: UUID = to("person.id", index=False)
    role: str = text()
    found_by: SearchKey = choice(SearchKey)
    purpose: AccessPurpose = choice(AccessPurpose)
    reason: str | None = text(optional=True)
    found: list[UUID] = several(sa.Uuid())


class ContactReveal(Table, table=True):
    """One act of reading plain contact data, of up to 100 people: who, when, what for."""

    __tablename__ = "contact_reveal"
    __table_args__ = (
        chosen("purpose", AccessPurpose),
        sa.Index("ix_contact_reveal_person_id_at", "person_id", "at"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    at: datetime = instant()
    person_id: UUID = to("person.id", index=False)
    role: str = text()
    organization_id: UUID | None = to("organization.id", optional=True)
    purpose: AccessPurpose = choice(AccessPurpose)
    reason: str | None = text(optional=True)
    subject_count: int


class PiiAccess(Table, table=True):
    """个人信息查阅记录: one person's plain data read by another, once (I27). Kept for ever, changed never.

    `xid` is the transaction that wrote it: in that one, and in no other, the plain values may be read (visible.py).
    """

    __tablename__ = "pii_access"
    __table_args__ = (
        chosen("purpose", AccessPurpose),
        check("fields", f"fields <@ ARRAY[{listed(ContactField)}]::text[] AND cardinality(fields) > 0"),
        sa.UniqueConstraint("reveal_id", "subject_id"),
        sa.Index("ix_pii_access_subject_id_at_id", "subject_id", "at", "id"),
        sa.Index("ix_pii_access_actor_id_at_id", "actor_id", "at", "id"),
        sa.Index("ix_pii_access_at_id", "at", "id"),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    reveal_id: UUID = to("contact_reveal.id", index=False)
    at: datetime = instant()
    xid: Any = Field(default=None, sa_type=Xid8, sa_column_kwargs={"server_default": sa.text("pg_current_xact_id()")})
    actor_id: UUID = to("person.id", index=False)
    role: str = text()
    organization_id: UUID | None = to("organization.id", optional=True)
    subject_id: UUID = to("person.id", index=False)
    fields: list[str] = several()
    purpose: AccessPurpose = choice(AccessPurpose)
    reason: str | None = text(optional=True)
    area: str | None = text(optional=True)


import models.people.avoidances  # noqa: E402  (their tables are this area's)
import models.people.break_glass  # noqa: E402
import models.people.interests  # noqa: E402
import models.people.organizations  # noqa: E402
import models.people.qualifications  # noqa: E402
import models.people.skills  # noqa: E402, F401
