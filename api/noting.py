"""What commands write on the audit log: that they were run, by whom, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Iterator
from typing import Any

from api.settings import Settings


@contextlib.contextmanager
def noted(settings: Settings, command: str, **detail: Any) -> Iterator[dict[str, Any]]:
    """Writes on the audit log that a command was run, by which user of this machine, and whether it failed.

    `settings` have a database in them. What is put into the dict that is given stands in the row: ids, counts, names of
    things; no personal data and no secrets.
    """
    detail["user"] = operator()
    try:
        yield detail
    except BaseException as problem:
        with contextlib.suppress(Exception):  # the failure itself is what is told
            asyncio.run(_write(settings, command, "FAILED", {**detail, "error": type(problem).__name__}))
        raise
    asyncio.run(_write(settings, command, "DONE", detail))


async def _write(settings: Settings, command: str, result: str, detail: dict[str, Any]) -> None:
    import asyncpg

    from models import audit, clock

    connection = await asyncpg.connect(settings.owner_url or settings.database_url, timeout=10)
    try:
        with contextlib.suppress(asyncpg.UndefinedTableError):  # a data folder of before there was a log
            await audit.write(connection, *audit.by_system(clock.now(), f"command.{command}", result, detail=detail))
    finally:
        await connection.close()


def operator() -> str:
    """The machine's user who runs this: through sudo, the one who called it."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
