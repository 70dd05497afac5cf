"""./wushe from outside: what it prints, and how it ends."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api import embedded
from api.cli import COMMANDS
from api.commands import database
from api.embedded import place
from api.settings import ROOT, Settings, Trouble
from tests.setup.conftest import forget
from tests.site import MASTER


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as ./wushe does, without its bootstrap, and with nothing of our own variables."""
    clean = {k: v for k, v in os.environ.items() if not re.match("DATABASE_|WUSHE_|PORT$|HOST$", k)}
    command = [sys.executable, "-m", "api.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=60)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that failed as it should."""
    assert done.returncode == 1
    assert re.fullmatch(r"wushe: [^\n]+\.\n", done.stderr), done.stderr
    return done.stderr.removeprefix("wushe: ").strip()


def test_help_has_a_line_for_each_command() -> None:
    done = run("help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command.name} +{re.escape(command.line)}$", done.stdout, re.M)
    promised = "demo serve worker wechat-fake migrate seed token admin sign-ins explain export-schema access backup restore audit keys documents doctor test check bench help"
    assert [c.name for c in COMMANDS] == promised.split()
    assert run().stdout == done.stdout


def test_each_command_has_a_body() -> None:
    for command in COMMANDS[:-1]:
        source = (ROOT / "api" / "commands" / f"{command.module}.py").read_text()
        assert f"\ndef {command.name.replace('-', '_')}(args: argparse.Namespace, settings: Settings) -> int:" in source


def test_an_unknown_command_is_a_line() -> None:
    done = run("dmeo")
    assert done.returncode == 2
    assert "invalid choice: 'dmeo'" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_said_before_anything_is_done(command: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refused(run(command, PORT=str(port), WUSHE_DATA=str(tmp_path / "data")))
    assert sentence == (
        f"Port 127.0.0.1:{port} is in use: stop what uses it, or choose another, such as PORT={port + 1}."
    )
    assert not (tmp_path / "data").exists()


def test_a_host_that_is_not_ours_is_a_sentence() -> None:
    assert refused(run("serve", WUSHE_MODE="demo", HOST="192.0.2.1")) == "HOST=192.0.2.1 is no address of this machine."


def test_production_has_no_demo_and_no_demo_tokens() -> None:
    keys = {"WUSHE_MODE": "production", "WUSHE_MASTER_KEY": MASTER, "DATABASE_URL": "postgresql://a:p@127.0.0.1/x"}
    assert refused(run("token", "admin", **keys)) == "Production mode has no demo accounts."
    assert refused(run("demo", **keys)).startswith("demo is for trying things out")
    assert refused(run("seed", **keys)) == "Production mode has no invented data."
    assert refused(run("serve", WUSHE_MODE="production")) == "Production mode needs WUSHE_MASTER_KEY."


def test_doctor_finds_what_is_wrong_and_keeps_the_password_to_itself() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        url = f"postgresql://api:hidden@127.0.0.1:{nobody_listens.getsockname()[1]}/wushe"
        done = run("doctor", WUSHE_MODE="test", DATABASE_URL=url, DATABASE_OWNER_URL=url)
    assert done.returncode == 1
    assert "WRONG database     The PostgreSQL of DATABASE_URL cannot be reached: " in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_migrate_backup_restore_and_doctor(tmp_path: Path) -> None:
    data, copy = str(tmp_path / "data"), str(tmp_path / "copy")
    file = tmp_path / "wushe.backup"
    try:
        first = run("migrate", WUSHE_DATA=data)
        assert (first.returncode, first.stderr) == (0, "migrating the database ...\nmigrating the database: done\n")
        assert run("backup", file.name, WUSHE_DATA=data, WUSHE_CWD=str(tmp_path)).returncode == 0
        assert refused(run("restore", str(file), WUSHE_DATA=data)).endswith("Name another WUSHE_DATA.")
        assert run("restore", str(file), WUSHE_DATA=copy).returncode == 0
        told = run("doctor", WUSHE_DATA=copy)
        assert (told.returncode, told.stderr) == (0, "")
        assert re.search(r"ok +postgres +18\.\d+, embedded, in .*; at migration \w+", told.stdout)
        assert not (place.find(Path(copy)).data / "postmaster.pid").exists()
    finally:
        forget(Path(data))
        forget(Path(copy))


def test_an_older_postgresql_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no older one here, so the bar is raised above the one there is."""
    with embedded.start(folder) as cluster:
        settings = Settings.from_env(
            {"WUSHE_MODE": "test", "DATABASE_URL": cluster.api_url, "DATABASE_OWNER_URL": cluster.owner_url}
        )
        with database.connected(settings) as ready:
            assert ready is settings
        monkeypatch.setattr(database, "OLDEST", 190000)
        with (
            pytest.raises(Trouble, match=r"The PostgreSQL of DATABASE_URL is version 18: 18 or newer is needed\."),
            database.connected(settings),
        ):
            pass
