"""Ranked matches: what they ask of the server, and how long they take inside PostgreSQL.

    .venv/bin/python -m bench.candidates postgresql://…/city [times]

Runs the functions of the database over needs, volunteers and offers drawn in no order that it knows, each twice, the
second time measured: the time that a caller waits, and the processor's time of the connection's own process, which
other work on the machine does not lengthen (Linux only; the server must run here).
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from models import clock

DOCUMENTS = {
    "Q4": """query Q4($id: ID!) {
  need(id: $id) {
    title
    matchCandidates(first: 10) { score distanceKm sentence weightsVersion volunteer { id volunteerNo } offer { id title } }
  }
}""",
    "Q5": """query Q5 {
  recommendedNeeds(first: 20) { score distanceKm sentence need { id no title urgency category { name } community { name } } }
}""",
}
"""Q4: ten candidates with their reasons for a need, as its community's staff ask. Q5: twenty needs for a volunteer."""
OPEN = """
SELECT id FROM need WHERE status = 'OPEN' AND sensitivity = 'NORMAL' AND kind = 'SERVICE' AND due_at > $1
  AND ($2::uuid IS NULL OR community_id = $2) ORDER BY md5(id::text) LIMIT $3
"""
ASKED: dict[str, tuple[str, str]] = {
    "candidates": (
        "SELECT id FROM need n WHERE EXISTS (SELECT FROM demand d WHERE d.need_id = n.id AND d.due_at > $1)"
        " ORDER BY md5(id::text) LIMIT $2",
        "SELECT count(*) FROM match_candidates($1, $2, 10)",
    ),
    "recommendations": (
        "SELECT provider_id FROM availability a WHERE kind = 'VOLUNTEER' AND slot = -1 AND $1::timestamptz IS NOT NULL"
        " GROUP BY 1 ORDER BY md5(provider_id::text) LIMIT $2",
        "SELECT count(*) FROM match_needs($1, $2, 20)",
    ),
    "needs for an offer": (
        "SELECT id FROM offer WHERE status = 'PUBLISHED' AND window_to > $1 ORDER BY md5(id::text) LIMIT $2",
        "SELECT count(*) FROM match_needs_for_offer($1, $2, 20)",
    ),
}


async def open_needs(connection: asyncpg.Connection, community: UUID, most: int = 500) -> list[UUID]:
    """Needs of a community that candidates may be asked for."""
    return [row["id"] for row in await connection.fetch(OPEN, clock.now(), community, most)]


def processor(pid: int) -> Callable[[], float] | None:
    """Milliseconds of a processor that a process has had; None where the system does not say."""
    path = Path(f"/proc/{pid}/schedstat")
    return (lambda: int(path.read_text().split()[0]) / 1e6) if path.exists() else None


def spread(values: list[float]) -> dict[str, float]:
    """The quantiles of some times, in ms."""
    ordered = sorted(values)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {name: round(ordered[int(len(ordered) * share)], 2) for name, share in at.items()}


async def measure(url: str, times: int, now: datetime) -> dict[str, dict[str, Any]]:
    """For each list: how long it took, how many rows it had on average, and how many were empty."""
    connection = await asyncpg.connect(url, server_settings={"jit": "off"})
    out: dict[str, dict[str, Any]] = {}
    try:
        spent = processor(await connection.fetchval("SELECT pg_backend_pid()"))
        for name, (drawn, asked) in ASKED.items():
            ids = [row[0] for row in await connection.fetch(drawn, now, times)]
            statement = await connection.prepare(asked)
            waits, cpu, rows = [], [], []
            for warm in (False, True):
                for id in ids:
                    began, before = time.perf_counter(), spent() if spent else 0.0
                    found = await statement.fetchval(id, now)
                    if warm:
                        waits.append((time.perf_counter() - began) * 1e3)
                        cpu.append((spent() if spent else 0.0) - before)
                        rows.append(found)
            if rows:
                about = {"rows": round(sum(rows) / len(rows), 1), "empty": sum(1 for n in rows if not n)}
                out[name] = {"n": len(rows), **about, "wait": spread(waits), "processor": spread(cpu)}
    finally:
        await connection.close()
    return out


def main() -> None:
    url, times = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
    for name, figures in asyncio.run(measure(url, times, clock.now())).items():
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
