"""The demo accounts: one person for each role, found again by ids that are made of the role's slug.

So no table says who is a demo account, and data of any scale has the same ones.
"""

from __future__ import annotations

import dataclasses
import re
from uuid import NAMESPACE_DNS, UUID, uuid5

import asyncpg

from models.access import Claims, Role
from models.people.scopes import GRANTED_ROLES

NAMESPACE = uuid5(NAMESPACE_DNS, "demo-accounts.wushe.invalid")
HOME = "210103005024"
"""多福社区 of 沈河区: where the accounts of a community live and work."""
DISTRICT, CITY = HOME[:6], HOME[:4]

ACCOUNTS: dict[str, Role] = {role.slug: role for role in Role if role is not Role.PUBLIC}
"""The accounts, by slug."""


@dataclasses.dataclass(frozen=True)
class Player:
    """One account's person."""

    name: str
    woman: bool
    area: str | None
    """What his membership is over; None where it is over an organization, the platform, or there is none."""


CAST: dict[Role, Player] = {
    Role.PERSON: Player("骆茉妍", True, None),
    Role.RESIDENT: Player("沈漪茹", True, None),
    Role.VOLUNTEER: Player("程砚朔", False, None),
    Role.SOCIAL_WORKER: Player("梁芷汐", True, HOME),
    Role.GRID_OFFICER: Player("韩祁澈", False, HOME + "001"),
    Role.COMMUNITY_STAFF: Player("宋岚婉", True, HOME),
    Role.NGO_STAFF: Player("吕竣煜", False, None),
    Role.FUND_MAKER: Player("许菀玥", True, None),
    Role.FUND_CHECKER: Player("袁秉昶", False, None),
    Role.FUND_AUTHORISER: Player("傅鸢霁", True, None),
    Role.FUND_REPORTER: Player("彭聿谌", False, None),
    Role.DISTRICT_VIEWER: Player("曾翊铮", False, DISTRICT),
    Role.CITY_VIEWER: Player("邓纾绮", True, CITY),
    Role.DEPARTMENT: Player("冯霖骁", False, None),
    Role.PARTY_SECRETARY: Player("萧黛瑾", True, HOME),
    Role.AUDITOR: Player("曹旻屹", False, None),
    Role.ADMIN: Player("于琬翎", True, None),
}


def person_of(role: Role) -> UUID:
    """The id of an account's person."""
    return uuid5(NAMESPACE, f"person/{role.slug}")


def membership_of(role: Role) -> UUID | None:
    """The id of an account's membership; None for the roles that come without one."""
    return uuid5(NAMESPACE, f"membership/{role.slug}") if role in GRANTED_ROLES else None


FIND = """
SELECT EXISTS (SELECT FROM person WHERE id = $1)
   AND ($2::uuid IS NULL OR EXISTS (SELECT FROM membership WHERE id = $2 AND person_id = $1))
"""


async def account(connection: asyncpg.Connection, slug: str) -> Claims | None:
    """What the token of a role's demo account says; None where there is no such role, or no such account here."""
    role = ACCOUNTS.get(slug)
    if role is None:
        return await _another_volunteer(connection, slug)
    person, membership = person_of(role), membership_of(role)
    return Claims(person, role, membership) if await connection.fetchval(FIND, person, membership) else None


async def _another_volunteer(connection: asyncpg.Connection, slug: str) -> Claims | None:
    """`volunteer-2`, `volunteer-3`, …: further volunteers of the same community, to see what happens among several."""
    which = re.fullmatch(r"volunteer-([2-9])", slug)
    if which is None:
        return None
    person = await connection.fetchval(OTHERS, person_of(Role.VOLUNTEER), HOME, int(which[1]) - 2)
    return None if person is None else Claims(person, Role.VOLUNTEER)


OTHERS = """
SELECT person_id FROM volunteer
WHERE state = 'ACTIVE' AND person_id <> $1 AND area = $2
ORDER BY volunteer_no OFFSET $3 LIMIT 1
"""


async def accounts(api_url: str) -> list[tuple[str, Claims]]:
    """Every demo account of a database: the role's slug, and what its token says."""
    connection = await asyncpg.connect(api_url)
    try:
        found = [(slug, await account(connection, slug)) for slug in ACCOUNTS]
    finally:
        await connection.close()
    return [(slug, claims) for slug, claims in found if claims is not None]
