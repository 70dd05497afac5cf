"""The script ./wushe itself, on a checkout of its own with an empty lock: no package is fetched here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.settings import ROOT
from tests.setup.conftest import eventually

CLI = "import os, sys; print(os.getcwd(), os.environ['WUSHE_CWD'], *sys.argv[1:])\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose command line says where it runs and with what."""
    made = tmp_path / "check out"
    (made / "api").mkdir(parents=True)
    shutil.copy(ROOT / "wushe", made)
    (made / "requirements.lock").write_text("# nothing\n")
    (made / "api" / "__init__.py").touch()
    (made / "api" / "cli.py").write_text(CLI)
    return made


def begin(checkout: Path, *arguments: str, **env: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("WUSHE_")}
    return subprocess.Popen(
        [checkout / "wushe", *arguments],
        cwd=checkout.parent,
        env={**clean, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ends(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def test_installs_once_and_hands_over(checkout: Path) -> None:
    """Two at once: one installs, the other waits for it. From elsewhere: the caller's folder is kept."""
    first, second = begin(checkout, "token", "a b"), begin(checkout, "token", "a b")
    said = f"{checkout} {checkout.parent} token a b\n"
    (one, out_one, err_one), (two, out_two, err_two) = ends(first), ends(second)
    assert (one, out_one, two, out_two) == (0, said, 0, said), err_one + err_two
    line = f"wushe: installing the locked packages into {checkout}/.venv (once, about a minute) ...\n"
    assert sorted([err_one, err_two]) == ["", line]
    assert ends(begin(checkout)) == (0, f"{checkout} {checkout.parent}\n", "")
    # A newer lock is installed over the old.
    (checkout / "requirements.lock").write_text("# still nothing\n")
    assert ends(begin(checkout))[2] == line
    assert ends(begin(checkout))[2] == ""
    # A lock that cannot be met is a sentence, and is tried again.
    (checkout / "requirements.lock").write_text("no-hash-here==1.0\n")
    code, _, err = ends(begin(checkout))
    assert code == 1
    assert err.endswith(
        "wushe: the packages could not be installed: see pip's words above, then run the same command again.\n"
    )
    (checkout / "requirements.lock").write_text("# nothing\n")
    assert ends(begin(checkout))[0] == 0


def test_an_interrupted_installation_is_begun_anew(checkout: Path) -> None:
    process = begin(checkout)
    eventually(lambda: (checkout / ".venv" / "bin").exists(), 30)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (checkout / ".venv" / ".wushe-lock").exists()
    assert ends(begin(checkout, "help"))[:2] == (0, f"{checkout} {checkout.parent} help\n")


def test_python_without_venv_names_the_package(checkout: Path, tmp_path: Path) -> None:
    """As on Debian, where ensurepip is split off: a python3 that has no such module."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").write_text(f'#!/bin/sh\nexec {Path(sys.executable).resolve()} -S -c "$SPLIT" "$@"\n')
    (programs / "python3").chmod(0o755)
    split = "import sys; sys.modules['ensurepip'] = None; exec(sys.argv[2])"
    for tool in ("dirname", "cmp"):
        (programs / tool).symlink_to(shutil.which(tool) or "")
    code, _, err = ends(begin(checkout, PATH=str(programs), SPLIT=split))
    assert code == 1
    assert (
        err
        == f"wushe: this Python comes without venv; install it first (on Debian: apt install python3.{sys.version_info.minor}-venv).\n"
    )
    (programs / "python3").unlink()
    code, _, err = ends(begin(checkout, PATH=str(programs)))
    assert code == 1
    assert err.startswith(
        "wushe: Python 3.11 or newer is needed, and none was found (on Debian: apt install python3.11"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can lend a checkout that another may only read")
def test_a_checkout_of_somebody_else_says_what_to_set(tmp_path: Path, checkout: Path) -> None:
    lent = Path("/run") / f"wushe-lent-{os.getpid()}-{time.monotonic_ns()}"
    shutil.copytree(checkout, lent)
    try:
        done = subprocess.run(
            [lent / "wushe", "help"], cwd="/", env={"PATH": os.environ["PATH"] + ":/usr/bin"},
            user="nobody", group="nogroup", extra_groups=[], capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        shutil.rmtree(lent)
    if "without venv" in done.stderr or "none was found" in done.stderr:
        pytest.skip("nobody has no Python with venv here")
    assert done.returncode == 1
    assert done.stderr == (
        f"wushe: {lent}/.venv cannot be written by you: set WUSHE_VENV to a folder of yours (and WUSHE_DATA, for the data).\n"
    )
