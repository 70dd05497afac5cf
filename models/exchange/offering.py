"""The laws of what is offered: which terms are sound, when it can be given, and whether it meets what is wanted.

Pure. `queries.fits` says the same in SQL: there the times of an offer stand in `offer_occurrence`, here they come from
its rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from models import recurrence
from models.access import FUND_ROLES, Role
from models.exchange import rules
from models.exchange.kinds import GenderPreference, Hint, Kind, Unit
from models.exchange.venues import VenueAccess, VenueEquipment
from models.people.availability import LEAST_RADIUS_KM, MOST_RADIUS_KM, Language
from models.problems import InvalidInput
from models.rules_text import clean
from models.territory import geo

Times = tuple[datetime, datetime]
"""From when until when."""
Row = Mapping[str, Any]

MOST_AREAS = 20
MOST_SKILLS = 20
MOST_PARALLEL = 10_000
MOST_SEATS = 100_000
LONGEST_NOTICE = timedelta(days=30)
LONGEST_EXTERNAL_ID = 64
ANY_SERVICE = timedelta(minutes=60)
"""How long help takes where a need does not say."""
FOUNDATION_KINDS = (Kind.GOODS, Kind.CASH_AID)
"""What a foundation's people offer: its services and rooms are offered by its staff, as any organization's."""
TIMED = (Kind.SERVICE, Kind.VENUE)
"""Kinds that are given at a time, so that only so many can be given at once."""


@dataclasses.dataclass(frozen=True)
class Venue:
    """A room: where, for how many people, what stands ready, and how one gets in."""

    address: str
    seats: int
    equipment: tuple[VenueEquipment, ...] = ()
    access: tuple[VenueAccess, ...] = ()


@dataclasses.dataclass(frozen=True)
class OfferInput:
    """What is offered, and on which terms.

    `areas`: the divisions that it serves; with none, the provider's own area, or, where there is a radius, the city as
    far as that reaches. `parallel`: with None, one at a time for a volunteer, and for an organization as many as there
    are. `skills`, `languages`: with None, a volunteer's own.
    """

    title: str
    category: UUID
    window_from: datetime
    window_to: datetime
    kind: Kind = Kind.SERVICE
    note: str | None = None
    quantity: int = 1
    unit: Unit | None = None
    areas: tuple[UUID, ...] = ()
    draft: bool = False
    rrule: str | None = None
    duration_minutes: int | None = None
    min_notice_minutes: int = 0
    parallel: int | None = None
    weekly_cap: int | None = None
    position: tuple[float, float] | None = None
    """Latitude and longitude."""
    radius_km: float | None = None
    skills: tuple[str, ...] | None = None
    certificates: tuple[str, ...] = ()
    languages: tuple[str, ...] | None = None
    external_id: str | None = None
    venue: Venue | None = None


@dataclasses.dataclass(frozen=True)
class Known:
    """What an offer is checked against: its provider, and the catalogues as far as it names something of them."""

    role: Role
    area: str
    """The provider's own."""
    categories: Mapping[UUID, str]
    divisions: Mapping[UUID, str]
    skills: frozenset[str]
    own_skills: Sequence[str] = ()
    own_languages: Sequence[str] = ()

    @property
    def alone(self) -> bool:
        """Whether the provider is a volunteer himself."""
        return self.role is Role.VOLUNTEER


def refuse(field: str, reason: str) -> InvalidInput:
    """A field that is wrong."""
    return InvalidInput(field=field, reason=reason)


def fresh(given: OfferInput, known: Known) -> dict[str, Any]:
    """What a new offer is made of, as `settled` takes it."""
    if given.kind is Kind.CASH_AID and known.role not in FUND_ROLES:
        raise refuse("kind", "资金救助只能由基金会提供。")
    if known.role in FUND_ROLES and given.kind not in FOUNDATION_KINDS:
        raise refuse("kind", "基金会只提供物资和资金救助。")
    quantity = rules.quantity(given.quantity)
    whole = dataclasses.asdict(given) | {"venue": given.venue, "qty_total": quantity}
    for name in ("draft", "quantity"):
        del whole[name]
    return whole | {
        "unit": given.unit or rules.UNITS[given.kind],
        "parallel": given.parallel if given.parallel is not None else 1 if known.alone else quantity,
        "skills": given.skills if given.skills is not None else known.own_skills,
        "languages": given.languages if given.languages is not None else known.own_languages,
    }


