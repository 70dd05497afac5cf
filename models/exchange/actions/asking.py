"""Asking for something: who it is for, where, and who of the staff may see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models import clock, vault
from models.access import Role, may, seen
from models.base import table
from models.calendar_days import answer_by
from models.database import Db, Seen, Statement
from models.exchange import appointments, rules
from models.exchange.actions.ground import Row, bound, care, insertion, locked_need, need
from models.exchange.appointments import Window
from models.exchange.kinds import GenderPreference, Hint, Kind, Sensitivity, SubmittedVia, Unit
from models.exchange.states import NeedStatus
from models.exchange.tables import NeedOption, NeedStaff, ServiceCategory
from models.exchange.visible import is_any
from models.people.availability import Language
from models.people.holding import holds
from models.people.organizations import Membership
from models.people.qualifications import QualificationType
from models.people.skills import Skill
from models.people.tables import Resident
from models.problems import Forbidden, InvalidInput, NotFound, refuses
from models.territory.tables import Division, Grid

category, staff, resident = table(ServiceCategory), table(NeedStaff), table(Resident)
option, skill = table(NeedOption), table(Skill)
grid, division, membership = table(Grid), table(Division), table(Membership)


@dataclasses.dataclass(frozen=True)
class NeedInput:
    """What is asked for. Staff name the resident whom it is for, or a grid; a resident somebody of his household."""

    title: str
    category: UUID
    kind: Kind = Kind.SERVICE
    note: str | None = None
    quantity: int = 1
    unit: Unit | None = None
    window_from: datetime | None = None
    window_to: datetime | None = None
    due_at: datetime | None = None
    urgency: int = 2
    sensitivity: Sensitivity = Sensitivity.NORMAL
    gender_preference: GenderPreference = GenderPreference.ANY
    beneficiary: UUID | None = None
    grid: UUID | None = None
    submitted_via: SubmittedVia | None = None
    draft: bool = False
    skill: str | None = None
    certificate: QualificationType | None = None
    language: Language = Language.MANDARIN
    gender_required: bool = False
    vulnerability: int = 0
    duration_minutes: int | None = None
    hints: tuple[Hint, ...] = ()
    options: tuple[Window, ...] = ()
    rrule: str | None = None


CATEGORY = Statement(sa.select(category.c.id, category.c.code).where(category.c.id == bound("id")))
LIVES = (
    *(resident.c.id, resident.c.person_id, resident.c.household),
    *(resident.c.community_id, resident.c.grid_id, resident.c.area),
)
MYSELF = Seen(lambda viewer: sa.select(*LIVES).where(resident.c.person_id == viewer.person))
RESIDENT = Seen(
    lambda viewer: sa.select(*LIVES).where(resident.c.id == bound("id"), *seen(resident, "resident", viewer))
)
PLACE = (grid.c.id.label("grid_id"), grid.c.community_id, grid.c.code.label("area"))
GRID = Statement(sa.select(*PLACE).where(grid.c.id == bound("id")))
GRID_OF_CODE = Statement(sa.select(*PLACE).where(grid.c.code == bound("code")))
COMMUNITY_OF_CODE = Statement(
    sa.select(
        sa.cast(sa.null(), sa.Uuid()).label("grid_id"),
        division.c.id.label("community_id"),
        division.c.code.label("area"),
    ).where(division.c.code == bound("code"), sa.func.length(division.c.code) == 12)
)
A_SKILL = Statement(sa.select(sa.exists().where(skill.c.code == bound("code"))))
POSITION = Statement(
    sa.select(sa.func.coalesce(grid.c.x, division.c.x).label("x"), sa.func.coalesce(grid.c.y, division.c.y).label("y"))
    .select_from(division.outerjoin(grid, grid.c.id == bound("grid", sa.Uuid())))
    .where(division.c.id == bound("community"))
)
"""Where a need is: its grid's point, or else its community's."""
OPTION = Statement(
    sa.insert(option).values(
        need_id=bound("need"), place=bound("place"), starts_at=bound("starts_at"), ends_at=bound("ends_at")
    )
)
COLUMNS = (
    *(
        "title",
        "note",
        "subject_id",
        "kind",
        "category_id",
        "category_code",
        "beneficiary_id",
        "household",
        "requester_id",
    ),
    *("submitted_via", "community_id", "grid_id", "area", "unit", "qty_total", "window_from", "window_to", "due_at"),
    *("answer_due_at", "urgency", "sensitivity", "gender_preference", "status", "created_at", "x", "y", "skill_code"),
    *("certificate", "language", "gender_required", "vulnerability", "duration_minutes", "hints", "options", "rrule"),
)
INSERT = insertion(need, COLUMNS)
NAME = Statement(
    insert(staff)
    .values(need_id=bound("need"), person_id=bound("person"), named_by=bound("by"), named_at=bound("now"))
    .on_conflict_do_nothing()
)
SERVING = sa.and_(
    membership.c.area == bound("area", sa.Text()),
    holds(membership.c),
)
LONGEST_SERVING = Statement(
    sa.select(membership.c.person_id)
    .where(membership.c.role == sa.literal_column(f"'{Role.COMMUNITY_STAFF.value}'"), SERVING)
    .order_by(membership.c.granted_at, membership.c.id)
    .limit(1)
)
SERVES = Statement(
    sa.select(
        sa.exists().where(
            membership.c.person_id == bound("person"), is_any(membership.c.role, tuple(rules.TRIAGERS)), SERVING
        )
    )
)


@may(rules.MAY["need.submit"])
@refuses()
async def submit_need(db: Db, given: NeedInput) -> UUID:
    """Asks for something: for oneself or one's household, or, as staff, for a resident or a place of one's area.

    The community has to answer within three working days. A draft waits for `submit_draft`. Of a RESTRICTED need the
    staff who may see it are named at once: who wrote it down, or the community's longest-serving member of staff.
    """
    choices, window, rrule = wanted_at(given, db.now)
    values: dict[str, Any] = {
        "title": rules.title(given.title),
        "kind": given.kind,
        "qty_total": rules.quantity(given.quantity),
        "unit": given.unit or rules.UNITS[given.kind],
        "window_from": window[0],
        "window_to": window[1],
        "due_at": rules.due(given.due_at or window[1] or db.now + timedelta(days=rules.DUE_DAYS), db.now, window[1]),
        "answer_due_at": await answer_by(db, rules.ANSWER_DAYS),
        "urgency": rules.urgency(given.urgency),
        "sensitivity": given.sensitivity,
        "gender_preference": given.gender_preference,
        "submitted_via": _via(db.actor.role, given.submitted_via),
        "requester_id": db.actor.person,
        "status": NeedStatus.DRAFT if given.draft else NeedStatus.SUBMITTED,
        "created_at": db.now,
        "certificate": given.certificate,
        "language": given.language,
        "gender_required": rules.gender_bar(given.gender_required, given.gender_preference),
        "vulnerability": rules.of_staff(db.actor.role, "vulnerability", rules.vulnerability(given.vulnerability)),
        "duration_minutes": rules.duration(given.duration_minutes),
        "hints": rules.said_hints(db.actor.role, given.hints),
        "options": len(choices),
        "rrule": rrule,
        "skill_code": await the_skill(db, given.skill),
        **await the_category(db, given.category),
        **await _whose(db, given),
    }
    values |= dict(await db.one(POSITION, community=values["community_id"], grid=values["grid_id"]) or {})
    note = await care(db, rules.note(given.note), values["subject_id"])
    made: UUID = await db.value(INSERT, note=note, **values)
    await write_options(db, made, choices)
    if given.sensitivity is Sensitivity.RESTRICTED:
        await name_somebody(db, made, values["area"])
    if not given.draft:
        db.tell("need.submitted", made, area=values["area"])
    return made


def _via(role: Role, given: SubmittedVia | None) -> SubmittedVia:
    if role is Role.RESIDENT:
        return SubmittedVia.ONLINE
    if given is SubmittedVia.ONLINE:
        raise InvalidInput(field="submittedVia", reason="代为登记的需求请选择窗口、电话、走访等来源。")
    return given or (SubmittedVia.GRID if role is Role.GRID_OFFICER else SubmittedVia.COUNTER)


async def the_category(db: Db, id: UUID) -> dict[str, Any]:
    """A category's id and code, as columns. Raises InvalidInput for one that does not exist."""
    found = await db.one(CATEGORY, id=id)
    if found is None:
        raise InvalidInput(field="category", reason="服务类别不存在。")
    return {"category_id": found["id"], "category_code": found["code"]}


