"""Becoming one person: by a proven number and a name, by an identity card and a name, and by the community's staff."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from api.jobs import SYSTEM
from models import vault
from models.access import PUBLIC_ACTOR, Actor, Role
from models.activity import actions as serving
from models.database import Db
from models.exchange import actions as market
from models.exchange.actions import NeedInput
from models.identity.actions import Opened, refresh
from models.identity.problems import RefreshInvalid
from models.identity.wechat import actions
from models.identity.wechat.merge import FOLDED, HIS, HISTORY, LEFT, STAY, references
from models.identity.wechat.ports import WechatUser
from models.identity.wechat.problems import (
    BothHaveHistory,
    BothSignIn,
    ChildsRecord,
    ClaimMismatch,
    ClaimNeedsStaff,
    ClaimTriesExhausted,
    NamesDiffer,
    NotOnePerson,
    NumberUnproven,
    PhoneNotProven,
    RecordActs,
    WechatCodeUsed,
)
from models.identity.wechat.sweep import sweep_wechat
from models.people.actions import ResidentInput, record_identity, register_resident
from models.people.actions.persons import set_identity, set_name, set_phone
from models.people.identity import check_digit
from models.people.problems import ConflictOfInterest, OwnCase
from models.people.rules import IdType, PhoneWhose, VolunteerRegistration
from models.problems import Forbidden, InvalidInput, Kept, NotFound, Problem
from models.tables import METADATA
from models.vault import Kind
from tests import make_activity
from tests import make_people as make
from tests.conftest import NOW
from tests.make_exchange import END, START

PHONE = "10012345678"
CARD = "219999194403080011"


def whole(first17: str) -> str:
    """An identity card's number with its last character."""
    return first17 + check_digit(first17)


RIGHT = whole(CARD[:17])
numbers = itertools.count(1)


@dataclasses.dataclass
class There:
    """A town, and people who come to it by the mini-program."""

    c: asyncpg.Connection
    town: make.Town
    staff: Actor

    def as_(self, actor: Actor, **later: float) -> Db:
        return Db(self.c, actor, NOW + timedelta(**later))

    async def come(self, name: str = "li", appid: str = "wx0", union: str | None = None, **later: float) -> Actor:
        """Somebody signs in by WeChat."""
        user = WechatUser(appid, f"o-{name}-{appid}", union)
        opened = await self.open(user, **later)
        who = await self.c.fetchval("SELECT person_id FROM sign_in WHERE id = $1", opened.sign_in)
        role = Role(await self.c.fetchval("SELECT role FROM sign_in WHERE id = $1", opened.sign_in))
        return Actor(role, who, sign_in=opened.sign_in)

    async def open(self, user: WechatUser, **later: float) -> Opened:
        code = next(numbers).to_bytes(32)
        return await actions.sign_in_with_wechat(self.as_(PUBLIC_ACTOR, **later), actions.Shown(code, user))

    async def bind(self, who: Actor, phone: str = PHONE, **later: float) -> UUID:
        return await actions.bind_phone(self.as_(who, **later), f"+86 {phone}", fictional=True)

    async def claim(self, who: Actor, name: str = "李奶奶", card: str | None = None, **later: float) -> Actor:
        """A claim that succeeds: who he is now."""
        db = self.as_(who, **later)
        opened = await actions.claim_record(db, name, card)
        row = await self.c.fetchrow("SELECT person_id, role FROM sign_in WHERE id = $1", opened.sign_in)
        return Actor(Role(row["role"]), row["person_id"], sign_in=opened.sign_in)

    async def refused(self, problem: type[Problem], who: Actor, *args: Any, **later: float) -> Problem:
        """A claim that fails by that problem."""
        with pytest.raises((problem, Kept)) as raised:
            await self.claim(who, *args, **later)
        error = raised.value
        told = error.problem if isinstance(error, Kept) else error
        assert isinstance(told, problem), told
        assert await self.c.fetchval("SELECT count(*) FROM person_merge") == 0
        return told

    async def value(self, sql: str, *args: Any) -> Any:
        return await self.c.fetchval(sql, *args)

    async def grandmother(self, phone: str | None = PHONE, **over: Any) -> make.Known:
        """A resident whom staff have registered."""
        return await make.resident(self.c, self.town, "李奶奶", phone=phone, **over)


