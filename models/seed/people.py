"""Makes a community's grids, buildings, people, organizations and capacities."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from uuid import UUID

from models.access import Role
from models.people.care import ResidentTag, written_tags, written_tier
from models.people.identity import (
    uscc_of,
)
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.people.rules import SocialWorkerLevel
from models.seed import words
from models.seed.persons import INVENTED_DISTRICT, born, identity, membership, person
from models.seed.places import BUILDING, GRID, beside, open_service_points
from models.seed.sheets import DAY, day
from models.seed.volunteers import register_volunteers
from models.seed.world import Community, World
from models.territory.rules import grid_code
from models.vault import Kind as Sealed

GRIDS_SINCE = date(2023, 6, 30)
TAGS = tuple(ResidentTag)


@dataclasses.dataclass
class Resident:
    """A resident, as needs refer to him."""

    id: UUID
    person: UUID
    household: str
    grid: int


@dataclasses.dataclass
class Active:
    """An organization that is busy: who answers for it, and which of the community's volunteers are its own."""

    id: UUID
    staff: UUID
    members: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Lives:
    """Who lives and works in a community: what its needs, offers and sessions draw on."""

    grids: list[tuple[UUID, str]] = dataclasses.field(default_factory=list)
    """Each grid's id and code."""
    places: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    """Where each grid lies on the city's plane, in km."""
    buildings: list[str] = dataclasses.field(default_factory=list)
    officers: list[UUID] = dataclasses.field(default_factory=list)
    staff: list[UUID] = dataclasses.field(default_factory=list)
    secretary: UUID | None = None
    """The secretary of its party unit, where he has an account."""
    workers: list[tuple[UUID, UUID]] = dataclasses.field(default_factory=list)
    """Each social worker's id and person."""
    residents: list[Resident] = dataclasses.field(default_factory=list)
    volunteers: list[UUID] = dataclasses.field(default_factory=list)
    """The persons of active, experienced, grown-up volunteers."""
    organizations: list[Active] = dataclasses.field(default_factory=list)
    taken: dict[tuple[UUID, UUID], int] = dataclasses.field(default_factory=dict)
    """Which organization took which volunteer, and when first."""


def populate(world: World, community: Community) -> Lives:
    """Writes a community's people, and says who they are."""
    lives = Lives()
    _workplace(world, community, lives)
    _grids(world, community, lives)
    open_service_points(world, community)
    _residents(world, community, lives)
    register_volunteers(world, community, lives)
    _social_workers(world, community, lives)
    _organizations(world, community, lives)
    return lives


def _workplace(world: World, community: Community, lives: Lives) -> None:
    """The community's staff."""
    for place in range(2):
        at = world.ago(800, 1000)
        role = Role.COMMUNITY_STAFF if community.home and place == 0 else None
        who = person(world, at, area=None, acts=True, role=role, born=born(world, 26, 55))
        membership(world, who, Role.COMMUNITY_STAFF, at, area=community.code, account=role is not None)
        lives.staff.append(who)
    if community.home:
        at = world.ago(700, 800)
        who = person(world, at, area=None, acts=True, role=Role.PARTY_SECRETARY, born=born(world, 40, 55))
        lives.secretary = who
        membership(world, who, Role.PARTY_SECRETARY, at, area=community.code, account=True)


def _grids(world: World, community: Community, lives: Lives) -> None:
    """Grids with their officers, and buildings."""
    count = community.quota["grids"]
    for number in range(1, count + 1):
        at = world.ago(600, 790)
        role = Role.GRID_OFFICER if community.home and number == 1 else None
        code = grid_code(community.code, number)
        who = person(world, at, area=None, acts=True, role=role, born=born(world, 24, 58))
        membership(world, who, Role.GRID_OFFICER, at, area=code, account=role is not None, by=lives.staff[0])
        id, place = world.sheets.id("grid", at), beside(community.position, code, GRID)
        world.sheets["grid"].append((id, code, f"第{number}网格", community.id, code, who, GRIDS_SINCE, *place))
        lives.grids.append((id, code))
        lives.places.append(place)
        lives.officers.append(who)
    for number in range(community.quota["buildings"]):
        grid, code = lives.grids[number % count]
        name = f"{number // count + 1}号楼"
        id = world.sheets.id("building", world.now - 900 * DAY)
        place = beside(lives.places[number % count], f"{code} {name}", BUILDING)
        world.sheets["building"].append((id, grid, community.id, name, code, *place))
        if number < count:
            lives.buildings.append(name)
    lives.buildings += ["平房"] * (count - len(lives.buildings))


