# ruff: noqa: S608  # the statements are put together of constants
"""What ranking is made of in SQL, as migration 0028 makes it: mirrors, hard rules, lists (docs/decisions/matching.md).

`models.exchange.scoring` is the score's twin in Python, and a test holds them together.
"""

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

SMALL = (
    """
    CREATE FUNCTION match_slot(weekday integer, minute integer) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((weekday - 1) * 3 + CASE WHEN minute < 720 THEN 0 WHEN minute < 1080 THEN 1 ELSE 2 END)::smallint
    """,
    """
    CREATE FUNCTION match_bits(words text[]) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT coalesce(bit_or(1::bigint << (('x' || left(md5(w), 4))::bit(16)::integer % 63)), 0)
            FROM unnest(words) w WHERE w IS NOT NULL)
    """,
    """
    CREATE FUNCTION match_tongues(languages text[]) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((('KOREAN' = ANY (languages))::integer) + 2 * ('MONGOLIAN' = ANY (languages))::integer
            + 4 * ('SIGN' = ANY (languages))::integer)::smallint
    """,
    """
    CREATE FUNCTION match_near(km double precision) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(km * 10 + 0.5) / 10
    """,
    """
    CREATE FUNCTION reach_cell(x real, y real, km real) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN km <= 3 THEN cell_of(x, y)
                WHEN km <= 12 THEN 1048576 + cell_of((x / 4)::real, (y / 4)::real)
                ELSE 2097152 + cell_of((x / 17)::real, (y / 17)::real) END
    """,
    """
    CREATE FUNCTION area_cell(code text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN -1 - ('x' || left(md5(code), 7))::bit(28)::integer
    """,
    """
    CREATE FUNCTION reach_cells(x real, y real, ring real, area text) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN cells_around(x, y, ring)
            || ARRAY(SELECT 1048576 + c FROM unnest(cells_around((x / 4)::real, (y / 4)::real,
                                                    CASE WHEN ring < 3 THEN ring / 4 ELSE 3.01 END::real)) c)
            || ARRAY(SELECT 2097152 + c FROM unnest(cells_around((x / 17)::real, (y / 17)::real,
                                                    CASE WHEN ring < 3 THEN ring / 17 ELSE 3.01 END::real)) c)
            || ARRAY[area_cell(left(area, 4)), area_cell(left(area, 6)), area_cell(left(area, 9)),
                     area_cell(left(area, 12)), area_cell(area)];
    END $$
    """,
)

AVAILABILITY_DUE = """
CREATE VIEW availability_due AS
SELECT v.person_id AS provider_id, 'VOLUNTEER'::text AS kind, c.category, s.slot, b.cell, v.x, v.y,
       v.radius_km AS radius, s.from_minute, s.to_minute, p.gender, b.languages, b.skills, b.certificates,
       coalesce(q.until, 'infinity') AS certified_until, v.reliability
FROM volunteer v
JOIN person p ON p.id = v.person_id
LEFT JOIN (SELECT person_id, array_agg(type) AS types, min(valid_to) AS until
           FROM qualification WHERE status = 'VERIFIED' GROUP BY person_id) q
    ON q.person_id = v.person_id
CROSS JOIN LATERAL (
    SELECT reach_cell(v.x, v.y, v.radius_km) AS cell, match_tongues(v.languages) AS languages, match_bits(v.skills) AS skills,
           match_bits(q.types) AS certificates
    OFFSET 0
) b
CROSS JOIN LATERAL (
    SELECT DISTINCT t.category FROM unnest(CASE WHEN v.categories = '{}' THEN ARRAY['*'] ELSE v.categories END) t (category)
) c
JOIN (
    SELECT person_id, -1::smallint AS slot, 0::smallint AS from_minute, 1440::smallint AS to_minute FROM volunteer
    UNION ALL
    SELECT w.person_id, ((w.weekday - 1) * 3 + part)::smallint, lower(w.during)::smallint, upper(w.during)::smallint
    FROM (SELECT person_id, weekday, unnest(range_agg(int4range(from_minute, to_minute))) AS during
          FROM volunteer_window GROUP BY person_id, weekday) w
    CROSS JOIN unnest(ARRAY[0, 1, 2], ARRAY[0, 720, 1080], ARRAY[720, 1080, 1440]) b (part, since, until)
    WHERE lower(w.during) < b.until AND upper(w.during) > b.since
) s ON s.person_id = v.person_id
WHERE v.state = 'ACTIVE' AND NOT v.no_matching AND v.x IS NOT NULL
UNION ALL
SELECT o.id, 'OFFER', o.category_code, s.slot, k.cell, coalesce(o.x, v.x, d.x), coalesce(o.y, v.y, d.y), o.radius_km, 0, 1440,
       coalesce(p.gender, 'UNKNOWN'), match_tongues(o.languages || coalesce(v.languages, '{}')),
       match_bits(o.skills || coalesce(v.skills, '{}')),
       match_bits(o.certificates || ARRAY(SELECT q.type FROM qualification q
                                          WHERE q.person_id = o.person_id AND q.status || '' = 'VERIFIED')),
       CASE WHEN o.person_id IS NULL THEN 'infinity' ELSE '-infinity' END::date, coalesce(v.reliability, 0.8)
FROM offer o
LEFT JOIN person p ON p.id = o.person_id
LEFT JOIN volunteer v ON v.person_id = o.person_id
LEFT JOIN division d ON d.code = left(o.area, 12)
CROSS JOIN LATERAL (
    SELECT reach_cell(o.x, o.y, o.radius_km) AS cell WHERE o.x IS NOT NULL AND o.radius_km IS NOT NULL
    UNION
    SELECT area_cell(a) FROM unnest(o.service_areas) a WHERE o.x IS NULL OR o.radius_km IS NULL
) k
CROSS JOIN LATERAL (
    SELECT -1::smallint AS slot
    UNION ALL SELECT -2 WHERE o.rrule IS NULL
    UNION
    SELECT ((extract(isodow FROM t.a)::integer * 3 - 3 + part) % 21)::smallint
    FROM offer_occurrence r
    CROSS JOIN LATERAL (SELECT r.starts_at AT TIME ZONE 'Asia/Shanghai' AS a, r.ends_at AT TIME ZONE 'Asia/Shanghai' AS b) t
    CROSS JOIN unnest(ARRAY[0, 1, 2, 3, 4, 5], ARRAY[0, 12, 18, 24, 36, 42], ARRAY[12, 18, 24, 36, 42, 48]) p (part, since, until)
    WHERE o.rrule IS NOT NULL AND r.offer_id = o.id
      AND t.a < date_trunc('day', t.a) + make_interval(hours => p.until)
      AND t.b > date_trunc('day', t.a) + make_interval(hours => p.since)
) s
WHERE o.status = 'PUBLISHED' AND o.qty_reserved + o.qty_consumed < o.qty_total
  AND (o.person_id IS NULL OR v.state = 'ACTIVE' AND NOT v.no_matching)
"""

