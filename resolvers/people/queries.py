"""The roots: who one is, and who and what one may see."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.access import STAFF_ROLES, Role
from models.labels import labelled
from models.people import organizations as units
from models.people import tables, visible
from models.people.holding import holds
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.people.rules import AccessPurpose, VolunteerRegistration
from models.territory.queries import under
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.finding import searched
from resolvers.people.contacts import ContactReveal, PersonSearch, PiiAccess
from resolvers.people.me import Me
from resolvers.people.organizations import Membership, Organization
from resolvers.people.types import Person, Resident, SocialWorker, Volunteer

UNDER = "In the division of this code, or the grid of this code."


class VolunteerOrder(enum.StrEnum):
    """In which order volunteers come."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


labelled(
    VolunteerOrder,
    {VolunteerOrder.NEWEST: "最新登记在前", VolunteerOrder.OLDEST: "最早登记在前"},
    description="In which order volunteers come.",
    describe={
        VolunteerOrder.NEWEST: "Who registered last comes first.",
        VolunteerOrder.OLDEST: "Who registered first comes first.",
    },
)


class OrganizationOrder(enum.StrEnum):
    """In which order organizations come."""

    NAME = "NAME"
    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


labelled(
    OrganizationOrder,
    {
        OrganizationOrder.NAME: "按名称拼音",
        OrganizationOrder.NEWEST: "最新在前",
        OrganizationOrder.OLDEST: "最早在前",
    },
    description="In which order organizations come.",
    describe={
        OrganizationOrder.NAME: "By the pinyin of the name.",
        OrganizationOrder.NEWEST: "The last to be entered comes first.",
        OrganizationOrder.OLDEST: "The first to be entered comes first: a queue of applications.",
    },
)

shown(VolunteerOrder)
shown(OrganizationOrder)


@strawberry.input(description="Which volunteers. What is not given does not narrow.")
class VolunteerFilter:
    state: list[VolunteerRegistration] | None = w.where(
        lambda row, value: row.state == sa.any_(value), description="In one of these states."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=UNDER)
    category: str | None = w.where(
        lambda row, value: row.categories.contains(sa.func.array_append(sa.literal_column("'{}'::text[]"), value)),
        description="Who would serve in the category of this code.",
    )
    skill: str | None = w.where(
        lambda row, value: value == sa.any_(row.skills), description="Who has the skill of this code."
    )
    volunteer_no: str | None = w.where(lambda row, value: row.volunteer_no == value, description="Of this number.")


@strawberry.input(description="Which residents. What is not given does not narrow.")
class ResidentFilter:
    under: str | None = w.where(lambda row, value: under(row.area, value), description=UNDER)
    verified: bool | None = w.where(
        lambda row, value: sa.and_(row.verified_at.is_not(None) == value, row.refused_at.is_(None)),
        description="Verified by staff, or waiting for it: false is the queue.",
    )
    refused: bool | None = w.where(
        lambda row, value: row.refused_at.is_not(None) == value, description="Refused by staff, or not."
    )


@strawberry.input(description="Which social workers. What is not given does not narrow.")
class SocialWorkerFilter:
    under: str | None = w.where(lambda row, value: under(row.area, value), description=UNDER)


@strawberry.input(description="Which organizations. What is not given does not narrow.")
class OrganizationFilter:
    kind: list[OrganizationKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    legal_status: list[LegalStatus] | None = w.where(
        lambda row, value: row.legal_status == sa.any_(value), description="Standing in one of these ways."
    )
    verified_state: list[VerifiedState] | None = w.where(
        lambda row, value: row.verified_state == sa.any_(value), description="In one of these states."
    )
    is_charity: bool | None = w.where(
        lambda row, value: row.is_charity == value, description="Charities by law, or others."
    )
    division: strawberry.ID | None = w.where(
        lambda row, value: row.division_id == value, description="That belong to this very division."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=UNDER)
    name_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.name, value) > 0, description="With this text in the name."
    )
    search: str | None = searched("In the name, or its community's.")
    mine: bool | None = w.where(
        lambda row, value, view: sa.func.coalesce(row.contact_id == view.actor.person, sa.false()) == value,
        description="That the caller applied for himself, or others.",
    )


