"""Duplicates: the same thing asked for twice ends once."""

from __future__ import annotations

from uuid import UUID

from models.access import may
from models.database import Db
from models.exchange import rules
from models.exchange.actions.ground import Row, locked_need, move_need
from models.exchange.actions.needs import LIVE_ROWS
from models.exchange.actions.placing import lapse
from models.exchange.problems import CommitmentsUnderWay
from models.exchange.states import ENDED, NeedStatus
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest
from models.problems import InvalidInput, InvalidTransition, refuses


@may(rules.MAY["need.merge"])
@refuses(InvalidTransition, CommitmentsUnderWay, ConflictOfInterest)
async def merge_need(db: Db, need: UUID, into: UUID, reason: str) -> UUID:
    """Ends a duplicate, CANCELLED with a reason, and says which need it was the same as: that one goes on.

    Both are of one community, and for the same person, household or place; whoever asked for the one sees the other.
    While somebody has promised the duplicate it stays: promises do not move by themselves.
    """
    why = rules.reason(reason)
    await lapse(db, {need, into})
    row, other = await locked_need(db, need), await locked_need(db, into)
    if need == into:  # known to be seen by now: what is hidden answers as what is not there
        raise InvalidInput(field="into", reason="不能与自身合并。")
    await no_conflict(db, concerns=[row["subject_id"]])
    status = NeedStatus(other["status"])
    if status in (*ENDED, NeedStatus.DRAFT):
        raise InvalidTransition(status=status.value, label=label(status))
    if not _same(row, other):
        raise InvalidInput(field="into", reason="只能合并同一社区中同一住户或同一地点的同类需求。")
    live = await db.all(LIVE_ROWS, need=need)
    if live:
        raise CommitmentsUnderWay(count=len(live))
    await move_need(db, row, "merge", reason=why, merged_into=into, closed_at=db.now)
    db.detail["into"] = into
    return need


def _same(row: Row, other: Row) -> bool:
    """Whether two needs may be one: what is RESTRICTED is merged with its like, so that nobody learns of it."""
    if any(row[name] != other[name] for name in ("community_id", "kind", "sensitivity")):
        return False
    if row["beneficiary_id"] is None and other["beneficiary_id"] is None:
        return bool(row["area"] == other["area"])
    if row["beneficiary_id"] == other["beneficiary_id"]:
        return True
    together = row["household"] is not None and row["household"] == other["household"]
    return together and row["sensitivity"] == "NORMAL"
