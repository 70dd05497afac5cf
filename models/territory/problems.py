"""What can be refused about places: an assignment of a grid's officer that does not fit."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class NotGridOfficer(Problem):
    """The person has no valid membership as a grid officer of that grid."""

    says = "该人员目前不是网格“{grid}”的网格员，请先授予任职。"
    retry = Retry.CHANGE_INPUT
    grid: str
    """The grid's name."""
