# ruff: noqa: S608 - statements of constants written here; values are bound
"""What a round reads, all in one snapshot: rows as the database has them, and nothing decided about them yet.

Read only, and let go of before anything is reckoned. Nobody's name, and no word that anybody wrote, is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from models.exchange.rounds.days import WAY, Days

Row = Any
Rows = Sequence[Row]
MOST_NEEDS = 400_000
MOST_HELPERS = 300_000
"""What a round may have: the city's needs are some three hundred thousand."""


class TooLarge(Exception):
    """More needs or helpers than a round may have."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The rows, as of `at`. Areas are codes, days are Shanghai's."""

    area: str
    first: date
    last: date
    at: datetime
    needs: Rows
    options: Rows
    volunteers: Rows
    windows: Rows
    absences: Rows
    qualifications: Rows
    categories: Rows
    offers: Rows
    occurrences: Rows
    bookings: Rows
    held: Rows
    pending: Rows
    served: Rows
    declined: Rows
    avoidances: Rows
    previous: Rows
    weights: Row | None


SCOPE = """
n.area >= $1 AND n.area < $1 || '~' AND n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL'
AND n.kind = 'SERVICE' AND n.due_at > $2
"""
NEEDS = f"""
SELECT * FROM (
    SELECT n.id, n.area, n.x, n.y, n.category_code, n.skill_code, n.certificate, n.language, n.gender_preference,
        n.gender_required, n.priority, n.unit, n.duration_minutes, n.window_from, n.window_to, n.due_at, n.option_place,
        n.requester_id, n.subject_id, n.household,
        n.qty_total - n.qty_committed
            + CASE WHEN n.qty_committed > n.qty_delivered THEN need_overdue(n.id, $2) ELSE 0 END AS remaining,
        matching_refused(n.beneficiary_id, NULL, $2) AS refused
    FROM need n WHERE {SCOPE}
) AS open WHERE remaining > 0 ORDER BY id LIMIT $3
"""
OPTIONS = f"""
SELECT o.need_id, o.place, o.starts_at, o.ends_at FROM need_option o JOIN need n ON n.id = o.need_id
WHERE {SCOPE} ORDER BY o.need_id, o.place
"""
VOLUNTEERS = """
SELECT v.person_id, v.x, v.y, v.radius_km, v.weekly_cap, v.languages, v.skills, v.categories, v.reliability, v.adult_on,
    p.gender, r.household
FROM volunteer v JOIN person p ON p.id = v.person_id LEFT JOIN resident r ON r.person_id = v.person_id
WHERE v.state = 'ACTIVE' AND NOT v.no_matching
    AND v.x BETWEEN $1 - v.radius_km AND $2 + v.radius_km AND v.y BETWEEN $3 - v.radius_km AND $4 + v.radius_km
    AND EXISTS (SELECT FROM volunteer_window w WHERE w.person_id = v.person_id)
    AND NOT matching_refused(NULL, v.person_id, $5)
ORDER BY v.person_id LIMIT $6
"""
WINDOWS = """
SELECT person_id, weekday, from_minute, to_minute FROM volunteer_window WHERE person_id = ANY ($1)
ORDER BY person_id, weekday, from_minute
"""
ABSENCES = """
SELECT person_id, starts_on, ends_on FROM volunteer_absence
WHERE person_id = ANY ($1) AND ends_on >= $2 AND starts_on <= $3
"""
QUALIFICATIONS = """
SELECT person_id, type, valid_to FROM qualification
WHERE person_id = ANY ($1) AND status = 'VERIFIED' AND (valid_to IS NULL OR valid_to >= $2)
"""
CATEGORIES = "SELECT code, certificates, related_certificates(code) AS related FROM service_category"
OFFERS = """
SELECT * FROM (
    SELECT o.id, o.organization_id, o.category_code, o.unit, o.service_areas, o.radius_km, o.parallel, o.weekly_cap,
        o.min_notice_minutes, o.skills, o.certificates, o.languages,
        coalesce(o.x, here.x, home.x) AS x, coalesce(o.y, here.y, home.y) AS y,
        o.qty_total - o.qty_reserved - o.qty_consumed
            + CASE WHEN o.qty_reserved > 0 THEN offer_overdue(o.id, $1) ELSE 0 END AS remaining
    FROM offer o
    LEFT JOIN division here ON here.code = left(o.area, 12)
    LEFT JOIN LATERAL (
        SELECT avg(d.x)::real AS x, avg(d.y)::real AS y FROM division d
        WHERE d.x IS NOT NULL AND EXISTS (
            SELECT FROM unnest(o.service_areas) AS s (code) WHERE d.area >= s.code AND d.area < s.code || '~'
        )
    ) AS home ON here.x IS NULL
    WHERE o.status = 'PUBLISHED' AND o.kind = 'SERVICE' AND o.organization_id IS NOT NULL
        AND o.window_to > $1 AND o.window_from < $2
        AND EXISTS (
            SELECT FROM unnest(o.service_areas) AS s (code) WHERE starts_with(s.code, $3) OR starts_with($3, s.code)
        )
) AS given WHERE remaining > 0 AND x IS NOT NULL ORDER BY id LIMIT $4
"""
OCCURRENCES = """
SELECT offer_id, starts_at, ends_at FROM offer_occurrence
WHERE offer_id = ANY ($1) AND ends_at > $2 AND starts_at < $3 ORDER BY offer_id, starts_at
"""
BOOKINGS = """
SELECT b.person_id, lower(b.during) AS starts_at, upper(b.during) AS ends_at, p.x, p.y
FROM booking b LEFT JOIN LATERAL booking_place(b.commitment_id, b.attendance_id) AS p ON true
WHERE b.person_id = ANY ($1) AND b.during && tstzrange($2, $3)
"""
HELD = """
SELECT c.volunteer_person_id AS person_id, NULL::uuid AS offer_id, coalesce(c.slot_from, c.created_at) AS starts_at,
    c.slot_to AS ends_at, n.x, n.y
FROM commitment c JOIN need n ON n.id = c.need_id
WHERE c.volunteer_person_id = ANY ($1)
    AND (c.status = 'PROPOSED' AND c.hold_until > $5 OR c.status IN ('ACCEPTED', 'CONFIRMED'))
    AND coalesce(c.slot_to, c.created_at) > $3 AND coalesce(c.slot_from, c.created_at) < $4
    AND NOT EXISTS (SELECT FROM booking b WHERE b.commitment_id = c.id)
UNION ALL
SELECT NULL, c.offer_id, coalesce(c.slot_from, c.created_at), c.slot_to, n.x, n.y
FROM commitment c JOIN need n ON n.id = c.need_id
WHERE c.offer_id = ANY ($2)
    AND (c.status IN ('ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'COMPLETED')
         OR c.status = 'PROPOSED' AND c.hold_until > $5)
    AND coalesce(c.slot_to, c.created_at) > $3 AND coalesce(c.slot_from, c.created_at) < $4
"""
"""What is promised and not booked. What has no time counts in the week in which it was promised (`week_load`)."""
PENDING = """
SELECT p.person_id, p.offer_id, p.slot_from AS starts_at, p.slot_to AS ends_at, n.x, n.y
FROM match_proposal p JOIN need n ON n.id = p.need_id
WHERE (p.person_id = ANY ($1) OR p.offer_id = ANY ($2)) AND p.status = 'OPEN' AND p.valid_until > $5
    AND p.slot_to > $3 AND p.slot_from < $4 AND NOT (p.area >= $6 AND p.area < $6 || '~')
"""
"""What other rounds have proposed and nobody answered: as good as promised here. This round's own area is planned anew."""
SERVED = f"""
SELECT c.need_id, c.volunteer_person_id AS person_id, c.offer_id FROM commitment c JOIN need n ON n.id = c.need_id
WHERE {SCOPE} AND (c.status IN ('ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'DECLINED')
                   OR c.status = 'PROPOSED' AND c.hold_until > $2)
"""
"""Who is committed to a need already, also for an organization; and whoever declined it, or was declined."""
DECLINED = f"""
SELECT p.need_id, p.person_id, p.offer_id FROM match_proposal p JOIN need n ON n.id = p.need_id
WHERE {SCOPE} AND p.status = 'DECLINED'
"""
AVOIDANCES = "SELECT person_id, avoided_person_id, category_code FROM avoidance"
PREVIOUS = f"""
SELECT DISTINCT ON (n.id, last.side) n.id AS need_id, last.side, last.helper
FROM need n
JOIN need before ON before.beneficiary_id = n.beneficiary_id AND before.category_code = n.category_code
    AND before.sensitivity = 'NORMAL'
JOIN commitment c ON c.need_id = before.id AND c.status = 'COMPLETED'
CROSS JOIN LATERAL (VALUES (0, c.volunteer_person_id), (1, c.organization_id)) AS last (side, helper)
WHERE {SCOPE} AND last.helper IS NOT NULL ORDER BY n.id, last.side, c.ended_at DESC, c.id DESC
"""
"""The volunteer and the organization that came last, as `served_last` has them, for all needs at once."""
WEIGHTS = "SELECT * FROM match_weights WHERE valid_from <= $1 ORDER BY version DESC LIMIT 1"
PATIENCE = "SET LOCAL statement_timeout = '120s'"
"""A city's needs are read in one statement."""


