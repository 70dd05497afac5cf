"""What can be refused about accounts. None of it says whether a login is known."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class SignInRefused(Problem):
    """The login is not known, the password is another one, or the account is disabled: which, is not told."""

    says = "账号或密码不正确。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class CodeRequired(Problem):
    """The password is right; a code of the authenticator, or a recovery code, is needed besides."""

    says = "请输入验证器上的 6 位验证码。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class CodeRefused(Problem):
    """The code is another one, is past its time, or has been used. The password was right."""

    says = "验证码不正确或已用过，请等下一个验证码。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class PasswordRefused(Problem):
    """The present password, asked for again, is another one."""

    says = "当前密码不正确。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class TooManyAttempts(Problem):
    """Too many failures of late: from this network address, or by devices unknown to this account."""

    says = "尝试次数过多，请稍后再试。"
    retry = Retry.LATER
    # A constant of the class elsewhere; here each refusal has its own.
    retry_after_seconds: int | None = None  # type: ignore[misc]
    """How long to wait."""


@dataclasses.dataclass(eq=False)
class PasswordWeak(Problem):
    """The new password is short, among the commonest, or made of what others know of the person (NIST SP 800-63B)."""

    says = "{reason}"
    retry = Retry.CHANGE_INPUT
    reason: str
    """Why, in a sentence."""


@dataclasses.dataclass(eq=False)
class LoginTaken(Problem):
    """Another account is signed in to by this phone number or e-mail address."""

    says = "该手机号或邮箱已用于另一个账号。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class AccountActive(Problem):
    """The account is in use. Only an administrator may invite its person anew, which resets it."""

    says = "该账号已启用，请由平台管理员重置。"


@dataclasses.dataclass(eq=False)
class OtherCapacities(Problem):
    """The person is more than a member of the caller's organization, so an administrator invites him."""

    says = "该人员另有身份或已登录过，请由平台管理员邀请。"


@dataclasses.dataclass(eq=False)
class InvitationInvalid(Problem):
    """The invitation is none of ours, was taken up, was replaced by another one, or is older than 72 hours."""

    says = "邀请无效或已过期，请联系邀请人重新发送。"


@dataclasses.dataclass(eq=False)
class TotpNotBegun(Problem):
    """No new authenticator waits for its first code: begin with `totpBegin`."""

    says = "请先开始绑定验证器。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class TotpCompulsory(Problem):
    """The person holds a capacity that is only for sign-ins with a second factor."""

    says = "您的身份必须使用二次验证，不能停用。"
