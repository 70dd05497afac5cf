"""Consents and guardians: what is given, what its withdrawal does to the very next query, and who decides for a child."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import strawberry

from models.access import Actor, Role
from models.clock import SHANGHAI
from models.database import transaction
from models.people.actions import edit_care, grant_contact, register_resident, reveal_contacts
from models.people.actions.residents import PersonInput, ResidentInput
from models.people.care import ResidentTag
from models.people.problems import CareRefused, ConflictOfInterest, GuardianUnfit, OwnCase, RevealNotAllowed
from models.people.rules import AccessPurpose
from models.pool import Pool
from models.privacy import actions
from models.privacy.problems import GuardianshipExists, NotGuardian
from models.privacy.rules import ConsentPurpose, GuardianEvidence, GuardianRelation
from models.problems import Forbidden, NotFound
from resolvers.exchange import ExchangeMutation, ExchangeQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.privacy import PrivacyMutation, PrivacyQuery
from resolvers.territory import TerritoryQuery
from tests.asking import Asked, engine_of
from tests.make_people import (
    Known,
    Town,
    as_resident,
    as_volunteer,
    insert,
    membership,
    organization,
    person,
    resident,
    staff,
    town,
    volunteer,
)
from tests.make_privacy import guardianship, life
from tests.server import Server

VERSION = "2026-01"


@strawberry.type
class Query(TerritoryQuery, PeopleQuery, ExchangeQuery, FundsQuery, PrivacyQuery):
    pass


@strawberry.type
class Mutation(PeopleMutation, ExchangeMutation, FundsMutation, PrivacyMutation):
    pass


ENGINE = engine_of(Query, Mutation)
WITHDRAW = """
mutation ($purpose: ConsentPurpose!, $person: ID, $key: String!) {
    consentWithdraw(purpose: $purpose, person: $person, idempotencyKey: $key) {
        __typename ... on Consent { purpose version state givenAt endedAt } ... on Problem { code }
    }
}
"""
GIVE = """
mutation ($purpose: ConsentPurpose!, $version: String!, $person: ID, $key: String!) {
    consentGive(purpose: $purpose, version: $version, person: $person, idempotencyKey: $key) {
        __typename ... on Consent { id purpose version state givenAt guardian { name } } ... on Problem { code message }
    }
}
"""


@pytest.fixture
def ask(pool: Pool, now: datetime) -> Asked:
    return Asked(ENGINE, pool, now)


@pytest.fixture
async def there(pool: Pool) -> Town:
    async with pool.connection() as connection:
        return await town(connection)


@pytest.fixture
async def clerk(pool: Pool, there: Town) -> Actor:
    async with pool.connection() as connection:
        return await staff(connection, Role.COMMUNITY_STAFF, "林社区", area=Town.COMMUNITY)


async def give(ask: Asked, who: Actor, purpose: str, key: str = "give-consent-1", **more: Any) -> Any:
    return (await ask(who, GIVE, purpose=purpose, version=VERSION, key=key, **more))["consentGive"]


async def withdraw(ask: Asked, who: Actor, purpose: str, key: str = "withdraw-consent-1", **more: Any) -> Any:
    return (await ask(who, WITHDRAW, purpose=purpose, key=key, **more))["consentWithdraw"]


async def test_texts_are_there_in_chinese_and_what_is_not_agreed_to_is_asked_for(
    ask: Asked, pool: Pool, there: Town
) -> None:
    texts = (await ask(Actor(), "{ consentTexts { purpose version title text required isCurrent } }"))["consentTexts"]
    assert {t["purpose"] for t in texts} == {p.value for p in ConsentPurpose}
    assert [t["purpose"] for t in texts if t["required"]] == ["PRIVACY_POLICY"]
    assert all(t["isCurrent"] and len(t["text"]) > 50 for t in texts)
    async with pool.connection() as connection:
        one = as_resident(await resident(connection, there))
    needed = "{ consentNeeded { purpose version } }"
    assert len((await ask(one, needed))["consentNeeded"]) == 5
    assert (await ask(Actor(), needed))["consentNeeded"] == []
    given = await give(ask, one, "PRIVACY_POLICY")
    assert (given["state"], given["version"]) == ("GIVEN", VERSION)
    assert "PRIVACY_POLICY" not in [t["purpose"] for t in (await ask(one, needed))["consentNeeded"]]
    assert (await give(ask, one, "PRIVACY_POLICY", "give-consent-2"))["id"] == given["id"]


async def test_a_new_version_replaces_the_old_one_and_only_that_can_be_agreed_to(
    ask: Asked, server: Server, pool: Pool, there: Town, now: datetime
) -> None:

    async with pool.connection() as connection:
        one = as_resident(await resident(connection, there))
        database = await connection.fetchval("SELECT current_database()")
    await give(ask, one, "MATCHING")
    owner = await asyncpg.connect(server.owner_url(database))
    try:
        await owner.execute(
            "INSERT INTO consent_text (purpose, version, title, text, since) VALUES ('MATCHING', '2026-12', 'x', 'y', $1)",
            now + timedelta(days=1),
        )
    finally:
        await owner.close()
    later = now + timedelta(days=2)
    refused = await ask(one, GIVE, later, purpose="MATCHING", version=VERSION, key="old-version-1")
    assert refused["consentGive"]["code"] == "OLD_CONSENT_TEXT"
    needed = await ask(one, "{ consentNeeded { purpose version } }", later)
    assert {"purpose": "MATCHING", "version": "2026-12"} in needed["consentNeeded"]
    await ask(one, GIVE, later, purpose="MATCHING", version="2026-12", key="new-version-1")
    mine = "{ myConsents { edges { node { version state endedAt } } } }"
    assert [e["node"]["state"] for e in (await ask(one, mine, later))["myConsents"]["edges"]] == ["GIVEN", "REPLACED"]


MATCHING = "{ offers { edges { node { title matchingNeeds { title } } } } }"
FOR_NEED = "{ needs { edges { node { title matchingOffers { title } } } } }"
FOUND = "{ volunteers { edges { node { volunteerNo } } } }"


async def market(pool: Pool, there: Town, now: datetime) -> tuple[Known, Known]:
    """A resident with an open need, and a volunteer with a published offer that fits it."""
    async with pool.connection() as c:
        one, other = await resident(c, there, "李奶奶"), await volunteer(c, there, "王五")
        category = await c.fetchrow("SELECT id, code FROM service_category WHERE code LIKE '%.%' LIMIT 1")
        kind = {"kind": "SERVICE", "category_id": category["id"], "category_code": category["code"], "unit": "HELPER"}
        await insert(
            c,
            "need",
            title="陪诊",
            subject_id=one.person,
            beneficiary_id=one.id,
            household=await c.fetchval("SELECT household FROM resident WHERE id = $1", one.id),
            requester_id=one.person,
            submitted_via="ONLINE",
            community_id=there.community,
            grid_id=there.grid,
            area=Town.GRID,
            qty_total=1,
            due_at=now + timedelta(days=9),
            answer_due_at=now,
            status="OPEN",
            opened_at=now,
            created_at=now,
            **kind,
        )
        await insert(
            c,
            "offer",
            title="可陪诊",
            person_id=other.person,
            qty_total=2,
            window_from=now - timedelta(days=1),
            window_to=now + timedelta(days=20),
            service_areas=[Town.COMMUNITY],
            area=Town.COMMUNITY,
            status="PUBLISHED",
            created_at=now,
            **kind,
        )
    return one, other


def titles(found: Any, root: str, of: str) -> list[str]:
    return [item["title"] for edge in found[root]["edges"] for item in edge["node"][of]]


async def test_withdrawn_from_matching_a_resident_s_need_is_in_no_recommendation_from_the_next_query_on(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    one, other = await market(pool, there, now)
    assert titles(await ask(as_volunteer(other), MATCHING), "offers", "matchingNeeds") == ["陪诊"]
    assert titles(await ask(clerk, FOR_NEED), "needs", "matchingOffers") == ["可陪诊"]
    done = await withdraw(ask, as_resident(one), "MATCHING")
    assert (done["state"], done["givenAt"]) == ("WITHDRAWN", None)
    assert titles(await ask(as_volunteer(other), MATCHING), "offers", "matchingNeeds") == []
    assert titles(await ask(clerk, FOR_NEED), "needs", "matchingOffers") == []
    needs = (await ask(clerk, "{ needs { edges { node { title } } } }"))["needs"]["edges"]
    assert len(needs) == 1  # the staff's way by hand stays
    await give(ask, as_resident(one), "MATCHING")
    assert titles(await ask(as_volunteer(other), MATCHING), "offers", "matchingNeeds") == ["陪诊"]


async def test_withdrawn_from_matching_a_volunteer_is_in_no_candidate_list(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    _, other = await market(pool, there, now)
    async with pool.connection() as connection:
        ngo = await staff(connection, Role.NGO_STAFF, "周机构", organization=await organization(connection, there))
    assert len((await ask(ngo, FOUND))["volunteers"]["edges"]) == 1
    assert titles(await ask(clerk, FOR_NEED), "needs", "matchingOffers") == ["可陪诊"]
    await withdraw(ask, as_volunteer(other), "MATCHING")
    assert titles(await ask(clerk, FOR_NEED), "needs", "matchingOffers") == []
    assert (await ask(ngo, FOUND))["volunteers"]["edges"] == []
    assert len((await ask(clerk, FOUND))["volunteers"]["edges"]) == 1


async def test_withdrawn_from_sharing_live_grants_end_and_none_comes(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    async with pool.connection() as connection:
        one, other = await resident(connection, there), await volunteer(connection, there)
    provider = as_volunteer(other)

    async def reveal() -> UUID:
        return await transaction(
            pool, provider, now, lambda db: reveal_contacts(db, [one.person], AccessPurpose.SERVICE)
        )

    async def grant(source: UUID) -> None:
        until = now + timedelta(days=1)
        await transaction(
            pool, clerk, now, lambda db: grant_contact(db, one.person, source, to_person=other.person, until=until)
        )

    await grant(one.id)
    await reveal()
    async with pool.connection() as connection:
        worker = await staff(connection, Role.SOCIAL_WORKER, "赵社工", area=Town.COMMUNITY)
    case = {"to_person": worker.person, "until": now + timedelta(days=9), "for_staff": True}
    await transaction(pool, clerk, now, lambda db: grant_contact(db, one.person, one.person, **case))
    await withdraw(ask, as_resident(one), "CONTACT_SHARING")
    read = lambda db: reveal_contacts(db, [one.person], AccessPurpose.VISIT)  # noqa: E731
    await transaction(pool, worker, now, read)  # his social worker is no provider
    await transaction(pool, clerk, now, lambda db: grant_contact(db, one.person, other.person, **case))
    with pytest.raises((RevealNotAllowed, NotFound)):
        await reveal()
    await grant(other.id)
    with pytest.raises((RevealNotAllowed, NotFound)):
        await reveal()
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pii_access") == 2, "what was read before is on record"
        live = await connection.fetch("SELECT viewer_person_id FROM contact_grant WHERE until > $1", now)
        assert [row[0] for row in live] == [worker.person] * 2


async def test_whoever_comes_as_a_provider_is_one_though_he_be_staff_somewhere(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    """A membership that has not begun, is over, or lies elsewhere opens nothing; nor does one, to a provider."""
    today = now.date()
    async with pool.connection() as connection:
        one = await resident(connection, there)
        provider = await volunteer(connection, there)
        days = [{"starts_on": today + timedelta(days=9)}, {"ends_on": today - timedelta(days=1)}, {}]
        areas = [Town.COMMUNITY, Town.COMMUNITY, Town.FAR]
        workers = [await person(connection, f"孙{n}") for n in "甲乙丙"]
        for who, area, span in zip(workers, areas, days, strict=True):
            await membership(connection, who, Role.SOCIAL_WORKER, area=area, **span)
        await membership(connection, provider.person, Role.SOCIAL_WORKER, area=Town.COMMUNITY)
    case: dict[str, Any] = {"until": now + timedelta(days=9)}

    async def grant(to: UUID, **more: Any) -> None:
        await transaction(
            pool, clerk, now, lambda db: grant_contact(db, one.person, uuid4(), to_person=to, **case, **more)
        )

    await grant(provider.person)
    await withdraw(ask, as_resident(one), "CONTACT_SHARING")
    await grant(provider.person)
    for who in workers:
        await grant(who, for_staff=True)
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM contact_grant WHERE until > $1", now) == 0
    await grant(provider.person, for_staff=True)
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM contact_grant WHERE until > $1", now) == 1


async def test_withdrawn_from_care_tags_and_notes_are_gone_and_none_is_written(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    async with pool.connection() as connection:
        one = await resident(connection, there, tags=("LIVES_ALONE",))
    text = "query ($id: ID!) { resident(id: $id) { tags careNote } }"
    given: dict[str, Any] = {"id": f"resident_{one.id}"}

    def care(**more: Any) -> Any:
        return transaction(pool, clerk, now, lambda db: edit_care(db, one.id, **more))

    await care(note="需搀扶")
    assert (await ask(clerk, text, **given))["resident"] == {"tags": ["LIVES_ALONE"], "careNote": "需搀扶"}
    await withdraw(ask, as_resident(one), "SENSITIVE_CARE")
    assert (await ask(clerk, text, **given))["resident"] == {"tags": [], "careNote": None}
    assert (await ask(as_resident(one), text, **given))["resident"] == {"tags": [], "careNote": None}
    with pytest.raises(CareRefused):
        await care(tags=(ResidentTag.LOW_INCOME,))
    await give(ask, as_resident(one), "SENSITIVE_CARE")
    await care(tags=(ResidentTag.LOW_INCOME,))
    assert (await ask(clerk, text, **given))["resident"]["tags"] == ["LOW_INCOME"]


GIFTS = "{ donations { edges { node { donorName: publicName } } } }"


async def test_withdrawn_from_publicity_gifts_name_nobody(ask: Asked, pool: Pool, there: Town, now: datetime) -> None:
    async with pool.connection() as connection:
        lived = await life(connection, there, now)

        async def public() -> list[Any]:
            rows = await connection.fetch("SELECT publish_name, public_name, amount_fen FROM donation")
            return [tuple(r) for r in rows]

        assert await public() == [(True, "欧阳女士", 500_000)]
        assert len((await ask(Actor(), "{ donations { edges { node { id } } } }"))["donations"]["edges"]) == 1
        await withdraw(ask, lived.me, "PUBLICITY")
        assert await public() == [(False, "爱心人士", 500_000)]
        assert (await ask(Actor(), "{ donations { edges { node { id } } } }"))["donations"]["edges"] == []


async def test_who_withdraws_from_the_policy_withdraws_from_everything(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    async with pool.connection() as connection:
        lived = await life(connection, there, now)
        other = await volunteer(connection, there)
        one = await connection.fetchrow("SELECT id, person_id FROM resident WHERE person_id = $1", lived.person)
        assert await connection.fetchval("SELECT publish_name FROM donation") is True
    me, until = lived.me, now + timedelta(days=9)
    await transaction(
        pool, clerk, now, lambda db: grant_contact(db, lived.person, one["id"], to_person=other.person, until=until)
    )
    for n, purpose in enumerate(ConsentPurpose):
        await give(ask, me, purpose.value, f"give-consent-{n}")
    assert (await ask(me, "{ consentNeeded { purpose } }"))["consentNeeded"] == []
    await withdraw(ask, me, "PRIVACY_POLICY")
    assert len((await ask(me, "{ consentNeeded { purpose } }"))["consentNeeded"]) == 5
    async with pool.connection() as connection:
        row = await connection.fetchrow(
            "SELECT r.no_matching, v.no_matching, r.no_care, r.care_note, p.no_sharing FROM person p"
            " JOIN resident r ON r.person_id = p.id JOIN volunteer v ON v.person_id = p.id WHERE p.id = $1",
            lived.person,
        )
        assert tuple(row) == (True, True, True, None, True)
        assert await connection.fetchval("SELECT publish_name FROM donation") is False
        assert await connection.fetchval("SELECT count(*) FROM contact_grant WHERE until > $1", now) == 0
        states = await connection.fetch("SELECT DISTINCT state FROM consent WHERE person_id = $1", lived.person)
        assert [row["state"] for row in states] == ["WITHDRAWN"]


CHILD_BORN = date(2013, 5, 4)
"""13 at the tests' time, 14 on 4 May 2027."""