async def read(connection: asyncpg.Connection, area: str, days: Days, now: datetime) -> Snapshot:
    """All that a round needs, as of one instant. Raises TooLarge.

    What is promised is read for whole weeks, by which caps are counted, and for as long before and after them as it may
    be in the way of a task.
    """
    first, last, begins, ends = days.first, days.last, days.begins, days.ends
    since, until = days.monday - WAY, days.monday + timedelta(weeks=days.weeks) + WAY
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(PATIENCE)
        needs = await connection.fetch(NEEDS, area, now, MOST_NEEDS + 1)
        placed = [(n["x"], n["y"]) for n in needs if n["x"] is not None]
        xs, ys = [x for x, _ in placed] or [0.0], [y for _, y in placed] or [0.0]
        box = min(xs), max(xs), min(ys), max(ys)
        volunteers = await connection.fetch(VOLUNTEERS, *box, now, MOST_HELPERS + 1) if placed else []
        if len(needs) > MOST_NEEDS or len(volunteers) > MOST_HELPERS:
            raise TooLarge
        people = [v["person_id"] for v in volunteers]
        offers = await connection.fetch(OFFERS, now, ends, area, MOST_HELPERS)
        ids = [o["id"] for o in offers]
        return Snapshot(
            area=area,
            first=first,
            last=last,
            at=now,
            needs=needs,
            options=await connection.fetch(OPTIONS, area, now),
            volunteers=volunteers,
            windows=await connection.fetch(WINDOWS, people),
            absences=await connection.fetch(ABSENCES, people, first, last),
            qualifications=await connection.fetch(QUALIFICATIONS, people, first),
            categories=await connection.fetch(CATEGORIES),
            offers=offers,
            occurrences=await connection.fetch(OCCURRENCES, ids, begins, ends),
            bookings=await connection.fetch(BOOKINGS, people, since, until),
            held=await connection.fetch(HELD, people, ids, since, until, now),
            pending=await connection.fetch(PENDING, people, ids, since, until, now, area),
            served=await connection.fetch(SERVED, area, now),
            declined=await connection.fetch(DECLINED, area, now),
            avoidances=await connection.fetch(AVOIDANCES),
            previous=await connection.fetch(PREVIOUS, area, now),
            weights=await connection.fetchrow(WEIGHTS, now),
        )
