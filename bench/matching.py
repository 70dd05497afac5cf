"""The solver's bench: `python bench/matching.py INST.npz OUT.npz` solves; `generate`, `solve` and `check` do their part.

generate SIZE SEED OUT.npz      S (1,000 needs), M (30,000), L (300,000) or a number
solve INST.npz OUT.npz [SECONDS]
check INST.npz SOLUTION.npz     exit 0 if the plan breaks no rule
assign COSTS.txt [OUT.npz]      a plain assignment as OR-Library publishes them: how many, then what each pair costs
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np

from bench.matching_instances import generate
from bench.matching_verifier import verify
from models.exchange.matching import Assignment, Instance, Needs, Providers, Weights, Windows, greedy, solve

SIZES = {"S": 1_000, "M": 30_000, "L": 300_000}


def seconds_for(needs: int) -> float:
    """Seconds that a round of so many needs is given: S is to end in 5 s, M in 20 s, L in 5 minutes, start and all.

    From M on it is processor time (see `solve`): on a loaded machine it takes longer, and the plan is as good.
    """
    if needs <= 2_000:
        return 3.3
    return 10.4 + needs / 4_000 if needs <= 50_000 else min(240.0, needs / 1_250)


def instance_of(given: dict[str, Any]) -> Instance:
    """The generator's arrays as a round."""
    n, v = "n_", "v_"
    names = ("xy", "dist", "cat", "cert", "prio", "q", "gpref", "ghard", "lang", "dur", "opt")
    theirs = ("xy", "skill", "cert", "gen", "lang", "rad", "rad", "rel", "W", "cap")
    needs = [*(given[n + name] for name in names), given["n_prev"][:, None]]
    providers = [*(given[v + name] for name in theirs), np.arange(len(given["v_W"]))]
    return Instance(Needs(*needs), Providers(*providers), Windows(given["w_v"], given["w_s"], given["w_e"]))


def instance_of_costs(costs: Any) -> Instance:
    """A round in which everybody may do one of the tasks, all at one time, and what counts is the sum of (N, P) costs.

    The base is more than any plan's costs, so that as many tasks are done as can be. Raises ValueError for costs too far apart.
    """
    costs = np.asarray(costs, np.int64)
    tasks, people = costs.shape
    worth = costs.max(initial=0) - costs
    if worth.max(initial=0) >= 2**31:
        raise ValueError("costs differ by 2,147,483,648 or more")
    base = int(worth.max(initial=0)) * max(1, min(tasks, people)) + 1
    zero, one, no = np.zeros(tasks, np.int64), np.ones(people, np.int64), np.zeros(tasks, bool)
    before, able = np.full((tasks, 1), -1), np.ones((people, 1), bool)
    needs = Needs(
        np.zeros((tasks, 2)), zero, zero, no, zero + 1, zero + 1, zero, no, zero, zero + 60, zero[:, None], before
    )
    providers = Providers(
        np.zeros((people, 2)), able, able, one * 0, one * 0, one * 1.0, one * 1.0, one * 0.0, one, one, one
    )
    windows = Windows(np.arange(people), one * 0, one * 60)
    return Instance(needs, providers, windows, weights=Weights(base=(base, base, base, base)), worth=worth)


def costs_of(path: str) -> Any:
    """An assignment problem of OR-Library: n, then n rows of n costs. Raises ValueError where they are not as many."""
    numbers = np.array(Path(path).read_text("ascii").split(), np.int64)
    size = int(numbers[0]) if len(numbers) else 0
    if len(numbers) != size * size + 1 or size < 1:
        raise ValueError(f"{path}: {size} tasks need {size * size} costs, and there are {len(numbers) - 1}")
    return numbers[1:].reshape(size, size)


def load(path: str) -> dict[str, Any]:
    """The arrays of a file."""
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def save(path: str, plan: Assignment) -> None:
    """need, option, provider: what the verifier reads."""
    np.savez(path, n=plan.need, o=plan.option, v=plan.provider)


def measured(size: str, seed: int = 1) -> dict[str, Any]:
    """A row of the table: one size solved here, checked, beside greedy."""
    given = generate(SIZES[size], seed)
    instance = instance_of(given)
    simple = greedy(instance).objective
    wall, cpu = time.monotonic(), time.process_time()
    plan = solve(instance, seconds=seconds_for(SIZES[size]))
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    checked = verify(given, plan.need, plan.option, plan.provider)
    return {
        "size": size,
        "objective": checked["obj"],
        "ok": checked["ok"],
        "greedy": simple,
        "coverage": checked["cov_by_prio"],
        "cpu_seconds": round(cpu, 1),
        "wall_seconds": round(wall, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def table() -> list[dict[str, Any]]:
    """S, M and L, for `./wushe bench`. Takes about six minutes."""
    return [measured(size) for size in SIZES]


def main(arguments: list[str]) -> int:
    """Does what the command line says."""
    match arguments:
        case ["generate", size, seed, out]:
            np.savez(out, **generate(SIZES.get(size) or int(size), int(seed)))
        case ["check", path, solution]:
            theirs = load(solution)
            found = verify(load(path), theirs["n"], theirs["o"], theirs["v"])
            print(json.dumps(found))
            return 0 if found["ok"] else 1
        case ["assign", path, *out]:
            costs = costs_of(path)
            began = time.process_time()
            plan = solve(instance_of_costs(costs))
            if out:
                save(out[0], plan)
            cost = int(costs[plan.need, plan.provider].sum())
            print(json.dumps({"cost": cost, "tasks": len(plan.need), "cpu": round(time.process_time() - began, 2)}))
        case ["solve", path, out, *limit] | [path, out, *limit]:
            instance = instance_of(load(path))
            plan = solve(instance, seconds=float(limit[0]) if limit else seconds_for(instance.size[0]))
            save(out, plan)
            print(
                json.dumps(
                    {"objective": plan.objective, "helpers": len(plan.need), "cpu": round(time.process_time(), 2)}
                )
            )
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