DEMAND_DUE = """
CREATE VIEW demand_due AS
SELECT n.id AS need_id, c.category, a.place, a.slot, cell_of(n.x, n.y) AS cell, n.kind, n.x, n.y, a.starts_at, a.ends_at,
       a.from_minute, a.to_minute, n.due_at, n.gender_preference AS gender, n.gender_required,
       match_tongues(ARRAY[n.language]) AS language, match_bits(ARRAY[n.skill_code]) AS skills,
       match_bits(ARRAY[n.certificate]) AS certificates, n.beneficiary_id, n.priority
FROM need n
CROSS JOIN LATERAL (
    SELECT n.category_code AS category UNION SELECT split_part(n.category_code, '.', 1)
) c
CROSS JOIN LATERAL need_appointments(n.id, n.window_from, n.window_to) a
WHERE n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL' AND n.kind NOT IN ('CASH_AID')
  AND n.qty_committed < n.qty_total AND n.merged_into IS NULL AND n.x IS NOT NULL
"""

APPOINTMENTS = """
CREATE FUNCTION need_appointments(of uuid, window_from timestamptz, window_to timestamptz)
RETURNS TABLE (place smallint, slot smallint, starts_at timestamptz, ends_at timestamptz,
               from_minute smallint, to_minute smallint)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH chosen AS (
        SELECT o.place, o.starts_at, o.ends_at FROM need_option o WHERE o.need_id = of
            AND o.place IS NOT DISTINCT FROM coalesce((SELECT n.option_place FROM need n WHERE n.id = of), o.place)
        UNION ALL
        SELECT 0::smallint, w.a, w.b FROM (VALUES (window_from, window_to)) w (a, b)
        WHERE w.b - w.a <= interval '24 hours' AND NOT EXISTS (SELECT FROM need_option o WHERE o.need_id = of)
    ), local AS (
        SELECT c.*, c.starts_at AT TIME ZONE 'Asia/Shanghai' AS a, c.ends_at AT TIME ZONE 'Asia/Shanghai' AS b FROM chosen c
    )
    SELECT l.place, match_slot(extract(isodow FROM l.a)::integer, m.since), l.starts_at, l.ends_at, m.since::smallint,
           (m.since + ceil(extract(epoch FROM l.b - l.a) / 60))::smallint
    FROM local l CROSS JOIN LATERAL (SELECT (extract(hour FROM l.a) * 60 + extract(minute FROM l.a))::integer AS since) m
    UNION ALL
    SELECT 0::smallint, -1::smallint, NULL, NULL, 0::smallint, 0::smallint WHERE NOT EXISTS (SELECT FROM chosen)
$$
"""
"""When a need may be served, in the asker's order: its options, or its window where that is an appointment
(`rules.slot`); one row of slot -1 where any time will do. `to_minute` is over 1440 for what goes past midnight."""

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

