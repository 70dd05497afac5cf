"""Long work says how far it is: a bar on a terminal, plain lines elsewhere (a log, CI, a pipe)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

Advance = Callable[[int], None]
"""Called with the number of things done since the last call."""


class Progress(Protocol):
    """What long work is handed: opened with a title and how much there is to do, it yields an `Advance`."""

    def __call__(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]: ...


@contextmanager
def progress(title: str, total: int | None = None, stream: TextIO | None = None) -> Iterator[Advance]:
    """Shows one piece of long work on `stream` (standard error when not given).

    `total` is the number of things to do; None when nobody knows. A log gets a line at the start, one at each
    quarter, and one at the end: enough to see where it stands, few enough to read.
    """
    out = stream or sys.stderr
    if out.isatty():
        from tqdm import tqdm

        with tqdm(total=total, desc=title, file=out, dynamic_ncols=True, leave=True) as bar:
            yield lambda n: (bar.update(n), None)[1]
        return
    done, told = 0, 0
    print(f"{title} ...", file=out, flush=True)

    def advance(n: int) -> None:
        nonlocal done, told
        done += n
        quarter = 4 * done // total if total else 0
        if told < quarter < 4:
            told = quarter
            print(f"{title}: {done:,} of {total:,}", file=out, flush=True)

    yield advance
    print(f"{title}: done" + (f" ({done:,})" if done else ""), file=out, flush=True)


@contextmanager
def silent(title: str, total: int | None = None) -> Iterator[Advance]:
    """The same, saying nothing: for tests and for work that is too short to speak of."""
    yield lambda n: None
