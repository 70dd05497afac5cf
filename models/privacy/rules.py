"""The laws of a data subject's rights: what consents are for, how a request goes on, when it must be answered."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from models import clock
from models.access import Role
from models.labels import ahead, label, labelled
from models.people.identity import age, birthday
from models.people.scopes import SIGNED_IN
from models.problems import InvalidTransition
from models.working_days import after_working_days

CHILD = 14
"""Below this age all of somebody's data are sensitive, and a guardian decides (PIPL art. 28, 31)."""
ANSWER_DAYS = 15
"""Working days within which a request is answered. PIPL art. 50 says "timely"; the number is our own choice."""
EXPORT_DAYS = 7
"""For how many days a file of one's own data may be fetched."""
FORGET_AFTER = timedelta(days=30)
"""How long the proposed values of a decided correction are kept."""
GRANTS_KEPT = timedelta(days=180)
"""How long it is kept that a contact could be revealed: as long as the least for logs (Cybersecurity Law art. 21)."""
CODE_WORD = "注销账户"
"""What one writes to say that one means it."""


class ConsentPurpose(enum.StrEnum):
    """What somebody's data may be used for if he agrees."""

    PRIVACY_POLICY = "PRIVACY_POLICY"
    MATCHING = "MATCHING"
    CONTACT_SHARING = "CONTACT_SHARING"
    SENSITIVE_CARE = "SENSITIVE_CARE"
    PUBLICITY = "PUBLICITY"


labelled(
    ConsentPurpose,
    {
        ConsentPurpose.PRIVACY_POLICY: "隐私政策",
        ConsentPurpose.MATCHING: "自动推荐与候选名单",
        ConsentPurpose.CONTACT_SHARING: "向服务方提供联系方式",
        ConsentPurpose.SENSITIVE_CARE: "健康与困难情况",
        ConsentPurpose.PUBLICITY: "公开姓名",
    },
    description="What somebody's data may be used for if he agrees.",
    describe={
        ConsentPurpose.PRIVACY_POLICY: "Using the platform at all; whoever withdraws it withdraws all others too.",
        ConsentPurpose.MATCHING: "Standing in candidate lists and automated recommendations (PIPL art. 24).",
        ConsentPurpose.CONTACT_SHARING: "Confirmed providers may read the contact, for the service (PIPL art. 23).",
        ConsentPurpose.SENSITIVE_CARE: "Care tags and notes on health and poverty (PIPL art. 28-30).",
        ConsentPurpose.PUBLICITY: "The name is published with gifts (PIPL art. 25, Charity Law art. 82).",
    },
)


class ConsentState(enum.StrEnum):
    """Where a consent stands."""

    WAITING_COSIGN = "WAITING_COSIGN"
    GIVEN = "GIVEN"
    REPLACED = "REPLACED"
    WITHDRAWN = "WITHDRAWN"


C = ConsentState
CONSENT_STEPS: dict[tuple[str, ConsentState], ConsentState] = {
    ("cosign", C.WAITING_COSIGN): C.GIVEN,
    ("withdraw", C.WAITING_COSIGN): C.WITHDRAWN,
    ("withdraw", C.GIVEN): C.WITHDRAWN,
    ("replace", C.GIVEN): C.REPLACED,
    ("replace", C.WAITING_COSIGN): C.REPLACED,
}
LIVE_CONSENTS = (C.WAITING_COSIGN, C.GIVEN)

labelled(
    C,
    {
        C.WAITING_COSIGN: "待监护人确认",
        C.GIVEN: "已同意",
        C.REPLACED: "已由新版本取代",
        C.WITHDRAWN: "已撤回",
    },
    description="Where a consent stands.",
    colours={C.WAITING_COSIGN: "orange", C.GIVEN: "green"},
    next=ahead(CONSENT_STEPS),
    describe={
        C.WAITING_COSIGN: "The person is under 14, and no guardian has co-signed yet.",
        C.GIVEN: "It holds.",
        C.REPLACED: "A consent to another version took its place.",
        C.WITHDRAWN: "It was withdrawn; what was done before stands (PIPL art. 15).",
    },
)


class GuardianRelation(enum.StrEnum):
    """What a guardian is to the minor (Civil Code art. 27)."""

    PARENT = "PARENT"
    GRANDPARENT = "GRANDPARENT"
    SIBLING = "SIBLING"
    OTHER = "OTHER"


labelled(
    GuardianRelation,
    {
        GuardianRelation.PARENT: "父母",
        GuardianRelation.GRANDPARENT: "祖父母、外祖父母",
        GuardianRelation.SIBLING: "兄、姐",
        GuardianRelation.OTHER: "其他监护人",
    },
    description="What a guardian is to the minor (Civil Code art. 27).",
    describe={
        GuardianRelation.PARENT: "A parent.",
        GuardianRelation.GRANDPARENT: "A grandparent.",
        GuardianRelation.SIBLING: "A grown-up brother or sister.",
        GuardianRelation.OTHER: "Somebody else who was appointed, with the committee's or the court's agreement.",
    },
)


