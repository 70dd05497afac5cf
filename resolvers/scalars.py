"""One written form for each scalar, the same in SQL and in Python.

On the standard path values arrive already written by the database, so every serializer lets text pass.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError
from strawberry.schema.types import base_scalars
from strawberry.types.scalar import ScalarDefinition

from models import clock
from models.files.ports import Upload

AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,4})?", re.ASCII)


def bad(message: str) -> GraphQLError:
    """A value that cannot be read, as clients see it."""
    return GraphQLError(message, extensions={"code": "BAD_INPUT"})


def _passing(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: value if type(value) is str else write(value)


def _instant(value: Any) -> datetime:
    try:
        return clock.read(value)
    except (ValueError, TypeError, OverflowError):
        raise bad(
            f"时间“{str(value)[:40]}”无效：请用带时区的 ISO 8601 格式，如 2026-11-02T09:00:00+08:00，年份在 1992 至 2199 之间。"
        ) from None


def _date(value: Any) -> date:
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        on = date.fromisoformat(value)
    except ValueError:
        raise bad(f"日期“{str(value)[:40]}”无效：请用 2026-11-02 的格式。") from None
    if not 1900 <= on.year < 2200:
        raise bad("日期超出范围：年份在 1900 至 2199 之间。")
    return on


def _decimal(value: Any) -> Decimal:
    text = (
        str(value)
        if isinstance(value, (int, str)) and not isinstance(value, bool)
        else format(value, "f")
        if isinstance(value, float)
        else ""
    )
    if not AMOUNT.fullmatch(text):
        raise bad(f'数值“{str(value)[:40]}”无效：请用字符串写十进制数，如 "123.45"。')
    return Decimal(text)


def _written(
    definition: ScalarDefinition, write: Callable[[Any], str], read: Callable[[Any], Any], description: str
) -> ScalarDefinition:
    return dataclasses.replace(
        definition, serialize=_passing(write), parse_value=read, parse_literal=None, description=description
    )


def _upload(value: Any) -> Upload:
    if not isinstance(value, Upload):
        raise bad("文件须按 GraphQL multipart 规范上传，变量中写 null，并在 map 中指明。")
    return value


def _never(value: Any) -> str:
    raise TypeError("an upload only comes in")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: _written(
        base_scalars.DateTimeDefinition,
        lambda at: at.astimezone(clock.SHANGHAI).isoformat(timespec="milliseconds"),
        _instant,
        "A point in time, ISO 8601 in milliseconds with Shanghai's offset: `2026-11-02T09:00:00.000+08:00`. Any offset is read; none is refused.",
    ),
    date: _written(base_scalars.DateDefinition, date.isoformat, _date, "A calendar day in Shanghai: `2026-11-02`."),
    Decimal: _written(
        base_scalars.DecimalDefinition,
        lambda n: format(n, "f"),
        _decimal,
        'A decimal number, as text so that no digit is lost: `"123.45"`.',
    ),
    Upload: dataclasses.replace(
        base_scalars.DateTimeDefinition,
        name="Upload",
        serialize=_never,
        parse_value=_upload,
        parse_literal=None,
        specified_by_url="https://github.com/jaydenseric/graphql-multipart-request-spec",
        description="A file of a multipart request: `null` in the variables, named in `map`. At most 5 a request, of 10 MB each.",
    ),
}
