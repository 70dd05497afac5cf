"""The four servers: one process each, with the same pool size, over a copy of the same database."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from api.settings import ROOT, Settings, Trouble

NAMES = ("wushe", "floor", "postgraphile", "usual")
TOLD = {
    "wushe": "this server: ./wushe serve in production mode, tokens, visibility and limits on",
    "floor": "hand-written SQL behind bare ASGI, the same visibility and token check: what cannot be beaten",
    "postgraphile": "PostGraphile 5, amber preset, production; it checks neither tokens nor visibility",
    "usual": "Strawberry, SQLModel AsyncSession, DataLoaders, the same token check and visibility",
}
POSTGRAPHILE = ROOT / "bench" / "postgraphile"
NODE = POSTGRAPHILE / "node_modules" / ".bin" / "node"
PATIENCE = 60.0
COMPILING = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
"""Where a shell says so, Python compiles every file anew at each start, some 0.25 s of it. Nobody serves so."""


class Absent(Exception):
    """A peer that cannot be installed here; its text is the sentence to print."""


@dataclasses.dataclass
class Server:
    """A running server."""

    name: str
    url: str
    process: psutil.Process
    popen: subprocess.Popen[bytes]
    ready_s: float
    """From its start until it said that it is ready."""

    def ask(self, path: str, body: bytes, token: str) -> Any:
        """The JSON that it answers to one request. Raises Trouble when it does not answer 200."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, body, headers), timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as no:
            raise Trouble(f"{self.name} answered {no.code} to {path}: {no.read()[:300].decode()}") from None

    def stop(self) -> None:
        """Ends the process, and nothing else."""
        self.popen.terminate()
        try:
            self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def installed(name: str) -> None:
    """Installs what a peer needs and has not. Raises Absent when that cannot be done."""
    if name != "postgraphile" or NODE.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise Absent("PostGraphile is left out: npm is not installed here (on Debian: apt install npm).")
    print("installing PostGraphile (npm ci, once) ...", flush=True)
    done = subprocess.run([npm, "ci", "--silent"], cwd=POSTGRAPHILE, capture_output=True, text=True, check=False)
    if done.returncode or not NODE.exists():
        said = (done.stderr or done.stdout).strip().splitlines() or ["npm ci failed"]
        raise Absent(f"PostGraphile is left out: it could not be installed ({said[-1][:200]}).")


def start(name: str, database_url: str, settings: Settings, log: Path, **more: str) -> Server:
    """Starts a server and waits until it is ready. `more`: its environment.

    Raises Trouble, with its last words, when it ends instead.
    """
    port = _free_port()
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("WUSHE_", "DATABASE_", *COMPILING))},
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "WUSHE_MODE": "production",
        "WUSHE_MASTER_KEY": settings.master(),
        "WUSHE_POOL_SIZE": str(settings.pool_size),
        **{
            f"WUSHE_RATE_{of}": str(10**11) for of in ("PERSON", "ANONYMOUS", "ADDRESS", "SIGN_IN")
        },  # on, and out of reach
        "NODE_ENV": "production",
        "GRAPHILE_ENV": "production",
        **more,
    }
    command = {
        "wushe": [sys.executable, "-m", "api.cli", "serve"],
        "floor": [sys.executable, "-m", "bench.floor"],
        "usual": [sys.executable, "-m", "bench.usual"],
        "postgraphile": [str(NODE), str(POSTGRAPHILE / "server.mjs")],
    }[name]
    began = time.perf_counter()
    with log.open("wb") as out:
        popen = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    while not _ready(url + ("/readyz" if name == "wushe" else "/")):
        if popen.poll() is not None or time.perf_counter() - began > PATIENCE:
            popen.kill()
            raise Trouble(f"{name} did not start: {' '.join(log.read_text(errors='replace').split())[-500:]}")
        time.sleep(0.005)
    return Server(name, url, psutil.Process(popen.pid), popen, time.perf_counter() - began)


def _ready(url: str) -> bool:
    with contextlib.suppress(OSError):
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return True
        except urllib.error.HTTPError as answer:
            return answer.code < 500
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