def settled(changes: Mapping[str, Any], before: Row, known: Known, now: datetime) -> dict[str, Any]:
    """Changes of an offer as columns, each sound by itself and beside the others. Raises InvalidInput.

    `changes`: by column, with `category`, `areas`, `position` and `venue` as `OfferInput` has them; `before`: the row
    that is changed, empty for a new one. What does not change is not judged again: a window that has begun stays.
    """
    new = {name: ONE_BY_ONE[name](value) if name in ONE_BY_ONE else value for name, value in changes.items()}
    if "category" in new:
        new |= _category(new.pop("category"), known)
    if "position" in new:
        new |= _position(new.pop("position"), known)
    if "venue" in new:
        new |= _venue(new.pop("venue"), new.get("kind", before.get("kind")))
    if "areas" in new:
        areas = new.pop("areas")
        new |= home({**before, **new}, known) if not areas and not before else {"service_areas": _areas(areas, known)}
    whole = {**before, **new}
    if changed(new, before, ("window_from", "window_to")):
        new["window_from"], new["window_to"] = rules.window(whole["window_from"], whole["window_to"], now)
    _together(whole, new, known)
    if changed(new, before, REPEATING) and whole.get("rrule") is not None and not times(whole):
        raise refuse("rrule", "重复规则在起止时间内没有一次完整的时段。")
    return new


REPEATING = ("window_from", "window_to", "rrule", "duration_minutes")
"""What the times of an offer follow from."""


def changed(new: Row, before: Row, names: Iterable[str]) -> bool:
    """Whether any of these columns is to become another than it was."""
    return any(name in new and (name not in before or new[name] != before[name]) for name in names)


def _together(whole: Row, new: Row, known: Known) -> None:
    """Raises InvalidInput where terms contradict each other."""
    if whole.get("radius_km") is not None and whole.get("x") is None:
        raise refuse("position", "填写服务半径时须同时填写位置。")
    if known.alone and whole["parallel"] != 1:
        raise refuse("parallel", "志愿者本人同一时间只能服务一处。")
    if known.alone and whole.get("external_id") is not None:
        raise refuse("externalId", "外部编号只用于组织的供给。")
    if known.alone and new.get("certificates"):
        raise refuse("certificates", "志愿者的资格以本人已核实的资格证书为准，不在供给中填写。")
    unknown = sorted(set(new.get("skills", ())) - known.skills)
    if unknown:
        raise refuse("skills", "技能不存在。")
    rule, minutes = whole.get("rrule"), whole.get("duration_minutes")
    if rule is not None and minutes is None:
        raise refuse("durationMinutes", "重复的供给须填写每次时长。")
    if rule is None and minutes is not None:
        raise refuse("durationMinutes", "只有重复的供给才填写每次时长。")
    if whole.get("kind") == Kind.VENUE and "kind" in new and whole.get("venue_address") is None:
        raise refuse("venue", "场地须填写地址与可容纳人数。")


def between(field: str, least: int, most: int, what: str) -> Any:
    """A check of a whole number, or None."""

    def check(given: int | None) -> int | None:
        if given is not None and not least <= given <= most:
            raise refuse(field, what)
        return given

    return check


def notice(given: int) -> int:
    """Minutes before an appointment, up to 30 days. Raises InvalidInput."""
    if not 0 <= given <= LONGEST_NOTICE / timedelta(minutes=1):
        raise refuse("minNoticeMinutes", "提前预约时间须在 0 分钟至 30 天之间。")
    return given


def radius(given: float | None) -> float | None:
    """Kilometres, 0.5 to 50. Raises InvalidInput."""
    if given is not None and not LEAST_RADIUS_KM <= given <= MOST_RADIUS_KM:
        raise refuse("radiusKm", "服务半径须在 0.5 至 50 公里之间。")
    return None if given is None else geo.real(round(given, 2))


