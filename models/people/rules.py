"""The laws of people and organizations: their states, what leads from one to the next, and who may take the step."""

from __future__ import annotations

import enum
import json
from collections.abc import Collection

from models.labels import ahead, labelled


class Gender(enum.StrEnum):
    """A person's gender, as recorded."""

    FEMALE = "FEMALE"
    MALE = "MALE"
    UNKNOWN = "UNKNOWN"


labelled(
    Gender,
    {Gender.FEMALE: "女", Gender.MALE: "男", Gender.UNKNOWN: "未说明"},
    description="A person's gender, as recorded.",
    describe={Gender.FEMALE: "A woman.", Gender.MALE: "A man.", Gender.UNKNOWN: "Not stated."},
)


class PersonState(enum.StrEnum):
    """Whether a person's data are his own, a pseudonym's, or gone to another record of his."""

    PRESENT = "PRESENT"
    PSEUDONYM = "PSEUDONYM"
    MERGED = "MERGED"


labelled(
    PersonState,
    {PersonState.PRESENT: "正常", PersonState.PSEUDONYM: "已匿名", PersonState.MERGED: "已合并"},
    description="Whether a person's data are his own, a pseudonym's, or gone to another record of his.",
    describe={
        PersonState.PRESENT: "The person's own data.",
        PersonState.PSEUDONYM: "Personal fields were erased on request; ledgers keep the pseudonym.",
        PersonState.MERGED: "This record and another one were of the same person; what it had is the other's.",
    },
)


class PhoneWhose(enum.StrEnum):
    """Whose phone number it is that stands on a person's record."""

    OWN = "OWN"
    RELATIVE = "RELATIVE"
    UNPROVEN = "UNPROVEN"


labelled(
    PhoneWhose,
    {PhoneWhose.OWN: "本人", PhoneWhose.RELATIVE: "亲属", PhoneWhose.UNPROVEN: "本人（未验证）"},
    description="Whose phone number it is that stands on a person's record.",
    describe={
        PhoneWhose.OWN: "His own: whoever proves that he has it is he.",
        PhoneWhose.RELATIVE: "A relative's, such as a daughter's: it reaches him, and proves nothing.",
        PhoneWhose.UNPROVEN: "His own, as a correction says: it reaches him, and proves nothing until `phoneBind`.",
    },
)


class IdType(enum.StrEnum):
    """A kind of identity document."""

    ID_CARD = "ID_CARD"
    PASSPORT = "PASSPORT"
    TRAVEL_PERMIT = "TRAVEL_PERMIT"


labelled(
    IdType,
    {IdType.ID_CARD: "居民身份证或居住证", IdType.PASSPORT: "护照", IdType.TRAVEL_PERMIT: "来往内地（大陆）通行证"},
    description="A kind of identity document.",
    describe={
        IdType.ID_CARD: "A resident's identity card, or a residence permit of the same form: 18 characters (GB 11643).",
        IdType.PASSPORT: "A passport.",
        IdType.TRAVEL_PERMIT: "A travel permit of residents of Hong Kong, Macao or Taiwan.",
    },
)


class SearchKey(enum.StrEnum):
    """By what a person was looked for."""

    PHONE = "PHONE"
    ID_NUMBER = "ID_NUMBER"


labelled(
    SearchKey,
    {SearchKey.PHONE: "手机号", SearchKey.ID_NUMBER: "证件号码"},
    description="By what a person was looked for.",
    describe={SearchKey.PHONE: "His phone number.", SearchKey.ID_NUMBER: "The number of his identity document."},
)


class ResidentTag(enum.StrEnum):
    """Why a resident may need care. Sensitive: shown to himself and to his community's staff."""

    LIVES_ALONE = "LIVES_ALONE"
    EMPTY_NEST = "EMPTY_NEST"
    LEFT_BEHIND = "LEFT_BEHIND"
    DEPENDENT = "DEPENDENT"
    SEVERELY_DISABLED = "SEVERELY_DISABLED"
    LOST_ONLY_CHILD = "LOST_ONLY_CHILD"
    CHILD_IN_NEED = "CHILD_IN_NEED"
    LOW_INCOME = "LOW_INCOME"


