"""What can be refused about consents and the requests of data subjects."""

from __future__ import annotations

import dataclasses

from models.labels import label
from models.privacy.rules import ErasureBar
from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class OldConsentText(Problem):
    """Only the version that is in force can be agreed to."""

    says = "该文本已更新为 {current} 版，请阅读后再同意。"
    retry = Retry.REFRESH
    current: str
    """The version in force."""


@dataclasses.dataclass(eq=False)
class NotGuardian(Problem):
    """Only a guardian whom the community's staff has verified acts for a child, and only until it is 14."""

    says = "您不是该儿童经社区核实的监护人，或其已满十四周岁。"


@dataclasses.dataclass(eq=False)
class GuardianTooNew(Problem):
    """Whoever was verified as a guardian only lately has a child's account not erased yet: it cannot be undone."""

    says = "核实为监护人满 {days} 天后，方可为儿童注销账户。"
    retry = Retry.LATER
    days: int
    """For how many days at least."""


@dataclasses.dataclass(eq=False)
class GuardianshipExists(Problem):
    """This guardianship is on record already."""

    says = "该监护关系已登记。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class CorrectionUnproven(Problem):
    """Who somebody is, and how he is reached, is held against papers by his community's staff, and by nobody else."""

    says = "更正姓名、手机号、出生日期或证件号码须由社区核对，请先登记到所在社区。"


@dataclasses.dataclass(eq=False)
class RequestPending(Problem):
    """A request of this kind is being handled; another would say the same."""

    says = "已有一项同类请求正在办理。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class ErasureBlocked(Problem):
    """Something is still open that must be ended before an account can be erased."""

    says = "注销前须先处理：{named}。"
    retry = Retry.CHANGE_INPUT
    by: list[ErasureBar]
    """What stands in the way."""

    @property
    def message(self) -> str:
        """The sentence, with the bars' labels in it."""
        return self.says.format(named="、".join(label(bar) for bar in self.by))
