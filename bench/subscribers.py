"""./wushe bench --subscribers 1000: so many volunteers on as many WebSockets of one process, told of what staff edit.

Everything is the product's own: the server in production mode, a worker that relays, mutations over HTTP. Each
subscriber is a different person, so no two of them share a statement. What arrives is compared with what the database
holds: a change that is missing, comes twice or out of order is counted. Latency is from the commit, whose time
PostgreSQL kept, to when the client has the change. Memory is that of the server's process, from beginning to end.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import dataclasses
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import psutil
import uvloop

from api import embedded
from api.embedded import Cluster
from api.settings import ROOT, Settings, Trouble
from bench import city, servers
from bench.load import cpu, pss_mb
from models import clock, vault
from models.access import Claims, Role
from models.events import read_cursor
from models.identity.tokens import DEMO, sign

LATEST = ROOT / "bench" / "subscribers.json"
NEEDS = 50
"""Things that are watched, by equal shares of the subscribers."""
SECONDS = 300
"""How long it is edited, unless that is said."""
LOOK = 30.0
"""Seconds between two looks at the memory."""
WARM = 180.0
"""Seconds in which memory may grow: each connection is used for the first time, each token is looked at anew, and the
allocator comes to hold what is needed at once in the busiest moment."""
FLAT = 0.02
"""Of what was found after WARM: who is found at the end with more than that share above it is not flat."""
SETTLE = 15.0
"""Seconds that the last changes are given to arrive."""
DATABASE = "bench_subscribers"

WATCH = """subscription ($id: ID!, $since: String) {
  needChanged(id: $id, since: $since) { cursor at topic label need { id title status urgency quantityLeft version } }
}"""
PING = b"\x89\x04"
"""How the server's pings begin: four bytes to answer with."""
EDIT = """mutation ($id: ID!, $version: Int!, $urgency: Int!, $key: String!) {
  needEdit(id: $id, version: $version, input: {urgency: $urgency}, idempotencyKey: $key) {
    __typename ... on Need { version } ... on Problem { code message }
  }
}"""
OPEN = """
SELECT n.id, n.version FROM need n
WHERE n.community_id = $1 AND n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL' AND n.kind <> 'CASH_AID' AND n.due_at > $2
  AND n.requester_id <> $4
ORDER BY n.id LIMIT $3
"""
VOLUNTEERS = """
SELECT person_id FROM volunteer WHERE state = 'ACTIVE' ORDER BY volunteer_no LIMIT $1
"""
SIGN_INS = """
INSERT INTO sign_in (person_id, method, strong, role, created_at, last_seen_at, expires_at)
SELECT person, 'PASSWORD', true, 'VOLUNTEER', $2, $2, $3 FROM unnest($1::uuid[]) AS person RETURNING id, person_id
"""
HAPPENED = """
SELECT subject, xid, id, pg_xact_commit_timestamp((xid::text::numeric % 4294967296)::text::xid) AS committed
FROM event WHERE topic = 'need.edited' AND subject = ANY ($1) ORDER BY xid, id
"""


@dataclasses.dataclass(slots=True)
class Result:
    """What was measured."""

    subscribers: int
    events: int
    rate: float
    deliveries: int
    lost: int
    twice: int
    disordered: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float
    pss_mb: list[float]
    """Of the API's process: when all have subscribed, then every LOOK seconds, and at the end."""
    growth: float | None
    """By what share the last of those exceeds what was found after WARM seconds; None where it did not take longer."""
    flat: bool | None
    """Whether that is at most FLAT."""
    api_cores: float
    worker_cores: float
    postgres_cores: float
    client_cores: float