labelled(
    ResidentTag,
    {
        ResidentTag.LIVES_ALONE: "独居",
        ResidentTag.EMPTY_NEST: "空巢",
        ResidentTag.LEFT_BEHIND: "留守",
        ResidentTag.DEPENDENT: "失能",
        ResidentTag.SEVERELY_DISABLED: "重残",
        ResidentTag.LOST_ONLY_CHILD: "计划生育特殊家庭",
        ResidentTag.CHILD_IN_NEED: "困境儿童",
        ResidentTag.LOW_INCOME: "低收入",
    },
    description="Why a resident may need care. Sensitive: shown to himself and to his community's staff.",
    describe={
        ResidentTag.LIVES_ALONE: "An elder who lives alone.",
        ResidentTag.EMPTY_NEST: "An elder whose children live elsewhere.",
        ResidentTag.LEFT_BEHIND: "Left behind by family who work elsewhere.",
        ResidentTag.DEPENDENT: "Cannot look after himself.",
        ResidentTag.SEVERELY_DISABLED: "Has a severe disability.",
        ResidentTag.LOST_ONLY_CHILD: "A family that lost its only child.",
        ResidentTag.CHILD_IN_NEED: "A child in difficult circumstances.",
        ResidentTag.LOW_INCOME: "A household of low income.",
    },
)

TAGS_WRITTEN = 160
"""Characters in which tags are written: more than all of them together need."""


def read_tags(given: Collection[ResidentTag]) -> list[ResidentTag]:
    """Tags in the order of their table, none twice."""
    return [tag for tag in ResidentTag if tag in given]


def written_tags(given: Collection[ResidentTag]) -> str:
    """Tags as they are sealed: a JSON array, filled up with blanks, so that its length does not tell which they are."""
    return json.dumps(read_tags(given)).ljust(TAGS_WRITTEN)


class CareTier(enum.StrEnum):
    """How closely a resident is looked after."""

    HIGH = "HIGH"
    KEY = "KEY"
    GENERAL = "GENERAL"


labelled(
    CareTier,
    {CareTier.HIGH: "高度关爱", CareTier.KEY: "重点关爱", CareTier.GENERAL: "一般关爱"},
    description="How closely a resident is looked after. It does not say why.",
    colours={CareTier.HIGH: "red", CareTier.KEY: "orange", CareTier.GENERAL: "green"},
    describe={
        CareTier.HIGH: "Needs somebody's eye all the time.",
        CareTier.KEY: "To be looked in on often.",
        CareTier.GENERAL: "To be looked in on now and then.",
    },
)
TIERS: dict[ResidentTag, CareTier] = {
    ResidentTag.DEPENDENT: CareTier.HIGH,
    ResidentTag.SEVERELY_DISABLED: CareTier.HIGH,
    ResidentTag.CHILD_IN_NEED: CareTier.HIGH,
    ResidentTag.LIVES_ALONE: CareTier.KEY,
    ResidentTag.LOST_ONLY_CHILD: CareTier.KEY,
    ResidentTag.LEFT_BEHIND: CareTier.KEY,
    ResidentTag.EMPTY_NEST: CareTier.GENERAL,
    ResidentTag.LOW_INCOME: CareTier.GENERAL,
}
"""How closely whoever has a tag is looked after [choice]; of several tags, the closest."""


def tier_of(tags: Collection[ResidentTag]) -> CareTier | None:
    """How closely somebody with these tags is looked after; None without any."""
    return next((tier for tier in CareTier if tier in {TIERS[tag] for tag in tags}), None)


def written_tier(tags: Collection[ResidentTag]) -> str | None:
    """The tier as it is sealed: JSON, of one length for every tier. None without any tag."""
    tier = tier_of(tags)
    return None if tier is None else json.dumps(tier).ljust(10)


class VolunteerRegistration(enum.StrEnum):
    """The state of a volunteer's registration."""

    PENDING_GUARDIAN = "PENDING_GUARDIAN"
    PENDING_VERIFICATION = "PENDING_VERIFICATION"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"


V = VolunteerRegistration
VOLUNTEER_STEPS: dict[tuple[str, VolunteerRegistration], VolunteerRegistration] = {
    ("consent", V.PENDING_GUARDIAN): V.PENDING_VERIFICATION,
    ("verify", V.PENDING_VERIFICATION): V.ACTIVE,
    ("reject", V.PENDING_VERIFICATION): V.REJECTED,
    ("reject", V.PENDING_GUARDIAN): V.REJECTED,
    ("suspend", V.ACTIVE): V.SUSPENDED,
    ("resume", V.SUSPENDED): V.ACTIVE,
    ("withdraw", V.PENDING_GUARDIAN): V.WITHDRAWN,
    ("withdraw", V.PENDING_VERIFICATION): V.WITHDRAWN,
    ("withdraw", V.ACTIVE): V.WITHDRAWN,
    ("withdraw", V.SUSPENDED): V.WITHDRAWN,
    ("unconsent", V.PENDING_VERIFICATION): V.PENDING_GUARDIAN,
    ("unconsent", V.ACTIVE): V.SUSPENDED,
    ("register", V.REJECTED): V.PENDING_VERIFICATION,
    ("register", V.WITHDRAWN): V.PENDING_VERIFICATION,
}
"""(step, from) -> to. A minor begins at PENDING_GUARDIAN, everybody else at PENDING_VERIFICATION (I10).

Who was refused or has left may register again, under the number that he has.
"""

