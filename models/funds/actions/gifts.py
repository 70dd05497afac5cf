"""Verbs of funds and gifts: opening a fund, recording a gift once, reversing one that was recorded by mistake."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from models.access import may, seen
from models.base import INSTANT, table
from models.database import Db, Seen, Statement
from models.funds import inputs, queries
from models.funds.actions.ledger import post, undo
from models.funds.books import TxnKind, gift
from models.funds.inputs import DonationInput, FundInput
from models.funds.problems import (
    AlreadyReversed,
    DonationInUse,
    FundNameTaken,
    MakerIsChecker,
    OutsideFundRestriction,
    PaymentRefConflict,
)
from models.funds.restrictions import Restriction, bound
from models.funds.rules import DONATION_STEPS, MAY, DonationStatus, DonorKind, same_hands, step
from models.funds.tables import Donation, Donor, DonorName, Fund
from models.people.actions.interests import no_conflict
from models.people.organizations import Organization
from models.people.problems import ConflictOfInterest
from models.people.tables import Person
from models.problems import Fen, Forbidden, InvalidInput, NotFound, refuses
from models.rules_text import clean
from models.vault import Kind

donation, donor, donor_name, fund = table(Donation), table(Donor), table(DonorName), table(Fund)
organization, person = table(Organization), table(Person)

INSERT_FUND = Statement(
    insert(fund)
    .values(
        organization_id=sa.bindparam("organization", type_=sa.Uuid()),
        name=sa.bindparam("name", type_=sa.Text()),
        kind=sa.bindparam("kind", type_=sa.Text()),
        category_code=sa.bindparam("category", type_=sa.Text()),
        restricted_area=sa.bindparam("area", type_=sa.Text()),
        restricted_from=sa.bindparam("since", type_=sa.Date()),
        restricted_to=sa.bindparam("until", type_=sa.Date()),
        note=sa.bindparam("note", type_=sa.Text()),
        created_by=sa.bindparam("by", type_=sa.Uuid()),
        created_at=sa.bindparam("now", type_=INSTANT),
    )
    .on_conflict_do_nothing(index_elements=[fund.c.organization_id, fund.c.name])
    .returning(fund.c.id)
)

A_DONOR = Seen(
    lambda viewer: (
        sa.select(donor, donor_name.c.name)
        .select_from(donor.outerjoin(donor_name, donor_name.c.donor_id == donor.c.id))
        .where(donor.c.id == queries.ID, *seen(donor, "donor", viewer))
    )
)
KNOWN_DONOR = Statement(
    sa.select(donor, donor_name.c.name)
    .select_from(donor.outerjoin(donor_name, donor_name.c.donor_id == donor.c.id))
    .where(
        donor.c.organization_id == queries.ORGANIZATION,
        sa.or_(
            sa.and_(
                donor.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
                donor.c.kind == sa.bindparam("kind", type_=sa.Text()),
            ),
            donor.c.giver_organization_id == sa.bindparam("giver", type_=sa.Uuid()),
        ),
    )
)
INSERT_DONOR = Statement(
    insert(donor)
    .values(
        organization_id=queries.ORGANIZATION,
        kind=sa.bindparam("kind", type_=sa.Text()),
        label=sa.bindparam("label", type_=sa.Text()),
        person_id=sa.bindparam("person", type_=sa.Uuid()),
        giver_organization_id=sa.bindparam("giver", type_=sa.Uuid()),
        created_at=sa.bindparam("now", type_=INSTANT),
    )
    .on_conflict_do_nothing()
    .returning(donor.c.id)
)
INSERT_NAME = Statement(
    sa.insert(donor_name).values(
        donor_id=queries.ID,
        kind=sa.bindparam("kind", type_=sa.Text()),
        organization_id=queries.ORGANIZATION,
        name=sa.bindparam("name", type_=sa.LargeBinary()),
    )
)
A_PERSON = Statement(sa.select(person.c.id).where(person.c.id == queries.ID))
"""Whose account a gift is booked to: the donor gives his id, so who records it need not see him."""
AN_ORGANIZATION = Seen(
    lambda viewer: sa.select(organization.c.id, organization.c.name).where(
        organization.c.id == queries.ID, *seen(organization, "organization", viewer)
    )
)

STANDS = donation.c.status != sa.literal_column(f"'{DonationStatus.REVERSED.value}'")
SAME_PAYMENT = Statement(
    sa.select(donation.c.id, donation.c.no, donation.c.fund_id, donation.c.amount_fen).where(
        donation.c.organization_id == queries.ORGANIZATION,
        donation.c.channel == sa.bindparam("channel", type_=sa.Text()),
        donation.c.external_txn == sa.bindparam("external_txn", type_=sa.Text()),
        STANDS,
    )
)
"""The gift that a payment made; one that was reversed leaves the payment's number free for the right one."""
INSERT_DONATION = Statement(
    insert(donation)
    .values(
        organization_id=queries.ORGANIZATION,
        fund_id=queries.FUND,
        donor_id=sa.bindparam("donor", type_=sa.Uuid()),
        person_id=sa.bindparam("person", type_=sa.Uuid()),
        amount_fen=sa.bindparam("amount", type_=sa.BigInteger()),
        channel=sa.bindparam("channel", type_=sa.Text()),
        external_txn=sa.bindparam("external_txn", type_=sa.Text()),
        received_at=sa.bindparam("received_at", type_=INSTANT),
        designation=sa.bindparam("designation", type_=sa.Text()),
        restricted=sa.bindparam("restricted", type_=sa.Boolean()),
        category_code=sa.bindparam("category", type_=sa.Text()),
        restricted_area=sa.bindparam("area", type_=sa.Text()),
        restricted_from=sa.bindparam("since", type_=sa.Date()),
        restricted_to=sa.bindparam("until", type_=sa.Date()),
        breadth=sa.bindparam("breadth", type_=sa.Integer()),
        publish_name=sa.bindparam("publish_name", type_=sa.Boolean()),
        public_name=sa.bindparam("public_name", type_=sa.Text()),
        status=sa.literal_column(f"'{DonationStatus.RECEIVED.value}'"),
        allocated_fen=sa.literal_column("0"),
        spent_fen=sa.literal_column("0"),
        refunded_fen=sa.literal_column("0"),
        recorded_by=sa.bindparam("by", type_=sa.Uuid()),
        recorded_at=sa.bindparam("now", type_=INSTANT),
    )
    .on_conflict_do_nothing(
        index_elements=[donation.c.organization_id, donation.c.channel, donation.c.external_txn],
        index_where=sa.and_(donation.c.external_txn.is_not(None), STANDS),
    )
    .returning(donation.c.id)
)
REVERSE = Statement(
    sa.update(donation)
    .where(donation.c.id == queries.ID)
    .values(status=sa.bindparam("status", type_=sa.Text()), reason=sa.bindparam("reason", type_=sa.Text()))
)


