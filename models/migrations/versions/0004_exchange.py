"""The marketplace: categories, needs, offers, commitments, bookings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CATEGORIES = """
ELDERLY 为老服务 weilaofuwu
ELDERLY.ESCORT 陪诊 peizhen
ELDERLY.MEALS 助餐 zhucan
ELDERLY.BATHING 助浴 zhuyu
ELDERLY.CLEANING 助洁 zhujie
ELDERLY.ERRANDS 代办跑腿 daibanpaotui
ELDERLY.COMPANY 陪伴探访 peibantanfang
ELDERLY.HAIRCUT 上门理发 shangmenlifa
ELDERLY.PHONES 智能手机教学 zhinengshoujijiaoxue
DISABLED 助残服务 zhucanfuwu
DISABLED.ESCORT 陪同出行 peitongchuxing
DISABLED.REHAB 康复辅导 kangfufudao
DISABLED.SIGN 手语翻译 shouyufanyi
DISABLED.AIDS 辅具借用 fujujieyong
DISABLED.CARE 居家照料 jujiazhaoliao
CHILDCARE 托幼服务 tuoyoufuwu
CHILDCARE.AFTER_SCHOOL 课后托管 kehoutuoguan
CHILDCARE.HOLIDAY 假期看护 jiaqikanhu
CHILDCARE.READING 亲子阅读 qinziyuedu
POVERTY 济困帮扶 jikunbangfu
POVERTY.MATERIALS 物资帮扶 wuzibangfu
POVERTY.LIVING_AID 生活救助 shenghuojiuzhu
POVERTY.HEATING 取暖救助 qunuanjiuzhu
EMPLOYMENT 就业帮扶 jiuyebangfu
EMPLOYMENT.GUIDANCE 求职指导 qiuzhizhidao
EMPLOYMENT.POSTS 岗位推荐 gangweituijian
EMPLOYMENT.SKILLS 技能培训 jinengpeixun
HEALTH 健康服务 jiankangfuwu
HEALTH.SCREENING 义诊筛查 yizhenshaicha
HEALTH.LECTURES 健康讲堂 jiankangjiangtang
HEALTH.COUNSELLING 心理疏导 xinlishudao
HEALTH.TCM 中医药服务 zhongyiyaofuwu
EDUCATION 教育服务 jiaoyufuwu
EDUCATION.TUTORING 学业辅导 xueyefudao
EDUCATION.COURSES 送课进社区 songkejinshequ
CULTURE 文化体育 wenhuatiyu
CULTURE.PERFORMANCE 文艺演出 wenyiyanchu
CULTURE.CRAFTS 非遗手工 feiyishougong
CULTURE.SPORTS 健身活动 jianshenhuodong
SAFETY 平安建设 pinganjianshe
SAFETY.PATROL 邻里巡防 linlixunfang
SAFETY.FIRE 消防排查 xiaofangpaicha
SAFETY.REPAIRS 安全维修 anquanweixiu
MEDIATION 矛盾调解 maoduntiaojie
MEDIATION.NEIGHBOURS 邻里调解 linlitiaojie
MEDIATION.FAMILY 家庭调解 jiatingtiaojie
MEDIATION.LEGAL 法律咨询 falvzixun
"""


def _categories() -> None:
    """The tree of service categories, parents first."""
    insert = sa.text(
        "INSERT INTO service_category (code, name, pinyin, parent_id, place)"
        " VALUES (:code, :name, :pinyin, (SELECT id FROM service_category WHERE code = :parent), :place)"
    )
    for place, line in enumerate(CATEGORIES.split("\n")[1:-1], 1):
        code, name, pinyin = line.split()
        parent = code.rpartition(".")[0] or None
        op.execute(insert.bindparams(code=code, name=name, pinyin=pinyin, parent=parent, place=place))


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("CREATE SEQUENCE need_no")
    op.execute("CREATE SEQUENCE offer_no")
    op.create_table(
        "service_category",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(parent_id IS NULL) = (position('.' in code) = 0)", name=op.f("ck_service_category_parent")
        ),
        sa.CheckConstraint("code ~ '^[A-Z][A-Z_]*(\\.[A-Z][A-Z_]*)?$'", name=op.f("ck_service_category_code")),
        sa.ForeignKeyConstraint(["parent_id"], ["service_category.id"], name="fk_service_category_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_service_category"),
        sa.UniqueConstraint("code", name="uq_service_category_code"),
    )
    op.create_index("ix_service_category_parent_id_place", "service_category", ["parent_id", "place"])
    _categories()
    op.create_table(
        "need",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no", sa.Text(), server_default=sa.text("'XQ' || lpad(nextval('need_no')::text, 9, '0')"), nullable=False
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("beneficiary_id", sa.Uuid(), nullable=True),
        sa.Column("household", sa.Text(), nullable=True),
        sa.Column("requester_id", sa.Uuid(), nullable=False),
        sa.Column("submitted_via", sa.Text(), nullable=False),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("grid_id", sa.Uuid(), nullable=True),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("qty_total", sa.Integer(), nullable=False),
        sa.Column("qty_committed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("qty_delivered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("window_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("window_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answer_due_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("urgency", sa.Integer(), server_default=sa.text("2"), nullable=False),
        sa.Column("sensitivity", sa.Text(), server_default="NORMAL", nullable=False),
        sa.Column("gender_preference", sa.Text(), server_default="ANY", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("referred_to", sa.Text(), nullable=True),
        sa.Column("reopened", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("opened_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("area ~ '^([0-9]{12}|[0-9]{15})$'", name=op.f("ck_need_area")),
        sa.CheckConstraint("gender_preference IN ('ANY', 'FEMALE', 'MALE')", name=op.f("ck_need_gender_preference")),
        sa.CheckConstraint(
            "kind IN ('SERVICE', 'GOODS', 'CASH_AID', 'VENUE', 'JOB', 'LIVELIHOOD_ITEM')", name=op.f("ck_need_kind")
        ),
        sa.CheckConstraint("sensitivity IN ('NORMAL', 'RESTRICTED')", name=op.f("ck_need_sensitivity")),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'SUBMITTED', 'VERIFIED', 'OPEN', 'IN_PROGRESS', 'DELIVERED', 'CLOSED', 'REOPENED', 'REJECTED', 'REFERRED', 'CANCELLED', 'EXPIRED')",
            name=op.f("ck_need_status"),
        ),
        sa.CheckConstraint(
            "submitted_via IN ('ONLINE', 'COUNTER', 'PHONE', 'GRID', 'VISIT')", name=op.f("ck_need_submitted_via")
        ),
        sa.CheckConstraint(
            "unit IN ('HELPER', 'VISIT', 'SESSION', 'HOUR', 'PIECE', 'SET', 'HOUSEHOLD', 'POST', 'ITEM')",
            name=op.f("ck_need_unit"),
        ),
        sa.CheckConstraint(
            "(window_from IS NULL) = (window_to IS NULL) AND window_from < window_to", name=op.f("ck_need_window")
        ),
        sa.CheckConstraint("qty_committed BETWEEN 0 AND qty_total", name=op.f("ck_need_committed")),
        sa.CheckConstraint("qty_delivered BETWEEN 0 AND qty_committed", name=op.f("ck_need_delivered")),
        sa.CheckConstraint("qty_total BETWEEN 1 AND 1000000", name=op.f("ck_need_quantity")),
        sa.CheckConstraint("urgency BETWEEN 1 AND 4", name=op.f("ck_need_urgency")),
        sa.ForeignKeyConstraint(["beneficiary_id"], ["resident.id"], name="fk_need_beneficiary_id"),
        sa.ForeignKeyConstraint(["category_id"], ["service_category.id"], name="fk_need_category_id"),
        sa.ForeignKeyConstraint(["community_id"], ["division.id"], name="fk_need_community_id"),
        sa.ForeignKeyConstraint(["grid_id"], ["grid.id"], name="fk_need_grid_id"),
        sa.ForeignKeyConstraint(["requester_id"], ["person.id"], name="fk_need_requester_id"),
        sa.PrimaryKeyConstraint("id", name="pk_need"),
        sa.UniqueConstraint("no", name="uq_need_no"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_need_scope_newest",
        "need",
        [sa.text('"left"(area, 12)'), sa.text("created_at DESC"), sa.text("id DESC"), "status"],
    )
    op.create_index(
        "ix_need_beneficiary_id", "need", ["beneficiary_id"], postgresql_where=sa.text("beneficiary_id IS NOT NULL")
    )
    op.create_index("ix_need_community_due", "need", ["community_id", "due_at", "id", "status"])
    op.create_index(
        "ix_need_community_newest", "need", ["community_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"]
    )
    op.create_index(
        "ix_need_community_urgent", "need", ["community_id", sa.text("urgency DESC"), "due_at", "id", "status"]
    )
    op.create_index("ix_need_due", "need", ["due_at", "id", "status"])
    op.create_index(
        "ix_need_grid_newest", "need", ["grid_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"]
    )
    op.create_index("ix_need_household", "need", ["household"], postgresql_where=sa.text("household IS NOT NULL"))
    op.create_index("ix_need_newest", "need", [sa.text("created_at DESC"), sa.text("id DESC"), "status"])
    op.create_index(
        "ix_need_requester_newest", "need", ["requester_id", sa.text("created_at DESC"), sa.text("id DESC")]
    )
    op.create_index(
        "ix_need_triage",
        "need",
        [sa.text('"left"(area, 12)'), "answer_due_at", "id"],
        postgresql_where=sa.text("status IN ('SUBMITTED', 'REOPENED')"),
    )
    op.create_index("ix_need_urgent", "need", [sa.text("urgency DESC"), "due_at", "id", "status"])
    op.create_index(
        "ix_need_wanted",
        "need",
        ["category_code", "area"],
        postgresql_where=sa.text("status IN ('OPEN', 'IN_PROGRESS') AND sensitivity = 'NORMAL'"),
    )
    op.create_table(
        "need_staff",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("named_by", sa.Uuid(), nullable=True),
        sa.Column("named_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["named_by"], ["person.id"], name="fk_need_staff_named_by"),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_need_staff_need_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_need_staff_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_need_staff"),
        sa.UniqueConstraint("need_id", "person_id", name="uq_need_staff_need_id_person_id"),
    )
    op.create_index("ix_need_staff_person_id", "need_staff", ["person_id"])
    op.create_table(
        "offer",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column(
            "no", sa.Text(), server_default=sa.text("'GJ' || lpad(nextval('offer_no')::text, 9, '0')"), nullable=False
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("category_code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("qty_total", sa.Integer(), nullable=False),
        sa.Column("qty_reserved", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("qty_consumed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("window_from", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("window_to", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("service_areas", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("cost_free", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("area ~ '^[0-9]+$'", name=op.f("ck_offer_area")),
        sa.CheckConstraint(
            "kind IN ('SERVICE', 'GOODS', 'CASH_AID', 'VENUE', 'JOB', 'LIVELIHOOD_ITEM')", name=op.f("ck_offer_kind")
        ),
        sa.CheckConstraint(
            "status IN ('DRAFT', 'PENDING_REVIEW', 'PUBLISHED', 'PAUSED', 'WITHDRAWN', 'EXPIRED', 'REJECTED')",
            name=op.f("ck_offer_status"),
        ),
        sa.CheckConstraint(
            "unit IN ('HELPER', 'VISIT', 'SESSION', 'HOUR', 'PIECE', 'SET', 'HOUSEHOLD', 'POST', 'ITEM')",
            name=op.f("ck_offer_unit"),
        ),
        sa.CheckConstraint("cost_free", name=op.f("ck_offer_cost_free")),
        sa.CheckConstraint("num_nonnulls(organization_id, person_id) = 1", name=op.f("ck_offer_provider")),
        sa.CheckConstraint(
            "qty_reserved >= 0 AND qty_consumed >= 0 AND qty_reserved + qty_consumed <= qty_total",
            name=op.f("ck_offer_reserved"),
        ),
        sa.CheckConstraint("qty_total BETWEEN 1 AND 1000000", name=op.f("ck_offer_quantity")),
        sa.CheckConstraint("window_from < window_to", name=op.f("ck_offer_window")),
        sa.ForeignKeyConstraint(["category_id"], ["service_category.id"], name="fk_offer_category_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_offer_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_offer_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_offer"),
        sa.UniqueConstraint("no", name="uq_offer_no"),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_offer_area_status", "offer", ["area", "status"])
    op.create_index(
        "ix_offer_ending", "offer", ["window_to"], postgresql_where=sa.text("status IN ('PUBLISHED', 'PAUSED')")
    )
    op.create_index("ix_offer_newest", "offer", [sa.text("created_at DESC"), sa.text("id DESC"), "status"])
    op.create_index(
        "ix_offer_organization_newest",
        "offer",
        ["organization_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    op.create_index(
        "ix_offer_person_newest",
        "offer",
        ["person_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_index(
        "ix_offer_published", "offer", ["category_code", "area"], postgresql_where=sa.text("status = 'PUBLISHED'")
    )
    op.create_index(
        "ix_offer_review", "offer", ["created_at", "id"], postgresql_where=sa.text("status = 'PENDING_REVIEW'")
    )
    op.create_table(
        "commitment",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("need_id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("volunteer_person_id", sa.Uuid(), nullable=True),
        sa.Column("social_worker_id", sa.Uuid(), nullable=True),
        sa.Column("community_id", sa.Uuid(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("sensitivity", sa.Text(), server_default="NORMAL", nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("qty_delivered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("hold_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("slot_from", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("slot_to", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("accepted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("confirmed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("delivered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ended_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("cancelled_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "cancelled_by IN ('PROVIDER', 'BENEFICIARY', 'STAFF')", name=op.f("ck_commitment_cancelled_by")
        ),
        sa.CheckConstraint("origin IN ('CLAIM', 'PROPOSAL')", name=op.f("ck_commitment_origin")),
        sa.CheckConstraint("sensitivity IN ('NORMAL', 'RESTRICTED')", name=op.f("ck_commitment_sensitivity")),
        sa.CheckConstraint(
            "status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'COMPLETED', 'DISPUTED', 'DECLINED', 'LAPSED', 'CANCELLED', 'NO_SHOW', 'VOID')",
            name=op.f("ck_commitment_status"),
        ),
        sa.CheckConstraint(
            "(slot_from IS NULL) = (slot_to IS NULL) AND slot_from < slot_to", name=op.f("ck_commitment_slot")
        ),
        sa.CheckConstraint("num_nonnulls(organization_id, person_id) = 1", name=op.f("ck_commitment_provider")),
        sa.CheckConstraint(
            "person_id IS NULL OR volunteer_person_id IS NOT DISTINCT FROM person_id",
            name=op.f("ck_commitment_himself"),
        ),
        sa.CheckConstraint("qty BETWEEN 1 AND 1000000", name=op.f("ck_commitment_quantity")),
        sa.CheckConstraint("qty_delivered BETWEEN 0 AND qty", name=op.f("ck_commitment_delivered")),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name=op.f("ck_commitment_rating")),
        sa.ForeignKeyConstraint(["need_id"], ["need.id"], name="fk_commitment_need_id"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.id"], name="fk_commitment_offer_id"),
        sa.ForeignKeyConstraint(["organization_id"], ["organization.id"], name="fk_commitment_organization_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_commitment_person_id"),
        sa.ForeignKeyConstraint(["social_worker_id"], ["social_worker.id"], name="fk_commitment_social_worker_id"),
        sa.ForeignKeyConstraint(["volunteer_person_id"], ["person.id"], name="fk_commitment_volunteer_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_commitment"),
    )
    op.create_index(
        "ix_commitment_scope_newest",
        "commitment",
        [sa.text('"left"(area, 12)'), sa.text("created_at DESC"), sa.text("id DESC"), "status"],
    )
    op.create_index(
        "ix_commitment_community_newest",
        "commitment",
        ["community_id", sa.text("created_at DESC"), sa.text("id DESC"), "status"],
    )
    op.create_index(
        "ix_commitment_hold", "commitment", ["hold_until", "need_id"], postgresql_where=sa.text("status = 'PROPOSED'")
    )
    op.create_index("ix_commitment_need_id_created_at_id", "commitment", ["need_id", "created_at", "id"])
    op.create_index(
        "ix_commitment_offer_id_created_at_id",
        "commitment",
        ["offer_id", "created_at", "id"],
        postgresql_where=sa.text("offer_id IS NOT NULL"),
    )
    op.create_index(
        "ix_commitment_organization_newest",
        "commitment",
        ["organization_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    op.create_index(
        "ix_commitment_social_worker_newest",
        "commitment",
        ["social_worker_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("social_worker_id IS NOT NULL"),
    )
    op.create_index(
        "ix_commitment_volunteer_newest",
        "commitment",
        ["volunteer_person_id", sa.text("created_at DESC"), sa.text("id DESC")],
        postgresql_where=sa.text("volunteer_person_id IS NOT NULL"),
    )
    op.create_index(
        "uq_commitment_live",
        "commitment",
        ["need_id", "offer_id", "organization_id", "person_id"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text(
            "status IN ('PROPOSED', 'ACCEPTED', 'CONFIRMED', 'IN_SERVICE', 'DELIVERED', 'DISPUTED')"
        ),
    )
    op.create_table(
        "booking",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("commitment_id", sa.Uuid(), nullable=True),
        sa.Column("attendance_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint("num_nonnulls(commitment_id, attendance_id) = 1", name=op.f("ck_booking_for")),
        sa.ForeignKeyConstraint(["commitment_id"], ["commitment.id"], name="fk_booking_commitment_id"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_booking_person_id"),
    )
    op.create_index(
        "ix_booking_attendance_id", "booking", ["attendance_id"], postgresql_where=sa.text("attendance_id IS NOT NULL")
    )
    op.create_index(
        "ix_booking_commitment_id", "booking", ["commitment_id"], postgresql_where=sa.text("commitment_id IS NOT NULL")
    )
    op.execute("ALTER TABLE booking ADD CONSTRAINT pk_booking PRIMARY KEY (person_id, during WITHOUT OVERLAPS)")
    for placed in ("need", "commitment"):  # a community's id and its code say the same: the planner must not multiply
        op.execute(f'CREATE STATISTICS {placed}_place (dependencies) ON community_id, ("left"(area, 12)) FROM {placed}')
    for holder in ("need", "offer"):
        op.execute(f"""
            CREATE FUNCTION {holder}_overdue({holder} uuid, at timestamptz) RETURNS integer
            LANGUAGE sql STABLE PARALLEL SAFE
            RETURN (SELECT coalesce(sum(c.qty), 0)::integer FROM commitment c
                    WHERE c.{holder}_id = {holder}_overdue.{holder} AND c.status = 'PROPOSED' AND c.hold_until <= at)
        """)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION need_overdue, offer_overdue")
    op.drop_table("booking")
    op.drop_table("commitment")
    op.drop_table("offer")
    op.drop_table("need_staff")
    op.drop_table("need")
    op.drop_table("service_category")
    op.execute("DROP SEQUENCE offer_no")
    op.execute("DROP SEQUENCE need_no")
