"""What needs, offers and commitments are shown with alike."""

from __future__ import annotations

from typing import Annotated, Union

import strawberry
from sqlmodel import desc

from models.exchange import tables
from resolvers.exchange.filters import CommitmentOrder
from resolvers.people import Organization, Person

Provider = Annotated[
    Union[Organization, Person],  # noqa: UP007
    strawberry.union("Provider", description="Who serves or offers: an organization, or a person himself."),
]
LEFT = "How much is left now; holds that nobody answered in time count as released."
BY_AGE = {
    CommitmentOrder.NEWEST: (desc(tables.Commitment.created_at),),
    CommitmentOrder.OLDEST: (tables.Commitment.created_at,),
}
