"""The client of the WeChat platform against the fake one, without a network; and the token that processes share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from api.wechat import fake as platform
from api.wechat.client import Client
from api.wechat.tokens import SharedToken
from models.identity.wechat.problems import (
    WechatBusy,
    WechatCodeInvalid,
    WechatCodeUsed,
    WechatRefused,
    WechatTooOften,
    WechatUnavailable,
)
from models.pool import Pool
from models.problems import Problem
from tests.conftest import NOW

CODE2SESSION, STABLE, PHONE = "/sns/jscode2session", "/cgi-bin/stable_token", "/wxa/business/getuserphonenumber"


class Clock:
    """A time that tests move: both the platform's seconds and ours."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def pass_(self, **time: float) -> None:
        self.at += timedelta(**time)


class Memory:
    """A token of one process that shares it with nobody."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.held: str | None = None

    async def valid(self, *, refused: str | None = None) -> str:
        if self.held is None or self.held == refused:
            self.held = (await self.client.stable_token(force=refused is not None))[0]
        return self.held


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def wechat(time: Clock) -> platform.Fake:
    return platform.Fake({platform.APPID: platform.SECRET, "wx1": "one"}, now=time.seconds, slow=5)


def client_of(wechat: platform.Fake, **over: Any) -> Client:
    values: dict[str, Any] = {"appid": platform.APPID, "secret": platform.SECRET, "tokens": Memory, **over}
    transport = values.pop("transport", None) or httpx.ASGITransport(platform.create(wechat))
    return Client("http://wechat.test", **values, transport=transport)


@pytest.fixture
async def client(wechat: platform.Fake) -> AsyncIterator[Client]:
    made = client_of(wechat)
    yield made
    await made.close()


async def test_a_code_is_a_user_once_and_the_same_user_each_time(client: Client, wechat: platform.Fake) -> None:
    first = await client.user("code-li")
    assert (first.appid, len(first.openid), len(first.unionid or "")) == (platform.APPID, 28, 28)
    assert await client.user(wechat.login_code("li")) == first
    other = await client.user("code-wang")
    assert other.openid != first.openid and other.unionid != first.unionid
    with pytest.raises(WechatCodeUsed):
        await client.user("code-li")


async def test_a_name_in_chinese_is_a_name(client: Client, wechat: platform.Fake) -> None:
    assert await client.user(wechat.login_code("小李")) == await client.user(wechat.login_code("小李"))


async def test_one_owner_has_one_unionid_and_two_openids(client: Client, wechat: platform.Fake) -> None:
    other = client_of(wechat, appid="wx1", secret="one")
    first, second = await client.user("code-li-1"), await other.user("code-li-2")
    assert first.openid != second.openid and first.unionid == second.unionid
    await other.close()
    wechat.unions = False
    assert (await client.user("code-li-3")).unionid is None


async def test_a_code_lives_for_five_minutes(client: Client, wechat: platform.Fake, time: Clock) -> None:
    code, used = wechat.login_code("li"), wechat.login_code("li")
    await client.user(used)
    time.pass_(minutes=5)
    with pytest.raises(WechatCodeUsed):
        await client.user(used)
    time.pass_(seconds=1)
    for old in (code, used):
        with pytest.raises(WechatCodeInvalid):
            await client.user(old)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("nothing", WechatCodeInvalid),
        ("phone-10012345678-1", WechatCodeInvalid),
        ("fail-40029-x", WechatCodeInvalid),
        ("fail-40163", WechatCodeUsed),
        ("fail-40226-li", WechatRefused),
        ("fail-45011", WechatTooOften),
        ("fail--1", WechatBusy),
        ("fail-40125", WechatUnavailable),
        ("fail-40013", WechatUnavailable),
        ("fail-malformed", WechatUnavailable),
        ("lost-li", WechatUnavailable),
    ],
)
async def test_every_error_is_a_problem_by_name_and_is_asked_once(
    client: Client, wechat: platform.Fake, code: str, problem: type[Problem]
) -> None:
    with pytest.raises(problem) as raised:
        await client.user(code)
    assert wechat.calls == [CODE2SESSION]
    assert code not in str(raised.value) and raised.value.__cause__ is None


async def test_a_platform_that_does_not_answer_is_left_after_a_while(wechat: platform.Fake) -> None:
    client = client_of(wechat, whole=0.05)
    with pytest.raises(WechatUnavailable):
        await client.user("fail-timeout")
    assert wechat.calls == [CODE2SESSION]
    await client.close()


async def test_a_wrong_secret_is_our_affair(wechat: platform.Fake) -> None:
    client = client_of(wechat, secret="wrong")
    for call in (client.user("code-li"), client.phone("phone-10012345678-1")):
        with pytest.raises(WechatUnavailable):
            await call
    await client.close()


class Broken(httpx.AsyncBaseTransport):
    """Fails with these errors, one a call, and then goes through."""

    def __init__(self, then: httpx.AsyncBaseTransport, *errors: type[httpx.HTTPError]) -> None:
        self.then, self.errors, self.calls = then, list(errors), 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)("broken")
        return await self.then.handle_async_request(request)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_where_no_connection_came_about_a_code_is_sent_again(
    wechat: platform.Fake, error: type[httpx.HTTPError]
) -> None:
    transport = Broken(httpx.ASGITransport(platform.create(wechat)), error)
    client = client_of(wechat, transport=transport)
    assert (await client.user("code-li")).openid
    transport.errors = [error, error]
    with pytest.raises(WechatUnavailable):
        await client.user("code-wang")
    await client.close()


@pytest.mark.parametrize(
    "error", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.WriteError, httpx.WriteTimeout]
)
async def test_a_code_that_may_have_arrived_is_never_sent_again(
    wechat: platform.Fake, error: type[httpx.HTTPError]
) -> None:
    transport = Broken(httpx.ASGITransport(platform.create(wechat)), error)
    client = client_of(wechat, transport=transport)
    with pytest.raises(WechatUnavailable):
        await client.user("code-li")
    assert transport.calls == 1
    assert (await client.stable_token())[0]
    transport.errors, transport.calls = [error], 0
    assert (await client.stable_token())[0]  # and this does no harm twice
    assert transport.calls == 2
    await client.tokens.valid()
    transport.errors, transport.calls = [error], 0
    with pytest.raises(WechatUnavailable):
        await client.phone("phone-10012345678-1")
    assert transport.calls == 1
    await client.close()


async def test_a_phone_code_is_a_number_once(client: Client, wechat: platform.Fake) -> None:
    assert await client.phone("phone-10012345678-1") == "+86 10012345678"
    with pytest.raises(WechatCodeInvalid):
        await client.phone("phone-10012345678-1")
    assert await client.phone(wechat.phone_code("10012345678")) == "+86 10012345678"
    with pytest.raises(WechatCodeInvalid):
        await client.phone("code-li")
    assert wechat.calls == [STABLE, *[PHONE] * 4]


async def test_a_token_that_is_refused_is_renewed_once(client: Client, wechat: platform.Fake, time: Clock) -> None:
    await client.phone("phone-10012345678-1")
    wechat.forget(platform.APPID)
    wechat.calls.clear()
    assert await client.phone("phone-10012345678-2") == "+86 10012345678"
    assert wechat.calls == [PHONE, STABLE, PHONE]
    time.pass_(hours=3)  # 42001
    assert await client.phone("phone-10012345678-3") == "+86 10012345678"
    wechat.calls.clear()
    with pytest.raises(WechatUnavailable):
        await client.phone("fail-40001")
    assert wechat.calls == [PHONE, STABLE, PHONE]


async def test_the_fakes_token_is_as_stable_as_the_platforms(client: Client, time: Clock) -> None:
    first, life = await client.stable_token()
    assert life == timedelta(hours=2)
    time.pass_(minutes=110)
    assert await client.stable_token() == (first, timedelta(minutes=10))
    time.pass_(minutes=5)
    second, life = await client.stable_token()
    assert second != first and life == timedelta(hours=2)
    forced, _ = await client.stable_token(force=True)
    assert forced != second
    assert (await client.stable_token(force=True))[0] == forced  # within 30 seconds nothing turns
    for _ in range(19):
        time.pass_(seconds=31)
        await client.stable_token(force=True)
    time.pass_(seconds=31)
    with pytest.raises(WechatUnavailable):
        await client.stable_token(force=True)


async def test_nothing_of_a_call_is_logged(
    wechat: platform.Fake, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    client = client_of(wechat)
    user = await client.user("code-li")
    await client.phone("phone-10012345678-1")
    with contextlib.suppress(Problem):
        await client.user("fail-40125-li")
    out = capsys.readouterr()
    told = caplog.text + out.out + out.err
    for secret in (platform.SECRET, "code-li", user.openid, "10012345678", "fake_", "40125-li"):
        assert secret not in told
    assert user.openid not in repr(user)
    await client.close()


# The token of all processes.


def process(pool: Pool, wechat: platform.Fake, time: Clock) -> Client:
    return client_of(wechat, tokens=lambda client: SharedToken(pool, client, time.now))


@pytest.fixture
async def two(committed: str) -> AsyncIterator[tuple[Pool, Pool]]:
    """The pools of two processes."""
    pools = Pool(committed, 3), Pool(committed, 3)
    yield pools
    for pool in pools:
        await pool.close()


async def test_two_processes_ask_for_one_token(two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock) -> None:
    first, second = (process(pool, wechat, time) for pool in two)
    codes = [f"phone-10012345678-{n}" for n in range(20)]
    await asyncio.gather(*(client.phone(code) for client, code in zip([first, second] * 10, codes, strict=True)))
    assert wechat.calls.count(STABLE) == 1
    time.pass_(minutes=114)
    await asyncio.gather(first.tokens.valid(), second.tokens.valid())
    assert wechat.calls.count(STABLE) == 1
    time.pass_(minutes=1)
    before = await first.tokens.valid(), await second.tokens.valid()
    assert before[0] == before[1] and wechat.calls.count(STABLE) == 2


async def test_the_stored_token_is_sealed(
    two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock, committed: str
) -> None:
    token = await process(two[0], wechat, time).tokens.valid()
    connection = await asyncpg.connect(committed)
    row = dict(await connection.fetchrow("SELECT * FROM platform_token"))
    await connection.close()
    assert row["name"] == f"wechat {platform.APPID}" and row["ends_at"] == NOW + timedelta(hours=2)
    assert token.encode() not in row["token"]


async def test_one_process_learns_that_the_others_token_was_refused(
    two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock
) -> None:
    first, second = (process(pool, wechat, time) for pool in two)
    await first.phone("phone-10012345678-1")
    await second.phone("phone-10012345678-2")
    wechat.forget(platform.APPID)
    await first.phone("phone-10012345678-3")
    wechat.calls.clear()
    await second.phone("phone-10012345678-4")
    assert wechat.calls == [PHONE, PHONE]  # the new one was in the database already


class Waiting(httpx.AsyncBaseTransport):
    """A network on which nothing is answered until it is let."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner, self.asked, self.go = inner, asyncio.Event(), asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        await self.go.wait()
        return await self.inner.handle_async_request(request)


