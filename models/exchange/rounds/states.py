"""Where a round and its proposals stand, why a round failed, and why a need stays open."""

from __future__ import annotations

import enum

from models.labels import ahead, labelled


class MatchRoundStatus(enum.StrEnum):
    """Where a round stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    READY = "READY"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


R = MatchRoundStatus
ROUND_STEPS: dict[tuple[str, MatchRoundStatus], MatchRoundStatus] = {
    ("start", R.QUEUED): R.RUNNING,
    ("again", R.RUNNING): R.QUEUED,  # its worker was lost: another one begins anew, from a new snapshot
    ("finish", R.RUNNING): R.READY,
    ("close", R.READY): R.CLOSED,
    ("cancel", R.QUEUED): R.CANCELLED,
    ("cancel", R.RUNNING): R.CANCELLED,
    ("cancel", R.READY): R.CANCELLED,
    ("fail", R.QUEUED): R.FAILED,
    ("fail", R.RUNNING): R.FAILED,
}
UNDER_WAY = (R.QUEUED, R.RUNNING)
"""States in which a round has its area to itself."""

labelled(
    MatchRoundStatus,
    {
        R.QUEUED: "排队中",
        R.RUNNING: "计算中",
        R.READY: "待答复",
        R.CLOSED: "已结束",
        R.CANCELLED: "已取消",
        R.FAILED: "未成功",
    },
    colours={R.QUEUED: "orange", R.RUNNING: "blue", R.READY: "green", R.FAILED: "red"},
    next=ahead(ROUND_STEPS),
    description="Where a matching round stands.",
    describe={
        R.QUEUED: "Asked for; a worker will take it.",
        R.RUNNING: "A worker reads, plans and writes.",
        R.READY: "Planned; its proposals wait to be answered.",
        R.CLOSED: "The time to answer is over and no proposal is open any more.",
        R.CANCELLED: "Called off; what was proposed and not accepted is withdrawn.",
        R.FAILED: "It came to nothing, for the reason named; nothing was proposed.",
    },
)


class MatchStage(enum.StrEnum):
    """What a round does now."""

    WAITING = "WAITING"
    GATHERING = "GATHERING"
    SOLVING = "SOLVING"
    WRITING = "WRITING"
    DONE = "DONE"


labelled(
    MatchStage,
    {
        MatchStage.WAITING: "等待开始",
        MatchStage.GATHERING: "读取数据",
        MatchStage.SOLVING: "统筹计算",
        MatchStage.WRITING: "写入建议",
        MatchStage.DONE: "完成",
    },
    description="What a matching round does now.",
    describe={
        MatchStage.WAITING: "No worker has taken it yet.",
        MatchStage.GATHERING: "It reads needs, helpers and their time, all as of one instant.",
        MatchStage.SOLVING: "It plans, outside the database.",
        MatchStage.WRITING: "It writes what it proposes.",
        MatchStage.DONE: "It has come to an end, of whatever kind.",
    },
)


class MatchFailure(enum.StrEnum):
    """Why a round came to nothing."""

    WORKER_LOST = "WORKER_LOST"
    SOLVER_FAILED = "SOLVER_FAILED"
    TOO_LARGE = "TOO_LARGE"
    DATABASE = "DATABASE"


labelled(
    MatchFailure,
    {
        MatchFailure.WORKER_LOST: "计算进程两次中断",
        MatchFailure.SOLVER_FAILED: "计算出错",
        MatchFailure.TOO_LARGE: "数据量超出上限",
        MatchFailure.DATABASE: "数据库未能及时答复",
    },
    description="Why a matching round came to nothing.",
    describe={
        MatchFailure.WORKER_LOST: "The worker that had it was lost, and so was the next one.",
        MatchFailure.SOLVER_FAILED: "The plan could not be computed: a fault, which is in the worker's log.",
        MatchFailure.TOO_LARGE: "More needs or helpers than one round may have.",
        MatchFailure.DATABASE: "The database did not answer in time, twice.",
    },
)


class MatchProposalStatus(enum.StrEnum):
    """Where a proposal of a round stands."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    LAPSED = "LAPSED"
    SUPERSEDED = "SUPERSEDED"
    WITHDRAWN = "WITHDRAWN"


P = MatchProposalStatus
PROPOSAL_STEPS: dict[tuple[str, MatchProposalStatus], MatchProposalStatus] = {
    ("accept", P.OPEN): P.ACCEPTED,
    ("decline", P.OPEN): P.DECLINED,
    ("lapse", P.OPEN): P.LAPSED,
    ("supersede", P.OPEN): P.SUPERSEDED,
    ("withdraw", P.OPEN): P.WITHDRAWN,
}

