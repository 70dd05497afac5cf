"""Verbs of a need that exists: checked by the community, opened, changed, taken back, closed, asked for again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models import vault
from models.access import Role, may
from models.base import INSTANT, table
from models.calendar_days import answer_by
from models.database import Db, Seen, Statement
from models.exchange import appointments, rules
from models.exchange.actions.asking import NAME, name_somebody, the_category, the_skill, write_options
from models.exchange.actions.assigning import entrust
from models.exchange.actions.commitments import UNJUDGED, complete, end, must_be_evident
from models.exchange.actions.ground import (
    COUNT_NEED,
    NEED_COLUMNS,
    Row,
    bound,
    commitment,
    locked_need,
    move_need,
    need,
    offer,
    write_need,
)
from models.exchange.actions.likenesses import repeat
from models.exchange.actions.placing import lapse
from models.exchange.appointments import Window
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, Side
from models.exchange.problems import CommitmentsUnderWay, EvidenceMissing, QuantityBelowCommitted, ReopenTooLate
from models.exchange.states import COMMITMENT_STEPS, LIVE, NEED_STEPS, SERVED, CommitmentStatus, NeedStatus
from models.exchange.tables import NeedFoundation, NeedOption
from models.exchange.visible import is_any, own
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest
from models.people.tables import Resident
from models.problems import Forbidden, InvalidInput, InvalidTransition, StaleVersion, refuses

resident, option, foundation = table(Resident), table(NeedOption), table(NeedFoundation)
C = CommitmentStatus

MINE = Seen(
    lambda viewer: sa.select(sa.func.coalesce(own(need.c, viewer, resident.alias()), sa.false())).where(
        need.c.id == bound("id")
    )
)
FIXED = (
    *("category_id", "sensitivity", "window_from", "window_to", "skill_code", "certificate", "language"),
    *("gender_required", "rrule"),
)
"""What a commitment was made for: it stays. What may change the one way only is in `rules.asks_more`."""
FORGET_OPTIONS = Statement(sa.delete(option).where(option.c.need_id == bound("need", sa.Uuid())))
FOLLOWING = Statement(
    sa.select(need.c.id).where(
        need.c.series_id == bound("series", sa.Uuid()),
        need.c.window_from > bound("after", INSTANT),
        is_any(need.c.status, rules.sources(NEED_STEPS, "cancel")),
    )
)
ASKED = Statement(sa.select(sa.exists().where(foundation.c.need_id == bound("need", sa.Uuid()))))
LIVE_ROWS = Statement(
    sa.select(commitment, offer.c.venue_access)
    .outerjoin(offer, offer.c.id == commitment.c.offer_id)
    .where(commitment.c.need_id == bound("need", sa.Uuid()), is_any(commitment.c.status, LIVE))
    .order_by(commitment.c.id)
    .with_for_update(key_share=True, of=commitment)
)


async def mine(db: Db, row: Row) -> bool:
    """Whether a need is the actor's own (`visible.own`): a household's RESTRICTED ones are not everybody's in it."""
    return bool(await db.value(MINE, id=row["id"]))


async def _own_or_staff(db: Db, id: UUID) -> Row:
    """A locked need that the actor may take a step on: staff in their area, a resident on what is his own."""
    row = await locked_need(db, id)
    if db.actor.role is Role.RESIDENT and not await mine(db, row):
        raise Forbidden()
    return row


@may(rules.MAY["need.submit"])
@refuses(InvalidTransition)
async def submit_draft(db: Db, need: UUID) -> UUID:
    """Sends a draft to the community. The time to answer runs from now."""
    row = await _own_or_staff(db, need)
    answer_due_at = await answer_by(db, rules.ANSWER_DAYS)
    if row["due_at"] <= db.now:
        raise InvalidInput(field="dueAt", reason="截止时间已过，请先修改。")
    await move_need(db, row, "submit", answer_due_at=answer_due_at, overdue_told_at=None)
    return need


