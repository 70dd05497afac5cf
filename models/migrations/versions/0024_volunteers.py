"""Skills, volunteers' availability and reliability, qualifications, and whom people do not want to be matched with."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

AT = postgresql.TIMESTAMP(timezone=True)
TYPES = (
    *("DOCTOR", "NURSE", "PSYCHOLOGIST", "REHABILITATION", "ELDERLY_CARER", "CHILD_CARER", "SOCIAL_WORKER"),
    *("TEACHER", "LAWYER", "ELECTRICIAN", "COOK", "DRIVER", "FIRST_AID", "SIGN_INTERPRETER"),
)
SKILLS = """
ELDERLY_CARE 老人照护 lao ren zhao hu
HOSPITAL_ESCORT 陪同就医 pei tong jiu yi
BATHING 助浴 zhu yu
COOKING 烹饪 peng ren
MEAL_DELIVERY 送餐 song can
CLEANING 保洁 bao jie
ERRANDS 代办跑腿 dai ban pao tui
HAIRDRESSING 理发 li fa
COMPANY 陪伴聊天 pei ban liao tian
PHONES 智能手机教学 zhi neng shou ji jiao xue
COMPUTERS 电脑使用 dian nao shi yong
WHEELCHAIR 轮椅操作 lun yi cao zuo
REHABILITATION 康复辅导 kang fu fu dao
GUIDING_BLIND 导盲陪行 dao mang pei xing
SIGN_LANGUAGE 手语 shou yu
CHILDCARE 儿童看护 er tong kan hu
READING_ALOUD 亲子阅读 qin zi yue du
TUTORING 课业辅导 ke ye fu dao
LECTURING 授课讲座 shou ke jiang zuo
FOREIGN_LANGUAGES 外语 wai yu
JOB_COACHING 求职指导 qiu zhi zhi dao
VOCATIONAL_TRAINING 职业技能培训 zhi ye ji neng pei xun
BLOOD_PRESSURE 血压测量 xue ya ce liang
FIRST_AID 急救 ji jiu
NURSING 护理 hu li
MASSAGE 推拿按摩 tui na an mo
COUNSELLING 心理疏导 xin li shu dao
MUSIC 声乐器乐 sheng yue qi yue
DANCE 舞蹈 wu dao
CALLIGRAPHY 书法 shu fa
PAINTING 绘画 hui hua
CRAFTS 手工 shou gong
PHOTOGRAPHY 摄影 she ying
SPORTS 健身指导 jian shen zhi dao
DRIVING 驾驶 jia shi
CARRYING 搬运 ban yun
REPAIRS 家电维修 jia dian wei xiu
PLUMBING 水电维修 shui dian wei xiu
PATROL 巡逻值守 xun luo zhi shou
FIRE_SAFETY 消防知识 xiao fang zhi shi
MEDIATION 调解沟通 tiao jie gou tong
LEGAL_ADVICE 法律咨询 fa lv zi xun
"""
TAKEN = {
    "HEALTH.SCREENING": ("DOCTOR", "NURSE"),
    "HEALTH.TCM": ("DOCTOR",),
    "HEALTH.COUNSELLING": ("PSYCHOLOGIST",),
    "MEDIATION.LEGAL": ("LAWYER",),
}
"""Which service is given only with which paper: one of them is enough (I11)."""

FUNCTIONS = (
    """
    CREATE FUNCTION qualified(person uuid, type text, on_day date) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN EXISTS (SELECT FROM qualification q
                       WHERE q.person_id = person AND q.type = qualified.type AND q.status || '' = 'VERIFIED'
                         AND (q.decided_at AT TIME ZONE 'Asia/Shanghai')::date <= on_day
                         AND (q.valid_to IS NULL OR q.valid_to >= on_day));
    END $$
    """,
    """
    CREATE FUNCTION qualified_for(person uuid, certificate text, category text, on_day date) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    DECLARE
        one_of text[] := (SELECT s.certificates FROM service_category s WHERE s.code = category);
    BEGIN
        RETURN (certificate IS NULL OR qualified(person, certificate, on_day))
           AND (coalesce(cardinality(one_of), 0) = 0 OR EXISTS (
               SELECT FROM qualification q
               WHERE q.person_id = person AND q.type = ANY (one_of)
                 AND q.status || '' = 'VERIFIED' AND (q.decided_at AT TIME ZONE 'Asia/Shanghai')::date <= on_day
                 AND (q.valid_to IS NULL OR q.valid_to >= on_day)));
    END $$
    """,
    """
    CREATE FUNCTION avoids(serves uuid, served uuid, category text) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
    BEGIN
        RETURN EXISTS (SELECT FROM avoidance v WHERE v.person_id = serves
                       AND (v.avoided_person_id = served OR v.category_code IN (category, split_part(category, '.', 1))))
            OR EXISTS (SELECT FROM avoidance v WHERE v.person_id = served AND v.avoided_person_id = serves);
    END $$
    """,
    """
    CREATE FUNCTION volunteer_starts() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NOT NEW.own_point THEN
            SELECT d.x, d.y INTO NEW.x, NEW.y FROM division d WHERE d.code = NEW.area;
        END IF;
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER volunteer_starts BEFORE INSERT OR UPDATE OF area, own_point, x, y ON volunteer"
    " FOR EACH ROW EXECUTE FUNCTION volunteer_starts()",
)
APART = (
    """
    ALTER TABLE volunteer_window ADD CONSTRAINT ex_volunteer_window_overlap EXCLUDE USING gist (
        person_id WITH =, weekday WITH =, int4range(from_minute, to_minute) WITH &&)
    """,
    """
    ALTER TABLE volunteer_absence ADD CONSTRAINT ex_volunteer_absence_overlap EXCLUDE USING gist (
        person_id WITH =, daterange(starts_on, ends_on, '[]') WITH &&)
    """,
    """
    ALTER TABLE qualification ADD CONSTRAINT ex_qualification_number EXCLUDE USING gist (
        type WITH =, number_index WITH =, person_id WITH <>) WHERE (status = 'VERIFIED')
    """,
)


