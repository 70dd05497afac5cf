"""A process for tests to kill: a worker that runs matching rounds, and nothing else by the clock."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from api.jobs import Duties, run_match_round
from api.settings import Settings
from api.worker import run

DOES = Duties(lasting={"match_round.requested": run_match_round})


async def main(url: str) -> None:
    await run(Settings.from_env({"WUSHE_MODE": "test", "DATABASE_URL": url, "WUSHE_LOG": "error"}), DOES)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
