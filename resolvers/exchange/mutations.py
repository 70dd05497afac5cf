"""The marketplace's verbs: each calls one function of `models.exchange.actions`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry

from models.exchange import actions
from models.exchange.kinds import Hint
from resolvers.exchange.commitments import Commitment
from resolvers.exchange.inputs import (
    NeedEditInput,
    NeedInput,
    NeedPartInput,
    ProposalInput,
    changes,
    optional,
)
from resolvers.exchange.types import Need
from resolvers.verbs import Call, mutation

NeedId = Annotated[strawberry.ID, strawberry.argument(description="The need.")]
CommitmentId = Annotated[strawberry.ID, strawberry.argument(description="The commitment.")]
Reason = Annotated[str, strawberry.argument(description="Why: 2 to 200 characters, shown to whom it concerns.")]
Version = Annotated[int, strawberry.argument(description="The version that was read.")]
Publish = Annotated[bool, strawberry.argument(description="Whether it opens at once; false holds it back.")]
OwnVolunteer = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="For an organization's staff: which of its own volunteers will serve."),
]
Quantity = Annotated[int, strawberry.argument(description="How much of it: 1 to 10,000, in the need's unit.")]


@strawberry.type
class ExchangeMutation:
    @mutation(
        Need,
        actions.submit_need,
        description="Ask for something: for oneself or one's household, or, as staff, for a resident or place of one's area. The community answers within three working days.",
    )
    async def need_submit(
        call: Call, input: Annotated[NeedInput, strawberry.argument(description="What is asked for.")]
    ) -> UUID:
        return await actions.submit_need(call.db, input.read())

    @mutation(Need, actions.submit_draft, description="Send a draft to the community.")
    async def need_submit_draft(call: Call, id: NeedId) -> UUID:
        return await actions.submit_draft(call.db, call.id(id, "need"))

    @mutation(
        Need,
        actions.edit_need,
        description="Change a need: who asked until it is verified, staff until it is delivered. What is promised stays possible.",
    )
    async def need_edit(
        call: Call,
        id: NeedId,
        version: Version,
        input: Annotated[NeedEditInput, strawberry.argument(description="What changes.")],
    ) -> UUID:
        return await actions.edit_need(call.db, call.id(id, "need"), version, changes(input))

    @mutation(Need, actions.verify_need, description="Community staff and social workers: a need is true. It opens.")
    async def need_verify(
        call: Call,
        id: NeedId,
        publish: Publish = True,
        hints: Annotated[
            list[Hint] | None,
            strawberry.argument(description="What whoever helps should know or bring. Null leaves it as it is."),
        ] = None,
    ) -> UUID:
        return await actions.verify_need(call.db, call.id(id, "need"), publish=publish, hints=hints)

    @mutation(
        Need,
        actions.open_need,
        description="Community staff and social workers: open what was verified and held back, or asked for again.",
    )
    async def need_open(call: Call, id: NeedId) -> UUID:
        return await actions.open_need(call.db, call.id(id, "need"))

    @mutation(Need, actions.reject_need, description="Community staff and social workers: do not take a need up.")
    async def need_reject(call: Call, id: NeedId, reason: Reason) -> UUID:
        return await actions.reject_need(call.db, call.id(id, "need"), reason)

    @mutation(Need, actions.refer_need, description="Community staff and social workers: hand a need to somebody else.")
    async def need_refer(
        call: Call,
        id: NeedId,
        referred_to: Annotated[
            str, strawberry.argument(description="The department or system, by name: 2 to 200 characters.")
        ],
        reason: Annotated[str | None, strawberry.argument(description="Why, if that is to be said.")] = None,
    ) -> UUID:
        return await actions.refer_need(call.db, call.id(id, "need"), referred_to, reason)

    @mutation(
        Need,
        actions.cancel_need,
        description="Take a need back. What was claimed is declined, what was agreed is cancelled.",
    )
    async def need_cancel(
        call: Call,
        id: NeedId,
        reason: Reason,
        following: Annotated[
            bool, strawberry.argument(description="Of a series: whether all later ones are taken back with it.")
        ] = False,
    ) -> UUID:
        return await actions.cancel_need(call.db, call.id(id, "need"), reason, following=following)

    @mutation(
        Need,
        actions.close_need,
        description="Community staff and social workers: close what was delivered, wholly or in part.",
    )
    async def need_close(
        call: Call,
        id: NeedId,
        result: Annotated[
            str | None,
            strawberry.argument(
                description="Of a livelihood item: what was done, up to 2,000 characters; may be left out where its provider wrote it, or something attached shows it."
            ),
        ] = None,
    ) -> UUID:
        return await actions.close_need(call.db, call.id(id, "need"), result=result)

    @mutation(
        Need,
        actions.split_need,
        description="Community staff and social workers: split a need of which nothing is promised into parts, in which it goes on.",
    )
    async def need_split(
        call: Call,
        id: NeedId,
        parts: Annotated[
            list[NeedPartInput],
            strawberry.argument(description="2 to 20 parts, which together want as much as it does."),
        ],
    ) -> UUID:
        return await actions.split_need(call.db, call.id(id, "need"), [part.read() for part in parts])

    @mutation(
        Need,
        actions.merge_need,
        description="Community staff and social workers: end a duplicate of which nothing is promised; the other one goes on.",
    )
    async def need_merge(
        call: Call,
        id: Annotated[strawberry.ID, strawberry.argument(description="The duplicate.")],
        into: Annotated[
            strawberry.ID,
            strawberry.argument(description="The one that goes on: for the same person, household or place."),
        ],
        reason: Reason,
    ) -> UUID:
        return await actions.merge_need(call.db, call.id(id, "need"), call.id(into, "need", "into"), reason)

    @mutation(
        Need,
        actions.reopen_need,
        description="Ask again for what was closed: within 15 days, and once. By staff it opens at once.",
    )
    async def need_reopen(
        call: Call,
        id: NeedId,
        reason: Reason,
        quantity: Annotated[int, strawberry.argument(description="How much more is wanted.")] = 1,
        publish: Publish = True,
    ) -> UUID:
        return await actions.reopen_need(call.db, call.id(id, "need"), reason, quantity=quantity, publish=publish)

    @mutation(
        Need,
        actions.name_staff,
        description="Name a colleague for a RESTRICTED need that one sees: from now on he sees it.",
    )
    async def need_name_staff(
        call: Call,
        id: NeedId,
        person: Annotated[strawberry.ID, strawberry.argument(description="Who: a person who serves in its community.")],
    ) -> UUID:
        return await actions.name_staff(call.db, call.id(id, "need"), call.id(person, "person", "person"))

    @mutation(
        Need,
        actions.assign_need,
        description="Community staff: make a need a social worker's case. While it is his he sees it and may ask for the beneficiary's contact.",
    )
    async def need_assign(
        call: Call,
        id: NeedId,
        social_worker: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="A social worker who serves in its community; null: nobody's case."),
        ] = None,
    ) -> UUID:
        worker = optional(social_worker, "social_worker", "socialWorker")
        return await actions.assign_need(call.db, call.id(id, "need"), worker)

    @mutation(
        Need,
        actions.ask_foundation,
        description="Community staff and social workers: ask a foundation to pay for a need. Its people see it from now on, without particulars.",
    )
    async def need_ask_foundation(
        call: Call,
        id: NeedId,
        foundation: Annotated[strawberry.ID, strawberry.argument(description="The foundation.")],
        eligible: Annotated[
            bool | None,
            strawberry.argument(
                description="Whether the beneficiary is of those whom such aid is for: yes or no, without the reason. Null: not said, and what was said before stays."
            ),
        ] = None,
    ) -> UUID:
        return await actions.ask_foundation(
            call.db, call.id(id, "need"), call.id(foundation, "organization", "foundation"), eligible=eligible
        )

    @mutation(
        Commitment,
        actions.claim_need,
        description="Claim some of a need for 24 hours: a volunteer for himself, an organization's staff for it, a party secretary for his unit. The beneficiary or the community accepts.",
    )
    async def need_claim(
        call: Call,
        id: NeedId,
        quantity: Quantity = 1,
        offer: Annotated[
            strawberry.ID | None, strawberry.argument(description="Out of which of the provider's own offers, if any.")
        ] = None,
        volunteer: OwnVolunteer = None,
        option: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="Which of the need's appointments; null: the one that others chose, or the first."
            ),
        ] = None,
    ) -> UUID:
        return await actions.claim_need(
            call.db,
            call.id(id, "need"),
            quantity,
            offer=optional(offer, "offer", "offer"),
            volunteer=optional(volunteer, "volunteer", "volunteer"),
            option=optional(option, "need_option", "option"),
        )

    @mutation(
        Commitment,
        actions.propose_commitment,
        description="Community staff and social workers: propose a provider for some of a need, for 24 hours. The provider accepts.",
    )
    async def commitment_propose(
        call: Call,
        need: NeedId,
        input: Annotated[ProposalInput, strawberry.argument(description="Who is proposed.")],
    ) -> UUID:
        return await actions.propose_commitment(
            call.db,
            call.id(need, "need", "need"),
            input.quantity,
            offer=optional(input.offer, "offer", "offer"),
            organization=optional(input.organization, "organization", "organization"),
            volunteer=optional(input.volunteer, "volunteer", "volunteer"),
            staff=optional(input.staff, "person", "staff"),
            social_worker=optional(input.social_worker, "social_worker", "socialWorker"),
            slot=(input.slot_from, input.slot_to),
            option=optional(input.option, "need_option", "option"),
        )

    @mutation(
        Commitment,
        actions.accept_commitment,
        description="Say yes to a commitment, for the side that did not make the first move.",
    )
    async def commitment_accept(call: Call, id: CommitmentId, volunteer: OwnVolunteer = None) -> UUID:
        return await actions.accept_commitment(
            call.db, call.id(id, "commitment"), volunteer=optional(volunteer, "volunteer", "volunteer")
        )

    @mutation(
        Commitment,
        actions.decline_commitment,
        description="Say no to a commitment before both sides have said yes; or take one's own claim or proposal back.",
    )
    async def commitment_decline(
        call: Call,
        id: CommitmentId,
        reason: Annotated[str | None, strawberry.argument(description="Why, if that is to be said.")] = None,
    ) -> UUID:
        return await actions.decline_commitment(call.db, call.id(id, "commitment"), reason=reason)

    @mutation(
        Commitment,
        actions.confirm_commitment,
        description="Community staff and social workers: confirm what both sides have agreed. The provider may ask for the contact until 24 h after the service.",
    )
    async def commitment_confirm(
        call: Call,
        id: CommitmentId,
        social_worker: Annotated[
            strawberry.ID | None, strawberry.argument(description="Who accompanies it; null leaves it as it is.")
        ] = None,
    ) -> UUID:
        worker = optional(social_worker, "social_worker", "socialWorker")
        return await actions.confirm_commitment(call.db, call.id(id, "commitment"), social_worker=worker)

    @mutation(
        Commitment, actions.cancel_commitment, description="Call off what was agreed. Its quantity is wanted again."
    )
    async def commitment_cancel(call: Call, id: CommitmentId, reason: Reason) -> UUID:
        return await actions.cancel_commitment(call.db, call.id(id, "commitment"), reason)

    @mutation(
        Commitment,
        actions.report_commitment,
        description="Whoever took a livelihood item on: it is done, as a written result or something attached to it shows.",
    )
    async def commitment_report(
        call: Call,
        id: CommitmentId,
        result: Annotated[
            str | None,
            strawberry.argument(
                description="What was done, up to 2,000 characters; null where an attachment shows it."
            ),
        ] = None,
    ) -> UUID:
        return await actions.report_commitment(call.db, call.id(id, "commitment"), result=result)

    @mutation(Commitment, actions.mark_no_show, description="Record that the provider did not come.")
    async def commitment_no_show(call: Call, id: CommitmentId) -> UUID:
        return await actions.mark_no_show(call.db, call.id(id, "commitment"))

    @mutation(
        Commitment,
        actions.complete_commitment,
        description="The beneficiary, or staff for him: it was done. The need closes when nothing of it is open any more.",
    )
    async def commitment_complete(
        call: Call,
        id: CommitmentId,
        rating: Annotated[int | None, strawberry.argument(description="1 to 5 stars.")] = None,
        comment: Annotated[str | None, strawberry.argument(description="A word on it, up to 2,000 characters.")] = None,
    ) -> UUID:
        return await actions.complete_commitment(call.db, call.id(id, "commitment"), rating=rating, comment=comment)

    @mutation(
        Commitment, actions.dispute_commitment, description="The beneficiary, or staff for him: it was not as agreed."
    )
    async def commitment_dispute(call: Call, id: CommitmentId, reason: Reason) -> UUID:
        return await actions.dispute_commitment(call.db, call.id(id, "commitment"), reason)

    @mutation(
        Commitment, actions.resolve_commitment, description="Community staff and social workers: decide a dispute."
    )
    async def commitment_resolve(
        call: Call,
        id: CommitmentId,
        delivered: Annotated[
            bool,
            strawberry.argument(description="Whether it was delivered: COMPLETED; otherwise VOID, and wanted again."),
        ],
        reason: Reason,
    ) -> UUID:
        return await actions.resolve_commitment(call.db, call.id(id, "commitment"), delivered=delivered, reason=reason)
