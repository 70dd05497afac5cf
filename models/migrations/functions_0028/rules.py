"""Who may serve a need, as SQL: the hard rules, asked exactly of who is left of a list, and who served whom before."""

from __future__ import annotations

from collections.abc import Mapping

NOBODY = "00000000-0000-0000-0000-000000000000"
"""Whose words a need's are where it is for a place or a group (`vault.NO_ONE`)."""
TRAVEL_SECONDS = 300
"""For each kilometre between two appointments."""
RISKY = ("ELDERLY.BATHING", "DISABLED.CARE", "SAFETY.PATROL", "SAFETY.FIRE", "SAFETY.REPAIRS", "MEDIATION.FAMILY")
"""What nobody under 18 is proposed for."""

RELATED = {
    "ELDERLY": ("ELDERLY_CARER", "NURSE", "FIRST_AID"),
    "DISABLED": ("REHABILITATION", "NURSE", "SIGN_INTERPRETER"),
    "CHILDCARE": ("CHILD_CARER", "TEACHER"),
    "EMPLOYMENT": ("SOCIAL_WORKER",),
    "HEALTH": ("DOCTOR", "NURSE", "PSYCHOLOGIST"),
    "EDUCATION": ("TEACHER",),
    "SAFETY": ("ELECTRICIAN", "FIRST_AID"),
    "MEDIATION": ("LAWYER", "PSYCHOLOGIST", "SOCIAL_WORKER"),
}
"""Which papers speak for whoever serves in a field, where the need asks for none."""
RELATED_CERTIFICATES = """
CREATE FUNCTION related_certificates(category text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(category, '.', 1) {whens} ELSE '{}'::text[] END
"""

LAST = """
CREATE FUNCTION served_last(whom uuid, of text, by_organization boolean) RETURNS uuid
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN by_organization THEN c.organization_id ELSE c.volunteer_person_id END
        FROM need m JOIN commitment c ON c.need_id = m.id
        WHERE m.beneficiary_id = whom AND m.category_code = of AND m.sensitivity = 'NORMAL' AND c.status = 'COMPLETED'
          AND CASE WHEN by_organization THEN c.organization_id ELSE c.volunteer_person_id END IS NOT NULL
        ORDER BY c.ended_at DESC, c.id DESC LIMIT 1);
END $$
"""
"""Which volunteer, or which organization, served a resident the last time that he was served in this category."""

CERTIFIED = """EXISTS (SELECT FROM qualification q WHERE q.person_id = {who} AND q.type = ANY ({types})
    AND q.status || '' = 'VERIFIED' AND (q.valid_to IS NULL OR q.valid_to >= {day}))"""
"""Whether somebody has one of some papers on a day."""

AGAIN = """
CREATE FUNCTION served_again(who uuid, by_organization boolean) RETURNS uuid[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN ARRAY(
        SELECT o.id
        FROM (
            SELECT n.id, n.beneficiary_id, n.category_code
            FROM (SELECT DISTINCT m.beneficiary_id, m.category_code FROM (
                      (SELECT c.need_id FROM commitment c
                       WHERE by_organization AND c.organization_id = who AND c.status = 'COMPLETED'
                       ORDER BY c.created_at DESC, c.id DESC LIMIT 500)
                      UNION ALL
                      (SELECT c.need_id FROM commitment c
                       WHERE NOT by_organization AND c.volunteer_person_id = who AND c.status = 'COMPLETED'
                       ORDER BY c.created_at DESC, c.id DESC LIMIT 500)
                  ) c JOIN need m ON m.id = c.need_id WHERE m.beneficiary_id IS NOT NULL) m
            JOIN need n ON n.beneficiary_id = m.beneficiary_id AND n.category_code = m.category_code
                AND n.status IN ('OPEN', 'IN_PROGRESS')
            OFFSET 0
        ) o
        WHERE served_last(o.beneficiary_id, o.category_code, by_organization) = who
    );
END $$
"""
"""The open needs of those, in that category, whom somebody was the last to serve in it: of his latest 500 services."""

WEEK_LOAD = """(SELECT count(*) FROM booking b WHERE b.person_id = {who} AND b.during && tstzrange({monday}, {monday} + interval '7 days'))
        + (SELECT count(*) FROM commitment c
           WHERE c.volunteer_person_id = {who}
             AND (c.status = 'PROPOSED' AND c.hold_until > at OR c.status IN ('ACCEPTED', 'CONFIRMED'))
             AND coalesce(c.slot_from, c.created_at) >= {monday}
             AND coalesce(c.slot_from, c.created_at) < {monday} + interval '7 days'
             AND NOT EXISTS (SELECT FROM booking b WHERE b.commitment_id = c.id))"""
"""What takes somebody's week: what is booked in it, what he is held for in it, and what he promised in it for no time yet."""