labelled(
    MatchProposalStatus,
    {
        P.OPEN: "待答复",
        P.ACCEPTED: "已接受",
        P.DECLINED: "已谢绝",
        P.LAPSED: "已过时",
        P.SUPERSEDED: "已不需要",
        P.WITHDRAWN: "已撤回",
    },
    colours={P.OPEN: "orange", P.ACCEPTED: "green", P.WITHDRAWN: "red"},
    next=ahead(PROPOSAL_STEPS),
    description="Where a proposal of a matching round stands. An OPEN one counts as LAPSED from `validUntil` on.",
    describe={
        P.OPEN: "Waits for whoever is to serve. It holds nothing: others may be first.",
        P.ACCEPTED: "Accepted; `commitment` is what came of it.",
        P.DECLINED: "Whoever was to serve said no.",
        P.LAPSED: "Nobody answered in time.",
        P.SUPERSEDED: "What it was for is taken, or over; or a newer round planned anew.",
        P.WITHDRAWN: "Staff took it back.",
    },
)


class MatchDeclineReason(enum.StrEnum):
    """Why whoever was to serve said no."""

    NO_TIME = "NO_TIME"
    TOO_FAR = "TOO_FAR"
    NOT_ABLE = "NOT_ABLE"
    ENOUGH = "ENOUGH"
    OTHER = "OTHER"


labelled(
    MatchDeclineReason,
    {
        MatchDeclineReason.NO_TIME: "时间不便",
        MatchDeclineReason.TOO_FAR: "路太远",
        MatchDeclineReason.NOT_ABLE: "做不了这项服务",
        MatchDeclineReason.ENOUGH: "近期服务已够多",
        MatchDeclineReason.OTHER: "其他",
    },
    description="Why whoever was to serve said no to a proposal. No free text: a reason is about the helper, not about whom he would have met.",
    describe={
        MatchDeclineReason.NO_TIME: "The time does not suit.",
        MatchDeclineReason.TOO_FAR: "It is too far.",
        MatchDeclineReason.NOT_ABLE: "He cannot do this kind of service.",
        MatchDeclineReason.ENOUGH: "He serves enough as it is.",
        MatchDeclineReason.OTHER: "Anything else.",
    },
)


class MatchOpenReason(enum.StrEnum):
    """Why a round left a need open: the first rule after which nobody was left."""

    NOBODY_IN_REACH = "NOBODY_IN_REACH"
    NO_SKILL = "NO_SKILL"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    GENDER = "GENDER"
    LANGUAGE = "LANGUAGE"
    NO_TIME = "NO_TIME"
    TOO_FEW = "TOO_FEW"
    ALL_TAKEN = "ALL_TAKEN"
    NOT_IN_HORIZON = "NOT_IN_HORIZON"
    NOT_AUTOMATIC = "NOT_AUTOMATIC"


O = MatchOpenReason  # noqa: E741
labelled(
    MatchOpenReason,
    {
        O.NOBODY_IN_REACH: "服务半径内没有人",
        O.NO_SKILL: "没有人会这项服务",
        O.NO_CERTIFICATE: "没有持证的人",
        O.GENDER: "没有符合性别要求的人",
        O.LANGUAGE: "没有会这种语言的人",
        O.NO_TIME: "合适的人时间都对不上",
        O.TOO_FEW: "同一时间人手不够",
        O.ALL_TAKEN: "合适的人本轮都不能来",
        O.NOT_IN_HORIZON: "本轮日期内没有可服务的时间",
        O.NOT_AUTOMATIC: "本人不接受自动匹配，请人工安排",
    },
    colours={O.NOT_AUTOMATIC: "blue", O.NOT_IN_HORIZON: "grey", O.ALL_TAKEN: "orange", O.TOO_FEW: "orange"},
    description="Why a matching round left a need open: the first rule after which nobody was left for it.",
    describe={
        O.NOBODY_IN_REACH: "Neither anybody's radius nor an offer's areas reach it.",
        O.NO_SKILL: "Nobody of those offers this kind of service.",
        O.NO_CERTIFICATE: "Nobody of those has the certificate that it needs.",
        O.GENDER: "It must be a woman, or a man, and none of those is.",
        O.LANGUAGE: "Nobody of those knows sign language.",
        O.NO_TIME: "Nobody of those has time when it is wanted.",
        O.TOO_FEW: "Some have time, but never as many at once as it wants.",
        O.ALL_TAKEN: "Those who could come cannot in this round: they go elsewhere, or serve enough this week.",
        O.NOT_IN_HORIZON: "It is not wanted in the days that the round planned.",
        O.NOT_AUTOMATIC: "Whom it is for wants no automatic matching (PIPL art. 24): people arrange it.",
    },
)


class Plan(enum.StrEnum):
    """Whose figures they are."""

    ROUND = "ROUND"
    GREEDY = "GREEDY"


class Part(enum.StrEnum):
    """By what coverage is told apart."""

    PRIORITY = "PRIORITY"
    DISTRICT = "DISTRICT"
