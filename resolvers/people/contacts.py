"""Plain contacts: who read whose, the reading itself, and looking for somebody by his number."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
import strawberry

from models.access import Role
from models.people import actions, tables
from models.people.queries import plain
from models.people.rules import AccessPurpose, ContactField, IdType, PhoneWhose, SearchKey
from models.vault import Kind
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.numbers import numbers
from resolvers.people.organizations import Organization
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

for values in (AccessPurpose, ContactField, SearchKey):
    shown(values)


@w.entity(tables.PiiAccess, "pii_access")
@strawberry.type(
    description="That somebody read another's plain data, once. Visible to both, and to auditors; changed by nobody."
)
class PiiAccess(Node):
    at: datetime = w.column(tables.PiiAccess.at, description="When.")
    actor: Person | None = w.one(tables.PiiAccess.actor_id, description="Who read, masked.")
    role: Role = w.expression(lambda row: row.role, description="In which capacity.")
    organization: Organization | None = w.one(
        tables.PiiAccess.organization_id, description="For which organization; null for other capacities."
    )
    subject: Person | None = w.one(tables.PiiAccess.subject_id, description="Whose data, masked.")
    fields: list[ContactField] = w.expression(lambda row: row.fields, description="Which data.")
    purpose: AccessPurpose = w.column(tables.PiiAccess.purpose, description="What for.")
    reason: str | None = w.column(tables.PiiAccess.reason, description="What for, in the reader's words.")


def revealed(table: type, column: str, field: ContactField) -> Callable[[w.Row, w.View], w.Row]:
    """A plain value that this reveal asked for; NULL for one that it did not, and in every other transaction."""
    return lambda row, view: sa.case(
        (sa.literal_column(f"'{field.value}'") == sa.any_(row.fields), plain(view.rows(table), column, row.subject_id))
    )


@w.entity(tables.PiiAccess)
@strawberry.type(
    description="Somebody's plain contact. It is here in the answer of `contactReveal` itself, and null ever after."
)
class RevealedContact:
    person: Person | None = w.one(tables.PiiAccess.subject_id, description="Whose contact it is.")
    name: str | None = w.sealed(
        Kind.NAME,
        revealed(tables.PersonName, "name", ContactField.NAME),
        subject=lambda row: row.subject_id,
        description="The full name, if it was asked for.",
    )
    phone: str | None = w.sealed(
        Kind.PHONE,
        revealed(tables.PersonContact, "phone", ContactField.PHONE),
        subject=lambda row: row.subject_id,
        description="The phone number, if it was asked for; null when there is none.",
    )
    phone_whose: PhoneWhose | None = w.expression(
        revealed(tables.PersonContact, "phone_whose", ContactField.PHONE),
        description="Whose number that is: his own, or a relative's.",
    )
    address: str | None = w.sealed(
        Kind.ADDRESS,
        revealed(tables.PersonContact, "address", ContactField.ADDRESS),
        subject=lambda row: row.subject_id,
        description="The address with its door, if it was asked for; null when there is none.",
    )
    id_number: str | None = w.sealed(
        Kind.IDENTITY,
        revealed(tables.PersonIdentity, "number", ContactField.ID_NUMBER),
        subject=lambda row: row.subject_id,
        description="The number of the identity document, if it was asked for; null when none is recorded.",
    )


@w.entity(tables.ContactReveal, "contact_reveal")
@strawberry.type(description="One reading of plain contacts, of up to 100 people.")
class ContactReveal(Node):
    at: datetime = w.column(tables.ContactReveal.at, description="When.")
    purpose: AccessPurpose = w.column(tables.ContactReveal.purpose, description="What for.")
    reason: str | None = w.column(tables.ContactReveal.reason, description="What for, in the reader's words.")
    subject_count: int = w.column(tables.ContactReveal.subject_count, description="Of how many people.")
    contacts: list[RevealedContact] = w.many(
        tables.PiiAccess.reveal_id,
        order=(tables.PiiAccess.id,),
        limit=100,
        description="The contacts. Their plain values are in the mutation's own answer only.",
    )


@w.entity(tables.PersonSearch, "person_search")
@strawberry.type(
    description="One search for people by an exact phone number or document. What was looked for is not kept."
)
class PersonSearch(Node):
    at: datetime = w.column(tables.PersonSearch.at, description="When.")
    found_by: SearchKey = w.column(tables.PersonSearch.found_by, description="By what.")
    purpose: AccessPurpose = w.column(tables.PersonSearch.purpose, description="What for.")
    reason: str | None = w.column(tables.PersonSearch.reason, description="What for, in the searcher's words.")
    persons: list[Person] = w.many(
        match=lambda item, parent: item.id == sa.any_(parent.found),
        order=(tables.Person.id,),
        limit=20,
        description="Who was found in the searcher's area, masked; nobody where there is none, or he is elsewhere.",
    )


@strawberry.input(description="Whom to look for, and what for: by a phone number or by a document, not both.")
class PersonFindInput:
    phone: str | None = strawberry.field(default=None, description="The exact phone number.")
    id_number: str | None = strawberry.field(default=None, description="The exact number of an identity document.")
    purpose: AccessPurpose = strawberry.field(description="What for.")
    reason: str | None = strawberry.field(
        default=None, description="What for, in words; needed when the purpose is OTHER."
    )


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
class ContactMutation:
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
