"""Verbs of allocations: money is put together of gifts that admit the purpose, approved by another, and given back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import Role, may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.exchange.actions import show_to_foundation
from models.exchange.kinds import Sensitivity
from models.exchange.tables import Need
from models.funds import inputs, queries
from models.funds.actions.gifts import known
from models.funds.inputs import AllocationInput
from models.funds.problems import InsufficientFunds, MakerIsChecker, OpenDisbursements, RestrictionViolation
from models.funds.restrictions import Purpose, Restriction, Share, take
from models.funds.rules import ALLOCATION_STEPS, LINES_AT_MOST, MAY, AllocationStatus, same_hands, step
from models.funds.tables import Allocation, AllocationLine, Disbursement, Donation
from models.people.actions.interests import no_conflict
from models.people.organization_rules import OrganizationKind
from models.people.organizations import Organization
from models.people.problems import ConflictOfInterest
from models.problems import Fen, Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

allocation, disbursement, donation, line = (
    table(Allocation),
    table(Disbursement),
    table(Donation),
    table(AllocationLine),
)
need, organization = table(Need), table(Organization)

A_NEED = Seen(
    lambda viewer: sa.select(need.c.id, need.c.category_code, need.c.area, need.c.sensitivity, need.c.subject_id).where(
        need.c.id == queries.ID, *seen(need, "need", viewer)
    )
)
SUBJECT = Statement(sa.select(need.c.subject_id).where(need.c.id == queries.ID))
A_FOUNDATION = Seen(
    lambda viewer: sa.select(organization.c.id).where(
        organization.c.id == queries.ID,
        organization.c.kind == sa.literal_column(f"'{OrganizationKind.FOUNDATION.value}'"),
        *seen(organization, "organization", viewer),
    )
)
INSERT = Statement(
    sa.insert(allocation)
    .values(
        organization_id=queries.ORGANIZATION,
        fund_id=queries.FUND,
        title=sa.bindparam("title", type_=sa.Text()),
        purpose=sa.bindparam("purpose", type_=sa.Text()),
        spending=sa.bindparam("spending", type_=sa.Text()),
        category_code=sa.bindparam("category", type_=sa.Text()),
        area=sa.bindparam("area", type_=sa.Text()),
        need_id=sa.bindparam("need", type_=sa.Uuid()),
        sealed=sa.bindparam("sealed", type_=sa.Boolean()),
        amount_fen=sa.bindparam("amount", type_=sa.BigInteger()),
        committed_fen=sa.literal_column("0"),
        spent_fen=sa.literal_column("0"),
        status=sa.literal_column(f"'{AllocationStatus.DRAFT.value}'"),
        requested_by=sa.bindparam("by", type_=sa.Uuid()),
        requester_organization_id=sa.bindparam("requester", type_=sa.Uuid()),
        requested_at=sa.bindparam("now", type_=INSTANT),
    )
    .returning(*allocation.c)
)
shares = (
    sa.func.unnest(
        sa.bindparam("donations", type_=sa.ARRAY(sa.Uuid())),
        sa.bindparam("amounts", type_=sa.ARRAY(sa.BigInteger())),
    )
    .table_valued(
        sa.column("donation_id", sa.Uuid()),
        sa.column("fen", sa.BigInteger()),
        with_ordinality="position",
        name="shares",
    )
    .render_derived()
)
HOLD = Statement(
    sa.insert(line).from_select(
        [
            "allocation_id",
            "donation_id",
            "position",
            "fund_id",
            "restricted",
            "amount_fen",
            "organization_id",
            "area",
            "requested_by",
            "sealed",
        ],
        sa.select(
            allocation.c.id,
            donation.c.id,
            shares.c.position,
            donation.c.fund_id,
            donation.c.restricted,
            shares.c.fen,
            allocation.c.organization_id,
            allocation.c.area,
            allocation.c.requested_by,
            allocation.c.sealed,
        )
        .select_from(shares.join(donation, donation.c.id == shares.c.donation_id).join(allocation, sa.true()))
        .where(allocation.c.id == queries.ID),
        include_defaults=False,
    )
)
BIND = Statement(
    sa.update(donation)
    .where(donation.c.id == shares.c.donation_id)
    .values(allocated_fen=donation.c.allocated_fen + shares.c.fen)
)
rest = line.c.amount_fen - line.c.consumed_fen - line.c.returned_fen
UNBIND = Statement(
    sa.update(donation)
    .where(donation.c.id == line.c.donation_id, line.c.allocation_id == queries.ID, rest > 0)
    .values(allocated_fen=donation.c.allocated_fen - rest)
)
GIVE_BACK = Statement(
    sa.update(line).where(line.c.allocation_id == queries.ID).values(returned_fen=line.c.returned_fen + rest)
)
LINED = Statement(sa.select(sa.exists().where(line.c.allocation_id == queries.ID)))
MOVE = Statement(
    sa.update(allocation)
    .where(allocation.c.id == queries.ID)
    .values(
        status=sa.bindparam("status", type_=sa.Text()),
        submitted_by=sa.func.coalesce(sa.bindparam("submitter", type_=sa.Uuid()), allocation.c.submitted_by),
        submitted_at=sa.func.coalesce(sa.bindparam("submitted", type_=INSTANT), allocation.c.submitted_at),
        approved_by=sa.func.coalesce(sa.bindparam("approver", type_=sa.Uuid()), allocation.c.approved_by),
        approved_at=sa.func.coalesce(sa.bindparam("approved", type_=INSTANT), allocation.c.approved_at),
        closed_at=sa.func.coalesce(sa.bindparam("closed", type_=INSTANT), allocation.c.closed_at),
        reason=sa.func.coalesce(sa.bindparam("reason", type_=sa.Text()), allocation.c.reason),
    )
)
OPEN = Statement(
    sa.select(sa.func.count()).where(
        disbursement.c.allocation_id == queries.ID,
        disbursement.c.status
        == sa.any_(
            sa.literal_column("ARRAY['DRAFT', 'SUBMITTED', 'APPROVED', 'AUTHORISED', 'PAYING', 'FAILED']::text[]")
        ),
    )
)
NOWHERE = {"breadth": -1, "received_at": clock.EARLIEST, "after": UUID(int=0)}


def restriction(gift: Any) -> Restriction:
    """What binds a gift, from its row."""
    return Restriction(gift["category_code"], gift["restricted_area"], gift["restricted_from"], gift["restricted_to"])


async def own(db: Db, id: UUID) -> Any:
    """An allocation of the actor's foundation, not yet locked. Raises NotFound, and Forbidden for another's."""
    found = await db.one(queries.PEEK_ALLOCATION, id=id)
    if found is None:
        raise NotFound("该拨付计划")
    if found["organization_id"] != db.actor.organization:
        raise Forbidden()
    return found


async def lock(db: Db, id: UUID) -> Any:
    """An allocation that was found, locked, so that its state is the last one."""
    found = await db.one(queries.LOCK_ALLOCATION, id=id)
    assert found is not None
    return found


async def move(db: Db, id: UUID, status: AllocationStatus, **values: Any) -> None:
    """Writes a step."""
    none = dict.fromkeys(("submitter", "submitted", "approver", "approved", "closed", "reason"))
    await db.one(MOVE, **{**none, **values}, id=id, status=status)


async def hold(db: Db, plan: Any, named: Sequence[UUID] = ()) -> None:
    """Chooses the gifts of an allocation, narrowest first, and binds them. Nothing is bound when they do not suffice.

    Raises RestrictionViolation where money is free that does not admit the purpose, or where a named gift does not;
    InsufficientFunds where there is not enough at all.
    """
    one_fund = plan["fund_id"] is not None
    own = {"organization": plan["organization_id"], "fund": plan["fund_id"]}
    await db.all(queries.LOCK_FUNDS, **own)
    day = clock.day(db.now)
    purpose = {"category": plan["category_code"], "area": plan["area"], "on": day}
    if named:
        gifts = await _named(db, plan, named, day)
        chosen, missing = take((Share(g, g["free"]) for g in gifts), plan["amount_fen"])
        if missing:
            raise InsufficientFunds(available=Fen(plan["amount_fen"] - missing))
    else:
        chosen, missing, place = [], plan["amount_fen"], dict(NOWHERE)
        while missing and len(chosen) <= LINES_AT_MOST:
            page = await db.all(queries.CANDIDATES[one_fund], **own, **purpose, **place)
            if not page:
                break
            more, missing = take((Share(g, g["free"]) for g in page), missing)
            chosen += more
            last = page[-1]
            place = {"breadth": last["breadth"], "received_at": last["received_at"], "after": last["id"]}
        if missing and len(chosen) <= LINES_AT_MOST:
            await _refuse(db, plan, own, purpose)
    if len(chosen) > LINES_AT_MOST:
        raise InvalidInput(field="amount", reason=f"由超过 {LINES_AT_MOST} 笔捐赠组成，请拆分为多个拨付计划。")
    donations, amounts = [s.of["id"] for s in chosen], [s.fen for s in chosen]
    await db.one(HOLD, id=plan["id"], donations=donations, amounts=amounts)
    await db.one(BIND, donations=donations, amounts=amounts)


async def _refuse(db: Db, plan: Any, own: dict[str, Any], purpose: dict[str, Any]) -> None:
    """Says why the free gifts do not make the amount."""
    found = await db.one(queries.ALL_FREE[plan["fund_id"] is not None], **own, **purpose)
    assert found is not None
    admitted = Fen(int(found["admitted"]))
    if found["free"] >= plan["amount_fen"]:
        raise RestrictionViolation(reason="其余可用资金限定了其他用途、地区或期限。", available=admitted)
    raise InsufficientFunds(available=admitted)


async def _named(db: Db, plan: Any, named: Sequence[UUID], day: date) -> Sequence[asyncpg.Record]:
    """The gifts that an allocation names, narrowest first. Raises NotFound and RestrictionViolation."""
    gifts = await db.all(queries.NAMED, organization=plan["organization_id"], donations=list(named))
    if len(gifts) < len(named) or any(plan["fund_id"] not in (None, g["fund_id"]) for g in gifts):
        raise NotFound("指定的捐赠")
    purpose = Purpose(plan["category_code"], plan["area"], day)
    refused = [(g["no"], why) for g in gifts if (why := restriction(g).refusal(purpose))]
    if refused:
        fit = sum(g["free"] for g in gifts if restriction(g).admits(purpose))
        raise RestrictionViolation(reason=f"捐赠 {refused[0][0]} {refused[0][1]}", available=Fen(fit))
    return gifts


@may(MAY["allocation.create"])
@refuses(RestrictionViolation, InsufficientFunds, ConflictOfInterest)
async def create_allocation(db: Db, given: AllocationInput) -> UUID:
    """Plans a spending. A maker's draft chooses and binds its gifts at once; a request of others does so on submission."""
    given = inputs.allocation(given)
    maker = db.actor.role is Role.FUND_MAKER
    foundation = await _foundation(db, given)
    if given.donations and not maker:
        raise InvalidInput(field="donations", reason="捐赠由基金会经办人选择。")
    category, area, sealed = given.category, given.area, False
    if given.need is not None:
        wanted = await db.one(A_NEED, id=given.need)
        if wanted is None:
            raise NotFound("该需求")
        await no_conflict(db, concerns=[wanted["subject_id"]])
        if wanted["sensitivity"] == Sensitivity.NORMAL:
            await show_to_foundation(db, wanted, foundation)
        its_area = wanted["area"][:12]
        if given.category not in (None, wanted["category_code"]) or given.area not in (None, its_area):
            raise InvalidInput(field="need", reason="服务类别或受益地区与所为的需求不一致，可以不填。")
        category, area, sealed = wanted["category_code"], its_area, wanted["sensitivity"] == Sensitivity.RESTRICTED
    else:
        await known(db, Restriction(category, area))
    assert area is not None
    if db.actor.role in (Role.SOCIAL_WORKER, Role.COMMUNITY_STAFF) and not db.actor.covers(area):
        raise Forbidden()
    plan = await db.one(
        INSERT,
        organization=foundation,
        fund=given.fund,
        title=given.title,
        purpose=given.purpose,
        spending=given.spending,
        category=category,
        area=area,
        need=given.need,
        sealed=sealed,
        amount=given.amount_fen,
        by=db.actor.person,
        requester=None if maker else db.actor.organization,
    )
    assert plan is not None
    if maker:
        await hold(db, plan, given.donations)
    db.tell("allocation.created", plan["id"], area=area)
    made: UUID = plan["id"]
    return made


