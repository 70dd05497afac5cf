"""Answering a proposal: accepting it makes a commitment, by the same way and with the same locks as any other.

A proposal holds nothing, so it may come too late: then it is over (SUPERSEDED), and the caller is told what was first.
Locks: the proposal, then what a commitment locks; whoever writes many proposals locks nothing after them.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.exchange.actions.claims import IN_THE_WAY
from models.exchange.actions.commitments import accept_commitment
from models.exchange.actions.ground import bound
from models.exchange.actions.placing import Provider, place
from models.exchange.kinds import Origin
from models.exchange.problems import (
    AlreadyCommitted,
    CashNeed,
    NeedFullyCommitted,
    NotQualified,
    OfferDoesNotFit,
    OfferExhausted,
    OtherAppointment,
    OverlappingBooking,
    OwnNeed,
    RestrictedNeed,
)
from models.exchange.rounds import rules
from models.exchange.rounds.problems import ProposalLapsed
from models.exchange.rounds.states import PROPOSAL_STEPS, MatchDeclineReason, MatchProposalStatus
from models.exchange.rounds.tables import MatchProposal
from models.people.problems import ConflictOfInterest
from models.problems import InvalidInput, InvalidTransition, Kept, NotFound, refuses

Row = Any
proposal = table(MatchProposal)

LOCK = Seen(
    lambda viewer: (
        sa.select(proposal)
        .where(proposal.c.id == bound("id", sa.Uuid()), *seen(proposal, "match_proposal", viewer))
        .with_for_update(key_share=True, of=proposal)
    )
)
ANSWER = Statement(
    sa.update(proposal)
    .where(proposal.c.id == bound("id", sa.Uuid()))
    .values(
        status=bound("status", sa.Text()),
        commitment_id=bound("commitment", sa.Uuid()),
        decline_reason=bound("why", sa.Text()),
        answered_at=bound("now", INSTANT),
        version=proposal.c.version + 1,
    )
)
OVER = (
    *(NeedFullyCommitted, OfferExhausted, AlreadyCommitted, InvalidTransition, NotFound, RestrictedNeed),
    *(OtherAppointment, InvalidInput, CashNeed, OwnNeed, NotQualified, OfferDoesNotFit),
)
"""By what a proposal is over, whoever tries it: what it was for is taken, ended, hidden, or at another time; or asks for
what he, or the offer, has not: a paper that was revoked, an area that it serves no more. A suspension may end: until then
`queries.can_accept` says no. Whom an organization names may be another."""


async def locked_proposal(db: Db, id: UUID) -> Row:
    """A proposal that the actor may see, locked. Raises NotFound."""
    found = await db.one(LOCK, id=id)
    if found is None:
        raise NotFound(what="该匹配建议")
    return found


@may(rules.MAY["proposal.accept"])
@refuses(*IN_THE_WAY, OverlappingBooking, ConflictOfInterest, ProposalLapsed)
async def accept_proposal(db: Db, proposal: UUID, *, volunteer: UUID | None = None) -> UUID:
    """Says yes to what a round proposed: a commitment to one of the need, ACCEPTED at once, its time booked.

    `volunteer`: for an organization's staff, which of its own will serve. Every rule is asked again, with every row
    locked: where others were first the proposal is over, and stays so although this is refused. Returns the
    commitment's id.
    """
    row = await locked_proposal(db, proposal)
    status = rules.step(PROPOSAL_STEPS, "accept", MatchProposalStatus(row["status"]))
    if row["valid_until"] <= db.now:
        raise ProposalLapsed()
    told = len(db.events)
    try:
        async with db.connection.transaction():  # what was written so far is undone where it is refused
            made = await _placed(db, row)
    except OVER as problem:
        del db.events[told:]
        await _answered(db, row, MatchProposalStatus.SUPERSEDED)
        raise Kept(problem) from None
    await accept_commitment(db, made, volunteer=volunteer)
    await _answered(db, row, status, commitment=made)
    return made


async def _placed(db: Db, row: Row) -> UUID:
    provider = Provider(row["organization_id"], row["person_id"], row["person_id"])
    slot = row["slot_from"], row["slot_to"]
    return await place(db, row["need_id"], provider, 1, Origin.PROPOSAL, offer=row["offer_id"], slot=slot)


@may(rules.MAY["proposal.decline"])
@refuses(InvalidTransition)
async def decline_proposal(db: Db, proposal: UUID, reason: MatchDeclineReason) -> UUID:
    """Says no to what a round proposed, with a reason."""
    return await _answer(db, proposal, "decline", reason)


@may(rules.MAY["proposal.withdraw"])
@refuses(InvalidTransition)
async def withdraw_proposal(db: Db, proposal: UUID) -> UUID:
    """Staff take a proposal back that nobody has answered."""
    return await _answer(db, proposal, "withdraw", None)


async def _answer(db: Db, id: UUID, step: str, why: MatchDeclineReason | None) -> UUID:
    row = await locked_proposal(db, id)
    status = rules.step(PROPOSAL_STEPS, step, MatchProposalStatus(row["status"]))
    await _answered(db, row, status, why=why)
    return id


async def _answered(
    db: Db,
    row: Row,
    status: MatchProposalStatus,
    *,
    commitment: UUID | None = None,
    why: MatchDeclineReason | None = None,
) -> None:
    """Writes where a locked proposal has come to, and tells of it."""
    await db.value(ANSWER, id=row["id"], status=status, commitment=commitment, why=why)
    db.tell(f"match_proposal.{status.value.lower()}", row["id"], area=row["area"], round=row["round_id"])
