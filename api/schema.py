"""The API: every area's part of it, in one list, and nothing else."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers.activity import ActivityMutation, ActivityQuery
from resolvers.audit import AuditQuery
from resolvers.calendar import CalendarMutation, CalendarQuery
from resolvers.exchange import ExchangeMutation, ExchangeQuery, OfferBatchQuery, OfferMutation
from resolvers.exchange.matching import MatchingMutation, MatchingQuery
from resolvers.exchange.rounds import RoundMutation, RoundQuery
from resolvers.files import FilesMutation, FilesQuery
from resolvers.funds import FundsMutation, FundsQuery
from resolvers.identity import IdentityMutation, IdentityQuery
from resolvers.identity.accounts import AccountsMutation, AccountsQuery
from resolvers.identity.wechat import WechatMutation
from resolvers.live import Subscription
from resolvers.party import PartyQuery
from resolvers.people import PeopleMutation, PeopleQuery
from resolvers.people.break_glass import BreakGlassMutation, BreakGlassQuery
from resolvers.people.interests import InterestMutation, InterestQuery
from resolvers.people.joining import JoiningMutation, JoiningQuery
from resolvers.people.volunteering import VolunteeringMutation, VolunteeringQuery
from resolvers.privacy import PrivacyMutation, PrivacyQuery
from resolvers.reports import ReportsQuery
from resolvers.scalars import SCALARS
from resolvers.system import SystemQuery
from resolvers.territory import TerritoryQuery


@strawberry.type(description="Everything that can be read. What the caller may not see is absent.")
class Query(
    TerritoryQuery,
    PartyQuery,
    CalendarQuery,
    PeopleQuery,
    JoiningQuery,
    VolunteeringQuery,
    InterestQuery,
    BreakGlassQuery,
    IdentityQuery,
    AccountsQuery,
    ExchangeQuery,
    MatchingQuery,
    OfferBatchQuery,
    RoundQuery,
    ActivityQuery,
    FundsQuery,
    FilesQuery,
    ReportsQuery,
    PrivacyQuery,
    AuditQuery,
    SystemQuery,
):
    pass


@strawberry.type(description="Everything that can be done. Each field is a transaction of its own.")
class Mutation(
    CalendarMutation,
    PeopleMutation,
    JoiningMutation,
    VolunteeringMutation,
    InterestMutation,
    BreakGlassMutation,
    IdentityMutation,
    AccountsMutation,
    WechatMutation,
    ExchangeMutation,
    MatchingMutation,
    OfferMutation,
    ActivityMutation,
    RoundMutation,
    FundsMutation,
    FilesMutation,
    PrivacyMutation,
):
    pass


def build() -> strawberry.Schema:
    """The schema."""
    return strawberry.Schema(Query, Mutation, Subscription, config=StrawberryConfig(scalar_map=SCALARS))


def sdl() -> str:
    """The schema as text, as `schema.graphql` holds it."""
    return build().as_str().rstrip() + "\n"
