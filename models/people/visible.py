"""Who may see which rows about people (docs/domain.md). A person always sees what is his.

Sealed names, contacts and documents: `person_name`, `person_contact` and `person_identity` are shown to the person
himself; names also to the staff of an organization that took him as a volunteer; and all of them, besides, to whoever
reveals them, **in the answer of that very mutation only**: a reveal first writes a row of `pii_access`, which carries
the id of its transaction, and the rules below show what that row names while `pg_current_xact_id_if_assigned()` is it. The payload is read inside
the mutation's transaction; any later query runs in another one, or in none that has an id, and finds nothing. So
no plain value leaves without its row, and no row opens anything twice.

References that are not correlated to the row (`IN (SELECT …)`) are small sets that PostgreSQL reads once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import NOBODY, STAFF_ROLES, VIEWER_ROLES, Role, Viewer, public, visible, within
from models.base import Table, table
from models.people.identity import ADULT
from models.people.organization_rules import VerifiedState
from models.people.organizations import Membership, MembershipRequest, OrganizationVolunteer
from models.people.rules import ContactField
from models.people.tables import ContactGrant, FormerResidence, PiiAccess, Resident, Volunteer

Shown = sa.ColumnElement[bool] | None
OVERSEEN = (Role.ADMIN, Role.AUDITOR)
"""They see that somebody is there, masked: to give capacities, and to read the logs."""
UNNAMED = (*VIEWER_ROLES, Role.DEPARTMENT, Role.PERSON, Role.PUBLIC)
"""They see no person but themselves."""
XID = sa.func.pg_current_xact_id_if_assigned()


def today(viewer: Viewer) -> Any:
    """The day in Shanghai on which is looked."""
    return sa.cast(sa.func.timezone("Asia/Shanghai", viewer.now), sa.Date())


def ongoing(rows: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether something `since … until` holds now."""
    return sa.and_(rows.since <= viewer.now, sa.or_(rows.until.is_(None), rows.until > viewer.now))


def granted(viewer: Viewer) -> sa.Select[Any]:
    """The people whose contact the asker may reveal because a commitment was confirmed."""
    grant = table(ContactGrant).alias("granted")
    whose = (
        grant.c.viewer_organization_id == viewer.organization
        if viewer.role is Role.NGO_STAFF
        else grant.c.viewer_person_id == viewer.person
    )
    return sa.select(grant.c.subject_id).where(whose, ongoing(grant.c, viewer))


def household(viewer: Viewer) -> sa.Select[Any]:
    """The people of the asker's household."""
    own, other = table(Resident).alias("own"), table(Resident).alias("other")
    key = sa.select(own.c.household).where(own.c.person_id == viewer.person).scalar_subquery()
    return sa.select(other.c.person_id).where(other.c.household == key)


def taken(viewer: Viewer) -> sa.Select[Any]:
    """The volunteers whom the asker's organization took."""
    took = table(OrganizationVolunteer).alias("took")
    return sa.select(took.c.person_id).where(took.c.organization_id == viewer.organization, ongoing(took.c, viewer))


