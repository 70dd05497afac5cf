"""Why somebody stands where he stands in a list of matches: the terms of the score, as points and as words.

The database reckons the same (`match_candidates`, `match_needs`, `match_needs_for_offer`), and a test holds both
together on random rows. Distances are rounded to 0.1 km before anything is made of them: points would otherwise tell a
volunteer to a few metres where somebody lives. The sum of the terms is the score: nothing else has a part in it, so that
the explanation is the decision (PIPL art. 24).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable

from models.exchange.weights import Weights
from models.labels import labelled

FAR_KM = 10.0
"""The radius of proximity for offers that name areas and no radius."""
SHOWN_UNIT, CONNECTED_UNIT, ATTENTION_STEPS = 10.0, 3, 2
"""Ten lists in which a need stood weigh as much as a third of a connection; attention halves twice from full to none."""


class MatchTerm(enum.StrEnum):
    """A reason in a score."""

    PROXIMITY = "PROXIMITY"
    CONTINUITY = "CONTINUITY"
    CERTIFICATE = "CERTIFICATE"
    RELIABILITY = "RELIABILITY"
    GENDER = "GENDER"
    LANGUAGE = "LANGUAGE"
    TIME = "TIME"
    ATTENTION = "ATTENTION"


T = MatchTerm
labelled(
    MatchTerm,
    {
        T.PROXIMITY: "距离",
        T.CONTINUITY: "熟人服务",
        T.CERTIFICATE: "专业资质",
        T.RELIABILITY: "履约情况",
        T.GENDER: "性别意愿",
        T.LANGUAGE: "语言",
        T.TIME: "时间意愿",
        T.ATTENTION: "关注度",
    },
    description="A reason in the score of a match. The points of all reasons together are the score.",
    describe={
        T.PROXIMITY: "The nearer, the more: all at the door, none at the edge of the provider's radius.",
        T.CONTINUITY: "The same helper as the last time in this category.",
        T.CERTIFICATE: "A checked and valid paper that the need asks for, or that speaks for its field.",
        T.RELIABILITY: "How dependably promises were kept until now.",
        T.GENDER: "Of the gender that was wished for; full where none was.",
        T.LANGUAGE: "Speaks the language that is wanted; full where Mandarin will do.",
        T.TIME: "At the time that was the asker's first or second choice.",
        T.ATTENTION: "What nobody has looked at yet rises, what was shown or connected often sinks.",
    },
)


class Reader(enum.StrEnum):
    """Who reads the reasons."""

    STAFF = "STAFF"
    VOLUNTEER = "VOLUNTEER"
    ORGANIZATION = "ORGANIZATION"


ALIKE = {
    T.CERTIFICATE: "持证",
    T.RELIABILITY: "履约情况",
    T.GENDER: "符合性别意愿",
    T.LANGUAGE: "语言相通",
    T.TIME: "时间合意",
    T.ATTENTION: "关注度",
}
"""What a term says to most."""
PHRASES: dict[Reader, dict[MatchTerm, str]] = {
    Reader.STAFF: {**ALIKE, T.PROXIMITY: "距需求{km}公里", T.CONTINUITY: "上次也是TA服务"},
    Reader.VOLUNTEER: {
        **ALIKE,
        T.PROXIMITY: "距您{km}公里",
        T.CONTINUITY: "上次也是您服务",
        T.CERTIFICATE: "您持证",
        T.RELIABILITY: "您的履约情况",
    },
    Reader.ORGANIZATION: {**ALIKE, T.PROXIMITY: "距贵单位{km}公里", T.CONTINUITY: "上次也是贵单位服务"},
}
"""What a term says to whom; `{km}` is the distance. A term whose points are 0 says nothing."""
UNASKED = {T.GENDER: "不限性别", T.LANGUAGE: "普通话即可"}
"""What is said of a wish that nobody had."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """What a provider and a need are to each other, hard rules apart."""

    km: float | None
    """Rounded by `near`; None for an offer whose place is unknown."""
    radius: float | None
    continuity: bool = False
    certificate: bool = False
    reliability: float = 0.8
    gender_asked: bool = False
    gender: bool = True
    """Whether the wish for a gender is met; true where there is none, or the provider's is unknown."""
    language_asked: bool = False
    language: bool = True
    choice: int | None = None
    """The place of the appointment in the asker's order, from 0; None where any time will do."""
    shown: int = 0
    connected: int = 0
    listed: bool = False
    """Whether it is needs that are ranked: only those have attention to share."""


def near(km: float) -> float:
    """A distance as it may be told: to 0.1 km."""
    return math.floor(km * 10 + 0.5) / 10


def distance(x1: float, y1: float, x2: float, y2: float) -> float:
    """How far two positions lie apart, in km, without any rounding."""
    return math.sqrt((x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2))


def whole(value: float) -> int:
    """Rounded half up, as the database does it."""
    return math.floor(value + 0.5)


def attention(weight: int, shown: int, connected: int) -> int:
    """The points for a need that was shown and connected so often: `weight` for one that nobody has seen, falling with
    the logarithm to its negative. Connections are counted when they are made, whatever comes of them."""
    seen = math.log(1 + shown / SHOWN_UNIT + connected * CONNECTED_UNIT) / math.log(2.0)
    return whole(weight * max(-1.0, min(1.0, 1 - seen / ATTENTION_STEPS)))


def points(pair: Pair, weights: Weights) -> dict[MatchTerm, int]:
    """The terms of a score, in their order."""
    reach = FAR_KM if pair.radius is None else pair.radius
    close = 0 if pair.km is None else whole(weights.proximity * max(0.0, 1 - pair.km / reach))
    choices = {0: weights.first_choice, 1: weights.second_choice}
    return {
        T.PROXIMITY: close,
        T.CONTINUITY: weights.continuity if pair.continuity else 0,
        T.CERTIFICATE: weights.certificate if pair.certificate else 0,
        T.RELIABILITY: whole(weights.reliability * pair.reliability),
        T.GENDER: weights.gender if pair.gender else 0,
        T.LANGUAGE: weights.language if pair.language else 0,
        T.TIME: 0 if pair.choice is None else choices.get(pair.choice, 0),
        T.ATTENTION: attention(weights.attention, pair.shown, pair.connected) if pair.listed else 0,
    }


def score(terms: dict[MatchTerm, int]) -> int:
    """The sum of the terms."""
    return sum(terms.values())


def phrase(term: MatchTerm, reader: Reader, km: float | None, *, gender_asked: bool, language_asked: bool) -> str:
    """What a term says to a reader."""
    asked = {T.GENDER: gender_asked, T.LANGUAGE: language_asked}.get(term, True)
    words = PHRASES[reader][term] if asked else UNASKED[term]
    return words.replace("{km}", "" if km is None else f"{km:.1f}")


def sentence(terms: Iterable[tuple[MatchTerm, int]], pair: Pair, reader: Reader) -> str:
    """The terms as one line: 「距您0.6公里 +2800 · 上次也是您服务 +2500」. Terms of no points are left out."""
    told = (
        f"{phrase(t, reader, pair.km, gender_asked=pair.gender_asked, language_asked=pair.language_asked)} {n:+d}"
        for t, n in terms
        if n
    )
    return " · ".join(told)