labelled(
    V,
    {
        V.PENDING_GUARDIAN: "待监护人同意",
        V.PENDING_VERIFICATION: "待核验",
        V.ACTIVE: "已注册",
        V.SUSPENDED: "已暂停",
        V.REJECTED: "未通过",
        V.WITHDRAWN: "已退出",
    },
    description="The state of a volunteer's registration.",
    colours={
        V.PENDING_GUARDIAN: "orange",
        V.PENDING_VERIFICATION: "orange",
        V.ACTIVE: "green",
        V.SUSPENDED: "grey",
        V.REJECTED: "red",
        V.WITHDRAWN: "grey",
    },
    next=ahead(VOLUNTEER_STEPS),
    describe={
        V.PENDING_GUARDIAN: "A minor's guardian has not consented yet.",
        V.PENDING_VERIFICATION: "Waits for the community's staff.",
        V.ACTIVE: "May offer, claim and sign up.",
        V.SUSPENDED: "May not serve for now.",
        V.REJECTED: "Was refused, with a reason.",
        V.WITHDRAWN: "Has left; the number stays his.",
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


class SocialWorkerLevel(enum.StrEnum):
    """The professional level of a social worker."""

    ASSISTANT = "ASSISTANT"
    INTERMEDIATE = "INTERMEDIATE"
    SENIOR = "SENIOR"


labelled(
    SocialWorkerLevel,
    {
        SocialWorkerLevel.ASSISTANT: "助理社会工作师",
        SocialWorkerLevel.INTERMEDIATE: "社会工作师",
        SocialWorkerLevel.SENIOR: "高级社会工作师",
    },
    description="The professional level of a social worker.",
    describe={
        SocialWorkerLevel.ASSISTANT: "Assistant social worker.",
        SocialWorkerLevel.INTERMEDIATE: "Social worker.",
        SocialWorkerLevel.SENIOR: "Senior social worker.",
    },
)


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


class ContactField(enum.StrEnum):
    """A plain personal value that can be revealed."""

    NAME = "NAME"
    PHONE = "PHONE"
    ADDRESS = "ADDRESS"
    ID_NUMBER = "ID_NUMBER"
    BIRTH_DATE = "BIRTH_DATE"


labelled(
    ContactField,
    {
        ContactField.NAME: "姓名",
        ContactField.PHONE: "电话",
        ContactField.ADDRESS: "住址",
        ContactField.ID_NUMBER: "证件号码",
        ContactField.BIRTH_DATE: "出生日期",
    },
    description="A plain personal value that can be revealed.",
    describe={
        ContactField.NAME: "The full name.",
        ContactField.PHONE: "The phone number.",
        ContactField.ADDRESS: "The address with its door.",
        ContactField.ID_NUMBER: "The number of the identity document: for community staff, of their residents.",
        ContactField.BIRTH_DATE: "The birth date that a correction proposes, and nothing else: no reveal shows it.",
    },
)


class AccessPurpose(enum.StrEnum):
    """What a plain personal value is read for."""

    SERVICE = "SERVICE"
    VISIT = "VISIT"
    VERIFICATION = "VERIFICATION"
    COMPLAINT = "COMPLAINT"
    EMERGENCY = "EMERGENCY"
    RECEIPT = "RECEIPT"
    THANKS = "THANKS"
    AUDIT = "AUDIT"
    OTHER = "OTHER"


labelled(
    AccessPurpose,
    {
        AccessPurpose.SERVICE: "服务联系",
        AccessPurpose.VISIT: "走访关爱",
        AccessPurpose.VERIFICATION: "核实信息",
        AccessPurpose.COMPLAINT: "诉求办理",
        AccessPurpose.EMERGENCY: "紧急情况",
        AccessPurpose.RECEIPT: "开具票据",
        AccessPurpose.THANKS: "致谢回访",
        AccessPurpose.AUDIT: "审计核对",
        AccessPurpose.OTHER: "其他（须说明）",
    },
    description="What a plain personal value is read for.",
    describe={
        AccessPurpose.SERVICE: "To arrange or give a service.",
        AccessPurpose.VISIT: "To visit or call somebody under care.",
        AccessPurpose.VERIFICATION: "To check what somebody submitted.",
        AccessPurpose.COMPLAINT: "To handle a complaint or request.",
        AccessPurpose.EMERGENCY: "An emergency.",
        AccessPurpose.RECEIPT: "To make out a donor's receipt.",
        AccessPurpose.THANKS: "To thank a donor, or report to him.",
        AccessPurpose.AUDIT: "To check the books.",
        AccessPurpose.OTHER: "Anything else: a reason is required.",
    },
)
