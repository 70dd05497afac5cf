"""What a round answers: who goes to whom, when; what it is worth; why a need stays open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from models.exchange.matching.instance import Ints


class Cancelled(Exception):
    """Somebody stopped the round. Nothing was answered."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the work: what it is called, the objective after it, and how long it took."""

    name: str
    objective: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What is told while it works: `done` of 1, never less than the last time."""

    stage: str
    done: float
    objective: int


Tell = Callable[[Progress], None]


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """Helper by helper: `need[i]` is served at its option `option[i]` by `provider[i]`. Sorted by need, provider."""

    need: Ints
    option: Ints
    provider: Ints
    objective: int
    """Base by priority and quality, summed over the helpers; without fairness's premiums."""
    stages: tuple[Stage, ...] = ()


class Reason(StrEnum):
    """Why a need stays open: the first hard rule after which nobody is left; for the last two, somebody is."""

    NOBODY_IN_REACH = "NOBODY_IN_REACH"
    """Neither anybody's radius nor an offer's areas reach it, or there is nobody at all."""
    NO_SKILL = "NO_SKILL"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    GENDER = "GENDER"
    LANGUAGE = "LANGUAGE"
    REFUSED = "REFUSED"
    """Those who are left and it must not meet."""
    NO_TIME = "NO_TIME"
    """Nobody who is left has time at any of its options."""
    TOO_FEW = "TOO_FEW"
    """Some have time, but at no option as many as it wants."""
    ALL_TAKEN = "ALL_TAKEN"
    """There are enough; they go elsewhere, or have no task left this week."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plan does for the city."""

    needs: int
    served: int
    helpers: int
    """tasks given out: the sum of the served needs' quantities"""
    wanted: int
    """helpers that all needs want together"""
    coverage: dict[int, float]
    """share of the needs of a priority that are served; priorities without needs are absent"""
    coverage_by_district: dict[int, float]
    worst_district: float
    """the least of them; 1 without needs"""
    mean_km: float
    walkable: float
    """share of the tasks within a 15-minute walk, 1.2 km"""
    continuity: float
    """share of the needs that somebody of the round served last time to which he comes again"""
    mean_quality: float
    load: Ints
    """(P,) tasks of each provider"""