@pytest.fixture
async def there(connection: asyncpg.Connection) -> There:
    where = await make.town(connection)
    return There(connection, where, await make.staff(connection, Role.COMMUNITY_STAFF, area=make.Town.COMMUNITY))


# Who signs in.


async def test_a_user_is_one_person_however_often_he_comes(there: There) -> None:
    first, second = await there.come("li"), await there.come("li")
    assert first.person == second.person and first.sign_in != second.sign_in
    assert (await there.come("wang")).person != first.person
    assert first.role is Role.PERSON


async def test_a_user_of_two_programs_of_one_owner_is_one_person(there: There) -> None:
    first = await there.come("li", "wx0", "union")
    assert (await there.come("li", "wx1", "union")).person == first.person
    assert (await there.come("li", "wx2", "another")).person != first.person
    assert (await there.come("li", "wx3")).person != first.person


async def test_after_an_erasure_the_user_is_a_new_person(there: There) -> None:
    first = await there.come("li", union="union")
    await there.c.execute("UPDATE person SET state = 'PSEUDONYM' WHERE id = $1", first.person)
    second = await there.come("li", union="union")
    assert second.person != first.person
    assert (await there.come("li", union="union")).person == second.person
    assert await there.value("SELECT count(*) FROM wechat_identity") == 1


async def test_whose_sign_in_ended_gets_none_by_the_same_code(there: There) -> None:
    user, code = WechatUser("wx0", "o-li"), b"c" * 32
    opened = await actions.sign_in_with_wechat(there.as_(PUBLIC_ACTOR), actions.Shown(code, user))
    again = await actions.sign_in_with_wechat(there.as_(PUBLIC_ACTOR, minutes=4), actions.Shown(code, None))
    assert again.sign_in == opened.sign_in
    with pytest.raises(RefreshInvalid):
        await refresh(there.as_(PUBLIC_ACTOR, minutes=4), opened.refresh_token)
    with pytest.raises(WechatCodeUsed):
        await actions.sign_in_with_wechat(there.as_(PUBLIC_ACTOR, minutes=5), actions.Shown(code, None))


# A number.


async def test_a_number_tells_whether_there_is_a_record_and_nothing_of_it(there: There) -> None:
    who = await there.come()
    id = await there.bind(who)
    assert await there.value("SELECT records_found FROM bound_phone WHERE id = $1", id) is False
    await there.grandmother()
    id = await there.bind(who)
    assert await there.value("SELECT records_found FROM bound_phone WHERE id = $1", id) is True
    assert await there.value("SELECT phone_masked FROM person WHERE id = $1", who.person) == "100****5678"


async def test_a_relatives_number_leads_to_nobody(there: There) -> None:
    grandmother = await there.grandmother()
    await there.c.execute("UPDATE person_contact SET phone_whose = 'RELATIVE' WHERE person_id = $1", grandmother.person)
    who = await there.come()
    id = await there.bind(who)
    assert await there.value("SELECT records_found FROM bound_phone WHERE id = $1", id) is False
    await there.refused(ClaimMismatch, who)


async def test_a_number_from_abroad_or_invented_is_refused(there: There) -> None:
    who = await there.come()
    for given, fictional in (("+1 2025550123", True), ("+86 10012345678", False)):
        with pytest.raises(InvalidInput):
            await actions.bind_phone(there.as_(who), given, fictional=fictional)
    with pytest.raises(Forbidden):
        await there.bind(dataclasses.replace(who, sign_in=None))
    assert await there.value("SELECT count(*) FROM bound_phone") == 0


# A claim.