async def known(db: Db, restriction: Restriction) -> None:
    """Raises InvalidInput when a restriction names a category or a division that does not exist."""
    found = await db.one(queries.KNOWN, category=restriction.category, area=restriction.area)
    assert found is not None
    if not found["category"]:
        raise InvalidInput(field="categoryCode", reason="没有这个服务类别。")
    if not found["area"]:
        raise InvalidInput(field="areaCode", reason="没有这个行政区划。")


async def own_fund(db: Db, id: UUID) -> Any:
    """A fund of the actor's foundation, its row locked. Raises NotFound, and Forbidden for another foundation's."""
    found = await db.one(queries.LOCK_FUND, id=id)
    if found is None:
        raise NotFound("该基金")
    if found["organization_id"] != db.actor.organization:
        raise Forbidden()
    return found


@may(MAY["fund.create"])
@refuses(FundNameTaken)
async def create_fund(db: Db, given: FundInput) -> UUID:
    """Opens a fund of the actor's foundation, with its accounts and an empty balance."""
    given = inputs.fund(given)
    bounds = given.restriction
    await known(db, bounds)
    made: UUID | None = await db.value(
        INSERT_FUND,
        organization=db.actor.organization,
        name=given.name,
        kind=given.kind,
        category=bounds.category,
        area=bounds.area,
        since=bounds.since,
        until=bounds.until,
        note=given.note,
        by=db.actor.person,
    )
    if made is None:
        raise FundNameTaken()
    db.tell("fund.created", made, area=bounds.area)
    return made


async def _name(db: Db, found: Any) -> str | None:
    """A donor's plain name: a person's is sealed for him, an organization's is its label, an anonymous one has none."""
    if found["kind"] == DonorKind.ORGANIZATION:
        return str(found["label"])
    return None if found["name"] is None else (await db.keys()).open(Kind.NAME, found["name"], found["id"])


async def _donor(db: Db, given: DonationInput) -> tuple[UUID, UUID | None, DonorKind, str | None]:
    """The donor of a gift, found or written down: id, account, kind, and his plain name."""
    if given.donor is not None:
        found = await db.one(A_DONOR, id=given.donor)
        if found is None:
            raise NotFound("该捐赠人")
        return found["id"], found["person_id"], DonorKind(found["kind"]), await _name(db, found)
    giver = given.giver
    assert giver is not None
    name = giver.name
    if giver.person is not None and await db.value(A_PERSON, id=giver.person) is None:
        raise NotFound("该捐赠人的账户")
    if giver.organization is not None:
        unit = await db.one(AN_ORGANIZATION, id=giver.organization)
        if unit is None:
            raise NotFound("该单位")
        name = unit["name"]
    own = {"organization": db.actor.organization, "kind": giver.kind}
    who = {"person": giver.person, "giver": giver.organization}
    made: UUID | None = await db.value(INSERT_DONOR, **own, **who, label=inputs.label(giver.kind, name))
    if made is None:  # he gave before
        found = await db.one(KNOWN_DONOR, **own, **who)
        assert found is not None
        return found["id"], found["person_id"], giver.kind, await _name(db, found)
    if name is not None and giver.kind is DonorKind.PERSON:
        await db.one(INSERT_NAME, **own, id=made, name=(await db.keys()).seal(Kind.NAME, name, made))
    return made, giver.person, giver.kind, name


