"""What an API key must be allowed for each mutation. A mutation that is not listed is for people only.

Judgements stay with people: verifying, confirming hours, rating, money, capacities, keys. READ, for queries, is asked
for at the door (`api/http.py`); without CONTACTS every sealed value stays closed (`resolvers/context.py`).
"""

from __future__ import annotations

from models.identity.rules import ApiScope as S

SCOPES: dict[str, S] = {
    "offer_submit": S.OFFERS,
    "offer_submit_draft": S.OFFERS,
    "offer_edit": S.OFFERS,
    "offers_upsert": S.OFFERS,
    "offer_pause": S.OFFERS,
    "offer_resume": S.OFFERS,
    "offer_withdraw": S.OFFERS,
    "need_claim": S.COMMITMENTS,
    "commitment_accept": S.COMMITMENTS,
    "commitment_decline": S.COMMITMENTS,
    "commitment_cancel": S.COMMITMENTS,
    "commitment_report": S.COMMITMENTS,
    "match_proposal_accept": S.COMMITMENTS,
    "match_proposal_decline": S.COMMITMENTS,
    "activity_create": S.SESSIONS,
    "session_create": S.SESSIONS,
    "session_edit": S.SESSIONS,
    "session_publish": S.SESSIONS,
    "session_cancel": S.SESSIONS,
    "session_end": S.SESSIONS,
    "session_record_headcount": S.SESSIONS,
    "attendance_accept": S.VOLUNTEERS,
    "attendance_refuse": S.VOLUNTEERS,
    "attendance_waitlist": S.VOLUNTEERS,
    "attendance_excuse": S.VOLUNTEERS,
    "attendance_check_in": S.HOURS,
    "attendance_check_out": S.HOURS,
    "attendance_mark_absent": S.HOURS,
    "manual_hours_propose": S.HOURS,
    "contact_reveal": S.CONTACTS,
}
"""Mutation, by its Python name -> the scope of keys that it needs."""


def scope_of(mutation: str) -> str | None:
    """The scope that a key needs to call a mutation; None where no key may."""
    return SCOPES.get(mutation)
