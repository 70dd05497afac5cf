"""Consents and their texts, guardians, and the requests of data subjects; who does not wish to be matched or shared."""

from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
PURPOSES = "'PRIVACY_POLICY', 'MATCHING', 'CONTACT_SHARING', 'SENSITIVE_CARE', 'PUBLICITY'"
SINCE = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))
VERSION = "2026-01"
TEXTS = (
    (
        "PRIVACY_POLICY",
        "隐私政策",
        True,
        "五社联动平台由您所在城市的民政部门主办。为登记居民和志愿者、受理需求、安排服务、记录时长和公示善款，平台处理您的姓名、"
        "手机号、住址、出生日期和服务记录；证件号码只在核实身份时由社区工作人员录入。上述信息加密保存在中国境内，页面上以掩码显示，"
        "工作人员每次查看明文都会留下您可查阅的记录。您可以随时查阅、复制、更正、删除个人信息，限制其使用，或撤回任一项同意；撤回不影响"
        "此前已进行的处理。注销后，时长、捐赠和收支等依法应保存的账目以匿名方式保留。未满十四周岁的，由监护人确认。",
    ),
    (
        "MATCHING",
        "自动推荐与候选名单",
        False,
        "平台按服务类别、时间和社区，自动把您的需求列入可能帮到您的服务方的推荐中，或把您作为志愿者列入候选名单。推荐只显示姓氏、"
        "服务类别和社区，不显示住址和电话，并说明推荐的理由；是否对接由社区工作人员确认。您可以不同意或随时撤回：撤回后您不再出现在"
        "任何推荐和候选名单中，社区工作人员仍可为您人工对接。",
    ),
    (
        "CONTACT_SHARING",
        "向服务方提供联系方式",
        False,
        "对接经社区确认后，为您服务的组织或志愿者可查看您的姓名、电话和住址，用于上门或联系，期限到服务结束后二十四小时为止。"
        "每次查看都会记录查看人、时间和用途，您可以随时查阅。您可以不同意或随时撤回：撤回后服务方不能再查看，由社区工作人员代为联系。",
    ),
    (
        "SENSITIVE_CARE",
        "健康与困难情况",
        False,
        "为安排走访关爱和合适的服务，社区登记您是否独居、失能、重残、低收入等情况及相关说明。这些属于敏感个人信息，泄露可能使您受到"
        "歧视或人身、财产受到危害，因此单独加密，只有您本人和本社区的社区工作人员、社会工作者可以查看，其他人只见统计数字。"
        "不提供不影响您提出需求。您可以随时撤回：撤回后已登记的内容即被清除。",
    ),
    (
        "PUBLICITY",
        "公开姓名",
        False,
        "您捐赠时选择公开姓名的，平台在捐赠公示中显示您的姓名。您可以随时撤回：撤回后，您在本平台的所有捐赠在公示中不再显示姓名，"
        "金额和用途照常公示。",
    ),
)

LOCKED = """
CREATE OR REPLACE FUNCTION attendance_locked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT status FROM service_session WHERE id = OLD.session_id) = 'LOCKED' THEN
        IF TG_OP = 'UPDATE' AND OLD.status IN ('CONFIRMED', 'REVERSED') AND NEW.status IN ('CONFIRMED', 'REVERSED')
           AND to_jsonb(OLD) - ARRAY['status', 'credited_minutes'] = to_jsonb(NEW) - ARRAY['status', 'credited_minutes']
        THEN
            RETURN NEW;  -- a correction, which the ledger books into the open period
        END IF;{besides}
        RAISE EXCEPTION 'a locked session does not change' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
"""
FORGET = """
        IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'reason' = to_jsonb(NEW) - 'reason' AND (
            NEW.reason IS NULL
            OR pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
        ) THEN
            RETURN NEW;  -- an erasure: what is counted of the volunteer stays; or the owner's, who seals it by a new key
        END IF;"""

REFUSED = """
CREATE FUNCTION matching_refused(of uuid, by uuid, at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    -- whoever is born later may be under 14
    young date := ((at AT TIME ZONE 'Asia/Shanghai')::date - interval '14 years 3 days')::date;
BEGIN
    RETURN EXISTS (
            SELECT FROM resident r JOIN person p ON p.id = r.person_id
            WHERE r.id = of AND (r.no_matching OR p.birth_date > young AND consent_missing(p.id, 'MATCHING', at))
        ) OR by IS NOT NULL AND EXISTS (
            SELECT FROM volunteer WHERE person_id = by AND (no_matching OR consent_missing(person_id, 'MATCHING', at))
        );
END $$
"""
"""Whether a resident, or a volunteer by his person, may not be matched: whoever looks, and whatever he sees."""

