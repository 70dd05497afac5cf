"""Joining an organization: requests and invitations, and who answers them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.people import actions
from models.people import organizations as units
from models.people.organization_rules import JoinsAs, MembershipRequestState
from models.people.queries import may_answer_request, request_state
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.organizations import Organization, OrganizationVolunteer
from resolvers.people.types import Person
from resolvers.verbs import Call, mutation

for values in (JoinsAs, MembershipRequestState):
    shown(values)
T = units.MembershipRequest


@strawberry.type(description="What the caller may do with a request to join now.")
class MembershipRequestCan:
    accept: bool = w.expression(
        lambda row, view: may_answer_request(row, view.actor, own=False), description="`membershipAccept`."
    )
    refuse: bool = w.expression(
        lambda row, view: may_answer_request(row, view.actor, own=False), description="`membershipRefuse`."
    )
    withdraw: bool = w.expression(
        lambda row, view: may_answer_request(row, view.actor, own=True), description="`membershipWithdraw`."
    )


@w.entity(T, "membership_request")
@strawberry.type(
    description="That somebody asks to join an organization, or that it invites him: the other side answers. 入会申请。"
)
class MembershipRequest(Node):
    organization: Organization | None = w.one(T.organization_id, description="The organization.")
    person: Person | None = w.one(
        T.person_id,
        description="Who would join, masked; for its staff while he asks, and once he has joined. Whom they invite they see as they did before.",
    )
    joins_as: JoinsAs = w.column(T.joins_as, description="As what.")
    is_invitation: bool = w.expression(
        lambda row: row.made_by != row.person_id,
        description="Whether the organization asked him; otherwise he asked it.",
    )
    made_by: Person | None = w.one(T.made_by, description="Who made it, masked: himself, or one of the staff.")
    made_at: datetime = w.column(T.made_at, description="When.")
    until: datetime = w.column(T.until, description="Until when it may be answered.")
    state: MembershipRequestState = w.expression(
        lambda row, view: request_state(row, view.actor), description="How far it is."
    )
    decided_by: Person | None = w.one(T.decided_by, description="Who answered it or took it back, masked.")
    decided_at: datetime | None = w.column(T.decided_at, description="When he did.")
    reason: str | None = w.column(T.reason, description="Why it was refused.")
    viewer_can: MembershipRequestCan = w.inside(description="What the caller may do with it now.")


@strawberry.input(description="Which requests to join. What is not given does not narrow.")
class MembershipRequestFilter:
    state: list[MembershipRequestState] | None = w.where(
        lambda row, value, view: request_state(row, view.actor) == sa.any_(value), description="In one of these states."
    )
    joins_as: JoinsAs | None = w.where(lambda row, value: row.joins_as == value, description="As what.")
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value, description="To join this organization."
    )
    person: strawberry.ID | None = w.where(lambda row, value: row.person_id == value, description="Of this person.")


@strawberry.type
class JoiningQuery:
    membership_request: MembershipRequest | None = w.by_id(description="The request to join of an id.")
    membership_requests: Connection[MembershipRequest] = w.connection(
        order=(desc(T.made_at),),
        filter=MembershipRequestFilter,
        description="Requests to join and invitations, the latest first: one's own; staff those of their organization.",
    )


THE = Annotated[strawberry.ID, strawberry.argument(description="The request or invitation.")]
As = Annotated[JoinsAs, strawberry.argument(description="As what.")]


@strawberry.type
class JoiningMutation:
    @mutation(
        MembershipRequest,
        actions.ask_to_join,
        description="Ask to join an organization: as one of its volunteers, for active volunteers, or as one of its staff. It has thirty days to answer.",
    )
    async def membership_ask(
        call: Call,
        organization: Annotated[strawberry.ID, strawberry.argument(description="Which.")],
        joins_as: As = JoinsAs.VOLUNTEER,
    ) -> UUID:
        return await actions.ask_to_join(call.db, call.id(organization, "organization", "organization"), joins_as)

    @mutation(
        MembershipRequest,
        actions.invite_to_join,
        description="An organization's staff: invite somebody to join it. He has thirty days to answer.",
    )
    async def membership_invite(
        call: Call,
        person: Annotated[strawberry.ID, strawberry.argument(description="Whom: a person.")],
        joins_as: As = JoinsAs.VOLUNTEER,
    ) -> UUID:
        return await actions.invite_to_join(call.db, call.id(person, "person", "person"), joins_as)

    @mutation(
        MembershipRequest,
        actions.accept_membership,
        description="Say yes: staff to a request that somebody else made, whoever was invited to the invitation. He has joined from today on; who took him is on record.",
    )
    async def membership_accept(call: Call, id: THE) -> UUID:
        return await actions.accept_membership(call.db, call.id(id, "membership_request"))

    @mutation(
        MembershipRequest,
        actions.refuse_membership,
        description="Say no, as for `membershipAccept`; staff give a reason, which he reads.",
    )
    async def membership_refuse(
        call: Call,
        id: THE,
        reason: Annotated[str | None, strawberry.argument(description="Why: up to 200 characters.")] = None,
    ) -> UUID:
        return await actions.refuse_membership(call.db, call.id(id, "membership_request"), reason)

    @mutation(
        MembershipRequest,
        actions.withdraw_request,
        description="Take a request of one's own, or an invitation of one's organization, back.",
    )
    async def membership_withdraw(call: Call, id: THE) -> UUID:
        return await actions.withdraw_request(call.db, call.id(id, "membership_request"))

    @mutation(
        OrganizationVolunteer,
        actions.end_volunteering,
        description="Leave an organization as its volunteer, or, as its staff, let one go. Its staff see his name no longer.",
    )
    async def organization_volunteer_end(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="That he belongs to it.")],
    ) -> UUID:
        return await actions.end_volunteering(call.db, call.id(id, "organization_volunteer"))
