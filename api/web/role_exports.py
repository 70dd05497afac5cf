"""What staff take away as a spreadsheet: the needs, sessions and hours that they see anyway, of a span of days.

Each file is a query of the API's own, asked in the caller's capacity page by page: who may see what is said nowhere
again, names are as masked as on the screen, and what is read of others is on the audit log. A cell that a spreadsheet
would run is written as text.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import orjson

from api.web.desk import Desk
from models import clock
from models.access import Actor, Role, require
from models.activity.rules import HourKind, HourTrust, SessionStatus
from models.exchange.kinds import Kind, Unit
from models.exchange.states import NeedStatus
from models.labels import label
from models.problems import InvalidInput
from models.reports.csv import safe, written

PAGE, MOST, LONGEST_DAYS = 50, 2_500, 366
"""Rows asked for at once, and rows and days of one file. What the largest file costs is in a person's full bucket."""

Read = Callable[[dict[str, Any]], object]


def at(path: str, of: type[enum.StrEnum] | None = None) -> Read:
    """A value of a node, `need.community.name`; with an enumeration, its Chinese label. Empty where there is none."""

    def read(node: dict[str, Any]) -> object:
        value: Any = node
        for step in path.split("."):
            value = None if value is None else value[step]
        return "" if value is None else value if of is None else label(of(value))

    return read


def named(path: str) -> Read:
    """A person as the caller sees him: by his full name where that is shown, else masked."""
    full, masked = at(f"{path}.fullName"), at(f"{path}.name")
    return lambda node: full(node) or masked(node)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """One kind of file: who takes it, what is asked for, and its columns."""

    title: str
    root: str
    may: frozenset[Role]
    fields: str
    order: str
    filter_type: str
    filter: Callable[[Actor, date, date], Mapping[str, Any]]
    columns: Mapping[str, Read]

    @property
    def query(self) -> str:
        page = f"first: {PAGE}, after: $after, order: {self.order}, filter: $filter"
        return (
            f"query ($after: String, $filter: {self.filter_type}) {{ {self.root}({page}) {{"
            f" pageInfo {{ hasNextPage endCursor }} edges {{ node {{ {self.fields} }} }} }} }}"
        )


def _days(since: date, until: date) -> tuple[str, str]:
    """The first instant of a span of days, and the first after it; the last there is, where none comes after."""
    after = min(clock.midnight(until + timedelta(days=1)), clock.LATEST - timedelta.resolution)
    return clock.midnight(since).isoformat(), after.isoformat()


def _own(actor: Actor) -> dict[str, Any]:
    """What is the caller's: his organization's, or his area's."""
    if actor.role is Role.NGO_STAFF:
        return {"organization": f"organization_{actor.organization}"}
    return {"under": actor.area}


def _needs(actor: Actor, since: date, until: date) -> Mapping[str, Any]:
    start, end = _days(since, until)
    cases = {"assignedToMe": True} if actor.role is Role.SOCIAL_WORKER else _own(actor)
    return {**cases, "createdAfter": start, "createdBefore": end}


def _sessions(actor: Actor, since: date, until: date) -> Mapping[str, Any]:
    start, end = _days(since, until)
    return {**_own(actor), "startsFrom": start, "startsBefore": end}


def _hours(actor: Actor, since: date, until: date) -> Mapping[str, Any]:
    return {**_own(actor), "creditedFrom": since.isoformat(), "creditedTo": until.isoformat()}