@may(rules.MAY["need.edit"])
@refuses(InvalidTransition, StaleVersion, QuantityBelowCommitted, CommitmentsUnderWay)
async def edit_need(db: Db, need: UUID, version: int, changes: dict[str, Any]) -> UUID:
    """Changes a need's words and numbers: by who asked until it is verified, by staff until it is delivered.

    `changes`: what is to change, by column, with `category` for a category's id and `choices` for the appointments. The
    quantity cannot go below what is promised; what a commitment was made for (`FIXED`) stays while there is one, and no
    more is asked of who has committed (`rules.asks_more`).
    """
    row = await _own_or_staff(db, need)
    status = NeedStatus(row["status"])
    if db.actor.role not in rules.EDITABLE.get(status, ()):
        raise InvalidTransition(status=status.value, label=label(status))
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    await lapse(db, {need})
    row = await locked_need(db, need)
    new = {name: rules.CHECKS[name](value) if name in rules.CHECKS else value for name, value in changes.items()}
    choices = new.pop("choices", None)
    if "hints" in new:
        new["hints"] = rules.edited_hints(db.actor.role, new["hints"], row["hints"])
    if "category" in new:
        new |= await the_category(db, new.pop("category"))
    if "skill_code" in new:
        await the_skill(db, new["skill_code"])
    rules.of_staff(db.actor.role, "vulnerability", new.get("vulnerability", 0))
    whole = {**row, **new}
    rules.gender_bar(whole["gender_required"], GenderPreference(whole["gender_preference"]))
    if {"window_from", "window_to", "rrule"} & new.keys() or choices is not None:
        new |= _wanted_at(row, new, choices, db.now)
    if "due_at" in new:
        rules.due(new["due_at"], db.now, new.get("window_to", row["window_to"]))
    assert new.keys() <= set(NEED_COLUMNS), new.keys()
    held = row["qty_committed"]
    live = await db.all(LIVE_ROWS, need=need) if held else ()
    fixed = choices is not None or any(new.get(name, row[name]) != row[name] for name in FIXED)
    ahead = [promised for promised in live if promised["status"] not in SERVED]
    if held and (fixed or rules.asks_more(row, {**row, **new}, ahead)):
        raise CommitmentsUnderWay(count=len(live))
    if new.get("qty_total", held) < held:
        raise QuantityBelowCommitted(committed=held)
    restricts = new.get("sensitivity", row["sensitivity"]) == Sensitivity.RESTRICTED != row["sensitivity"]
    if restricts and db.actor.role is Role.GRID_OFFICER and row["requester_id"] != db.actor.person:
        raise InvalidInput(field="sensitivity", reason="请由社区工作人员改为敏感需求：改后您将看不到它。")
    if choices is not None:
        await db.value(FORGET_OPTIONS, need=need)
    await write_need(db, row, **new)
    if choices is not None:
        await write_options(db, need, choices)
    db.tell("need.edited", need, area=row["area"])
    if restricts:
        await name_somebody(db, need, row["area"])
        if row["assigned_to"] is not None:
            await db.value(NAME, need=need, person=row["assigned_to"], by=db.actor.person)
    if status is NeedStatus.IN_PROGRESS and new.get("qty_total", row["qty_total"]) == row["qty_delivered"]:
        await _finish(db, await locked_need(db, need))
    return need


def _wanted_at(row: Row, new: dict[str, Any], choices: list[Window] | None, now: datetime) -> dict[str, Any]:
    """The window, the number of appointments and the rule that a change leads to. Raises InvalidInput."""
    start, end_ = new.get("window_from", row["window_from"]), new.get("window_to", row["window_to"])
    if choices is None and row["options"] and {"window_from", "window_to"} & new.keys():
        raise InvalidInput(field="options", reason="该需求有预约时段，请修改预约时段。")
    if choices:
        if {"window_from", "window_to"} & new.keys() or new.get("rrule", row["rrule"]) is not None:
            raise InvalidInput(field="options", reason="预约时段不能与服务时间或重复规则同时填写。")
        start, end_ = appointments.span(appointments.options(choices, now))
    elif choices is not None and not {"window_from", "window_to"} & new.keys():
        start, end_ = None, None
    window = rules.window(start, end_, now)
    rule = new.get("rrule", row["rrule"])
    if row["series_id"] is not None and rule != row["rrule"]:
        raise InvalidInput(field="rrule", reason="重复需求已经生成，不能再改规则。")
    if rule is not None and row["series_id"] is None:
        rule = appointments.repeated(rule, window)[0]
    changed: dict[str, Any] = {"window_from": window[0], "window_to": window[1], "rrule": rule}
    if choices is not None:
        changed["options"] = len(choices)
    if window[1] is not None and "due_at" not in new:
        changed["due_at"] = window[1]
    return changed


