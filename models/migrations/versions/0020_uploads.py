"""Attachments, and the kind of data key that seals what opens them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
KINDS = ("NAME", "PHONE", "ADDRESS", "IDENTITY", "CARE", "LOGIN", "INDEX", "TOKEN", "AUDIT")
MEDIA = ("JPEG", "PNG", "WEBP", "PDF", "MP3", "AAC", "AMR", "M4A", "MP4")
ROLES = (
    *("PUBLIC", "PERSON", "RESIDENT", "VOLUNTEER", "SOCIAL_WORKER", "GRID_OFFICER", "COMMUNITY_STAFF", "NGO_STAFF"),
    *("FUND_MAKER", "FUND_CHECKER", "FUND_AUTHORISER", "FUND_REPORTER", "DISTRICT_VIEWER", "CITY_VIEWER"),
    *("DEPARTMENT", "PARTY_SECRETARY", "AUDITOR", "ADMIN"),
)
SUBJECTS = (
    ("need_id", "need"),
    ("offer_id", "offer"),
    ("commitment_id", "commitment"),
    ("session_id", "service_session"),
    ("attendance_id", "attendance"),
    ("proposal_id", "manual_proposal"),
    ("allocation_id", "allocation"),
    ("disbursement_id", "disbursement"),
)
"""Column -> the table that it refers to."""


def listed(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(v) for v in values)})"


def kinds(values: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_data_key_kind"), "data_key", type_="check")
    op.create_check_constraint(op.f("ck_data_key_kind"), "data_key", listed("kind", values))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    kinds((*KINDS, "FILE"))
    op.create_table(
        "attachment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        *(sa.Column(column, sa.Uuid(), nullable=True) for column, _ in SUBJECTS),
        sa.Column("uploader_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("media", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("stored", sa.Text(), nullable=False),
        sa.Column("opener", sa.LargeBinary(), nullable=True),
        sa.Column("name", sa.LargeBinary(), nullable=True),
        sa.Column("caption", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("removed_at", AT, nullable=True),
        sa.Column("removed_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_attachment"),
        sa.UniqueConstraint("stored", name="uq_attachment_stored"),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=f"fk_attachment_{column}")
            for column, table in (*SUBJECTS, ("uploader_id", "person"), ("removed_by", "person"))
        ),
        sa.CheckConstraint(listed("media", MEDIA), name=op.f("ck_attachment_media")),
        sa.CheckConstraint(listed("role", ROLES), name=op.f("ck_attachment_role")),
        sa.CheckConstraint(
            f"num_nonnulls({', '.join(column for column, _ in SUBJECTS)}) = 1", name=op.f("ck_attachment_one_subject")
        ),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_attachment_size")),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_attachment_sha256")),
        sa.CheckConstraint(
            "(removed_at IS NULL) = (opener IS NOT NULL)"
            " AND (removed_at IS NULL OR (name IS NULL AND caption IS NULL))",
            name=op.f("ck_attachment_removed"),
        ),
    )
    op.create_index("ix_attachment_uploader_id_created_at", "attachment", ["uploader_id", "created_at"])
    for column, _ in SUBJECTS:
        op.create_index(
            f"ix_attachment_{column}_created_at_id",
            "attachment",
            [column, "created_at", "id"],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("attachment")
    op.execute("DELETE FROM data_key WHERE kind = 'FILE'")
    kinds(KINDS)
