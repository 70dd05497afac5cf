"""What was measured, as a table to read and as a file to compare with."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from pathlib import Path

from bench.load import Result
from bench.rounds import Measured, Outcome, Plan

GOALS = {
    ("Q1", "postgraphile"): 3.0,
    ("Q2", "postgraphile"): 2.5,
    ("Q3", "postgraphile"): 6.0,
    ("Q3A", "postgraphile"): 6.0,
    ("M1", "postgraphile"): 1.0,
    ("Q1", "floor"): 0.8,
    ("Q2", "floor"): 0.8,
    ("Q2V", "floor"): 0.8,
    ("Q3", "floor"): 0.8,
    ("Q3A", "floor"): 0.8,
    ("Q2", "usual"): 30.0,
}
"""This server's requests a second over the other's, at least, at so many connections:"""
AT = 16


def median(runs: list[Result], of: Callable[[Result], float]) -> float:
    """The middle of the rounds."""
    return statistics.median(of(run) for run in runs)


def ratios(runs: Measured, work: str, other: str, connections: int) -> list[float]:
    """This server's requests a second over another's, round by round."""
    pairs = zip(runs[work, "wushe", connections], runs[work, other, connections], strict=True)
    return [ours.rps / theirs.rps for ours, theirs in pairs]


def _both(runs: Measured, work: str, other: str, connections: int) -> bool:
    """Whether a work was asked of this server and of another."""
    return {(work, "wushe", connections), (work, other, connections)} <= runs.keys()


def spread(values: list[float], digits: int = 2) -> str:
    """The median and, in brackets, the least and the most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table(plan: Plan, outcome: Outcome) -> str:
    """The tables of a run."""
    out: list[str] = []
    measures: list[tuple[str, Callable[[Result], float], str]] = [
        ("requests a second", lambda r: r.rps, "{:,.0f}"),
        ("p50, ms", lambda r: r.p50_ms, "{:,.2f}"),
        ("p99, ms", lambda r: r.p99_ms, "{:,.1f}"),
        ("server's CPU for a request, µs", lambda r: r.cpu_us, "{:,.0f}"),
        ("PostgreSQL's CPU for a request, µs", lambda r: r.postgres_us, "{:,.0f}"),
    ]
    for title, of, form in measures:
        for connections in plan.connections if of is measures[0][1] else [c for c in plan.connections if c == AT]:
            head = f"{title}, {connections} connection{'s' * (connections > 1)}"
            rows = [
                [
                    server,
                    *(
                        form.format(median(outcome.runs[work, server, connections], of))
                        if (work, server, connections) in outcome.runs
                        else ""
                        for work in plan.works
                    ),
                ]
                for server in plan.servers
            ]
            out += [_aligned([[head, *plan.works], *rows]), ""]
    others = [server for server in plan.servers if server != "wushe"]
    if "wushe" in plan.servers and others:
        for connections in plan.connections:
            rows = [
                [
                    f"wushe / {other}",
                    *(
                        spread(ratios(outcome.runs, work, other, connections))
                        if _both(outcome.runs, work, other, connections)
                        else ""
                        for work in plan.works
                    ),
                ]
                for other in others
            ]
            out += [_aligned([[f"ratio of paired rounds, {connections} connections", *plan.works], *rows]), ""]
    return "\n".join(out)


def goals(plan: Plan, outcome: Outcome, token_us: float) -> str:
    """Each goal, what was reached, and whether that is enough."""
    lines = [["goal", "at least", "reached", ""]]
    for (work, other), least in GOALS.items():
        if (work, other, AT) in outcome.runs and (work, "wushe", AT) in outcome.runs:
            found = ratios(outcome.runs, work, other, AT)
            lines.append(
                [f"{work}, times {other}", f"{least:g}", spread(found), _said(statistics.median(found) >= least)]
            )
    alone = [
        ("a repeated token, µs", 10.0, [token_us]),
        ("PSS of a process, MB", 120.0, outcome.pss_mb),
        ("ready, s", 2.5, outcome.ready_s),
        ("first query, ms", 60.0, outcome.first_ms),
    ]
    lines += [["", "at most", "", ""]]
    lines += [[n, f"{most:g}", spread(v), _said(statistics.median(v) <= most)] for n, most, v in alone if v]
    return _aligned(lines)


def _said(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def latest(plan: Plan, outcome: Outcome) -> dict[str, dict[str, object]]:
    """Medians at 16 connections."""

    def all_of(work: str, of: Callable[[Result], float], digits: int) -> dict[str, float]:
        return {
            server: round(median(outcome.runs[work, server, AT], of), digits)
            for server in plan.servers
            if (work, server, AT) in outcome.runs
        }

    return {
        work: {
            **all_of(work, lambda r: r.rps, 1),
            "p99_ms": all_of(work, lambda r: r.p99_ms, 2),
            "cpu_us": all_of(work, lambda r: r.cpu_us, 1),
        }
        for work in plan.works
    }


def write(path: Path, what: object) -> None:
    """JSON that can be compared line by line."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(what, indent=2, sort_keys=True) + "\n")
