"""The usual way: Strawberry's own ASGI application, SQLModel's AsyncSession, a DataLoader for each relation.

Written as a competent developer would: one statement for each relation of a request, pages limited in SQL, the top
commitments of all needs by one window function, sessions short, the schema's document cache on. It has the same
token check and asks the same conditions of visibility, and understands the server's own documents.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Union
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import Response
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.types import Info

import models.exchange.visible
import models.funds.visible
import models.people.visible
import models.territory.visible  # noqa: F401  (what `seen` knows)
from api.settings import Settings
from bench.serving import App, opened, serve
from models import clock
from models.access import Actor, Role, seen
from models.exchange import rules
from models.exchange import tables as exchange
from models.exchange.kinds import Origin, Sensitivity
from models.exchange.states import CLAIMABLE, LIVE, CommitmentStatus, NeedStatus
from models.funds import tables as funds
from models.people import organizations as units
from models.people import tables as people
from models.territory import tables as territory

strawberry.enum(NeedStatus)
strawberry.enum(CommitmentStatus)


@strawberry.enum
class NeedOrder(enum.Enum):
    NEWEST = "NEWEST"


@dataclasses.dataclass(frozen=True)
class Viewing:
    """The asker, as conditions of visibility take him: plain values, which SQLAlchemy binds."""

    actor: Actor
    now: datetime

    def __getattr__(self, name: str) -> Any:
        return getattr(self.actor, name)


class Context:
    """What a request carries: who asks, and a loader for each relation."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], actor: Actor, now: datetime) -> None:
        self.sessions, self.actor, self.now = sessions, actor, now
        self.viewing = Viewing(actor, now)
        self.divisions = self.by_id(territory.Division, "division")
        self.grids = self.by_id(territory.Grid, "grid")
        self.categories = self.by_id(exchange.ServiceCategory, "service_category")
        self.offers = self.by_id(exchange.Offer, "offer")
        self.organizations = self.by_id(units.Organization, "organization")
        self.funds = self.by_id(funds.Fund, "fund")
        self.needs = self.by_id(exchange.Need, "need")
        self._commitments: dict[int, DataLoader[UUID, list[exchange.Commitment]]] = {}

    async def rows(self, statement: Any) -> Sequence[Any]:
        """The rows of a statement, in a session of their own: loaders run side by side, a session may not."""
        async with self.sessions() as session:
            return (await session.exec(statement)).all()

    def by_id(self, table: Any, name: str) -> DataLoader[UUID, Any]:
        async def load(ids: list[UUID]) -> list[Any]:
            statement = select(table).where(col(table.id).in_(ids), *seen(table, name, self.viewing))
            found = {row.id: row for row in await self.rows(statement)}
            return [found.get(id) for id in ids]

        return DataLoader(load_fn=load)

    def commitments(self, first: int) -> DataLoader[UUID, list[exchange.Commitment]]:
        """The oldest commitments of needs."""
        if first not in self._commitments:
            self._commitments[first] = DataLoader(load_fn=self._top(first))
        return self._commitments[first]

    def _top(self, first: int) -> Callable[[list[UUID]], Awaitable[list[list[exchange.Commitment]]]]:
        async def load(ids: list[UUID]) -> list[list[exchange.Commitment]]:
            table = exchange.Commitment
            place = sa.func.row_number().over(
                partition_by=table.need_id, order_by=(col(table.created_at), col(table.id))
            )
            numbered = (
                select(table.id, place.label("place"))
                .where(col(table.need_id).in_(ids), *seen(table, "commitment", self.viewing))
                .subquery()
            )
            statement = (
                select(table)
                .join(numbered, numbered.c.id == table.id)
                .where(numbered.c.place <= first)
                .order_by(col(table.created_at), col(table.id))
            )
            out: dict[UUID, list[exchange.Commitment]] = {id: [] for id in ids}
            for row in await self.rows(statement):
                out[row.need_id].append(row)
            return [out[id] for id in ids]

        return load


Asked = Info[Context, None]


@strawberry.type
class Named:
    name: str


@strawberry.type
class Titled:
    title: str


