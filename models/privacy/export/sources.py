# ruff: noqa: S608 - statements of column names written here; the one value is bound
"""Where each of the twelve categories of one's own data comes from: statements over one person's rows.

Every column that names a person is either read here or stands in `left_out.py` with a reason; a test holds that
against all tables. Of other people there are masked names only, and no ids.
"""

from __future__ import annotations

from models.privacy.export.categories import Category, Source
from models.privacy.export.columns import place, unit, who
from models.privacy.export.dealings import DEALINGS
from models.vault import Kind

C = Category


SOURCES: tuple[Source, ...] = (
    Source(
        C.IDENTITY,
        "person",
        "本人",
        "You",
        """SELECT p.id AS _person, n.name, p.gender, p.birth_date, p.state, p.created_at AS recorded_at
        FROM person p LEFT JOIN person_name n ON n.person_id = p.id WHERE p.id = $1""",
        ("person_name.person_id",),
        {"name": (Kind.NAME, "_person")},
        one=True,
    ),
    Source(
        C.IDENTITY,
        "document",
        "证件",
        "Identity document",
        f"""SELECT person_id AS _person, id_type, number, recorded_at, {who("recorded_by")} AS recorded_by
        FROM person_identity WHERE person_id = $1""",
        ("person_identity.person_id",),
        {"number": (Kind.IDENTITY, "_person")},
        one=True,
    ),
    Source(
        C.CONTACT,
        "contact",
        "电话与住址",
        "Phone number and address",
        "SELECT person_id AS _person, phone, phone_whose, address FROM person_contact WHERE person_id = $1",
        ("person_contact.person_id",),
        {"phone": (Kind.PHONE, "_person"), "address": (Kind.ADDRESS, "_person")},
        one=True,
    ),
    Source(
        C.CONTACT,
        "boundPhones",
        "微信绑定过的手机号",
        "Phone numbers proven by WeChat",
        "SELECT person_id AS _person, phone, proven_at FROM bound_phone WHERE person_id = $1 ORDER BY proven_at, id",
        ("bound_phone.person_id",),
        {"phone": (Kind.PHONE, "_person")},
    ),
    Source(
        C.RESIDENCE,
        "residence",
        "居民登记",
        "Registration as a resident",
        f"""SELECT r.person_id AS _person, {place("r.area")} AS community,
        (SELECT name FROM grid WHERE id = r.grid_id) AS grid, r.care AS care_tags, r.care_note, r.care_tier, r.created_at AS recorded_at,
        r.verified_at, {who("r.verified_by")} AS verified_by, r.refused_at, r.refusal, r.no_matching, r.no_care
        FROM resident r WHERE r.person_id = $1""",
        ("resident.person_id",),
        dict.fromkeys(("care_tags", "care_note", "care_tier", "refusal"), (Kind.CARE, "_person")),
        ("care_tags", "care_tier"),
        one=True,
    ),
    Source(
        C.RESIDENCE,
        "formerResidences",
        "曾居住社区",
        "Where you were registered before",
        f"""SELECT {place("f.area")} AS community, f.since, f.until, f.refused FROM former_residence f
        WHERE f.person_id = $1 ORDER BY f.until, f.id""",
        ("former_residence.person_id",),
    ),
    Source(
        C.RESIDENCE,
        "household",
        "同户人员",
        "Your household",
        f"""SELECT {who("o.person_id")} AS name FROM resident r JOIN resident o
        ON o.household = r.household AND o.person_id <> r.person_id WHERE r.person_id = $1 ORDER BY o.id""",
        ("resident.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "volunteer",
        "志愿者登记",
        "Registration as a volunteer",
        f"""SELECT volunteer_no, state, state_reason, {place("volunteer.area")} AS community, skills, categories, no_matching,
        CASE WHEN own_point THEN round((41.80 + y / 111.32)::numeric, 4)::float END AS start_latitude,
        CASE WHEN own_point THEN round((123.43 + x / (111.32 * cos(radians(41.80))))::numeric, 4)::float END AS start_longitude,
        radius_km::float AS radius_km, weekly_cap, languages, round(reliability::numeric, 4)::float AS reliability, completed,
        no_shows, late_cancels, created_at AS recorded_at FROM volunteer WHERE person_id = $1""",
        ("volunteer.person_id",),
        one=True,
    ),
    Source(
        C.VOLUNTEERING,
        "windows",
        "每周可服务时段",
        "Your week: when you can help",
        """SELECT weekday, from_minute, to_minute FROM volunteer_window WHERE person_id = $1
        ORDER BY weekday, from_minute""",
        ("volunteer_window.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "absences",
        "请假",
        "When you are away",
        "SELECT starts_on, ends_on FROM volunteer_absence WHERE person_id = $1 ORDER BY starts_on",
        ("volunteer_absence.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "qualifications",
        "资质证书",
        "Your papers",
        f"""SELECT person_id AS _person, type, number, issued_by, valid_to, status, {who("decided_by")} AS decided_by, decided_at,
        reason, created_at FROM qualification WHERE person_id = $1 ORDER BY created_at, id""",
        ("qualification.person_id",),
        {"number": (Kind.IDENTITY, "_person")},
    ),
    Source(
        C.VOLUNTEERING,
        "avoidances",
        "不要给我派",
        "Whom and what you do not want to be matched with",
        f"""SELECT {who("avoided_person_id")} AS person, category_code, created_at FROM avoidance
        WHERE person_id = $1 ORDER BY created_at, id""",
        ("avoidance.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "matchProposals",
        "匹配建议",
        "What matching rounds proposed to you",
        """SELECT n.title, p.slot_from AS starts_at, p.slot_to AS ends_at, p.km AS distance_km, p.score, p.status,
        p.decline_reason, p.created_at FROM match_proposal p JOIN need n ON n.id = p.need_id
        WHERE p.person_id = $1 ORDER BY p.created_at, p.id""",
        ("match_proposal.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "socialWorker",
        "社会工作者证书",
        "Licence as a social worker",
        "SELECT level, licence_no, licence_until FROM social_worker WHERE person_id = $1",
        ("social_worker.person_id",),
        one=True,
    ),
    Source(
        C.VOLUNTEERING,
        "organizations",
        "吸收您的组织",
        "Organizations that took you as a volunteer",
        f"""SELECT {unit("organization_id")} AS organization, since, until FROM organization_volunteer
        WHERE person_id = $1 ORDER BY since, id""",
        ("organization_volunteer.person_id",),
    ),
    Source(
        C.VOLUNTEERING,
        "membershipRequests",
        "入会申请与邀请",
        "Requests to join an organization, and invitations",
        f"""SELECT {unit("organization_id")} AS organization, joins_as, made_by = person_id AS own, made_at, state,
        {who("decided_by")} AS decided_by, decided_at, reason FROM membership_request
        WHERE person_id = $1 ORDER BY made_at, id""",
        ("membership_request.person_id",),
    ),
    Source(
        C.CONSENTS,
        "consents",
        "同意记录",
        "What you agreed to",
        f"""SELECT c.purpose, c.version, t.title, t.text, c.state, c.asked_at, c.given_at, {who("c.guardian_id")} AS guardian,
        c.ended_at FROM consent c JOIN consent_text t USING (purpose, version)
        WHERE c.person_id = $1 ORDER BY c.asked_at, c.id""",
        ("consent.person_id",),
    ),
    Source(
        C.CONSENTS,
        "guardianships",
        "监护关系",
        "Guardianships",
        f"""SELECT {who("minor_id")} AS minor, {who("guardian_id")} AS guardian, relation, evidence, recorded_at,
        verified_at, {who("verified_by")} AS verified_by, ended_at FROM guardianship
        WHERE minor_id = $1 OR guardian_id = $1 ORDER BY recorded_at, id""",
        ("guardianship.minor_id", "guardianship.guardian_id"),
    ),
    Source(
        C.CONSENTS,
        "guardianConsents",
        "监护人对志愿服务的同意",
        "Guardians' consents to volunteering",
        f"""SELECT {who("minor_id")} AS minor, {who("guardian_id")} AS guardian, {who("recorded_by")} AS recorded_by,
        given_at, withdrawn_at FROM guardian_consent WHERE minor_id = $1 OR guardian_id = $1 ORDER BY given_at, id""",
        ("guardian_consent.minor_id", "guardian_consent.guardian_id"),
    ),
    *DEALINGS,
    Source(
        C.ACCOUNTS,
        "memberships",
        "任职",
        "Capacities",
        f"""SELECT role, {unit("organization_id")} AS organization, area, starts_on, ends_on, {who("granted_by")} AS granted_by,
        granted_at, revoked_at FROM membership WHERE person_id = $1 ORDER BY granted_at, id""",
        ("membership.person_id",),
    ),
    Source(
        C.ACCOUNTS,
        "interests",
        "利害关系申报",
        "Interests declared by you, or naming you",
        f"""SELECT {who("person_id")} AS person, {who("other_id")} AS other, {unit("organization_id")} AS organization, relation,
        declared_at, ended_at FROM declared_interest WHERE person_id = $1 OR other_id = $1 ORDER BY declared_at, id""",
        ("declared_interest.person_id", "declared_interest.other_id"),
    ),
    Source(
        C.ACCOUNTS,
        "account",
        "账号",
        "Account",
        """SELECT created_at, password_changed_at, totp_confirmed_at, disabled_at,
        (SELECT count(*)::int FROM recovery_code r WHERE r.person_id = a.person_id AND r.used_at IS NULL) AS recovery_codes_left
        FROM account a WHERE person_id = $1""",
        ("account.person_id", "recovery_code.person_id"),
        one=True,
    ),
    Source(
        C.ACCOUNTS,
        "logins",
        "登录名",
        "What you sign in by",
        "SELECT person_id AS _person, kind, login FROM account_login WHERE person_id = $1 ORDER BY kind",
        ("account_login.person_id",),
        {"login": (Kind.LOGIN, "_person")},
    ),
    Source(
        C.ACCOUNTS,
        "wechat",
        "微信绑定",
        "WeChat links",
        "SELECT appid, '***' AS openid, bound_at FROM wechat_identity WHERE person_id = $1 ORDER BY bound_at, id",
        ("wechat_identity.person_id",),
    ),
    Source(
        C.ACCOUNTS,
        "signIns",
        "登录记录",
        "Sign-ins",
        """SELECT method, role, device, network, created_at, last_seen_at, expires_at, ended_at, end_reason FROM sign_in
        WHERE person_id = $1 ORDER BY created_at, id""",
        ("sign_in.person_id",),
    ),
    Source(
        C.ACCOUNTS,
        "acts",
        "操作日志：您自己的操作（不含密钥程序的调用）",
        "The audit log: what you did yourself, without what machines did by your keys",
        """SELECT at, action, result, address AS network_address FROM audit_event WHERE person = $1 AND key IS NULL
        ORDER BY at, id""",
        ("audit_event.person",),
    ),
    Source(
        C.ACCOUNTS,
        "apiKeys",
        "密钥",
        "Keys of machines that act in your name",
        f"""SELECT name, prefix, {unit("organization_id")} AS organization, scopes, created_at, expires_at, last_used_at,
        revoked_at FROM api_key WHERE person_id = $1 ORDER BY created_at, id""",
        ("api_key.person_id",),
    ),
    Source(
        C.ACCOUNTS,
        "merges",
        "档案合并",
        "Records that were found to be yours",
        "SELECT proof, reason, at FROM person_merge WHERE into_id = $1 OR from_id = $1 ORDER BY at, id",
        ("person_merge.into_id", "person_merge.from_id"),
    ),
    Source(
        C.ACCESS,
        "readings",
        "谁查阅了您的信息",
        "Who read your plain data",
        f"""SELECT at, {who("actor_id")} AS reader, role, {unit("organization_id")} AS organization, fields, purpose, reason
        FROM pii_access WHERE subject_id = $1 ORDER BY at, id""",
        ("pii_access.subject_id",),
    ),
    Source(
        C.ACCESS,
        "breakGlass",
        "应急开启",
        "Emergency openings of your record",
        f"""SELECT {who("g.requested_by")} AS reader, {who("g.approved_by")} AS approved_by, g.purpose, g.reason,
        g.requested_at, g.approved_at, g.until, g.ended_at FROM break_glass_person p JOIN break_glass g ON g.id = p.break_glass_id
        WHERE p.person_id = $1 ORDER BY g.requested_at, g.id""",
        ("break_glass_person.person_id",),
    ),
    Source(
        C.ACCESS,
        "grants",
        "谁可以查阅您的联系方式",
        "Who could read your contact, and until when",
        f"""SELECT {who("viewer_person_id")} AS reader, {unit("viewer_organization_id")} AS organization, since, until
        FROM contact_grant WHERE subject_id = $1 ORDER BY since, id""",
        ("contact_grant.subject_id",),
    ),
    Source(
        C.ACCESS,
        "requests",
        "权利请求",
        "What you asked of us",
        f"""SELECT kind, state, {who("made_by")} AS made_by, received_at, due_at, {who("cosigned_by")} AS cosigned_by, cosigned_at,
        handled_at, reason, kept FROM subject_request WHERE person_id = $1 ORDER BY received_at, id""",
        ("subject_request.person_id",),
    ),
    Source(
        C.ACCESS,
        "corrections",
        "更正内容",
        "What you wanted put right",
        """SELECT c.person_id AS _person, r.received_at, c.field, c.before, c.proposed, c.after FROM correction c
        JOIN subject_request r ON r.id = c.request_id WHERE c.person_id = $1 ORDER BY r.received_at, c.id""",
        ("correction.person_id",),
        {"proposed": (Kind.IDENTITY, "_person")},
    ),
)
