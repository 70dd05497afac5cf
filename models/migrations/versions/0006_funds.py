"""Funds: gifts, allocations, disbursements, the trace between them, and the double-entry ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NUMBERS = ("donation_no", "allocation_no", "disbursement_no", "ledger_txn_no")

OPENED = (
    """
    CREATE FUNCTION fund_opened() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = {here}, pg_temp AS $$
    BEGIN
        INSERT INTO fund_balance (fund_id, organization_id, balance_fen, restricted_fen, received_fen, spent_fen,
                                  refunded_fen, gift_count)
        VALUES (NEW.id, NEW.organization_id, 0, 0, 0, 0, 0, 0);
        INSERT INTO ledger_account (organization_id, fund_id, account, code, name, kind, restricted)
        SELECT NEW.organization_id, NEW.id, chart.*
        FROM (VALUES ('BANK', '1002', '银行存款', 'ASSET', false),
                     ('NET_UNRESTRICTED', '3101', '非限定性净资产', 'NET_ASSET', false),
                     ('NET_RESTRICTED', '3102', '限定性净资产', 'NET_ASSET', true),
                     ('INCOME_UNRESTRICTED', '410101', '捐赠收入（非限定性）', 'INCOME', false),
                     ('INCOME_RESTRICTED', '410102', '捐赠收入（限定性）', 'INCOME', true),
                     ('EXPENSE_CHARITY', '5101', '业务活动成本', 'EXPENSE', false),
                     ('EXPENSE_MGMT', '5201', '管理费用', 'EXPENSE', false),
                     ('EXPENSE_FUNDRAISING', '5301', '筹资费用', 'EXPENSE', false)) AS chart;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER fund_opened AFTER INSERT ON fund FOR EACH ROW EXECUTE FUNCTION fund_opened()",
)
"""A fund comes with its balance and its chart of accounts."""

ROLLED_UP = (
    """
    CREATE FUNCTION ledger_rolled_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = {here}, pg_temp AS $$
    DECLARE
        moved record;
    BEGIN
        IF EXISTS (SELECT FROM fresh e JOIN ledger_txn t ON t.id = e.txn_id
                   WHERE e.at <> t.at OR e.organization_id <> t.organization_id) THEN
            RAISE EXCEPTION 'an entry has the time and the foundation of its posting' USING ERRCODE = 'check_violation';
        END IF;
        FOR moved IN
            SELECT e.fund_id, e.organization_id, t.month,
                   coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'ASSET'), 0) AS cash,
                   coalesce(-sum(e.amount_fen) FILTER (WHERE a.restricted), 0) AS restricted,
                   coalesce(-sum(e.amount_fen) FILTER (WHERE a.kind = 'INCOME' AND t.kind <> 'REFUND'), 0) AS received,
                   coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'INCOME' AND t.kind = 'REFUND'), 0) AS refunded,
                   coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'EXPENSE'), 0) AS spent,
                   count(*) FILTER (WHERE a.account = 'BANK' AND t.kind = 'GIFT')
                   - count(*) FILTER (WHERE a.account = 'BANK' AND t.kind = 'GIFT_REVERSAL') AS gifts
            FROM fresh e JOIN ledger_txn t ON t.id = e.txn_id JOIN ledger_account a ON a.id = e.account_id
            GROUP BY e.fund_id, e.organization_id, t.month
            ORDER BY e.fund_id, t.month
        LOOP
            UPDATE fund_balance
            SET balance_fen = balance_fen + moved.cash, restricted_fen = restricted_fen + moved.restricted,
                received_fen = received_fen + moved.received, spent_fen = spent_fen + moved.spent,
                refunded_fen = refunded_fen + moved.refunded, gift_count = gift_count + moved.gifts
            WHERE fund_id = moved.fund_id;
            INSERT INTO fund_month (fund_id, month, organization_id, opening_fen, received_fen, spent_fen,
                                    refunded_fen, closing_fen, restricted_fen, gift_count)
            SELECT moved.fund_id, moved.month, moved.organization_id, coalesce(carried.closing_fen, 0), 0, 0, 0,
                   coalesce(carried.closing_fen, 0), coalesce(carried.restricted_fen, 0), 0
            FROM (VALUES (true)) AS always
            LEFT JOIN (SELECT closing_fen, restricted_fen FROM fund_month
                       WHERE fund_id = moved.fund_id AND month < moved.month
                       ORDER BY month DESC LIMIT 1) AS carried ON true
            ON CONFLICT (fund_id, month) DO NOTHING;
            UPDATE fund_month
            SET received_fen = received_fen + moved.received, spent_fen = spent_fen + moved.spent,
                refunded_fen = refunded_fen + moved.refunded, gift_count = gift_count + moved.gifts,
                closing_fen = closing_fen + moved.received - moved.spent - moved.refunded,
                restricted_fen = restricted_fen + moved.restricted
            WHERE fund_id = moved.fund_id AND month = moved.month;
            UPDATE fund_month
            SET opening_fen = opening_fen + moved.received - moved.spent - moved.refunded,
                closing_fen = closing_fen + moved.received - moved.spent - moved.refunded,
                restricted_fen = restricted_fen + moved.restricted
            WHERE fund_id = moved.fund_id AND month > moved.month;
        END LOOP;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER ledger_rolled_up AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION ledger_rolled_up()",
)
"""Balances and months move with the ledger, in its own transaction; their CHECKs keep every fund above zero (I14)."""

BALANCED = (
    """
    CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        posting uuid;
    BEGIN
        IF TG_TABLE_NAME = 'ledger_txn' THEN
            posting := NEW.id;
        ELSE
            posting := NEW.txn_id;
        END IF;
        IF (SELECT count(*) FROM ledger_entry WHERE txn_id = posting) < 2
           OR EXISTS (SELECT FROM ledger_entry WHERE txn_id = posting GROUP BY fund_id HAVING sum(amount_fen) <> 0) THEN
            RAISE EXCEPTION 'posting % does not balance', posting
                USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_balanced';
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_txn DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION ledger_balanced()",
    "CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION ledger_balanced()",
)
"""A posting has two entries at least, and sums to 0 within each fund (I14)."""

