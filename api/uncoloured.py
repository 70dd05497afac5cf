"""Imported before structlog is: without rich, which structlog imports for coloured consoles wherever that is installed.

It comes with tools of development, our logs are JSON, and 180 modules less are 11 MB of each process.
"""

from __future__ import annotations

import sys

if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # which makes its import fail
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
