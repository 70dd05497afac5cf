"""What happens to a round, as it is told to whoever watches it."""

from __future__ import annotations

import enum
from typing import Any

import sqlalchemy as sa

from models.access import Role
from models.exchange.changes import among, spoken
from models.labels import labelled


class RoundTopic(enum.StrEnum):
    """What happened to a round."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PROGRESS = "PROGRESS"
    READY = "READY"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    ANSWERED = "ANSWERED"


T = RoundTopic
labelled(
    RoundTopic,
    {
        T.QUEUED: "排队等待计算",
        T.RUNNING: "开始计算",
        T.PROGRESS: "计算有进展",
        T.READY: "匹配建议已生成",
        T.CLOSED: "本轮已结束",
        T.CANCELLED: "本轮已取消",
        T.FAILED: "本轮未成功",
        T.ANSWERED: "有建议得到答复",
    },
    description="What happened to a matching round.",
    describe={
        T.QUEUED: "It waits for a worker, at first or once more.",
        T.RUNNING: "A worker has taken it.",
        T.PROGRESS: "It is further: `stage` and `progress` say how far.",
        T.READY: "It is planned, and its proposals are made.",
        T.CLOSED: "Its time is over.",
        T.CANCELLED: "It was called off.",
        T.FAILED: "It came to nothing.",
        T.ANSWERED: "A proposal of it was answered, or is over. Told to the staff of the need's area.",
    },
)
TOPICS = {
    "match_round.requested": T.QUEUED,
    "match_round.running": T.RUNNING,
    "match_round.progress": T.PROGRESS,
    "match_round.ready": T.READY,
    "match_round.closed": T.CLOSED,
    "match_round.cancelled": T.CANCELLED,
    "match_round.failed": T.FAILED,
    **{f"match_proposal.{end}": T.ANSWERED for end in ("accepted", "declined", "lapsed", "superseded", "withdrawn")},
}
ANSWERS = [topic for topic, said in TOPICS.items() if said is T.ANSWERED]


def round_topic(event: Any) -> Any:
    """What happened to a round, as a RoundTopic."""
    return spoken(event.topic, TOPICS)


def told_of_round(event: Any, row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker, who sees the round, is told of an event of it: of answers where he sees the need's area."""
    steps = among(event.topic, [topic for topic in TOPICS if topic not in ANSWERS])
    answers = among(event.topic, ANSWERS)
    if view.actor.role is Role.ADMIN:
        return sa.or_(steps, answers)
    here = sa.and_(event.area >= view.actor.area, event.area < view.actor.area_end)
    return sa.or_(steps, sa.and_(answers, here))
