"""Ranking: who is free and what is wanted, as lists are searched; weights; how much attention needs get."""

from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.migrations.functions_0028 import DROPPED, functions, triggers

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
FIRST = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=8)))
WEIGHTS = {
    "proximity": 3500,
    "continuity": 2500,
    "certificate": 1500,
    "reliability": 800,
    "gender": 800,
    "language": 500,
    "first_choice": 400,
    "second_choice": 200,
    "attention": 600,
}
CARRIED = {
    "availability": (
        *("provider_id", "kind", "x", "y", "radius", "from_minute", "to_minute", "gender", "languages", "skills"),
        *("certificates", "certified_until", "reliability"),
    ),
    "demand": (
        *("need_id", "place", "kind", "x", "y", "starts_at", "ends_at", "from_minute", "to_minute", "due_at", "gender"),
        *("gender_required", "language", "skills", "certificates", "beneficiary_id", "priority", "area", "licence"),
    ),
}
"""What an index carries beside what it is searched by, so that a search reads nothing else."""


def column(name: str, type_: Any, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, type_, nullable=null)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _mirrors()
    _weights()
    op.create_table(
        "need_attention",
        column("need_id", sa.Uuid()),
        *(
            sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
            for name in ("shown", "connected")
        ),
        column("updated_at", AT),
        sa.CheckConstraint("shown >= 0 AND connected >= 0", name=op.f("ck_need_attention_counts")),
        sa.PrimaryKeyConstraint("need_id", name="pk_need_attention"),
        postgresql_with={"fillfactor": "80"},
    )
    here = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for statement in (*functions(here), *triggers()):
        op.execute(sa.text(statement.replace(":", "\\:")))
    op.execute("SELECT match_mirrors_rebuilt()")


def _mirrors() -> None:
    op.create_table(
        "availability",
        column("provider_id", sa.Uuid()),
        column("kind", sa.Text()),
        column("category", sa.Text()),
        column("slot", sa.SmallInteger()),
        column("cell", sa.Integer()),
        *(column(name, sa.REAL(), null=True) for name in ("x", "y", "radius")),
        *(column(name, sa.SmallInteger()) for name in ("from_minute", "to_minute")),
        column("gender", sa.Text()),
        column("languages", sa.SmallInteger()),
        column("skills", sa.BigInteger()),
        column("certificates", sa.BigInteger()),
        column("certified_until", sa.Date()),
        column("reliability", sa.REAL()),
        sa.PrimaryKeyConstraint("provider_id", "category", "slot", "cell", "from_minute", name="pk_availability"),
    )
    op.create_table(
        "demand",
        column("need_id", sa.Uuid()),
        column("category", sa.Text()),
        column("place", sa.SmallInteger()),
        column("slot", sa.SmallInteger()),
        column("cell", sa.Integer()),
        column("kind", sa.Text()),
        *(column(name, sa.REAL()) for name in ("x", "y")),
        *(column(name, AT, null=True) for name in ("starts_at", "ends_at")),
        *(column(name, sa.SmallInteger()) for name in ("from_minute", "to_minute")),
        column("due_at", AT),
        column("gender", sa.Text()),
        column("gender_required", sa.Boolean()),
        column("language", sa.SmallInteger()),
        column("skills", sa.BigInteger()),
        column("certificates", sa.BigInteger()),
        column("beneficiary_id", sa.Uuid(), null=True),
        column("priority", sa.SmallInteger()),
        column("area", sa.Text()),
        column("licence", sa.BigInteger()),
        sa.PrimaryKeyConstraint("need_id", "category", "place", name="pk_demand"),
    )
    for table, carried in CARRIED.items():
        op.create_index(f"ix_{table}_search", table, ["category", "slot", "cell"], postgresql_include=list(carried))


def _weights() -> None:
    table = op.create_table(
        "match_weights",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(column(name, sa.Integer()) for name in WEIGHTS),
        column("note", sa.Text()),
        column("made_by", sa.Uuid(), null=True),
        column("valid_from", AT),
        sa.CheckConstraint(
            " AND ".join(f"{name} BETWEEN 0 AND 10000" for name in WEIGHTS), name=op.f("ck_match_weights_bounded")
        ),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name="fk_match_weights_made_by"),
        sa.PrimaryKeyConstraint("id", name="pk_match_weights"),
        sa.UniqueConstraint("version", name="uq_match_weights_version"),
    )
    op.bulk_insert(table, [{"version": 1, **WEIGHTS, "note": "初始权重", "valid_from": FIRST}])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in (
        "need_connected",
        "papers_changed",
        "options_changed",
        "need_changed",
        "place_moved",
        "occurrences_changed",
        "windows_changed",
        "provider_changed",
    ):
        op.execute(f"DROP FUNCTION {name} CASCADE")
    for statement in DROPPED.split(";")[:-1]:
        op.execute(statement)
    for table in ("need_attention", "match_weights", "demand", "availability"):
        op.drop_table(table)
