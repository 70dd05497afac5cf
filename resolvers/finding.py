"""What lists are looked through for: words, and what is near. The same for every area."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa
import strawberry
from sqlalchemy.dialects.postgresql import ARRAY

from models import search
from models.problems import InvalidInput
from models.territory import asked
from resolvers.engine import words as w
from resolvers.engine.plans import BadInput, storable

R = TypeVar("R")
SEARCH = (
    "With these words, in any order: at least one character each, in Chinese (traditional or simplified), pinyin"
    " (`peizhen`, from three letters on, or the first two letters of a character's) or initials (`pz`). Signs part words;"
    " wildcards are signs. At most 50 characters and 8 words."
)


def by_law(read: Callable[..., R], *given: Any) -> R:
    """What a law of the models makes of an argument. Raises BadInput where that refuses it."""
    try:
        return read(*given)
    except InvalidInput as no:
        raise BadInput(no.reason) from None


def _way(place: int) -> Callable[[Any], list[int]]:
    """The keys of one way of reading what is searched for, with those of the place and category beside it."""
    return lambda given: by_law(
        search.sought, storable(given["search"]), place, given.get("under"), given.get("category")
    )


KEYS = ARRAY(sa.Integer())


OPEN_LAST = frozenset({"urgency", "due_at"})
"""In an order by one of these what is closed, and hardly ever seen, comes first: then nothing is gained by looking there."""


def _common(table: str, ways: Any, first: str) -> Any:
    """Whether what is searched for is common among the first rows of a list."""
    if first in OPEN_LAST:
        return sa.false()
    return sa.func.is_common(sa.literal_column(f"'{table}'"), ways.way0, type_=sa.Boolean())


def searched(description: str) -> Any:
    """The field `search` of a filter, over a table with `grams`."""
    return w.where(
        lambda row, ways: sa.or_(*(row.grams.contains(way) for way in vars(ways).values())),
        reads={f"way{i}": w.Reading(KEYS, _way(i), whole=True) for i in range(search.WAYS)},
        sought=_common,
        description=f"{description} {SEARCH}",
    )


@strawberry.type(description="A part of a text.")
class TextRange:
    start: int = strawberry.field(
        description="Where it begins: how many UTF-16 code units come before it, as JavaScript counts."
    )
    end: int = strawberry.field(description="Where it ends, counted the same way: `text.slice(start, end)`.")


def highlights(text: str, sought: str) -> list[TextRange]:
    """What to highlight of a text for a search. Raises BadInput."""
    places = by_law(search.found_in, text, storable(sought))
    found = [{"start": start, "end": end} for start, end in places]
    return cast(list[TextRange], found)  # the executor reads dicts


@strawberry.input(description="Where from, and how far. Give at most one of the two distances; a 15-minute walk, else.")
class NearInput:
    latitude: float = strawberry.field(description="Degrees north, WGS 84; in the city.")
    longitude: float = strawberry.field(description="Degrees east, WGS 84; in the city.")
    within_km: float | None = strawberry.field(
        default=strawberry.UNSET, description="As the crow flies, in kilometres: 0.1 to 50."
    )
    within_walk_minutes: int | None = strawberry.field(
        default=strawberry.UNSET, description="Minutes on foot, 1 to 120: 15 minutes are 1 km (GB 50180-2018)."
    )


def _placed(given: Mapping[str, Any]) -> tuple[float, float]:
    return by_law(asked.place, given["latitude"], given["longitude"])


READS = {
    "x": w.Reading(sa.Double(), lambda given: _placed(given)[0]),
    "y": w.Reading(sa.Double(), lambda given: _placed(given)[1]),
    "km": w.Reading(
        sa.Double(), lambda given: by_law(asked.reach, given.get("withinKm"), given.get("withinWalkMinutes"))
    ),
}


def near(build: Callable[[Any, Any, Any], Any], description: str) -> Any:
    """The field `near` of a filter: `build(row, near, view)` says whether a row is."""
    return w.where(build, reads=READS, description=description)


def by_distance(found: Callable[[Any, Any, Any], Sequence[tuple[Any, Any, tuple[Any, ...]]]]) -> w.Measure:
    """The measure of a list whose filter has `near`; `found` as in `models.exchange.near`."""
    return w.Measure(
        DISTANCE,
        "near",
        lambda row, near, view: [w.Branch(km, beside, on) for km, beside, on in found(row, near, view)],
        "按距离排序须给出位置（filter.near）。",
    )


DISTANCE = "km_off"


def distance_km(description: str) -> Any:
    """The field `distanceKm` of what a list by distance is of."""
    one: Any = sa.literal_column("1")
    return w.measured(
        DISTANCE,
        lambda km: sa.cast(sa.func.round(sa.cast(km, sa.Numeric()), one), sa.Double()),
        description=description,
    )
