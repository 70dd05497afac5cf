"""A new data directory: roles, passwords, the database, and who may connect how.

All of it is done before the server first listens, so there is no moment in which somebody could walk in.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import subprocess
from pathlib import Path

from api.embedded.place import Place
from api.settings import Trouble, keep

MAJOR = "18"
SUPERUSER, OWNER_ROLE, API_ROLE = "postgres", "wushe_owner", "wushe_api"
ROLES = (SUPERUSER, OWNER_ROLE, API_ROLE)
DATABASE = "wushe"

DISK_FULL = "No space left on device"
"""How the kernel's ENOSPC reads in every program's words."""

HBA = """# Written by wushe: everybody shows a password, on this machine too.
local all         all scram-sha-256
local replication all scram-sha-256
host  all         all 127.0.0.1/32 scram-sha-256
host  replication all 127.0.0.1/32 scram-sha-256
"""


def passwords(place: Place) -> dict[str, str]:
    """The roles' passwords, by role: random, and kept in the data folder for this user alone."""
    fresh = json.dumps({role: secrets.token_urlsafe(32) for role in ROLES})
    text = keep(place.folder / "keys.json", fresh)
    try:
        found: dict[str, str] = json.loads(text)
        return {role: found[role] for role in ROLES}
    except (ValueError, KeyError, TypeError):
        raise Trouble(f"{place.folder / 'keys.json'} is damaged: move it away, and new passwords are made.") from None


def ensure(place: Place) -> None:
    """Makes the data directory when there is none; checks the one that is there.

    It is built under another name and renamed when it is whole: a start after an interruption builds it again.
    Raises Trouble for a directory that is damaged or of another version.
    """
    if place.data.exists() and any(place.data.iterdir()):
        check(place)
        if not (place.folder / "keys.json").exists():
            rekey(place, place.data)
        return
    fresh = building(place)
    arguments = ["-D", str(fresh), "-U", SUPERUSER, "-E", "UTF8", "-A", "reject", "--no-instructions"]
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    run(place, "initdb", *arguments, *locale)
    (fresh / "pg_hba.conf").write_text(HBA)
    single(
        place,
        fresh,
        "postgres",
        f"CREATE ROLE {OWNER_ROLE} LOGIN",
        f"CREATE ROLE {API_ROLE} LOGIN",
        *database(DATABASE),
    )
    rekey(place, fresh)
    finish(place, fresh)


def building(place: Place) -> Path:
    """An empty folder to build a data directory in. What an interrupted build left is removed."""
    fresh = place.folder / "pg.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    return place.own(fresh)


def finish(place: Place, fresh: Path) -> None:
    """What was built becomes the data directory."""
    if place.data.exists():
        place.data.rmdir()
    fresh.rename(place.data)


def check(place: Place) -> None:
    """Raises Trouble when the data directory cannot be one of this version."""
    version, control = place.data / "PG_VERSION", place.data / "global" / "pg_control"
    if not version.exists() or not control.exists():
        raise damaged(place, f"{(version if not version.exists() else control).relative_to(place.data)} is missing")
    found = version.read_text().strip()
    if found != MAJOR:
        raise Trouble(f"The data in {place.data} are of PostgreSQL {found}, and this is {MAJOR}: restore a backup.")


def damaged(place: Place, why: str) -> Trouble:
    """The sentence for data that the server will not start on."""
    return Trouble(f"The data in {place.data} are damaged ({why}): move the folder away, or restore a backup.")


def database(name: str, template: str | None = None) -> list[str]:
    """The statements that make a database: the owner's, closed to everybody but the API's role.

    A template is copied file by file: much faster than through the log, and nobody is connected to it.
    """
    copied = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
    return [
        f'CREATE DATABASE "{name}" OWNER {OWNER_ROLE}{copied}',
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC',
        f'GRANT CONNECT ON DATABASE "{name}" TO {API_ROLE}',
    ]


def rekey(place: Place, data: Path) -> None:
    """Gives the roles the passwords of this folder: the first time, after a restore, when the keys were lost."""
    alter = [f"ALTER ROLE {role} PASSWORD '{password}'" for role, password in passwords(place).items()]
    single(place, data, "postgres", "SET password_encryption = 'scram-sha-256'", "SET scram_iterations = 1", *alter)


def single(place: Place, data: Path, name: str, *statements: str) -> None:
    """Runs statements in single-user mode, where no connection is needed. One line each."""
    done = run(place, "postgres", "--single", "-D", str(data), name, stdin="".join(f"{s};\n" for s in statements))
    wrong = re.search(r"^.*\b(?:ERROR|FATAL|PANIC):\s*(.*)$", done, re.M)
    if wrong:
        raise Trouble(f"PostgreSQL refused to prepare {data}: {wrong[1]}.")


def run(place: Place, program: str, *arguments: str, stdin: str = "") -> str:
    """Runs a program as the server's user; answers what it wrote. Raises Trouble with its last words."""
    command = [str(place.server_programs / program), *arguments]
    done = subprocess.run(
        command,
        input=stdin,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        **place.run_as_server(),
    )
    if done.returncode:
        raise Trouble(f"{program} failed in {place.folder}: {last_words(done.stdout)}.")
    return str(done.stdout)


def last_words(text: str) -> str:
    """What a program of PostgreSQL complained about, on one line."""
    if DISK_FULL in text:
        return "the disk is full"
    wrong = re.findall(r"(?:PANIC|FATAL|ERROR|error|fatal):\s*(.*)", text)
    lines = text.strip().splitlines() or ["it said nothing"]
    return str(wrong[-1] if wrong else lines[-1]).strip().rstrip(".")
