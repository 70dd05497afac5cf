"""Declared interests; what needs say of people, and donors' names, are sealed; payments hold their lines at the bank."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models.events import Xid8
from models.vault import NO_ONE

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
EMPTY = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM need) OR EXISTS (SELECT FROM donor_name) OR EXISTS (SELECT FROM attendance) THEN
        RAISE EXCEPTION 'this migration seals personal data and carries none over: it needs a database without needs and gifts';
    END IF;
END $$
"""
BEFORE = ("SERVICE", "VISIT", "VERIFICATION", "COMPLAINT", "EMERGENCY")
DONORS = ("RECEIPT", "THANKS", "AUDIT")
SEALED = (
    ("need", "note"),
    ("need", "reason"),
    ("commitment", "comment"),
    ("commitment", "reason"),
    ("attendance", "reason"),
)

RELATED = (
    """
    CREATE FUNCTION related(one uuid, other uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN one IS NOT NULL AND other IS NOT NULL AND (
        EXISTS (SELECT FROM declared_interest d WHERE d.ended_at IS NULL AND d.person_id = one AND d.other_id = other)
        OR EXISTS (SELECT FROM declared_interest d WHERE d.ended_at IS NULL AND d.person_id = other AND d.other_id = one)
        OR EXISTS (SELECT FROM resident a JOIN resident b ON b.household = a.household
                   WHERE a.person_id = one AND b.person_id = other AND a.person_id <> b.person_id)
    )
    """,
    """
    CREATE FUNCTION interested(one uuid, organization uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN EXISTS (SELECT FROM declared_interest d
                   WHERE d.ended_at IS NULL AND d.person_id = one AND d.organization_id = interested.organization)
    """,
    """
    CREATE FUNCTION disbursement_unrelated() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        hand uuid;
    BEGIN
        FOREACH hand IN ARRAY ARRAY[NEW.maker_id, NEW.checker_id, NEW.authoriser_id] LOOP
            IF related(hand, NEW.payee_person_id) OR interested(hand, NEW.payee_organization_id) THEN
                RAISE EXCEPTION 'whoever makes, checks or authorises a payment has no interest in its payee'
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'disbursement_unrelated';
            END IF;
        END LOOP;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER disbursement_unrelated BEFORE INSERT OR UPDATE OF maker_id, checker_id, authoriser_id ON disbursement"
    " FOR EACH ROW EXECUTE FUNCTION disbursement_unrelated()",
    """
    CREATE FUNCTION hour_entry_unrelated() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF related(NEW.approved_by, NEW.volunteer_id) THEN
            RAISE EXCEPTION 'nobody answers for the hours of somebody he is close to'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'hour_entry_unrelated';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER hour_entry_unrelated BEFORE INSERT ON hour_entry"
    " FOR EACH ROW WHEN (NEW.approved_by IS NOT NULL) EXECUTE FUNCTION hour_entry_unrelated()",
)
"""Who is close to whom; and that nobody signs for those (I17)."""
APART = (
    """
    ALTER TABLE membership ADD CONSTRAINT ex_membership_signatures EXCLUDE USING gist (
        person_id WITH =,
        organization_id WITH =,
        role WITH <>,
        daterange(starts_on, ends_on, '[]') WITH &&
    ) WHERE (revoked_at IS NULL AND role IN ('FUND_MAKER', 'FUND_CHECKER', 'FUND_AUTHORISER'))
    """,
    """
    ALTER TABLE membership ADD CONSTRAINT ex_membership_administration EXCLUDE USING gist (
        person_id WITH =,
        (CASE role WHEN 'ADMIN' THEN 1 ELSE 0 END) WITH <>,
        daterange(starts_on, ends_on, '[]') WITH &&
    ) WHERE (revoked_at IS NULL AND role IN ('ADMIN', 'AUDITOR', 'COMMUNITY_STAFF', 'FUND_MAKER', 'FUND_CHECKER',
                                             'FUND_AUTHORISER', 'FUND_REPORTER'))
    """,
)
"""The capacities that nobody holds together: two signatures on one payment; administration, and what it administers."""


