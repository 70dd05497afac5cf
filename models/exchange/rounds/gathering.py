"""From rows to arrays: what the solver is asked, and how its answer is read back.

The solver knows categories by number; here a category is all that a need asks of whoever comes: its service, a skill, a
certificate, a language that offers name. Imported by the worker alone: numpy is not loaded where the API starts.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np

from models.exchange.matching import Bounds, Busy, Instance, Needs, Providers, Weights, Windows
from models.exchange.matching.instance import Ints
from models.exchange.rounds.days import MINUTE, WAY, Days
from models.exchange.rounds.helpers import ALL, GENDERS, TONGUES, Helper, helpers, taken
from models.exchange.rounds.reading import Row, Snapshot
from models.exchange.rounds.states import MatchOpenReason
from models.exchange.rounds.wants import Want, wants
from models.exchange.rules import RISKY
from models.exchange.scoring import FAR_KM
from models.exchange.weights import NAMES
from models.exchange.weights import Weights as Points
from models.territory.rules import DIGITS

NEAR, SMALL = 10.0, 5_000
"""km that nobody is sent beyond in rounds of more than SMALL needs, whatever his radius; but an offer goes wherever its
areas reach."""
DOOR = 0.1
"""km that an offer goes at least: 0 would be nowhere."""
ABSENT = -1
PLACES = 3
"""Appointments of a need, at least so many columns."""
RARE = ("KOREAN", "MONGOLIAN")
"""Languages that are a wish; but an offer serves only in those that it names."""
Kind_ = tuple[str, str | None, str | None, str | None]
"""What a need asks of whoever comes: category, skill, certificate, one of the RARE languages."""


@dataclasses.dataclass(frozen=True)
class Gathered:
    """The instance, and what its numbers stand for."""

    instance: Instance
    days: Days
    wants: list[Want]
    helpers: list[Helper]
    districts: list[str]
    left_out: list[tuple[Row, MatchOpenReason]]
    weights: Points
    weights_version: int


def gather(snapshot: Snapshot, days: Days) -> Gathered:
    """The instance of a snapshot."""
    people = helpers(snapshot, days)
    asked, left_out = wants(snapshot, days, (span for h in people for span in h.spans))
    kinds = sorted({_kind(w) for w in asked}, key=str)
    number = {kind: n for n, kind in enumerate(kinds)}
    districts = sorted({w.row["area"][:6] for w in asked})
    papers = {row["code"]: frozenset(row["certificates"]) for row in snapshot.categories}
    related = {row["code"]: frozenset(row["related"]) for row in snapshot.categories}
    identity = {who: n for n, who in enumerate(dict.fromkeys(_who(h) for h in people))}
    bounds = _bounds(asked, people)
    instance = Instance(
        needs=_needs(asked, number, districts, papers, _previous(snapshot, asked, identity)),
        providers=_providers(
            people, kinds, papers, related, identity, _radii(asked, people, bounds), _avoided(snapshot)
        ),
        windows=_windows(people),
        busy=_busy(snapshot, days, people),
        refused=np.array(list(_refused(snapshot, asked, people)) or np.zeros((0, 2)), np.int64),
        weights=_weights(snapshot.weights),
        bounds=bounds,
    )
    row = snapshot.weights
    said = Points() if row is None else Points(**{name: row[name] for name in NAMES})
    version = 0 if row is None else row["version"]
    return Gathered(instance, days, asked, people, districts, left_out, said, version)


def _kind(want: Want) -> Kind_:
    row = want.row
    return (
        row["category_code"],
        row["skill_code"],
        row["certificate"],
        row["language"] if row["language"] in RARE else None,
    )


def _needs(
    asked: list[Want],
    number: dict[Kind_, int],
    districts: list[str],
    papers: dict[str, frozenset[str]],
    previous: Ints,
) -> Needs:
    columns = max([PLACES, *(len(w.options) for w in asked)])
    options = np.full((len(asked), columns), ABSENT, np.int64)
    for n, want in enumerate(asked):
        for place, time in enumerate(want.options):
            options[n, place] = ABSENT if time is None else time[0]
    rows = [w.row for w in asked]
    numbered = {code: n for n, code in enumerate(districts)}
    return Needs(
        xy=np.array([(r["x"], r["y"]) for r in rows], float).reshape(-1, 2),
        district=np.array([numbered[r["area"][:6]] for r in rows], np.int64),
        category=np.array([number[_kind(w)] for w in asked], np.int64),
        certificate=np.array(
            [r["certificate"] is not None or bool(papers.get(r["category_code"])) for r in rows], bool
        ),
        priority=np.array([r["priority"] for r in rows], np.int64),
        quantity=np.array([w.quantity for w in asked], np.int64),
        gender=np.array([GENDERS.get(r["gender_preference"], 0) for r in rows], np.int64),
        gender_hard=np.array([r["gender_required"] for r in rows], bool),
        language=np.array([TONGUES[r["language"]] for r in rows], np.int64),
        duration=np.array([w.duration for w in asked], np.int64),
        options=options,
        previous=previous,
    )


def _providers(
    people: list[Helper],
    kinds: list[Kind_],
    papers: dict[str, frozenset[str]],
    related: dict[str, frozenset[str]],
    identity: dict[UUID, int],
    radii: list[float],
    avoided: dict[UUID, frozenset[str]],
) -> Providers:
    skill = np.zeros((len(people), len(kinds)), bool)
    certificate = np.zeros_like(skill)
    known: dict[Any, tuple[Any, Any]] = {}
    for p, h in enumerate(people):
        key = h.categories, h.skills, h.certificates, h.minor, h.areas is not None and h.tongues, avoided.get(_who(h))
        if key not in known:
            able = np.array([_able(h, kind, key[-1] or frozenset()) for kind in kinds], bool)
            known[key] = able, np.array([_certified(h, kind, papers, related) for kind in kinds], bool)
        skill[p], certificate[p] = known[key]
    return Providers(
        xy=np.array([(h.x, h.y) for h in people], float).reshape(-1, 2),
        skill=skill,
        certificate=certificate,
        gender=np.array([h.gender for h in people], np.int64),
        language=np.array([h.tongue for h in people], np.int64),
        radius=np.array(radii, float),
        scale=np.array([h.radius or FAR_KM for h in people], float),
        reliability=np.array([h.reliability for h in people], float),
        weekly_cap=np.array([h.cap for h in people], np.int64),
        parallel=np.array([h.parallel for h in people], np.int64),
        identity=np.array([identity[_who(h)] for h in people], np.int32),
    )


def _bounds(asked: list[Want], people: list[Helper]) -> Bounds:
    """Which needs an offer serves by its areas, and by the unit that it is counted in; volunteers go anywhere."""
    sorts: dict[tuple[str, str, float, float], int] = {}
    groups: dict[tuple[tuple[str, ...] | None, str | None], int] = {}
    sort = [sorts.setdefault(_sort(w), len(sorts)) for w in asked]
    group = [groups.setdefault((h.areas, h.unit), len(groups)) for h in people]
    within: dict[str, list[int]] = defaultdict(list)
    for (area, *_), n in sorts.items():
        for code in {area, *(area[:digits] for digits in DIGITS.values())}:
            within[code].append(n)
    units = np.array([unit for _, unit, _, _ in sorts])
    serves = np.zeros((len(groups), len(sorts)), bool)
    for (areas, unit), n in groups.items():
        for code in areas or ():
            serves[n, within.get(code, [])] = True
        serves[n] = True if areas is None else serves[n] & (units == unit)
    return Bounds(np.array(sort, np.int64), np.array(group, np.int64), serves)


def _sort(want: Want) -> tuple[str, str, float, float]:
    """Needs of which an offer serves all or none: of one area and unit. And where they lie."""
    return want.row["area"], want.row["unit"], want.row["x"], want.row["y"]


def _radii(asked: list[Want], people: list[Helper], bounds: Bounds) -> list[float]:
    """How far each goes, in km: as far as he says, in a large round no farther than NEAR; an offer that names areas and
    no radius as far as the farthest need in them."""
    most = NEAR if len(asked) > SMALL else math.inf
    _, first = np.unique(bounds.sort, return_index=True)
    places = np.array([_sort(asked[n])[2:] for n in first], float).reshape(-1, 2)
    found = []
    for h, group in zip(people, bounds.group, strict=True):
        if h.radius is None:
            way = places[bounds.serves[group]] - (h.x, h.y)
            found.append(float(np.hypot(way[:, 0], way[:, 1]).max(initial=DOOR)))
        else:
            found.append(min(h.radius, most))
    return found


def _able(helper: Helper, kind: Kind_, avoided: frozenset[str]) -> bool:
    """Whether somebody serves a category, or the one above it, and has the skill that is asked for. Who wishes to have
    nothing to do with a category does not serve it."""
    category, skill, _, language = kind
    its = {category, category.partition(".")[0]}
    serves = bool({*its, ALL} & helper.categories) and not its & avoided
    speaks = language is None or helper.areas is None or language in helper.tongues
    return serves and speaks and (skill is None or skill in helper.skills) and not (helper.minor and category in RISKY)


def _avoided(snapshot: Snapshot) -> dict[UUID, frozenset[str]]:
    """The categories with which somebody wishes to have nothing to do."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for row in snapshot.avoidances:
        if row["category_code"] is not None:
            found[row["person_id"]].add(row["category_code"])
    return {who: frozenset(codes) for who, codes in found.items()}


