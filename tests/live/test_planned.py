"""What is read for subscribers is planned once, and not for each span of places anew."""

from __future__ import annotations

from models.exchange import actions
from tests.live.conftest import Live

PLANNED = """
SELECT generic_plans, custom_plans FROM pg_prepared_statements
WHERE statement LIKE '%event%' AND statement NOT LIKE '%pg_prepared_statements%'
"""


async def test_no_delivery_is_planned_anew(live: Live) -> None:
    need = await live.opened()
    watch = await live.watch("wang", need)
    for n in range(12):
        version = await live.scene.c.fetchval("SELECT version FROM need WHERE id = $1", need)
        await live.act("staff", actions.edit_need, need, version, {"urgency": 1 + n % 4})
        await watch.next()
    (connection,) = live.hub.reading._free
    assert [tuple(row) for row in await connection.fetch(PLANNED)] == [(12, 0)]
