"""Organizations and who acts for them: the types, and the verbs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from models.access import Role
from models.people import actions, visible
from models.people import organizations as units
from models.people.holding import holds
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.people.queries import (
    may_decide_organization,
    may_edit_organization,
    may_end_volunteering,
    may_revoke_membership,
)
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.finding import TextRange, highlights
from resolvers.people.arguments import Reason, Version
from resolvers.people.types import Person, Volunteer
from resolvers.territory import Division, Grid
from resolvers.verbs import Call, mutation

for values in (LegalStatus, OrganizationKind, VerifiedState):
    shown(values)

OrganizationId = Annotated[strawberry.ID, strawberry.argument(description="The organization.")]


@strawberry.type(description="What the caller may do with an organization now.")
class OrganizationCan:
    edit: bool = w.expression(
        lambda row, view: may_edit_organization(row, view.actor), description="`organizationEdit`."
    )
    submit: bool = w.expression(
        lambda row, view: may_edit_organization(row, view.actor), description="`organizationSubmit`."
    )
    verify: bool = w.expression(
        lambda row, view: may_decide_organization(row, view.actor, "verify"), description="`organizationVerify`."
    )
    reject: bool = w.expression(
        lambda row, view: may_decide_organization(row, view.actor, "reject"), description="`organizationReject`."
    )


@w.entity(units.Organization, "organization")
@strawberry.type(description="An organization: registered, merely filed, or internal to a community. 组织。")
class Organization(Node):
    name: str = w.column(units.Organization.name, description="Its name.")

    @w.computed(units.Organization.name, description="What of the name was found by a search, in order.")
    def name_highlights(row: Any, search: str) -> list[TextRange]:
        return highlights(row.name, search)

    pinyin: str = w.column(units.Organization.pinyin, description="The name's pinyin, to sort by.")
    kind: OrganizationKind = w.column(units.Organization.kind, description="What sort it is.")
    legal_status: LegalStatus = w.column(units.Organization.legal_status, description="How it stands before the law.")
    uscc: str | None = w.column(
        units.Organization.uscc,
        description="Its unified social credit code (GB 32100); null for what is not registered.",
    )
    filing_no: str | None = w.column(
        units.Organization.filing_no, description="The number under which it is filed with its street or town."
    )
    verified_state: VerifiedState = w.column(
        units.Organization.verified_state, description="How far its application is."
    )
    rejection: str | None = w.column(
        units.Organization.rejection, description="Why its application was refused; null otherwise."
    )
    is_charity: bool = w.column(units.Organization.is_charity, description="Whether it is a charity by law.")
    division: Division = w.one(units.Organization.division_id, description="The division that it belongs to.")
    contact: Person | None = w.one(
        units.Organization.contact_id, description="The person who applied for it, masked; null when hidden."
    )
    created_at: datetime = w.column(units.Organization.created_at, description="When it was entered.")
    version: int = w.column(units.Organization.version, description="The version to give when editing.")
    memberships: Connection[Membership] = w.connection(
        units.Membership.organization_id,
        order=(units.Membership.granted_at,),
        description="Who acts for it: for its staff, administrators and auditors; others see their own.",
    )
    volunteers: Connection[OrganizationVolunteer] = w.connection(
        units.OrganizationVolunteer.organization_id,
        order=(units.OrganizationVolunteer.since,),
        description="The volunteers whom it took: for its staff; a volunteer sees himself.",
    )
    viewer_can: OrganizationCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="What the caller may do with a volunteer's belonging to an organization now.")
class OrganizationVolunteerCan:
    end: bool = w.expression(
        lambda row, view: may_end_volunteering(row, view.actor), description="`organizationVolunteerEnd`."
    )


@w.entity(units.OrganizationVolunteer, "organization_volunteer")
@strawberry.type(description="That an organization took a volunteer: its staff sees his name from then on.")
class OrganizationVolunteer(Node):
    organization: Organization | None = w.one(
        units.OrganizationVolunteer.organization_id, description="The organization."
    )
    person: Person | None = w.one(units.OrganizationVolunteer.person_id, description="The volunteer, as a person.")
    volunteer: Volunteer | None = w.one(
        units.OrganizationVolunteer.person_id, target="person_id", description="His registration."
    )
    since: datetime = w.column(units.OrganizationVolunteer.since, description="Since when.")
    until: datetime | None = w.column(units.OrganizationVolunteer.until, description="Until when; null while it lasts.")
    granted_by: Person | None = w.one(
        units.OrganizationVolunteer.granted_by,
        description="Who of its staff took him, masked; null where a service for it did.",
    )
    ended_by: Person | None = w.one(
        units.OrganizationVolunteer.ended_by, description="Who ended it, masked; null while it lasts."
    )
    viewer_can: OrganizationVolunteerCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="What the caller may do with a membership now.")
class MembershipCan:
    revoke: bool = w.expression(
        lambda row, view: may_revoke_membership(row, view.actor), description="`membershipRevoke`."
    )


@w.entity(units.Membership, "membership")
@strawberry.type(description="A person's capacity, for an organization or an area, from one day to another. 任职。")
class Membership(Node):
    person: Person | None = w.one(units.Membership.person_id, description="Whose it is, masked.")
    role: Role = w.expression(lambda row: row.role, description="The capacity.")
    organization: Organization | None = w.one(
        units.Membership.organization_id, description="For which organization; null for a capacity over an area."
    )
    division: Division | None = w.one(
        units.Membership.area, target="code", description="Over which division; null for a grid or an organization."
    )
    grid: Grid | None = w.one(units.Membership.area, target="code", description="Over which grid; null otherwise.")
    starts_on: date = w.column(units.Membership.starts_on, description="Its first day.")
    ends_on: date | None = w.column(
        units.Membership.ends_on, description="Its last day; null while nobody has set one."
    )
    granted_by: Person | None = w.one(units.Membership.granted_by, description="Who gave it, masked.")
    granted_at: datetime = w.column(units.Membership.granted_at, description="When it was given.")
    revoked_at: datetime | None = w.column(
        units.Membership.revoked_at, description="When it was taken back; null otherwise."
    )
    is_current: bool = w.expression(
        lambda row, view: holds(row, visible.today(view.actor)),
        description="Whether it holds today: whoever has it may sign in with it.",
    )
    viewer_can: MembershipCan = w.inside(description="What the caller may do with it now.")


@strawberry.input(description="An organization as its applicant describes it.")
class OrganizationInput:
    name: str = strawberry.field(description="Its name, 2 to 80 characters.")
    kind: OrganizationKind = strawberry.field(description="What sort it is.")
    legal_status: LegalStatus = strawberry.field(description="How it stands before the law.")
    division: strawberry.ID = strawberry.field(
        description="The division that it belongs to; for a filed one a street, town, community or village."
    )
    uscc: str | None = strawberry.field(
        default=None, description="Its unified social credit code; needed for a registered one."
    )
    filing_no: str | None = strawberry.field(default=None, description="Its filing number; needed for a filed one.")
    is_charity: bool = strawberry.field(default=False, description="Whether it is a charity by law.")

    def read(self) -> actions.OrganizationInput:
        """The same, as the verbs take it."""
        return actions.OrganizationInput(
            name=self.name,
            kind=self.kind,
            legal_status=self.legal_status,
            division=Call.id(self.division, "division", "division"),
            uscc=self.uscc,
            filing_no=self.filing_no,
            is_charity=self.is_charity,
        )


@strawberry.input(description="A capacity to be given.")
class MembershipGrantInput:
    person: strawberry.ID = strawberry.field(description="To whom.")
    role: Role = strawberry.field(description="Which.")
    organization: strawberry.ID | None = strawberry.field(
        default=None, description="For which organization, for NGO_STAFF, DEPARTMENT and the fund roles."
    )
    area: str | None = strawberry.field(
        default=None, description="Over which area, for the other roles: the code of a division or grid."
    )
    starts_on: date | None = strawberry.field(default=None, description="The first day; today if null.")
    ends_on: date | None = strawberry.field(default=None, description="The last day; null: until it is revoked.")


@strawberry.type
class OrganizationMutation:
    @mutation(
        Organization,
        actions.apply_for_organization,
        description="Apply for an organization, or begin to with `draft`; the caller is its contact, and its first staff once it is verified.",
    )
    async def organization_apply(
        call: Call,
        input: Annotated[OrganizationInput, strawberry.argument(description="The organization.")],
        draft: Annotated[bool, strawberry.argument(description="True to keep it as a draft.")] = False,
    ) -> UUID:
        return await actions.apply_for_organization(call.db, input.read(), draft=draft)

    @mutation(
        Organization,
        actions.edit_organization,
        description="Write one's own draft, or refused application, anew.",
    )
    async def organization_edit(
        call: Call,
        id: OrganizationId,
        version: Version,
        input: Annotated[OrganizationInput, strawberry.argument(description="The organization as it shall be.")],
    ) -> UUID:
        return await actions.edit_organization(call.db, call.id(id, "organization"), version, input.read())

    @mutation(
        Organization,
        actions.submit_organization,
        description="Hand one's own draft, or mended application, in.",
    )
    async def organization_submit(call: Call, id: OrganizationId) -> UUID:
        return await actions.submit_organization(call.db, call.id(id, "organization"))

    @mutation(
        Organization,
        actions.verify_organization,
        description="Say that an organization is what it claims: community staff for filed and internal ones of their community, administrators for any.",
    )
    async def organization_verify(call: Call, id: OrganizationId) -> UUID:
        return await actions.verify_organization(call.db, call.id(id, "organization"))

    @mutation(
        Organization,
        actions.reject_organization,
        description="Refuse an application, with a reason; it may be mended and submitted again.",
    )
    async def organization_reject(call: Call, id: OrganizationId, reason: Reason) -> UUID:
        return await actions.reject_organization(call.db, call.id(id, "organization"), reason)

    @mutation(
        Membership,
        actions.grant_membership,
        description="Give somebody a capacity: administrators any, an organization's staff their own.",
    )
    async def membership_grant(
        call: Call,
        input: Annotated[MembershipGrantInput, strawberry.argument(description="The capacity.")],
    ) -> UUID:
        return await actions.grant_membership(
            call.db,
            call.id(input.person, "person", "person"),
            input.role,
            organization_id=call.id(input.organization, "organization", "organization") if input.organization else None,
            area=input.area,
            starts_on=input.starts_on,
            ends_on=input.ends_on,
        )

    @mutation(
        Membership,
        actions.revoke_membership,
        description="Take a capacity back, at once. One's own may always be laid down.",
    )
    async def membership_revoke(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The membership.")]
    ) -> UUID:
        return await actions.revoke_membership(call.db, call.id(id, "membership"))
