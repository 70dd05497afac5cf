"""How much each reason counts in a list of matches: configuration, in versions that are kept.

Who reads a suggestion later finds which weights it was made with. The first version's are those that were measured
best on the city's instances (docs/decisions/matching.md).
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import public
from models.base import APPEND_ONLY, Table, check, instant, key, text, to
from models.problems import InvalidInput

MOST = 10_000
"""The largest weight: three times the one for proximity, so that no single reason silences all others for good."""

public("match_weights")


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """Points that a reason gives at most; `first_choice` and `second_choice` are for the asker's preferred times."""

    proximity: int = 3500
    continuity: int = 2500
    certificate: int = 1500
    reliability: int = 800
    gender: int = 800
    language: int = 500
    first_choice: int = 400
    second_choice: int = 200
    attention: int = 600
    """Up to so many more for what nobody has looked at, up to so many less for what was shown often."""


DEFAULTS = Weights()
NAMES = tuple(field.name for field in dataclasses.fields(Weights))


class MatchWeights(Table, table=True):
    """匹配权重: one version. The newest that is valid counts; none is changed or deleted."""

    __tablename__ = "match_weights"
    __table_args__ = (
        sa.UniqueConstraint("version"),
        check("bounded", " AND ".join(f"{name} BETWEEN 0 AND {MOST}" for name in NAMES)),
        {"info": APPEND_ONLY},
    )
    id: UUID = key()
    version: int
    proximity: int
    continuity: int
    certificate: int
    reliability: int
    gender: int
    language: int
    first_choice: int
    second_choice: int
    attention: int
    note: str = text()
    """Why it was set so."""
    made_by: UUID | None = to("person.id", optional=True, index=False)
    """None for the version that the platform came with."""
    valid_from: datetime = instant()


def checked(weights: Weights) -> Weights:
    """Weights that may be set. Raises InvalidInput naming what is out of bounds: 0 to 10,000, the second choice of time
    not above the first, and not all zero: a list without any reason could be explained to nobody (PIPL art. 24)."""
    for name in NAMES:
        if not 0 <= getattr(weights, name) <= MOST:
            raise InvalidInput(field=_camel(name), reason=f"权重须在 0 至 {MOST} 之间。")
    if weights.second_choice > weights.first_choice:
        raise InvalidInput(field="secondChoice", reason="次选时间的权重不能高于首选时间。")
    if not any(getattr(weights, name) for name in NAMES if name != "attention"):
        raise InvalidInput(field="proximity", reason="权重不能全部为零。")
    return weights


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def current(row: Any, view: Any) -> Any:
    """Whether a version is the one that counts now."""
    other = view.rows(MatchWeights)
    newest = sa.select(sa.func.max(other.c.version)).where(other.c.valid_from <= view.actor.now).scalar_subquery()
    return row.version == newest
