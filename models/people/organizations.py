"""Organizations, who acts for them, who serves for them, and who asks to."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from models.base import Table, check, choice, chosen, count, flag, found_by, grams, instant, key, text, to
from models.people.organization_rules import (
    JoinsAs,
    LegalStatus,
    MembershipRequestState,
    OrganizationKind,
    VerifiedState,
)
from models.people.scopes import GRANTED_ROLES
from models.people.tables import EVER, listed


class Organization(Table, table=True):
    """组织: registered with the civil affairs authority, merely filed with a street, or internal to a community."""

    __tablename__ = "organization"
    __table_args__ = (
        chosen("kind", OrganizationKind),
        chosen("legal_status", LegalStatus),
        chosen("verified_state", VerifiedState),
        check("uscc", "uscc ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'"),
        check(
            "identified",
            "verified_state <> 'VERIFIED' OR legal_status = 'INTERNAL' OR uscc IS NOT NULL OR filing_no IS NOT NULL",
        ),
        check("refused", "verified_state <> 'REJECTED' OR rejection IS NOT NULL"),
        sa.Index("uq_organization_uscc", "uscc", unique=True, postgresql_where=sa.text("verified_state <> 'REJECTED'")),
        sa.Index(
            "uq_organization_division_id_name",
            "division_id",
            "name",
            unique=True,
            postgresql_where=sa.text("verified_state <> 'REJECTED'"),
        ),
        found_by("organization"),
        sa.Index("ix_organization_area_pinyin_id", "area", "pinyin", "id"),
        sa.Index("ix_organization_pinyin_id", "pinyin", "id"),
        sa.Index("ix_organization_created_at_id", "created_at", "id"),
        sa.Index("ix_organization_verified_state_created_at", "verified_state", "created_at"),
    )
    id: UUID = key()
    name: str = text()
    pinyin: str = text()
    kind: OrganizationKind = choice(OrganizationKind)
    legal_status: LegalStatus = choice(LegalStatus)
    uscc: str | None = text(optional=True)
    filing_no: str | None = text(optional=True)
    verified_state: VerifiedState = choice(VerifiedState, default=VerifiedState.DRAFT)
    rejection: str | None = text(optional=True)
    is_charity: bool = flag()
    division_id: UUID = to("division.id")
    area: str = Field(foreign_key="division.code", sa_type=sa.Text)
    contact_id: UUID | None = to("person.id", optional=True)
    """The person who applied and may be asked; shown masked, through his own rule."""
    created_at: datetime = instant()
    version: int = count(1)
    grams: list[int] = grams()
    """The keys of its name and of its community's."""


class Membership(Table, table=True):
    """任职: a person's capacity, for an organization or an area, from one day to another. Never two of one kind at once.

    An exclusion constraint in the migration keeps the last promise; two more keep apart what nobody holds together
    (scopes.apart).
    """

    __tablename__ = "membership"
    __table_args__ = (
        sa.CheckConstraint(f"role IN ({listed(GRANTED_ROLES)})", name="role"),
        check(
            "scope",
            "CASE WHEN role IN ('NGO_STAFF', 'FUND_MAKER', 'FUND_CHECKER', 'FUND_AUTHORISER', 'FUND_REPORTER',"
            " 'DEPARTMENT') THEN organization_id IS NOT NULL WHEN role IN ('ADMIN', 'AUDITOR') THEN true"
            " ELSE area IS NOT NULL AND organization_id IS NULL END",
        ),
        check("days", "ends_on IS NULL OR starts_on <= ends_on"),
        sa.Index("ix_membership_person_id_granted_at", "person_id", "granted_at"),
        sa.Index("ix_membership_organization_id_granted_at", "organization_id", "granted_at"),
        sa.Index("ix_membership_area", "area"),
        sa.Index("ix_membership_granted_at_id", "granted_at", "id"),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    role: str = text()
    area: str | None = text(optional=True)
    starts_on: date
    ends_on: date | None = None
    granted_by: UUID | None = to("person.id", optional=True, index=False)
    """None for the first administrator, whom a command makes."""
    granted_at: datetime = instant()
    revoked_at: datetime | None = instant(optional=True)


class MembershipRequest(Table, table=True):
    """入会申请: that somebody asks to join an organization, or that it invites him; the other side answers."""

    __tablename__ = "membership_request"
    __table_args__ = (
        chosen("joins_as", JoinsAs),
        chosen("state", MembershipRequestState),
        check(
            "decided",
            "(state IN ('ACCEPTED', 'REFUSED', 'WITHDRAWN')) = (decided_at IS NOT NULL)"
            " AND (decided_at IS NULL) = (decided_by IS NULL)",
        ),
        check("second_person", "state NOT IN ('ACCEPTED', 'REFUSED') OR decided_by <> made_by"),
        check("ever", "made_at < until"),
        sa.Index("ix_membership_request_person_id_made_at", "person_id", "made_at"),
        sa.Index("ix_membership_request_organization_id_made_at", "organization_id", "made_at"),
        sa.Index(
            "uq_membership_request_pending",
            "organization_id",
            "person_id",
            "joins_as",
            unique=True,
            postgresql_where=sa.text("state = 'PENDING'"),
        ),
    )
    id: UUID = key()
    organization_id: UUID = to("organization.id", index=False)
    person_id: UUID = to("person.id", index=False)
    joins_as: JoinsAs = choice(JoinsAs)
    made_by: UUID = to("person.id", index=False)
    """Himself: a request. One of the organization's staff: an invitation."""
    made_at: datetime = instant()
    until: datetime = instant()
    """After that nobody answers it any more, whether or not LAPSED has been written."""
    state: MembershipRequestState = choice(MembershipRequestState)
    decided_by: UUID | None = to("person.id", optional=True, index=False)
    decided_at: datetime | None = instant(optional=True)
    reason: str | None = text(optional=True)


class OrganizationVolunteer(Table, table=True):
    """That an organization took a volunteer: from then on its staff sees his plain name, until one of the two ends it."""

    __tablename__ = "organization_volunteer"
    __table_args__ = (
        check("ever", EVER),
        sa.Index(
            "uq_organization_volunteer_taken",
            "organization_id",
            "person_id",
            unique=True,
            postgresql_where=sa.text("until IS NULL"),
        ),
    )
    id: UUID = key()
    organization_id: UUID = to("organization.id", index=False)
    person_id: UUID = to("person.id")
    since: datetime = instant()
    until: datetime | None = instant(optional=True)
    granted_by: UUID | None = to("person.id", optional=True, index=False)
    """Who of its staff took him; none where a service for it did."""
    ended_by: UUID | None = to("person.id", optional=True, index=False)