async def test_while_wechat_is_asked_no_connection_is_held_and_nobody_waits_who_need_not(
    committed: str, two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock
) -> None:
    narrow = Pool(committed, 1)
    slow = Waiting(httpx.ASGITransport(platform.create(wechat)))
    first = client_of(wechat, transport=slow, tokens=lambda client: SharedToken(narrow, client, time.now))
    second = process(two[0], wechat, time)
    asking = asyncio.create_task(first.tokens.valid())
    await slow.asked.wait()
    assert await narrow.fetchval("SELECT 1") == 1  # on the one connection there is
    waits = asyncio.create_task(second.tokens.valid())  # there is no token yet
    await asyncio.sleep(0.2)
    assert not waits.done()
    slow.go.set()
    assert await asking == await waits and wechat.calls.count(STABLE) == 1
    time.pass_(minutes=116)
    slow.go.clear()
    slow.asked.clear()
    asking = asyncio.create_task(first.tokens.valid())
    await slow.asked.wait()
    async with asyncio.timeout(0.5):  # the old one is good for some minutes
        assert await second.tokens.valid() == await first.tokens.valid()
    slow.go.set()
    assert await asking != await waits
    await narrow.close()


async def test_a_lease_that_nobody_ends_lapses(two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock) -> None:
    slow = Waiting(httpx.ASGITransport(platform.create(wechat)))
    gone = client_of(wechat, transport=slow, tokens=lambda client: SharedToken(two[0], client, time.now))
    asking = asyncio.create_task(gone.tokens.valid())
    await slow.asked.wait()
    asking.cancel()
    other = process(two[1], wechat, time)
    with pytest.raises(WechatUnavailable):
        await other.tokens.valid()
    time.pass_(seconds=5)
    assert await other.tokens.valid()


async def test_an_old_token_serves_while_wechat_gives_no_new_one(
    two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock
) -> None:
    client = process(two[0], wechat, time)
    old = await client.tokens.valid()
    time.pass_(minutes=116)
    client._http = httpx.AsyncClient(
        base_url="http://wechat.test",
        transport=Broken(httpx.ASGITransport(platform.create(wechat)), *[httpx.ReadError] * 2),
    )
    assert await client.tokens.valid() == old
    assert await client.tokens.valid() != old  # it answers again


async def test_without_an_answer_and_without_a_token_it_is_unavailable(
    two: tuple[Pool, Pool], wechat: platform.Fake, time: Clock
) -> None:
    client = client_of(
        wechat,
        tokens=lambda client: SharedToken(two[0], client, time.now),
        transport=Broken(httpx.MockTransport(lambda request: httpx.Response(500))),
    )
    with pytest.raises(WechatUnavailable):
        await client.phone("phone-10012345678-1")
