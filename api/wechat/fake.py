"""A fake of the WeChat platform: an ASGI application with the platform's addresses, answers and error numbers.

    GET  /fake/login?name=小李           a code of wx.login for a user of that name: the same name is the same user
    GET  /fake/phone?number=10012345678  a code of the phone number's button
    POST /fake/codes                     the same, with {"name": …} or {"number": …}

Codes may also be made up: `code-NAME` or `code-NAME-NONCE`, `phone-NUMBER-NONCE`. Each is good once (40163, for a phone
code 40029), for five minutes (40029). `fail-NUMBER-…` is answered with that error number: 40029, 40163, 40226, 45011, -1
or any other; `fail-timeout…` with nothing, for long; `fail-malformed…` with no JSON; `lost-NAME-…` uses the code up and
then breaks down. It keeps everything in memory, and knows no user who is real.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.settings import FAKE_WECHAT

APPID, SECRET = FAKE_WECHAT
CODE_LIFE = 300.0
TOKEN_LIFE = 7200
OVERLAP = 300.0
"""Seconds before a token's end from which on a new one is given; the old one serves to its end."""
FORCED_APART, FORCED_A_DAY = 30.0, 20
SLOW = 30.0
"""Seconds after which a call that times out is answered."""
SAYS = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40125: "invalid appsecret",
    40163: "code been used",
    40226: "code blocked",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    42001: "access_token expired",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit  mustslower  retry next minute",
    47001: "data format error",
}
FAILS = re.compile(r"fail-(-?\d+|timeout|malformed)(?:-.*)?", re.DOTALL)


class Fails(Exception):
    """A call that is answered with an error number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclasses.dataclass
class Access:
    """A token of one mini-program: until when it serves, and when it was forced."""

    text: str
    until: float
    forced: list[float] = dataclasses.field(default_factory=list)


class Fake:
    """The platform's state."""

    def __init__(
        self,
        programs: Mapping[str, str] | None = None,
        *,
        now: Callable[[], float] = time.time,
        slow: float = SLOW,
        unions: bool = True,
    ) -> None:
        """`programs`: appid → secret. `unions`: whether they belong to one owner, whose users have a unionid."""
        self.programs = dict(programs or {APPID: SECRET})
        self.now, self.slow, self.unions = now, slow, unions
        self.calls: list[str] = []
        """The paths that were called, for tests."""
        self._given: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self._tokens: dict[str, Access] = {}
        self._ends: dict[str, tuple[str, float]] = {}
        """Token → (appid, when it ends)."""

    def login_code(self, name: str) -> str:
        """A code for a user of that name."""
        return self._give(f"code-{quote(name, safe='')}-{secrets.token_hex(8)}")

    def phone_code(self, number: str) -> str:
        """A code for a number."""
        return self._give(f"phone-{number}-{secrets.token_hex(8)}")

    def _give(self, code: str) -> str:
        self._given[code] = self.now()
        return code

    def take(self, code: Any, kind: str, used: int) -> str:
        """Uses a code up; what it stands for. Raises Fails."""
        if not isinstance(code, str) or not code:
            raise Fails(41008)
        now = self.now()
        for codes in (self._given, self._used):
            for old in [c for c, at in codes.items() if now - at > 2 * CODE_LIFE]:
                del codes[old]
        found = re.fullmatch(rf"(?:{kind}|lost)-([^-]+)(?:-.*)?", code)
        if found is None or now - self._given.get(code, now) > CODE_LIFE:
            raise Fails(40029)
        if code in self._used:
            raise Fails(used if now - self._used[code] <= CODE_LIFE else 40029)
        self._used[code] = now
        return found[1]

    def openid(self, appid: str, name: str) -> str:
        """The openid of a user in a mini-program: always the same, 28 characters."""
        return "o" + _letters(f"{appid} {name}")

    def token(self, appid: str, *, force: bool) -> tuple[str, int]:
        """The token of a mini-program and its remaining life. Raises Fails."""
        now, access = self.now(), self._tokens.get(appid)
        if access is not None and force:
            access.forced = [at for at in access.forced if now - at < 86_400]
            if access.forced and now - access.forced[-1] < FORCED_APART:
                force = False
            elif len(access.forced) >= FORCED_A_DAY:
                raise Fails(45009)
        if access is None or force or access.until - now <= OVERLAP:
            forced = [*(access.forced if access else []), *([now] if force else [])]
            if access is not None and force:
                self._ends.pop(access.text, None)
            access = self._tokens[appid] = Access("fake_" + secrets.token_urlsafe(96), now + TOKEN_LIFE, forced)
            self._ends[access.text] = (appid, access.until)
        return access.text, int(access.until - now)

    def check(self, token: str | None) -> str:
        """The mini-program whose token this is. Raises Fails."""
        found = self._ends.get(token or "")
        if found is None:
            raise Fails(40001)
        if found[1] <= self.now():
            raise Fails(42001)
        return found[0]

    def forget(self, appid: str) -> None:
        """Lets a token lose its force without saying so, as when another system forces a new one."""
        self.token(appid, force=False)
        self._ends.pop(self._tokens.pop(appid).text)

    def known(self, appid: Any, secret: Any) -> str:
        """The mini-program that calls. Raises Fails."""
        if not appid or not secret:
            raise Fails(41004 if appid else 41002)
        if appid not in self.programs:
            raise Fails(40013)
        if self.programs[appid] != secret:
            raise Fails(40125)
        return str(appid)


