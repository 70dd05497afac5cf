"""Makes a community's sessions, who took part in them, and the hours that were credited.

Some carry out commitments; the others belong to programmes of organizations and of the community. Nobody is in two
places at once: whoever takes part has his time in the session's slot reserved.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from asyncpg import Range

from models.activity.rules import (
    HOLDS_SEAT,
    AttendanceStatus,
    CheckMethod,
    HourKind,
    HourTrust,
    ProposalStatus,
    SessionStatus,
)
from models.exchange.kinds import Kind
from models.seed import words
from models.seed.market import Market, Part, Service, slot_number, slot_times
from models.seed.people import Active
from models.seed.sheets import DAY, MINUTE, day
from models.seed.world import World

S, A = SessionStatus, AttendanceStatus
LOCKED_DAYS, CONFIRMED_DAYS, AHEAD_DAYS, BACK_DAYS = 70, 3, 25, 364
"""A session of so many days ago is locked with its period, or confirmed; how far ahead and back sessions lie."""
PROGRAMMES = tuple(t for t in words.THINGS if t.kind is Kind.SERVICE)
METHODS = (CheckMethod.CODE, CheckMethod.CODE, CheckMethod.GEO, CheckMethod.ROSTER)
CENTRE = (41.796, 123.43)
"""The middle of the city, in degrees; places are made up around it."""
SEATED = {s: s in HOLDS_SEAT for s in A}


class Session:
    """A session while its roster is being made."""

    def __init__(self, world: World, slot: int) -> None:
        self.starts, self.ends = slot_times(world, slot)
        on, today = slot // 3, world.today
        self.slot, self.on, self.past, self.running = slot, on, on < today, on == today
        self.announced = self.starts - int((3 + 12 * world.rng.random()) * DAY)
        if self.announced > world.now:
            self.announced = world.now - int(world.rng.random() * DAY)
        self.id = world.sheets.id("service_session", self.announced)
        self.seated = self.arrivals = 0
        self.category = ""
        self.organization: UUID | None = None
        self.area = ""
        self.author: UUID


def hold(market: Market) -> None:
    """Writes a community's sessions: those of needs, then programmes until its share of both counts is reached."""
    quota, sheets = market.community.quota, market.world.sheets
    before = len(sheets["attendance"])
    for service in market.services:
        _serve(market, service)
    programmes = _programmes(market)
    alone = max(0, quota["sessions"] - len(market.services))
    owed = market.world.counts["attendances owed"]
    left = max(0, quota["attendances"] + owed - (len(sheets["attendance"]) - before))
    for number in range(alone):
        count = (
            left if number == alone - 1 else round(left / (alone - number) * (0.3 + 1.4 * market.world.rng.random()))
        )
        left -= _gather(market, programmes[number % len(programmes)], min(count, left), firm=number == alone - 1)
    market.world.counts["attendances owed"] = left


Programme = tuple[UUID, words.Thing, Active | None]


def _programmes(market: Market) -> list[Programme]:
    """Two of the community's own, and one of each busy organization."""
    world, community, lives = market.world, market.community, market.lives
    out: list[Programme] = []
    for by in (None, None, *lives.organizations):
        thing = world.one(PROGRAMMES)
        made = world.ago(372, 390)
        id = world.sheets.id("service_activity", made)
        title = world.one(thing.offers)
        out.append((id, thing, by))
        world.sheets["service_activity"].append(
            (
                *(
                    id,
                    title,
                    f"{community.name}{title}系列活动",
                    by.id if by else None,
                    world.categories[thing.category],
                ),
                *(thing.category, community.id, community.code, day(made + DAY), None),
                *(by.staff if by else lives.staff[0], made),
            )
        )
    return out


def _serve(market: Market, service: Service) -> None:
    """A session that carries out the commitments of one need."""
    world, sheets = market.world, market.world.sheets
    session = Session(world, service.slot)
    organizations = {p.organization for p in service.parts}
    session.category, session.area = service.category, service.area
    session.organization = next(iter(organizations)) if len(organizations) == 1 else None
    session.author = market.lives.staff[0]
    restricted = service.need if service.restricted else None
    for part in service.parts:
        sheets["session_commitment"].append(
            (
                *(sheets.id("session_commitment", session.announced), session.id, part.commitment, part.qty),
                *(part.organization, service.area),
            )
        )
        came = A.CHECKED_IN if session.running else A.CONFIRMED
        _attend(market, session, part.volunteer, came, part=part, restricted=restricted)
    status = S.RUNNING if session.running else _settled(world, session)
    _write(market, session, service.title, None, service.need, restricted, status, len(service.parts), open_=False)