class GuardianEvidence(enum.StrEnum):
    """What a guardianship was proven by; the paper itself is seen, not stored."""

    HOUSEHOLD_REGISTER = "HOUSEHOLD_REGISTER"
    BIRTH_CERTIFICATE = "BIRTH_CERTIFICATE"
    COMMITTEE_DESIGNATION = "COMMITTEE_DESIGNATION"
    COURT_DECISION = "COURT_DECISION"


labelled(
    GuardianEvidence,
    {
        GuardianEvidence.HOUSEHOLD_REGISTER: "户口簿",
        GuardianEvidence.BIRTH_CERTIFICATE: "出生医学证明",
        GuardianEvidence.COMMITTEE_DESIGNATION: "居（村）民委员会指定",
        GuardianEvidence.COURT_DECISION: "法院裁判文书",
    },
    description="What a guardianship was proven by; the paper itself is seen, not stored.",
    describe={
        GuardianEvidence.HOUSEHOLD_REGISTER: "The household register.",
        GuardianEvidence.BIRTH_CERTIFICATE: "The birth certificate.",
        GuardianEvidence.COMMITTEE_DESIGNATION: "A designation by the residents' or villagers' committee.",
        GuardianEvidence.COURT_DECISION: "A court's decision.",
    },
)


class RequestKind(enum.StrEnum):
    """What a data subject asks for (PIPL art. 44-47)."""

    ACCESS = "ACCESS"
    EXPORT = "EXPORT"
    CORRECT = "CORRECT"
    DELETE = "DELETE"
    RESTRICT = "RESTRICT"


FILES = (RequestKind.ACCESS, RequestKind.EXPORT)
"""Answered by a file."""

labelled(
    RequestKind,
    {
        RequestKind.ACCESS: "查阅",
        RequestKind.EXPORT: "复制导出",
        RequestKind.CORRECT: "更正",
        RequestKind.DELETE: "删除",
        RequestKind.RESTRICT: "限制处理",
    },
    description="What a data subject asks for (PIPL art. 44-47).",
    describe={
        RequestKind.ACCESS: "To read all own data: answered by the same file as EXPORT.",
        RequestKind.EXPORT: "A copy of all own data, to take elsewhere.",
        RequestKind.CORRECT: "That wrong data be put right: staff of the community decide.",
        RequestKind.DELETE: "That the account and all personal fields be erased.",
        RequestKind.RESTRICT: "That data be used for nothing that is not necessary: every optional use ends.",
    },
)


class RequestState(enum.StrEnum):
    """Where a data subject's request stands."""

    WAITING_COSIGN = "WAITING_COSIGN"
    RECEIVED = "RECEIVED"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


S = RequestState
REQUEST_STEPS: dict[tuple[str, RequestState], RequestState] = {
    ("cosign", S.WAITING_COSIGN): S.RECEIVED,
    ("prepare", S.RECEIVED): S.IN_PROGRESS,
    ("finish", S.RECEIVED): S.DONE,
    ("finish", S.IN_PROGRESS): S.DONE,
    ("refuse", S.RECEIVED): S.REFUSED,
    ("withdraw", S.WAITING_COSIGN): S.WITHDRAWN,
    ("withdraw", S.RECEIVED): S.WITHDRAWN,
    ("withdraw", S.IN_PROGRESS): S.WITHDRAWN,
}
"""(step, from) -> to. Only a correction waits in RECEIVED, and only a file in IN_PROGRESS; the rest is done at once."""
FETCHABLE_STATES = (S.IN_PROGRESS, S.DONE)
"""States in which a file may be fetched, until it expires."""
OPEN_REQUESTS = (S.WAITING_COSIGN, S.RECEIVED, S.IN_PROGRESS)
"""States with a deadline."""

labelled(
    S,
    {
        S.WAITING_COSIGN: "待监护人确认",
        S.RECEIVED: "已收到",
        S.IN_PROGRESS: "可下载",
        S.DONE: "已办结",
        S.REFUSED: "未采纳",
        S.WITHDRAWN: "已撤回",
    },
    description="Where a data subject's request stands.",
    colours={
        S.WAITING_COSIGN: "orange",
        S.RECEIVED: "orange",
        S.IN_PROGRESS: "blue",
        S.DONE: "green",
        S.REFUSED: "red",
    },
    next=ahead(REQUEST_STEPS),
    describe={
        S.WAITING_COSIGN: "The person is under 14, and no guardian has co-signed yet.",
        S.RECEIVED: "Waits for the community's staff.",
        S.IN_PROGRESS: "The file may be fetched.",
        S.DONE: "Answered.",
        S.REFUSED: "Refused, with a reason.",
        S.WITHDRAWN: "Taken back, or never fetched.",
    },
)


