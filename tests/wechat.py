"""The fake WeChat platform on a real socket, beside a served application that calls it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn

from api.settings import FAKE_WECHAT
from api.wechat import fake
from tests.site import Site, served


@contextlib.asynccontextmanager
async def answering(state: fake.Fake) -> AsyncIterator[str]:
    """Serves a fake platform until the block ends; answers its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            fake.create(state),
            http="httptools",
            ws="none",
            access_log=False,
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        task = asyncio.ensure_future(server._serve([listening]))
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def served_with_wechat(database: str, state: fake.Fake, **more: str) -> AsyncIterator[Site]:
    """An application whose WeChat platform is this one."""
    async with answering(state) as url:
        appid, secret = FAKE_WECHAT
        program = {"WUSHE_WECHAT_URL": url, "WUSHE_WECHAT_APPID": appid, "WUSHE_WECHAT_SECRET": secret}
        async with served(database, **{**program, **more}) as site:
            yield site


SIGN_IN = """
mutation($code: String!, $device: String, $acting: ActingInput) {
  signInWithWechat(code: $code, device: $device, acting: $acting) {
    __typename
    ... on SignIn { id method secondFactor role device accessToken refreshToken accessExpiresInSeconds }
    ... on Problem { code message retry retryAfterSeconds }
  }
}"""


async def sign_in(site: Site, code: str, **more: Any) -> dict[str, Any]:
    """The answer to a code."""
    told: dict[str, Any] = (await site.ask(SIGN_IN, {"code": code, **more.pop("variables", {})}, **more))[
        "signInWithWechat"
    ]
    return told
