"""The SQL that GraphQL fields about consents and requests name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Role, within
from models.people.conflicts import unconcerned
from models.people.tables import Person, PiiAccess, Resident
from models.people.visible import XID, today
from models.privacy.rules import (
    CHILD,
    FETCHABLE_STATES,
    GUARDIAN_DAYS,
    LIVE_CONSENTS,
    MAY,
    OPEN_REQUESTS,
    ConsentState,
    RequestKind,
    RequestState,
)
from models.privacy.tables import Consent, ConsentText, Guardianship, SubjectRequest

ONE: sa.ColumnElement[int] = sa.literal_column("1")

BEFORE: sa.ColumnElement[str] = sa.literal_column("'/privacy/export/subject_request_'")
AFTER: sa.ColumnElement[str] = sa.literal_column("'.json'")


def in_force(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a text is the newest of its purpose that is in force now."""
    later = view.rows(ConsentText).c
    newer = sa.exists(
        sa.select(ONE).where(later.purpose == row.purpose, later.since <= view.actor.now, later.since > row.since)
    )
    return sa.and_(row.since <= view.actor.now, sa.not_(newer))


def needed(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a text is in force and the asker has not agreed to it: never, or to an older version, or withdrawn."""
    mine = view.rows(Consent).c
    agreed = sa.exists(
        sa.select(ONE).where(
            mine.person_id == view.actor.person,
            mine.purpose == row.purpose,
            mine.version == row.version,
            mine.state == sa.literal_column(f"'{ConsentState.GIVEN.value}'"),
        )
    )
    return sa.and_(in_force(row, view), sa.not_(agreed), view.actor.person.is_not(None))


def still_open(row: Any) -> sa.ColumnElement[bool]:
    """Whether a request is not answered yet."""
    return is_state(row, *OPEN_REQUESTS)


def overdue(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether a request is open and past due."""
    return sa.and_(still_open(row), row.due_at < view.actor.now)


def file(row: Any, view: Any) -> Mapping[str, Any]:
    """The file that answers a request: NULL where there is none."""
    return {
        "path": sa.func.concat(BEFORE, sa.cast(row.id, sa.Text()), AFTER, type_=sa.Text()),
        "is_available": sa.and_(row.expires_at > view.actor.now, is_state(row, *FETCHABLE_STATES)),
        "expires_at": row.expires_at,
        "size_bytes": row.size_bytes,
    }


def ward(row: Any, view: Any, *, long: bool = False) -> sa.ColumnElement[bool]:
    """Whether what the asker sees is a child's whose guardian he is; or (`long`) has been for GUARDIAN_DAYS.

    To others than staff nothing of anybody else is shown, unless he is under 14 today (visible.py).
    """
    link, actor = view.rows(Guardianship).c, view.actor
    since = actor.now - sa.literal_column(f"interval '{GUARDIAN_DAYS} days'") if long else actor.now
    linked = sa.exists(
        sa.select(ONE).where(
            link.minor_id == row.person_id,
            link.guardian_id == actor.person,
            link.verified_at <= since,
            link.ended_at.is_(None),
        )
    )
    if actor.role not in (Role.COMMUNITY_STAFF, Role.ADMIN, Role.AUDITOR):
        return linked
    child = view.rows(Person).c
    young = child.birth_date + sa.literal_column(f"interval '{CHILD} years'") > today(actor)
    return sa.and_(linked, sa.exists(sa.select(ONE).where(child.id == row.person_id, young)))


def is_state(row: Any, *states: Any) -> sa.ColumnElement[bool]:
    """Whether a row stands in one of some states."""
    return sa.or_(*(row.state == sa.literal_column(f"'{state.value}'") for state in states))


def may_cosign(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may co-sign a consent now."""
    return sa.and_(row.state == sa.literal_column("'WAITING_COSIGN'"), ward(row, view))


def may_cosign_request(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may co-sign a request now: an erasure, which nobody undoes, not in his first week."""
    erases = row.kind == sa.literal_column(f"'{RequestKind.DELETE.value}'")
    return sa.and_(may_cosign(row, view), sa.or_(sa.not_(erases), ward(row, view, long=True)))


def may_take_back(*states: Any) -> Callable[[Any, Any], sa.ColumnElement[bool]]:
    """Whether the asker may take back what stands in one of some states: his own, or a child's."""

    def can(row: Any, view: Any) -> sa.ColumnElement[bool]:
        mine = sa.func.coalesce(row.person_id == view.actor.person, sa.false())
        return sa.and_(is_state(row, *states), sa.or_(mine, ward(row, view)))

    return can


may_withdraw_consent = may_take_back(*LIVE_CONSENTS)
may_withdraw_request = may_take_back(*OPEN_REQUESTS)


def may_decide(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may accept or refuse a correction now. Nobody decides his own."""
    actor = view.actor
    if actor.role not in MAY["request.decide"]:
        return NOBODY
    his = row.area.is_(None) if actor.role is Role.ADMIN else within(row.area, actor)
    others = unconcerned(view, [row.person_id, row.made_by, row.cosigned_by])
    return sa.func.coalesce(sa.and_(is_state(row, RequestState.RECEIVED), his, *others), sa.false())


def may_reveal(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may read what a correction proposes now."""
    return may_decide(row, view) if view.actor.role in MAY["correction.reveal"] else NOBODY


def may_verify(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may verify a guardianship now."""
    actor = view.actor
    if actor.role not in MAY["guardianship.verify"]:
        return NOBODY
    lives = view.rows(Resident).c
    made = sa.exists(sa.select(ONE).where(lives.person_id == row.guardian_id, lives.verified_by == actor.person))
    others = (row.recorded_by != actor.person, sa.not_(made), *unconcerned(view, [row.minor_id, row.guardian_id]))
    waits = (row.verified_at.is_(None), row.ended_at.is_(None))
    return sa.func.coalesce(sa.and_(*waits, within(row.area, actor), *others), sa.false())


def may_end(row: Any, view: Any) -> sa.ColumnElement[bool]:
    """Whether the asker may end a guardianship now."""
    actor = view.actor
    his: Any = row.guardian_id == actor.person
    if actor.role is Role.COMMUNITY_STAFF:
        his = sa.or_(his, within(row.area, actor))
    return sa.func.coalesce(sa.and_(row.ended_at.is_(None), his), sa.false())


def proposed(row: Any, view: Any) -> Any:
    """What a correction proposes, sealed: for the person himself, and in the answer of `correctionReveal` that has just
    written its reading (I27), while the request waits. NULL otherwise."""
    himself = row.person_id == view.actor.person
    if view.actor.role is not Role.COMMUNITY_STAFF:
        return sa.case((himself, row.proposed))
    asked, read = view.rows(SubjectRequest).c, view.rows(PiiAccess).c
    waits = sa.exists(sa.select(ONE).where(asked.id == row.request_id, is_state(asked, RequestState.RECEIVED)))
    written = sa.exists(
        sa.select(ONE).where(
            read.subject_id == row.person_id,
            read.actor_id == view.actor.person,
            read.at == view.actor.now,
            read.xid == XID,
            row.field == sa.any_(read.fields),
        )
    )
    none_here = XID.is_(None)  # asked first: what only reads has written nothing
    return sa.case((himself, row.proposed), (none_here, sa.null()), (sa.and_(waits, written), row.proposed))


def counts(view: Any) -> sa.Select[Any]:
    """Requests that the asker sees, by kind and state."""
    row = view.rows(SubjectRequest).c
    return (
        sa.select(
            row.kind,
            row.state,
            sa.cast(sa.func.count(), sa.Integer()).label("count"),
            sa.cast(sa.func.count().filter(overdue(row, view)), sa.Integer()).label("overdue"),
        )
        .group_by(row.kind, row.state)
        .order_by(row.kind, row.state)
    )
