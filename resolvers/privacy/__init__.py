"""The rights of data subjects as GraphQL shows them."""

from resolvers.privacy.mutations import PrivacyMutation
from resolvers.privacy.queries import PrivacyQuery
from resolvers.privacy.types import Consent, ConsentText, Guardianship, SubjectRequest

__all__ = ["Consent", "ConsentText", "Guardianship", "PrivacyMutation", "PrivacyQuery", "SubjectRequest"]