def _gather(market: Market, programme: Programme, count: int, *, firm: bool) -> int:
    """A session of a programme, past, running or to come; how many took part."""
    world, random, lives = market.world, market.world.rng.random, market.lives
    activity, thing, by = programme
    number = world.sheets.made["service_session"]
    luck = number % 50
    if luck == 11:
        on = world.today
    elif luck % 14 == 6:
        on = world.today + 1 + int(random() * AHEAD_DAYS)
    else:
        on = world.today - 1 - int(random() * BACK_DAYS)
    session = Session(world, slot_number(on, 0 if on == world.today else int(random() * 3)))
    session.category, session.area = thing.category, market.community.code
    session.organization, session.author = (by.id, by.staff) if by else (None, lives.staff[0])
    title = f"{market.community.name}{world.one(thing.offers)}"
    status = S.RUNNING if session.running else _settled(world, session) if session.past else S.PUBLISHED
    if not firm and not session.running and luck in (17, 33):
        status, count = S.CANCELLED, 0
    elif not firm and status is S.PUBLISHED and luck == 48:
        status, count = S.PLANNED, 0
    members = by.members if by else None
    people = market.pick(session.slot, count, members)
    if len(people) < count:
        people += market.pick(session.slot, count - len(people))
    star = lives.volunteers[0]
    if market.community.home and people and random() < 0.18 and market.reserve(session.slot, star):
        people[-1] = star
    full = len(people) > 1 and luck % 10 == 4
    for place, who in enumerate(people):
        if status is S.ENDED and place == 0 and number % 2:
            _forgot(market, session, who)
            continue
        if session.past:
            part = _came(random())
        elif session.running:
            part = A.CHECKED_IN if random() < 0.8 else A.ACCEPTED
        elif full and place == len(people) - 1:
            part = A.WAITLISTED
        else:
            part = A.APPLIED if luck == 20 and place == 0 else A.ACCEPTED
        _attend(market, session, who, part)
    capacity = session.seated if full else session.seated + 2 + int(random() * 8)
    _write(market, session, title, activity, None, None, status, max(1, capacity), open_=True, approves=luck == 20)
    return len(people)


def _came(luck: float) -> AttendanceStatus:
    """What became of somebody's part in a session that is over."""
    if luck < 0.93:
        return A.CONFIRMED
    if luck < 0.96:
        return A.ABSENT
    if luck < 0.975:
        return A.EXCUSED
    return A.WITHDRAWN if luck < 0.995 else A.REVERSED


def _settled(world: World, session: Session) -> SessionStatus:
    """How far the organizers are with a session that is over."""
    age = world.today - session.on
    return S.LOCKED if age >= LOCKED_DAYS else S.CONFIRMED if age >= CONFIRMED_DAYS else S.ENDED


def _write(
    market: Market,
    session: Session,
    title: str,
    activity: UUID | None,
    need: UUID | None,
    restricted: UUID | None,
    status: SessionStatus,
    capacity: int,
    *,
    open_: bool,
    approves: bool = False,
) -> None:
    world, random, community = market.world, market.world.rng.random, market.community
    past = status in (S.ENDED, S.CONFIRMED, S.LOCKED)
    code = None
    if status in (S.PUBLISHED, S.RUNNING):
        code = f"{int(random() * 1_000_000):06d}"
        row = (world.sheets.id("session_code", session.announced), session.id, code, session.organization, session.area)
        world.sheets["session_code"].append(row)
    latitude, longitude = CENTRE[0] + random() * 0.2 - 0.1, CENTRE[1] + random() * 0.2 - 0.1
    published = None if status is S.PLANNED else session.announced
    world.sheets["service_session"].append(
        (
            *(session.id, title, activity, session.organization, need, restricted, world.categories[session.category]),
            *(session.category, community.id, session.area, session.starts, session.ends),
            *(f"{community.name}{world.one(words.PLACES)}", round(latitude, 6), round(longitude, 6), capacity),
            *(session.seated, session.arrivals, open_, approves, sign_hash(session.id, code) if code else None, status),
            *((1 if need else int(random() * 6)) if past else 0, int(random() * 40) if past and open_ else 0),
            *("天气原因，另行安排" if status is S.CANCELLED else None, session.author, session.announced, published),
        )
    )


def sign_hash(of: UUID, code: str) -> str:
    """What is stored of a session's sign code: as the activity area hashes it."""
    return hashlib.sha256(of.bytes + code.encode()).hexdigest()


