"""What rounds refuse, by name."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class RoundUnderWay(Problem):
    """A round over the same place, or a part of it, or what it is a part of, is under way."""

    says = "该区域已有一轮匹配在进行（{no}），请等它结束。"
    retry = Retry.LATER
    no: str
    """Its number."""


@dataclasses.dataclass(eq=False)
class ProposalLapsed(Problem):
    """The time to answer is over."""

    says = "该建议已过答复时间。"
