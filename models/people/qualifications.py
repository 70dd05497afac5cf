"""Qualifications: papers without which some services are given by nobody (志愿服务条例 art. 16; I11).

One counts from the day on which the community's staff have seen it to its last. `qualified` says so as SQL, of the
database's function of that name, which claims, lists and rounds ask alike.
"""

from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from models.base import Table, blind, check, choice, chosen, count, instant, key, sealed, text, to
from models.labels import ahead, labelled
from models.vault import Kind


class QualificationType(enum.StrEnum):
    """A kind of qualification."""

    DOCTOR = "DOCTOR"
    NURSE = "NURSE"
    PSYCHOLOGIST = "PSYCHOLOGIST"
    REHABILITATION = "REHABILITATION"
    ELDERLY_CARER = "ELDERLY_CARER"
    CHILD_CARER = "CHILD_CARER"
    SOCIAL_WORKER = "SOCIAL_WORKER"
    TEACHER = "TEACHER"
    LAWYER = "LAWYER"
    ELECTRICIAN = "ELECTRICIAN"
    COOK = "COOK"
    DRIVER = "DRIVER"
    FIRST_AID = "FIRST_AID"
    SIGN_INTERPRETER = "SIGN_INTERPRETER"


SHORTEST = 8
"""A number must have so many characters for four of them to be shown."""
T = QualificationType
labelled(
    T,
    {
        T.DOCTOR: "医师执业证书",
        T.NURSE: "护士执业证书",
        T.PSYCHOLOGIST: "心理咨询师证书",
        T.REHABILITATION: "康复治疗师证书",
        T.ELDERLY_CARER: "养老护理员证书",
        T.CHILD_CARER: "保育或育婴员证书",
        T.SOCIAL_WORKER: "社会工作者职业资格证书",
        T.TEACHER: "教师资格证",
        T.LAWYER: "律师执业证",
        T.ELECTRICIAN: "电工作业证",
        T.COOK: "食品从业健康证",
        T.DRIVER: "机动车驾驶证",
        T.FIRST_AID: "急救员证书",
        T.SIGN_INTERPRETER: "手语翻译证书",
    },
    description="A kind of qualification.",
    describe={
        T.DOCTOR: "A physician's licence to practise, of Chinese medicine too.",
        T.NURSE: "A nurse's licence to practise.",
        T.PSYCHOLOGIST: "A psychological counsellor's certificate.",
        T.REHABILITATION: "A rehabilitation therapist's certificate.",
        T.ELDERLY_CARER: "A certificate of care for the elderly.",
        T.CHILD_CARER: "A certificate of care for small children.",
        T.SOCIAL_WORKER: "The professional qualification of a social worker.",
        T.TEACHER: "A teacher's certificate.",
        T.LAWYER: "A lawyer's licence to practise.",
        T.ELECTRICIAN: "A licence for electrical work.",
        T.COOK: "The health certificate of whoever handles food.",
        T.DRIVER: "A driving licence.",
        T.FIRST_AID: "A first-aider's certificate.",
        T.SIGN_INTERPRETER: "A sign interpreter's certificate.",
    },
)


class QualificationStatus(enum.StrEnum):
    """How far a qualification is checked."""

    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    REJECTED = "REJECTED"
    REVOKED = "REVOKED"
    WITHDRAWN = "WITHDRAWN"


S = QualificationStatus
QUALIFICATION_STEPS: dict[tuple[str, QualificationStatus], QualificationStatus] = {
    ("verify", S.PENDING): S.VERIFIED,
    ("reject", S.PENDING): S.REJECTED,
    ("revoke", S.VERIFIED): S.REVOKED,
    ("withdraw", S.PENDING): S.WITHDRAWN,
    ("withdraw", S.VERIFIED): S.WITHDRAWN,
}
"""(step, from) -> to. The first three are the staff's; the last is his own. Renewed, it is added anew."""

labelled(
    S,
    {
        S.PENDING: "待核验",
        S.VERIFIED: "已核验",
        S.REJECTED: "未通过",
        S.REVOKED: "已撤销",
        S.WITHDRAWN: "已撤回",
    },
    description="How far a qualification is checked.",
    colours={S.PENDING: "orange", S.VERIFIED: "green", S.REJECTED: "red", S.REVOKED: "red", S.WITHDRAWN: "grey"},
    next=ahead(QUALIFICATION_STEPS),
    describe={
        S.PENDING: "Waits for the staff of the volunteer's community.",
        S.VERIFIED: "Staff have seen the paper: it counts until the end of its last day.",
        S.REJECTED: "Staff do not recognize it, for a reason that he reads.",
        S.REVOKED: "It counted, and does no longer, for a reason that he reads.",
        S.WITHDRAWN: "He has taken it back.",
    },
)


class Qualification(Table, table=True):
    """资质证书: a paper that a volunteer says he has. Its number is sealed; nobody decides on his own (I17).

    The migration adds `EXCLUDE`: no number of a type is verified for two people.
    """

    __tablename__ = "qualification"
    __table_args__ = (
        chosen("type", QualificationType),
        chosen("status", QualificationStatus),
        check("second_person", "decided_by <> person_id OR status = 'WITHDRAWN'"),
        check("decided", "(status = 'PENDING') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)"),
        check("reason", "reason IS NOT NULL OR status NOT IN ('REJECTED', 'REVOKED')"),
        sa.Index("ix_qualification_person_id_type", "person_id", "type"),
        sa.Index("ix_qualification_decided_by", "decided_by", postgresql_where=sa.text("decided_by IS NOT NULL")),
        sa.Index(
            "uq_qualification_pending",
            "person_id",
            "type",
            unique=True,
            postgresql_where=sa.text("status = 'PENDING'"),
        ),
        sa.Index(
            "ix_qualification_ending", "valid_to", postgresql_where=sa.text("status = 'VERIFIED' AND told_at IS NULL")
        ),
    )
    id: UUID = key()
    person_id: UUID = to("person.id", index=False)
    type: QualificationType = choice(QualificationType)
    number: bytes = sealed(Kind.IDENTITY)
    number_index: bytes = blind("number", index=False)
    number_masked: str = text()
    issued_by: str = text()
    """The authority, in words."""
    valid_to: date | None = None
    """Its last day; None for one that has no end."""
    status: QualificationStatus = choice(QualificationStatus)
    decided_by: UUID | None = to("person.id", optional=True, index=False)
    decided_at: datetime | None = instant(optional=True)
    reason: str | None = text(optional=True)
    told_at: datetime | None = instant(optional=True)
    """When he was told that it ends soon."""
    created_at: datetime = instant()
    version: int = count(1)


def mask_licence(number: str) -> str:
    """A paper's number with its first two characters and its last two, `12****34`; of a short one nothing."""
    return f"{number[:2]}****{number[-2:]}" if len(number) >= SHORTEST else "****"


def qualified(person: Any, type: Any, on_day: Any) -> Any:
    """Whether a person holds a verified qualification of a type on a day, as SQL: I11."""
    return sa.func.qualified(person, type, on_day, type_=sa.Boolean())


def qualified_for(person: Any, certificate: Any, category: Any, on_day: Any) -> Any:
    """Whether a person holds, on a day, what a need names and what its category takes, as SQL: I11.

    True where neither asks for anything. Of what a category names, one is enough.
    """
    return sa.func.qualified_for(person, certificate, category, on_day, type_=sa.Boolean())
