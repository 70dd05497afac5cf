"""Which needs, offers and commitments, and in which order."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
import strawberry

from models.exchange import matches
from models.exchange import queries as q
from models.exchange.kinds import (
    Fulfilment,
    GenderPreference,
    Hint,
    Kind,
    Origin,
    Sensitivity,
    Side,
    SubmittedVia,
    Unit,
)
from models.exchange.near import need_is_near, offer_is_near
from models.exchange.states import CommitmentStatus, NeedStatus, OfferStatus
from models.labels import labelled
from models.territory.queries import under
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.finding import NearInput, near, searched

UNDER = "In the division of this code, or, for staff, the grid of this code."
CATEGORY = "Of the service category of this code, or of one below it: `ELDERLY`."


class NeedOrder(enum.StrEnum):
    """In which order needs come."""

    NEWEST = "NEWEST"
    URGENT_FIRST = "URGENT_FIRST"
    DUE_FIRST = "DUE_FIRST"
    NEAREST = "NEAREST"


labelled(
    NeedOrder,
    {
        NeedOrder.NEWEST: "最新在前",
        NeedOrder.URGENT_FIRST: "最急在前",
        NeedOrder.DUE_FIRST: "最早到期在前",
        NeedOrder.NEAREST: "最近在前",
    },
    description="In which order needs come.",
    describe={
        NeedOrder.NEWEST: "The newest first.",
        NeedOrder.URGENT_FIRST: "The most urgent first, among them the one due soonest.",
        NeedOrder.DUE_FIRST: "The one due soonest first.",
        NeedOrder.NEAREST: "The nearest to `filter.near` first, which has to be given.",
    },
)


class OfferOrder(enum.StrEnum):
    """In which order offers come."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    NEAREST = "NEAREST"


labelled(
    OfferOrder,
    {OfferOrder.NEWEST: "最新在前", OfferOrder.OLDEST: "最早在前", OfferOrder.NEAREST: "最近在前"},
    description="In which order offers come.",
    describe={
        OfferOrder.NEWEST: "The newest first.",
        OfferOrder.OLDEST: "The oldest first.",
        OfferOrder.NEAREST: "The nearest to `filter.near` first, which has to be given.",
    },
)


