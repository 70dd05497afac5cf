"""Makes foundations with their staff, donors and funds, and has each fund's books made, month by month.

Gifts are taken as the verbs take them: narrowest restriction first, then in the order of their arrival. Balances,
accounts and months are written by the database's own triggers.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from uuid import UUID

import asyncpg

from models.access import Role
from models.clock import next_month
from models.funds.books import Account
from models.funds.inputs import label
from models.funds.restrictions import Restriction
from models.funds.rules import DonorKind, FundKind
from models.people.identity import uscc_of
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.progress import Progress
from models.seed import words
from models.seed.book import Book
from models.seed.cast import CITY, DISTRICT
from models.seed.gifts import Foundation, Fund
from models.seed.persons import INVENTED_DISTRICT, born, membership, person
from models.seed.sheets import DAY, FIRST_DAY, day, midnight
from models.seed.terms import GIVEN, give
from models.seed.world import World
from models.vault import Kind

MONTHS = 13
"""Whole months of gifts before the current one."""
NAMES = ("沈阳市萤榆公益基金会", "沈阳市汀禾公益基金会", "沈阳市砚桐公益基金会")
DEPARTMENT_NAME = "沈阳市邻里事务示例部门"
BINDINGS = (
    (FundKind.UNRESTRICTED, Restriction()),
    (FundKind.PURPOSE, Restriction(category="ELDERLY")),
    (FundKind.BENEFICIARY_AREA, Restriction(area=DISTRICT)),
    (FundKind.PURPOSE, Restriction(category="POVERTY")),
    (FundKind.PURPOSE, Restriction(category="CHILDCARE")),
    (FundKind.UNRESTRICTED, Restriction()),
    (FundKind.PURPOSE, Restriction(category="DISABLED")),
    (FundKind.TIME, Restriction()),
    (FundKind.PURPOSE, Restriction(category="HEALTH")),
    (FundKind.PURPOSE, Restriction(category="EDUCATION", area=CITY)),
)
"""The funds' kinds, in turn; a TIME fund's days are those of the data."""
NAMED = {
    "ELDERLY": "助老",
    "POVERTY": "济困",
    "CHILDCARE": "托幼",
    "DISABLED": "助残",
    "HEALTH": "健康",
    "EDUCATION": "助学",
}
DONORS_PER_GIFT = 0.4
STAFF = (Role.FUND_MAKER, Role.FUND_CHECKER, Role.FUND_AUTHORISER, Role.FUND_REPORTER)


async def fund(connection: asyncpg.Connection, world: World, progress: Progress) -> None:
    """Writes foundations, funds, gifts, allocations, payments, traces and ledger."""
    months = _months(world)
    funds = _found(world, midnight(months[0]) - 40 * DAY)
    await world.sheets.write(connection)
    for row in await connection.fetch("SELECT fund_id, account, id FROM ledger_account"):
        funds[row["fund_id"]].accounts[Account(row["account"])] = row["id"]
    gifts, count = world.scale.donations, len(funds)
    with progress("基金、捐赠与拨付", gifts) as advance:
        for number, of in enumerate(funds.values()):
            share = (number + 1) * gifts // count - number * gifts // count
            book = Book(world, of, number)
            book.receive(share, midnight(months[0]), count)
            for place, (first, after) in enumerate(pairwise(months)):
                book.spend(midnight(first), min(midnight(after), world.now), age=len(months) - 2 - place)
            book.close()
            await world.sheets.write(connection)
            advance(share)


def _months(world: World) -> list[int]:
    """The day numbers on which months begin: from the first one with gifts to the one after the current."""
    today = day(world.now)
    year, month = divmod(today.year * 12 + today.month - 1 - MONTHS, 12)
    first, out = date(year, month + 1, 1), []
    while first <= today:
        out.append(first.toordinal() - FIRST_DAY)
        first = next_month(first)
    return [*out, first.toordinal() - FIRST_DAY]


def _found(world: World, made: int) -> dict[UUID, Fund]:
    """Foundations with their staff, funds and donors; each fund by its id."""
    funds: dict[UUID, Fund] = {}
    for number, name in enumerate(NAMES):
        id = world.sheets.id("organization", made)
        code = uscc_of(f"53{INVENTED_DISTRICT}{world.sheets.made['organization']:09d}")
        staff = [_hand(world, role, id, made, account=number == 0) for role in STAFF]
        world.sheets["organization"].append(
            (
                *(id, name, world.key(name), OrganizationKind.FOUNDATION, LegalStatus.REGISTERED, code, None),
                *(VerifiedState.VERIFIED, None, True, world.divisions[CITY], CITY, staff[0], made),
            )
        )
        give(world, id, CITY, world.scale.offers + number * len(GIVEN) + 1, world.now - 60 * DAY)
        of = Foundation(id, staff[0], staff[1], staff[2])
        for index in range(number, world.scale.funds, len(NAMES)):
            opened = _open(world, of, index // len(NAMES) + 3 * number, index, made)
            funds[opened.id] = opened
        _donors(world, of, max(20, int(world.scale.donations * DONORS_PER_GIFT) // len(NAMES)), made)
    return funds


def _hand(world: World, role: Role, organization: UUID, at: int, *, account: bool) -> UUID:
    who = person(world, at, area=None, acts=True, role=role if account else None, born=born(world, 28, 55))
    membership(world, who, role, at, organization=organization, account=account)
    return who


def _open(world: World, of: Foundation, binding: int, index: int, made: int) -> Fund:
    """A fund, bound as its kind says."""
    kind, restriction = BINDINGS[binding % len(BINDINGS)]
    if kind is FundKind.TIME:
        restriction = Restriction(since=day(made), until=day(world.now + 400 * DAY))
    what = NAMED.get(restriction.category or "") or ("沈河邻里" if restriction.area else "邻里")
    name = f"{words.COINED[index % len(words.COINED)]}{what}{'限期' if kind is FundKind.TIME else ''}专项"
    id = world.sheets.id("fund", made)
    bounds = (restriction.category, restriction.area, restriction.since, restriction.until)
    world.sheets["fund"].append((id, of.id, name, kind, *bounds, of.maker, made))
    return Fund(id, of, name, restriction)


def _donors(world: World, of: Foundation, count: int, made: int) -> None:
    """Donors: people with and without an account, organizations, and some who stay anonymous."""
    sheets, random = world.sheets, world.rng.random
    for place in range(count):
        luck = random()
        account: UUID | None = None
        name: str | None
        kind = DonorKind.PERSON
        if place < min(len(world.supporters), count // 5):
            account, name = world.supporters[place]
        elif luck < 0.1:
            kind, name = DonorKind.ANONYMOUS, None
        elif luck < 0.16:
            kind, name = DonorKind.ORGANIZATION, f"{world.one(words.COINED)}{world.one(words.SUPPLIERS)}"
        else:
            name = world.one(words.SURNAMES) + world.one(words.WOMEN) + world.one(words.MEN)
        id = sheets.id("donor", made)
        sheets["donor"].append((id, of.id, kind, label(kind, name), account, None, made))
        if name is not None and kind is DonorKind.PERSON:
            sheets["donor_name"].append((id, kind, of.id, world.vault.seal(Kind.NAME, name, id)))
        of.donors.append((id, kind, account, name))


def platform(world: World) -> None:
    """The accounts that belong to no community and no foundation, and the department that one of them works for."""
    made = world.now - 900 * DAY
    id = world.sheets.id("organization", made)
    for role in (Role.DISTRICT_VIEWER, Role.CITY_VIEWER, Role.DEPARTMENT, Role.AUDITOR, Role.ADMIN):
        who = person(world, made, area=None, acts=role is Role.ADMIN, role=role, born=born(world, 30, 55))
        area = {Role.DISTRICT_VIEWER: DISTRICT, Role.CITY_VIEWER: CITY}.get(role)
        organization = id if role is Role.DEPARTMENT else None
        membership(world, who, role, made, area=area, organization=organization, account=True)
    person(world, made, area=None, acts=False, role=Role.PERSON)
    world.sheets["organization"].append(
        (
            *(id, DEPARTMENT_NAME, world.key(DEPARTMENT_NAME), OrganizationKind.DEPARTMENT, LegalStatus.INTERNAL, None),
            *(None, VerifiedState.VERIFIED, None, False, world.divisions[CITY], CITY, None, made),
        )
    )
