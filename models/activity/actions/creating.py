"""Making activities and sessions: open ones for volunteers to sign up, and those that carry out commitments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.access import Role, may, seen
from models.activity import rules
from models.activity.actions.roster import Row, bound, session
from models.activity.actions.signing import SERVING, enter, must_be_fit
from models.activity.problems import BelowMinimumAge, CapacityBelowAccepted, MinorAtNight, NotServing
from models.activity.rules import MAY, AttendanceStatus, SessionStatus
from models.activity.tables import ServiceActivity, ServiceSession, SessionCommitment
from models.base import table
from models.database import Db, Seen, Statement
from models.exchange.actions.commitments import keep_open
from models.exchange.kinds import Sensitivity
from models.exchange.problems import OverlappingBooking, VolunteerInactive
from models.exchange.tables import Commitment, Need, ServiceCategory
from models.people.organization_rules import VerifiedState
from models.people.organizations import Organization
from models.people.problems import OrganizationNotVerified
from models.problems import Forbidden, InvalidInput, NotFound, refuses
from models.rules_text import clean
from models.territory.rules import DivisionLevel
from models.territory.tables import Division

activity, link = table(ServiceActivity), table(SessionCommitment)
commitment, need, category, division = table(Commitment), table(Need), table(ServiceCategory), table(Division)
organization = table(Organization)

ALLOTTED = (
    sa.select(sa.func.coalesce(sa.func.sum(link.c.quantity), 0))
    .join(session, session.c.id == link.c.session_id)
    .where(link.c.commitment_id == commitment.c.id, session.c.status != SessionStatus.CANCELLED.value)
    .scalar_subquery()
)
COMMITMENTS = Seen(
    lambda viewer: (
        sa.select(
            commitment,
            need.c.title,
            need.c.category_id,
            need.c.category_code,
            need.c.window_from,
            need.c.window_to,
            ALLOTTED.label("allotted"),
        )
        .join(need, need.c.id == commitment.c.need_id)
        .where(commitment.c.id == sa.any_(bound("ids", sa.ARRAY(sa.Uuid()))), *seen(commitment, "commitment", viewer))
        .order_by(commitment.c.id)
        .with_for_update(key_share=True, of=commitment)
    )
)
COMMUNITY = Statement(
    sa.select(division.c.id, division.c.area, division.c.name).where(
        division.c.id == bound("id"),
        division.c.level == sa.any_(sa.literal([DivisionLevel.COMMUNITY, DivisionLevel.VILLAGE], sa.ARRAY(sa.Text()))),
    )
)
CATEGORY = Statement(sa.select(category.c.id, category.c.code).where(category.c.id == bound("id")))
ACTIVITY = Statement(
    sa.select(activity, division.c.name.label("community"))
    .join(division, division.c.id == activity.c.community_id)
    .where(activity.c.id == bound("id"))
)
VERIFIED = Statement(
    sa.select(organization.c.verified_state == VerifiedState.VERIFIED.value).where(organization.c.id == bound("id"))
)
NEW_ACTIVITY = Statement(
    sa.insert(activity)
    .values(
        {
            name: bound(name)
            for name in (
                "title",
                "description",
                "organization_id",
                "category_id",
                "category_code",
                "community_id",
                "area",
                "starts_on",
                "ends_on",
                "created_by",
            )
        }
        | {"created_at": bound("now")}
    )
    .returning(activity.c.id)
)
NEW_SESSION = Statement(
    sa.insert(session)
    .values(
        {
            name: bound(name)
            for name in (
                "title",
                "activity_id",
                "organization_id",
                "need_id",
                "restricted_need_id",
                "category_id",
                "category_code",
                "community_id",
                "area",
                "starts_at",
                "ends_at",
                "place",
                "latitude",
                "longitude",
                "radius_m",
                "capacity",
                "accepted_count",
                "arrivals",
                "min_age",
                "open_sign_up",
                "needs_approval",
                "created_by",
            )
        }
        | {"created_at": bound("now")}
    )
    .returning(session)
)
NEW_LINK = Statement(
    sa.insert(link).values(
        {name: bound(name) for name in ("session_id", "commitment_id", "quantity", "organization_id", "area")}
    )
)
held_in, other = table(ServiceSession).alias(), link.alias()
LAST_END = (
    sa.select(sa.func.max(held_in.c.ends_at))
    .join(other, other.c.session_id == held_in.c.id)
    .where(other.c.commitment_id == commitment.c.id, held_in.c.status != SessionStatus.CANCELLED.value)
    .scalar_subquery()
)
SERVICE_ENDS = Statement(
    sa.select(
        commitment.c.id,
        sa.func.coalesce(LAST_END, commitment.c.slot_to, need.c.window_to, need.c.due_at).label("ends_at"),
    )
    .join(need, need.c.id == commitment.c.need_id)
    .where(commitment.c.id.in_(sa.select(link.c.commitment_id).where(link.c.session_id == bound("of"))))
    .order_by(commitment.c.id)
)
"""When the service of each commitment of a session ends: with the last session that stands, or else as was agreed."""


@dataclasses.dataclass(frozen=True)
class ActivityDraft:
    """What an activity is made of."""

    title: str
    category: UUID
    community: UUID
    starts_on: date
    ends_on: date | None = None
    description: str = ""


@dataclasses.dataclass(frozen=True)
class SessionDraft:
    """What a session is made of. What commitments or an activity say already may be left out.

    `commitments`: each with how much of it this session is to deliver; None for all that is owed.
    """

    starts_at: datetime | None = None
    ends_at: datetime | None = None
    title: str | None = None
    place: str | None = None
    commitments: tuple[tuple[UUID, int | None], ...] = ()
    activity: UUID | None = None
    community: UUID | None = None
    category: UUID | None = None
    capacity: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    radius_m: int = 300
    min_age: int = 0
    open_sign_up: bool | None = None
    needs_approval: bool = False


async def host(db: Db, area: str) -> UUID | None:
    """The organization for which the actor acts, None for the community itself.

    Raises Forbidden outside a staff member's area, and OrganizationNotVerified.
    """
    if db.actor.role is not Role.NGO_STAFF:
        if not db.actor.covers(area):
            raise Forbidden()
        return None
    if db.actor.organization is None:
        raise Forbidden()
    if not await db.value(VERIFIED, id=db.actor.organization):
        raise OrganizationNotVerified()
    return db.actor.organization


async def _community(db: Db, id: UUID) -> Row:
    found = await db.one(COMMUNITY, id=id)
    if found is None:
        raise NotFound(what="该社区")
    return found


async def _category(db: Db, id: UUID) -> Row:
    found = await db.one(CATEGORY, id=id)
    if found is None:
        raise NotFound(what="该服务类别")
    return found


@may(MAY["activity.create"])
@refuses(OrganizationNotVerified)
async def create_activity(db: Db, draft: ActivityDraft) -> UUID:
    """An organization, or the community, makes a programme that sessions can belong to."""
    title = clean(draft.title, "title", most=60, least=2)
    description = clean(draft.description, "description", most=2000, least=0, lines=True)
    if draft.ends_on is not None and draft.ends_on < draft.starts_on:
        raise InvalidInput(field="endsOn", reason="结束日期不能早于开始日期。")
    community = await _community(db, draft.community)
    kind = await _category(db, draft.category)
    id: UUID = await db.value(
        NEW_ACTIVITY,
        title=title,
        description=description,
        organization_id=await host(db, community["area"]),
        category_id=kind["id"],
        category_code=kind["code"],
        community_id=community["id"],
        area=community["area"],
        starts_on=draft.starts_on,
        ends_on=draft.ends_on,
        created_by=db.actor.person,
    )
    db.tell("activity.created", id, area=community["area"])
    return id


@may(MAY["session.create"])
@refuses(
    NotServing,
    CapacityBelowAccepted,
    OrganizationNotVerified,
    OverlappingBooking,
    VolunteerInactive,
    BelowMinimumAge,
    MinorAtNight,
)
async def create_session(db: Db, draft: SessionDraft) -> UUID:
    """The organizers plan a session: open for volunteers to sign up, or to carry out commitments of one need.

    The volunteers whom the commitments name have their places at once, and are booked for the time. Returns the
    session, PLANNED.
    """
    carried = await _commitments(db, draft.commitments) if draft.commitments else []
    base = await _base(db, draft, carried)
    rules.window(base["starts_at"], base["ends_at"], db.now)
    at = rules.position(draft.latitude, draft.longitude)
    shares = {
        row["id"]: max(1, owed) if given is None else rules.bounded(given, "commitments", 1, row["qty"])
        for row, (_, given) in zip(carried, sorted(draft.commitments), strict=True)
        for owed in (row["qty"] - row["allotted"],)
    }
    going = list(dict.fromkeys(r["volunteer_person_id"] for r in carried if r["volunteer_person_id"] is not None))
    helpers = len(going) + sum(shares[r["id"]] for r in carried if r["volunteer_person_id"] is None)
    capacity = rules.capacity(draft.capacity if draft.capacity is not None else max(1, helpers))
    if draft.capacity is None and not carried:
        raise InvalidInput(field="capacity", reason="请填写名额。")
    if capacity < len(going):
        raise CapacityBelowAccepted(accepted=len(going))
    restricted = bool(carried) and carried[0]["sensitivity"] == Sensitivity.RESTRICTED
    unnamed = any(r["volunteer_person_id"] is None for r in carried)
    is_open = draft.open_sign_up if draft.open_sign_up is not None else not restricted and (not carried or unnamed)
    if is_open and restricted:
        raise InvalidInput(field="openSignUp", reason="敏感需求的服务场次不能公开报名。")
    held = await db.one(
        NEW_SESSION,
        **base,
        restricted_need_id=base["need_id"] if restricted else None,
        latitude=at and at[0],
        longitude=at and at[1],
        radius_m=rules.bounded(draft.radius_m, "radiusM", 20, 5000),
        capacity=capacity,
        accepted_count=len(going),
        arrivals=len(going),
        min_age=rules.bounded(draft.min_age, "minAge", 0, 120),
        open_sign_up=is_open,
        needs_approval=draft.needs_approval,
        created_by=db.actor.person,
    )
    assert held is not None
    db.tell("session.planned", held["id"], area=held["area"])
    for row in carried:
        await db.value(
            NEW_LINK,
            session_id=held["id"],
            commitment_id=row["id"],
            quantity=shares[row["id"]],
            organization_id=row["organization_id"],
            area=held["area"],
        )
    for number, person in enumerate(going, start=1):
        row = next(r for r in carried if r["volunteer_person_id"] == person)
        if not restricted:
            await must_be_fit(db, held, person)
        await enter(
            db,
            held,
            person,
            AttendanceStatus.ACCEPTED,
            position=number,
            commitment_id=row["id"],
            organization_id=row["organization_id"],
        )
    if carried:
        await keep_providers(db, held["id"])
    return held["id"]  # type: ignore[no-any-return]


async def keep_providers(db: Db, id: UUID) -> None:
    """A session was planned, moved or called off: its providers may read the need's particulars and ask for the contact
    until 24 h after the last session of their commitment."""
    for row in await db.all(SERVICE_ENDS, of=id):
        await keep_open(db, row["id"], row["ends_at"] + rules.CONTACT_AFTER)


async def _commitments(db: Db, given: Sequence[tuple[UUID, int | None]]) -> list[Row]:
    """The commitments of a session, by id. Raises NotFound, and NotServing for those that cannot be carried out."""
    ids = sorted({id for id, _ in given})
    if len(ids) != len(given) or len(ids) > rules.MOST_COMMITMENTS:
        raise InvalidInput(field="commitments", reason=f"对接单不能重复，且最多 {rules.MOST_COMMITMENTS} 个。")
    found = list(await db.all(COMMITMENTS, ids=ids))
    if len(found) != len(ids):
        raise NotFound(what="该对接单")
    for row in found:
        if row["need_id"] != found[0]["need_id"]:
            raise InvalidInput(field="commitments", reason="一个场次的对接单须属于同一个需求。")
        if row["status"] not in SERVING:
            raise NotServing()
        mine = row["organization_id"] is not None and row["organization_id"] == db.actor.organization
        if not (mine if db.actor.role is Role.NGO_STAFF else db.actor.covers(row["area"])):
            raise NotServing()
    return sorted(found, key=lambda row: row["id"])


async def _base(db: Db, draft: SessionDraft, carried: Sequence[Row]) -> dict[str, Any]:
    """Where, when, what and whose: from the draft, and else from the commitments' need or from the activity."""
    programme = None
    if draft.activity is not None:
        programme = await db.one(ACTIVITY, id=draft.activity)
        if programme is None:
            raise NotFound(what="该活动")
    starts_at, ends_at = draft.starts_at, draft.ends_at
    if carried:
        first = carried[0]
        own = "slot" if first["slot_from"] is not None else "window"
        starts_at, ends_at = starts_at or first[f"{own}_from"], ends_at or first[f"{own}_to"]
        community = await _community(db, first["community_id"])
        of = {"need_id": first["need_id"], "area": first["area"]}
        kind = {"category_id": first["category_id"], "category_code": first["category_code"]}
        title = draft.title or first["title"]
    else:
        where = draft.community or (programme and programme["community_id"])
        what = draft.category or (programme and programme["category_id"])
        if where is None or what is None:
            field = "community" if where is None else "category"
            raise InvalidInput(field=field, reason="没有对接单或活动时，请填写社区和服务类别。")
        community = await _community(db, where)
        found = await _category(db, what)
        of = {"need_id": None, "area": community["area"]}
        kind = {"category_id": found["id"], "category_code": found["code"]}
        title = draft.title or (programme["title"] if programme else "")
    if starts_at is None or ends_at is None:
        raise InvalidInput(field="startsAt", reason="请填写开始和结束时间。")
    runner: UUID | None = await host(db, of["area"])
    if carried and runner is None:
        runners = {row["organization_id"] for row in carried}
        runner = runners.pop() if len(runners) == 1 else None
    if programme is not None and (
        (runner is None and not db.actor.covers(programme["area"])) or programme["organization_id"] != runner
    ):
        raise NotFound(what="该活动")
    return {
        **of,
        **kind,
        "title": clean(title, "title", most=60, least=2),
        "activity_id": draft.activity,
        "organization_id": runner,
        "community_id": community["id"],
        "starts_at": starts_at,
        "ends_at": ends_at,
        "place": clean(draft.place, "place", most=100) if draft.place is not None else community["name"],
    }
