"""Who is free and what is wanted, as tables that are searched: the views that say what they hold, and the triggers that
keep them."""

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
    RETURN CASE WHEN km <= 10 THEN cell_of(x, y) ELSE 1048576 + cell_of((x / 17)::real, (y / 17)::real) END
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
            || cells_around((x / 17)::real, (y / 17)::real, CASE WHEN ring < 10 THEN ring / 17 ELSE 3.01 END::real, 1048576)
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
       match_bits(ARRAY[n.certificate]) AS certificates, n.beneficiary_id, n.priority, n.area,
       match_bits(s.certificates) AS licence
FROM need n
JOIN service_category s ON s.code = n.category_code
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
            IF TG_OP = 'UPDATE' AND OLD.person_id <> NEW.person_id THEN
                PERFORM availability_written(OLD.person_id);
            END IF;
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
        UPDATE volunteer SET x = NEW.x, y = NEW.y WHERE area = NEW.code AND NOT own_point;
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
    CREATE FUNCTION papers_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM demand_written(need_id) FROM (SELECT DISTINCT need_id FROM demand WHERE category = NEW.code ORDER BY 1) c;
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
    "@person_id",
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
    "@person_id",
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
    "@area",
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
        # both of an update: where two records are found to be one person's, rows go from one to the other
        for act, which in (("insert", "NEW"), ("update", "NEW"), ("update", "OLD"), ("delete", "OLD")):
            name = "mirrored_left" if (act, which) == ("update", "OLD") else f"mirrored_{act}"
            out.append(
                f"CREATE TRIGGER {name} AFTER {act.upper()} ON {table} REFERENCING {which} TABLE AS changed"
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
    out.append(
        "CREATE TRIGGER mirrored AFTER UPDATE OF certificates ON service_category FOR EACH ROW EXECUTE FUNCTION papers_changed()"
    )
    out.append("CREATE TRIGGER connected AFTER INSERT ON commitment FOR EACH ROW EXECUTE FUNCTION need_connected()")
    return out
