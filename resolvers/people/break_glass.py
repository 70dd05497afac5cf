"""Breaking the glass: what administrators ask of one another, and auditors read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from sqlmodel import desc

from models.people import break_glass as tables
from models.people.actions import break_glass as actions
from models.people.break_glass import BreakGlassState, state
from models.people.rules import AccessPurpose
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

shown(BreakGlassState)


@w.entity(tables.BreakGlassPerson)
@strawberry.type(description="One person whom a request is about.")
class BreakGlassPerson:
    person: Person | None = w.one(tables.BreakGlassPerson.person_id, description="The person, masked.")


@w.entity(tables.BreakGlass, "break_glass")
@strawberry.type(
    description="An administrator's request to read plain contacts of named people, and who agreed to it. 应急查阅。"
)
class BreakGlass(Node):
    state: BreakGlassState = w.expression(lambda row, view: state(row, view.actor.now), description="How far it is.")
    requested_by: Person | None = w.one(tables.BreakGlass.requested_by, description="Who asked, masked.")
    requested_at: datetime = w.column(tables.BreakGlass.requested_at, description="When.")
    purpose: AccessPurpose = w.column(tables.BreakGlass.purpose, description="What for.")
    reason: str = w.column(tables.BreakGlass.reason, description="Why, in his words.")
    persons: list[BreakGlassPerson] = w.many(
        tables.BreakGlassPerson.break_glass_id,
        order=(tables.BreakGlassPerson.id,),
        limit=tables.MOST,
        description="Whose contacts.",
    )
    approved_by: Person | None = w.one(
        tables.BreakGlass.approved_by, description="Who agreed, masked; null before that."
    )
    approved_at: datetime | None = w.column(tables.BreakGlass.approved_at, description="When he agreed.")
    until: datetime | None = w.column(tables.BreakGlass.until, description="Until when contacts may be revealed.")
    ended_by: Person | None = w.one(
        tables.BreakGlass.ended_by, description="Who refused, withdrew or ended it, masked; null for the others."
    )
    ended_at: datetime | None = w.column(tables.BreakGlass.ended_at, description="When he did.")


@strawberry.type
class BreakGlassQuery:
    break_glasses: Connection[BreakGlass] = w.connection(
        order=(desc(tables.BreakGlass.requested_at),),
        description="Requests to break the glass, the newest first: for administrators and auditors.",
    )


THE = Annotated[strawberry.ID, strawberry.argument(description="The request.")]


@strawberry.type
class BreakGlassMutation:
    @mutation(
        BreakGlass,
        actions.request_break_glass,
        description="Ask, as an administrator of at least seven days, to read plain contacts of up to 20 named people, of his area if he has one. Another administrator has to agree within 24 hours; then `contactReveal` works for them for an hour. Each of them sees who read what.",
    )
    async def break_glass_request(
        call: Call,
        persons: Annotated[list[strawberry.ID], strawberry.argument(description="Whose, 1 to 20.")],
        purpose: Annotated[AccessPurpose, strawberry.argument(description="What for.")],
        reason: Annotated[
            str, strawberry.argument(description="Why, 10 to 200 characters, without anybody's personal data.")
        ],
    ) -> UUID:
        return await actions.request_break_glass(
            call.db, [call.id(person, "person", "persons") for person in persons], purpose, reason
        )

    @mutation(
        BreakGlass,
        actions.approve_break_glass,
        description="Agree to another administrator's request: one to whom the caller owes neither office nor account, nor the other way round.",
    )
    async def break_glass_approve(call: Call, id: THE) -> UUID:
        return await actions.approve_break_glass(call.db, call.id(id, "break_glass"))

    @mutation(
        BreakGlass,
        actions.end_break_glass,
        description="Refuse a request, withdraw one's own, or end one before its hour is over.",
    )
    async def break_glass_end(call: Call, id: THE) -> UUID:
        return await actions.end_break_glass(call.db, call.id(id, "break_glass"))
