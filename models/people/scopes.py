"""Capacities: which roles a membership can give, over what, who may give them, and who may take each step."""

from __future__ import annotations

from models.access import FUND_ROLES, ROLE_LABELS, STAFF_ROLES, Role
from models.labels import labelled
from models.people.organization_rules import OrganizationKind

labelled(
    Role,
    {role: text for role, text in ROLE_LABELS.items()},  # noqa: C416 - typed as the parameter is
    description="A capacity in which somebody acts. One token is for one person in one capacity.",
    describe={
        Role.PUBLIC: "Nobody signed in: open data only.",
        Role.PERSON: "Somebody signed in who acts for himself only: before he is registered as anything.",
        Role.RESIDENT: "A resident, for himself and his household.",
        Role.VOLUNTEER: "An active volunteer.",
        Role.SOCIAL_WORKER: "A licensed social worker of a community.",
        Role.GRID_OFFICER: "The officer of a grid.",
        Role.COMMUNITY_STAFF: "Staff of a community: verifies, confirms, credits.",
        Role.NGO_STAFF: "Staff of an organization.",
        Role.FUND_MAKER: "Enters gifts and payments of a foundation.",
        Role.FUND_CHECKER: "Checks what the maker entered.",
        Role.FUND_AUTHORISER: "Authorises payments above the threshold.",
        Role.FUND_REPORTER: "Reads a foundation's books and reports.",
        Role.DISTRICT_VIEWER: "Reads counts of a district, no names.",
        Role.CITY_VIEWER: "Reads counts of the city, no names.",
        Role.DEPARTMENT: "A department that is called to a ticket.",
        Role.PARTY_SECRETARY: "Secretary of a party unit of an area.",
        Role.AUDITOR: "Reads the logs, and only those.",
        Role.ADMIN: "Runs the platform; sees no plain personal data.",
    },
)

SIGNED_IN = frozenset(Role) - {Role.PUBLIC}

AREA_DIGITS: dict[Role, frozenset[int]] = {
    Role.SOCIAL_WORKER: frozenset({12}),
    Role.GRID_OFFICER: frozenset({15}),
    Role.COMMUNITY_STAFF: frozenset({12}),
    Role.DISTRICT_VIEWER: frozenset({6}),
    Role.CITY_VIEWER: frozenset({4}),
    Role.PARTY_SECRETARY: frozenset({6, 9, 12, 15}),
}
"""Roles over an area, and how many digits the code of that area may have."""

ORGANIZATION_KINDS: dict[Role, frozenset[OrganizationKind]] = {
    Role.NGO_STAFF: frozenset(OrganizationKind) - {OrganizationKind.DEPARTMENT, OrganizationKind.RESIDENT_COMMITTEE},
    Role.DEPARTMENT: frozenset({OrganizationKind.DEPARTMENT}),
    **dict.fromkeys(FUND_ROLES, frozenset({OrganizationKind.FOUNDATION})),
}
"""Roles for an organization, and of which kinds it may be."""

PLATFORM_ROLES = frozenset({Role.AUDITOR, Role.ADMIN})
"""Roles over the whole platform, or over an area of it."""

GRANTED_ROLES: tuple[Role, ...] = tuple(
    r for r in Role if r in AREA_DIGITS or r in ORGANIZATION_KINDS or r in PLATFORM_ROLES
)
"""The roles that a membership gives. RESIDENT and VOLUNTEER come from being one; PUBLIC from nothing."""

GRANTS: dict[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(GRANTED_ROLES),
    Role.NGO_STAFF: frozenset({Role.NGO_STAFF}),
}
"""Who may give which capacities: an administrator any, within his own area if he has one; an organization's staff theirs."""

SPENDING_ROLES = frozenset({Role.FUND_MAKER, Role.FUND_CHECKER, Role.FUND_AUTHORISER})
NOT_ADMIN = FUND_ROLES | {Role.AUDITOR, Role.COMMUNITY_STAFF}
"""What nobody holds who administers the platform: its audit, its money, and the reading of residents' data."""


def apart(one: Role, other: Role, *, same_organization: bool) -> bool:
    """Whether two capacities may never be one person's at the same time (GB/T 22239: administration, audit and security
    are separate; the signatures on a payment are of as many people)."""
    if one is not other and same_organization and {one, other} <= SPENDING_ROLES:
        return True
    return Role.ADMIN in (one, other) and bool({one, other} & NOT_ADMIN)


SHOWN_ROLES = frozenset(GRANTED_ROLES) - {Role.DISTRICT_VIEWER, Role.CITY_VIEWER, Role.AUDITOR}
"""Roles in which somebody acts for others, so that his masked name is shown to whoever is signed in."""

MAY: dict[str, frozenset[Role]] = {
    "volunteer.register": SIGNED_IN,
    "volunteer.edit": SIGNED_IN,
    "volunteer.withdraw": SIGNED_IN,
    "volunteer.decide": frozenset({Role.COMMUNITY_STAFF}),
    "qualification.add": SIGNED_IN,
    "qualification.decide": frozenset({Role.COMMUNITY_STAFF}),
    "qualification.withdraw": SIGNED_IN,
    "avoidance": frozenset({Role.RESIDENT, Role.VOLUNTEER}),
    "guardian.consent": SIGNED_IN,
    "resident.register_myself": SIGNED_IN,
    "resident.register_others": frozenset({Role.COMMUNITY_STAFF, Role.GRID_OFFICER}),
    "resident.verify": frozenset({Role.COMMUNITY_STAFF}),
    "resident.move": SIGNED_IN,
    "resident.care": frozenset({Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}),
    "person.edit_myself": SIGNED_IN,
    "person.find": STAFF_ROLES,
    "identity.record": frozenset({Role.COMMUNITY_STAFF}),
    "social_worker.register": frozenset({Role.ADMIN, Role.COMMUNITY_STAFF}),
    "organization.apply": SIGNED_IN,
    "organization.decide": frozenset({Role.ADMIN, Role.COMMUNITY_STAFF}),
    "membership.grant": frozenset(GRANTS),
    "membership.revoke": SIGNED_IN,
    "membership.ask": SIGNED_IN,
    "membership.invite": frozenset({Role.NGO_STAFF}),
    "membership.answer": SIGNED_IN,
    "contact.reveal": frozenset(
        {
            Role.RESIDENT,
            Role.VOLUNTEER,
            Role.SOCIAL_WORKER,
            Role.GRID_OFFICER,
            Role.COMMUNITY_STAFF,
            Role.NGO_STAFF,
            Role.ADMIN,
        }
    ),
    "break_glass": frozenset({Role.ADMIN}),
}
"""Which roles may take each step; whose, and where, is checked beside it."""
