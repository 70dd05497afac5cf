"""Applying for an organization, deciding about it, and capacities."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models.access import FUND_ROLES, Actor, Role
from models.people import actions
from models.people.organization_rules import LegalStatus, OrganizationKind, VerifiedState
from models.people.problems import (
    DuplicateOrganization,
    LastAdministrator,
    LicenceMissing,
    MembershipExists,
    OrganizationNotVerified,
    OwnCase,
    RolesApart,
    ScopeExceeded,
)
from models.people.queries import actor_of
from models.people.rules import VolunteerRegistration
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, StaleVersion
from tests.make_people import (
    Town,
    as_resident,
    handle,
    membership,
    organization,
    person,
    resident,
    social_worker,
    staff,
    town,
    volunteer,
)

CODE = "52210103MJ0000023M"


def applying(there: Town, **over: Any) -> actions.OrganizationInput:
    values: dict[str, Any] = {
        "name": "万家灯火互助队",
        "kind": OrganizationKind.SOCIAL_ORG,
        "legal_status": LegalStatus.FILED,
        "division": there.community,
        "filing_no": "万莲备〔2026〕17 号",
        **over,
    }
    return actions.OrganizationInput(**values)


def registered(there: Town, **over: Any) -> actions.OrganizationInput:
    values: dict[str, Any] = {
        "legal_status": LegalStatus.REGISTERED,
        "division": there.divisions[Town.DISTRICT],
        "uscc": CODE,
        "filing_no": None,
        **over,
    }
    return applying(there, **values)


async def state(connection: asyncpg.Connection, id: UUID) -> str:
    found: str = await connection.fetchval("SELECT verified_state FROM organization WHERE id = $1", id)
    return found


async def test_a_filed_organization_is_verified_by_its_community(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "何某")
    mine = handle(connection, as_resident(me), now)
    id_ = await actions.apply_for_organization(mine, applying(there))
    row = await connection.fetchrow("SELECT * FROM organization WHERE id = $1", id_)
    assert row["verified_state"] == "PENDING"
    assert row["pinyin"] == "wan jia deng huo hu zhu dui"
    assert (row["uscc"], row["filing_no"], row["area"]) == (None, "万莲备〔2026〕17 号", Town.COMMUNITY)
    assert row["contact_id"] == me.person

    other = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.NEIGHBOUR), now)
    with pytest.raises(NotFound):
        await actions.verify_organization(other, id_)
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    await actions.verify_organization(handle(connection, clerk, now), id_)
    assert await state(connection, id_) == "VERIFIED"
    held = await connection.fetchrow("SELECT * FROM membership WHERE organization_id = $1", id_)
    assert (held["person_id"], held["role"], held["starts_on"]) == (me.person, "NGO_STAFF", date(2026, 11, 2))
    assert held["granted_by"] == clerk.person
    assert await actor_of(connection, me.person, Role.NGO_STAFF, held["id"], now) == Actor(
        Role.NGO_STAFF, me.person, id_, None
    )


async def test_a_registered_one_is_verified_by_an_administrator(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "何某")
    given = registered(there, uscc="5221 0103-mj0000023m", kind=OrganizationKind.FOUNDATION, is_charity=True)
    id_ = await actions.apply_for_organization(handle(connection, as_resident(me), now), given)
    assert await connection.fetchval("SELECT uscc FROM organization WHERE id = $1", id_) == CODE
    away = handle(connection, await staff(connection, Role.ADMIN, area=Town.OTHER_DISTRICT), now)
    with pytest.raises(Forbidden):
        await actions.verify_organization(away, id_)
    for area in (Town.DISTRICT, None):
        admin = handle(connection, await staff(connection, Role.ADMIN, area=area), now)
        if area:
            await actions.reject_organization(admin, id_, "材料不全")
            assert await state(connection, id_) == "REJECTED"
            await actions.submit_organization(handle(connection, as_resident(me), now), id_)
        else:
            await actions.verify_organization(admin, id_)
    assert await state(connection, id_) == "VERIFIED"


async def test_community_staff_do_not_verify_registered_ones(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = await resident(connection, there, "何某")
    given = registered(there, division=there.community)
    id_ = await actions.apply_for_organization(handle(connection, as_resident(me), now), given)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    with pytest.raises(Forbidden):
        await actions.verify_organization(clerk, id_)
    assert await state(connection, id_) == "PENDING"


async def test_nobody_verifies_his_own(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    clerk = handle(connection, await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY), now)
    id_ = await actions.apply_for_organization(clerk, applying(there))
    with pytest.raises(OwnCase):
        await actions.verify_organization(clerk, id_)
    assert await state(connection, id_) == "PENDING"


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"name": "x"}, "name"),
        ({"name": "a\ud800b"}, "name"),
        ({"filing_no": None}, "filingNo"),
        ({"uscc": CODE}, "uscc"),
        ({"is_charity": True}, "isCharity"),
        ({"kind": OrganizationKind.FOUNDATION}, "legalStatus"),
        ({"legal_status": LegalStatus.REGISTERED}, "uscc"),
        ({"legal_status": LegalStatus.REGISTERED, "uscc": "52210103MJ0000023X"}, "uscc"),
    ],
)
async def test_bad_applications_are_named(
    connection: asyncpg.Connection, now: datetime, over: dict[str, Any], field: str
) -> None:
    there = await town(connection)
    me = handle(connection, as_resident(await resident(connection, there, "何某")), now)
    with pytest.raises(InvalidInput) as refused:
        await actions.apply_for_organization(me, applying(there, **over))
    assert refused.value.field == field
    assert await connection.fetchval("SELECT count(*) FROM organization") == 0


async def test_filed_ones_belong_to_a_street_or_below(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = handle(connection, as_resident(await resident(connection, there, "何某")), now)
    with pytest.raises(InvalidInput):
        await actions.apply_for_organization(me, applying(there, division=there.divisions[Town.DISTRICT]))
    await actions.apply_for_organization(me, applying(there, division=there.divisions[Town.STREET]))
    with pytest.raises(InvalidInput):
        given = applying(there, legal_status=LegalStatus.INTERNAL, division=there.divisions[Town.STREET])
        await actions.apply_for_organization(me, given)


async def test_the_same_organization_is_not_entered_twice(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    me = handle(connection, as_resident(await resident(connection, there, "何某")), now)
    id_ = await actions.apply_for_organization(me, registered(there))
    with pytest.raises(DuplicateOrganization) as refused:
        await actions.apply_for_organization(me, registered(there, name="另一个名字"))
    assert refused.value.what == "统一社会信用代码"
    with pytest.raises(DuplicateOrganization) as refused:
        await actions.apply_for_organization(me, registered(there, uscc="53210100MJ0000001Y"))
    assert refused.value.what == "名称"
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    await actions.reject_organization(admin, id_, "重复")
    again = await actions.apply_for_organization(me, registered(there))
    with pytest.raises(DuplicateOrganization):
        await actions.submit_organization(me, id_)
    assert await state(connection, again) == "PENDING"


async def test_a_draft_is_edited_and_submitted(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one = await resident(connection, there, "何某")
    me, other = handle(connection, as_resident(one), now), await resident(connection, there, "别人")
    id_ = await actions.apply_for_organization(me, applying(there, filing_no=None), draft=True)
    assert await state(connection, id_) == "DRAFT"
    with pytest.raises(InvalidInput):
        await actions.submit_organization(me, id_)
    with pytest.raises(NotFound):
        await actions.submit_organization(handle(connection, as_resident(other), now), id_)
    with pytest.raises(StaleVersion):
        await actions.edit_organization(me, id_, 2, applying(there))
    await actions.edit_organization(me, id_, 1, applying(there, name="新名字"))
    await actions.submit_organization(me, id_)
    row = await connection.fetchrow("SELECT name, verified_state, version FROM organization WHERE id = $1", id_)
    assert tuple(row) == ("新名字", "PENDING", 3)
    with pytest.raises(InvalidTransition):
        await actions.edit_organization(me, id_, 3, applying(there))


async def test_the_database_refuses_what_cannot_be(connection: asyncpg.Connection) -> None:
    there = await town(connection)
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        async with connection.transaction():
            await organization(connection, there, uscc="short")
    assert refused.value.constraint_name == "ck_organization_uscc"
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        async with connection.transaction():
            await organization(connection, there, uscc=None)
    assert refused.value.constraint_name == "ck_organization_identified"
    await organization(connection, there, uscc=CODE)
    with pytest.raises(asyncpg.UniqueViolationError):
        await organization(connection, there, "别的名字", uscc=CODE)


# capacities


async def held(connection: asyncpg.Connection) -> int:
    found: int = await connection.fetchval("SELECT count(*) FROM membership WHERE revoked_at IS NULL")
    return found


async def test_an_administrator_gives_every_capacity_with_its_scope(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    society = await organization(connection, there)
    foundation = await organization(connection, there, "恒爱基金会", kind=OrganizationKind.FOUNDATION)
    office = await organization(
        connection, there, "房产局", kind=OrganizationKind.DEPARTMENT, legal_status=LegalStatus.INTERNAL
    )
    one = (await social_worker(connection)).person
    scopes: dict[Role, dict[str, Any]] = {
        Role.SOCIAL_WORKER: {"area": Town.COMMUNITY},
        Role.GRID_OFFICER: {"area": Town.GRID},
        Role.COMMUNITY_STAFF: {"area": Town.COMMUNITY},
        Role.NGO_STAFF: {"organization_id": society},
        Role.FUND_MAKER: {"organization_id": foundation},
        Role.FUND_CHECKER: {"organization_id": foundation},
        Role.FUND_AUTHORISER: {"organization_id": foundation},
        Role.FUND_REPORTER: {"organization_id": foundation},
        Role.DISTRICT_VIEWER: {"area": Town.DISTRICT},
        Role.CITY_VIEWER: {"area": Town.CITY},
        Role.DEPARTMENT: {"organization_id": office},
        Role.PARTY_SECRETARY: {"area": Town.STREET},
        Role.AUDITOR: {},
        Role.ADMIN: {},
    }
    others = {
        role: await person(connection, role.value) for role in (Role.ADMIN, Role.FUND_CHECKER, Role.FUND_AUTHORISER)
    }
    for role, scope in scopes.items():
        whom = others.get(role, one)
        id_ = await actions.grant_membership(admin, whom, role, **scope)
        actor = await actor_of(connection, whom, role, id_, now)
        assert actor == Actor(role, whom, scope.get("organization_id"), scope.get("area"))
        with pytest.raises(MembershipExists):
            await actions.grant_membership(admin, whom, role, **scope)
    assert await held(connection) == 1 + len(scopes)
    assert await connection.fetchval("SELECT officer_id FROM grid WHERE code = $1", Town.GRID) == one


APART = (
    (Role.FUND_MAKER, Role.FUND_CHECKER),
    (Role.FUND_AUTHORISER, Role.FUND_MAKER),
    (Role.ADMIN, Role.AUDITOR),
    (Role.FUND_REPORTER, Role.ADMIN),
    (Role.ADMIN, Role.COMMUNITY_STAFF),
)


@pytest.mark.parametrize("roles", APART)
async def test_capacities_that_nobody_holds_together(
    connection: asyncpg.Connection, now: datetime, roles: tuple[Role, Role]
) -> None:
    """Neither by the verb nor by hand; one after the other, and in two foundations, they may be."""
    there = await town(connection)
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    one = await person(connection)
    funds = [
        await organization(connection, there, n, kind=OrganizationKind.FOUNDATION) for n in ("甲基金会", "乙基金会")
    ]

    def scope(role: Role, fund: int = 0) -> dict[str, Any]:
        if role is Role.COMMUNITY_STAFF:
            return {"area": Town.COMMUNITY}
        return {"organization_id": funds[fund]} if role in FUND_ROLES else {}

    first, second = roles
    id_ = await actions.grant_membership(admin, one, first, **scope(first), ends_on=date(2026, 12, 31))
    with pytest.raises(RolesApart):
        await actions.grant_membership(admin, one, second, **scope(second))
    given = {"organization": scope(second).get("organization_id"), "area": scope(second).get("area")}
    with pytest.raises(asyncpg.ExclusionViolationError):
        async with connection.transaction():
            await membership(connection, one, second, **given)
    await actions.grant_membership(admin, one, second, **scope(second), starts_on=date(2027, 1, 1))
    if Role.ADMIN not in roles:
        await actions.grant_membership(admin, one, second, **scope(second, 1))
    await actions.revoke_membership(admin, id_)
    await actions.grant_membership(admin, one, second, **scope(second), ends_on=date(2026, 12, 31))


WRONG: list[tuple[Role, dict[str, Any], type[Exception]]] = [
    (Role.RESIDENT, {}, InvalidInput),
    (Role.PUBLIC, {}, InvalidInput),
    (Role.COMMUNITY_STAFF, {}, InvalidInput),
    (Role.COMMUNITY_STAFF, {"area": Town.DISTRICT}, InvalidInput),
    (Role.COMMUNITY_STAFF, {"area": "210103005999"}, InvalidInput),
    (Role.COMMUNITY_STAFF, {"area": Town.COMMUNITY, "organization_id": "society"}, InvalidInput),
    (Role.NGO_STAFF, {}, InvalidInput),
    (Role.NGO_STAFF, {"organization_id": "society", "area": Town.COMMUNITY}, InvalidInput),
    (Role.FUND_MAKER, {"organization_id": "society"}, InvalidInput),
    (Role.NGO_STAFF, {"organization_id": "pending"}, OrganizationNotVerified),
    (Role.SOCIAL_WORKER, {"area": Town.COMMUNITY}, LicenceMissing),
    (Role.AUDITOR, {"ends_on": date(2026, 11, 1)}, InvalidInput),
    (Role.AUDITOR, {"starts_on": date(2026, 11, 1)}, InvalidInput),
    (Role.AUDITOR, {"starts_on": date(2099, 1, 1)}, InvalidInput),
    (Role.GRID_OFFICER, {"area": Town.GRID, "ends_on": date(2026, 12, 31)}, InvalidInput),
]


@pytest.mark.parametrize(("role", "scope", "problem"), WRONG)
async def test_capacities_that_cannot_be_are_refused(
    connection: asyncpg.Connection, now: datetime, role: Role, scope: dict[str, Any], problem: type[Exception]
) -> None:
    there = await town(connection)
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    one = await person(connection)
    known = {
        "society": await organization(connection, there),
        "pending": await organization(connection, there, "新组织", verified_state=VerifiedState.PENDING),
    }
    before = await held(connection)
    with pytest.raises(problem):
        await actions.grant_membership(admin, one, role, **{k: known.get(v, v) for k, v in scope.items()})
    assert await held(connection) == before


async def test_an_organization_s_staff_gives_its_own_capacity_only(
    connection: asyncpg.Connection, now: datetime
) -> None:
    there = await town(connection)
    ours, theirs = await organization(connection, there), await organization(connection, there, "别的组织")
    db = handle(connection, await staff(connection, Role.NGO_STAFF, organization=ours), now)
    one = await volunteer(connection, there)
    hidden = await resident(connection, there)
    for role, scope in (
        (Role.NGO_STAFF, {"organization_id": theirs}),
        (Role.FUND_MAKER, {"organization_id": ours}),
        (Role.COMMUNITY_STAFF, {"area": Town.COMMUNITY}),
        (Role.ADMIN, {}),
    ):
        with pytest.raises(ScopeExceeded):
            await actions.grant_membership(db, one.person, role, **scope)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await actions.grant_membership(db, hidden.person, Role.NGO_STAFF, organization_id=ours)
    assert await held(connection) == 1
    id_ = await actions.grant_membership(db, one.person, Role.NGO_STAFF, organization_id=ours)
    elsewhere = await staff(connection, Role.NGO_STAFF, organization=theirs)
    with pytest.raises(NotFound):
        await actions.revoke_membership(handle(connection, elsewhere, now), id_)
    await actions.revoke_membership(db, id_)
    assert await held(connection) == 2


async def test_an_administrator_of_a_district_stays_in_it(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    db = handle(connection, await staff(connection, Role.ADMIN, area=Town.DISTRICT), now)
    far = await organization(connection, there, "大东服务社", code=Town.OTHER_DISTRICT)
    one = await person(connection)
    for role, scope in (
        (Role.COMMUNITY_STAFF, {"area": Town.FAR}),
        (Role.CITY_VIEWER, {"area": Town.CITY}),
        (Role.ADMIN, {}),
        (Role.NGO_STAFF, {"organization_id": far}),
    ):
        with pytest.raises(ScopeExceeded):
            await actions.grant_membership(db, one, role, **scope)  # type: ignore[arg-type]
    assert await held(connection) == 1
    await actions.grant_membership(db, one, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)


async def test_nobody_gives_himself_a_capacity(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    admin = await staff(connection, Role.ADMIN)
    assert admin.person is not None
    with pytest.raises(OwnCase):
        await actions.grant_membership(handle(connection, admin, now), admin.person, Role.AUDITOR)
    assert await held(connection) == 1


@pytest.mark.parametrize("role", [r for r in Role if r not in (Role.ADMIN, Role.NGO_STAFF)])
async def test_others_give_nothing(connection: asyncpg.Connection, now: datetime, role: Role) -> None:
    there = await town(connection)
    one = await volunteer(connection, there)
    db = handle(connection, Actor(role, await person(connection), None, Town.CITY), now)
    with pytest.raises(Forbidden):
        await actions.grant_membership(db, one.person, Role.AUDITOR)
    assert await held(connection) == 0


async def test_a_capacity_ends(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    one = await person(connection)
    until = date(2026, 11, 5)
    id_ = await actions.grant_membership(admin, one, Role.AUDITOR, ends_on=until)
    again = await actions.grant_membership(admin, one, Role.AUDITOR, starts_on=date(2026, 11, 6))
    assert await actor_of(connection, one, Role.AUDITOR, id_, now + timedelta(days=3)) == Actor(Role.AUDITOR, one)
    assert await actor_of(connection, one, Role.AUDITOR, id_, now + timedelta(days=4)) is None
    assert await actor_of(connection, one, Role.AUDITOR, again, now) is None
    assert await actor_of(connection, one, Role.ADMIN, id_, now) is None
    assert await actor_of(connection, await person(connection), Role.AUDITOR, id_, now) is None
    with pytest.raises(asyncpg.ExclusionViolationError):
        await membership(connection, one, Role.AUDITOR, starts_on=date(2026, 11, 5), ends_on=date(2026, 11, 6))


async def test_revoking_ends_it_at_once(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    admin = handle(connection, await staff(connection, Role.ADMIN), now)
    one = await person(connection)
    id_ = await actions.grant_membership(admin, one, Role.GRID_OFFICER, area=Town.GRID)
    assert await actor_of(connection, one, Role.GRID_OFFICER, id_, now) is not None
    await actions.revoke_membership(admin, id_)
    assert await actor_of(connection, one, Role.GRID_OFFICER, id_, now) is None
    assert await connection.fetchval("SELECT officer_id FROM grid WHERE code = $1", Town.GRID) is None
    with pytest.raises(InvalidTransition):
        await actions.revoke_membership(admin, id_)
    await actions.grant_membership(admin, one, Role.GRID_OFFICER, area=Town.GRID)


async def test_one_s_own_capacity_may_be_laid_down(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    clerk = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    other = await staff(connection, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    id_ = await connection.fetchval("SELECT id FROM membership WHERE person_id = $1", clerk.person)
    with pytest.raises(Forbidden):
        await actions.revoke_membership(handle(connection, other, now), id_)
    await actions.revoke_membership(handle(connection, clerk, now), id_)
    assert await held(connection) == 1


async def test_the_last_administrator_stays(connection: asyncpg.Connection, now: datetime) -> None:
    await town(connection)
    admin = await staff(connection, Role.ADMIN)
    await staff(connection, Role.ADMIN, area=Town.DISTRICT)
    id_ = await connection.fetchval("SELECT id FROM membership WHERE person_id = $1", admin.person)
    with pytest.raises(LastAdministrator):
        await actions.revoke_membership(handle(connection, admin, now), id_)
    assert await held(connection) == 2
    await staff(connection, Role.ADMIN)
    await actions.revoke_membership(handle(connection, admin, now), id_)


async def test_residents_and_active_volunteers_sign_in_as_such(connection: asyncpg.Connection, now: datetime) -> None:
    there = await town(connection)
    one, two = await resident(connection, there), await volunteer(connection, there)
    waiting = await volunteer(connection, there, "钱七", state=VolunteerRegistration.PENDING_VERIFICATION)
    assert await actor_of(connection, one.person, Role.RESIDENT, None, now) == as_resident(one)
    assert await actor_of(connection, one.person, Role.VOLUNTEER, None, now) is None
    assert await actor_of(connection, two.person, Role.VOLUNTEER, None, now) == Actor(
        Role.VOLUNTEER, two.person, None, Town.COMMUNITY
    )
    assert await actor_of(connection, waiting.person, Role.VOLUNTEER, None, now) is None
    for role in set(Role) - {Role.RESIDENT, Role.VOLUNTEER, Role.PERSON}:
        assert await actor_of(connection, one.person, role, None, now) is None
    await connection.execute("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", one.person)
    assert await actor_of(connection, one.person, Role.RESIDENT, None, now) is None
