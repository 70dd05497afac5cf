"""demo, serve, worker and the fake WeChat: processes that stay."""

from __future__ import annotations

import argparse
import asyncio
import errno
import math
import shlex
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any

import api.uncoloured  # noqa: F401  # before anything that logs
from api.commands.database import connected, is_empty, load, up_to_date
from api.settings import Settings, Stopped, Trouble, default_data

GRACE = 10.0
"""Seconds that requests in flight are given to finish when the server is told to stop."""
STOP = 18.0
"""Seconds after which nothing is waited for any more: the process is gone within 20 (docs/operations.md)."""


def demo(args: argparse.Namespace, settings: Settings) -> int:
    """Everything in one process: a database with demo data, the API, GraphiQL and the worker."""
    if settings.production:
        raise Trouble("demo is for trying things out: with WUSHE_MODE=production use ./wushe serve.")
    with listening(settings) as door, faked(settings) as (asked, fake), only_one(settings), connected(asked) as ready:
        up_to_date(ready)
        if is_empty(ready):
            load(ready, "demo")
        return served(ready, door, greeting(settings, ready), with_worker=True, fake=fake)


def serve(args: argparse.Namespace, settings: Settings) -> int:
    """The API alone; any number of them may run."""
    with listening(settings) as door, connected(settings) as ready:
        return served(ready, door, f"Serving on {address(ready)}", with_worker=False)


def wechat_fake(args: argparse.Namespace, settings: Settings) -> int:
    """The fake WeChat platform alone, on WECHAT_PORT: for an API that runs elsewhere, with WUSHE_WECHAT_URL."""
    if settings.production:
        raise Trouble("A fake WeChat signs anybody in as anybody: production mode has none.")
    import uvicorn

    from api.wechat.fake import create

    own = replace(settings, port=settings.wechat_port or settings.port + 1)
    with listening(own) as door:
        server = announced(f"The fake WeChat answers on {address(own)}, such as {address(own)}/fake/login?name=小李")(
            uvicorn.Config(create(), **QUIET, timeout_graceful_shutdown=1)
        )
        in_loop(server.serve(sockets=[door]), lambda: setattr(server, "should_exit", True))
    return 0 if server.started else 1


def worker(args: argparse.Namespace, settings: Settings) -> int:
    """Jobs and the relay alone; any number of them may run."""
    from api.logs import configure
    from api.worker import run

    configure(settings.log_level)
    with connected(settings) as ready:
        said("The worker runs.")
        in_loop(run(ready))
    return 0


@contextmanager
def faked(settings: Settings) -> Iterator[tuple[Settings, socket.socket | None]]:
    """Settings with a fake WeChat platform in them, and its bound socket; as they are where a mini-program is named.

    It listens on WECHAT_PORT, else beside the API, else on any port that is free.
    """
    if settings.wechat_appid is not None:
        yield settings, None
        return
    with ExitStack() as held:
        own = replace(settings, port=settings.wechat_port or settings.port + 1)
        try:
            door = held.enter_context(listening(own))
        except Trouble:
            if settings.wechat_port is not None:
                raise
            door = held.enter_context(listening(replace(settings, port=0)))
        own = replace(settings, port=door.getsockname()[1])
        yield settings.faking(address(own)), door


UNREAD = 262_144
"""Bytes of answers that the system keeps for a client who does not read; what is beyond is ours, and he is cut for it."""


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The bound socket, held from the first moment on. Raises Trouble when the port is taken, before any work."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD)
        try:
            door.bind((settings.host, settings.port))
            door.listen(2048)
        except (OSError, OverflowError) as problem:
            raise Trouble(_why_not(settings, problem)) from problem
        yield door


def only_one(settings: Settings) -> AbstractContextManager[None]:
    """Holds the data folder's one demo; with a PostgreSQL of one's own there is nothing to hold."""
    if settings.database_url is not None:
        return nullcontext()
    from api import embedded

    return embedded.alone(settings.data, "demo")


QUIET: dict[str, Any] = {
    "loop": "uvloop",
    "http": "api.protocol:Protocol",
    "ws": "api.live.wire:Wire",
    "ws_max_size": 256 * 1024,  # bytes of a message
    "ws_ping_interval": 20.0,  # seconds; who does not answer in as many is gone
    "ws_ping_timeout": 20.0,
    "ws_per_message_deflate": False,  # its state would be most of what an idle socket costs
    "access_log": False,
    "log_level": "warning",
    "log_config": None,  # its warnings go where ours do (api/logs.py)
    "server_header": False,
    "proxy_headers": False,  # whom to believe is said by WUSHE_PROXIES (api/address.py)
}
"""How every server of ours runs."""


def said(text: str) -> None:
    """Tells whoever started this. Where that is written to a disk that is full, it serves all the same."""
    with suppress(OSError):
        print(text, flush=True)


