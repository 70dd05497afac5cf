"""Consents, guardians and requests as GraphQL shows them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from models.privacy import queries, tables
from models.privacy.rules import (
    ConsentPurpose,
    ConsentState,
    CorrectionField,
    ErasureBar,
    GuardianEvidence,
    GuardianRelation,
    RequestKind,
    RequestState,
)
from resolvers.common import Node
from resolvers.engine import words as w
from resolvers.enums import shown
from resolvers.people.types import Person

for values in (
    ConsentPurpose,
    ConsentState,
    CorrectionField,
    ErasureBar,
    GuardianEvidence,
    GuardianRelation,
    RequestKind,
    RequestState,
):
    shown(values)


@w.entity(tables.ConsentText, "consent_text")
@strawberry.type(description="What is agreed to, for one purpose, in one version. 同意文本。")
class ConsentText(Node):
    purpose: ConsentPurpose = w.column(tables.ConsentText.purpose, description="What for.")
    version: str = w.column(tables.ConsentText.version, description="The version: `2026-01`.")
    title: str = w.column(tables.ConsentText.title, description="Its heading, in Chinese.")
    text: str = w.column(tables.ConsentText.text, description="Its words, in Chinese.")
    required: bool = w.column(
        tables.ConsentText.required, description="Whether the platform cannot be used without; all others are free."
    )
    since: datetime = w.column(tables.ConsentText.since, description="From when on it is in force.")
    is_current: bool = w.expression(queries.in_force, description="Whether it is the version in force.")


@strawberry.type(description="What the caller may do with a consent now.")
class ConsentCan:
    cosign: bool = w.expression(queries.may_cosign, description="`consentCosign`.")
    withdraw: bool = w.expression(queries.may_withdraw_consent, description="`consentWithdraw`.")


@strawberry.type(description="What the caller may do with a guardianship now.")
class GuardianshipCan:
    verify: bool = w.expression(queries.may_verify, description="`guardianshipVerify`.")
    end: bool = w.expression(queries.may_end, description="`guardianshipEnd`.")


@strawberry.type(description="What the caller may do with a request now.")
class SubjectRequestCan:
    cosign: bool = w.expression(queries.may_cosign_request, description="`subjectRequestCosign`.")
    withdraw: bool = w.expression(queries.may_withdraw_request, description="`subjectRequestWithdraw`.")
    reveal: bool = w.expression(queries.may_reveal, description="`correctionReveal`: for corrections.")
    decide: bool = w.expression(
        queries.may_decide, description="`subjectRequestAccept` and `subjectRequestRefuse`: for corrections."
    )


@w.entity(tables.Consent, "consent")
@strawberry.type(description="That somebody agreed to a text, until he withdraws. 同意。")
class Consent(Node):
    person: Person | None = w.one(tables.Consent.person_id, description="Who agreed, masked.")
    purpose: ConsentPurpose = w.column(tables.Consent.purpose, description="What for.")
    version: str = w.column(tables.Consent.version, description="To which version of the text.")
    state: ConsentState = w.column(tables.Consent.state, description="Where it stands.")
    asked_at: datetime = w.column(tables.Consent.asked_at, description="When he said so.")
    given_at: datetime | None = w.column(
        tables.Consent.given_at, description="From when on it held; null while it waits, and for what was only refused."
    )
    guardian: Person | None = w.one(
        tables.Consent.guardian_id, description="The guardian who agreed or co-signed for a child, masked."
    )
    ended_at: datetime | None = w.column(
        tables.Consent.ended_at, description="When it was withdrawn or replaced; null while it holds or waits."
    )
    viewer_can: ConsentCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.Guardianship, "guardianship")
@strawberry.type(description="That somebody is a minor's guardian. 监护关系。")
class Guardianship(Node):
    minor: Person | None = w.one(tables.Guardianship.minor_id, description="The minor, masked.")
    guardian: Person | None = w.one(tables.Guardianship.guardian_id, description="The guardian, masked.")
    relation: GuardianRelation = w.column(tables.Guardianship.relation, description="What he is to the minor.")
    evidence: GuardianEvidence | None = w.column(
        tables.Guardianship.evidence, description="What staff have seen; null while nobody has."
    )
    recorded_at: datetime = w.column(tables.Guardianship.recorded_at, description="When it was put on record.")
    verified_at: datetime | None = w.column(
        tables.Guardianship.verified_at, description="From when on it counts; null while it waits for staff."
    )
    ended_at: datetime | None = w.column(
        tables.Guardianship.ended_at, description="When it ended; null while it lasts."
    )
    viewer_can: GuardianshipCan = w.inside(description="What the caller may do with it now.")


@w.entity(tables.Correction, "correction")
@strawberry.type(description="One field that a person wants put right.")
class Correction(Node):
    field: CorrectionField = w.column(tables.Correction.field, description="Which field.")
    before: str | None = w.column(tables.Correction.before, description="As it was when he asked, masked.")
    after: str = w.column(tables.Correction.after, description="As he wants it, masked.")
    proposed: str | None = w.sealed(
        "IDENTITY",
        queries.proposed,
        subject=lambda row: row.person_id,
        description="As he wants it, in plain: for himself, until 30 days after the decision; for the staff who decide in the answer of `correctionReveal`. Null otherwise.",
    )


@strawberry.type(description="The file that answers a request, and where to fetch it.")
class DataFile:
    path: str = w.named(
        "path", description="Where: GET it with the same bearer token; for the person himself and a child's guardian."
    )
    is_available: bool = w.named("is_available", description="Whether it may be fetched now.")
    expires_at: datetime = w.named("expires_at", description="Until when it may be fetched.")
    size_bytes: int | None = w.named(
        "size_bytes", description="How large it was when it was last fetched; null before."
    )


@w.entity(tables.SubjectRequest, "subject_request")
@strawberry.type(description="What a data subject asked for, and until when it is to be answered. 个人信息权利请求。")
class SubjectRequest(Node):
    kind: RequestKind = w.column(tables.SubjectRequest.kind, description="What he asked for.")
    state: RequestState = w.column(tables.SubjectRequest.state, description="Where it stands.")
    person: Person | None = w.one(tables.SubjectRequest.person_id, description="Whose data it is about, masked.")
    made_by: Person | None = w.one(
        tables.SubjectRequest.made_by, description="Who asked: himself, or a child's guardian."
    )
    received_at: datetime = w.column(tables.SubjectRequest.received_at, description="When it came in.")
    due_at: datetime = w.column(
        tables.SubjectRequest.due_at, description="Until when it is to be answered: 15 working days."
    )
    is_overdue: bool = w.expression(queries.overdue, description="Whether it is open and past due.")
    cosigned_by: Person | None = w.one(
        tables.SubjectRequest.cosigned_by, description="Which guardian co-signed, masked."
    )
    cosigned_at: datetime | None = w.column(
        tables.SubjectRequest.cosigned_at, description="When a guardian co-signed; null otherwise."
    )
    handled_by: Person | None = w.one(
        tables.SubjectRequest.handled_by, description="Who decided, masked; null where it was done by itself."
    )
    handled_at: datetime | None = w.column(
        tables.SubjectRequest.handled_at, description="When it was answered, refused or taken back."
    )
    reason: str | None = w.column(tables.SubjectRequest.reason, description="Why it was refused; null otherwise.")
    kept: list[str] = w.column(
        tables.SubjectRequest.kept, description="After an erasure: what was kept, how much, and by which rule."
    )
    corrections: list[Correction] = w.many(
        tables.Correction.request_id,
        order=(tables.Correction.field,),
        limit=10,
        description="What is to be put right: before and after, masked; hidden from auditors.",
    )
    file: DataFile | None = w.inside(
        queries.file, present="expires_at", description="The file; null for other kinds and before it is ready."
    )
    viewer_can: SubjectRequestCan = w.inside(description="What the caller may do with it now.")


@strawberry.type(description="How many requests of one kind stand in one state, as far as the caller sees them.")
class SubjectRequestCount:
    kind: RequestKind = w.named("kind", description="What was asked for.")
    state: RequestState = w.named("state", description="Where they stand.")
    count: int = w.named("count", description="How many.")
    overdue: int = w.named("overdue", description="Of these, open and past due.")