def external_id(given: str | None) -> str | None:
    """An organization's own number for an offer: 1 to 64 characters of a line. Raises InvalidInput."""
    if given is None:
        return None
    try:
        return clean(given, "externalId", most=LONGEST_EXTERNAL_ID)
    except InvalidInput:
        raise refuse("externalId", "外部编号须为 1 至 64 个字符，不含控制字符。") from None


def several(field: str, most: int, what: str) -> Any:
    """A check of a list of values, which gives them in order, none twice."""

    def check(given: Iterable[str]) -> list[str]:
        values = sorted({str(value) for value in given})
        if len(values) > most:
            raise refuse(field, what)
        return values

    return check


ONE_BY_ONE: dict[str, Any] = {
    "title": rules.title,
    "note": rules.note,
    "qty_total": rules.quantity,
    "rrule": lambda given: None if given is None else recurrence.read_rule(given),
    "duration_minutes": between("durationMinutes", 1, 24 * 60, "每次时长须在 1 至 1440 分钟之间。"),
    "min_notice_minutes": notice,
    "parallel": between("parallel", 1, MOST_PARALLEL, f"同时可服务数须在 1 至 {MOST_PARALLEL} 之间。"),
    "weekly_cap": between("weeklyCap", 1, MOST_PARALLEL, f"每周上限须在 1 至 {MOST_PARALLEL} 之间。"),
    "radius_km": radius,
    "skills": several("skills", MOST_SKILLS, f"技能最多 {MOST_SKILLS} 项。"),
    "certificates": several("certificates", MOST_SKILLS, f"资格最多 {MOST_SKILLS} 项。"),
    "languages": lambda given: [one.value for one in Language if one in given and one is not Language.MANDARIN],
    "external_id": external_id,
}
"""What each term must be by itself, by its column."""


def _category(given: UUID, known: Known) -> dict[str, Any]:
    code = known.categories.get(given)
    if code is None:
        raise refuse("category", "服务类别不存在。")
    return {"category_id": given, "category_code": code}


def _position(given: tuple[float, float] | None, known: Known) -> dict[str, Any]:
    if given is None:
        return {"x": None, "y": None}
    if known.alone:
        raise refuse("position", "志愿者的出发位置在“我的服务时间”里填写，不随供给公开。")
    if not geo.in_city(*given):
        raise refuse("position", "位置不在本市范围内。")
    x, y = geo.on_plane(*given)
    return {"x": geo.real(x), "y": geo.real(y)}


def home(whole: Row, known: Known) -> dict[str, Any]:
    """The area of an offer that names none, as a column: the provider's, or the city where a radius bounds it."""
    return {"service_areas": [known.area[:4] if whole.get("radius_km") is not None else known.area]}


def alone(name: str, value: Any) -> Any:
    """A term by itself, as it is stored. Raises InvalidInput."""
    return ONE_BY_ONE[name](value) if name in ONE_BY_ONE else value


def _areas(given: Sequence[UUID], known: Known) -> list[str]:
    wanted = list(dict.fromkeys(given))
    if not 1 <= len(wanted) <= MOST_AREAS:
        raise refuse("areas", f"服务区域须为 1 至 {MOST_AREAS} 个。")
    if not all(area in known.divisions for area in wanted):
        raise refuse("areas", "服务区域不存在。")
    return sorted(known.divisions[area] for area in wanted)


def _venue(given: Venue | None, kind: str | None) -> dict[str, Any]:
    if given is None:
        return {"venue_address": None, "venue_seats": None, "venue_equipment": [], "venue_access": []}
    if kind != Kind.VENUE:
        raise refuse("venue", "只有场地类供给才填写场地信息。")
    if not 1 <= given.seats <= MOST_SEATS:
        raise refuse("venue", f"可容纳人数须在 1 至 {MOST_SEATS} 之间。")
    return {
        "venue_address": clean(given.address, "venue", most=200, least=2),
        "venue_seats": given.seats,
        "venue_equipment": [one.value for one in VenueEquipment if one in given.equipment],
        "venue_access": [one.value for one in VenueAccess if one in given.access],
    }


