"""What browsers are told besides an answer, and whose pages may ask.

Tokens are sent by header and never as cookies, so a foreign page has nothing to borrow. What is left to forbid is that
answers are framed, guessed at, kept, or read by pages of sites that nobody named.
"""

from __future__ import annotations

from collections.abc import Iterable

from api.asgi import App, Message, Receive, Scope, Send

NOTHING = b"default-src 'none'; frame-ancestors 'none'"
"""The content policy of what is no page."""
STANDING = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""What every answer says, whoever made it: the server writes it once and sends it with each."""
METHODS = b"GET, POST"
ALLOWED = (
    b"authorization, content-type, apollo-require-preflight, x-apollo-operation-name, graphql-require-preflight,"
    b" last-event-id, x-request-id, x-wushe-now, x-wushe-wal"
)
EXPOSED = b"content-disposition, retry-after, x-request-id, x-wushe-wal"
KEPT_SECONDS = b"7200"
"""How long a browser may remember a preflight: Chromium's most."""


def standing(hsts: int) -> list[tuple[str, str]]:
    """The headers of every answer; `hsts`: for how many seconds browsers shall come by TLS only, 0 for no word of it."""
    return [*STANDING, *([("Strict-Transport-Security", f"max-age={hsts}; includeSubDomains")] if hsts else [])]


class Cross:
    """Pages of other origins: those that are named may ask and read, by CORS; without credentials, as we know none."""

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = frozenset(origin.encode() for origin in origins)

    def concerns(self, scope: Scope) -> bool:
        """Whether there is anything to do about a request."""
        return bool(self.origins) or scope["method"] == "OPTIONS"

    async def serve(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a preflight; tells the browser that a named origin may read what `app` answers."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin")
        if scope["method"] == "OPTIONS" and origin is not None and b"access-control-request-method" in headers:
            await self._preflight(origin, send)
            return
        if origin is None or origin not in self.origins:
            await app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", EXPOSED),
                    (b"vary", b"Origin"),
                ]
            await send(message)

        await app(scope, receive, told)

    async def _preflight(self, origin: bytes, send: Send) -> None:
        headers = [(b"vary", b"Origin"), (b"content-length", b"0"), (b"cache-control", b"no-store")]
        if allowed := origin in self.origins:
            headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-allow-methods", METHODS),
                (b"access-control-allow-headers", ALLOWED),
                (b"access-control-max-age", KEPT_SECONDS),
            ]
        await send({"type": "http.response.start", "status": 200 if allowed else 403, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class Covered:
    """An application whose answers are kept by nobody and run nothing, unless they say otherwise themselves."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                if b"content-security-policy" not in names:
                    given.append((b"content-security-policy", NOTHING))
                if b"cache-control" not in names:
                    given.append((b"cache-control", b"no-store"))
                message["headers"] = given
            await send(message)

        await self.app(scope, receive, told if scope["type"] == "http" else send)
