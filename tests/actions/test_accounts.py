"""Accounts: invited, taken up, signed in to; guesses counted; an owner who is not locked out of his own."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pyotp
import pytest
import sqlalchemy as sa

from api.passwords import CHEAP, Hasher
from api.schema import Mutation, Query
from models import base
from models.access import Actor, Claims, Role, seen
from models.database import Db, Seen, transaction
from models.identity.accounts import actions
from models.identity.accounts.problems import (
    AccountActive,
    CodeRefused,
    CodeRequired,
    InvitationInvalid,
    LoginTaken,
    OtherCapacities,
    PasswordRefused,
    PasswordWeak,
    SignInRefused,
    TooManyAttempts,
    TotpCompulsory,
    TotpNotBegun,
)
from models.identity.accounts.tables import Account
from models.identity.actions.keys import make_key
from models.identity.actions.sign_ins import open_sign_in
from models.identity.capacities import Acting, held
from models.identity.problems import SecondFactorRequired
from models.identity.queries import actor_of, machine_of
from models.identity.rules import ApiScope, SignInMethod
from models.identity.wechat import actions as wechat
from models.identity.wechat.ports import WechatUser
from models.identity.wechat.problems import WechatBound, WechatOnly, WechatTaken
from models.people.actions import grant_membership, revoke_membership
from models.people.problems import LastAdministrator, OwnCase, ScopeExceeded
from models.people.rules import VolunteerRegistration
from models.pool import Pool
from models.problems import Busy, Forbidden, InvalidTransition, Kept, NotFound, Problem
from models.vault import KEY_BYTES, Keys, Kind
from tests.asking import Asked, engine_of
from tests.make_people import (
    EARLIER,
    Town,
    insert,
    membership,
    organization,
    person,
    resident,
    social_worker,
    staff,
    town,
    volunteer,
)

PASSWORD = "盛京的雪下得早啊真好看"
OTHER = "tuesday-Hunhe-47"
HOME, ATTACKER = "203.0.113.7", "198.51.100.66"
STRANGER = Actor()
account = base.table(Account)


class Counting(Hasher):
    """A cheap hasher that remembers how often it was asked, and how many worked at once."""

    def __init__(self, **more: int) -> None:
        super().__init__(CHEAP, **more)
        self.verified = 0

    async def verify(self, known: str | None, password: str) -> bool:
        self.verified += 1
        return await super().verify(known, password)


class Slow(Counting):
    """A hasher that takes its time."""

    def _verified(self, known: str, password: str) -> bool:
        time.sleep(0.1)
        return super()._verified(known, password)


@dataclasses.dataclass
class Asking:
    pool: Pool
    actor: Actor
    now: datetime
    address: str | None


@dataclasses.dataclass
class World:
    """A platform with an administrator, and people in the capacities that tests ask for."""

    pool: Pool
    now: datetime
    town: Town
    admin: Actor
    hasher: Counting

    async def do(self, actor: Actor, verb: Any, *given: Any, **more: Any) -> Any:
        """A verb in a transaction, whose refusals that are kept commit."""

        async def work(db: Db) -> Any:
            try:
                return await verb(db, *given, **more)
            except Kept as kept:
                return kept.problem

        found = await transaction(self.pool, actor, self.now, work)
        if isinstance(found, Problem):
            raise found
        return found

    def asking(self, actor: Actor, address: str | None = HOME) -> Asking:
        return Asking(self.pool, actor, self.now, address)

    async def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        async with self.pool.connection() as connection:
            return list(await connection.fetch(sql, *args))

    async def invited(self, who: UUID, login: str = "10100000001") -> str:
        """The token of an invitation by the administrator."""
        _, token = await self.do(self.admin, actions.invite, who, login, fictional=True)
        found: str = token
        return found

    async def activate(self, token: str, password: str = PASSWORD) -> tuple[Any, str]:
        proof = await actions.choose_by_invitation(self.asking(STRANGER), self.hasher, token, password)
        found: tuple[Any, str] = await self.do(STRANGER, actions.activate, proof, token)
        return found

    async def enter(
        self,
        password: str = PASSWORD,
        code: str | None = None,
        *,
        login: str = "10100000001",
        device: str | None = None,
        address: str | None = HOME,
    ) -> tuple[Any, str]:
        """Signs in; what was opened, and the device's token."""
        asking = self.asking(STRANGER, address)
        proof = await actions.prove_login(asking, self.hasher, login, password, device, fictional=True)
        found: tuple[Any, str] = await self.do(STRANGER, actions.sign_in, proof, code, known_by=device)
        return found

    async def begin(self, me: Actor, password: str = PASSWORD, code: str | None = None) -> str:
        """A new authenticator's secret."""
        proof = await actions.prove_again(self.asking(me), self.hasher, password)
        _, secret, _ = await self.do(me, actions.begin_totp, proof, code)
        found: str = secret
        return found

    async def confirm(self, me: Actor, code: str) -> list[str]:
        proof = await actions.prove_again(self.asking(me), self.hasher, None)
        _, codes = await self.do(me, actions.confirm_totp, proof, code)
        found: list[str] = codes
        return found

    def code(self, secret: str) -> str:
        return pyotp.TOTP(secret).at(self.now)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    async def signed_in(self, sign_in: UUID) -> asyncpg.Record:
        (row,) = await self.fetch("SELECT * FROM sign_in WHERE id = $1", sign_in)
        return row


