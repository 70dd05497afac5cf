"""The types: masked everywhere, save one's own data under `me`, one's volunteers' names, and what a reveal answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import sqlalchemy as sa
import strawberry

from models.access import STAFF_ROLES, Role
from models.identity.tables import Capacity as Capacities
from models.identity.visible import on_these_days
from models.identity.wechat import visible as _  # noqa: F401 - whether a WeChat is bound
from models.identity.wechat.tables import WechatIdentity
from models.people import tables, visible
from models.people.identity import ADULT
from models.people.queries import (
    covered,
    may_decide_organization,
    may_edit_care,
    may_edit_organization,
    may_move_volunteer,
    may_revoke_membership,
    may_verify_resident,
    plain,
    reachable,
)
from models.people.rules import (
    AccessPurpose,
    ContactField,
    Gender,
    IdType,
    LegalStatus,
    OrganizationKind,
    PersonState,
    PhoneWhose,
    ResidentTag,
    SearchKey,
    SocialWorkerLevel,
    VerifiedState,
    VolunteerRegistration,
)
from models.people.scopes import MAY
from models.vault import Kind
from resolvers.common import Connection, Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.territory import Division, Grid

if TYPE_CHECKING:
    from resolvers.identity.accounts import UserAccount
    from resolvers.identity.types import Capacity

for values in (
    AccessPurpose,
    ContactField,
    Gender,
    IdType,
    LegalStatus,
    OrganizationKind,
    PersonState,
    PhoneWhose,
    ResidentTag,
    SearchKey,
    Role,
    SocialWorkerLevel,
    VerifiedState,
    VolunteerRegistration,
):
    shown(values)


def own_or_staff(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """A value that the person himself and the staff of his area see; NULL for others."""
    if view.actor.role in STAFF_ROLES:
        return value
    return sa.case((row.person_id == view.actor.person, value))


@w.entity(tables.Person, "person")
@strawberry.type(description="A person, as others may see him: masked. 自然人。")
class Person(Node):
    name: str = w.column(
        tables.Person.name_masked, description="The surname, and a star for the rest, however long: `张*`."
    )
    phone: str | None = w.expression(
        lambda row, view: sa.case((reachable(row, view), row.phone_masked)),
        description="The phone number with four digits hidden, `138****1234`: for the person himself, his household, the staff who look after him and whom a commitment joins to him; null for others.",
    )
    address: str | None = w.expression(
        lambda row, view: sa.case((reachable(row, view), row.address_masked)),
        description="The address to its compound, without house and door: for those who see the phone number; null for others, and where none is recorded.",
    )
    full_name: str | None = w.sealed(
        Kind.NAME,
        lambda row, view: plain(view.rows(tables.PersonName), "name", row.id),
        subject=lambda row: row.id,
        description="The plain name: for the person himself, and for staff of an organization that took him as a volunteer; null for others.",
    )
    gender: Gender = w.column(tables.Person.gender, description="His gender, as recorded.")
    is_minor: bool | None = w.expression(
        lambda row, view: row.birth_date + sa.literal_column(f"interval '{ADULT} years'") > visible.today(view.actor),
        description="Whether he is under 18 today; null when no birth date is on record.",
    )
    state: PersonState = w.column(tables.Person.state, description="Whether these are his own data or a pseudonym's.")
    resident: Resident | None = w.one("id", target="person_id", description="His registration as a resident.")
    volunteer: Volunteer | None = w.one("id", target="person_id", description="His registration as a volunteer.")
    social_worker: SocialWorker | None = w.one("id", target="person_id", description="His licence as a social worker.")


def caring(row: w.Row, view: w.View, value: w.Row) -> w.Row:
    """What the resident himself, his community's staff and its social workers see of him; NULL for others."""
    if view.actor.role in MAY["resident.care"]:
        return sa.case((sa.or_(row.person_id == view.actor.person, covered(view.actor, row.area)), value))
    return sa.case((row.person_id == view.actor.person, value))


@strawberry.type(description="What the caller may do with a resident's registration now.")
class ResidentCan:
    verify: bool = w.expression(lambda row, view: may_verify_resident(row, view.actor), description="`residentVerify`.")
    edit_care: bool = w.expression(lambda row, view: may_edit_care(row, view.actor), description="`residentCareEdit`.")