VOLUNTEER_FITS = """
CREATE FUNCTION volunteer_fits(who uuid, asked need, since timestamptz, until timestamptz, at timestamptz)
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
    IF NOT qualified_for(who, asked.certificate, asked.category_code, day) THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.volunteer_person_id = who
               AND c.status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED')
               AND (c.status <> 'PROPOSED' OR c.hold_until > at)) THEN
        RETURN false;
    END IF;
    IF avoids(who, other, asked.category_code) THEN
        RETURN false;
    END IF;
    IF since IS NULL THEN
        IF EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = who
                   AND a.starts_on <= day AND a.ends_on >= (last AT TIME ZONE 'Asia/Shanghai')::date) THEN
            RETURN false;
        END IF;
        IF last - first < interval '6 days' AND NOT EXISTS (
            SELECT FROM volunteer_window w, generate_series(day, (last AT TIME ZONE 'Asia/Shanghai')::date, interval '1 day') d
            WHERE w.person_id = who AND w.weekday = extract(isodow FROM d)
        ) AND EXISTS (SELECT FROM volunteer_window w WHERE w.person_id = who) THEN
            RETURN false;
        END IF;
    ELSE
        IF EXISTS (SELECT FROM volunteer_absence a WHERE a.person_id = who
                   AND a.starts_on <= (until AT TIME ZONE 'Asia/Shanghai')::date AND a.ends_on >= day) THEN
            RETURN false;
        END IF;
        IF EXISTS (
            SELECT FROM booking b
            LEFT JOIN LATERAL booking_place(b.commitment_id, b.attendance_id) t ON true
            CROSS JOIN LATERAL (SELECT make_interval(secs => coalesce(
                sqrt((t.x::float8 - asked.x) * (t.x::float8 - asked.x) + (t.y::float8 - asked.y) * (t.y::float8 - asked.y)), 0
            ) * {travel}) AS gap) g
            WHERE b.person_id = who AND b.during && tstzrange(since - interval '12 hours', until + interval '12 hours')
              AND b.during && tstzrange(since - g.gap, until + g.gap, '()')
        ) THEN
            RETURN false;
        END IF;
    END IF;
    RETURN v.weekly_cap > week_load(who, monday, at);
END $$
"""

HELPERS = (
    """
    CREATE FUNCTION at_night(since timestamptz, until timestamptz) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN since IS NOT NULL AND (
        (since AT TIME ZONE 'Asia/Shanghai')::time < '06:00'
        OR (until AT TIME ZONE 'Asia/Shanghai') > date_trunc('day', since AT TIME ZONE 'Asia/Shanghai') + interval '22 hours')
    """,
    """
    CREATE FUNCTION certified(who uuid, types text[], day date) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN EXISTS (SELECT FROM qualification q WHERE q.person_id = who AND q.type = ANY (types)
                       AND q.status || '' = 'VERIFIED' AND (q.valid_to IS NULL OR q.valid_to >= day));
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
    CREATE FUNCTION week_load(who uuid, monday timestamptz, at timestamptz) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN (SELECT count(*) FROM booking b WHERE b.person_id = who AND b.during && tstzrange(monday, monday + interval '7 days'))
             + (SELECT count(*) FROM commitment c
                WHERE c.volunteer_person_id = who
                  AND (c.status = 'PROPOSED' AND c.hold_until > at OR c.status IN ('ACCEPTED', 'CONFIRMED'))
                  AND (c.slot_from IS NULL OR c.slot_from >= monday AND c.slot_from < monday + interval '7 days')
                  AND NOT EXISTS (SELECT FROM booking b WHERE b.commitment_id = c.id));
    END $$
    """,
)
"""`week_load`: what takes somebody's week: what is booked in it, and what he is held for in it or at no time yet."""

OFFER_FITS = """
CREATE FUNCTION offer_fits(given offer, asked need, since timestamptz, until timestamptz, at timestamptz)
RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    first timestamptz := greatest(at, asked.window_from, given.window_from);
    last timestamptz := least(asked.window_to, asked.due_at, given.window_to);
    live text[] := ARRAY['PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED'];
BEGIN
    IF given.status <> 'PUBLISHED' OR given.qty_reserved + given.qty_consumed >= given.qty_total
       OR given.kind <> asked.kind OR given.unit <> asked.unit
       OR given.category_code NOT IN (asked.category_code, split_part(asked.category_code, '.', 1))
       OR NOT given.service_areas && ARRAY[left(asked.area, 4), left(asked.area, 6), left(asked.area, 9), left(asked.area, 12), asked.area]
       OR given.person_id IS NULL AND (
           asked.skill_code IS NOT NULL AND NOT asked.skill_code = ANY (given.skills)
           OR asked.certificate IS NOT NULL AND NOT asked.certificate = ANY (given.certificates)
           OR asked.language = 'SIGN' AND NOT 'SIGN' = ANY (given.languages)
           OR EXISTS (SELECT FROM service_category s WHERE s.code = asked.category_code AND s.certificates <> '{}'
                      AND NOT s.certificates && given.certificates))
       OR first >= last
       OR since IS NULL AND last - at < make_interval(mins => given.min_notice_minutes)
       OR since - at < make_interval(mins => given.min_notice_minutes) THEN
        RETURN false;
    END IF;
    IF since IS NOT NULL AND NOT EXISTS (SELECT FROM offer_occurrence r WHERE r.offer_id = given.id
                                         AND r.starts_at <= since AND r.ends_at >= until) THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM commitment c WHERE c.need_id = asked.id AND c.offer_id = given.id AND c.status = ANY (live)
               AND (c.status <> 'PROPOSED' OR c.hold_until > at)) THEN
        RETURN false;
    END IF;
    IF since IS NOT NULL AND offer_busy(given.id, since, until, at) >= given.parallel
       OR given.weekly_cap IS NOT NULL AND offer_week(given.id, coalesce(since, first), at) >= given.weekly_cap THEN
        RETURN false;
    END IF;
    RETURN given.person_id IS NULL
        OR volunteer_fits(given.person_id, asked, since, until, at) AND NOT (asked.gender_required AND EXISTS (
            SELECT FROM person p WHERE p.id = given.person_id AND p.gender <> asked.gender_preference
        ));
END $$
"""