class Client(asyncio.Protocol):
    """One subscriber on a WebSocket (RFC 6455), by graphql-transport-ws. What arrives is kept as it came, with its
    time, and read when all is over: a client that reads would take the cores that it shares with the server."""

    def __init__(self, need: UUID, token: str) -> None:
        self.need, self.token = need, token
        self.came: list[tuple[float, bytes]] = []
        self.count = 0
        """Changes that have arrived."""
        self.acknowledged: asyncio.Future[None]
        self.lost: asyncio.Future[None]
        """Fails when the server ends the connection."""

    async def subscribe(self, port: int) -> None:
        """Opens its socket, and subscribes. Raises Trouble."""
        loop = asyncio.get_running_loop()
        self.acknowledged, self.lost = loop.create_future(), loop.create_future()
        self.transport, _ = await loop.create_connection(lambda: self, "127.0.0.1", port)
        self.transport.write(
            (
                f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
            ).encode()
        )
        async with asyncio.timeout(30):
            await self.acknowledged
        payload = {"query": WATCH, "variables": {"id": f"need_{self.need}"}}
        self._send({"id": "1", "type": "subscribe", "payload": payload})

    def _send(self, message: dict[str, Any]) -> None:
        body = orjson.dumps(message)
        size = len(body)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self.transport.write(bytes([0x81]) + length + bytes(4) + body)  # the mask is zero

    def data_received(self, data: bytes) -> None:
        at = clock.now().timestamp()  # beside PostgreSQL's clock, which is this machine's
        if data.startswith(b"HTTP/1.1 101 "):
            self._send({"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}})
        elif b'"connection_ack"' in data:
            self.acknowledged.set_result(None)
        else:
            self.came.append((at, data))
            self.count += data.count(b'"type":"next"')
            if (ping := data.find(PING)) >= 0:  # in a text by chance: then it is one answer too many, which is allowed
                self.transport.write(bytes([0x8A, 0x84, 0, 0, 0, 0]) + data[ping + 2 : ping + 6])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_exception(Trouble(f"The server ended a socket: {self.came[-1:]}"))

    def close(self) -> None:
        """Ends the connection."""
        self.lost.cancel()
        self.transport.close()

    def changes(self) -> list[tuple[tuple[int, int], float]]:
        """The place of each change that came, and when its last byte had. Raises Trouble for what is no change."""
        found, buffer = [], b""
        for at, data in self.came:
            buffer += data
            while len(buffer) >= 4:
                size, start = buffer[1] & 127, 2
                if size == 126:
                    size, start = int.from_bytes(buffer[2:4], "big"), 4
                if len(buffer) < start + size:
                    break
                opcode, body, buffer = buffer[0] & 15, buffer[start : start + size], buffer[start + size :]
                if opcode != 1:
                    continue
                said = orjson.loads(body)
                if said["type"] != "next" or "errors" in said["payload"]:
                    raise Trouble(f"A subscriber was told: {said}")
                found.append((read_cursor(said["payload"]["data"]["needChanged"]["cursor"])[0], at))
        return found


class Staff:
    """Community staff who edit needs over HTTP, at a steady rate, whatever the answers take."""

    def __init__(self, port: int, token: str, needs: dict[UUID, int]) -> None:
        self.port, self.token, self.versions = port, token, needs
        self.turns = {need: asyncio.Lock() for need in needs}
        self._idle: collections.deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = collections.deque()
        """By turns, or the server would end one that is not needed for a minute."""

    async def work(self, rate: float, seconds: float) -> None:
        """Edits one need after the other, each in turn."""
        loop, tasks = asyncio.get_running_loop(), []
        needs, began = list(self.versions), loop.time()
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
            tasks.append(asyncio.create_task(self._edit(needs[n % len(needs)], n)))
        await asyncio.gather(*tasks)

    async def _edit(self, need: UUID, n: int) -> None:
        async with self.turns[need]:  # or one edit would find the other's version
            version = self.versions[need]
            variables = {"id": f"need_{need}", "version": version, "urgency": 1 + n % 4, "key": f"live-{n:08}"}
            answer = await self._post({"query": EDIT, "variables": variables})
            edited = (answer.get("data") or {}).get("needEdit") or {}
            if edited.get("__typename") != "Need":
                raise Trouble(f"An edit failed: {answer}")
            self.versions[need] = edited["version"]

    async def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        reader, writer = self._idle.popleft() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
        body = orjson.dumps(given)
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answered.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        found: dict[str, Any] = orjson.loads(await reader.readexactly(length))
        self._idle.append((reader, writer))
        return found


def run(settings: Settings, *, subscribers: int, rate: float, seconds: float, scale: str, fresh: bool) -> int:
    """Measures, prints and writes bench/subscribers.json. Answers 1 where something was lost, twice or disordered."""
    settings.unlock()
    # without autovacuum the events of minutes would never be analyzed, as they are everywhere else
    kept = {**city.POSTGRES, "track_commit_timestamp": "on", "autovacuum": "on"}
    with embedded.start(settings.data / "bench-live", kept) as cluster:
        template = city.template(cluster, scale, fresh=fresh)
        cluster.drop(DATABASE)
        cluster.create(DATABASE, template)
        try:
            result = _measured(cluster, settings, subscribers, rate, seconds)
        finally:
            cluster.drop(DATABASE)
    _tell(result)
    LATEST.write_bytes(orjson.dumps(dataclasses.asdict(result), option=orjson.OPT_INDENT_2) + b"\n")
    return 1 if result.lost or result.twice or result.disordered else 0


def _measured(cluster: Cluster, settings: Settings, subscribers: int, rate: float, seconds: float) -> Result:
    url = cluster.url("api", DATABASE)
    with tempfile.TemporaryDirectory(prefix="wushe-bench-") as folder, _worker(url, settings, Path(folder)) as worker:
        more = {"WUSHE_OPEN_EACH": str(subscribers + 100)}  # all come from this machine
        server = servers.start("wushe", url, settings, Path(folder) / "wushe.log", **more)
        try:
            assert cluster.pid is not None
            watched = [server.process, worker, psutil.Process(cluster.pid), psutil.Process()]
            return uvloop.run(_run(cluster.url("owner", DATABASE), server.url, watched, subscribers, rate, seconds))
        finally:
            server.stop()


@contextlib.contextmanager
def _worker(url: str, settings: Settings, folder: Path) -> Iterator[psutil.Process]:
    """The product's worker: it relays."""
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("WUSHE_", "DATABASE_"))},
        "DATABASE_URL": url,
        "WUSHE_MODE": "production",
        "WUSHE_MASTER_KEY": settings.master(),
    }
    with (folder / "worker.log").open("wb") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "worker"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield psutil.Process(popen.pid)
    finally:
        popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(15)
        popen.kill()
        popen.wait()