@pytest.fixture
async def family(pool: Pool, there: Town, now: datetime) -> tuple[Known, Known]:
    """(a mother, her 13-year-old): one household."""
    async with pool.connection() as connection:
        mother = await resident(connection, there, "周敏", household="h9", birth_date=date(1985, 1, 1))
        child = await resident(connection, there, "赵小宝", household="h9", birth_date=CHILD_BORN)
        return mother, child


async def verified(pool: Pool, clerk: Actor, mother: Known, child: Known, now: datetime) -> UUID:
    made: UUID = await transaction(
        pool,
        as_resident(mother),
        now,
        lambda db: actions.record_guardianship(db, child.person, GuardianRelation.PARENT),
    )
    await transaction(
        pool, clerk, now, lambda db: actions.verify_guardianship(db, made, GuardianEvidence.HOUSEHOLD_REGISTER)
    )
    return made


COSIGN = """
mutation ($id: ID!, $key: String!) {
    consentCosign(id: $id, idempotencyKey: $key) {
        __typename ... on Consent { state guardian { name } } ... on Problem { code }
    }
}
"""


async def test_a_child_s_consent_waits_for_its_guardian(
    ask: Asked, pool: Pool, clerk: Actor, family: tuple[Known, Known], now: datetime
) -> None:
    mother, child = family
    waits = await give(ask, as_resident(child), "CONTACT_SHARING")
    assert (waits["state"], waits["givenAt"]) == ("WAITING_COSIGN", None)
    assert (await ask(as_resident(mother), COSIGN, id=waits["id"], key="cosign-consent-1"))["consentCosign"] == {
        "__typename": "NotFound",
        "code": "NOT_FOUND",
    }
    await verified(pool, clerk, mother, child, now)
    can = "{ consents { edges { node { viewerCan { cosign withdraw } } } } }"
    assert [
        (await ask(who, can))["consents"]["edges"][0]["node"]["viewerCan"]
        for who in (as_resident(mother), as_resident(child))
    ] == [{"cosign": True, "withdraw": True}, {"cosign": False, "withdraw": True}]
    own = await ask(as_resident(child), COSIGN, id=waits["id"], key="cosign-consent-2")
    assert own["consentCosign"]["code"] == "NOT_GUARDIAN"
    signed = await ask(as_resident(mother), COSIGN, id=waits["id"], key="cosign-consent-3")
    assert signed["consentCosign"] == {"__typename": "Consent", "state": "GIVEN", "guardian": {"name": "周*"}}
    again = await ask(as_resident(mother), COSIGN, id=waits["id"], key="cosign-consent-4")
    assert again["consentCosign"]["code"] == "INVALID_TRANSITION"
    acting = await give(ask, as_resident(mother), "MATCHING", "for-my-child-1", person=f"person_{child.person}")
    assert (acting["state"], acting["guardian"]) == ("GIVEN", {"name": "周*"})
    off = await withdraw(ask, as_resident(mother), "MATCHING", "for-my-child-2", person=f"person_{child.person}")
    assert off["state"] == "WITHDRAWN"
    assert (await withdraw(ask, as_resident(child), "CONTACT_SHARING"))["state"] == "WITHDRAWN"