HELPERS = (
    """
    CREATE FUNCTION papers_do(held text[], asked text, category text) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN (asked IS NULL OR asked = ANY (held)) AND NOT EXISTS (
            SELECT FROM service_category c WHERE c.code = category AND c.certificates <> '{}' AND NOT c.certificates && held);
    END $$
    """,
    """
    CREATE FUNCTION booking_place(commitment uuid, attendance uuid) RETURNS TABLE (x real, y real)
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        IF commitment IS NOT NULL THEN
            RETURN QUERY SELECT n.x, n.y FROM commitment c JOIN need n ON n.id = c.need_id WHERE c.id = commitment;
        ELSE
            RETURN QUERY SELECT d.x, d.y FROM attendance a JOIN service_session s ON s.id = a.session_id
                         JOIN division d ON d.id = s.community_id WHERE a.id = attendance;
        END IF;
    END $$
    """,
    """
    CREATE FUNCTION unbound(who uuid, at timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN NOT EXISTS (SELECT FROM booking b WHERE b.person_id = who AND b.during && tstzrange(
                               date_trunc('week', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai', NULL))
           AND NOT EXISTS (SELECT FROM commitment c WHERE c.volunteer_person_id = who
                           AND c.status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED'))
           AND NOT EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = who
                           AND a.ends_on >= (at AT TIME ZONE 'Asia/Shanghai')::date);
    END $$
    """,
    """
    CREATE FUNCTION week_load(who uuid, monday timestamptz, at timestamptz) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN {week};
    END $$
    """,
)
"""`unbound`: whether somebody is neither away nor booked nor held, this week or later.
`papers_do`: whether an organization's papers are those that a need, and its category by law, ask for (I11)."""

MET = "('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'DECLINED')"
"""What somebody did with a need, so that it is not brought up again."""

TIMES = """CROSS JOIN LATERAL (
        SELECT (coalesce({since}, w.opens) AT TIME ZONE 'Asia/Shanghai')::date AS day, w.opens, w.closes,
               (w.closes AT TIME ZONE 'Asia/Shanghai')::date AS last_day,
               date_trunc('week', coalesce({since}, w.opens) AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai' AS monday
        FROM (SELECT {opens} AS opens, {closes} AS closes OFFSET 0) w
        OFFSET 0
    ) t"""
"""`t`: between when a need would be served, and in which week; reckoned once, and not again wherever it is asked."""

