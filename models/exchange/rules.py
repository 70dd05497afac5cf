"""The laws of the marketplace: who may take which step, which input is sound, and what is derived from quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from models.access import FUND_ROLES, Role
from models.clock import EARLIEST, LATEST
from models.exchange.kinds import ACCESS, Fulfilment, GenderPreference, Hint, Kind, Origin, Side, Unit
from models.exchange.states import NeedStatus, OfferStatus, Status
from models.exchange.venues import VenueAccess
from models.labels import label
from models.problems import InvalidInput, InvalidTransition
from models.rules_text import clean

HOLD = timedelta(hours=24)
"""How long a claim or a proposal holds its quantity."""
REOPEN_DAYS = 15
"""For how long after closing a need may be asked for again."""
ANSWER_DAYS = 3
"""Working days within which the community answers (条例 art. 13)."""
DUE_DAYS = 30
"""When a need is due that names neither a window nor a day."""
GRANT_AFTER = timedelta(hours=24)
"""How long after the service a provider may still ask for the contact."""
LATE = timedelta(hours=24)
"""How long before the service one still calls it off in time."""
LONGEST_SLOT = timedelta(hours=24)
"""A window up to this long is an appointment and books its volunteer; a longer one is a period to choose from."""
LONGEST_WINDOW = timedelta(days=400)
MOST = 10_000
"""The largest quantity that one need or offer may ask for."""

RISKY = ("ELDERLY.BATHING", "DISABLED.CARE", "SAFETY.PATROL", "SAFETY.FIRE", "SAFETY.REPAIRS", "MEDIATION.FAMILY")
"""Categories that nobody under 18 serves in, nor anywhere at night (I10; Charity Law art. 67). The migrations hold the
same, and what night is."""

TRIAGERS = frozenset({Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER})
STAFF = frozenset({*TRIAGERS, Role.GRID_OFFICER})
PROVIDERS = frozenset({Role.VOLUNTEER, Role.NGO_STAFF})
SERVING = PROVIDERS | {Role.PARTY_SECRETARY}
"""Who claims: a party secretary for his unit, livelihood items only."""
ASKERS = frozenset({Role.RESIDENT, *STAFF})
OFFERERS = PROVIDERS | (FUND_ROLES - {Role.FUND_REPORTER})
"""Who offers something: a volunteer himself, an organization's staff, and for a foundation whoever handles its money."""

MAY: dict[str, frozenset[Role]] = {
    "need.submit": ASKERS,
    "need.edit": ASKERS,
    "need.cancel": ASKERS,
    "need.verify": TRIAGERS,
    "need.reject": TRIAGERS,
    "need.refer": TRIAGERS,
    "need.open": TRIAGERS,
    "need.close": TRIAGERS,
    "need.reopen": frozenset({Role.RESIDENT, *TRIAGERS}),
    "need.name_staff": TRIAGERS,
    "need.assign": frozenset({Role.COMMUNITY_STAFF}),
    "need.ask_foundation": TRIAGERS,
    "need.claim": SERVING,
    "need.propose": TRIAGERS,
    "need.split": TRIAGERS,
    "need.merge": TRIAGERS,
    "offer.submit": OFFERERS,
    "offer.edit": OFFERERS,
    "offer.resubmit": OFFERERS,
    "offer.pause": OFFERERS,
    "offer.resume": OFFERERS,
    "offer.withdraw": OFFERERS,
    "offer.upsert": frozenset({Role.NGO_STAFF}),
    "offer.publish": frozenset({Role.COMMUNITY_STAFF, Role.ADMIN}),
    "offer.reject": frozenset({Role.COMMUNITY_STAFF, Role.ADMIN}),
    "commitment.accept": frozenset({Role.RESIDENT, *SERVING, *TRIAGERS}),
    "commitment.decline": frozenset({Role.RESIDENT, *SERVING, *TRIAGERS}),
    "commitment.cancel": frozenset({Role.RESIDENT, *SERVING, *TRIAGERS}),
    "commitment.report": SERVING,
    "commitment.confirm": TRIAGERS,
    "commitment.no_show": frozenset({Role.RESIDENT, *TRIAGERS}),
    "commitment.complete": frozenset({Role.RESIDENT, *TRIAGERS}),
    "commitment.dispute": frozenset({Role.RESIDENT, *TRIAGERS}),
    "commitment.uphold": TRIAGERS,
    "commitment.void": TRIAGERS,
}
"""Who may take which step, scope apart: everybody acts only on rows that he may see."""

BY_OTHERS = frozenset({"confirm", "complete", "uphold", "void"})
"""Steps on a commitment that nobody takes on what he serves himself, in whatever capacity."""

UNRELATED = BY_OTHERS | {"accept"}
"""Steps on a commitment that staff do not take where they have an interest: in who serves, or in who is served (I17)."""

