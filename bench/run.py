"""./wushe bench: this server beside its peers, over the city's data, in one run."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import tempfile
import time
from pathlib import Path

import asyncpg

from api.auth import Tokens
from api.embedded import Cluster
from api.settings import ROOT, Settings, Trouble
from bench import city, load, report, servers
from bench.rounds import Outcome, Plan, Rounds
from bench.work import WORKS
from models import clock, vault
from models.access import Claims
from models.identity.tokens import DEMO, sign
from models.pool import Pool

LATEST = ROOT / "bench" / "latest.json"
RESULTS = ROOT / "bench" / "results"


def run(rest: list[str], settings: Settings) -> int:
    """Measures, prints the tables, and writes bench/latest.json when everything was measured. Answers the exit code."""
    args = _arguments(rest)
    if args.subscribers:
        from bench import subscribers

        return subscribers.run(
            settings,
            subscribers=args.subscribers,
            rate=50,
            seconds=args.seconds or subscribers.SECONDS,
            scale=args.scale,
            fresh=args.fresh,
        )
    if args.matching:
        from bench import matched

        return matched.run(settings, scale=args.scale, fresh=args.fresh)
    load.wrk()
    settings.unlock()
    chosen = _chosen(args.only)
    there = []
    for name in chosen[0]:
        try:
            servers.installed(name)
            there.append(name)
        except servers.Absent as absent:
            print(absent, flush=True)
    plan = Plan(tuple(there), chosen[1], tuple(args.connections), args.seconds or 2, args.rounds)
    with city.cluster(settings) as cluster, tempfile.TemporaryDirectory(prefix="wushe-bench-") as folder:
        template = city.template(cluster, args.scale, fresh=args.fresh)
        outcome, token_us = _measured(plan, cluster, template, settings, Path(folder))
    print()
    print(report.table(plan, outcome))
    print(report.goals(plan, outcome, token_us))
    whole = report.AT in plan.connections and plan.works == WORKS and chosen[0] == servers.NAMES
    if whole and args.scale == "city":
        report.write(LATEST, report.latest(plan, outcome))
        print(f"\nwritten: {LATEST.relative_to(ROOT)}")
    every = {"/".join(map(str, key)): [dataclasses.asdict(r) for r in runs] for key, runs in outcome.runs.items()}
    alone = {"ready_s": outcome.ready_s, "first_ms": outcome.first_ms, "pss_mb": outcome.pss_mb, "token_us": token_us}
    report.write(RESULTS / f"{clock.now():%Y%m%d-%H%M%S}.json", {"runs": every, "alone": alone})
    return 0


def _measured(plan: Plan, cluster: Cluster, template: str, settings: Settings, folder: Path) -> tuple[Outcome, float]:
    about = city.subjects(cluster.url("api", template))
    counts = ", ".join(f"{n:,} {name}" for name, n in about.rows.items())
    print(f"data: {counts}")
    print(f"PostgreSQL: {', '.join(f'{k}={v}' for k, v in city.POSTGRES.items())}; pools of {settings.pool_size}")
    for name in plan.servers:
        print(f"{name:<13}{servers.TOLD[name]}")
    print(f"{os.cpu_count()} cores for servers, PostgreSQL and load alike\n", flush=True)
    staff, volunteer = about.staff, about.volunteer
    who = {
        "Q1": [staff],
        "Q2": [staff],
        "Q2V": [volunteer],
        "Q3": [about.reporter],
        "Q3A": [about.auditor],
        "Q4": [staff],
        "Q5": about.drawn,
        "Q6": [volunteer],
        "Q7": [volunteer],
        "M1": [volunteer],
    }
    signed = {name: asyncio.run(_signed(cluster.url("owner", template), claims)) for name, claims in who.items()}
    token_us = asyncio.run(_repeated(cluster.url("api", template), signed["Q1"][0]))
    outcome = Rounds(plan, cluster, template, about, settings, folder).run(signed)
    return outcome, token_us


SIGN_IN = """
INSERT INTO sign_in (person_id, method, strong, role, membership_id, created_at, last_seen_at, expires_at)
VALUES ($1, 'PASSWORD', true, $2, $3, $4, $4, $5) RETURNING id
"""


async def _signed(url: str, people: list[Claims]) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [await signed(connection, claims) for claims in people]
    finally:
        await connection.close()


async def signed(connection: asyncpg.Connection, claims: Claims) -> str:
    """An access token of a sign-in that was made for it, for as long as a run may take: production takes no other."""
    now = clock.now()
    id = await connection.fetchval(SIGN_IN, claims.person, claims.role, claims.membership, now, now + DEMO)
    return sign(await vault.load(connection), dataclasses.replace(claims, sign_in=id), now, DEMO)


async def _repeated(url: str, token: str, times: int = 100_000) -> float:
    """Microseconds to know a token that was seen before."""
    tokens = Tokens(Pool(url, 1), demo=False)
    header = f"Bearer {token}"
    await tokens.caller(header, clock.now())
    began = time.perf_counter()
    for _ in range(times):
        await tokens.caller(header, clock.now())
    spent = time.perf_counter() - began
    await tokens.pool.close()
    return spent / times * 1e6


def _arguments(rest: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./wushe bench", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=5)
    parser.add_argument("--seconds", type=_positive, help="of each measurement (default 2; with --subscribers 300)")
    parser.add_argument("--connections", type=_list_of_int, default=[1, 16, 64], help="such as 1,16,64")
    parser.add_argument("--only", type=lambda t: t.split(","), default=[], help="some servers or works: wushe,floor,Q1")
    parser.add_argument("--scale", default="city", help="city, or a fraction such as city/100 to try things out")
    parser.add_argument("--fresh", action="store_true", help="make the data anew")
    parser.add_argument(
        "--subscribers", type=_positive, help="measure so many subscriptions instead, at 50 changes a second"
    )
    parser.add_argument("--matching", action="store_true", help="measure lists, searches and the solver instead")
    return parser.parse_args(rest)


def _chosen(only: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    unknown = set(only) - {*servers.NAMES, *WORKS}
    if unknown:
        raise Trouble(f"--only does not know {', '.join(sorted(unknown))}: say {', '.join([*servers.NAMES, *WORKS])}.")
    names = tuple(n for n in servers.NAMES if n in only) or servers.NAMES
    return names, tuple(w for w in WORKS if w in only) or WORKS


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _list_of_int(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]
