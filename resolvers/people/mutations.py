"""The verbs: each calls one function of `models.people.actions`."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from models.access import Role
from models.people import actions
from models.people.rules import (
    AccessPurpose,
    ContactField,
    Gender,
    IdType,
    LegalStatus,
    OrganizationKind,
    PhoneWhose,
    ResidentTag,
    SocialWorkerLevel,
)
from resolvers.people.types import (
    ContactReveal,
    Me,
    Membership,
    Organization,
    Person,
    PersonSearch,
    Resident,
    SocialWorker,
    Volunteer,
)
from resolvers.verbs import Call, mutation


@dataclasses.dataclass
class Numbers:
    """Which phone numbers are accepted: `fictional` ones, which nobody has, are for demo and test data only."""

    fictional: bool = False


numbers = Numbers()
"""Set once, when the API starts, from its mode."""

VolunteerId = Annotated[strawberry.ID, strawberry.argument(description="The volunteer.")]
OrganizationId = Annotated[strawberry.ID, strawberry.argument(description="The organization.")]
Reason = Annotated[str, strawberry.argument(description="Why: up to 200 characters, shown to whom it concerns.")]
Version = Annotated[int, strawberry.argument(description="The version that was read.")]
Guardian = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="The guardian, a person; for staff, who record it for him. Null: the caller himself."
    ),
]


@strawberry.input(description="A registration as a volunteer, by whoever is signed in.")
class VolunteerRegisterInput:
    community: strawberry.ID = strawberry.field(description="The community or village to register in: a division.")
    skills: list[str] = strawberry.field(
        default_factory=list, description="What he can do, in his own words: at most 20, each up to 20 characters."
    )
    categories: list[str] = strawberry.field(
        default_factory=list, description="Codes of the service categories that he would serve in: at most 20."
    )
    birth_date: date | None = strawberry.field(
        default=None, description="His birth date; needed when none is on record, and must agree with the record."
    )
    no_matching: bool = strawberry.field(
        default=False, description="True if he does not wish to stand in candidate lists."
    )


@strawberry.input(description="What of a volunteer's registration is to change. What is not given stays.")
class VolunteerEditInput:
    skills: strawberry.Maybe[list[str]] = strawberry.field(description="What he can do, in his own words.")
    categories: strawberry.Maybe[list[str]] = strawberry.field(description="Codes of service categories.")
    no_matching: strawberry.Maybe[bool] = strawberry.field(
        description="True if he does not wish to stand in candidate lists, from the next query on."
    )


@strawberry.input(description="Somebody who is not on record yet.")
class PersonInput:
    name: str = strawberry.field(description="The full name, up to 50 characters.")
    phone: str | None = strawberry.field(default=None, description="A Chinese mobile number.")
    phone_whose: PhoneWhose | None = strawberry.field(
        default=None,
        description="Whose number that is, OWN or RELATIVE: required with a number. With his own, somebody can sign in as him.",
    )
    gender: Gender = strawberry.field(default=Gender.UNKNOWN, description="The gender, where it is known.")
    birth_date: date | None = strawberry.field(default=None, description="The birth date, where it is known.")


@strawberry.input(description="Where a resident lives.")
class ResidentRegisterInput:
    community: strawberry.ID = strawberry.field(description="The community or village: a division.")
    grid: strawberry.ID | None = strawberry.field(default=None, description="The grid of that community.")
    address: str | None = strawberry.field(default=None, description="The address with its door.")
    person: PersonInput | None = strawberry.field(
        default=None, description="For staff: somebody who is not on record yet. Null: the caller himself."
    )
    household_of: strawberry.ID | None = strawberry.field(
        default=None, description="For community staff: a resident of the same household. Null: a household of his own."
    )
    tags: list[ResidentTag] = strawberry.field(default_factory=list, description="For staff: why he may need care.")
    care_note: str | None = strawberry.field(
        default=None, description="For staff: what is known of his health or poverty, up to 500 characters."
    )


@strawberry.input(description="Why a resident may need care. What is not given stays.")
class ResidentCareEditInput:
    tags: strawberry.Maybe[list[ResidentTag]] = strawberry.field(description="All the tags that he shall have.")
    care_note: strawberry.Maybe[str | None] = strawberry.field(
        description="What is known of his health or poverty, up to 500 characters; null takes it away."
    )


@strawberry.input(description="What of one's own record is to change. What is not given stays.")
class MeEditInput:
    gender: strawberry.Maybe[Gender] = strawberry.field(description="The gender.")
    address: strawberry.Maybe[str | None] = strawberry.field(
        description="The address with its door; null takes it away. Where one is registered as a resident does not change."
    )


@strawberry.input(description="Whom to look for, and what for: by a phone number or by a document, not both.")
class PersonFindInput:
    phone: str | None = strawberry.field(default=None, description="The exact phone number.")
    id_number: str | None = strawberry.field(default=None, description="The exact number of an identity document.")
    purpose: AccessPurpose = strawberry.field(description="What for.")
    reason: str | None = strawberry.field(
        default=None, description="What for, in words; needed when the purpose is OTHER."
    )


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


@strawberry.input(description="A social worker's licence.")
class SocialWorkerRegisterInput:
    person: strawberry.ID = strawberry.field(description="Whose it is.")
    division: strawberry.ID = strawberry.field(description="Where he works: a division.")
    level: SocialWorkerLevel = strawberry.field(description="The professional level.")
    licence_no: str = strawberry.field(description="The licence's number.")
    licence_until: date = strawberry.field(description="The last day on which it is valid.")


@strawberry.input(description="Whose contact is to be read, and what for.")
class ContactRevealInput:
    persons: list[strawberry.ID] = strawberry.field(description="The persons, 1 to 100.")
    purpose: AccessPurpose = strawberry.field(description="What for.")
    fields: list[ContactField] = strawberry.field(
        default_factory=lambda: [ContactField.NAME, ContactField.PHONE], description="Which data."
    )
    reason: str | None = strawberry.field(
        default=None, description="What for, in words; needed when the purpose is OTHER."
    )


@strawberry.type
class PeopleMutation:
    @mutation(
        Volunteer,
        actions.register_volunteer,
        description="Register as a volunteer of a community. A minor waits for a guardian's consent, everybody for the community's staff.",
    )
    async def volunteer_register(
        call: Call,
        input: Annotated[VolunteerRegisterInput, strawberry.argument(description="The registration.")],
    ) -> UUID:
        given = actions.VolunteerInput(
            community=call.id(input.community, "division", "community"),
            skills=input.skills,
            categories=input.categories,
            birth_date=input.birth_date,
            no_matching=input.no_matching,
        )
        return await actions.register_volunteer(call.db, given)

    @mutation(
        Volunteer,
        actions.edit_volunteer,
        description="Change one's own registration as a volunteer: skills, categories, whether one stands in candidate lists.",
    )
    async def volunteer_edit(
        call: Call,
        id: VolunteerId,
        version: Version,
        input: Annotated[VolunteerEditInput, strawberry.argument(description="What changes.")],
    ) -> UUID:
        return await actions.edit_volunteer(
            call.db,
            call.id(id, "volunteer"),
            version,
            skills=input.skills.value if input.skills else None,
            categories=input.categories.value if input.categories else None,
            no_matching=input.no_matching.value if input.no_matching else None,
        )

    @mutation(
        Volunteer,
        actions.verify_volunteer,
        description="Community staff: say that a registration is right; he may serve from then on.",
    )
    async def volunteer_verify(call: Call, id: VolunteerId) -> UUID:
        return await actions.verify_volunteer(call.db, call.id(id, "volunteer"))

    @mutation(Volunteer, actions.reject_volunteer, description="Community staff: refuse a registration.")
    async def volunteer_reject(call: Call, id: VolunteerId, reason: Reason) -> UUID:
        return await actions.reject_volunteer(call.db, call.id(id, "volunteer"), reason)

    @mutation(Volunteer, actions.suspend_volunteer, description="Community staff: suspend a volunteer.")
    async def volunteer_suspend(call: Call, id: VolunteerId, reason: Reason) -> UUID:
        return await actions.suspend_volunteer(call.db, call.id(id, "volunteer"), reason)

    @mutation(Volunteer, actions.resume_volunteer, description="Community staff: end a volunteer's suspension.")
    async def volunteer_resume(call: Call, id: VolunteerId) -> UUID:
        return await actions.resume_volunteer(call.db, call.id(id, "volunteer"))

    @mutation(
        Volunteer,
        actions.withdraw_volunteer,
        description="Leave: one's own registration ends; hours and number stay one's own.",
    )
    async def volunteer_withdraw(call: Call, id: VolunteerId) -> UUID:
        return await actions.withdraw_volunteer(call.db, call.id(id, "volunteer"))

    @mutation(
        Volunteer,
        actions.record_consent,
        description="Record a guardian's consent for a minor: the guardian himself, of the same household, or the community's staff.",
    )
    async def guardian_consent_record(call: Call, volunteer: VolunteerId, guardian: Guardian = None) -> UUID:
        return await actions.record_consent(
            call.db,
            call.id(volunteer, "volunteer", "volunteer"),
            call.id(guardian, "person", "guardian") if guardian else None,
        )

    @mutation(
        Volunteer,
        actions.withdraw_consent,
        description="Record that a guardian consents no longer: without another consent the minor may not serve on.",
    )
    async def guardian_consent_withdraw(call: Call, volunteer: VolunteerId, guardian: Guardian = None) -> UUID:
        return await actions.withdraw_consent(
            call.db,
            call.id(volunteer, "volunteer", "volunteer"),
            call.id(guardian, "person", "guardian") if guardian else None,
        )

    @mutation(
        Resident,
        actions.register_resident,
        description="Register a resident: oneself, or, as staff of the community or grid, somebody who is not on record yet.",
    )
    async def resident_register(
        call: Call,
        input: Annotated[ResidentRegisterInput, strawberry.argument(description="The registration.")],
    ) -> UUID:
        who = input.person
        given = actions.ResidentInput(
            community=call.id(input.community, "division", "community"),
            grid=call.id(input.grid, "grid", "grid") if input.grid else None,
            address=input.address,
            person=None
            if who is None
            else actions.PersonInput(
                name=who.name,
                phone=who.phone,
                phone_whose=who.phone_whose,
                gender=who.gender,
                birth_date=who.birth_date,
            ),
            household_of=call.id(input.household_of, "resident", "householdOf") if input.household_of else None,
            tags=tuple(input.tags),
            care_note=input.care_note,
        )
        return await actions.register_resident(call.db, given, fictional=numbers.fictional)

    @mutation(
        Resident,
        actions.verify_resident,
        description="Community staff: say that somebody who registered himself lives there.",
    )
    async def resident_verify(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The resident.")]
    ) -> UUID:
        return await actions.verify_resident(call.db, call.id(id, "resident"))

    @mutation(
        Resident,
        actions.edit_care,
        description="Community staff and social workers: say why a resident may need care. He reads it himself.",
    )
    async def resident_care_edit(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="The resident.")],
        input: Annotated[ResidentCareEditInput, strawberry.argument(description="What changes.")],
    ) -> UUID:
        note = input.care_note
        return await actions.edit_care(
            call.db,
            call.id(id, "resident"),
            tags=tuple(input.tags.value) if input.tags else None,
            note=note.value if note else None,
            no_note=note is not None and note.value is None,
        )

    @mutation(
        Me,
        actions.edit_myself,
        description="Change one's own address or gender. A name or birth date is corrected on request; a phone number by proving it.",
    )
    async def me_edit(
        call: Call, input: Annotated[MeEditInput, strawberry.argument(description="What changes.")]
    ) -> UUID:
        address = input.address
        return await actions.edit_myself(
            call.db,
            gender=input.gender.value if input.gender else None,
            address=address.value if address else None,
            no_address=address is not None and address.value is None,
        )

    @mutation(
        PersonSearch,
        actions.find_person,
        idempotent=False,
        description="Staff of a community or grid, and social workers: find who of their area has exactly this phone number or document. At most 60 searches an hour; each is on record, and none is replayed.",
    )
    async def person_find(
        call: Call, input: Annotated[PersonFindInput, strawberry.argument(description="Whom to look for.")]
    ) -> UUID:
        return await actions.find_person(
            call.db,
            input.purpose,
            phone=input.phone,
            id_number=input.id_number,
            reason=input.reason,
            fictional=numbers.fictional,
        )

    @mutation(
        Person,
        actions.record_identity,
        description="Community staff: record the identity document of somebody of their community, having seen it.",
    )
    async def person_identity_record(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="Whose it is.")],
        type: Annotated[IdType, strawberry.argument(description="Of which kind.")],
        number: Annotated[str, strawberry.argument(description="Its number.")],
    ) -> UUID:
        return await actions.record_identity(call.db, call.id(id, "person"), type, number)

    @mutation(
        SocialWorker,
        actions.register_social_worker,
        description="Administrators and community staff: record a social worker's licence that they have seen.",
    )
    async def social_worker_register(
        call: Call,
        input: Annotated[SocialWorkerRegisterInput, strawberry.argument(description="The licence.")],
    ) -> UUID:
        return await actions.register_social_worker(
            call.db,
            call.id(input.person, "person", "person"),
            call.id(input.division, "division", "division"),
            input.level,
            input.licence_no,
            input.licence_until,
        )

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

    @mutation(
        ContactReveal,
        actions.reveal_contacts,
        description="Read plain names, phone numbers or addresses of up to 100 people, all or none. Each reading is on record, and each person sees who read his. Never replayed: sent again, it is another reading.",
        idempotent=False,
    )
    async def contact_reveal(
        call: Call,
        input: Annotated[ContactRevealInput, strawberry.argument(description="Whose, which, and what for.")],
    ) -> UUID:
        return await actions.reveal_contacts(
            call.db,
            [call.id(person, "person", "persons") for person in input.persons],
            input.purpose,
            input.fields,
            input.reason,
        )
