"""What an offer says of its times, and a venue of its room."""

from __future__ import annotations

from datetime import datetime

import strawberry

from models.exchange import offered
from models.exchange.venues import VenueAccess, VenueEquipment
from models.people.availability import Language
from models.people.qualifications import QualificationType
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown

for values in (VenueAccess, VenueEquipment, Language, QualificationType):
    shown(values)


@w.entity(offered.OfferOccurrence, "offer_occurrence")
@strawberry.type(description="A time in which an offer can be given. 供给时段。")
class OfferOccurrence(Node):
    starts_at: datetime = w.column(offered.OfferOccurrence.starts_at, description="From when.")
    ends_at: datetime = w.column(offered.OfferOccurrence.ends_at, description="Until when.")


@strawberry.type(description="A room that is offered. 场地。")
class Venue:
    address: str = w.named("address", description="Where it is, in words.")
    seats: int = w.named("seats", description="How many people it takes.")
    equipment: list[VenueEquipment] = w.named("equipment", description="What stands ready in it.")
    access: list[VenueAccess] = w.named("access", description="How people with disabilities get in and about.")


@strawberry.input(description="A room that is offered: for an offer of the kind VENUE, which needs it.")
class VenueInput:
    address: str = strawberry.field(description="Where it is, in 2 to 200 characters; shown to everybody.")
    seats: int = strawberry.field(description="How many people it takes: 1 to 100,000.")
    equipment: list[VenueEquipment] = strawberry.field(default_factory=list, description="What stands ready in it.")
    access: list[VenueAccess] = strawberry.field(
        default_factory=list, description="How people with disabilities get in and about."
    )