def _residents(world: World, community: Community, lives: Lives) -> None:
    """Residents who ask for something: elders above all, some of them in one household."""
    household = ""
    for place in range(community.quota["residents"]):
        at = world.ago(400, 700)
        role = Role.RESIDENT if community.home and place == 0 else None
        alone = role is not None or world.chance(0.75) or not household
        if alone or not lives.residents:
            household = f"{world.rng.getrandbits(128):032x}"
            grid = 0 if role is not None else world.between(0, len(lives.grids) - 1)
        else:
            grid = lives.residents[-1].grid
        elder = role is not None or world.chance(0.7)
        grid_id, code = lives.grids[grid]
        door = f"{lives.buildings[grid]}{world.between(1, 6)}单元{world.between(1, 7)}0{world.between(1, 3)}"
        birth = born(world, 66, 92) if elder else born(world, 20, 60)
        who = person(
            world,
            at,
            area=code,
            acts=False,
            role=role,
            born=birth,
            address=f"{community.name}{door}",
            give=role is not None,
        )
        tags = [TAGS[0] if role is not None or alone else TAGS[1]] if elder else []
        if world.chance(0.15):
            tags.append(world.one(TAGS[3:6] if elder else TAGS[7:]))
        id = world.sheets.id("resident", at)
        care, staff = world.vault.seal(Sealed.CARE, written_tags(tags), who), lives.staff[0]
        lives_there = (id, who, code, community.id, grid_id, household, care, world.care(written_tier(tags), who))
        row = (*lives_there, at, at + DAY, staff)
        world.sheets["resident"].append(row)
        identity(world, who, birth, staff, at + DAY)
        lives.residents.append(Resident(id, who, household, grid))
        if place % 8 == 1:
            world.residents.append((id, who, community.code))


def _social_workers(world: World, community: Community, lives: Lives) -> None:
    """Licensed social workers, each with the capacity for the community."""
    for place in range(community.quota["social_workers"]):
        at = world.ago(380, 900)
        role = Role.SOCIAL_WORKER if community.home and place == 0 else None
        who = person(world, at, area=None, acts=True, role=role, born=born(world, 24, 55))
        id = world.sheets.id("social_worker", at)
        luck = world.rng.random()
        level = (
            SocialWorkerLevel.ASSISTANT
            if luck < 0.6
            else SocialWorkerLevel.INTERMEDIATE
            if luck < 0.95
            else SocialWorkerLevel.SENIOR
        )
        until = day(world.now) + timedelta(days=world.between(60, 1000))
        licence = f"SY{world.sheets.made['social_worker']:08d}"
        world.sheets["social_worker"].append((id, who, level, licence, until, community.code))
        membership(world, who, Role.SOCIAL_WORKER, at, area=community.code, account=role is not None, by=lives.staff[0])
        lives.workers.append((id, who))


def _coined(world: World) -> str:
    """Three characters that nobody is known by."""
    number, many = world.counts["registered"], len(words.COINED)
    world.counts["registered"] += 1
    return words.COINED[number % many] + words.COINED[(number // many + 7 * number + 3) % many][0]


def _organizations(world: World, community: Community, lives: Lives) -> None:
    """Organizations: a few registered, nearly all filed with the street. One in eight is busy, and has members."""
    count, registered = community.quota["organizations"], community.quota["registered"]
    if community.home:
        registered = max(1, registered)
    names = [(coined, group) for coined in words.COINED for group in words.GROUPS]
    world.rng.shuffle(names)
    busy = max(2, count // 8)
    for place in range(count):
        at = world.ago(400, 1400)
        account = community.home and place == 0
        known = place < registered
        verified, rejection = VerifiedState.VERIFIED, None
        if place >= busy and world.chance(0.03):
            verified = world.one(
                (VerifiedState.PENDING, VerifiedState.PENDING, VerifiedState.DRAFT, VerifiedState.REJECTED)
            )
            rejection = "材料不完整" if verified is VerifiedState.REJECTED else None
        if community.home and place >= max(busy, count - 1):  # one was written down and not handed in
            verified, rejection = VerifiedState.DRAFT, None
        contact = world.one(lives.volunteers)
        if account:
            contact = person(world, at, area=None, acts=True, role=Role.NGO_STAFF, born=born(world, 28, 50))
        id = world.sheets.id("organization", at)
        number = world.sheets.made["organization"]
        uscc = filing_no = None
        if known:
            kind = OrganizationKind.SERVICE_ORG if place % 3 < 2 else OrganizationKind.SOCIAL_ORG
            coined, what = _coined(world), words.REGISTERED[place % 6]
            parts: tuple[str, ...] = (community.district_name, coined, what)
            uscc = uscc_of(f"{'52' if kind is OrganizationKind.SERVICE_ORG else '51'}{INVENTED_DISTRICT}{number:09d}")
        else:
            kind = OrganizationKind.SOCIAL_ORG
            parts = (community.name, *names[place])
            filing_no = f"{community.code[:9]}-{number:06d}"
        world.sheets["organization"].append(
            (
                id,
                "".join(parts),
                " ".join(map(world.key, parts)),
                kind,
                LegalStatus.REGISTERED if known else LegalStatus.FILED,
                uscc,
                filing_no,
                verified,
                rejection,
                known and place % 4 == 0,
                community.id,
                community.code,
                contact,
                at,
            )
        )
        if place < busy:
            active = Active(id, contact)
            membership(world, contact, Role.NGO_STAFF, at + DAY, organization=id, account=account)
            lives.organizations.append(active)
            world.helpers.append((id, community.code))
    groups = len(lives.organizations)
    for place in range(len(lives.volunteers)):
        lives.organizations[place % groups].members.append(place)
    if community.home:
        lives.organizations[0].members.append(0)