@w.entity(tables.Resident, "resident")
@strawberry.type(description="A person who lives in a community. 居民。")
class Resident(Node):
    person: Person | None = w.one(tables.Resident.person_id, description="Who he is, masked.")
    community: Division = w.one(tables.Resident.community_id, description="The community that he lives in.")
    grid: Grid | None = w.one(tables.Resident.grid_id, description="The grid that he lives in, where it is known.")
    household: list[Resident] = w.many(
        match=lambda item, parent: item.household == parent.household,
        order=(tables.Resident.created_at,),
        limit=20,
        description="The residents of his household, himself included; only those whom the caller may see.",
    )
    tags: list[ResidentTag] | None = w.sealed(
        Kind.CARE,
        lambda row, view: caring(row, view, row.care),
        subject=lambda row: row.person_id,
        description="Why he may need care; null for callers other than himself, his community's staff and social workers.",
    )
    care_note: str | None = w.sealed(
        Kind.CARE,
        lambda row, view: caring(row, view, row.care_note),
        subject=lambda row: row.person_id,
        description="What is known of his health or poverty, in words; for the same people as the tags.",
    )
    is_verified: bool = w.expression(
        lambda row: row.verified_at.is_not(None),
        description="Whether staff have made sure that he lives there. Who registered himself waits for it, and may ask for help meanwhile.",
    )
    verified_at: datetime | None = w.column(
        tables.Resident.verified_at, description="When staff made sure; null before that."
    )
    created_at: datetime = w.column(tables.Resident.created_at, description="When he was registered.")
    viewer_can: ResidentCan = w.inside(description="What the caller may do with the registration now.")


@strawberry.type(description="What the caller may do with a volunteer's registration now.")
class VolunteerCan:
    verify: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "verify"), description="`volunteerVerify`."
    )
    reject: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "reject"), description="`volunteerReject`."
    )
    suspend: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "suspend"), description="`volunteerSuspend`."
    )
    resume: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "resume"), description="`volunteerResume`."
    )
    withdraw: bool = w.expression(
        lambda row, view: may_move_volunteer(row, view.actor, "withdraw"), description="`volunteerWithdraw`."
    )


@w.entity(tables.Volunteer, "volunteer")
@strawberry.type(description="A person's registration as a volunteer. 志愿者。")
class Volunteer(Node):
    person: Person | None = w.one(tables.Volunteer.person_id, description="Who he is, masked.")
    volunteer_no: str = w.column(tables.Volunteer.volunteer_no, description="His number, for life. 统一编号。")
    state: VolunteerRegistration = w.column(tables.Volunteer.state, description="The state of the registration.")
    state_reason: str | None = w.expression(
        lambda row, view: own_or_staff(row, view, row.state_reason),
        description="Why he was refused or suspended; for himself and staff.",
    )
    division: Division = w.one(
        tables.Volunteer.area, target="code", description="The community that he is registered in."
    )
    skills: list[str] = w.column(tables.Volunteer.skills, description="What he can do, in his own words.")
    categories: list[str] = w.column(
        tables.Volunteer.categories, description="Codes of the service categories that he would serve in."
    )
    is_minor: bool = w.expression(
        lambda row, view: row.adult_on > visible.today(view.actor), description="Whether he is under 18 today."
    )
    no_matching: bool | None = w.expression(
        lambda row, view: own_or_staff(row, view, row.no_matching),
        description="Whether he does not wish to stand in candidate lists; for himself and staff.",
    )
    created_at: datetime = w.column(tables.Volunteer.created_at, description="When he first registered.")
    version: int = w.column(tables.Volunteer.version, description="The version to give when editing.")
    viewer_can: VolunteerCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.SocialWorker, "social_worker")
@strawberry.type(description="A licensed social worker. 社会工作者。")
class SocialWorker(Node):
    person: Person | None = w.one(tables.SocialWorker.person_id, description="Who he is, masked.")
    level: SocialWorkerLevel = w.column(tables.SocialWorker.level, description="The professional level.")
    licence_no: str = w.column(tables.SocialWorker.licence_no, description="The licence's number.")
    licence_until: date = w.column(tables.SocialWorker.licence_until, description="The last day on which it is valid.")
    division: Division = w.one(tables.SocialWorker.area, target="code", description="Where he works.")


@strawberry.type(description="What the caller may do with an organization now.")
class OrganizationCan:
    edit: bool = w.expression(
        lambda row, view: may_edit_organization(row, view.actor), description="`organizationEdit`."
    )
    submit: bool = w.expression(
        lambda row, view: may_edit_organization(row, view.actor), description="`organizationSubmit`."
    )
    verify: bool = w.expression(
        lambda row, view: may_decide_organization(row, view.actor, "verify"), description="`organizationVerify`."
    )
    reject: bool = w.expression(
        lambda row, view: may_decide_organization(row, view.actor, "reject"), description="`organizationReject`."
    )


