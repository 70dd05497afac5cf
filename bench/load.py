"""Load from wrk, and what it costs the server and PostgreSQL in CPU while it runs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil

from api.settings import Trouble

SCRIPT = """
-- Arguments: a file of bodies, one a line; how many of them to pass over; the tokens that are taken in turn.
local bodies, tokens, ready, n, i, headers = {}, {}, {}, 0, 0, {}
local function made(k)
  headers["Authorization"] = tokens[(k - 1) % #tokens + 1]
  return wrk.format("POST", nil, headers, bodies[(k - 1) % #bodies + 1])
end
function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  for k = 3, #args do tokens[#tokens + 1] = "Bearer " .. args[k] end
  i = tonumber(args[2])
  n = math.max(#bodies, #tokens)
  headers["Content-Type"] = "application/json"
  if n < 2000 then
    for k = 1, n do ready[k] = made(k) end
  end
end
function request()
  i = i % n + 1
  return ready[i] or made(i)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests": %d, "us": %d, "p50": %.1f, "p99": %.1f, "bad": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""
"""Answers are not read here: that would load the cores that the servers share. They are compared before and after."""


@dataclasses.dataclass(frozen=True)
class Result:
    """One run: requests a second, latencies, and the CPU of the server and of PostgreSQL for each request."""

    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    postgres_us: float
    requests: int
    bad: int
    """Answers that were not 200, and broken connections."""


def wrk() -> str:
    """The load generator. Raises Trouble, with the package to install, when it is absent."""
    found = shutil.which("wrk")
    if found is None:
        raise Trouble("The benchmark's load comes from wrk: install Debian's package wrk.")
    return found


def run(
    url: str,
    bodies: Path,
    tokens: list[str],
    *,
    connections: int,
    seconds: int,
    server: psutil.Process,
    postgres: psutil.Process,
    skip: int = 0,
) -> Result:
    """Sends the file's lines as bodies, over and over, on so many connections. One thread: two cores serve all."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT)
        script.flush()
        command = [wrk(), "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "20s", "-s", script.name]
        before = cpu(server), cpu(postgres)
        done = subprocess.run(
            [*command, url, "--", str(bodies), str(skip), *tokens], capture_output=True, text=True, check=False
        )
        spent = cpu(server) - before[0], cpu(postgres) - before[1]
    found = re.search(r"RESULT (\{.*\})", done.stdout)
    if found is None:
        raise Trouble(f"wrk failed: {(done.stderr or done.stdout).strip()[-300:]}")
    said = json.loads(found[1])
    requests = max(said["requests"], 1)
    return Result(
        rps=requests / (said["us"] / 1e6),
        p50_ms=said["p50"] / 1000,
        p99_ms=said["p99"] / 1000,
        cpu_us=spent[0] * 1e6 / requests,
        postgres_us=spent[1] * 1e6 / requests,
        requests=said["requests"],
        bad=said["bad"],
    )


def cpu(process: psutil.Process) -> float:
    """Seconds of CPU that a process and its children have used, those that have ended among them."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def pss_mb(process: psutil.Process) -> float:
    """Proportional memory of a process and its children, in MB."""
    return sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)]) / 1e6