async def the_skill(db: Db, code: str | None) -> str | None:
    """A skill's code. Raises InvalidInput for one that does not exist."""
    if code is not None and not await db.value(A_SKILL, code=code):
        raise InvalidInput(field="skill", reason="技能不存在。")
    return code


def wanted_at(
    given: NeedInput, now: datetime
) -> tuple[list[Window], tuple[datetime | None, datetime | None], str | None]:
    """The appointments to choose from, the window that spans them or is all that was said, and how it repeats."""
    choices = appointments.options(given.options, now)
    if choices and (given.window_from is not None or given.window_to is not None or given.rrule is not None):
        raise InvalidInput(field="options", reason="预约时段不能与服务时间或重复规则同时填写。")
    window = appointments.span(choices) if choices else (given.window_from, given.window_to)
    checked = rules.window(*window, now)
    return choices, checked, None if given.rrule is None else appointments.repeated(given.rrule, checked)[0]


async def write_options(db: Db, need: UUID, choices: Sequence[Window]) -> None:
    """Writes the appointments that a need may be served at, in their order."""
    for place, (start, end) in enumerate(choices):
        await db.value(OPTION, need=need, place=place, starts_at=start, ends_at=end)


async def _whose(db: Db, given: NeedInput) -> dict[str, Any]:
    """Whom a need is for and where, as columns. Raises NotFound, InvalidInput, Forbidden outside the actor's scope."""
    myself = await db.one(MYSELF) if db.actor.role is Role.RESIDENT else None
    if db.actor.role is Role.RESIDENT:
        if myself is None:
            raise Forbidden()
        lives = myself if given.beneficiary is None else await db.one(RESIDENT, id=given.beneficiary)
        if lives is None or lives["household"] != myself["household"]:
            raise NotFound(what="该居民")
    else:
        lives = None if given.beneficiary is None else await db.one(RESIDENT, id=given.beneficiary)
        if given.beneficiary is not None and (lives is None or not db.actor.covers(lives["area"])):
            raise NotFound(what="该居民")
    at = lives or await _place(db, given.grid)
    if not db.actor.covers(at["area"]) and db.actor.role is not Role.RESIDENT:
        raise Forbidden()
    return {
        "beneficiary_id": None if lives is None else lives["id"],
        "subject_id": vault.NO_ONE if lives is None else lives["person_id"],
        "household": None if lives is None else lives["household"],
        "community_id": at["community_id"],
        "grid_id": at["grid_id"],
        "area": at["area"],
    }


