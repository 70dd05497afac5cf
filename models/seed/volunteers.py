"""Makes a community's volunteers, and what each says of himself: his week, how far he goes, what he can do and prove.

What is said of his availability is drawn by a chance of its own, so that nothing else of the city moves by it.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from models.access import Role
from models.exchange.kinds import Kind
from models.people.identity import ADULT, birthday
from models.people.qualifications import QualificationStatus, QualificationType, mask_licence
from models.people.rules import VolunteerRegistration
from models.seed import words
from models.seed.persons import born, person
from models.seed.places import GRID, beside
from models.seed.sheets import DAY, HOUR, day
from models.seed.world import SEED, Community, World
from models.vault import Kind as Sealed

if TYPE_CHECKING:
    from models.seed.people import Lives

OFFERED = tuple(sorted({t.category for t in words.THINGS if t.kind is Kind.SERVICE}))
WAITS = 5
"""Whose paper waits for the staff of the accounts' community."""
VETERAN_DAYS = 380
"""Who has been a volunteer for longer takes part in what is made here; the others are new."""
SKILLS = {
    "ELDERLY": "ELDERLY_CARE HOSPITAL_ESCORT COOKING MEAL_DELIVERY CLEANING ERRANDS HAIRDRESSING COMPANY PHONES BATHING",
    "DISABLED": "WHEELCHAIR REHABILITATION GUIDING_BLIND SIGN_LANGUAGE",
    "CHILDCARE": "CHILDCARE READING_ALOUD CRAFTS TUTORING",
    "POVERTY": "CARRYING DRIVING ERRANDS",
    "EMPLOYMENT": "JOB_COACHING VOCATIONAL_TRAINING COMPUTERS",
    "HEALTH": "BLOOD_PRESSURE FIRST_AID NURSING MASSAGE COUNSELLING",
    "EDUCATION": "TUTORING LECTURING FOREIGN_LANGUAGES COMPUTERS",
    "CULTURE": "MUSIC DANCE CALLIGRAPHY PAINTING CRAFTS PHOTOGRAPHY SPORTS",
    "SAFETY": "REPAIRS PLUMBING PATROL FIRE_SAFETY",
    "MEDIATION": "MEDIATION LEGAL_ADVICE COMPANY",
}
"""What is done in the categories under each of these."""
MORNING, NOON, EVENING, NIGHT = 8 * 60 + 30, 12 * 60, 18 * 60, 21 * 60
HABITS = (
    ((1, 5), ((MORNING, 11 * 60 + 30), (13 * 60, 16 * 60 + 30))),
    ((1, 5), ((EVENING, NIGHT - 30),)),
    ((6, 7), ((9 * 60, NOON), (13 * 60, 17 * 60))),
    ((1, 7), ((MORNING, NOON), (13 * 60, 17 * 60), (EVENING + 30, NIGHT))),
)
"""Kinds of weeks: on which days, and between which minutes. Pensioners, people at work, weekends, whoever can."""
WINDOWS = (1, 2, 2, 3, 3, 4)
"""How many windows somebody has: 2.5 on average."""
RADII = (1.0, 2.0, 3.0, 3.0, 3.0, 5.0, 8.0)
CAPS = (1, 2, 2, 3, 3, 3, 4, 5)
PAPERS = {
    "HEALTH": (QualificationType.NURSE, QualificationType.DOCTOR, QualificationType.PSYCHOLOGIST),
    "MEDIATION": (QualificationType.LAWYER, QualificationType.SOCIAL_WORKER),
    "SAFETY": (QualificationType.ELECTRICIAN, QualificationType.FIRST_AID),
    "EDUCATION": (QualificationType.TEACHER,),
    "CHILDCARE": (QualificationType.CHILD_CARER, QualificationType.TEACHER),
    "DISABLED": (QualificationType.REHABILITATION, QualificationType.SIGN_INTERPRETER),
    "ELDERLY": (QualificationType.ELDERLY_CARER, QualificationType.FIRST_AID, QualificationType.COOK),
}
"""What somebody who serves under a category may have a paper of."""
ISSUERS = {
    QualificationType.DOCTOR: "沈阳市卫生健康委员会",
    QualificationType.NURSE: "沈阳市卫生健康委员会",
    QualificationType.LAWYER: "辽宁省司法厅",
    QualificationType.TEACHER: "沈阳市教育局",
    QualificationType.ELECTRICIAN: "沈阳市应急管理局",
}
ISSUER = "沈阳市人力资源和社会保障局"
ENDLESS = frozenset({QualificationType.TEACHER, QualificationType.PSYCHOLOGIST})
"""Papers that have no last day."""
SERVED = """
SELECT DISTINCT c.volunteer_person_id AS person, coalesce(n.certificate, s.certificates[1]) AS type
FROM commitment c JOIN need n ON n.id = c.need_id JOIN service_category s ON s.id = n.category_id
WHERE c.volunteer_person_id IS NOT NULL AND (n.certificate IS NOT NULL OR s.certificates <> '{}')
UNION
SELECT c.volunteer_person_id, s.certificates[1]
FROM commitment c JOIN need n ON n.id = c.need_id JOIN service_category s ON s.id = n.category_id
WHERE c.volunteer_person_id IS NOT NULL AND s.certificates <> '{}' AND n.certificate <> ALL (s.certificates)
ORDER BY 1, 2
"""
"""Who served what takes a paper (I11), and which."""
HELD = "SELECT person_id, type FROM qualification WHERE status = 'VERIFIED' AND (valid_to IS NULL OR valid_to >= $1)"


