"""Erasing a person (PIPL art. 47): what is his goes, what others must be able to check stays under a pseudonym.

The ledgers of hours and money, attendances, the log of who read whose data and the audit log are kept whole: they are
what law, or somebody else's right, asks to keep. They hold ids, which from now on lead to nobody; the audit log holds the
network addresses too from which he acted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from models.access import Role
from models.activity.tables import Attendance
from models.base import INSTANT, table
from models.database import Db, Statement
from models.exchange.kinds import Side
from models.exchange.rounds.tables import MatchProposal
from models.exchange.tables import Commitment, Need, NeedStaff, Offer
from models.files.tables import Attachment
from models.funds.inputs import ANONYMOUS
from models.funds.tables import Disbursement, Donation, Donor, DonorName
from models.identity.accounts.tables import Account, AccountLogin, RecoveryCode
from models.identity.actions import end_sign_ins_of
from models.identity.rules import SignInEnd
from models.identity.tables import ApiKey, RefreshToken, SignIn
from models.identity.wechat.tables import BoundPhone, ClaimTry, LoginCode, WechatIdentity
from models.people.availability import RADIUS_KM, WEEKLY_CAP, VolunteerAbsence, VolunteerWindow
from models.people.avoidances import Avoidance
from models.people.care import written_tags
from models.people.interests import DeclaredInterest
from models.people.organizations import Membership, MembershipRequest, OrganizationVolunteer
from models.people.qualifications import Qualification
from models.people.reliability import NEWCOMER
from models.people.rules import Gender, PersonState, VolunteerRegistration
from models.people.tables import (
    ContactGrant,
    FormerResidence,
    GuardianConsent,
    Person,
    PersonContact,
    PersonIdentity,
    PersonName,
    Resident,
    SocialWorker,
    Volunteer,
)
from models.privacy.actions.effects import UNSAID
from models.privacy.actions.open_ends import OWN_NEED, bars, cancel_open
from models.privacy.problems import ErasureBlocked
from models.privacy.rules import ConsentState
from models.privacy.tables import Consent, Correction, Guardianship, SubjectRequest
from models.vault import Kind

GONE, GONE_PINYIN = "已注销用户", "yi zhu xiao yong hu"
FORGOTTEN = "（已清除）"
WHO = sa.bindparam("person", type_=sa.Uuid(), unique=False)
NOW = sa.bindparam("now", type_=INSTANT, unique=False)
ADULT_SINCE: sa.ColumnElement[date] = sa.literal_column("date '1970-01-01'")
"""In the place of the day on which he came of age, which would tell his birthday."""


OWN_ROLES = (Role.PERSON, Role.RESIDENT, Role.VOLUNTEER)
"""The capacities that nobody gave him. What he uploaded in an office is the office's record."""


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{value}'", sa.Text())


def _found_by(rows: sa.Table) -> Any:
    """What a need or an offer is found by when nothing is left of its title."""
    keys = ARRAY(sa.Integer())
    none = sa.literal_column("'{}'::integer[]", keys)
    return sa.func.grams_of(none, rows.c.category_code, rows.c.area, type_=keys)


_none: sa.ColumnElement[Any] = sa.literal_column("'{}'::text[]")
person, resident, volunteer = table(Person), table(Resident), table(Volunteer)
need, offer, commitment, staff = table(Need), table(Offer), table(Commitment), table(NeedStaff)
donor, donor_name, donation, disbursement = table(Donor), table(DonorName), table(Donation), table(Disbursement)
sign_in, refresh, login_code = table(SignIn), table(RefreshToken), table(LoginCode)
attendance, worker, membership = table(Attendance), table(SocialWorker), table(Membership)
grant, took, key = table(ContactGrant), table(OrganizationVolunteer), table(ApiKey)
link, agreed, interest = table(Guardianship), table(GuardianConsent), table(DeclaredInterest)
consent, asked, correction = table(Consent), table(SubjectRequest), table(Correction)

HIS_SIGN_INS = sa.select(sign_in.c.id).where(sign_in.c.person_id == WHO)
HIS_DONORS = sa.select(donor.c.id).where(donor.c.person_id == WHO)
attachment = table(Attachment)
HIS_FILES = sa.or_(
    sa.and_(attachment.c.uploader_id == WHO, attachment.c.role.in_([_text(role) for role in OWN_ROLES])),
    attachment.c.need_id.in_(sa.select(need.c.id).where(OWN_NEED)),
    attachment.c.attendance_id.in_(sa.select(attendance.c.id).where(attendance.c.volunteer_id == WHO)),
)
"""What he uploaded as himself, and what anybody attached to his needs and his parts in sessions."""
REFERRED = sa.or_(
    sa.exists(sa.select(need.c.id).where(need.c.beneficiary_id == resident.c.id)),
    sa.exists(sa.select(disbursement.c.id).where(disbursement.c.payee_resident_id == resident.c.id)),
)


def _of_his(rows: type, column: str = "person_id") -> Statement:
    return Statement(sa.delete(table(rows)).where(table(rows).c[column] == WHO))


