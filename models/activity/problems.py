"""What sessions, attendances and hours may refuse."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class CapacityBelowAccepted(Problem):
    """The capacity would be less than the places already given."""

    says = "名额不能少于已录取的 {accepted} 人。"
    retry = Retry.CHANGE_INPUT
    accepted: int
    """How many have a place."""


@dataclasses.dataclass(eq=False)
class SessionFull(Problem):
    """Every place is taken."""

    says = "该场次名额已满（{capacity} 人）。"
    retry = Retry.REFRESH
    capacity: int
    """How many places there are."""


@dataclasses.dataclass(eq=False)
class AlreadySignedUp(Problem):
    """The volunteer has, or had, a part in this session: one each."""

    says = "您已报名或曾报名该场次，当前状态“{label}”。"
    retry = Retry.REFRESH
    status: str
    """The state of that attendance."""
    label: str
    """That state's Chinese label."""


@dataclasses.dataclass(eq=False)
class SignUpClosed(Problem):
    """The session takes no sign-ups: it is not open to them, or it is over."""

    says = "该场次不接受报名，或报名已截止。"


@dataclasses.dataclass(eq=False)
class TooLateToWithdraw(Problem):
    """The session has started: who has a place and does not come is absent, or excused by the organizers."""

    says = "场次已开始，不能退出；如不能参加，请联系组织方请假。"
    starts_at: datetime
    """When it started."""


@dataclasses.dataclass(eq=False)
class BelowMinimumAge(Problem):
    """The volunteer is younger than the session asks for."""

    says = "该场次要求年满 {min_age} 周岁。"
    min_age: int
    """The least age in full years."""


@dataclasses.dataclass(eq=False)
class MinorAtNight(Problem):
    """Nobody under 18 serves between 22:00 and 06:00."""

    says = "未满 18 周岁的志愿者不参加 22:00 至次日 6:00 的服务。"


@dataclasses.dataclass(eq=False)
class CheckInClosed(Problem):
    """Check-in is possible from an hour before the session until its end."""

    says = "现在不在签到时间内。"
    retry = Retry.LATER
    opens_at: datetime
    """From when on one may check in."""
    closes_at: datetime
    """Until when one may check in."""


@dataclasses.dataclass(eq=False)
class CheckOutClosed(Problem):
    """Check-out closed two hours after the session's end; a manual proposal of hours mends a forgotten one."""

    says = "签退时间已过，请由组织方申请补录时长。"
    closed_at: datetime
    """Until when one could check out."""


@dataclasses.dataclass(eq=False)
class WrongSignCode(Problem):
    """The code is not this session's."""

    says = "签到码不正确。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class CodeNeeded(Problem):
    """A position is the phone's own word: who checked in by one checks out by the code, or an organizer marks him."""

    says = "仅凭定位不能记时长，请输入签到码签退，或请工作人员点名。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class TooFarAway(Problem):
    """The position lies outside the session's radius."""

    says = "您距服务地点约 {distance_m} 米，须在 {radius_m} 米以内。"
    retry = Retry.CHANGE_INPUT
    distance_m: int
    """How far away, in metres."""
    radius_m: int
    """How near one has to be, in metres."""


@dataclasses.dataclass(eq=False)
class SessionUnsettled(Problem):
    """Somebody has not checked out, or a proposal of hours waits: the roster cannot be confirmed yet."""

    says = "还有 {checked_in} 人未签退、{pending} 条补录待审批，暂不能确认。"
    retry = Retry.LATER
    checked_in: int
    """How many came and have no credit."""
    pending: int
    """How many proposals wait for a decision."""


@dataclasses.dataclass(eq=False)
class SessionNotOver(Problem):
    """This is possible only when the session's time is over."""

    says = "场次结束后才能进行此操作。"
    retry = Retry.LATER
    ends_at: datetime
    """When the session ends."""


@dataclasses.dataclass(eq=False)
class SecondPersonNeeded(Problem):
    """Nobody decides on his own attendance or hours, nor on hours that he proposed: somebody else has to."""

    says = "申请人和志愿者本人不能办理，请由另一位工作人员办理。"


@dataclasses.dataclass(eq=False)
class MinutesOverLimit(Problem):
    """More minutes than the session lasted, or than the day's cap of 12 hours leaves."""

    says = "时长不能超过 {most} 分钟（场次时长与每日 12 小时上限）。"
    retry = Retry.CHANGE_INPUT
    most: int
    """The most that may be credited, in minutes."""


@dataclasses.dataclass(eq=False)
class MoreThanCredited(Problem):
    """One person may only lower a credit. To raise one, reverse it and propose the hours by hand: a second decides."""

    says = "更正后不能超过已记入的 {credited} 分钟；如需增加，请先冲正，再申请补录，由另一位工作人员审批。"
    retry = Retry.CHANGE_INPUT
    credited: int
    """What was credited, in minutes."""


@dataclasses.dataclass(eq=False)
class ProposalPending(Problem):
    """A proposal for this attendance already waits for a decision."""

    says = "该参与记录已有一条待审批的补录申请。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class CreditNotLive(Problem):
    """The entry is not the credit that counts: it was reversed, or it is a reversal."""

    says = "该时长分录已被冲正或不是记入分录，不能再冲正。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class NotServing(Problem):
    """The commitment is not confirmed, or serves another need or provider, so this session cannot carry it."""

    says = "该对接单未确认或不属于本场次，不能安排服务。"
    retry = Retry.REFRESH