def announced(ready: str | None) -> Any:
    """uvicorn's server, which says `ready`, if anything, once requests are taken, and goodbye before it ends."""
    import uvicorn

    class Server(uvicorn.Server):
        leave: Callable[[float], Coroutine[Any, Any, None]] | None = None
        """What has to be said before the process ends, in so many seconds."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Ends everything, within STOP: what is answered by then, and what was held is given back, or not."""
            began = time.monotonic()
            try:
                async with asyncio.timeout(STOP):
                    if self.leave is not None:
                        for listening in [*self.servers, *(sockets or ())]:
                            listening.close()
                        with suppress(TimeoutError):
                            async with asyncio.timeout(GRACE - 0.5):  # a goodbye may wait for who reads nothing
                                await self.leave(GRACE - 1)
                        left = began + GRACE - time.monotonic()
                        self.config.timeout_graceful_shutdown = max(1, math.ceil(left))
                    await super().shutdown(sockets)
            except TimeoutError:
                import structlog

                structlog.get_logger("wushe").error("the stop took too long", seconds=STOP)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started and ready is not None:
                said(ready)

    return Server


def served(
    settings: Settings, door: socket.socket, ready: str, *, with_worker: bool, fake: socket.socket | None = None
) -> int:
    """Serves until told to stop, says `ready` once requests are taken; answers the exit code.

    `fake`: the socket of a fake WeChat platform, which lives as long, in the same loop.
    """
    import gc

    gc.disable()  # what is imported stays: collecting it again and again would be an eighth of the start
    import uvicorn

    from api.app import create
    from api.security import standing

    many_files()
    made = create(settings)
    server = announced(ready)(
        uvicorn.Config(made, **QUIET, headers=standing(settings.hsts), timeout_graceful_shutdown=int(GRACE))
    )
    server.leave = made.leave

    async def alone() -> None:
        async with beside(fake):
            await server.serve(sockets=[door])

    async def both() -> None:
        from api.worker import run

        def follow(job: asyncio.Task[Any]) -> None:
            server.should_exit = True  # a demo whose worker died would lie

        async def leave(seconds: float) -> None:
            job.cancel()  # it ends beside the server
            await made.leave(seconds)

        job = asyncio.create_task(run(settings))
        job.add_done_callback(follow)
        server.leave = leave
        try:
            await alone()
        finally:
            job.cancel()
            with suppress(asyncio.CancelledError):
                await job

    in_loop(both() if with_worker else alone(), lambda: setattr(server, "should_exit", True))
    return 0 if server.started else 1


def many_files() -> None:
    """Lets this process have as many connections as the system lets it: shells begin with a thousand files."""
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@asynccontextmanager
async def beside(fake: socket.socket | None) -> AsyncIterator[None]:
    """Serves the fake WeChat platform for as long as the block runs; signals are the block's affair."""
    if fake is None:
        yield
        return
    import uvicorn

    from api.wechat.fake import create

    class Deaf(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Deaf(uvicorn.Config(create(), **QUIET, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[fake]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def in_loop(work: Coroutine[Any, Any, Any], stop: Callable[[], object] | None = None) -> None:
    """Runs until it ends or somebody asks to stop, which is how it is meant to end.

    `stop` is what a closed terminal calls when uvicorn, which handles the other signals, runs inside. Without it
    every signal cancels the work. (uvloop loses an exception that a plain signal handler raises.)
    """
    import uvloop

    async def heeding() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        for number in (signal.SIGHUP,) if stop else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop or task.cancel)
        await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(heeding())
        except (Stopped, asyncio.CancelledError):
            return


def greeting(asked: Settings, ready: Settings) -> str:
    """Where to look, and how to sign in as whom. `asked` are the settings before a database was put into them."""
    from api.embedded import place
    from models.access import Role

    roles = ", ".join(role.slug for role in Role if role is not Role.PUBLIC)
    where = "the PostgreSQL of DATABASE_URL" if asked.database_url else place.find(asked.data).folder
    command = "./wushe" if asked.data == default_data() else f"WUSHE_DATA={shlex.quote(str(asked.data))} ./wushe"
    wechat = (
        f"  WeChat    {ready.wechat_url}/fake/login?name=小李\n"
        f"            a fake: gives a code for signInWithWechat; /fake/phone?number=10012345678 one for phoneBind\n"
        if ready.wechat_url.startswith("http://")
        else ""
    )
    return f"""
wushe serves on {address(ready)}

  GraphiQL  {address(ready)}/graphql
  sign in   {command} token ROLE
            prints a token; send it as the header Authorization: Bearer TOKEN
            ROLE is one of {roles}
{wechat}  data      {where}
  stop      Ctrl-C
"""


def address(settings: Settings) -> str:
    """Where this process is reached from this machine, as a browser writes it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _why_not(settings: Settings, problem: Exception) -> str:
    where = f"{settings.host}:{settings.port}"
    match getattr(problem, "errno", None):
        case errno.EADDRINUSE:
            return f"Port {where} is in use: stop what uses it, or choose another, such as PORT={settings.port + 1}."
        case errno.EACCES:
            return f"You may not serve on {where}: choose a port above 1023."
        case _:
            return f"HOST={settings.host} is no address of this machine."
