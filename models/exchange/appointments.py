"""When somebody is wanted: up to three appointments to choose from, or one that repeats. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from models.clock import EARLIEST
from models.exchange.rules import LONGEST_SLOT, LONGEST_WINDOW
from models.problems import InvalidInput
from models.recurrence import FIELD, occurrences, read_rule

MOST_OPTIONS = 3
MOST_OCCURRENCES = 60
"""How many needs one recurring need may become."""

Window = tuple[datetime, datetime]


def options(given: Sequence[Window], now: datetime) -> list[Window]:
    """Up to three appointments, in the asker's order. Raises InvalidInput (`options`) for more, for one that is over or
    ends before it begins, lasts longer than 24 hours, stands there twice, or lies more than 400 days ahead."""
    if len(given) > MOST_OPTIONS:
        raise _wrong("预约时段最多 3 个。")
    for start, end in given:
        if not EARLIEST <= start < end:
            raise _wrong("预约时段的结束须晚于开始。")
        if start <= now:
            raise _wrong("预约时段须在现在之后。")
        if end - start > LONGEST_SLOT:
            raise _wrong("每个预约时段最长 24 小时。")
        if end > now + LONGEST_WINDOW:
            raise _wrong("预约时段须在 400 天以内。")
    if len(set(given)) < len(given):
        raise _wrong("预约时段不能重复。")
    return list(given)


def _wrong(reason: str) -> InvalidInput:
    return InvalidInput(field="options", reason=reason)


def span(given: Sequence[Window]) -> Window:
    """From the beginning of the first appointment to the end of the last."""
    return min(start for start, _ in given), max(end for _, end in given)


def repeated(rule: str, window: tuple[datetime | None, datetime | None]) -> tuple[str, list[Window]]:
    """A rule as it is stored, and all windows that it makes of a need's, that one being the first.

    Raises InvalidInput (`rrule`) for what is no rule, where there is no appointment to repeat, where that is not the
    rule's first, and unless it comes 2 to 60 times within 400 days.
    """
    read = read_rule(rule)
    start, end = window
    if start is None or end is None or end - start > LONGEST_SLOT:
        raise InvalidInput(field=FIELD, reason="重复的需求须填写 24 小时以内的服务时间。")
    far = start + 2 * LONGEST_WINDOW
    found = occurrences(read, start, end - start, after=start, before=far, most=MOST_OCCURRENCES + 1)
    if not found or found[0][0] != start:
        raise InvalidInput(field=FIELD, reason="首次服务时间须符合重复规则。")
    if not 2 <= len(found) <= MOST_OCCURRENCES:
        raise InvalidInput(field=FIELD, reason=f"重复须为 2 至 {MOST_OCCURRENCES} 次。")
    if found[-1][1] > start + LONGEST_WINDOW:
        raise InvalidInput(field=FIELD, reason="重复的时间跨度最长 400 天。")
    return read, found
