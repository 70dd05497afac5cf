"""A resident's registration may be refused, and moves; joining an organization; what a helper should know."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
HINTS = (
    "'STEADY_ARM', 'WHEELCHAIR', 'STAIRS', 'LIFTING', 'FIRST_AID', 'PATIENCE', 'SPEAK_CLEARLY', 'GUIDE_BY_VOICE',"
    " 'SIGN_LANGUAGE', 'DIET'"
)
CAPACITY = """
CREATE OR REPLACE VIEW capacity AS
    SELECT id, person_id, role, id AS membership_id, organization_id, area, starts_on, ends_on
    FROM membership WHERE revoked_at IS NULL
    UNION ALL
    SELECT id, person_id, 'RESIDENT', NULL, NULL, area, NULL, NULL FROM resident{which}
    UNION ALL
    SELECT id, person_id, 'VOLUNTEER', NULL, NULL, area, NULL, NULL FROM volunteer WHERE state = 'ACTIVE'
    UNION ALL
    SELECT id, id, 'PERSON', NULL, NULL, NULL, NULL, NULL FROM person WHERE state = 'PRESENT'
"""
EMPTY = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM former_residence) OR EXISTS (SELECT FROM membership_request)
       OR EXISTS (SELECT FROM resident WHERE refused_at IS NOT NULL)
       OR EXISTS (SELECT FROM need WHERE cardinality(hints) > 0) THEN
        RAISE EXCEPTION 'what residents, members and helpers were told would be lost: restore a backup instead';
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _residents()
    _joining()
    op.add_column("need", sa.Column("hints", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False))
    op.create_check_constraint(op.f("ck_need_hints"), "need", f"hints <@ ARRAY[{HINTS}]::text[]")
    op.add_column("need_foundation", sa.Column("eligible", sa.Boolean()))


def _residents() -> None:
    op.add_column("resident", sa.Column("care_tier", sa.LargeBinary()))
    op.add_column("resident", sa.Column("refused_at", AT))
    op.add_column("resident", sa.Column("refused_by", sa.Uuid()))
    op.add_column("resident", sa.Column("refusal", sa.LargeBinary()))
    op.create_foreign_key("fk_resident_refused_by", "resident", "person", ["refused_by"], ["id"])
    op.create_check_constraint(op.f("ck_resident_refused"), "resident", "num_nulls(refused_at, refused_by) IN (0, 2)")
    op.create_check_constraint(op.f("ck_resident_one_answer"), "resident", "verified_at IS NULL OR refused_at IS NULL")
    op.execute(CAPACITY.format(which=" WHERE refused_at IS NULL"))
    op.create_table(
        "former_residence",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("since", AT, nullable=False),
        sa.Column("until", AT, nullable=False),
        sa.Column("refused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("ended_by", sa.Uuid(), nullable=False),
        sa.CheckConstraint("since <= until", name=op.f("ck_former_residence_ever")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_former_residence_person_id"),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_former_residence_community_id"),
        sa.ForeignKeyConstraint(["ended_by"], ["person.id"], name="fk_former_residence_ended_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_residence")),
    )
    op.create_index("ix_former_residence_person_id", "former_residence", ["person_id"])
    op.create_index("ix_former_residence_area", "former_residence", ["area"])


def _joining() -> None:
    op.create_table(
        "membership_request",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("joins_as", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", AT, nullable=False),
        sa.Column("until", AT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", AT),
        sa.Column("reason", sa.Text()),
        sa.CheckConstraint("joins_as IN ('VOLUNTEER', 'STAFF')", name=op.f("ck_membership_request_joins_as")),
        sa.CheckConstraint(
            "state IN ('PENDING', 'ACCEPTED', 'REFUSED', 'WITHDRAWN', 'LAPSED')",
            name=op.f("ck_membership_request_state"),
        ),
        sa.CheckConstraint(
            "(state IN ('ACCEPTED', 'REFUSED', 'WITHDRAWN')) = (decided_at IS NOT NULL)"
            " AND (decided_at IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_membership_request_decided"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('ACCEPTED', 'REFUSED') OR decided_by <> made_by",
            name=op.f("ck_membership_request_second_person"),
        ),
        sa.CheckConstraint("made_at < until", name=op.f("ck_membership_request_ever")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_membership_request_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_membership_request_person_id"),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name="fk_membership_request_made_by"),
        sa.ForeignKeyConstraint(["decided_by"], ["person.id"], name="fk_membership_request_decided_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership_request")),
    )
    op.create_index("ix_membership_request_person_id_made_at", "membership_request", ["person_id", "made_at"])
    op.create_index(
        "ix_membership_request_organization_id_made_at", "membership_request", ["organization_id", "made_at"]
    )
    op.create_index(
        "uq_membership_request_pending",
        "membership_request",
        ["organization_id", "person_id", "joins_as"],
        unique=True,
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.add_column("organization_volunteer", sa.Column("granted_by", sa.Uuid()))
    op.add_column("organization_volunteer", sa.Column("ended_by", sa.Uuid()))
    for column in ("granted_by", "ended_by"):
        name = f"fk_organization_volunteer_{column}"
        op.create_foreign_key(name, "organization_volunteer", "person", [column], ["id"])
    op.drop_constraint("uq_organization_volunteer_organization_id_person_id", "organization_volunteer")
    op.create_index(
        "uq_organization_volunteer_taken",
        "organization_volunteer",
        ["organization_id", "person_id"],
        unique=True,
        postgresql_where=sa.text("until IS NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    op.drop_column("need_foundation", "eligible")
    op.drop_column("need", "hints")
    op.drop_index("uq_organization_volunteer_taken", "organization_volunteer")
    op.create_unique_constraint(
        "uq_organization_volunteer_organization_id_person_id",
        "organization_volunteer",
        ["organization_id", "person_id"],
    )
    op.drop_column("organization_volunteer", "ended_by")
    op.drop_column("organization_volunteer", "granted_by")
    op.drop_table("membership_request")
    op.drop_table("former_residence")
    op.execute(CAPACITY.format(which=""))
    for column in ("refusal", "refused_by", "refused_at", "care_tier"):
        op.drop_column("resident", column)