def register_volunteers(world: World, community: Community, lives: Lives) -> None:
    """Volunteers: most of them active for long; some new, waiting, suspended or gone; a few minors with consent."""
    V = VolunteerRegistration
    rng, own = world.rng, random.Random(f"{SEED} volunteers {community.code}")
    for place in range(community.quota["volunteers"]):
        role = Role.VOLUNTEER if community.home and place == 0 else None
        luck = 0.0 if role is not None else rng.random()
        veteran = luck < 0.8 or place < 10
        at = world.ago(VETERAN_DAYS, 1000) if veteran else world.ago(0.2, VETERAN_DAYS)
        state, reason, minor = V.ACTIVE, None, False
        if not veteran:
            minor = luck > 0.97
            if minor:
                state = V.ACTIVE if luck > 0.985 else V.PENDING_GUARDIAN
            elif luck > 0.95:
                state = V.PENDING_VERIFICATION
            elif luck > 0.94:
                state, reason = V.REJECTED, "信息未能核实"
            elif luck > 0.93:
                state = V.WITHDRAWN
            elif luck > 0.92:
                state, reason = V.SUSPENDED, "本人申请暂停"
        birth = born(world, 14, 16) if minor else born(world, 20, 68)
        code = world.one(lives.grids)[1]
        grown = state is V.ACTIVE or state is V.SUSPENDED
        who = person(
            world,
            at,
            area=code,
            acts=grown,
            role=role,
            born=birth,
            give=role is not None or (place % 40 == 3 and grown),
        )
        number = world.sheets.made["volunteer"] + 1
        said = rng.random() if rng.random() < 0.5 else None
        categories = [world.one(OFFERED), "ELDERLY"] if rng.random() < 0.4 else [world.one(OFFERED)]
        world.sheets["volunteer"].append(
            (
                world.sheets.id("volunteer", at),
                who,
                f"2101{number:010d}",
                state,
                reason,
                community.code,
                birthday(birth, ADULT),
                [] if said is None else _skills(own, said, categories),
                categories if role is None else [],
                rng.random() < 0.03,
                at,
                *_reach(own, community, who, ready=role is not None),
            )
        )
        if grown:
            _week(world, own, who, at, ready=role is not None)
            _papers(world, own, who, categories, at, lives)
            if community.home and place == WAITS:
                status = QualificationStatus.PENDING
                paper(world, who, QualificationType.DRIVER, at, lives.staff[0], days=900, status=status)
        if veteran:
            lives.volunteers.append(who)
        if minor and state is V.ACTIVE:
            consent = (world.sheets.id("guardian_consent", at), who, world.one(lives.volunteers), lives.staff[0])
            world.sheets["guardian_consent"].append((*consent, community.code, at + HOUR))