async def _foundation(db: Db, given: AllocationInput) -> UUID:
    """Whose money is asked for: a maker's own foundation, or the one that is named, or that of the fund that is."""
    wanted = given.foundation
    if given.fund is not None:
        fund = await db.one(queries.A_FUND, id=given.fund)
        if fund is None or wanted not in (None, fund["organization_id"]):
            raise NotFound("该基金")
        wanted = fund["organization_id"]
    if db.actor.role is Role.FUND_MAKER:
        if wanted not in (None, db.actor.organization):
            raise Forbidden()
        assert db.actor.organization is not None
        return db.actor.organization
    if wanted is None:
        raise InvalidInput(field="foundation", reason="请指明向哪个基金会或基金申请。")
    if await db.value(A_FOUNDATION, id=wanted) is None:
        raise NotFound("该基金会")
    return wanted


@may(MAY["allocation.submit"])
@refuses(InvalidTransition, RestrictionViolation, InsufficientFunds, ConflictOfInterest)
async def submit_allocation(db: Db, id: UUID) -> UUID:
    """Hands a draft in for approval; a request that came from outside gets its gifts now."""
    plan = await own(db, id)
    await db.all(queries.LOCK_FUNDS, organization=plan["organization_id"], fund=plan["fund_id"])
    plan = await lock(db, id)
    after = step(ALLOCATION_STEPS, "submit", plan["status"])
    await _unconcerned(db, plan)
    if not await db.value(LINED, id=id):
        await hold(db, plan)
    await move(db, id, after, submitter=db.actor.person, submitted=db.now)
    db.tell("allocation.submitted", id, area=plan["area"])
    return id


