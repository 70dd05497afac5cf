"""The verbs of money: each calls one function of `models.funds.actions`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import strawberry

from models.funds import actions, inputs
from models.funds.books import Spending
from models.funds.restrictions import Restriction as Bounds
from models.funds.rules import Confirmation, DonationChannel, DonorKind, FundKind
from models.people.rules import AccessPurpose
from resolvers.common import MoneyInput
from resolvers.funds.spending import Allocation, Disbursement
from resolvers.funds.types import Donation, DonorReveal, Fund
from resolvers.verbs import Call, mutation

DonationId = Annotated[strawberry.ID, strawberry.argument(description="The gift.")]
AllocationId = Annotated[strawberry.ID, strawberry.argument(description="The allocation.")]
DisbursementId = Annotated[strawberry.ID, strawberry.argument(description="The payment.")]
Reason = Annotated[str, strawberry.argument(description="Why: 2 to 500 characters.")]


@strawberry.input(description="What money is bound to. What is not given does not bind.")
class RestrictionInput:
    category_code: str | None = strawberry.field(
        default=None, description="A service category's code, such as `DISABLED`; those below it are included."
    )
    area_code: str | None = strawberry.field(default=None, description="A division's code, such as `210103`.")
    since: date | None = strawberry.field(default=None, description="The first day on which it may be spent.")
    until: date | None = strawberry.field(default=None, description="The last day on which it may be spent.")

    def bounds(self) -> Bounds:
        """The same, for the verbs."""
        return Bounds(self.category_code, self.area_code, self.since, self.until)


def bounds(given: RestrictionInput | None) -> Bounds:
    """A restriction that may be left out."""
    return given.bounds() if given is not None else Bounds()


@strawberry.input(description="A new fund.")
class FundCreateInput:
    name: str = strawberry.field(description="Its name within the foundation, 2 to 60 characters.")
    kind: FundKind = strawberry.field(description="What it is bound to; the restriction has to agree.")
    restriction: RestrictionInput | None = strawberry.field(
        default=None, description="What binds every gift to it, at least."
    )
    note: str | None = strawberry.field(default=None, description="What it is for, at most 2,000 characters.")


@strawberry.input(
    description="A donor. With an account or an organization on record, one who gave before is found again."
)
class DonorInput:
    kind: DonorKind = strawberry.field(description="A person, an organization, or somebody anonymous.")
    name: str | None = strawberry.field(
        default=None,
        description="The plain name of a person or an organization; none for an anonymous donor: it is not kept.",
    )
    person: strawberry.ID | None = strawberry.field(
        default=None,
        description="His account, so that he sees his gift; an anonymous donor's too, and nobody else learns of it.",
    )
    organization: strawberry.ID | None = strawberry.field(
        default=None, description="The organization that gives, where it is on record."
    )


@strawberry.input(description="A gift of money that has arrived.")
class DonationRecordInput:
    fund: strawberry.ID = strawberry.field(description="The fund that it goes to.")
    amount: MoneyInput = strawberry.field(description="What was given.")
    channel: DonationChannel = strawberry.field(description="The way on which it came.")
    received_at: datetime | None = strawberry.field(
        default=None, description="When it arrived, not in the future; now by default."
    )
    donor: strawberry.ID | None = strawberry.field(
        default=None, description="Who gave, where he is on record; or else `newDonor`."
    )
    new_donor: DonorInput | None = strawberry.field(default=None, description="Who gave, where he is not on record.")
    external_txn: str | None = strawberry.field(
        default=None,
        description="The payment's number on its channel, at most 100 characters: a notice that comes again gives the same gift.",
    )
    designation: str | None = strawberry.field(
        default=None, description="What the donor wrote, at most 500 characters."
    )
    restriction: RestrictionInput | None = strawberry.field(
        default=None, description="What he binds it to; where he says nothing, the fund's restriction."
    )
    publish_name: bool = strawberry.field(
        default=False, description="Whether he consents to being named in public (Charity Law art. 82)."
    )
    public_name: str | None = strawberry.field(
        default=None, description="How he wishes to be named, at most 50 characters; his name by default."
    )


@strawberry.input(description="A plan to spend: for a need, or for a category and a place.")
class AllocationCreateInput:
    title: str = strawberry.field(description="What it is called, 2 to 100 characters.")
    amount: MoneyInput = strawberry.field(description="The total.")
    organization: strawberry.ID | None = strawberry.field(
        default=None, description="The foundation that is asked, by callers who are not of it."
    )
    fund: strawberry.ID | None = strawberry.field(
        default=None, description="The one fund whose gifts may be taken; any of the foundation's by default."
    )
    purpose: str | None = strawberry.field(default=None, description="What it is for, at most 2,000 characters.")
    spending: Spending = strawberry.field(
        default=Spending.CHARITY, description="What kind of spending it is; only CHARITY has a category."
    )
    category_code: str | None = strawberry.field(
        default=None, description="The service category's code; the need's by default."
    )
    area_code: str | None = strawberry.field(
        default=None, description="The code of the division whose people it is for; the need's community by default."
    )
    need: strawberry.ID | None = strawberry.field(default=None, description="The need that it is for.")
    donations: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="The gifts to take, at most 100; by default the narrowest that admit the purpose. For makers only.",
    )


@strawberry.input(description="A payment to one payee: a supplier by name, an organization, or a resident.")
class DisbursementCreateInput:
    allocation: strawberry.ID = strawberry.field(description="The approved allocation that it is paid out of.")
    amount: MoneyInput = strawberry.field(description="How much.")
    payee_name: str | None = strawberry.field(
        default=None, description="A supplier's name, 2 to 100 characters; never a resident's."
    )
    payee_organization: strawberry.ID | None = strawberry.field(
        default=None, description="The organization that is paid."
    )
    payee_resident: strawberry.ID | None = strawberry.field(default=None, description="The resident who is paid.")
    purpose: str | None = strawberry.field(default=None, description="What for, at most 500 characters.")


def known(call: Call, given: strawberry.ID | None, kind: str, field: str) -> UUID | None:
    """An id that may be left out."""
    return call.id(given, kind, field) if given is not None else None


@strawberry.type
class FundsMutation:
    @mutation(Fund, actions.create_fund, description="Opens a fund of the caller's foundation, with its books.")
    async def fund_create(
        self,
        call: Call,
        input: Annotated[FundCreateInput, strawberry.argument(description="The fund.")],
    ) -> UUID:
        given = inputs.FundInput(input.name, input.kind, bounds(input.restriction), input.note)
        return await actions.create_fund(call.db, given)

    @mutation(
        Donation,
        actions.record_donation,
        description="Records a gift of money that arrived, and posts it. A payment's number that came before gives the gift that it made then.",
    )
    async def donation_record(
        self,
        call: Call,
        input: Annotated[DonationRecordInput, strawberry.argument(description="The gift.")],
    ) -> UUID:
        giver = None
        if (who := input.new_donor) is not None:
            giver = inputs.DonorInput(
                who.kind,
                who.name,
                known(call, who.person, "person", "person"),
                known(call, who.organization, "organization", "organization"),
            )
        given = inputs.DonationInput(
            fund=call.id(input.fund, "fund", "fund"),
            amount_fen=input.amount.fen(),
            channel=input.channel,
            received_at=input.received_at,
            donor=known(call, input.donor, "donor", "donor"),
            giver=giver,
            external_txn=input.external_txn,
            designation=input.designation,
            restriction=bounds(input.restriction),
            publish_name=input.publish_name,
            public_name=input.public_name,
        )
        return await actions.record_donation(call.db, given)

    @mutation(
        Donation,
        actions.reverse_donation,
        description="Takes back a gift that was recorded by mistake, by a balanced posting. Not by its recorder, and not once any of it is allocated.",
    )
    async def donation_reverse(self, call: Call, id: DonationId, reason: Reason) -> UUID:
        return await actions.reverse_donation(call.db, call.id(id, "donation"), reason)

    @mutation(
        Allocation,
        actions.create_allocation,
        description="Plans a spending. A maker's draft chooses its gifts at once, the narrowest that admit the purpose first; a request of social workers, communities or organizations gets them on submission.",
    )
    async def allocation_create(
        self,
        call: Call,
        input: Annotated[AllocationCreateInput, strawberry.argument(description="The plan.")],
    ) -> UUID:
        given = inputs.AllocationInput(
            title=input.title,
            amount_fen=input.amount.fen(),
            foundation=known(call, input.organization, "organization", "organization"),
            fund=known(call, input.fund, "fund", "fund"),
            purpose=input.purpose,
            spending=input.spending,
            category=input.category_code,
            area=input.area_code,
            need=known(call, input.need, "need", "need"),
            donations=tuple(call.id(d, "donation", "donations") for d in input.donations),
        )
        return await actions.create_allocation(call.db, given)

    @mutation(Allocation, actions.submit_allocation, description="Hands a draft in for approval.")
    async def allocation_submit(self, call: Call, id: AllocationId) -> UUID:
        return await actions.submit_allocation(call.db, call.id(id, "allocation"))

    @mutation(
        Allocation,
        actions.approve_allocation,
        description="Approves a plan; not by whoever asked for it or handed it in.",
    )
    async def allocation_approve(self, call: Call, id: AllocationId) -> UUID:
        return await actions.approve_allocation(call.db, call.id(id, "allocation"))

    @mutation(Allocation, actions.reject_allocation, description="Refuses a plan; its gifts are free again.")
    async def allocation_reject(self, call: Call, id: AllocationId, reason: Reason) -> UUID:
        return await actions.reject_allocation(call.db, call.id(id, "allocation"), reason)

    @mutation(
        Allocation,
        actions.close_allocation,
        description="Ends a plan; what is left goes back to its gifts. Refused while payments are under way.",
    )
    async def allocation_close(self, call: Call, id: AllocationId) -> UUID:
        return await actions.close_allocation(call.db, call.id(id, "allocation"))

    @mutation(Disbursement, actions.create_disbursement, description="Plans a payment out of an approved allocation.")
    async def disbursement_create(
        self,
        call: Call,
        input: Annotated[DisbursementCreateInput, strawberry.argument(description="The payment.")],
    ) -> UUID:
        given = inputs.DisbursementInput(
            allocation=call.id(input.allocation, "allocation", "allocation"),
            amount_fen=input.amount.fen(),
            payee_name=input.payee_name,
            payee_organization=known(call, input.payee_organization, "organization", "payeeOrganization"),
            payee_resident=known(call, input.payee_resident, "resident", "payeeResident"),
            purpose=input.purpose,
        )
        return await actions.create_disbursement(call.db, given)

    @mutation(Disbursement, actions.submit_disbursement, description="Hands a payment to the checker.")
    async def disbursement_submit(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.submit_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        Disbursement, actions.approve_disbursement, description="Checks a payment, as somebody else than its maker."
    )
    async def disbursement_approve(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.approve_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        Disbursement,
        actions.authorise_disbursement,
        description="Authorises a payment, as somebody else than its maker and its checker; needed where the allocation's total is above 10,000.00 yuan.",
    )
    async def disbursement_authorise(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.authorise_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        Disbursement,
        actions.reject_disbursement,
        description="Refuses a payment, as its checker or authoriser; the allocation has its money again.",
    )
    async def disbursement_reject(self, call: Call, id: DisbursementId, reason: Reason) -> UUID:
        return await actions.reject_disbursement(call.db, call.id(id, "disbursement"), reason)

    @mutation(
        Disbursement,
        actions.cancel_disbursement,
        description="Gives a payment up before any money left; the allocation has its money again.",
    )
    async def disbursement_cancel(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.cancel_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        Disbursement,
        actions.pay_disbursement,
        description="Hands a payment to the bank, for the first time or again after a failure. No money has moved yet: `disbursementSettle` says that it did.",
    )
    async def disbursement_pay(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.pay_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        Disbursement,
        actions.settle_disbursement,
        description="Writes down that the bank paid: posts it, and traces it to the gifts that it consumed.",
    )
    async def disbursement_settle(
        self,
        call: Call,
        id: DisbursementId,
        bank_ref: Annotated[
            str, strawberry.argument(description="The bank's number, 2 to 100 characters; never twice in a foundation.")
        ],
        paid_at: Annotated[
            datetime | None,
            strawberry.argument(description="When the bank paid, after it was handed over; now by default."),
        ] = None,
    ) -> UUID:
        return await actions.settle_disbursement(call.db, call.id(id, "disbursement"), bank_ref, paid_at)

    @mutation(
        Disbursement,
        actions.fail_disbursement,
        description="Writes down that the bank could not pay. It may be paid again, or cancelled.",
    )
    async def disbursement_fail(self, call: Call, id: DisbursementId, reason: Reason) -> UUID:
        return await actions.fail_disbursement(call.db, call.id(id, "disbursement"), reason)

    @mutation(
        Disbursement,
        actions.confirm_receipt,
        description="Writes down what became of a payment: by its payee, by staff of the area, by who asked for it, or by the foundation's people; not by its maker.",
    )
    async def disbursement_confirm_receipt(
        self,
        call: Call,
        id: DisbursementId,
        outcome: Annotated[Confirmation, strawberry.argument(description="What became of it.")],
        note: Annotated[
            str | None, strawberry.argument(description="What is wrong; needed unless all is well.")
        ] = None,
    ) -> UUID:
        return await actions.confirm_receipt(call.db, call.id(id, "disbursement"), outcome, note)

    @mutation(
        Disbursement,
        actions.return_disbursement,
        description="Writes down that a payment came back: a balanced posting, and the trace taken back from its gifts.",
    )
    async def disbursement_return(self, call: Call, id: DisbursementId, reason: Reason) -> UUID:
        return await actions.return_disbursement(call.db, call.id(id, "disbursement"), reason)

    @mutation(Disbursement, actions.close_disbursement, description="Files a payment that its payee has confirmed.")
    async def disbursement_close(self, call: Call, id: DisbursementId) -> UUID:
        return await actions.close_disbursement(call.db, call.id(id, "disbursement"))

    @mutation(
        DonorReveal,
        actions.reveal_donors,
        description="Read the names of up to 100 donors of the foundation, all or none: for a receipt, to thank them, or to check the books. Each reading is on record, and a donor with an account sees who read his. Never replayed.",
        idempotent=False,
    )
    async def donor_reveal(
        self,
        call: Call,
        donors: Annotated[list[strawberry.ID], strawberry.argument(description="Whose names, at most 100.")],
        purpose: Annotated[AccessPurpose, strawberry.argument(description="RECEIPT, THANKS or AUDIT.")],
        reason: Annotated[
            str | None, strawberry.argument(description="What for, in one's own words, at most 200 characters.")
        ] = None,
    ) -> UUID:
        wanted = [call.id(donor, "donor", "donors") for donor in donors]
        return await actions.reveal_donors(call.db, wanted, purpose, reason)
