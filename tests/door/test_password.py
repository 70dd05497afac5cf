"""Staff sign in over HTTP: from the command that makes the first administrator to a capacity with a second factor."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pyotp
import pytest
import pytest_asyncio

from api.settings import ROOT
from models import clock
from tests.server import Server, name_of
from tests.site import MASTER, Site, served

PASSWORD, OTHER = "盛京的雪下得早啊真好看", "tuesday-Hunhe-47"
PHONE = "10100000001"

SIGN_IN = """
mutation ($login: String!, $password: String!, $code: String, $deviceToken: String) {
    outcome: signInWithPassword(
        login: $login, password: $password, code: $code, deviceToken: $deviceToken, device: "Chrome · 社区"
    ) { __typename
        ... on SignIn { role secondFactor method device accessToken refreshToken deviceToken accessExpiresInSeconds }
        ... on Problem { code message retry retryAfterSeconds }
    }
}
"""
ACTIVATE = """
mutation ($token: String!, $password: String!) { outcome: accountActivate(token: $token, password: $password) {
    __typename
    ... on SignIn { role secondFactor accessToken deviceToken }
    ... on Problem { code message }
} }
"""
BEGIN = """
mutation ($password: String!, $code: String) { outcome: totpBegin(password: $password, code: $code) {
    ... on UserAccount { totpSecret totpUri totpConfirmed recoveryCodes } ... on Problem { code }
} }
"""
CONFIRM = """
mutation ($code: String!) { outcome: totpConfirm(code: $code) {
    ... on UserAccount { totpSecret totpConfirmed recoveryCodes recoveryCodesLeft } ... on Problem { code }
} }
"""
INVITE = """
mutation ($person: ID!, $login: String!) { outcome: accountInvite(person: $person, login: $login) {
    __typename
    ... on UserAccount { id invitationToken activated logins { kind masked } person { name } recoveryCodesLeft }
    ... on Problem { code message }
} }
"""
ME = """
{ me { id name account { id logins { kind masked } activated totpConfirmed recoveryCodesLeft passwordChangedAt
    invitationToken totpSecret recoveryCodes } capacities { role needsSecondFactor } } }
"""


def command(database: str, owner: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """./wushe admin, in a process of its own."""
    clean = {k: v for k, v in os.environ.items() if not re.match("DATABASE_|WUSHE_|PORT$|HOST$", k)}
    mine = {
        "WUSHE_MODE": "test",
        "WUSHE_MASTER_KEY": MASTER,
        "DATABASE_URL": database,
        "DATABASE_OWNER_URL": owner,
    }
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "admin", *arguments],
        cwd=ROOT,
        env={**clean, **mine},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


class Staff:
    """A served platform, the command's words, and what its tests ask."""

    def __init__(self, site: Site, owner: str, told: str) -> None:
        self.site, self.owner, self.told = site, owner, told
        found = re.search(r"^  (\S{43})$", told, re.M)
        assert found is not None, told
        self.invitation = found[1]

    async def do(self, text: str, by: str | None = None, **variables: Any) -> Any:
        return (await self.site.ask(text, variables, token=by))["outcome"]

    async def enter(self, password: str = PASSWORD, login: str = PHONE, **more: Any) -> Any:
        return await self.do(SIGN_IN, login=login, password=password, **more)

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.owner)
        try:
            return list(await connection.fetch(sql, *args))
        finally:
            await connection.close()

    async def bound(self) -> tuple[str, list[str], Any]:
        """The invitation taken up and an authenticator bound: its secret, the recovery codes, the first sign-in."""
        first = await self.do(ACTIVATE, token=self.invitation, password=PASSWORD)
        begun = await self.do(BEGIN, first["accessToken"], password=PASSWORD)
        secret: str = begun["totpSecret"]
        done = await self.do(CONFIRM, first["accessToken"], code=code(secret))
        return secret, done["recoveryCodes"], first


def code(secret: str, steps: int = 0, at: datetime | None = None) -> str:
    """The code of a step from now."""
    return pyotp.TOTP(secret).at((at or clock.now()) + timedelta(seconds=30 * steps))


@pytest_asyncio.fixture
async def here(server: Server, committed: str) -> AsyncIterator[Staff]:
    owner = server.owner_url(name_of(committed))
    done = await asyncio.to_thread(command, committed, owner, "--name", "孙管理", "--phone", PHONE)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    async with served(committed, WUSHE_LOG="debug") as site:
        yield Staff(site, owner, done.stdout)