VOLUNTEER_RULES = """CASE
    WHEN v.state <> 'ACTIVE' OR v.no_matching
         OR asked.skill_code IS NOT NULL AND NOT asked.skill_code = ANY (v.skills)
         OR asked.language = 'SIGN' AND NOT 'SIGN' = ANY (v.languages)
         OR {who} IN (asked.requester_id, asked.subject_id) THEN false
    WHEN v.adult_on > t.day AND (asked.category_code = ANY ('{risky}'::text[]) OR at_night({since}, {until})
                                 OR consent_missing({who}, 'MATCHING', at)) THEN false
    WHEN asked.household IS NOT NULL
         AND EXISTS (SELECT FROM resident r WHERE r.person_id = {who} AND r.household = asked.household) THEN false
    WHEN NOT {plain} AND NOT qualified_for({who}, asked.certificate, asked.category_code, t.day) THEN false
    -- what he, or whoever asks, has said no to is not brought up again
    WHEN EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.volunteer_person_id = {who}
                 AND c.status IN {met}
                 AND (c.status <> 'PROPOSED' OR c.hold_until > at)) THEN false
    WHEN EXISTS (SELECT FROM match_proposal p WHERE p.need_id = asked.id AND p.person_id = {who} AND p.status = 'DECLINED')
         THEN false
    WHEN avoids({who}, CASE WHEN asked.subject_id = '{nobody}' THEN asked.requester_id ELSE asked.subject_id END,
                asked.category_code) THEN false
    WHEN NOT {free} AND {since} IS NULL
         AND EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = {who} AND a.starts_on <= t.day AND a.ends_on >= t.last_day)
         THEN false
    WHEN {since} IS NULL AND t.closes - t.opens < interval '6 days'
         AND NOT EXISTS (SELECT FROM volunteer_window w WHERE w.person_id = {who}
                         AND (w.weekday + 7 - extract(isodow FROM t.day)::integer) % 7 <= t.last_day - t.day)
         AND EXISTS (SELECT FROM volunteer_window w WHERE w.person_id = {who}) THEN false
    WHEN NOT {free} AND {since} IS NOT NULL
         AND EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = {who}
                     AND a.starts_on <= ({until} AT TIME ZONE 'Asia/Shanghai')::date AND a.ends_on >= t.day) THEN false
    WHEN NOT {free} AND {since} IS NOT NULL AND EXISTS (
        SELECT FROM (
            SELECT b.during, p.x, p.y
            FROM booking b LEFT JOIN LATERAL booking_place(b.commitment_id, b.attendance_id) p ON true
            WHERE b.person_id = {who} AND b.during && tstzrange({since} - interval '12 hours', {until} + interval '12 hours')
            UNION ALL
            SELECT tstzrange(c.slot_from, c.slot_to), p.x, p.y FROM commitment c JOIN need p ON p.id = c.need_id
            WHERE c.volunteer_person_id = {who}
              AND (c.status = 'PROPOSED' AND c.hold_until > at OR c.status IN ('ACCEPTED', 'CONFIRMED'))
              AND c.slot_from < {until} + interval '12 hours' AND c.slot_to > {since} - interval '12 hours'
        ) b
        CROSS JOIN LATERAL (SELECT make_interval(secs => coalesce(
            sqrt((b.x::float8 - asked.x) * (b.x::float8 - asked.x) + (b.y::float8 - asked.y) * (b.y::float8 - asked.y)), 0
        ) * {travel}) AS gap) g
        WHERE b.during && tstzrange({since} - g.gap, {until} + g.gap, '()')
    ) THEN false
    -- what any time will do for may wait until a week that is not full
    ELSE {free} OR {since} IS NULL AND t.closes >= t.monday + interval '7 days' OR v.weekly_cap > {week}
END"""
"""Whether a volunteer `v` may serve the need `asked` from one time until another, on `t`. `free`: that it is known already
that nothing takes his time this week or later (`unbound`); `plain`: that no paper is asked for."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its names in braces replaced, one after the other: what replaces one may have others in it."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def volunteer_rules(who: str, since: str, until: str, free: str, plain: str) -> str:
    """`VOLUNTEER_RULES` of somebody and two instants, each an expression."""
    given = {"who": who, "since": since, "until": until, "free": free, "plain": plain}
    return filled(VOLUNTEER_RULES, {"week": WEEK_LOAD, "monday": "t.monday", "met": MET, **given})


def volunteer_times(since: str) -> str:
    """What `t` is in them."""
    opens, closes = "greatest(at, asked.window_from)", "least(asked.window_to, asked.due_at)"
    return filled(TIMES, {"since": since, "opens": opens, "closes": closes})


OFFER_RULES = """CASE
    WHEN given.status <> 'PUBLISHED' OR given.qty_reserved + given.qty_consumed >= given.qty_total
         OR given.kind <> asked.kind OR given.unit <> asked.unit
         OR given.category_code NOT IN (asked.category_code, split_part(asked.category_code, '.', 1))
         OR NOT given.service_areas && ARRAY[left(asked.area, 4), left(asked.area, 6), left(asked.area, 9), left(asked.area, 12), asked.area]
         OR given.radius_km IS NOT NULL AND km_between(given.x, given.y, asked.x, asked.y) > given.radius_km
         OR asked.skill_code IS NOT NULL AND NOT asked.skill_code = ANY (given.skills)
         OR asked.language <> 'MANDARIN' AND NOT asked.language = ANY (given.languages)
         OR given.kind = 'VENUE' AND 'WHEELCHAIR' = ANY (asked.hints) AND NOT 'STEP_FREE' = ANY (given.venue_access)
         OR t.opens >= t.closes
         OR {since} IS NULL AND t.closes - at < make_interval(mins => given.min_notice_minutes)
         OR {since} - at < make_interval(mins => given.min_notice_minutes) THEN false
    WHEN NOT {plain} AND given.person_id IS NULL AND NOT papers_do(given.certificates, asked.certificate, asked.category_code)
         THEN false
    WHEN {since} IS NULL AND NOT offer_suits(given.id, asked.id, at, true) THEN false
    WHEN {since} IS NOT NULL AND NOT EXISTS (SELECT FROM offer_occurrence r WHERE r.offer_id = given.id
                                             AND r.starts_at <= {since} AND r.ends_at >= {until}) THEN false
    WHEN EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.offer_id = given.id
                 AND c.status IN {met}
                 AND (c.status <> 'PROPOSED' OR c.hold_until > at)) THEN false
    WHEN EXISTS (SELECT FROM match_proposal p WHERE p.need_id = asked.id AND p.offer_id = given.id AND p.status = 'DECLINED')
         THEN false
    WHEN {since} IS NOT NULL AND given.kind IN ('SERVICE', 'VENUE')
         AND offer_busy(given.id, {since}, {until}, at) >= given.parallel THEN false
    WHEN given.weekly_cap IS NOT NULL AND offer_week(given.id, coalesce({since}, t.opens), at) >= given.weekly_cap THEN false
    WHEN given.person_id IS NOT NULL AND asked.gender_required THEN NOT EXISTS (
        SELECT FROM person p WHERE p.id = given.person_id AND p.gender <> asked.gender_preference)
    ELSE true
END"""
"""Whether an offer `given` may serve the need `asked`. Of whoever serves for himself, `VOLUNTEER_RULES` are asked besides."""


def offer_rules(since: str, until: str, plain: str) -> str:
    """`OFFER_RULES` of two instants, each an expression."""
    return filled(OFFER_RULES, {"met": MET, "since": since, "until": until, "plain": plain})


def offer_times(since: str) -> str:
    """What `t` is in them."""
    opens = "greatest(at, asked.window_from, given.window_from)"
    closes = "least(asked.window_to, asked.due_at, given.window_to)"
    return filled(TIMES, {"since": since, "opens": opens, "closes": closes})
