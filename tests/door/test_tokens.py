"""Access tokens at the door: what is taken, every way in which it is not, and signing in and out over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import base64
import dataclasses
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
import pytest_asyncio

from api.app import create
from api.auth import NotSignedIn
from api.commands import people
from api.logs import configure
from models import clock, vault
from models.access import PUBLIC_ACTOR, Claims, Role
from models.database import transaction
from models.identity import actions
from models.identity.rules import SignInEnd, SignInMethod
from models.identity.tokens import DEMO, sign
from models.pool import Pool
from models.vault import Kind
from tests.make_people import Town, membership, organization, resident, town, volunteer
from tests.server import Server
from tests.site import Site, served, settings

ME = "{ me { id acting { role } } }"
FIELDS = "id role isCurrent accessToken refreshToken accessExpiresInSeconds endReason secondFactor membership { id }"
REFRESH = f"""mutation ($token: String!, $acting: ActingInput) {{
  signInRefresh(refreshToken: $token, acting: $acting, device: "小程序 · iPhone") {{
    __typename ... on SignIn {{ {FIELDS} }} ... on Problem {{ code message retry }}
  }}
}}"""
SWITCH = f"""mutation ($acting: ActingInput!) {{
  signInSwitch(acting: $acting) {{ __typename ... on SignIn {{ {FIELDS} }} ... on Problem {{ code }} }}
}}"""
END = "mutation ($id: ID!) { signInEnd(id: $id) { __typename ... on SignIn { endReason } ... on Problem { code } } }"
END_ALL = "mutation ($this: Boolean!) { signInsEnd(exceptThis: $this) { __typename ... on Me { id } } }"
MINE = (
    "{ mySignIns(filter: { live: true }) { edges { node { id device network method isCurrent role accessToken } } } }"
)


@dataclasses.dataclass
class Place:
    """A served platform, a resident who volunteers, and ways to change what lies under it."""

    site: Site
    pool: Pool
    owner: str
    person: UUID
    other: UUID

    async def open(self, **more: Any) -> actions.Opened:
        """A sign-in of the resident's."""
        given = {"person": self.person, "method": SignInMethod.WECHAT, "strong": False, **more}
        at = given.pop("at", None) or clock.now()
        return await transaction(self.pool, PUBLIC_ACTOR, at, lambda db: actions.open_sign_in(db, **given))

    async def sql(self, statement: str, *arguments: Any) -> Any:
        """As the owner of the tables."""
        connection = await asyncpg.connect(self.owner)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(server: Server, worker: str) -> AsyncIterator[Place]:
    name = f"tokens_{worker}"
    await asyncio.to_thread(server.clone, name)
    pool = Pool(server.api_url(name), 2)
    try:
        async with pool.connection() as connection:
            there = await town(connection)
            one, two = await resident(connection, there), await resident(connection, there, "赵某")
            await volunteer(connection, there, person=one.person)
        async with served(server.api_url(name)) as site:
            yield Place(site, pool, server.owner_url(name), one.person, two.person)
    finally:
        await pool.close()
        await asyncio.to_thread(server.drop, name)


def encoded(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims = (json.loads(base64.urlsafe_b64decode(p + "==")) for p in token.split(".")[:2])
    return header, claims


def signed(header: dict[str, Any], claims: Any, secret: bytes, by: str = "sha256") -> str:
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), by))}"


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


REFUSED = (401, "UNAUTHENTICATED")
Forge = Callable[[dict[str, Any], dict[str, Any], bytes], str]


