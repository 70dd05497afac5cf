"""What happens to needs, commitments and sessions, told as it happens."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
import strawberry

from models.activity import changes as activity
from models.activity.changes import SessionTopic
from models.events import EventRow, cursor, of
from models.exchange import changes as exchange
from models.exchange import watching
from models.exchange.changes import CommitmentTopic, NeedTopic
from models.exchange.rounds.changes import RoundTopic, round_topic, told_of_round
from models.exchange.watching import RecommendationTopic, TriageTopic
from models.labels import TABLES
from resolvers.engine import words as w
from resolvers.enums import shown

if TYPE_CHECKING:
    from resolvers.activity import ServiceSession
    from resolvers.exchange import Commitment, Need
    from resolvers.exchange.rounds import MatchRound

for values in (NeedTopic, CommitmentTopic, SessionTopic, RoundTopic, TriageTopic, RecommendationTopic):
    shown(values)


def _label(values: type[enum.StrEnum], topic: Callable[[Any, Any], Any]) -> Any:
    """A topic's Chinese label."""
    labels: Mapping[enum.StrEnum, str] = TABLES[values.__name__].labels

    def build(row: Any, view: Any) -> Any:
        texts = [(exchange.constant(value.value), exchange.constant(said)) for value, said in labels.items()]
        return sa.case(*texts, value=topic(row, view))

    return w.expression(build, description="What happened, in Chinese, short enough for a toast.")


def _commitment_topic(row: Any, view: Any) -> Any:
    return exchange.commitment_topic(row)


def _about(event: Any, id: Any) -> Any:
    return event.subject == id


@strawberry.interface(description="Something that happened.")
class Change:
    cursor: str = w.expression(
        cursor,
        description="Where it stands in the order of all that happens; opaque. As `since` it resumes after this, for 7 days.",
    )
    at: datetime = w.column(EventRow.at, description="When it happened.")


@strawberry.type(description="Something that happened to a need.")
class NeedChange(Change):
    topic: NeedTopic = w.expression(exchange.need_topic, description="What happened.")
    label: str = _label(NeedTopic, exchange.need_topic)
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.subject(
        description="The need as it is when this is told, and as the caller may see it."
    )


@strawberry.type(description="Something that happened to a commitment.")
class CommitmentChange(Change):
    topic: CommitmentTopic = w.expression(_commitment_topic, description="What happened.")
    label: str = _label(CommitmentTopic, _commitment_topic)
    commitment: Annotated[Commitment, strawberry.lazy("resolvers.exchange")] | None = w.subject(
        description="The commitment as it is when this is told, and as the caller may see it."
    )


@strawberry.type(description="Something that happened to a session.")
class SessionChange(Change):
    topic: SessionTopic = w.expression(activity.session_topic, description="What happened.")
    label: str = _label(SessionTopic, activity.session_topic)
    session: Annotated[ServiceSession, strawberry.lazy("resolvers.activity")] | None = w.subject(
        description="The session as it is when this is told, and as the caller may see it."
    )


def _round_topic(row: Any, view: Any) -> Any:
    return round_topic(row)


@strawberry.type(description="Something that happened to a matching round.")
class RoundChange(Change):
    topic: RoundTopic = w.expression(_round_topic, description="What happened.")
    label: str = _label(RoundTopic, _round_topic)
    round: Annotated[MatchRound, strawberry.lazy("resolvers.exchange.rounds")] | None = w.subject(
        description="The round as it is when this is told: `progress` and `stage` say how far."
    )


@strawberry.type(description="Something that happened in the queue of needs that wait for the community's answer.")
class TriageChange(Change):
    topic: TriageTopic = w.expression(watching.triage_topic, description="What happened.")
    label: str = _label(TriageTopic, watching.triage_topic)
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.subject(
        description="The need as it is when this is told, and as the caller may see it."
    )


@strawberry.type(description="That what was recommended to a volunteer is not up to date any more.")
class RecommendationChange(Change):
    topic: RecommendationTopic = w.expression(watching.recommendation_topic, description="Why.")
    label: str = _label(RecommendationTopic, watching.recommendation_topic)
    need: Annotated[Need, strawberry.lazy("resolvers.exchange")] | None = w.subject(
        description="The need by which it came, if the caller may see it; the newest, where there were several."
    )


@strawberry.type(
    description="What is told as it happens, in order, each change once. A thing that the caller may not see is NOT_FOUND, at the beginning or from then on."
)
class Subscription:
    need_changed: NeedChange = w.change(
        EventRow,
        "Need",
        _about,
        lambda event, id: of(event, "need", id),
        told=exchange.told_of_need,
        description="What happens to a need, and to the commitments to it.",
    )
    commitment_changed: CommitmentChange = w.change(
        EventRow,
        "Commitment",
        _about,
        told=exchange.told_of_commitment,
        description="What happens to a commitment.",
    )
    session_changed: SessionChange = w.change(
        EventRow,
        "ServiceSession",
        _about,
        lambda event, id: of(event, "session", id),
        told=activity.told_of_session,
        description="What happens to a session, and to its volunteers' parts in it.",
    )
    match_round_changed: RoundChange = w.change(
        EventRow,
        "MatchRound",
        _about,
        lambda event, id: of(event, "round", id),
        told=told_of_round,
        description="How far a matching round is, and what becomes of its proposals.",
    )
    my_needs_changed: NeedChange = w.stream(
        EventRow,
        "Need",
        watching.of_my_needs,
        watching.of_parts_of_my_needs,
        keys=watching.of_person,
        told=exchange.told_of_need,
        description="What happens to all that the caller asked for, or is for his household; new needs among it.",
    )
    my_commitments_changed: CommitmentChange = w.stream(
        EventRow,
        "Commitment",
        watching.of_my_commitments,
        keys=watching.of_person,
        told=exchange.told_of_commitment,
        description="What happens to all that the caller, or his organization, serves; for a resident, to what serves his needs.",
    )
    triage_changed: TriageChange = w.stream(
        EventRow,
        "Need",
        watching.of_needs_here,
        keys=watching.of_community,
        told=watching.told_of_triage,
        description="For staff: what happens in the queue of needs of their area that wait for an answer.",
    )
    recommendations_changed: RecommendationChange = w.stream(
        EventRow,
        "Need",
        watching.near,
        watching.proposed,
        keys=watching.of_volunteer,
        told=watching.told_of_recommendations,
        seconds=watching.QUIET,
        hidden=True,
        description="For a volunteer: that what was recommended to him is not up to date any more. At most every 20 seconds, and then the newest only.",
    )
