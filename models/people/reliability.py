# ruff: noqa: S608 - statements of constants written here; values are bound
"""守约: how reliably a volunteer comes to what he has taken on, reckoned from what happened and from nothing else.

Three things count, each for a year: what he did, what he did not come to, and what he called off less than a day
before. A newcomer stands at 0.8, as if eight of ten had gone well (a Beta prior of 8 and 2): one bad day is no verdict,
and ten good ones soon outweigh it. What an organization or a beneficiary called off is nobody's fault here, nor is an
excused absence. It is his own: only he and staff read it, with the figures behind it (PIPL art. 24).

It stands on the volunteer's row, written in the transaction that ends a commitment or an attendance; what grows a year
old is taken out by a job.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from models.database import Db

COUNTS = timedelta(days=365)
LATE = timedelta(hours=24)
"""To step back with less than this to go is late."""
GOOD, BAD = 8, 2
"""What everybody begins with."""
NEWCOMER = GOOD / (GOOD + BAD)
BATCH = 200


def reliability(completed: int, no_shows: int, late_cancels: int) -> float:
    """0 to 1: the mean of the Beta distribution that begins with GOOD and BAD."""
    return (GOOD + completed) / (GOOD + BAD + completed + no_shows + late_cancels)


HISTORY = """
SELECT c.volunteer_person_id AS person, c.ended_at AS at,
       CASE c.status WHEN 'COMPLETED' THEN 'completed' WHEN 'NO_SHOW' THEN 'no_show' ELSE 'late' END AS what
FROM commitment c
WHERE {commitments} AND c.ended_at > $1
  AND (c.status IN ('COMPLETED', 'NO_SHOW')
       OR c.status = 'CANCELLED' AND c.cancelled_by = 'PROVIDER' AND c.person_id = c.volunteer_person_id
          AND c.ended_at > c.slot_from - interval '24 hours')
UNION ALL
SELECT a.volunteer_id, a.starts_at,
       CASE a.status WHEN 'CONFIRMED' THEN 'completed' WHEN 'ABSENT' THEN 'no_show' ELSE 'late' END
FROM attendance a
WHERE {attendances} AND a.starts_at > $1
  AND (a.status IN ('CONFIRMED', 'ABSENT') OR a.status = 'WITHDRAWN' AND a.late)
  AND NOT EXISTS (SELECT FROM commitment c
                  WHERE c.id = a.commitment_id AND c.volunteer_person_id = a.volunteer_id)
"""
"""What counts after an instant: who, when, and which of the three. A presence that carries out his own commitment is
that commitment, and not counted twice."""
FIGURES = f"""
SELECT who.person, count(*) FILTER (WHERE what = 'completed')::int AS completed,
       count(*) FILTER (WHERE what = 'no_show')::int AS no_shows, count(*) FILTER (WHERE what = 'late')::int AS late,
       min(h.at) + interval '{COUNTS.days * 24} hours' AS until
FROM {{who}} LEFT JOIN ({HISTORY}) h ON h.person = who.person
GROUP BY who.person
"""
WRITE = f"""
UPDATE volunteer v
SET completed = f.completed, no_shows = f.no_shows, late_cancels = f.late, reliable_until = f.until,
    reliability = ({GOOD}.0 + f.completed) / ({GOOD + BAD}.0 + f.completed + f.no_shows + f.late)
FROM ({FIGURES}) f
WHERE v.person_id = f.person
  AND (v.completed, v.no_shows, v.late_cancels, v.reliable_until)
      IS DISTINCT FROM (f.completed, f.no_shows, f.late, f.until)
"""
THEIRS = {"commitments": "c.volunteer_person_id = ANY ($2)", "attendances": "a.volunteer_id = ANY ($2)"}
RECKON = WRITE.format(who="unnest($2::uuid[]) AS who (person)", **THEIRS)
RECKON_ALL = WRITE.format(
    who="(SELECT person_id AS person FROM volunteer) AS who",
    commitments="c.volunteer_person_id IS NOT NULL",
    attendances="true",
)
LOCK = "SELECT FROM volunteer WHERE person_id = ANY ($1) ORDER BY person_id FOR NO KEY UPDATE"
AGED = """
SELECT person_id FROM volunteer WHERE reliable_until <= $1 ORDER BY reliable_until LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED
"""


async def reckon_reliability(db: Db, *people: UUID | None) -> None:
    """Reckons anew how reliable some people are; whoever is no volunteer is passed over.

    Called last in what ends a commitment or an attendance. The rows are locked first and read by a statement of their
    own: two that end at once do not each miss the other.
    """
    if whose := sorted({p for p in people if p is not None}):
        await db.connection.execute(LOCK, whose)
        await db.connection.execute(RECKON, db.now - COUNTS, whose)


async def reckon_aged(db: Db) -> int:
    """For the worker: reckons those anew of whose history something has grown a year old; how many there were."""
    rows = await db.connection.fetch(AGED, db.now, BATCH)
    if rows:
        await db.connection.execute(RECKON, db.now - COUNTS, [row["person_id"] for row in rows])
    return len(rows)


async def reckon_everybody(connection: asyncpg.Connection, since: Any) -> None:
    """Reckons all of them, as a load of many rows does once at its end; `since` in the form that its connection takes."""
    await connection.execute(RECKON_ALL, since)