MISSING = """
CREATE FUNCTION consent_missing(of uuid, wanted text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM person
        WHERE id = of AND birth_date + interval '14 years' > (at AT TIME ZONE 'Asia/Shanghai')::date
    ) AND NOT EXISTS (
        SELECT FROM consent
        WHERE person_id = of AND purpose = wanted AND state = 'GIVEN' AND guardian_id IS NOT NULL
    );
END $$
"""
"""Whether somebody is under 14 and no guardian has agreed to a use of his data (PIPL art. 28, 31)."""

PRESENT = """
CREATE FUNCTION person_present() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM person WHERE id = NEW.person_id AND state = 'PRESENT' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'of who was erased or merged nothing is written' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$
"""
"""Waits for an erasure that goes on: the reference alone would be content with the pseudonym's row."""
PLAIN = ("person_name", "person_contact", "person_identity")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    flag: dict[str, Any] = {"server_default": sa.text("false"), "nullable": False}
    op.add_column("person", sa.Column("no_sharing", sa.Boolean(), **flag))
    op.add_column("contact_grant", sa.Column("for_staff", sa.Boolean(), **flag))
    op.add_column("resident", sa.Column("no_matching", sa.Boolean(), **flag))
    op.add_column("resident", sa.Column("no_care", sa.Boolean(), **flag))
    op.execute(LOCKED.format(besides=FORGET))
    op.execute(MISSING)
    op.execute(REFUSED)
    op.execute(PRESENT)
    for name in PLAIN:
        op.execute(
            f"CREATE TRIGGER {name}_present BEFORE INSERT OR UPDATE OF person_id ON {name}"
            " FOR EACH ROW EXECUTE FUNCTION person_present()"
        )
    _fields("'NAME', 'PHONE', 'ADDRESS', 'ID_NUMBER', 'BIRTH_DATE'")
    texts = op.create_table(
        "consent_text",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("required", sa.Boolean(), **flag),
        sa.Column("since", INSTANT, nullable=False),
        sa.CheckConstraint(f"purpose IN ({PURPOSES})", name=op.f("ck_consent_text_purpose")),
        sa.PrimaryKeyConstraint("id", name="pk_consent_text"),
        sa.UniqueConstraint("purpose", "version", name="uq_consent_text_purpose_version"),
        sa.UniqueConstraint("purpose", "since", name="uq_consent_text_purpose_since"),
    )
    op.bulk_insert(
        texts,
        [
            {"purpose": purpose, "version": VERSION, "title": title, "text": text, "required": required, "since": SINCE}
            for purpose, title, required, text in TEXTS
        ],
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("given_at", INSTANT, nullable=True),
        sa.Column("guardian_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(f"purpose IN ({PURPOSES})", name=op.f("ck_consent_purpose")),
        sa.CheckConstraint(
            "state IN ('WAITING_COSIGN', 'GIVEN', 'REPLACED', 'WITHDRAWN')", name=op.f("ck_consent_state")
        ),
        sa.CheckConstraint("state <> 'GIVEN' OR given_at IS NOT NULL", name=op.f("ck_consent_given")),
        sa.CheckConstraint(
            "(state IN ('WITHDRAWN', 'REPLACED')) = (ended_at IS NOT NULL)", name=op.f("ck_consent_ended")
        ),
        sa.CheckConstraint("guardian_id <> person_id", name=op.f("ck_consent_two")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_consent_person_id"),
        sa.ForeignKeyConstraint(["guardian_id"], ["person.id"], name="fk_consent_guardian_id"),
        sa.ForeignKeyConstraint(["ended_by"], ["person.id"], name="fk_consent_ended_by"),
        sa.ForeignKeyConstraint(
            ["purpose", "version"], ["consent_text.purpose", "consent_text.version"], name="fk_consent_purpose"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
    )
    op.create_index("ix_consent_guardian_id", "consent", ["guardian_id"])
    op.create_index("ix_consent_person_id_asked_at", "consent", ["person_id", "asked_at"])
    op.create_index(
        "uq_consent_person_id_purpose_state",
        "consent",
        ["person_id", "purpose", "state"],
        unique=True,
        postgresql_where=sa.text("state IN ('WAITING_COSIGN', 'GIVEN')"),
    )
    op.create_table(
        "guardianship",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("minor_id", sa.Uuid(), nullable=False),
        sa.Column("guardian_id", sa.Uuid(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("verified_by", sa.Uuid(), nullable=True),
        sa.Column("verified_at", INSTANT, nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "relation IN ('PARENT', 'GRANDPARENT', 'SIBLING', 'OTHER')", name=op.f("ck_guardianship_relation")
        ),
        sa.CheckConstraint(
            "evidence IN ('HOUSEHOLD_REGISTER', 'BIRTH_CERTIFICATE', 'COMMITTEE_DESIGNATION', 'COURT_DECISION')",
            name=op.f("ck_guardianship_evidence"),
        ),
        sa.CheckConstraint("guardian_id <> minor_id", name=op.f("ck_guardianship_two")),
        sa.CheckConstraint(
            "verified_by <> guardian_id AND verified_by <> minor_id", name=op.f("ck_guardianship_by_another")
        ),
        sa.CheckConstraint("verified_by <> recorded_by", name=op.f("ck_guardianship_two_hands")),
        sa.CheckConstraint("(verified_by IS NULL) = (verified_at IS NULL)", name=op.f("ck_guardianship_verified")),
        sa.CheckConstraint("(ended_by IS NULL) = (ended_at IS NULL)", name=op.f("ck_guardianship_ended")),
        *(
            sa.ForeignKeyConstraint([name], ["person.id"], name=f"fk_guardianship_{name}")
            for name in ("minor_id", "guardian_id", "recorded_by", "verified_by", "ended_by")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_guardianship"),
    )
    op.create_index("ix_guardianship_area", "guardianship", ["area"])
    op.create_index("ix_guardianship_guardian_id", "guardianship", ["guardian_id"])
    op.create_index(
        "uq_guardianship_minor_id_guardian_id",
        "guardianship",
        ["minor_id", "guardian_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "subject_request",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("cosigned_by", sa.Uuid(), nullable=True),
        sa.Column("cosigned_at", INSTANT, nullable=True),
        sa.Column("handled_by", sa.Uuid(), nullable=True),
        sa.Column("handled_at", INSTANT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cancel_open", sa.Boolean(), **flag),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=True),
        sa.Column("kept", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.CheckConstraint(
            "kind IN ('ACCESS', 'EXPORT', 'CORRECT', 'DELETE', 'RESTRICT')", name=op.f("ck_subject_request_kind")
        ),
        sa.CheckConstraint(
            "state IN ('WAITING_COSIGN', 'RECEIVED', 'IN_PROGRESS', 'DONE', 'REFUSED', 'WITHDRAWN')",
            name=op.f("ck_subject_request_state"),
        ),
        sa.CheckConstraint("state <> 'REFUSED' OR reason IS NOT NULL", name=op.f("ck_subject_request_refused")),
        sa.CheckConstraint(
            "(state IN ('DONE', 'REFUSED', 'WITHDRAWN')) = (handled_at IS NOT NULL)",
            name=op.f("ck_subject_request_handled"),
        ),
        sa.CheckConstraint(
            "kind IN ('ACCESS', 'EXPORT') OR num_nonnulls(expires_at, size_bytes) = 0",
            name=op.f("ck_subject_request_file"),
        ),
        *(
            sa.ForeignKeyConstraint([name], ["person.id"], name=f"fk_subject_request_{name}")
            for name in ("person_id", "made_by", "cosigned_by", "handled_by")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_subject_request"),
    )
    op.create_index("ix_subject_request_due_at_id", "subject_request", ["due_at", "id"])
    op.create_index(
        "ix_subject_request_person_id_received_at_id", "subject_request", ["person_id", "received_at", "id"]
    )
    still = sa.text("state IN ('WAITING_COSIGN', 'RECEIVED', 'IN_PROGRESS')")
    op.create_index(
        "ix_subject_request_area_due_at_id", "subject_request", ["area", "due_at", "id"], postgresql_where=still
    )
    op.create_index(
        "uq_subject_request_person_id_kind",
        "subject_request",
        ["person_id", "kind"],
        unique=True,
        postgresql_where=still,
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("proposed", sa.LargeBinary(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "field IN ('NAME', 'PHONE', 'ADDRESS', 'GENDER', 'BIRTH_DATE', 'ID_NUMBER')",
            name=op.f("ck_correction_field"),
        ),
        sa.ForeignKeyConstraint(["request_id"], ["subject_request.id"], name="fk_correction_request_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_correction_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_correction"),
        sa.UniqueConstraint("request_id", "field", name="uq_correction_request_id_field"),
    )
    op.create_index("ix_correction_person_id", "correction", ["person_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name in ("correction", "subject_request", "guardianship", "consent", "consent_text"):
        op.drop_table(name)
    op.execute("DROP FUNCTION matching_refused")
    op.execute("DROP FUNCTION consent_missing")
    for name in PLAIN:
        op.execute(f"DROP TRIGGER {name}_present ON {name}")
    op.execute("DROP FUNCTION person_present")
    _fields("'NAME', 'PHONE', 'ADDRESS', 'ID_NUMBER'")
    op.execute(LOCKED.format(besides=""))
    op.drop_column("resident", "no_care")
    op.drop_column("resident", "no_matching")
    op.drop_column("contact_grant", "for_staff")
    op.drop_column("person", "no_sharing")


def _fields(listed: str) -> None:
    """Which fields a reading of plain data may name."""
    op.drop_constraint(op.f("ck_pii_access_fields"), "pii_access")
    op.create_check_constraint(
        op.f("ck_pii_access_fields"), "pii_access", f"fields <@ ARRAY[{listed}]::text[] AND cardinality(fields) > 0"
    )
