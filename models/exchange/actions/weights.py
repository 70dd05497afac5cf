"""The verb that sets how much each reason of a match counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from uuid import UUID

import sqlalchemy as sa

from models.access import Role, may
from models.base import table
from models.database import Db, Statement
from models.exchange import rules
from models.exchange.weights import NAMES, MatchWeights, Weights, checked
from models.problems import InvalidInput, refuses

match_weights = table(MatchWeights)
ONE_AT_A_TIME = Statement(sa.select(sa.func.pg_advisory_xact_lock(sa.literal_column("721028"))))
NEWEST = Statement(
    sa.select(match_weights.c.version, *(match_weights.c[name] for name in NAMES))
    .order_by(match_weights.c.version.desc())
    .limit(1)
)
INSERT = Statement(
    sa.insert(match_weights)
    .values(
        **{name: sa.bindparam(name) for name in ("version", *NAMES, "note")},
        made_by=sa.bindparam("viewer_person"),
        valid_from=sa.bindparam("now"),
    )
    .returning(match_weights.c.id)
)


@may(frozenset({Role.ADMIN}))
@refuses()
async def set_match_weights(db: Db, given: Mapping[str, int], note: str) -> UUID:
    """Sets weights, which count from this transaction on; what is not given stays. Returns the version's id.

    Raises InvalidInput for values out of bounds, for those that count already, and for a note of less than 2 or more than 200 characters: whoever is
    ranked may read why (PIPL art. 24).
    """
    why = rules.reason(note, "note")
    await db.value(ONE_AT_A_TIME)
    newest = await db.one(NEWEST)
    assert newest is not None
    before = Weights(**{name: newest[name] for name in NAMES})
    after = checked(dataclasses.replace(before, **given))
    if after == before:
        raise InvalidInput(field="input", reason="与现行权重相同，无须修改。")
    made: UUID = await db.value(INSERT, version=newest["version"] + 1, note=why, **dataclasses.asdict(after))
    db.detail = {"version": newest["version"] + 1, **given}
    return made
