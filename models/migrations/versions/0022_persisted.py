"""Documents known by their hash: released front ends and what they were built with; what clients registered."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
SCOPES = ("READ", "OFFERS", "COMMITMENTS", "SESSIONS", "HOURS", "VOLUNTEERS", "CONTACTS")


def scopes(values: tuple[str, ...]) -> None:
    """What a machine's key may be given."""
    listed = ", ".join(f"'{v}'" for v in values)
    op.drop_constraint(op.f("ck_api_key_scopes"), "api_key", type_="check")
    op.create_check_constraint(
        op.f("ck_api_key_scopes"), "api_key", f"scopes <@ ARRAY[{listed}]::text[] AND cardinality(scopes) > 0"
    )


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    scopes((*SCOPES, "DOCUMENTS"))
    op.create_table(
        "client_release",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("documents", sa.Integer(), nullable=False),
        sa.Column("published_at", AT, nullable=False),
        sa.Column("retired_at", AT, nullable=True),
        sa.CheckConstraint("retired_at >= published_at", name=op.f("ck_client_release_retired")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_release")),
    )
    op.create_index(
        "uq_client_release_live",
        "client_release",
        ["client", "version"],
        unique=True,
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    op.create_table(
        "trusted_document",
        sa.Column("release_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_trusted_document_hash")),
        sa.ForeignKeyConstraint(["release_id"], ["client_release.id"], name=op.f("fk_trusted_document_release_id")),
        sa.PrimaryKeyConstraint("release_id", "hash", name=op.f("pk_trusted_document")),
    )
    op.create_table(
        "registered_document",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("by_stranger", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_registered_document_hash")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_registered_document")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_registered_document_by_stranger_at", "registered_document", ["by_stranger", "at"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("registered_document")
    op.drop_table("trusted_document")
    op.drop_table("client_release")
    scopes(SCOPES)
