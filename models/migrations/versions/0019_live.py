"""What happens to a thing is found by the thing, in the order in which it is told."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_event_subject_at", "event")
    op.create_index("ix_event_subject_xid_id", "event", ["subject", "xid", "id"])
    for whole in ("need", "session"):
        key = f"(data ->> '{whole}'::text)"
        only = sa.text(f"{key} IS NOT NULL")
        op.create_index(f"ix_event_of_{whole}", "event", [sa.text(key), "xid", "id"], postgresql_where=only)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for whole in ("need", "session"):
        op.drop_index(f"ix_event_of_{whole}", "event")
    op.drop_index("ix_event_subject_xid_id", "event")
    op.create_index("ix_event_subject_at", "event", ["subject", "at"])
