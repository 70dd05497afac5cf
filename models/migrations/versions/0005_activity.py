"""Activities, sessions, attendances, the ledger of hours, and manual proposals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHAIN = (
    """
    CREATE FUNCTION hour_entry_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        before hour_entry;
    BEGIN
        IF NEW.kind = 'REVERSAL' THEN
            SELECT * INTO before FROM hour_entry WHERE id = NEW.reverses_id;
            IF before.kind IS DISTINCT FROM 'CREDIT' OR before.attendance_id <> NEW.attendance_id
               OR before.volunteer_id <> NEW.volunteer_id OR before.revision <> NEW.revision
               OR before.minutes <> -NEW.minutes OR before.trust <> NEW.trust THEN
                RAISE EXCEPTION 'a reversal takes back one whole credit' USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        ELSIF NEW.revision > 1 THEN
            SELECT * INTO before FROM hour_entry WHERE id = NEW.follows_id;
            IF before.kind IS DISTINCT FROM 'REVERSAL' OR before.attendance_id <> NEW.attendance_id
               OR before.volunteer_id <> NEW.volunteer_id OR before.revision <> NEW.revision - 1 THEN
                RAISE EXCEPTION 'a further credit follows the reversal of the one before'
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER hour_entry_chain BEFORE INSERT ON hour_entry FOR EACH ROW EXECUTE FUNCTION hour_entry_chain()",
    """
    CREATE FUNCTION hour_entry_forever() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger of hours is only added to' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER hour_entry_forever BEFORE UPDATE OR DELETE ON hour_entry"
    " FOR EACH ROW EXECUTE FUNCTION hour_entry_forever()",
)
"""Hours once (I7): one live credit for each attendance, each taken back whole, none ever edited."""

LOCKED = (
    """
    CREATE FUNCTION service_session_locked() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a locked session does not change' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER service_session_locked BEFORE UPDATE OR DELETE ON service_session"
    " FOR EACH ROW WHEN (OLD.status = 'LOCKED') EXECUTE FUNCTION service_session_locked()",
    """
    CREATE FUNCTION attendance_locked() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (SELECT status FROM service_session WHERE id = OLD.session_id) = 'LOCKED' THEN
            IF TG_OP = 'UPDATE' AND OLD.status IN ('CONFIRMED', 'REVERSED') AND NEW.status IN ('CONFIRMED', 'REVERSED')
               AND to_jsonb(OLD) - ARRAY['status', 'credited_minutes'] = to_jsonb(NEW) - ARRAY['status', 'credited_minutes']
            THEN
                RETURN NEW;  -- a correction, which the ledger books into the open period
            END IF;
            RAISE EXCEPTION 'a locked session does not change' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $$
    """,
    "CREATE TRIGGER attendance_locked BEFORE UPDATE OR DELETE ON attendance"
    " FOR EACH ROW EXECUTE FUNCTION attendance_locked()",
)
"""Nothing of a locked session changes (I24), except that a credit is corrected by further entries. A new attendance needs
a position, which the session itself counts: so none comes in either."""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "service_activity",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("ends_on IS NULL OR starts_on <= ends_on", name=op.f("ck_service_activity_dates")),
        sa.ForeignKeyConstraint(["category_id"], ["service_category.id"], name="fk_service_activity_category_id"),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_service_activity_community_id"),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name="fk_service_activity_created_by"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_service_activity_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_service_activity"),
    )
    op.create_index("ix_service_activity_area_starts_on", "service_activity", ["area", "starts_on"])
    op.create_index("ix_service_activity_category_code_starts_on", "service_activity", ["category_code", "starts_on"])
    op.create_index("ix_service_activity_category_id", "service_activity", ["category_id"])
    op.create_index("ix_service_activity_community_id", "service_activity", ["community_id"])
    op.create_index(
        "ix_service_activity_organization_id_starts_on", "service_activity", ["organization_id", "starts_on"]
    )
    op.create_index("ix_service_activity_starts_on_id", "service_activity", ["starts_on", "id"])
    op.create_table(
        "service_session",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("activity_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("need_id", sa.Uuid(), nullable=True),
        sa.Column("restricted_need_id", sa.Uuid(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("starts_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("ends_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("radius_m", sa.Integer(), server_default=sa.text("300"), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("accepted_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("arrivals", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("min_age", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_sign_up", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("needs_approval", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("sign_code_hash", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="PLANNED", nullable=False),
        sa.Column("headcount_registered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("headcount_unregistered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancelled_reason", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(status = 'CANCELLED') = (cancelled_reason IS NOT NULL)", name=op.f("ck_service_session_cancelled")
        ),
        sa.CheckConstraint(
            "starts_at < ends_at AND ends_at <= starts_at + interval '24 hours'", name=op.f("ck_service_session_window")
        ),
        sa.CheckConstraint(
            "status = 'CANCELLED' OR (status = 'PLANNED') = (published_at IS NULL)", name=op.f("ck_service_session_published")
        ),
        sa.CheckConstraint(
            "status IN ('PLANNED', 'PUBLISHED', 'RUNNING', 'ENDED', 'CONFIRMED', 'LOCKED', 'CANCELLED')",
            name=op.f("ck_service_session_status"),
        ),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL) AND latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180 AND radius_m BETWEEN 20 AND 5000",
            name=op.f("ck_service_session_position"),
        ),
        sa.CheckConstraint("accepted_count BETWEEN 0 AND capacity", name=op.f("ck_service_session_accepted")),
        sa.CheckConstraint("arrivals >= 0", name=op.f("ck_service_session_arrivals")),
        sa.CheckConstraint("capacity BETWEEN 1 AND 10000", name=op.f("ck_service_session_capacity")),
        sa.CheckConstraint(
            "headcount_registered >= 0 AND headcount_unregistered >= 0", name=op.f("ck_service_session_headcount")
        ),
        sa.CheckConstraint("min_age BETWEEN 0 AND 120", name=op.f("ck_service_session_min_age")),
        sa.CheckConstraint(
            "restricted_need_id = need_id AND NOT open_sign_up OR restricted_need_id IS NULL",
            name=op.f("ck_service_session_restricted"),
        ),
        sa.ForeignKeyConstraint(["activity_id"], ["service_activity.id"], name="fk_service_session_activity_id"),
        sa.ForeignKeyConstraint(["category_id"], ["service_category.id"], name="fk_service_session_category_id"),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_service_session_community_id"),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name="fk_service_session_created_by"),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_service_session_need_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_service_session_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_service_session"),
    )
    op.create_index("ix_service_session_activity_id_starts_at", "service_session", ["activity_id", "starts_at"])
    op.create_index("ix_service_session_area_starts_at", "service_session", ["area", "starts_at"])
    op.create_index("ix_service_session_category_code_starts_at", "service_session", ["category_code", "starts_at"])
    op.create_index("ix_service_session_category_id", "service_session", ["category_id"])
    op.create_index("ix_service_session_community_id_starts_at", "service_session", ["community_id", "starts_at"])
    op.create_index("ix_service_session_created_at_id", "service_session", ["created_at", "id"])
    op.create_index("ix_service_session_need_id_starts_at", "service_session", ["need_id", "starts_at"])
    op.create_index("ix_service_session_organization_id_starts_at", "service_session", ["organization_id", "starts_at"])
    op.create_index("ix_service_session_starts_at_id", "service_session", ["starts_at", "id"])
    op.create_table(
        "attendance",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("volunteer_id", sa.Uuid(), nullable=False),
        sa.Column("commitment_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("applied_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("starts_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("check_in_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("check_in_method", sa.Text(), nullable=True),
        sa.Column("check_out_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("check_out_method", sa.Text(), nullable=True),
        sa.Column("credited_minutes", sa.Integer(), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("restricted_need_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint("(status = 'CONFIRMED') = (credited_minutes IS NOT NULL)", name=op.f("ck_attendance_credited")),
        sa.CheckConstraint("check_in_method IN ('CODE', 'GEO', 'ROSTER')", name=op.f("ck_attendance_check_in_method")),
        sa.CheckConstraint("check_out_method IN ('CODE', 'GEO', 'ROSTER')", name=op.f("ck_attendance_check_out_method")),
        sa.CheckConstraint(
            "status IN ('APPLIED', 'ACCEPTED', 'WAITLISTED', 'REFUSED', 'WITHDRAWN', 'LAPSED', 'CHECKED_IN', 'CHECKED_OUT', 'CONFIRMED', 'ABSENT', 'EXCUSED', 'REVERSED')",
            name=op.f("ck_attendance_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('ABSENT', 'ACCEPTED', 'CHECKED_IN', 'CHECKED_OUT', 'CONFIRMED', 'REVERSED') OR accepted_at IS NOT NULL",
            name=op.f("ck_attendance_accepted"),
        ),
        sa.CheckConstraint("(check_in_at IS NULL) = (check_in_method IS NULL)", name=op.f("ck_attendance_check_in")),
        sa.CheckConstraint(
            "(check_out_at IS NULL) = (check_out_method IS NULL) AND check_in_at <= check_out_at",
            name=op.f("ck_attendance_check_out"),
        ),
        sa.CheckConstraint("check_out_at IS NULL OR check_in_at IS NOT NULL", name=op.f("ck_attendance_came_first")),
        sa.CheckConstraint("credited_minutes BETWEEN 0 AND 720", name=op.f("ck_attendance_minutes")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_attendance_rating")),
        sa.ForeignKeyConstraint(["commitment_id"], ["commitment.id"], name="fk_attendance_commitment_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_attendance_organization_id"),
        sa.ForeignKeyConstraint(["session_id"], ["service_session.id"], name="fk_attendance_session_id"),
        sa.ForeignKeyConstraint(["volunteer_id"], ["person.id"], name="fk_attendance_volunteer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attendance"),
        sa.UniqueConstraint("session_id", "position", name="uq_attendance_session_id_position"),
        sa.UniqueConstraint("session_id", "volunteer_id", name="uq_attendance_session_id_volunteer_id"),
    )
    op.create_index("ix_attendance_area_starts_at", "attendance", ["area", "starts_at"])
    op.create_index("ix_attendance_commitment_id", "attendance", ["commitment_id"])
    op.create_index("ix_attendance_organization_id_starts_at", "attendance", ["organization_id", "starts_at"])
    op.create_index("ix_attendance_session_id_status_position", "attendance", ["session_id", "status", "position"])
    op.create_index("ix_attendance_starts_at_id", "attendance", ["starts_at", "id"])
    op.create_index("ix_attendance_volunteer_id_starts_at", "attendance", ["volunteer_id", "starts_at"])
    op.create_table(
        "session_code",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_session_code_organization_id"),
        sa.ForeignKeyConstraint(["session_id"], ["service_session.id"], name="fk_session_code_session_id"),
        sa.PrimaryKeyConstraint("id", name="pk_session_code"),
        sa.UniqueConstraint("session_id", name="uq_session_code_session_id"),
    )
    op.create_table(
        "session_commitment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("commitment_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint("quantity >= 1", name=op.f("ck_session_commitment_quantity")),
        sa.ForeignKeyConstraint(["commitment_id"], ["commitment.id"], name="fk_session_commitment_commitment_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_session_commitment_organization_id"),
        sa.ForeignKeyConstraint(["session_id"], ["service_session.id"], name="fk_session_commitment_session_id"),
        sa.PrimaryKeyConstraint("id", name="pk_session_commitment"),
        sa.UniqueConstraint("session_id", "commitment_id", name="uq_session_commitment_session_id_commitment_id"),
    )
    op.create_index("ix_session_commitment_commitment_id", "session_commitment", ["commitment_id"])
    op.create_index("ix_session_commitment_organization_id", "session_commitment", ["organization_id"])
    op.create_table(
        "hour_entry",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("attendance_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("volunteer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("follows_id", sa.Uuid(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("trust", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("served_on", sa.Date(), nullable=False),
        sa.Column("credited_on", sa.Date(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'CREDIT' AND revision > 1) = (follows_id IS NOT NULL)", name=op.f("ck_hour_entry_follows")
        ),
        sa.CheckConstraint(
            "(kind = 'CREDIT' AND trust = 'SYSTEM') OR (approved_by IS NOT NULL AND reason IS NOT NULL)",
            name=op.f("ck_hour_entry_answered"),
        ),
        sa.CheckConstraint("(kind = 'REVERSAL') = (reverses_id IS NOT NULL)", name=op.f("ck_hour_entry_reverses")),
        sa.CheckConstraint(
            "CASE kind WHEN 'CREDIT' THEN minutes BETWEEN 0 AND 720 ELSE minutes BETWEEN -720 AND 0 END",
            name=op.f("ck_hour_entry_minutes"),
        ),
        sa.CheckConstraint("kind IN ('CREDIT', 'REVERSAL')", name=op.f("ck_hour_entry_kind")),
        sa.CheckConstraint("trust IN ('SYSTEM', 'CONFIRMED', 'MANUAL')", name=op.f("ck_hour_entry_trust")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_hour_entry_revision")),
        sa.ForeignKeyConstraint(["approved_by"], ["person.id"], name="fk_hour_entry_approved_by"),
        sa.ForeignKeyConstraint(["attendance_id"], ["attendance.id"], name="fk_hour_entry_attendance_id"),
        sa.ForeignKeyConstraint(["follows_id"], ["hour_entry.id"], name="fk_hour_entry_follows_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_hour_entry_organization_id"),
        sa.ForeignKeyConstraint(["reverses_id"], ["hour_entry.id"], name="fk_hour_entry_reverses_id"),
        sa.ForeignKeyConstraint(["session_id"], ["service_session.id"], name="fk_hour_entry_session_id"),
        sa.ForeignKeyConstraint(["volunteer_id"], ["person.id"], name="fk_hour_entry_volunteer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_hour_entry"),
        sa.UniqueConstraint("follows_id", name="uq_hour_entry_follows_id"),
        sa.UniqueConstraint("reverses_id", name="uq_hour_entry_reverses_id"),
        info={"append_only": True},
    )
    op.create_index("ix_hour_entry_area_at", "hour_entry", ["area", "at"])
    op.create_index("ix_hour_entry_area_credited_on", "hour_entry", ["area", "credited_on"])
    op.create_index("ix_hour_entry_at_id", "hour_entry", ["at", "id"])
    op.create_index("ix_hour_entry_attendance_id_at", "hour_entry", ["attendance_id", "at"])
    op.create_index("ix_hour_entry_organization_id_at", "hour_entry", ["organization_id", "at"])
    op.create_index("ix_hour_entry_session_id", "hour_entry", ["session_id"])
    op.create_index("ix_hour_entry_volunteer_id_at", "hour_entry", ["volunteer_id", "at"])
    op.create_index("ix_hour_entry_volunteer_id_served_on", "hour_entry", ["volunteer_id", "served_on"])
    op.create_index(
        "uq_hour_entry_credit",
        "hour_entry",
        ["attendance_id", "revision"],
        unique=True,
        postgresql_where=sa.text("kind = 'CREDIT'"),
    )
    op.create_table(
        "manual_proposal",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("attendance_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("volunteer_id", sa.Uuid(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("proposed_by", sa.Uuid(), nullable=False),
        sa.Column("proposed_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(status = 'PENDING') = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)",
            name=op.f("ck_manual_proposal_decided"),
        ),
        sa.CheckConstraint("status IN ('PENDING', 'APPROVED', 'REJECTED')", name=op.f("ck_manual_proposal_status")),
        sa.CheckConstraint("decided_by NOT IN (proposed_by, volunteer_id)", name=op.f("ck_manual_proposal_second_person")),
        sa.CheckConstraint("minutes BETWEEN 0 AND 720", name=op.f("ck_manual_proposal_minutes")),
        sa.CheckConstraint("proposed_by <> volunteer_id", name=op.f("ck_manual_proposal_not_for_oneself")),
        sa.ForeignKeyConstraint(["attendance_id"], ["attendance.id"], name="fk_manual_proposal_attendance_id"),
        sa.ForeignKeyConstraint(["decided_by"], ["person.id"], name="fk_manual_proposal_decided_by"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_manual_proposal_organization_id"),
        sa.ForeignKeyConstraint(["proposed_by"], ["person.id"], name="fk_manual_proposal_proposed_by"),
        sa.ForeignKeyConstraint(["session_id"], ["service_session.id"], name="fk_manual_proposal_session_id"),
        sa.ForeignKeyConstraint(["volunteer_id"], ["person.id"], name="fk_manual_proposal_volunteer_id"),
        sa.PrimaryKeyConstraint("id", name="pk_manual_proposal"),
    )
    op.create_index("ix_manual_proposal_area_proposed_at", "manual_proposal", ["area", "proposed_at"])
    op.create_index("ix_manual_proposal_attendance_id_proposed_at", "manual_proposal", ["attendance_id", "proposed_at"])
    op.create_index(
        "ix_manual_proposal_organization_id_proposed_at", "manual_proposal", ["organization_id", "proposed_at"]
    )
    op.create_index("ix_manual_proposal_proposed_at_id", "manual_proposal", ["proposed_at", "id"])
    op.create_index("ix_manual_proposal_session_id_status", "manual_proposal", ["session_id", "status"])
    op.create_index("ix_manual_proposal_volunteer_id_proposed_at", "manual_proposal", ["volunteer_id", "proposed_at"])
    op.create_index(
        "uq_manual_proposal_pending",
        "manual_proposal",
        ["attendance_id"],
        unique=True,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    for statement in (*CHAIN, *LOCKED):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in (
        "manual_proposal",
        "hour_entry",
        "session_commitment",
        "session_code",
        "attendance",
        "service_session",
        "service_activity",
    ):
        op.drop_table(table)
    for function in ("hour_entry_chain", "hour_entry_forever", "service_session_locked", "attendance_locked"):
        op.execute(f"DROP FUNCTION {function}()")
