"""Who may serve a need, as SQL: the hard rules, asked exactly of who is left of a list, and who served whom before."""

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

SERVED = (
    """
    CREATE FUNCTION served_ever(who uuid, by_organization boolean) RETURNS uuid[] LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        IF by_organization THEN
            RETURN ARRAY(SELECT DISTINCT m.beneficiary_id FROM (
                SELECT c.need_id FROM commitment c WHERE c.organization_id = who AND c.status = 'COMPLETED'
                ORDER BY c.created_at DESC, c.id DESC LIMIT 500
            ) c JOIN need m ON m.id = c.need_id WHERE m.beneficiary_id IS NOT NULL);
        END IF;
        RETURN ARRAY(SELECT DISTINCT m.beneficiary_id FROM (
            SELECT c.need_id FROM commitment c WHERE c.volunteer_person_id = who AND c.status = 'COMPLETED'
            ORDER BY c.created_at DESC, c.id DESC LIMIT 500
        ) c JOIN need m ON m.id = c.need_id WHERE m.beneficiary_id IS NOT NULL);
    END $$
    """,
    """
    CREATE FUNCTION served_by(whom uuid, asked uuid, who uuid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    DECLARE
        of text := (SELECT category_code FROM need WHERE id = asked);
    BEGIN
        RETURN coalesce(who IN (served_last(whom, of, false), served_last(whom, of, true)), false);
    END $$
    """,
)

HELPERS = (
    """
    CREATE FUNCTION certified(who uuid, types text[], day date) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN EXISTS (SELECT FROM qualification q WHERE q.person_id = who AND q.type = ANY (types)
                       AND q.status || '' = 'VERIFIED' AND (q.valid_to IS NULL OR q.valid_to >= day));
    END $$
    """,
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
        RETURN (SELECT count(*) FROM booking b WHERE b.person_id = who AND b.during && tstzrange(monday, monday + interval '7 days'))
             + (SELECT count(*) FROM commitment c
                WHERE c.volunteer_person_id = who
                  AND (c.status = 'PROPOSED' AND c.hold_until > at OR c.status IN ('ACCEPTED', 'CONFIRMED'))
                  AND coalesce(c.slot_from, c.created_at) >= monday
                  AND coalesce(c.slot_from, c.created_at) < monday + interval '7 days'
                  AND NOT EXISTS (SELECT FROM booking b WHERE b.commitment_id = c.id));
    END $$
    """,
)
"""`unbound`: whether somebody is neither away nor booked nor held, this week or later.
`papers_do`: whether an organization's papers are those that a need, and its category by law, ask for (I11).
`week_load`: what takes somebody's week: what is booked in it, what he is held for in it, and what he promised in it for no time
yet."""

VOLUNTEER_FITS = """
CREATE FUNCTION volunteer_fits(who uuid, asked need, since timestamptz, until timestamptz, at timestamptz,
                               free boolean DEFAULT false, plain boolean DEFAULT false)
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    v volunteer;
    other uuid := CASE WHEN asked.subject_id = '{nobody}' THEN asked.requester_id ELSE asked.subject_id END;
    first timestamptz := greatest(at, asked.window_from);
    last timestamptz := least(asked.window_to, asked.due_at);
    day date := (coalesce(since, first) AT TIME ZONE 'Asia/Shanghai')::date;
    monday timestamptz := date_trunc('week', coalesce(since, first) AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai';
BEGIN
    SELECT * INTO v FROM volunteer WHERE person_id = who;
    IF NOT FOUND OR v.state <> 'ACTIVE' OR v.no_matching
       OR v.adult_on > day AND (asked.category_code = ANY ('{risky}'::text[]) OR at_night(since, until)
                                OR consent_missing(who, 'MATCHING', at))
       OR asked.skill_code IS NOT NULL AND NOT asked.skill_code = ANY (v.skills)
       OR asked.language = 'SIGN' AND NOT 'SIGN' = ANY (v.languages)
       OR who IN (asked.requester_id, asked.subject_id) THEN
        RETURN false;
    END IF;
    IF asked.household IS NOT NULL AND EXISTS (SELECT FROM resident WHERE person_id = who AND household = asked.household) THEN
        RETURN false;
    END IF;
    IF NOT plain AND NOT qualified_for(who, asked.certificate, asked.category_code, day) THEN
        RETURN false;
    END IF;
    -- what he, or whoever asks, has said no to is not brought up again
    IF EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.volunteer_person_id = who
               AND c.status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'DECLINED')
               AND (c.status <> 'PROPOSED' OR c.hold_until > at))
       OR EXISTS (SELECT FROM match_proposal p WHERE p.need_id = asked.id AND p.person_id = who AND p.status = 'DECLINED') THEN
        RETURN false;
    END IF;
    IF avoids(who, other, asked.category_code) THEN
        RETURN false;
    END IF;
    IF since IS NULL THEN
        IF NOT free AND EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = who
                   AND a.starts_on <= day AND a.ends_on >= (last AT TIME ZONE 'Asia/Shanghai')::date) THEN
            RETURN false;
        END IF;
        IF last - first < interval '6 days' AND NOT EXISTS (
            SELECT FROM volunteer_window w, generate_series(day, (last AT TIME ZONE 'Asia/Shanghai')::date, interval '1 day') d
            WHERE w.person_id = who AND w.weekday = extract(isodow FROM d)
        ) AND EXISTS (SELECT FROM volunteer_window w WHERE w.person_id = who) THEN
            RETURN false;
        END IF;
    ELSIF NOT free THEN
        IF EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = who
                   AND a.starts_on <= (until AT TIME ZONE 'Asia/Shanghai')::date AND a.ends_on >= day) THEN
            RETURN false;
        END IF;
        IF EXISTS (
            SELECT FROM (
                SELECT b.during, p.x, p.y
                FROM booking b LEFT JOIN LATERAL booking_place(b.commitment_id, b.attendance_id) p ON true
                WHERE b.person_id = who AND b.during && tstzrange(since - interval '12 hours', until + interval '12 hours')
                UNION ALL
                SELECT tstzrange(c.slot_from, c.slot_to), p.x, p.y FROM commitment c JOIN need p ON p.id = c.need_id
                WHERE c.volunteer_person_id = who
                  AND (c.status = 'PROPOSED' AND c.hold_until > at OR c.status IN ('ACCEPTED', 'CONFIRMED'))
                  AND c.slot_from < until + interval '12 hours' AND c.slot_to > since - interval '12 hours'
            ) t
            CROSS JOIN LATERAL (SELECT make_interval(secs => coalesce(
                sqrt((t.x::float8 - asked.x) * (t.x::float8 - asked.x) + (t.y::float8 - asked.y) * (t.y::float8 - asked.y)), 0
            ) * {travel}) AS gap) g
            WHERE t.during && tstzrange(since - g.gap, until + g.gap, '()')
        ) THEN
            RETURN false;
        END IF;
    END IF;
    -- what any time will do for may wait until a week that is not full
    RETURN free OR since IS NULL AND last >= monday + interval '7 days' OR v.weekly_cap > week_load(who, monday, at);