TERMS = (
    "floor(w_proximity * greatest(0, 1 - h.km / coalesce(h.radius, 10)) + 0.5)::integer",
    "CASE WHEN h.before THEN w_continuity ELSE 0 END",
    "CASE WHEN h.certified THEN w_certificate ELSE 0 END",
    "floor(w_reliability * h.reliability::float8 + 0.5)::integer",
    "CASE WHEN h.gender THEN w_gender ELSE 0 END",
    "CASE WHEN h.tongue THEN w_language ELSE 0 END",
    "CASE WHEN h.starts_at IS NULL THEN 0 ELSE CASE h.place WHEN 0 THEN w_first WHEN 1 THEN w_second ELSE 0 END END",
)
"""The terms of the score but attention, in their order, over a row `h` that is left."""
SCORE = "coalesce(" + " + ".join(TERMS) + ", 0)"
POINTS = "ARRAY[" + ", ".join(TERMS) + ", {calm}]"
WEIGHED = """
    w_proximity integer; w_continuity integer; w_certificate integer; w_reliability integer; w_gender integer;
    w_language integer; w_first integer; w_second integer; w_attention integer; w_version integer;
    batch integer; skipped integer := 0; met integer;"""
WEIGH = """
    SELECT proximity, continuity, certificate, reliability, gender, language, first_choice, second_choice, attention, version
    INTO w_proximity, w_continuity, w_certificate, w_reliability, w_gender, w_language, w_first, w_second, w_attention, w_version
    FROM match_weights WHERE valid_from <= at ORDER BY version DESC LIMIT 1;
    weights_version := w_version;"""
KM = (
    "floor(sqrt((a.x::float8 - b.x) * (a.x::float8 - b.x) + (a.y::float8 - b.y) * (a.y::float8 - b.y)) * 10 + 0.5) / 10"
)
FAR = "(a.x::float8 - b.x) * (a.x::float8 - b.x) + (a.y::float8 - b.y) * (a.y::float8 - b.y)"

CALM = """floor(w_attention * greatest(-1, least(1, 1 - ln(1 + coalesce(t.shown, 0) / 10.0::float8
    + coalesce(t.connected, 0) * 3) / ln(2.0::float8) / 2)) + 0.5)::integer"""

FOUND = """TABLE (provider_id uuid, volunteer boolean, need_id uuid, option smallint, km real, score integer,
    points integer[], wishes integer, weights_version integer)"""
"""`wishes`: 1 if a gender was asked for, 2 if a language besides: by which the words of two terms differ."""

NEAR, RINGS, ENOUGH = "1, 2, 3", "0.5, 1, 2, 3, 6, 12, 25, 50", "60"
BATCHES = "64, 1000, 100000"
"""How many are looked at more closely at first; and, where those were not enough, after them."""

