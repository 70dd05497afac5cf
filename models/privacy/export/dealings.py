# ruff: noqa: S608 - statements of column names written here; the one value is bound
"""What somebody has had to do with others: needs, commitments, sessions, hours and gifts (`sources.py`)."""

from __future__ import annotations

from models.privacy.export.categories import Category, Source
from models.privacy.export.columns import place, unit, who, yuan
from models.vault import Kind

C = Category
DEALINGS: tuple[Source, ...] = (
    Source(
        C.NEEDS,
        "needs",
        "需求",
        "Needs for you, and those that you asked for online",
        f"""SELECT n.subject_id AS _person, n.no, n.title, n.note, n.kind, n.category_code, {who("n.requester_id")} AS requester,
        {who("n.subject_id")} AS beneficiary, n.submitted_via, {place("n.area")} AS community, n.qty_total, n.qty_delivered,
        n.unit, n.window_from, n.window_to, n.due_at, n.urgency, n.sensitivity, n.gender_preference, n.gender_required, n.hints,
        n.skill_code AS skill, n.certificate, n.language, n.vulnerability, n.duration_minutes, n.rrule, n.status, n.reason, n.result,
        n.referred_to, n.created_at, n.opened_at, n.closed_at FROM need n
        WHERE n.subject_id = $1 OR n.requester_id = $1 AND n.submitted_via = 'ONLINE' ORDER BY n.created_at, n.id""",
        ("need.subject_id", "need.requester_id"),
        {"note": (Kind.CARE, "_person"), "reason": (Kind.CARE, "_person"), "result": (Kind.CARE, "_person")},
    ),
    Source(
        C.NEEDS,
        "appointments",
        "需求的预约时段",
        "Appointments that were offered for your needs",
        """SELECT n.no AS need, o.place + 1 AS number, o.starts_at, o.ends_at FROM need_option o JOIN need n ON n.id = o.need_id
        WHERE n.subject_id = $1 OR n.requester_id = $1 AND n.submitted_via = 'ONLINE' ORDER BY n.created_at, n.id, o.place""",
        ("need.subject_id", "need.requester_id"),
    ),
    Source(
        C.NEEDS,
        "attachments",
        "您上传的文件",
        "Files that you uploaded",
        """SELECT uploader_id AS _person, name, caption, media, size_bytes, created_at AS uploaded_at, removed_at
        FROM attachment WHERE uploader_id = $1 ORDER BY created_at, id""",
        ("attachment.uploader_id",),
        {"name": (Kind.FILE, "_person"), "caption": (Kind.FILE, "_person")},
    ),
    Source(
        C.COMMITMENTS,
        "given",
        "您承接的对接",
        "Commitments that you served",
        f"""SELECT n.no AS need, n.title, {unit("c.organization_id")} AS organization, c.origin, c.status, c.qty, c.qty_delivered,
        c.slot_from, c.slot_to, c.created_at, c.accepted_at, c.confirmed_at, c.started_at, c.delivered_at, c.ended_at,
        c.rating, c.cancelled_by, c.late FROM commitment c JOIN need n ON n.id = c.need_id
        WHERE c.volunteer_person_id = $1 ORDER BY c.created_at, c.id""",
        ("commitment.volunteer_person_id", "commitment.person_id"),
    ),
    Source(
        C.COMMITMENTS,
        "received",
        "为您服务的对接",
        "Commitments that served you",
        f"""SELECT c.subject_id AS _person, n.no AS need, n.title, {unit("c.organization_id")} AS organization,
        {who("c.volunteer_person_id")} AS volunteer, c.status, c.qty, c.qty_delivered, c.slot_from, c.slot_to, c.created_at,
        c.confirmed_at, c.delivered_at, c.ended_at, c.rating, c.comment, c.cancelled_by, c.reason, c.late,
        c.result FROM commitment c JOIN need n ON n.id = c.need_id WHERE c.subject_id = $1 ORDER BY c.created_at, c.id""",
        ("commitment.subject_id",),
        {"comment": (Kind.CARE, "_person"), "reason": (Kind.CARE, "_person"), "result": (Kind.CARE, "_person")},
    ),
    Source(
        C.COMMITMENTS,
        "offers",
        "供给",
        "Your own offers",
        f"""SELECT no, title, note, kind, category_code, unit, qty_total, qty_reserved, qty_consumed, window_from, window_to,
        rrule, duration_minutes, min_notice_minutes, parallel, weekly_cap AS most_a_week, skills, certificates, languages,
        {place("offer.area")} AS community, (SELECT array_agg(d.name ORDER BY d.code) FROM division d
            WHERE d.code = ANY (offer.service_areas)) AS service_areas,
        status, reason, created_at FROM offer WHERE person_id = $1 ORDER BY created_at, id""",
        ("offer.person_id",),
    ),
    Source(
        C.COMMITMENTS,
        "bookings",
        "占用时段",
        "Times that you have promised",
        """SELECT lower(during) AS starts_at, upper(during) AS ends_at FROM booking WHERE person_id = $1
        ORDER BY during""",
        ("booking.person_id",),
    ),
    Source(
        C.SESSIONS,
        "attendances",
        "参与记录",
        "Sessions that you signed up for",
        f"""SELECT a.volunteer_id AS _person, s.title, {unit("s.organization_id")} AS organization, s.place, s.starts_at,
        s.ends_at, a.status, a.applied_at, a.accepted_at, a.check_in_at, a.check_in_method, a.check_out_at,
        a.check_out_method, a.credited_minutes, a.rating, a.reason
        FROM attendance a JOIN service_session s ON s.id = a.session_id WHERE a.volunteer_id = $1 ORDER BY s.starts_at, a.id""",
        ("attendance.volunteer_id",),
        {"reason": (Kind.CARE, "_person")},
    ),
    Source(
        C.HOURS,
        "entries",
        "时长分录",
        "Entries of the ledger of hours",
        f"""SELECT h.kind, h.revision, h.minutes, h.trust, h.served_on, h.credited_on, h.at, h.category_code, s.title,
        {unit("h.organization_id")} AS organization, {who("h.approved_by")} AS approved_by, h.reason
        FROM hour_entry h JOIN service_session s ON s.id = h.session_id WHERE h.volunteer_id = $1 ORDER BY h.at, h.id""",
        ("hour_entry.volunteer_id",),
    ),
    Source(
        C.HOURS,
        "total",
        "合计",
        "All minutes together",
        "SELECT coalesce(sum(minutes), 0)::int AS minutes FROM hour_entry WHERE volunteer_id = $1",
        ("hour_entry.volunteer_id",),
        one=True,
    ),
    Source(
        C.HOURS,
        "proposals",
        "补录申请",
        "Hours proposed by hand",
        f"""SELECT s.title, p.minutes, p.reason, p.evidence, p.status, {who("p.proposed_by")} AS proposed_by, p.proposed_at,
        {who("p.decided_by")} AS decided_by, p.decided_at, p.note FROM manual_proposal p
        JOIN service_session s ON s.id = p.session_id WHERE p.volunteer_id = $1 ORDER BY p.proposed_at, p.id""",
        ("manual_proposal.volunteer_id",),
    ),
    Source(
        C.DONATIONS,
        "donors",
        "捐赠人登记",
        "How foundations have you on record as a donor",
        f"""SELECT d.id AS _donor, {unit("d.organization_id")} AS foundation, d.kind, d.label, n.name, d.created_at
        FROM donor d LEFT JOIN donor_name n ON n.donor_id = d.id WHERE d.person_id = $1 ORDER BY d.created_at, d.id""",
        ("donor.person_id",),
        {"name": (Kind.NAME, "_donor")},
    ),
    Source(
        C.DONATIONS,
        "gifts",
        "捐赠",
        "Your gifts",
        f"""SELECT no, {unit("d.organization_id")} AS foundation, (SELECT name FROM fund WHERE id = d.fund_id) AS fund,
        {yuan("d.amount_fen")} AS amount, {yuan("d.spent_fen")} AS spent, {yuan("d.refunded_fen")} AS refunded, d.channel,
        d.external_txn, d.received_at, d.designation, d.category_code, d.restricted_area, d.restricted_from,
        d.restricted_to, d.publish_name, d.public_name, d.status FROM donation d
        WHERE d.person_id = $1 ORDER BY d.received_at, d.id""",
        ("donation.person_id",),
    ),
    Source(
        C.DONATIONS,
        "traces",
        "资金去向",
        "Where your gifts went",
        f"""SELECT d.no AS gift, t.title, {yuan("t.amount_fen")} AS amount, t.at, t.category_code, {place("t.area")} AS community
        FROM spend_trace t JOIN donation d ON d.id = t.donation_id WHERE d.person_id = $1 ORDER BY t.at, t.id""",
        ("spend_trace.donor_person_id",),
    ),
    Source(
        C.DONATIONS,
        "aid",
        "收到的资助",
        "Aid that was paid to you",
        f"""SELECT no, {unit("organization_id")} AS foundation, {yuan("amount_fen")} AS amount, purpose, status, made_at,
        paid_at, confirmation, confirmed_at FROM disbursement WHERE payee_person_id = $1 ORDER BY made_at, id""",
        ("disbursement.payee_person_id",),
    ),
)