END $$
"""
"""`free`: that it is known already that nothing takes his time this week or later (`unbound`); `plain`: that no paper is
asked for."""

OFFER_FITS = """
CREATE FUNCTION offer_fits(given offer, asked need, since timestamptz, until timestamptz, at timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    first timestamptz := greatest(at, asked.window_from, given.window_from);
    last timestamptz := least(asked.window_to, asked.due_at, given.window_to);
    met text[] := ARRAY['PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'DECLINED'];
BEGIN
    IF given.status <> 'PUBLISHED' OR given.qty_reserved + given.qty_consumed >= given.qty_total
       OR given.kind <> asked.kind OR given.unit <> asked.unit
       OR given.category_code NOT IN (asked.category_code, split_part(asked.category_code, '.', 1))
       OR NOT given.service_areas && ARRAY[left(asked.area, 4), left(asked.area, 6), left(asked.area, 9), left(asked.area, 12), asked.area]
       OR given.radius_km IS NOT NULL AND km_between(given.x, given.y, asked.x, asked.y) > given.radius_km
       OR asked.skill_code IS NOT NULL AND NOT asked.skill_code = ANY (given.skills)
       OR asked.language <> 'MANDARIN' AND NOT asked.language = ANY (given.languages)
       OR given.kind = 'VENUE' AND 'WHEELCHAIR' = ANY (asked.hints) AND NOT 'STEP_FREE' = ANY (given.venue_access)
       OR given.person_id IS NULL AND NOT papers_do(given.certificates, asked.certificate, asked.category_code)
       OR first >= last
       OR since IS NULL AND last - at < make_interval(mins => given.min_notice_minutes)
       OR since - at < make_interval(mins => given.min_notice_minutes) THEN
        RETURN false;
    END IF;
    IF since IS NULL AND NOT offer_suits(given.id, asked.id, at, true)
       OR since IS NOT NULL AND NOT EXISTS (SELECT FROM offer_occurrence r WHERE r.offer_id = given.id
                                            AND r.starts_at <= since AND r.ends_at >= until) THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.offer_id = given.id AND c.status = ANY (met)
               AND (c.status <> 'PROPOSED' OR c.hold_until > at))
       OR EXISTS (SELECT FROM match_proposal p WHERE p.need_id = asked.id AND p.offer_id = given.id AND p.status = 'DECLINED') THEN
        RETURN false;
    END IF;
    IF since IS NOT NULL AND given.kind IN ('SERVICE', 'VENUE') AND offer_busy(given.id, since, until, at) >= given.parallel
       OR given.weekly_cap IS NOT NULL AND offer_week(given.id, coalesce(since, first), at) >= given.weekly_cap THEN
        RETURN false;
    END IF;
    RETURN given.person_id IS NULL
        OR volunteer_fits(given.person_id, asked, since, until, at) AND NOT (asked.gender_required AND EXISTS (
            SELECT FROM person p WHERE p.id = given.person_id AND p.gender <> asked.gender_preference
        ));
END $$
"""
