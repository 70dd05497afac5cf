"""What a round is asked: needs, providers, the windows in which they have time, as arrays.

Positions are kilometres in a plane (models/territory/geo.py), times are whole minutes from the round's first midnight.
`N` needs, `P` providers, `C` categories, `K` options of a need. Nothing here knows of the database.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[Any]
Floats = NDArray[Any]
Bools = NDArray[Any]

ABSENT = -1
"""No such option, no previous provider."""
SIGN = 3
"""The language that cannot be done without: 手语. 0 is Mandarin, which everybody speaks, 1 Korean, 2 Mongolian."""


@dataclass(frozen=True, eq=False, slots=True)
class Needs:
    """`quantity` different providers at one of the options, or nobody."""

    xy: Floats
    """(N, 2) km"""
    district: Ints
    """Any numbers; used for figures and fairness only."""
    category: Ints
    """0..C-1"""
    certificate: Bools
    """Whether only a provider with a certificate of that category may come."""
    priority: Ints
    """1 routine .. 4 urgent"""
    quantity: Ints
    """Helpers at one time. A need that wants none is never served."""
    gender: Ints
    """0 any, 1 female, 2 male"""
    gender_hard: Bools
    """Whether `gender` is a condition, or only a wish."""
    language: Ints
    """0 Mandarin, 1 Korean, 2 Mongolian, 3 sign language: a wish, and a condition for sign language."""
    duration: Ints
    """minutes"""
    options: Ints
    """(N, K) minutes at which it may begin, in the asker's order; -1: there is no such option."""
    previous: Ints
    """(N, any) who came last time, as `Providers.identity` has them, or -1."""


@dataclass(frozen=True, eq=False, slots=True)
class Providers:
    """Volunteers, and teams of organizations: who can do several tasks at one time."""

    xy: Floats
    """(P, 2) km"""
    skill: Bools
    """(P, C)"""
    certificate: Bools
    """(P, C): counts beside `skill` only."""
    gender: Ints
    """1 female, 2 male, 0 both or none: suits every wish."""
    language: Ints
    """The one spoken beside Mandarin, as `Needs.language`."""
    radius: Floats
    """km that somebody is sent at most; nobody with 0 goes anywhere."""
    scale: Floats
    """km at which nearness is worth nothing any more."""
    reliability: Floats
    """0..1"""
    weekly_cap: Ints
    """Tasks that may still be given, after live commitments were taken off."""
    parallel: Ints
    """Tasks at one instant. With 1 the way between two tasks is kept free, too."""
    identity: Ints
    """One number for all that are the same volunteer or organization."""


@dataclass(frozen=True, eq=False, slots=True)
class Windows:
    """When a provider has time. A task lies wholly in one of them."""

    provider: Ints
    start: Ints
    end: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Busy:
    """Live commitments: time that is taken, and where. They use one of the provider's parallel tasks, not his cap."""

    provider: Ints
    start: Ints
    end: Ints
    xy: Floats


@dataclass(frozen=True, slots=True)
class Weights:
    """The score: see docs/matching.md. A helper is worth the base of his need's priority and his quality."""

    version: str = "1"
    base: tuple[int, int, int, int] = (10_000, 20_000, 40_000, 80_000)
    proximity: int = 3500
    """next door; 0 from the provider's scale on"""
    continuity: int = 2500
    certificate: int = 1500
    reliability: int = 800
    """times the provider's reliability"""
    gender: int = 800
    language: int = 500
    time: tuple[int, ...] = (400, 200)
    """by the option that was taken; 0 for later ones"""


@dataclass(frozen=True, eq=False, slots=True)
class Bounds:
    """What bounds some providers beside distance: the areas that an offer serves. Needs are of sorts, providers of groups."""

    sort: Ints
    """(N)"""
    group: Ints
    """(P)"""
    serves: Bools
    """(groups, sorts)"""


def _no_busy() -> Busy:
    none = np.zeros(0, np.int64)
    return Busy(none, none, none, np.zeros((0, 2)))


def _no_pairs() -> Ints:
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Instance:
    """One round. May be empty in any of its parts."""

    needs: Needs
    providers: Providers
    windows: Windows
    travel: float = 5.0
    """minutes for a kilometre, door to door"""
    busy: Busy = field(default_factory=_no_busy)
    refused: Ints = field(default_factory=_no_pairs)
    """(R, 2) pairs of need and provider that must not meet: a household's own, who said "not me, please"."""
    weights: Weights = field(default_factory=Weights)
    bounds: Bounds | None = None
    worth: Ints | None = None
    """(N, P) what each provider is worth to each need, beside its base, where that is known otherwise: the score is not asked"""

    @property
    def size(self) -> tuple[int, int]:
        """Needs, providers."""
        return len(self.needs.quantity), len(self.providers.weekly_cap)
