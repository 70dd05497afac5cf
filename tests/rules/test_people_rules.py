"""The laws of people: masks, numbers, codes, ages, states, capacities."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc as gb32100

from models.access import Role
from models.clock import SHANGHAI
from models.labels import TABLES
from models.people.care import TAGS_WRITTEN, ResidentTag, read_tags, written_tags
from models.people.identity import (
    age,
    birthday,
    born_by,
    check_digit,
    is_minor,
    mask_address,
    mask_name,
    mask_number,
    mask_phone,
    read_birth_date,
    read_id_number,
    read_name,
    read_phone,
    read_uscc,
    uscc_of,
)
from models.people.organization_rules import ORGANIZATION_STEPS, VerifiedState
from models.people.rules import VOLUNTEER_STEPS, IdType, VolunteerRegistration
from models.people.scopes import AREA_DIGITS, GRANTED_ROLES, GRANTS, MAY, ORGANIZATION_KINDS, PLATFORM_ROLES
from models.pinyin import sort_key
from models.problems import InvalidInput

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"),
        ("张三丰", "张*"),
        ("欧阳明", "欧阳*"),
        ("欧阳娜娜", "欧阳*"),
        ("欧阳", "欧*"),
        ("诸葛亮", "诸葛*"),
        ("张", "*"),
        ("阿依古丽·买买提", "阿*"),
        ("Anna Li", "A*"),
        ("  王五 ", "王*"),
        ("", "*"),
    ],
)
def test_a_masked_name_has_the_surname_only(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@given(HAN)
def test_a_masked_name_never_shows_the_given_name(name: str) -> None:
    masked = mask_name(name)
    assert masked.endswith("*")
    assert masked[:-1] != name
    assert name.startswith(masked[:-1])
    assert len(masked) <= 3


@given(HAN, HAN)
def test_how_long_a_name_is_cannot_be_told(name: str, more: str) -> None:
    assume(len(name) > 2)
    assert mask_name(name + more) == mask_name(name)


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("沈河区多福社区万莲小区3号楼2单元101", "沈河区多福社区万莲小区"),
        ("万莲小区 12-3-1", "万莲小区"),
        ("万莲小区三号楼二单元", "万莲小区"),
        ("万莲小区甲3号", "万莲小区"),
        ("万莲小区栋2", "万莲小区"),
        ("三好街道万科城A区5栋", "三好街道万科城"),
        ("万莲小区（３号楼）", "万莲小区"),
        ("五里河街道文萃社区平房", "五里河街道文萃社区平房"),
        ("多福社区", "多福社区"),
        ("1 号楼 2-3-1", "*"),
        ("101室", "*"),
        ("", "*"),
    ],
)
def test_a_masked_address_ends_with_the_compound(address: str, masked: str) -> None:
    assert mask_address(address) == masked


@given(HAN, st.from_regex(r"[0-9]{1,2}号楼[0-9]单元[0-9]{3}", fullmatch=True))
def test_a_masked_address_has_no_digit_and_is_a_beginning(place: str, door: str) -> None:
    masked = mask_address(place + door)
    assert masked == "*" or (place + door).startswith(masked)
    assert not any(c.isdigit() and c.isascii() for c in masked)
    assert "号楼" not in masked and "单元" not in masked


def test_a_masked_document_shows_seven_characters() -> None:
    assert mask_number("210103194403081234") == "210***********1234"
    assert mask_number("E12345678") == "*******78"
    assert mask_number("H12345678901") == "H12*****8901"


NOW = datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI)


def test_the_standard_s_example_of_an_identity_number() -> None:
    assert check_digit("11010519491231002") == "X"
    assert read_id_number(" 110105 19491231 002x ", IdType.ID_CARD, NOW) == "11010519491231002X"
    assert born_by("11010519491231002X") == date(1949, 12, 31)


@pytest.mark.parametrize(
    "number",
    [
        "110105194912310021",  # its check digit
        "110105491231002",  # the first generation
        "11010519490231002X",  # no such day
        "11010518991231002X",
        "110105203012310021",
        "１10105194912310021",
        "身份证",
    ],
)
def test_what_is_no_identity_number(number: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_id_number(number, IdType.ID_CARD, NOW)
    assert refused.value.field == "idNumber"


def test_who_is_not_born_yet_has_no_identity_card() -> None:
    first17 = "21999920270101001"
    with pytest.raises(InvalidInput):
        read_id_number(first17 + check_digit(first17), IdType.ID_CARD, NOW)


@given(st.dates(date(1900, 1, 1), date(2026, 11, 1)), st.integers(0, 999), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(born: date, number: int, place: int, by: int) -> None:
    first17 = f"219999{born:%Y%m%d}{number:03d}"
    right = first17 + check_digit(first17)
    assert read_id_number(right, IdType.ID_CARD, NOW) == right
    assume(right[place].isdigit())
    wrong = right[:place] + str((int(right[place]) + by) % 10) + right[place + 1 :]
    with pytest.raises(InvalidInput):
        read_id_number(wrong, IdType.ID_CARD, NOW)


def test_other_documents() -> None:
    assert read_id_number("e1234 5678", IdType.PASSPORT, NOW) == "E12345678"
    for number in ("E1", "护照号", "E" * 13):
        with pytest.raises(InvalidInput):
            read_id_number(number, IdType.TRAVEL_PERMIT, NOW)


@given(st.lists(st.sampled_from(ResidentTag)))
def test_tags_are_written_in_one_length(tags: list[ResidentTag]) -> None:
    written = written_tags(tags)
    assert len(written) == TAGS_WRITTEN == len(written_tags(list(ResidentTag)))
    assert json.loads(written) == read_tags(tags) == sorted(set(tags), key=list(ResidentTag).index)


def test_a_masked_phone_hides_four_digits() -> None:
    assert mask_phone("13812341234") == "138****1234"


@given(st.from_regex(r"1\d{10}", fullmatch=True))
def test_a_masked_phone_has_seven_of_eleven_digits(phone: str) -> None:
    masked = mask_phone(phone)
    assert (masked[:3], masked[3:7], masked[7:]) == (phone[:3], "****", phone[7:])


@given(st.text(st.sampled_from("0123456789"), min_size=1, max_size=10))
def test_a_short_number_shows_two_digits_at_most(phone: str) -> None:
    assert mask_phone(phone) == "****" + phone[-2:]


@pytest.mark.parametrize(
    ("given_", "read"),
    [
        ("13812345678", "13812345678"),
        ("+86 138 1234 5678", "13812345678"),
        ("138-1234-5678", "13812345678"),
        ("19912345678", "19912345678"),
        ("０１３８", None),
        ("024-22345678", None),
        ("1381234567", None),
        ("138123456789", None),
        ("+1 650 253 0000", None),
        ("13812345678 ext 5", None),
        ("人民路一号", None),
        ("", None),
        ("138\x0012345678", None),
        ("10012345678", None),
        ("12312345678", None),
    ],
)
def test_production_takes_real_mobile_numbers_only(given_: str, read: str | None) -> None:
    if read is None:
        with pytest.raises(InvalidInput) as refused:
            read_phone(given_, "phone")
        assert refused.value.field == "phone"
    else:
        assert read_phone(given_) == read


@given(st.from_regex(r"1[0-2][0-9]{9}", fullmatch=True))
def test_numbers_that_nobody_has_pass_outside_production_only(phone: str) -> None:
    assert read_phone(phone, fictional=True) == phone
    assert read_phone("+86 " + phone[:3] + "-" + phone[3:], fictional=True) == phone
    with pytest.raises(InvalidInput):
        read_phone(phone)


def test_a_real_number_passes_outside_production_too() -> None:
    assert read_phone("13812345678", fictional=True) == "13812345678"
    with pytest.raises(InvalidInput):
        read_phone("024-22345678", fictional=True)


@pytest.mark.parametrize(
    "code", ["91350100M000100Y43", "53210100MJ0000001Y", "51210102MJ00000126", "52210103MJ0000023M"]
)
def test_credit_codes_with_a_right_check_digit_pass(code: str) -> None:
    assert read_uscc(code) == code
    assert read_uscc(f" {code[:8].lower()}-{code[8:].lower()} ") == code
    assert gb32100.is_valid(code)


@pytest.mark.parametrize(
    "code",
    ["91350100M000100Y44", "9135010OM000100Y43", "91350100M000100Y4", "91350100M000100Y433", "", "I1350100M000100Y43"],
)
def test_other_credit_codes_are_refused(code: str) -> None:
    with pytest.raises(InvalidInput):
        read_uscc(code)


ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@given(
    st.sampled_from("159AN"),
    st.sampled_from("1235"),
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.text(st.sampled_from(ALPHABET), min_size=9, max_size=9),
    st.integers(0, 17),
    st.sampled_from(ALPHABET),
)
def test_the_check_digit_finds_every_single_error(
    office: str, kind: str, region: str, rest: str, place: int, wrong: str
) -> None:
    code = uscc_of(office + kind + region + rest)
    assert read_uscc(code) == code
    assume(code[place] != wrong)
    with pytest.raises(InvalidInput):
        read_uscc(code[:place] + wrong + code[place + 1 :])


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 90))
def test_age_grows_on_the_birthday(born: date, years: int) -> None:
    on = birthday(born, years)
    assert age(born, on) == years
    assert age(born, on - timedelta(days=1)) == years - 1


def test_a_leap_day_s_birthday_is_the_first_of_march() -> None:
    assert birthday(date(2008, 2, 29), 18) == date(2026, 3, 1)
    assert birthday(date(2008, 2, 29), 20) == date(2028, 2, 29)


def test_full_age_begins_at_shanghai_s_midnight() -> None:
    born = date(2008, 11, 2)
    assert is_minor(born, datetime(2026, 11, 1, 23, 59, tzinfo=SHANGHAI))
    assert not is_minor(born, datetime(2026, 11, 2, 0, 0, tzinfo=SHANGHAI))


@pytest.mark.parametrize("born", [date(1899, 12, 31), date(2026, 11, 3), date(2200, 1, 1)])
def test_birth_dates_lie_between_1900_and_today(born: date) -> None:
    with pytest.raises(InvalidInput):
        read_birth_date(born, datetime(2026, 11, 2, 10, 0, tzinfo=SHANGHAI))


@pytest.mark.parametrize("name", ["", "   ", "张\x00三", "张\ud800", "张*", "x" * 51, "张\n三"])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        read_name(name)


def test_sort_keys_are_pinyin() -> None:
    assert sort_key("沈河区") == "shen he qu"
    assert sort_key("张*") == "zhang *"
    assert sort_key("ABC社区") == "abc she qu"


def test_every_way_of_a_registration_ends_in_a_known_state() -> None:
    assert set(VOLUNTEER_STEPS.values()) == set(VolunteerRegistration)
    assert {before for _, before in VOLUNTEER_STEPS} == set(VolunteerRegistration)


@given(st.lists(st.sampled_from(sorted({step for step, _ in VOLUNTEER_STEPS})), max_size=12), st.booleans())
def test_nobody_becomes_active_unverified(steps: list[str], minor: bool) -> None:
    state = VolunteerRegistration.PENDING_GUARDIAN if minor else VolunteerRegistration.PENDING_VERIFICATION
    verified = consented = False
    for step in steps:
        after = VOLUNTEER_STEPS.get((step, state))
        if after is None:
            continue
        verified, consented = verified or step == "verify", consented or step in ("consent", "register")
        state = after
        if state is VolunteerRegistration.ACTIVE:
            assert verified
            assert consented or not minor


def test_an_organization_is_verified_from_pending_only() -> None:
    assert [before for (_, before), after in ORGANIZATION_STEPS.items() if after is VerifiedState.VERIFIED] == [
        VerifiedState.PENDING
    ]


def test_every_capacity_has_one_kind_of_scope() -> None:
    for role in GRANTED_ROLES:
        assert sum((role in AREA_DIGITS, role in ORGANIZATION_KINDS, role in PLATFORM_ROLES)) == 1
    assert set(Role) - set(GRANTED_ROLES) == {Role.PUBLIC, Role.PERSON, Role.RESIDENT, Role.VOLUNTEER}


def test_only_administrators_give_finance_roles() -> None:
    for giver, roles in GRANTS.items():
        if giver is not Role.ADMIN:
            assert roles == {Role.NGO_STAFF}


def test_the_public_may_do_nothing() -> None:
    assert all(Role.PUBLIC not in roles for roles in MAY.values())


def test_every_enumeration_has_labels() -> None:
    for name in (
        "Gender",
        "PersonState",
        "ResidentTag",
        "VolunteerRegistration",
        "SocialWorkerLevel",
        "OrganizationKind",
        "LegalStatus",
        "VerifiedState",
        "ContactField",
        "AccessPurpose",
        "PhoneWhose",
        "IdType",
        "SearchKey",
        "Role",
    ):
        assert all(v.name == v.value for v in TABLES[name].values)