def _certified(
    helper: Helper, kind: Kind_, papers: dict[str, frozenset[str]], related: dict[str, frozenset[str]]
) -> bool:
    """Whether somebody holds what is asked for; where nothing is, whether he holds what speaks for him in that field."""
    category, _, certificate, _ = kind
    taken = papers.get(category, frozenset())
    if certificate is None and not taken:
        return bool(helper.certificates & related.get(category, frozenset()))
    return (certificate is None or certificate in helper.certificates) and (
        not taken or bool(taken & helper.certificates)
    )


def _windows(people: list[Helper]) -> Windows:
    flat = [(p, start, end) for p, h in enumerate(people) for start, end in h.spans]
    table = np.array(flat, np.int64).reshape(-1, 3)
    return Windows(table[:, 0], table[:, 1], table[:, 2])


def _busy(snapshot: Snapshot, days: Days, people: list[Helper]) -> Busy:
    """What is promised takes its time of whoever promised it, in the week in which it lies."""
    by_key: dict[UUID, list[int]] = defaultdict(list)
    for p, h in enumerate(people):
        by_key[h.person or h.offer].append(p)  # type: ignore[index]  # one of the two is there
    flat, slack = [], WAY // MINUTE
    for t in taken(snapshot, days):
        for p in by_key.get(t.key, ()):
            h = people[p]
            if h.spans[0][0] - slack < t.end and t.start < h.spans[-1][1] + slack:
                flat.append((p, t.start, t.end, h.x if t.x is None else t.x, h.y if t.y is None else t.y))
    table = np.array(flat, float).reshape(-1, 5)
    whole = table[:, :3].astype(np.int64)
    return Busy(whole[:, 0], whole[:, 1], whole[:, 2], table[:, 3:5])