SIDES: dict[Role, Side] = {
    Role.VOLUNTEER: Side.PROVIDER,
    Role.NGO_STAFF: Side.PROVIDER,
    Role.PARTY_SECRETARY: Side.PROVIDER,
    Role.RESIDENT: Side.BENEFICIARY,
    Role.SOCIAL_WORKER: Side.STAFF,
    Role.GRID_OFFICER: Side.STAFF,
    Role.COMMUNITY_STAFF: Side.STAFF,
}
"""On which side of a commitment that he may see somebody of a role stands."""

ANSWERS: dict[Origin, frozenset[Side]] = {
    Origin.CLAIM: frozenset({Side.BENEFICIARY, Side.STAFF}),
    Origin.PROPOSAL: frozenset({Side.PROVIDER}),
}
"""Who accepts: the side that did not make the first move."""

UNITS: dict[Kind, Unit] = {
    Kind.SERVICE: Unit.HELPER,
    Kind.GOODS: Unit.PIECE,
    Kind.CASH_AID: Unit.HOUSEHOLD,
    Kind.VENUE: Unit.SESSION,
    Kind.JOB: Unit.POST,
    Kind.LIVELIHOOD_ITEM: Unit.ITEM,
}
"""The unit of each kind, where none is said."""

S = TypeVar("S", bound=Status)


def step(steps: Mapping[tuple[str, S], S], name: str, status: S) -> S:
    """The state that a step leads to. Raises InvalidTransition where the table has no such step."""
    after = steps.get((name, status))
    if after is None:
        raise InvalidTransition(status=status.value, label=label(status))
    return after


def sources(steps: Mapping[tuple[str, S], S], name: str) -> tuple[S, ...]:
    """The states in which a step may be taken."""
    return tuple(status for (taken, status) in steps if taken == name)


def fulfilment(total: int, delivered: int) -> Fulfilment:
    """How much of a need has been delivered."""
    if delivered == 0:
        return Fulfilment.NONE
    return Fulfilment.FULL if delivered >= total else Fulfilment.PARTIAL


def lies_in(code: str, category: str) -> bool:
    """Whether a category is another one, or below it."""
    return code == category or code.startswith(category + ".")


def late(slot_from: datetime | None, now: datetime) -> bool:
    """Whether an appointment is called off so late that nobody else is found easily: within 24 hours of its beginning."""
    return slot_from is not None and now > slot_from - LATE


def slot(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime] | None:
    """The appointment that a window is; None for none, and for one so long that a time in it is still to be agreed."""
    return (start, end) if start is not None and end is not None and end - start <= LONGEST_SLOT else None


