"""The laws of people: their states, what leads from one to the next, and what of theirs may be read."""

from __future__ import annotations

import enum

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
