"""./wushe wechat-fake: it answers until it is stopped; production has none."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from api.settings import ROOT
from tests.setup.conftest import eventually
from tests.setup.test_commands import refused, run
from tests.setup.test_demo import asked


def test_it_answers_until_it_is_stopped(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    clean = {k: v for k, v in os.environ.items() if not re.match("DATABASE_|WUSHE_|PORT$|HOST$", k)}
    log = tmp_path / "log"
    with open(log, "w") as out:
        command = [sys.executable, "-m", "api.cli", "wechat-fake"]
        running = subprocess.Popen(command, cwd=ROOT, env={**clean, "WECHAT_PORT": port}, stdout=out, stderr=out)
    try:
        eventually(lambda: running.poll() is not None or "answers on" in log.read_text(), 60)
        address = f"http://127.0.0.1:{port}"
        for path, body, begins in (
            ("/fake/login?name=li", None, "code-li-"),
            ("/fake/phone?number=10012345678", None, "phone-10012345678-"),
            ("/fake/codes", {"name": "li"}, "code-li-"),
            ("/fake/codes", {"number": "10012345678"}, "phone-10012345678-"),
        ):
            assert json.loads(asked(address + path, body))["code"].startswith(begins)
        failed = json.loads(asked(f"{address}/sns/jscode2session?appid=wx9&secret=x&js_code=code-li"))
        assert failed["errcode"] == 40013 and failed["errmsg"].startswith("invalid appid, rid: ")
        taken = refused(run("wechat-fake", WECHAT_PORT=port))
        assert taken.startswith(f"Port 127.0.0.1:{port} is in use: ")
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    assert "Traceback" not in log.read_text()


def test_production_has_no_fake() -> None:
    keys = {
        "WUSHE_MODE": "production",
        "WUSHE_MASTER_KEY": "A" * 43 + "=",
        "WUSHE_TOKEN_SECRET": "s" * 32,
        "DATABASE_URL": "postgresql://a:p@127.0.0.1/x",
    }
    assert refused(run("wechat-fake", **keys)).startswith("A fake WeChat signs anybody in as anybody")
