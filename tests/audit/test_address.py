"""From where a request comes: what a client writes himself is never believed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from api.address import client_address, plain
from tests.site import served

PEER = ("10.0.0.1", 4711)


def scope(*forwarded: str, client: tuple[str, int] | None = PEER) -> dict[str, object]:
    return {"client": client, "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded]}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, [], "10.0.0.1"),
        (0, ["1.2.3.4"], "10.0.0.1"),
        (1, [], "10.0.0.1"),
        (1, ["1.2.3.4"], "1.2.3.4"),
        (1, ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (1, ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        (2, ["6.6.6.6, 1.2.3.4, 10.0.0.9"], "1.2.3.4"),
        (2, ["1.2.3.4"], "1.2.3.4"),
        (1, ["<script>"], "10.0.0.1"),
        (1, ["1.2.3.4:5555"], "1.2.3.4"),
        (1, ["[2001:db8::1]:443"], "2001:db8::1"),
        (1, ["::ffff:1.2.3.4"], "1.2.3.4"),
        (1, ["unknown"], "10.0.0.1"),
    ],
)
def test_so_many_proxies_are_believed(proxies: int, forwarded: list[str], found: str) -> None:
    assert client_address(scope(*forwarded), proxies) == found


def test_a_socket_without_an_address_has_none() -> None:
    assert client_address(scope(client=None), 0) is None
    assert client_address(scope(client=("", 0)), 1) is None
    assert plain("/run/socket") is None


@pytest.fixture
async def watched(committed: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(committed)
    yield connection
    await connection.close()


BAD = {"authorization": "Bearer nonsense", "x-forwarded-for": "6.6.6.6, 203.0.113.7"}
ROWS = "SELECT action, result, role, address, request, detail FROM audit_event ORDER BY id"


async def test_refused_tokens_stand_on_the_log_once_a_minute(committed: str, watched: asyncpg.Connection) -> None:
    async with served(committed) as site:
        for n in range(5):
            answer = await site.post("{ __typename }", **BAD, **{"x-request-id": f"request-{n}"})
            assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    (row,) = await watched.fetch(ROWS)
    assert tuple(row)[:5] == ("signIn.check", "UNAUTHENTICATED", "PUBLIC", "127.0.0.1", "request-0")
    assert "nonsense" not in row["detail"]


async def test_behind_a_proxy_the_client_is_named(committed: str, watched: asyncpg.Connection) -> None:
    async with served(committed, WUSHE_PROXIES="1") as site:
        await site.post("{ __typename }", **BAD)
        await site.post("{ __typename }", **{**BAD, "x-forwarded-for": "203.0.113.8"})
    assert [r["address"] for r in await watched.fetch(ROWS)] == ["203.0.113.7", "203.0.113.8"]