async def _finish(db: Db, row: Row) -> None:
    """No more is wanted than was delivered: DELIVERED, and CLOSED when all of it is completed."""
    if await db.value(UNJUDGED, need=row["id"]):
        await move_need(db, row, "settle")
    else:
        await move_need(db, row, "settle", "close", closed_at=db.now)


@may(rules.MAY["need.verify"])
@refuses(InvalidTransition, ConflictOfInterest)
async def verify_need(db: Db, need: UUID, *, publish: bool = True, hints: Iterable[Hint] | None = None) -> UUID:
    """The community found it true; it opens at once, unless it is to be held back. `hints`: what whoever helps should
    know, where that is to be said now. When one that repeats opens, its repetitions are made, and open.

    Nobody finds true what he wrote down himself, nor what is for his household or somebody he is close to.
    """
    row = await locked_need(db, need)
    await no_conflict(db, made_by=[row["requester_id"]], concerns=[row["subject_id"]])
    said = {} if hints is None else {"hints": rules.hints(hints)}
    if publish:
        first = {"series_id": row["id"]} if row["rrule"] is not None else {}
        await move_need(db, row, "verify", "open", opened_at=db.now, verified_by=db.actor.person, **said, **first)
        await repeat(db, row)
    else:
        await move_need(db, row, "verify", verified_by=db.actor.person, **said)
    return need


@may(rules.MAY["need.open"])
@refuses(InvalidTransition, ConflictOfInterest)
async def open_need(db: Db, need: UUID) -> UUID:
    """Opens what was verified and held back, or what was asked for again: not for oneself or somebody one is close to."""
    row = await locked_need(db, need)
    await no_conflict(db, concerns=[row["subject_id"]])
    first = {"series_id": row["id"]} if row["rrule"] is not None else {}
    await move_need(db, row, "open", opened_at=db.now, **first)
    await repeat(db, row)
    return need


@may(rules.MAY["need.reject"])
@refuses(InvalidTransition)
async def reject_need(db: Db, need: UUID, reason: str) -> UUID:
    """Does not take it up, with a reason that the resident reads."""
    why = rules.reason(reason)
    row = await locked_need(db, need)
    await move_need(db, row, "reject", reason=why, closed_at=db.now)
    return need


@may(rules.MAY["need.refer"])
@refuses(InvalidTransition)
async def refer_need(db: Db, need: UUID, referred_to: str, reason: str | None = None) -> UUID:
    """Hands it to a department or another system, by name."""
    where, why = rules.reason(referred_to, "referredTo"), rules.note(reason, "reason")
    row = await locked_need(db, need)
    await move_need(db, row, "refer", referred_to=where, reason=why, closed_at=db.now)
    return need


@may(rules.MAY["need.cancel"])
@refuses(InvalidTransition, CommitmentsUnderWay)
async def cancel_need(db: Db, need: UUID, reason: str, *, following: bool = False) -> UUID:
    """Takes it back, with a reason; `following`: with all later ones of its series. What was claimed is declined, what
    was agreed is cancelled; what is being served, or waits for a word on it, has to be finished first."""
    why = rules.reason(reason)
    row = await _own_or_staff(db, need)
    rules.step(NEED_STEPS, "cancel", NeedStatus(row["status"]))
    later: list[UUID] = []
    if following and row["series_id"] is not None:
        later = [found["id"] for found in await db.all(FOLLOWING, series=row["series_id"], after=row["window_from"])]
    await lapse(db, {need, *later})
    db.detail["requester"], db.detail["ended"] = row["requester_id"], []
    if row["subject_id"] != vault.NO_ONE:
        db.detail["person"] = row["subject_id"]
    for id in (need, *later):
        await _cancel(db, await _own_or_staff(db, id), why)
    return need


