"""Accounts: logins, passwords, authenticators, recovery codes; and how many guesses strangers have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_changed_at", INSTANT, nullable=True),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", INSTANT, nullable=True),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=True),
        sa.Column("totp_pending", sa.LargeBinary(), nullable=True),
        sa.Column("invitation_hash", sa.LargeBinary(), nullable=True),
        sa.Column("invitation_until", INSTANT, nullable=True),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("invited_for", sa.Uuid(), nullable=True),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_account_person_id"),
        sa.ForeignKeyConstraint(["invited_by"], ["person.id"], name="fk_account_invited_by"),
        sa.ForeignKeyConstraint(["invited_for"], ["organization.id"], name="fk_account_invited_for"),
        sa.UniqueConstraint("person_id", name="uq_account_person_id"),
        sa.UniqueConstraint("invitation_hash", name="uq_account_invitation_hash"),
        sa.CheckConstraint("(password_hash IS NULL) = (password_changed_at IS NULL)", name=op.f("ck_account_password")),
        sa.CheckConstraint("totp_confirmed_at IS NULL OR totp_secret IS NOT NULL", name=op.f("ck_account_totp")),
        sa.CheckConstraint(
            "(invitation_hash IS NULL) = (invitation_until IS NULL)", name=op.f("ck_account_invitation")
        ),
    )
    op.create_index("ix_account_created_at_id", "account", ["created_at", "id"])
    op.create_table(
        "account_login",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("login", sa.LargeBinary(), nullable=False),
        sa.Column("login_index", sa.LargeBinary(), nullable=False),
        sa.Column("masked", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_account_login"),
        sa.ForeignKeyConstraint(["person_id"], ["account.person_id"], name="fk_account_login_person_id"),
        sa.UniqueConstraint("person_id", "kind", name="uq_account_login_person_id_kind"),
        sa.UniqueConstraint("login_index", name="uq_account_login_login_index"),
        sa.CheckConstraint("kind IN ('PHONE', 'EMAIL')", name=op.f("ck_account_login_kind")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_code"),
        sa.ForeignKeyConstraint(["person_id"], ["account.person_id"], name="fk_recovery_code_person_id"),
        sa.UniqueConstraint("person_id", "code_hash", name="uq_recovery_code_person_id_code_hash"),
    )
    op.create_table(
        "sign_in_throttle",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("locks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("locked_until", INSTANT, nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_throttle"),
    )
    op.create_index("ix_sign_in_throttle_at", "sign_in_throttle", ["at"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("sign_in_throttle")
    op.drop_table("recovery_code")
    op.drop_table("account_login")
    op.drop_table("account")
