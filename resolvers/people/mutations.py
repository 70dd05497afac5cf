"""The verbs: each calls one function of `models.people.actions`."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from models.people import actions
from models.people.care import ResidentTag
from models.people.rules import Gender, PhoneWhose, SocialWorkerLevel
from resolvers.people.arguments import Reason, Version
from resolvers.people.contacts import ContactMutation
from resolvers.people.me import MeMutation
from resolvers.people.numbers import numbers
from resolvers.people.organizations import OrganizationMutation
from resolvers.people.types import Resident, SocialWorker, Volunteer
from resolvers.verbs import Call, mutation

VolunteerId = Annotated[strawberry.ID, strawberry.argument(description="The volunteer.")]
ResidentId = Annotated[strawberry.ID, strawberry.argument(description="The resident.")]
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
        default_factory=list, description="Codes of what he can do, out of `skills`: at most 20."
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
    skills: strawberry.Maybe[list[str]] = strawberry.field(description="Codes of what he can do, out of `skills`.")
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


@strawberry.input(description="Where a resident moves to.")
class ResidentMoveInput:
    community: strawberry.ID = strawberry.field(description="The community or village: another one than now.")
    grid: strawberry.ID | None = strawberry.field(default=None, description="The grid of that community.")
    address: str | None = strawberry.field(default=None, description="The new address with its door.")
    resident: strawberry.ID | None = strawberry.field(
        default=None, description="For community staff: a resident of theirs who moves away. Null: the caller himself."
    )


@strawberry.input(description="Why a resident may need care. What is not given stays.")
class ResidentCareEditInput:
    tags: strawberry.Maybe[list[ResidentTag]] = strawberry.field(description="All the tags that he shall have.")
    care_note: strawberry.Maybe[str | None] = strawberry.field(
        description="What is known of his health or poverty, up to 500 characters; null takes it away."
    )


@strawberry.input(description="A social worker's licence.")
class SocialWorkerRegisterInput:
    person: strawberry.ID = strawberry.field(description="Whose it is.")
    division: strawberry.ID = strawberry.field(description="Where he works: a division.")
    level: SocialWorkerLevel = strawberry.field(description="The professional level.")
    licence_no: str = strawberry.field(description="The licence's number.")
    licence_until: date = strawberry.field(description="The last day on which it is valid.")


@strawberry.type
class PeopleMutation(MeMutation, ContactMutation, OrganizationMutation):
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
        description="Community staff: say that somebody who registered himself, or moved here, lives there.",
    )
    async def resident_verify(
        call: Call,
        id: ResidentId,
        household_of: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="A resident with whom he shares a household, which sees what is the household's. Null: nobody."
            ),
        ] = None,
    ) -> UUID:
        return await actions.verify_resident(
            call.db,
            call.id(id, "resident"),
            household_of=call.id(household_of, "resident", "householdOf") if household_of else None,
        )

    @mutation(
        Resident,
        actions.reject_resident,
        description="Community staff: say that somebody who registered himself does not live there. He may register again, there or elsewhere.",
    )
    async def resident_reject(call: Call, id: ResidentId, reason: Reason) -> UUID:
        return await actions.reject_resident(call.db, call.id(id, "resident"), reason)

    @mutation(
        Resident,
        actions.move_resident,
        description="Move to another community, whose staff verify it anew. What one needs stays with the old one until it has ended.",
    )
    async def resident_move(
        call: Call, input: Annotated[ResidentMoveInput, strawberry.argument(description="Where to.")]
    ) -> UUID:
        return await actions.move_resident(
            call.db,
            call.id(input.community, "division", "community"),
            id=call.id(input.resident, "resident", "resident") if input.resident else None,
            grid=call.id(input.grid, "grid", "grid") if input.grid else None,
            address=input.address,
        )

    @mutation(
        Resident,
        actions.edit_care,
        description="Community staff and social workers: say why a resident may need care. He reads it himself.",
    )
    async def resident_care_edit(
        call: Call,
        id: ResidentId,
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
