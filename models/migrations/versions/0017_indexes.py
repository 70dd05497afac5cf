"""What people's own lists, erasures, exports and the clock look for is found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = (
    ("audit_event", ("action", "at"), None),
    ("audit_event", ("address", "at"), "address IS NOT NULL"),
    ("audit_event", ("area", "at"), "area IS NOT NULL"),
    ("audit_event", ("result", "at"), None),
    ("audit_event", ("role", "at"), None),
    ("commitment", ("subject_id",), None),
    ("contact_grant", ("until",), "until IS NOT NULL"),
    ("declared_interest", ("person_id", "declared_at"), None),
    ("guardianship", ("minor_id",), None),
    ("need", ("subject_id",), None),
    ("subject_request", ("cosigned_by",), "kind = 'DELETE'"),
    ("subject_request", ("expires_at",), "state = 'IN_PROGRESS'"),
    ("subject_request", ("made_by",), "kind = 'DELETE'"),
)
QUEUE, QUEUED = "ix_subject_request_area_due_at_id", ["area", "due_at", "id"]


def name(table: str, columns: tuple[str, ...]) -> str:
    return "_".join(("ix", table, *columns))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, columns, where in INDEXES:
        only = None if where is None else sa.text(where)
        op.create_index(name(table, columns), table, list(columns), postgresql_where=only)
    op.drop_index(QUEUE, "subject_request")
    op.create_index(QUEUE, "subject_request", QUEUED)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index(QUEUE, "subject_request")
    still = sa.text("state IN ('WAITING_COSIGN', 'RECEIVED', 'IN_PROGRESS')")
    op.create_index(QUEUE, "subject_request", QUEUED, postgresql_where=still)
    for table, columns, _ in INDEXES:
        op.drop_index(name(table, columns), table)