def whose(table: str, *columns: str) -> list[sa.schema.SchemaItem]:
    """The keys of a table whose rows are people's."""
    return [
        *(sa.ForeignKeyConstraint([c], ["person.id"], name=f"fk_{table}_{c}") for c in ("person_id", *columns)),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def key() -> sa.Column[object]:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False)


def ruled(table: str, **rules: str) -> list[sa.schema.SchemaItem]:
    return [sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}")) for name, rule in rules.items()]


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    _skills()
    _volunteers()
    _qualifications()
    _avoidances()
    for statement in (*FUNCTIONS, *APART):
        op.execute(statement)


def _skills() -> None:
    op.create_table(
        "skill",
        key(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pinyin", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        *ruled("skill", code="code ~ '^[A-Z][A-Z_]*$'"),
        sa.PrimaryKeyConstraint("id", name="pk_skill"),
        sa.UniqueConstraint("code", name="uq_skill_code"),
    )
    insert = sa.text("INSERT INTO skill (code, name, pinyin, place) VALUES (:code, :name, :pinyin, :place)")
    for place, line in enumerate(SKILLS.split("\n")[1:-1], 1):
        code, name, pinyin = line.split(maxsplit=2)
        op.execute(insert.bindparams(code=code, name=name, pinyin=pinyin, place=place))
    op.execute("UPDATE volunteer SET skills = '{}'")


def _volunteers() -> None:
    for column in (
        sa.Column("x", sa.REAL()),
        sa.Column("y", sa.REAL()),
        sa.Column("own_point", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("radius_km", sa.REAL(), server_default=sa.text("3"), nullable=False),
        sa.Column("weekly_cap", sa.Integer(), server_default=sa.text("3"), nullable=False),
        sa.Column("languages", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("reliability", sa.REAL(), server_default=sa.text("0.8"), nullable=False),
        sa.Column("completed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("no_shows", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("late_cancels", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reliable_until", AT),
    ):
        op.add_column("volunteer", column)
    op.execute("UPDATE volunteer v SET x = d.x, y = d.y FROM division d WHERE d.code = v.area")
    for name, rule in (
        ("position", "num_nonnulls(x, y) <> 1"),
        ("own_point", "NOT own_point OR x IS NOT NULL"),
        ("radius", "radius_km BETWEEN 0.5 AND 50"),
        ("weekly_cap", "weekly_cap BETWEEN 1 AND 21"),
        ("languages", "languages <@ ARRAY['KOREAN', 'MONGOLIAN', 'SIGN']::text[]"),
        ("reliability", "reliability BETWEEN 0 AND 1"),
    ):
        op.create_check_constraint(op.f(f"ck_volunteer_{name}"), "volunteer", rule)
    op.create_index(
        "ix_volunteer_reliable_until",
        "volunteer",
        ["reliable_until"],
        postgresql_where=sa.text("reliable_until IS NOT NULL"),
    )
    op.add_column("attendance", sa.Column("late", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_check_constraint(op.f("ck_attendance_late"), "attendance", "NOT late OR status = 'WITHDRAWN'")
    op.create_table(
        "volunteer_window",
        key(),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("to_minute", sa.Integer(), nullable=False),
        *ruled(
            "volunteer_window",
            weekday="weekday BETWEEN 1 AND 7",
            minutes="from_minute >= 0 AND from_minute < to_minute AND to_minute <= 1440",
        ),
        *whose("volunteer_window"),
    )
    op.create_table(
        "volunteer_absence",
        key(),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        *ruled("volunteer_absence", days="starts_on <= ends_on"),
        *whose("volunteer_absence"),
    )
    op.create_index("ix_volunteer_absence_ends_on", "volunteer_absence", ["ends_on"])


def _qualifications() -> None:
    types = ", ".join(f"'{type}'" for type in TYPES)
    op.create_table(
        "qualification",
        key(),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("number", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("number_masked", sa.Text(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Date()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Uuid()),
        sa.Column("decided_at", AT),
        sa.Column("reason", sa.Text()),
        sa.Column("told_at", AT),
        sa.Column("created_at", AT, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        *ruled(
            "qualification",
            type=f"type IN ({types})",
            status="status IN ('PENDING', 'VERIFIED', 'REJECTED', 'REVOKED', 'WITHDRAWN')",
            second_person="decided_by <> person_id OR status = 'WITHDRAWN'",
            decided="(status = 'PENDING') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            reason="reason IS NOT NULL OR status NOT IN ('REJECTED', 'REVOKED')",
        ),
        *whose("qualification", "decided_by"),
    )
    op.create_index("ix_qualification_person_id_type", "qualification", ["person_id", "type"])
    op.create_index(
        "ix_qualification_decided_by",
        "qualification",
        ["decided_by"],
        postgresql_where=sa.text("decided_by IS NOT NULL"),
    )
    op.create_index(
        "uq_qualification_pending",
        "qualification",
        ["person_id", "type"],
        unique=True,
        postgresql_where=sa.text("status = 'PENDING'"),
    )
    op.create_index(
        "ix_qualification_ending",
        "qualification",
        ["valid_to"],
        postgresql_where=sa.text("status = 'VERIFIED' AND told_at IS NULL"),
    )
    op.add_column(
        "service_category",
        sa.Column("certificates", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
    )
    for category, certificates in TAKEN.items():
        taken = sa.text("UPDATE service_category SET certificates = :certificates WHERE code = :code").bindparams(
            sa.bindparam("certificates", list(certificates), type_=postgresql.ARRAY(sa.Text())), code=category
        )
        op.execute(taken)


def _avoidances() -> None:
    op.create_table(
        "avoidance",
        key(),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("avoided_person_id", sa.Uuid()),
        sa.Column("category_code", sa.Text()),
        sa.Column("created_at", AT, nullable=False),
        *ruled(
            "avoidance",
            what="num_nonnulls(avoided_person_id, category_code) = 1",
            two="avoided_person_id <> person_id",
        ),
        *whose("avoidance", "avoided_person_id"),
    )
    op.create_index(
        "uq_avoidance_person_id",
        "avoidance",
        ["person_id", "avoided_person_id", "category_code"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_index(
        "ix_avoidance_avoided_person_id",
        "avoidance",
        ["avoided_person_id", "person_id"],
        postgresql_where=sa.text("avoided_person_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER volunteer_starts ON volunteer")
    op.execute("DROP FUNCTION volunteer_starts, avoids, qualified_for, qualified")
    op.drop_table("avoidance")
    op.drop_column("service_category", "certificates")
    op.drop_table("qualification")
    op.drop_table("volunteer_absence")
    op.drop_table("volunteer_window")
    op.drop_constraint(op.f("ck_attendance_late"), "attendance", type_="check")
    op.drop_column("attendance", "late")
    op.drop_index("ix_volunteer_reliable_until", "volunteer")
    for name in ("position", "own_point", "radius", "weekly_cap", "languages", "reliability"):
        op.drop_constraint(op.f(f"ck_volunteer_{name}"), "volunteer", type_="check")
    for column in (
        *("reliable_until", "late_cancels", "no_shows", "completed", "reliability", "languages", "weekly_cap"),
        *("radius_km", "own_point", "y", "x"),
    ):
        op.drop_column("volunteer", column)
    op.drop_table("skill")
