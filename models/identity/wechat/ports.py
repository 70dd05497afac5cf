"""What the WeChat platform does for this one. `api.wechat` calls the real one, or the fake that comes along."""

from __future__ import annotations

import dataclasses
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class WechatUser:
    """Who has pressed the button, as WeChat knows him. (No repr: it is never written anywhere.)"""

    appid: str
    openid: str
    unionid: str | None = None


class Wechat(Protocol):
    """The WeChat platform, for one mini-program. A code is good for one call, so no call is made twice."""

    appid: str

    async def user(self, code: str) -> WechatUser:
        """Whose code of `wx.login` this is. Raises the problems of `problems.py`."""
        ...

    async def phone(self, code: str) -> str:
        """The phone number behind a code of the phone number's button, as WeChat writes it. Raises the same."""
        ...
