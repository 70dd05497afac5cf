"""Sign-ins, capacities and keys as GraphQL shows them."""

from resolvers.identity.mutations import IdentityMutation
from resolvers.identity.queries import IdentityQuery
from resolvers.identity.types import ActingInput, ApiKey, Capacity, SignIn

__all__ = ["ActingInput", "ApiKey", "Capacity", "IdentityMutation", "IdentityQuery", "SignIn"]
