"""A process for tests to kill: it relays, and leaves the jobs that events call for in the queue."""

import asyncio
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from api.jobs import Duties
from api.worker import _persist, _relaying
from models.database import Db
from models.pool import Pool
from models.relay import Told


async def nothing(db: Db, event: Told) -> None:
    """Never run here: this process takes no jobs."""


async def main(url: str) -> None:
    stop = asyncio.Event()
    does = Duties(called={"thing.happened": nothing})
    await _persist("relay", stop, functools.partial(_relaying, Pool(url, 2), does, stop))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
