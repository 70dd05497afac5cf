"""Capacities: which roles a membership can give, over what, and who may give them."""

from __future__ import annotations

from models.access import Role

SCOPES: dict[Role, frozenset[int] | None] = {
    Role.SOCIAL_WORKER: frozenset({12}),
    Role.GRID_OFFICER: frozenset({15}),
    Role.COMMUNITY_STAFF: frozenset({12}),
    Role.NGO_STAFF: None,
    Role.FUND_MAKER: None,
    Role.FUND_CHECKER: None,
    Role.FUND_AUTHORISER: None,
    Role.FUND_REPORTER: None,
    Role.DISTRICT_VIEWER: frozenset({6}),
    Role.CITY_VIEWER: frozenset({4}),
    Role.DEPARTMENT: None,
    Role.PARTY_SECRETARY: frozenset({6, 9, 12, 15}),
    Role.AUDITOR: None,
    Role.ADMIN: None,
}
"""How many digits the code of the role's area has; None where the role has no area of its own."""

GRANTED_ROLES: tuple[Role, ...] = tuple(SCOPES)
"""The roles that a membership gives. RESIDENT and VOLUNTEER come from being one; PUBLIC from nothing."""
