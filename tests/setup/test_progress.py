"""Long work in a log: a few plain lines."""

from __future__ import annotations

import io

from models.progress import progress


def test_lines_at_the_start_each_quarter_and_the_end() -> None:
    out = io.StringIO()
    with progress("loading needs", 2000, out) as advance:
        for _ in range(20):
            advance(100)
    assert out.getvalue().splitlines() == [
        "loading needs ...",
        "loading needs: 500 of 2,000",
        "loading needs: 1,000 of 2,000",
        "loading needs: 1,500 of 2,000",
        "loading needs: done (2,000)",
    ]


def test_work_of_unknown_size() -> None:
    out = io.StringIO()
    with progress("migrating", stream=out):
        pass
    assert out.getvalue() == "migrating ...\nmigrating: done\n"
