"""What names a person and is in no file of his, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

OFFICE = "经办人的职务行为：记录属于所办理的事项，不是其个人信息的主体"
NOT_EXPORTED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "account.invited_by",
            "allocation.approved_by",
            "allocation.requested_by",
            "allocation.submitted_by",
            "api_key.revoked_by",
            "attendance.check_in_by",
            "break_glass.approved_by",
            "break_glass.ended_by",
            "break_glass.requested_by",
            "commitment.confirmed_by",
            "consent.ended_by",
            "contact_reveal.person_id",
            "disbursement.authoriser_id",
            "disbursement.checker_id",
            "disbursement.confirmed_by",
            "disbursement.maker_id",
            "donation.recorded_by",
            "donor_reveal.actor_id",
            "fund.created_by",
            "grid.officer_id",
            "guardian_consent.recorded_by",
            "guardianship.ended_by",
            "guardianship.recorded_by",
            "guardianship.verified_by",
            "hour_entry.approved_by",
            "ledger_txn.made_by",
            "manual_proposal.decided_by",
            "manual_proposal.proposed_by",
            "membership.granted_by",
            "need.assigned_to",
            "need.verified_by",
            "need_foundation.asked_by",
            "need_staff.named_by",
            "need_staff.person_id",
            "offer.reviewed_by",
            "organization.contact_id",
            "person_identity.recorded_by",
            "person_merge.by_id",
            "person_search.person_id",
            "pii_access.actor_id",
            "resident.verified_by",
            "service_activity.created_by",
            "service_session.created_by",
            "subject_request.cosigned_by",
            "subject_request.handled_by",
            "subject_request.made_by",
        ),
        OFFICE,
    ),
    "consent.guardian_id": "监护人的确认：在被监护人的文件中",
    "contact_grant.viewer_person_id": "他人的联系方式授权：属于该他人，在其文件中",
    "claim_try.person_id": "失败的认领尝试：防冒领的安全记录，一日后清除",
}
"""Columns that name a person and are in no file, each with its reason."""