def _who(helper: Helper) -> UUID:
    """The volunteer, or the organization, that somebody is in every week and offer."""
    who = helper.person or helper.organization
    assert who is not None
    return who


def _previous(snapshot: Snapshot, asked: list[Want], identity: dict[UUID, int]) -> Ints:
    """(N, 2) who served whom a need is for the last time in this category: volunteers and organizations."""
    found = np.full((len(asked), 2), ABSENT, np.int32)
    place = {want.id: n for n, want in enumerate(asked)}
    for row in snapshot.previous:
        if row["need_id"] in place:
            found[place[row["need_id"]], row["side"]] = identity.get(row["helper"], ABSENT)
    return found


def _refused(snapshot: Snapshot, asked: list[Want], people: list[Helper]) -> Iterator[tuple[int, int]]:
    """(need, helper) that must not meet, for whatever reason: it is told to nobody which."""
    by_person: dict[UUID, list[int]] = defaultdict(list)
    by_offer: dict[UUID, list[int]] = defaultdict(list)
    by_household: dict[str, list[int]] = defaultdict(list)
    for p, h in enumerate(people):
        if h.person is not None:
            by_person[h.person].append(p)
        if h.offer is not None:
            by_offer[h.offer].append(p)
        if h.household is not None:
            by_household[h.household].append(p)
    place = {want.id: n for n, want in enumerate(asked)}
    for row in (*snapshot.served, *snapshot.declined):
        n = place.get(row["need_id"])
        if n is not None:
            yield from ((n, p) for p in by_person.get(row["person_id"], ()))
            yield from ((n, p) for p in by_offer.get(row["offer_id"], ()))
    persons: dict[UUID, set[UUID]] = defaultdict(set)
    for row in snapshot.avoidances:
        if row["category_code"] is None:
            persons[row["person_id"]].add(row["avoided_person_id"])
            persons[row["avoided_person_id"]].add(row["person_id"])
    for n, want in enumerate(asked):
        for who in want.people:
            for p in by_person.get(who, ()):
                yield n, p
        for other in persons.get(want.served, ()):
            yield from ((n, p) for p in by_person.get(other, ()))
        household = want.row["household"]
        if household is not None:
            yield from ((n, p) for p in by_household.get(household, ()))


def _weights(row: Row | None) -> Weights:
    """The weights in force, as the solver knows them; its own where none are."""
    if row is None:
        return Weights()
    return Weights(
        version=str(row["version"]),
        proximity=row["proximity"],
        continuity=row["continuity"],
        certificate=row["certificate"],
        reliability=row["reliability"],
        gender=row["gender"],
        language=row["language"],
        time=(row["first_choice"], row["second_choice"]),
    )
