"""Who may need care: the tags of residents, how closely each is looked after, and how both are sealed."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection

from models.labels import labelled


class ResidentTag(enum.StrEnum):
    """Why a resident may need care. Sensitive: shown to himself and to his community's staff."""

    LIVES_ALONE = "LIVES_ALONE"
    EMPTY_NEST = "EMPTY_NEST"
    LEFT_BEHIND = "LEFT_BEHIND"
    DEPENDENT = "DEPENDENT"
    SEVERELY_DISABLED = "SEVERELY_DISABLED"
    LOST_ONLY_CHILD = "LOST_ONLY_CHILD"
    CHILD_IN_NEED = "CHILD_IN_NEED"
    LOW_INCOME = "LOW_INCOME"


labelled(
    ResidentTag,
    {
        ResidentTag.LIVES_ALONE: "独居",
        ResidentTag.EMPTY_NEST: "空巢",
        ResidentTag.LEFT_BEHIND: "留守",
        ResidentTag.DEPENDENT: "失能",
        ResidentTag.SEVERELY_DISABLED: "重残",
        ResidentTag.LOST_ONLY_CHILD: "计划生育特殊家庭",
        ResidentTag.CHILD_IN_NEED: "困境儿童",
        ResidentTag.LOW_INCOME: "低收入",
    },
    description="Why a resident may need care. Sensitive: shown to himself and to his community's staff.",
    describe={
        ResidentTag.LIVES_ALONE: "An elder who lives alone.",
        ResidentTag.EMPTY_NEST: "An elder whose children live elsewhere.",
        ResidentTag.LEFT_BEHIND: "Left behind by family who work elsewhere.",
        ResidentTag.DEPENDENT: "Cannot look after himself.",
        ResidentTag.SEVERELY_DISABLED: "Has a severe disability.",
        ResidentTag.LOST_ONLY_CHILD: "A family that lost its only child.",
        ResidentTag.CHILD_IN_NEED: "A child in difficult circumstances.",
        ResidentTag.LOW_INCOME: "A household of low income.",
    },
)

TAGS_WRITTEN = 160
"""Characters in which tags are written: more than all of them together need."""


def read_tags(given: Collection[ResidentTag]) -> list[ResidentTag]:
    """Tags in the order of their table, none twice."""
    return [tag for tag in ResidentTag if tag in given]


def written_tags(given: Collection[ResidentTag]) -> str:
    """Tags as they are sealed: a JSON array, filled up with blanks, so that its length does not tell which they are."""
    return json.dumps(read_tags(given)).ljust(TAGS_WRITTEN)


class CareTier(enum.StrEnum):
    """How closely a resident is looked after."""

    HIGH = "HIGH"
    KEY = "KEY"
    GENERAL = "GENERAL"


labelled(
    CareTier,
    {CareTier.HIGH: "高度关爱", CareTier.KEY: "重点关爱", CareTier.GENERAL: "一般关爱"},
    description="How closely a resident is looked after. It does not say why.",
    colours={CareTier.HIGH: "red", CareTier.KEY: "orange", CareTier.GENERAL: "green"},
    describe={
        CareTier.HIGH: "Needs somebody's eye all the time.",
        CareTier.KEY: "To be looked in on often.",
        CareTier.GENERAL: "To be looked in on now and then.",
    },
)
TIERS: dict[ResidentTag, CareTier] = {
    ResidentTag.DEPENDENT: CareTier.HIGH,
    ResidentTag.SEVERELY_DISABLED: CareTier.HIGH,
    ResidentTag.CHILD_IN_NEED: CareTier.HIGH,
    ResidentTag.LIVES_ALONE: CareTier.KEY,
    ResidentTag.LOST_ONLY_CHILD: CareTier.KEY,
    ResidentTag.LEFT_BEHIND: CareTier.KEY,
    ResidentTag.EMPTY_NEST: CareTier.GENERAL,
    ResidentTag.LOW_INCOME: CareTier.GENERAL,
}
"""How closely whoever has a tag is looked after [choice]; of several tags, the closest."""


def tier_of(tags: Collection[ResidentTag]) -> CareTier | None:
    """How closely somebody with these tags is looked after; None without any."""
    return next((tier for tier in CareTier if tier in {TIERS[tag] for tag in tags}), None)


def written_tier(tags: Collection[ResidentTag]) -> str | None:
    """The tier as it is sealed: JSON, of one length for every tier. None without any tag."""
    tier = tier_of(tags)
    return None if tier is None else json.dumps(tier).ljust(10)
