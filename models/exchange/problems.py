"""What the marketplace refuses, by name."""

from __future__ import annotations

import dataclasses

import models.exchange.rounds.problems  # noqa: F401 - its classes register themselves
from models.exchange.kinds import Missing
from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class NeedFullyCommitted(Problem):
    """Less of the need is left than was asked for; others were first."""

    says = "该需求只剩 {remaining} 个名额，无法按此数量认领。"
    retry = Retry.REFRESH
    remaining: int
    """How much is still left, overdue holds counted as released."""


@dataclasses.dataclass(eq=False)
class OfferExhausted(Problem):
    """Less of the offer is left than was asked for."""

    says = "该供给只剩 {remaining}，数量不足。"
    retry = Retry.REFRESH
    remaining: int
    """How much is still left, overdue holds counted as released."""


@dataclasses.dataclass(eq=False)
class AlreadyCommitted(Problem):
    """This provider has a live commitment to the need already (I3)."""

    says = "该服务方已认领此需求，请勿重复认领。"


@dataclasses.dataclass(eq=False)
class OwnNeed(Problem):
    """Nobody earns hours by serving a need of his own or of his household."""

    says = "不能认领本人或本户提出的需求。"


@dataclasses.dataclass(eq=False)
class VolunteerInactive(Problem):
    """The volunteer's registration is not active, or he is none of this organization's."""

    says = "该志愿者尚未注册生效，或不是本组织的志愿者。"


@dataclasses.dataclass(eq=False)
class OfferDoesNotFit(Problem):
    """The offer cannot serve this need."""

    says = "该供给与需求不符：{reason}。"
    retry = Retry.CHANGE_INPUT
    reason: str
    """What does not fit, in a phrase."""


@dataclasses.dataclass(eq=False)
class NotQualified(Problem):
    """Whoever would serve lacks what the need requires of him: a skill, a certificate, sign language, or the gender that
    the beneficiary insists on."""

    says = "不符合该需求的要求：{missing}。"
    missing: Missing
    """What he lacks."""


@dataclasses.dataclass(eq=False)
class OtherAppointment(Problem):
    """Others serve the need at another of its appointments: all serve it at the same."""

    says = "其他人已选定该需求的第 {number} 个时段，请选择同一时段。"
    retry = Retry.CHANGE_INPUT
    number: int
    """Which of the appointments was chosen, counted from 1."""


@dataclasses.dataclass(eq=False)
class CashNeed(Problem):
    """Nobody claims a need of money, nor is it shown to the public: a fund pays (Charity Law art. 124)."""

    says = "资金救助需求不开放认领，请转介基金会办理。"


@dataclasses.dataclass(eq=False)
class NotForParty(Problem):
    """A party unit takes on livelihood items of its own area, nothing else."""

    says = "党组织只能认领本辖区的民生实事。"


@dataclasses.dataclass(eq=False)
class EvidenceMissing(Problem):
    """A livelihood item is settled with evidence: a written result, or at least one attachment. 销号."""

    says = "销号须填写办理结果或上传佐证材料。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class NotYourTurn(Problem):
    """The other side has to answer, not the one that made the first move."""

    says = "正在等待对方答复，您不能代为接受。"


@dataclasses.dataclass(eq=False)
class OverlappingBooking(Problem):
    """The volunteer has promised this time to something else (I6)."""

    says = "该志愿者在这个时间段已有其他安排。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class CommitmentsUnderWay(Problem):
    """Commitments stand in the way: end them first."""

    says = "还有 {count} 个进行中的对接，须先处理。"
    retry = Retry.REFRESH
    count: int
    """How many."""


@dataclasses.dataclass(eq=False)
class QuantityBelowCommitted(Problem):
    """The quantity cannot go below what is promised already."""

    says = "数量不能少于已对接的 {committed}。"
    retry = Retry.CHANGE_INPUT
    committed: int
    """How much is promised already."""


@dataclasses.dataclass(eq=False)
class ReopenTooLate(Problem):
    """A closed need may be asked for again for 15 days, and once."""

    says = "办结满 {days} 天或已重新提出过一次，不能再次提出，请新建需求。"
    days: int
    """For how many days it was possible."""


@dataclasses.dataclass(eq=False)
class TooEarly(Problem):
    """The agreed time has not begun."""

    says = "约定的服务时间还没有开始。"
    retry = Retry.LATER


@dataclasses.dataclass(eq=False)
class RestrictedNeed(Problem):
    """A RESTRICTED need is served by the staff named for it, nobody else."""

    says = "敏感需求只能由指定的工作人员承接。"
