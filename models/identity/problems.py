"""What can be refused about sign-ins and keys."""

from __future__ import annotations

import dataclasses

import models.identity.accounts.problems
import models.identity.wechat.problems  # noqa: F401 - its classes register themselves
from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class RefreshInvalid(Problem):
    """The refresh token is none of ours, or its sign-in has ended."""

    says = "登录已失效，请重新登录。"
    retry = Retry.SIGN_IN


@dataclasses.dataclass(eq=False)
class RefreshReused(Problem):
    """The refresh token had been used before; somebody else may have it, so the sign-in was ended."""

    says = "登录凭证被重复使用，为安全起见已退出，请重新登录。"
    retry = Retry.SIGN_IN


@dataclasses.dataclass(eq=False)
class CapacityNotHeld(Problem):
    """The person does not have this capacity today."""

    says = "您目前没有这个身份，请另选。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class SecondFactorRequired(Problem):
    """This capacity is for a sign-in with a second factor, given less than 12 hours ago and used within the last two."""

    says = "该身份须经二次验证，请用验证码重新登录。"
    retry = Retry.SIGN_IN


@dataclasses.dataclass(eq=False)
class TooManyKeys(Problem):
    """The organization has two live keys of this name already: one to use, and one to take its place."""

    says = "同名密钥最多两个有效，请先吊销旧的。"
    retry = Retry.CHANGE_INPUT