async def _place(db: Db, id: UUID | None) -> Row:
    """A grid that is named, or else the actor's own grid or community. Raises InvalidInput."""
    by_code = GRID_OF_CODE if db.actor.role is Role.GRID_OFFICER else COMMUNITY_OF_CODE
    found: Row | None = await (db.one(GRID, id=id) if id is not None else db.one(by_code, code=db.actor.area))
    if found is None:
        raise InvalidInput(field="grid", reason="请指定居民或网格。")
    return found


async def name_somebody(db: Db, id: UUID, area: str) -> None:
    by = db.actor.person if db.actor.role in rules.TRIAGERS else None
    person = by or await db.value(LONGEST_SERVING, area=area[:12], today=clock.day(db.now))
    if person is not None:
        await db.value(NAME, need=id, person=person, by=by)


@may(rules.MAY["need.name_staff"])
@refuses()
async def name_staff(db: Db, need: UUID, person: UUID) -> UUID:
    """Names a colleague for a RESTRICTED need: from now on he sees it. He serves in the need's community."""
    row = await locked_need(db, need)
    if row["sensitivity"] != Sensitivity.RESTRICTED:
        raise InvalidInput(field="id", reason="只有敏感需求需要指定工作人员。")
    if not await db.value(SERVES, person=person, area=row["area"][:12], today=clock.day(db.now)):
        raise NotFound(what="该社区的这名工作人员")
    await db.value(NAME, need=need, person=person, by=db.actor.person)
    return need
