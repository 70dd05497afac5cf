"""The laws of signing in: how, for how long, as what; and what a machine's key may do."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta

from models.access import FUND_ROLES, Role
from models.labels import labelled
from models.people.scopes import SIGNED_IN


class SignInMethod(enum.StrEnum):
    """By what somebody proved who he is."""

    WECHAT = "WECHAT"
    PASSWORD = "PASSWORD"


labelled(
    SignInMethod,
    {SignInMethod.WECHAT: "微信", SignInMethod.PASSWORD: "密码"},
    description="By what somebody proved who he is.",
    describe={
        SignInMethod.WECHAT: "The mini-program: WeChat says who he is.",
        SignInMethod.PASSWORD: "A phone number or an e-mail address, and a password.",
    },
)


class SignInEnd(enum.StrEnum):
    """Why a sign-in has ended."""

    SIGNED_OUT = "SIGNED_OUT"
    ENDED_BY_OWNER = "ENDED_BY_OWNER"
    REUSED = "REUSED"
    EXPIRED = "EXPIRED"
    PERSON_ERASED = "PERSON_ERASED"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"
    MERGED = "MERGED"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"
    ENDED_BY_PLATFORM = "ENDED_BY_PLATFORM"


labelled(
    SignInEnd,
    {
        SignInEnd.SIGNED_OUT: "已退出",
        SignInEnd.ENDED_BY_OWNER: "本人在其他设备上结束",
        SignInEnd.REUSED: "凭证被重复使用",
        SignInEnd.EXPIRED: "已过期",
        SignInEnd.PERSON_ERASED: "个人信息已删除",
        SignInEnd.PASSWORD_CHANGED: "密码已更改",
        SignInEnd.MERGED: "账号已合并",
        SignInEnd.ACCOUNT_DISABLED: "账号已停用",
        SignInEnd.ENDED_BY_PLATFORM: "平台统一结束",
    },
    description="Why a sign-in has ended.",
    describe={
        SignInEnd.SIGNED_OUT: "He signed out there.",
        SignInEnd.ENDED_BY_OWNER: "He ended it from another sign-in of his.",
        SignInEnd.REUSED: "A refresh token that had been used came again: somebody else may have had it.",
        SignInEnd.EXPIRED: "Its time was up, or it was not used for too long.",
        SignInEnd.PERSON_ERASED: "The person's data were erased at his request.",
        SignInEnd.PASSWORD_CHANGED: "The password was changed, or taken away by a reset.",
        SignInEnd.MERGED: "Two records of one person were merged, or their merging was undone.",
        SignInEnd.ACCOUNT_DISABLED: "An administrator disabled the account.",
        SignInEnd.ENDED_BY_PLATFORM: "Whoever runs the platform ended everybody's, as after a breach.",
    },
    colours={SignInEnd.REUSED: "red"},
)


class ApiScope(enum.StrEnum):
    """What a machine's key may do."""

    READ = "READ"
    OFFERS = "OFFERS"
    COMMITMENTS = "COMMITMENTS"
    SESSIONS = "SESSIONS"
    HOURS = "HOURS"
    VOLUNTEERS = "VOLUNTEERS"
    CONTACTS = "CONTACTS"
    DOCUMENTS = "DOCUMENTS"


labelled(
    ApiScope,
    {
        ApiScope.READ: "查询",
        ApiScope.OFFERS: "供给",
        ApiScope.COMMITMENTS: "认领与对接",
        ApiScope.SESSIONS: "组织活动",
        ApiScope.HOURS: "签到与时长",
        ApiScope.VOLUNTEERS: "报名名单",
        ApiScope.CONTACTS: "查看个人信息",
        ApiScope.DOCUMENTS: "自拟文档",
    },
    description="What a machine's key may do. It never may more than the person in whose name it acts.",
    describe={
        ApiScope.READ: "Queries. Plain personal data stay closed without CONTACTS.",
        ApiScope.OFFERS: "What the organization offers.",
        ApiScope.COMMITMENTS: "To claim needs, and to take or give up commitments.",
        ApiScope.SESSIONS: "The organization's activities and sessions.",
        ApiScope.HOURS: "Who was there, from when to when; hours proposed by hand. People confirm them.",
        ApiScope.VOLUNTEERS: "Who of those that signed up for a session may come.",
        ApiScope.CONTACTS: "Plain names, phone numbers and addresses, where the organization may have them at all; each reading is on record.",
        ApiScope.DOCUMENTS: "Documents of its own making, where the platform otherwise takes only those that a front end was published with.",
    },
    colours={ApiScope.CONTACTS: "red"},
)

STRONG_ROLES = FUND_ROLES | {Role.ADMIN, Role.AUDITOR, Role.COMMUNITY_STAFF, Role.SOCIAL_WORKER}
"""Roles that approve, or read the data of a whole community's residents or more: only for a sign-in that gave a second
factor (PIPL art. 51: access control that fits how sensitive the data are). Grid officers are not among them: they work
from the mini-program on their rounds, and see the few hundred households of their own grid."""

ACCESS = timedelta(minutes=15)
"""How long an access token lasts."""
SIGN_IN = timedelta(days=30)
"""How long a sign-in lasts at most."""
STRONG_SIGN_IN = timedelta(hours=12)
"""How long a second factor counts, and how long a sign-in in a strong role lasts at most."""
STRONG_IDLE = timedelta(hours=2)
"""After how long without a refresh a second factor counts no more, and a sign-in in a strong role ends."""
GRACE = timedelta(seconds=30)
"""For how long a refresh token that has been used may come again, because its answer was lost on the way."""
KEPT = timedelta(days=90)
"""How long an ended sign-in is kept, for its owner to see."""


def lasts_until(role: Role, since: datetime, seen: datetime) -> datetime:
    """When a sign-in ends that began and was last refreshed then, if nothing happens until then."""
    return min(since + STRONG_SIGN_IN, seen + STRONG_IDLE) if role in STRONG_ROLES else since + SIGN_IN


def still_strong(since: datetime, seen: datetime, now: datetime) -> bool:
    """Whether a second factor that was given when a sign-in began still counts."""
    return now < min(since + STRONG_SIGN_IN, seen + STRONG_IDLE)


KEY_DAYS, KEY_DAYS_MOST = 90, 365
"""For how many days an API key is valid, unless its maker says otherwise, and at most."""
BUDGET, BUDGET_LEAST = 10_000, 1_000
"""Points a minute that an API key may spend, at most and at least: one operation costs up to 1,000."""
KEYS_OF_ONE_NAME = 2
"""Live keys of one name in an organization: the old one and the new one, while they change places."""

MAY: dict[str, frozenset[Role]] = {
    "sign_in.refresh": frozenset(Role),
    "sign_in.switch": SIGNED_IN,
    "sign_in.end": SIGNED_IN,
    "api_key.make": frozenset({Role.NGO_STAFF}),
    "api_key.revoke": frozenset({Role.NGO_STAFF, Role.ADMIN}),
}
"""Which roles may take each step; whose, and where, is checked beside it."""
