"""Divisions, grids, buildings and published counts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "division",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.CheckConstraint("(parent_id IS NULL) = (level = 'CITY')", name=op.f("ck_division_parent")),
        sa.CheckConstraint(
            "code ~ '^[0-9]+$' AND length(code) = CASE level WHEN 'CITY' THEN 4 WHEN 'DISTRICT' THEN 6 WHEN 'STREET' THEN 9 ELSE 12 END",
            name=op.f("ck_division_code"),
        ),
        sa.CheckConstraint(
            "level IN ('CITY', 'DISTRICT', 'STREET', 'COMMUNITY', 'VILLAGE')", name=op.f("ck_division_level")
        ),
        sa.CheckConstraint("area = code", name=op.f("ck_division_area")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_division_valid")),
        sa.ForeignKeyConstraint(["parent_id"], ["division.id"], name="fk_division_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_division"),
        sa.UniqueConstraint("code", name="uq_division_code"),
    )
    op.create_index("ix_division_area", "division", ["area"])
    op.create_index("ix_division_level_code", "division", ["level", "code"])
    op.create_index("ix_division_parent_id_code", "division", ["parent_id", "code"])
    op.create_index("ix_division_pinyin_id", "division", ["pinyin", "id"])
    op.create_table(
        "division_count",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("division_id", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "measure IN ('DISTRICTS', 'STREETS', 'COMMUNITIES', 'RESIDENT_COMMITTEES', 'VILLAGE_COMMITTEES', 'GRIDS', 'BUILDING_GROUPS', 'PARTY_HOUSEHOLDS')",
            name=op.f("ck_division_count_measure"),
        ),
        sa.CheckConstraint("value >= 0", name=op.f("ck_division_count_value")),
        sa.ForeignKeyConstraint(["division_id"], ["division.id"], name="fk_division_count_division_id"),
        sa.PrimaryKeyConstraint("id", name="pk_division_count"),
        sa.UniqueConstraint(
            "division_id",
            "measure",
            "as_of",
            "source",
            name="uq_division_count_division_id_measure_as_of_source",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_table(
        "grid",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("officer_id", sa.Uuid(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("code ~ '^[0-9]{15}$'", name=op.f("ck_grid_code")),
        sa.CheckConstraint("area = code", name=op.f("ck_grid_area")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_grid_valid")),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_grid_community_id"),
        sa.PrimaryKeyConstraint("id", name="pk_grid"),
        sa.UniqueConstraint("code", name="uq_grid_code"),
    )
    op.create_index("ix_grid_area", "grid", ["area"])
    op.create_index("ix_grid_community_id_code", "grid", ["community_id", "code"])
    op.create_index("ix_grid_officer_id", "grid", ["officer_id"])
    op.create_table(
        "building",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("grid_id", sa.Uuid(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.CheckConstraint("area ~ '^[0-9]{15}$'", name=op.f("ck_building_area")),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_building_community_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name="fk_building_grid_id"),
        sa.PrimaryKeyConstraint("id", name="pk_building"),
        sa.UniqueConstraint("grid_id", "name", name="uq_building_grid_id_name"),
    )
    op.create_index("ix_building_area", "building", ["area"])
    op.create_index("ix_building_community_id_name", "building", ["community_id", "name"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("building")
    op.drop_table("grid")
    op.drop_table("division_count")
    op.drop_table("division")