def among(column: Any, *people: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Whether a column names one of these people: read once, as an array, so that an index on the column serves."""
    every: Any = sa.func.array(sa.union_all(*people).scalar_subquery(), type_=postgresql.ARRAY(sa.Uuid()))
    found: sa.ColumnElement[bool] = column == sa.any_(every)
    return found


def lying_within(rows: type[Table], row: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether a row lies in the asker's area, by its id: for long lists that are ordered by time.

    How many rows a range of areas has PostgreSQL does not know when it keeps a plan for all areas: it would think them
    many, and read the whole list in its order until it had met enough.
    """
    there = table(rows).alias("there")
    return among(row.id, sa.select(there.c.id).where(within(there.c.area, viewer)))


def registered(viewer: Viewer) -> sa.Select[Any]:
    """The volunteers registered in the asker's area, in whatever state."""
    there = table(Volunteer).alias("there")
    return sa.select(there.c.person_id).where(within(there.c.area, viewer))


def asking(viewer: Viewer) -> sa.Select[Any]:
    """Who asks the asker's organization to take him and waits. Whom it invited has asked for nothing: an invitation
    shows it no more of him than it saw."""
    asked = table(MembershipRequest).alias("asking")
    return sa.select(asked.c.person_id).where(
        asked.c.organization_id == viewer.organization,
        asked.c.made_by == asked.c.person_id,
        asked.c.state == sa.literal_column("'PENDING'"),
        asked.c.until > viewer.now,
    )


need, named = (
    sa.table("need", *(sa.column(name) for name in ("id", "subject_id", "area", "status", "sensitivity"))),
    sa.table("need_staff", sa.column("need_id"), sa.column("person_id")),
)
"""Needs belong to an area above this one, which this one does not import."""
UNDER_WAY: tuple[Any, ...] = tuple(
    sa.literal_column(f"'{status}'")
    for status in ("SUBMITTED", "VERIFIED", "OPEN", "IN_PROGRESS", "DELIVERED", "REOPENED")
)


def moved_away(viewer: Viewer) -> sa.Select[Any]:
    """Who lived in the asker's area and has a need under way there still, which the asker sees."""
    left, asked, name = table(FormerResidence).alias("left_there"), need.alias("asked"), named.alias("named_for")
    shown = sa.or_(
        asked.c.sensitivity == sa.literal_column("'NORMAL'"),
        sa.exists().where(name.c.need_id == asked.c.id, name.c.person_id == viewer.person),
    )
    open_there = sa.exists(
        sa.select(sa.literal_column("1")).where(
            asked.c.subject_id == left.c.person_id,
            asked.c.status.in_(UNDER_WAY),
            within(asked.c.area, viewer),
            shown,
        )
    )
    return sa.select(left.c.person_id).where(within(left.c.area, viewer), open_there)


def revealed(person: Any, viewer: Viewer, fields: list[ContactField]) -> sa.ColumnElement[bool]:
    """Whether this transaction has written that the asker reads one of these fields of a person."""
    read = table(PiiAccess).alias("read")
    wanted: sa.ColumnElement[Any] = sa.literal_column(
        "ARRAY[" + ", ".join(f"'{f.value}'" for f in fields) + "]::text[]"
    )
    return sa.exists().where(
        read.c.subject_id == person,
        read.c.at == viewer.now,
        read.c.xid == XID,
        read.c.actor_id == viewer.person,
        read.c.fields.op("&&", is_comparison=True)(wanted),
    )


@visible("person")
def person(row: Any, viewer: Viewer) -> Shown:
    """Masked. Staff: their area, and whoever acts. Others signed in: grown-ups who act, their household, grants."""
    own = row.id == viewer.person
    if viewer.role in OVERSEEN:
        return None
    if viewer.role in UNNAMED:
        return own if viewer.role is not Role.PUBLIC else NOBODY
    if viewer.role in STAFF_ROLES or viewer.role is Role.PARTY_SECRETARY:
        shown = sa.or_(own, row.acts, within(row.area, viewer), row.id.in_(registered(viewer)))
        return shown if viewer.role is Role.PARTY_SECRETARY else sa.or_(shown, row.id.in_(moved_away(viewer)))
    born = row.birth_date + sa.literal_column(f"interval '{ADULT} years'")
    grown = sa.and_(row.acts, sa.or_(row.birth_date.is_(None), born <= today(viewer)))
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, grown, *(row.id.in_(known(viewer)) for known in (granted, taken, asking)))
    if viewer.role in (Role.RESIDENT, Role.VOLUNTEER):
        return sa.or_(own, grown, row.id.in_(granted(viewer)), row.id.in_(household(viewer)))
    return sa.or_(own, grown)


