"""What a need asks of whoever helps, appointments, series, parts and duplicates; party units; announced working days."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from models.migrations.functions_0028 import RISKY

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
STATUSES = (
    *("DRAFT", "SUBMITTED", "VERIFIED", "OPEN", "IN_PROGRESS", "DELIVERED", "CLOSED", "REOPENED", "REJECTED"),
    *("REFERRED", "CANCELLED", "EXPIRED"),
)
HINTS = (
    *("STEADY_ARM", "WHEELCHAIR", "STAIRS", "LIFTING", "FIRST_AID", "PATIENCE", "SPEAK_CLEARLY", "GUIDE_BY_VOICE"),
    *("SIGN_LANGUAGE", "DIET"),
)
CERTIFICATES = (
    *("DOCTOR", "NURSE", "PSYCHOLOGIST", "REHABILITATION", "ELDERLY_CARER", "CHILD_CARER", "SOCIAL_WORKER", "TEACHER"),
    *("LAWYER", "ELECTRICIAN", "COOK", "DRIVER", "FIRST_AID", "SIGN_INTERPRETER"),
)
ACCESS = ("NO_LIFT", "STEPS_AT_DOOR", "NARROW_DOOR", "BARRIER_FREE", "NO_PARKING")
LIVE = "status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED')"
PREVIOUS = """
CREATE FUNCTION previous_helper(need uuid) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT c.volunteer_person_id
    FROM need n
    JOIN need m ON m.beneficiary_id = n.beneficiary_id AND m.category_code = n.category_code
               AND m.sensitivity = 'NORMAL' AND m.id <> n.id
    JOIN commitment c ON c.need_id = m.id AND c.status = 'COMPLETED' AND c.volunteer_person_id IS NOT NULL
    WHERE n.id = previous_helper.need
    ORDER BY c.ended_at DESC, c.id DESC
    LIMIT 1
)
"""
ITEMS = """
CREATE VIEW item_fact AS
    SELECT n.id, n.area, n.category_code, timezone('Asia/Shanghai', n.opened_at)::date AS on_day, n.status, n.due_at,
           n.closed_at,
           EXISTS (SELECT FROM commitment c WHERE c.need_id = n.id AND c.accepted_at IS NOT NULL
                   AND c.status NOT IN ('CANCELLED', 'NO_SHOW', 'VOID')) AS claimed
    FROM need n
    WHERE n.kind = 'LIVELIHOOD_ITEM' AND n.opened_at IS NOT NULL AND n.status NOT IN ('CANCELLED', 'SPLIT')
"""
AGE = (
    """
    CREATE FUNCTION at_night(since timestamptz, until timestamptz) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN since IS NOT NULL AND (
        (since AT TIME ZONE 'Asia/Shanghai')::time < '06:00'
        OR (until AT TIME ZONE 'Asia/Shanghai') > date_trunc('day', since AT TIME ZONE 'Asia/Shanghai') + interval '22 hours')
    """,
    f"""
    CREATE FUNCTION too_young(who uuid, category text, since timestamptz, until timestamptz, on_day date) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN EXISTS (
            SELECT FROM volunteer v
            WHERE v.person_id = who AND v.adult_on > coalesce((since AT TIME ZONE 'Asia/Shanghai')::date, on_day)
              AND (category IN ({', '.join(f"'{code}'" for code in RISKY)}) OR at_night(since, until)));
    END $$
    """,
)
"""Nobody under 18 serves at night, nor what is risky (Charity Law art. 67): on the day of the appointment, or else on a
day. Who is no volunteer is not asked."""
MISSES = """
CREATE FUNCTION need_misses(person uuid, skill text, certificate text, category text, language text, gender text,
                            since timestamptz, until timestamptz, on_day date) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN CASE
        WHEN skill IS NOT NULL AND NOT EXISTS (
            SELECT FROM volunteer v WHERE v.person_id = person AND skill = ANY (v.skills)) THEN 'SKILL'
        WHEN language = 'SIGN' AND NOT EXISTS (
            SELECT FROM volunteer v WHERE v.person_id = person AND 'SIGN' = ANY (v.languages)) THEN 'LANGUAGE'
        WHEN gender IS NOT NULL AND NOT EXISTS (
            SELECT FROM person p WHERE p.id = person AND p.gender = need_misses.gender) THEN 'GENDER'
        WHEN NOT qualified_for(person, certificate, category, on_day) THEN 'CERTIFICATE'
        WHEN too_young(person, category, since, until, on_day) THEN 'AGE'
    END;