async def _run(
    url: str, at: str, watched: list[psutil.Process], subscribers: int, rate: float, seconds: float
) -> Result:
    port = int(at.rpartition(":")[2])
    connection = await asyncpg.connect(url)
    try:
        staff, versions, clients = await _people(connection, subscribers)
        async with _listening(clients, port) as listening:
            pss: list[float] = []
            looking = asyncio.create_task(_looking(watched[0], pss))
            spent, began = [cpu(process) for process in watched], time.monotonic()
            editing = asyncio.create_task(Staff(port, staff, versions).work(rate, seconds))
            await asyncio.wait([editing, looking, *listening], return_when=asyncio.FIRST_COMPLETED)
            took = time.monotonic() - began
            looking.cancel()
            pss.append(pss_mb(watched[0]))
            cores = [(cpu(process) - before) / took for process, before in zip(watched, spent, strict=True)]
            cores[3] -= sum(cores[:3])  # its children
            for task in [editing, *listening]:
                if task.done():
                    task.result()
            happened = await connection.fetch(HAPPENED, list(versions))
            watchers = collections.Counter(client.need for client in clients)
            expected = sum(watchers[row["subject"]] for row in happened)
            for _ in range(int(SETTLE * 20)):
                if sum(client.count for client in clients) >= expected:
                    break
                await asyncio.sleep(0.05)
        return _judged(happened, clients, rate, pss, cores)
    finally:
        await connection.close()


async def _looking(process: psutil.Process, found: list[float]) -> None:
    """Keeps a process's memory in MB, now and every LOOK seconds, until it is cancelled."""
    while True:
        found.append(pss_mb(process))
        await asyncio.sleep(LOOK)


