"""test, check, bench, export-schema and access: what shows that the product is in order."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from api.commands import documents, lint
from api.settings import ROOT, Settings, Trouble

SCHEMA = ROOT / "schema.graphql"
MATRIX = ROOT / "docs" / "access.md"

MOST_WORKERS = 8
"""Test processes at most: each has a database of its own and all share one server."""


def test(args: argparse.Namespace, settings: Settings) -> int:
    """Becomes pytest, in the checkout, on as many processes as there are cores."""
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_WORKERS)
    arguments = ["-n", str(cores), "--dist", "loadfile"]  # a module's servers and databases are made once
    if not os.access(ROOT, os.W_OK):
        arguments += ["-p", "no:cacheprovider"]
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(settings.data / "hypothesis")
    os.environ["WUSHE_TEST_PROFILE"] = args.profile
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments, *args.rest])


def bench(args: argparse.Namespace, settings: Settings) -> int:
    """The benchmark on the city data."""
    from bench.run import run

    return int(run(args.rest, settings) or 0)


def export_schema(args: argparse.Namespace, settings: Settings) -> int:
    """Writes the contract, or compares it with the committed one."""
    from api.schema import sdl

    printed = sdl()
    if not args.check:
        SCHEMA.write_text(printed, encoding="utf-8")
        return 0
    if not SCHEMA.exists() or SCHEMA.read_text(encoding="utf-8") != printed:
        raise Trouble("schema.graphql is not what the code says: run ./wushe export-schema and look at what changes.")
    return 0


def access(args: argparse.Namespace, settings: Settings) -> int:
    """Writes the access matrix, or compares it with the committed one and prints what differs."""
    import difflib

    from api.access_matrix import Matrix, document
    from api.app import engine

    printed = document(Matrix(engine(production=False)))
    if not args.check:
        MATRIX.write_text(printed, encoding="utf-8")
        return 0
    committed = MATRIX.read_text(encoding="utf-8") if MATRIX.exists() else ""
    if committed == printed:
        return 0
    print(
        "\n".join(
            difflib.unified_diff(committed.split("\n"), printed.split("\n"), "committed", "code", n=0, lineterm="")
        )
    )
    raise Trouble("docs/access.md is not what the code says: run ./wushe access and look at what changes.")


def check(args: argparse.Namespace, settings: Settings) -> int:
    """Every step of CI in order; all run, so that one run tells everything. Exit 1 when one failed."""
    python = sys.executable
    wushe = str(ROOT / "wushe")
    steps: list[tuple[str, Callable[[], int]]] = [
        ("lint", _runs(python, "-m", "ruff", "check", "--quiet")),
        ("format", _runs(python, "-m", "ruff", "format", "--check", "--quiet")),
        ("types", _runs(python, "-m", "mypy")),
        ("import contracts", _runs(python, "-c", "from importlinter.cli import lint_imports_command as run; run()")),
        ("one clock", lint.report),
        ("schema", _runs(wushe, "export-schema", "--check")),
        ("access", _runs(wushe, "access", "--check")),
        ("documents", documents.committed),
        ("migrations", lambda: migrations(settings)),
        ("tests", _runs(wushe, "test")),
    ]
    failed = []
    for name, step in steps:
        print(f"== {name}", flush=True)
        begun = time.perf_counter()
        code = step()
        print(f"== {name}: {'FAILED' if code else 'ok'} in {time.perf_counter() - begun:.1f} s", flush=True)
        if code:
            failed.append(name)
    if failed:
        raise Trouble(f"check failed: {', '.join(failed)}.")
    return 0


def migrations(settings: Settings) -> int:
    """One head, and a database at that head is what the tables declare. Prints how it differs."""
    import asyncio
    import tempfile
    from pathlib import Path

    from alembic.util import CommandError

    from api import embedded
    from models import migrate, vault

    try:
        head = migrate.head()
    except CommandError as problem:
        print(f"more than one head: {problem}")
        return 1
    vault.unlock(bytes(vault.KEY_BYTES))  # of a database that is thrown away
    with tempfile.TemporaryDirectory() as folder:
        cluster = embedded.start(Path(folder) / "check", {"fsync": "off"})
        try:
            migrate.upgrade(cluster.owner_url, embedded.API_ROLE)
            differences = asyncio.run(migrate.drift(cluster.owner_url))
        finally:
            cluster.destroy()
    for difference in differences:
        print(f"the tables and the migrations differ: {difference}")
    print(f"head {head}")
    return 1 if differences else 0


def _runs(*command: str) -> Callable[[], int]:
    def step(command: Sequence[str] = command) -> int:
        return subprocess.run(command, cwd=ROOT, check=False).returncode

    return step
