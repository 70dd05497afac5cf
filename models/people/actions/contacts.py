"""Revealing plain names, phone numbers, addresses and numbers of documents (I27), and the grants that later areas give and end.

A reveal writes one row of `pii_access` for each person, in this transaction; only while it runs do the rules of
`visible.py` show the plain values that these rows name. It is never replayed: a retry is another reading, and another
row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import STAFF_ROLES, Role, may, seen, within
from models.base import INSTANT, table
from models.clock import day
from models.database import AsViewer, Db, Seen, Statement
from models.people.actions.persons import consent_missing
from models.people.break_glass import unlocked
from models.people.holding import holds
from models.people.organizations import Membership
from models.people.problems import RevealNotAllowed
from models.people.rules import AccessPurpose, ContactField
from models.people.scopes import MAY
from models.people.tables import ContactGrant, ContactReveal, Person, PiiAccess, Resident, Volunteer
from models.people.visible import granted, moved_away
from models.problems import Forbidden, InvalidInput, NotFound, refuses
from models.rules_text import clean

MOST = 100
"""People in one reveal."""

person, resident, volunteer = table(Person), table(Resident), table(Volunteer)
grant, reveal, access = table(ContactGrant), table(ContactReveal), table(PiiAccess)
membership = table(Membership)


def lives(viewer: AsViewer) -> sa.ColumnElement[bool]:
    """Who is a resident of the asker's area; and who was, as long as he is being served there."""
    here = sa.select(resident.c.person_id).where(within(resident.c.area, viewer), resident.c.refused_at.is_(None))
    return sa.or_(person.c.id.in_(here), person.c.id.in_(moved_away(viewer)))


def allowed(viewer: AsViewer) -> sa.ColumnElement[bool]:
    """Whose contact the asker may read (docs/domain.md): community staff the residents and volunteers of
    their community, a grid officer the residents of his grid; an administrator those for whom another one has agreed
    that he breaks the glass; others, social workers among them, by a grant."""
    if viewer.role is Role.GRID_OFFICER:
        return lives(viewer)
    if viewer.role is Role.COMMUNITY_STAFF:
        serve = person.c.id.in_(sa.select(volunteer.c.person_id).where(within(volunteer.c.area, viewer)))
        return sa.or_(lives(viewer), serve)
    if viewer.role is Role.ADMIN:
        return person.c.id.in_(unlocked(viewer))
    return person.c.id.in_(granted(viewer))


SUBJECTS = Seen(
    lambda viewer: sa.select(
        person.c.id, person.c.area, allowed(viewer).label("allowed"), lives(viewer).label("lives")
    ).where(
        person.c.id == sa.any_(sa.bindparam("persons", type_=postgresql.ARRAY(sa.Uuid()))),
        *seen(person, "person", viewer),
    )
)
REVEAL = Statement(
    sa.insert(reveal)
    .values(
        at=sa.bindparam("now"),
        person_id=sa.bindparam("person"),
        role=sa.bindparam("role"),
        organization_id=sa.bindparam("organization"),
        purpose=sa.bindparam("purpose"),
        reason=sa.bindparam("reason"),
        subject_count=sa.bindparam("count"),
    )
    .returning(reveal.c.id)
)
_subject = (
    sa.func.unnest(
        sa.bindparam("subjects", type_=postgresql.ARRAY(sa.Uuid())),
        sa.bindparam("areas", type_=postgresql.ARRAY(sa.Text())),
    )
    .table_valued("subject", "area", name="subjects")
    .render_derived()
)
ACCESS = Statement(
    sa.insert(access).from_select(
        [
            "reveal_id",
            "at",
            "actor_id",
            "role",
            "organization_id",
            "subject_id",
            "fields",
            "purpose",
            "reason",
            "area",
        ],
        sa.select(
            sa.bindparam("reveal", type_=sa.Uuid()),
            sa.bindparam("now", type_=INSTANT),
            sa.bindparam("person", type_=sa.Uuid()),
            sa.bindparam("role", type_=sa.Text()),
            sa.bindparam("organization", type_=sa.Uuid()),
            _subject.c.subject,
            sa.bindparam("fields", type_=postgresql.ARRAY(sa.Text())),
            sa.bindparam("purpose", type_=sa.Text()),
            sa.bindparam("reason", type_=sa.Text()),
            _subject.c.area,
        ),
        include_defaults=False,
    )
)
GRANT = Statement(
    postgresql.insert(grant)
    .values(
        viewer_person_id=sa.bindparam("viewer_person"),
        viewer_organization_id=sa.bindparam("viewer_organization"),
        subject_id=sa.bindparam("subject"),
        source_id=sa.bindparam("source"),
        since=sa.bindparam("now"),
        until=sa.bindparam("until"),
        for_staff=sa.bindparam("for_staff"),
    )
    .on_conflict_do_update(
        constraint="uq_contact_grant_source_id",
        set_={
            "until": sa.bindparam("until"),
            "for_staff": sa.or_(grant.c.for_staff, sa.bindparam("for_staff", type_=sa.Boolean())),
        },
    )
)