async def _same_payment(db: Db, given: DonationInput) -> UUID | None:
    """The gift that a payment made when its notice came before. Raises PaymentRefConflict when that was another."""
    if given.external_txn is None:
        return None
    found = await db.one(
        SAME_PAYMENT, organization=db.actor.organization, channel=given.channel, external_txn=given.external_txn
    )
    if found is None:
        return None
    if (found["fund_id"], found["amount_fen"]) != (given.fund, given.amount_fen):
        raise PaymentRefConflict(donation_no=found["no"])
    id: UUID = found["id"]
    return id


@may(MAY["donation.record"])
@refuses(PaymentRefConflict, OutsideFundRestriction)
async def record_donation(db: Db, given: DonationInput) -> UUID:
    """Records a gift that arrived, and posts it. A payment's number that came before gives the gift it made then.

    Unless that gift was reversed: then the payment is recorded anew.
    """
    given = inputs.donation(given, db.now)
    found = await own_fund(db, given.fund)
    before = await _same_payment(db, given)
    if before is not None:
        return before
    await known(db, given.restriction)
    bounds = bound(given.restriction, Restriction(found["category_code"], *_where_and_when(found)))
    donor_id, account, kind, name = await _donor(db, given)
    if kind is DonorKind.ANONYMOUS and given.publish_name:
        raise InvalidInput(field="publishName", reason="匿名捐赠不能公开姓名。")
    made: UUID | None = await db.value(
        INSERT_DONATION,
        organization=db.actor.organization,
        fund=given.fund,
        donor=donor_id,
        person=account,
        amount=given.amount_fen,
        channel=given.channel,
        external_txn=given.external_txn,
        received_at=given.received_at,
        designation=given.designation,
        restricted=bool(bounds),
        category=bounds.category,
        area=bounds.area,
        since=bounds.since,
        until=bounds.until,
        breadth=bounds.breadth,
        publish_name=given.publish_name,
        public_name=inputs.shown_as(kind, name, given.publish_name, given.public_name),
        by=db.actor.person,
    )
    if made is None:  # another fund's gift took the payment's number in this instant
        await _same_payment(db, given)
    assert made is not None
    assert db.actor.organization is not None
    assert given.received_at is not None
    await post(
        db,
        db.actor.organization,
        TxnKind.GIFT,
        given.received_at,
        gift(given.fund, given.amount_fen, bool(bounds)),
        donation=made,
    )
    db.tell("donation.recorded", made, area=bounds.area, fund=given.fund, amount_fen=given.amount_fen)
    return made


def _where_and_when(row: Any) -> tuple[Any, Any, Any]:
    return row["restricted_area"], row["restricted_from"], row["restricted_to"]


@may(MAY["donation.reverse"])
@refuses(AlreadyReversed, DonationInUse, MakerIsChecker, ConflictOfInterest)
async def reverse_donation(db: Db, id: UUID, reason: str) -> UUID:
    """Takes back a gift that was recorded by mistake, by a balanced posting; somebody else than its recorder does it, and
    nobody who is its donor, or close to him."""
    reason = clean(reason, "reason", most=500, least=2)
    seen_gift = await db.one(queries.PEEK_DONATION, id=id)
    if seen_gift is None:
        raise NotFound("该捐赠")
    await own_fund(db, seen_gift["fund_id"])
    found = await db.one(queries.LOCK_DONATION, id=id)
    assert found is not None
    if found["status"] == DonationStatus.REVERSED:
        raise AlreadyReversed()
    after = step(DONATION_STEPS, "reverse", found["status"])
    if same_hands(found["recorded_by"], db.actor.person):
        raise MakerIsChecker()
    await no_conflict(db, concerns=[found["person_id"]])
    if found["allocated_fen"] or found["refunded_fen"]:
        raise DonationInUse(allocated=Fen(found["allocated_fen"]), spent=Fen(found["spent_fen"]))
    await db.one(REVERSE, id=id, status=after, reason=reason)
    await undo(db, found["organization_id"], TxnKind.GIFT, TxnKind.GIFT_REVERSAL, donation=id)
    db.tell("donation.reversed", id, area=found["restricted_area"])
    return id