async def test_from_the_command_to_an_administrator(here: Staff, capfd: pytest.CaptureFixture[str]) -> None:
    first = await here.do(ACTIVATE, token=here.invitation, password=PASSWORD)
    assert (first["role"], first["secondFactor"]) == ("PERSON", False)
    token = first["accessToken"]
    me = (await here.site.ask(ME, token=token))["me"]
    assert me["name"] == "孙管理"
    assert me["capacities"] == [
        {"role": "ADMIN", "needsSecondFactor": True},
        {"role": "PERSON", "needsSecondFactor": False},
    ]
    assert me["account"].pop("passwordChangedAt") is not None
    id = me["account"].pop("id")
    assert me["account"] == {
        "logins": [{"kind": "PHONE", "masked": "101****0001"}],
        "activated": True,
        "totpConfirmed": False,
        "recoveryCodesLeft": 0,
        "invitationToken": None,
        "totpSecret": None,
        "recoveryCodes": None,
    }
    begun = await here.do(BEGIN, token, password=PASSWORD)
    secret = begun["totpSecret"]
    assert begun == {
        "totpSecret": secret,
        "totpUri": pyotp.TOTP(secret).provisioning_uri(name="101****0001", issuer_name="五社联动"),
        "totpConfirmed": False,
        "recoveryCodes": None,
    }
    done = await here.do(CONFIRM, token, code=code(secret))
    codes = done["recoveryCodes"]
    assert done == {"totpSecret": None, "totpConfirmed": True, "recoveryCodes": codes, "recoveryCodesLeft": 10}
    assert (await here.enter())["code"] == "CODE_REQUIRED"
    strong = await here.enter(code=code(secret, 1))
    assert (strong["role"], strong["secondFactor"], strong["method"]) == ("ADMIN", True, "PASSWORD")
    by_recovery = await here.enter(code=codes[0])
    assert by_recovery["role"] == "ADMIN"
    assert (await here.enter(code=codes[0]))["code"] == "CODE_REFUSED"
    account = (await here.site.ask(ME, token=by_recovery["accessToken"]))["me"]["account"]
    assert (account["id"], account["recoveryCodesLeft"]) == (id, 9)
    noted = await here.fetch(
        "SELECT action, result, role, detail::text FROM audit_event WHERE action = 'command.admin'"
    )
    assert [(n["result"], n["role"]) for n in noted] == [("DONE", "SYSTEM")]
    await nothing_is_left(here, capfd, [secret, *codes, first, strong, by_recovery])


async def nothing_is_left(here: Staff, capfd: pytest.CaptureFixture[str], told: list[Any]) -> None:
    """No password, login, code or token, whole, in anything that was printed or stored."""
    plain = [PASSWORD, PHONE, here.invitation, "孙管理"]
    for one in told:
        plain += [one] if isinstance(one, str) else [v for k, v in one.items() if k.endswith("Token") and v]
    plain += [word.replace("-", "") for word in plain]
    printed = "".join(capfd.readouterr())
    tables = await here.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    for place in [None, *(t["name"] for t in tables)]:
        rows = [] if place is None else await here.fetch(f'SELECT t::text AS row FROM "{place}" t')
        text = printed if place is None else "\n".join(r["row"] for r in rows)
        for word in plain:
            assert word not in text, place
            assert word.encode().hex() not in text, place
    assert len(tables) > 30


async def test_the_command_makes_one_unless_it_is_told_to(here: Staff, committed: str) -> None:
    def again(*more: str) -> subprocess.CompletedProcess[str]:
        return command(committed, here.owner, "--name", "另一人", *more)

    refused = await asyncio.to_thread(again, "--email", "b@example.org")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "wushe: There is an administrator already: he invites others, or say --another.\n"
    taken = await asyncio.to_thread(again, "--phone", PHONE, "--another")
    assert (taken.returncode, taken.stderr) == (1, "wushe: 该手机号或邮箱已用于另一个账号。\n")
    done = await asyncio.to_thread(again, "--email", "B@Example.org", "--another")
    assert done.returncode == 0 and "b***@example.org" in done.stdout
    assert (await asyncio.to_thread(command, committed, here.owner)).stderr == (
        "wushe: Say who: --name, and --phone or --email.\n"
    )
    assert len(await here.fetch("SELECT FROM membership WHERE role = 'ADMIN'")) == 2


async def test_wrong_unknown_and_disabled_get_the_same_answer(here: Staff) -> None:
    await here.do(ACTIVATE, token=here.invitation, password=PASSWORD)
    wrong = await here.enter(OTHER)
    assert wrong == {
        "__typename": "SignInRefused",
        "code": "SIGN_IN_REFUSED",
        "message": "账号或密码不正确。",
        "retry": "CHANGE_INPUT",
        "retryAfterSeconds": None,
    }
    assert await here.enter(login="10999999999") == wrong
    assert await here.enter(login="nobody@example.org") == wrong
    await here.fetch("UPDATE account SET disabled_at = now()")
    assert await here.enter() == wrong
    noted = await here.fetch("SELECT result, detail FROM audit_event WHERE action = 'signInWithPassword'")
    assert [n["result"] for n in noted] == ["SIGN_IN_REFUSED"] * 4
    assert (await here.enter(login="no login"))["code"] == "INVALID_INPUT"