def times(offer: Row) -> list[Times]:
    """All the times in which an offer can be given: those of its rule that lie wholly in its window, or that itself."""
    start, end = offer["window_from"], offer["window_to"]
    if offer.get("rrule") is None:
        return [(start, end)]
    lasts = timedelta(minutes=offer["duration_minutes"])
    every = recurrence.occurrences(offer["rrule"], start, lasts, after=start, before=end, most=recurrence.MOST)
    return [(a, b) for a, b in every if a >= start and b <= end]


def wanted(need: Row, options: Iterable[Times]) -> list[Times]:
    """When a need may be served: its appointments in its order, else its window; empty when any time will do."""
    chosen = list(options)
    if chosen or need.get("window_from") is None:
        return chosen
    return [(need["window_from"], need["window_to"])]


def meets(offer: Row, need: Row, options: Iterable[Times], now: datetime) -> str | None:
    """Why an offer is not there when a need wants it, in a phrase; None when it is.

    An appointment, of at most a day, must lie in one of the offer's times and far enough ahead; of anything longer, in
    which a time is still to be agreed, there must be left as much as the service takes.
    """
    given = times(offer)
    asked: list[tuple[datetime | None, datetime | None]] = [*wanted(need, options)] or [(None, None)]
    notice = timedelta(minutes=offer.get("min_notice_minutes") or 0)
    minutes = need.get("duration_minutes")
    lasts = ANY_SERVICE if minutes is None else timedelta(minutes=minutes)
    soon = False
    for start, end in asked:
        if (slot := rules.slot(start, end)) is not None:
            inside = any(a <= slot[0] and slot[1] <= b for a, b in given)
            if inside and (not notice or slot[0] >= now + notice):
                return None
            soon = soon or inside
        elif any(min(b, end or b) - max(a, start or a, now + notice) >= lasts for a, b in given):
            return None
    return "预约时间太近，未留足提前量" if soon else "服务时间不重叠"


def misfit(
    offer: Row, need: Row, *, now: datetime, options: Iterable[Times] = (), papers: Collection[str] = ()
) -> str | None:
    """Why an offer cannot serve a need, in a phrase; None when it can. `queries.fits` says the same in SQL.

    An offer of all 为老 serves a need of 陪诊; not the other way round. `options`: the appointments that are open to
    choose from, or the one that was chosen. `papers`: those of which the need's category asks for one (I11). Of a
    volunteer's offer, `certificates` are those that count today, and `gender` is his.
    """
    if offer["kind"] != need["kind"]:
        return "种类不同"
    if offer["unit"] != need["unit"]:
        return "计量单位不同"
    if not rules.lies_in(need["category_code"], offer["category_code"]):
        return "服务类别不同"
    return _elsewhere(offer, need) or _unable(offer, need, papers) or meets(offer, need, options, now)


def _elsewhere(offer: Row, need: Row) -> str | None:
    if not any(need["area"].startswith(area) for area in offer["service_areas"]):
        return "不在服务区域内"
    if offer.get("radius_km") is None:
        return None
    if need.get("x") is None:
        return "需求位置不明，无法判断距离"
    near = geo.km_between(offer["x"], offer["y"], need["x"], need["y"]) <= geo.real(offer["radius_km"])
    return None if near else "超出服务半径"


def _unable(offer: Row, need: Row, papers: Collection[str]) -> str | None:
    if need.get("skill_code") is not None and need["skill_code"] not in offer.get("skills", ()):
        return "缺少所需技能"
    if need.get("certificate") is not None and need["certificate"] not in offer.get("certificates", ()):
        return "缺少所需资格"
    if papers and not set(papers) & set(offer.get("certificates", ())):
        return "缺少所需资格"
    spoken = need.get("language", Language.MANDARIN)
    if spoken != Language.MANDARIN and spoken not in offer.get("languages", ()):
        return "语言不通"
    wish = need.get("gender_preference", GenderPreference.ANY)
    if need.get("gender_required") and offer.get("person_id") is not None and offer.get("gender") != wish:
        return "性别不符合要求"
    steps = Hint.WHEELCHAIR in need.get("hints", ()) and VenueAccess.STEP_FREE not in offer.get("venue_access", ())
    return "场地不能无障碍进入" if offer["kind"] == Kind.VENUE and steps else None


__all__ = ["Known", "OfferInput", "Venue", "fresh", "meets", "misfit", "settled", "times", "wanted"]