@visible("person_name")
def person_name(row: Any, viewer: Viewer) -> Shown:
    """Plain: one's own; an organization's own volunteers; one reveal's answer."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    shown = [row.person_id == viewer.person, revealed(row.person_id, viewer, [ContactField.NAME])]
    if viewer.role is Role.NGO_STAFF:
        shown.append(row.person_id.in_(taken(viewer)))
    return sa.or_(*shown)


@visible("person_contact")
def person_contact(row: Any, viewer: Viewer) -> Shown:
    """Plain: one's own; one reveal's answer."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    fields = [ContactField.PHONE, ContactField.ADDRESS]
    return sa.or_(row.person_id == viewer.person, revealed(row.person_id, viewer, fields))


@visible("person_identity")
def person_identity(row: Any, viewer: Viewer) -> Shown:
    """One's own; one reveal's answer."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    return sa.or_(row.person_id == viewer.person, revealed(row.person_id, viewer, [ContactField.ID_NUMBER]))


@visible("person_search")
def person_search(row: Any, viewer: Viewer) -> Shown:
    """Who searched, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    return row.person_id == viewer.person if viewer.role is not Role.PUBLIC else NOBODY


@visible("resident")
def resident(row: Any, viewer: Viewer) -> Shown:
    """One's own household; staff their area, and whoever moved away from it while he is being served there; others
    those whose contact they were granted."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    myself = sa.select(viewer.person)
    if viewer.role in STAFF_ROLES:
        return sa.or_(own, within(row.area, viewer), among(row.person_id, moved_away(viewer)))
    if viewer.role is Role.NGO_STAFF:
        return among(row.person_id, myself, granted(viewer))
    if viewer.role in (Role.RESIDENT, Role.VOLUNTEER):
        return among(row.person_id, myself, granted(viewer), household(viewer))
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("former_residence")
def former_residence(row: Any, viewer: Viewer) -> Shown:
    """Whoever lived there, and the staff of the place."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    if viewer.role in STAFF_ROLES:
        return sa.or_(own, within(row.area, viewer))
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("volunteer")
def volunteer(row: Any, viewer: Viewer) -> Shown:
    """Grown-up active ones, for all who are signed in; the others for staff, their own organization and household.

    Viewers see no one: counts are in the reports.
    """
    own = row.person_id == viewer.person
    active = row.state == sa.literal_column("'ACTIVE'")
    if viewer.role in OVERSEEN:
        return None
    if viewer.role in UNNAMED:
        return own if viewer.role is not Role.PUBLIC else NOBODY
    if viewer.role in STAFF_ROLES:
        suspended = row.state == sa.literal_column("'SUSPENDED'")
        return sa.or_(own, active, suspended, within(row.area, viewer))
    grown = sa.and_(active, row.adult_on <= today(viewer))
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, grown, row.person_id.in_(taken(viewer)), row.person_id.in_(asking(viewer)))
    if viewer.role in (Role.RESIDENT, Role.VOLUNTEER):
        return sa.or_(own, grown, row.person_id.in_(household(viewer)))
    return sa.or_(own, grown)


@visible("guardian_consent")
def guardian_consent(row: Any, viewer: Viewer) -> Shown:
    """The minor, the guardian, staff of the area, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own = sa.or_(row.minor_id == viewer.person, row.guardian_id == viewer.person)
    return sa.or_(own, within(row.area, viewer)) if viewer.role is Role.COMMUNITY_STAFF else own


@visible("volunteer_window")
@visible("volunteer_absence")
def volunteer_window(row: Any, viewer: Viewer) -> Shown:
    """The volunteer himself, and staff of his community: when somebody is not at home is nobody else's."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    return sa.or_(own, row.person_id.in_(registered(viewer))) if viewer.role in STAFF_ROLES else own


@visible("qualification")
def qualification(row: Any, viewer: Viewer) -> Shown:
    """The volunteer himself, staff of his community; verified ones also the staff of an organization that took him."""
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    if viewer.role in STAFF_ROLES:
        return sa.or_(own, row.person_id.in_(registered(viewer)))
    if viewer.role is Role.NGO_STAFF:
        verified = row.status == sa.literal_column("'VERIFIED'")
        return sa.or_(own, sa.and_(verified, row.person_id.in_(taken(viewer))))
    return own


