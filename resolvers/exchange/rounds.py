"""City-wide rounds as GraphQL shows them: what was planned, what it is worth, who is proposed for whom, and by which reasons."""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.exchange import ranking
from models.exchange.rounds import actions, tables
from models.exchange.rounds import queries as q
from models.exchange.rounds.actions.starting import RoundInput
from models.exchange.rounds.states import (
    MatchDeclineReason,
    MatchFailure,
    MatchOpenReason,
    MatchProposalStatus,
    MatchRoundStatus,
    MatchStage,
    Part,
)
from models.exchange.scoring import MatchTerm
from models.labels import TABLES
from models.territory.queries import under
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.exchange.commitments import Commitment
from resolvers.exchange.common import Provider
from resolvers.exchange.matching import MatchReason
from resolvers.exchange.offers import Offer
from resolvers.exchange.types import Need
from resolvers.people import Organization, Person, Volunteer
from resolvers.territory import Division
from resolvers.verbs import Call, mutation

for values in (MatchRoundStatus, MatchStage, MatchFailure, MatchProposalStatus, MatchDeclineReason, MatchOpenReason):
    shown(values)


def _label(values: type[enum.StrEnum], column: str, description: str) -> Any:
    """The Chinese label of a column's value."""
    texts = {v.value: said for v, said in TABLES[values.__name__].labels.items()}
    return w.expression(lambda row: sa.case(*q.spelled(getattr(row, column), texts)), description=description)


@w.entity(tables.MatchCoverage)
@strawberry.type(description="Of the needs of one priority, or of one district, how many a plan serves. 覆盖率。")
class MatchCoverage:
    priority: int | None = w.expression(
        lambda row: q.as_priority(row), description="1 to 4, 4 is most urgent; null for a district's."
    )
    district: Division | None = w.one(
        tables.MatchCoverage.code, target="code", description="The district; null for a priority's."
    )
    needs: int = w.column(tables.MatchCoverage.needs, description="How many needs.")
    share: float = w.column(tables.MatchCoverage.share, description="Served needs, of all of them: 0 to 1.")


def _coverage(part: Part, description: str) -> Any:
    return w.many(
        tables.MatchCoverage.figure_id,
        order=(tables.MatchCoverage.code,),
        limit=20,
        where=lambda item: q.of_part(item, part),
        description=description,
    )


@w.entity(tables.MatchFigure)
@strawberry.type(description="What a plan does for whom it was made for. 成效。")
class MatchFigures:
    needs: int = w.column(tables.MatchFigure.needs, description="Needs that were planned for.")
    served: int = w.column(
        tables.MatchFigure.served,
        description="Of those, that get all the helpers that they want, or none that they lack.",
    )
    helpers_wanted: int = w.column(tables.MatchFigure.wanted, description="Helpers that they want together.")
    helpers: int = w.column(tables.MatchFigure.helpers, description="Helpers that are sent; somebody may go twice.")
    helpers_different: int = w.column(
        tables.MatchFigure.busy_helpers, description="How many different volunteers and offers serve."
    )
    coverage: float = w.expression(lambda row: q.coverage(row), description="Served needs, of all: 0 to 1.")
    objective: float = w.expression(
        lambda row: sa.cast(row.objective, sa.Float()),
        description="What the plan is worth in points: a base by priority, and the score, for each helper.",
    )
    mean_km: float = w.column(tables.MatchFigure.mean_km, description="How far a helper goes on average, in km.")
    walkable: float = w.column(
        tables.MatchFigure.walkable, description="The share of them within a 15-minute walk: 0 to 1."
    )
    continuity: float = w.column(
        tables.MatchFigure.continuity,
        description="Of the needs that somebody served before, the share to which he comes again: 0 to 1.",
    )
    worst_district: float = w.column(
        tables.MatchFigure.worst_district, description="The coverage of the district that is served least: 0 to 1."
    )
    seconds: float = w.column(tables.MatchFigure.seconds, description="How long planning took, in seconds.")
    coverage_by_priority: list[MatchCoverage] = _coverage(Part.PRIORITY, "By priority, 1 first.")
    coverage_by_district: list[MatchCoverage] = _coverage(Part.DISTRICT, "By district, in the order of their codes.")


