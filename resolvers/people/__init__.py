"""People, organizations and capacities as GraphQL shows them."""

from resolvers.people.contacts import ContactReveal, PersonSearch, PiiAccess
from resolvers.people.me import Me
from resolvers.people.mutations import PeopleMutation
from resolvers.people.numbers import numbers
from resolvers.people.organizations import Membership, Organization, OrganizationVolunteer
from resolvers.people.queries import PeopleQuery
from resolvers.people.types import GuardianConsent, Person, Resident, SocialWorker, Volunteer

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
