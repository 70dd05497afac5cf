"""Verbs of an organization's application: apply, edit, submit, verify, reject; and taking a volunteer."""

from __future__ import annotations

import dataclasses
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models import clock, search
from models.access import Actor, Role, may, seen
from models.base import table
from models.database import Db, Seen, Statement
from models.labels import label
from models.people.actions.interests import no_conflict
from models.people.actions.once import once
from models.people.actions.persons import ACTS
from models.people.actions.places import a_division
from models.people.identity import read_uscc
from models.people.organization_rules import ORGANIZATION_STEPS, LegalStatus, OrganizationKind, VerifiedState
from models.people.organizations import Membership, Organization, OrganizationVolunteer
from models.people.problems import ConflictOfInterest, DuplicateOrganization, OwnCase
from models.people.scopes import MAY, ORGANIZATION_KINDS
from models.people.tables import Person
from models.pinyin import sort_key
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion, refuses
from models.rules_text import clean
from models.territory.rules import DivisionLevel

organization, membership, person = table(Organization), table(Membership), table(Person)
taken = table(OrganizationVolunteer)


@dataclasses.dataclass(frozen=True)
class OrganizationInput:
    """An organization as its applicant describes it."""

    name: str
    kind: OrganizationKind
    legal_status: LegalStatus
    division: UUID
    uscc: str | None = None
    filing_no: str | None = None
    is_charity: bool = False


FOR_ID = organization.c.id == sa.bindparam("id", type_=sa.Uuid())
ONE = Seen(
    lambda viewer: sa.select(organization).where(FOR_ID, *seen(organization, "organization", viewer)).with_for_update()
)
SAME = Statement(
    sa.select(organization.c.uscc, organization.c.name, organization.c.division_id).where(
        organization.c.verified_state != sa.literal_column("'REJECTED'"),
        organization.c.id != sa.bindparam("id", type_=sa.Uuid()),
        sa.or_(
            organization.c.uscc == sa.bindparam("uscc", type_=sa.Text()),
            sa.and_(
                organization.c.division_id == sa.bindparam("division", type_=sa.Uuid()),
                organization.c.name == sa.bindparam("name", type_=sa.Text()),
            ),
        ),
    )
)
WRITTEN = ("name", "pinyin", "kind", "legal_status", "uscc", "filing_no", "is_charity", "division_id", "area")
FOUND_BY = sa.func.grams_of(
    sa.bindparam("name_grams", type_=postgresql.ARRAY(sa.Integer())),
    sa.cast(sa.null(), sa.Text()),
    sa.bindparam("of_area", type_=sa.Text()),
    type_=postgresql.ARRAY(sa.Integer()),
)
INSERT = Statement(
    sa.insert(organization)
    .values(
        verified_state=sa.bindparam("state"),
        contact_id=sa.bindparam("contact"),
        created_at=sa.bindparam("now"),
        version=1,
        grams=FOUND_BY,
        **{column: sa.bindparam(column) for column in WRITTEN},
    )
    .returning(organization.c.id)
)
EDIT = Statement(
    sa.update(organization)
    .where(FOR_ID)
    .values(version=organization.c.version + 1, grams=FOUND_BY, **{column: sa.bindparam(column) for column in WRITTEN})
)
MOVE = Statement(
    sa.update(organization)
    .where(FOR_ID)
    .values(
        verified_state=sa.bindparam("state"),
        rejection=sa.bindparam("rejection"),
        version=organization.c.version + 1,
    )
)
STAFF = Statement(
    sa.insert(membership).values(
        person_id=sa.bindparam("person"),
        organization_id=sa.bindparam("organization"),
        role=Role.NGO_STAFF.value,
        starts_on=sa.bindparam("today"),
        granted_by=sa.bindparam("by"),
        granted_at=sa.bindparam("now"),
    )
)
TAKE = Statement(
    postgresql.insert(taken)
    .values(
        organization_id=sa.bindparam("organization"),
        person_id=sa.bindparam("person"),
        since=sa.bindparam("now"),
        granted_by=sa.bindparam("by"),
    )
    .on_conflict_do_nothing(index_elements=["organization_id", "person_id"], index_where=taken.c.until.is_(None))
)