async def test_twenty_guesses_at_once_lock_strangers_and_not_the_owner(here: Staff) -> None:
    first = await here.do(ACTIVATE, token=here.invitation, password=PASSWORD)
    outcomes = await asyncio.gather(*(here.enter(f"wrong-wrong-{n}") for n in range(20)))
    assert sorted(o["code"] for o in outcomes) == ["SIGN_IN_REFUSED"] * 10 + ["TOO_MANY_ATTEMPTS"] * 10
    locked = await here.enter()
    assert (locked["code"], locked["retry"]) == ("TOO_MANY_ATTEMPTS", "LATER")
    assert 890 <= locked["retryAfterSeconds"] <= 900
    mine = await here.enter(deviceToken=first["deviceToken"])
    assert (mine["__typename"], mine["deviceToken"]) == ("SignIn", first["deviceToken"])
    assert (await here.enter(deviceToken="A" * 64))["code"] == "TOO_MANY_ATTEMPTS"


async def test_a_full_line_is_busy(here: Staff) -> None:
    here.site.door.operations.platform.passwords.most = 0
    answer = await here.site.post(SIGN_IN, {"login": PHONE, "password": PASSWORD})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["errors"][0]["extensions"]["code"] == "BUSY"


async def test_an_administrator_invites_disables_and_enables(here: Staff) -> None:
    secret, _, _ = await here.bound()
    admin = (await here.enter(code=code(secret, 1)))["accessToken"]
    (other,) = await here.fetch(
        "INSERT INTO person (name_masked, pinyin, created_at) VALUES ('李*', 'li', now()) RETURNING id"
    )
    invited = await here.do(INVITE, admin, person=f"person_{other['id']}", login="Li@Example.org")
    token, id = invited.pop("invitationToken"), invited.pop("id")
    assert invited == {
        "__typename": "UserAccount",
        "activated": False,
        "logins": [{"kind": "EMAIL", "masked": "l***@example.org"}],
        "person": {"name": "李*"},
        "recoveryCodesLeft": None,
    }
    his = await here.do(ACTIVATE, token=token, password=OTHER)
    assert his["role"] == "PERSON"
    assert (await here.do(ACTIVATE, token=token, password=OTHER))["code"] == "INVITATION_INVALID"
    refused = await here.do(INVITE, his["accessToken"], person=f"person_{other['id']}", login="x@example.org")
    assert refused["code"] == "FORBIDDEN"
    switch = "mutation ($id: ID!, $key: String!) { outcome: %s(id: $id, idempotencyKey: $key) { ... on UserAccount { disabledAt } ... on Problem { code } } }"
    assert (await here.do(switch % "accountDisable", admin, id=id, key="disable-1"))["disabledAt"] is not None
    assert (await here.enter(OTHER, "li@example.org"))["code"] == "SIGN_IN_REFUSED"
    assert (await here.do(switch % "accountEnable", admin, id=id, key="enable-01")) == {"disabledAt": None}
    assert (await here.enter(OTHER, "li@example.org"))["role"] == "PERSON"
    listed = await here.site.ask("{ userAccounts { totalCount edges { node { activated } } } }", token=admin)
    assert listed["userAccounts"]["totalCount"] == 2
    assert (await here.site.ask("{ userAccounts { totalCount } }"))["userAccounts"]["totalCount"] == 0


async def test_a_new_password(here: Staff) -> None:
    first = await here.do(ACTIVATE, token=here.invitation, password=PASSWORD)
    change = "mutation ($password: String!, $new: String!) { outcome: passwordSet(password: $password, newPassword: $new) { ... on UserAccount { activated } ... on Problem { code message } } }"

    async def to(new: str, old: str = PASSWORD) -> Any:
        return await here.do(change, first["accessToken"], password=old, new=new)

    assert (await to(OTHER, "wrong-wrong-wrong"))["code"] == "PASSWORD_REFUSED"
    assert await to("1234567890") == {"code": "PASSWORD_WEAK", "message": "密码是重复或连续的字符，请换一个。"}
    assert await to(OTHER) == {"activated": True}
    assert (await here.enter())["code"] == "SIGN_IN_REFUSED"
    assert (await here.enter(OTHER))["__typename"] == "SignIn"