def _ended(rows: sa.Table, whose: sa.ColumnElement[bool], column: str, **more: object) -> Statement:
    return Statement(sa.update(rows).where(whose, rows.c[column].is_(None)).values({column: NOW, **more}))


DELETED = (
    *(_of_his(rows) for rows in (PersonName, PersonContact, PersonIdentity)),
    *(_of_his(rows) for rows in (RecoveryCode, AccountLogin, Account)),
    Statement(sa.delete(login_code).where(login_code.c.sign_in_id.in_(HIS_SIGN_INS))),
    *(_of_his(rows) for rows in (WechatIdentity, BoundPhone, ClaimTry)),
    Statement(sa.delete(refresh).where(refresh.c.sign_in_id.in_(HIS_SIGN_INS))),
    Statement(sa.delete(donor_name).where(donor_name.c.donor_id.in_(HIS_DONORS))),
    *(_of_his(rows) for rows in (NeedStaff, FormerResidence, MembershipRequest)),
    _of_his(MatchProposal),
    *(_of_his(rows) for rows in (VolunteerWindow, VolunteerAbsence, Qualification, Avoidance)),
    _of_his(Avoidance, "avoided_person_id"),
    Statement(sa.delete(resident).where(resident.c.person_id == WHO, sa.not_(REFERRED))),
)
"""Rows that are nothing but his."""

CLEARED = (
    Statement(sa.update(sign_in).where(sign_in.c.person_id == WHO).values(device=None, network=None)),
    Statement(  # the community stays, where what he did is counted: its staff see that there was somebody
        sa.update(person)
        .where(person.c.id == WHO)
        .values(
            name_masked=_text(GONE),
            pinyin=_text(GONE_PINYIN),
            phone_masked=None,
            address_masked=None,
            gender=_text(Gender.UNKNOWN),
            birth_date=None,
            area=sa.func.left(person.c.area, sa.literal_column("12")),
            acts=False,
            no_sharing=True,
            state=_text(PersonState.PSEUDONYM),
        )
    ),
    Statement(
        sa.update(volunteer)
        .where(volunteer.c.person_id == WHO)
        .values(
            state=_text(VolunteerRegistration.WITHDRAWN),
            state_reason=None,
            skills=_none,
            categories=_none,
            no_matching=True,
            own_point=sa.false(),
            radius_km=sa.literal_column(str(RADIUS_KM)),
            weekly_cap=sa.literal_column(str(WEEKLY_CAP)),
            languages=_none,
            reliability=sa.literal_column(str(NEWCOMER)),
            completed=sa.literal_column("0"),
            no_shows=sa.literal_column("0"),
            late_cancels=sa.literal_column("0"),
            reliable_until=None,
            adult_on=ADULT_SINCE,
            version=volunteer.c.version + 1,
        )
    ),
    Statement(
        sa.update(worker)
        .where(worker.c.person_id == WHO)
        .values(licence_no=sa.func.concat(_text("注销"), sa.cast(worker.c.id, sa.Text())))
    ),
    Statement(
        sa.update(need)
        .where(OWN_NEED)
        .values(
            title=_text(f"{GONE}的需求"),
            note=None,
            reason=None,
            result=None,
            household=None,
            hints=_none,
            grams=_found_by(need),
            vulnerability=0,
            skill_code=None,
            certificate=None,
            language=_text("MANDARIN"),
            gender_required=False,
            gender_preference=_text("ANY"),
        )
    ),
    UNSAID,
    Statement(
        sa.update(offer)
        .where(offer.c.person_id == WHO)
        .values(title=_text(f"{GONE}的供给"), note=None, reason=None, grams=_found_by(offer))
    ),
    Statement(
        sa.update(commitment).where(commitment.c.subject_id == WHO).values(comment=None, reason=None, result=None)
    ),
    Statement(
        sa.update(commitment)
        .where(commitment.c.volunteer_person_id == WHO, commitment.c.cancelled_by == _text(Side.PROVIDER))
        .values(reason=None)
    ),
    Statement(
        sa.update(attendance)
        .where(attendance.c.volunteer_id == WHO, attendance.c.reason.is_not(None))
        .values(reason=None)
    ),
    Statement(  # what opens the files goes with the row's words: what is stored of them is noise until it is swept
        sa.update(attachment)
        .where(attachment.c.removed_at.is_(None), HIS_FILES)
        .values(removed_at=NOW, removed_by=WHO, opener=None, name=None, caption=None)
    ),
    Statement(sa.update(donor).where(donor.c.person_id == WHO).values(label=_text(ANONYMOUS))),
    Statement(
        sa.update(donation).where(donation.c.person_id == WHO).values(publish_name=False, public_name=_text(ANONYMOUS))
    ),
    Statement(
        sa.update(correction)
        .where(correction.c.person_id == WHO)
        .values(proposed=None, before=None, after=_text(FORGOTTEN))
    ),
    Statement(
        sa.update(asked).where(asked.c.person_id == WHO, asked.c.reason.is_not(None)).values(reason=_text(FORGOTTEN))
    ),
)
"""What is his in rows that stay."""

