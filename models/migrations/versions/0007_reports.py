"""Views that reports count: no more of a row than a count needs."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

VIEWS = {
    "session_fact": """
        SELECT id, area, category_code, organization_id, timezone('Asia/Shanghai', starts_at)::date AS on_day,
               headcount_registered AS registered, headcount_unregistered AS unregistered
        FROM service_session
        WHERE status IN ('RUNNING', 'ENDED', 'CONFIRMED', 'LOCKED')
    """,
    "attendance_fact": """
        SELECT a.session_id, a.volunteer_id, s.area, s.category_code, s.organization_id,
               timezone('Asia/Shanghai', s.starts_at)::date AS on_day
        FROM attendance a JOIN service_session s ON s.id = a.session_id
        WHERE a.status IN ('CHECKED_IN', 'CHECKED_OUT', 'CONFIRMED', 'REVERSED')
          AND s.status IN ('RUNNING', 'ENDED', 'CONFIRMED', 'LOCKED')
    """,
    "hour_fact": """
        SELECT area, category_code, organization_id, credited_on AS on_day, trust, minutes FROM hour_entry
    """,
    "need_fact": """
        SELECT id, area, category_code, timezone('Asia/Shanghai', created_at)::date AS on_day, status, created_at,
               opened_at, closed_at, due_at, qty_total, qty_committed, qty_delivered
        FROM need
        WHERE status <> 'DRAFT'
    """,
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, select in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {select}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW {name}")