def purposes(values: tuple[str, ...]) -> None:
    """What a plain personal value may be read for, on each table that says so."""
    listed = ", ".join(f"'{v}'" for v in values)
    for table in ("contact_reveal", "pii_access", "break_glass"):
        op.drop_constraint(op.f(f"ck_{table}_purpose"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_purpose"), table, f"purpose IN ({listed})")


def person(name: str, table: str) -> None:
    op.add_column(table, sa.Column(name, sa.Uuid(), nullable=True))
    op.create_foreign_key(f"fk_{table}_{name}", table, "person", [name], ["id"])


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    op.create_table(
        "declared_interest",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("declared_at", AT, nullable=False),
        sa.Column("ended_at", AT, nullable=True),
        sa.CheckConstraint(
            "relation IN ('SPOUSE', 'PARENT', 'CHILD', 'SIBLING', 'OTHER_RELATIVE', 'EMPLOYMENT', 'OWNERSHIP', 'OTHER')",
            name=op.f("ck_declared_interest_relation"),
        ),
        sa.CheckConstraint("num_nonnulls(other_id, organization_id) = 1", name=op.f("ck_declared_interest_whose")),
        sa.CheckConstraint("other_id <> person_id", name=op.f("ck_declared_interest_two")),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= declared_at", name=op.f("ck_declared_interest_ever")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_declared_interest_person_id"),
        sa.ForeignKeyConstraint(["other_id"], ["person.id"], name="fk_declared_interest_other_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_declared_interest_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_declared_interest"),
    )
    op.create_index(
        "uq_declared_interest_live",
        "declared_interest",
        ["person_id", "other_id", "organization_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_declared_interest_other_id",
        "declared_interest",
        ["other_id"],
        postgresql_where=sa.text("other_id IS NOT NULL"),
    )
    op.create_index("ix_declared_interest_organization_id", "declared_interest", ["organization_id"])
    op.create_index("ix_declared_interest_declared_at_id", "declared_interest", ["declared_at", "id"])
    purposes((*BEFORE, *DONORS, "OTHER"))

    for table, column in SEALED:
        op.drop_column(table, column)
        op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
    for table in ("need", "commitment"):
        op.add_column(table, sa.Column("subject_id", sa.Uuid(), server_default=sa.text(f"'{NO_ONE}'"), nullable=False))
    person("verified_by", "need")
    person("assigned_to", "need")
    op.create_check_constraint(op.f("ck_need_second_person"), "need", "verified_by <> requester_id")
    op.create_index("ix_need_assigned_to", "need", ["assigned_to"], postgresql_where=sa.text("assigned_to IS NOT NULL"))
    person("reviewed_by", "offer")
    op.create_check_constraint(op.f("ck_offer_second_person"), "offer", "reviewed_by <> person_id")
    person("confirmed_by", "commitment")
    op.create_check_constraint(op.f("ck_commitment_second_person"), "commitment", "confirmed_by <> volunteer_person_id")
    op.add_column("commitment", sa.Column("open_until", AT, nullable=True))
    op.create_table(
        "need_foundation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", AT, nullable=False),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_need_foundation_need_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_need_foundation_organization_id"),
        sa.ForeignKeyConstraint(["asked_by"], ["person.id"], name="fk_need_foundation_asked_by"),
        sa.PrimaryKeyConstraint("id", name="pk_need_foundation"),
        sa.UniqueConstraint("need_id", "organization_id", name="uq_need_foundation_need_id_organization_id"),
    )
    op.create_index("ix_need_foundation_organization_id", "need_foundation", ["organization_id"])

    op.drop_constraint(op.f("ck_donor_name_anonymous"), "donor_name", type_="check")
    op.create_check_constraint(op.f("ck_donor_name_person"), "donor_name", "kind = 'PERSON'")
    op.drop_column("donor_name", "name")
    op.add_column("donor_name", sa.Column("name", sa.LargeBinary(), nullable=False))
    op.create_table(
        "donor_reveal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", AT, nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("donors", postgresql.ARRAY(sa.Uuid()), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "purpose IN (" + ", ".join(f"'{v}'" for v in (*BEFORE, *DONORS, "OTHER")) + ")",
            name=op.f("ck_donor_reveal_purpose"),
        ),
        sa.CheckConstraint("cardinality(donors) BETWEEN 1 AND 100", name=op.f("ck_donor_reveal_donors")),
        sa.ForeignKeyConstraint(["id"], ["contact_reveal.id"], name="fk_donor_reveal_id"),
        sa.ForeignKeyConstraint(["actor_id"], ["person.id"], name="fk_donor_reveal_actor_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_donor_reveal_organization_id"),
        sa.PrimaryKeyConstraint("id", name="pk_donor_reveal"),
    )
    op.create_index("ix_donor_reveal_organization_id_at", "donor_reveal", ["organization_id", "at"])
    op.create_index("ix_donor_reveal_actor_id_at", "donor_reveal", ["actor_id", "at"])
    op.execute(
        "CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON donor_reveal EXECUTE FUNCTION refuse_change()"
    )

    op.add_column(
        "allocation_line", sa.Column("held_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_constraint(op.f("ck_allocation_line_consumed"), "allocation_line", type_="check")
    op.create_check_constraint(
        op.f("ck_allocation_line_consumed"),
        "allocation_line",
        "consumed_fen >= 0 AND returned_fen >= 0 AND held_fen >= 0"
        " AND consumed_fen + returned_fen + held_fen <= amount_fen",
    )
    op.create_table(
        "disbursement_line",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("disbursement_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_disbursement_line_amount")),
        sa.ForeignKeyConstraint(["disbursement_id"], ["disbursement.id"], name="fk_disbursement_line_disbursement_id"),
        sa.ForeignKeyConstraint(["line_id"], ["allocation_line.id"], name="fk_disbursement_line_line_id"),
        sa.PrimaryKeyConstraint("id", name="pk_disbursement_line"),
        sa.UniqueConstraint("disbursement_id", "line_id", name="uq_disbursement_line_disbursement_id_line_id"),
    )
    op.create_index("ix_disbursement_line_line_id", "disbursement_line", ["line_id"])
    op.create_check_constraint(op.f("ck_disbursement_confirmed_by"), "disbursement", "confirmed_by <> maker_id")
    for statement in (*RELATED, *APART):
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(EMPTY)
    for name in ("signatures", "administration"):
        op.execute(f"ALTER TABLE membership DROP CONSTRAINT ex_membership_{name}")
    op.execute("DROP TRIGGER hour_entry_unrelated ON hour_entry")
    op.execute("DROP TRIGGER disbursement_unrelated ON disbursement")
    op.execute("DROP FUNCTION hour_entry_unrelated, disbursement_unrelated, interested, related")
    op.drop_constraint(op.f("ck_disbursement_confirmed_by"), "disbursement", type_="check")
    op.drop_table("disbursement_line")
    op.drop_constraint(op.f("ck_allocation_line_consumed"), "allocation_line", type_="check")
    op.drop_column("allocation_line", "held_fen")
    op.create_check_constraint(
        op.f("ck_allocation_line_consumed"),
        "allocation_line",
        "consumed_fen >= 0 AND returned_fen >= 0 AND consumed_fen + returned_fen <= amount_fen",
    )
    op.drop_table("donor_reveal")
    op.drop_column("donor_name", "name")
    op.add_column("donor_name", sa.Column("name", sa.Text(), nullable=False))
    op.drop_constraint(op.f("ck_donor_name_person"), "donor_name", type_="check")
    op.create_check_constraint(op.f("ck_donor_name_anonymous"), "donor_name", "kind <> 'ANONYMOUS'")
    op.drop_table("need_foundation")
    op.drop_constraint(op.f("ck_commitment_second_person"), "commitment", type_="check")
    op.drop_column("commitment", "open_until")
    op.drop_column("commitment", "confirmed_by")
    op.drop_constraint(op.f("ck_offer_second_person"), "offer", type_="check")
    op.drop_column("offer", "reviewed_by")
    op.drop_index("ix_need_assigned_to", "need")
    op.drop_constraint(op.f("ck_need_second_person"), "need", type_="check")
    op.drop_column("need", "assigned_to")
    op.drop_column("need", "verified_by")
    for table in ("need", "commitment"):
        op.drop_column(table, "subject_id")
    for table, column in SEALED:
        op.drop_column(table, column)
        op.add_column(table, sa.Column(column, sa.Text(), nullable=True))
    purposes((*BEFORE, "OTHER"))
    op.drop_table("declared_interest")