END $$
"""
UNIT = """
CREATE FUNCTION party_unit_of(area text) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT u.id FROM party_unit u WHERE u.area = party_unit_of.area)
"""
EVIDENT = """
CREATE FUNCTION item_evident(need uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM commitment c WHERE c.need_id = item_evident.need AND c.result IS NOT NULL
               AND c.status IN ('DELIVERED', 'DISPUTED', 'COMPLETED'))
    OR EXISTS (SELECT FROM attachment a JOIN commitment c ON c.id = a.commitment_id
               WHERE c.need_id = item_evident.need AND a.removed_at IS NULL)
    OR EXISTS (SELECT FROM attachment a WHERE a.need_id = item_evident.need AND a.removed_at IS NULL
               AND a.created_at > (SELECT min(c.accepted_at) FROM commitment c WHERE c.need_id = item_evident.need))
"""
EMPTY = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM need_option) OR EXISTS (SELECT FROM need WHERE status = 'SPLIT' OR rrule IS NOT NULL)
       OR EXISTS (SELECT FROM commitment WHERE party_unit_id IS NOT NULL) THEN
        RAISE EXCEPTION 'appointments, series and what party units took on would be lost: restore a backup instead';
    END IF;
END $$
"""


def listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{v}'" for v in values)


def checks(table: str, **rules: str) -> None:
    for name, rule in rules.items():
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, rule)


def unchecked(table: str, *names: str) -> None:
    for name in names:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _party_units()
    _calendar()
    _needs()
    _commitments()
    op.execute(PREVIOUS)
    op.execute(UNIT)
    for statement in (*AGE, MISSES):
        op.execute(statement)
    op.execute(EVIDENT)
    op.execute(ITEMS)


def _party_units() -> None:
    op.create_table(
        "party_unit",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("length(area) = (ARRAY[6, 9, 12, 15])[level]", name=op.f("ck_party_unit_area")),
        sa.CheckConstraint("level BETWEEN 1 AND 4", name=op.f("ck_party_unit_level")),
        sa.CheckConstraint("(parent_id IS NULL) = (level = 1)", name=op.f("ck_party_unit_parent")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_party_unit_valid")),
        sa.ForeignKeyConstraint(["parent_id"], ["party_unit.id"], name="fk_party_unit_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_party_unit"),
        sa.UniqueConstraint("area", name="uq_party_unit_area"),
    )
    op.create_index("ix_party_unit_parent_id_area", "party_unit", ["parent_id", "area"])


def _calendar() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("worked", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", AT, nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["person.id"], name="fk_calendar_day_set_by"),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_day"),
        sa.UniqueConstraint("day", name="uq_calendar_day_day"),
    )