CANDIDATES = f"""
CREATE FUNCTION match_candidates(of uuid, at timestamptz, n integer) RETURNS {FOUND}
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    asked need;
    hit record;
    given offer;
    my_x float8; my_y float8;
    wanted_gender text; hard_gender boolean; served boolean;
    wanted_tongue smallint;
    related text[];
    taken bigint; wanted bigint; holding bigint; useful bigint;
    cats text[];
    cells integer[];
    today date;
    slots smallint[];
    ring real;
    last uuid; last_organization uuid; last_offers uuid[];
    seen uuid[] := '{{}}';
    who uuid;
    listed integer := 0;{WEIGHED}
BEGIN
    SELECT * INTO asked FROM need WHERE id = of;
    IF NOT FOUND OR asked.status NOT IN ('OPEN', 'IN_PROGRESS') OR asked.sensitivity <> 'NORMAL' OR asked.due_at <= at
       OR asked.kind = 'CASH_AID' OR asked.x IS NULL OR asked.merged_into IS NOT NULL OR n < 1
       OR asked.qty_committed >= asked.qty_total AND asked.qty_committed - need_overdue(of, at) >= asked.qty_total
       OR asked.beneficiary_id IS NOT NULL AND matching_refused(asked.beneficiary_id, NULL, at) THEN
        RETURN;
    END IF;
{WEIGH}
    my_x := asked.x;
    my_y := asked.y;
    wanted_gender := asked.gender_preference;
    hard_gender := asked.gender_required AND wanted_gender <> 'ANY';
    served := asked.kind = 'SERVICE';
    wanted_tongue := match_tongues(ARRAY[asked.language]);
    related := related_certificates(asked.category_code);
    useful := match_bits(related);
    today := (at AT TIME ZONE 'Asia/Shanghai')::date;
    SELECT match_bits(certificates) INTO taken FROM service_category WHERE code = asked.category_code;
    cats := ARRAY[asked.category_code, split_part(asked.category_code, '.', 1), '*'];
    wanted := match_bits(ARRAY[asked.skill_code]);
    holding := match_bits(ARRAY[asked.certificate]);
    IF asked.beneficiary_id IS NOT NULL THEN
        last := served_last(asked.beneficiary_id, asked.category_code, false);
        last_organization := served_last(asked.beneficiary_id, asked.category_code, true);
        last_offers := ARRAY(SELECT id FROM offer WHERE organization_id = last_organization);
    END IF;
    slots := ARRAY(SELECT DISTINCT slot FROM need_appointments(of, asked.window_from, asked.window_to));
    FOREACH ring IN ARRAY ARRAY[{NEAR}]::real[] LOOP
        cells := reach_cells(asked.x, asked.y, ring, asked.area);
        EXIT WHEN ring >= 3 OR {ENOUGH} + 14 * n <= (SELECT count(*) FROM (
            SELECT FROM availability a WHERE a.category = ANY (cats) AND a.slot = ANY (slots) AND a.cell = ANY (cells)
            LIMIT {ENOUGH} + 14 * n) c);
    END LOOP;
    IF last IS NOT NULL THEN
        cells := cells || ARRAY(SELECT DISTINCT cell FROM availability WHERE provider_id = last);
    END IF;
    wishes := (wanted_gender <> 'ANY')::integer + 2 * (wanted_tongue <> 0)::integer;
    need_id := of;
    FOREACH batch IN ARRAY ARRAY[{BATCHES}] LOOP
        met := 0;
        FOR hit IN
            SELECT h.provider_id, h.kind, h.place, h.starts_at, h.ends_at, h.km, h.total, {POINTS.format(calm="0")} AS points
            FROM (
                SELECT h.*, {SCORE} AS total
                FROM (
                    SELECT a.provider_id, a.kind, a.radius, a.reliability, o.place, o.starts_at, o.ends_at,
                           {KM.replace("b.", "my_")} AS km,
                           coalesce(a.provider_id = last OR a.provider_id = ANY (last_offers), false) AS before,
                           asked.certificate IS NOT NULL OR a.certificates & useful <> 0 AND (
                               a.certified_until >= coalesce(o.day, today) OR certified(
                                   CASE WHEN a.kind = 'VOLUNTEER' THEN a.provider_id
                                        ELSE (SELECT f.person_id FROM offer f WHERE f.id = a.provider_id) END,
                                   related, coalesce(o.day, today))
                           ) AS certified,
                           wanted_gender = 'ANY' OR a.gender = wanted_gender OR a.gender = 'UNKNOWN' AND a.kind = 'OFFER' AS gender,
                           wanted_tongue = 0 OR a.languages & wanted_tongue <> 0 AS tongue
                    FROM (SELECT p.*, (p.starts_at AT TIME ZONE 'Asia/Shanghai')::date AS day
                          FROM need_appointments(of, asked.window_from, asked.window_to) p OFFSET 0) o
                    JOIN availability a
                        ON a.category = ANY (cats) AND a.slot = ANY (ARRAY[o.slot, -2::smallint]) AND a.cell = ANY (cells)
                    WHERE (o.starts_at IS NULL OR o.starts_at > at)
                      AND (a.radius IS NULL OR {FAR.replace("b.", "my_")} <= a.radius::float8 * a.radius)
                      AND (a.kind = 'OFFER' OR served AND a.from_minute <= o.from_minute AND a.to_minute >= o.to_minute)
                      AND (NOT hard_gender OR a.gender = wanted_gender OR a.gender = 'UNKNOWN' AND a.kind = 'OFFER')
                      AND (wanted_tongue <> 4 OR a.languages & 4 <> 0)
                      AND a.skills & wanted = wanted AND a.certificates & holding = holding
                      AND (taken = 0 OR a.certificates & taken <> 0)
                    OFFSET 0
                ) h
                ORDER BY total DESC, h.km, h.provider_id, h.place LIMIT batch OFFSET skipped
            ) h
            ORDER BY h.total DESC, h.km, h.provider_id, h.place
        LOOP
            met := met + 1;
            CONTINUE WHEN hit.provider_id = ANY (seen);
            who := hit.provider_id;
            IF hit.kind = 'VOLUNTEER' THEN
                CONTINUE WHEN NOT volunteer_fits(who, asked, hit.starts_at, hit.ends_at, at);
            ELSE
                SELECT * INTO given FROM offer WHERE id = hit.provider_id;
                who := coalesce(given.person_id, who);
                CONTINUE WHEN who = ANY (seen) OR NOT offer_fits(given, asked, hit.starts_at, hit.ends_at, at);
            END IF;
            seen := seen || ARRAY[who, hit.provider_id];
            provider_id := hit.provider_id; volunteer := hit.kind = 'VOLUNTEER'; option := hit.place; km := hit.km;
            score := hit.total; points := hit.points;
            RETURN NEXT;
            listed := listed + 1;
            IF listed >= n THEN
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN met < batch;
        skipped := skipped + batch;
    END LOOP;
END $$
"""

RELATED_CERTIFICATES = """
CREATE FUNCTION related_certificates(category text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE split_part(category, '.', 1) {whens} ELSE '{}'::text[] END
"""


