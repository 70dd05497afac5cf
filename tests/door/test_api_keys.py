"""Machines' keys at the door: what they open, what they do not, how much they may spend; and that they are nowhere."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from graphql import GraphQLNonNull

from api.app import engine
from api.logs import configure
from models import clock
from models.access import Claims, Role
from models.identity.rules import ApiScope
from resolvers.engine import words
from resolvers.people import numbers
from resolvers.scopes import SCOPES
from tests.make_people import insert, membership, organization, person, resident, town
from tests.server import Server
from tests.site import Site, served

MAKE = """mutation ($input: ApiKeyMakeInput!, $password: String) {
  apiKeyMake(input: $input, password: $password) {
    __typename
    ... on ApiKey { id name prefix secret scopes pointsPerMinute isLive expiresAt lastUsedAt madeBy { name } }
    ... on Problem { code message }
  }
}"""
REVOKE = """mutation ($id: ID!, $key: String!) {
  apiKeyRevoke(id: $id, idempotencyKey: $key) { __typename ... on ApiKey { isLive revokedBy { id } } ... on Problem { code } }
}"""
KEYS = "{ apiKeys { edges { node { id name secret isLive lastUsedAt } } } }"
ME = "{ me { acting { role organization { name } } name phone } }"
NAMES = """{ organizations(filter: { nameContains: "暖邻" }) { edges { node {
  volunteers { edges { node { person { name fullName } } } } } } } }"""
REVEAL = """mutation ($input: ContactRevealInput!) { contactReveal(input: $input) {
  __typename ... on ContactReveal { contacts { name phone } } ... on Problem { code } } }"""
CITY = "{ divisions(first: 1) { edges { node { code } } } }"


@dataclasses.dataclass
class Place:
    """A served platform with an organization, its staff, and a volunteer whom it took."""

    site: Site
    owner: str
    staff: str
    """A token of the staff's."""
    who: UUID
    taken: UUID
    stranger: str
    """A token of another organization's staff."""
    made: int = 0

    async def key(self, *scopes: ApiScope, **more: Any) -> dict[str, Any]:
        """A new key, as the API tells it."""
        self.made += 1
        given = {"name": f"第 {self.made} 把", "scopes": list(scopes), **more}
        out: dict[str, Any] = (await self.site.ask(MAKE, {"input": given}, token=self.staff))["apiKeyMake"]
        return out

    async def sql(self, statement: str, *arguments: Any) -> Any:
        connection = await asyncpg.connect(self.owner)
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(server: Server, worker: str) -> AsyncIterator[Place]:
    name = f"keys_{worker}"
    await asyncio.to_thread(server.clone, name)
    connection = await asyncpg.connect(server.owner_url(name))
    try:
        there = await town(connection)
        ngo, other = [await organization(connection, there, n) for n in ("暖邻服务社", "和邻社")]
        who, stranger = await person(connection, "吕竣煜"), await person(connection, "冯霖骁")
        held = await membership(connection, who, Role.NGO_STAFF, organization=ngo)
        others = await membership(connection, stranger, Role.NGO_STAFF, organization=other)
        taken = (await resident(connection, there, "柏芷若", phone="10900001111")).person
        await insert(
            connection,
            "organization_volunteer",
            organization_id=ngo,
            person_id=taken,
            since=datetime(2026, 1, 1).astimezone(),
        )
        await insert(
            connection,
            "contact_grant",
            viewer_organization_id=ngo,
            subject_id=taken,
            source_id=taken,
            since=datetime(2026, 1, 1).astimezone(),
        )
        async with served(server.api_url(name)) as site:
            token = site.token(Claims(who, Role.NGO_STAFF, held))
            away = site.token(Claims(stranger, Role.NGO_STAFF, others))
            yield Place(site, server.owner_url(name), token, who, taken, away)
    finally:
        await connection.close()
        await asyncio.to_thread(server.drop, name)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


async def test_a_key_is_told_once_and_reads(place: Place) -> None:
    key = await place.key(ApiScope.READ)
    assert key["secret"].startswith(f"wsl_test_{key['prefix']}_")
    assert (key["isLive"], key["pointsPerMinute"], key["lastUsedAt"]) == (True, 10_000, None)
    (later,) = [
        e["node"]
        for e in (await place.site.ask(KEYS, token=place.staff))["apiKeys"]["edges"]
        if e["node"]["id"] == key["id"]
    ]
    assert later["secret"] is None
    me = (await place.site.ask(ME, token=key["secret"]))["me"]
    assert me == {
        "acting": {"role": "NGO_STAFF", "organization": {"name": "暖邻服务社"}},
        "name": None,  # it acts in his name, and is not he
        "phone": None,
    }
    assert (await place.site.ask("{ mySignIns { edges { node { id } } } }", token=key["secret"]))["mySignIns"][
        "edges"
    ] == []
    await place.site.tokens.settle()
    listed = (await place.site.ask(KEYS, token=place.staff))["apiKeys"]["edges"]
    (found,) = [e["node"] for e in listed if e["node"]["id"] == key["id"]]
    assert found["secret"] is None and found["lastUsedAt"] is not None
    assert (await place.site.ask(KEYS, token=place.stranger))["apiKeys"]["edges"] == []
    assert (await place.site.ask(KEYS))["apiKeys"]["edges"] == []


