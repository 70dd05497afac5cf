# ruff: noqa: S608  # the statements are put together of constants
"""The lists: what a category, half day and place have, scored, from the best down until there are enough.

Each is planned once and for all callers (`plan_cache_mode`): to plan its statements anew takes as long as to run them. What
is asked exactly of a row is asked when the row is fetched, so that a list that is full asks no more.

`models.exchange.scoring` is the score's twin in Python, and a test holds them together.
"""

from __future__ import annotations

from models.migrations.functions_0028.rules import CERTIFIED, offer_rules, offer_times, volunteer_rules, volunteer_times

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
NEAR, RINGS, ENOUGH, MANY = "0.3, 0.5, 1, 2, 4, 10", "0.5, 1, 2, 3, 6, 12", "60", "1200"
FARTHER = "25, 50"
WEEK = "date_trunc('week', {0} AT TIME ZONE 'Asia/Shanghai')"
BATCHES = "64, 1000, 100000"
"""How many are looked at more closely at first; and, where those were not enough, after them."""

HIS = """CASE WHEN a.kind = 'VOLUNTEER' THEN a.provider_id
    ELSE (SELECT f.person_id FROM offer f WHERE f.id = a.provider_id) END"""
"""The person whose papers count for a row of `availability`."""
ONCE = "LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 20 SET plan_cache_mode = force_generic_plan"
"""A list: some twenty rows, its statements planned once for each connection."""
LISTED = """RETURN NEXT;
            listed := listed + 1;
            IF listed >= n THEN
                CLOSE line;
                RETURN;
            END IF;
        END LOOP;
        CLOSE line;
        EXIT WHEN met < batch;
        skipped := skipped + batch;
    END LOOP;"""
"""How one is listed, and the loops end: when the list is full, or nothing is left to look at."""

CANDIDATES = f"""
CREATE FUNCTION match_candidates(of uuid, at timestamptz, n integer) RETURNS {FOUND}
{ONCE} AS $$
#variable_conflict use_column
DECLARE
    asked need;
    hit record;
    line refcursor;
    my_x float8; my_y float8;
    wanted_gender text; hard_gender boolean; served boolean; plain boolean;
    wanted_tongue smallint;
    related text[];
    taken bigint; wanted bigint; holding bigint; useful bigint;
    cats text[];
    cells integer[];
    today date;
    slots smallint[];
    ring real;
    few integer;
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
    plain := taken = 0 AND asked.certificate IS NULL;
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
        few := CASE WHEN ring < 1 THEN {MANY} ELSE {ENOUGH} + 34 * n END;
        EXIT WHEN ring >= 10 OR few <= (SELECT count(*) FROM (
            SELECT FROM availability a WHERE a.category = ANY (cats) AND a.slot = ANY (slots) AND a.cell = ANY (cells)
            LIMIT few) c);
    END LOOP;
    IF last IS NOT NULL THEN
        cells := cells || ARRAY(SELECT DISTINCT cell FROM availability WHERE provider_id = last);
    END IF;
    wishes := (wanted_gender <> 'ANY')::integer + 2 * (wanted_tongue <> 0)::integer;
    need_id := of;
    FOREACH batch IN ARRAY ARRAY[{BATCHES}] LOOP
        met := 0;
        OPEN line FOR
            SELECT h.provider_id, h.kind, h.place, h.km, h.total, h.person, {POINTS.format(calm="0")} AS points,
                   (h.kind = 'VOLUNTEER' OR (
                       SELECT {offer_rules("h.starts_at", "h.ends_at", "plain")}
                       FROM offer given {offer_times("h.starts_at")} WHERE given.id = h.provider_id
                   )) AND (h.kind = 'OFFER' AND h.person IS NULL OR (
                       SELECT {volunteer_rules("v.person_id", "h.starts_at", "h.ends_at", "false", "plain")}
                       FROM volunteer v {volunteer_times("h.starts_at")} WHERE v.person_id = coalesce(h.person, h.provider_id)
                   )) AS fits
            FROM (
                SELECT h.*, CASE WHEN h.kind = 'OFFER' THEN (SELECT f.person_id FROM offer f WHERE f.id = h.provider_id) END AS person
                FROM (
                    SELECT h.*, {SCORE} AS total
                    FROM (
                        SELECT a.provider_id, a.kind, a.radius, a.reliability, o.place, o.starts_at, o.ends_at,
                               {KM.replace("b.", "my_")} AS km,
                               coalesce(a.provider_id = last OR a.provider_id = ANY (last_offers), false) AS before,
                               asked.certificate IS NOT NULL OR a.certificates & useful <> 0 AND (
                                   a.certified_until >= coalesce(o.day, today)
                                   OR {CERTIFIED.format(who=HIS, types="related", day="coalesce(o.day, today)")}
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
                OFFSET 0
            ) h;
        LOOP
            FETCH line INTO hit;
            EXIT WHEN NOT FOUND;
            met := met + 1;
            who := coalesce(hit.person, hit.provider_id);
            CONTINUE WHEN NOT coalesce(hit.fits, false) OR hit.provider_id = ANY (seen) OR who = ANY (seen);
            seen := seen || ARRAY[who, hit.provider_id];
            provider_id := hit.provider_id; volunteer := hit.kind = 'VOLUNTEER'; option := hit.place; km := hit.km;
            score := hit.total; points := hit.points;
            {LISTED}
END $$
"""


