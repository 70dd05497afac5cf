"""Writes invented people: who somebody is, his identity card, his capacities."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from models.access import Role
from models.people.identity import check_digit, mask_address, mask_name, mask_number, mask_phone
from models.people.rules import Gender, IdType, PersonState, PhoneWhose
from models.seed import words
from models.seed.cast import CAST, membership_of, person_of
from models.seed.sheets import FIRST_DAY, day
from models.seed.world import World
from models.vault import Kind as Sealed

INVENTED_DISTRICT = "219999"
"""No division has this code, so no credit code and no identity card made with it is anybody's."""


def person(
    world: World,
    at: int,
    *,
    area: str | None,
    acts: bool,
    role: Role | None = None,
    born: date | None = None,
    address: str | None = None,
    give: bool = False,
) -> UUID:
    """Writes a person with name and contact: somebody invented, or the account of a role."""
    if role is not None:
        who, woman, id = CAST[role].name, CAST[role].woman, person_of(role)
        world.sheets.made["person"] += 1
    else:
        woman = world.chance(0.55)
        letters = words.WOMEN if woman else words.MEN
        who = world.one(words.SURNAMES) + world.one(letters)
        if world.chance(0.8):
            who += world.one(letters)
        id = world.sheets.id("person", at)
    number = world.sheets.made["person"]
    phone = f"12{number:09d}"
    masked = mask_name(who)
    gender = Gender.FEMALE if woman else Gender.MALE
    sheets, keys = world.sheets, world.vault
    place = None if address is None else mask_address(address)
    sheets["person"].append(
        (id, masked, mask_phone(phone), place, gender, born, world.key(masked), area, acts, PersonState.PRESENT, at)
    )
    sheets["person_name"].append((id, keys.seal(Sealed.NAME, who, id)))
    sheets["person_contact"].append(
        (
            id,
            keys.seal(Sealed.PHONE, phone, id),
            keys.index(Sealed.PHONE, phone),
            PhoneWhose.OWN,
            None if address is None else keys.seal(Sealed.ADDRESS, address, id),
        )
    )
    if give:
        world.supporters.insert(0 if role is not None else len(world.supporters), (id, who))
    return id


def identity(world: World, who: UUID, born: date, by: UUID, at: int) -> None:
    """Writes an invented identity card, which the community's staff have seen."""
    world.counts[f"born {born}"] += 1
    first17 = f"{INVENTED_DISTRICT}{born:%Y%m%d}{world.counts[f'born {born}']:03d}"
    plain, keys = first17 + check_digit(first17), world.vault
    sealed, index = keys.seal(Sealed.IDENTITY, plain, who), keys.index(Sealed.IDENTITY, plain)
    world.sheets["person_identity"].append((who, IdType.ID_CARD, sealed, index, mask_number(plain), by, at))


def membership(
    world: World,
    who: UUID,
    role: Role,
    at: int,
    *,
    area: str | None = None,
    organization: UUID | None = None,
    account: bool = False,
    by: UUID | None = None,
) -> None:
    """Writes a capacity."""
    id = membership_of(role) if account else world.sheets.id("membership", at)
    world.sheets["membership"].append((id, who, organization, role, area, day(at), by, at))


def born(world: World, youngest: int, oldest: int) -> date:
    """A birth date of somebody whose age lies between two, in whole years, today."""
    days = int(world.between(youngest * 365 + youngest // 4 + 2, oldest * 365))
    return date.fromordinal(FIRST_DAY + world.today - days)
