"""Who watches what is his own, or lies in his area, and by which events he is told of it.

An announcement of the relay names persons, organizations and places beside the things that have changed; it wakes, and
says nothing: what somebody is told he reads for himself, by the same conditions as his lists. Needs and commitments of
his are found from themselves, so a wake costs by what he has, not by what happens in the city.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import STAFF_ROLES, Actor, Role
from models.base import table
from models.events import of
from models.exchange import queries as q
from models.exchange.changes import COUNTING, among, constant, spoken
from models.exchange.kinds import Kind
from models.exchange.states import TRIAGE
from models.exchange.tables import Commitment, Need
from models.exchange.visible import COMMUNITY_DIGITS, Where, in_scope, is_any, normal, own
from models.labels import labelled
from models.people.tables import Resident, Volunteer
from models.relay import area_key
from models.vault import NO_ONE

Every = Callable[[Any], Any]
Source = tuple[Any, Any, Any]
QUIET = 20.0
"""Seconds for which nothing more is told of recommendations after something was: notify sparingly (docs/matching.md)."""

WHOSE = """
SELECT requester_id FROM need WHERE id = ANY ($1)
UNION SELECT subject_id FROM need WHERE id = ANY ($1) AND subject_id <> $2
UNION SELECT r.person_id FROM need n JOIN resident r ON r.household = n.household WHERE n.id = ANY ($1)
UNION SELECT volunteer_person_id FROM commitment WHERE id = ANY ($1) AND volunteer_person_id IS NOT NULL
UNION SELECT organization_id FROM commitment WHERE id = ANY ($1) AND organization_id IS NOT NULL
UNION SELECT w.person_id FROM commitment c JOIN social_worker w ON w.id = c.social_worker_id WHERE c.id = ANY ($1)
"""


async def whose(connection: asyncpg.Connection, things: Sequence[str]) -> list[UUID]:
    """The persons and organizations whose needs or commitments are among some things."""
    rows = await connection.fetch(WHOSE, [UUID(thing) for thing in things], NO_ONE)
    return [row[0] for row in rows]


# whom it is for, and by what he is woken


def of_person(actor: Actor) -> Sequence[UUID]:
    """Somebody's own, or his organization's."""
    if actor.role is Role.NGO_STAFF:
        return [] if actor.organization is None else [actor.organization]
    return [] if actor.person is None else [actor.person]


def of_community(actor: Actor) -> Sequence[UUID]:
    """The community that staff serve."""
    return [area_key(actor.area[:12])] if actor.role in STAFF_ROLES and actor.area is not None else []


def of_volunteer(actor: Actor) -> Sequence[UUID]:
    """A volunteer himself, and the district that he is at home in."""
    if actor.role is not Role.VOLUNTEER or actor.person is None:
        return []
    return [actor.person, *([] if actor.area is None else [area_key(actor.area[:6])])]


# where the events are


def of_my_needs(event: Any, view: Any, every: Every) -> Source:
    """Events of needs that are the asker's."""
    mine = view.rows(Need)
    return mine.join(event, event.c.subject == mine.c.id), q.my_needs(mine.c, view), mine.c.id


def of_parts_of_my_needs(event: Any, view: Any, every: Every) -> Source:
    """Events of commitments to needs that are the asker's."""
    mine = view.rows(Need)
    return mine.join(event, of(event.c, "need", mine.c.id)), q.my_needs(mine.c, view), mine.c.id


def of_my_commitments(event: Any, view: Any, every: Every) -> Source:
    """Events of commitments that are the asker's."""
    mine = view.rows(Commitment)
    return mine.join(event, event.c.subject == mine.c.id), q.my_commitments(mine.c, view), mine.c.id


def of_needs_here(event: Any, view: Any, every: Every) -> Source:
    """Events of needs of the asker's community, or grid."""
    community = sa.func.left(event.c.area, COMMUNITY_DIGITS)
    here = sa.and_(
        _of_needs(event),
        community == sa.func.left(view.actor.area, COMMUNITY_DIGITS),
        in_scope(event.c.area, view.actor),
    )
    return event, here, event.c.subject


def _of_needs(event: Any) -> Where:
    """Written as the index is."""
    start = sa.func.left(event.c.topic, sa.literal_column("5"), type_=sa.Text())
    found: Where = start == constant("need.")
    return found