async def test_without_read_there_are_no_queries(place: Place) -> None:
    key = (await place.key(ApiScope.OFFERS))["secret"]
    for document in (ME, "{ __typename }", "{ __schema { queryType { name } } }"):
        assert told(await place.site.post(document, token=key)) == (403, "OUT_OF_SCOPE")
    answer = await place.site.client.get("/graphql", params={"query": ME}, headers={"authorization": f"Bearer {key}"})
    assert told(answer) == (403, "OUT_OF_SCOPE")


async def test_a_mutation_needs_its_scope_and_most_are_for_people(place: Place) -> None:
    everything = (await place.key(*ApiScope))["secret"]
    reads = (await place.key(ApiScope.READ))["secret"]
    nothing = {"input": {"persons": [f"person_{place.taken}"], "purpose": "SERVICE"}}
    before = await place.sql("SELECT count(*) FROM contact_reveal")
    assert (await place.site.ask(REVEAL, nothing, token=reads))["contactReveal"]["__typename"] == "Forbidden"
    assert await place.sql("SELECT count(*) FROM contact_reveal") == before
    (row,) = await place.sql("SELECT key, person FROM audit_event WHERE action = 'contactReveal'")
    assert row["person"] == place.who and row["key"] is not None
    for document, variables in (
        (MAKE, {"input": {"name": "自造", "scopes": ["READ"]}}),
        (REVOKE, {"id": f"api_key_{place.taken}", "key": "by-a-machine"}),
    ):
        (answer,) = (await place.site.ask(document, variables, token=everything)).values()
        assert answer["__typename"] == "Forbidden"
    switch = "mutation { signInSwitch(acting: { role: RESIDENT }) { __typename } }"
    assert (await place.site.ask(switch, token=everything))["signInSwitch"] == {"__typename": "Forbidden"}


async def test_plain_data_only_with_contacts(place: Place) -> None:
    reads, contacts = [
        (await place.key(*scopes))["secret"] for scopes in ((ApiScope.READ,), (ApiScope.READ, ApiScope.CONTACTS))
    ]

    async def name(token: str) -> Any:
        (one,) = (await place.site.ask(NAMES, token=token))["organizations"]["edges"]
        return one["node"]["volunteers"]["edges"][0]["node"]["person"]

    assert await name(place.staff) == {"name": "柏*", "fullName": "柏芷若"}
    assert await name(reads) == {"name": "柏*", "fullName": None}
    assert await name(contacts) == {"name": "柏*", "fullName": "柏芷若"}
    given = {"input": {"persons": [f"person_{place.taken}"], "purpose": "SERVICE"}}
    told = (await place.site.ask(REVEAL, given, token=contacts))["contactReveal"]
    assert told["contacts"] == [{"name": "柏芷若", "phone": "10900001111"}]


async def test_a_revoked_key_and_one_whose_maker_left(place: Place) -> None:
    key = await place.key(ApiScope.READ)
    assert (await place.site.post(ME, token=key["secret"])).status_code == 200
    refused = await place.site.ask(REVOKE, {"id": key["id"], "key": "revoke-one"}, token=place.stranger)
    assert refused["apiKeyRevoke"] == {"__typename": "NotFound", "code": "NOT_FOUND"}
    done = await place.site.ask(REVOKE, {"id": key["id"], "key": "revoke-two"}, token=place.staff)
    assert done["apiKeyRevoke"]["isLive"] is False
    later = clock.now() + timedelta(seconds=61)
    with pytest.raises(Exception, match="no such key"):
        await place.site.tokens.caller(f"Bearer {key['secret']}", later)
    place.site.tokens._known.clear()
    assert told(await place.site.post(ME, token=key["secret"])) == (401, "UNAUTHENTICATED")
    another = (await place.key(ApiScope.READ))["secret"]
    await place.sql("UPDATE membership SET revoked_at = $2 WHERE person_id = $1", place.who, clock.now())
    try:
        assert told(await place.site.post(ME, token=another)) == (401, "UNAUTHENTICATED")
    finally:
        await place.sql("UPDATE membership SET revoked_at = NULL WHERE person_id = $1", place.who)
    assert (await place.site.post(ME, token=another)).status_code == 200


