"""The audit log, for auditors: who did what, to what, when, from where, and what came of it."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models import audit, audit_seal
from models.access import Role
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.people import Organization, Person

T = audit.AuditEvent


def text(column: str) -> w.Row:
    """A UUID, or JSON, as text."""
    return lambda row: sa.cast(getattr(row, column), sa.Text())


@w.entity(audit.AuditEvent)
@strawberry.type(
    description="One act, refused attempt, or reading of personal data. Only ever added to; sealed within seconds. 审计日志。"
)
class AuditEvent:
    at: datetime = w.column(T.at, description="When.")
    action: str = w.column(
        T.action,
        description="A mutation's name, `personalData.read`, `audit.read`, `signIn.check` for a refused token, `job.…`, `command.…`, or `refusals.counted`.",
    )
    result: str = w.column(T.result, description="`DONE`, or the code of what it was refused with or failed by.")
    role: str = w.column(T.role, description="In which capacity; `SYSTEM` for jobs and commands.")
    person: Person | None = w.one(T.person, description="Who, masked; null for the public and for the platform itself.")
    organization: Organization | None = w.one(T.organization, description="For which organization.")
    area: str | None = w.column(T.area, description="Over which area: its code.")
    subject_type: str | None = w.column(T.subject_type, description="The type of what it was done to.")
    subject: str | None = w.expression(text("subject"), description="The UUID of what it was done to.")
    sign_in: str | None = w.expression(text("sign_in"), description="The UUID of the sign-in that was used.")
    key: str | None = w.expression(text("key"), description="The UUID of the API key that was used.")
    address: str | None = w.column(T.address, description="The client's network address.")
    request: str | None = w.column(T.request, description="The request's id, as its answer and the logs have it.")
    detail: str = w.expression(
        text("detail"), description="What else there is to say, as JSON: ids, counts, purposes; no personal data."
    )


@strawberry.input(description="Only acts that meet every condition given here.")
class AuditEventFilter:
    person: strawberry.ID | None = w.where(lambda row, value: row.person == value, description="By this person.")
    subject: strawberry.ID | None = w.where(
        lambda row, value: row.subject == value, description="On this, by its id as any answer gives it."
    )
    actions: list[str] | None = w.where(
        lambda row, value: row.action == sa.any_(value), description="Of one of these names."
    )
    results: list[str] | None = w.where(
        lambda row, value: row.result == sa.any_(value), description="With one of these results."
    )
    roles: list[Role] | None = w.where(
        lambda row, value: row.role == sa.any_(value), description="In one of these capacities."
    )
    address: str | None = w.where(lambda row, value: row.address == value, description="From this address.")
    since: datetime | None = w.where(lambda row, value: row.at >= value, description="Not before this.")
    until: datetime | None = w.where(lambda row, value: row.at < value, description="Before this.")


@strawberry.type(description="One link of the chain over the audit log.")
class AuditSeal:
    number: int = w.named("n", description="Its number: 1, 2, 3, … without a gap.")
    at: datetime = w.named("at", description="When it was made.")
    month: date = w.named("month", description="The first day of the month of its rows.")
    count: int = w.named("count", description="How many rows it holds.")
    hash: str = w.named(
        "hash",
        description="Its hash, in hexadecimal. Kept elsewhere, it shows later that the log's end was not cut off.",
    )


@strawberry.type
class AuditQuery:
    audit_events: Connection[AuditEvent] = w.connection(
        order=(desc(T.at),),
        filter=AuditEventFilter,
        description="The audit log by pages, the latest first: for auditors only. Reading it is itself written to it, as `audit.read`.",
    )
    audit_seals: list[AuditSeal] = w.report(
        audit_seal.newest,
        size=audit_seal.NEWEST,
        description="The newest seals of the audit log, the newest first: for auditors.",
    )