def ranked(source: str, where: str, who: str, certified: str, radius: str) -> str:
    """The loop over needs that are left, best first; what is then asked exactly stands at `{{fits}}`."""
    return f"""
    FOREACH batch IN ARRAY ARRAY[{BATCHES}] LOOP
        met := 0;
        FOR hit IN
            SELECT h.*, {POINTS.format(calm=CALM)} AS points
            FROM (
                SELECT h.*, {SCORE} AS base
                FROM (
                    SELECT a.need_id, a.place, a.starts_at, a.ends_at, a.priority, a.due_at, {radius} AS radius,
                           me.reliability, (a.gender <> 'ANY')::integer + 2 * (a.language <> 0)::integer AS wishes,
                           {KM.replace("b.", "my_")} AS km,
                           a.beneficiary_id = ANY (served) AND served_by(a.beneficiary_id, a.need_id, {who}) AS before,
                           a.certificates <> 0 OR {certified} AS certified,
                           a.gender = 'ANY' OR my_gender = a.gender OR my_gender = 'UNKNOWN' AND me.kind = 'OFFER' AS gender,
                           a.language = 0 OR my_tongues & a.language <> 0 AS tongue
                    FROM {source}
                    WHERE a.due_at > at AND (a.starts_at IS NULL OR a.starts_at > at) AND {where}
                      AND (NOT a.gender_required OR my_gender = a.gender OR my_gender = 'UNKNOWN' AND me.kind = 'OFFER')
                      AND (a.language <> 4 OR my_tongues & 4 <> 0)
                      AND my_skills & a.skills = a.skills AND my_certificates & a.certificates = a.certificates
                    OFFSET 0
                ) h
                ORDER BY base DESC, h.km, h.need_id, h.place LIMIT batch OFFSET skipped
            ) h
            LEFT JOIN need_attention t ON t.need_id = h.need_id
            ORDER BY h.base + {CALM} DESC, h.priority DESC, h.due_at, h.need_id, h.place
        LOOP
            met := met + 1;
            CONTINUE WHEN hit.need_id = ANY (seen);
            SELECT * INTO asked FROM need WHERE id = hit.need_id;
            CONTINUE WHEN asked.beneficiary_id IS NOT NULL AND matching_refused(asked.beneficiary_id, NULL, at);
            CONTINUE WHEN NOT {{fits}};
            seen := seen || hit.need_id;
            need_id := hit.need_id; option := hit.place; km := hit.km; points := hit.points; wishes := hit.wishes;
            score := hit.base + hit.points[8];
            RETURN NEXT;
            listed := listed + 1;
            IF listed >= n THEN
                RETURN;
            END IF;
        END LOOP;
        EXIT WHEN met < batch;
        skipped := skipped + batch;
    END LOOP;"""


MINE = """
    my_x := me.x;
    my_y := me.y;
    my_gender := me.gender;
    my_tongues := me.languages;
    my_skills := me.skills;
    my_certificates := me.certificates;
    provider_id := of;"""
DECLARED = f"""
    me availability;
    hit record;
    asked need;
    my_x float8; my_y float8; my_gender text; my_tongues smallint; my_skills bigint; my_certificates bigint;
    slots smallint[];
    reach real;
    ring real;
    cells integer[];
    served uuid[];
    seen uuid[] := '{{}}';
    listed integer := 0;{WEIGHED}"""

NEEDS = f"""
CREATE FUNCTION match_needs(of uuid, at timestamptz, n integer, within real DEFAULT NULL) RETURNS {FOUND}
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE{DECLARED}
    cats text[];
    since smallint[];
    until smallint[];
    types text[];
    ends date[];
BEGIN
    SELECT * INTO me FROM availability WHERE provider_id = of AND slot = -1 LIMIT 1;
    IF NOT FOUND OR n < 1 OR matching_refused(NULL, of, at) THEN
        RETURN;
    END IF;
{WEIGH}{MINE}
    volunteer := true;
    SELECT array_agg(DISTINCT category) INTO cats FROM availability WHERE provider_id = of;
    IF '*' = ANY (cats) THEN
        cats := ARRAY(SELECT code FROM service_category WHERE parent_id IS NULL);
    END IF;
    SELECT array_agg(s.slot), array_agg(s.from_minute), array_agg(s.to_minute) INTO slots, since, until
    FROM (SELECT DISTINCT slot, from_minute, to_minute FROM availability WHERE provider_id = of) s;
    SELECT array_agg(q.type), array_agg(coalesce(q.valid_to, 'infinity')) INTO types, ends
    FROM qualification q WHERE q.person_id = of AND q.status || '' = 'VERIFIED';
    served := served_ever(of, false);
    -- told to 0.1 km and compared so: an exact bound could be moved until it says where somebody lives
    reach := least(me.radius, within);
    FOREACH ring IN ARRAY ARRAY[{RINGS}]::real[] LOOP
        ring := least(ring, reach);
        cells := cells_around(me.x, me.y, ring + 0.1::real);
        EXIT WHEN ring >= reach OR {ENOUGH} + 4 * n <= (SELECT count(*) FROM (
            SELECT FROM demand d WHERE d.category = ANY (cats) AND d.slot = ANY (slots) AND d.cell = ANY (cells)
            AND d.kind = 'SERVICE' LIMIT {ENOUGH} + 4 * n) c);
    END LOOP;
{
    ranked(
        "unnest(slots, since, until) o (slot, since, until)"
        " JOIN demand a ON a.category = ANY (cats) AND a.slot = o.slot AND a.cell = ANY (cells)",
        f"a.kind = 'SERVICE' AND o.since <= a.from_minute AND o.until >= a.to_minute AND match_near(sqrt({FAR.replace('b.', 'my_')})) <= reach + 0.01",
        "of",
        "types IS NOT NULL AND EXISTS (SELECT FROM unnest(types, ends) q (type, ends) WHERE q.type = ANY (related_certificates(a.category))"
        " AND q.ends >= (coalesce(a.starts_at, at) AT TIME ZONE 'Asia/Shanghai')::date)",
        "me.radius",
    ).replace("{fits}", "volunteer_fits(of, asked, hit.starts_at, hit.ends_at, at)")
}
END $$
"""

