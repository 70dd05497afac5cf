"""A fund statement as a file for spreadsheets: CSV in UTF-8 with a byte order mark, so that they read the Chinese.

A cell that a spreadsheet would take for a formula is written as text (a leading apostrophe); amounts are ours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

import models.funds.visible  # noqa: F401  (the statements are written with these rules)
from models.access import FUND_ROLES, Role, require, seen
from models.base import table
from models.database import Db, Seen
from models.exchange.tables import ServiceCategory
from models.funds.tables import Fund
from models.problems import InvalidInput, refuses
from models.reports import queries
from models.territory.tables import Division

BOM = "\ufeff"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a formula begins, also where a spreadsheet takes full-width signs for plain ones."""
READERS = FUND_ROLES | {Role.AUDITOR}
LONGEST_DAYS = 366 * 5

SINCE, UNTIL = sa.bindparam("since", type_=sa.Date()), sa.bindparam("until", type_=sa.Date())
OF = sa.bindparam("fund", type_=sa.Uuid())
fund, category, division = table(Fund), table(ServiceCategory), table(Division)


def _statement(viewer: Any) -> sa.Select[Any]:
    lines = queries.fund_statement(queries.Looking(viewer, seen), SINCE, UNTIL, OF).order_by(None).subquery("lines")
    return (
        sa.select(fund.c.name, *lines.c)
        .select_from(lines.join(fund, fund.c.id == lines.c.fund_id))
        .order_by(fund.c.name, fund.c.id)
    )


def _restrictions(viewer: Any) -> sa.Select[Any]:
    looking = queries.Looking(viewer, seen)
    lines = queries.fund_restrictions(looking, SINCE, UNTIL, OF).order_by(None).subquery("lines")
    return (
        sa.select(fund.c.name, category.c.name.label("category"), division.c.name.label("division"), *lines.c)
        .select_from(
            lines.join(fund, fund.c.id == lines.c.fund_id)
            .outerjoin(category, category.c.code == lines.c.category_code)
            .outerjoin(division, division.c.code == lines.c.restricted_area)
        )
        .order_by(
            fund.c.name,
            fund.c.id,
            *(
                lines.c[n].nulls_first()
                for n in ("category_code", "restricted_area", "restricted_from", "restricted_to")
            ),
        )
    )


STATEMENT, RESTRICTIONS = Seen(_statement), Seen(_restrictions)
AMOUNTS = ("opening", "received", "spent", "refunded", "closing")
HEADINGS = ("期初余额", "本期收入", "本期支出", "本期退款", "期末余额")


def safe(cell: object) -> object:
    """A cell that no spreadsheet runs."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def yuan(fen: int) -> str:
    """Fen as yuan with two decimals: 1234567 is 12345.67."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def written(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV (RFC 4180, CRLF) with a byte order mark. Amounts come as text made by `yuan`, in numbers' places."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return BOM + out.getvalue()


@refuses()
async def fund_statement(db: Db, since: date, until: date, of: UUID | None = None) -> str:
    """The statement of the caller's funds, or of one of them, from one day to another, both included.

    First each fund with its total and what of it is restricted; then the same by what donors bound it to. Raises
    Forbidden for roles that do not read the books, InvalidInput for days out of order or more than five years apart.
    """
    require(db.actor, READERS)
    if not since <= until or (until - since).days > LONGEST_DAYS:
        raise InvalidInput(field="until", reason="结束日不能早于开始日，跨度不超过五年。")
    values = {"since": since, "until": until, "fund": of}
    lines: list[list[object]] = [[f"基金收支表 {since} 至 {until}（单位：元）"], ["基金", "口径", *HEADINGS]]
    for row in await db.all(STATEMENT, **values):
        name = safe(row["name"])
        whole = [row[a] for a in AMOUNTS]
        bound = [row[f"{a}_restricted"] for a in AMOUNTS]
        lines.append([name, "合计", *map(yuan, whole)])
        lines.append([name, "其中：限定性", *map(yuan, bound)])
        lines.append([name, "其中：非限定性", *(yuan(a - b) for a, b in zip(whole, bound, strict=True))])
    lines += [[], ["基金", "限定用途", "限定地区", "限定自", "限定至", *HEADINGS]]
    for row in await db.all(RESTRICTIONS, **values):
        bounds = (row["category"], row["division"], row["restricted_from"], row["restricted_to"])
        told = ["不限" if b is None else safe(str(b)) for b in bounds]
        lines.append([safe(row["name"]), *told, *(yuan(row[a]) for a in AMOUNTS)])
    return written(lines)