@strawberry.input(description="Which memberships. What is not given does not narrow.")
class MembershipFilter:
    role: list[Role] | None = w.where(lambda row, value: row.role == sa.any_(value), description="Of these roles.")
    person: strawberry.ID | None = w.where(lambda row, value: row.person_id == value, description="Of this person.")
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="For this organization."
    )
    under: str | None = w.where(lambda row, value: under(row.area, value), description=UNDER)
    current: bool | None = w.where(
        lambda row, value, view: holds(row, visible.today(view.actor)) == value,
        description="That hold today, or that do not.",
    )


@strawberry.input(description="Which readings of plain data. What is not given does not narrow.")
class PiiAccessFilter:
    subject: strawberry.ID | None = w.where(
        lambda row, value: row.subject_id == value, description="Whose data: a person."
    )
    actor: strawberry.ID | None = w.where(lambda row, value: row.actor_id == value, description="Who read: a person.")
    purpose: list[AccessPurpose] | None = w.where(
        lambda row, value: row.purpose == sa.any_(value), description="For one of these purposes."
    )
    since: datetime | None = w.where(lambda row, value: row.at >= value, description="At this time or later.")
    until: datetime | None = w.where(lambda row, value: row.at < value, description="Before this time.")


def listed_volunteers(row: w.Row, view: w.View) -> w.Row:
    """Who may page through the register: a list of everybody is no means of finding one.

    An organization finds its own there, and those who wish to be found.
    """
    own = row.person_id == view.actor.person
    if view.actor.role is Role.NGO_STAFF:
        took = view.rows(units.OrganizationVolunteer).c
        taken = sa.exists(sa.select(sa.literal_column("1")).where(took.person_id == row.person_id))
        return sa.or_(sa.not_(row.no_matching), own, taken)
    return sa.true() if view.actor.role in STAFF_ROLES | {Role.ADMIN, Role.AUDITOR} else own


@strawberry.type
class PeopleQuery:
    me: Me | None = w.single(
        lambda row, view: row.id == view.actor.person,
        description="Who is signed in, with his own data; null for the public.",
    )
    person: Person | None = w.by_id(description="The person of an id, masked.")
    resident: Resident | None = w.by_id(description="The resident of an id.")
    residents: Connection[Resident] = w.connection(
        order=(desc(tables.Resident.created_at),),
        filter=ResidentFilter,
        description="Residents by pages, the last to be registered first: staff see their area's, others their household.",
    )
    volunteer: Volunteer | None = w.by_id(description="The volunteer of an id.")
    volunteers: Connection[Volunteer] = w.connection(
        order={
            VolunteerOrder.NEWEST: (desc(tables.Volunteer.created_at),),
            VolunteerOrder.OLDEST: (tables.Volunteer.created_at,),
        },
        filter=VolunteerFilter,
        where=listed_volunteers,
        description="Volunteers by pages: for staff, organizations, administrators and auditors. Others find themselves; whom they deal with, they reach from what they do together.",
    )
    social_worker: SocialWorker | None = w.by_id(description="The social worker of an id.")
    social_workers: Connection[SocialWorker] = w.connection(
        order=(tables.SocialWorker.area,), filter=SocialWorkerFilter, description="Social workers by pages, by place."
    )
    organization: Organization | None = w.by_id(description="The organization of an id.")
    organizations: Connection[Organization] = w.connection(
        order={
            OrganizationOrder.NAME: (units.Organization.pinyin,),
            OrganizationOrder.NEWEST: (desc(units.Organization.created_at),),
            OrganizationOrder.OLDEST: (units.Organization.created_at,),
        },
        filter=OrganizationFilter,
        description="Organizations by pages: the verified ones, and applications that the caller may see.",
    )
    membership: Membership | None = w.by_id(description="The membership of an id.")
    memberships: Connection[Membership] = w.connection(
        order=(desc(units.Membership.granted_at),),
        filter=MembershipFilter,
        description="Memberships by pages, the last given first: one's own; staff those of their organization or community; administrators all.",
    )
    contact_reveal: ContactReveal | None = w.by_id(
        description="A reveal of an id: that it was, of whom and what for. Its plain values are in its own answer only."
    )
    person_search: PersonSearch | None = w.by_id(description="A search of an id: who was found, masked.")
    pii_accesses: Connection[PiiAccess] = w.connection(
        order=(desc(tables.PiiAccess.at),),
        filter=PiiAccessFilter,
        description="Readings of plain data, the latest first: of one's own data, by oneself; auditors all.",
    )
