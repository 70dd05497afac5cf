"""The application: the door in front, pages and health behind it, and what lives as long as the process."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from api import metrics
from api.auth import Tokens
from api.databases import Databases
from api.http import Door
from api.limits import Limits
from api.live.hub import Hub
from api.live.places import Places
from api.logs import configure
from api.operations import Operations
from api.passwords import CHEAP, THOROUGH, Hasher
from api.patience import Bounds
from api.persisted import Persisted
from api.platform import Platform
from api.security import Covered
from api.settings import Mode, Settings
from api.showing import Showing
from api.storage import storage_of
from api.uploads import Uploads
from api.web import downloads, files, pages
from api.web.desk import counting
from models import access, audit_seal, clock, database, relay, revisions
from models.access import Role
from models.files.ports import Storage
from models.pool import LOST, Pool
from models.problems import Busy
from models.vault import Locked
from resolvers.context import perform
from resolvers.engine.engine import Engine, Rules
from resolvers.people import numbers

if TYPE_CHECKING:
    from api.wechat.client import Client

log = structlog.get_logger("wushe")


def engine(*, production: bool) -> Engine:
    """The engine over the whole schema, with this project's rules."""
    from api.schema import build

    rules = Rules(access.seen, access.PUBLIC, access.IMPLIED, access.VIEWER_TYPES)
    return Engine(
        build(), rules, set(access.VISIBLE), perform, introspection=not production, suggestions=not production
    )


def create(settings: Settings) -> Door:
    """The ASGI application. The database is reached when the first request comes, so that it may start later."""
    configure(settings.log_level)
    settings.unlock()
    assert settings.database_url is not None

    def pool(url: str) -> Pool:
        return Pool(
            url,
            settings.pool_size,
            patience=settings.acquire_timeout,
            statement_timeout_ms=int(settings.statement_timeout * 1000),
        )

    databases = Databases(pool(settings.database_url), [pool(url) for url in settings.replica_urls])
    limits = Limits(databases.primary, settings.rates)
    tokens = Tokens(databases.primary, demo=not settings.production, allow=limits.allow)
    numbers.fictional = not settings.production
    made = engine(production=settings.production)
    wechat = _wechat(settings, databases.primary)
    persisted = Persisted(
        databases.primary,
        published_only=settings.published_only,
        introspection=not settings.production,
        own=pages.documents(settings.mode.value),
    )
    storage = storage_of(settings)
    platform = Platform(
        passwords=Hasher(CHEAP if settings.mode is Mode.TEST else THOROUGH), wechat=wechat, files=storage
    )
    operations = Operations(
        made,
        databases,
        tokens,
        persisted,
        limits=limits,
        deadline=settings.deadline,
        given_clock=not settings.production,
        platform=platform,
        proxies=settings.proxies,
    )
    showing = Showing(databases.primary)
    made.shown = showing.tally.answered
    hub = Hub(databases.primary, made, limits, operations.written)
    inside = Starlette(
        routes=_routes(settings, operations, storage),
        lifespan=_lifespan(databases, tokens, limits, persisted, wechat, hub, showing),
    )
    inside.router.redirect_slashes = False  # it would send people to whatever host their request named
    return Door(
        operations,
        Covered(inside),
        hub,
        Places(settings.open_most, settings.open_each),
        Uploads(settings.data / "incoming", files=settings.upload_files, most=settings.upload_bytes),
        origins=frozenset(settings.origins),
        bounds=Bounds(settings.connections, settings.connections_each),
    )


def _wechat(settings: Settings, pool: Pool) -> Client | None:
    """The WeChat platform, where a mini-program is configured."""
    if settings.wechat_appid is None or settings.wechat_secret is None:
        return None
    from api.wechat.client import Client
    from api.wechat.tokens import SharedToken

    def shared(client: Client) -> SharedToken:
        return SharedToken(pool, client)

    return Client(settings.wechat_url, settings.wechat_appid, settings.wechat_secret, shared)