LOCAL = frozenset({Role.COMMUNITY_STAFF, Role.NGO_STAFF})
SHEETS: dict[str, Sheet] = {
    "needs": Sheet(
        "需求",
        "needs",
        frozenset({Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}),
        "no title kind status unit quantity quantityDelivered urgency createdAt openedAt closedAt category { name }"
        " community { name } grid { name } beneficiary { person { name } }",
        "NEWEST",
        "NeedFilter",
        _needs,
        {
            "编号": at("no"),
            "标题": at("title"),
            "种类": at("kind", Kind),
            "服务类别": at("category.name"),
            "社区": at("community.name"),
            "网格": at("grid.name"),
            "服务对象": at("beneficiary.person.name"),
            "状态": at("status", NeedStatus),
            "数量": at("quantity"),
            "已完成": at("quantityDelivered"),
            "单位": at("unit", Unit),
            "紧急程度": at("urgency"),
            "提交时间": at("createdAt"),
            "开放时间": at("openedAt"),
            "办结时间": at("closedAt"),
        },
    ),
    "sessions": Sheet(
        "服务场次",
        "sessions",
        LOCAL,
        "title status startsAt endsAt place capacity acceptedCount headcountRegistered headcountUnregistered"
        " organization { name } community { name } category { name }",
        "STARTS_SOONEST",
        "SessionFilter",
        _sessions,
        {
            "名称": at("title"),
            "组织": at("organization.name"),
            "服务类别": at("category.name"),
            "社区": at("community.name"),
            "地点": at("place"),
            "开始": at("startsAt"),
            "结束": at("endsAt"),
            "状态": at("status", SessionStatus),
            "名额": at("capacity"),
            "已接受": at("acceptedCount"),
            "服务人次（登记）": at("headcountRegistered"),
            "服务人次（未登记）": at("headcountUnregistered"),
        },
    ),
    "hours": Sheet(
        "服务时长",
        "hourEntries",
        LOCAL,
        "kind minutes trust servedOn creditedOn volunteer { name fullName volunteer { volunteerNo } }"
        " organization { name } category { name } attendance { session { title } }",
        "OLDEST",
        "HourFilter",
        _hours,
        {
            "志愿者": named("volunteer"),
            "志愿者编号": at("volunteer.volunteer.volunteerNo"),
            "组织": at("organization.name"),
            "服务类别": at("category.name"),
            "场次": at("attendance.session.title"),
            "服务日期": at("servedOn"),
            "记账日": at("creditedOn"),
            "类型": at("kind", HourKind),
            "分钟": at("minutes"),
            "依据": at("trust", HourTrust),
        },
    ),
}


async def role_export(desk: Desk, sheet: Sheet, since: date, until: date) -> tuple[str, int]:
    """A sheet as CSV, and how many rows it has. Its readings of others are on the audit log by then.

    Each page costs what the same query costs at `/graphql`. Raises Forbidden, InvalidInput for days out of order or too
    far apart, and for more rows than a file takes; and whatever an operation raises.
    """
    require(desk.actor, sheet.may)
    if not since <= until or (until - since).days >= LONGEST_DAYS:
        raise InvalidInput(field="to", reason="结束日不能早于开始日，跨度不超过一年。")
    head = [f"{sheet.title} {since} 至 {until}"]
    rows: list[list[object]] = [list(sheet.columns)]
    variables: dict[str, Any] = {"after": None, "filter": sheet.filter(desk.actor, since, until)}
    while True:
        found = await _page(desk, sheet.query, variables)
        rows += ([safe(read(edge["node"])) for read in sheet.columns.values()] for edge in found[sheet.root]["edges"])
        if len(rows) > MOST + 1:
            raise InvalidInput(field="to", reason=f"超过 {MOST} 行，请缩短日期范围分次导出。")
        page = found[sheet.root]["pageInfo"]
        if not page["hasNextPage"]:
            return written([head, *rows]), len(rows) - 1
        variables = {**variables, "after": page["endCursor"]}


async def _page(desk: Desk, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    operations = desk.operations
    context = operations.context(
        text,
        variables,
        None,
        desk.actor,
        reads=desk.pool,
        now=desk.now,
        address=desk.address,
        request_id=desk.request_id,
    )
    answer = await operations.answer(context, operations.document(context))
    if not isinstance(answer, bytes):
        if answer.errors:
            raise answer.errors[0]
        assert answer.data is not None
        return answer.data
    data: dict[str, Any] = orjson.loads(answer)["data"]
    return data