def near(event: Any, view: Any, every: Every) -> Source:
    """Events by which what is recommended to a volunteer may have changed: of needs that were in the public list, within
    his radius, of what he serves. That such a need was there, and is taken or over, was public."""
    needs, me = every(table(Need)), view.rows(Volunteer)
    by_part = sa.and_(among(event.c.topic, COUNTING), of(event.c, "need", needs.c.id))
    concerned = sa.or_(sa.and_(among(event.c.topic, STALE), event.c.subject == needs.c.id), by_part)
    code = needs.c.category_code
    serves = sa.or_(
        sa.func.cardinality(me.c.categories) == sa.literal_column("0"),
        code == sa.any_(me.c.categories),
        sa.func.split_part(code, ".", 1) == sa.any_(me.c.categories),
    )
    km: Any = sa.func.km_between(needs.c.x, needs.c.y, me.c.x, me.c.y, type_=sa.REAL())
    residents = view.rows(Resident)
    condition = sa.and_(
        me.c.person_id == view.actor.person,
        normal(needs.c),
        is_any(needs.c.kind, (Kind.SERVICE,)),
        needs.c.opened_at <= event.c.at,
        km <= me.c.radius_km,
        serves,
        sa.not_(sa.func.matching_refused(needs.c.beneficiary_id, me.c.person_id, view.actor.now, type_=sa.Boolean())),
        sa.not_(sa.func.coalesce(own(needs.c, view.actor, residents), sa.false())),
    )
    return event.join(needs, concerned).join(me, sa.true()), condition, needs.c.id


def proposed(event: Any, view: Any, every: Every) -> Source:
    """That a round proposed something to the asker."""
    mine = sa.and_(event.c.subject == view.actor.person, among(event.c.topic, [OFFERED]))
    return event, mine, sa.cast(sa.null(), sa.Uuid())


STALE = ("need.open", "need.delivered", "need.closed", "need.cancelled", "need.expired", "need.edited")
OFFERED = "match_proposal.offered"


# what is told


class TriageTopic(enum.StrEnum):
    """What happened in the queue of needs that wait for an answer."""

    ENTERED = "ENTERED"
    LEFT = "LEFT"
    CHANGED = "CHANGED"


Q = TriageTopic
labelled(
    TriageTopic,
    {Q.ENTERED: "有新的待办需求", Q.LEFT: "一条需求已办理", Q.CHANGED: "待办需求有更新"},
    description="What happened in the queue of needs that wait for the community's answer.",
    describe={
        Q.ENTERED: "A need waits, or waits again.",
        Q.LEFT: "A need was answered, or taken back.",
        Q.CHANGED: "A need that waits was changed, or is another one's case.",
    },
)
TRIAGE_TOPICS = {
    "need.submitted": Q.ENTERED,
    "need.reopened": Q.ENTERED,
    "need.verified": Q.LEFT,
    "need.open": Q.LEFT,
    "need.rejected": Q.LEFT,
    "need.referred": Q.LEFT,
    "need.cancelled": Q.LEFT,
    "need.edited": Q.CHANGED,
    "need.assigned": Q.CHANGED,
}


def triage_topic(event: Any, view: Any) -> Any:
    """What happened in the queue, as a TriageTopic."""
    return spoken(event.topic, TRIAGE_TOPICS)


def told_of_triage(event: Any, need: Any, view: Any) -> Where:
    """Whether the asker is told of an event in his queue: of what is edited, while it waits."""
    if view.actor.role not in STAFF_ROLES:
        return sa.false()
    changed = among(event.topic, [t for t, said in TRIAGE_TOPICS.items() if said is Q.CHANGED])
    moved = among(event.topic, [t for t, said in TRIAGE_TOPICS.items() if said is not Q.CHANGED])
    return sa.or_(moved, sa.and_(changed, is_any(need.status, TRIAGE)))


class RecommendationTopic(enum.StrEnum):
    """Why what was recommended is not up to date any more."""

    OPENED = "OPENED"
    TAKEN = "TAKEN"
    GONE = "GONE"
    PROPOSED = "PROPOSED"


N = RecommendationTopic
labelled(
    RecommendationTopic,
    {
        N.OPENED: "附近有新需求",
        N.TAKEN: "附近需求名额有变",
        N.GONE: "附近有需求已结束",
        N.PROPOSED: "社区为您推荐了服务",
    },
    description="Why what was recommended to a volunteer is not up to date any more.",
    describe={
        N.OPENED: "A need near him was opened, or changed.",
        N.TAKEN: "Somebody else claimed one near him, or gave it back.",
        N.GONE: "One near him may not be claimed any more.",
        N.PROPOSED: "A matching round proposed something to him.",
    },
)


def recommendation_topic(event: Any, view: Any) -> Any:
    """Why, as a RecommendationTopic."""
    return sa.case(
        (event.topic == constant(OFFERED), constant(N.PROPOSED.value)),
        (among(event.topic, COUNTING), constant(N.TAKEN.value)),
        (among(event.topic, ("need.open", "need.edited")), constant(N.OPENED.value)),
        else_=constant(N.GONE.value),
    )


def told_of_recommendations(event: Any, need: Any, view: Any) -> Where:
    """Whether the asker is told: of whatever the sources found for him, if he is a volunteer."""
    return sa.true() if view.actor.role is Role.VOLUNTEER else sa.false()