def _serves_there() -> sa.ColumnElement[bool]:
    """Whether he who is to be granted it serves today as staff where the subject lives."""
    serving = membership.alias("serving")
    return sa.exists(
        sa.select(sa.literal_column("1")).where(
            serving.c.person_id == sa.bindparam("viewer_person", type_=sa.Uuid()),
            serving.c.role.in_([sa.literal_column(f"'{role.value}'") for role in sorted(STAFF_ROLES)]),
            holds(serving.c),
            sa.func.starts_with(person.c.area, serving.c.area),
        )
    )


REFUSES = Statement(
    sa.select(
        sa.and_(
            sa.or_(
                person.c.no_sharing,
                consent_missing(person.c.id, "CONTACT_SHARING", sa.bindparam("now", type_=INSTANT)),
            ),
            sa.not_(sa.and_(sa.bindparam("for_staff", type_=sa.Boolean()), _serves_there())),
        )
    ).where(person.c.id == sa.bindparam("subject", type_=sa.Uuid()))
)
END = Statement(
    sa.update(grant)
    .where(
        grant.c.source_id == sa.bindparam("source", type_=sa.Uuid()),
        sa.or_(grant.c.until.is_(None), grant.c.until > sa.bindparam("at", type_=INSTANT, unique=False)),
    )
    .values(until=sa.func.greatest(grant.c.since, sa.bindparam("at", type_=INSTANT, unique=False)))
)


@may(MAY["contact.reveal"])
@refuses(RevealNotAllowed)
async def reveal_contacts(
    db: Db,
    persons: Sequence[UUID],
    purpose: AccessPurpose,
    fields: Sequence[ContactField] = (ContactField.NAME, ContactField.PHONE),
    reason: str | None = None,
) -> UUID:
    """Reads the plain contacts of up to 100 people, all or none; returns the id of the reveal.

    Writes one row of `pii_access` for each, which the person himself can see. The number of a document is for the
    community's staff, and of its residents only. Raises Forbidden, InvalidInput, NotFound when one of them does not
    exist or is hidden, RevealNotAllowed when the contact of one may not be read now.
    """
    if ContactField.ID_NUMBER in fields and db.actor.role is not Role.COMMUNITY_STAFF:
        raise Forbidden()
    wanted = list(dict.fromkeys(persons))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(field="persons", reason=f"每次须选择 1 至 {MOST} 人。")
    if not fields or ContactField.BIRTH_DATE in fields:
        raise InvalidInput(field="fields", reason="请选择要查看的信息（出生日期除外）。")
    if reason is not None:
        reason = clean(reason, "reason", most=200)
    elif purpose is AccessPurpose.OTHER:
        raise InvalidInput(field="reason", reason="用途为“其他”时须说明理由。")
    rows = await db.all(SUBJECTS, persons=wanted)
    if len(rows) != len(wanted):
        raise NotFound(what="其中的人员")
    rule = "lives" if ContactField.ID_NUMBER in fields else "allowed"
    refused = [f"person_{row['id']}" for row in rows if not row[rule]]
    if refused:
        raise RevealNotAllowed(count=len(refused), persons=refused)
    return await record_reading(db, [(row["id"], row["area"]) for row in rows], purpose, fields, reason)


async def record_reading(
    db: Db,
    persons: Sequence[tuple[UUID, str | None]],
    purpose: AccessPurpose,
    fields: Sequence[ContactField],
    reason: str | None,
) -> UUID:
    """Writes that the caller reads these fields of (person, area); returns the id of the reveal.

    Until this transaction ends the rules of visibility show them to him. Whether he may is the caller's to ask.
    """
    actor = db.actor
    who = {"person": actor.person, "role": actor.role, "organization": actor.organization}
    what = {"purpose": purpose, "reason": reason}
    id_: UUID = await db.value(REVEAL, count=len(persons), **who, **what)
    await db.one(
        ACCESS,
        reveal=id_,
        subjects=[id for id, _ in persons],
        areas=[area for _, area in persons],
        fields=[f for f in ContactField if f in fields],
        **who,
        **what,
    )
    db.detail["purpose"], db.detail["count"] = purpose.value, len(persons)
    db.tell("contact.revealed", id_, area=actor.area, count=len(persons), purpose=purpose.value)
    return id_


async def grant_contact(
    db: Db,
    subject: UUID,
    source: UUID,
    *,
    to_person: UUID | None = None,
    to_organization: UUID | None = None,
    until: datetime | None = None,
    for_staff: bool = False,
) -> None:
    """Lets a person, or an organization, reveal somebody's contact until an instant: for later areas, on confirmation.

    `source` is what it is for (a commitment); granting again for the same source moves the end. Who has withdrawn his
    consent to it, and a child under 14 whose guardian has not agreed, is granted to no provider: the staff, his social
    worker among them, reach him. `for_staff`: it is granted to the staff who look after him, as such; whoever is staff
    besides, but comes as a provider, or does not serve where he lives today, is a provider.
    """
    viewer = {"viewer_person": to_person, "for_staff": for_staff}
    if await db.value(REFUSES, subject=subject, today=day(db.now), **viewer):
        return
    await db.one(GRANT, viewer_organization=to_organization, subject=subject, source=source, until=until, **viewer)


async def end_contact_grants(db: Db, source: UUID, at: datetime | None = None) -> None:
    """Ends what was granted for a source at an instant (now): 24 h after the session, or when it is cancelled."""
    await db.one(END, source=source, at=at or db.now)