@contextlib.asynccontextmanager
async def _listening(clients: list[Client], port: int) -> AsyncIterator[list[asyncio.Future[None]]]:
    """All subscribers, subscribed."""
    for n in range(0, len(clients), 50):
        await asyncio.gather(*[client.subscribe(port) for client in clients[n : n + 50]])
    await asyncio.sleep(2)  # a subscription is not acknowledged: all must have begun
    try:
        yield [client.lost for client in clients]
    finally:
        for client in clients:
            client.close()


async def _people(connection: asyncpg.Connection, subscribers: int) -> tuple[str, dict[UUID, int], list[Client]]:
    """A token of staff, the needs that they edit with their versions, and volunteers who watch those."""
    from bench.run import signed
    from models.seed.cast import account

    claims = await account(connection, "community-staff")
    assert claims is not None
    community = await connection.fetchval(city.COMMUNITY, claims.membership)
    needs = await connection.fetch(OPEN, community, clock.now(), NEEDS, claims.person)
    people = await connection.fetch(VOLUNTEERS, subscribers)
    if not needs or not people:
        raise Trouble("The data have no open need there, or no volunteers: make them anew with --fresh.")
    now = clock.now()
    rows = await connection.fetch(SIGN_INS, [r["person_id"] for r in people], now, now + DEMO)
    keys = await vault.load(connection)
    tokens = [sign(keys, Claims(r["person_id"], Role.VOLUNTEER, None, r["id"]), now, DEMO) for r in rows]
    clients = [Client(needs[n % len(needs)]["id"], tokens[n % len(tokens)]) for n in range(subscribers)]
    print(f"{subscribers} subscribers ({len(tokens)} persons) of {len(needs)} needs", flush=True)
    return await signed(connection, claims), {row["id"]: row["version"] for row in needs}, clients


def _judged(
    happened: list[asyncpg.Record], clients: list[Client], rate: float, pss: list[float], cores: list[float]
) -> Result:
    committed = {(row["xid"], row["id"]): row["committed"].timestamp() for row in happened}
    expected: dict[UUID, list[tuple[int, int]]] = {}
    for row in happened:
        expected.setdefault(row["subject"], []).append((row["xid"], row["id"]))
    lags: list[float] = []
    lost = twice = disordered = 0
    for client in clients:
        changes = client.changes()
        places = [place for place, _ in changes]
        lost += len(set(expected.get(client.need, ())) - set(places))
        twice += len(places) - len(set(places))
        disordered += sum(a > b for a, b in itertools.pairwise(places))
        lags += [(at - committed[place]) * 1000 for place, at in changes]
    cut = statistics.quantiles(lags, n=100, method="inclusive")
    warm = pss[int(WARM / LOOK) : -1]
    growth = round(pss[-1] / warm[0] - 1, 4) if warm else None
    return Result(
        len(clients), len(happened), rate, len(lags), lost, twice, disordered,
        round(cut[49], 1), round(cut[94], 1), round(cut[98], 1), round(max(lags), 1),
        [round(mb, 1) for mb in pss], growth, None if growth is None else growth <= FLAT,
        *[round(c, 2) for c in cores],
    )  # fmt: skip


def _tell(r: Result) -> None:
    print(f"{r.events} edits at {r.rate:g} a second, {r.deliveries} deliveries to {r.subscribers} subscribers")
    print(f"lost {r.lost}, twice {r.twice}, out of order {r.disordered}")
    print(f"commit to client: p50 {r.p50_ms} ms, p95 {r.p95_ms} ms, p99 {r.p99_ms} ms, longest {r.most_ms} ms")
    print(f"memory of the API's process (PSS), every {LOOK:g} s: {' '.join(map(str, r.pss_mb))} MB")
    if r.growth is not None:
        verdict = "flat" if r.flat else "NOT FLAT"
        print(f"{r.growth:+.1%} from the third minute to the end: {verdict} (at most {FLAT:+.0%})")
    print(
        f"cores: API {r.api_cores}, worker {r.worker_cores}, PostgreSQL {r.postgres_cores}, "
        f"this client {r.client_cores}, of {os.cpu_count()}"
    )
