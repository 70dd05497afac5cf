"""Every enumeration's Chinese labels, colours, order and next states: registered beside it in its area's rules."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from typing import TypeVar

S = TypeVar("S", bound=enum.StrEnum)


@dataclasses.dataclass(frozen=True)
class Labelled:
    """What front ends need to show an enumeration."""

    values: type[enum.StrEnum]
    description: str
    labels: Mapping[enum.StrEnum, str]
    colours: Mapping[enum.StrEnum, str]
    next: Mapping[enum.StrEnum, tuple[enum.StrEnum, ...]]
    described: Mapping[enum.StrEnum, str]


TABLES: dict[str, Labelled] = {}
"""Every registered enumeration, by its name in the schema."""
COLOURS = ("grey", "blue", "green", "orange", "red")


def labelled(
    values: type[enum.StrEnum],
    labels: Mapping[enum.StrEnum, str],
    *,
    description: str,
    describe: Mapping[enum.StrEnum, str],
    colours: Mapping[enum.StrEnum, str] | None = None,
    next: Mapping[enum.StrEnum, Iterable[enum.StrEnum]] | None = None,
) -> None:
    """Registers an enumeration's labels (Chinese), descriptions (English), colours and next states; each value needs both texts."""
    assert set(labels) == set(values), values
    assert set(describe) == set(values), values
    assert set((colours or {}).values()) <= set(COLOURS), values
    ahead = {v: tuple((next or {}).get(v, ())) for v in values}
    TABLES[values.__name__] = Labelled(
        values, description, labels, {v: (colours or {}).get(v, "grey") for v in values}, ahead, describe
    )


def ahead(transitions: Mapping[tuple[str, S], S]) -> dict[enum.StrEnum, tuple[enum.StrEnum, ...]]:
    """The next states of each state, from a table of transitions {(step, from): to}."""
    out: dict[enum.StrEnum, list[enum.StrEnum]] = {}
    for (_, before), after in transitions.items():
        if after not in out.setdefault(before, []):
            out[before].append(after)
    return {k: tuple(v) for k, v in out.items()}


def label(value: enum.StrEnum) -> str:
    """An enumeration value's Chinese label."""
    return TABLES[type(value).__name__].labels[value]