@strawberry.type(description="What a round's plan gives beyond the greedy one on the same snapshot.")
class MatchGain:
    served: int = w.named("served", description="Needs served more.")
    helpers: int = w.named("helpers", description="Helpers sent more.")
    coverage: float = w.named("coverage", description="By how much the share of served needs is higher.")
    mean_km: float = w.named(
        "mean_km", description="By how many km a helper goes further on average; below zero: nearer."
    )
    continuity: float = w.named("continuity", description="By how much more of those known before come again.")
    objective: float = w.named("objective", description="By how many points the plan is worth more.")


@strawberry.type(description="What the caller may do with a round now.")
class MatchRoundViewerCan:
    cancel: bool = w.expression(q.can_cancel, description="`matchRoundCancel`.")


@strawberry.type(description="What the caller may do with a proposal now.")
class MatchProposalViewerCan:
    accept: bool = w.expression(q.can_accept, description="`matchProposalAccept`.")
    decline: bool = w.expression(q.can_decline, description="`matchProposalDecline`.")
    withdraw: bool = w.expression(q.can_withdraw, description="`matchProposalWithdraw`.")


@w.entity(tables.MatchOpen)
@strawberry.type(description="A need that a round left open, and why. 未匹配需求。")
class MatchOpenNeed:
    need: Need | None = w.one(tables.MatchOpen.need_id, description="The need; null where the caller may not see it.")
    wanted: int = w.column(tables.MatchOpen.wanted, description="Helpers that it wanted.")
    priority: int = w.column(tables.MatchOpen.priority, description="1 to 4, when it was planned.")
    reason: MatchOpenReason = w.column(tables.MatchOpen.reason, description="Why.")
    label: str = _label(MatchOpenReason, "reason", "Why, in Chinese.")


@strawberry.input(description="Which proposals. What is not given does not narrow.")
class MatchProposalFilter:
    status: list[MatchProposalStatus] | None = w.where(
        lambda row, value, view: q.standing(row, view.actor.now) == sa.any_(value),
        description="In one of these states.",
    )
    round: strawberry.ID | None = w.where(lambda row, value: row.round_id == value, description="Of this round.")
    need: strawberry.ID | None = w.where(lambda row, value: row.need_id == value, description="For this need.")


@strawberry.input(description="Which of the needs that a round left open.")
class MatchOpenFilter:
    reason: list[MatchOpenReason] | None = w.where(
        lambda row, value: row.reason == sa.any_(value), description="For one of these reasons."
    )
    priority_min: int | None = w.where(lambda row, value: row.priority >= value, description="At least so urgent.")


@strawberry.input(description="Which rounds. What is not given does not narrow.")
class MatchRoundFilter:
    status: list[MatchRoundStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="Over the division of this code, or one in it."
    )
    dry_run: bool | None = w.where(lambda row, value: row.dry_run == value, description="Trials only, or none of them.")


@w.entity(tables.MatchProposal, "match_proposal")
@strawberry.type(
    description="That a round would have somebody serve a need at a time. It holds nothing until it is accepted. 匹配建议。"
)
class MatchProposal(Node):
    round: MatchRound | None = w.one(
        tables.MatchProposal.round_id, description="The round; for staff and administrators."
    )
    need: Need | None = w.one(
        tables.MatchProposal.need_id,
        description="The need, as far as the caller may see it: for a provider, what the public list shows.",
    )
    offer: Offer | None = w.one(tables.MatchProposal.offer_id, description="The offer out of which it would be served.")
    provider: Provider | None = w.variant(
        {tables.MatchProposal.organization_id: "Organization", tables.MatchProposal.person_id: "Person"},
        description="Who would serve; null for callers who may not see him.",
    )
    organization: Organization | None = w.one(
        tables.MatchProposal.organization_id, description="The organization that would serve; null for a volunteer."
    )
    volunteer: Volunteer | None = w.one(
        tables.MatchProposal.person_id,
        target="person_id",
        description="The volunteer who would serve; null for an offer.",
    )
    priority: int | None = w.expression(
        q.for_staff("priority"), description="The need's, 1 to 4, when it was planned; for staff and administrators."
    )
    slot_from: datetime = w.column(tables.MatchProposal.slot_from, description="When the service would begin.")
    slot_to: datetime = w.column(tables.MatchProposal.slot_to, description="When it would end.")
    option: int = w.column(
        tables.MatchProposal.option,
        description="Which of the asker's appointments it is, from 0; 0 where he named none.",
    )
    distance_km: float = w.column(
        tables.MatchProposal.km, description="As the crow flies, from the need's grid, rounded to 0.1 km."
    )
    score: int = w.column(tables.MatchProposal.score, description="The sum of its reasons' points.")
    reasons: list[MatchReason] = w.listing(
        lambda row, view: ranking.terms(row, view),
        limit=len(MatchTerm),
        description="The reasons that have points, in a fixed order.",
    )
    sentence: str = w.expression(ranking.sentence, description="The reasons in one line, for whoever reads.")
    weights_version: int = w.column(
        tables.MatchProposal.weights_version, description="Which weights the reasons were counted by."
    )
    status: MatchProposalStatus = w.expression(
        lambda row, view: q.standing(row, view.actor.now), description="Where it stands; LAPSED from `validUntil` on."
    )
    decline_reason: MatchDeclineReason | None = w.column(
        tables.MatchProposal.decline_reason, description="Why it was declined; null unless it was."
    )
    commitment: Commitment | None = w.one(
        tables.MatchProposal.commitment_id, description="What came of it, once accepted."
    )
    valid_until: datetime = w.column(tables.MatchProposal.valid_until, description="Until when it may be accepted.")
    answered_at: datetime | None = w.column(
        tables.MatchProposal.answered_at, description="When it was answered, or came to an end otherwise."
    )
    created_at: datetime = w.column(tables.MatchProposal.created_at, description="When it was proposed.")
    viewer_can: MatchProposalViewerCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.MatchRound, "match_round")
