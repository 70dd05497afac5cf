"""What an offer asks and can do: repetition, capacity, notice, place, skills; venues; offers of systems, in batches."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
SEVERAL = postgresql.ARRAY(sa.Text())
EQUIPMENT = (
    *("SEATS_AND_TABLES", "PROJECTOR", "SOUND", "WHITEBOARD", "COMPUTERS", "KITCHEN", "PIANO", "MATS"),
    "PLAY_CORNER",
)
ACCESS = ("STEP_FREE", "LIFT", "ACCESSIBLE_TOILET", "ACCESSIBLE_PARKING", "HEARING_LOOP", "TACTILE_PAVING")
LANGUAGES = ("MANDARIN", "KOREAN", "MONGOLIAN", "SIGN")
OUTCOMES = ("CREATED", "UPDATED", "UNCHANGED", "REFUSED")
VENUE = ("venue_address", "venue_seats", "venue_equipment", "venue_access")
KEPT = (
    """
    CREATE FUNCTION offer_window_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM offer_occurrence WHERE offer_id = NEW.id;
        END IF;
        IF NEW.rrule IS NULL THEN
            INSERT INTO offer_occurrence (offer_id, starts_at, ends_at) VALUES (NEW.id, NEW.window_from, NEW.window_to);
        END IF;
        RETURN NULL;
    END;
    $$
    """,
    "CREATE TRIGGER window_made AFTER INSERT ON offer FOR EACH ROW EXECUTE FUNCTION offer_window_kept()",
    """
    CREATE TRIGGER window_kept AFTER UPDATE OF window_from, window_to, rrule, duration_minutes ON offer FOR EACH ROW
    WHEN ((OLD.window_from, OLD.window_to, OLD.rrule, OLD.duration_minutes)
          IS DISTINCT FROM (NEW.window_from, NEW.window_to, NEW.rrule, NEW.duration_minutes))
    EXECUTE FUNCTION offer_window_kept()
    """,
    """
    INSERT INTO offer_occurrence (offer_id, starts_at, ends_at) SELECT id, window_from, window_to FROM offer
    """,
)
BUSY = (
    """
    CREATE FUNCTION offer_busy(offer uuid, starts timestamptz, ends timestamptz, now timestamptz) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN (
            WITH live AS MATERIALIZED (
                SELECT greatest(c.slot_from, starts) AS began, c.slot_to AS ended
                FROM commitment c
                WHERE c.offer_id = offer_busy.offer AND c.slot_from < ends AND c.slot_to > starts
                  AND (c.status IN ('ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED') OR (c.status = 'PROPOSED' AND c.hold_until > now))
            )
            SELECT coalesce(max((SELECT count(*) FROM live b WHERE b.began <= a.began AND b.ended > a.began)), 0)::integer
            FROM live a
        );
    END $$
    """,
    """
    CREATE FUNCTION offer_week(offer uuid, at timestamptz, now timestamptz) RETURNS integer
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN (
            SELECT count(*)::integer
            FROM commitment c
            WHERE c.offer_id = offer_week.offer
              AND date_trunc('week', coalesce(c.slot_from, c.created_at), 'Asia/Shanghai')
                  = date_trunc('week', at, 'Asia/Shanghai')
              AND (c.status IN ('ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED', 'COMPLETED')
                   OR (c.status = 'PROPOSED' AND c.hold_until > now))
        );
    END $$
    """,
    """
    CREATE FUNCTION offer_suits(offer uuid, need uuid, at timestamptz, roomy boolean) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 2000 AS $$
    BEGIN
        RETURN EXISTS (
            SELECT
            FROM offer o
            CROSS JOIN need n
            CROSS JOIN LATERAL (
                SELECT p.starts_at, p.ends_at FROM need_option p
                WHERE p.need_id = n.id AND n.options > 0 AND (n.option_place IS NULL OR p.place = n.option_place)
                UNION ALL
                SELECT n.window_from, n.window_to WHERE n.options = 0
            ) w (since, until)
            JOIN offer_occurrence t ON t.offer_id = o.id
            WHERE o.id = offer_suits.offer AND n.id = offer_suits.need
              AND (NOT n.gender_required OR o.person_id IS NULL
                   OR EXISTS (SELECT FROM person p WHERE p.id = o.person_id AND p.gender = n.gender_preference))
              AND (o.person_id IS NULL OR NOT CASE
                    WHEN w.until - w.since <= interval '24 hours' THEN too_young(o.person_id, n.category_code, w.since, w.until, NULL)
                    ELSE too_young(o.person_id, n.category_code, NULL, NULL, (at AT TIME ZONE 'Asia/Shanghai')::date)
                  END)
              AND (n.kind <> 'CASH_AID'
                   OR EXISTS (SELECT FROM need_foundation f WHERE f.need_id = n.id AND f.organization_id = o.organization_id))
              AND CASE
                    WHEN w.until - w.since <= interval '24 hours' THEN
                        t.starts_at <= w.since AND t.ends_at >= w.until
                        AND (o.min_notice_minutes = 0 OR w.since >= at + make_interval(mins => o.min_notice_minutes))
                        AND (NOT roomy OR (
                            (o.kind NOT IN ('SERVICE', 'VENUE') OR offer_busy(o.id, w.since, w.until, at) < o.parallel)
                            AND (o.weekly_cap IS NULL OR offer_week(o.id, w.since, at) < o.weekly_cap)))
                    ELSE
                        least(t.ends_at, w.until)
                        - greatest(t.starts_at, w.since, at + make_interval(mins => o.min_notice_minutes))
                        >= make_interval(mins => coalesce(n.duration_minutes, 60))
                  END
        );
    END $$
    """,
)
"""How many tasks an offer has at the fullest instant of a time, and in the week of one, by Shanghai's days; and whether
it is there when a need wants it, as `models.exchange.offering.meets` says: `roomy`, and not taken up then by others."""


def listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{v}'" for v in values)


def among(column: str, values: tuple[str, ...]) -> str:
    return f"{column} <@ ARRAY[{listed(values)}]::text[]"


CHECKS = {
    "position": "num_nonnulls(x, y) <> 1",
    "radius": "radius_km BETWEEN 0.5 AND 50 AND (radius_km IS NULL OR x IS NOT NULL)",
    "whereabouts": "person_id IS NULL OR x IS NULL",
    "notice": "min_notice_minutes BETWEEN 0 AND 43200",
    "repeats": "(rrule IS NULL) = (duration_minutes IS NULL) AND (duration_minutes BETWEEN 1 AND 1440)",
    "parallel": "parallel BETWEEN 1 AND 10000",
    "weekly_cap": "weekly_cap BETWEEN 1 AND 10000",
    "languages": among("languages", LANGUAGES),
    "external_id": "external_id IS NULL OR (organization_id IS NOT NULL AND length(external_id) BETWEEN 1 AND 64)",
    "equipment": among("venue_equipment", EQUIPMENT),
    "access": among("venue_access", ACCESS),
    "seats": "venue_seats BETWEEN 1 AND 100000",
    "venue": "kind = 'VENUE' OR num_nonnulls(venue_address, venue_seats) = 0"
    " AND venue_equipment = '{}' AND venue_access = '{}'",
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    columns: list[sa.Column[Any]] = [
        sa.Column("x", sa.REAL()),
        sa.Column("y", sa.REAL()),
        sa.Column("radius_km", sa.REAL()),
        sa.Column("min_notice_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rrule", sa.Text()),
        sa.Column("duration_minutes", sa.Integer()),
        sa.Column("parallel", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("weekly_cap", sa.Integer()),
        *(sa.Column(name, SEVERAL, server_default="{}", nullable=False) for name in ("skills", "certificates")),
        sa.Column("languages", SEVERAL, server_default="{}", nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("venue_address", sa.Text()),
        sa.Column("venue_seats", sa.Integer()),
        *(sa.Column(name, SEVERAL, server_default="{}", nullable=False) for name in VENUE[2:]),
    ]
    for column in columns:
        op.add_column("offer", column)
    op.execute("UPDATE offer SET parallel = least(qty_total, 10000) WHERE organization_id IS NOT NULL")
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_offer_{name}"), "offer", rule)
    op.create_index(
        "uq_offer_external_id",
        "offer",
        ["organization_id", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_table(
        "offer_occurrence",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", AT, nullable=False),
        sa.Column("ends_at", AT, nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_offer_occurrence_window")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_offer_occurrence_offer_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_offer_occurrence"),
        sa.UniqueConstraint("offer_id", "starts_at", name="uq_offer_occurrence_offer_id_starts_at"),
    )
    for statement in (*KEPT, *BUSY):
        op.execute(statement)
    _batches()


def _batches() -> None:
    op.create_table(
        "offer_batch",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("sent_by", sa.Uuid(), nullable=False),
        *(sa.Column(name.lower(), sa.Integer(), nullable=False) for name in OUTCOMES),
        sa.Column("sent_at", AT, nullable=False),
        sa.CheckConstraint(
            "created >= 0 AND updated >= 0 AND unchanged >= 0 AND refused >= 0", name=op.f("ck_offer_batch_counts")
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_offer_batch_organization_id"),
        sa.ForeignKeyConstraint(["sent_by"], ["person.id"], name="fk_offer_batch_sent_by"),
        sa.PrimaryKeyConstraint("id", name="pk_offer_batch"),
        info={"append_only": True},
    )
    op.create_index("ix_offer_batch_organization_id_sent_at_id", "offer_batch", ["organization_id", "sent_at", "id"])
    op.create_table(
        "offer_batch_item",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint(f"outcome IN ({listed(OUTCOMES)})", name=op.f("ck_offer_batch_item_outcome")),
        sa.CheckConstraint("place BETWEEN 0 AND 499", name=op.f("ck_offer_batch_item_place")),
        sa.CheckConstraint("(outcome = 'REFUSED') = (code IS NOT NULL)", name=op.f("ck_offer_batch_item_refused")),
        sa.CheckConstraint("(code IS NULL) = (message IS NULL)", name=op.f("ck_offer_batch_item_message")),
        sa.CheckConstraint("outcome = 'REFUSED' OR offer_id IS NOT NULL", name=op.f("ck_offer_batch_item_offer")),
        sa.ForeignKeyConstraint(["batch_id"], ["offer_batch.id"], name="fk_offer_batch_item_batch_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_offer_batch_item_offer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_offer_batch_item"),
        sa.UniqueConstraint("batch_id", "place", name="uq_offer_batch_item_batch_id_place"),
        info={"append_only": True},
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("offer_batch_item")
    op.drop_table("offer_batch")
    op.execute("DROP FUNCTION offer_suits, offer_week, offer_busy")
    op.execute("DROP TRIGGER window_kept ON offer")
    op.execute("DROP TRIGGER window_made ON offer")
    op.execute("DROP FUNCTION offer_window_kept")
    op.drop_table("offer_occurrence")
    op.drop_index("uq_offer_external_id", "offer")
    for name in CHECKS:
        op.drop_constraint(op.f(f"ck_offer_{name}"), "offer", type_="check")
    for column in (
        *(*VENUE, "external_id", "languages", "certificates", "skills", "weekly_cap", "parallel", "duration_minutes"),
        *("rrule", "min_notice_minutes", "radius_km", "y", "x"),
    ):
        op.drop_column("offer", column)
