"""One person's own data as one document, of one snapshot (PIPL art. 45): opened, documented, complete."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from models import clock
from models.privacy.export.categories import Category, Source
from models.privacy.export.sources import SOURCES
from models.privacy.export.words import FIELDS
from models.vault import Keys

FORMAT = "wushe.personal-data/1"
EXPLAINED = {
    "zh": "本文件是平台保存的您的全部个人信息，分为十二类；没有内容的类别也会列出。他人只显示姓氏。时间为北京时间，金额单位为元。"
    "请妥善保管：任何得到本文件的人都能看到其中的内容。",
    "en": "All personal data that the platform holds of you, in twelve categories; empty ones are listed too. Other people are"
    " shown by their surname. Times are Shanghai's, amounts are yuan. Keep it safe: whoever has this file can read it.",
}


def camel(name: str) -> str:
    """A column's name as the file writes it: `check_in_at` -> `checkInAt`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def written(value: Any) -> Any:
    """A value in the schema's form: instants in milliseconds with Shanghai's offset, days as ISO 8601."""
    if isinstance(value, datetime):
        return value.astimezone(clock.SHANGHAI).isoformat(timespec="milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def row_of(source: Source, row: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """A row as the file has it, its sealed values opened."""
    out: dict[str, Any] = {}
    for name, value in row.items():
        if name.startswith("_"):
            continue
        if name in source.opened and value is not None:
            kind, subject = source.opened[name]
            value = keys.open(kind, value, row[subject])
            value = json.loads(value) if name in source.parsed else value
        out[camel(name)] = written(value)
    return out


async def own_data(connection: asyncpg.Connection, keys: Keys, person: UUID, now: datetime) -> dict[str, Any]:
    """The document, from a connection in a REPEATABLE READ transaction, so that all of it is of one instant."""
    found: dict[str, dict[str, Any]] = {category.value[0]: {} for category in Category}
    for source in SOURCES:
        rows = [row_of(source, row, keys) for row in await connection.fetch(source.sql, person)]
        part: Any = rows
        if source.one:
            part = rows[0] if rows else None
        found[source.category.value[0]][source.name] = part
    return {
        "format": FORMAT,
        "madeAt": written(now),
        "person": f"person_{person}",
        "explanation": EXPLAINED,
        "categories": found,
        "documentation": documentation(),
    }


def documentation() -> dict[str, Any]:
    """What every key of the file means, in Chinese and in English."""
    categories: dict[str, Any] = {}
    for category in Category:
        key, zh, en = category.value
        parts = {s.name: {"zh": s.zh, "en": s.en} for s in SOURCES if s.category is category}
        categories[key] = {"zh": zh, "en": en, "parts": parts}
    return {"categories": categories, "fields": {name: {"zh": zh, "en": en} for name, (zh, en) in FIELDS.items()}}
