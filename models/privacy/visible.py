"""Who may see consents, guardians and requests (docs/domain.md): whom they are about, his guardian, and staff.

A guardian sees, and does, what is a child's until the day on which it becomes 14; from then on it is its own alone.
Every way in which a row may be one's own is a comparison that an index of its own serves: of a table of all people's
rows a page reads the asker's.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, Viewer, public, visible, within
from models.base import Table, table
from models.people.tables import Person
from models.people.visible import among, lying_within, today
from models.privacy.rules import CHILD, MAY, RequestKind
from models.privacy.tables import Correction, Guardianship, SubjectRequest

Shown = sa.ColumnElement[bool] | None

public("consent_text")


def wards(viewer: Viewer) -> sa.Select[Any]:
    """The children under 14 whose verified guardian the asker is today."""
    link, child = table(Guardianship).alias("link"), table(Person).alias("child")
    return (
        sa.select(link.c.minor_id)
        .join(child, child.c.id == link.c.minor_id)
        .where(
            link.c.guardian_id == viewer.person,
            link.c.verified_at.is_not(None),
            link.c.ended_at.is_(None),
            child.c.birth_date + sa.literal_column(f"interval '{CHILD} years'") > today(viewer),
        )
    )


def own(person: Any, viewer: Viewer) -> sa.ColumnElement[bool]:
    """Whether something is the asker's own, or a child's whose guardian he is."""
    return among(person, sa.select(viewer.person), wards(viewer))


@visible("consent")
def consent(row: Any, viewer: Viewer) -> Shown:
    """The person himself, and a child's guardian."""
    return own(row.person_id, viewer) if viewer.role is not Role.PUBLIC else NOBODY


@visible("guardianship")
def guardianship(row: Any, viewer: Viewer) -> Shown:
    """The minor, the guardian, community staff and social workers of the area, who verify, and auditors."""
    if viewer.role is Role.AUDITOR:
        return None
    if viewer.role is Role.PUBLIC:
        return NOBODY
    mine = sa.or_(row.minor_id == viewer.person, row.guardian_id == viewer.person)
    return sa.or_(mine, within(row.area, viewer)) if viewer.role in MAY["guardianship.verify"] else mine


def _requested(row: Any, rows: type[Table], viewer: Viewer, *more: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The person, a child's guardian, community staff of the area; an administrator what lies in no area."""
    mine = sa.or_(own(row.person_id, viewer), *more)
    if viewer.role is Role.COMMUNITY_STAFF:
        return sa.or_(mine, lying_within(rows, row, viewer))
    if viewer.role is Role.ADMIN:
        return sa.or_(mine, row.area.is_(None))
    return mine if viewer.role is not Role.PUBLIC else NOBODY


@visible("subject_request")
def subject_request(row: Any, viewer: Viewer) -> Shown:
    """The person, a child's guardian, community staff of the area, and auditors, who count them.

    Who had a child erased sees what came of it, though there is no child any more.
    """
    if viewer.role is Role.AUDITOR:
        return None
    erased = row.kind == sa.literal_column(f"'{RequestKind.DELETE.value}'")
    hands = (row.made_by, row.cosigned_by)
    return _requested(row, SubjectRequest, viewer, *(sa.and_(erased, hand == viewer.person) for hand in hands))


@visible("correction")
def correction(row: Any, viewer: Viewer) -> Shown:
    """Whoever sees the request, save auditors."""
    return _requested(row, Correction, viewer)