@visible("avoidance")
def avoidance(row: Any, viewer: Viewer) -> Shown:
    """Whoever wishes it, and nobody else, whatever his office."""
    return row.person_id == viewer.person if viewer.role is not Role.PUBLIC else NOBODY


public("skill")
public("social_worker")
"""A licence is public; who holds it is a person, with a rule of his own."""


@visible("organization")
def organization(row: Any, viewer: Viewer) -> Shown:
    """Verified ones, for everybody; applications for who applied and for those who decide."""
    verified: sa.ColumnElement[bool] = row.verified_state == VerifiedState.VERIFIED.value
    if viewer.role in OVERSEEN:
        return None
    if viewer.role is Role.PUBLIC:
        return verified
    if viewer.role is Role.COMMUNITY_STAFF:
        return sa.or_(verified, row.contact_id == viewer.person, within(row.area, viewer))
    return sa.or_(verified, row.contact_id == viewer.person)


@visible("membership")
def membership(row: Any, viewer: Viewer) -> Shown:
    """One's own; an organization's, for its staff; an area's, for the community's staff."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    if viewer.role in OVERSEEN:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, row.organization_id == viewer.organization)
    if viewer.role is Role.COMMUNITY_STAFF:
        return sa.or_(own, lying_within(Membership, row, viewer))
    return own


@visible("membership_request")
def membership_request(row: Any, viewer: Viewer) -> Shown:
    """Whom it is about, and the organization's staff."""
    own: sa.ColumnElement[bool] = row.person_id == viewer.person
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, row.organization_id == viewer.organization)
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("organization_volunteer")
def organization_volunteer(row: Any, viewer: Viewer) -> Shown:
    """The volunteer himself, and the organization's staff."""
    own = row.person_id == viewer.person
    if viewer.role is Role.NGO_STAFF:
        return sa.or_(own, row.organization_id == viewer.organization)
    return own if viewer.role is not Role.PUBLIC else NOBODY


@visible("contact_grant")
def contact_grant(row: Any, viewer: Viewer) -> Shown:
    """The person whose contact it is, whoever may read it, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    own = sa.or_(row.subject_id == viewer.person, row.viewer_person_id == viewer.person)
    return sa.or_(own, row.viewer_organization_id == viewer.organization) if viewer.role is Role.NGO_STAFF else own


@visible("contact_reveal")
def contact_reveal(row: Any, viewer: Viewer) -> Shown:
    """Who revealed, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    return row.person_id == viewer.person if viewer.role is not Role.PUBLIC else NOBODY


@visible("pii_access")
def pii_access(row: Any, viewer: Viewer) -> Shown:
    """The person who was read about, who read, and auditors.

    By id: few people do nearly all the reading, so PostgreSQL would take it that a page's rows stand near the log's end,
    and for whoever has none there read all of it.
    """
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    mine = table(PiiAccess).alias("of_him"), table(PiiAccess).alias("by_him")
    of_him, by_him = (rows.c for rows in mine)
    return among(
        row.id,
        sa.select(of_him.id).where(of_him.subject_id == viewer.person),
        sa.select(by_him.id).where(by_him.actor_id == viewer.person),
    )


@visible("declared_interest")
def declared_interest(row: Any, viewer: Viewer) -> Shown:
    """Who declared it, whom it names, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    return sa.or_(row.person_id == viewer.person, row.other_id == viewer.person)


@visible("break_glass")
@visible("break_glass_person")
def break_glass(row: Any, viewer: Viewer) -> Shown:
    """Administrators, one of whom agrees to what another asks, and auditors."""
    return None if viewer.role in OVERSEEN else NOBODY


__all__ = ["granted", "household", "ongoing", "taken", "today"]
