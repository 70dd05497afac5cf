"""Foundations, gifts and the steps of spending, for tests: small makers over the verbs themselves."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from models import vault
from models.access import Actor, Role
from models.database import Db
from models.funds import actions
from models.funds.inputs import AllocationInput, DisbursementInput, DonationInput, DonorInput, FundInput
from models.funds.restrictions import Restriction
from models.funds.rules import DonationChannel, DonorKind, FundKind

CITY, HEPING, SHENHE = "2101", "210102", "210103"
STREET, COMMUNITY = "210103005", "210103005024"
ELDERLY, DISABLED, POVERTY = "ELDERLY", "DISABLED", "POVERTY"


@dataclasses.dataclass(frozen=True)
class Foundation:
    """A foundation with one person for each pair of hands."""

    id: UUID
    maker: Actor
    checker: Actor
    authoriser: Actor
    reporter: Actor


async def place(connection: asyncpg.Connection) -> None:
    """The divisions that these tests speak of."""
    for code, name, level in (
        (CITY, "沈阳市", "CITY"),
        (HEPING, "和平区", "DISTRICT"),
        (SHENHE, "沈河区", "DISTRICT"),
        (STREET, "万莲街道", "STREET"),
        (COMMUNITY, "试验社区", "COMMUNITY"),
    ):
        parent = {4: None, 6: code[:4], 9: code[:6], 12: code[:9]}[len(code)]
        await connection.execute(
            "INSERT INTO division (code, name, pinyin, level, parent_id, area, valid_from, as_of)"
            " SELECT $1, $2, $1, $3, (SELECT id FROM division WHERE code = $4), $1, '2023-01-01', '2023-01-01'"
            " WHERE NOT EXISTS (SELECT FROM division WHERE code = $1)",
            code,
            name,
            level,
            parent,
        )


async def person(connection: asyncpg.Connection, area: str = COMMUNITY, name: str = "张") -> UUID:
    made: UUID = await connection.fetchval(
        "INSERT INTO person (name_masked, pinyin, area, acts, created_at) VALUES ($1 || '*', 'zhang', $2, true, now())"
        " RETURNING id",
        name,
        area,
    )
    return made


async def resident(connection: asyncpg.Connection, who: UUID, household: str = "h") -> UUID:
    """Somebody lives in the community; nothing is known of his need of care."""
    care = (await vault.load(connection)).seal(vault.Kind.CARE, "[]", who)
    made: UUID = await connection.fetchval(
        "INSERT INTO resident (person_id, area, community_id, household, care, created_at)"
        " SELECT $1, code, id, $3, $4, now() FROM division WHERE code = $2 RETURNING id",
        who,
        COMMUNITY,
        household,
        care,
    )
    return made


async def need(connection: asyncpg.Connection, now: datetime, requester: UUID, **over: Any) -> UUID:
    """An open need of the community's, for nobody in particular."""
    values = {"status": "OPEN", "sensitivity": "NORMAL", "subject_id": vault.NO_ONE, **over}
    made: UUID = await connection.fetchval(
        "INSERT INTO need (title, kind, category_id, category_code, requester_id, submitted_via, community_id, area, unit,"
        " qty_total, due_at, answer_due_at, created_at, status, sensitivity, subject_id) SELECT '轮椅坡道', 'CASH_AID',"
        " s.id, s.code, $1, 'COUNTER', d.id, d.code, 'HOUSEHOLD', 1, $3, $3, $3, $4, $5, $6"
        " FROM service_category s, division d WHERE s.code = 'DISABLED.AIDS' AND d.code = $2 RETURNING id",
        requester,
        COMMUNITY,
        now,
        *(values["status"], values["sensitivity"], values["subject_id"]),
    )
    return made


async def asked(connection: asyncpg.Connection, need: UUID, foundation: UUID, by: UUID, now: datetime) -> None:
    """A foundation was asked to pay for a need."""
    await connection.execute(
        "INSERT INTO need_foundation (need_id, organization_id, asked_by, asked_at) VALUES ($1, $2, $3, $4)",
        *(need, foundation, by, now),
    )


