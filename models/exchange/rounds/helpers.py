"""Who could help in a round: volunteers in their week, organizations' offers at their times, once for each week.

Caps are by the week, and a round may touch three: so somebody is a provider of his own in each, with what he may still
do in it and when he has time in it. He is at one place at a time all the same, for no time lies in two weeks.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from models.exchange.rounds.days import DAY, Days, joined, within
from models.exchange.rounds.reading import Row, Snapshot

Spans = list[tuple[int, int]]
ALL = "*"
"""Whoever names no category helps in all."""
TONGUES = {"MANDARIN": 0, "KOREAN": 1, "MONGOLIAN": 2, "SIGN": 3}
GENDERS = {"FEMALE": 1, "MALE": 2}
UNSAID = 3
"""A gender that nobody asked for: it suits no wish, and so no bar."""
ANYBODY = 0
"""Of an organization, which sends whom it is asked for."""
OFFER_RELIABILITY = 0.8
MORNING, EVENING = 6 * 60, 22 * 60
"""Nobody under 18 serves outside these minutes of a day (I10)."""


@dataclasses.dataclass(frozen=True, slots=True)
class Helper:
    """A volunteer, or an offer, in one week."""

    person: UUID | None
    offer: UUID | None
    organization: UUID | None
    week: int
    x: float
    y: float
    radius: float | None
    """km; None for an offer that names areas alone: it goes wherever they reach."""
    cap: int
    parallel: int
    gender: int
    tongues: frozenset[str]
    reliability: float
    categories: frozenset[str]
    skills: frozenset[str]
    certificates: frozenset[str]
    spans: tuple[tuple[int, int], ...]
    areas: tuple[str, ...] | None = None
    """The codes that an offer serves; None for a volunteer, who goes as far as he goes."""
    unit: str | None = None
    household: str | None = None
    minor: bool = False

    @property
    def tongue(self) -> int:
        """The one language besides Mandarin by which he is planned: signing, if he signs."""
        return max((TONGUES[t] for t in self.tongues), default=0)


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """Time that is promised: whose, when, and where, if that is known."""

    key: UUID
    start: int
    end: int
    x: float | None
    y: float | None


def helpers(snapshot: Snapshot, days: Days) -> list[Helper]:
    """Everybody who has time in a week, and may do something in it."""
    return [*_volunteers(snapshot, days), *_offers(snapshot, days)]


def taken(snapshot: Snapshot, days: Days) -> list[Taken]:
    """All time that is promised already, or proposed by other rounds."""
    rows = (*snapshot.bookings, *snapshot.held, *snapshot.pending)
    return [
        Taken(_key(row), days.minute(row["starts_at"]), days.minute(row["ends_at"]), row["x"], row["y"])
        for row in rows
        if row["ends_at"] is not None
    ]


def _key(row: Row) -> UUID:
    found: UUID = row["person_id"] if row.get("offer_id") is None else row["offer_id"]
    return found


def loads(snapshot: Snapshot, days: Days) -> Mapping[tuple[UUID, int], int]:
    """How many tasks of each week somebody has already."""
    out: dict[tuple[UUID, int], int] = defaultdict(int)
    for row in (*snapshot.bookings, *snapshot.held, *snapshot.pending):
        out[_key(row), days.week(days.minute(row["starts_at"]))] += 1
    return out


def _volunteers(snapshot: Snapshot, days: Days) -> Iterator[Helper]:
    weekly: dict[UUID, list[Row]] = defaultdict(list)
    for row in snapshot.windows:
        weekly[row["person_id"]].append(row)
    away: dict[UUID, list[tuple[date, date]]] = defaultdict(list)
    for row in snapshot.absences:
        away[row["person_id"]].append((row["starts_on"], row["ends_on"]))
    papers: dict[UUID, list[Row]] = defaultdict(list)
    for row in snapshot.qualifications:
        papers[row["person_id"]].append(row)
    load = loads(snapshot, days)
    for v in snapshot.volunteers:
        who = v["person_id"]
        minor = v["adult_on"] > days.first
        spans = _week_of(weekly[who], away[who], days, minor=minor)
        for week in range(days.weeks):
            start, end = days.of_week(week)
            free, cap = within(spans, start, end), v["weekly_cap"] - load.get((who, week), 0)
            if not free or cap <= 0:
                continue
            last = (days.at(end) - timedelta(minutes=1)).date()
            valid = (q["type"] for q in papers[who] if q["valid_to"] is None or q["valid_to"] >= last)
            yield Helper(
                person=who,
                offer=None,
                organization=None,
                week=week,
                x=v["x"],
                y=v["y"],
                radius=v["radius_km"],
                cap=cap,
                parallel=1,
                gender=GENDERS.get(v["gender"], UNSAID),
                tongues=frozenset(v["languages"]),
                reliability=v["reliability"],
                categories=frozenset(v["categories"] or [ALL]),
                skills=frozenset(v["skills"]),
                certificates=frozenset(valid),
                spans=tuple(free),
                household=v["household"],
                minor=minor,
            )


def _week_of(windows: list[Row], away: list[tuple[date, date]], days: Days, *, minor: bool) -> Spans:
    """A volunteer's hours on the days of a round: hours that touch are one, so that a task may lie across."""
    spans = []
    for place, day in enumerate(days.dates()):
        if any(first <= day <= last for first, last in away):
            continue
        for row in windows:
            if row["weekday"] != day.isoweekday():
                continue
            start, end = row["from_minute"], row["to_minute"]
            if minor:
                start, end = max(start, MORNING), min(end, EVENING)
            if start < end:
                spans.append((place * DAY + start, place * DAY + end))
    return within(joined(spans), days.earliest, days.length)


def _offers(snapshot: Snapshot, days: Days) -> Iterator[Helper]:
    times: dict[UUID, Spans] = defaultdict(list)
    for row in snapshot.occurrences:
        times[row["offer_id"]].append((days.minute(row["starts_at"]), days.minute(row["ends_at"])))
    load = loads(snapshot, days)
    proposed = Counter(row["offer_id"] for row in snapshot.pending)
    for o in snapshot.offers:
        notice = days.minute(snapshot.at) + o["min_notice_minutes"] + 1
        spans = within(times[o["id"]], max(days.earliest, notice), days.length)
        if o["weekly_cap"] is None:
            spread: Any = {0: spans}
        else:
            spread = {w: within(spans, *days.of_week(w)) for w in range(days.weeks)}
        left = o["remaining"] - proposed[o["id"]]
        for week, free in spread.items():
            most = left if o["weekly_cap"] is None else o["weekly_cap"] - load.get((o["id"], week), 0)
            cap = min(left, most)
            if not free or cap <= 0:
                continue
            left -= cap  # what one week may take is not there for the next
            yield Helper(
                person=None,
                offer=o["id"],
                organization=o["organization_id"],
                week=week,
                x=o["x"],
                y=o["y"],
                radius=o["radius_km"],
                cap=cap,
                parallel=o["parallel"],
                gender=ANYBODY,
                tongues=frozenset(o["languages"]),
                reliability=OFFER_RELIABILITY,
                categories=frozenset([o["category_code"]]),
                skills=frozenset(o["skills"]),
                certificates=frozenset(o["certificates"]),
                spans=tuple(free),
                areas=tuple(o["service_areas"]),
                unit=o["unit"],
            )
