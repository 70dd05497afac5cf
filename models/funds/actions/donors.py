"""Reading donors' names: for a receipt, to thank them, to check the books; each reading on record (I27)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.funds.rules import MAY, REVEALED_FOR, DonorKind
from models.funds.tables import Donor, DonorReveal
from models.people.actions.contacts import ACCESS, MOST, REVEAL
from models.people.rules import AccessPurpose, ContactField
from models.problems import InvalidInput, NotFound, refuses
from models.rules_text import clean

donor, reveal = table(Donor), table(DonorReveal)

DONORS = Seen(
    lambda viewer: (
        sa.select(donor.c.id, donor.c.kind, donor.c.person_id)
        .where(
            donor.c.id == sa.any_(sa.bindparam("donors", type_=postgresql.ARRAY(sa.Uuid()))),
            *seen(donor, "donor", viewer),
        )
        .order_by(donor.c.id)
    )
)
INSERT = Statement(
    sa.insert(reveal).values(
        id=sa.bindparam("id", type_=sa.Uuid()),
        at=sa.bindparam("now", type_=INSTANT),
        actor_id=sa.bindparam("person", type_=sa.Uuid()),
        organization_id=sa.bindparam("organization", type_=sa.Uuid()),
        purpose=sa.bindparam("purpose", type_=sa.Text()),
        reason=sa.bindparam("reason", type_=sa.Text()),
        donors=sa.bindparam("donors", type_=postgresql.ARRAY(sa.Uuid())),
    )
)


@may(MAY["donor.reveal"])
@refuses()
async def reveal_donors(db: Db, donors: Sequence[UUID], purpose: AccessPurpose, reason: str | None = None) -> UUID:
    """Reads the names of up to 100 donors of the actor's foundation, all or none; returns the id of the reveal.

    Writes a row of `pii_access` for each who is a person with an account, which he can see. Who gave anonymously has no
    name here (Charity Law, article 82). Raises InvalidInput, and NotFound for a donor who is not the foundation's.
    """
    wanted = list(dict.fromkeys(donors))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(field="donors", reason=f"每次须选择 1 至 {MOST} 位捐赠人。")
    if purpose not in REVEALED_FOR:
        raise InvalidInput(field="purpose", reason="用途须为开具票据、致谢回访或审计核对。")
    why = None if reason is None else clean(reason, "reason", most=200)
    rows = await db.all(DONORS, donors=wanted)
    if len(rows) != len(wanted):
        raise NotFound("其中的捐赠人")
    if any(row["kind"] == DonorKind.ANONYMOUS for row in rows):
        raise InvalidInput(field="donors", reason="匿名捐赠人没有登记姓名，不能查看。")
    who = {"person": db.actor.person, "role": db.actor.role, "organization": db.actor.organization}
    what = {"purpose": purpose, "reason": why}
    made: UUID = await db.value(REVEAL, count=len(rows), **who, **what)
    people = list(dict.fromkeys(r["person_id"] for r in rows if r["person_id"] and r["kind"] == DonorKind.PERSON))
    if people:
        areas = [None] * len(people)
        await db.one(ACCESS, reveal=made, subjects=people, areas=areas, fields=[ContactField.NAME], **who, **what)
    await db.one(INSERT, id=made, donors=[row["id"] for row in rows], **who, **what)
    db.detail |= {"purpose": purpose.value, "donors": [str(row["id"]) for row in rows]}
    db.tell("donor.revealed", made, count=len(rows), purpose=purpose.value)
    return made