async def organization(connection: asyncpg.Connection, name: str, kind: str = "FOUNDATION") -> UUID:
    made: UUID = await connection.fetchval(
        "INSERT INTO organization (name, pinyin, kind, legal_status, verified_state, filing_no, division_id, area,"
        " created_at) SELECT $1, 'ceshi', $2, 'REGISTERED', 'VERIFIED', $1, id, code, now() FROM division WHERE code = $3"
        " RETURNING id",
        name,
        kind,
        CITY,
    )
    return made


async def foundation(connection: asyncpg.Connection, name: str = "甲试验基金会") -> Foundation:
    await place(connection)
    id = await organization(connection, name)
    people = [await person(connection) for _ in range(4)]
    roles = (Role.FUND_MAKER, Role.FUND_CHECKER, Role.FUND_AUTHORISER, Role.FUND_REPORTER)
    return Foundation(id, *(Actor(role, who, id) for role, who in zip(roles, people, strict=True)))


class Books:
    """One foundation at work: each method is a step by the right pair of hands."""

    def __init__(self, connection: asyncpg.Connection, now: datetime, at: Foundation) -> None:
        self.connection, self.now, self.at = connection, now, at

    def db(self, actor: Actor) -> Db:
        return Db(self.connection, actor, self.now)

    def later(self, **by: float) -> Books:
        return Books(self.connection, self.now + timedelta(**by), self.at)

    async def fund(self, name: str = "综合基金", kind: FundKind = FundKind.UNRESTRICTED, **bounds: Any) -> UUID:
        return await actions.create_fund(self.db(self.at.maker), FundInput(name, kind, Restriction(**bounds)))

    async def gift(self, fund: UUID, yuan: int, *, by: DonorInput | None = None, **over: Any) -> UUID:
        bounds = Restriction(**{k: over.pop(k) for k in ("category", "area", "since", "until") if k in over})
        given = DonationInput(
            fund,
            yuan * 100,
            over.pop("channel", DonationChannel.TARGETED),
            giver=by or DonorInput(DonorKind.PERSON, "赵试验"),
            restriction=bounds,
            **over,
        )
        return await actions.record_donation(self.db(self.at.maker), given)

    async def plan(self, yuan: int, category: str | None = DISABLED, area: str = SHENHE, **over: Any) -> UUID:
        given = AllocationInput(over.pop("title", "试验项目"), yuan * 100, category=category, area=area, **over)
        return await actions.create_allocation(self.db(self.at.maker), given)

    async def approved(self, yuan: int, category: str | None = DISABLED, area: str = SHENHE, **over: Any) -> UUID:
        made = await self.plan(yuan, category, area, **over)
        await actions.submit_allocation(self.db(self.at.maker), made)
        return await actions.approve_allocation(self.db(self.at.checker), made)

    async def payment(self, plan: UUID, yuan: int, **over: Any) -> UUID:
        if not {"payee_organization", "payee_resident"} & set(over):
            over.setdefault("payee_name", "某某康复器材供应商")
        return await actions.create_disbursement(self.db(self.at.maker), DisbursementInput(plan, yuan * 100, **over))

    async def signed(self, plan: UUID, yuan: int, *, authorise: bool = True, **over: Any) -> UUID:
        made = await self.payment(plan, yuan, **over)
        await actions.submit_disbursement(self.db(self.at.maker), made)
        await actions.approve_disbursement(self.db(self.at.checker), made)
        if authorise:
            await actions.authorise_disbursement(self.db(self.at.authoriser), made)
        return made

    async def paid(self, plan: UUID, yuan: int, ref: str = "", **over: Any) -> UUID:
        made = await self.signed(plan, yuan, **over)
        await actions.pay_disbursement(self.db(self.at.maker), made)
        return await actions.settle_disbursement(self.db(self.at.maker), made, ref or f"BK-{made}")

    async def balance(self, fund: UUID) -> dict[str, Any]:
        row = await self.connection.fetchrow("SELECT * FROM fund_balance WHERE fund_id = $1", fund)
        assert row is not None
        return dict(row)