def _attend(
    market: Market,
    session: Session,
    who: UUID,
    status: AttendanceStatus,
    *,
    part: Part | None = None,
    restricted: UUID | None = None,
) -> UUID:
    """One volunteer's part in a session, his booking, and his hours."""
    world, random, sheets = market.world, market.world.rng.random, market.world.sheets
    starts, ends, now = session.starts, session.ends, world.now
    session.arrivals += 1
    applied = session.announced + int(random() * 0.8 * (min(starts, now) - session.announced))
    organization = session.organization or (part.organization if part else None)
    seated = SEATED[status]
    came = left = how = how_left = minutes = rating = reason = marker = None
    if status is A.CONFIRMED or status is A.REVERSED:
        luck = int(random() * 40)
        came = starts + (luck - 25) * MINUTE
        left = ends + (int(random() * 30) - 12) * MINUTE
        how = how_left = METHODS[luck % 4] if who != session.author else CheckMethod.ROSTER
        if how is CheckMethod.GEO:  # a position alone proves nothing
            how_left = CheckMethod.CODE
        if how is CheckMethod.ROSTER:
            marker = next(p for p in (session.author, *market.lives.staff, market.lives.workers[0][1]) if p != who)
        minutes = (min(left, ends) - max(came, starts)) // MINUTE
        rating = 5 if luck < 12 else 4 if luck < 16 else None
    elif status is A.CHECKED_IN:
        came, how = starts + int(random() * 20) * MINUTE, METHODS[0]
    elif status is A.EXCUSED or status is A.WITHDRAWN:
        reason = words.CANCELS[session.arrivals % 4]
    id = sheets.id("attendance", applied)
    sheets["attendance"].append(
        (
            *(id, session.id, who, part.commitment if part else None, status, session.arrivals, applied),
            *(applied if seated or status is A.EXCUSED else None, starts, came, how, marker, left, how_left),
            *(
                minutes if status is A.CONFIRMED else None,
                rating,
                world.care(reason, who),
                restricted,
                organization,
                session.area,
            ),
        )
    )
    if seated:
        session.seated += 1
        if status is not A.ABSENT and not (part and part.booked):
            sheets["booking"].append((who, Range(starts, ends), None, id, applied))
        if organization is not None:
            market.take_on(organization, who, applied)
    if minutes is not None and left is not None:
        _credit(market, session, id, who, status, minutes, left, organization, marker)
    return id


def _forgot(market: Market, session: Session, who: UUID) -> None:
    """Somebody forgot to check out: a proposal to credit his hours by hand waits for a second person."""
    world = market.world
    id = _attend(market, session, who, A.CHECKED_IN)
    by = session.author if session.author != who else market.lives.workers[0][1]
    minutes = (session.ends - session.starts) // MINUTE
    at = min(session.ends + 90 * MINUTE, world.now)
    world.sheets["manual_proposal"].append(
        (
            *(
                world.sheets.id("manual_proposal", at),
                id,
                session.id,
                who,
                minutes,
                "离场时忘记签退",
                "现场照片与签到表",
            ),
            *(ProposalStatus.PENDING, by, at, session.organization, session.area),
        )
    )


def _credit(
    market: Market,
    session: Session,
    attendance: UUID,
    who: UUID,
    status: AttendanceStatus,
    minutes: int,
    left: int,
    organization: UUID | None,
    marker: UUID | None,
) -> None:
    """The ledger's entries for an attendance: a credit; sometimes one that was taken back, or corrected."""
    world, sheets = market.world, market.world.sheets
    on = day(session.starts)
    tail = (session.category, organization, session.area)
    entry = sheets.id("hour_entry", left)
    head = (attendance, session.id, who)
    whole = (session.ends - session.starts) // MINUTE
    corrected = status is A.CONFIRMED and session.arrivals == 1 and world.rng.random() < 0.01 and minutes < whole
    written = whole if corrected else minutes
    trust = HourTrust.SYSTEM if marker is None else HourTrust.CONFIRMED
    word = (marker, None if marker is None else "工作人员点名")
    sheets["hour_entry"].append(
        (entry, *head, HourKind.CREDIT, 1, None, None, written, trust, *word, on, on, left, *tail)
    )
    if not corrected and status is not A.REVERSED:
        return
    at = min(left + DAY, world.now)
    approver, back = (
        next(p for p in (*market.lives.staff, market.lives.workers[0][1]) if p != who),
        sheets.id("hour_entry", at),
    )
    why = (approver, "签退时间记错，更正" if corrected else "核实后未参加")
    sheets["hour_entry"].append(
        (back, *head, HourKind.REVERSAL, 1, entry, None, -written, trust, *why, on, on, at, *tail)
    )
    if corrected:
        again = sheets.id("hour_entry", at)
        sheets["hour_entry"].append(
            (again, *head, HourKind.CREDIT, 2, None, back, minutes, HourTrust.CONFIRMED, *why, on, on, at, *tail)
        )