class CorrectionField(enum.StrEnum):
    """A field that a correction may change."""

    NAME = "NAME"
    PHONE = "PHONE"
    ADDRESS = "ADDRESS"
    GENDER = "GENDER"
    BIRTH_DATE = "BIRTH_DATE"
    ID_NUMBER = "ID_NUMBER"


labelled(
    CorrectionField,
    {
        CorrectionField.NAME: "姓名",
        CorrectionField.PHONE: "手机号",
        CorrectionField.ADDRESS: "住址",
        CorrectionField.GENDER: "性别",
        CorrectionField.BIRTH_DATE: "出生日期",
        CorrectionField.ID_NUMBER: "证件号码",
    },
    description="A field that a correction may change.",
    describe={
        CorrectionField.NAME: "The full name.",
        CorrectionField.PHONE: "The phone number.",
        CorrectionField.ADDRESS: "The address with its door.",
        CorrectionField.GENDER: "The gender.",
        CorrectionField.BIRTH_DATE: "The birth date.",
        CorrectionField.ID_NUMBER: "The number of the identity card.",
    },
)


class ErasureBar(enum.StrEnum):
    """What stands in the way of erasing an account."""

    OPEN_NEEDS = "OPEN_NEEDS"
    OPEN_OFFERS = "OPEN_OFFERS"
    LIVE_COMMITMENTS = "LIVE_COMMITMENTS"
    SESSIONS_AHEAD = "SESSIONS_AHEAD"
    PAYMENTS_PENDING = "PAYMENTS_PENDING"
    LAST_ADMINISTRATOR = "LAST_ADMINISTRATOR"


labelled(
    ErasureBar,
    {
        ErasureBar.OPEN_NEEDS: "未办结的需求",
        ErasureBar.OPEN_OFFERS: "未结束的供给",
        ErasureBar.LIVE_COMMITMENTS: "进行中的对接",
        ErasureBar.SESSIONS_AHEAD: "已报名的场次",
        ErasureBar.PAYMENTS_PENDING: "未办结的救助款",
        ErasureBar.LAST_ADMINISTRATOR: "最后一位平台管理员",
    },
    description="What stands in the way of erasing an account.",
    describe={
        ErasureBar.OPEN_NEEDS: "Needs of his that are not closed.",
        ErasureBar.OPEN_OFFERS: "Offers of his that are not over.",
        ErasureBar.LIVE_COMMITMENTS: "Commitments that he gives or receives.",
        ErasureBar.SESSIONS_AHEAD: "Sessions that he signed up for, or is at.",
        ErasureBar.PAYMENTS_PENDING: "Payments to him that are not settled.",
        ErasureBar.LAST_ADMINISTRATOR: "He is the last administrator of the platform.",
    },
)

GUARDIAN_DAYS = 7
"""For how long somebody must have been a verified guardian before he may have the child erased."""

MAY: dict[str, frozenset[Role]] = {
    "consent.give": SIGNED_IN,
    "consent.withdraw": SIGNED_IN,
    "consent.cosign": SIGNED_IN,
    "guardianship.record": SIGNED_IN,
    "guardianship.verify": frozenset({Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}),
    "guardianship.end": SIGNED_IN,
    "request.make": SIGNED_IN,
    "request.cosign": SIGNED_IN,
    "request.withdraw": SIGNED_IN,
    "request.decide": frozenset({Role.COMMUNITY_STAFF, Role.ADMIN}),
    "correction.reveal": frozenset({Role.COMMUNITY_STAFF}),
    "account.erase": SIGNED_IN,
}
"""Which roles may take each step; whose data it is about is checked beside it."""


def is_child(born: date | None, now: datetime) -> bool:
    """Whether somebody is under 14 on the day in Shanghai; one whose birth date is unknown is taken for grown up."""
    return born is not None and age(born, clock.day(now)) < CHILD


def child_until(born: date) -> date:
    """The day from which on he decides himself."""
    return birthday(born, CHILD)


def due(received: datetime, entered: Mapping[date, bool] = MappingProxyType({})) -> datetime:
    """Until when a request is to be answered: 15 working days. `entered`: the days that an administrator entered."""
    return after_working_days(received.astimezone(clock.SHANGHAI), ANSWER_DAYS, entered)


def step(name: str, state: str) -> RequestState:
    """Where a step leads a request. Raises InvalidTransition."""
    now = RequestState(state)
    after = REQUEST_STEPS.get((name, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after


def consent_step(name: str, state: str) -> ConsentState:
    """Where a step leads a consent. Raises InvalidTransition."""
    now = ConsentState(state)
    after = CONSENT_STEPS.get((name, now))
    if after is None:
        raise InvalidTransition(status=now.value, label=label(now))
    return after