NEEDS_FOR_OFFER = f"""
CREATE FUNCTION match_needs_for_offer(of uuid, at timestamptz, n integer) RETURNS {FOUND}
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE{DECLARED}
    given offer;
BEGIN
    SELECT * INTO given FROM offer WHERE id = of;
    SELECT * INTO me FROM availability WHERE provider_id = of AND slot = -1 LIMIT 1;
    IF NOT FOUND OR n < 1 OR given.window_to <= at
       OR given.person_id IS NOT NULL AND matching_refused(NULL, given.person_id, at) THEN
        RETURN;
    END IF;
{WEIGH}{MINE}
    volunteer := false;
    slots := CASE WHEN given.rrule IS NULL THEN ARRAY(SELECT generate_series(-1, 20)::smallint)
                  ELSE ARRAY(SELECT DISTINCT slot FROM availability WHERE provider_id = of) END;
    served := served_ever(coalesce(given.organization_id, given.person_id), given.organization_id IS NOT NULL);
    reach := coalesce(me.radius, 200);
    FOREACH ring IN ARRAY ARRAY[{RINGS}, 200]::real[] LOOP
        ring := least(ring, reach);
        cells := CASE WHEN me.x IS NOT NULL THEN cells_around(me.x, me.y, ring) END;
        EXIT WHEN cells IS NULL OR ring >= reach OR {ENOUGH} + 4 * n <= (SELECT count(*) FROM (
            SELECT FROM demand d WHERE d.category = given.category_code AND d.slot = ANY (slots) AND d.cell = ANY (cells)
            AND d.kind = given.kind LIMIT {ENOUGH} + 4 * n) c);
    END LOOP;
{
    ranked(
        "demand a",
        "a.category = given.category_code AND a.slot = ANY (slots) AND (cells IS NULL OR a.cell = ANY (cells)) AND a.kind = given.kind"
        f" AND (me.x IS NULL OR {FAR.replace('b.', 'my_')} <= reach::float8 * reach)",
        "coalesce(given.organization_id, given.person_id)",
        "given.certificates && related_certificates(a.category) OR given.person_id IS NOT NULL"
        " AND certified(given.person_id, related_certificates(a.category),"
        " (coalesce(a.starts_at, at) AT TIME ZONE 'Asia/Shanghai')::date)",
        "me.radius",
    ).replace("{fits}", "offer_fits(given, asked, hit.starts_at, hit.ends_at, at)")
}
END $$
"""

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

WRITTEN = (
    """
    CREATE FUNCTION availability_written(of uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {here}, pg_temp AS $$
    BEGIN
        PERFORM FROM volunteer WHERE person_id = of FOR NO KEY UPDATE;
        PERFORM FROM offer WHERE id = of FOR NO KEY UPDATE;
        DELETE FROM availability WHERE provider_id = of;
        INSERT INTO availability SELECT * FROM availability_due WHERE provider_id = of;
    END $$
    """,
    """
    CREATE FUNCTION demand_written(of uuid) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {here}, pg_temp AS $$
    BEGIN
        PERFORM FROM need WHERE id = of FOR NO KEY UPDATE;
        DELETE FROM demand WHERE need_id = of;
        INSERT INTO demand SELECT * FROM demand_due WHERE need_id = of;
    END $$
    """,
    """
    CREATE FUNCTION match_mirrors_rebuilt() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {here}, pg_temp AS $$
    BEGIN
        DELETE FROM availability;
        DELETE FROM demand;
        INSERT INTO availability SELECT * FROM availability_due;
        INSERT INTO demand SELECT * FROM demand_due;
        DELETE FROM need_attention;
        INSERT INTO need_attention (need_id, connected, updated_at)
        SELECT need_id, count(*), max(created_at) FROM commitment GROUP BY need_id;
    END $$
    """,
    """
    CREATE FUNCTION provider_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        who uuid;
    BEGIN
        CASE TG_TABLE_NAME
        WHEN 'offer' THEN
            PERFORM availability_written(CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END);
            RETURN NULL;
        WHEN 'volunteer' THEN
            who := CASE WHEN TG_OP = 'DELETE' THEN OLD.person_id ELSE NEW.person_id END;
        WHEN 'person' THEN
            who := NEW.id;
        END CASE;
        PERFORM availability_written(who);
        PERFORM availability_written(id) FROM offer WHERE person_id = who AND status = 'PUBLISHED';
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION windows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM availability_written(person_id) FROM (SELECT DISTINCT person_id FROM changed ORDER BY 1) c;
        PERFORM availability_written(id) FROM offer
        WHERE person_id IN (SELECT person_id FROM changed) AND status = 'PUBLISHED';
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION occurrences_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM availability_written(id) FROM (
            SELECT DISTINCT o.id FROM changed c JOIN offer o ON o.id = c.offer_id WHERE o.rrule IS NOT NULL ORDER BY 1
        ) c;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION place_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM availability_written(person_id) FROM volunteer WHERE area = NEW.code;
        PERFORM availability_written(id) FROM offer WHERE left(area, 12) = NEW.code AND status = 'PUBLISHED';
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION need_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM demand_written(CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END);
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION options_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM demand_written(need_id) FROM (SELECT DISTINCT need_id FROM changed ORDER BY 1) c;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION need_connected() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO need_attention (need_id, connected, updated_at) VALUES (NEW.need_id, 1, NEW.created_at)
        ON CONFLICT (need_id) DO UPDATE SET connected = need_attention.connected + 1, updated_at = excluded.updated_at;
        RETURN NULL;
    END $$
    """,
)