FOREVER = (
    """
    CREATE FUNCTION ledger_forever() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the ledger is only added to' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    *(
        f"CREATE TRIGGER {table}_forever BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION ledger_forever()"
        for table in ("ledger_account", "ledger_txn", "ledger_entry", "spend_trace")
    ),
)
"""What is posted is reversed, never edited: not even by the owner."""

FIXED = (
    """
    CREATE FUNCTION donation_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.amount_fen, NEW.fund_id, NEW.organization_id, NEW.donor_id, NEW.channel, NEW.external_txn, NEW.received_at)
           IS DISTINCT FROM
           (OLD.amount_fen, OLD.fund_id, OLD.organization_id, OLD.donor_id, OLD.channel, OLD.external_txn, OLD.received_at)
        THEN
            RAISE EXCEPTION 'a recorded gift is reversed, not edited' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER donation_fixed"
    " BEFORE UPDATE OF amount_fen, fund_id, organization_id, donor_id, channel, external_txn, received_at ON donation"
    " FOR EACH ROW EXECUTE FUNCTION donation_fixed()",
    """
    CREATE FUNCTION allocation_line_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'an allocation line keeps its gift and its amount' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER allocation_line_fixed BEFORE UPDATE OF allocation_id, donation_id, fund_id, amount_fen, position"
    " ON allocation_line FOR EACH ROW EXECUTE FUNCTION allocation_line_fixed()",
)
"""What a gift is, and which part of it an allocation holds, does not change."""

TRACED = (
    """
    CREATE FUNCTION category_within(code text, root text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN code IS NOT NULL AND (code = root OR starts_with(code, root || '.'))
    """,
    """
    CREATE FUNCTION spend_trace_admitted() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        payment disbursement;
        plan allocation;
        line allocation_line;
        gift donation;
        before spend_trace;
    BEGIN
        SELECT * INTO payment FROM disbursement WHERE id = NEW.disbursement_id;
        SELECT * INTO plan FROM allocation WHERE id = payment.allocation_id;
        SELECT * INTO line FROM allocation_line WHERE id = NEW.line_id;
        SELECT * INTO gift FROM donation WHERE id = NEW.donation_id;
        IF (line.allocation_id, line.donation_id, NEW.fund_id, NEW.organization_id, NEW.spending, NEW.category_code, NEW.area)
           IS DISTINCT FROM
           (plan.id, gift.id, gift.fund_id, gift.organization_id, plan.spending, plan.category_code, plan.area) THEN
            RAISE EXCEPTION 'a trace leads from a gift by its line to its payment' USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.reverses_id IS NOT NULL THEN
            SELECT * INTO before FROM spend_trace WHERE id = NEW.reverses_id;
            IF (before.line_id, before.disbursement_id, before.amount_fen)
               IS DISTINCT FROM (NEW.line_id, NEW.disbursement_id, -NEW.amount_fen) THEN
                RAISE EXCEPTION 'a trace is taken back whole' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END IF;
        IF NEW.on_day IS DISTINCT FROM timezone('Asia/Shanghai', payment.handed_at)::date THEN
            RAISE EXCEPTION 'a trace has the day on which its payment was handed to the bank' USING ERRCODE = 'check_violation';
        END IF;
        IF (gift.category_code IS NOT NULL AND NOT category_within(plan.category_code, gift.category_code))
           OR (gift.restricted_area IS NOT NULL AND NOT starts_with(plan.area, gift.restricted_area))
           OR NEW.on_day < gift.restricted_from OR NEW.on_day > gift.restricted_to THEN
            RAISE EXCEPTION 'gift % does not admit this purpose', gift.no
                USING ERRCODE = 'check_violation', CONSTRAINT = 'spend_trace_admitted';
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER spend_trace_admitted BEFORE INSERT ON spend_trace"
    " FOR EACH ROW EXECUTE FUNCTION spend_trace_admitted()",
    """
    CREATE FUNCTION spend_trace_counted() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE allocation_line l SET consumed_fen = consumed_fen + n.fen
        FROM (SELECT line_id, sum(amount_fen) AS fen FROM fresh GROUP BY line_id) n WHERE l.id = n.line_id;
        UPDATE donation d SET spent_fen = spent_fen + n.fen
        FROM (SELECT donation_id, sum(amount_fen) AS fen FROM fresh GROUP BY donation_id) n WHERE d.id = n.donation_id;
        UPDATE allocation a SET spent_fen = spent_fen + n.fen, committed_fen = committed_fen + least(n.fen, 0)
        FROM (SELECT p.allocation_id, sum(t.amount_fen) AS fen
              FROM fresh t JOIN disbursement p ON p.id = t.disbursement_id GROUP BY p.allocation_id) n
        WHERE a.id = n.allocation_id;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER spend_trace_counted AFTER INSERT ON spend_trace REFERENCING NEW TABLE AS fresh"
    " FOR EACH STATEMENT EXECUTE FUNCTION spend_trace_counted()",
)
"""Restricted money is spent inside its restriction (I15), and no gift more than once (I16: the counters' CHECKs)."""

NAMED = (
    """
    CREATE FUNCTION gift_public_name(gift uuid) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (SELECT public_name FROM donation WHERE id = gift)
    """,
)
"""Under what name a gift is published: for those who see what it paid for, and not the gift (I21)."""

FUNCTIONS = (
    "fund_opened()",
    "ledger_rolled_up()",
    "ledger_balanced()",
    "ledger_forever()",
    "donation_fixed()",
    "allocation_line_fixed()",
    "spend_trace_admitted()",
    "spend_trace_counted()",
    "category_within(text, text)",
)


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    here = op.get_bind().scalar(sa.text("SELECT quote_ident(current_schema())"))
    for number in NUMBERS:
        op.execute(f"CREATE SEQUENCE {number}")
    op.create_table(
        "donor",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("giver_organization_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE kind WHEN 'PERSON' THEN giver_organization_id IS NULL WHEN 'ORGANIZATION' THEN person_id IS NULL ELSE giver_organization_id IS NULL END",
            name=op.f("ck_donor_kind_who"),
        ),
        sa.CheckConstraint("kind IN ('PERSON', 'ORGANIZATION', 'ANONYMOUS')", name=op.f("ck_donor_kind")),
        sa.CheckConstraint("num_nonnulls(person_id, giver_organization_id) <= 1", name=op.f("ck_donor_who")),
        sa.ForeignKeyConstraint(
            ["giver_organization_id"], ["organization.id"], name=op.f("fk_donor_giver_organization_id")
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_donor_organization_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_donor_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donor")),
        sa.UniqueConstraint("id", "kind", name=op.f("uq_donor_id_kind")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_donor_id_organization_id")),
    )
    op.create_index(
        "ix_donor_organization_id_created_at_id", "donor", ["organization_id", "created_at", "id"], unique=False
    )
    op.create_index(
        "ix_donor_person_id", "donor", ["person_id"], unique=False, postgresql_where=sa.text("person_id IS NOT NULL")
    )
    op.create_index(
        "uq_donor_organization_id_giver_organization_id",
        "donor",
        ["organization_id", "giver_organization_id"],
        unique=True,
        postgresql_where=sa.text("giver_organization_id IS NOT NULL"),
    )
    op.create_index(
        "uq_donor_organization_id_person_id_kind",
        "donor",
        ["organization_id", "person_id", "kind"],
        unique=True,
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_table(
        "fund",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=True),
        sa.Column("restricted_area", sa.Text(), nullable=True),
        sa.Column("restricted_from", sa.Date(), nullable=True),
        sa.Column("restricted_to", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE kind WHEN 'PURPOSE' THEN category_code IS NOT NULL WHEN 'BENEFICIARY_AREA' THEN restricted_area IS NOT NULL WHEN 'TIME' THEN num_nonnulls(restricted_from, restricted_to) > 0 ELSE num_nonnulls(category_code, restricted_area, restricted_from, restricted_to) = 0 END",
            name=op.f("ck_fund_bound"),
        ),
        sa.CheckConstraint(
            "kind IN ('UNRESTRICTED', 'PURPOSE', 'TIME', 'BENEFICIARY_AREA')", name=op.f("ck_fund_kind")
        ),
        sa.CheckConstraint("restricted_from <= restricted_to", name=op.f("ck_fund_window")),
        sa.ForeignKeyConstraint(["category_code"], ["service_category.code"], name=op.f("fk_fund_category_code")),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_fund_created_by")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_fund_organization_id")),
        sa.ForeignKeyConstraint(["restricted_area"], ["division.code"], name=op.f("fk_fund_restricted_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund")),
        sa.UniqueConstraint("id", "organization_id", name=op.f("uq_fund_id_organization_id")),
        sa.UniqueConstraint("organization_id", "name", name=op.f("uq_fund_organization_id_name")),
    )
    op.create_index("ix_fund_created_at_id", "fund", ["created_at", "id"], unique=False)
    op.create_index("ix_fund_name_id", "fund", ["name", "id"], unique=False)
    op.create_table(
        "donation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no",
            sa.Text(),
            server_default=sa.text("'JZ' || lpad(nextval('donation_no')::text, 9, '0')"),
            nullable=False,
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("donor_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("external_txn", sa.Text(), nullable=True),
        sa.Column("received_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("designation", sa.Text(), nullable=True),
        sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=True),
        sa.Column("restricted_area", sa.Text(), nullable=True),
        sa.Column("restricted_from", sa.Date(), nullable=True),
        sa.Column("restricted_to", sa.Date(), nullable=True),
        sa.Column("breadth", sa.Integer(), nullable=False),
        sa.Column("publish_name", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("public_name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="RECEIVED", nullable=False),
        sa.Column("allocated_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "channel IN ('DESIGNATED_PLATFORM', 'OWN_SITE', 'OFFLINE_PUBLIC', 'TARGETED', 'CORPORATE', 'GRANT')",
            name=op.f("ck_donation_channel"),
        ),
        sa.CheckConstraint(
            "status <> 'REVERSED' OR allocated_fen + refunded_fen = 0", name=op.f("ck_donation_reversed")
        ),
        sa.CheckConstraint("status IN ('RECEIVED', 'REVERSED')", name=op.f("ck_donation_status")),
        sa.CheckConstraint(
            "allocated_fen >= 0 AND refunded_fen >= 0 AND allocated_fen + refunded_fen <= amount_fen",
            name=op.f("ck_donation_allocated"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_donation_amount")),
        sa.CheckConstraint(
            "restricted = (num_nonnulls(category_code, restricted_area, restricted_from, restricted_to) > 0)",
            name=op.f("ck_donation_restricted"),
        ),
        sa.CheckConstraint("restricted_from <= restricted_to", name=op.f("ck_donation_window")),
        sa.CheckConstraint("spent_fen BETWEEN 0 AND allocated_fen", name=op.f("ck_donation_spent")),
        sa.ForeignKeyConstraint(["category_code"], ["service_category.code"], name=op.f("fk_donation_category_code")),
        sa.ForeignKeyConstraint(
            ["donor_id", "organization_id"],
            ["donor.id", "donor.organization_id"],
            name=op.f("fk_donation_donor_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["fund_id", "organization_id"],
            ["fund.id", "fund.organization_id"],
            name=op.f("fk_donation_fund_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_donation_organization_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_donation_person_id")),
        sa.ForeignKeyConstraint(["recorded_by"], ["person.id"], name=op.f("fk_donation_recorded_by")),
        sa.ForeignKeyConstraint(["restricted_area"], ["division.code"], name=op.f("fk_donation_restricted_area")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_donation")),
        sa.UniqueConstraint("no", name=op.f("uq_donation_no")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_donation_amount_fen_id", "donation", ["organization_id", "amount_fen", "id"], unique=False)
    op.create_index("ix_donation_donor_id_received_at_id", "donation", ["donor_id", "received_at", "id"], unique=False)
    op.create_index(
        "ix_donation_free",
        "donation",
        ["organization_id", "breadth", "received_at", "id"],
        unique=False,
        postgresql_where=sa.text("amount_fen > allocated_fen + refunded_fen AND status = 'RECEIVED'"),
    )
    op.create_index(
        "ix_donation_fund_free",
        "donation",
        ["fund_id", "breadth", "received_at", "id"],
        unique=False,
        postgresql_where=sa.text("amount_fen > allocated_fen + refunded_fen AND status = 'RECEIVED'"),
    )
    op.create_index("ix_donation_fund_id_received_at_id", "donation", ["fund_id", "received_at", "id"], unique=False)
    op.create_index(
        "ix_donation_organization_id_received_at_id", "donation", ["organization_id", "received_at", "id"], unique=False
    )
    op.create_index(
        "ix_donation_person_id_received_at_id",
        "donation",
        ["person_id", "received_at", "id"],
        unique=False,
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_index("ix_donation_received_at_id", "donation", ["received_at", "id"], unique=False)
    op.create_index(
        "uq_donation_organization_id_channel_external_txn",
        "donation",
        ["organization_id", "channel", "external_txn"],
        unique=True,
        postgresql_where=sa.text("external_txn IS NOT NULL AND status <> 'REVERSED'"),
    )
    op.create_table(
        "donor_name",
        sa.Column("donor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.CheckConstraint("kind <> 'ANONYMOUS'", name=op.f("ck_donor_name_anonymous")),
        sa.ForeignKeyConstraint(
            ["donor_id", "kind"], ["donor.id", "donor.kind"], name=op.f("fk_donor_name_donor_id_kind")
        ),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_donor_name_organization_id")),
        sa.PrimaryKeyConstraint("donor_id", name=op.f("pk_donor_name")),
    )
    op.create_index(op.f("ix_donor_name_organization_id"), "donor_name", ["organization_id"], unique=False)
    op.create_table(
        "fund_balance",
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("restricted_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("gift_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("balance_fen = received_fen - spent_fen - refunded_fen", name=op.f("ck_fund_balance_whole")),
        sa.CheckConstraint("restricted_fen BETWEEN 0 AND balance_fen", name=op.f("ck_fund_balance_restricted")),
        sa.ForeignKeyConstraint(["fund_id"], ["fund.id"], name=op.f("fk_fund_balance_fund_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_fund_balance_organization_id")),
        sa.PrimaryKeyConstraint("fund_id", name=op.f("pk_fund_balance")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(op.f("ix_fund_balance_organization_id"), "fund_balance", ["organization_id"], unique=False)
    op.create_table(
        "fund_month",
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("opening_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), nullable=False),
        sa.Column("refunded_fen", sa.BigInteger(), nullable=False),
        sa.Column("closing_fen", sa.BigInteger(), nullable=False),
        sa.Column("restricted_fen", sa.BigInteger(), nullable=False),
        sa.Column("gift_count", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "closing_fen = opening_fen + received_fen - spent_fen - refunded_fen", name=op.f("ck_fund_month_whole")
        ),
        sa.CheckConstraint("closing_fen >= 0 AND opening_fen >= 0", name=op.f("ck_fund_month_closing")),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_fund_month_month")),
        sa.CheckConstraint("restricted_fen BETWEEN 0 AND closing_fen", name=op.f("ck_fund_month_restricted")),
        sa.ForeignKeyConstraint(["fund_id"], ["fund.id"], name=op.f("fk_fund_month_fund_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_fund_month_organization_id")),
        sa.PrimaryKeyConstraint("fund_id", "month", name=op.f("pk_fund_month")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_fund_month_organization_id_month", "fund_month", ["organization_id", "month"], unique=False)
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint(
            "account IN ('BANK', 'NET_UNRESTRICTED', 'NET_RESTRICTED', 'INCOME_UNRESTRICTED', 'INCOME_RESTRICTED', 'EXPENSE_CHARITY', 'EXPENSE_MGMT', 'EXPENSE_FUNDRAISING')",
            name=op.f("ck_ledger_account_account"),
        ),
        sa.CheckConstraint(
            "kind IN ('ASSET', 'LIABILITY', 'NET_ASSET', 'INCOME', 'EXPENSE')", name=op.f("ck_ledger_account_kind")
        ),
        sa.ForeignKeyConstraint(
            ["fund_id", "organization_id"],
            ["fund.id", "fund.organization_id"],
            name=op.f("fk_ledger_account_fund_id_organization_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_account")),
        sa.UniqueConstraint("fund_id", "account", name=op.f("uq_ledger_account_fund_id_account")),
        sa.UniqueConstraint("id", "fund_id", name=op.f("uq_ledger_account_id_fund_id")),
    )
    op.create_index(
        "ix_ledger_account_organization_id_code", "ledger_account", ["organization_id", "code"], unique=False
    )
    op.create_table(
        "allocation",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no",
            sa.Text(),
            server_default=sa.text("'BF' || lpad(nextval('allocation_no')::text, 9, '0')"),
            nullable=False,
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("spending", sa.Text(), server_default="CHARITY", nullable=False),
        sa.Column("category_code", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=True),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("committed_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(), server_default="DRAFT", nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requester_organization_id", sa.Uuid(), nullable=True),
        sa.Column("requested_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("submitted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(spending = 'CHARITY') = (category_code IS NOT NULL)", name=op.f("ck_allocation_category")),
        sa.CheckConstraint("spending IN ('CHARITY', 'MGMT', 'FUNDRAISING')", name=op.f("ck_allocation_spending")),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'SUBMITTED', 'APPROVED', 'ACTIVE', 'CLOSED', 'REJECTED')",
            name=op.f("ck_allocation_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('APPROVED', 'ACTIVE') OR approved_by IS NOT NULL", name=op.f("ck_allocation_approved")
        ),
        sa.CheckConstraint(
            "status NOT IN ('CLOSED', 'REJECTED') OR committed_fen = spent_fen", name=op.f("ck_allocation_closed")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_allocation_amount")),
        sa.CheckConstraint(
            "approved_by <> requested_by AND approved_by <> submitted_by", name=op.f("ck_allocation_hands")
        ),
        sa.CheckConstraint(
            "spent_fen >= 0 AND spent_fen <= committed_fen AND committed_fen <= amount_fen",
            name=op.f("ck_allocation_spent"),
        ),
        sa.ForeignKeyConstraint(["approved_by"], ["person.id"], name=op.f("fk_allocation_approved_by")),
        sa.ForeignKeyConstraint(["area"], ["division.code"], name=op.f("fk_allocation_area")),
        sa.ForeignKeyConstraint(["category_code"], ["service_category.code"], name=op.f("fk_allocation_category_code")),
        sa.ForeignKeyConstraint(
            ["fund_id", "organization_id"],
            ["fund.id", "fund.organization_id"],
            name=op.f("fk_allocation_fund_id_organization_id"),
        ),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name=op.f("fk_allocation_need_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_allocation_organization_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["person.id"], name=op.f("fk_allocation_requested_by")),
        sa.ForeignKeyConstraint(
            ["requester_organization_id"], ["organization.id"], name=op.f("fk_allocation_requester_organization_id")
        ),
        sa.ForeignKeyConstraint(["submitted_by"], ["person.id"], name=op.f("fk_allocation_submitted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation")),
        sa.UniqueConstraint("no", name=op.f("uq_allocation_no")),
    )
    op.create_index("ix_allocation_area", "allocation", ["area"], unique=False)
    op.create_index(
        "ix_allocation_fund_id",
        "allocation",
        ["fund_id"],
        unique=False,
        postgresql_where=sa.text("fund_id IS NOT NULL"),
    )
    op.create_index(
        "ix_allocation_need_id_requested_at_id",
        "allocation",
        ["need_id", "requested_at", "id"],
        unique=False,
        postgresql_where=sa.text("need_id IS NOT NULL"),
    )
    op.create_index(
        "ix_allocation_newest",
        "allocation",
        [sa.literal_column("requested_at DESC"), sa.literal_column("id DESC"), "status"],
        unique=False,
    )
    op.create_index(
        "ix_allocation_organization_amount", "allocation", ["organization_id", "amount_fen", "id"], unique=False
    )
    op.create_index(
        "ix_allocation_organization_newest",
        "allocation",
        ["organization_id", sa.literal_column("requested_at DESC"), sa.literal_column("id DESC"), "status"],
        unique=False,
    )
    op.create_index("ix_allocation_requested_by", "allocation", ["requested_by", "requested_at"], unique=False)
    op.create_index(
        op.f("ix_allocation_requester_organization_id"), "allocation", ["requester_organization_id"], unique=False
    )
    op.create_table(
        "allocation_line",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("donation_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("consumed_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_allocation_line_amount")),
        sa.CheckConstraint(
            "consumed_fen >= 0 AND returned_fen >= 0 AND consumed_fen + returned_fen <= amount_fen",
            name=op.f("ck_allocation_line_consumed"),
        ),
        sa.ForeignKeyConstraint(["allocation_id"], ["allocation.id"], name=op.f("fk_allocation_line_allocation_id")),
        sa.ForeignKeyConstraint(["donation_id"], ["donation.id"], name=op.f("fk_allocation_line_donation_id")),
        sa.ForeignKeyConstraint(["fund_id"], ["fund.id"], name=op.f("fk_allocation_line_fund_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allocation_line")),
        sa.UniqueConstraint("allocation_id", "donation_id", name=op.f("uq_allocation_line_allocation_id_donation_id")),
        sa.UniqueConstraint("allocation_id", "position", name=op.f("uq_allocation_line_allocation_id_position")),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_allocation_line_donation_id", "allocation_line", ["donation_id"], unique=False)
    op.create_table(
        "disbursement",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no",
            sa.Text(),
            server_default=sa.text("'ZC' || lpad(nextval('disbursement_no')::text, 9, '0')"),
            nullable=False,
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requester_organization_id", sa.Uuid(), nullable=True),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("spending", sa.Text(), nullable=False),
        sa.Column("needs_authoriser", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("payee_name", sa.Text(), nullable=True),
        sa.Column("payee_organization_id", sa.Uuid(), nullable=True),
        sa.Column("payee_resident_id", sa.Uuid(), nullable=True),
        sa.Column("payee_person_id", sa.Uuid(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="DRAFT", nullable=False),
        sa.Column("maker_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("checker_id", sa.Uuid(), nullable=True),
        sa.Column("checked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("authoriser_id", sa.Uuid(), nullable=True),
        sa.Column("authorised_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("handed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("bank_ref", sa.Text(), nullable=True),
        sa.Column("confirmation", sa.Text(), nullable=True),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        sa.Column("confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "authoriser_id IS NOT NULL OR NOT needs_authoriser OR status NOT IN ('PAYING', 'FAILED', 'PAID', 'RECEIVED_CONFIRMED', 'RECEIVED_WITH_ISSUES', 'NOT_RECEIVED', 'RETURNED')",
            name=op.f("ck_disbursement_authorised"),
        ),
        sa.CheckConstraint(
            "checker_id IS NOT NULL OR status NOT IN ('PAYING', 'FAILED', 'PAID', 'RECEIVED_CONFIRMED', 'RECEIVED_WITH_ISSUES', 'NOT_RECEIVED', 'RETURNED')",
            name=op.f("ck_disbursement_checked"),
        ),
        sa.CheckConstraint(
            "confirmation IN ('RECEIVED_CONFIRMED', 'RECEIVED_WITH_ISSUES', 'NOT_RECEIVED')",
            name=op.f("ck_disbursement_confirmation"),
        ),
        sa.CheckConstraint("spending IN ('CHARITY', 'MGMT', 'FUNDRAISING')", name=op.f("ck_disbursement_spending")),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'SUBMITTED', 'APPROVED', 'AUTHORISED', 'PAYING', 'FAILED', 'PAID', 'RECEIVED_CONFIRMED', 'RECEIVED_WITH_ISSUES', 'NOT_RECEIVED', 'RETURNED', 'REJECTED', 'CANCELLED', 'CLOSED')",
            name=op.f("ck_disbursement_status"),
        ),
        sa.CheckConstraint("(paid_at IS NULL) = (bank_ref IS NULL)", name=op.f("ck_disbursement_paid")),
        sa.CheckConstraint(
            "(payee_resident_id IS NULL) = (payee_person_id IS NULL)", name=op.f("ck_disbursement_payee_person")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_disbursement_amount")),
        sa.CheckConstraint(
            "checker_id <> maker_id AND authoriser_id <> maker_id AND authoriser_id <> checker_id",
            name=op.f("ck_disbursement_hands"),
        ),
        sa.CheckConstraint(
            "num_nonnulls(payee_name, payee_organization_id, payee_resident_id) = 1", name=op.f("ck_disbursement_payee")
        ),
        sa.CheckConstraint(
            "payee_person_id <> maker_id AND payee_person_id <> checker_id AND payee_person_id <> authoriser_id",
            name=op.f("ck_disbursement_payee_hands"),
        ),
        sa.ForeignKeyConstraint(["allocation_id"], ["allocation.id"], name=op.f("fk_disbursement_allocation_id")),
        sa.ForeignKeyConstraint(["authoriser_id"], ["person.id"], name=op.f("fk_disbursement_authoriser_id")),
        sa.ForeignKeyConstraint(["checker_id"], ["person.id"], name=op.f("fk_disbursement_checker_id")),
        sa.ForeignKeyConstraint(["confirmed_by"], ["person.id"], name=op.f("fk_disbursement_confirmed_by")),
        sa.ForeignKeyConstraint(["maker_id"], ["person.id"], name=op.f("fk_disbursement_maker_id")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_disbursement_organization_id")),
        sa.ForeignKeyConstraint(
            ["payee_organization_id"], ["organization.id"], name=op.f("fk_disbursement_payee_organization_id")
        ),
        sa.ForeignKeyConstraint(["payee_person_id"], ["person.id"], name=op.f("fk_disbursement_payee_person_id")),
        sa.ForeignKeyConstraint(["payee_resident_id"], ["resident.id"], name=op.f("fk_disbursement_payee_resident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disbursement")),
        sa.UniqueConstraint("no", name=op.f("uq_disbursement_no")),
    )
    op.create_index(
        "ix_disbursement_allocation_id_made_at_id", "disbursement", ["allocation_id", "made_at", "id"], unique=False
    )
    op.create_index("ix_disbursement_area", "disbursement", ["area"], unique=False)
    op.create_index(
        "ix_disbursement_newest",
        "disbursement",
        [sa.literal_column("made_at DESC"), sa.literal_column("id DESC"), "status"],
        unique=False,
    )
    op.create_index(
        "ix_disbursement_organization_newest",
        "disbursement",
        ["organization_id", sa.literal_column("made_at DESC"), sa.literal_column("id DESC"), "status"],
        unique=False,
    )
    op.create_index(
        "ix_disbursement_payee_organization_id",
        "disbursement",
        ["payee_organization_id", "made_at"],
        unique=False,
        postgresql_where=sa.text("payee_organization_id IS NOT NULL"),
    )
    op.create_index(
        "ix_disbursement_payee_person_id",
        "disbursement",
        ["payee_person_id", "made_at"],
        unique=False,
        postgresql_where=sa.text("payee_person_id IS NOT NULL"),
    )
    op.create_index("uq_disbursement_bank_ref", "disbursement", ["organization_id", "bank_ref"], unique=True)
    op.create_table(
        "ledger_txn",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no",
            sa.Text(),
            server_default=sa.text("'PZ' || lpad(nextval('ledger_txn_no')::text, 9, '0')"),
            nullable=False,
        ),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("donation_id", sa.Uuid(), nullable=True),
        sa.Column("disbursement_id", sa.Uuid(), nullable=True),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("made_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind IN ('GIFT_REVERSAL', 'SPENDING_RETURN')) = (reverses_id IS NOT NULL)",
            name=op.f("ck_ledger_txn_reverses"),
        ),
        sa.CheckConstraint(
            "(kind IN ('SPENDING', 'SPENDING_RETURN')) = (disbursement_id IS NOT NULL)",
            name=op.f("ck_ledger_txn_subject_kind"),
        ),
        sa.CheckConstraint(
            "kind IN ('GIFT', 'GIFT_REVERSAL', 'SPENDING', 'SPENDING_RETURN', 'REFUND')",
            name=op.f("ck_ledger_txn_kind"),
        ),
        sa.CheckConstraint(
            "month = date_trunc('month', timezone('Asia/Shanghai', at))::date", name=op.f("ck_ledger_txn_month")
        ),
        sa.CheckConstraint("num_nonnulls(donation_id, disbursement_id) = 1", name=op.f("ck_ledger_txn_subject")),
        sa.ForeignKeyConstraint(["disbursement_id"], ["disbursement.id"], name=op.f("fk_ledger_txn_disbursement_id")),
        sa.ForeignKeyConstraint(["donation_id"], ["donation.id"], name=op.f("fk_ledger_txn_donation_id")),
        sa.ForeignKeyConstraint(["made_by"], ["person.id"], name=op.f("fk_ledger_txn_made_by")),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name=op.f("fk_ledger_txn_organization_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["ledger_txn.id"], name=op.f("fk_ledger_txn_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_txn")),
        sa.UniqueConstraint("no", name=op.f("uq_ledger_txn_no")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_ledger_txn_reverses_id")),
    )
    op.create_index("ix_ledger_txn_donation_id", "ledger_txn", ["donation_id"], unique=False)
    op.create_index(
        "ix_ledger_txn_organization_newest",
        "ledger_txn",
        ["organization_id", sa.literal_column("at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "uq_ledger_txn_disbursement_id_kind",
        "ledger_txn",
        ["disbursement_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind IN ('SPENDING', 'SPENDING_RETURN')"),
    )
    op.create_index(
        "uq_ledger_txn_donation_id_kind",
        "ledger_txn",
        ["donation_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind IN ('GIFT', 'GIFT_REVERSAL')"),
    )
    op.create_table(
        "spend_trace",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("donation_id", sa.Uuid(), nullable=False),
        sa.Column("disbursement_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("reverses_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("spending", sa.Text(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("donor_person_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "amount_fen <> 0 AND (amount_fen < 0) = (reverses_id IS NOT NULL)", name=op.f("ck_spend_trace_amount")
        ),
        sa.ForeignKeyConstraint(["disbursement_id"], ["disbursement.id"], name=op.f("fk_spend_trace_disbursement_id")),
        sa.ForeignKeyConstraint(["donation_id"], ["donation.id"], name=op.f("fk_spend_trace_donation_id")),
        sa.ForeignKeyConstraint(["fund_id"], ["fund.id"], name=op.f("fk_spend_trace_fund_id")),
        sa.ForeignKeyConstraint(["line_id"], ["allocation_line.id"], name=op.f("fk_spend_trace_line_id")),
        sa.ForeignKeyConstraint(["reverses_id"], ["spend_trace.id"], name=op.f("fk_spend_trace_reverses_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_trace")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_spend_trace_reverses_id")),
    )
    op.create_index("ix_spend_trace_area", "spend_trace", ["area"], unique=False)
    op.create_index("ix_spend_trace_disbursement_id", "spend_trace", ["disbursement_id"], unique=False)
    op.create_index("ix_spend_trace_donation_id_at_id", "spend_trace", ["donation_id", "at", "id"], unique=False)
    op.create_index(
        "ix_spend_trace_donor_person_id_at_id",
        "spend_trace",
        ["donor_person_id", "at", "id"],
        unique=False,
        postgresql_where=sa.text("donor_person_id IS NOT NULL"),
    )
    op.create_index("ix_spend_trace_fund_id_on_day", "spend_trace", ["fund_id", "on_day"], unique=False)
    op.create_index("ix_spend_trace_line_id", "spend_trace", ["line_id"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("txn_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("fund_id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_ledger_entry_amount")),
        sa.ForeignKeyConstraint(
            ["account_id", "fund_id"],
            ["ledger_account.id", "ledger_account.fund_id"],
            name=op.f("fk_ledger_entry_account_id_fund_id"),
        ),
        sa.ForeignKeyConstraint(["txn_id"], ["ledger_txn.id"], name=op.f("fk_ledger_entry_txn_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entry")),
    )
    op.create_index("ix_ledger_entry_account_id_at_id", "ledger_entry", ["account_id", "at", "id"], unique=False)
    op.create_index("ix_ledger_entry_fund_id_at", "ledger_entry", ["fund_id", "at"], unique=False)
    op.create_index("ix_ledger_entry_txn_id", "ledger_entry", ["txn_id"], unique=False)

    for statement in (*OPENED, *ROLLED_UP, *BALANCED, *FOREVER, *FIXED, *TRACED, *NAMED):
        op.execute(statement.replace("{here}", str(here)))


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION gift_public_name(uuid)")
    op.drop_table("ledger_entry")
    op.drop_table("spend_trace")
    op.drop_table("ledger_txn")
    op.drop_table("disbursement")
    op.drop_table("allocation_line")
    op.drop_table("allocation")
    op.drop_table("ledger_account")
    op.drop_table("fund_month")
    op.drop_table("fund_balance")
    op.drop_table("donor_name")
    op.drop_table("donation")
    op.drop_table("fund")
    op.drop_table("donor")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    for number in NUMBERS:
        op.execute(f"DROP SEQUENCE {number}")