async def test_an_expired_key(place: Place) -> None:
    key = (await place.key(ApiScope.READ, days=1))["secret"]
    fits = (clock.now() + timedelta(hours=23)).isoformat()
    late = (clock.now() + timedelta(hours=25)).isoformat()
    assert (await place.site.post(ME, token=key, now=fits)).status_code == 200
    assert told(await place.site.post(ME, token=key, now=late)) == (401, "UNAUTHENTICATED")


async def test_the_budget_is_spent_by_what_operations_cost(place: Place) -> None:
    key = (await place.key(ApiScope.READ, pointsPerMinute=1000))["secret"]
    dear = "query ($n: Int!) { organizations(first: $n) { edges { node { division { name } } } } }"
    spent = 0
    for n in (100, 100, 50):
        answer = await place.site.post(dear, {"n": n}, token=key)
        assert answer.status_code == 200, answer.text
        spent += 1 + 1 + n + n
    refused = await place.site.post(
        "query { organizations(first: 100) { edges { node { "
        + "division { name } "
        + "memberships(first: 4) { edges { node { id } } } } } } }",
        token=key,
    )
    assert told(refused) == (429, "RATE_LIMITED")
    advice = refused.json()["errors"][0]
    seconds = advice["extensions"]["retryAfterSeconds"]
    assert 1 <= seconds <= 60 and refused.headers["retry-after"] == str(seconds)
    assert advice["message"] == "该密钥本分钟的用量已满，请稍后再试。"
    assert advice["extensions"]["retry"] == "LATER"
    other = (await place.key(ApiScope.READ, pointsPerMinute=1000))["secret"]
    assert (await place.site.post(ME, token=other)).status_code == 200  # each has its own
    assert (await place.site.post(ME, token=place.staff)).status_code == 200


async def test_documents_that_are_refused_cost_something_too(place: Place) -> None:
    key = (await place.key(ApiScope.READ, pointsPerMinute=1000))["secret"]
    await place.site.post(ME, token=key)
    families = place.site.door.operations.limits.keys.kept
    (bucket,) = [b for b in families.values() if b.size == 1000][-1:]
    left = bucket.left - bucket.debt
    await place.site.post("{ nope }", token=key)
    assert bucket.left - bucket.debt < left


async def test_production_takes_no_key_for_trying_things_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "fictional", True)  # and afterwards: the application that is served here changes it
    key = (await place.key(ApiScope.READ))["secret"]
    async with served(place.site.tokens.pool.url, WUSHE_MODE="production") as real:
        assert told(await real.post(ME, token=key)) == (401, "UNAUTHENTICATED")


async def test_a_key_opens_graphql_only(place: Place) -> None:
    key = (await place.key(*ApiScope))["secret"]
    header = {"authorization": f"Bearer {key}"}
    asked = await place.site.client.get("/reports/fund-statement.csv?from=2026-01-01&to=2026-12-31", headers=header)
    assert asked.status_code == 401
    assert (await place.site.client.get("/metrics", headers=header)).status_code == 401


async def test_no_key_is_stored_or_logged(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    configure("debug")
    key = (await place.key(ApiScope.READ))["secret"]
    await place.site.post(ME, token=key)
    await place.site.post("{ nope }", token=key)
    await place.site.post(ME, token=key[:-1] + "-")
    await place.site.tokens.settle()
    tables = ["api_key", "audit_event", "idempotency_record", "event"]
    dump = str([[tuple(r) for r in await place.sql(f"SELECT t::text FROM {t} t")] for t in tables])
    said = "".join(capfd.readouterr())
    configure("error")
    for secret in (key, key.rpartition("_")[2]):
        assert secret not in dump and secret not in said


def test_scopes_name_mutations_that_staff_of_organizations_may_call() -> None:
    root = engine(production=False).schema.mutation_type
    assert root is not None
    may = {field.extensions[words.BACKREF].python_name: words.word_of(field).does.may for field in root.fields.values()}
    assert SCOPES.keys() <= may.keys()
    assert all(Role.NGO_STAFF in may[name] for name in SCOPES)
    assert set(SCOPES.values()) == set(ApiScope) - {ApiScope.READ, ApiScope.DOCUMENTS}
    never = {name for name in may if name.startswith(("sign_in", "api_key", "membership", "password", "totp", "me_"))}
    assert not never & SCOPES.keys()


def test_what_is_sealed_may_be_left_out() -> None:
    """A key without CONTACTS finds null there."""
    for type_ in engine(production=False).schema.type_map.values():
        for name, field in getattr(type_, "fields", {}).items():
            if isinstance(words.word_of(field), words.Sealed):
                assert not isinstance(field.type, GraphQLNonNull), f"{type_.name}.{name}"