def _letters(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:27]


def create(fake: Fake | None = None) -> Starlette:
    """The application."""
    state = Fake() if fake is None else fake

    def route(path: str, method: str, answer: Callable[[Request, Any], dict[str, Any]]) -> Route:
        async def endpoint(request: Request) -> Response:
            state.calls.append(path)
            body: Any = {}
            if method == "POST":
                try:
                    body = json.loads(await request.body())
                except ValueError:
                    body = None
            if not isinstance(body, dict):
                return _failed(47001)
            code = body.get("code") or request.query_params.get("js_code") or ""
            asked = FAILS.fullmatch(code) if isinstance(code, str) else None
            try:
                if asked is None:
                    answered = answer(request, body)
                elif asked[1] == "timeout":
                    await asyncio.sleep(state.slow)
                    return Response(status_code=504)
                elif asked[1] == "malformed":
                    return PlainTextResponse("<html>502 Bad Gateway</html>")
                else:
                    raise Fails(int(asked[1]))
            except Fails as no:
                return _failed(no.number)
            return Response(status_code=502) if code.startswith("lost-") else JSONResponse(answered)

        return Route(path, endpoint, methods=[method])

    def session(request: Request, body: Any) -> dict[str, Any]:
        given = request.query_params
        appid = state.known(given.get("appid"), given.get("secret"))
        if given.get("grant_type") != "authorization_code":
            raise Fails(40002)
        name = state.take(given.get("js_code"), "code", 40163)
        out = {"session_key": base64.b64encode(secrets.token_bytes(16)).decode(), "openid": state.openid(appid, name)}
        return {**out, "unionid": "u" + _letters(name)} if state.unions else out

    def token(request: Request, body: Any) -> dict[str, Any]:
        appid = state.known(body.get("appid"), body.get("secret"))
        if body.get("grant_type") != "client_credential":
            raise Fails(40002)
        text, life = state.token(appid, force=body.get("force_refresh") is True)
        return {"access_token": text, "expires_in": life}

    def phone(request: Request, body: Any) -> dict[str, Any]:
        appid = state.check(request.query_params.get("access_token"))
        number = state.take(body.get("code"), "phone", 40029)
        info = {
            "phoneNumber": number,
            "purePhoneNumber": number,
            "countryCode": "86",
            "watermark": {"timestamp": int(state.now()), "appid": appid},
        }
        return {"errcode": 0, "errmsg": "ok", "phone_info": info}

    async def code(request: Request) -> Response:
        """A code to try out."""
        given: Any = request.query_params
        if request.method == "POST":
            try:
                given = json.loads(await request.body())
            except ValueError:
                given = None
        given = given if hasattr(given, "get") else {}
        name, number = given.get("name"), given.get("number")
        if isinstance(name, str) and name:
            made = state.login_code(name)
        elif isinstance(number, str) and re.fullmatch(r"\d{6,15}", number):
            made = state.phone_code(number)
        else:
            return JSONResponse({"error": "give a name, for wx.login, or a number, for its button"}, 400)
        return JSONResponse({"code": made, "expires_in": int(CODE_LIFE)})

    return Starlette(
        routes=[
            route("/sns/jscode2session", "GET", session),
            route("/cgi-bin/stable_token", "POST", token),
            route("/wxa/business/getuserphonenumber", "POST", phone),
            Route("/fake/login", code),
            Route("/fake/phone", code),
            Route("/fake/codes", code, methods=["POST"]),
        ]
    )


def _failed(number: int) -> Response:
    """An error as the platform says it: with 200, and an id of the request behind the sentence."""
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    return JSONResponse({"errcode": number, "errmsg": f"{SAYS.get(number, 'unknown error')}, rid: {rid}"})
