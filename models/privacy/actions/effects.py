"""What a consent's coming and going does, from the next query on: flags that lower areas ask, and what is cleared.

What was done before stands (PIPL art. 15). To agree again opens nothing that was ended: a contact is granted anew when
the next commitment is confirmed, a gift's publication is its donor's word with the next gift.
"""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange.tables import Need, NeedFoundation
from models.funds.inputs import UNNAMED
from models.funds.tables import Donation
from models.people.care import written_tags
from models.people.tables import ContactGrant, Person, Resident, Volunteer
from models.privacy.rules import ConsentPurpose
from models.vault import Kind

person, resident, volunteer = table(Person), table(Resident), table(Volunteer)
grant, donation = table(ContactGrant), table(Donation)
need, asked = table(Need), table(NeedFoundation)
WHO = sa.bindparam("person", type_=sa.Uuid(), unique=False)
OFF = sa.bindparam("off", type_=sa.Boolean())

VOLUNTEER_MATCHING = Statement(
    sa.update(volunteer)
    .where(volunteer.c.person_id == WHO, volunteer.c.no_matching.is_distinct_from(OFF))
    .values(no_matching=OFF, version=volunteer.c.version + 1)
)
RESIDENT_MATCHING = Statement(sa.update(resident).where(resident.c.person_id == WHO).values(no_matching=OFF))
SHARING = Statement(sa.update(person).where(person.c.id == WHO).values(no_sharing=OFF))
END_GRANTS = Statement(
    sa.update(grant)
    .where(
        grant.c.subject_id == WHO,
        sa.not_(grant.c.for_staff),
        sa.or_(grant.c.until.is_(None), grant.c.until > sa.bindparam("now", type_=INSTANT, unique=False)),
    )
    .values(until=sa.func.greatest(grant.c.since, sa.bindparam("now", type_=INSTANT, unique=False)))
)
ALLOW_CARE = Statement(sa.update(resident).where(resident.c.person_id == WHO).values(no_care=sa.false()))
CLEAR_CARE = Statement(
    sa.update(resident)
    .where(resident.c.person_id == WHO)
    .values(no_care=sa.true(), care=sa.bindparam("care"), care_note=sa.null(), care_tier=sa.null())
)
UNSAID = Statement(
    sa.update(asked)
    .where(asked.c.need_id == need.c.id, need.c.subject_id == WHO, asked.c.eligible.is_not(None))
    .values(eligible=sa.null())
)
"""That the community says whether somebody is of those whom aid is for: it speaks of his health or poverty."""
UNPUBLISH = Statement(
    sa.update(donation)
    .where(donation.c.person_id == WHO, donation.c.publish_name)
    .values(publish_name=sa.false(), public_name=sa.literal_column(f"'{UNNAMED}'"))
)


async def turn_off(db: Db, who: UUID, purpose: ConsentPurpose) -> None:
    """Ends a use of somebody's data, in this transaction."""
    match purpose:
        case ConsentPurpose.MATCHING:
            await db.one(VOLUNTEER_MATCHING, person=who, off=True)
            await db.one(RESIDENT_MATCHING, person=who, off=True)
        case ConsentPurpose.CONTACT_SHARING:
            await db.one(SHARING, person=who, off=True)
            await db.one(END_GRANTS, person=who)
        case ConsentPurpose.SENSITIVE_CARE:
            nothing = (await db.keys()).seal(Kind.CARE, written_tags(()), who)
            await db.one(CLEAR_CARE, person=who, care=nothing)
            await db.one(UNSAID, person=who)
        case ConsentPurpose.PUBLICITY:
            await db.one(UNPUBLISH, person=who)


async def turn_on(db: Db, who: UUID, purpose: ConsentPurpose) -> None:
    """Lets a use of somebody's data begin again."""
    match purpose:
        case ConsentPurpose.MATCHING:
            await db.one(VOLUNTEER_MATCHING, person=who, off=False)
            await db.one(RESIDENT_MATCHING, person=who, off=False)
        case ConsentPurpose.CONTACT_SHARING:
            await db.one(SHARING, person=who, off=False)
        case ConsentPurpose.SENSITIVE_CARE:
            await db.one(ALLOW_CARE, person=who)
