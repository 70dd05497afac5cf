"""Verbs of consents: give, co-sign for a child, withdraw. To withdraw is as easy as to give (PIPL art. 15)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from models.access import may
from models.base import INSTANT, table
from models.database import Db, Statement
from models.privacy.actions.effects import turn_off, turn_on
from models.privacy.actions.rows import again, insertion, one_of
from models.privacy.actions.subjects import Subject, the_subject, the_ward
from models.privacy.problems import NotGuardian, OldConsentText
from models.privacy.rules import LIVE_CONSENTS, MAY, ConsentPurpose, ConsentState, consent_step
from models.privacy.tables import Consent, ConsentText
from models.problems import InvalidTransition, NotFound, refuses

consent, told = table(Consent), table(ConsentText)
C = ConsentState

IN_FORCE = Statement(
    sa.select(told.c.version)
    .where(
        told.c.purpose == sa.bindparam("purpose", type_=sa.Text()),
        told.c.since <= sa.bindparam("now", type_=INSTANT),
    )
    .order_by(told.c.since.desc())
    .limit(1)
)
LIVE = Statement(
    sa.select(consent)
    .where(
        consent.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        consent.c.purpose == sa.bindparam("purpose", type_=sa.Text()),
        consent.c.state.in_([sa.literal_column(f"'{s.value}'") for s in LIVE_CONSENTS]),
    )
    .order_by(consent.c.asked_at, consent.c.id)
    .with_for_update()
)
ONE, AGAIN = one_of(consent), again(consent)
_COLUMNS = ("person_id", "purpose", "version", "state", "asked_at", "given_at", "guardian_id", "ended_at", "ended_by")
INSERT = insertion(consent, _COLUMNS)
GIVE = Statement(
    sa.update(consent)
    .where(consent.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(
        state=sa.literal_column(f"'{C.GIVEN.value}'"),
        given_at=sa.bindparam("now", type_=INSTANT),
        guardian_id=sa.bindparam("guardian", type_=sa.Uuid()),
    )
)
END = Statement(
    sa.update(consent)
    .where(consent.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(
        state=sa.bindparam("state", type_=sa.Text()),
        ended_at=sa.bindparam("now", type_=INSTANT),
        ended_by=sa.bindparam("by", type_=sa.Uuid()),
    )
)


@may(MAY["consent.give"])
@refuses(OldConsentText, NotGuardian)
async def give_consent(db: Db, purpose: ConsentPurpose, version: str, person: UUID | None = None) -> UUID:
    """Agrees to the text in force for a purpose; a child's consent waits for a guardian. Returns the consent's id.

    `person`: a child under 14, for its guardian. Again changes nothing. Raises OldConsentText, NotGuardian.
    """
    subject = await the_subject(db, person)
    if version != (current := await db.value(IN_FORCE, purpose=purpose)):
        raise OldConsentText(current=current)
    live = await db.all(LIVE, person=subject.id, purpose=purpose)
    for row in live:
        if row["version"] == version and (row["state"] == C.GIVEN or subject.waits):
            same: UUID = row["id"]
            return same
    return await _give(db, subject, purpose, version, live)


async def _give(
    db: Db, subject: Subject, purpose: ConsentPurpose, version: str, live: Any, waiting: asyncpg.Record | None = None
) -> UUID:
    """Writes a consent in the place of those before it; one that waited for a guardian becomes it."""
    for row in live:
        if waiting is None or row["id"] != waiting["id"]:
            if subject.waits and row["state"] == C.GIVEN:
                continue  # it holds until a guardian agrees to the new version
            await db.one(END, of=row["id"], state=consent_step("replace", row["state"]), by=db.actor.person)
    if waiting is not None:
        id_: UUID = waiting["id"]
        await db.one(GIVE, of=id_, guardian=subject.guardian)
    else:
        id_ = await db.value(
            INSERT,
            person_id=subject.id,
            purpose=purpose,
            version=version,
            state=C.WAITING_COSIGN if subject.waits else C.GIVEN,
            asked_at=db.now,
            given_at=None if subject.waits else db.now,
            guardian_id=subject.guardian,
            ended_at=None,
            ended_by=None,
        )
    db.detail.update(purpose=purpose.value, version=version, person=str(subject.id), waits=subject.waits)
    if not subject.waits:
        await turn_on(db, subject.id, purpose)
    db.tell("consent.waiting" if subject.waits else "consent.given", id_, area=subject.area, purpose=purpose.value)
    return id_


@may(MAY["consent.cosign"])
@refuses(NotGuardian, InvalidTransition, OldConsentText)
async def cosign_consent(db: Db, id: UUID) -> UUID:
    """A guardian co-signs what a child under 14 agreed to: from now on it holds. Raises NotFound besides."""
    found = await db.one(ONE, id=id)
    if found is None:
        raise NotFound(what="该同意")
    subject = await the_ward(db, found["person_id"])
    row = await db.one(AGAIN, id=id)
    assert row is not None
    consent_step("cosign", row["state"])
    purpose = ConsentPurpose(row["purpose"])
    if row["version"] != (current := await db.value(IN_FORCE, purpose=purpose)):
        raise OldConsentText(current=current)
    live = await db.all(LIVE, person=subject.id, purpose=purpose)
    return await _give(db, subject, purpose, row["version"], live, row)


@may(MAY["consent.withdraw"])
@refuses(NotGuardian)
async def withdraw_consent(db: Db, purpose: ConsentPurpose, person: UUID | None = None) -> UUID:
    """Withdraws a consent, or refuses what was never agreed to: the use ends at once. Returns the consent's id.

    Whoever withdraws from the privacy policy withdraws from everything. A child may do so by itself: what protects it
    waits for nobody. Raises NotGuardian.
    """
    subject = await the_subject(db, person)
    return await withdraw(db, subject, purpose)


async def withdraw(db: Db, subject: Subject, purpose: ConsentPurpose) -> UUID:
    """The same, for a subject who is locked already: also for a request to restrict."""
    if purpose is ConsentPurpose.PRIVACY_POLICY:
        for other in ConsentPurpose:
            if other is not purpose:
                await withdraw(db, subject, other)
    ended: UUID | None = None
    for row in await db.all(LIVE, person=subject.id, purpose=purpose):
        ended = row["id"]
        await db.one(END, of=ended, state=consent_step("withdraw", row["state"]), by=db.actor.person)
    if ended is None:  # it was never given: the refusal is on record all the same
        ended = await db.value(
            INSERT,
            person_id=subject.id,
            purpose=purpose,
            version=await db.value(IN_FORCE, purpose=purpose),
            state=C.WITHDRAWN,
            asked_at=db.now,
            given_at=None,
            guardian_id=subject.guardian,
            ended_at=db.now,
            ended_by=db.actor.person,
        )
    await turn_off(db, subject.id, purpose)
    db.detail.update(purpose=purpose.value, person=str(subject.id))
    db.tell("consent.withdrawn", ended, area=subject.area, purpose=purpose.value)
    return ended