@strawberry.type(description="Needs of an area and some days, planned at once. 匹配轮次。")
class MatchRound(Node):
    no: str = w.column(tables.MatchRound.no, description="Its number, to read out: `LC` and nine digits.")
    division: Division = w.one(tables.MatchRound.division_id, description="Over which division.")
    horizon_from: date = w.column(tables.MatchRound.horizon_from, description="The first day that is planned.")
    horizon_to: date = w.column(tables.MatchRound.horizon_to, description="The last one.")
    dry_run: bool = w.column(
        tables.MatchRound.dry_run, description="Whether it tells its figures and proposes nothing."
    )
    fairness: float = w.column(
        tables.MatchRound.fairness, description="0: whoever gains most first; 1: districts that are served least first."
    )
    seconds: int = w.column(tables.MatchRound.seconds, description="How long it may plan, in seconds.")
    seed: int = w.column(tables.MatchRound.seed, description="The random seed.")
    status: MatchRoundStatus = w.column(tables.MatchRound.status, description="Where it stands.")
    stage: MatchStage = w.column(tables.MatchRound.stage, description="What it does now.")
    progress: int = w.column(tables.MatchRound.progress, description="How far it is, in percent.")
    failure: MatchFailure | None = w.column(tables.MatchRound.failure, description="Why it came to nothing.")
    failure_label: str | None = _label(MatchFailure, "failure", "Why it came to nothing, in Chinese.")
    weights_version: int | None = w.column(
        tables.MatchRound.weights_version, description="Which weights it was planned by; null until it is."
    )
    requested_by: Person | None = w.one(
        tables.MatchRound.requested_by, description="Who asked for it, masked; null for callers who may not see him."
    )
    snapshot_at: datetime | None = w.column(
        tables.MatchRound.snapshot_at, description="As of when it read; null until it is planned."
    )
    valid_until: datetime | None = w.column(
        tables.MatchRound.valid_until, description="Until when the last of its proposals may be accepted."
    )
    started_at: datetime | None = w.column(tables.MatchRound.started_at, description="When a worker first took it.")
    ended_at: datetime | None = w.column(tables.MatchRound.ended_at, description="When it came to an end.")
    created_at: datetime = w.column(tables.MatchRound.created_at, description="When it was asked for.")
    version: int = w.column(tables.MatchRound.version, description="How often it has changed, from 1.")
    figures: MatchFigures | None = w.one(
        tables.MatchRound.figures_id,
        description="What its plan does; null until then, and for staff of a part of its area.",
    )
    greedy: MatchFigures | None = w.one(
        tables.MatchRound.greedy_id,
        description="What the best pair first, then the next, would do on the same snapshot.",
    )
    gain: MatchGain | None = w.inside(
        q.gain, present="served", description="What its plan gives beyond the greedy one."
    )
    proposals: Connection[MatchProposal] = w.connection(
        tables.MatchProposal.round_id,
        order=(desc(tables.MatchProposal.priority), desc(tables.MatchProposal.score)),
        filter=MatchProposalFilter,
        description="Its proposals that the caller may see, the most urgent and the best first.",
    )
    open_needs: Connection[MatchOpenNeed] = w.connection(
        tables.MatchOpen.round_id,
        order=(desc(tables.MatchOpen.priority),),
        filter=MatchOpenFilter,
        description="The needs that it left open, the most urgent first.",
    )
    viewer_can: MatchRoundViewerCan = w.inside(description="What the caller may do with it now.")