def minutes(need: Mapping[str, Any]) -> int:
    """How long the help takes: as it was said, or as long as the appointment, or an hour (`queries.duration`)."""
    booked = None if need["options"] else slot(need["window_from"], need["window_to"])
    length = 60 if booked is None else int((booked[1] - booked[0]).total_seconds() // 60)
    return int(need["duration_minutes"] or length)


def asks_more(before: Mapping[str, Any], after: Mapping[str, Any], promised: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a change of a need asks something of who has committed to it that he has not said yes to.

    Another gender, a longer service, an end before the time that was agreed or, where none was, before the one that was
    said; for a wheelchair a venue with steps. `promised`: those that are still to be served; each with when it ends, and
    how one gets into the venue of its offer, None where there is none.
    """
    sooner = after["due_at"] < before["due_at"]
    wheels = after["kind"] == Kind.VENUE and Hint.WHEELCHAIR in set(after["hints"]) - set(before["hints"])
    other = after["gender_required"] and after["gender_preference"] != before["gender_preference"]
    more = other or minutes(after) > minutes(before)
    return any(
        more
        or (sooner and (one["slot_to"] is None or one["slot_to"] > after["due_at"]))
        or (wheels and one["venue_access"] is not None and VenueAccess.STEP_FREE not in one["venue_access"])
        for one in promised
    )


def quantity(given: int, field: str = "quantity") -> int:
    """A quantity, 1 to 10,000. Raises InvalidInput outside."""
    if not 1 <= given <= MOST:
        raise InvalidInput(field=field, reason=f"数量须在 1 至 {MOST} 之间。")
    return given


def urgency(given: int) -> int:
    """1 to 4. Raises InvalidInput outside."""
    if not 1 <= given <= 4:
        raise InvalidInput(field="urgency", reason="紧急程度须在 1 至 4 之间，4 为最急。")
    return given


def vulnerability(given: int) -> int:
    """0 to 3. Raises InvalidInput outside."""
    if not 0 <= given <= 3:
        raise InvalidInput(field="vulnerability", reason="困难程度须在 0 至 3 之间。")
    return given


def duration(given: int | None) -> int | None:
    """Minutes that the help takes: 10 to 1,440 (a day); None where it is the length of the appointment, or an hour."""
    if given is not None and not 10 <= given <= 1440:
        raise InvalidInput(field="durationMinutes", reason="服务时长须在 10 分钟至 24 小时之间。")
    return given


def rating(given: int | None) -> int | None:
    """1 to 5 stars. Raises InvalidInput outside."""
    if given is not None and not 1 <= given <= 5:
        raise InvalidInput(field="rating", reason="评分须在 1 至 5 星之间。")
    return given


def window(
    start: datetime | None, end: datetime | None, now: datetime, fields: tuple[str, str] = ("windowFrom", "windowTo")
) -> tuple[datetime | None, datetime | None]:
    """A time window that is not over: both ends or neither. Raises InvalidInput naming the end that is wrong."""
    if start is None and end is None:
        return None, None
    if start is None or end is None:
        raise InvalidInput(field=fields[0] if start is None else fields[1], reason="起止时间须同时填写。")
    if not EARLIEST <= start < end < LATEST:
        raise InvalidInput(field=fields[1], reason="结束时间须晚于开始时间。")
    if end <= now:
        raise InvalidInput(field=fields[1], reason="结束时间须晚于现在。")
    if end - start > LONGEST_WINDOW:
        raise InvalidInput(field=fields[1], reason="时间跨度过长，最多 400 天。")
    return start, end


def due(given: datetime, now: datetime, window_to: datetime | None = None) -> datetime:
    """A day by which something is wanted. Raises InvalidInput unless it lies ahead, by at most 400 days, and not after
    the end of the window: nobody can serve then."""
    if not now < given <= now + LONGEST_WINDOW:
        raise InvalidInput(field="dueAt", reason="截止时间须晚于现在，且在 400 天以内。")
    if window_to is not None and given > window_to:
        raise InvalidInput(field="dueAt", reason="截止时间不能晚于服务时间的结束。")
    return given


def title(given: str) -> str:
    """A title of 2 to 60 characters. Raises InvalidInput."""
    return clean(given, "title", most=60, least=2)


def note(given: str | None, field: str = "note") -> str | None:
    """A longer text of at most 2,000 characters; empty counts as none. Raises InvalidInput."""
    return (clean(given, field, most=2000, least=0, lines=True) or None) if given is not None else None


def reason(given: str, field: str = "reason") -> str:
    """Why: 2 to 200 characters. Raises InvalidInput."""
    return clean(given, field, most=200, least=2)


def hints(given: Iterable[Hint]) -> list[Hint]:
    """What whoever helps should know, in the order of its table, none twice."""
    chosen = set(given)
    return [hint for hint in Hint if hint in chosen]


def edited_hints(role: Role, given: Iterable[Hint], before: Iterable[str]) -> list[Hint]:
    """The hints after somebody of a role has changed them: whoever asks leaves the staff's as they are."""
    chosen = said_hints(role, given)
    kept = () if role in STAFF else (Hint(hint) for hint in before if Hint(hint) not in ACCESS)
    return hints((*chosen, *kept))


def of_staff(role: Role, field: str, given: int) -> int:
    """What only staff say of somebody, by what they found; 0 is nothing said. Raises InvalidInput for others."""
    if given and role not in STAFF:
        raise InvalidInput(field=field, reason="困难程度由社区工作人员填写。")
    return given


def gender_bar(required: bool, preference: GenderPreference) -> bool:
    """Whether the wish for a gender is a bar. Raises InvalidInput where there is none to insist on."""
    if required and preference is GenderPreference.ANY:
        raise InvalidInput(field="genderRequired", reason="请先选择希望的性别。")
    return required


def said_hints(role: Role, given: Iterable[Hint]) -> list[Hint]:
    """The hints that somebody of a role gives: how one gets in is for whoever asks to say, the rest for staff.

    Raises InvalidInput.
    """
    chosen = hints(given)
    if role not in STAFF and not set(chosen) <= set(ACCESS):
        raise InvalidInput(field="hints", reason="除出入条件外，服务提示由社区工作人员填写。")
    return chosen


CHECKS: dict[str, Callable[[Any], Any]] = {
    "title": title,
    "note": note,
    "qty_total": quantity,
    "urgency": urgency,
    "hints": hints,
    "vulnerability": vulnerability,
    "duration_minutes": duration,
}
"""What each editable field must be, by its column; what is not named here is a choice or is checked beside others."""

EDITABLE: dict[NeedStatus, frozenset[Role]] = {
    NeedStatus.DRAFT: ASKERS,
    NeedStatus.SUBMITTED: ASKERS,
    NeedStatus.VERIFIED: STAFF,
    NeedStatus.REOPENED: STAFF,
    NeedStatus.OPEN: TRIAGERS,
    NeedStatus.IN_PROGRESS: TRIAGERS,
}
"""Who may still change a need's words and numbers, by where it stands."""

OFFER_EDITABLE: tuple[OfferStatus, ...] = (
    OfferStatus.DRAFT,
    OfferStatus.PENDING_REVIEW,
    OfferStatus.PUBLISHED,
    OfferStatus.PAUSED,
)
"""Where its provider may still change an offer."""
REVIEWED = {
    "title": "title",
    "note": "note",
    "category_id": "category",
    "service_areas": "areas",
    "x": "position",
    "y": "position",
    "radius_km": "radiusKm",
    "skills": "skills",
    "certificates": "certificates",
    "languages": "languages",
    "venue_address": "venue",
    "venue_seats": "venue",
    "venue_equipment": "venue",
    "venue_access": "venue",
}
"""What of an offer stays as it was reviewed, once it is published, and the field that it comes from."""
