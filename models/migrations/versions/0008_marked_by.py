"""Who marked a check-in from the roster; nobody answers for his own hours."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("attendance", sa.Column("check_in_by", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_attendance_check_in_by", "attendance", "person", ["check_in_by"], ["id"])
    op.create_check_constraint(
        op.f("ck_attendance_check_in_by"),
        "attendance",
        "check_in_by IS NULL OR (check_in_method = 'ROSTER' AND check_in_by <> volunteer_id)",
    )
    op.create_check_constraint(op.f("ck_hour_entry_by_another"), "hour_entry", "approved_by <> volunteer_id")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("ck_hour_entry_by_another"), "hour_entry")
    op.drop_column("attendance", "check_in_by")
