"""The roots: one's sign-ins, and an organization's keys."""

from __future__ import annotations

import strawberry
from sqlmodel import desc

from models.identity import tables
from models.identity.visible import key_lives, sign_in_lives
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.identity.types import ApiKey, SignIn


@strawberry.input(description="Which sign-ins. What is not given does not narrow.")
class SignInFilter:
    live: bool | None = w.where(
        lambda row, value, view: sign_in_lives(row, view.actor) == value, description="That last, or that have ended."
    )


@strawberry.input(description="Which keys. What is not given does not narrow.")
class ApiKeyFilter:
    live: bool | None = w.where(
        lambda row, value, view: key_lives(row, view.actor) == value,
        description="That are neither revoked nor expired, or that are.",
    )


@strawberry.type
class IdentityQuery:
    my_sign_ins: Connection[SignIn] = w.connection(
        order=(desc(tables.SignIn.created_at),),
        filter=SignInFilter,
        where=lambda row, view: row.person_id == view.actor.person,
        description="The caller's sign-ins by pages, the last to begin first; ended ones for 90 days. Only for who signed in himself.",
    )
    api_keys: Connection[ApiKey] = w.connection(
        order=(desc(tables.ApiKey.created_at),),
        filter=ApiKeyFilter,
        description="Keys by pages, the last to be made first: for the organization's staff theirs, for administrators and auditors all.",
    )