LEVELS: dict[LegalStatus, frozenset[DivisionLevel]] = {
    LegalStatus.REGISTERED: frozenset(DivisionLevel),
    LegalStatus.FILED: frozenset({DivisionLevel.STREET, DivisionLevel.COMMUNITY, DivisionLevel.VILLAGE}),
    LegalStatus.INTERNAL: frozenset({DivisionLevel.COMMUNITY, DivisionLevel.VILLAGE}),
}
"""In which divisions an organization can be, by how it stands: filing is with a street or town."""


def check_whole(given: OrganizationInput, uscc: str | None, filing_no: str | None) -> None:
    """What an application needs before it can be submitted. Raises InvalidInput."""
    if given.legal_status is LegalStatus.REGISTERED and uscc is None:
        raise InvalidInput(field="uscc", reason="登记的组织须填写统一社会信用代码。")
    if given.legal_status is LegalStatus.FILED and filing_no is None:
        raise InvalidInput(field="filingNo", reason="备案的组织须填写备案编号。")


def check_fitting(given: OrganizationInput) -> None:
    """What does not go together. Raises InvalidInput. Charities and foundations are registered (Charity Law, art. 8, 10)."""
    if given.legal_status is not LegalStatus.REGISTERED:
        if given.uscc is not None:
            raise InvalidInput(field="uscc", reason="未登记的组织没有统一社会信用代码。")
        if given.kind is OrganizationKind.FOUNDATION:
            raise InvalidInput(field="legalStatus", reason="基金会须经登记。")
        if given.is_charity:
            raise InvalidInput(field="isCharity", reason="慈善组织须经登记。")


