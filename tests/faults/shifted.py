"""The product's command with a clock that is wrong: `python -m tests.faults.shifted FILE serve`.

FILE says by how many seconds, and may change at any time, as when somebody sets a machine's clock. What measures
durations (`time.monotonic`) goes on as the kernel's does. For one process: the machine's own clock is left alone.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from models import clock


def shift(file: Path) -> None:
    """Moves this process's wall clock by what the file says, from now on."""
    now, seconds = clock.now, time.time

    def by() -> float:
        return float(file.read_text() or 0)

    def moved() -> datetime:
        return now() + timedelta(seconds=by())

    clock.now = moved
    time.time = lambda: seconds() + by()


if __name__ == "__main__":
    file, *arguments = sys.argv[1:]
    shift(Path(file))
    from api.cli import main

    sys.argv = ["wushe", *arguments]
    sys.exit(main())