ENDED = (
    _ended(membership, membership.c.person_id == WHO, "revoked_at"),
    _ended(key, key.c.person_id == WHO, "revoked_at", revoked_by=WHO),
    _ended(link, sa.or_(link.c.minor_id == WHO, link.c.guardian_id == WHO), "ended_at", ended_by=WHO),
    _ended(agreed, sa.or_(agreed.c.minor_id == WHO, agreed.c.guardian_id == WHO), "withdrawn_at"),
    _ended(interest, sa.or_(interest.c.person_id == WHO, interest.c.other_id == WHO), "ended_at"),
    _ended(took, took.c.person_id == WHO, "until", ended_by=WHO),
    _ended(
        consent,
        consent.c.person_id == WHO,
        "ended_at",
        state=_text(ConsentState.WITHDRAWN),
        ended_by=sa.bindparam("by", type_=sa.Uuid()),
    ),
    Statement(
        sa.update(grant)
        .where(
            sa.or_(grant.c.subject_id == WHO, grant.c.viewer_person_id == WHO),
            sa.or_(grant.c.until.is_(None), grant.c.until > NOW),
        )
        .values(until=sa.func.greatest(grant.c.since, NOW))
    ),
)
"""What he had, gave, or was given."""

HOUSE = Statement(
    sa.update(resident)
    .where(resident.c.person_id == WHO)
    .values(
        household=sa.func.gen_random_uuid().cast(sa.Text()),
        area=sa.func.left(resident.c.area, sa.literal_column("12")),
        grid_id=None,
        care=sa.bindparam("care"),
        care_note=None,
        care_tier=None,
        refusal=None,
        no_care=True,
        no_matching=True,
    )
)
"""A resident whom a need or a payment refers to: nobody's, of the community, without a household."""

KEPT: Mapping[str, tuple[str, str]] = {
    "hour_entry": ("volunteer_id", "时长分录 {count} 条：志愿服务记录须长期保存，已匿名"),
    "attendance": ("volunteer_id", "参与记录 {count} 条：时长的依据，已匿名"),
    "manual_proposal": ("volunteer_id", "补录申请 {count} 条：时长的依据，保留申请与审批文字"),
    "need": ("subject_id", "需求 {count} 条：服务统计与账目所指，标题和说明已清除"),
    "commitment": ("volunteer_person_id", "对接单 {count} 条：服务对象一方的记录，已匿名"),
    "attachment": ("uploader_id", "上传记录 {count} 条：本人文件已清除，仅保留履职时上传的凭证"),
    "donation": ("person_id", "捐赠 {count} 笔：会计档案，捐赠人显示为匿名"),
    "disbursement": ("payee_person_id", "救助款 {count} 笔：会计档案，保留用途，收款人已匿名"),
    "pii_access": ("subject_id", "查阅您信息的记录 {count} 条：查阅人须对此负责"),
    "break_glass_person": ("person_id", "应急查阅您信息的记录 {count} 条：查阅人须对此负责"),
    "contact_reveal": ("person_id", "您查阅他人信息的记录 {count} 条：他人有权知道"),
    "audit_event": ("person", "操作日志 {count} 条：网络日志依法至少保存六个月，含编号与网络地址"),
    "consent": ("person_id", "同意与撤回的记录 {count} 条：证明此前处理的依据"),
    "subject_request": ("person_id", "权利请求的记录 {count} 条：证明已依法办理"),
}
"""Table -> (the column that names him, what is said of it)."""
_counts = (f"(SELECT count(*) FROM {name} WHERE {column} = $1) AS {name}" for name, (column, _) in KEPT.items())  # noqa: S608 - names from the table above
COUNT = f"SELECT {', '.join(_counts)}"


LOCK = Statement(sa.select(person.c.id).where(person.c.id == WHO).with_for_update())
"""Against whoever would hang something on him meanwhile: that is seen, or waits and finds the pseudonym."""


async def erase_person(db: Db, who: UUID, *, cancel: bool) -> list[str]:
    """Erases somebody in this transaction; returns what is kept and why, in sentences for him.

    `cancel`: what is open is cancelled first, as far as that goes. Raises ErasureBlocked, and then nothing is changed.
    """
    await db.one(LOCK, person=who)
    if cancel:
        await cancel_open(db, who)
    if found := await bars(db, who):
        raise ErasureBlocked(by=found)
    counts = await db.connection.fetchrow(COUNT, who)
    assert counts is not None
    await end_sign_ins_of(db, who, SignInEnd.PERSON_ERASED)
    for statement in (*DELETED, *CLEARED, *ENDED):
        await db.one(statement, person=who, by=db.actor.person)
    nothing = (await db.keys()).seal(Kind.CARE, written_tags(()), who)
    await db.one(HOUSE, person=who, care=nothing)
    db.detail["erased"] = str(who)
    db.tell("person.erased", who)
    return [said.format(count=counts[name]) for name, (_, said) in KEPT.items() if counts[name]]