@strawberry.type
class Commitment:
    row: strawberry.Private[exchange.Commitment]
    quantity: int

    @strawberry.field
    def status(self, info: Asked) -> CommitmentStatus:
        due = self.row.status == CommitmentStatus.PROPOSED and self.row.hold_until <= info.context.now
        return CommitmentStatus.LAPSED if due else CommitmentStatus(self.row.status)

    @strawberry.field
    async def offer(self, info: Asked) -> Titled | None:
        found = await info.context.offers.load(self.row.offer_id) if self.row.offer_id else None
        return Titled(title=found.title) if found else None

    @strawberry.field
    async def organization(self, info: Asked) -> Named | None:
        found = await info.context.organizations.load(self.row.organization_id) if self.row.organization_id else None
        return Named(name=found.name) if found else None

    @strawberry.field
    async def need(self, info: Asked) -> Need:
        return shown(await info.context.needs.load(self.row.need_id))


@strawberry.type
class Need:
    row: strawberry.Private[exchange.Need]
    no: str
    title: str
    status: NeedStatus
    urgency: int
    created_at: datetime

    @strawberry.field
    async def category(self, info: Asked) -> Named:
        return Named(name=(await info.context.categories.load(self.row.category_id)).name)

    @strawberry.field
    async def community(self, info: Asked) -> Named:
        return Named(name=(await info.context.divisions.load(self.row.community_id)).name)

    @strawberry.field
    async def grid(self, info: Asked) -> Named | None:
        found = await info.context.grids.load(self.row.grid_id) if self.row.grid_id else None
        return Named(name=found.name) if found else None

    @strawberry.field
    async def quantity_left(self, info: Asked) -> int:
        left = self.row.qty_total - self.row.qty_committed
        if self.row.qty_committed > self.row.qty_delivered:
            overdue = sa.func.need_overdue(self.row.id, info.context.now, type_=sa.Integer())
            left += (await info.context.rows(select(overdue)))[0]
        return left

    @strawberry.field
    async def commitments(self, info: Asked, first: int) -> list[Commitment]:
        rows = await info.context.commitments(first).load(self.row.id)
        return [Commitment(row=row, quantity=row.qty) for row in rows]


def shown(row: exchange.Need) -> Need:
    """A need as GraphQL shows it."""
    return Need(
        row=row,
        no=row.no,
        title=row.title,
        status=NeedStatus(row.status),
        urgency=row.urgency,
        created_at=row.created_at,
    )


@strawberry.type
class Edge:
    node: Need


@strawberry.type
class Needs:
    edges: list[Edge]


@strawberry.input
class NeedFilter:
    community: strawberry.ID
    status: list[NeedStatus]


@strawberry.type
class Money:
    amount: Decimal


@strawberry.type
class FundMonth:
    fund_id: strawberry.Private[UUID]
    month: date
    received: Money
    spent: Money
    closing: Money
    donation_count: int

    @strawberry.field
    async def fund(self, info: Asked) -> Named:
        return Named(name=(await info.context.funds.load(self.fund_id)).name)


@strawberry.type
class Query:
    @strawberry.field
    async def need(self, info: Asked, id: strawberry.ID) -> Need | None:
        table = exchange.Need
        statement = select(table).where(table.id == key(id), *seen(table, "need", info.context.viewing))
        found = await info.context.rows(statement)
        return shown(found[0]) if found else None

    @strawberry.field
    async def needs(self, info: Asked, first: int, filter: NeedFilter, order: NeedOrder) -> Needs:
        table = exchange.Need
        statement = (
            select(table)
            .where(
                table.community_id == key(filter.community),
                col(table.status).in_([s.value for s in filter.status]),
                *seen(table, "need", info.context.viewing),
            )
            .order_by(col(table.created_at).desc(), col(table.id).desc())
            .limit(first)
        )
        return Needs(edges=[Edge(node=shown(row)) for row in await info.context.rows(statement)])

    @strawberry.field
    async def fund_months(
        self, info: Asked, since: Annotated[date, strawberry.argument(name="from")], months: int
    ) -> list[FundMonth]:
        context = info.context
        owned = select(funds.Fund)
        if context.actor.role is not Role.AUDITOR:
            owned = owned.where(funds.Fund.organization_id == context.actor.organization)
        own = sorted(await context.rows(owned), key=lambda fund: (fund.name, fund.id))
        table = funds.FundMonth
        rolled = select(table).where(col(table.fund_id).in_([fund.id for fund in own])).order_by(col(table.month))
        found: dict[UUID, dict[date, funds.FundMonth]] = {fund.id: {} for fund in own}
        for row in await context.rows(rolled):
            found[row.fund_id][row.month] = row
        return [line for fund in own for line in lines(fund.id, found[fund.id], since, months)]


