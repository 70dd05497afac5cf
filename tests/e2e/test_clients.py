"""The clients that front ends use, and the audits of graphql-http: real ones, in node, against one served endpoint."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio

from tests.demo import Demo
from tests.live.watched import Place, placed, until

NODE = Path(__file__).with_name("node")
NAMES = "graphql-ws, graphql-sse, Apollo Client, urql, graphql-request, and the audits of graphql-http"
WATCHING = ["graphql-ws", "graphql-sse", "Apollo Client", "urql over fetch", "urql over a socket"]
ALL = [*WATCHING, "graphql-request"]


UNREACHED = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "ENOTCACHED")
"""What npm says when there is no way to a registry."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clients, installed by their lock file into a folder of this run.

    Skips, by name, where there is no node. Where there is one and npm reaches no registry it skips too, but in CI
    (`CI=true`, as every CI service sets) fails: a build says so when it has not tried them.
    """
    return installed(tmp_path_factory.mktemp("node") / "clients")


def installed(folder: Path) -> Path:
    for needed in ("node", "npm"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed: {NAMES} are not tried")
    shutil.copytree(NODE, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        not_tried(f"npm reaches no registry in two minutes: {NAMES} are not tried")
    if done.returncode != 0 and any(sign in done.stderr for sign in UNREACHED):
        not_tried(f"npm reaches no registry: {NAMES} are not tried")
    assert done.returncode == 0, done.stderr
    return folder


def not_tried(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.mark.parametrize(
    ("has", "ci", "outcome"),
    [
        ((), "true", pytest.skip.Exception),
        (("node",), "true", pytest.skip.Exception),
        (("node", "npm"), "true", pytest.fail.Exception),
        (("node", "npm"), "", pytest.skip.Exception),
    ],
)
def test_only_a_machine_without_node_lets_ci_pass_untried(
    has: tuple[str, ...], ci: str, outcome: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On machines that have these programs, where npm finds no registry."""
    for program in has:
        there = tmp_path / program
        there.write_text("#!/bin/sh\necho npm error code ECONNREFUSED >&2\nexit 1\n")
        there.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="are not tried"):
        installed(tmp_path / "clients")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(demo_of_module: Demo) -> AsyncIterator[Place]:
    async with placed(demo_of_module) as made:
        yield made


async def started(packages: Path, script: str, *arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        "node", str(packages / script), *arguments, cwd=packages, stdin=pipe, stdout=pipe, stderr=pipe
    )


async def said(process: asyncio.subprocess.Process, word: bytes = b"") -> dict[str, Any]:
    """What a script prints, once it has been given a word."""
    async with asyncio.timeout(90):
        out, problems = await process.communicate(word)
    assert process.returncode == 0, problems.decode()
    found: dict[str, Any] = json.loads(out)
    return found


async def test_every_client_asks_changes_and_is_told_all_at_once(packages: Path, place: Place) -> None:
    needs = {name: await place.submitted() for name in ALL}
    hub = place.site.door.sockets.hub
    endpoint = f"{place.site.url}/graphql"
    process = await started(packages, "clients.mjs", endpoint, place.token("community-staff"), json.dumps(needs))
    try:
        await until(lambda: len(hub) == len(WATCHING) or process.returncode is not None, 30)
        seen = await said(process, b"all watch\n")
    finally:
        if process.returncode is None:
            process.kill()
    told = ["OPENED", True, "OPEN"]
    expected = {name: {"before": "SUBMITTED", "after": "OPEN", "told": told} for name in WATCHING}
    assert seen == {**expected, "graphql-request": {"before": "SUBMITTED", "after": "OPEN", "told": None}}
    await until(lambda: len(hub) == 0)
    await until(lambda: not place.site.door.sockets.open.all and not place.site.door.streams.open.all)


async def test_graphql_over_http_as_its_audits_have_it(packages: Path, place: Place) -> None:
    found = await said(await started(packages, "audits.mjs", f"{place.site.url}/graphql"))
    assert {name: verdict for name, verdict in found.items() if verdict != "ok"} == {}
    counted = {word: sum(f" {word} " in name for name in found) for word in ("MUST", "SHOULD", "MAY")}
    assert counted == {"MUST": 13, "SHOULD": 23, "MAY": 25}
