"""WeChat identities, proven phone numbers, merged people, tokens of outside platforms."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
ID = sa.text("uuidv7()")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_constraint(op.f("ck_person_state"), "person")
    op.create_check_constraint(op.f("ck_person_state"), "person", "state IN ('PRESENT', 'PSEUDONYM', 'MERGED')")
    op.create_table(
        "wechat_identity",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("appid", sa.Text(), nullable=False),
        sa.Column("openid", sa.LargeBinary(), nullable=False),
        sa.Column("openid_index", sa.LargeBinary(), nullable=False),
        sa.Column("unionid", sa.LargeBinary(), nullable=True),
        sa.Column("unionid_index", sa.LargeBinary(), nullable=True),
        sa.Column("bound_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_wechat_identity_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_wechat_identity"),
        sa.UniqueConstraint("openid_index", name="uq_wechat_identity_openid_index"),
    )
    op.create_index("ix_wechat_identity_person_id", "wechat_identity", ["person_id"])
    op.create_index("ix_wechat_identity_unionid_index", "wechat_identity", ["unionid_index"])
    op.create_table(
        "login_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_login_code"),
    )
    op.create_index("ix_login_code_at", "login_code", ["at"])
    op.create_table(
        "bound_phone",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(), nullable=False),
        sa.Column("phone_masked", sa.Text(), nullable=False),
        sa.Column("records_found", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=False),
        sa.Column("proven_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_bound_phone_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_bound_phone"),
    )
    op.create_index("ix_bound_phone_person_id", "bound_phone", ["person_id"])
    op.create_index("ix_bound_phone_proven_at", "bound_phone", ["proven_at"])
    op.create_index("ix_bound_phone_sign_in_id_proven_at", "bound_phone", ["sign_in_id", "proven_at"])
    op.create_table(
        "claim_try",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("records", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_claim_try_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_claim_try"),
    )
    op.create_index("ix_claim_try_at", "claim_try", ["at"])
    op.create_index("ix_claim_try_person_id_at", "claim_try", ["person_id", "at"])
    op.create_index("ix_claim_try_records", "claim_try", ["records"], postgresql_using="gin")
    op.create_table(
        "person_merge",
        sa.Column("id", sa.Uuid(), server_default=ID, nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("proof IN ('PHONE', 'IDENTITY', 'STAFF')", name=op.f("ck_person_merge_proof")),
        sa.CheckConstraint("from_id <> into_id", name=op.f("ck_person_merge_two")),
        sa.ForeignKeyConstraint(["from_id"], ["person.id"], name="fk_person_merge_from_id"),
        sa.ForeignKeyConstraint(["into_id"], ["person.id"], name="fk_person_merge_into_id"),
        sa.ForeignKeyConstraint(["by_id"], ["person.id"], name="fk_person_merge_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_person_merge"),
        sa.UniqueConstraint("from_id", name="uq_person_merge_from_id"),
    )
    op.create_index("ix_person_merge_into_id", "person_merge", ["into_id"])
    op.create_index("ix_person_merge_by_id", "person_merge", ["by_id"])
    op.create_table(
        "platform_token",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("ends_at", INSTANT, nullable=True),
        sa.Column("renewed_at", INSTANT, nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(token IS NULL) = (ends_at IS NULL) AND (token IS NULL) = (renewed_at IS NULL)",
            name=op.f("ck_platform_token_token"),
        ),
        sa.PrimaryKeyConstraint("name", name="pk_platform_token"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    if op.get_bind().scalar(sa.text("SELECT EXISTS (SELECT FROM person WHERE state = 'MERGED')")):
        raise RuntimeError(
            "records were merged, and the revision before this one has no word for that: restore a backup"
        )
    for name in ("platform_token", "person_merge", "claim_try", "bound_phone", "login_code", "wechat_identity"):
        op.drop_table(name)
    op.drop_constraint(op.f("ck_person_state"), "person")
    op.create_check_constraint(op.f("ck_person_state"), "person", "state IN ('PRESENT', 'PSEUDONYM')")