def lines(fund: UUID, rows: dict[date, funds.FundMonth], since: date, months: int) -> list[FundMonth]:
    """A fund's months, quiet ones included."""
    out = []
    closing = next((row.closing_fen for month, row in reversed(rows.items()) if month < since), 0)
    month = since
    for _ in range(months):
        row = rows.get(month)
        closing = row.closing_fen if row else closing
        out.append(
            FundMonth(
                fund_id=fund,
                month=month,
                received=yuan(row.received_fen if row else 0),
                spent=yuan(row.spent_fen if row else 0),
                closing=yuan(closing),
                donation_count=row.gift_count if row else 0,
            )
        )
        month = clock.next_month(month)
    return out


def yuan(fen: int) -> Money:
    """Fen as Money."""
    return Money(amount=Decimal(fen).scaleb(-2))


def key(id: str) -> UUID:
    """The UUID in a global id."""
    return UUID(id.rpartition("_")[2])


@strawberry.type
class NeedFullyCommitted:
    message: str


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def need_claim(
        self, info: Asked, id: strawberry.ID, quantity: int, idempotency_key: str
    ) -> Annotated[Union[Commitment, NeedFullyCommitted], strawberry.union("NeedClaimResult")]:  # noqa: UP007
        context = info.context
        async with context.sessions() as session, session.begin():
            made = await claim(session, context, key(id), quantity)
        return Commitment(row=made, quantity=made.qty) if made else NeedFullyCommitted(message="refused")


async def claim(session: AsyncSession, context: Context, id: UUID, quantity: int) -> exchange.Commitment | None:
    """Locks the need, looks whether it may be claimed, counts it, and inserts the commitment. None: refused."""
    table, made, person = exchange.Need, exchange.Commitment, context.actor.person
    locked = select(table).where(table.id == id, *seen(table, "need", context.viewing)).with_for_update()
    need = (await session.exec(locked)).first()
    if need is None or need.status not in CLAIMABLE or need.sensitivity != Sensitivity.NORMAL:
        return None
    if need.due_at <= context.now or need.qty_committed + quantity > need.qty_total or need.requester_id == person:
        return None
    volunteer = select(people.Volunteer).where(people.Volunteer.person_id == person)
    registered = (await session.exec(volunteer)).first()
    if registered is None or registered.state != "ACTIVE":
        return None
    live = select(made.id).where(
        made.need_id == id, made.person_id == person, col(made.status).in_([s.value for s in LIVE])
    )
    if (await session.exec(live)).first() is not None:
        return None
    if need.household is not None:
        household = select(people.Resident.household).where(people.Resident.person_id == person)
        if need.household == (await session.exec(household)).first():
            return None
    need.qty_committed += quantity
    slot = rules.slot(need.window_from, need.window_to) or (None, None)
    row = made(
        need_id=id,
        person_id=person,
        volunteer_person_id=person,
        community_id=need.community_id,
        area=need.area,
        sensitivity=need.sensitivity,
        qty=quantity,
        origin=Origin.CLAIM,
        status=CommitmentStatus.PROPOSED,
        hold_until=context.now + rules.HOLD,
        slot_from=slot[0],
        slot_to=slot[1],
        created_at=context.now,
    )
    session.add(row)
    return row


class View(GraphQL[Context, None]):
    """Strawberry's ASGI application; the context knows who asks."""

    def __init__(self, settings: Settings) -> None:
        pool, self.tokens = opened(settings)
        url = pool.url.replace("postgresql://", "postgresql+asyncpg://", 1)
        engine = create_async_engine(
            url,
            pool_size=settings.pool_size,
            max_overflow=0,
            connect_args={"server_settings": {"jit": "off", "timezone": "Asia/Shanghai"}},
        )
        self.sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        extensions = [lambda: ParserCache(maxsize=100), lambda: ValidationCache(maxsize=100)]
        super().__init__(strawberry.Schema(Query, Mutation, extensions=extensions), graphql_ide=None)

    async def get_context(self, request: Request, response: Response) -> Context:  # type: ignore[override]
        now = clock.now()
        return Context(self.sessions, await self.tokens.actor(request.headers.get("authorization"), now), now)


def create(settings: Settings) -> App:
    """The ASGI application."""
    return View(settings)


if __name__ == "__main__":
    serve(create)
