"""Sign-ins, refresh tokens, API keys; the capacities that one may act in."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.events import Xid8

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROLES = "'PERSON', 'RESIDENT', 'VOLUNTEER', 'SOCIAL_WORKER', 'GRID_OFFICER', 'COMMUNITY_STAFF', 'NGO_STAFF', 'FUND_MAKER', 'FUND_CHECKER', 'FUND_AUTHORISER', 'FUND_REPORTER', 'DISTRICT_VIEWER', 'CITY_VIEWER', 'DEPARTMENT', 'PARTY_SECRETARY', 'AUDITOR', 'ADMIN'"
ENDS = "'SIGNED_OUT', 'ENDED_BY_OWNER', 'REUSED', 'EXPIRED', 'PERSON_ERASED', 'PASSWORD_CHANGED', 'MERGED', 'ACCOUNT_DISABLED', 'ENDED_BY_PLATFORM'"
SCOPES = "'READ', 'OFFERS', 'COMMITMENTS', 'SESSIONS', 'HOURS', 'VOLUNTEERS', 'CONTACTS'"
CAPACITY = """
    SELECT id, person_id, role, id AS membership_id, organization_id, area, starts_on, ends_on
    FROM membership WHERE revoked_at IS NULL
    UNION ALL
    SELECT id, person_id, 'VOLUNTEER', NULL, NULL, area, NULL, NULL FROM volunteer WHERE state = 'ACTIVE'
    UNION ALL
    SELECT id, person_id, 'RESIDENT', NULL, NULL, area, NULL, NULL FROM resident
    UNION ALL
    SELECT id, id, 'PERSON', NULL, NULL, NULL, NULL, NULL FROM person WHERE state = 'PRESENT'
"""


def moment(name: str, optional: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, postgresql.TIMESTAMP(timezone=True), nullable=optional)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("strong", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=True),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("network", sa.Text(), nullable=True),
        moment("created_at"),
        moment("last_seen_at"),
        moment("expires_at"),
        moment("ended_at", True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_sign_in_person_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["membership.id"], name="fk_sign_in_membership_id"),
        sa.CheckConstraint("method IN ('WECHAT', 'PASSWORD')", name=op.f("ck_sign_in_method")),
        sa.CheckConstraint(f"end_reason IN ({ENDS})", name=op.f("ck_sign_in_end_reason")),
        sa.CheckConstraint(f"role IN ({ROLES})", name=op.f("ck_sign_in_role")),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_sign_in_ended")),
        sa.CheckConstraint("created_at < expires_at", name=op.f("ck_sign_in_lasts")),
    )
    op.create_index("ix_sign_in_person_id_created_at", "sign_in", ["person_id", "created_at"])
    op.create_index("ix_sign_in_expires_at", "sign_in", ["expires_at"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index("ix_sign_in_ended_at", "sign_in", ["ended_at"])
    op.create_table(
        "refresh_token",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        moment("issued_at"),
        moment("used_at", True),
        sa.Column("replaced_by", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_token"),
        sa.ForeignKeyConstraint(["sign_in_id"], ["sign_in.id"], name="fk_refresh_token_sign_in_id"),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_refresh_token_hash")),
        sa.CheckConstraint("(used_at IS NULL) = (replaced_by IS NULL)", name=op.f("ck_refresh_token_used")),
    )
    op.create_index("ix_refresh_token_sign_in_id", "refresh_token", ["sign_in_id"])
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("membership_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("budget", sa.Integer(), server_default=sa.text("10000"), nullable=False),
        moment("created_at"),
        moment("expires_at"),
        moment("last_used_at", True),
        moment("revoked_at", True),
        sa.Column("revoked_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("prefix", name="uq_api_key_prefix"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_api_key_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_api_key_person_id"),
        sa.ForeignKeyConstraint(["membership_id"], ["membership.id"], name="fk_api_key_membership_id"),
        sa.ForeignKeyConstraint(["revoked_by"], ["person.id"], name="fk_api_key_revoked_by"),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_api_key_hash")),
        sa.CheckConstraint(
            f"scopes <@ ARRAY[{SCOPES}]::text[] AND cardinality(scopes) > 0", name=op.f("ck_api_key_scopes")
        ),
        sa.CheckConstraint("budget BETWEEN 1000 AND 10000", name=op.f("ck_api_key_budget")),
        sa.CheckConstraint(
            "created_at < expires_at AND expires_at <= created_at + interval '8760 hours'",
            name=op.f("ck_api_key_lasts"),
        ),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_api_key_revoked")),
    )
    op.create_index("ix_api_key_organization_id_created_at", "api_key", ["organization_id", "created_at"])
    op.create_index("ix_api_key_person_id", "api_key", ["person_id"])
    op.create_index("ix_api_key_membership_id", "api_key", ["membership_id"])
    op.execute(f"CREATE VIEW capacity AS {CAPACITY}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP VIEW capacity")
    op.drop_table("api_key")
    op.drop_table("refresh_token")
    op.drop_table("sign_in")
