"""Names, phone numbers, credit codes and ages: how they are checked, and how they are shown in part. All pure."""

from __future__ import annotations

import re
from datetime import date, datetime

import phonenumbers
from stdnum.cn import uscc as gb32100

from models import clock
from models.people.rules import IdType
from models.problems import InvalidInput
from models.rules_text import clean

COMPOUND = frozenset(
    [
        "欧阳",
        "司马",
        "上官",
        "诸葛",
        "东方",
        "皇甫",
        "尉迟",
        "公孙",
        "慕容",
        "令狐",
        "宇文",
        "长孙",
        "司徒",
        "夏侯",
        "轩辕",
        "端木",
        "独孤",
        "南宫",
        "西门",
        "闻人",
        "澹台",
        "呼延",
        "司空",
        "鲜于",
        "申屠",
        "公冶",
        "宗政",
        "濮阳",
        "淳于",
        "单于",
        "太叔",
        "完颜",
        "赫连",
        "钟离",
        "闾丘",
        "拓跋",
        "百里",
        "东郭",
        "第五",
        "左丘",
        "梁丘",
    ]
)
"""Surnames of two characters."""

HIDDEN = "*"
ADULT = 18
"""Full age (Civil Code, art. 17)."""
CAPABLE = 8
"""Below this age nobody can undertake anything himself (Civil Code, art. 20): he cannot register as a volunteer."""

UNALLOTTED = re.compile(r"1[0-2]\d{9}", re.ASCII)
"""Eleven digits that no operator has: mobile numbers begin with 13 to 19. For demo and test data."""

USCC = re.compile(r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}", re.ASCII)


def mask_name(name: str) -> str:
    """A name with its surname only: 张三 → 张*, 欧阳明 → 欧阳*, 买买提·阿不都 → 买*, "Anna" → "A*". One character is hidden whole.

    How many characters are hidden cannot be told.
    """
    name = name.strip()
    if len(name) < 2:
        return HIDDEN
    return (name[:2] if len(name) > 2 and name[:2] in COMPOUND else name[0]) + HIDDEN


def mask_phone(phone: str) -> str:
    """A phone number with three digits before and four behind: 138****1234. A short one keeps its last two digits."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else f"****{phone[-2:]}"


DOOR = re.compile(
    r"[甲乙丙丁]?[0-9０-９]|[一二三四五六七八九十百零〇两甲乙丙丁]+(?:号|栋|幢|座|单元|室|层|楼|门)|[A-Za-zＡ-Ｚ]|号楼|栋|幢|单元|室|门牌"
)
"""Where an address begins to say which house: a digit, a letter, or a word for houses and doors."""


def mask_address(address: str) -> str:
    """An address to its compound: 多福社区万莲小区3号楼2单元101 → 多福社区万莲小区. What names no place is hidden whole.

    Everything from the first digit, letter, or word for a house or door on is cut.
    """
    place = DOOR.split(address.strip(), maxsplit=1)[0].rstrip(" ,，、-—第（(")
    return place if len(place) > 1 else HIDDEN


def mask_number(number: str) -> str:
    """The number of a document with three characters before and four behind: 210***********1234. Short ones: the last two."""
    if len(number) < 12:
        return "*" * (len(number) - 2) + number[-2:]
    return number[:3] + "*" * (len(number) - 7) + number[-4:]


def read_name(given: str, field: str = "name") -> str:
    """A person's name as stored. Raises InvalidInput for control characters, and for lengths outside 1 to 50."""
    name = clean(given, field, most=50)
    if any(c in name for c in "*<>{}\n"):
        raise InvalidInput(field=field, reason="姓名中含有不允许的字符。")
    return name


def read_phone(given: str, field: str = "phone", *, fictional: bool = False) -> str:
    """A Chinese mobile number, as 11 digits. `fictional`: outside production, prefixes that nobody has pass too.

    Accepts spaces, hyphens and the country code. Raises InvalidInput for anything else.
    """
    text = clean(given, field, most=30)
    digits = re.sub(r"[\s-]", "", text).removeprefix("+86")
    if fictional and UNALLOTTED.fullmatch(digits):
        return digits
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        number = None
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    if (
        number is None
        or number.country_code != 86
        or number.extension
        or not phonenumbers.is_valid_number(number)
        or phonenumbers.number_type(number) not in kinds
    ):
        raise InvalidInput(field=field, reason="手机号无效：请填写中国大陆的 11 位手机号。")
    return str(number.national_number)


def read_uscc(given: str, field: str = "uscc") -> str:
    """A unified social credit code (GB 32100-2015): 18 characters, the last one a check digit. Raises InvalidInput."""
    code = re.sub(r"[\s-]", "", clean(given, field, most=40)).upper()
    if not USCC.fullmatch(code):
        raise InvalidInput(field=field, reason="统一社会信用代码应为 18 位数字或大写字母（不含 I、O、S、V、Z）。")
    if gb32100.calc_check_digit(code[:17]) != code[17]:
        raise InvalidInput(field=field, reason="统一社会信用代码的校验位不正确，请核对。")
    return code


def uscc_of(first17: str) -> str:
    """The whole credit code of its first 17 characters: for invented data."""
    return first17 + str(gb32100.calc_check_digit(first17))


ID_CARD = re.compile(r"[1-9]\d{5}(?:19|20)\d{9}[\dX]", re.ASCII)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
FOREIGN = re.compile(r"[A-Z0-9]{6,12}", re.ASCII)


def check_digit(first17: str) -> str:
    """The last character of an identity number, of its first 17 (GB 11643)."""
    return "10X98765432"[sum(w * int(d) for w, d in zip(WEIGHTS, first17, strict=True)) % 11]


def read_id_number(given: str, type: IdType, now: datetime, field: str = "idNumber") -> str:
    """The number of an identity document, as stored: capitals, no blanks. Raises InvalidInput.

    An identity card's (GB 11643) has 18 characters, a birth date in the past and a check digit; the 15 digits of the
    first generation are refused.
    """
    number = re.sub(r"[\s-]", "", clean(given, field, most=40)).upper()
    if type is not IdType.ID_CARD:
        if not FOREIGN.fullmatch(number):
            raise InvalidInput(field=field, reason="证件号码应为 6 至 12 位数字或字母。")
        return number
    if not ID_CARD.fullmatch(number):
        raise InvalidInput(field=field, reason="身份证号码应为 18 位数字，末位可为 X。")
    if check_digit(number[:17]) != number[17]:
        raise InvalidInput(field=field, reason="身份证号码的校验位不正确，请核对。")
    read_birth_date(born_by(number), now, field)
    return number


def born_by(number: str, field: str = "idNumber") -> date:
    """The birth date in an identity card's number. Raises InvalidInput when there is no such day."""
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise InvalidInput(field=field, reason="身份证号码中的出生日期不存在，请核对。") from None


def birthday(born: date, age: int) -> date:
    """The day on which somebody reaches an age. Who was born on 29 February does so on 1 March of other years."""
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def age(born: date, on: date) -> int:
    """How many years old somebody is on a day."""
    years = on.year - born.year
    return years if birthday(born, years) <= on else years - 1


def is_minor(born: date, now: datetime) -> bool:
    """Whether somebody is under 18, on the day in Shanghai."""
    return clock.day(now) < birthday(born, ADULT)


def read_birth_date(given: date, now: datetime, field: str = "birthDate") -> date:
    """A birth date in the past, since 1900. Raises InvalidInput."""
    if not date(1900, 1, 1) <= given <= clock.day(now):
        raise InvalidInput(field=field, reason="出生日期须在 1900 年以后，且不晚于今天。")
    return given
