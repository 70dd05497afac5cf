"""The caller himself: his own data in plain, as what he may act, and what of it he changes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.access import Role
from models.identity.accounts import visible as _accounts  # noqa: F401 - whether his account is disabled
from models.identity.accounts.tables import Account
from models.identity.tables import Capacity as Capacities
from models.identity.wechat import visible as _  # noqa: F401 - whether a WeChat is bound
from models.identity.wechat.tables import WechatIdentity
from models.people import actions, tables, visible
from models.people import organizations as units
from models.people.avoidances import Avoidance as Avoidances
from models.people.holding import on_these_days
from models.people.queries import plain
from models.people.rules import Gender, IdType, PhoneWhose
from models.vault import Kind
from resolvers.engine import words as w
from resolvers.people.organizations import Membership, Organization
from resolvers.people.types import GuardianConsent, Resident, SocialWorker, Volunteer
from resolvers.territory import Division, Grid
from resolvers.verbs import Call, mutation

if TYPE_CHECKING:
    from resolvers.identity.accounts import UserAccount
    from resolvers.identity.types import Capacity
    from resolvers.people.volunteering import Avoidance


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


def held(item: w.Row, view: w.View) -> sa.ColumnElement[bool]:
    """Which of his capacities he may act in today: no membership while his account is disabled."""
    accounts = view.rows(Account)
    off = sa.exists(
        sa.select(sa.literal_column("1")).where(
            accounts.c.person_id == item.person_id, accounts.c.disabled_at.is_not(None)
        )
    )
    return sa.and_(on_these_days(item, visible.today(view.actor)), sa.or_(item.membership_id.is_(None), sa.not_(off)))


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
        units.Membership.person_id,
        order=(units.Membership.granted_at,),
        limit=50,
        description="His capacities, the first first; also those that have ended.",
    )
    capacities: list[Annotated[Capacity, strawberry.lazy("resolvers.identity.types")]] = w.many(
        match=lambda item, parent: item.person_id == parent.id,
        order=(Capacities.role,),
        limit=50,
        where=held,
        description="The capacities that he may act in today: one of them for each sign-in, by `signInSwitch` or `signInRefresh`.",
    )
    avoidances: list[Annotated[Avoidance, strawberry.lazy("resolvers.people.volunteering")]] = w.many(
        match=lambda item, parent: item.person_id == parent.id,
        order=(desc(Avoidances.created_at),),
        limit=100,
        description="Whom and what he does not want to be matched with, the newest first. Nobody else reads it.",
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


@strawberry.input(description="What of one's own record is to change. What is not given stays.")
class MeEditInput:
    gender: strawberry.Maybe[Gender] = strawberry.field(description="The gender.")
    address: strawberry.Maybe[str | None] = strawberry.field(
        description="The address with its door; null takes it away. Where one is registered as a resident does not change."
    )


@strawberry.type
class MeMutation:
    @mutation(
        Me,
        actions.edit_myself,
        description="Change one's own address or gender. A name or birth date is corrected on request; a phone number by proving it.",
    )
    async def me_edit(
        call: Call, input: Annotated[MeEditInput, strawberry.argument(description="What changes.")]
    ) -> UUID:
        address = input.address
        return await actions.edit_myself(
            call.db,
            gender=input.gender.value if input.gender else None,
            address=address.value if address else None,
            no_address=address is not None and address.value is None,
        )
