"""Whether the asker has an interest in a matter, as SQL that `viewerCan` names: what `no_conflict` asks of a verb's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from models.people.holding import holds
from models.people.organizations import Membership, Organization
from models.people.visible import today

ONE: Any = sa.literal_column("1")


def unconcerned(view: Any, people: Sequence[Any] = (), organizations: Sequence[Any] = ()) -> list[Any]:
    """Conditions under which the asker is none of these people nor close to one, and of none of these organizations."""
    me = view.actor.person
    out: list[Any] = []
    for person in people:
        out += [person.is_distinct_from(me), sa.not_(sa.func.related(me, person, type_=sa.Boolean()))]
    for organization in organizations:
        held, unit = view.rows(Membership).c, view.rows(Organization).c
        office = sa.exists(
            sa.select(ONE).where(
                held.organization_id == organization,
                held.person_id == me,
                holds(held, today(view.actor)),
            )
        )
        contact = sa.exists(sa.select(ONE).where(unit.id == organization, unit.contact_id == me))
        stake = sa.func.interested(me, organization, type_=sa.Boolean())
        out += [sa.not_(office), sa.not_(contact), sa.not_(stake)]
    return out