@w.entity(tables.Organization, "organization")
@strawberry.type(description="An organization: registered, merely filed, or internal to a community. 组织。")
class Organization(Node):
    name: str = w.column(tables.Organization.name, description="Its name.")
    pinyin: str = w.column(tables.Organization.pinyin, description="The name's pinyin, to sort by.")
    kind: OrganizationKind = w.column(tables.Organization.kind, description="What sort it is.")
    legal_status: LegalStatus = w.column(tables.Organization.legal_status, description="How it stands before the law.")
    uscc: str | None = w.column(
        tables.Organization.uscc,
        description="Its unified social credit code (GB 32100); null for what is not registered.",
    )
    filing_no: str | None = w.column(
        tables.Organization.filing_no, description="The number under which it is filed with its street or town."
    )
    verified_state: VerifiedState = w.column(
        tables.Organization.verified_state, description="How far its application is."
    )
    rejection: str | None = w.column(
        tables.Organization.rejection, description="Why its application was refused; null otherwise."
    )
    is_charity: bool = w.column(tables.Organization.is_charity, description="Whether it is a charity by law.")
    division: Division = w.one(tables.Organization.division_id, description="The division that it belongs to.")
    contact: Person | None = w.one(
        tables.Organization.contact_id, description="The person who applied for it, masked; null when hidden."
    )
    created_at: datetime = w.column(tables.Organization.created_at, description="When it was entered.")
    version: int = w.column(tables.Organization.version, description="The version to give when editing.")
    memberships: Connection[Membership] = w.connection(
        tables.Membership.organization_id,
        order=(tables.Membership.granted_at,),
        description="Who acts for it: for its staff, administrators and auditors; others see their own.",
    )
    volunteers: Connection[OrganizationVolunteer] = w.connection(
        tables.OrganizationVolunteer.organization_id,
        order=(tables.OrganizationVolunteer.since,),
        description="The volunteers whom it took: for its staff; a volunteer sees himself.",
    )
    viewer_can: OrganizationCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.OrganizationVolunteer, "organization_volunteer")
@strawberry.type(description="That an organization took a volunteer: its staff sees his name from then on.")
class OrganizationVolunteer(Node):
    organization: Organization | None = w.one(
        tables.OrganizationVolunteer.organization_id, description="The organization."
    )
    person: Person | None = w.one(tables.OrganizationVolunteer.person_id, description="The volunteer, as a person.")
    volunteer: Volunteer | None = w.one(
        tables.OrganizationVolunteer.person_id, target="person_id", description="His registration."
    )
    since: datetime = w.column(tables.OrganizationVolunteer.since, description="Since when.")
    until: datetime | None = w.column(
        tables.OrganizationVolunteer.until, description="Until when; null while it lasts."
    )


@strawberry.type(description="What the caller may do with a membership now.")
class MembershipCan:
    revoke: bool = w.expression(
        lambda row, view: may_revoke_membership(row, view.actor), description="`membershipRevoke`."
    )


@w.entity(tables.Membership, "membership")
@strawberry.type(description="A person's capacity, for an organization or an area, from one day to another. 任职。")
class Membership(Node):
    person: Person | None = w.one(tables.Membership.person_id, description="Whose it is, masked.")
    role: Role = w.expression(lambda row: row.role, description="The capacity.")
    organization: Organization | None = w.one(
        tables.Membership.organization_id, description="For which organization; null for a capacity over an area."
    )
    division: Division | None = w.one(
        tables.Membership.area, target="code", description="Over which division; null for a grid or an organization."
    )
    grid: Grid | None = w.one(tables.Membership.area, target="code", description="Over which grid; null otherwise.")
    starts_on: date = w.column(tables.Membership.starts_on, description="Its first day.")
    ends_on: date | None = w.column(
        tables.Membership.ends_on, description="Its last day; null while nobody has set one."
    )
    granted_by: Person | None = w.one(tables.Membership.granted_by, description="Who gave it, masked.")
    granted_at: datetime = w.column(tables.Membership.granted_at, description="When it was given.")
    revoked_at: datetime | None = w.column(
        tables.Membership.revoked_at, description="When it was taken back; null otherwise."
    )
    is_current: bool = w.expression(
        lambda row, view: sa.and_(
            row.revoked_at.is_(None),
            row.starts_on <= visible.today(view.actor),
            sa.or_(row.ends_on.is_(None), row.ends_on >= visible.today(view.actor)),
        ),
        description="Whether it holds today: whoever has it may sign in with it.",
    )
    viewer_can: MembershipCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.GuardianConsent, "guardian_consent")
