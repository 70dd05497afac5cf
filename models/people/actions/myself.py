"""The verb by which somebody changes what he may say of himself without anybody's check: his address, his gender."""

from __future__ import annotations

from uuid import UUID

from models.access import may
from models.database import Db
from models.people.actions.persons import correct_person, set_address
from models.people.rules import Gender
from models.people.scopes import MAY
from models.problems import Forbidden
from models.rules_text import clean


@may(MAY["person.edit_myself"])
async def edit_myself(
    db: Db, *, gender: Gender | None = None, address: str | None = None, no_address: bool = False
) -> UUID:
    """Changes what is not None of one's own record; `no_address` takes the address away. Returns one's id.

    A name or birth date is corrected on request, by staff; a phone number by proving it. Raises InvalidInput.
    """
    me = db.actor.person
    if me is None:
        raise Forbidden()
    await correct_person(
        db, me, gender=gender, address=None if address is None else clean(address, "address", most=200)
    )
    if no_address and address is None:
        await set_address(db, me, None)
    db.tell("person.edited", me)
    return me
