"""./wushe demo, from its first start to one after a kill, as somebody would live with it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from api.embedded import place, postmaster
from api.settings import ROOT
from tests.setup.conftest import eventually
from tests.setup.test_commands import refused, run


class Demo:
    """One run of the demo."""

    def __init__(self, data: Path, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.data, self.log = data, log
        clean = {k: v for k, v in os.environ.items() if not re.match("DATABASE_|WUSHE_", k)}
        with open(log, "w") as out:
            self.begun = time.monotonic()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", "demo"],
                cwd=ROOT,
                env={**clean, "WUSHE_DATA": str(data), "PORT": self.port},
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )

    def said(self) -> str:
        return self.log.read_text()

    def until_ready(self) -> float:
        """Seconds from the start until it serves."""
        eventually(lambda: self.process.poll() is not None or "wushe serves on" in self.said(), 120)
        assert self.process.poll() is None, self.said()
        assert self.ask("/readyz")
        return time.monotonic() - self.begun

    def ask(self, path: str, body: object = None) -> bytes:
        return asked(f"http://127.0.0.1:{self.port}{path}", body)

    def server(self) -> int:
        found = postmaster.pid(place.find(self.data).data)
        assert found is not None
        return found

    def ends(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def test_a_demo_from_its_first_start_to_one_after_a_kill(folder: Path, tmp_path: Path) -> None:
    first = Demo(folder, tmp_path / "first")
    first.until_ready()
    assert "community-staff" in first.said()
    assert json.loads(first.ask("/graphql", {"query": "{ __typename }"})) == {"data": {"__typename": "Query"}}

    # A front-end developer signs in by the fake WeChat that came along.
    [fake] = re.findall(r"WeChat +(http://\S+)/fake/login", first.said())
    code = json.loads(asked(f"{fake}/fake/login?name=li"))["code"]
    sign_in = f'mutation {{ signInWithWechat(code: "{code}") {{ ... on SignIn {{ role }} }} }}'
    assert json.loads(first.ask("/graphql", {"query": sign_in})) == {"data": {"signInWithWechat": {"role": "PERSON"}}}

    # A second one on the same data says so, at once, and harms nothing.
    other = Demo(folder, tmp_path / "other")
    assert other.process.wait(30) == 1
    assert f"Another ./wushe demo (process {first.process.pid}) uses " in other.said()
    assert refused(run("serve", PORT=first.port, WUSHE_DATA=str(folder))).startswith(f"Port 127.0.0.1:{first.port} ")

    # Ctrl-C stops everything, with no traceback.
    server = first.server()
    assert first.ends(signal.SIGINT) == 0
    assert not alive(server)
    assert "Traceback" not in first.said()

    # The data are there: nothing is loaded again, and it is quick.
    second = Demo(folder, tmp_path / "second")
    seconds = second.until_ready()
    assert "loading" not in second.said()
    assert seconds < 8, seconds  # 4 on a quiet machine; other tests run beside this one

    # Killed, it leaves its server behind; the next one takes that over.
    server = second.server()
    second.ends(signal.SIGKILL)
    assert alive(server)
    third = Demo(folder, tmp_path / "third")
    third.until_ready()
    assert third.server() == server

    # Both killed: it recovers.
    os.kill(server, signal.SIGKILL)
    third.ends(signal.SIGKILL)
    fourth = Demo(folder, tmp_path / "fourth")
    fourth.until_ready()
    server = fourth.server()
    assert fourth.ends(signal.SIGTERM) == 0
    assert not alive(server)


def asked(address: str, body: object = None) -> bytes:
    text = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, text, {} if text is None else {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: bytes = answer.read()
        return found


def alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
