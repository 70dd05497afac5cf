"""./wushe bench --subscribers 1000: so many volunteers on as many WebSockets of one process, told of what staff edit.

Everything is the product's own: the server in production mode, a worker that relays, mutations over HTTP. Each
subscriber is a different person, so no two of them share a statement. What arrives is compared with what the database
holds: a change that is missing, comes twice or out of order is counted. Latency is from the commit, whose time
PostgreSQL kept, to when the client has the change.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
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
SETTLE = 15.0
"""Seconds that the last changes are given to arrive."""
DATABASE = "bench_subscribers"

WATCH = """subscription ($id: ID!, $since: String) {
  needChanged(id: $id, since: $since) { cursor at topic label need { id title status urgency quantityLeft version } }
}"""
EDIT = """mutation ($id: ID!, $version: Int!, $urgency: Int!, $key: String!) {
  needEdit(id: $id, version: $version, input: {urgency: $urgency}, idempotencyKey: $key) {
    __typename ... on Need { version } ... on Problem { code message }
  }
}"""
OPEN = """
SELECT n.id, n.version FROM need n
WHERE n.community_id = $1 AND n.status IN ('OPEN', 'IN_PROGRESS') AND n.sensitivity = 'NORMAL' AND n.due_at > $2
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
    """Of the API's process: when all have subscribed, in the middle, and at the end."""
    api_cores: float
    worker_cores: float
    postgres_cores: float
    client_cores: float


class Socket:
    """A client's WebSocket (RFC 6455), as far as this needs it: frames of text, whole, and no compression."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def opened(cls, port: int) -> Socket:
        """A socket to /graphql, by the protocol graphql-transport-ws."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in answer.split(b"\r\n", 1)[0]:
            raise Trouble(f"No socket: {answer[:100]!r}")
        return cls(reader, writer)

    def send(self, message: dict[str, Any]) -> None:
        self._frame(1, orjson.dumps(message))

    def _frame(self, opcode: int, body: bytes) -> None:
        size = len(body)
        length = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self.writer.write(bytes([0x80 | opcode]) + length + bytes(4) + body)  # the mask is zero

    async def receive(self) -> dict[str, Any]:
        """The next message. Raises Trouble when the server closes."""
        while True:
            first, second = await self.reader.readexactly(2)
            size = second & 127
            if size > 125:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            body = await self.reader.readexactly(size)
            if first & 15 == 1:
                message: dict[str, Any] = orjson.loads(body)
                if message["type"] == "ping":
                    self.send({"type": "pong"})
                    continue
                return message
            if first & 15 == 9:
                self._frame(10, body)
            elif first & 15 == 8:
                raise Trouble(f"The server closed a socket: {int.from_bytes(body[:2], 'big')} {body[2:]!r}")


class Client:
    """One subscriber, and what has arrived: the place of each change, and when."""

    def __init__(self, need: UUID, token: str) -> None:
        self.need, self.token = need, token
        self.places: list[tuple[int, int]] = []
        self.times: list[float] = []

    async def subscribe(self, port: int) -> None:
        """Opens its socket, and subscribes."""
        self.socket = await Socket.opened(port)
        self.socket.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {self.token}"}})
        said = await self.socket.receive()
        if said["type"] != "connection_ack":
            raise Trouble(f"A subscriber was not let in: {said}")
        payload = {"query": WATCH, "variables": {"id": f"need_{self.need}"}}
        self.socket.send({"id": "1", "type": "subscribe", "payload": payload})

    async def listen(self) -> None:
        """Takes what comes, until it is cancelled."""
        while True:
            said = await self.socket.receive()
            at = time.time()  # beside PostgreSQL's clock, which is this machine's
            if said["type"] != "next" or "errors" in said["payload"]:
                raise Trouble(f"A subscriber was told: {said}")
            self.places.append(read_cursor(said["payload"]["data"]["needChanged"]["cursor"])[0])
            self.times.append(at)


