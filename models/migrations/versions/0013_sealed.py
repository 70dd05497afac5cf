"""Names, phone numbers, addresses, documents and care are sealed; who registered himself is verified by staff."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PURPOSES = "'SERVICE', 'VISIT', 'VERIFICATION', 'COMPLAINT', 'EMERGENCY', 'OTHER'"
TAGS = (
    "'LIVES_ALONE', 'EMPTY_NEST', 'LEFT_BEHIND', 'DEPENDENT', 'SEVERELY_DISABLED', 'LOST_ONLY_CHILD', 'CHILD_IN_NEED',"
    " 'LOW_INCOME'"
)
EMPTY = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM person_name) OR EXISTS (SELECT FROM person_contact) OR EXISTS (SELECT FROM resident) THEN
        RAISE EXCEPTION 'this migration seals personal data and carries none over: it needs a database without people';
    END IF;
END $$
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    op.add_column("person", sa.Column("address_masked", sa.Text(), nullable=True))
    op.drop_column("person_name", "name")
    op.add_column("person_name", sa.Column("name", sa.LargeBinary(), nullable=False))
    op.drop_index("ix_person_contact_phone", "person_contact")
    op.drop_column("person_contact", "phone")
    op.drop_column("person_contact", "address")
    for name in ("phone", "phone_index", "address"):
        op.add_column("person_contact", sa.Column(name, sa.LargeBinary(), nullable=True))
    op.add_column("person_contact", sa.Column("phone_whose", sa.Text(), nullable=True))
    op.create_index("ix_person_contact_phone_index", "person_contact", ["phone_index"])
    op.create_check_constraint(
        op.f("ck_person_contact_phone_whose"), "person_contact", "phone_whose IN ('OWN', 'RELATIVE', 'UNPROVEN')"
    )
    op.create_check_constraint(
        op.f("ck_person_contact_phone"), "person_contact", "num_nulls(phone, phone_index, phone_whose) IN (0, 3)"
    )
    op.create_table(
        "person_identity",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("id_type", sa.Text(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("number_masked", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("recorded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "id_type IN ('ID_CARD', 'PASSPORT', 'TRAVEL_PERMIT')", name=op.f("ck_person_identity_id_type")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_identity_person_id"),
        sa.ForeignKeyConstraint(["recorded_by"], ["person.id"], name="fk_person_identity_recorded_by"),
        sa.PrimaryKeyConstraint("person_id", name="pk_person_identity"),
        sa.UniqueConstraint("number_index", "id_type", name="uq_person_identity_number_index_id_type"),
    )
    op.drop_constraint(op.f("ck_resident_tags"), "resident")
    op.drop_column("resident", "tags")
    op.add_column("resident", sa.Column("care", sa.LargeBinary(), nullable=False))
    op.add_column("resident", sa.Column("care_note", sa.LargeBinary(), nullable=True))
    op.add_column("resident", sa.Column("verified_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("resident", sa.Column("verified_by", sa.Uuid(), nullable=True))
    op.create_foreign_key("fk_resident_verified_by", "resident", "person", ["verified_by"], ["id"])
    op.create_check_constraint(
        op.f("ck_resident_verified"), "resident", "num_nulls(verified_at, verified_by) IN (0, 2)"
    )
    op.create_index(
        "ix_resident_unverified", "resident", ["area", "id"], postgresql_where=sa.text("verified_at IS NULL")
    )
    op.create_table(
        "person_search",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("found", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.CheckConstraint("found_by IN ('PHONE', 'ID_NUMBER')", name=op.f("ck_person_search_found_by")),
        sa.CheckConstraint(f"purpose IN ({PURPOSES})", name=op.f("ck_person_search_purpose")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_search_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_person_search"),
    )
    op.create_index("ix_person_search_person_id_at", "person_search", ["person_id", "at"])
    _fields("'NAME', 'PHONE', 'ADDRESS', 'ID_NUMBER'")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    _fields("'NAME', 'PHONE', 'ADDRESS'")
    op.drop_table("person_search")
    op.drop_index("ix_resident_unverified", "resident")
    for name in ("verified_by", "verified_at", "care_note", "care"):
        op.drop_column("resident", name)
    op.add_column(
        "resident", sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_resident_tags"), "resident", f"tags <@ ARRAY[{TAGS}]::text[]")
    op.drop_table("person_identity")
    for name in ("phone_whose", "address", "phone_index", "phone"):
        op.drop_column("person_contact", name)
    for name in ("phone", "address"):
        op.add_column("person_contact", sa.Column(name, sa.Text(), nullable=True))
    op.create_index("ix_person_contact_phone", "person_contact", ["phone"])
    op.drop_column("person_name", "name")
    op.add_column("person_name", sa.Column("name", sa.Text(), nullable=False))
    op.drop_column("person", "address_masked")


def _fields(listed: str) -> None:
    """Which fields a reading of plain data may name."""
    op.drop_constraint(op.f("ck_pii_access_fields"), "pii_access")
    op.create_check_constraint(
        op.f("ck_pii_access_fields"), "pii_access", f"fields <@ ARRAY[{listed}]::text[] AND cardinality(fields) > 0"
    )