def ranked(source: str, where: str, certified: str, fits: str, times: str, besides: str = "true") -> str:
    """The loop over needs that are left, best first. `fits`, at `times`, and what is asked `besides` are asked exactly, of
    one row after the other."""
    return f"""
    FOREACH batch IN ARRAY ARRAY[{BATCHES}] LOOP
        met := 0;
        OPEN line FOR
            SELECT h.need_id, h.place, h.km, h.wishes, h.base, h.calm, {POINTS.format(calm="h.calm")} AS points,
                   (SELECT {fits} AND NOT (asked.beneficiary_id IS NOT NULL AND matching_refused(asked.beneficiary_id, NULL, at))
                    FROM need asked {times} WHERE asked.id = h.need_id) AND ({besides}) AS fits
            FROM (
                SELECT h.*, {CALM} AS calm
                FROM (
                    SELECT h.*, {SCORE} AS base
                    FROM (
                        SELECT a.need_id, a.place, a.starts_at, a.ends_at, a.priority, a.due_at, me.radius,
                               a.licence = 0 AND a.certificates = 0 AS plain,
                               me.reliability, (a.gender <> 'ANY')::integer + 2 * (a.language <> 0)::integer AS wishes,
                               {KM.replace("b.", "my_")} AS km,
                               again <> '{{}}' AND a.need_id = ANY (again) AS before,
                               a.certificates <> 0 OR {certified} AS certified,
                               a.gender = 'ANY' OR my_gender = a.gender OR my_gender = 'UNKNOWN' AND me.kind = 'OFFER' AS gender,
                               a.language = 0 OR my_tongues & a.language <> 0 AS tongue
                        FROM {source}
                        WHERE a.due_at > at AND (a.starts_at IS NULL OR a.starts_at > at) AND {where}
                          AND (NOT a.gender_required OR my_gender = a.gender OR my_gender = 'UNKNOWN' AND me.kind = 'OFFER')
                          AND (a.language <> 4 OR my_tongues & 4 <> 0)
                          AND my_skills & a.skills = a.skills AND my_certificates & a.certificates = a.certificates
                          AND (a.licence = 0 OR my_certificates & a.licence <> 0)
                        OFFSET 0
                    ) h
                    ORDER BY base DESC, h.km, h.need_id, h.place LIMIT batch OFFSET skipped
                ) h
                LEFT JOIN need_attention t ON t.need_id = h.need_id
                ORDER BY h.base + {CALM} DESC, h.priority DESC, h.due_at, h.need_id, h.place
                OFFSET 0
            ) h;
        LOOP
            FETCH line INTO hit;
            EXIT WHEN NOT FOUND;
            met := met + 1;
            CONTINUE WHEN NOT coalesce(hit.fits, false) OR hit.need_id = ANY (seen);
            seen := seen || hit.need_id;
            need_id := hit.need_id; option := hit.place; km := hit.km; points := hit.points; wishes := hit.wishes;
            score := hit.base + hit.calm;
            {LISTED}"""


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
    line refcursor;
    my_x float8; my_y float8; my_gender text; my_tongues smallint; my_skills bigint; my_certificates bigint;
    slots smallint[];
    reach real;
    ring real;
    cells integer[];
    again uuid[];
    seen uuid[] := '{{}}';
    listed integer := 0;{WEIGHED}"""

NEEDS = f"""
CREATE FUNCTION match_needs(of uuid, at timestamptz, n integer, within real DEFAULT NULL) RETURNS {FOUND}
{ONCE} AS $$
#variable_conflict use_column
DECLARE{DECLARED}
    cats text[];
    since smallint[];
    until smallint[];
    types text[];
    ends date[];
    v volunteer;
    free boolean := unbound(of, at);
    full_weeks timestamp[] := '{{}}';
