"""Verbs in any order, on a real database: what counters say is what commitments hold, and never more than there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exchange import actions, rules
from models.exchange.states import BOOKED, COMMITMENT_STEPS, HOLDING, SERVED, CommitmentStatus
from models.problems import Problem
from tests.make_exchange import END, NOW, START, Scene, neighbourhood

WEEK, DAY = timedelta(days=7), timedelta(days=1)
SLOTS = ((START + WEEK, END + WEEK), (START + WEEK + DAY, END + WEEK + DAY))
ANY: dict[str, Any] = {"window_from": None, "window_to": None}


def listed(states: tuple[CommitmentStatus, ...]) -> str:
    return ", ".join(f"'{state.value}'" for state in states)


SUMS = f"""
SELECT need_id, offer_id, coalesce(sum(CASE WHEN status IN ({listed(SERVED)}) THEN qty_delivered ELSE qty END), 0) AS held,
       coalesce(sum(qty_delivered) FILTER (WHERE status IN ({listed(SERVED)})), 0) AS delivered
FROM commitment WHERE status IN ({listed(HOLDING)}) GROUP BY need_id, offer_id
"""
NEEDS = "SELECT id, qty_total, qty_committed, qty_delivered, options, option_place FROM need ORDER BY id"
OFFERS = "SELECT id, qty_total, qty_reserved, qty_consumed FROM offer"
AHEAD = """
SELECT c.need_id, array_agg(DISTINCT o.place) AS places FROM commitment c JOIN need_option o ON o.id = c.option_id
WHERE c.status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE') GROUP BY c.need_id
"""
BUSY = f"""
SELECT c.id FROM commitment c LEFT JOIN booking b ON b.commitment_id = c.id AND b.person_id = c.volunteer_person_id
     AND b.during = tstzrange(c.slot_from, c.slot_to)
WHERE (c.slot_from IS NOT NULL AND c.volunteer_person_id IS NOT NULL AND c.status IN ({listed(BOOKED)}))
      <> (b.commitment_id IS NOT NULL)