class Staff:
    """Community staff who edit needs over HTTP, at a steady rate, whatever the answers take."""

    def __init__(self, port: int, token: str, needs: dict[UUID, int]) -> None:
        self.port, self.token, self.versions = port, token, needs
        self.done = 0
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def work(self, rate: float, seconds: float) -> None:
        """Edits one need after the other, each in turn."""
        loop, tasks = asyncio.get_running_loop(), []
        needs, began = list(self.versions), loop.time()
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - loop.time()))
            tasks.append(asyncio.create_task(self._edit(needs[n % len(needs)], n)))
        await asyncio.gather(*tasks)

    async def _edit(self, need: UUID, n: int) -> None:
        variables = {"id": f"need_{need}", "version": self.versions[need], "urgency": 1 + n % 4, "key": f"live-{n:08}"}
        answer = await self._post({"query": EDIT, "variables": variables})
        edited = (answer.get("data") or {}).get("needEdit") or {}
        if edited.get("__typename") != "Need":
            raise Trouble(f"An edit failed: {answer}")
        self.versions[need] = edited["version"]
        self.done += 1

    async def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self.port)
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
    kept = {**city.POSTGRES, "track_commit_timestamp": "on"}
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
            return asyncio.run(_run(cluster.url("owner", DATABASE), server.url, watched, subscribers, rate, seconds))
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
            pss = [pss_mb(watched[0])]
            spent, began = [cpu(process) for process in watched], time.monotonic()
            editing = asyncio.create_task(Staff(port, staff, versions).work(rate, seconds))
            await asyncio.wait([editing, *listening], timeout=seconds / 2, return_when=asyncio.FIRST_EXCEPTION)
            pss.append(pss_mb(watched[0]))
            await asyncio.wait([editing, *listening], return_when=asyncio.FIRST_COMPLETED)
            took = time.monotonic() - began
            cores = [(cpu(process) - before) / took for process, before in zip(watched, spent, strict=True)]
            for task in [editing, *listening]:
                if task.done():
                    task.result()
            happened = await connection.fetch(HAPPENED, list(versions))
            expected = sum(1 for row in happened for client in clients if client.need == row["subject"])
            for _ in range(int(SETTLE * 20)):
                if sum(len(client.places) for client in clients) >= expected:
                    break
                await asyncio.sleep(0.05)
            pss.append(pss_mb(watched[0]))
        return _judged(happened, clients, rate, pss, cores)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _listening(clients: list[Client], port: int) -> AsyncIterator[list[asyncio.Task[None]]]:
    """All subscribers, subscribed."""
    for n in range(0, len(clients), 50):
        await asyncio.gather(*[client.subscribe(port) for client in clients[n : n + 50]])
    tasks = [asyncio.create_task(client.listen()) for client in clients]
    await asyncio.sleep(2)  # a subscription is not acknowledged: all must have begun
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in clients:
            client.socket.writer.close()


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
        there = set(client.places)
        lost += len(set(expected.get(client.need, ())) - there)
        twice += len(client.places) - len(there)
        disordered += sum(a > b for a, b in zip(client.places, client.places[1:], strict=False))
        lags += [(at - committed[place]) * 1000 for place, at in zip(client.places, client.times, strict=True)]
    cut = statistics.quantiles(lags, n=100)
    return Result(
        len(clients), len(happened), rate, len(lags), lost, twice, disordered,
        round(cut[49], 1), round(cut[94], 1), round(cut[98], 1), round(max(lags), 1),
        [round(mb, 1) for mb in pss], *[round(c, 2) for c in cores],
    )  # fmt: skip


def _tell(r: Result) -> None:
    print(f"{r.events} edits at {r.rate:g} a second, {r.deliveries} deliveries to {r.subscribers} subscribers")
    print(f"lost {r.lost}, twice {r.twice}, out of order {r.disordered}")
    print(f"commit to client: p50 {r.p50_ms} ms, p95 {r.p95_ms} ms, p99 {r.p99_ms} ms, longest {r.most_ms} ms")
    print(f"memory of the API's process (PSS): {' → '.join(map(str, r.pss_mb))} MB")
    print(
        f"cores: API {r.api_cores}, worker {r.worker_cores}, PostgreSQL {r.postgres_cores}, "
        f"this client {r.client_cores}, of {os.cpu_count()}"
    )