def _skills(own: random.Random, said: float, categories: list[str]) -> list[str]:
    """Up to three skills that go with somebody's categories."""
    fitting = [skill for code in categories for skill in SKILLS[code.partition(".")[0]].split()]
    return list(dict.fromkeys((fitting[int(said * len(fitting))], *own.choices(fitting, k=own.choice((0, 1, 2))))))


def _reach(own: random.Random, community: Community, who: UUID, *, ready: bool) -> tuple[object, ...]:
    """Where somebody sets out from, how far he goes, how often, and what he speaks: the last columns of the sheet.

    `ready`: for whatever is wanted; so is the account, that its lists have something.
    """
    x, y = community.position
    chosen = own.random() < 0.4
    if chosen:
        x, y = (round(at, 1) for at in beside(community.position, f"{community.code} {who}", GRID))
    languages = [
        name for name, share in (("KOREAN", 0.03), ("MONGOLIAN", 0.01), ("SIGN", 0.02)) if own.random() < share
    ]
    radius, cap = own.choice(RADII), own.choice(CAPS)
    return (x, y, chosen, max(RADII), 7, languages) if ready else (x, y, chosen, radius, cap, languages)


def _week(world: World, own: random.Random, who: UUID, at: int, *, ready: bool) -> None:
    """Somebody's windows; and, of one in twenty, days in the coming month on which he is away. `ready`: every day."""
    (first, last), hours = own.choice(HABITS)
    slots = [(weekday, *between) for weekday in range(first, last + 1) for between in hours]
    chosen = own.sample(slots, min(own.choice(WINDOWS), len(slots)))
    if ready:
        chosen = [(weekday, MORNING, EVENING) for weekday in range(1, 8)]
    for weekday, start, end in sorted(chosen):
        world.sheets["volunteer_window"].append((world.sheets.id("volunteer_window", at), who, weekday, start, end))
    if own.random() < 0.05:
        since = day(world.now) + timedelta(days=own.randint(-3, 25))
        away = (world.sheets.id("volunteer_absence", at), who, since, since + timedelta(days=own.randint(0, 9)))
        world.sheets["volunteer_absence"].append(away)


def _papers(world: World, own: random.Random, who: UUID, categories: list[str], at: int, lives: Lives) -> None:
    """Of one in seven a paper: most of them verified and in force; some ended, waiting or refused."""
    types = PAPERS.get(categories[0].partition(".")[0])
    luck = own.random()
    if types is None or luck > 0.15:
        return
    type, status = own.choice(types), QualificationStatus.VERIFIED
    if luck < 0.01:
        status = QualificationStatus.PENDING
    days = own.randint(-200, -1) if 0.01 <= luck < 0.02 else own.randint(5, 1500)
    paper(world, who, type, at, lives.staff[0], days=days, status=status)


def paper(
    world: World,
    who: UUID,
    type: QualificationType,
    at: int,
    by: UUID,
    *,
    days: int,
    status: QualificationStatus = QualificationStatus.VERIFIED,
) -> None:
    """Writes a qualification whose last day lies so many days ahead, or behind."""
    world.counts["papers"] += 1
    number, keys = f"XY{world.counts['papers']:08d}", world.vault
    decided = None if status is QualificationStatus.PENDING else at + DAY
    world.sheets["qualification"].append(
        (
            world.sheets.id("qualification", at),
            who,
            type,
            keys.seal(Sealed.IDENTITY, number, who),
            keys.index(Sealed.IDENTITY, number),
            mask_licence(number),
            ISSUERS.get(type, ISSUER),
            None if type in ENDLESS else day(world.now) + timedelta(days=days),
            status,
            None if decided is None else by,
            decided,
            at,
        )
    )


async def qualify_who_served(connection: asyncpg.Connection, world: World) -> None:
    """Gives a paper to whoever is to have served what takes one, and has none that is in force."""
    held = {(r["person_id"], r["type"]) for r in await connection.fetch(HELD, day(world.now))}
    staff = await connection.fetchval(
        "SELECT person_id FROM membership WHERE role = 'COMMUNITY_STAFF' ORDER BY id LIMIT 1"
    )
    for who, type in await connection.fetch(SERVED):
        if (who, type) not in held:
            paper(world, who, QualificationType(type), world.ago(390, 1000), staff, days=365)
    await world.sheets.write(connection)
