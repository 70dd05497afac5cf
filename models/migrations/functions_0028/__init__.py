"""What ranking is made of in SQL, as migration 0028 makes it: mirrors, hard rules, lists (docs/decisions/matching.md)."""

from __future__ import annotations

from models.migrations.functions_0028.lists import CANDIDATES, NEEDS, NEEDS_FOR_OFFER
from models.migrations.functions_0028.mirrors import (
    APPOINTMENTS,
    AVAILABILITY_DUE,
    DEMAND_DUE,
    SMALL,
    WRITTEN,
    triggers,
)
from models.migrations.functions_0028.rules import (
    AGAIN,
    HELPERS,
    LAST,
    NOBODY,
    RELATED,
    RELATED_CERTIFICATES,
    RISKY,
    TRAVEL_SECONDS,
    WEEK_LOAD,
    filled,
)


def listed(values: tuple[str, ...]) -> str:
    """Words as an array's text has them."""
    return "{" + ",".join(values) + "}"


def functions(here: str) -> list[str]:
    """Every statement that makes a function or a view, in an order in which each finds what it needs."""
    whens = " ".join(f"WHEN '{root}' THEN '{listed(types)}'::text[]" for root, types in RELATED.items())
    week = filled(WEEK_LOAD, {"who": "who", "monday": "monday"})
    values = {
        "week": week,
        "nobody": NOBODY,
        "risky": listed(RISKY),
        "travel": str(TRAVEL_SECONDS),
        "whens": whens,
        "here": here,
    }
    out = [
        *(*SMALL, RELATED_CERTIFICATES, APPOINTMENTS, AVAILABILITY_DUE, DEMAND_DUE, *HELPERS, LAST, AGAIN),
        *(CANDIDATES, NEEDS, NEEDS_FOR_OFFER, *WRITTEN),
    ]
    return [filled(statement, values) for statement in out]


DROPPED = """
DROP FUNCTION match_mirrors_rebuilt, availability_written, demand_written, match_needs_for_offer, match_needs,
    match_candidates, served_again, served_last, week_load, booking_place, unbound, papers_do;
DROP VIEW demand_due, availability_due;
DROP FUNCTION need_appointments, related_certificates, reach_cells, area_cell, reach_cell, match_near, match_tongues,
    match_bits, match_slot;
"""

__all__ = ["DROPPED", "RISKY", "functions", "triggers"]
