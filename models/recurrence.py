"""Repetition, by rules of RFC 5545: what may be said in one, and when its occurrences are.

Only what people mean by "every second Tuesday" is taken, and no rule without an end. Occurrences are computed on the
zone's own clock, so that 08:30 stays 08:30 on both sides of a daylight rule (RFC 5545, section 3.3.10); how long one
lasts is absolute. An hour that a spring night skips is read by the offset before it (section 3.3.5).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

from models import clock
from models.problems import InvalidInput

FIELD = "rrule"
LONGEST = 200
MOST = 400
"""The largest COUNT: every day of the longest time ahead that anything here may be asked or offered for."""
INTERVALS = {"DAILY": 366, "WEEKLY": 53, "MONTHLY": 12}
"""The frequencies that are taken, and the largest INTERVAL of each: about a year."""
DAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
PARTS = {
    "FREQ": re.compile("|".join(INTERVALS)),
    "INTERVAL": re.compile("[0-9]{1,3}"),
    "COUNT": re.compile("[0-9]{1,3}"),
    "UNTIL": re.compile("[0-9]{8}(?:T[0-9]{6}Z?)?"),
    "BYDAY": re.compile(rf"(?:[+-]?[1-5])?{DAY}(?:,(?:[+-]?[1-5])?{DAY}){{0,6}}"),
    "BYMONTHDAY": re.compile("-?[0-9]{1,2}(?:,-?[0-9]{1,2}){0,30}"),
}
"""The parts that are taken, in the order in which a rule is written down, and what each looks like."""


def _refuse(reason: str) -> InvalidInput:
    return InvalidInput(field=FIELD, reason=reason)


def read_rule(text: str) -> str:
    """A rule as it is stored: its parts in one order, in capitals, without the words `RRULE:`.

    FREQ is DAILY, WEEKLY or MONTHLY, with INTERVAL; BYDAY, of which only MONTHLY takes ordinals (`1MO`, `-1FR`);
    BYMONTHDAY for MONTHLY; and either COUNT or UNTIL. Raises InvalidInput for anything else, and for no end.
    """
    parts = _split(text)
    frequency = parts.get("FREQ")
    if frequency is None:
        raise _refuse("重复规则须写明频率：每天、每周或每月。")
    if ("COUNT" in parts) is ("UNTIL" in parts):
        raise _refuse("重复须有结束：填写次数或截止日期之一。")
    if not 1 <= int(parts.get("INTERVAL", "1")) <= INTERVALS[frequency]:
        raise _refuse("重复的间隔过长或为零。")
    if not 1 <= int(parts.get("COUNT", "1")) <= MOST:
        raise _refuse(f"重复次数须在 1 至 {MOST} 之间。")
    if "UNTIL" in parts:
        _until(parts["UNTIL"], clock.SHANGHAI)
    _days(frequency, parts)
    return ";".join(f"{name}={parts[name]}" for name in PARTS if name in parts)


def _split(text: str) -> dict[str, str]:
    said = text.strip().upper().removeprefix("RRULE:")
    if len(said) > LONGEST:
        raise _refuse("重复规则过长。")
    parts: dict[str, str] = {}
    for part in said.split(";"):
        name, _, value = part.partition("=")
        pattern = PARTS.get(name)
        if pattern is None or name in parts or pattern.fullmatch(value) is None:
            raise _refuse("重复规则无法识别，请用每天、每周或每月的规则。")
        parts[name] = value
    return parts


def _days(frequency: str, parts: dict[str, str]) -> None:
    if "BYMONTHDAY" in parts:
        days = [int(day) for day in parts["BYMONTHDAY"].split(",")]
        if frequency != "MONTHLY" or "BYDAY" in parts or not all(1 <= abs(day) <= 31 for day in days):
            raise _refuse("按日期重复只用于每月，日期为 1 至 31。")
    if frequency != "MONTHLY" and re.search("[0-9]", parts.get("BYDAY", "")):
        raise _refuse("“第几个星期几”只用于每月的规则。")


def _until(text: str, zone: tzinfo) -> datetime:
    """The last moment of a rule on the zone's clock; of a day, its last one. Raises InvalidInput for no such day."""
    try:
        if text.endswith("Z"):
            said = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            return said.astimezone(zone).replace(tzinfo=None)
        if "T" in text:
            return datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007  # the zone's own clock
        return datetime.strptime(text, "%Y%m%d") + timedelta(days=1, microseconds=-1)  # noqa: DTZ007
    except (ValueError, OverflowError):
        raise _refuse("重复的截止日期无效。") from None


def occurrences(
    rule: str,
    start: datetime,
    duration: timedelta,
    *,
    after: datetime,
    before: datetime,
    most: int,
    zone: tzinfo = clock.SHANGHAI,
) -> list[tuple[datetime, datetime]]:
    """The windows (from, to) of a rule that `read_rule` has passed which overlap [`after`, `before`): the earliest,
    at most `most`, each with the zone's offset.

    `start` is when the first may begin: COUNT counts from it, and its time of day on the zone's clock is that of all.
    """
    from dateutil import rrule  # a few milliseconds of loading that most processes never need

    parts = dict(part.split("=") for part in rule.split(";"))
    last = before.astimezone(zone).replace(tzinfo=None)
    if "UNTIL" in parts:
        last = min(last, _until(parts["UNTIL"], zone))
    counted = int(parts.pop("COUNT", MOST))
    parts.pop("UNTIL", None)
    begins = start.astimezone(zone).replace(tzinfo=None, fold=0)
    bare = ";".join(f"{name}={value}" for name, value in parts.items())
    every = rrule.rrulestr(bare, dtstart=begins)
    assert isinstance(every, rrule.rrule)
    found = every.replace(until=last)
    windows = ((at := local.replace(tzinfo=zone), _later(at, duration)) for local in islice(found, counted))
    return list(islice(((a, b) for a, b in windows if b > after and a < before), most))


def _later(at: datetime, duration: timedelta) -> datetime:
    return (at.astimezone(UTC) + duration).astimezone(at.tzinfo)
