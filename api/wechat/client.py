"""Three calls to the WeChat platform, and what its errors mean here.

A code is used up by the first call that arrives, so a call with one is tried again only where no connection came about.
Nothing of what is sent or answered is logged: the address holds the secret, the bodies hold openids and phone numbers.
The `session_key` is dropped where it arrives.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Protocol

import httpx
import structlog

from models.identity.wechat.ports import WechatUser
from models.identity.wechat.problems import (
    WechatBusy,
    WechatCodeInvalid,
    WechatCodeUsed,
    WechatRefused,
    WechatTooOften,
    WechatUnavailable,
)
from models.problems import Problem

log = structlog.get_logger("wushe.wechat")

CONNECT, WHOLE = 2.0, 5.0
"""Seconds for a connection, and for a call from its beginning to its end."""
LONGEST = 128
"""Characters of a code or an openid."""
MEANS: dict[int, type[Problem]] = {
    -1: WechatBusy,
    40029: WechatCodeInvalid,
    40163: WechatCodeUsed,
    40226: WechatRefused,
    45011: WechatTooOften,
}
"""Error numbers of the platform that a caller can do something about; every other one is our affair, and unavailable."""
STALE = (40001, 40014, 42001)
"""The access token is not, or no longer, one of the platform's."""


class Refusal(Exception):
    """An error number that WeChat answered."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class AccessToken(Protocol):
    """Where a valid access token comes from: see `api.wechat.tokens`."""

    async def valid(self, *, refused: str | None = None) -> str:
        """A token; another one than `refused`, which the platform no longer takes."""
        ...


class Client:
    """The platform for one mini-program."""

    def __init__(
        self,
        url: str,
        appid: str,
        secret: str,
        tokens: Callable[[Client], AccessToken],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        whole: float = WHOLE,
    ) -> None:
        """`url` of the platform, without a path. `transport` stands in for the network in tests."""
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they write addresses, and ours hold secrets
        self.appid, self._secret, self.whole = appid, secret, whole
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(whole, connect=CONNECT),
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )
        self.tokens = tokens(self)

    async def close(self) -> None:
        await self._http.aclose()

    async def user(self, code: str) -> WechatUser:
        """Whose code of `wx.login` this is (code2Session). Raises the problems of `models.identity.wechat`."""
        given = {"appid": self.appid, "secret": self._secret, "js_code": code, "grant_type": "authorization_code"}
        answer = await self._meant(lambda: self._call("GET", "/sns/jscode2session", params=given))
        unionid = answer.get("unionid")
        return WechatUser(
            self.appid, _text(answer.get("openid")), None if unionid is None else _text(unionid)
        )  # and the session_key stays here

    async def phone(self, code: str) -> str:
        """The number behind a code of the phone number's button (getuserphonenumber). Raises the same."""

        async def ask(token: str) -> dict[str, Any]:
            params, body = {"access_token": token}, {"code": code}
            return await self._call("POST", "/wxa/business/getuserphonenumber", params=params, body=body)

        async def call() -> dict[str, Any]:
            token = await self.tokens.valid()
            try:
                return await ask(token)
            except Refusal as refusal:
                if refusal.number not in STALE:
                    raise
            return await ask(await self.tokens.valid(refused=token))  # the code was not looked at

        info = (await self._meant(call)).get("phone_info")
        if not isinstance(info, dict) or not isinstance(info.get("watermark"), dict):
            raise _unavailable("malformed")
        if info["watermark"].get("appid") != self.appid:
            raise _unavailable("of another program")
        return f"+{_text(info.get('countryCode'))} {_text(info.get('purePhoneNumber'))}"

    async def stable_token(self, *, force: bool = False) -> tuple[str, timedelta]:
        """An access token and how long it lives yet; the one that there is, unless `force` asks for another.

        Asking twice does no harm, so it is asked twice. Raises WechatUnavailable and WechatBusy.
        """
        body = {
            "grant_type": "client_credential",
            "appid": self.appid,
            "secret": self._secret,
            "force_refresh": force,
        }
        answer = await self._meant(lambda: self._call("POST", "/cgi-bin/stable_token", body=body, again=not force))
        life = answer.get("expires_in")
        if not isinstance(life, int) or life <= 0:
            raise _unavailable("malformed")
        return _text(answer.get("access_token"), most=2_000), timedelta(seconds=life)

    async def _meant(self, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """An answer; a refusal as the problem that it is."""
        try:
            return await call()
        except Refusal as refusal:
            number = refusal.number
        problem = MEANS.get(number)
        if problem is None:
            log.error("wechat refuses", errcode=number)  # a wrong secret, an address that is not on its list, a quota
            raise WechatUnavailable()
        raise problem()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        again: bool = False,
    ) -> dict[str, Any]:
        """One answer. Tried once more where no connection came about; with `again`, whatever happened.

        Raises Refusal and WechatUnavailable, whose causes are left out: they hold the address.
        """
        why = ""
        for _ in range(2):
            try:
                async with asyncio.timeout(self.whole):
                    response = await self._http.request(method, path, params=params, json=body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                why = type(error).__name__
                continue
            except (httpx.HTTPError, TimeoutError) as error:
                why = type(error).__name__
                if again:
                    continue
                break
            if response.status_code >= 500 and again:
                why = str(response.status_code)
                continue
            return _read(response)
        raise _unavailable(why)


def _read(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer. Raises Refusal, WechatUnavailable."""
    if response.status_code != 200:
        raise _unavailable(str(response.status_code))
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise _unavailable("malformed")
    number = answer.get("errcode", 0)
    if not isinstance(number, int):
        raise _unavailable("malformed")
    if number != 0:
        raise Refusal(number)
    return answer


def _text(value: Any, most: int = LONGEST) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isascii() or not value.isprintable():
        raise _unavailable("malformed")
    return value


def _unavailable(why: str) -> WechatUnavailable:
    log.warning("wechat unavailable", why=why)
    return WechatUnavailable()
