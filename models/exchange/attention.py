"""How much attention needs get, so that it is shared: what was shown or connected often sinks, what nobody has looked
at rises (`scoring.attention`).

VolunteerMatch ranked so and brought 8 to 9 % more opportunities a connection, with no meaningful loss in the total
(Manshadi, Rodilitz: SmartSort). Showing is counted as a sample, in the process, and written in batches: a read writes
nothing, a process that is killed loses its last seconds of counts, and several processes add up. Connections are
counted by a trigger, in the transaction that makes the commitment.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlmodel import Field

from models.base import Table, check, count, instant

SAMPLED = 4
"""One answer in so many is counted, for so many."""
MOST = 10_000
"""Needs that a process counts between two writings; what more come are not counted."""
NEED = re.compile(rb'"need_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"')


class NeedAttention(Table, table=True):
    """需求关注度: in how many lists of recommendations a need stood, how many commitments it got."""

    __tablename__ = "need_attention"
    __table_args__ = (
        check("counts", "shown >= 0 AND connected >= 0"),
        {"postgresql_with": {"fillfactor": "80"}},
    )
    need_id: UUID = Field(primary_key=True)
    """No foreign key: its lock on the need would make a batch of counts wait for each claim."""
    shown: int = count(0)
    connected: int = count(0)
    updated_at: datetime = instant()


WRITE = """
INSERT INTO need_attention AS known (need_id, shown, updated_at)
SELECT need_id, times, $3 FROM unnest($1::uuid[], $2::int[]) AS seen (need_id, times) ORDER BY need_id
ON CONFLICT (need_id) DO UPDATE
SET shown = least(known.shown::bigint + excluded.shown, 1000000000)::int, updated_at = excluded.updated_at
"""


class Tally:
    """What one process has shown since it last wrote."""

    def __init__(self, sampled: int = SAMPLED, most: int = MOST, seed: int | None = None) -> None:
        self.sampled, self.most = sampled, most
        self.shown: dict[UUID, int] = {}
        self.lost = 0
        """What was not counted because there was no room."""
        self._before = random.Random(seed).randrange(sampled)

    def answered(self, keys: tuple[str, ...], answer: bytes) -> None:
        """Takes note of an answer, or passes it over: `keys` are the roots that list what is seen."""
        self._before = (self._before + 1) % self.sampled
        if self._before == 0:
            data = orjson.loads(answer)["data"]
            self.count(listed(data, keys))

    def count(self, needs: Iterable[UUID]) -> None:
        """Counts some needs as shown, each for as many answers as one stands for."""
        for need in needs:
            if need in self.shown:
                self.shown[need] += self.sampled
            elif len(self.shown) < self.most:
                self.shown[need] = self.sampled
            else:
                self.lost += self.sampled

    async def write(self, connection: asyncpg.Connection, now: datetime) -> int:
        """Writes what was counted, in one statement; how many needs. What a failing statement held is lost."""
        taken, self.shown = self.shown, {}
        if taken:
            await connection.execute(WRITE, list(taken), list(taken.values()), now)
        return len(taken)


def listed(data: Mapping[str, Any], keys: tuple[str, ...]) -> set[UUID]:
    """The needs under some roots of an answer, as far as their ids were asked for."""
    return {UUID(found.decode()) for key in keys for found in NEED.findall(orjson.dumps(data.get(key)))}
