"""Sign-ins, the capacities that one may act in, and keys of machines."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import strawberry

from models.access import Role
from models.identity import tables
from models.identity.actions import Opened
from models.identity.capacities import Acting
from models.identity.rules import ACCESS, STRONG_ROLES, ApiScope, SignInEnd, SignInMethod
from models.identity.visible import in_office, key_lives
from models.people.visible import XID
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.organizations import Membership, Organization
from resolvers.people.types import Person
from resolvers.territory import Division, Grid
from resolvers.verbs import Call

for values in (ApiScope, SignInEnd, SignInMethod):
    shown(values)

STRONG: sa.ColumnElement[Any] = sa.literal_column(
    "ARRAY[" + ", ".join(f"'{role.value}'" for role in Role if role in STRONG_ROLES) + "]"
)


def seconds_left(row: w.Row, view: w.View) -> w.Row:
    """For how many seconds the access token that this request has made is good; NULL in any other request."""
    left = sa.func.least(sa.extract("epoch", row.expires_at - view.actor.now), sa.literal_column(str(ACCESS.seconds)))
    return sa.case((row.xid == XID, sa.cast(sa.func.floor(left), sa.Integer())))


@w.entity(tables.SignIn, "sign_in")
@strawberry.type(
    description="A person's sign-in on one device. Its tokens are in the answer of the mutation that made them, and null ever after. 登录。"
)
class SignIn(Node):
    method: SignInMethod = w.column(tables.SignIn.method, description="By what he proved who he is.")
    second_factor: bool = w.column(
        tables.SignIn.strong,
        description="Whether a second factor was given, at most 12 hours ago, and used within the last two.",
    )
    role: Role = w.expression(lambda row: row.role, description="As what it was last acted.")
    membership: Membership | None = w.one(
        tables.SignIn.membership_id,
        description="The membership that gives that role; null for one that needs none, and before one is signed in.",
    )
    device: str | None = w.column(tables.SignIn.device, description="What the client called itself.")
    network: str | None = w.column(
        tables.SignIn.network,
        description="Where it was last refreshed from, without the address's last part: `1.2.3.*`.",
    )
    created_at: datetime = w.column(tables.SignIn.created_at, description="When it began.")
    last_seen_at: datetime = w.column(tables.SignIn.last_seen_at, description="When it was last refreshed.")
    expires_at: datetime = w.column(
        tables.SignIn.expires_at, description="When it ends unless it is refreshed before, or for good."
    )
    ended_at: datetime | None = w.column(tables.SignIn.ended_at, description="When it ended; null while it lasts.")
    end_reason: SignInEnd | None = w.column(tables.SignIn.end_reason, description="Why it ended.")
    is_current: bool = w.expression(
        lambda row, view: sa.func.coalesce(row.id == view.actor.sign_in, sa.false()),
        description="Whether this request comes from it.",
    )
    access_token: str | None = w.once(
        "access_token", description="The token to send as `Authorization: Bearer …`. It dies with its sign-in."
    )
    refresh_token: str | None = w.once(
        "refresh_token",
        description="The token for `signInRefresh`, to be used once. Null when only the capacity was changed: the one before stays good.",
    )
    device_token: str | None = w.once(
        "device_token",
        description="After a password: what this device shows at its next sign-in, so that others' failures do not lock it out. Keep it when the sign-in ends.",
    )
    access_expires_in_seconds: int | None = w.expression(
        seconds_left, description="For how long the new access token is good: at most 900 seconds."
    )


@w.entity(tables.Capacity)
@strawberry.type(description="A capacity that the caller may act in today.")
class Capacity:
    role: Role = w.expression(lambda row: row.role, description="The capacity.")
    membership: Membership | None = w.one(
        tables.Capacity.membership_id, description="The membership that gives it; null for one that needs none."
    )
    organization: Organization | None = w.one(
        tables.Capacity.organization_id, description="For which organization; null for other capacities."
    )
    division: Division | None = w.one(
        tables.Capacity.area, target="code", description="Over which division, or in which he is registered."
    )
    grid: Grid | None = w.one(tables.Capacity.area, target="code", description="Over which grid; null otherwise.")
    needs_second_factor: bool = w.expression(
        lambda row: row.role == sa.any_(STRONG),
        description="Whether it is only for sign-ins with a second factor.",
    )


@w.entity(tables.ApiKey, "api_key")
@strawberry.type(description="A key by which a machine acts as staff of an organization. 密钥。")
class ApiKey(Node):
    name: str = w.column(tables.ApiKey.name, description="What its organization calls it.")
    prefix: str = w.column(
        tables.ApiKey.prefix, description="The part of it that is no secret: `wsl_live_` + this + `_` + the secret."
    )
    secret: str | None = w.once(
        "api_key", description="The whole key, told once: in the answer of `apiKeyMake` itself, and never again."
    )
    organization: Organization | None = w.one(tables.ApiKey.organization_id, description="For which organization.")
    made_by: Person | None = w.one(tables.ApiKey.person_id, description="In whose name it acts, masked.")
    membership: Membership | None = w.one(
        tables.ApiKey.membership_id, description="The membership that it was made by, and ends with."
    )
    scopes: list[ApiScope] = w.expression(lambda row: row.scopes, description="What it may do.")
    points_per_minute: int = w.column(
        tables.ApiKey.budget, description="How many points it may spend in a minute; an operation costs up to 1000."
    )
    created_at: datetime = w.column(tables.ApiKey.created_at, description="When it was made.")
    expires_at: datetime = w.column(tables.ApiKey.expires_at, description="When it ends by itself.")
    last_used_at: datetime | None = w.column(
        tables.ApiKey.last_used_at, description="When it was last used, to the minute; null if it never was."
    )
    revoked_at: datetime | None = w.column(tables.ApiKey.revoked_at, description="When it was revoked; null otherwise.")
    revoked_by: Person | None = w.one(tables.ApiKey.revoked_by, description="Who revoked it, masked.")
    is_live: bool = w.expression(
        lambda row, view: sa.and_(key_lives(row, view.actor), in_office(row, view)),
        description="Whether it opens anything now: neither expired nor revoked, and its maker still staff.",
    )


@strawberry.input(description="A capacity to act in.")
class ActingInput:
    role: Role = strawberry.field(description="The role.")
    membership: strawberry.ID | None = strawberry.field(
        default=None, description="The membership that gives it, for whoever has several of one role."
    )

    def read(self) -> Acting:
        """The same, as the verbs take it. Raises InvalidInput."""
        membership = None if self.membership is None else Call.id(self.membership, "membership", "membership")
        return Acting(self.role, membership)


def told(call: Call, opened: Opened) -> UUID:
    """Tells the caller the tokens of a sign-in that was opened or refreshed; returns its id."""
    call.once("access_token", opened.access_token)
    call.once("refresh_token", opened.refresh_token)
    return opened.sign_in
