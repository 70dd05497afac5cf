"""./wushe bench --matching: lists and searches inside PostgreSQL over the city's data, what sharing attention does, and the
solver's table for S, M and L, each in a process of its own. Written to bench/matching.json."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import resource
import subprocess
import sys
from typing import Any

from api.settings import ROOT, Settings
from bench import attention, candidates, city, matching, report, search
from models import clock

WRITTEN = ROOT / "bench" / "matching.json"
COPY = "bench_matching"
TIMES = 300
GOAL_MS = 5.0
"""At most, at the 95th percentile, for ranked lists inside PostgreSQL."""
JUDGED = ("candidates", "recommendations")
SEEDS = (1, 2, 3, 4, 5)


def run(settings: Settings, *, scale: str, fresh: bool) -> int:
    """Measures and prints; the file is written for the city's data."""
    settings.unlock()
    with city.cluster(settings) as cluster:
        template = city.template(cluster, scale, fresh=fresh)
        about = city.subjects(cluster.url("api", template))
        cluster.drop(COPY)
        cluster.create(COPY, template)
        try:
            lists = asyncio.run(candidates.measure(cluster.url("owner", COPY), TIMES, clock.now()))
            timings = asyncio.run(search.measure(cluster.url("owner", COPY), about.volunteer, clock.now()))
        finally:
            cluster.drop(COPY)
    for name, figures in lists.items():
        met = "met" if figures["wait"]["p95"] <= GOAL_MS else "MISSED"
        print(f"{name}: {figures}" + (f"   goal, p95 at most {GOAL_MS:.0f} ms: {met}" if name in JUDGED else ""))
    print(search.table(timings), flush=True)
    shared = {
        name: _mean(name, shared=True) / _mean(name, shared=False) - 1 for name in ("connections", "needs with one")
    }
    for name, change in shared.items():
        print(f"attention shared, {name}: {change * 100:+.1f} %")
    rounds = []
    for size in matching.SIZES:
        rounds.append(_solved(size))
        print(json.dumps(rounds[-1]), flush=True)
    if scale == "city":
        found = {
            "lists": lists,
            "search": [dataclasses.asdict(t) for t in timings],
            "attention": shared,
            "rounds": rounds,
        }
        report.write(WRITTEN, found)
        print(f"written: {WRITTEN.relative_to(ROOT)}")
    return 0 if all(row["ok"] for row in rounds) else 1


def _mean(name: str, *, shared: bool) -> float:
    return sum(attention.run(seed, shared=shared)[name] for seed in SEEDS) / len(SEEDS)


def _solved(size: str) -> dict[str, Any]:
    """A row of the solver's table, from a process of its own: memory and CPU are its and its children's alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = f"import json; from bench.matching import measured; print(json.dumps(measured({size!r})))"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return {**found, "cpu_of_all": round(spent, 1)}
