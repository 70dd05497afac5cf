"""What can be refused about signing in by WeChat and about becoming one person."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class WechatCodeInvalid(Problem):
    """WeChat does not know the code: it is malformed, of another mini-program, or older than five minutes (40029)."""

    says = "微信凭证无效或已过期，请重新获取。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class WechatCodeUsed(Problem):
    """The code has been used up (40163). Get a new one: `wx.login`, or the phone number's button."""

    says = "微信凭证已使用过，请重新获取。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class WechatTooOften(Problem):
    """WeChat takes no more calls for this user in this minute (45011)."""

    says = "操作过于频繁，请一分钟后再试。"
    retry = Retry.LATER
    retry_after_seconds = 60


@dataclasses.dataclass(eq=False)
class WechatRefused(Problem):
    """WeChat holds this user for a risk, and lets him sign in nowhere (40226)."""

    says = "微信提示该账号存在风险，暂不能登录。"


@dataclasses.dataclass(eq=False)
class WechatBusy(Problem):
    """WeChat has too much to do, and has not looked at the code (-1)."""

    says = "微信繁忙，请稍后再试。"
    retry = Retry.LATER
    retry_after_seconds = 2


@dataclasses.dataclass(eq=False)
class WechatUnavailable(Problem):
    """WeChat does not answer, or nothing that can be understood. The code may have been used up by it."""

    says = "暂时连不上微信，请稍后再试。"
    retry = Retry.LATER
    retry_after_seconds = 5


@dataclasses.dataclass(eq=False)
class WechatTaken(Problem):
    """This WeChat user is another person here."""

    says = "该微信已绑定其他人员。"


@dataclasses.dataclass(eq=False)
class WechatBound(Problem):
    """The caller signs in by another WeChat user already: he unbinds that one first (`wechatUnbind`)."""

    says = "您已绑定另一个微信，请先解除绑定。"


@dataclasses.dataclass(eq=False)
class WechatOnly(Problem):
    """The caller has no password: without his WeChat he could not sign in any more."""

    says = "您没有账号密码，解除绑定后将无法登录。"


@dataclasses.dataclass(eq=False)
class PhoneNotProven(Problem):
    """No phone number has been proven in this sign-in within the last 15 minutes, and no identity card was given."""

    says = "请先验证手机号，或填写身份证号。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class ClaimMismatch(Problem):
    """No record has this number and this name. Whether the number or the name was wrong is not told."""

    says = "没有找到与所填信息一致的登记，请核对（今日还可尝试 {left} 次）。"
    retry = Retry.CHANGE_INPUT
    left: int
    """How many more times he may try today."""


@dataclasses.dataclass(eq=False)
class ClaimTriesExhausted(Problem):
    """Five failed claims in a day, of this person. (A record that five have failed at answers ClaimMismatch.)"""

    says = "今日尝试次数已用完，请明天再试或到社区办理。"
    retry = Retry.LATER
    retry_after_seconds = 86_400


@dataclasses.dataclass(eq=False)
class ClaimNeedsStaff(Problem):
    """The record cannot be claimed from a phone: several match, it has a WeChat user already, it is a child's, or its
    identity card was put on record less than a day ago.

    A child's number and card are its parents': by them a parent would become the child.
    """

    says = "该登记须由社区工作人员核对后合并，请到社区办理。"


@dataclasses.dataclass(eq=False)
class RecordActs(Problem):
    """One of the records acts for others, or has an account: nobody comes by a capacity by way of a phone number.

    Its person signs in with the account, and binds WeChat to it (`wechatBind`).
    """

    says = "该登记有任职或登录账号，请用账号登录后绑定微信。"


@dataclasses.dataclass(eq=False)
class BothHaveHistory(Problem):
    """What the record to be given up has stands in ledgers that are never rewritten, such as hours and attendances."""

    says = "被合并的登记已有服务或台账记录，不能并入，请到社区办理。"
    where: list[str]
    """In which ledgers, by the names of their tables."""


@dataclasses.dataclass(eq=False)
class NotOnePerson(Problem):
    """The two records have neither a phone number nor an identity card number in common."""

    says = "两条登记的手机号和身份证号都不相同，不能合并。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class NamesDiffer(Problem):
    """The two records have different full names. If one is written wrongly, it is corrected first."""

    says = "两条登记的姓名不同，不能合并，请先更正姓名。"


@dataclasses.dataclass(eq=False)
class NumberUnproven(Problem):
    """Nobody of the two has proven their phone number in the mini-program (`phoneBind`) within the last 24 hours."""

    says = "请本人先在小程序验证该手机号，24 小时内再来合并。"
    retry = Retry.LATER


@dataclasses.dataclass(eq=False)
class BothSignIn(Problem):
    """Each of the two signs in by a WeChat user of his own: so they are two people, as far as can be told."""

    says = "两条登记各自绑定了微信，不能合并。"


@dataclasses.dataclass(eq=False)
class ChildsRecord(Problem):
    """One record is a child's, and what is to be given up is more than a WeChat user who has said nothing of himself."""

    says = "未成年人的登记只能并入刚用微信登录、尚未登记的人。"