@pytest.fixture
async def world(pool: Pool, now: datetime) -> AsyncIterator[World]:
    async with pool.connection() as connection:
        there = await town(connection)
        admin = await staff(connection, Role.ADMIN, "孙管理")
    yield World(pool, now, there, admin, Counting())


@pytest.fixture
async def officer(world: World) -> Actor:
    """A finance officer who has taken his invitation up, and whose sign-in is not strong."""
    async with world.pool.connection() as connection:
        who = await person(connection, "李娜", phone="10100000001")
        fund = await organization(connection, world.town, "盛京基金会", kind="FOUNDATION")
        await membership(connection, who, Role.FUND_MAKER, organization=fund)
    opened, _ = await world.activate(await world.invited(who))
    return Actor(Role.PERSON, who, sign_in=opened.sign_in)


async def bound(world: World, me: Actor) -> tuple[str, list[str]]:
    """A confirmed authenticator's secret and the recovery codes; a minute later."""
    secret = await world.begin(me)
    codes = await world.confirm(me, world.code(secret))
    world.later(minutes=1)
    return secret, codes


async def test_from_the_invitation_to_a_strong_sign_in(world: World, officer: Actor) -> None:
    assert officer.sign_in is not None
    weak = await world.signed_in(officer.sign_in)
    assert (weak["role"], weak["strong"], weak["method"]) == ("PERSON", False, "PASSWORD")
    opened, _ = await world.enter()
    assert (await world.signed_in(opened.sign_in))["role"] == "PERSON"
    secret, _ = await bound(world, officer)
    opened, _ = await world.enter(code=world.code(secret))
    strong = await world.signed_in(opened.sign_in)
    assert (strong["role"], strong["strong"]) == ("FUND_MAKER", True)


async def test_right_wrong_unknown_disabled_all_say_one_thing_and_cost_one_hash(world: World, officer: Actor) -> None:
    before = world.hasher.verified
    with pytest.raises(SignInRefused):
        await world.enter("wrong-wrong-wrong")
    with pytest.raises(SignInRefused):
        await world.enter(login="10199999999")
    with pytest.raises(SignInRefused):
        await world.enter(login="nobody@example.org")
    (row,) = await world.fetch("SELECT id FROM account WHERE person_id = $1", officer.person)
    await world.do(world.admin, actions.disable, row["id"])
    with pytest.raises(SignInRefused):
        await world.enter()
    assert world.hasher.verified == before + 4
    assert (await world.signed_in(officer.sign_in or UUID(int=0)))["end_reason"] == "ACCOUNT_DISABLED"
    await world.do(world.admin, actions.enable, row["id"])
    await world.enter()


async def test_somebody_invited_only_has_no_password_that_is_right(world: World) -> None:
    async with world.pool.connection() as connection:
        who = await person(connection, "周新")
    await world.invited(who)
    with pytest.raises(SignInRefused):
        await world.enter("")


async def test_a_code_is_asked_for_after_a_right_password_only_and_taken_once(world: World, officer: Actor) -> None:
    secret, _ = await bound(world, officer)
    with pytest.raises(SignInRefused):
        await world.enter("wrong-wrong-wrong", code=world.code(secret))
    with pytest.raises(CodeRequired):
        await world.enter()
    code = world.code(secret)
    await world.enter(code=code)
    with pytest.raises(CodeRefused):
        await world.enter(code=code)
    world.later(seconds=20)
    with pytest.raises(CodeRefused):
        await world.enter(code=code)
    world.later(minutes=1)
    outcomes = await asyncio.gather(*(world.enter(code=world.code(secret)) for _ in range(5)), return_exceptions=True)
    assert [type(o).__name__ for o in outcomes if isinstance(o, Exception)] == ["CodeRefused"] * 4


