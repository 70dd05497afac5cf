"""What the Python peers share with `./wushe serve`: uvicorn's settings, the pool, the token check."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
import uvloop

from api.auth import Tokens
from api.settings import Settings
from models.pool import Pool

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def opened(settings: Settings) -> tuple[Pool, Tokens]:
    """The pool and the reader of tokens, as `api.app.create` makes them."""
    assert settings.database_url is not None
    pool = Pool(
        settings.database_url,
        settings.pool_size,
        patience=settings.acquire_timeout,
        statement_timeout_ms=int(settings.statement_timeout * 1000),
    )
    settings.unlock()
    return pool, Tokens(pool, demo=False)


def serve(make: Callable[[Settings], App]) -> None:
    """Serves on HOST:PORT until told to stop, with the loop, the parser and the settings of `./wushe serve`."""
    settings = Settings.from_env(os.environ)
    app = make(settings)
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(uvicorn.Server(config).serve())