async def test_of_a_child_nothing_optional_is_done_until_its_guardian_has_agreed(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    child, other = await market(pool, there, now)
    async with pool.connection() as connection:
        mother = await resident(connection, there, "周敏", birth_date=date(1985, 1, 1))
        await connection.execute("UPDATE person SET birth_date = $2 WHERE id = $1", child.person, CHILD_BORN)
    until = now + timedelta(days=999)
    of_child = f"person_{child.person}"

    async def uses(at: datetime = now) -> tuple[int, bool, bool]:
        """(recommendations, whether a provider is granted the contact, whether staff may write care)."""
        found = titles(await ask(as_volunteer(other), MATCHING, at), "offers", "matchingNeeds")
        assert titles(await ask(clerk, FOR_NEED, at), "needs", "matchingOffers") == (["可陪诊"] if found else [])
        async with pool.connection() as connection:
            await connection.execute("DELETE FROM contact_grant")
            await transaction(
                pool,
                clerk,
                at,
                lambda db: grant_contact(db, child.person, child.id, to_person=other.person, until=until),
            )
            granted = await connection.fetchval("SELECT count(*) FROM contact_grant")
        try:
            await transaction(pool, clerk, at, lambda db: edit_care(db, child.id, note="需接送"))
            return len(found), bool(granted), True
        except CareRefused:
            return len(found), bool(granted), False

    assert await uses() == (0, False, False)
    waiting = {}
    for n, purpose in enumerate(("MATCHING", "CONTACT_SHARING", "SENSITIVE_CARE")):
        given = await give(ask, as_resident(child), purpose, f"child-gives-{n}")
        assert given["state"] == "WAITING_COSIGN"
        waiting[purpose] = given["id"]
    assert await uses() == (0, False, False), "what waits for a guardian changes nothing"
    async with pool.connection() as connection:
        await guardianship(connection, child.person, mother.person, now)
    for n, (purpose, id_) in enumerate(waiting.items()):
        await ask(as_resident(mother), COSIGN, id=id_, key=f"mother-signs-{n}")
        assert await uses() == (1, purpose != "MATCHING", purpose == "SENSITIVE_CARE")
    for n, purpose in enumerate(waiting):
        await withdraw(ask, as_resident(mother), purpose, f"mother-withdraws-{n}", person=of_child)
    assert await uses() == (0, False, False)


async def test_from_the_fourteenth_birthday_on_it_is_what_he_refuses_that_counts(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    child, other = await market(pool, there, now)
    async with pool.connection() as connection:
        await connection.execute("UPDATE person SET birth_date = '2012-11-03' WHERE id = $1", child.person)
    eve, birthday = (datetime(2026, 11, day, 0, 0, tzinfo=SHANGHAI) for day in (2, 3))
    assert titles(await ask(as_volunteer(other), MATCHING, eve + timedelta(hours=23)), "offers", "matchingNeeds") == []
    assert titles(await ask(as_volunteer(other), MATCHING, birthday), "offers", "matchingNeeds") == ["陪诊"]


async def test_who_agreed_as_a_grown_up_and_turns_out_to_be_a_child_needs_a_guardian(
    ask: Asked, pool: Pool, there: Town, clerk: Actor, now: datetime
) -> None:
    async with pool.connection() as connection:
        one = await resident(connection, there, "赵小宝", birth_date=None)
    await give(ask, as_resident(one), "SENSITIVE_CARE")
    async with pool.connection() as connection:
        await connection.execute("UPDATE person SET birth_date = $2 WHERE id = $1", one.person, CHILD_BORN)
    with pytest.raises(CareRefused):
        await transaction(pool, clerk, now, lambda db: edit_care(db, one.id, note="需接送"))


async def test_a_child_is_registered_without_its_care(pool: Pool, there: Town, clerk: Actor, now: datetime) -> None:
    child = PersonInput("赵小宝", birth_date=CHILD_BORN)

    async def register(**more: Any) -> UUID:
        given = ResidentInput(there.community, person=child, **more)
        return await transaction(pool, clerk, now, lambda db: register_resident(db, given))

    for more in ({"tags": (ResidentTag.CHILD_IN_NEED,)}, {"care_note": "需接送"}):
        with pytest.raises(CareRefused):
            await register(**more)
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM resident") == 0
    await register()


async def test_on_the_fourteenth_birthday_the_guardian_s_power_ends(
    ask: Asked, pool: Pool, clerk: Actor, family: tuple[Known, Known], now: datetime
) -> None:
    mother, child = family
    await verified(pool, clerk, mother, child, now)
    waits = await give(ask, as_resident(child), "PUBLICITY")
    eve = datetime(2027, 5, 3, 23, 59, tzinfo=SHANGHAI)
    birthday = datetime(2027, 5, 4, 0, 0, tzinfo=SHANGHAI)
    seen = "{ consents { edges { node { purpose } } } }"
    assert len((await ask(as_resident(mother), seen, eve))["consents"]["edges"]) == 1
    assert (await ask(as_resident(mother), seen, birthday))["consents"]["edges"] == []
    late = await ask(as_resident(mother), COSIGN, birthday, id=waits["id"], key="cosign-late-1")
    assert late["consentCosign"]["code"] == "NOT_FOUND"
    with pytest.raises(NotGuardian):
        await transaction(
            pool,
            as_resident(mother),
            birthday,
            lambda db: actions.withdraw_consent(db, ConsentPurpose.PUBLICITY, child.person),
        )
    alone = await ask(as_resident(child), GIVE, birthday, purpose="PUBLICITY", version=VERSION, key="fourteen-now-1")
    assert (alone["consentGive"]["state"], alone["consentGive"]["guardian"]) == ("GIVEN", None)


async def test_who_may_be_put_on_record_as_a_guardian(
    pool: Pool, there: Town, clerk: Actor, family: tuple[Known, Known], now: datetime
) -> None:
    mother, child = family
    async with pool.connection() as connection:
        stranger = await resident(connection, there, "孙邻居", birth_date=date(1980, 1, 1))
        teen = await resident(connection, there, "赵大宝", household="h9", birth_date=date(2010, 1, 1))
        relative = await person(connection, "赵爷爷", birth_date=date(1950, 1, 1), area=Town.COMMUNITY)
        elsewhere = await staff(connection, Role.COMMUNITY_STAFF, "何社区", area=Town.FAR)

    async def record(who: Actor, minor: UUID, *more: Any) -> UUID:
        return await transaction(
            pool, who, now, lambda db: actions.record_guardianship(db, minor, GuardianRelation.OTHER, *more)
        )

    for who in (stranger, teen):
        with pytest.raises((GuardianUnfit, NotFound)):
            await record(as_resident(who), child.person)
    with pytest.raises(Forbidden):
        await record(as_resident(mother), child.person, teen.person)
    with pytest.raises(GuardianUnfit):
        await record(as_resident(mother), mother.person)
    seen = GuardianEvidence.COURT_DECISION
    made = await record(clerk, child.person, relative, seen)
    with pytest.raises(GuardianshipExists):
        await record(clerk, child.person, relative, seen)
    with pytest.raises(ConflictOfInterest):
        await transaction(pool, clerk, now, lambda db: actions.verify_guardianship(db, made, seen))
    async with pool.connection() as connection:
        colleague = await staff(connection, Role.SOCIAL_WORKER, "赵社工", area=Town.COMMUNITY)
    await transaction(pool, colleague, now, lambda db: actions.verify_guardianship(db, made, seen))
    waiting = await record(as_resident(mother), child.person)
    with pytest.raises((Forbidden, NotFound)):
        await transaction(pool, elsewhere, now, lambda db: actions.verify_guardianship(db, waiting, seen))
    also = Actor(Role.COMMUNITY_STAFF, mother.person, None, Town.COMMUNITY)
    with pytest.raises(OwnCase):
        await transaction(pool, also, now, lambda db: actions.verify_guardianship(db, waiting, seen))
    await transaction(pool, clerk, now, lambda db: actions.end_guardianship(db, made))
    async with pool.connection() as connection:
        rows = await connection.fetch(
            "SELECT verified_at IS NULL AS waits, ended_at IS NULL AS lasts FROM guardianship"
        )
        assert sorted(tuple(r) for r in rows) == [(False, False), (True, True)]


async def test_nobody_makes_a_guardian_alone(
    pool: Pool, there: Town, clerk: Actor, family: tuple[Known, Known], now: datetime
) -> None:
    """A member of staff registers a second self into a child's household, who says that he is its guardian."""
    _, child = family
    async with pool.connection() as connection:
        second = await resident(connection, there, "林甲", household="h9", birth_date=date(1985, 1, 1))
        await connection.execute("UPDATE resident SET verified_by = $1 WHERE id = $2", clerk.person, second.id)
        colleague = await staff(connection, Role.SOCIAL_WORKER, "赵社工", area=Town.COMMUNITY)
        aunt = await staff(connection, Role.COMMUNITY_STAFF, "何社区", area=Town.COMMUNITY)
        await insert(
            connection,
            "declared_interest",
            person_id=aunt.person,
            other_id=second.person,
            relation="SIBLING",
            declared_at=now,
        )
    seen = GuardianEvidence.HOUSEHOLD_REGISTER
    made = await transaction(
        pool,
        as_resident(second),
        now,
        lambda db: actions.record_guardianship(db, child.person, GuardianRelation.PARENT),
    )
    for who in (clerk, aunt):
        with pytest.raises(ConflictOfInterest):
            await transaction(pool, who, now, lambda db: actions.verify_guardianship(db, made, seen))
    async with pool.connection() as connection:
        for by in ("$2", "recorded_by"):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(
                    f"UPDATE guardianship SET verified_by = {by}, verified_at = now() WHERE id = $1 AND $2::uuid IS NOT NULL",
                    made,
                    second.person,
                )
    await transaction(pool, colleague, now, lambda db: actions.verify_guardianship(db, made, seen))


async def test_who_may_verify_and_end_is_told(
    ask: Asked, pool: Pool, clerk: Actor, family: tuple[Known, Known], now: datetime
) -> None:
    mother, child = family
    can = "{ guardianships { edges { node { viewerCan { verify end } } } } }"

    async def told() -> list[dict[str, bool]]:
        people = (clerk, as_resident(mother), as_resident(child))
        return [(await ask(who, can))["guardianships"]["edges"][0]["node"]["viewerCan"] for who in people]

    await transaction(
        pool,
        as_resident(mother),
        now,
        lambda db: actions.record_guardianship(db, child.person, GuardianRelation.PARENT),
    )
    staff_, guardian, minor = (
        {"verify": True, "end": True},
        {"verify": False, "end": True},
        {"verify": False, "end": False},
    )
    assert await told() == [staff_, guardian, minor]
    async with pool.connection() as connection:
        await connection.execute("UPDATE guardianship SET verified_by = $1, verified_at = $2", clerk.person, now)
    assert await told() == [guardian, guardian, minor]


async def test_an_unverified_guardian_decides_nothing(pool: Pool, family: tuple[Known, Known], now: datetime) -> None:
    mother, child = family
    await transaction(
        pool,
        as_resident(mother),
        now,
        lambda db: actions.record_guardianship(db, child.person, GuardianRelation.PARENT),
    )
    with pytest.raises(NotGuardian):
        await transaction(
            pool,
            as_resident(mother),
            now,
            lambda db: actions.give_consent(db, ConsentPurpose.MATCHING, VERSION, child.person),
        )
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM consent") == 0
