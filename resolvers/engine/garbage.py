"""What is thrown away when a document is read or a statement written: much, and all of it in cycles."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def cleared() -> Iterator[None]:
    """Frees what was made inside and is not kept, at once, where garbage is collected at all.

    Left to itself the collector looks several times while a statement is written, finds everything in use and counts it as
    what will last: the garbage of many statements piles up then before it looks again (half a megabyte for a search).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)
