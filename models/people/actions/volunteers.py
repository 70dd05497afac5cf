"""Verbs of a volunteer's registration: register, verify, reject, suspend, resume, edit, withdraw."""

from __future__ import annotations

import dataclasses
import re
from datetime import date
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models import clock
from models.access import may
from models.base import table
from models.database import Db, Statement
from models.people.actions.interests import no_conflict
from models.people.actions.persons import ACTS, PRESENT
from models.people.actions.places import a_community
from models.people.actions.registrations import CONSENTED, lacks_consent, load, move, moved, own
from models.people.identity import ADULT, CAPABLE, age, birthday, is_minor, read_birth_date
from models.people.problems import AlreadyRegistered, ConflictOfInterest, GuardianConsentMissing, OwnCase, TooYoung
from models.people.rules import VOLUNTEER_STEPS, VolunteerRegistration
from models.people.scopes import MAY
from models.people.skills import Skill
from models.people.tables import Person, Volunteer
from models.problems import Forbidden, InvalidInput, InvalidTransition, StaleVersion, refuses
from models.rules_text import clean

person, volunteer, skill = table(Person), table(Volunteer), table(Skill)
CODE = re.compile(r"[A-Z0-9][A-Z0-9_.-]{0,39}", re.ASCII)
MOST = 20


@dataclasses.dataclass(frozen=True)
class VolunteerInput:
    """What somebody says when he registers as a volunteer. `birth_date` is needed when none is on record."""

    community: UUID
    skills: list[str]
    categories: list[str]
    birth_date: date | None = None
    no_matching: bool = False


PERSON = Statement(
    sa.select(person.c.id, person.c.birth_date, person.c.area, person.c.acts)
    .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()), PRESENT)
    .with_for_update()
)
OWN = Statement(
    sa.select(volunteer).where(volunteer.c.person_id == sa.bindparam("person", type_=sa.Uuid())).with_for_update()
)
INSERT = Statement(
    sa.insert(volunteer)
    .values(
        person_id=sa.bindparam("person"),
        state=sa.bindparam("state"),
        area=sa.bindparam("area"),
        adult_on=sa.bindparam("adult_on"),
        skills=sa.bindparam("skills"),
        categories=sa.bindparam("categories"),
        no_matching=sa.bindparam("no_matching"),
        languages=sa.literal_column("'{}'"),
        created_at=sa.bindparam("now"),
        version=1,
    )
    .returning(volunteer.c.id)
)
AGAIN = Statement(
    sa.update(volunteer)
    .where(volunteer.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        state=sa.bindparam("state"),
        state_reason=sa.null(),
        area=sa.bindparam("area"),
        skills=sa.bindparam("skills"),
        categories=sa.bindparam("categories"),
        no_matching=sa.bindparam("no_matching"),
        version=volunteer.c.version + 1,
    )
)
KNOW = Statement(
    sa.update(person)
    .where(person.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        birth_date=sa.bindparam("birth_date"),
        area=sa.func.coalesce(person.c.area, sa.bindparam("area", type_=sa.Text())),
    )
)
EDIT = Statement(
    sa.update(volunteer)
    .where(volunteer.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        skills=sa.bindparam("skills"),
        categories=sa.bindparam("categories"),
        no_matching=sa.bindparam("no_matching"),
        version=volunteer.c.version + 1,
    )
)


KNOWN_SKILLS = Statement(
    sa.select(sa.func.count()).where(skill.c.code == sa.any_(sa.bindparam("codes", type_=sa.ARRAY(sa.Text()))))
)


async def read_skills(db: Db, given: list[str]) -> list[str]:
    """Codes of skills: at most 20, none twice. Raises InvalidInput for what is none."""
    wanted = list(dict.fromkeys(given))
    if len(wanted) > MOST:
        raise InvalidInput(field="skills", reason=f"技能最多选择 {MOST} 项。")
    if wanted and await db.value(KNOWN_SKILLS, codes=wanted) < len(wanted):
        raise InvalidInput(field="skills", reason="技能不存在，请从技能目录中选择。")
    return wanted


def read_categories(given: list[str]) -> list[str]:
    """Codes of service categories: at most 20, none twice. Raises InvalidInput for what is no code."""
    if len(given) > MOST or not all(CODE.fullmatch(code) for code in given):
        raise InvalidInput(field="categories", reason=f"服务类别须为类别代码，最多 {MOST} 项。")
    return list(dict.fromkeys(given))


