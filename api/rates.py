"""How much everybody may spend: what the settings say, and the limits keep."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """Points a minute; so much a full bucket holds."""

    person: int
    anonymous: int
    """Everybody at one address who shows no token, together."""
    address: int
    """Everybody at one address, together: an office, a carrier's gateway."""
    sign_in: int
    """Sign-ins of one address, tried or done."""
