"""Mini-programs of the scenarios: they sign in by the fake WeChat, prove a number, and stay signed in."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

from tests.scenarios.client import Api


@dataclasses.dataclass
class Phone:
    """A mini-program that stays signed in: an access token lasts 15 minutes, so it refreshes."""

    api: Api
    refresh: str

    async def token(self, role: str | None = None) -> str:
        """An access token of now; of another capacity of his, if a role is named."""
        acting = None if role is None else {"role": role}
        fresh = await self.api.done(None, "Refresh", token=self.refresh, acting=acting)
        self.refresh = fresh["refreshToken"]
        found: str = fresh["accessToken"]
        return found


def a_number() -> str:
    """A mobile number that no operator has."""
    return f"11{secrets.randbelow(10**9):09d}"


def a_code() -> str:
    """A code of `wx.login`, of somebody who was never here."""
    return f"code-{secrets.token_hex(6)}"


async def prove(api: Api, token: str, number: str) -> Any:
    """Proves a number by the phone number's button."""
    return await api.done(token, "BindPhone", code=f"phone-{number}-{secrets.token_hex(4)}")


async def come(api: Api, number: str, name: str) -> Phone:
    """Signs in for the first time, proves a number, and becomes the person on record."""
    signed = await api.done(None, "WechatSignIn", code=a_code())
    await prove(api, signed["accessToken"], number)
    claimed = await api.done(signed["accessToken"], "Claim", name=name)
    return Phone(api, claimed["refreshToken"])