def moved(step: str, state: str) -> VerifiedState:
    """The state that a step leads to. Raises InvalidTransition."""
    now = VerifiedState(state)
    after = ORGANIZATION_STEPS.get((step, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after


def decides(actor: Actor, legal_status: str, area: str) -> bool:
    """Whether somebody may verify or reject: an administrator in his area; community staff what is not registered, in theirs."""
    if actor.role is Role.ADMIN:
        return actor.area is None or actor.covers(area)
    return actor.covers(area) and legal_status != LegalStatus.REGISTERED


@may(MAY["organization.apply"])
@refuses(DuplicateOrganization)
async def apply_for_organization(db: Db, given: OrganizationInput, *, draft: bool = False) -> UUID:
    """Somebody signed in applies for an organization, or begins to (`draft`); he is its contact. Returns its id.

    Raises Forbidden, NotFound, InvalidInput, DuplicateOrganization.
    """
    values = await _written(db, given, UUID(int=0))
    state = VerifiedState.DRAFT
    if not draft:
        check_whole(given, values["uscc"], values["filing_no"])
        state = moved("submit", state)
    id_: UUID = await db.value(INSERT, state=state, contact=db.actor.person, **values)
    db.tell("organization.applied", id_, area=values["area"], state=state.value)
    return id_


@may(MAY["organization.apply"])
@refuses(InvalidTransition, StaleVersion, DuplicateOrganization)
async def edit_organization(db: Db, id: UUID, version: int, given: OrganizationInput) -> UUID:
    """Its applicant writes a draft, or a refused application, anew. Raises InvalidTransition, StaleVersion besides."""
    row = await _own(db, id)
    moved("submit", row["verified_state"])
    if row["version"] != version:
        raise StaleVersion(current=row["version"])
    await db.one(EDIT, id=id, **await _written(db, given, id))
    db.tell("organization.edited", id, area=row["area"])
    return id


@may(MAY["organization.apply"])
@refuses(InvalidTransition, DuplicateOrganization)
async def submit_organization(db: Db, id: UUID) -> UUID:
    """Its applicant hands a draft, or a refused application that he has mended, in."""
    row = await _own(db, id)
    state = moved("submit", row["verified_state"])
    given = OrganizationInput(
        name=row["name"],
        kind=OrganizationKind(row["kind"]),
        legal_status=LegalStatus(row["legal_status"]),
        division=row["division_id"],
        uscc=row["uscc"],
        filing_no=row["filing_no"],
        is_charity=row["is_charity"],
    )
    check_whole(given, given.uscc, given.filing_no)
    await _unique(db, id, given.uscc, given.name, given.division)
    return await _move(db, row, state, None, "organization.submitted")


@may(MAY["organization.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def verify_organization(db: Db, id: UUID) -> UUID:
    """Says that an organization is what it claims; its applicant becomes its first staff. Returns its id.

    Community staff: filed and internal ones of their own community; an administrator: any, of his area if he has one.
    Nobody his own application. Raises Forbidden, NotFound, InvalidTransition, OwnCase,
    ConflictOfInterest.
    """
    row = await _to_decide(db, id)
    state = moved("verify", row["verified_state"])
    applicant = row["contact_id"]
    if applicant is not None and OrganizationKind(row["kind"]) in ORGANIZATION_KINDS[Role.NGO_STAFF]:
        await db.one(STAFF, person=applicant, organization=id, by=db.actor.person, today=clock.day(db.now))
        await db.one(ACTS, id=applicant)
    return await _move(db, row, state, None, "organization.verified")


@may(MAY["organization.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def reject_organization(db: Db, id: UUID, reason: str) -> UUID:
    """Refuses an application, with a reason that its applicant reads. Who may, as for `verify_organization`."""
    row = await _to_decide(db, id)
    state = moved("reject", row["verified_state"])
    return await _move(db, row, state, clean(reason, "reason"), "organization.rejected")


async def take_volunteer(db: Db, organization_id: UUID, person_id: UUID, by: UUID | None = None) -> None:
    """Writes that an organization took a volunteer, so that its staff sees his name: who joins it, and, for later areas,
    who is to serve for it. `by`: who of its staff took him; None where his service did. Taken already, he stays so."""
    await db.one(TAKE, organization=organization_id, person=person_id, by=by)


async def _written(db: Db, given: OrganizationInput, id: UUID) -> dict[str, Any]:
    check_fitting(given)
    name = clean(given.name, "name", most=80, least=2)
    uscc = None if given.uscc is None else read_uscc(given.uscc)
    filing_no = None if given.filing_no is None else clean(given.filing_no, "filingNo", most=50)
    division = await a_division(db, given.division)
    if DivisionLevel(division["level"]) not in LEVELS[given.legal_status]:
        raise InvalidInput(field="division", reason="备案组织须属于街道（乡镇）、社区或村；内部组织须属于社区或村。")
    await _unique(db, id, uscc, name, division["id"])
    return {
        "name": name,
        "pinyin": sort_key(name),
        "name_grams": search.grams(name),
        "of_area": division["code"],
        "kind": given.kind,
        "legal_status": given.legal_status,
        "uscc": uscc,
        "filing_no": filing_no,
        "is_charity": given.is_charity,
        "division_id": division["id"],
        "area": division["code"],
    }


async def _unique(db: Db, id: UUID, uscc: str | None, name: str, division: UUID) -> None:
    await once(db, f"organization {division} {name}", *([f"organization {uscc}"] if uscc else []))
    same = await db.one(SAME, id=id, uscc=uscc, name=name, division=division)
    if same is not None:
        what = "统一社会信用代码" if uscc is not None and same["uscc"] == uscc else "名称"
        raise DuplicateOrganization(what=what)


async def _load(db: Db, id: UUID) -> asyncpg.Record:
    row = await db.one(ONE, id=id)
    if row is None:
        raise NotFound(what="该组织")
    return row


async def _own(db: Db, id: UUID) -> asyncpg.Record:
    row = await _load(db, id)
    if row["contact_id"] != db.actor.person:
        raise Forbidden()
    return row


async def _to_decide(db: Db, id: UUID) -> asyncpg.Record:
    row = await _load(db, id)
    if not decides(db.actor, row["legal_status"], row["area"]):
        raise Forbidden()
    if row["contact_id"] == db.actor.person:
        raise OwnCase()
    await no_conflict(db, concerns=[row["contact_id"]], organizations=[id])
    return row


async def _move(db: Db, row: asyncpg.Record, state: VerifiedState, rejection: str | None, topic: str) -> UUID:
    id_: UUID = row["id"]
    await db.one(MOVE, id=id_, state=state, rejection=rejection)
    db.tell(topic, id_, area=row["area"], state=state.value)
    return id_
