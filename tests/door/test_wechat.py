"""Signing in by WeChat, over HTTP, with the fake platform on a socket of its own: errors, lost answers, races."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from api.settings import FAKE_WECHAT
from api.wechat import fake as platform
from models import clock
from models.access import Claims, Role
from models.identity.accounts.rules import CODES_FROM_ADDRESS
from tests import make_people as make
from tests.site import Site
from tests.wechat import served_with_wechat, sign_in

ME = "{ me { id name phone } }"
REFRESH = """
mutation($token: String!) {
  signInRefresh(refreshToken: $token) {
    __typename ... on SignIn { id accessToken refreshToken } ... on Problem { code }
  }
}"""
BIND = """
mutation($code: String!, $key: String!) {
  phoneBind(code: $code, idempotencyKey: $key) {
    __typename ... on PhoneBinding { id phoneMasked recordsFound } ... on Problem { code retry }
  }
}"""


@pytest.fixture
def wechat() -> platform.Fake:
    return platform.Fake({FAKE_WECHAT[0]: FAKE_WECHAT[1], "wx1": "one"}, slow=3)


@pytest.fixture
async def site(committed: str, wechat: platform.Fake) -> AsyncIterator[Site]:
    async with served_with_wechat(committed, wechat) as made:
        yield made


@pytest.fixture
async def rows(committed: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(committed)
    yield connection
    await connection.close()


async def count(rows: asyncpg.Connection) -> dict[str, int]:
    names = ("person", "wechat_identity", "sign_in", "refresh_token", "login_code")
    return {name: await rows.fetchval(f"SELECT count(*) FROM {name}") for name in names}


async def refresh(site: Site, token: str) -> dict[str, Any]:
    told: dict[str, Any] = (await site.ask(REFRESH, {"token": token}))["signInRefresh"]
    return told


async def test_who_was_never_here_becomes_a_person_without_a_name(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    first = await sign_in(site, "code-li", variables={"device": "小程序"})
    assert first.pop("id") and first.pop("accessToken") and first.pop("refreshToken")
    assert first == {
        "__typename": "SignIn",
        "method": "WECHAT",
        "secondFactor": False,
        "role": "PERSON",
        "device": "小程序",
        "accessExpiresInSeconds": 900,
    }
    again = await sign_in(site, wechat.login_code("li"))
    me = await site.ask(ME, token=again["accessToken"])
    assert (me["me"]["name"], me["me"]["phone"]) == (None, None)
    assert await rows.fetchval("SELECT name_masked FROM person") == "微信用户"
    assert await count(rows) == {
        "person": 1,
        "wechat_identity": 1,
        "sign_in": 2,
        "refresh_token": 2,
        "login_code": 2,
    }
    other = await sign_in(site, "code-wang")
    assert (await site.ask(ME, token=other["accessToken"]))["me"]["id"] != me["me"]["id"]


async def test_what_wechat_takes_is_not_taken_from_the_transaction(committed: str) -> None:
    """Its code is used up by then: it would be lost to the clock."""

    class Late(platform.Fake):
        def take(self, code: Any, kind: str, used: int) -> str:
            time.sleep(1.2)
            return super().take(code, kind, used)

    async with served_with_wechat(committed, Late(), WUSHE_DEADLINE="1") as site:
        assert (await sign_in(site, "code-li"))["__typename"] == "SignIn"


async def test_nothing_of_the_user_is_stored_plain(site: Site, wechat: platform.Fake, rows: asyncpg.Connection) -> None:
    told = await sign_in(site, "code-li")
    await site.ask(BIND, {"code": "phone-10012345678-1", "key": "key-number-1"}, token=told["accessToken"])
    openid, unionid = wechat.openid(FAKE_WECHAT[0], "li"), platform._letters("li")
    tables = ("person", "wechat_identity", "login_code", "bound_phone", "person_contact", "platform_token")
    tables += ("audit_event", "event", "idempotency_record", "sign_in")
    for name in tables:
        for row in await rows.fetch(f"SELECT * FROM {name}"):
            for value in dict(row).values():
                held = value if isinstance(value, bytes) else str(value).encode()
                for plain in (openid, unionid, "code-li", "10012345678", "phone-1001", FAKE_WECHAT[1], "fake_"):
                    assert plain.encode() not in held, (name, plain)


async def test_a_program_of_the_same_owner_knows_the_same_person(
    site: Site, committed: str, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    mine = await sign_in(site, "code-li-1")
    async with served_with_wechat(committed, wechat, WUSHE_WECHAT_APPID="wx1", WUSHE_WECHAT_SECRET="one") as other:
        theirs = await sign_in(other, "code-li-2")
        assert (await other.ask(ME, token=theirs["accessToken"])) == (await site.ask(ME, token=mine["accessToken"]))
    assert await rows.fetchval("SELECT count(DISTINCT openid_index) FROM wechat_identity") == 2
    assert await rows.fetchval("SELECT count(*) FROM person") == 1


async def test_an_identity_joins_its_owners_others_when_wechat_tells_of_them(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    wechat.unions = False
    await sign_in(site, "code-li-1")
    assert await rows.fetchval("SELECT unionid_index FROM wechat_identity") is None
    wechat.unions = True
    await sign_in(site, "code-li-2")
    assert await rows.fetchval("SELECT unionid_index FROM wechat_identity") is not None
    assert await rows.fetchval("SELECT count(*) FROM person") == 1


@pytest.mark.parametrize(
    ("code", "problem", "retry"),
    [
        ("nothing", "WECHAT_CODE_INVALID", "CHANGE_INPUT"),
        ("fail-40029", "WECHAT_CODE_INVALID", "CHANGE_INPUT"),
        ("fail-40163", "WECHAT_CODE_USED", "CHANGE_INPUT"),
        ("fail-40226-li", "WECHAT_REFUSED", "NEVER"),
        ("fail-45011", "WECHAT_TOO_OFTEN", "LATER"),
        ("fail--1", "WECHAT_BUSY", "LATER"),
        ("fail-40125", "WECHAT_UNAVAILABLE", "LATER"),
        ("fail-malformed", "WECHAT_UNAVAILABLE", "LATER"),
        ("lost-li", "WECHAT_UNAVAILABLE", "LATER"),
        ("", "INVALID_INPUT", "CHANGE_INPUT"),
        ("with a blank", "INVALID_INPUT", "CHANGE_INPUT"),
        ("c" * 129, "INVALID_INPUT", "CHANGE_INPUT"),
        ("凭证", "INVALID_INPUT", "CHANGE_INPUT"),
    ],
)
async def test_every_refusal_has_its_name_and_leaves_only_its_trace(
    site: Site, rows: asyncpg.Connection, code: str, problem: str, retry: str
) -> None:
    told = await sign_in(site, code)
    assert (told["code"], told["retry"]) == (problem, retry)
    assert len(told["message"]) <= 20
    assert set((await count(rows)).values()) == {0}
    noted = await rows.fetch("SELECT action, result, detail FROM audit_event")
    assert [tuple(row) for row in noted] == [("signInWithWechat", problem, "{}")]


async def test_a_platform_that_does_not_answer_holds_nobody_up(
    committed: str, wechat: platform.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.wechat.client.WHOLE", 0.3)
    async with served_with_wechat(committed, wechat, WUSHE_POOL_SIZE="1") as site:
        site.door.operations.platform.wechat.whole = 0.3
        waiting = asyncio.create_task(sign_in(site, "fail-timeout"))
        await asyncio.sleep(0.05)
        assert (await sign_in(site, "code-li"))["__typename"] == "SignIn"  # on the one connection there is
        assert not waiting.done()
        assert (await waiting)["code"] == "WECHAT_UNAVAILABLE"


async def test_without_a_mini_program_nobody_signs_in_by_it(database: str) -> None:
    from tests.site import served

    async with served(database) as site:
        assert (await sign_in(site, "code-li"))["code"] == "WECHAT_UNAVAILABLE"


async def test_an_address_that_tries_codes_out_is_not_passed_on_to_wechat(site: Site, wechat: platform.Fake) -> None:
    assert (await sign_in(site, "code-li-1"))["__typename"] == "SignIn"
    for n in range(CODES_FROM_ADDRESS + 1):
        assert (await sign_in(site, f"fail-40029-{n}"))["code"] == "WECHAT_CODE_INVALID"
    asked = len(wechat.calls)
    told = await sign_in(site, "code-li-2")
    assert told["code"] == "TOO_MANY_ATTEMPTS" and 0 < told["retryAfterSeconds"] <= 900
    assert len(wechat.calls) == asked
    assert (await sign_in(site, "code-li-1"))["__typename"] == "SignIn"  # whose answer was lost: nobody is asked for it


# A lost answer.


async def test_the_same_code_gives_the_same_sign_in_with_new_tokens(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    first = await sign_in(site, "code-li")
    second = await sign_in(site, "code-li")
    assert second["id"] == first["id"] and second["refreshToken"] != first["refreshToken"]
    assert wechat.calls == ["/sns/jscode2session"]
    assert (await count(rows))["sign_in"] == 1
    assert await site.ask(ME, token=second["accessToken"]) == await site.ask(ME, token=first["accessToken"])
    # What was told first is worth nothing, and ends nothing.
    assert (await refresh(site, first["refreshToken"]))["code"] == "REFRESH_INVALID"
    assert (await refresh(site, second["refreshToken"]))["__typename"] == "SignIn"
    # Now that it has been used, the answer was not lost.
    assert (await sign_in(site, "code-li"))["code"] == "WECHAT_CODE_USED"


async def test_after_five_minutes_a_code_is_only_used(site: Site) -> None:
    start = clock.now()
    first = await sign_in(site, "code-li", now=start.isoformat())
    later = start + timedelta(minutes=4, seconds=59)
    assert (await sign_in(site, "code-li", now=later.isoformat()))["id"] == first["id"]
    later = start + timedelta(minutes=5)
    assert (await sign_in(site, "code-li", now=later.isoformat()))["code"] == "WECHAT_CODE_USED"


async def test_an_ended_sign_in_is_not_begun_again_by_its_code(site: Site) -> None:
    told = await sign_in(site, "code-li")
    end = "mutation($id: ID!) { signInEnd(id: $id) { __typename } }"
    await site.ask(end, {"id": told["id"]}, token=told["accessToken"])
    assert (await sign_in(site, "code-li"))["code"] == "WECHAT_CODE_USED"


async def test_ten_at_once_with_one_code_are_one_sign_in(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    told = await asyncio.gather(*(sign_in(site, "code-li") for _ in range(10)))
    assert {t["__typename"] for t in told} == {"SignIn"}
    assert len({t["id"] for t in told}) == 1 and len({t["refreshToken"] for t in told}) == 10
    found = await count(rows)
    assert (found["person"], found["wechat_identity"], found["sign_in"], found["refresh_token"]) == (1, 1, 1, 1)
    good = [t for t in told if (await refresh(site, t["refreshToken"]))["__typename"] == "SignIn"]
    assert len(good) == 1


async def test_ten_at_once_of_one_user_are_one_person(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    told = await asyncio.gather(*(sign_in(site, wechat.login_code("li")) for _ in range(10)))
    assert len({t["id"] for t in told}) == 10
    found = await count(rows)
    assert (found["person"], found["wechat_identity"], found["sign_in"]) == (1, 1, 10)


async def test_a_code_that_the_platform_took_before_its_answer_was_lost_is_used(site: Site) -> None:
    assert (await sign_in(site, "lost-li-1"))["code"] == "WECHAT_UNAVAILABLE"
    assert (await sign_in(site, "lost-li-1"))["code"] == "WECHAT_CODE_USED"


# The phone number.


async def test_a_number_is_bound_once_for_each_key(site: Site, wechat: platform.Fake, rows: asyncpg.Connection) -> None:
    token = (await sign_in(site, "code-li"))["accessToken"]
    asked = {"code": "phone-10012345678-1", "key": "key-number-1"}
    first = (await site.ask(BIND, asked, token=token))["phoneBind"]
    assert (first["phoneMasked"], first["recordsFound"]) == ("100****5678", False)
    assert (await site.ask(BIND, asked, token=token))["phoneBind"] == first
    other = (await site.ask(BIND, {**asked, "key": "key-number-2"}, token=token))["phoneBind"]
    assert other == {"__typename": "WechatCodeInvalid", "code": "WECHAT_CODE_INVALID", "retry": "CHANGE_INPUT"}
    assert await rows.fetchval("SELECT count(*) FROM bound_phone") == 1
    assert await rows.fetchval("SELECT phone_masked FROM person") == "100****5678"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("fail--1", "WECHAT_BUSY"),
        ("fail-45011", "WECHAT_TOO_OFTEN"),
        ("fail-40029", "WECHAT_CODE_INVALID"),
        ("fail-malformed", "WECHAT_UNAVAILABLE"),
        ("fail-40001", "WECHAT_UNAVAILABLE"),
        ("code-li-9", "WECHAT_CODE_INVALID"),
        ("phone-12345-1", "INVALID_INPUT"),
    ],
)
async def test_a_number_that_wechat_does_not_tell_is_not_bound(
    site: Site, rows: asyncpg.Connection, code: str, problem: str
) -> None:
    token = (await sign_in(site, "code-li"))["accessToken"]
    told = (await site.ask(BIND, {"code": code, "key": "key-number-1"}, token=token))["phoneBind"]
    assert told["code"] == problem
    assert await rows.fetchval("SELECT count(*) FROM bound_phone") == 0
    assert await rows.fetchval("SELECT count(*) FROM person_contact") == 0


async def test_nobody_binds_a_number_without_a_sign_in(site: Site) -> None:
    told = (await site.ask(BIND, {"code": "phone-10012345678-1", "key": "key-number-1"}))["phoneBind"]
    assert told["code"] == "FORBIDDEN"


# Becoming one person.

CLAIM = """
mutation($name: String!, $card: String) {
  personClaim(name: $name, idNumber: $card) {
    __typename
    ... on SignIn { id role accessToken refreshToken }
    ... on ClaimMismatch { left }
    ... on BothHaveHistory { where }
    ... on Problem { code message }
  }
}"""
MERGE = """
mutation($from: ID!, $into: ID!, $key: String!) {
  personMerge(from: $from, into: $into, reason: "本人到场", idempotencyKey: $key) {
    __typename ... on Person { id name state } ... on Problem { code }
  }
}"""


async def proven(site: Site, code: str, number: str = "10012345678") -> str:
    """The access token of a user who has proven a number."""
    token: str = (await sign_in(site, code))["accessToken"]
    asked = {"code": f"phone-{number}-{code}", "key": f"key-{code}"}
    assert (await site.ask(BIND, asked, token=token))["phoneBind"]["__typename"] == "PhoneBinding"
    return token


async def test_a_record_is_claimed_by_number_and_name(
    site: Site, wechat: platform.Fake, rows: asyncpg.Connection
) -> None:
    town = await make.town(rows)
    grandmother = await make.resident(rows, town, "李奶奶", phone="10012345678")
    token = await proven(site, "code-li-1")
    asked = {"name": "李某", "card": None}
    told = (await site.ask(CLAIM, asked, token=token))["personClaim"]
    assert (told["code"], told["left"]) == ("CLAIM_MISMATCH", 4)
    assert "李" not in told["message"] and await rows.fetchval("SELECT count(*) FROM claim_try") == 1
    was = (await site.ask(ME, token=token))["me"]["id"]
    told = (await site.ask(CLAIM, {**asked, "name": "李奶奶"}, token=token))["personClaim"]
    assert (told["__typename"], told["role"]) == ("SignIn", "RESIDENT")
    me = (await site.ask(ME, token=told["accessToken"]))["me"]
    assert me == {"id": f"person_{grandmother.person}", "name": "李奶奶", "phone": "10012345678"}
    assert (await refresh(site, told["refreshToken"]))["__typename"] == "SignIn"
    # Two rows on the audit log: the failure, and both ids of what was done.
    noted = await rows.fetch("SELECT result, detail FROM audit_event WHERE action = 'personClaim' ORDER BY id")
    assert [row["result"] for row in noted] == ["CLAIM_MISMATCH", "DONE"]
    detail = json.loads(noted[1]["detail"])
    assert (f"person_{detail['from']}", f"person_{detail['into']}") == (was, me["id"])
    assert "李" not in noted[0]["detail"] + noted[1]["detail"]
    # The user is she from now on.
    again = await sign_in(site, wechat.login_code("li"))
    assert (await site.ask(ME, token=again["accessToken"]))["me"]["id"] == me["id"]


async def test_of_two_users_who_claim_a_record_at_once_one_has_it(site: Site, rows: asyncpg.Connection) -> None:
    town = await make.town(rows)
    await make.resident(rows, town, "李奶奶", phone="10012345678")
    tokens = [await proven(site, f"code-user{n}-1") for n in range(4)]
    told = await asyncio.gather(
        *(site.ask(CLAIM, {"name": "李奶奶"}, token=token) for token in tokens),
    )
    names = sorted(t["personClaim"]["__typename"] for t in told)
    assert names == [*["ClaimNeedsStaff"] * 3, "SignIn"]
    assert await rows.fetchval("SELECT count(*) FROM person_merge") == 1
    assert await rows.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_one_user_who_claims_twice_at_once_claims_once(site: Site, rows: asyncpg.Connection) -> None:
    town = await make.town(rows)
    await make.resident(rows, town, "李奶奶", phone="10012345678")
    token = await proven(site, "code-li-1")
    told = await asyncio.gather(*(site.ask(CLAIM, {"name": "李奶奶"}, token=token) for _ in range(3)))
    assert sorted(t["personClaim"]["__typename"] for t in told) == ["Forbidden", "Forbidden", "SignIn"]
    assert await rows.fetchval("SELECT count(*) FROM person_merge") == 1


async def test_six_wrong_names_at_once_are_five_tries(site: Site, rows: asyncpg.Connection) -> None:
    town = await make.town(rows)
    await make.resident(rows, town, "李奶奶", phone="10012345678")
    token = await proven(site, "code-li-1")
    told = await asyncio.gather(*(site.ask(CLAIM, {"name": f"张{n}"}, token=token) for n in range(8)))
    left = sorted(t["personClaim"].get("left", -1) for t in told)
    assert left == [-1, -1, -1, 0, 1, 2, 3, 4]


async def test_staff_merge_over_http(site: Site, rows: asyncpg.Connection) -> None:
    town = await make.town(rows)
    grandmother = await make.resident(rows, town, "李奶奶", phone="10012345678")
    staff = await make.staff(rows, Role.COMMUNITY_STAFF, area=make.Town.COMMUNITY)
    membership = await rows.fetchval("SELECT id FROM membership WHERE person_id = $1", staff.person)
    token = await proven(site, "code-li-1")
    me = (await site.ask(ME, token=token))["me"]["id"]
    asked = {"from": me, "into": f"person_{grandmother.person}", "key": "key-merge-1"}
    assert (await site.ask(MERGE, asked, token=token))["personMerge"]["code"] == "FORBIDDEN"
    clerk = site.token(Claims(staff.person, Role.COMMUNITY_STAFF, membership))
    for _ in range(2):
        told = (await site.ask(MERGE, asked, token=clerk))["personMerge"]
        assert told == {"__typename": "Person", "id": asked["into"], "name": "李*", "state": "PRESENT"}
    assert await rows.fetchval("SELECT count(*) FROM person_merge") == 1


async def test_no_log_line_tells_a_code_or_a_number(
    committed: str, wechat: platform.Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    async with served_with_wechat(committed, wechat, WUSHE_LOG="debug") as site:
        token = (await sign_in(site, "code-li-secret"))["accessToken"]
        await site.ask(BIND, {"code": "phone-10012345678-1", "key": "key-number-1"}, token=token)
        for code in ("fail-40125-secret", "fail-malformed-secret", "lost-secret-1"):
            await sign_in(site, code)
    said = "".join(capfd.readouterr())
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} >= {"wechat refuses", "wechat unavailable"}
    for secret in ("secret", "10012345678", wechat.openid(FAKE_WECHAT[0], "li"), "fake_"):
        assert secret not in said
