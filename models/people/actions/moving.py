"""Verbs that end where somebody is registered as a resident: his community refuses him, or he moves to another."""

from __future__ import annotations

import secrets
from uuid import UUID

import sqlalchemy as sa

from models.access import Role, may
from models.base import table
from models.database import Db, Statement
from models.people.actions.persons import set_address
from models.people.actions.places import a_community, a_grid
from models.people.actions.residences import HOME, Place, settle
from models.people.actions.residents import in_scope, refused, waiting
from models.people.problems import AlreadyVerified, ConflictOfInterest, OwnCase
from models.people.scopes import MAY
from models.people.tables import Resident
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean
from models.vault import Kind

resident = table(Resident)
REFUSE = Statement(
    sa.update(resident)
    .where(resident.c.id == sa.bindparam("id", type_=sa.Uuid()))
    .values(
        refused_at=sa.bindparam("now"),
        refused_by=sa.bindparam("by"),
        refusal=sa.bindparam("refusal"),
        household=sa.bindparam("household"),
    )
)
OF_PERSON = Statement(
    sa.select(resident).where(resident.c.person_id == sa.bindparam("person", type_=sa.Uuid())).with_for_update()
)


@may(MAY["resident.verify"])
@refuses(AlreadyVerified, InvalidTransition, OwnCase, ConflictOfInterest)
async def reject_resident(db: Db, id: UUID, reason: str) -> UUID:
    """The community's staff find that somebody who registered himself does not live there; he reads why.

    He is a resident no longer, his contact is out of their reach, and he may register again, there or elsewhere. What he
    asked for meanwhile is theirs to answer. Raises Forbidden, NotFound, InvalidInput, AlreadyVerified,
    InvalidTransition, OwnCase, ConflictOfInterest.
    """
    why = clean(reason, "reason", most=200, least=2)
    row = await waiting(db, id)
    sealed = (await db.keys()).seal(Kind.CARE, why, row["person_id"])
    await db.one(REFUSE, id=id, by=db.actor.person, refusal=sealed, household=secrets.token_hex(16))
    await db.one(HOME, id=row["person_id"], area=None)
    db.detail["person"] = row["person_id"]
    db.tell("resident.rejected", id, area=row["area"])
    return id


@may(MAY["resident.move"])
@refuses(InvalidTransition)
async def move_resident(
    db: Db, community: UUID, *, id: UUID | None = None, grid: UUID | None = None, address: str | None = None
) -> UUID:
    """Somebody moves to another community: oneself, or, as its staff, a resident of one's community who says so.

    There he waits to be verified, in a household of his own until its staff say with whom he lives; his address is the
    one that is given, or none. His needs stay with the community that he leaves, whose staff see him until the last of
    them has ended. What is known of his health and poverty goes with him, and is shown there once he is verified.
    Returns the resident's id. Raises Forbidden, NotFound, InvalidInput, InvalidTransition where he was refused: then he
    registers again.
    """
    row = await in_scope(db, id) if id is not None else await db.one(OF_PERSON, person=db.actor.person)
    if row is None:
        raise NotFound(what="居民登记")
    if row["person_id"] != db.actor.person and db.actor.role is not Role.COMMUNITY_STAFF:
        raise Forbidden()
    if row["refused_at"] is not None:
        raise refused()
    to = await a_community(db, community)
    if to["id"] == row["community_id"]:
        raise InvalidInput(field="community", reason="已登记在该社区，请选择迁入的社区。")
    within = None if grid is None else await a_grid(db, grid, to["id"])
    where = None if address is None else clean(address, "address", most=200)
    await set_address(db, row["person_id"], where)
    db.tell("resident.moved", row["id"], area=row["area"])
    return await settle(
        db, row, Place(to["id"], within["id"] if within else None, within["code"] if within else to["code"])
    )