@strawberry.type(description="That a guardian consents to a minor's serving as a volunteer. 监护人同意。")
class GuardianConsent(Node):
    minor: Person | None = w.one(tables.GuardianConsent.minor_id, description="The minor, masked.")
    guardian: Person | None = w.one(tables.GuardianConsent.guardian_id, description="The guardian, masked.")
    recorded_by: Person | None = w.one(
        tables.GuardianConsent.recorded_by, description="Who recorded it: the guardian himself, or staff."
    )
    given_at: datetime = w.column(tables.GuardianConsent.given_at, description="When it was recorded.")
    withdrawn_at: datetime | None = w.column(
        tables.GuardianConsent.withdrawn_at, description="When it was withdrawn; null while it holds."
    )


@w.entity(tables.PiiAccess, "pii_access")
@strawberry.type(
    description="That somebody read another's plain data, once. Visible to both, and to auditors; changed by nobody."
)
class PiiAccess(Node):
    at: datetime = w.column(tables.PiiAccess.at, description="When.")
    actor: Person | None = w.one(tables.PiiAccess.actor_id, description="Who read, masked.")
    role: Role = w.expression(lambda row: row.role, description="In which capacity.")
    organization: Organization | None = w.one(
        tables.PiiAccess.organization_id, description="For which organization; null for other capacities."
    )
    subject: Person | None = w.one(tables.PiiAccess.subject_id, description="Whose data, masked.")
    fields: list[ContactField] = w.expression(lambda row: row.fields, description="Which data.")
    purpose: AccessPurpose = w.column(tables.PiiAccess.purpose, description="What for.")
    reason: str | None = w.column(tables.PiiAccess.reason, description="What for, in the reader's words.")


def revealed(table: type, column: str, field: ContactField) -> Callable[[w.Row, w.View], w.Row]:
    """A plain value that this reveal asked for; NULL for one that it did not, and in every other transaction."""
    return lambda row, view: sa.case(
        (sa.literal_column(f"'{field.value}'") == sa.any_(row.fields), plain(view.rows(table), column, row.subject_id))
    )


@w.entity(tables.PiiAccess)
@strawberry.type(
    description="Somebody's plain contact. It is here in the answer of `contactReveal` itself, and null ever after."
)
class RevealedContact:
    person: Person | None = w.one(tables.PiiAccess.subject_id, description="Whose contact it is.")
    name: str | None = w.sealed(
        Kind.NAME,
        revealed(tables.PersonName, "name", ContactField.NAME),
        subject=lambda row: row.subject_id,
        description="The full name, if it was asked for.",
    )
    phone: str | None = w.sealed(
        Kind.PHONE,
        revealed(tables.PersonContact, "phone", ContactField.PHONE),
        subject=lambda row: row.subject_id,
        description="The phone number, if it was asked for; null when there is none.",
    )
    phone_whose: PhoneWhose | None = w.expression(
        revealed(tables.PersonContact, "phone_whose", ContactField.PHONE),
        description="Whose number that is: his own, or a relative's.",
    )
    address: str | None = w.sealed(
        Kind.ADDRESS,
        revealed(tables.PersonContact, "address", ContactField.ADDRESS),
        subject=lambda row: row.subject_id,
        description="The address with its door, if it was asked for; null when there is none.",
    )
    id_number: str | None = w.sealed(
        Kind.IDENTITY,
        revealed(tables.PersonIdentity, "number", ContactField.ID_NUMBER),
        subject=lambda row: row.subject_id,
        description="The number of the identity document, if it was asked for; null when none is recorded.",
    )


@w.entity(tables.ContactReveal, "contact_reveal")
@strawberry.type(description="One reading of plain contacts, of up to 100 people.")
class ContactReveal(Node):
    at: datetime = w.column(tables.ContactReveal.at, description="When.")
    purpose: AccessPurpose = w.column(tables.ContactReveal.purpose, description="What for.")
    reason: str | None = w.column(tables.ContactReveal.reason, description="What for, in the reader's words.")
    subject_count: int = w.column(tables.ContactReveal.subject_count, description="Of how many people.")
    contacts: list[RevealedContact] = w.many(
        tables.PiiAccess.reveal_id,
        order=(tables.PiiAccess.id,),
        limit=100,
        description="The contacts. Their plain values are in the mutation's own answer only.",
    )


@w.entity(tables.PersonSearch, "person_search")
@strawberry.type(
    description="One search for people by an exact phone number or document. What was looked for is not kept."
)
class PersonSearch(Node):
    at: datetime = w.column(tables.PersonSearch.at, description="When.")
    found_by: SearchKey = w.column(tables.PersonSearch.found_by, description="By what.")
    purpose: AccessPurpose = w.column(tables.PersonSearch.purpose, description="What for.")
    reason: str | None = w.column(tables.PersonSearch.reason, description="What for, in the searcher's words.")
    persons: list[Person] = w.many(
        match=lambda item, parent: item.id == sa.any_(parent.found),
        order=(tables.Person.id,),
        limit=20,
        description="Who was found in the searcher's area, masked; nobody where there is none, or he is elsewhere.",
    )