"""


async def holds(scene: Scene) -> None:
    """Every promise of the marketplace, recomputed from its commitments."""
    rows = await scene.c.fetch(SUMS)
    places = {row["need_id"]: row["places"] for row in await scene.c.fetch(AHEAD)}
    for need in await scene.c.fetch(NEEDS):
        held = sum(row["held"] for row in rows if row["need_id"] == need["id"])
        delivered = sum(row["delivered"] for row in rows if row["need_id"] == need["id"])
        assert (need["qty_committed"], need["qty_delivered"]) == (held, delivered)
        assert 0 <= delivered <= held <= need["qty_total"]  # I1
        if need["options"]:
            assert places.get(need["id"], [need["option_place"]]) == [need["option_place"]]
            assert (need["option_place"] is None) == (held == delivered)
    for offer in await scene.c.fetch(OFFERS):
        held = sum(row["held"] for row in rows if row["offer_id"] == offer["id"])
        consumed = sum(row["delivered"] for row in rows if row["offer_id"] == offer["id"])
        assert (offer["qty_reserved"], offer["qty_consumed"]) == (held - consumed, consumed)
        assert held <= offer["qty_total"]  # I2
    assert await scene.c.fetch(BUSY) == []  # I6, both ways


@pytest.fixture
async def scene(connection: asyncpg.Connection) -> AsyncIterator[Scene]:
    yield Scene(connection, await neighbourhood(connection))


class Play:
    """What may be done: each step picks by numbers who does it, to what, and how much."""

    def __init__(self, scene: Scene, needs: list[UUID], offer: UUID) -> None:
        self.scene, self.needs, self.offer = scene, needs, offer

    async def options(self, need: UUID) -> list[UUID | None]:
        rows = await self.scene.c.fetch("SELECT id FROM need_option WHERE need_id = $1 ORDER BY place", need)
        return [None, *(row["id"] for row in rows)]

    async def some(self, step: str, n: int) -> UUID:
        """One of the commitments on which a step may be taken, or else of all; of none, an id that nothing has."""
        states = [state.value for state in rules.sources(COMMITMENT_STEPS, step)]
        rows = await self.scene.c.fetch(
            "SELECT id FROM commitment ORDER BY status = ANY ($1) DESC, id LIMIT greatest(1, ("
            "SELECT count(*) FROM commitment WHERE status = ANY ($1)))",
            states,
        )
        return rows[n % len(rows)]["id"] if rows else self.offer

    async def claim(self, n: int, qty: int) -> None:
        need, by = self.needs[n % 2], ("wang", "zhao", "ngo")[n % 3]
        options = await self.options(need)
        option = options[n % len(options)]
        offer = self.offer if by == "ngo" and n % 4 else None
        await actions.claim_need(self.scene.as_(by), need, 1 + qty // 3, option=option, offer=offer)

    async def propose(self, n: int, qty: int) -> None:
        who = self.scene.n.volunteer_ids[("wang", "zhao")[n % 2]]
        to: dict[str, Any] = {"offer": self.offer} if n % 3 == 0 else {"volunteer": who}
        await actions.propose_commitment(self.scene.as_("staff"), self.needs[n % 2], qty, **to)

    async def accept(self, n: int, _: int) -> None:
        made = await self.some("accept", n)
        origin = await self.scene.c.fetchval("SELECT origin FROM commitment WHERE id = $1", made)
        person = await self.scene.c.fetchval("SELECT person_id FROM commitment WHERE id = $1", made)
        provider = next((name for name in ("wang", "zhao") if self.scene.n.people[name] == person), "ngo")
        by = "daughter" if origin == "CLAIM" else provider
        own = self.scene.n.volunteer_ids["zhao"] if by == "ngo" and n % 2 else None
        await actions.accept_commitment(self.scene.as_(by), made, volunteer=own)

    async def decline(self, n: int, _: int) -> None:
        await actions.decline_commitment(self.scene.as_("staff"), await self.some("decline", n))

    async def confirm(self, n: int, _: int) -> None:
        await actions.confirm_commitment(self.scene.as_("staff"), await self.some("confirm", n))

    async def cancel(self, n: int, _: int) -> None:
        await actions.cancel_commitment(self.scene.as_("daughter"), await self.some("cancel", n), "临时有事")

    async def no_show(self, n: int, _: int) -> None:
        await actions.mark_no_show(self.scene.as_("daughter"), await self.some("no_show", n))

    async def start(self, n: int, _: int) -> None:
        await actions.start_service(self.scene.as_("staff"), await self.some("start", n))

    async def deliver(self, n: int, qty: int) -> None:
        await actions.deliver(
            self.scene.as_("staff"),
            await self.some("deliver" if n % 3 == 0 else "start", n),
            None if n % 2 else qty - 1,
        )

    async def complete(self, n: int, _: int) -> None:
        await actions.complete_commitment(self.scene.as_("daughter"), await self.some("complete", n), rating=5)

    async def dispute(self, n: int, _: int) -> None:
        await actions.dispute_commitment(self.scene.as_("daughter"), await self.some("dispute", n), "与约定不符")

    async def resolve(self, n: int, qty: int) -> None:
        made = await self.some("void", n)
        await actions.resolve_commitment(self.scene.as_("staff"), made, delivered=qty > 1, reason="已核实")

    async def ask_for_more(self, n: int, qty: int) -> None:
        need = self.needs[n % 2]
        row = await self.scene.row("need", need)
        await actions.edit_need(self.scene.as_("staff"), need, row["version"], {"qty_total": 2 * qty})

    async def take_back(self, n: int, _: int) -> None:
        if n > 9:  # now and then: little can be done afterwards
            await actions.cancel_need(self.scene.as_("daughter"), self.needs[n % 2], "不再需要")

    async def close(self, n: int, _: int) -> None:
        await actions.close_need(self.scene.as_("staff"), self.needs[n % 2])

    async def reopen(self, n: int, qty: int) -> None:
        await actions.reopen_need(self.scene.as_("staff"), self.needs[n % 2], "还需要", quantity=qty)

    async def wait(self, n: int, _: int) -> None:
        self.scene.now = max(self.scene.now + timedelta(hours=25 if n % 6 == 0 else 1), SLOTS[0][0] if n > 9 else NOW)

    async def lapse(self, n: int, _: int) -> None:
        await actions.lapse_due_holds(self.scene.as_("staff"))


OFTEN = (*["claim"] * 5, "propose", *["accept"] * 6, *["confirm"] * 5, *["deliver"] * 6, *["complete"] * 4)
STEPS = (
    *OFTEN,
    *(
        "decline",
        "cancel",
        "no_show",
        "start",
        "dispute",
        "dispute",
        "resolve",
        "ask_for_more",
        "take_back",
        "close",
        "reopen",
    ),
    *("wait", "lapse"),
)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 11), st.integers(1, 3)), min_size=12, max_size=40))
async def test_counters_are_what_commitments_hold(scene: Scene, steps: list[tuple[str, int, int]]) -> None:
    example = scene.c.transaction()
    await example.start()
    try:
        scene.now = NOW
        needs = [
            await scene.need(quantity=3, options=SLOTS, **ANY),
            await scene.need(quantity=2, window_from=SLOTS[0][0], window_to=SLOTS[0][1]),
        ]
        play = Play(scene, needs, await scene.offer(quantity=3))
        await scene.confirmed(needs[0], "wang")
        await scene.confirmed(needs[1], "ngo", 2)
        for name, n, qty in steps:
            step: Callable[[int, int], Awaitable[None]] = getattr(play, name)
            try:
                async with scene.c.transaction():
                    await step(n, qty)
            except Problem:
                continue
            await holds(scene)
    finally:
        await example.rollback()


async def test_every_step_of_a_commitment_is_played() -> None:
    played = {"accept", "decline", "lapse", "confirm", "cancel", "no_show", "start", "deliver", "complete", "dispute"}
    assert {name for name, _ in COMMITMENT_STEPS} == played | {"uphold", "void"}  # `resolve` takes either
    assert played | {"resolve"} <= set(STEPS)
