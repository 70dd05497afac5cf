"""Ranked matches and their reasons, and the weights behind them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlmodel import desc

from models.exchange import ranking, weights
from models.exchange.actions import weights as actions
from models.exchange.ranking import LONGEST
from models.exchange.scoring import MatchTerm
from models.territory import asked
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.exchange.offers import Offer
from resolvers.exchange.types import Need
from resolvers.finding import by_law
from resolvers.people import Volunteer
from resolvers.verbs import Call, mutation

shown(MatchTerm)
SCORE = "The sum of the terms' points: what the list is ordered by, and nothing else is."
SENTENCE = "The terms as one line, in words for whoever reads: 「距您0.6公里 +2800 · 上次也是您服务 +2500」."
VERSION = "The version of the weights that it was reckoned with; `matchWeights` has them."


@strawberry.type(description="One reason of a match.")
class MatchReason:
    code: MatchTerm = w.named("code", description="Which reason.")
    label: str = w.named("label", description="What it says, in words for whoever reads.")
    points: int = w.named("points", description="How many points it gives; below 0 it takes them away.")


def _terms() -> Any:
    return w.listing(
        lambda row, view: ranking.terms(row, view),
        limit=len(MatchTerm),
        description="The reasons that have points, in a fixed order.",
    )


@strawberry.type(
    description="Somebody who may serve a need by every hard rule, and why he stands where he stands: a volunteer, or an offer. 候选服务方。"
)
class MatchCandidate:
    volunteer: Volunteer | None = w.one(
        "volunteer_id", description="The volunteer; null where it is an offer, or for callers who may not see him."
    )
    offer: Offer | None = w.one("offer_id", description="The offer; null where it is a volunteer himself.")
    score: int = w.named("score", description=SCORE)
    terms: list[MatchReason] = _terms()
    sentence: str = w.expression(ranking.sentence, description=SENTENCE)
    distance_km: float | None = w.named(
        "km", description="How far away he starts from, in kilometres to 0.1; null where an offer names no place."
    )
    option: int = w.named("option", description="For which of the need's appointments, from 0 in the asker's order.")
    weights_version: int = w.named("weights_version", description=VERSION)


@strawberry.type(
    description="A need that a provider may serve by every hard rule, and why it stands where it stands. 推荐需求。"
)
class RankedNeed:
    need: Need | None = w.one("need_id", description="The need, as the caller may see it.")
    score: int = w.named("score", description=SCORE)
    terms: list[MatchReason] = _terms()
    sentence: str = w.expression(ranking.sentence, description=SENTENCE)
    distance_km: float | None = w.named(
        "km",
        description="How far away it is, in kilometres to 0.1, from the middle of its grid: where somebody lives is told to nobody here.",
    )
    option: int = w.named("option", description="For which of its appointments, from 0 in the asker's order.")
    weights_version: int = w.named("weights_version", description=VERSION)


def a_distance(given: Mapping[str, Any]) -> None:
    """Raises BadInput for a distance that is none, or beyond the city."""
    if given["within_km"] is not None:
        by_law(asked.kilometres, given["within_km"])


WITHIN = Annotated[
    float | None,
    strawberry.argument(description="Only up to so many kilometres, 0.1 to 50; the own radius by default."),
]
OFFER = Annotated[strawberry.ID, strawberry.argument(description="The offer.")]


@w.entity(weights.MatchWeights, "matchweights")
@strawberry.type(
    description="How many points each reason of a match gives at most: one version, which is never changed. 匹配权重。"
)
class MatchWeights(Node):
    version: int = w.column(weights.MatchWeights.version, description="Its number; the highest that is valid counts.")
    proximity: int = w.column(
        weights.MatchWeights.proximity, description="At the door; none at the edge of the radius."
    )
    continuity: int = w.column(weights.MatchWeights.continuity, description="The same helper as the last time.")
    certificate: int = w.column(weights.MatchWeights.certificate, description="A valid paper for the field.")
    reliability: int = w.column(weights.MatchWeights.reliability, description="Promises kept, from none to all.")
    gender: int = w.column(weights.MatchWeights.gender, description="Of the gender wished for.")
    language: int = w.column(weights.MatchWeights.language, description="Speaks the language wished for.")
    first_choice: int = w.column(weights.MatchWeights.first_choice, description="At the time wished for first.")
    second_choice: int = w.column(weights.MatchWeights.second_choice, description="At the time wished for second.")
    attention: int = w.column(
        weights.MatchWeights.attention,
        description="Up to so many more for a need that nobody has looked at, up to so many less for one shown often.",
    )
    note: str = w.column(weights.MatchWeights.note, description="Why it was set so.")
    valid_from: datetime = w.column(weights.MatchWeights.valid_from, description="From when it counts.")


@strawberry.type
class MatchingQuery:
    recommended_needs: list[RankedNeed] = w.listing(
        lambda parent, view, first, within_km: ranking.recommended(view, first, within_km),
        {"within_km": (WITHIN, None)},
        limit=LONGEST,
        default=20,
        shows=True,
        check=a_distance,
        description="Open needs for the volunteer who asks, best first: within his radius and times, by every hard rule. Empty for everybody else, and for who does not wish to be matched by the machine: the list of all open needs stays open to him.",
    )
    open_needs_for: list[RankedNeed] = w.listing(
        lambda parent, view, first, offer: ranking.for_offer_of(view, offer, first),
        {"offer": (OFFER, strawberry.UNSET)},
        limit=LONGEST,
        default=20,
        shows=True,
        description="Open needs that an offer of the caller's can serve, best first. Empty for an offer that is not the caller's; community staff and social workers read it for every offer that they see.",
    )
    match_weights: MatchWeights | None = w.single(
        weights.current, description="The weights that count now, for everybody to read."
    )
    match_weights_versions: Connection[MatchWeights] = w.connection(
        order=(desc(weights.MatchWeights.version),), description="Every version of the weights, the newest first."
    )


@strawberry.input(description="Weights to set. What is left out stays as it is.")
class MatchWeightsInput:
    proximity: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    continuity: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    certificate: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    reliability: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    gender: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    language: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    first_choice: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")
    second_choice: strawberry.Maybe[int] = strawberry.field(
        default=None, description="0 to 10,000, at most `firstChoice`."
    )
    attention: strawberry.Maybe[int] = strawberry.field(default=None, description="0 to 10,000.")

    def read(self) -> dict[str, int]:
        """What is given, by the names of the weights."""
        given = ((name, getattr(self, name)) for name in weights.NAMES)
        return {name: value.value for name, value in given if value is not None}


@strawberry.type
class MatchingMutation:
    @mutation(
        MatchWeights,
        actions.set_match_weights,
        description="Administrators: a new version of the weights, which counts at once. Those before it are kept.",
    )
    async def match_weights_set(
        call: Call,
        input: Annotated[MatchWeightsInput, strawberry.argument(description="What changes.")],
        note: Annotated[str, strawberry.argument(description="Why: 2 to 200 characters, for everybody to read.")],
    ) -> UUID:
        return await actions.set_match_weights(call.db, input.read(), note)
