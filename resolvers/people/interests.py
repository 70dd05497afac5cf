"""Declared interests: the verbs, and one's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlmodel import desc

from models.people import interests as tables
from models.people.actions import interests as actions
from models.people.interests import Relation
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.organizations import Organization
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

shown(Relation)
T = tables.DeclaredInterest


@w.entity(T, "interest")
@strawberry.type(
    description="That somebody is close to a person, or has a stake in an organization: he decides nothing that concerns them. 利害关系申报。"
)
class DeclaredInterest(Node):
    declared_by: Person | None = w.one(T.person_id, description="Who declared it, masked.")
    person: Person | None = w.one(
        T.other_id,
        description="Whom he is close to, masked; null for an organization, and where the caller sees nobody.",
    )
    organization: Organization | None = w.one(
        T.organization_id, description="The organization that he has a stake in; null for a person."
    )
    relation: Relation = w.column(T.relation, description="What he is to them.")
    declared_at: datetime = w.column(T.declared_at, description="When it was declared.")
    ended_at: datetime | None = w.column(T.ended_at, description="When he said that it was over; null while it holds.")


@strawberry.type
class InterestQuery:
    my_interests: list[DeclaredInterest] = w.many(
        order=(desc(T.declared_at),),
        limit=100,
        where=lambda row, view: row.person_id == view.actor.person,
        description="The interests that the caller has declared, the newest first.",
    )
    interests: Connection[DeclaredInterest] = w.connection(
        order=(desc(T.declared_at),),
        description="The declared interests that the caller may see: his own, those that name him, for auditors all.",
    )


@strawberry.type
class InterestMutation:
    @mutation(
        DeclaredInterest,
        actions.declare_interest,
        description="Declare that one is close to a person, or has a stake in an organization. People of one household count as close without it.",
    )
    async def interest_declare(
        call: Call,
        relation: Annotated[Relation, strawberry.argument(description="What one is to them.")],
        person: Annotated[strawberry.ID | None, strawberry.argument(description="A person, by his id.")] = None,
        organization: Annotated[strawberry.ID | None, strawberry.argument(description="Or an organization.")] = None,
    ) -> UUID:
        return await actions.declare_interest(
            call.db,
            relation,
            other=None if person is None else call.id(person, "person", "person"),
            organization=None if organization is None else call.id(organization, "organization", "organization"),
        )

    @mutation(DeclaredInterest, actions.end_interest, description="Say that a declared interest of one's own is over.")
    async def interest_end(
        call: Call, id: Annotated[strawberry.ID, strawberry.argument(description="The declaration.")]
    ) -> UUID:
        return await actions.end_interest(call.db, call.id(id, "interest"))
