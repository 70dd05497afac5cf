"""Whether loaded data keep the domain's promises: recomputed from the raw rows, set by set.

What constraints keep is kept by them; these are the promises that the verbs and the triggers keep row by row, and a
load has to keep by being right.
"""

from __future__ import annotations

import asyncpg

from models.exchange.states import AGREED, HOLDING, LIVE, SERVED

LISTS = {
    "HELD": [s for s in HOLDING if s not in SERVED],
    "DONE": SERVED,
    "BUSY": [s for s in LIVE if s in AGREED],
}
"""What stands in the queries for states that the exchange's laws list."""

CHECKS: dict[str, str] = {
    "the steps of a commitment lie in the order of time, while its need was open": """
        SELECT c.id FROM commitment c JOIN need n ON n.id = c.need_id
        WHERE c.created_at < n.opened_at OR c.created_at > n.closed_at OR c.accepted_at > c.hold_until
           OR c.created_at > c.accepted_at OR c.accepted_at > c.confirmed_at OR c.confirmed_at > c.started_at
           OR c.started_at > c.delivered_at OR c.delivered_at > c.ended_at OR c.created_at > c.ended_at""",
    "a need is not due after its window": "SELECT id FROM need WHERE due_at > window_to",
    "a need's quantities are those of its commitments": """
        SELECT n.id FROM need n LEFT JOIN (
            SELECT need_id, sum(CASE WHEN status IN (HELD) THEN qty WHEN status IN (DONE) THEN qty_delivered END) AS held,
                   sum(qty_delivered) FILTER (WHERE status IN (DONE)) AS done
            FROM commitment GROUP BY need_id) c ON c.need_id = n.id
        WHERE (n.qty_committed, n.qty_delivered) <> (coalesce(c.held, 0), coalesce(c.done, 0))""",
    "a closed need is delivered whole, a delivered one too, an open one not at all": """
        SELECT id FROM need
        WHERE status IN ('CLOSED', 'DELIVERED') AND qty_delivered <> qty_total OR status = 'OPEN' AND qty_delivered > 0
           OR (status = 'CLOSED') <> (closed_at IS NOT NULL)""",
    "an offer's quantities are those of its commitments": """
        SELECT o.id FROM offer o LEFT JOIN (
            SELECT offer_id, sum(qty) FILTER (WHERE status IN (HELD)) AS held,
                   sum(qty_delivered) FILTER (WHERE status IN (DONE)) AS done
            FROM commitment GROUP BY offer_id) c ON c.offer_id = o.id
        WHERE (o.qty_reserved, o.qty_consumed) <> (coalesce(c.held, 0), coalesce(c.done, 0))""",
    "a commitment's offer is its provider's, and of the need's kind": """
        SELECT c.id FROM commitment c JOIN offer o ON o.id = c.offer_id JOIN need n ON n.id = c.need_id
        WHERE (o.organization_id, o.person_id) IS DISTINCT FROM (c.organization_id, c.person_id)
           OR (o.kind, o.unit, o.category_code) <> (n.kind, n.unit, n.category_code)""",
    "a commitment with an appointment books its volunteer": """
        SELECT c.id FROM commitment c LEFT JOIN booking b ON b.commitment_id = c.id
        WHERE (c.slot_from IS NOT NULL AND c.status IN (BUSY))
              <> (b.person_id IS NOT DISTINCT FROM c.volunteer_person_id AND b.person_id IS NOT NULL)""",
    "a session's seats are those of its roster": """
        SELECT s.id FROM service_session s LEFT JOIN (
            SELECT session_id, count(*) AS arrivals, count(*) FILTER (WHERE status IN
                ('ACCEPTED', 'CHECKED_IN', 'CHECKED_OUT', 'CONFIRMED', 'ABSENT', 'REVERSED')) AS seated
            FROM attendance GROUP BY session_id) a ON a.session_id = s.id
        WHERE (s.accepted_count, s.arrivals) <> (coalesce(a.seated, 0), coalesce(a.arrivals, 0))""",
    "an attendance's minutes are what the ledger of hours says": """
        SELECT a.id FROM attendance a LEFT JOIN (
            SELECT attendance_id, sum(minutes) AS minutes FROM hour_entry GROUP BY attendance_id) h
            ON h.attendance_id = a.id
        WHERE coalesce(a.credited_minutes, 0) <> coalesce(h.minutes, 0) OR a.status = 'CONFIRMED' AND h.minutes IS NULL""",
    "minutes are those of presence within the session": """
        SELECT a.id FROM attendance a JOIN service_session s ON s.id = a.session_id
        WHERE a.credited_minutes <> extract(epoch FROM least(a.check_out_at, s.ends_at)
                                                       - greatest(a.check_in_at, s.starts_at))::int / 60""",
    "hours rest on the server's record only where nobody marked the volunteer": """
        SELECT h.id FROM hour_entry h JOIN attendance a ON a.id = h.attendance_id
        WHERE h.trust = 'SYSTEM' AND ('ROSTER' IN (a.check_in_method, a.check_out_method)
                OR 'CODE' NOT IN (a.check_in_method, a.check_out_method))
           OR a.check_in_method = 'ROSTER' AND a.check_in_by IS NULL""",
    "an organization has taken whom it seats": """
        SELECT a.id FROM attendance a LEFT JOIN organization_volunteer v
            ON v.organization_id = a.organization_id AND v.person_id = a.volunteer_id
        WHERE a.organization_id IS NOT NULL AND a.status IN ('ACCEPTED', 'CONFIRMED', 'CHECKED_IN') AND v.id IS NULL""",
    "a gift's counters are those of its lines and traces": """
        SELECT d.id FROM donation d LEFT JOIN (
            SELECT donation_id, sum(amount_fen - returned_fen) AS held FROM allocation_line GROUP BY donation_id) l
            ON l.donation_id = d.id LEFT JOIN (
            SELECT donation_id, sum(amount_fen) AS spent FROM spend_trace GROUP BY donation_id) t
            ON t.donation_id = d.id
        WHERE (d.allocated_fen, d.spent_fen) <> (coalesce(l.held, 0), coalesce(t.spent, 0))""",
    "an allocation's counters are those of its lines, payments and traces": """
        SELECT a.id FROM allocation a JOIN (
            SELECT allocation_id, sum(amount_fen) AS fen, sum(consumed_fen) AS spent
            FROM allocation_line GROUP BY allocation_id) l ON l.allocation_id = a.id LEFT JOIN (
            SELECT allocation_id, sum(amount_fen) FILTER (WHERE status NOT IN ('REJECTED', 'CANCELLED', 'RETURNED')) AS held
            FROM disbursement GROUP BY allocation_id) p ON p.allocation_id = a.id
        WHERE (a.amount_fen, a.spent_fen, a.committed_fen) <> (l.fen, l.spent, coalesce(p.held, 0))""",
    "a line's consumption is that of its traces": """
        SELECT l.id FROM allocation_line l LEFT JOIN (
            SELECT line_id, sum(amount_fen) AS spent FROM spend_trace GROUP BY line_id) t ON t.line_id = l.id
        WHERE l.consumed_fen <> coalesce(t.spent, 0)""",
    "a payment at the bank holds what it is to take": """
        SELECT p.id FROM disbursement p LEFT JOIN (
            SELECT disbursement_id, sum(amount_fen) AS fen FROM disbursement_line GROUP BY disbursement_id) h
            ON h.disbursement_id = p.id
        WHERE coalesce(h.fen, 0) <> CASE WHEN p.status = 'PAYING' THEN p.amount_fen ELSE 0 END
        UNION ALL SELECT l.id FROM allocation_line l LEFT JOIN (
            SELECT line_id, sum(amount_fen) AS fen FROM disbursement_line GROUP BY line_id) h ON h.line_id = l.id
        WHERE l.held_fen <> coalesce(h.fen, 0)""",
    "a provider reads particulars from the confirmation on": """
        SELECT id FROM commitment WHERE (confirmed_at IS NULL) <> (open_until IS NULL)""",
    "a payment is traced whole": """
        SELECT p.id FROM disbursement p LEFT JOIN (
            SELECT disbursement_id, sum(amount_fen) AS spent FROM spend_trace GROUP BY disbursement_id) t
            ON t.disbursement_id = p.id
        WHERE coalesce(t.spent, 0) <> CASE WHEN p.status IN
            ('PAID', 'RECEIVED_CONFIRMED', 'RECEIVED_WITH_ISSUES', 'NOT_RECEIVED', 'CLOSED') THEN p.amount_fen ELSE 0 END""",
    "money is spent inside its gift's restriction": """
        SELECT t.id FROM spend_trace t JOIN donation d ON d.id = t.donation_id
        WHERE t.reverses_id IS NULL AND (d.category_code IS NOT NULL
                AND NOT (t.category_code IS NOT NULL AND category_within(t.category_code, d.category_code))
            OR d.restricted_area IS NOT NULL AND NOT starts_with(t.area, d.restricted_area)
            OR t.on_day < d.restricted_from OR t.on_day > d.restricted_to)""",
    "every posting balances within each fund": """
        SELECT txn_id FROM ledger_entry GROUP BY txn_id, fund_id HAVING sum(amount_fen) <> 0
        UNION ALL SELECT t.id FROM ledger_txn t LEFT JOIN ledger_entry e ON e.txn_id = t.id
        WHERE e.id IS NULL""",
    "every gift and every payment is posted": """
        SELECT d.id FROM donation d LEFT JOIN ledger_txn t ON t.donation_id = d.id AND t.kind = 'GIFT' WHERE t.id IS NULL
        UNION ALL
        SELECT p.id FROM disbursement p LEFT JOIN ledger_txn t ON t.disbursement_id = p.id AND t.kind = 'SPENDING'
        WHERE (p.paid_at IS NULL) <> (t.id IS NULL)""",
    "a fund's balance is what its ledger says": """
        SELECT b.fund_id FROM fund_balance b LEFT JOIN (
            SELECT e.fund_id, sum(e.amount_fen) FILTER (WHERE a.kind = 'ASSET') AS cash,
                   coalesce(-sum(e.amount_fen) FILTER (WHERE a.restricted), 0) AS restricted,
                   coalesce(sum(e.amount_fen) FILTER (WHERE a.kind = 'EXPENSE'), 0) AS spent
            FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id GROUP BY e.fund_id) l ON l.fund_id = b.fund_id
        WHERE (b.balance_fen, b.restricted_fen, b.spent_fen)
              IS DISTINCT FROM (coalesce(l.cash, 0), coalesce(l.restricted, 0), coalesce(l.spent, 0))""",
    "a fund's months lead to its balance": """
        SELECT b.fund_id FROM fund_balance b LEFT JOIN (
            SELECT fund_id, sum(received_fen) AS received, sum(spent_fen) AS spent FROM fund_month GROUP BY fund_id) m
            ON m.fund_id = b.fund_id
        WHERE (b.received_fen, b.spent_fen) IS DISTINCT FROM (coalesce(m.received, 0), coalesce(m.spent, 0))""",
}
"""Promises, each with the query that finds what breaks it."""


async def verify(connection: asyncpg.Connection) -> None:
    """Raises AssertionError naming the first promise that the data break."""
    for promise, query in CHECKS.items():
        for name, states in LISTS.items():
            query = query.replace(f"({name})", f"({', '.join(repr(s.value) for s in states)})")
        broken = await connection.fetchval(query)
        assert broken is None, f"not so: {promise} ({broken})"
