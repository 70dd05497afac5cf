"""People, organizations and capacities as GraphQL shows them."""

from resolvers.people.mutations import PeopleMutation, numbers
from resolvers.people.queries import PeopleQuery
from resolvers.people.types import (
    ContactReveal,
    GuardianConsent,
    Me,
    Membership,
    Organization,
    OrganizationVolunteer,
    Person,
    PersonSearch,
    PiiAccess,
    Resident,
    SocialWorker,
    Volunteer,
)

__all__ = [
    "ContactReveal",
    "GuardianConsent",
    "Me",
    "Membership",
    "Organization",
    "OrganizationVolunteer",
    "PeopleMutation",
    "PeopleQuery",
    "Person",
    "PersonSearch",
    "PiiAccess",
    "Resident",
    "SocialWorker",
    "Volunteer",
    "numbers",
]
