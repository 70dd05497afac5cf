"""The outbox, the idempotency records, and the extension that exclusion constraints need."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute("""
        CREATE TABLE event (
            id bigint GENERATED ALWAYS AS IDENTITY,
            at timestamptz NOT NULL,
            xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            topic text NOT NULL,
            subject uuid NOT NULL,
            area text,
            person uuid,
            role text NOT NULL,
            data jsonb NOT NULL,
            CONSTRAINT pk_event PRIMARY KEY (id, at)
        ) PARTITION BY RANGE (at)
    """)
    op.execute("CREATE TABLE event_pdefault PARTITION OF event DEFAULT")
    op.create_index("ix_event_xid_id", "event", ["xid", "id"])
    op.create_index("ix_event_subject_at", "event", ["subject", "at"])
    op.create_table(
        "idempotency_record",
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("mutation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("arguments_hash", postgresql.BYTEA(), nullable=False),
        sa.Column("outcome_type", sa.Text(), nullable=False),
        sa.Column("outcome_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "mutation", "key", name="pk_idempotency_record"),
    )
    op.create_index("ix_idempotency_record_at", "idempotency_record", ["at"])
    op.execute("""
        CREATE TABLE relay_position (
            name text NOT NULL,
            xid xid8 NOT NULL,
            event_id bigint NOT NULL,
            at timestamptz NOT NULL,
            CONSTRAINT pk_relay_position PRIMARY KEY (name)
        )
    """)


def downgrade() -> None:
    op.drop_table("relay_position")
    op.drop_table("idempotency_record")
    op.execute("DROP TABLE event")
    op.execute("DROP EXTENSION IF EXISTS btree_gist")
