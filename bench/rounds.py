"""The rounds: fresh copies, fresh servers, the same answers, then the load, one server after the other.

In a round all servers are up, each on its own copy of the city, and for each kind of work and number of connections
they are measured right after one another, so that what disturbs the machine disturbs neighbours alike; whoever comes
first changes from round to round. Ratios are taken within a round.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from api.embedded import Cluster
from api.settings import Settings, Trouble
from bench import answers, city, functions, load, servers, work
from bench.city import Subjects
from bench.servers import Server
from bench.work import Work

WARM_SECONDS = 1
WARM_CONNECTIONS = 16
Measured = dict[tuple[str, str, int], list[load.Result]]
"""(work, server, connections) -> a result for each round."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and how."""

    servers: tuple[str, ...]
    works: tuple[str, ...]
    connections: tuple[int, ...]
    seconds: int
    rounds: int


@dataclasses.dataclass
class Outcome:
    """What was measured; the last three about this server alone, once a round."""

    runs: Measured
    ready_s: list[float] = dataclasses.field(default_factory=list)
    first_ms: list[float] = dataclasses.field(default_factory=list)
    pss_mb: list[float] = dataclasses.field(default_factory=list)


class Rounds:
    """One benchmark."""

    def __init__(
        self, plan: Plan, cluster: Cluster, template: str, about: Subjects, settings: Settings, folder: Path
    ) -> None:
        self.plan, self.cluster, self.template, self.settings, self.folder = plan, cluster, template, settings, folder
        self.about = about
        self.works: dict[str, dict[str, Work]] = {name: work.of(name, about) for name in plan.servers}
        self.files = {
            (server, name): w.written(folder, server) for server, ws in self.works.items() for name, w in ws.items()
        }
        assert cluster.pid is not None
        self.postgres = psutil.Process(cluster.pid)
        self.outcome = Outcome({})

    def run(self, tokens: dict[str, list[str]]) -> Outcome:
        """All rounds. `tokens`: who asks, by work."""
        for n in range(self.plan.rounds):
            began = time.monotonic()
            with self._servers() as running:
                self._first(running, tokens)
                self._compare(running, tokens)
                self._measure(running, tokens, n)
                if "wushe" in running:
                    self.outcome.pss_mb.append(load.pss_mb(running["wushe"].process))
            print(f"round {n + 1} of {self.plan.rounds}: {time.monotonic() - began:.0f} s", flush=True)
        return self.outcome

    @contextlib.contextmanager
    def _servers(self) -> Iterator[dict[str, Server]]:
        running: dict[str, Server] = {}
        try:
            for name in self.plan.servers:
                self.cluster.drop(f"bench_{name}")
                self.cluster.create(f"bench_{name}", self.template)
                if name == "postgraphile":
                    self.cluster.sql(functions.SQL, database=f"bench_{name}")
            for name in self.plan.servers:
                url = self.cluster.url("api", f"bench_{name}")
                running[name] = servers.start(name, url, self.settings, self.folder / f"{name}.log")
            yield running
        finally:
            for server in running.values():
                server.stop()
            for name in self.plan.servers:
                self.cluster.drop(f"bench_{name}")

    def _first(self, running: dict[str, Server], tokens: dict[str, list[str]]) -> None:
        """What the first query after a start takes."""
        server = running.get("wushe")
        if server is None:
            return
        asked = self.works["wushe"]["Q1"]
        began = time.perf_counter()
        server.ask(asked.path, asked.bodies[0], tokens["Q1"][0])
        self.outcome.first_ms.append((time.perf_counter() - began) * 1000)
        self.outcome.ready_s.append(server.ready_s)

    def _compare(self, running: dict[str, Server], tokens: dict[str, list[str]]) -> None:
        """Raises Trouble unless all give the same answers."""
        for name in self.plan.works:
            given = {
                server: [
                    answers.canonical(name, running[server].ask(asked.path, body, tokens[name][0]))
                    for asked in [self.works[server][name]]
                    for body in asked.bodies[: answers.SAMPLES]
                ]
                for server in running
                if name in self.works[server]
            }
            agreed = answers.compare(name, given)
            if name in ("Q2", "Q2V", "Q3", "Q3A", "Q4", "Q5", "Q6", "Q7") and not any(agreed):
                raise Trouble(f"{name} has an empty answer: nothing would be measured.")

    def _measure(self, running: dict[str, Server], tokens: dict[str, list[str]], n: int) -> None:
        order = [*self.plan.servers[n % len(self.plan.servers) :], *self.plan.servers[: n % len(self.plan.servers)]]
        everybody = order
        for name in self.plan.works:
            order = [server for server in everybody if name in self.works[server]]
            claimed = dict.fromkeys(order, answers.SAMPLES)
            warm = [(WARM_CONNECTIONS, WARM_SECONDS, False)]
            for connections, seconds, counts in [*warm, *((c, self.plan.seconds, True) for c in self.plan.connections)]:
                for server in order:
                    result = self._load(running[server], name, tokens[name], connections, seconds, claimed[server])
                    claimed[server] += result.requests + connections
                    if counts:
                        self.outcome.runs.setdefault((name, server, connections), []).append(result)
            if name == "M1":
                for server in order:
                    self._really_claimed(server, claimed[server])

    def _load(
        self, server: Server, name: str, tokens: list[str], connections: int, seconds: int, claimed: int
    ) -> load.Result:
        asked = self.works[server.name][name]
        result = load.run(
            server.url + asked.path,
            self.files[server.name, name],
            tokens,
            connections=connections,
            seconds=seconds,
            server=server.process,
            postgres=self.postgres,
            skip=claimed if name == "M1" else 0,
        )
        if result.bad:
            raise Trouble(f"{server.name} failed {result.bad} times of {result.requests} at {name}: see {self.folder}.")
        if name != "M1":  # still the same answer
            answers.canonical(name, server.ask(asked.path, asked.bodies[0], tokens[0]))
        elif claimed + result.requests + connections > len(asked.bodies):
            raise Trouble(f"There are too few needs to claim ({len(asked.bodies)}): take fewer --seconds.")
        return result

    def _really_claimed(self, server: str, sent: int) -> None:
        """Each answered M1 must have made a commitment: a refusal also comes as 200."""
        sql = city.CLAIMED.replace("$1", f"'{self.about.volunteer.person}'")
        made = int(self.cluster.sql(sql, database=f"bench_{server}")) - self.about.claimed
        slack = sum(itertools.chain([WARM_CONNECTIONS], self.plan.connections))
        if not sent - slack <= made <= sent:
            raise Trouble(f"{server} was sent {sent} claims and made {made}.")