@may(MAY["volunteer.register"])
@refuses(AlreadyRegistered, TooYoung)
async def register_volunteer(db: Db, given: VolunteerInput) -> UUID:
    """Registers whoever is signed in as a volunteer of a community; returns the volunteer's id.

    A minor waits for a guardian's consent first (I10), everybody for the community's staff. Who was refused or has
    left registers again under his number. Raises Forbidden, NotFound, InvalidInput, AlreadyRegistered, TooYoung.
    """
    skills, categories = await read_skills(db, given.skills), read_categories(given.categories)
    me = await db.one(PERSON, id=db.actor.person)
    if me is None:
        raise Forbidden()
    community = await a_community(db, given.community)
    born = _born(db, me["birth_date"], given.birth_date)
    if age(born, clock.day(db.now)) < CAPABLE:
        raise TooYoung(age=CAPABLE)
    before = await db.one(OWN, person=me["id"])
    state = VolunteerRegistration.PENDING_VERIFICATION
    if before is not None:
        if ("register", before["state"]) not in VOLUNTEER_STEPS:
            raise AlreadyRegistered(what="志愿者")
        state = moved("register", before["state"])
    if is_minor(born, db.now) and not await db.value(CONSENTED, minor=me["id"]):
        state = VolunteerRegistration.PENDING_GUARDIAN
    values = {
        "state": state,
        "area": community["code"],
        "skills": skills,
        "categories": categories,
        "no_matching": given.no_matching,
    }
    await db.one(KNOW, id=me["id"], birth_date=born, area=community["code"])
    if before is not None:
        id_: UUID = before["id"]
        await db.one(AGAIN, id=id_, **values)
    else:
        id_ = await db.value(INSERT, person=me["id"], adult_on=birthday(born, ADULT), **values)
    db.tell("volunteer.registered", id_, area=community["code"], state=state.value)
    return id_


def _born(db: Db, known: date | None, given: date | None) -> date:
    """The birth date on record, or the one that is given for the first time. Raises InvalidInput."""
    if given is not None:
        read_birth_date(given, db.now)
    if known is None and given is None:
        raise InvalidInput(field="birthDate", reason="请填写出生日期。")
    if known is not None and given is not None and known != given:
        raise InvalidInput(field="birthDate", reason="与已登记的出生日期不一致，如有误请联系社区更正。")
    born = known or given
    assert born is not None
    return born


@may(MAY["volunteer.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest, GuardianConsentMissing)
async def verify_volunteer(db: Db, id: UUID) -> UUID:
    """The community's staff checks a registration; from then on he may serve. Raises besides: GuardianConsentMissing."""
    row = await _to_decide(db, id)
    state = moved("verify", row["state"])
    if await lacks_consent(db, row):
        raise GuardianConsentMissing()
    await db.one(ACTS, id=row["person_id"])
    return await move(db, row, state, None, "volunteer.verified")


@may(MAY["volunteer.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def reject_volunteer(db: Db, id: UUID, reason: str) -> UUID:
    """The community's staff refuses a registration, with a reason."""
    row = await _to_decide(db, id)
    return await move(db, row, moved("reject", row["state"]), clean(reason, "reason"), "volunteer.rejected")


@may(MAY["volunteer.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def suspend_volunteer(db: Db, id: UUID, reason: str) -> UUID:
    """The community's staff suspends a volunteer, with a reason. What he is committed to is decided elsewhere."""
    row = await _to_decide(db, id)
    return await move(db, row, moved("suspend", row["state"]), clean(reason, "reason"), "volunteer.suspended")


@may(MAY["volunteer.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest, GuardianConsentMissing)
async def resume_volunteer(db: Db, id: UUID) -> UUID:
    """The community's staff ends a suspension; a minor's needs a guardian's consent again."""
    row = await _to_decide(db, id)
    state = moved("resume", row["state"])
    if await lacks_consent(db, row):
        raise GuardianConsentMissing()
    return await move(db, row, state, None, "volunteer.resumed")


@may(MAY["volunteer.withdraw"])
@refuses(InvalidTransition)
async def withdraw_volunteer(db: Db, id: UUID) -> UUID:
    """The volunteer himself leaves; hours and number stay his."""
    row = await own(db, id)
    return await move(db, row, moved("withdraw", row["state"]), None, "volunteer.withdrawn")


@may(MAY["volunteer.edit"])
@refuses(StaleVersion)
async def edit_volunteer(
    db: Db,
    id: UUID,
    version: int,
    *,
    skills: list[str] | None = None,
    categories: list[str] | None = None,
    no_matching: bool | None = None,
) -> UUID:
    """The volunteer himself changes what is not None. `no_matching` keeps him out of candidate lists. Raises StaleVersion."""
    row = await own(db, id)
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    await db.one(
        EDIT,
        id=id,
        skills=row["skills"] if skills is None else await read_skills(db, skills),
        categories=row["categories"] if categories is None else read_categories(categories),
        no_matching=row["no_matching"] if no_matching is None else no_matching,
    )
    db.tell("volunteer.edited", id, area=row["area"])
    return id


async def _to_decide(db: Db, id: UUID) -> asyncpg.Record:
    """A registration in the staff's own community, locked. Nobody decides his own. Raises Forbidden, NotFound, OwnCase,
    ConflictOfInterest."""
    row = await load(db, id)
    if not db.actor.covers(row["area"]):
        raise Forbidden()
    if row["person_id"] == db.actor.person:
        raise OwnCase()
    await no_conflict(db, concerns=[row["person_id"]])
    return row
