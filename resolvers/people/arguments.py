"""Arguments that several verbs take."""

from __future__ import annotations

from typing import Annotated

import strawberry

Reason = Annotated[str, strawberry.argument(description="Why: up to 200 characters, shown to whom it concerns.")]
Version = Annotated[int, strawberry.argument(description="The version that was read.")]