def claiming(**changes: Any) -> Forge:
    """The token with other claims (None: without), rightly signed."""

    def forge(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
        said = {k: v for k, v in {**claims, **changes}.items() if v is not None}
        return signed(header, said, secret)

    return forge


def headed(by: str = "sha256", **changes: Any) -> Forge:
    """The token with another header (None: without), signed by the right secret."""

    def forge(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
        return signed({k: v for k, v in {**header, **changes}.items() if v is not None}, claims, secret, by)

    return forge


def at(seconds: int) -> int:
    return int(clock.now().timestamp()) + seconds


ATTACKS: dict[str, Forge] = {
    "alg none, unsigned": lambda h, c, s: f"{encoded({**h, 'alg': 'none'})}.{encoded(c)}.",
    "alg None": lambda h, c, s: f"{encoded({**h, 'alg': 'None'})}.{encoded(c)}.",
    "alg none, two parts": lambda h, c, s: f"{encoded({**h, 'alg': 'none'})}.{encoded(c)}",
    "alg none, signed": headed(alg="none"),
    "HS384": headed("sha384", alg="HS384"),
    "HS512": headed("sha512", alg="HS512"),
    "RS256 by name": headed(alg="RS256"),
    "no alg": headed(alg=None),
    "alg no text": headed(alg=["HS256"]),
    "another kind of token": headed(typ="JWT"),
    "no typ": headed(typ=None),
    "an extension that must be understood": headed(crit=["exp"], exp=1),
    "a key of its own": lambda h, c, s: signed({**h, "jwk": {"kty": "oct", "k": encoded(b"k" * 32)}}, c, b"k" * 32),
    "another secret": lambda h, c, s: signed(h, c, b"x" * 32),
    "an empty secret": lambda h, c, s: signed(h, c, b""),
    "the kid as the secret": lambda h, c, s: signed(h, c, UUID(h["kid"]).bytes),
    "no kid": headed(kid=None),
    "an unknown kid": headed(kid=str(uuid4())),
    "a kid that is a path": headed(kid="../../../../dev/null"),
    "a kid that is a list": headed(kid=[]),
    "expired": lambda h, c, s: claiming(exp=at(-1))(h, c, s),
    "expires now": lambda h, c, s: claiming(exp=at(0))(h, c, s),
    "begins later": lambda h, c, s: claiming(nbf=at(30))(h, c, s),
    "issued later": lambda h, c, s: claiming(iat=at(30))(h, c, s),
    "expires as text": claiming(exp="2100-01-01"),
    "expires as a fraction": claiming(exp=4e9),
    "expires never": claiming(exp=None),
    "issued never": claiming(iat=None),
    "another issuer": claiming(iss="wushe.example"),
    "no issuer": claiming(iss=None),
    "another audience": claiming(aud="wushe-admin"),
    "several audiences": claiming(aud=["wushe-api", "other"]),
    "no audience": claiming(aud=None),
    "nobody": claiming(sub=None),
    "a subject that is no id": claiming(sub="admin"),
    "no role": claiming(role=None),
    "a role that there is not": claiming(role="ROOT"),
    "the public": claiming(role="PUBLIC"),
    "a role that he has not": claiming(role="ADMIN"),
    "a membership that he has not": claiming(membership=str(uuid4())),
    "no id": claiming(jti=None),
    "a sign-in that there is not": claiming(sid=str(uuid4())),
    "a sign-in that is no id": claiming(sid="1"),
    "too long": claiming(more="x" * 2000),
    "claims that are a list": lambda h, c, s: signed(h, ["sub"], s),
    "claims that are no JSON": lambda h, c, s: signed(h, b"sub", s),
    "other claims, the old signature": lambda h, c, s: ".".join(
        (encoded(h), encoded({**c, "role": "ADMIN"}), signed(h, c, s).rpartition(".")[2])
    ),
    "half the signature": lambda h, c, s: signed(h, c, s)[:-20],
    "five parts": lambda h, c, s: f"{signed(h, c, s)}.{encoded(b'')}.{encoded(b'')}",
    "deep nesting": lambda h, c, s: signed(h, b"[" * 700, s),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_opens_nothing(place: Place, attack: str) -> None:
    made = await place.open()
    assert (await place.site.ask(ME, token=made.access_token))["me"]["acting"]["role"] == "VOLUNTEER"
    header, claims = decoded(made.access_token)
    secret = place.site.keys.secrets(Kind.TOKEN)[UUID(header["kid"])]
    assert signed(header, claims, secret) == made.access_token  # the forger works as the real one does
    forged = ATTACKS[attack](header, claims, secret)
    assert forged != made.access_token
    answer = await place.site.post(ME, token=forged)
    assert told(answer) == REFUSED
    assert "data" not in answer.json()
    assert told(await place.site.post(ME, token=forged)) == REFUSED


async def test_a_token_of_anothers_sign_in(place: Place) -> None:
    made, others = await place.open(), await place.open(person=place.other)
    header, claims = decoded(made.access_token)
    secret = place.site.keys.secrets(Kind.TOKEN)[UUID(header["kid"])]
    forged = signed(header, {**claims, "sid": str(others.sign_in)}, secret)
    assert told(await place.site.post(ME, token=forged)) == REFUSED


@pytest.mark.parametrize("scheme", ["Basic {}", "{}", "Bearer", "Bearer {}, Bearer {}", "Bearer {} {}"])
async def test_another_scheme(place: Place, scheme: str) -> None:
    token = (await place.open()).access_token
    header = {"authorization": scheme.replace("{}", token)}
    assert told(await place.site.client.post("/graphql", json={"query": ME}, headers=header)) == REFUSED


async def test_a_refresh_token_is_no_access_token(place: Place) -> None:
    assert told(await place.site.post(ME, token=(await place.open()).refresh_token)) == REFUSED


async def test_whoever_runs_the_platform_ends_everybodys(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = await place.open(), await place.open(person=place.other)
    ready = dataclasses.replace(settings(place.pool.url), owner_url=place.owner)
    assert await asyncio.to_thread(people.sign_ins, argparse.Namespace(step="end-all"), ready) == 0
    assert await place.sql("SELECT FROM sign_in WHERE ended_at IS NULL") == []
    (row,) = await place.sql("SELECT * FROM sign_in WHERE id = $1", two.sign_in)
    assert row["end_reason"] == SignInEnd.ENDED_BY_PLATFORM
    for opened in (one, two):
        assert told(await place.site.post(ME, token=opened.access_token)) == REFUSED
    (noted,) = await place.sql("SELECT * FROM audit_event WHERE action = 'command.signIns'")
    detail = json.loads(noted["detail"])
    assert (noted["result"], detail["step"]) == ("DONE", "end-all") and detail["ended"] >= 2
    assert capsys.readouterr().out.startswith(f"{detail['ended']} sign-ins were ended.")
    assert (await place.site.post(ME, token=(await place.open()).access_token)).status_code == 200


# keys


async def test_keys_rotate_while_tokens_are_out(place: Place) -> None:
    site = place.site
    old, also_old = await place.open(), await place.open()
    connection = await asyncpg.connect(place.owner)
    try:
        retired = UUID(decoded(old.access_token)[0]["kid"])
        new = await vault.make(connection, Kind.TOKEN)
        keys = await vault.load(connection)
        token = sign(keys, Claims(place.person, Role.RESIDENT), clock.now(), DEMO)
        assert decoded(token)[0]["kid"] == str(new) != str(retired)
        site.tokens._looked = 0
        assert (await site.post(ME, token=token)).status_code == 200  # this process has not heard of it before
        assert (await site.post(ME, token=old.access_token)).status_code == 200
        await connection.execute("UPDATE data_key SET retired_at = $2 WHERE id = $1", retired, clock.now())
        site.tokens.pool.vault._until = 0  # a minute has passed
        assert told(await site.post(ME, token=also_old.access_token)) == REFUSED
        with pytest.raises(NotSignedIn):
            await site.tokens.caller(f"Bearer {old.access_token}", clock.now() + timedelta(seconds=61))
    finally:
        await connection.close()
        await place.pool.close()
        place.pool = Pool(place.pool.url, 2)


async def test_a_process_that_cannot_open_the_keys_again_serves_on(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """They were wrapped by a new master key, and this process has not been started again yet."""
    site, token = place.site, (await place.open()).access_token
    assert (await site.post(ME, token=token)).status_code == 200
    (row, *_) = await place.sql("SELECT master FROM data_key")
    await place.sql("UPDATE data_key SET master = 'another'")
    try:
        kept = site.tokens.pool.vault
        kept._until = 0  # a minute has passed
        site.tokens._known.clear()
        for _ in range(3):
            assert (await site.post(ME, token=token)).status_code == 200
            site.tokens._known.clear()
        assert [r.levelname for r in caplog.records if r.name == "vault"] == ["WARNING"]
        assert (await site.client.get("/readyz")).status_code == 200
        late = create(settings(place.pool.url))  # one that starts now has nothing to go on with
        async with httpx.AsyncClient(transport=httpx.ASGITransport(late), base_url="http://late") as client:
            asked = {"json": {"query": ME}, "headers": {"authorization": f"Bearer {token}"}}
            assert told(await client.post("/graphql", **asked)) == (503, "UNAVAILABLE")  # type: ignore[arg-type]
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            assert ready.json()["reason"].startswith("data keys: ")
        await late.databases.close()
        with pytest.raises(vault.Locked):
            async with place.pool.connection() as connection:
                await kept.keys(connection, newest=True)
    finally:
        await place.sql("UPDATE data_key SET master = $1", row["master"])
        site.tokens.pool.vault._until = 0


async def test_garbage_asks_the_vault_once_a_second(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    load = vault.load

    async def counted(connection: asyncpg.Connection) -> vault.Keys:
        nonlocal looks
        looks += 1
        return await load(connection)

    monkeypatch.setattr(vault, "load", counted)
    header, claims = decoded((await place.open()).access_token)
    place.site.tokens._looked = 0
    looks = 0
    for _ in range(20):
        assert told(await place.site.post(ME, token=signed({**header, "kid": str(uuid4())}, claims, b"x"))) == REFUSED
    assert looks <= 2


# a sign-in's life


async def test_an_ended_sign_in_takes_its_tokens_along(place: Place) -> None:
    made = await place.open()
    header, claims = decoded(made.access_token)
    secret = place.site.keys.secrets(Kind.TOKEN)[UUID(header["kid"])]
    assert (await place.site.post(ME, token=made.access_token)).status_code == 200
    await transaction(
        place.pool,
        PUBLIC_ACTOR,
        clock.now(),
        lambda db: actions.end_sign_ins_of(db, place.person, SignInEnd.PERSON_ERASED),
    )
    unseen = signed(header, {**claims, "jti": "another"}, secret)
    assert told(await place.site.post(ME, token=unseen)) == REFUSED
    with pytest.raises(NotSignedIn):
        await place.site.tokens.caller(f"Bearer {made.access_token}", clock.now() + timedelta(seconds=61))


async def test_whoever_is_no_more_is_not_signed_in(place: Place) -> None:
    made = await place.open(person=place.other)
    await place.sql("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", place.other)
    try:
        assert told(await place.site.post(ME, token=made.access_token)) == REFUSED
        demo = place.site.token(Claims(place.other, Role.RESIDENT))
        assert told(await place.site.post(ME, token=demo)) == REFUSED
    finally:
        await place.sql("UPDATE person SET state = 'PRESENT' WHERE id = $1", place.other)


async def test_production_takes_no_token_without_a_sign_in(place: Place) -> None:
    demo = place.site.token(Claims(place.person, Role.VOLUNTEER))
    assert (await place.site.post(ME, token=demo)).status_code == 200
    made = await place.open()
    async with served(place.pool.url, WUSHE_MODE="production") as real:
        assert told(await real.post(ME, token=demo)) == REFUSED
        assert (await real.post(ME, token=made.access_token)).status_code == 200
        later = (clock.now() + timedelta(hours=1)).isoformat()
        assert (await real.post(ME, token=made.access_token, now=later)).status_code == 200  # that header is not read


async def test_outside_production_a_sign_in_lives_in_the_time_that_is_given(place: Place) -> None:
    then = datetime.fromisoformat("2027-03-01T09:00:00+08:00")
    made = await place.open(at=then)
    for minutes, fits in ((0, True), (14, True), (15, False), (-1, False)):
        answer = await place.site.post(ME, token=made.access_token, now=(then + timedelta(minutes=minutes)).isoformat())
        assert answer.status_code == (200 if fits else 401), minutes
    assert told(await place.site.post(ME, token=made.access_token)) == REFUSED


# over HTTP


async def test_refresh_switch_list_and_end(place: Place) -> None:
    site = place.site
    await place.sql("DELETE FROM refresh_token")
    await place.sql("DELETE FROM sign_in")
    made = await place.open()
    another = await place.open()
    fresh = (await site.ask(REFRESH, {"token": made.refresh_token}))["signInRefresh"]
    assert (fresh["__typename"], fresh["role"], fresh["isCurrent"]) == ("SignIn", "VOLUNTEER", False)
    assert fresh["accessExpiresInSeconds"] == 900
    assert fresh["refreshToken"].startswith("wsr_")
    token = fresh["accessToken"]
    assert (await site.ask(ME, token=token))["me"]["acting"]["role"] == "VOLUNTEER"
    asked = "{ me { capacities { role needsSecondFactor membership { id } division { code } } } }"
    capacities = (await site.ask(asked, token=token))["me"]["capacities"]
    assert [(c["role"], c["needsSecondFactor"]) for c in capacities] == [
        ("PERSON", False),
        ("RESIDENT", False),
        ("VOLUNTEER", False),
    ]
    switched = (await site.ask(SWITCH, {"acting": {"role": "RESIDENT"}}, token=token))["signInSwitch"]
    assert (switched["role"], switched["isCurrent"], switched["refreshToken"]) == ("RESIDENT", True, None)
    assert (await site.ask(ME, token=switched["accessToken"]))["me"]["acting"]["role"] == "RESIDENT"
    refused = (await site.ask(SWITCH, {"acting": {"role": "ADMIN"}}, token=token))["signInSwitch"]
    assert refused == {"__typename": "CapacityNotHeld", "code": "CAPACITY_NOT_HELD"}
    mine = [e["node"] for e in (await site.ask(MINE, token=token))["mySignIns"]["edges"]]
    assert [(m["isCurrent"], m["device"], m["accessToken"]) for m in mine] == [
        (False, None, None),
        (True, "小程序 · iPhone", None),
    ]
    assert mine[1]["network"] == "127.0.0.*"
    ended = (await site.ask(END, {"id": mine[0]["id"]}, token=token))["signInEnd"]
    assert ended == {"__typename": "SignIn", "endReason": "ENDED_BY_OWNER"}
    gone = (await site.ask(REFRESH, {"token": another.refresh_token}))["signInRefresh"]
    assert (gone["code"], gone["retry"]) == ("REFRESH_INVALID", "SIGN_IN")
    await site.ask(END_ALL, {"this": False}, token=token)
    assert [r["end_reason"] for r in await place.sql("SELECT end_reason FROM sign_in ORDER BY created_at")] == [
        "SIGNED_OUT",
        "ENDED_BY_OWNER",
    ]


async def test_reuse_over_http_ends_the_family_and_is_on_the_audit_log(place: Place) -> None:
    made = await place.open()
    following = (await place.site.ask(REFRESH, {"token": made.refresh_token}))["signInRefresh"]
    await place.site.ask(REFRESH, {"token": following["refreshToken"]})
    reused = (await place.site.ask(REFRESH, {"token": made.refresh_token}))["signInRefresh"]
    assert reused["code"] == "REFRESH_REUSED"
    (row,) = await place.sql(
        "SELECT detail FROM audit_event WHERE action = 'signInRefresh' AND result = 'REFRESH_REUSED'"
    )
    assert json.loads(row["detail"])["signIn"] == str(made.sign_in)


async def test_a_strong_role_is_refused_by_name(place: Place) -> None:
    async with place.pool.connection() as connection:
        await membership(connection, place.other, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    made = await place.open(person=place.other)
    answer = await place.site.ask(REFRESH, {"token": made.refresh_token, "acting": {"role": "COMMUNITY_STAFF"}})
    assert answer["signInRefresh"]["code"] == "SECOND_FACTOR_REQUIRED"
    strong = await place.open(person=place.other, strong=True, method=SignInMethod.PASSWORD)
    fresh = (await place.site.ask(REFRESH, {"token": strong.refresh_token}))["signInRefresh"]
    assert (fresh["role"], fresh["secondFactor"]) == ("COMMUNITY_STAFF", True)


async def test_nobody_sees_anothers_sign_in(place: Place) -> None:
    made, others = await place.open(), await place.open(person=place.other)
    node = "query ($id: ID!) { node(id: $id) { id } }"
    id = f"sign_in_{others.sign_in}"
    assert (await place.site.ask(node, {"id": id}, token=made.access_token))["node"] is None
    assert (await place.site.ask(node, {"id": id}))["node"] is None
    assert (await place.site.ask(node, {"id": id}, token=others.access_token))["node"] == {"id": id}
    refused = await place.site.ask(END, {"id": id}, token=made.access_token)
    assert refused["signInEnd"]["code"] == "NOT_FOUND"
    assert (await place.site.ask(MINE))["mySignIns"]["edges"] == []


async def test_no_token_is_stored_or_logged(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    configure("debug")
    made = await place.open()
    fresh = (await place.site.ask(REFRESH, {"token": made.refresh_token}))["signInRefresh"]
    await place.site.post("{ nope }", token=fresh["accessToken"])
    await place.site.post(ME, token="wsr_" + "x" * 43)
    tables = ["sign_in", "refresh_token", "audit_event", "idempotency_record", "event"]
    dump = str([[tuple(r) for r in await place.sql(f"SELECT t::text FROM {t} t")] for t in tables])
    said = "".join(capfd.readouterr())
    configure("error")
    for token in (made.access_token, made.refresh_token, fresh["accessToken"], fresh["refreshToken"]):
        assert token not in dump and token not in said
        assert token.rpartition(".")[2] not in dump
    assert hashlib.sha256(made.refresh_token.encode()).hexdigest() in dump


async def test_the_organization_of_a_capacity_is_named(place: Place) -> None:
    async with place.pool.connection() as connection:
        ngo = await organization(connection, await town(connection))
        await membership(connection, place.person, Role.NGO_STAFF, organization=ngo)
    made = await place.open()
    token = place.site.token(Claims(place.person, Role.RESIDENT, None, made.sign_in))
    asked = "{ me { capacities { role organization { name } } } }"
    found = (await place.site.ask(asked, token=token))["me"]["capacities"]
    assert {"role": "NGO_STAFF", "organization": {"name": "暖邻服务社"}} in found
