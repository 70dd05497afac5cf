"""The roots: texts to agree to, one's own consents and requests, and the queue of staff."""

from __future__ import annotations

import sqlalchemy as sa
import strawberry
from sqlmodel import desc

from models.privacy import queries, tables
from models.privacy.rules import ConsentPurpose, ConsentState, RequestKind, RequestState
from resolvers.common import Connection
from resolvers.engine import words as w
from resolvers.privacy.types import Consent, ConsentText, Guardianship, SubjectRequest, SubjectRequestCount


@strawberry.input(description="Which consents. What is not given does not narrow.")
class ConsentFilter:
    person: strawberry.ID | None = w.where(
        lambda row, value: row.person_id == value,
        description="Of this person: oneself, or a child whose guardian one is.",
    )
    purpose: list[ConsentPurpose] | None = w.where(
        lambda row, value: row.purpose == sa.any_(value), description="For one of these purposes."
    )
    state: list[ConsentState] | None = w.where(
        lambda row, value: row.state == sa.any_(value), description="In one of these states."
    )


@strawberry.input(description="Which requests. What is not given does not narrow.")
class SubjectRequestFilter:
    person: strawberry.ID | None = w.where(
        lambda row, value: row.person_id == value, description="About this person's data."
    )
    kind: list[RequestKind] | None = w.where(
        lambda row, value: row.kind == sa.any_(value), description="Of one of these kinds."
    )
    state: list[RequestState] | None = w.where(
        lambda row, value: row.state == sa.any_(value), description="In one of these states."
    )
    overdue: bool | None = w.where(
        lambda row, value, view: queries.overdue(row, view) == value, description="Open and past due, or not."
    )


@strawberry.input(description="Which guardianships. What is not given does not narrow.")
class GuardianshipFilter:
    verified: bool | None = w.where(
        lambda row, value: row.verified_at.is_not(None) == value, description="Verified by staff, or waiting for them."
    )
    ended: bool | None = w.where(
        lambda row, value: row.ended_at.is_not(None) == value, description="Ended, or lasting."
    )


@strawberry.type
class PrivacyQuery:
    consent_texts: list[ConsentText] = w.many(
        order=(tables.ConsentText.purpose, desc(tables.ConsentText.since)),
        limit=100,
        description="All texts that can or could be agreed to, by purpose, the newest version first.",
    )
    consent_needed: list[ConsentText] = w.many(
        order=(tables.ConsentText.purpose,),
        limit=20,
        where=queries.needed,
        description="The texts in force that the caller has not agreed to; only a `required` one must be.",
    )
    consent: Consent | None = w.by_id(description="A consent, of oneself or of a child whose guardian one is.")
    my_consents: Connection[Consent] = w.connection(
        order=(desc(tables.Consent.asked_at),),
        filter=ConsentFilter,
        where=lambda row, view: row.person_id == view.actor.person,
        description="What the caller agreed to and withdrew, the latest first.",
    )
    consents: Connection[Consent] = w.connection(
        order=(desc(tables.Consent.asked_at),),
        filter=ConsentFilter,
        description="The consents that the caller may see: his own, and those of children whose guardian he is.",
    )
    guardianship: Guardianship | None = w.by_id(description="A guardianship.")
    guardianships: Connection[Guardianship] = w.connection(
        order=(desc(tables.Guardianship.recorded_at),),
        filter=GuardianshipFilter,
        description="The caller's guardians and wards; for community staff those of their area.",
    )
    subject_request: SubjectRequest | None = w.by_id(description="A data subject's request.")
    my_subject_requests: Connection[SubjectRequest] = w.connection(
        order=(desc(tables.SubjectRequest.received_at),),
        filter=SubjectRequestFilter,
        where=lambda row, view: row.person_id == view.actor.person,
        description="What the caller asked for about his own data, the latest first.",
    )
    subject_requests: Connection[SubjectRequest] = w.connection(
        order=(tables.SubjectRequest.due_at,),
        filter=SubjectRequestFilter,
        description="The requests that the caller may see, the one due soonest first: community staff those of their area, auditors all, guardians those of a child.",
    )
    subject_request_counts: list[SubjectRequestCount] = w.report(
        queries.counts,
        description="How many requests there are, by kind and state: for auditors of all, for staff of their area's.",
    )
