"""Who may see places: everybody. Divisions, grids, buildings, service points and published counts are open data."""

from __future__ import annotations

from models.access import public

public("division", "grid", "building", "service_point", "division_count", "party_unit")