async def test_a_recovery_code_takes_a_code_s_place_once(world: World, officer: Actor) -> None:
    _, codes = await bound(world, officer)
    opened, _ = await world.enter(code=codes[0].lower())
    assert (await world.signed_in(opened.sign_in))["strong"] is True
    for used in (codes[0], "ABCD-EFGH-JKLM-NPQR"):
        with pytest.raises(CodeRefused):
            await world.enter(code=used)
    outcomes = await asyncio.gather(*(world.enter(code=codes[1]) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(o, tuple) for o in outcomes) == 1
    assert len(await world.fetch("SELECT FROM recovery_code WHERE used_at IS NOT NULL")) == 2


async def test_twenty_guesses_at_once_are_ten(world: World, officer: Actor) -> None:
    world.hasher = Counting(waiting=100)
    outcomes = await asyncio.gather(
        *(world.enter(f"wrong-wrong-{n}", address=f"198.51.100.{n}") for n in range(20)), return_exceptions=True
    )
    names = sorted(type(o).__name__ for o in outcomes)
    assert names == ["SignInRefused"] * 10 + ["TooManyAttempts"] * 10
    assert world.hasher.verified == 10
    with pytest.raises(TooManyAttempts) as told:
        await world.enter(address=HOME)
    assert told.value.retry_after_seconds == 900
    world.later(minutes=16)
    await world.enter()


async def test_whoever_locks_strangers_out_does_not_lock_out_the_owner(world: World, officer: Actor) -> None:
    _, device = await world.enter()
    for n in range(10):
        with pytest.raises(SignInRefused):
            await world.enter(f"wrong-wrong-{n}", address=ATTACKER)
    with pytest.raises(TooManyAttempts):
        await world.enter(address=ATTACKER)
    with pytest.raises(TooManyAttempts):  # right, but nobody looks
        await world.enter(address=ATTACKER)
    _, again = await world.enter(device=device)
    assert again == device
    for _ in range(9):
        with pytest.raises(SignInRefused):
            await world.enter("wrong-wrong-wrong", device=device)
    await world.enter(device=device)  # which forgets his own failures
    for _ in range(10):
        with pytest.raises(SignInRefused):
            await world.enter("wrong-wrong-wrong", device=device)
    with pytest.raises(TooManyAttempts):
        await world.enter(device=device)


async def test_a_device_s_token_of_another_account_is_a_stranger_s(world: World, officer: Actor) -> None:
    async with world.pool.connection() as connection:
        other = await person(connection, "赵敏")
    _, device = await world.activate(await world.invited(other, "m@example.org"), OTHER)
    for n in range(10):
        with pytest.raises(SignInRefused):
            await world.enter(f"wrong-wrong-{n}", device=device)
    with pytest.raises(TooManyAttempts):
        await world.enter(device=device)


async def test_one_address_has_thirty_guesses_whatever_it_guesses_at(world: World, officer: Actor) -> None:
    for n in range(30):
        with pytest.raises(SignInRefused):
            await world.enter(login=f"101111111{n:02}", address=ATTACKER)
    with pytest.raises(TooManyAttempts):
        await world.enter(address=ATTACKER)
    await world.enter(address=HOME)


async def test_an_unknown_login_is_locked_as_a_known_one(world: World) -> None:
    for n in range(10):
        with pytest.raises(SignInRefused):
            await world.enter(login="10199999999", address=f"198.51.100.{n}")
    with pytest.raises(TooManyAttempts):
        await world.enter(login="10199999999", address="203.0.113.99")


async def test_right_sign_ins_use_no_guess_up(world: World, officer: Actor) -> None:
    for _ in range(40):
        await world.enter()
    (counts,) = await world.fetch("SELECT max(guesses) AS most FROM sign_in_throttle")
    assert counts["most"] == 0


async def test_a_capacity_that_needs_a_code_uses_no_guess_up(world: World, officer: Actor) -> None:
    for _ in range(12):
        proof = await actions.prove_login(
            world.asking(STRANGER), world.hasher, "10100000001", PASSWORD, None, fictional=True
        )
        with pytest.raises(SecondFactorRequired):
            await world.do(STRANGER, actions.sign_in, proof, None, acting=Acting(Role.FUND_MAKER))
        with pytest.raises(TotpNotBegun):
            await world.confirm(officer, "000000")


async def test_a_full_line_is_busy_and_uses_no_guess_up(world: World, officer: Actor) -> None:
    world.hasher = Slow(at_once=1, waiting=0)
    outcomes = await asyncio.gather(*(world.enter("wrong-wrong-wrong") for _ in range(8)), return_exceptions=True)
    busy = [o for o in outcomes if isinstance(o, Busy)]
    assert busy and len(busy) + sum(isinstance(o, SignInRefused) for o in outcomes) == 8
    (counts,) = await world.fetch("SELECT max(guesses) AS most FROM sign_in_throttle")
    assert counts["most"] == 8 - len(busy)
    assert world.hasher.under_way == 0


async def test_an_invitation_is_taken_up_once_and_within_72_hours(world: World) -> None:
    async with world.pool.connection() as connection:
        one, other = await person(connection, "周新"), await person(connection, "吴早")
    token = await world.invited(one, "z@example.org")
    with pytest.raises(PasswordWeak):
        await world.activate(token, "z@example.org")
    with pytest.raises(PasswordWeak):
        await world.activate(token, "zhouxin123")
    again = await world.invited(one, "z@example.org")
    with pytest.raises(InvitationInvalid):
        await world.activate(token)
    outcomes = await asyncio.gather(*(world.activate(again) for _ in range(3)), return_exceptions=True)
    assert sum(isinstance(o, tuple) for o in outcomes) == 1
    with pytest.raises(InvitationInvalid):
        await world.activate(again)
    late = await world.invited(other, "w@example.org")
    world.later(hours=72)
    with pytest.raises(InvitationInvalid):
        await world.activate(late)


async def test_an_administrator_s_reset_takes_everything_away(world: World, officer: Actor) -> None:
    secret, _ = await bound(world, officer)
    opened, _ = await world.enter(code=world.code(secret))
    token = await world.invited(officer.person or UUID(int=0))
    assert (await world.signed_in(opened.sign_in))["end_reason"] == "PASSWORD_CHANGED"
    world.later(minutes=1)
    with pytest.raises(SignInRefused):
        await world.enter(code=world.code(secret))
    opened, _ = await world.activate(token, OTHER)
    weak = await world.signed_in(opened.sign_in)
    assert (weak["strong"], weak["role"]) == (False, "PERSON")
    assert await world.fetch("SELECT FROM recovery_code") == []


async def test_who_may_invite_whom(world: World, officer: Actor) -> None:
    async with world.pool.connection() as connection:
        ours = await organization(connection, world.town)
        theirs = await organization(connection, world.town, "别家服务社")
        boss = await staff(connection, Role.NGO_STAFF, organization=ours)
        district = await staff(connection, Role.ADMIN, "郑区管", area=Town.DISTRICT)
        member = await person(connection, "钱进")
        await membership(connection, member, Role.NGO_STAFF, organization=ours)
        foreign = await person(connection, "冯外")
        await membership(connection, foreign, Role.NGO_STAFF, organization=theirs)
        both = await person(connection, "陈双")
        await membership(connection, both, Role.NGO_STAFF, organization=ours)
        await membership(connection, both, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        clerk = await person(connection, "蒋区")
        await membership(connection, clerk, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
        neighbour = (await resident(connection, world.town, "沈邻")).person
        await membership(connection, neighbour, Role.NGO_STAFF, organization=ours)

    async def refused(actor: Actor, who: UUID | None, problem: type[Problem], login: str = "new@example.org") -> None:
        with pytest.raises(problem):
            await world.do(actor, actions.invite, who, login, fictional=True)

    await refused(boss, boss.person, OwnCase)
    await refused(boss, foreign, NotFound)
    await refused(boss, both, OtherCapacities)
    await refused(boss, neighbour, OtherCapacities)
    await refused(boss, member, LoginTaken, "10100000001")
    _, token = await world.do(boss, actions.invite, member, "q@example.org")
    await world.do(boss, actions.invite, member, "q@example.org")
    with pytest.raises(InvitationInvalid):
        await world.activate(token)
    _, token = await world.do(boss, actions.invite, member, "q@example.org")
    await world.activate(token)
    await refused(boss, member, AccountActive)
    await refused(world.admin, world.admin.person, OwnCase)
    await refused(district, world.admin.person, ScopeExceeded)
    await world.do(district, actions.invite, clerk, "j@example.org")


async def a_desk(world: World, *names: str) -> tuple[Actor, list[UUID]]:
    """Staff of an organization, and other members of it."""
    async with world.pool.connection() as connection:
        ours = await organization(connection, world.town, "暖邻服务社")
        desk = await staff(connection, Role.NGO_STAFF, "周强", organization=ours)
        members = [await person(connection, name) for name in names]
        for who in members:
            await membership(connection, who, Role.NGO_STAFF, organization=ours)
    return desk, members


@pytest.mark.parametrize("was", ["revoked", "licensed", "volunteer", "guardian"])
async def test_who_was_more_than_a_member_is_invited_by_an_administrator(world: World, was: str) -> None:
    """A former official without account and sign-in, made a member without being asked."""
    desk, (who,) = await a_desk(world, "吴退")
    async with world.pool.connection() as connection:
        match was:
            case "revoked":
                await membership(connection, who, Role.GRID_OFFICER, area=Town.GRID, revoked_at=EARLIER)
            case "licensed":
                await social_worker(connection, person=who)
            case "volunteer":
                await volunteer(connection, world.town, person=who, state=VolunteerRegistration.WITHDRAWN)
            case _:
                minor = await person(connection, "吴小")
                values = {"minor_id": minor, "guardian_id": who, "recorded_by": minor}
                await insert(connection, "guardian_consent", area=Town.COMMUNITY, given_at=EARLIER, **values)
    with pytest.raises(OtherCapacities):
        await world.do(desk, actions.invite, who, "t@example.org")
    await world.do(world.admin, actions.invite, who, "t@example.org")


async def test_what_an_organization_s_staff_set_falls_when_its_member_becomes_more(world: World) -> None:
    """They take the invitation up themselves, with their own authenticator and WeChat, and wait."""
    desk, (who,) = await a_desk(world, "吴新")
    _, token = await world.do(desk, actions.invite, who, "10100000001", fictional=True)
    opened, _ = await world.activate(token)
    secret, _ = await bound(world, Actor(Role.PERSON, who, sign_in=opened.sign_in))
    async with world.pool.connection() as connection:
        await insert(
            connection, "wechat_identity", person_id=who, appid="wx", openid=b"x", openid_index=b"x", bound_at=EARLIER
        )
        await social_worker(connection, person=who)
    await world.do(world.admin, grant_membership, who, Role.SOCIAL_WORKER, area=Town.COMMUNITY)
    assert (await world.signed_in(opened.sign_in))["end_reason"] == "PASSWORD_CHANGED"
    assert await world.fetch("SELECT FROM wechat_identity") == await world.fetch("SELECT FROM recovery_code") == []
    with pytest.raises(SignInRefused):
        await world.enter(code=world.code(secret))
    with pytest.raises(OtherCapacities):
        await world.do(desk, actions.invite, who, "10100000001", fictional=True)
    await world.activate(await world.invited(who), OTHER)
    await world.do(world.admin, grant_membership, who, Role.GRID_OFFICER, area=Town.GRID)
    await world.enter(OTHER)  # an administrator's invitation stays


async def test_an_open_invitation_of_staff_is_void_when_its_member_becomes_more(world: World) -> None:
    desk, (one, other) = await a_desk(world, "吴新", "郑新")
    _, token = await world.do(desk, actions.invite, one, "10100000001", fictional=True)
    _, kept = await world.do(desk, actions.invite, other, "10100000002", fictional=True)
    await world.do(world.admin, grant_membership, one, Role.COMMUNITY_STAFF, area=Town.COMMUNITY)
    with pytest.raises(InvitationInvalid):
        await world.activate(token)
    await world.activate(kept)


async def test_five_invitations_an_hour_tell_who_has_a_login(world: World, officer: Actor) -> None:
    desk, (one, other) = await a_desk(world, "吴新", "郑新")
    for n in range(5):
        with pytest.raises(LoginTaken):
            await world.do(desk, actions.invite, (one, other)[n % 2], "10100000001", fictional=True)
    for login in ("10100000001", "10100000077"):
        with pytest.raises(TooManyAttempts) as told:
            await world.do(desk, actions.invite, one, login, fictional=True)
        assert told.value.retry_after_seconds == 3600
    assert len(await world.fetch("SELECT FROM account")) == 1
    world.later(minutes=61)
    await world.do(desk, actions.invite, one, "10100000077", fictional=True)
    for _ in range(8):
        with pytest.raises(LoginTaken):
            await world.do(world.admin, actions.invite, other, "10100000001", fictional=True)


async def test_disabling_and_enabling(world: World, officer: Actor) -> None:
    (row,) = await world.fetch("SELECT id FROM account WHERE person_id = $1", officer.person)
    with pytest.raises(InvalidTransition):
        await world.do(world.admin, actions.enable, row["id"])
    with pytest.raises(OwnCase):
        await world.do(dataclasses.replace(world.admin, person=officer.person), actions.disable, row["id"])
    await world.do(world.admin, actions.disable, row["id"])
    for verb, given in ((actions.disable, row["id"]), (actions.invite, officer.person)):
        with pytest.raises(InvalidTransition):
            await world.do(world.admin, verb, given, *(["x@example.org"] if verb is actions.invite else []))


async def test_whoever_is_disabled_is_nothing_more_than_himself(world: World, officer: Actor) -> None:
    """However he comes: WeChat knows nothing of his account."""
    async with world.pool.connection() as connection:
        office = await membership(connection, officer.person, Role.GRID_OFFICER, area=Town.GRID)
        claims = Claims(officer.person, Role.GRID_OFFICER, office)  # type: ignore[arg-type]
        assert await actor_of(connection, claims, world.now) is not None
    (row,) = await world.fetch("SELECT id FROM account WHERE person_id = $1", officer.person)
    himself = Actor(Role.PERSON, officer.person)
    ask, listed = Asked(engine_of(Query, Mutation), world.pool, world.now), "{ me { capacities { role } } }"
    assert {"role": "GRID_OFFICER"} in (await ask(himself, listed))["me"]["capacities"]
    await world.do(world.admin, actions.disable, row["id"])
    assert (await ask(himself, listed))["me"]["capacities"] == [{"role": "PERSON"}]
    assert await world.do(STRANGER, held, officer.person) == [Acting(Role.PERSON)]
    opened = await world.do(STRANGER, open_sign_in, officer.person, SignInMethod.WECHAT, strong=False)
    assert (await world.signed_in(opened.sign_in))["role"] == "PERSON"
    async with world.pool.connection() as connection:
        assert await actor_of(connection, claims, world.now) is None
        bare = dataclasses.replace(claims, role=Role.PERSON, membership=None)
        assert await actor_of(connection, bare, world.now) == Actor(Role.PERSON, officer.person)
    await world.do(world.admin, actions.enable, row["id"])
    assert Acting(Role.GRID_OFFICER, office) in await world.do(STRANGER, held, officer.person)
    async with world.pool.connection() as connection:
        assert await actor_of(connection, claims, world.now) is not None


async def test_of_two_administrators_who_disable_each_other_one_stays(world: World) -> None:
    async with world.pool.connection() as connection:
        other = await staff(connection, Role.ADMIN, "何管理")
    ids = {}
    for n, (me, who) in enumerate(((world.admin, other), (other, world.admin))):
        account, _ = await world.do(me, actions.invite, who.person, f"1010000001{n}", fictional=True)
        ids[me.person] = account

    async def disable(me: Actor) -> str:
        try:
            await world.do(me, actions.disable, ids[me.person])
        except LastAdministrator as problem:
            return problem.code
        return "DONE"

    assert sorted(await asyncio.gather(disable(world.admin), disable(other))) == ["DONE", "LAST_ADMINISTRATOR"]
    (left,) = await world.fetch(
        "SELECT m.id, m.person_id FROM membership AS m JOIN account AS a USING (person_id) WHERE a.disabled_at IS NULL"
    )
    me = world.admin if left["person_id"] == world.admin.person else other
    with pytest.raises(LastAdministrator):  # the other one is disabled: nobody would be left
        await world.do(me, revoke_membership, left["id"])


async def test_who_has_left_is_no_colleague(world: World) -> None:
    async with world.pool.connection() as connection:
        ngo = await organization(connection, world.town, "暖邻服务社")
        desk = await staff(connection, Role.NGO_STAFF, "周强", organization=ngo)
        gone = await person(connection, "吴芳")
        id_ = await membership(connection, gone, Role.NGO_STAFF, organization=ngo)
    await world.do(desk, actions.invite, gone, "10100000031", fictional=True)
    seen_by = Seen(lambda viewer: sa.select(account.c.person_id).where(*seen(account, "account", viewer)))
    assert await transaction(world.pool, desk, world.now, lambda db: db.value(seen_by)) == gone
    await world.fetch("UPDATE membership SET ends_on = $2 WHERE id = $1", id_, world.now.date())
    assert await transaction(world.pool, desk, world.now, lambda db: db.value(seen_by)) == gone
    world.later(days=1)
    assert await transaction(world.pool, desk, world.now, lambda db: db.value(seen_by)) is None


async def test_one_login_however_two_processes_index_it(world: World) -> None:
    """While a new index key begins to count, one process may use it already and another one not yet."""
    async with world.pool.connection() as connection:
        people = [await person(connection, name) for name in ("甲", "乙")]
        known = await world.pool.vault.keys(connection)
    rows = [(id, kind.value, secret, False) for kind in Kind for id, secret in known.every(kind).items()]
    new = (uuid4(), Kind.INDEX.value, bytes(KEY_BYTES), False)
    ahead = Pool(world.pool.url, 2)
    for pool, waiting in ((world.pool, {new[0]}), (ahead, set())):
        pool.vault._keys, pool.vault._until = Keys([*rows, new], waiting), time.monotonic() + 60

    async def invite(pool: Pool, who: UUID) -> str:
        try:
            work = functools.partial(actions.invite, person_id=who, given="x@example.org")
            await transaction(pool, world.admin, world.now, work)
        except LoginTaken as problem:
            return problem.code
        return "DONE"

    told = await asyncio.gather(*(invite(pool, who) for pool, who in zip((world.pool, ahead), people, strict=True)))
    await ahead.close()
    assert sorted(told) == ["DONE", "LOGIN_TAKEN"]


async def test_a_new_password_needs_the_old_one_and_ends_other_sign_ins(world: World, officer: Actor) -> None:
    elsewhere, _ = await world.enter()

    async def change(old: str, new: str) -> None:
        proof = await actions.prove_and_choose(world.asking(officer), world.hasher, old, new)
        await world.do(officer, actions.set_password, proof)

    with pytest.raises(PasswordRefused):
        await change("wrong-wrong-wrong", OTHER)
    with pytest.raises(PasswordWeak):
        await change(PASSWORD, "10100000001")
    await change(PASSWORD, OTHER)
    assert (await world.signed_in(elsewhere.sign_in))["end_reason"] == "PASSWORD_CHANGED"
    assert (await world.signed_in(officer.sign_in or UUID(int=0)))["ended_at"] is None
    with pytest.raises(SignInRefused):
        await world.enter(PASSWORD)
    await world.enter(OTHER)
    for _ in range(9):
        with pytest.raises(PasswordRefused):
            await change("wrong-wrong-wrong", PASSWORD)
    with pytest.raises(TooManyAttempts):
        await change(OTHER, PASSWORD)
    await world.enter(OTHER)  # a thief of one token locks that token's verbs, and nobody's sign-in


async def test_an_authenticator_is_bound_changed_and_given_up(world: World, officer: Actor) -> None:
    with pytest.raises(TotpNotBegun):
        await world.confirm(officer, "000000")
    with pytest.raises(PasswordRefused):
        await world.begin(officer, "wrong-wrong-wrong")
    secret, codes = await bound(world, officer)
    with pytest.raises(CodeRequired):
        await world.begin(officer)
    second = await world.begin(officer, code=codes[0])
    await world.enter(code=world.code(secret))  # the old one counts until the new one is confirmed
    wrong = next(c for c in ("000000", "111111") if c not in {world.code(second)})
    with pytest.raises(CodeRefused):
        await world.confirm(officer, wrong)
    await world.confirm(officer, world.code(second))
    world.later(minutes=1)
    with pytest.raises(CodeRefused):
        await world.enter(code=codes[1])  # the codes of before went with it
    opened, _ = await world.enter(code=world.code(second))
    strong = Actor(Role.FUND_MAKER, officer.person, sign_in=opened.sign_in)
    world.later(minutes=1)

    async def give_up(me: Actor) -> None:
        proof = await actions.prove_again(world.asking(me), world.hasher, PASSWORD)
        await world.do(me, actions.end_totp, proof, world.code(second))

    with pytest.raises(TotpCompulsory):
        await give_up(strong)
    async with world.pool.connection() as connection:
        await connection.execute(
            "UPDATE membership SET revoked_at = $1 WHERE person_id = $2", world.now, officer.person
        )
    await give_up(officer)
    await world.enter()


async def test_recovery_codes_are_renewed_for_a_code(world: World, officer: Actor) -> None:
    secret, old = await bound(world, officer)
    proof = await actions.prove_again(world.asking(officer), world.hasher, None)
    _, new = await world.do(officer, actions.renew_recovery_codes, proof, world.code(secret))
    assert not set(old) & set(new)
    with pytest.raises(CodeRefused):
        await world.enter(code=old[0])
    await world.enter(code=new[0])


async def test_somebody_without_an_account_has_none_to_change(world: World) -> None:
    with pytest.raises(NotFound):
        await actions.prove_again(world.asking(world.admin), world.hasher, PASSWORD)


async def test_a_hash_of_other_parameters_is_made_anew(world: World, officer: Actor) -> None:
    from argon2 import PasswordHasher

    world.hasher.algorithm = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    await world.enter()
    (row,) = await world.fetch("SELECT password_hash FROM account WHERE person_id = $1", officer.person)
    assert "m=16,t=2,p=1" in row["password_hash"]
    await world.enter()


async def test_nothing_plain_is_stored(world: World, officer: Actor) -> None:
    secret, codes = await bound(world, officer)
    _, device = await world.enter(code=world.code(secret))
    plain = [PASSWORD, secret, "10100000001", device, *codes, *(c.replace("-", "") for c in codes)]
    tables = await world.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        async with world.pool.connection() as connection:
            if not await connection.fetchval("SELECT has_table_privilege($1, 'SELECT')", table["tablename"]):
                continue
        text = "\n".join(str(r[0]) for r in await world.fetch(f'SELECT t::text FROM "{table["tablename"]}" t'))
        for word in plain:
            assert word not in text, table["tablename"]
            assert word.encode().hex() not in text, table["tablename"]


# What else lets him in.


async def bind(world: World, me: Actor, name: str, password: str | None = PASSWORD, code: str | None = None) -> Any:
    """Binds a WeChat user of this name."""
    proof = await actions.prove_again(world.asking(me), world.hasher, password)
    shown = wechat.Shown(name.encode() * 8, WechatUser("wx0", f"o-{name}")) if proof.right else None
    return await world.do(me, wechat.bind_wechat, shown, proof, code)


async def come(world: World, name: str) -> Actor:
    """A WeChat user of this name signs in."""
    shown = wechat.Shown(uuid4().bytes * 2, WechatUser("wx0", f"o-{name}"))
    opened = await world.do(STRANGER, wechat.sign_in_with_wechat, shown)
    row = await world.signed_in(opened.sign_in)
    return Actor(Role.PERSON, row["person_id"], sign_in=opened.sign_in)


async def change_password(world: World, me: Actor) -> None:
    proof = await actions.prove_and_choose(world.asking(me), world.hasher, PASSWORD, OTHER)
    await world.do(me, actions.set_password, proof)


async def disable(world: World, me: Actor) -> None:
    (row,) = await world.fetch("SELECT id FROM account WHERE person_id = $1", me.person)
    await world.do(world.admin, actions.disable, row["id"])


async def reset(world: World, me: Actor) -> None:
    await world.invited(me.person or UUID(int=0))


async def test_a_token_alone_binds_no_wechat(world: World, officer: Actor) -> None:
    with pytest.raises(PasswordRefused):
        await bind(world, officer, "thief", "wrong-wrong-wrong")
    secret, _ = await bound(world, officer)
    with pytest.raises(CodeRequired):
        await bind(world, officer, "thief")
    with pytest.raises(CodeRefused):
        await bind(world, officer, "thief", code="abcdef")
    assert (await come(world, "thief")).person != officer.person
    world.later(minutes=1)
    assert await bind(world, officer, "own", code=world.code(secret)) == officer.person
    assert (await come(world, "own")).person == officer.person
    world.later(minutes=1)
    with pytest.raises(WechatBound):
        await bind(world, officer, "another", code=world.code(secret))
    stranger = await come(world, "thief")
    with pytest.raises(NotFound):  # he has no account
        await bind(world, stranger, "third")


async def test_whose_wechat_is_somebody_else_is_not_bound(world: World, officer: Actor) -> None:
    somebody, nobody = await come(world, "somebody"), await come(world, "nobody")
    async with world.pool.connection() as connection:
        await resident(connection, world.town, "周屿安", person=somebody.person)
    with pytest.raises(WechatTaken):
        await bind(world, officer, "somebody")
    await bind(world, officer, "nobody")  # who came by the mini-program once and said nothing
    assert (await come(world, "nobody")).person == officer.person
    assert await bind(world, officer, "nobody") == officer.person
    with pytest.raises(Forbidden):
        await bind(world, dataclasses.replace(officer, sign_in=None), "nobody")
    assert (await world.signed_in(nobody.sign_in or UUID(int=0)))["end_reason"] == "MERGED"


@pytest.mark.parametrize("shut", [change_password, disable, reset])
async def test_a_thief_s_wechat_and_key_end_with_the_password(world: World, shut: Any) -> None:
    async with world.pool.connection() as connection:
        ngo = await organization(connection, world.town)
        me = await staff(connection, Role.NGO_STAFF, "吕竣煜", organization=ngo)
    opened, _ = await world.activate(await world.invited(me.person or UUID(int=0)))
    me = dataclasses.replace(me, sign_in=opened.sign_in)
    await bind(world, me, "thief")

    async def make(password: str | None) -> str:
        proof = await actions.prove_if_account(world.asking(me), world.hasher, password)
        made = await world.do(me, make_key, "同步", [ApiScope.READ], live=False, proof=proof)
        found: str = made.key
        return found

    for wrong in (None, "wrong-wrong-wrong"):
        with pytest.raises(PasswordRefused):
            await make(wrong)
    with pytest.raises(Forbidden):
        await world.do(me, make_key, "同步", [ApiScope.READ], live=False)
    key = await make(PASSWORD)
    async with world.pool.connection() as connection:
        assert await machine_of(connection, key, world.now, live=False) is not None
    thief = await come(world, "thief")
    assert thief.person == me.person
    await shut(world, me)
    assert (await world.signed_in(thief.sign_in or UUID(int=0)))["ended_at"] is not None
    assert (await come(world, "thief")).person != me.person
    async with world.pool.connection() as connection:
        assert await machine_of(connection, key, world.now, live=False) is None


async def test_one_unbinds_one_s_wechat(world: World, officer: Actor) -> None:
    await bind(world, officer, "thief")
    thief, known = await come(world, "thief"), await come(world, "other")
    assert await world.do(officer, wechat.unbind_wechat) == officer.person
    assert (await world.signed_in(thief.sign_in or UUID(int=0)))["end_reason"] == "ENDED_BY_OWNER"
    assert (await world.signed_in(officer.sign_in or UUID(int=0)))["ended_at"] is None
    assert (await come(world, "thief")).person != officer.person
    with pytest.raises(WechatOnly):
        await world.do(known, wechat.unbind_wechat)
    assert (await come(world, "other")).person == known.person
