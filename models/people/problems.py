"""What can be refused about people, organizations and their capacities."""

from __future__ import annotations

import dataclasses

from models.problems import Problem, Retry


@dataclasses.dataclass(eq=False)
class AlreadyRegistered(Problem):
    """The person is registered already; his registration is the one that counts."""

    says = "已经登记过{what}，无需重复登记。"
    retry = Retry.REFRESH
    what: str
    """As what: 居民 or 志愿者."""


@dataclasses.dataclass(eq=False)
class AlreadyVerified(Problem):
    """Staff have verified this resident already."""

    says = "该居民已核验，无需重复核验。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class ResidentUnverified(Problem):
    """The community has not made sure yet that this resident lives there."""

    says = "该居民尚未核验，核验后方可登记健康与困难情况。"
    retry = Retry.LATER


@dataclasses.dataclass(eq=False)
class TooYoung(Problem):
    """Under the age of 8 nobody can register as a volunteer (Civil Code, art. 20)."""

    says = "不满 {age} 周岁不能登记为志愿者。"
    age: int
    """The least age."""


@dataclasses.dataclass(eq=False)
class GuardianConsentMissing(Problem):
    """The volunteer is a minor, and no guardian's consent is on record (I10)."""

    says = "未成年人须先有监护人同意的记录。"
    retry = Retry.LATER


@dataclasses.dataclass(eq=False)
class GuardianUnfit(Problem):
    """That person cannot consent for this minor."""

    says = "{reason}"
    retry = Retry.CHANGE_INPUT
    reason: str
    """Why not."""


@dataclasses.dataclass(eq=False)
class DuplicateOrganization(Problem):
    """An organization with this credit code, or this name in this division, is there already."""

    says = "已有相同{what}的组织，请核对后再提交。"
    retry = Retry.CHANGE_INPUT
    what: str
    """What is the same: 统一社会信用代码 or 名称."""


@dataclasses.dataclass(eq=False)
class OrganizationNotVerified(Problem):
    """The organization has not been verified, so nobody can act for it."""

    says = "该组织尚未通过核验。"
    retry = Retry.LATER


@dataclasses.dataclass(eq=False)
class MembershipExists(Problem):
    """The person holds the same capacity on some of these days already."""

    says = "该人员在所选期间已有相同任职。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class AnswerPending(Problem):
    """He has asked to join this organization already, or it has invited him, and nobody has answered yet."""

    says = "已有待答复的入会申请或邀请。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class TooManyPending(Problem):
    """Too many requests of one person, or invitations of one organization, wait for an answer."""

    says = "待答复的申请或邀请过多，最多 {most} 份。"
    retry = Retry.LATER
    most: int
    """How many may wait."""


@dataclasses.dataclass(eq=False)
class RolesApart(Problem):
    """The person holds a capacity on some of these days that nobody may hold together with this one."""

    says = "该人员同期任“{held}”，两种身份不能由同一人担任。"
    retry = Retry.CHANGE_INPUT
    held: str
    """The capacity that he holds, as its Chinese label."""


@dataclasses.dataclass(eq=False)
class OwnCase(Problem):
    """Nobody decides on his own application, or gives himself a capacity."""

    says = "不能办理本人的事项，请由其他人员办理。"


@dataclasses.dataclass(eq=False)
class ScopeExceeded(Problem):
    """Nobody gives a capacity that is wider than his own."""

    says = "不能授予超出本人管理范围的任职。"


@dataclasses.dataclass(eq=False)
class LastAdministrator(Problem):
    """The platform cannot be left without an administrator."""

    says = "这是最后一位平台管理员，不能撤销。"


@dataclasses.dataclass(eq=False)
class LicenceMissing(Problem):
    """The person has no social worker's licence on record that is valid on these days."""

    says = "该人员没有有效的社会工作者证书记录。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class RevealNotAllowed(Problem):
    """Some of these people's contacts may not be read: not in the caller's scope, or no commitment confirmed. None was."""

    says = "其中 {count} 人的联系方式当前无权查看，本次未查看任何人的信息。"
    retry = Retry.CHANGE_INPUT
    count: int
    """How many of them."""
    persons: list[str]
    """Their ids."""


@dataclasses.dataclass(eq=False)
class CareRefused(Problem):
    """The resident has withdrawn his consent to any record of his health and poverty, or is under 14 and no guardian
    has agreed to one (PIPL art. 29, 31)."""

    says = "该居民已撤回同意，或未满 14 周岁且监护人尚未同意，不能登记健康与困难情况。"


@dataclasses.dataclass(eq=False)
class DocumentOnRecord(Problem):
    """Another document of this person is on record. It is changed by a correction that he asks for, never in passing."""

    says = "该人员已登记其他证件，更换须由本人申请更正。"


@dataclasses.dataclass(eq=False)
class DocumentTaken(Problem):
    """This document is on record as somebody else's."""

    says = "该证件号码已登记在另一人名下，请核对后由社区处理。"
    retry = Retry.CHANGE_INPUT


@dataclasses.dataclass(eq=False)
class TooManySearches(Problem):
    """The caller has searched for people too often within the hour."""

    says = "查找次数过多，每小时最多 {most} 次，请稍后再试。"
    retry = Retry.LATER
    retry_after_seconds = 600
    most: int
    """Searches in an hour."""


@dataclasses.dataclass(eq=False)
class ConflictOfInterest(Problem):
    """Nobody decides on what he made himself, nor on what pays or credits himself, somebody he is close to, or an
    organization that he belongs to or has a stake in (Charity Law, articles 14 and 59; I17)."""

    says = "您与此事有利害关系（{reason}），请由其他人员办理。"
    reason: str
    """Which interest, in a phrase."""


@dataclasses.dataclass(eq=False)
class AdministratorTooNew(Problem):
    """To ask, or to agree, that plain data be read takes somebody who has administered for a while."""

    says = "任平台管理员满 {days} 天后，方可申请或同意应急查阅。"
    retry = Retry.LATER
    days: int
    """For how many days at least."""


@dataclasses.dataclass(eq=False)
class QualificationPending(Problem):
    """A qualification of this type waits for the staff already."""

    says = "同类证书正在等待核验，请先撤回再重新提交。"
    retry = Retry.REFRESH


@dataclasses.dataclass(eq=False)
class QualificationTaken(Problem):
    """A paper of this type and number is verified as somebody else's."""

    says = "该证书编号已核验在另一人名下，请核对原件。"


@dataclasses.dataclass(eq=False)
class NotAvailable(Problem):
    """These two are not brought together. Why is nobody's business: it says no more than that a list would not show it."""

    says = "暂时无法对接此需求，请选择其他需求。"


@dataclasses.dataclass(eq=False)
class NotIndependent(Problem):
    """Who agrees owes his office or his account to who asked, or the other way round, or both owe it to a third one."""

    says = "您与申请人之间有授予任职或邀请开户的关系，须由无此关系的管理员同意。"


@dataclasses.dataclass(eq=False)
class OutsideArea(Problem):
    """Some of these people do not live in the area that the caller administers."""

    says = "其中有人不在您管理的区域内。"
    retry = Retry.CHANGE_INPUT
