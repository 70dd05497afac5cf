"""The laws of organizations: what they are, how far their applications are, and how people join them."""

from __future__ import annotations

import enum

from models.labels import ahead, labelled


class OrganizationKind(enum.StrEnum):
    """What sort of organization it is."""

    SOCIAL_ORG = "SOCIAL_ORG"
    SERVICE_ORG = "SERVICE_ORG"
    FOUNDATION = "FOUNDATION"
    COMPANY = "COMPANY"
    PUBLIC_UNIT = "PUBLIC_UNIT"
    RESIDENT_COMMITTEE = "RESIDENT_COMMITTEE"
    DEPARTMENT = "DEPARTMENT"


labelled(
    OrganizationKind,
    {
        OrganizationKind.SOCIAL_ORG: "社会团体",
        OrganizationKind.SERVICE_ORG: "社会服务机构",
        OrganizationKind.FOUNDATION: "基金会",
        OrganizationKind.COMPANY: "企业",
        OrganizationKind.PUBLIC_UNIT: "事业单位",
        OrganizationKind.RESIDENT_COMMITTEE: "居（村）民委员会",
        OrganizationKind.DEPARTMENT: "政府部门",
    },
    description="What sort of organization it is.",
    describe={
        OrganizationKind.SOCIAL_ORG: "An association of members.",
        OrganizationKind.SERVICE_ORG: "A non-profit that provides services.",
        OrganizationKind.FOUNDATION: "A foundation: holds funds.",
        OrganizationKind.COMPANY: "A company.",
        OrganizationKind.PUBLIC_UNIT: "A public institution, such as a hospital or school.",
        OrganizationKind.RESIDENT_COMMITTEE: "A residents' or villagers' committee.",
        OrganizationKind.DEPARTMENT: "A department of the government.",
    },
)


class LegalStatus(enum.StrEnum):
    """How an organization stands before the law."""

    REGISTERED = "REGISTERED"
    FILED = "FILED"
    INTERNAL = "INTERNAL"


labelled(
    LegalStatus,
    {LegalStatus.REGISTERED: "登记", LegalStatus.FILED: "备案", LegalStatus.INTERNAL: "内部"},
    description="How an organization stands before the law.",
    describe={
        LegalStatus.REGISTERED: "Registered, with a unified social credit code.",
        LegalStatus.FILED: "Filed with its street or town, with a filing number; no legal person.",
        LegalStatus.INTERNAL: "A group inside a community or unit, neither registered nor filed.",
    },
)


class VerifiedState(enum.StrEnum):
    """How far an organization's application is."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"


ORGANIZATION_STEPS: dict[tuple[str, VerifiedState], VerifiedState] = {
    ("submit", VerifiedState.DRAFT): VerifiedState.PENDING,
    ("submit", VerifiedState.REJECTED): VerifiedState.PENDING,
    ("verify", VerifiedState.PENDING): VerifiedState.VERIFIED,
    ("reject", VerifiedState.PENDING): VerifiedState.REJECTED,
}
"""(step, from) -> to. A refused application may be mended and submitted again."""

labelled(
    VerifiedState,
    {
        VerifiedState.DRAFT: "草稿",
        VerifiedState.PENDING: "待核验",
        VerifiedState.VERIFIED: "已核验",
        VerifiedState.REJECTED: "未通过",
    },
    description="How far an organization's application is.",
    colours={
        VerifiedState.DRAFT: "grey",
        VerifiedState.PENDING: "orange",
        VerifiedState.VERIFIED: "green",
        VerifiedState.REJECTED: "red",
    },
    next=ahead(ORGANIZATION_STEPS),
    describe={
        VerifiedState.DRAFT: "Its applicant is still writing.",
        VerifiedState.PENDING: "Waits for the community's staff or the administrator.",
        VerifiedState.VERIFIED: "May offer, publish sessions and, as a foundation, hold funds.",
        VerifiedState.REJECTED: "Was refused, with a reason.",
    },
)


class JoinsAs(enum.StrEnum):
    """As what somebody joins an organization."""

    VOLUNTEER = "VOLUNTEER"
    STAFF = "STAFF"


labelled(
    JoinsAs,
    {JoinsAs.VOLUNTEER: "志愿者", JoinsAs.STAFF: "工作人员"},
    description="As what somebody joins an organization.",
    describe={
        JoinsAs.VOLUNTEER: "One of its volunteers: its staff see his name, and may send him to serve.",
        JoinsAs.STAFF: "One of its staff: he acts for it, with the capacity NGO_STAFF.",
    },
)


class MembershipRequestState(enum.StrEnum):
    """How far a request to join an organization, or an invitation to, is."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    LAPSED = "LAPSED"


R = MembershipRequestState
MEMBERSHIP_REQUEST_STEPS: dict[tuple[str, MembershipRequestState], MembershipRequestState] = {
    ("accept", R.PENDING): R.ACCEPTED,
    ("refuse", R.PENDING): R.REFUSED,
    ("withdraw", R.PENDING): R.WITHDRAWN,
    ("lapse", R.PENDING): R.LAPSED,
}
"""(step, from) -> to. The side that did not make it accepts or refuses; the side that made it withdraws it."""

labelled(
    R,
    {R.PENDING: "待答复", R.ACCEPTED: "已接受", R.REFUSED: "未接受", R.WITHDRAWN: "已撤回", R.LAPSED: "已过期"},
    description="How far a request to join an organization, or an invitation to, is.",
    colours={R.PENDING: "orange", R.ACCEPTED: "green", R.REFUSED: "red", R.WITHDRAWN: "grey", R.LAPSED: "grey"},
    next=ahead(MEMBERSHIP_REQUEST_STEPS),
    describe={
        R.PENDING: "Waits for the other side.",
        R.ACCEPTED: "He has joined.",
        R.REFUSED: "The other side said no.",
        R.WITHDRAWN: "Whoever made it took it back.",
        R.LAPSED: "Nobody answered it in time.",
    },
)
