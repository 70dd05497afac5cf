"""Matching rounds: what they propose, what they are worth, what they leave open; events of needs by community."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
ONE_AT_A_TIME = """
ALTER TABLE match_round ADD CONSTRAINT ex_match_round_area EXCLUDE USING gist (
    int8range(rpad(area, 15, '0')::bigint, rpad(area, 15, '9')::bigint, '[]') WITH &&
) WHERE (status IN ('QUEUED', 'RUNNING'))
"""
"""A unit's code begins the codes of all that lies in it, so units are ranges of numbers: they hold each other or are apart."""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SEQUENCE match_round_no")
    op.create_table(
        "match_figure",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("needs", sa.Integer(), nullable=False),
        sa.Column("served", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("helpers", sa.Integer(), nullable=False),
        sa.Column("busy_helpers", sa.Integer(), nullable=False),
        sa.Column("objective", sa.BigInteger(), nullable=False),
        sa.Column("mean_km", sa.REAL(), nullable=False),
        sa.Column("walkable", sa.REAL(), nullable=False),
        sa.Column("continuity", sa.REAL(), nullable=False),
        sa.Column("worst_district", sa.REAL(), nullable=False),
        sa.Column("seconds", sa.REAL(), nullable=False),
        sa.CheckConstraint(
            "area ~ '^([0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$'", name=op.f("ck_match_figure_area")
        ),
        sa.CheckConstraint("plan IN ('ROUND', 'GREEDY')", name=op.f("ck_match_figure_plan")),
        sa.CheckConstraint("helpers BETWEEN 0 AND wanted", name=op.f("ck_match_figure_helpers")),
        sa.CheckConstraint("served BETWEEN 0 AND needs", name=op.f("ck_match_figure_served")),
        sa.CheckConstraint(
            "walkable BETWEEN 0 AND 1 AND continuity BETWEEN 0 AND 1 AND worst_district BETWEEN 0 AND 1",
            name=op.f("ck_match_figure_shares"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_figure")),
    )
    op.create_table(
        "match_coverage",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("figure_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("needs", sa.Integer(), nullable=False),
        sa.Column("share", sa.REAL(), nullable=False),
        sa.CheckConstraint(
            "area ~ '^([0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$'", name=op.f("ck_match_coverage_area")
        ),
        sa.CheckConstraint("part IN ('PRIORITY', 'DISTRICT')", name=op.f("ck_match_coverage_part")),
        sa.CheckConstraint("share BETWEEN 0 AND 1", name=op.f("ck_match_coverage_share")),
        sa.ForeignKeyConstraint(["figure_id"], ["match_figure.id"], name=op.f("fk_match_coverage_figure_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_coverage")),
        sa.UniqueConstraint("figure_id", "part", "code", name=op.f("uq_match_coverage_figure_id_part_code")),
    )
    op.create_table(
        "match_round",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no",
            sa.Text(),
            server_default=sa.text("'LC' || lpad(nextval('match_round_no')::text, 9, '0')"),
            nullable=False,
        ),
        sa.Column("division_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("horizon_from", sa.Date(), nullable=False),
        sa.Column("horizon_to", sa.Date(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("fairness", sa.REAL(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("progress", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("heartbeat_at", AT, nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("weights_version", sa.Integer(), nullable=True),
        sa.Column("figures_id", sa.Uuid(), nullable=True),
        sa.Column("greedy_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("snapshot_at", AT, nullable=True),
        sa.Column("valid_until", AT, nullable=True),
        sa.Column("started_at", AT, nullable=True),
        sa.Column("ended_at", AT, nullable=True),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (status IN ('QUEUED', 'RUNNING', 'READY'))", name=op.f("ck_match_round_ended")
        ),
        sa.CheckConstraint("(failure IS NULL) = (status <> 'FAILED')", name=op.f("ck_match_round_failed")),
        sa.CheckConstraint(
            "(figures_id IS NOT NULL AND greedy_id IS NOT NULL) OR status NOT IN ('READY', 'CLOSED')",
            name=op.f("ck_match_round_planned"),
        ),
        sa.CheckConstraint(
            "area ~ '^([0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}|[0-9]{15})$'", name=op.f("ck_match_round_area")
        ),
        sa.CheckConstraint(
            "failure IN ('WORKER_LOST', 'SOLVER_FAILED', 'TOO_LARGE', 'DATABASE')", name=op.f("ck_match_round_failure")
        ),
        sa.CheckConstraint(
            "stage IN ('WAITING', 'GATHERING', 'SOLVING', 'WRITING', 'DONE')", name=op.f("ck_match_round_stage")
        ),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'READY', 'CLOSED', 'CANCELLED', 'FAILED')",
            name=op.f("ck_match_round_status"),
        ),
        sa.CheckConstraint("fairness BETWEEN 0 AND 1", name=op.f("ck_match_round_fairness")),
        sa.CheckConstraint("horizon_to - horizon_from BETWEEN 0 AND 13", name=op.f("ck_match_round_horizon")),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name=op.f("ck_match_round_progress")),
        sa.CheckConstraint("seconds BETWEEN 1 AND 600", name=op.f("ck_match_round_seconds")),
        sa.ForeignKeyConstraint(["division_id"], ["division.id"], name=op.f("fk_match_round_division_id")),
        sa.ForeignKeyConstraint(["figures_id"], ["match_figure.id"], name=op.f("fk_match_round_figures_id")),
        sa.ForeignKeyConstraint(["greedy_id"], ["match_figure.id"], name=op.f("fk_match_round_greedy_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["person.id"], name=op.f("fk_match_round_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_round")),
        sa.UniqueConstraint("no", name=op.f("uq_match_round_no")),
    )
    op.create_index(
        "ix_match_round_area_newest",
        "match_round",
        ["area", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_match_round_newest", "match_round", [sa.text("created_at DESC"), sa.text("id DESC"), "status"], unique=False
    )
    op.create_index(
        "ix_match_round_ready",
        "match_round",
        ["valid_until"],
        unique=False,
        postgresql_where=sa.text("status = 'READY'"),
    )
    op.create_index(
        "ix_match_round_under_way",
        "match_round",
        ["heartbeat_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('QUEUED', 'RUNNING')"),
    )
    op.create_table(
        "match_proposal",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("slot_from", AT, nullable=False),
        sa.Column("slot_to", AT, nullable=False),
        sa.Column("option", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("km", sa.REAL(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("points", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("wishes", sa.SmallInteger(), nullable=False),
        sa.Column("weights_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), server_default="OPEN", nullable=False),
        sa.Column("decline_reason", sa.Text(), nullable=True),
        sa.Column("commitment_id", sa.Uuid(), nullable=True),
        sa.Column("valid_until", AT, nullable=False),
        sa.Column("answered_at", AT, nullable=True),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("(answered_at IS NULL) = (status = 'OPEN')", name=op.f("ck_match_proposal_answered")),
        sa.CheckConstraint(
            "(commitment_id IS NOT NULL) = (status = 'ACCEPTED')", name=op.f("ck_match_proposal_accepted")
        ),
        sa.CheckConstraint(
            "(decline_reason IS NOT NULL) = (status = 'DECLINED')", name=op.f("ck_match_proposal_declined")
        ),
        sa.CheckConstraint("area ~ '^([0-9]{12}|[0-9]{15})$'", name=op.f("ck_match_proposal_area")),
        sa.CheckConstraint(
            "decline_reason IN ('NO_TIME', 'TOO_FAR', 'NOT_ABLE', 'ENOUGH', 'OTHER')",
            name=op.f("ck_match_proposal_decline_reason"),
        ),
        sa.CheckConstraint(
            "status IN ('OPEN', 'ACCEPTED', 'DECLINED', 'LAPSED', 'SUPERSEDED', 'WITHDRAWN')",
            name=op.f("ck_match_proposal_status"),
        ),
        sa.CheckConstraint("km >= 0", name=op.f("ck_match_proposal_km")),
        sa.CheckConstraint("num_nonnulls(organization_id, person_id) = 1", name=op.f("ck_match_proposal_provider")),
        sa.CheckConstraint("priority BETWEEN 1 AND 4", name=op.f("ck_match_proposal_priority")),
        sa.CheckConstraint("slot_from < slot_to", name=op.f("ck_match_proposal_slot")),
        sa.ForeignKeyConstraint(["commitment_id"], ["commitment.id"], name=op.f("fk_match_proposal_commitment_id")),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name=op.f("fk_match_proposal_need_id")),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name=op.f("fk_match_proposal_offer_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_match_proposal_organization_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_match_proposal_person_id")),
        sa.ForeignKeyConstraint(["round_id"], ["match_round.id"], name=op.f("fk_match_proposal_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_proposal")),
        sa.UniqueConstraint("commitment_id", name=op.f("uq_match_proposal_commitment_id")),
    )
    op.create_index(
        "ix_match_proposal_due",
        "match_proposal",
        ["valid_until"],
        unique=False,
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_index("ix_match_proposal_need_id", "match_proposal", ["need_id"], unique=False)
    op.create_index(
        "ix_match_proposal_newest", "match_proposal", [sa.text("created_at DESC"), sa.text("id DESC")], unique=False
    )
    op.create_index(
        "ix_match_proposal_organization_newest",
        "match_proposal",
        ["organization_id", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    op.create_index(
        "ix_match_proposal_person_newest",
        "match_proposal",
        ["person_id", sa.text("created_at DESC"), sa.text("id DESC")],
        unique=False,
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_index(
        "ix_match_proposal_round",
        "match_proposal",
        ["round_id", sa.text("priority DESC"), sa.text("score DESC"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_match_proposal_scope_newest",
        "match_proposal",
        [sa.text('"left"(area, 12)'), sa.text("created_at DESC"), sa.text("id DESC"), "status"],
        unique=False,
    )
    op.create_index(
        "uq_match_proposal_open",
        "match_proposal",
        ["need_id", "offer_id", "organization_id", "person_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("status = 'OPEN'"),
    )
    op.create_table(
        "match_open",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("area ~ '^([0-9]{12}|[0-9]{15})$'", name=op.f("ck_match_open_area")),
        sa.CheckConstraint(
            "reason IN ('NOBODY_IN_REACH', 'NO_SKILL', 'NO_CERTIFICATE', 'GENDER', 'LANGUAGE', 'NO_TIME', 'TOO_FEW', 'ALL_TAKEN', 'NOT_IN_HORIZON', 'NOT_AUTOMATIC')",
            name=op.f("ck_match_open_reason"),
        ),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name=op.f("fk_match_open_need_id")),
        sa.ForeignKeyConstraint(["round_id"], ["match_round.id"], name=op.f("fk_match_open_round_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_open")),
        sa.UniqueConstraint("round_id", "need_id", name=op.f("uq_match_open_round_id_need_id")),
    )
    op.create_index("ix_match_open_need_id", "match_open", ["need_id"], unique=False)
    op.create_index("ix_match_open_round_reason", "match_open", ["round_id", "reason", "id"], unique=False)
    op.execute(ONE_AT_A_TIME)
    of_round = "(data ->> 'round'::text)"
    only = sa.text(f"{of_round} IS NOT NULL")
    op.create_index("ix_event_of_round", "event", [sa.text(of_round), "xid", "id"], postgresql_where=only)
    op.create_index(
        "ix_event_need_scope",
        "event",
        [sa.text('"left"(area, 12)'), "xid", "id"],
        postgresql_where=sa.text("\"left\"(topic, 5) = 'need.'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_event_need_scope", "event")
    op.drop_index("ix_event_of_round", "event")
    for table in ("match_open", "match_proposal", "match_round", "match_coverage", "match_figure"):
        op.drop_table(table)
    op.execute("DROP SEQUENCE match_round_no")