async def test_by_number_and_name_somebody_becomes_the_record(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await there.bind(who)
    db = there.as_(who)
    opened = await actions.claim_record(db, " 李奶奶 ")
    now = await there.c.fetchrow("SELECT * FROM sign_in WHERE id = $1", opened.sign_in)
    assert (now["person_id"], now["role"], now["method"], now["strong"]) == (
        grandmother.person,
        "RESIDENT",
        "WECHAT",
        False,
    )
    assert db.detail["from"] == who.person and db.detail["into"] == grandmother.person
    # What he was before is nobody any more.
    old = await there.c.fetchrow("SELECT * FROM person WHERE id = $1", who.person)
    assert (old["state"], old["name_masked"], old["phone_masked"], old["acts"]) == ("MERGED", "*", None, False)
    ended = await there.c.fetchrow("SELECT * FROM sign_in WHERE id = $1", who.sign_in)
    assert ended["end_reason"] == "MERGED"
    assert await there.value("SELECT count(*) FROM person_contact WHERE person_id = $1", who.person) == 0
    merge = await there.c.fetchrow("SELECT * FROM person_merge")
    assert (merge["from_id"], merge["into_id"], merge["proof"], merge["by_id"]) == (
        who.person,
        grandmother.person,
        "PHONE",
        who.person,
    )
    # The user and his number are the record's, and open for it.
    assert (await there.come()).person == grandmother.person
    sealed = "SELECT {} FROM {} WHERE person_id = $1"
    who_ = grandmother.person
    assert await make.opened(there.c, Kind.LOGIN, sealed.format("openid", "wechat_identity"), who_) == "wx0:o-li-wx0"
    assert await make.opened(there.c, Kind.PHONE, sealed.format("phone", "bound_phone"), who_) == PHONE


async def test_by_identity_card_and_name_without_any_number(there: There) -> None:
    grandmother = await there.grandmother(phone=None)
    await make.identity(there.c, grandmother.person, CARD)
    card = await make.opened(
        there.c, Kind.IDENTITY, "SELECT number FROM person_identity WHERE person_id = $1", grandmother.person
    )
    who = await there.come()
    await there.bind(who, "10087654321")
    assert (await there.claim(who, "李奶奶", card)).person == grandmother.person
    assert await there.value("SELECT proof FROM person_merge") == "IDENTITY"
    # The record had no number: his is taken on.
    phone = "SELECT phone FROM person_contact WHERE person_id = $1"
    assert await make.opened(there.c, Kind.PHONE, phone, grandmother.person) == "10087654321"


async def test_without_a_proof_there_is_no_claim(there: There) -> None:
    await there.grandmother()
    who = await there.come()
    await there.refused(PhoneNotProven, who)
    await there.bind(who)
    await there.refused(PhoneNotProven, who, minutes=15)
    other = await there.come()  # another sign-in of the same person
    await there.refused(PhoneNotProven, other)
    await there.refused(Forbidden, dataclasses.replace(who, sign_in=None))
    assert (await there.claim(who, minutes=14)).person != who.person


@pytest.mark.parametrize("card", ["21999919440308001", "219999194403080012", "219999194413380011", "身份证"])
async def test_a_card_that_cannot_be_is_refused_and_costs_no_try(there: There, card: str) -> None:
    who = await there.come()
    await there.refused(InvalidInput, who, "李奶奶", card)
    assert await there.value("SELECT count(*) FROM claim_try") == 0


async def test_a_recycled_number_opens_nobodys_record(there: There) -> None:
    """The number was the grandmother's; somebody else has it now, and says his own name."""
    grandmother = await there.grandmother()
    who = await there.come("stranger")
    await there.bind(who)
    assert (await there.refused(ClaimMismatch, who, "王五")).left == 4  # type: ignore[attr-defined]
    assert await there.value("SELECT state FROM person WHERE id = $1", grandmother.person) == "PRESENT"
    assert await there.value("SELECT end_reason FROM sign_in WHERE id = $1", who.sign_in) is None


async def test_neither_number_nor_card_say_which_of_them_is_wrong(there: There) -> None:
    grandmother = await there.grandmother()
    await make.identity(there.c, grandmother.person, CARD)
    card = await make.opened(
        there.c, Kind.IDENTITY, "SELECT number FROM person_identity WHERE person_id = $1", grandmother.person
    )
    who = await there.come()
    wrong_name = await there.refused(ClaimMismatch, who, "李某", card)
    unknown = await there.refused(ClaimMismatch, who, "李奶奶", "11010519491231002X")
    assert (wrong_name.left, unknown.left) == (4, 3)  # type: ignore[attr-defined]
    assert wrong_name.code == unknown.code


async def test_of_a_family_with_one_number_the_name_says_who(there: There) -> None:
    grandmother = await there.grandmother()
    await make.resident(there.c, there.town, "李女儿", phone=PHONE)
    who = await there.come()
    await there.bind(who)
    assert (await there.claim(who)).person == grandmother.person


async def test_two_of_one_name_and_number_are_for_the_staff(there: There) -> None:
    await there.grandmother()
    await make.person(there.c, "李奶奶", phone=PHONE)
    who = await there.come()
    await there.bind(who)
    await there.refused(ClaimNeedsStaff, who)


async def test_a_parent_does_not_become_the_child(there: There) -> None:
    await make.resident(there.c, there.town, "李小明", phone=PHONE, birth_date=NOW.date() - timedelta(days=17 * 365))
    parent = await there.come()
    await there.bind(parent)
    await there.refused(ClaimNeedsStaff, parent, "李小明")


async def test_five_tries_a_day_and_no_more(there: There) -> None:
    await there.grandmother()
    who = await there.come()
    await there.bind(who)
    for left in (4, 3, 2, 1, 0):
        assert (await there.refused(ClaimMismatch, who, "张三")).left == left  # type: ignore[attr-defined]
    await there.refused(ClaimTriesExhausted, who)  # even by the right name
    await there.bind(who, hours=24)
    assert (await there.claim(who, hours=24)).person != who.person


async def test_a_record_is_tried_for_five_times_a_day_by_whomever(there: There) -> None:
    await there.grandmother()
    for n in range(5):
        stranger = await there.come(f"stranger{n}")
        await there.bind(stranger)
        await there.refused(ClaimMismatch, stranger, f"张{n}")
    who = await there.come()
    await there.bind(who)
    told = await there.refused(ClaimMismatch, who)  # even by the right name; and as if there were no such record
    assert told.left == 4  # type: ignore[attr-defined]
    await there.bind(who, hours=24)
    assert (await there.claim(who, hours=24)).person != who.person


async def test_a_worn_out_cards_number_answers_as_one_that_nobody_has(there: There) -> None:
    grandmother = await there.grandmother(phone=None)
    await make.identity(there.c, grandmother.person, CARD)
    answers = []
    for card in (RIGHT, whole("21999919440308002")):
        told = []
        for n in range(6):
            stranger = await there.come(f"stranger{n}{card}")
            told.append(await there.refused(ClaimMismatch, stranger, "李奶奶" if n == 5 else f"张{n}", card))
        answers.append([(one.code, one.left) for one in told])  # type: ignore[attr-defined]
    assert answers[0] == answers[1]


async def test_a_number_that_staff_wrote_a_moment_ago_claims_nothing(there: There) -> None:
    """Who writes a card's number on a stranger's record knows it, and his name."""
    victim, thief = await there.grandmother(birth_date=None), await there.come("thief")
    await record_identity(there.as_(there.staff), victim.person, IdType.ID_CARD, RIGHT)
    await there.refused(ClaimNeedsStaff, thief, "李奶奶", RIGHT)
    await there.bind(thief, "10087654321", hours=23)
    await there.refused(ClaimNeedsStaff, thief, "李奶奶", RIGHT, hours=23)
    owner = await there.come("owner")
    await there.bind(owner)
    assert (await there.claim(owner, "李奶奶", RIGHT)).person == victim.person


async def test_a_record_that_has_a_user_is_not_taken_from_him(there: There) -> None:
    await there.grandmother()
    who = await there.come()
    await there.bind(who)
    first = await there.claim(who)
    second = await there.come("stranger")
    await there.bind(second)
    with pytest.raises(ClaimNeedsStaff):
        await there.claim(second)
    assert (await there.come()).person == first.person


@pytest.mark.parametrize("acting", ["membership", "account"])
async def test_nobody_comes_by_a_capacity_by_way_of_a_number(there: There, acting: str) -> None:
    person = await make.person(there.c, "陈工", phone=PHONE)
    if acting == "membership":
        await make.membership(there.c, person, Role.GRID_OFFICER, area=make.Town.GRID)
    else:
        await make.insert(there.c, "account", person_id=person, created_at=NOW)
    who = await there.come()
    await there.bind(who)
    await there.refused(RecordActs, who, "陈工")


# What he had already.


async def test_what_he_did_before_goes_to_the_record(there: There) -> None:
    """He registered as a resident, asked for help, and serves: all of it is the grandmother's, and opens for her."""
    grandmother, who = await there.grandmother(), await there.come()
    here = ResidentInput(community=there.town.community, grid=there.town.grid, address="2 号楼 1-1-1")
    own = await register_resident(there.as_(who), here)
    me = dataclasses.replace(who, role=Role.RESIDENT, area=make.Town.GRID)
    category = await there.value("SELECT id FROM service_category WHERE code = 'ELDERLY.ESCORT'")
    need = await market.submit_need(
        there.as_(me),
        NeedInput(title="陪诊", category=category, note="三楼，行动不便", window_from=START, window_to=END),
    )
    await make.volunteer(there.c, there.town, person=who.person, state=VolunteerRegistration.PENDING_VERIFICATION)
    organization = await make.organization(there.c, there.town)
    kept = {"organization_id": organization, "person_id": who.person}
    donor = await make.insert(there.c, "donor", **kept, kind="PERSON", label="李*", created_at=NOW)
    await there.bind(me)
    assert (await there.claim(me)).person == grandmother.person
    row = await there.c.fetchrow("SELECT * FROM need WHERE id = $1", need)
    assert (row["requester_id"], row["beneficiary_id"]) == (grandmother.person, grandmother.id)
    keys = await vault.of(there.c).keys(there.c)
    assert row["subject_id"] == grandmother.person
    assert keys.open(Kind.CARE, row["note"], grandmother.person) == "三楼，行动不便"
    assert await there.value("SELECT count(*) FROM resident WHERE id = $1", own) == 0
    assert await there.value("SELECT person_id FROM donor WHERE id = $1", donor) == grandmother.person
    assert await there.value("SELECT count(*) FROM volunteer WHERE person_id = $1", grandmother.person) == 1
    for reference in references("person"):
        if reference.table.name not in HIS | STAY:
            assert not await there.as_(me).value(reference.any, from_=who.person), reference.table.name


async def test_a_registration_without_another_moves_whole_with_what_is_sealed_in_it(there: There) -> None:
    person = await make.person(there.c, "李奶奶", phone=PHONE)
    who = await there.come()
    own = await register_resident(there.as_(who), ResidentInput(community=there.town.community))
    await there.bind(who)
    now = await there.claim(who)
    assert (now.person, now.role) == (person, Role.RESIDENT)
    care = "SELECT care FROM resident WHERE person_id = $1"
    assert (await make.opened(there.c, Kind.CARE, care, person) or "").strip() == "[]"
    assert await there.value("SELECT person_id FROM resident WHERE id = $1", own) == person
    assert await there.value("SELECT area FROM person WHERE id = $1", person) == make.Town.COMMUNITY


async def test_hours_are_never_rewritten(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await make.volunteer(there.c, there.town, person=who.person)
    await hours(there, who)
    await there.bind(who)
    told = await there.refused(BothHaveHistory, who)
    assert told.where == ["attendance", "hour_entry"]  # type: ignore[attr-defined]
    assert await there.value("SELECT state FROM person WHERE id = $1", grandmother.person) == "PRESENT"
    # The other way round the staff can help: the grandmother's record has no hours.
    await there.c.execute("UPDATE person SET area = $2 WHERE id = $1", who.person, make.Town.COMMUNITY)
    await make.identity(there.c, grandmother.person)
    await there.c.execute("UPDATE person_identity SET recorded_by = $1", there.staff.person)
    assert await actions.merge_records(there.as_(there.staff), grandmother.person, who.person, "本人到场") == who.person
    assert await there.value("SELECT person_id FROM resident WHERE id = $1", grandmother.id) == who.person
    name = "SELECT name FROM person_name WHERE person_id = $1"
    assert await make.opened(there.c, Kind.NAME, name, who.person) == "李奶奶"
    assert await there.value("SELECT name_masked FROM person WHERE id = $1", who.person) == "李*"
    number = "SELECT number FROM person_identity WHERE person_id = $1"
    assert (await make.opened(there.c, Kind.IDENTITY, number, who.person) or "").startswith(CARD[:17])
    assert await there.value("SELECT recorded_by FROM person_identity") == there.staff.person


async def hours(there: There, who: Actor) -> None:
    """Three hours that were served and credited."""
    world = await make_activity.world(there.c, NOW)
    session = await world.session()
    await make_activity.attend(world, session, dataclasses.replace(who, role=Role.VOLUNTEER), "09:00", "12:00")
    await serving.end_session(world.as_(world.ngo, make_activity.at("12:30")), session)
    await serving.confirm_session(world.as_(world.ngo, make_activity.at("12:30")), session)


async def test_of_two_volunteers_the_records_number_stays(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    kept = await make.volunteer(there.c, there.town, person=grandmother.person)
    await make.volunteer(there.c, there.town, person=who.person, no_matching=True)
    await there.bind(who)
    await there.claim(who)
    rows = await there.c.fetch("SELECT id, no_matching FROM volunteer")
    assert [tuple(row) for row in rows] == [(kept.id, True)], "what he refused on either record he refuses"


async def test_nobody_is_rid_of_a_suspension_by_becoming_another(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await make.volunteer(there.c, there.town, person=grandmother.person)
    await make.volunteer(there.c, there.town, person=who.person, state=VolunteerRegistration.SUSPENDED)
    await there.bind(who)
    assert (await there.refused(BothHaveHistory, who)).where == ["volunteer"]  # type: ignore[attr-defined]


# By the staff.


async def test_staff_merge_two_records_of_one_number(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await there.bind(who)
    db = there.as_(there.staff)
    assert await actions.merge_records(db, who.person, grandmother.person, "本人持身份证到场") == grandmother.person  # type: ignore[arg-type]
    merge = await there.c.fetchrow("SELECT * FROM person_merge")
    assert (merge["proof"], merge["by_id"], merge["reason"]) == ("STAFF", there.staff.person, "本人持身份证到场")
    assert (await there.come()).person == grandmother.person
    with pytest.raises(NotFound):
        await actions.merge_records(there.as_(there.staff), who.person, grandmother.person, "再来")  # type: ignore[arg-type]


async def test_staff_merge_nobody_by_his_name(there: There) -> None:
    grandmother = await there.grandmother()
    other = await there.grandmother("10087654321")
    relative = await there.grandmother()
    await there.c.execute("UPDATE person_contact SET phone_whose = 'RELATIVE' WHERE person_id = $1", relative.person)
    for two in (other, relative):
        with pytest.raises(NotOnePerson):
            await actions.merge_records(there.as_(there.staff), two.person, grandmother.person, "同名")
    assert await there.value("SELECT count(*) FROM person_merge") == 0


async def test_staff_merge_by_the_card_before_them(there: There) -> None:
    grandmother, who = await there.grandmother(None, birth_date=None), await there.come()
    await make.identity(there.c, grandmother.person)
    db = there.as_(there.staff)
    assert await actions.merge_records(db, who.person, grandmother.person, "出示身份证", RIGHT) == grandmother.person  # type: ignore[arg-type]
    assert db.detail["by"] == "ID_NUMBER" and RIGHT not in str(db.detail)
    assert await there.value("SELECT proof FROM person_merge") == "STAFF"
    assert (await there.come()).person == grandmother.person


async def test_a_card_joins_nobody_with_somebody_else(there: There) -> None:
    grandmother, other = await there.grandmother(birth_date=None), await there.grandmother(birth_date=None)

    async def refused(card: str = RIGHT) -> None:
        for from_, into in ((other, grandmother), (grandmother, other)):
            with pytest.raises(NotOnePerson):
                await actions.merge_records(there.as_(there.staff), from_.person, into.person, "出示身份证", card)

    await refused()  # although they have one phone number: the card is nobody's
    await make.identity(there.c, grandmother.person)
    await refused(whole("21999919440308002"))
    await there.c.execute("UPDATE person SET birth_date = '1950-01-01' WHERE id = $1", other.person)
    await refused()
    await there.c.execute("UPDATE person SET birth_date = NULL WHERE id = $1", other.person)
    await set_identity(there.as_(there.staff), other.person, IdType.PASSPORT, "E12345678")
    await refused()
    with pytest.raises(InvalidInput):
        await actions.merge_records(there.as_(there.staff), other.person, grandmother.person, "出示身份证", "123")
    assert await there.value("SELECT count(*) FROM person_merge") == 0


async def test_staff_merge_only_their_own_communitys(there: There) -> None:
    grandmother = await there.grandmother()
    far = await there.grandmother(area=make.Town.NEIGHBOUR)
    for from_, into in ((far, grandmother), (grandmother, far)):
        with pytest.raises(NotFound):
            await actions.merge_records(there.as_(there.staff), from_.person, into.person, "同一人")
    for role in (Role.ADMIN, Role.RESIDENT, Role.GRID_OFFICER, Role.PUBLIC):
        with pytest.raises(Forbidden):
            actor = dataclasses.replace(there.staff, role=role)
            await actions.merge_records(there.as_(actor), far.person, grandmother.person, "同一人")


async def test_staff_merge_neither_themselves_nor_who_acts_for_others(there: There) -> None:
    grandmother = await there.grandmother()
    with pytest.raises(OwnCase):
        await actions.merge_records(there.as_(there.staff), there.staff.person, grandmother.person, "本人")  # type: ignore[arg-type]
    officer = await there.grandmother()
    await make.membership(there.c, officer.person, Role.GRID_OFFICER, area=make.Town.GRID)
    for from_, into in ((officer, grandmother), (grandmother, officer)):
        with pytest.raises(RecordActs):
            await actions.merge_records(there.as_(there.staff), from_.person, into.person, "同一人")


async def test_staff_make_no_ones_record_their_own_by_writing_his_number_on_another(there: There) -> None:
    """A staff member's second self has her number, corrected to be so, and is joined with her record, both ways."""
    victim, thief = await there.grandmother(), await there.come("thief")
    await there.bind(thief, "10087654321")
    await set_phone(there.as_(there.staff), thief.person, PHONE, PhoneWhose.OWN)  # type: ignore[arg-type]

    async def refused(problem: type[Problem]) -> None:
        for from_, into in ((victim.person, thief.person), (thief.person, victim.person)):
            await there.c.execute("UPDATE person SET area = $2 WHERE id = $1", into, make.Town.COMMUNITY)
            with pytest.raises(problem):
                await actions.merge_records(there.as_(there.staff), from_, into, "本人到场")  # type: ignore[arg-type]
            assert not await there.value("SELECT count(*) FROM person_merge WHERE proof = 'STAFF'")

    await refused(NumberUnproven)
    await set_name(there.as_(there.staff), thief.person, "王某")  # type: ignore[arg-type]
    await refused(NamesDiffer)
    await set_name(there.as_(there.staff), thief.person, "李奶奶")  # type: ignore[arg-type]
    await refused(NumberUnproven)
    owner = await there.come("owner")
    await there.bind(owner)
    await there.c.execute("UPDATE person_contact SET phone_whose = 'RELATIVE' WHERE person_id = $1", thief.person)
    await there.claim(owner)
    await there.c.execute("UPDATE person_contact SET phone_whose = 'OWN' WHERE person_id = $1", thief.person)
    await refused(BothSignIn)


async def test_a_number_that_was_proven_the_day_before_serves_no_longer(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await there.bind(who)
    with pytest.raises(NumberUnproven):
        late = there.as_(there.staff, hours=24)
        await actions.merge_records(late, who.person, grandmother.person, "本人到场")  # type: ignore[arg-type]
    soon = there.as_(there.staff, hours=23)
    await actions.merge_records(soon, who.person, grandmother.person, "本人到场")  # type: ignore[arg-type]


async def test_a_childs_record_takes_on_only_somebody_who_is_nothing_yet(there: There) -> None:
    child = await make.resident(
        there.c, there.town, "李小明", phone=PHONE, birth_date=NOW.date() - timedelta(days=13 * 365)
    )
    who = await there.come()
    await there.bind(who)
    await there.c.execute("UPDATE person SET area = $2 WHERE id = $1", who.person, make.Town.COMMUNITY)
    with pytest.raises(ChildsRecord):
        await actions.merge_records(there.as_(there.staff), child.person, who.person, "监护人到场")  # type: ignore[arg-type]
    await register_resident(there.as_(who), ResidentInput(community=there.town.community))
    with pytest.raises(ChildsRecord):
        await actions.merge_records(there.as_(there.staff), who.person, child.person, "监护人到场")  # type: ignore[arg-type]
    other = await there.come("other")
    await there.bind(other)
    assert await actions.merge_records(there.as_(there.staff), other.person, child.person, "监护人到场") == child.person  # type: ignore[arg-type]


async def test_staff_merge_nobody_they_are_close_to(there: There) -> None:
    grandmother, who = await there.grandmother(), await there.come()
    await there.bind(who)
    await make.insert(
        there.c,
        "declared_interest",
        person_id=there.staff.person,
        other_id=grandmother.person,
        relation="CHILD",
        declared_at=NOW,
    )
    with pytest.raises(ConflictOfInterest):
        await actions.merge_records(there.as_(there.staff), who.person, grandmother.person, "本人到场")  # type: ignore[arg-type]


async def test_what_has_served_is_forgotten(there: There) -> None:
    who = await there.come()
    await there.bind(who)
    await there.grandmother()
    await there.refused(ClaimMismatch, who, "张三")
    counts = (
        "SELECT (SELECT count(*) FROM login_code), (SELECT count(*) FROM claim_try), (SELECT count(*) FROM bound_phone)"
    )
    for later, gone, left in (
        ({"minutes": 4}, 0, (1, 1, 1)),
        ({"minutes": 5}, 1, (0, 1, 1)),
        ({"days": 30}, 2, (0, 0, 0)),
        ({"days": 30}, 0, (0, 0, 0)),
    ):
        assert await sweep_wechat(there.as_(SYSTEM, **later)) == gone
        assert tuple(await there.c.fetchrow(counts)) == left


def test_what_is_said_of_tables_is_said_of_tables_that_there_are() -> None:
    assert set(METADATA.tables) >= HISTORY | STAY | FOLDED | LEFT | HIS
    named = {reference.table.name for reference in references("person")}
    assert named >= {
        "need",
        "donor",
        "wechat_identity",
        "bound_phone",
        "resident",
        "volunteer",
        "consent",
        "commitment",
    }
    assert all(r.history for r in references("person") if r.table.name in ("hour_entry", "ledger_txn", "attendance"))
