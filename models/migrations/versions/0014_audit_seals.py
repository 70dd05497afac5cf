"""Seals of the audit log, the breaking of the glass, and which cells of reports are too small to be told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
KEPT = ("audit_event", "audit_event_pdefault", "audit_seal", "audit_archive")
PURPOSES = ("SERVICE", "VISIT", "VERIFICATION", "COMPLAINT", "EMERGENCY", "OTHER")

HIDDEN_CELLS = """
CREATE FUNCTION hidden_cells(counts bigint[], divisions text[], categories text[], months date[]) RETURNS boolean[]
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    hidden boolean[];
    more bigint[];
BEGIN
    SELECT array_agg(c BETWEEN 1 AND 4 ORDER BY n) INTO hidden FROM unnest(counts) WITH ORDINALITY AS t (c, n);
    IF hidden IS NULL OR NOT true = ANY (hidden) THEN
        RETURN hidden;
    END IF;
    LOOP
        WITH cell AS (
            SELECT t.n, t.c, t.h, total.way, total.d, total.k, total.m
            FROM unnest(counts, hidden, divisions, categories, months) WITH ORDINALITY AS t (c, h, d, k, m, n)
            CROSS JOIN LATERAL (
                VALUES (1, left(t.d, 4), t.k, t.m, length(t.d) > 4), (2, left(t.d, 6), t.k, t.m, length(t.d) > 6),
                    (3, left(t.d, 9), t.k, t.m, length(t.d) > 9),
                    (4, t.d, NULL::text, t.m, true), (5, t.d, t.k, NULL::date, true)
            ) AS total (way, d, k, m, wider)
            WHERE total.wider
        ), ranked AS (
            SELECT n, h, c > 0 AS present,
                count(*) FILTER (WHERE h) OVER whole AS closed,
                sum(c) FILTER (WHERE h) OVER whole AS together,
                row_number() OVER (PARTITION BY way, d, k, m, h, c > 0 ORDER BY c, n) AS place
            FROM cell
            WINDOW whole AS (PARTITION BY way, d, k, m)
        )
        SELECT array_agg(DISTINCT n) INTO more FROM ranked
        WHERE NOT h AND present AND place = 1 AND closed > 0 AND (closed = 1 OR together < 5);
        EXIT WHEN more IS NULL;
        SELECT array_agg(h OR n = ANY (more) ORDER BY n) INTO hidden FROM unnest(hidden) WITH ORDINALITY AS t (h, n);
    END LOOP;
    RETURN hidden;
END
$$
"""
"""The law of `models.reports.small_cells`, where reports are counted."""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    # The key serves lists too, so an index goes; few rows are about a person or a thing that is asked for by name.
    op.execute("ALTER TABLE audit_event ADD COLUMN era smallint NOT NULL DEFAULT 1")
    op.execute("ALTER TABLE audit_event DROP CONSTRAINT pk_audit_event")
    op.execute("ALTER TABLE audit_event ADD CONSTRAINT pk_audit_event PRIMARY KEY (at, id)")
    for name in ("at_id", "xid_id", "person_at", "subject_at"):
        op.execute(f"DROP INDEX ix_audit_event_{name}")
    op.create_index("ix_audit_event_era_xid_id", "audit_event", ["era", "xid", "id"])
    for column in ("person", "subject"):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_audit_event_{column}_at", "audit_event", [column, "at"], postgresql_where=where)
    op.execute("""
        CREATE TABLE audit_seal (
            n bigint NOT NULL,
            at timestamptz NOT NULL,
            month date NOT NULL,
            era smallint NOT NULL,
            last_xid xid8 NOT NULL,
            last_id uuid NOT NULL,
            count integer NOT NULL,
            row_ids uuid[] NOT NULL,
            digests bytea NOT NULL,
            previous bytea NOT NULL,
            hash bytea NOT NULL,
            key uuid NOT NULL,
            CONSTRAINT pk_audit_seal PRIMARY KEY (n),
            CONSTRAINT ck_audit_seal_rows
                CHECK (count > 0 AND count = cardinality(row_ids) AND octet_length(digests) = 16 * count)
        )
    """)
    op.execute("ALTER TABLE audit_seal ALTER COLUMN digests SET STORAGE EXTERNAL")  # random bytes do not compress
    op.create_table(
        "audit_archive",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("proof", postgresql.BYTEA(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("month", name="pk_audit_archive"),
    )
    for table in KEPT:
        if table != "audit_event_pdefault":  # a partition has its parent's triggers for rows, and none for TRUNCATE
            op.execute(
                f"CREATE TRIGGER kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
        op.execute(f"CREATE TRIGGER kept_whole BEFORE TRUNCATE ON {table} EXECUTE FUNCTION refuse_change()")
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", INSTANT, nullable=True),
        sa.Column("until", INSTANT, nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_break_glass"),
        *(
            sa.ForeignKeyConstraint([c], ["person.id"], name=op.f(f"fk_break_glass_{c}"))
            for c in ("requested_by", "approved_by", "ended_by")
        ),
        sa.CheckConstraint(f"purpose IN ({', '.join(repr(p) for p in PURPOSES)})", name=op.f("ck_break_glass_purpose")),
        sa.CheckConstraint("approved_by <> requested_by", name=op.f("ck_break_glass_two")),
        sa.CheckConstraint(
            "num_nonnulls(approved_by, approved_at, until) IN (0, 3)", name=op.f("ck_break_glass_approved")
        ),
        sa.CheckConstraint("num_nonnulls(ended_by, ended_at) IN (0, 2)", name=op.f("ck_break_glass_ended")),
    )
    op.create_index("ix_break_glass_requested_at_id", "break_glass", ["requested_at", "id"])
    op.create_index("ix_break_glass_requested_by_until", "break_glass", ["requested_by", "until"])
    op.create_table(
        "break_glass_person",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("break_glass_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_break_glass_person"),
        sa.ForeignKeyConstraint(
            ["break_glass_id"], ["break_glass.id"], name=op.f("fk_break_glass_person_break_glass_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_break_glass_person_person_id")),
        sa.UniqueConstraint("break_glass_id", "person_id", name=op.f("uq_break_glass_person_break_glass_id_person_id")),
    )
    op.create_index("ix_break_glass_person_person_id", "break_glass_person", ["person_id"])
    op.execute(HIDDEN_CELLS)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION hidden_cells")
    op.drop_table("break_glass_person")
    op.drop_table("break_glass")
    op.drop_table("audit_archive")
    op.drop_table("audit_seal")
    op.execute("DROP TRIGGER kept ON audit_event")
    op.execute("DROP TRIGGER kept_whole ON audit_event")
    op.execute("DROP TRIGGER kept_whole ON audit_event_pdefault")
    for name in ("era_xid_id", "person_at", "subject_at"):
        op.execute(f"DROP INDEX ix_audit_event_{name}")
    op.execute("ALTER TABLE audit_event DROP CONSTRAINT pk_audit_event")
    op.execute("ALTER TABLE audit_event ADD CONSTRAINT pk_audit_event PRIMARY KEY (id, at)")
    op.execute("ALTER TABLE audit_event DROP COLUMN era")
    op.create_index("ix_audit_event_xid_id", "audit_event", ["xid", "id"])
    op.create_index("ix_audit_event_at_id", "audit_event", ["at", "id"])
    op.create_index("ix_audit_event_person_at", "audit_event", ["person", "at"])
    op.create_index("ix_audit_event_subject_at", "audit_event", ["subject", "at"])
