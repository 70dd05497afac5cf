"""The verbs: each calls one function of `models.privacy.actions`."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from models.people.rules import Gender
from models.privacy import actions
from models.privacy.rules import ConsentPurpose, GuardianEvidence, GuardianRelation, RequestKind
from resolvers.people.numbers import numbers
from resolvers.privacy.types import Consent, Guardianship, SubjectRequest
from resolvers.verbs import Call, mutation

Purpose = Annotated[ConsentPurpose, strawberry.argument(description="What for.")]
Child = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="A child under 14, a person, for its verified guardian. Null: the caller himself."),
]
ConsentId = Annotated[strawberry.ID, strawberry.argument(description="The consent.")]
GuardianshipId = Annotated[strawberry.ID, strawberry.argument(description="The guardianship.")]
RequestId = Annotated[strawberry.ID, strawberry.argument(description="The request.")]


def child(call: Call, given: strawberry.ID | None) -> UUID | None:
    """The person that an argument names."""
    return None if given is None else call.id(given, "person", "person")


@strawberry.input(description="Who is whose guardian.")
class GuardianshipRecordInput:
    minor: strawberry.ID = strawberry.field(description="The minor: a person.")
    guardian: strawberry.ID | None = strawberry.field(
        default=None, description="The guardian: a person. Null: the caller himself."
    )
    relation: GuardianRelation = strawberry.field(description="What he is to the minor.")
    evidence: GuardianEvidence | None = strawberry.field(
        default=None, description="For staff, who must give it: what they have seen."
    )


@strawberry.input(description="How a person's data ought to be. What is not given stays.")
class CorrectionInput:
    name: str | None = strawberry.field(default=None, description="The full name.")
    phone: str | None = strawberry.field(default=None, description="A Chinese mobile number.")
    address: str | None = strawberry.field(default=None, description="The address with its door.")
    gender: Gender | None = strawberry.field(default=None, description="The gender.")
    birth_date: date | None = strawberry.field(default=None, description="The birth date.")
    id_number: str | None = strawberry.field(default=None, description="The number of the identity card.")

    def read(self) -> actions.CorrectionInput:
        """The same, as the verbs take it."""
        return actions.CorrectionInput(
            name=self.name,
            phone=self.phone,
            address=self.address,
            gender=self.gender,
            birth_date=self.birth_date,
            id_number=self.id_number,
        )


@strawberry.type
class PrivacyMutation:
    @mutation(
        Consent,
        actions.give_consent,
        description="Agree to the text in force for a purpose. What a child under 14 agrees to waits for a guardian.",
    )
    async def consent_give(
        call: Call,
        purpose: Purpose,
        version: Annotated[str, strawberry.argument(description="The version that was read: the one in force.")],
        person: Child = None,
    ) -> UUID:
        return await actions.give_consent(call.db, purpose, version, child(call, person))

    @mutation(
        Consent,
        actions.withdraw_consent,
        description="Withdraw a consent, or refuse what was never agreed to: the use ends with the next query.",
    )
    async def consent_withdraw(call: Call, purpose: Purpose, person: Child = None) -> UUID:
        return await actions.withdraw_consent(call.db, purpose, child(call, person))

    @mutation(Consent, actions.cosign_consent, description="A guardian co-signs what a child under 14 agreed to.")
    async def consent_cosign(call: Call, id: ConsentId) -> UUID:
        return await actions.cosign_consent(call.db, call.id(id, "consent"))

    @mutation(
        Guardianship,
        actions.record_guardianship,
        description="Put a guardian on record: staff of the minor's community, or the guardian himself, of the same household. It counts once somebody else of the staff has verified it.",
    )
    async def guardianship_record(
        call: Call, input: Annotated[GuardianshipRecordInput, strawberry.argument(description="The guardianship.")]
    ) -> UUID:
        return await actions.record_guardianship(
            call.db,
            call.id(input.minor, "person", "minor"),
            input.relation,
            call.id(input.guardian, "person", "guardian") if input.guardian else None,
            input.evidence,
        )

    @mutation(
        Guardianship,
        actions.verify_guardianship,
        description="Staff who did not record it, social workers among them: say that they have seen the evidence; the guardianship counts from now on.",
    )
    async def guardianship_verify(
        call: Call,
        id: GuardianshipId,
        evidence: Annotated[GuardianEvidence, strawberry.argument(description="What they have seen.")],
    ) -> UUID:
        return await actions.verify_guardianship(call.db, call.id(id, "guardianship"), evidence)

    @mutation(
        Guardianship,
        actions.end_guardianship,
        description="The guardian himself, or staff of the community: end a guardianship.",
    )
    async def guardianship_end(call: Call, id: GuardianshipId) -> UUID:
        return await actions.end_guardianship(call.db, call.id(id, "guardianship"))

    @mutation(
        SubjectRequest,
        actions.make_request,
        description="Ask for one's own data, a correction, or that optional uses end. Erasing is `accountErase`.",
    )
    async def subject_request_make(
        call: Call,
        kind: Annotated[RequestKind, strawberry.argument(description="What is asked for.")],
        correction: Annotated[
            CorrectionInput | None, strawberry.argument(description="For CORRECT: how the data ought to be.")
        ] = None,
        person: Child = None,
    ) -> UUID:
        given = None if correction is None else correction.read()
        return await actions.make_request(call.db, kind, child(call, person), given, fictional=numbers.fictional)

    @mutation(
        SubjectRequest,
        actions.make_request,
        description="Ask for a copy of all own data: `file` says where it may be fetched, for seven days.",
    )
    async def my_data_export(call: Call, person: Child = None) -> UUID:
        return await actions.make_request(call.db, RequestKind.EXPORT, child(call, person))

    @mutation(
        SubjectRequest,
        actions.cosign_request,
        description="A guardian co-signs what a child under 14 asked for: it is handled from now on.",
    )
    async def subject_request_cosign(call: Call, id: RequestId) -> UUID:
        return await actions.cosign_request(call.db, call.id(id, "subject_request"))

    @mutation(
        SubjectRequest,
        actions.withdraw_request,
        description="Take a request back before it is answered: the person, or a child's guardian.",
    )
    async def subject_request_withdraw(call: Call, id: RequestId) -> UUID:
        return await actions.withdraw_request(call.db, call.id(id, "subject_request"))

    @mutation(
        SubjectRequest,
        actions.reveal_correction,
        description="Community staff: read in plain what a person wants put right, until it is decided: `corrections.proposed` of this answer. On record, where the person sees it. Never replayed: sent again, it is another reading.",
        idempotent=False,
    )
    async def correction_reveal(call: Call, id: RequestId) -> UUID:
        return await actions.reveal_correction(call.db, call.id(id, "subject_request"))

    @mutation(
        SubjectRequest,
        actions.accept_correction,
        description="Community staff: write what a person wants put right, once they have seen the papers.",
    )
    async def subject_request_accept(call: Call, id: RequestId) -> UUID:
        return await actions.accept_correction(call.db, call.id(id, "subject_request"))

    @mutation(
        SubjectRequest, actions.refuse_correction, description="Community staff: refuse a correction, with a reason."
    )
    async def subject_request_refuse(
        call: Call,
        id: RequestId,
        reason: Annotated[str, strawberry.argument(description="Why: up to 200 characters, for the person to read.")],
    ) -> UUID:
        return await actions.refuse_correction(call.db, call.id(id, "subject_request"), reason)

    @mutation(
        SubjectRequest,
        actions.erase_account,
        description="Erase one's own account and personal fields, at once and for good. The answer's `kept` says what stays.",
    )
    async def account_erase(
        call: Call,
        confirm: Annotated[str, strawberry.argument(description="The words 注销账户, to say that one means it.")],
        cancel_open: Annotated[
            bool, strawberry.argument(description="True to cancel what is still open, as far as that goes.")
        ] = False,
        person: Child = None,
    ) -> UUID:
        return await actions.erase_account(call.db, confirm, child(call, person), cancel_open=cancel_open)
