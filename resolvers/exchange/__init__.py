"""The marketplace as GraphQL shows it."""

from resolvers.exchange.batches import OfferBatchQuery
from resolvers.exchange.commitments import Commitment
from resolvers.exchange.mutations import ExchangeMutation
from resolvers.exchange.offer_mutations import OfferMutation
from resolvers.exchange.offers import Offer
from resolvers.exchange.queries import ExchangeQuery
from resolvers.exchange.types import Need, NeedFoundation, NeedStaff, ServiceCategory

__all__ = [
    "Commitment",
    "ExchangeMutation",
    "ExchangeQuery",
    "Need",
    "NeedFoundation",
    "NeedStaff",
    "Offer",
    "OfferBatchQuery",
    "OfferMutation",
    "ServiceCategory",
]
