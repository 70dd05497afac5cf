"""A round, what it is worth, whom it proposes to whom, and what it left open.

A proposal holds no quantity: whoever accepts makes a commitment as anybody does, with every rule asked again. Two
rounds whose areas overlap are never under way at once: an exclusion constraint over the codes' ranges says so.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models.base import Table, check, choice, chosen, count, flag, instant, key, km, text, to
from models.exchange.rounds.states import (
    MatchDeclineReason,
    MatchFailure,
    MatchOpenReason,
    MatchProposalStatus,
    MatchRoundStatus,
    MatchStage,
    Part,
    Plan,
)

AREA = "area ~ '^([0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$'"
NUMBER = sa.text("'LC' || lpad(nextval('match_round_no')::text, 9, '0')")
COMMUNITY = sa.text('"left"(area, 12)')
NEWEST = (sa.text("created_at DESC"), sa.text("id DESC"))


def share() -> Any:
    """A part of a whole, 0 to 1."""
    return Field(default=None, sa_type=sa.REAL, nullable=False)


class MatchFigure(Table, table=True):
    """成效: what one plan does for whom it was made for: the round's own, or what greedy would have done."""

    __tablename__ = "match_figure"
    __table_args__ = (
        chosen("plan", Plan),
        check("area", AREA),
        check("served", "served BETWEEN 0 AND needs"),
        check("helpers", "helpers BETWEEN 0 AND wanted"),
        check("shares", "walkable BETWEEN 0 AND 1 AND continuity BETWEEN 0 AND 1 AND worst_district BETWEEN 0 AND 1"),
    )
    id: UUID = key()
    plan: Plan = choice(Plan)
    area: str = text()
    """The round's."""
    needs: int
    """Needs that were planned for."""
    served: int
    """Of those, that get all the helpers that they want."""
    wanted: int
    """Helpers that they want together."""
    helpers: int
    """Helpers that are sent."""
    busy_helpers: int
    """How many different volunteers and offers serve."""
    objective: int = Field(sa_type=sa.BigInteger)
    """What the plan is worth in points: by priority, and by the score."""
    mean_km: float = km()
    """Over all that are sent."""
    walkable: float = share()
    """The share of them within 1.2 km, a 15-minute walk."""
    continuity: float = share()
    """The share, of the needs that somebody served before, to which he comes again."""
    worst_district: float = share()
    """The share of needs served in the district that is served least."""
    seconds: float = Field(default=None, sa_type=sa.REAL, nullable=False)
    """How long the plan took."""


class MatchCoverage(Table, table=True):
    """覆盖率: of the needs of one priority, or of one district, how many are served."""

    __tablename__ = "match_coverage"
    __table_args__ = (
        sa.UniqueConstraint("figure_id", "part", "code"),
        chosen("part", Part),
        check("area", AREA),
        check("share", "share BETWEEN 0 AND 1"),
    )
    id: UUID = key()
    figure_id: UUID = to("match_figure.id", index=False)
    area: str = text()
    """The round's."""
    part: Part = choice(Part)
    code: str = text()
    """1 to 4, or the code of a district."""
    needs: int
    share: float = share()
    """Served needs, of all of them: 0 to 1."""


class MatchRound(Table, table=True):
    """匹配轮次: needs of an area and some days, planned at once; asked for by staff, run by a worker."""

    __tablename__ = "match_round"
    __table_args__ = (
        sa.UniqueConstraint("no"),
        chosen("status", MatchRoundStatus),
        chosen("stage", MatchStage),
        chosen("failure", MatchFailure),
        check("area", AREA),
        check("horizon", "horizon_to - horizon_from BETWEEN 0 AND 13"),
        check("fairness", "fairness BETWEEN 0 AND 1"),
        check("seconds", "seconds BETWEEN 1 AND 600"),
        check("progress", "progress BETWEEN 0 AND 100"),
        check("failed", "(failure IS NULL) = (status <> 'FAILED')"),
        check("ended", "(ended_at IS NULL) = (status IN ('QUEUED', 'RUNNING', 'READY'))"),
        check("planned", "(figures_id IS NOT NULL AND greedy_id IS NOT NULL) OR status NOT IN ('READY', 'CLOSED')"),
        sa.Index("ix_match_round_newest", *NEWEST, "status"),
        sa.Index("ix_match_round_area_newest", "area", *NEWEST),
        sa.Index(
            "ix_match_round_under_way", "heartbeat_at", postgresql_where=sa.text("status IN ('QUEUED', 'RUNNING')")
        ),
        sa.Index("ix_match_round_ready", "valid_until", postgresql_where=sa.text("status = 'READY'")),
    )
    id: UUID = key()
    no: str = Field(default=None, sa_type=sa.Text, sa_column_kwargs={"server_default": NUMBER})
    division_id: UUID = to("division.id", index=False)
    area: str = text()
    """The division's code."""
    horizon_from: date
    """The first day that is planned, in Shanghai."""
    horizon_to: date
    """The last one."""
    dry_run: bool = flag()
    """Whether it only tells its figures, and proposes nothing."""
    fairness: float = share()
    """0: whoever gains most first; 1: districts that are served least before others."""
    seconds: int
    """How long it may plan."""
    seed: int
    status: MatchRoundStatus = choice(MatchRoundStatus)
    stage: MatchStage = choice(MatchStage)
    progress: int = count(0)
    """Percent."""
    tries: int = count(0)
    """How many workers have begun it."""
    heartbeat_at: datetime = instant()
    """When its worker was last known to live; before one took it, when it was queued."""
    failure: MatchFailure | None = choice(MatchFailure, optional=True)
    weights_version: int | None = None
    figures_id: UUID | None = to("match_figure.id", optional=True, index=False)
    greedy_id: UUID | None = to("match_figure.id", optional=True, index=False)
    requested_by: UUID = to("person.id", index=False)
    snapshot_at: datetime | None = instant(optional=True)
    """As of when it read."""
    valid_until: datetime | None = instant(optional=True)
    """Until when its proposals may be accepted."""
    started_at: datetime | None = instant(optional=True)
    ended_at: datetime | None = instant(optional=True)
    created_at: datetime = instant()
    version: int = count(1)


