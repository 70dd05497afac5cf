"""What may have attachments, and which of it somebody sees: an attachment is visible exactly where its subject is.

Of a need that stands in the public list strangers see the title; its particulars are for those in whom
`exchange.queries.in_full` trusts. A photo of somebody's kitchen is a particular: it is where the note is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from models.access import NOBODY, Viewer, seen
from models.activity.tables import Attendance, ManualProposal, ServiceSession
from models.base import Table, table
from models.exchange import queries
from models.exchange.tables import Commitment, Need, Offer
from models.files.rules import SubjectKind
from models.funds.spending import Allocation, Disbursement

K = SubjectKind
Where = sa.ColumnElement[bool]


@dataclasses.dataclass(frozen=True)
class _View:
    """What expressions over a row are handed: who looks, and rows of other tables. The two that `in_full` asks for are
    narrowed by it to the asker's own, which he sees."""

    actor: Viewer

    def rows(self, of: type[Table]) -> sa.FromClause:
        return table(of).alias()


def _in_full(row: Any, viewer: Viewer) -> Where:
    return queries.in_full(_Whole(row), _View(viewer))


class _Whole:
    """A row's columns, as attributes."""

    def __init__(self, columns: Any) -> None:
        self._columns = getattr(columns, "c", columns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._columns, name)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A kind of thing that may have attachments."""

    kind: SubjectKind
    column: str
    """Of the attachment, which refers to it."""
    rows: sa.Table
    what: str
    """What it is called where it is not found."""
    more: Callable[[Any, Viewer], Where] | None = None
    """For whom what is attached to a row that he sees is shown, where that is not everybody."""

    def shown(self, alias: Any, viewer: Viewer) -> tuple[Where, ...]:
        """The conditions under which what is attached to a row is shown."""
        conditions = seen(alias, self.rows.name, viewer)
        return conditions if self.more is None else (*conditions, self.more(alias, viewer))


SUBJECTS = {
    s.kind: s
    for s in (
        Subject(K.NEED, "need_id", table(Need), "该需求", _in_full),
        Subject(K.OFFER, "offer_id", table(Offer), "该供给"),
        Subject(K.COMMITMENT, "commitment_id", table(Commitment), "该对接单"),
        Subject(K.SESSION, "session_id", table(ServiceSession), "该场次"),
        Subject(K.ATTENDANCE, "attendance_id", table(Attendance), "该参与记录"),
        Subject(K.PROPOSAL, "proposal_id", table(ManualProposal), "该补录申请"),
        Subject(K.ALLOCATION, "allocation_id", table(Allocation), "该拨付计划"),
        Subject(K.DISBURSEMENT, "disbursement_id", table(Disbursement), "该支出"),
    )
}


def with_subject(attachment: Any, viewer: Viewer) -> Where:
    """Whether the asker is shown what an attachment is attached to."""
    ways = []
    for subject in SUBJECTS.values():
        alias = subject.rows.alias()
        conditions = subject.shown(alias, viewer)
        if any(c is NOBODY for c in conditions):
            continue
        there: sa.Select[Any] = sa.select(sa.literal_column("1")).where(
            alias.c.id == attachment[subject.column], *conditions
        )
        ways.append(sa.exists(there))
    return sa.or_(*ways) if ways else NOBODY