async def _unconcerned(db: Db, plan: Any) -> None:
    """Raises ConflictOfInterest when the actor is who a plan is for, or close to him, or of the organization that asks."""
    for_whom = None if plan["need_id"] is None else await db.value(SUBJECT, id=plan["need_id"])
    await no_conflict(db, concerns=[for_whom], organizations=[plan["requester_organization_id"]])


@may(MAY["allocation.approve"])
@refuses(InvalidTransition, MakerIsChecker, ConflictOfInterest)
async def approve_allocation(db: Db, id: UUID) -> UUID:
    """Approves a plan; not by whoever asked for it or handed it in, nor by who has an interest in it (I17)."""
    await own(db, id)
    plan = await lock(db, id)
    after = step(ALLOCATION_STEPS, "approve", plan["status"])
    if db.actor.person in (plan["requested_by"], plan["submitted_by"]):
        raise MakerIsChecker()
    await _unconcerned(db, plan)
    await move(db, id, after, approver=db.actor.person, approved=db.now)
    db.tell("allocation.approved", id, area=plan["area"])
    return id


@may(MAY["allocation.reject"])
@refuses(InvalidTransition, MakerIsChecker)
async def reject_allocation(db: Db, id: UUID, reason: str) -> UUID:
    """Refuses a plan, with a reason; its gifts are free again."""
    reason = clean(reason, "reason", most=500, least=2)
    await own(db, id)
    await db.all(queries.LOCK_HELD, id=id)
    plan = await lock(db, id)
    after = step(ALLOCATION_STEPS, "reject", plan["status"])
    if same_hands(plan["requested_by"], db.actor.person):
        raise MakerIsChecker()
    await release(db, id)
    await move(db, id, after, closed=db.now, reason=reason)
    db.tell("allocation.rejected", id, area=plan["area"])
    return id


@may(MAY["allocation.close"])
@refuses(InvalidTransition, OpenDisbursements)
async def close_allocation(db: Db, id: UUID) -> UUID:
    """Ends a plan; what is left goes back to its gifts. Refused while payments are under way."""
    await own(db, id)
    await db.all(queries.LOCK_HELD, id=id)
    plan = await lock(db, id)
    after = step(ALLOCATION_STEPS, "close", plan["status"])
    if plan["committed_fen"] != plan["spent_fen"]:
        raise OpenDisbursements(count=await db.value(OPEN, id=id))
    await release(db, id)
    await move(db, id, after, closed=db.now)
    db.tell("allocation.closed", id, area=plan["area"])
    return id


async def release(db: Db, id: UUID) -> None:
    """Gives what an allocation still holds back to its gifts. Its funds are locked."""
    await db.one(UNBIND, id=id)
    await db.one(GIVE_BACK, id=id)