NEWEST = (desc(tables.MatchProposal.created_at),)


@strawberry.type
class RoundQuery:
    match_round: MatchRound | None = w.by_id(description="A matching round.")
    match_rounds: Connection[MatchRound] = w.connection(
        order=(desc(tables.MatchRound.created_at),),
        filter=MatchRoundFilter,
        description="Matching rounds that touch the caller's area, the newest first.",
    )
    match_proposal: MatchProposal | None = w.by_id(description="A proposal of a matching round.")
    match_proposals: Connection[MatchProposal] = w.connection(
        order=NEWEST,
        filter=MatchProposalFilter,
        description="Proposals to the caller, or his organization; for staff those for needs of their area. The newest first.",
    )


@strawberry.input(description="What a round is to be.")
class MatchRoundInput:
    horizon_from: date | None = strawberry.field(default=None, description="The first day; null: today.")
    horizon_days: int = strawberry.field(default=7, description="How many days, 1 to 14.")
    dry_run: bool = strawberry.field(default=False, description="True only tells the figures, and proposes nothing.")
    fairness: float = strawberry.field(
        default=0.0, description="0 to 1: how much districts that are served least come before others."
    )
    seconds: int = strawberry.field(default=20, description="How long it may plan: 1 to 600 seconds.")
    seed: int = strawberry.field(default=1, description="The random seed: the same data and seed make the same start.")

    def read(self) -> RoundInput:
        """The same, as the verb takes it."""
        return RoundInput(self.horizon_from, self.horizon_days, self.dry_run, self.fairness, self.seconds, self.seed)


RoundId = Annotated[strawberry.ID, strawberry.argument(description="The round.")]
ProposalId = Annotated[strawberry.ID, strawberry.argument(description="The proposal.")]


@strawberry.type
class RoundMutation:
    @mutation(
        MatchRound,
        actions.start_round,
        description="Plan the needs of a division at once: community staff over their own, administrators over any of their area. It runs by itself; `matchRoundChanged` tells how far it is.",
    )
    async def match_round_start(
        call: Call,
        division: Annotated[strawberry.ID, strawberry.argument(description="Over which division.")],
        input: Annotated[MatchRoundInput, strawberry.argument(description="What it is to be.")],
    ) -> UUID:
        return await actions.start_round(call.db, call.id(division, "division", "division"), input.read())

    @mutation(
        MatchRound,
        actions.cancel_round,
        description="Call a round off. It stops within a second or so; what was proposed and not answered is withdrawn, what was accepted stands.",
    )
    async def match_round_cancel(call: Call, id: RoundId) -> UUID:
        return await actions.cancel_round(call.db, call.id(id, "match_round"))

    @mutation(
        Commitment,
        actions.accept_proposal,
        description="Say yes to a proposal: a volunteer for himself, an organization's staff for it. It is a commitment at once, ACCEPTED, for one; where others were first the proposal is over.",
    )
    async def match_proposal_accept(
        call: Call,
        id: ProposalId,
        volunteer: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="For an organization's staff: which of its own volunteers will serve."),
        ] = None,
    ) -> UUID:
        who = None if volunteer is None else call.id(volunteer, "volunteer", "volunteer")
        return await actions.accept_proposal(call.db, call.id(id, "match_proposal"), volunteer=who)

    @mutation(MatchProposal, actions.decline_proposal, description="Say no to a proposal.")
    async def match_proposal_decline(
        call: Call,
        id: ProposalId,
        reason: Annotated[MatchDeclineReason, strawberry.argument(description="Why.")],
    ) -> UUID:
        return await actions.decline_proposal(call.db, call.id(id, "match_proposal"), reason)

    @mutation(
        MatchProposal,
        actions.withdraw_proposal,
        description="Community staff and social workers: take back a proposal that nobody has answered.",
    )
    async def match_proposal_withdraw(call: Call, id: ProposalId) -> UUID:
        return await actions.withdraw_proposal(call.db, call.id(id, "match_proposal"))