BEGIN
    SELECT * INTO me FROM availability WHERE provider_id = of AND slot = -1 LIMIT 1;
    IF NOT FOUND OR n < 1 OR matching_refused(NULL, of, at) THEN
        RETURN;
    END IF;
    SELECT * INTO v FROM volunteer WHERE person_id = of;
    IF NOT free THEN
        full_weeks := ARRAY(
            SELECT w.monday FROM (
                SELECT {
    WEEK.format("lower(b.during)")
} AS monday FROM booking b WHERE b.person_id = of AND b.during && tstzrange(at, NULL)
                UNION SELECT {
    WEEK.format("upper(b.during)")
} FROM booking b WHERE b.person_id = of AND b.during && tstzrange(at, NULL)
                UNION SELECT {WEEK.format("coalesce(c.slot_from, c.created_at)")} FROM commitment c
                WHERE c.volunteer_person_id = of AND c.status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED')
            ) w
            WHERE week_load(of, w.monday AT TIME ZONE 'Asia/Shanghai', at) >= v.weekly_cap);
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
    again := served_again(of, false);
    -- told to 0.1 km and compared so: an exact bound could be moved until it says where somebody lives
    reach := least(me.radius, within);
    FOREACH ring IN ARRAY ARRAY[{RINGS}, {FARTHER}]::real[] LOOP
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
        f"a.kind = 'SERVICE' AND o.since <= a.from_minute AND o.until >= a.to_minute AND match_near(sqrt({FAR.replace('b.', 'my_')})) <= reach + 0.01"
        f" AND (full_weeks = '{{}}' OR a.starts_at IS NULL OR {WEEK.format('a.starts_at')} <> ALL (full_weeks))",
        "types IS NOT NULL AND EXISTS (SELECT FROM unnest(types, ends) q (type, ends) WHERE q.type = ANY (related_certificates(a.category))"
        " AND q.ends >= (coalesce(a.starts_at, at) AT TIME ZONE 'Asia/Shanghai')::date)",
        volunteer_rules("of", "h.starts_at", "h.ends_at", "free", "h.plain"),
        volunteer_times("h.starts_at"),
    )
}
END $$
"""

NEEDS_FOR_OFFER = f"""
CREATE FUNCTION match_needs_for_offer(of uuid, at timestamptz, n integer) RETURNS {FOUND}
{ONCE} AS $$
#variable_conflict use_column
DECLARE{DECLARED}
    given offer;
    v volunteer;
BEGIN
    SELECT * INTO given FROM offer WHERE id = of;
    SELECT * INTO v FROM volunteer WHERE person_id = given.person_id;
    SELECT * INTO me FROM availability WHERE provider_id = of AND slot = -1 LIMIT 1;
    IF NOT FOUND OR n < 1 OR given.window_to <= at
       OR given.person_id IS NOT NULL AND matching_refused(NULL, given.person_id, at) THEN
        RETURN;
    END IF;
{WEIGH}{MINE}
    volunteer := false;
    slots := CASE WHEN given.rrule IS NULL THEN ARRAY(SELECT generate_series(-1, 20)::smallint)
                  ELSE ARRAY(SELECT DISTINCT slot FROM availability WHERE provider_id = of) END;
    again := served_again(coalesce(given.organization_id, given.person_id), given.organization_id IS NOT NULL);
    reach := coalesce(me.radius, 200);
    -- an offer for some streets finds few needs, wherever it starts from: all of its category are looked at
    FOREACH ring IN ARRAY ARRAY[{RINGS}]::real[] LOOP
        EXIT WHEN me.x IS NULL OR me.radius IS NULL AND (SELECT min(length(s)) > 6 FROM unnest(given.service_areas) s);
        ring := least(ring, reach);
        cells := cells_around(me.x, me.y, ring);
        EXIT WHEN ring >= reach OR {ENOUGH} + 4 * n <= (SELECT count(*) FROM (
            SELECT FROM demand d WHERE d.category = given.category_code AND d.slot = ANY (slots) AND d.cell = ANY (cells)
            AND d.kind = given.kind AND d.area ^@ ANY (given.service_areas) LIMIT {ENOUGH} + 4 * n) c);
        cells := NULL;
    END LOOP;
{
    ranked(
        "demand a",
        "a.category = given.category_code AND a.slot = ANY (slots) AND (cells IS NULL OR a.cell = ANY (cells)) AND a.kind = given.kind"
        " AND a.area ^@ ANY (given.service_areas)"
        f" AND (me.x IS NULL OR {FAR.replace('b.', 'my_')} <= reach::float8 * reach)",
        "given.certificates && related_certificates(a.category) OR given.person_id IS NOT NULL"
        " AND "
        + CERTIFIED.format(
            who="given.person_id",
            types="related_certificates(a.category)",
            day="(coalesce(a.starts_at, at) AT TIME ZONE 'Asia/Shanghai')::date",
        ),
        offer_rules("h.starts_at", "h.ends_at", "h.plain"),
        offer_times("h.starts_at"),
        "given.person_id IS NULL OR v.person_id IS NOT NULL AND (SELECT {} FROM need asked {} WHERE asked.id = h.need_id)".format(
            volunteer_rules("given.person_id", "h.starts_at", "h.ends_at", "false", "h.plain"),
            volunteer_times("h.starts_at"),
        ),
    )
}
END $$
"""
