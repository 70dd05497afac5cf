"""Persons, their protected values, organizations, memberships, and who read whose data."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.events import Xid8

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SEQUENCE volunteer_no")
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name_masked", sa.Text(), nullable=False),
        sa.Column("phone_masked", sa.Text(), nullable=True),
        sa.Column("gender", sa.Text(), server_default="UNKNOWN", nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("acts", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), server_default="PRESENT", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("birth_date >= '1900-01-01'", name=op.f("ck_person_born")),
        sa.CheckConstraint("gender IN ('FEMALE', 'MALE', 'UNKNOWN')", name=op.f("ck_person_gender")),
        sa.CheckConstraint("state IN ('PRESENT', 'PSEUDONYM')", name=op.f("ck_person_state")),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("ix_person_area", "person", ["area"])
    op.create_index("ix_person_pinyin_id", "person", ["pinyin", "id"])
    op.create_table(
        "guardian_consent",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("minor_id", sa.Uuid(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("given_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("withdrawn_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("guardian_id <> minor_id", name=op.f("ck_guardian_consent_two")),
        sa.CheckConstraint(
            "withdrawn_at IS NULL OR withdrawn_at >= given_at", name=op.f("ck_guardian_consent_withdrawn")
        ),
        sa.ForeignKeyConstraint(["guardian_id"], ["person.id"], name="fk_guardian_consent_guardian_id"),
        sa.ForeignKeyConstraint(["minor_id"], ["person.id"], name="fk_guardian_consent_minor_id"),
        sa.ForeignKeyConstraint(["recorded_by"], ["person.id"], name="fk_guardian_consent_recorded_by"),
        sa.PrimaryKeyConstraint("id", name="pk_guardian_consent"),
    )
    op.create_index("ix_guardian_consent_area", "guardian_consent", ["area"])
    op.create_index("ix_guardian_consent_guardian_id", "guardian_consent", ["guardian_id"])
    op.create_index("ix_guardian_consent_minor_id", "guardian_consent", ["minor_id"])
    op.create_index(
        "uq_guardian_consent_minor_id_guardian_id",
        "guardian_consent",
        ["minor_id", "guardian_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "organization",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("legal_status", sa.Text(), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=True),
        sa.Column("filing_no", sa.Text(), nullable=True),
        sa.Column("verified_state", sa.Text(), server_default="DRAFT", nullable=False),
        sa.Column("rejection", sa.Text(), nullable=True),
        sa.Column("is_charity", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("division_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('SOCIAL_ORG', 'SERVICE_ORG', 'FOUNDATION', 'COMPANY', 'PUBLIC_UNIT', 'RESIDENT_COMMITTEE', 'DEPARTMENT')",
            name=op.f("ck_organization_kind"),
        ),
        sa.CheckConstraint(
            "legal_status IN ('REGISTERED', 'FILED', 'INTERNAL')", name=op.f("ck_organization_legal_status")
        ),
        sa.CheckConstraint("uscc ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name=op.f("ck_organization_uscc")),
        sa.CheckConstraint(
            "verified_state <> 'REJECTED' OR rejection IS NOT NULL", name=op.f("ck_organization_refused")
        ),
        sa.CheckConstraint(
            "verified_state <> 'VERIFIED' OR legal_status = 'INTERNAL' OR uscc IS NOT NULL OR filing_no IS NOT NULL",
            name=op.f("ck_organization_identified"),
        ),
        sa.CheckConstraint(
            "verified_state IN ('DRAFT', 'PENDING', 'VERIFIED', 'REJECTED')",
            name=op.f("ck_organization_verified_state"),
        ),
        sa.ForeignKeyConstraint(["area"], ["division.code"], name="fk_organization_area"),
        sa.ForeignKeyConstraint(["contact_id"], ["person.id"], name="fk_organization_contact_id"),
        sa.ForeignKeyConstraint(["division_id"], ["division.id"], name="fk_organization_division_id"),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )
    op.create_index("ix_organization_area_pinyin_id", "organization", ["area", "pinyin", "id"])
    op.create_index("ix_organization_contact_id", "organization", ["contact_id"])
    op.create_index("ix_organization_created_at_id", "organization", ["created_at", "id"])
    op.create_index("ix_organization_division_id", "organization", ["division_id"])
    op.create_index("ix_organization_pinyin_id", "organization", ["pinyin", "id"])
    op.create_index("ix_organization_verified_state_created_at", "organization", ["verified_state", "created_at"])
    op.create_index(
        "uq_organization_division_id_name",
        "organization",
        ["division_id", "name"],
        unique=True,
        postgresql_where=sa.text("verified_state <> 'REJECTED'"),
    )
    op.create_index(
        "uq_organization_uscc",
        "organization",
        ["uscc"],
        unique=True,
        postgresql_where=sa.text("verified_state <> 'REJECTED'"),
    )
    op.create_table(
        "person_contact",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_contact_person_id"),
        sa.PrimaryKeyConstraint("person_id", name="pk_person_contact"),
    )
    op.create_index("ix_person_contact_phone", "person_contact", ["phone"])
    op.create_table(
        "person_name",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_name_person_id"),
        sa.PrimaryKeyConstraint("person_id", name="pk_person_name"),
    )
    op.create_table(
        "social_worker",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("licence_no", sa.Text(), nullable=False),
        sa.Column("licence_until", sa.Date(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint("level IN ('ASSISTANT', 'INTERMEDIATE', 'SENIOR')", name=op.f("ck_social_worker_level")),
        sa.ForeignKeyConstraint(["area"], ["division.code"], name="fk_social_worker_area"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_social_worker_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_social_worker"),
        sa.UniqueConstraint("licence_no", name="uq_social_worker_licence_no"),
        sa.UniqueConstraint("person_id", name="uq_social_worker_person_id"),
    )
    op.create_index("ix_social_worker_area_id", "social_worker", ["area", "id"])
    op.create_table(
        "volunteer",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "volunteer_no",
            sa.Text(),
            server_default=sa.text("'2101' || lpad(nextval('volunteer_no')::text, 10, '0')"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("adult_on", sa.Date(), nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("no_matching", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state IN ('PENDING_GUARDIAN', 'PENDING_VERIFICATION', 'ACTIVE', 'SUSPENDED', 'REJECTED', 'WITHDRAWN')",
            name=op.f("ck_volunteer_state"),
        ),
        sa.ForeignKeyConstraint(["area"], ["division.code"], name="fk_volunteer_area"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_volunteer_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_volunteer"),
        sa.UniqueConstraint("person_id", name="uq_volunteer_person_id"),
        sa.UniqueConstraint("volunteer_no", name="uq_volunteer_volunteer_no"),
    )
    op.create_index("ix_volunteer_area_state_id", "volunteer", ["area", "state", "id"])
    op.create_index("ix_volunteer_categories", "volunteer", ["categories"], postgresql_using="gin")
    op.create_index("ix_volunteer_created_at_id", "volunteer", ["created_at", "id"])
    op.create_table(
        "contact_grant",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("viewer_person_id", sa.Uuid(), nullable=True),
        sa.Column("viewer_organization_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "num_nonnulls(viewer_person_id, viewer_organization_id) = 1", name=op.f("ck_contact_grant_viewer")
        ),
        sa.CheckConstraint("until IS NULL OR since <= until", name=op.f("ck_contact_grant_ever")),
        sa.ForeignKeyConstraint(["subject_id"], ["person.id"], name="fk_contact_grant_subject_id"),
        sa.ForeignKeyConstraint(
            ["viewer_organization_id"], ["organization.id"], name="fk_contact_grant_viewer_organization_id"
        ),
        sa.ForeignKeyConstraint(["viewer_person_id"], ["person.id"], name="fk_contact_grant_viewer_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contact_grant"),
        sa.UniqueConstraint(
            "source_id",
            "subject_id",
            "viewer_person_id",
            "viewer_organization_id",
            name="uq_contact_grant_source_id",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("ix_contact_grant_subject_id", "contact_grant", ["subject_id"])
    op.create_index(
        "ix_contact_grant_viewer_organization_id_subject_id", "contact_grant", ["viewer_organization_id", "subject_id"]
    )
    op.create_index("ix_contact_grant_viewer_person_id_subject_id", "contact_grant", ["viewer_person_id", "subject_id"])
    op.create_table(
        "contact_reveal",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("subject_count", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('SERVICE', 'VISIT', 'VERIFICATION', 'COMPLAINT', 'EMERGENCY', 'OTHER')",
            name=op.f("ck_contact_reveal_purpose"),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_contact_reveal_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_contact_reveal_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_contact_reveal"),
    )
    op.create_index("ix_contact_reveal_organization_id", "contact_reveal", ["organization_id"])
    op.create_index("ix_contact_reveal_person_id_at", "contact_reveal", ["person_id", "at"])
    op.create_table(
        "membership",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("granted_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "CASE WHEN role IN ('NGO_STAFF', 'FUND_MAKER', 'FUND_CHECKER', 'FUND_AUTHORISER', 'FUND_REPORTER', 'DEPARTMENT') THEN organization_id IS NOT NULL WHEN role IN ('ADMIN', 'AUDITOR') THEN true ELSE area IS NOT NULL AND organization_id IS NULL END",
            name=op.f("ck_membership_scope"),
        ),
        sa.CheckConstraint(
            "role IN ('SOCIAL_WORKER', 'GRID_OFFICER', 'COMMUNITY_STAFF', 'NGO_STAFF', 'FUND_MAKER', 'FUND_CHECKER', 'FUND_AUTHORISER', 'FUND_REPORTER', 'DISTRICT_VIEWER', 'CITY_VIEWER', 'DEPARTMENT', 'PARTY_SECRETARY', 'AUDITOR', 'ADMIN')",
            name=op.f("ck_membership_role"),
        ),
        sa.CheckConstraint("ends_on IS NULL OR starts_on <= ends_on", name=op.f("ck_membership_days")),
        sa.ForeignKeyConstraint(["granted_by"], ["person.id"], name="fk_membership_granted_by"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_membership_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_membership_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_membership"),
    )
    op.create_index("ix_membership_area", "membership", ["area"])
    op.create_index("ix_membership_granted_at_id", "membership", ["granted_at", "id"])
    op.create_index("ix_membership_organization_id_granted_at", "membership", ["organization_id", "granted_at"])
    op.create_index("ix_membership_person_id_granted_at", "membership", ["person_id", "granted_at"])
    op.create_table(
        "organization_volunteer",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("since", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("until IS NULL OR since <= until", name=op.f("ck_organization_volunteer_ever")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_organization_volunteer_organization_id"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_organization_volunteer_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_organization_volunteer"),
        sa.UniqueConstraint("organization_id", "person_id", name="uq_organization_volunteer_organization_id_person_id"),
    )
    op.create_index("ix_organization_volunteer_person_id", "organization_volunteer", ["person_id"])
    op.create_table(
        "resident",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("grid_id", sa.Uuid(), nullable=True),
        sa.Column("household", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "tags <@ ARRAY['LIVES_ALONE', 'EMPTY_NEST', 'LEFT_BEHIND', 'DEPENDENT', 'SEVERELY_DISABLED', 'LOST_ONLY_CHILD', 'CHILD_IN_NEED', 'LOW_INCOME']::text[]",
            name=op.f("ck_resident_tags"),
        ),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_resident_community_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name="fk_resident_grid_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_resident_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_resident"),
        sa.UniqueConstraint("person_id", name="uq_resident_person_id"),
    )
    op.create_index("ix_resident_area_id", "resident", ["area", "id"])
    op.create_index("ix_resident_community_id", "resident", ["community_id"])
    op.create_index("ix_resident_grid_id", "resident", ["grid_id"])
    op.create_index("ix_resident_household", "resident", ["household"])
    op.create_table(
        "pii_access",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("reveal_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("fields", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "fields <@ ARRAY['NAME', 'PHONE', 'ADDRESS']::text[] AND cardinality(fields) > 0",
            name=op.f("ck_pii_access_fields"),
        ),
        sa.CheckConstraint(
            "purpose IN ('SERVICE', 'VISIT', 'VERIFICATION', 'COMPLAINT', 'EMERGENCY', 'OTHER')",
            name=op.f("ck_pii_access_purpose"),
        ),
        sa.ForeignKeyConstraint(["actor_id"], ["person.id"], name="fk_pii_access_actor_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_pii_access_organization_id"),
        sa.ForeignKeyConstraint(["reveal_id"], ["contact_reveal.id"], name="fk_pii_access_reveal_id"),
        sa.ForeignKeyConstraint(["subject_id"], ["person.id"], name="fk_pii_access_subject_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pii_access"),
        sa.UniqueConstraint("reveal_id", "subject_id", name="uq_pii_access_reveal_id_subject_id"),
    )
    op.create_index("ix_pii_access_actor_id_at_id", "pii_access", ["actor_id", "at", "id"])
    op.create_index("ix_pii_access_at_id", "pii_access", ["at", "id"])
    op.create_index("ix_pii_access_organization_id", "pii_access", ["organization_id"])
    op.create_index("ix_pii_access_subject_id_at_id", "pii_access", ["subject_id", "at", "id"])
    op.create_foreign_key("fk_grid_officer_id", "grid", "person", ["officer_id"], ["id"])
    op.execute("""
        ALTER TABLE membership ADD CONSTRAINT ex_membership_once EXCLUDE USING gist (
            person_id WITH =,
            role WITH =,
            coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) WITH =,
            coalesce(area, '') WITH =,
            daterange(starts_on, ends_on, '[]') WITH &&
        ) WHERE (revoked_at IS NULL)
    """)
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are kept as they were written', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """)
    for ledger in ("contact_reveal", "pii_access"):
        op.execute(
            f"CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {ledger} EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint("fk_grid_officer_id", "grid")
    op.drop_table("pii_access")
    op.drop_table("resident")
    op.drop_table("organization_volunteer")
    op.drop_table("membership")
    op.drop_table("contact_reveal")
    op.drop_table("contact_grant")
    op.drop_table("volunteer")
    op.drop_table("social_worker")
    op.drop_table("person_name")
    op.drop_table("person_contact")
    op.drop_table("organization")
    op.drop_table("guardian_consent")
    op.drop_table("person")
    op.execute("DROP SEQUENCE volunteer_no")
    op.execute("DROP FUNCTION refuse_change()")