async def _cancel(db: Db, row: Row, why: str) -> None:
    need = row["id"]
    live = await db.all(LIVE_ROWS, need=need)
    begun = [r for r in live if r["status"] not in (C.PROPOSED, C.ACCEPTED, C.CONFIRMED)]
    if begun:
        raise CommitmentsUnderWay(count=len(begun))
    db.detail["ended"] += [held["id"] for held in live]
    by = Side.BENEFICIARY if db.actor.role is Role.RESIDENT else Side.STAFF
    for held in live:
        step = "decline" if held["status"] == C.PROPOSED else "cancel"
        status = rules.step(COMMITMENT_STEPS, step, C(held["status"]))
        late = step == "cancel" and rules.late(held["slot_from"], db.now)
        await end(db, held, row, status, reason=why, cancelled_by=by if step == "cancel" else None, late=late)
    await move_need(db, await locked_need(db, need), "cancel", reason=why, closed_at=db.now)


@may(rules.MAY["need.close"])
@refuses(InvalidTransition, CommitmentsUnderWay, EvidenceMissing)
async def close_need(db: Db, need: UUID, *, result: str | None = None) -> UUID:
    """Staff close what was delivered, wholly or in part: no more is wanted, and what waits for a word is completed.

    A livelihood item is settled with evidence: `result`, what its providers wrote, or an attachment. One of money closes
    when the foundation that was asked has paid: nobody else delivers it.
    """
    row = await locked_need(db, need)
    if row["kind"] == Kind.CASH_AID:
        await _close_paid(db, row)
        return need
    written = {"result": rules.note(result, "result")} if result is not None else {}
    if written and row["kind"] != Kind.LIVELIHOOD_ITEM:
        raise InvalidInput(field="result", reason="只有民生实事需填写办理结果。")
    if row["status"] != NeedStatus.DELIVERED:
        rules.step(NEED_STEPS, "settle", NeedStatus(row["status"]))
    await lapse(db, {need})
    live = await db.all(LIVE_ROWS, need=need)
    open_ = [r for r in live if r["status"] != C.DELIVERED]
    if open_:
        raise CommitmentsUnderWay(count=len(open_))
    for delivered in live:
        await complete(db, delivered, C.COMPLETED)
    row = await locked_need(db, need)
    steps = ("close",) if row["status"] == NeedStatus.DELIVERED else ("settle", "close")
    if not written.get("result"):
        await must_be_evident(db, row)
    await move_need(db, row, *steps, closed_at=db.now, **written)
    return need


async def _close_paid(db: Db, row: Row) -> None:
    rules.step(NEED_STEPS, "aid", NeedStatus(row["status"]))
    if not await db.value(ASKED, need=row["id"]):
        raise InvalidInput(field="id", reason="请先转介基金会，由其拨付后再办结。")
    left = row["qty_total"] - row["qty_delivered"]
    await db.value(COUNT_NEED, of=row["id"], qty_committed=left, qty_delivered=left)
    await move_need(db, row, "aid", "close", closed_at=db.now)


@may(rules.MAY["need.reopen"])
@refuses(InvalidTransition, ReopenTooLate, ConflictOfInterest)
async def reopen_need(db: Db, need: UUID, reason: str, *, quantity: int = 1, publish: bool = True) -> UUID:
    """Asks again for so much more of what was closed: within 15 days, and once.

    By who asked it waits for the community; by staff it opens at once, unless it is to be held back.
    """
    why = rules.reason(reason)
    more = rules.quantity(quantity)
    row = await _own_or_staff(db, need)
    rules.step(NEED_STEPS, "reopen", NeedStatus(row["status"]))
    if row["reopened"] or db.now >= row["closed_at"] + timedelta(days=rules.REOPEN_DAYS):
        raise ReopenTooLate(days=rules.REOPEN_DAYS)
    changes: dict[str, Any] = {
        "reason": why,
        "reopened": True,
        "closed_at": None,
        "qty_total": row["qty_delivered"] + more,
        "answer_due_at": await answer_by(db, rules.ANSWER_DAYS),
        "overdue_told_at": None,
        "due_at": row["window_to"],
    }
    if row["window_to"] is None or row["window_to"] <= db.now:
        changes |= {"window_from": None, "window_to": None, "due_at": db.now + timedelta(days=rules.DUE_DAYS)}
    if publish and db.actor.role in rules.TRIAGERS:
        await no_conflict(db, concerns=[row["subject_id"]])
        await move_need(db, row, "reopen", "open", opened_at=db.now, **changes)
    else:
        await move_need(db, row, "reopen", **changes)
    if row["assigned_to"] is not None:
        await entrust(db, row, row["assigned_to"])
    return need
