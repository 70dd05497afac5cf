"""Which phone numbers the API accepts."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Numbers:
    """Which phone numbers are accepted: `fictional` ones, which nobody has, are for demo and test data only."""

    fictional: bool = False


numbers = Numbers()
"""Set once, when the API starts, from its mode."""
