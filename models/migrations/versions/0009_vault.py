"""Data keys, and the audit log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = ("NAME", "PHONE", "ADDRESS", "IDENTITY", "CARE", "LOGIN", "INDEX", "TOKEN", "AUDIT")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "data_key",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("retired_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_data_key"),
        sa.CheckConstraint(f"kind IN ({', '.join(repr(k) for k in KINDS)})", name=op.f("ck_data_key_kind")),
    )
    op.create_index("ix_data_key_kind_created_at", "data_key", ["kind", "created_at"])
    op.execute("""
        CREATE TABLE audit_event (
            id uuid NOT NULL DEFAULT uuidv7(),
            at timestamptz NOT NULL,
            xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            action text NOT NULL,
            result text NOT NULL,
            subject_type text,
            subject uuid,
            role text NOT NULL,
            person uuid,
            organization uuid,
            area text,
            sign_in uuid,
            key uuid,
            address text,
            request text,
            detail jsonb NOT NULL,
            CONSTRAINT pk_audit_event PRIMARY KEY (id, at)
        ) PARTITION BY RANGE (at)
    """)
    op.execute("CREATE TABLE audit_event_pdefault PARTITION OF audit_event DEFAULT")
    op.create_index("ix_audit_event_xid_id", "audit_event", ["xid", "id"])
    op.create_index("ix_audit_event_at_id", "audit_event", ["at", "id"])
    op.create_index("ix_audit_event_person_at", "audit_event", ["person", "at"])
    op.create_index("ix_audit_event_subject_at", "audit_event", ["subject", "at"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE audit_event")
    op.drop_table("data_key")