def differs(*columns: str) -> str:
    """Whether one of some expressions over a row has changed."""
    old, new = (", ".join(c.replace("@", f"{which}.") for c in columns) for which in ("OLD", "NEW"))
    return f"(({old}) IS DISTINCT FROM ({new}))"


OF_VOLUNTEER = (
    "@state",
    "@area",
    "@x",
    "@y",
    "@radius_km",
    "@categories",
    "@skills",
    "@languages",
    "@reliability",
    "@no_matching",
)
OF_OFFER = (
    "@status",
    "@category_code",
    "@area",
    "@x",
    "@y",
    "@radius_km",
    "@service_areas",
    "@rrule",
    "@skills",
    "@certificates",
    "@languages",
    "@qty_reserved + @qty_consumed < @qty_total",
)
OF_NEED = (
    "@status",
    "@sensitivity",
    "@kind",
    "@category_code",
    "@x",
    "@y",
    "@window_from",
    "@window_to",
    "@option_place",
    "@due_at",
    "@gender_preference",
    "@gender_required",
    "@language",
    "@skill_code",
    "@certificate",
    "@beneficiary_id",
    "@priority",
    "@merged_into",
    "@qty_committed < @qty_total",
)
ROWS = (
    ("volunteer", "provider_changed", differs(*OF_VOLUNTEER)),
    ("offer", "provider_changed", differs(*OF_OFFER)),
    ("need", "need_changed", differs(*OF_NEED)),
)
SETS = (
    ("volunteer_window", "windows_changed"),
    ("qualification", "windows_changed"),
    ("offer_occurrence", "occurrences_changed"),
    ("need_option", "options_changed"),
)


def triggers() -> list[str]:
    out = []
    for table, function, condition in ROWS:
        out.append(
            f"CREATE TRIGGER mirrored_made AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        )
        out.append(
            f"CREATE TRIGGER mirrored AFTER UPDATE ON {table} FOR EACH ROW WHEN {condition} EXECUTE FUNCTION {function}()"
        )
    for table, function in SETS:
        for act, which in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
            out.append(
                f"CREATE TRIGGER mirrored_{act} AFTER {act.upper()} ON {table} REFERENCING {which} TABLE AS changed"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            )
    out.append(
        "CREATE TRIGGER mirrored AFTER UPDATE OF gender ON person FOR EACH ROW WHEN (OLD.gender <> NEW.gender)"
        " EXECUTE FUNCTION provider_changed()"
    )
    out.append(
        "CREATE TRIGGER mirrored AFTER UPDATE OF x, y ON division FOR EACH ROW WHEN ((OLD.x, OLD.y) IS DISTINCT FROM (NEW.x, NEW.y))"
        " EXECUTE FUNCTION place_moved()"
    )
    out.append("CREATE TRIGGER connected AFTER INSERT ON commitment FOR EACH ROW EXECUTE FUNCTION need_connected()")
    return out


def listed(values: tuple[str, ...]) -> str:
    """Words as an array's text has them."""
    return "{" + ",".join(values) + "}"


def functions(here: str) -> list[str]:
    """Every statement that makes a function or a view, in an order in which each finds what it needs."""
    whens = " ".join(f"WHEN '{root}' THEN '{listed(types)}'::text[]" for root, types in RELATED.items())
    filled = {"nobody": NOBODY, "risky": listed(RISKY), "travel": str(TRAVEL_SECONDS), "whens": whens, "here": here}
    out = [
        *(*SMALL, RELATED_CERTIFICATES, APPOINTMENTS, AVAILABILITY_DUE, DEMAND_DUE, *HELPERS, LAST, *SERVED),
        *(VOLUNTEER_FITS, OFFER_FITS, CANDIDATES, NEEDS, NEEDS_FOR_OFFER, *WRITTEN),
    ]
    return [_filled(statement, filled) for statement in out]


def _filled(statement: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        statement = statement.replace("{" + name + "}", value)
    return statement.replace("{{}}", "{}")


DROPPED = """
DROP FUNCTION match_mirrors_rebuilt, availability_written, demand_written, match_needs_for_offer, match_needs,
    match_candidates, offer_fits, volunteer_fits, served_by, served_ever, served_last, week_load, booking_place, certified,
    at_night;
DROP VIEW demand_due, availability_due;
DROP FUNCTION need_appointments, related_certificates, reach_cells, area_cell, reach_cell, match_near, match_tongues,
    match_bits, match_slot;
"""
