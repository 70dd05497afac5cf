"""The laws of places: levels of divisions, the shape of their codes, and which counts are published about them.

A code begins with its parent's code (GB/T 2260 and the statistical division codes of the National Bureau of
Statistics; the last three digits of a grid are local), so that a scope is a range of codes.
"""

from __future__ import annotations

import enum

from models.labels import labelled


class DivisionLevel(enum.StrEnum):
    """The level of an administrative division."""

    CITY = "CITY"
    DISTRICT = "DISTRICT"
    STREET = "STREET"
    COMMUNITY = "COMMUNITY"
    VILLAGE = "VILLAGE"


labelled(
    DivisionLevel,
    {
        DivisionLevel.CITY: "市",
        DivisionLevel.DISTRICT: "区县（市）",
        DivisionLevel.STREET: "街道（乡镇）",
        DivisionLevel.COMMUNITY: "社区",
        DivisionLevel.VILLAGE: "村",
    },
    description="The level of an administrative division.",
    describe={
        DivisionLevel.CITY: "The city; a code of 4 digits.",
        DivisionLevel.DISTRICT: "A district, county or county-level city; 6 digits (GB/T 2260).",
        DivisionLevel.STREET: "A street, town or township; 9 digits.",
        DivisionLevel.COMMUNITY: "An urban community with a residents' committee; 12 digits.",
        DivisionLevel.VILLAGE: "A village with a villagers' committee; 12 digits.",
    },
)

DIGITS = {
    DivisionLevel.CITY: 4,
    DivisionLevel.DISTRICT: 6,
    DivisionLevel.STREET: 9,
    DivisionLevel.COMMUNITY: 12,
    DivisionLevel.VILLAGE: 12,
}
"""How many digits the code of each level has."""

GRID_DIGITS = 15
"""A grid's code: its community's, and three digits of its own."""

UNDER: dict[DivisionLevel, DivisionLevel | None] = {
    DivisionLevel.CITY: None,
    DivisionLevel.DISTRICT: DivisionLevel.CITY,
    DivisionLevel.STREET: DivisionLevel.DISTRICT,
    DivisionLevel.COMMUNITY: DivisionLevel.STREET,
    DivisionLevel.VILLAGE: DivisionLevel.STREET,
}
"""The level of each level's parent."""


class Measure(enum.StrEnum):
    """What a published count counts."""

    DISTRICTS = "DISTRICTS"
    STREETS = "STREETS"
    COMMUNITIES = "COMMUNITIES"
    RESIDENT_COMMITTEES = "RESIDENT_COMMITTEES"
    VILLAGE_COMMITTEES = "VILLAGE_COMMITTEES"
    GRIDS = "GRIDS"
    BUILDING_GROUPS = "BUILDING_GROUPS"
    PARTY_HOUSEHOLDS = "PARTY_HOUSEHOLDS"


labelled(
    Measure,
    {
        Measure.DISTRICTS: "区县（市）数",
        Measure.STREETS: "街道（乡镇）数",
        Measure.COMMUNITIES: "社区数",
        Measure.RESIDENT_COMMITTEES: "居民委员会数",
        Measure.VILLAGE_COMMITTEES: "村民委员会数",
        Measure.GRIDS: "网格（党支部）数",
        Measure.BUILDING_GROUPS: "楼院（党小组）数",
        Measure.PARTY_HOUSEHOLDS: "党员中心户数",
    },
    description="What a published count counts.",
    describe={
        Measure.DISTRICTS: "Districts, counties and county-level cities.",
        Measure.STREETS: "Streets, towns and townships.",
        Measure.COMMUNITIES: "Communities.",
        Measure.RESIDENT_COMMITTEES: "Residents' committees.",
        Measure.VILLAGE_COMMITTEES: "Villagers' committees.",
        Measure.GRIDS: "Grids, published as grid party branches.",
        Measure.BUILDING_GROUPS: "Buildings and courtyards, published as building party groups.",
        Measure.PARTY_HOUSEHOLDS: "Households of party members who serve as hubs.",
    },
)


class ServicePointKind(enum.StrEnum):
    """What a service point is for."""

    SOCIAL_WORK_STATION = "SOCIAL_WORK_STATION"
    PARTY_SERVICE_CENTRE = "PARTY_SERVICE_CENTRE"
    ELDERLY_STATION = "ELDERLY_STATION"
    CHARITY_MARKET = "CHARITY_MARKET"
    VOLUNTEER_STATION = "VOLUNTEER_STATION"


labelled(
    ServicePointKind,
    {
        ServicePointKind.SOCIAL_WORK_STATION: "社工站",
        ServicePointKind.PARTY_SERVICE_CENTRE: "党群服务中心",
        ServicePointKind.ELDERLY_STATION: "养老服务站",
        ServicePointKind.CHARITY_MARKET: "慈善超市",
        ServicePointKind.VOLUNTEER_STATION: "志愿服务站",
    },
    description="What a service point is for.",
    describe={
        ServicePointKind.SOCIAL_WORK_STATION: "Where social workers receive people, one for a street.",
        ServicePointKind.PARTY_SERVICE_CENTRE: "A community's hall, with the counters of the residents' committee.",
        ServicePointKind.ELDERLY_STATION: "Meals, day care and company for elders.",
        ServicePointKind.CHARITY_MARKET: "Gifts in kind are taken in, and given out to whom they are for.",
        ServicePointKind.VOLUNTEER_STATION: "Where volunteers sign up and set out.",
    },
)


def is_code(given: str) -> bool:
    """Whether a text has the shape of a division's or a grid's code."""
    return given.isascii() and given.isdigit() and len(given) in {*DIGITS.values(), GRID_DIGITS}


def parent_code(code: str) -> str | None:
    """The code of the unit above a division or grid; None for a city. Raises ValueError for what is no code."""
    if not is_code(code):
        raise ValueError(code)
    return {4: None, 6: code[:4], 9: code[:6], 12: code[:9], 15: code[:12]}[len(code)]


def community_code(area: str) -> str | None:
    """The community that an area lies in or is; None for wider areas."""
    return area[:12] if len(area) >= 12 else None


def grid_code(community: str, number: int) -> str:
    """The code of a community's n-th grid, 1 to 999. Raises ValueError outside."""
    if len(community) != 12 or not 1 <= number <= 999:
        raise ValueError((community, number))
    return f"{community}{number:03d}"


def is_under(code: str, above: str) -> bool:
    """Whether a unit lies in another one, or is it."""
    return code.startswith(above)