def _lifespan(
    databases: Databases,
    tokens: Tokens,
    limits: Limits,
    persisted: Persisted,
    wechat: Client | None,
    hub: Hub,
    showing: Showing,
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gc.freeze()  # what the start made stays: no collection ever looks at it, for the half a megabyte that is garbage
        gc.enable()
        persisted.start()
        showing.start()
        await hub.start()
        try:
            yield
        finally:
            await hub.close()
            await showing.close()
            await persisted.close()
            if wechat is not None:
                await wechat.close()
            await tokens.settle()
            await limits.close()
            await databases.close()

    return lifespan


def _routes(settings: Settings, operations: Operations, storage: Storage) -> list[BaseRoute]:
    databases, tokens = operations.databases, operations.tokens
    head = revisions.newest()

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(request: Request) -> Response:
        """Whether requests can be answered: the database is there, migrated as far as this code is, and its keys open."""
        try:
            found = await databases.primary.fetchval("SELECT version_num FROM alembic_version")
            if found == head:
                async with databases.primary.connection() as connection:
                    await databases.primary.vault.keys(connection)
        except Locked as no:
            return JSONResponse({"ready": False, "reason": f"data keys: {no}"}, 503)
        except (*LOST, Busy, TimeoutError) as no:
            return JSONResponse({"ready": False, "reason": f"database: {type(no).__name__}"}, 503)
        except Exception as no:
            log.warning("not ready", error=type(no).__name__)
            return JSONResponse({"ready": False, "reason": f"database: {type(no).__name__}"}, 503)
        if found != head:
            return JSONResponse({"ready": False, "reason": f"migrations: at {found}, this code is at {head}"}, 503)
        return JSONResponse({"ready": True})

    async def counted(request: Request) -> Response:
        """For Prometheus: with an administrator's token, unless the settings make it public."""
        if not settings.metrics_public:
            asking = await counting(operations, request)
            if isinstance(asking, Response):
                return asking
            if asking.role is not Role.ADMIN:
                return PlainTextResponse("not found", 404)
        metrics.COMPILED.set(operations.engine.compiled)
        metrics.PUBLISHED.set(operations.persisted.published)
        for state, value in (
            ("made", databases.primary.made),
            ("free", databases.primary.free),
            ("waiting", databases.primary.waiting),
        ):
            metrics.CONNECTIONS.labels(state).set(value)
        metrics.SLOW_HELD.set(databases.primary.shares.slow_held)
        for why in database.RETRIED:
            metrics.RETRIED.labels(why.__name__).set(database.retried[why.__name__])
        with contextlib.suppress(*LOST, Busy, TimeoutError):
            async with databases.primary.connection() as connection:
                oldest, _ = await relay.waiting(connection)
                unsealed, since = await audit_seal.waiting(connection)
            metrics.RELAY_LAG.set(metrics.age(oldest, clock.now()))
            metrics.UNSEALED.set(unsealed)
            metrics.UNSEALED_AGE.set(metrics.age(since, clock.now()))
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    routes: list[BaseRoute] = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", counted),
        *pages.routes(settings.mode.value, published_only=settings.published_only),
        *downloads.routes(operations),
        *files.routes(operations, storage),
    ]
    if settings.mode is not Mode.PRODUCTION:
        routes.append(Route("/demo/token/{role}", _demo_token(databases, tokens)))
    return routes


def _demo_token(databases: Databases, tokens: Tokens) -> Callable[[Request], Awaitable[Response]]:
    async def demo_token(request: Request) -> Response:
        """A token of a role's demo account. Never in production."""
        from models.seed import account

        async with databases.primary.connection() as connection:
            claims = await account(connection, request.path_params["role"])
        if claims is None:
            return JSONResponse({"error": "没有这个演示账号。"}, 404)
        return JSONResponse({"token": await tokens.issue(claims, clock.now())}, headers={"Cache-Control": "no-store"})

    return demo_token
