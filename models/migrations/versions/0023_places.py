"""Positions on the city's plane, the functions that reckon with them, and service points."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

PLACED = ("division", "grid", "building")
KINDS = ("SOCIAL_WORK_STATION", "PARTY_SERVICE_CENTRE", "ELDERLY_STATION", "CHARITY_MARKET", "VOLUNTEER_STATION")
FUNCTIONS = (
    """
    CREATE FUNCTION cell_of(x real, y real) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (floor(x)::integer + 512) * 1024 + floor(y)::integer + 512
    """,
    """
    CREATE FUNCTION km_between(x1 real, y1 real, x2 real, y2 real) RETURNS real LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN sqrt((x1::float8 - x2) * (x1::float8 - x2) + (y1::float8 - y2) * (y1::float8 - y2))::real
    """,
    """
    CREATE FUNCTION cells_around(x real, y real, km real, base integer DEFAULT 0) RETURNS integer[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
    DECLARE
        across float8 := x;
        up float8 := y;
        reach float8 := km;
        low integer := floor(up - reach);
        high integer := floor(up + reach);
        aside float8;
        gap float8;
        cells integer[] := '{}';
    BEGIN
        FOR i IN floor(across - reach)::integer .. floor(across + reach)::integer LOOP
            aside := greatest(i - across, across - i - 1, 0);
            FOR j IN low .. high LOOP
                gap := greatest(j - up, up - j - 1, 0);
                IF aside * aside + gap * gap <= reach * reach THEN
                    cells := cells || (base + (i + 512) * 1024 + j + 512);
                END IF;
            END LOOP;
        END LOOP;
        RETURN cells;
    END $$
    """,
)
"""Twins of `models.territory.geo`; `real` is widened first, as Python does, so that both round alike.
`cells_around` counts by loops, as a list asks it some twenty times: a query inside would take twenty times as long.
`base` is added to each cell."""


def km(name: str, *, nullable: bool) -> sa.Column[float]:
    return sa.Column(name, sa.REAL(), nullable=nullable)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for function in FUNCTIONS:
        op.execute(function)
    for table in PLACED:
        op.add_column(table, km("x", nullable=True))
        op.add_column(table, km("y", nullable=True))
        op.create_check_constraint(op.f(f"ck_{table}_position"), table, "num_nonnulls(x, y) <> 1")
    listed = ", ".join(f"'{kind}'" for kind in KINDS)
    op.create_table(
        "service_point",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        km("x", nullable=False),
        km("y", nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("opening", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint(f"kind IN ({listed})", name=op.f("ck_service_point_kind")),
        sa.CheckConstraint("area ~ '^([0-9]{12}|[0-9]{15})$'", name=op.f("ck_service_point_area")),
        sa.CheckConstraint("valid_to IS NULL OR valid_from <= valid_to", name=op.f("ck_service_point_valid")),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_service_point_community_id"),
        sa.PrimaryKeyConstraint("id", name="pk_service_point"),
    )
    op.create_index("ix_service_point_area", "service_point", ["area"])
    op.create_index("ix_service_point_community_id_name", "service_point", ["community_id", "name"])
    op.create_index("ix_service_point_pinyin_id", "service_point", ["pinyin", "id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("service_point")
    for table in PLACED:
        op.drop_constraint(op.f(f"ck_{table}_position"), table, type_="check")
        op.drop_column(table, "y")
        op.drop_column(table, "x")
    op.execute("DROP FUNCTION cell_of, km_between, cells_around")