class MatchProposal(Table, table=True):
    """匹配建议: that a round would have somebody serve a need at a time, and by which reasons."""

    __tablename__ = "match_proposal"
    __table_args__ = (
        chosen("status", MatchProposalStatus),
        chosen("decline_reason", MatchDeclineReason),
        check("area", "area ~ '^([0-9]{12}|[0-9]{15})$'"),
        check("provider", "num_nonnulls(organization_id, person_id) = 1"),
        check("priority", "priority BETWEEN 1 AND 4"),
        check("slot", "slot_from < slot_to"),
        check("km", "km >= 0"),
        check("accepted", "(commitment_id IS NOT NULL) = (status = 'ACCEPTED')"),
        check("declined", "(decline_reason IS NOT NULL) = (status = 'DECLINED')"),
        check("answered", "(answered_at IS NULL) = (status = 'OPEN')"),
        sa.Index(
            "uq_match_proposal_open",
            "need_id",
            "offer_id",
            "organization_id",
            "person_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=sa.text("status = 'OPEN'"),
        ),
        sa.Index("ix_match_proposal_round", "round_id", sa.text("priority DESC"), sa.text("score DESC"), "id"),
        sa.Index("ix_match_proposal_need_id", "need_id"),
        sa.UniqueConstraint("commitment_id"),
        sa.Index(
            "ix_match_proposal_person_newest",
            "person_id",
            *NEWEST,
            postgresql_where=sa.text("person_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_match_proposal_organization_newest",
            "organization_id",
            *NEWEST,
            postgresql_where=sa.text("organization_id IS NOT NULL"),
        ),
        sa.Index("ix_match_proposal_scope_newest", COMMUNITY, *NEWEST, "status"),
        sa.Index("ix_match_proposal_newest", *NEWEST),
        sa.Index("ix_match_proposal_due", "valid_until", postgresql_where=sa.text("status = 'OPEN'")),
    )
    id: UUID = key()
    round_id: UUID = to("match_round.id", index=False)
    need_id: UUID = to("need.id", index=False)
    offer_id: UUID | None = to("offer.id", optional=True, index=False)
    """Out of which offer, where it is an offer's."""
    organization_id: UUID | None = to("organization.id", optional=True, index=False)
    person_id: UUID | None = to("person.id", optional=True, index=False)
    """The volunteer, where he would serve himself."""
    area: str = text()
    """The need's."""
    priority: int = count()
    """The need's, when it was planned."""
    slot_from: datetime = instant()
    slot_to: datetime = instant()
    option: int = count(0)
    """Which of the asker's appointment options it is, from 0."""
    km: float = km()
    """As the crow flies, from the need's grid to where the helper starts, rounded to 0.1."""
    score: int
    points: list[int] = Field(sa_type=ARRAY(sa.Integer))
    """Of each term, in the order of `scoring.MatchTerm`; their sum is the score."""
    wishes: int = Field(sa_type=sa.SmallInteger)
    """1 where a gender was asked for, 2 more where a language was (`ranking.terms`)."""
    weights_version: int
    status: MatchProposalStatus = choice(MatchProposalStatus, default=MatchProposalStatus.OPEN)
    decline_reason: MatchDeclineReason | None = choice(MatchDeclineReason, optional=True)
    commitment_id: UUID | None = to("commitment.id", optional=True, index=False)
    valid_until: datetime = instant()
    answered_at: datetime | None = instant(optional=True)
    """When it left OPEN, by whatever way."""
    created_at: datetime = instant()
    version: int = count(1)


class MatchOpen(Table, table=True):
    """未匹配需求: a need that a round left open, and why."""

    __tablename__ = "match_open"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "need_id"),
        chosen("reason", MatchOpenReason),
        check("area", "area ~ '^([0-9]{12}|[0-9]{15})$'"),
        sa.Index("ix_match_open_round_reason", "round_id", "reason", "id"),
        sa.Index("ix_match_open_need_id", "need_id"),
    )
    id: UUID = key()
    round_id: UUID = to("match_round.id", index=False)
    need_id: UUID = to("need.id", index=False)
    area: str = text()
    """The need's."""
    priority: int = count()
    wanted: int
    """Helpers that it wanted."""
    reason: MatchOpenReason = choice(MatchOpenReason)