@strawberry.type(description="The capacity in which the caller is signed in.")
class Acting:
    role: Role = w.named("role", description="The capacity.")
    organization: Organization | None = w.one(
        "organization_id", description="For which organization; null for other capacities."
    )
    division: Division | None = w.one("area", target="code", description="Over which division; null for a grid.")
    grid: Grid | None = w.one("area", target="code", description="Over which grid; null otherwise.")


def wechat_bound(row: w.Row, view: w.View) -> sa.ColumnElement[bool]:
    """Whether a WeChat user signs in as somebody."""
    users = view.rows(WechatIdentity)
    return sa.exists(sa.select(sa.literal_column("1")).where(users.c.person_id == row.id))


@w.entity(tables.Person, "person")
@strawberry.type(description="The caller himself, with his own data in plain.")
class Me:
    id: strawberry.ID = w.identity(description="His id as a person.")
    name: str | None = w.sealed(
        Kind.NAME,
        lambda row, view: plain(view.rows(tables.PersonName), "name", row.id),
        subject=lambda row: row.id,
        description="His full name; null before he has said it.",
    )
    phone: str | None = w.sealed(
        Kind.PHONE,
        lambda row, view: plain(view.rows(tables.PersonContact), "phone", row.id),
        subject=lambda row: row.id,
        description="His phone number.",
    )
    phone_whose: PhoneWhose | None = w.expression(
        lambda row, view: plain(view.rows(tables.PersonContact), "phone_whose", row.id),
        description="Whose number that is: his own, or a relative's; null without one.",
    )
    address: str | None = w.sealed(
        Kind.ADDRESS,
        lambda row, view: plain(view.rows(tables.PersonContact), "address", row.id),
        subject=lambda row: row.id,
        description="His address.",
    )
    id_type: IdType | None = w.expression(
        lambda row, view: plain(view.rows(tables.PersonIdentity), "id_type", row.id),
        description="The kind of identity document that staff have seen; null when none is recorded.",
    )
    id_number_masked: str | None = w.expression(
        lambda row, view: plain(view.rows(tables.PersonIdentity), "number_masked", row.id),
        description="Its number with three characters before and four behind, `210***********1234`: whole it is shown to nobody here, not to himself either.",
    )
    gender: Gender = w.column(tables.Person.gender, description="His gender, as recorded.")
    birth_date: date | None = w.column(tables.Person.birth_date, description="His birth date, where it is recorded.")
    acting: Acting = w.inside(
        lambda row, view: {
            "role": sa.literal_column(f"'{view.actor.role.value}'", sa.Text()),
            "organization_id": view.actor.organization,
            "area": view.actor.area,
        },
        description="The capacity in which he is signed in.",
    )
    resident: Resident | None = w.one("id", target="person_id", description="His registration as a resident.")
    volunteer: Volunteer | None = w.one("id", target="person_id", description="His registration as a volunteer.")
    social_worker: SocialWorker | None = w.one("id", target="person_id", description="His licence as a social worker.")
    memberships: list[Membership] = w.many(
        tables.Membership.person_id,
        order=(tables.Membership.granted_at,),
        limit=50,
        description="His capacities, the first first; also those that have ended.",
    )
    capacities: list[Annotated[Capacity, strawberry.lazy("resolvers.identity.types")]] = w.many(
        match=lambda item, parent: item.person_id == parent.id,
        order=(Capacities.role,),
        limit=50,
        where=lambda item, view: on_these_days(item, view.actor),
        description="The capacities that he may act in today: one of them for each sign-in, by `signInSwitch` or `signInRefresh`.",
    )
    account: Annotated[UserAccount, strawberry.lazy("resolvers.identity.accounts")] | None = w.one(
        "id", target="person_id", description="How he signs in with a password; null for one who does not."
    )
    wechat_bound: bool = w.expression(
        wechat_bound, description="Whether a WeChat user signs in as him: `wechatBind`, `wechatUnbind`."
    )
    consents: list[GuardianConsent] = w.many(
        match=lambda item, parent: sa.or_(item.minor_id == parent.id, item.guardian_id == parent.id),
        order=(tables.GuardianConsent.given_at,),
        limit=50,
        description="Consents that he gave as a guardian, or that were given for him.",
    )