def _needs() -> None:
    for column in (
        sa.Column("x", sa.REAL()),
        sa.Column("y", sa.REAL()),
        sa.Column("skill_code", sa.Text()),
        sa.Column("certificate", sa.Text()),
        sa.Column("language", sa.Text(), server_default="MANDARIN", nullable=False),
        sa.Column("gender_required", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("vulnerability", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("duration_minutes", sa.Integer()),
        sa.Column("rrule", sa.Text()),
        sa.Column("options", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("option_place", sa.Integer()),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("series_id", sa.Uuid()),
        sa.Column("merged_into", sa.Uuid()),
        sa.Column("result", sa.LargeBinary()),
        sa.Column("overdue_told_at", AT),
    ):
        op.add_column("need", column)
    op.execute(
        "ALTER TABLE need ADD COLUMN priority integer NOT NULL"
        " GENERATED ALWAYS AS (LEAST(4, urgency + (vulnerability >= 2)::integer)) STORED"
    )
    for other in ("parent_id", "series_id", "merged_into"):
        op.create_foreign_key(f"fk_need_{other}", "need", "need", [other], ["id"])
        op.create_index(f"ix_need_{other}", "need", [other], postgresql_where=sa.text(f"{other} IS NOT NULL"))

    op.create_foreign_key("fk_need_skill_code", "need", "skill", ["skill_code"], ["code"])
    op.create_index(
        "ix_need_items", "need", ["area", "due_at", "id"], postgresql_where=sa.text("kind = 'LIVELIHOOD_ITEM'")
    )
    unchecked("need", "status", "hints")
    checks(
        "need",
        status=f"status IN ({listed((*STATUSES, 'SPLIT'))})",
        hints=f"hints <@ ARRAY[{listed((*HINTS, *ACCESS))}]::text[]",
        position="num_nonnulls(x, y) <> 1",
        language="language IN ('MANDARIN', 'KOREAN', 'MONGOLIAN', 'SIGN')",
        certificate=f"certificate IN ({listed(CERTIFICATES)})",
        gender_required="NOT gender_required OR gender_preference <> 'ANY'",
        vulnerability="vulnerability BETWEEN 0 AND 3",
        duration="duration_minutes BETWEEN 1 AND 1440",
        options="options BETWEEN 0 AND 3 AND (option_place IS NULL OR option_place < options)",
        merged="merged_into IS NULL OR status = 'CANCELLED'",
        result="result IS NULL OR kind = 'LIVELIHOOD_ITEM'",
        cash="kind <> 'CASH_AID' OR qty_committed = qty_delivered",
    )
    op.create_table(
        "need_option",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("starts_at", AT, nullable=False),
        sa.Column("ends_at", AT, nullable=False),
        sa.CheckConstraint("place BETWEEN 0 AND 2", name=op.f("ck_need_option_place")),
        sa.CheckConstraint(
            "starts_at < ends_at AND ends_at <= starts_at + interval '24 hours'", name=op.f("ck_need_option_window")
        ),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_need_option_need_id"),
        sa.PrimaryKeyConstraint("id", name="pk_need_option"),
        sa.UniqueConstraint("need_id", "place", name="uq_need_option_need_id_place"),
    )


def _commitments() -> None:
    op.add_column("commitment", sa.Column("party_unit_id", sa.Uuid()))
    op.add_column("commitment", sa.Column("option_id", sa.Uuid()))
    op.add_column("commitment", sa.Column("late", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("commitment", sa.Column("result", sa.LargeBinary()))
    op.create_foreign_key("fk_commitment_party_unit_id", "commitment", "party_unit", ["party_unit_id"], ["id"])
    op.create_foreign_key(
        "fk_commitment_option_id", "commitment", "need_option", ["option_id"], ["id"], ondelete="SET NULL"
    )
    unchecked("commitment", "provider")
    checks(
        "commitment",
        provider="num_nonnulls(organization_id, person_id, party_unit_id) = 1",
        late="NOT late OR status = 'CANCELLED'",
    )
    op.create_index(
        "ix_commitment_party_unit_newest",
        "commitment",
        ["party_unit_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("party_unit_id IS NOT NULL"),
    )
    op.create_index(
        "ix_commitment_option_id", "commitment", ["option_id"], postgresql_where=sa.text("option_id IS NOT NULL")
    )
    _one_live("party_unit_id")


def _one_live(*more: str) -> None:
    """At most one live commitment of a provider for a need and an offer (I3)."""
    op.drop_index("uq_commitment_live", "commitment")
    op.create_index(
        "uq_commitment_live",
        "commitment",
        ["need_id", "offer_id", "organization_id", "person_id", *more],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(LIVE),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    op.execute("DROP VIEW item_fact")
    op.execute("DROP FUNCTION party_unit_of, item_evident, need_misses, too_young, at_night, previous_helper")
    _one_live()
    unchecked("commitment", "provider", "late")
    for column in ("party_unit_id", "option_id", "late", "result"):
        op.drop_column("commitment", column)
    checks("commitment", provider="num_nonnulls(organization_id, person_id) = 1")
    op.drop_table("need_option")
    unchecked("need", "cash", "result", "merged", "options", "hints", "status")
    op.drop_index("ix_need_items", "need")
    for column in (
        *("priority", "overdue_told_at", "result", "merged_into", "series_id", "parent_id", "option_place", "options"),
        *("rrule", "duration_minutes", "vulnerability", "gender_required", "language", "certificate", "skill_code"),
        *("y", "x"),
    ):
        op.drop_column("need", column)
    op.execute(f"UPDATE need SET hints = ARRAY(SELECT h FROM unnest(hints) h WHERE h NOT IN ({listed(ACCESS)}))")
    checks(
        "need",
        status=f"status IN ({listed(STATUSES)})",
        hints=f"hints <@ ARRAY[{listed(HINTS)}]::text[]",
    )
    op.drop_table("calendar_day")
    op.drop_table("party_unit")
