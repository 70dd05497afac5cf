"""Livelihood items that somebody has taken on: some wait, some are under way, some are settled with a result. 民生实事.

Chance is drawn from a need's number alone.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from models.exchange.kinds import Kind, Origin
from models.exchange.rules import HOLD
from models.exchange.states import CommitmentStatus, NeedStatus
from models.seed import words
from models.seed.market import Market
from models.seed.sheets import DAY, HOUR, MINUTE, SECOND
from models.seed.world import SEED

if TYPE_CHECKING:
    from models.seed.needs import Ask

C, N = CommitmentStatus, NeedStatus
HOLD_US = int(HOLD.total_seconds()) * SECOND
TAKEN_ON, UNIT = 0.5, 0.6
"""Share of the open items that somebody has taken on; of the accounts' community's, how many its party unit takes on."""


def take_on(market: Market, ask: Ask, rank: int, *, surely: bool = False) -> None:
    """Settles items that are old, which never expire, and has somebody take on some of those that are open."""
    if ask.thing.kind is not Kind.LIVELIHOOD_ITEM or ask.status not in (N.OPEN, N.EXPIRED):
        return
    draw = random.Random(f"{SEED} items {rank}")
    chance, world, lives = draw.random, market.world, market.lives
    settled = ask.status is N.EXPIRED
    if not settled and not surely and chance() >= TAKEN_ON:
        return
    taken = ask.opened + int((1 + 20 * chance()) * HOUR)
    accepted = taken + MINUTE + int(chance() * (HOLD_US - 2 * MINUTE))
    confirmed = accepted + int((1 + 5 * chance()) * HOUR)
    done = confirmed + int((2 + 9 * chance()) * DAY) if settled else None
    ended = None if done is None else done + int((1 + 40 * chance()) * HOUR)
    if (ended or confirmed) >= world.now:
        return
    unit, who = None, lives.volunteers[int(chance() * len(lives.volunteers))]
    if lives.secretary is not None and (surely or chance() < UNIT):
        unit, who = world.unit(market.community.code), lives.secretary
    ask.committed = ask.total
    if ended is not None:
        ask.status, ask.closed, ask.delivered = N.CLOSED, ended, ask.total
        ask.result = words.RESULTS[ask.title]
    world.sheets["commitment"].append(
        (
            *(world.sheets.id("commitment", taken), ask.id, None, None, who if unit is None else None, who, None),
            *(market.community.id, ask.area, ask.sensitivity, ask.about, ask.total, ask.delivered, Origin.CLAIM),
            *(C.COMPLETED if settled else C.CONFIRMED, taken + HOLD_US, None, None, accepted, confirmed),
            *(None if done is None else done - 2 * HOUR, done, ended, None, None, None, None),
            *((ended or ask.due) + DAY, taken, unit, world.care(ask.result, ask.about)),
        )
    )