class CommitmentOrder(enum.StrEnum):
    """In which order commitments come."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


labelled(
    CommitmentOrder,
    {CommitmentOrder.NEWEST: "最新在前", CommitmentOrder.OLDEST: "最早在前"},
    description="In which order commitments come.",
    describe={CommitmentOrder.NEWEST: "The newest first.", CommitmentOrder.OLDEST: "The oldest first."},
)
for values in (
    *(Fulfilment, GenderPreference, Hint, Kind, Origin, Sensitivity, Side, SubmittedVia, Unit),
    *(NeedStatus, OfferStatus, CommitmentStatus),
    *(NeedOrder, OfferOrder, CommitmentOrder),
):
    shown(values)


@strawberry.input(description="Which needs. What is not given does not narrow.")
class NeedFilter:
    status: list[NeedStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    kind: list[Kind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    category: str | None = w.where(lambda row, value: q.in_category(row.category_code, value), description=CATEGORY)
    community: strawberry.ID | None = w.where(
        lambda row, value: row.community_id == value, description="Of this community."
    )
    grid: strawberry.ID | None = w.where(
        lambda row, value, view: sa.and_(row.grid_id == value, q.in_full(row, view)),
        null=lambda row: row.grid_id.is_(None),
        description="In this grid, of those whose grid the caller may see; null for those of no grid.",
    )
    under: str | None = w.where(
        lambda row, value, view: sa.and_(under(row.area, value), sa.or_(q.coarse(value), q.in_full(row, view))),
        description="In the division of this code; or in the grid of this code, of those whose grid the caller may see.",
    )
    urgency_min: int | None = w.where(
        lambda row, value: row.urgency >= value, description="At least so urgent: 1 to 4."
    )
    sensitivity: Sensitivity | None = w.where(
        lambda row, value: row.sensitivity == value, description="Of this sensitivity."
    )
    submitted_via: list[SubmittedVia] | None = w.where(
        lambda row, value: row.submitted_via == sa.any_(value), description="That came in one of these ways."
    )
    created_after: datetime | None = w.where(
        lambda row, value: row.created_at > value, description="Written down after this."
    )
    created_before: datetime | None = w.where(
        lambda row, value: row.created_at < value, description="Written down before this."
    )
    due_before: datetime | None = w.where(lambda row, value: row.due_at < value, description="Due before this.")
    answer_overdue: bool | None = w.where(
        lambda row, value, view: q.answer_overdue(row, view.actor.now) == value,
        description="Which the community should have answered by now, and has not; or the others.",
    )
    overdue: bool | None = w.where(
        lambda row, value, view: q.overdue(row, view.actor.now) == value,
        description="Livelihood items whose deadline has passed and which are not settled; or all else.",
    )
    series: strawberry.ID | None = w.where(
        lambda row, value: row.series_id == value, description="Of the series that began with this need."
    )
    assigned_to_me: bool | None = w.where(
        lambda row, value, view: sa.func.coalesce(row.assigned_to == view.actor.person, sa.false()) == value,
        description="For a social worker: his own cases, or the others.",
    )
    quantity_left_min: int | None = w.where(
        lambda row, value, view: q.need_left(row, view.actor.now) >= value, description="With at least so much left."
    )
    title_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.title, value) > 0, description="With this text in the title."
    )
    search: str | None = searched("In the title, the category's or the community's name.")
    near: NearInput | None = near(
        need_is_near,
        "So near: for staff by the need's own point, for everybody else by the centre of its community.",
    )


@strawberry.input(description="Which offers. What is not given does not narrow.")
class OfferFilter:
    status: list[OfferStatus] | None = w.where(
        lambda row, value: row.status == sa.any_(value), description="In one of these states."
    )
    kind: list[Kind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    category: str | None = w.where(lambda row, value: q.in_category(row.category_code, value), description=CATEGORY)
    external_id: list[str] | None = w.where(
        lambda row, value, view: q.external_id(row, view) == sa.any_(value),
        description="Of the caller's own organization, with one of these numbers of its own.",
    )
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value,
        null=lambda row: row.organization_id.is_(None),
        description="Of this organization; null for those of persons.",
    )
    under: str | None = w.where(
        lambda row, value: under(row.area, value), description="Whose provider is at home there: a division's code."
    )
    serves: str | None = w.where(
        lambda row, value: matches.serves(row, value),
        description="That serve this division or grid, by its code.",
    )
    available_at: datetime | None = w.where(
        lambda row, value, view: matches.given_at(row, value, view),
        description="That can be given at this time: within their window, and where they repeat in one of their times.",
    )
    quantity_left_min: int | None = w.where(
        lambda row, value, view: q.offer_left(row, view.actor.now) >= value, description="With at least so much left."
    )
    title_contains: str | None = w.where(
        lambda row, value: sa.func.strpos(row.title, value) > 0, description="With this text in the title."
    )
    search: str | None = searched("In the title, the category's or the provider's community's name.")
    near: NearInput | None = near(
        offer_is_near,
        "So near: an organization's by where it is given, a volunteer's by the centre of his community.",
    )


@strawberry.input(description="Which commitments. What is not given does not narrow.")
class CommitmentFilter:
    status: list[CommitmentStatus] | None = w.where(
        lambda row, value, view: q.standing(row, view.actor.now) == sa.any_(value),
        description="In one of these states.",
    )
    origin: Origin | None = w.where(lambda row, value: row.origin == value, description="That began this way.")
    community: strawberry.ID | None = w.where(
        lambda row, value: row.community_id == value, description="To needs of this community."
    )
    under: str | None = w.where(
        lambda row, value, view: sa.and_(under(row.area, value), q.in_grid(value, view)), description=UNDER
    )
    organization: strawberry.ID | None = w.where(
        lambda row, value: row.organization_id == value,
        null=lambda row: row.organization_id.is_(None),
        description="By this organization; null for those by persons.",
    )
    social_worker: strawberry.ID | None = w.where(
        lambda row, value: row.social_worker_id == value, description="Accompanied by this social worker."
    )
    slot_after: datetime | None = w.where(
        lambda row, value: row.slot_to > value, description="Whose service ends after this."
    )
    slot_before: datetime | None = w.where(
        lambda row, value: row.slot_from < value, description="Whose service begins before this."
    )
    created_after: datetime | None = w.where(lambda row, value: row.created_at > value, description="Begun after this.")
    created_before: datetime | None = w.where(
        lambda row, value: row.created_at < value, description="Begun before this."
    )
