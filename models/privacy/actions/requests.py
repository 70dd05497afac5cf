"""Verbs of a data subject's requests: make, co-sign for a child, take back, decide; erasing an account is one of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from models.access import Role, may
from models.base import INSTANT, table
from models.calendar_days import entered
from models.database import Db, Statement
from models.people.actions.interests import no_conflict
from models.people.problems import ConflictOfInterest, DocumentTaken, OwnCase
from models.privacy.actions.consents import withdraw
from models.privacy.actions.corrections import CorrectionInput, propose, read_proposed, unread, write
from models.privacy.actions.erasure import erase_person
from models.privacy.actions.guardianships import long_verified
from models.privacy.actions.rows import again, insertion, one_of
from models.privacy.actions.subjects import Subject, the_subject, the_ward
from models.privacy.problems import CorrectionUnproven, ErasureBlocked, GuardianTooNew, NotGuardian, RequestPending
from models.privacy.rules import (
    CODE_WORD,
    EXPORT_DAYS,
    FILES,
    MAY,
    OPEN_REQUESTS,
    ConsentPurpose,
    RequestKind,
    RequestState,
    due,
    step,
)
from models.privacy.tables import SubjectRequest
from models.problems import Forbidden, InvalidInput, InvalidTransition, NotFound, refuses
from models.rules_text import clean

asked = table(SubjectRequest)
S = RequestState

OPEN = Statement(
    sa.select(asked)
    .where(
        asked.c.person_id == sa.bindparam("person", type_=sa.Uuid()),
        asked.c.kind == sa.bindparam("kind", type_=sa.Text()),
        asked.c.state.in_([sa.literal_column(f"'{s.value}'") for s in OPEN_REQUESTS]),
    )
    .with_for_update()
)
ONE, AGAIN = one_of(asked), again(asked)
_COLUMNS = ("kind", "state", "person_id", "made_by", "area", "received_at", "due_at", "cancel_open", "kept")
INSERT = insertion(asked, _COLUMNS)
COSIGN = Statement(
    sa.update(asked)
    .where(asked.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(
        state=sa.literal_column(f"'{S.RECEIVED.value}'"),
        cosigned_by=sa.bindparam("by", type_=sa.Uuid()),
        cosigned_at=sa.bindparam("now", type_=INSTANT),
    )
)
READY = Statement(
    sa.update(asked)
    .where(asked.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(state=sa.literal_column(f"'{S.IN_PROGRESS.value}'"), expires_at=sa.bindparam("until", type_=INSTANT))
)
FINISH = Statement(
    sa.update(asked)
    .where(asked.c.id == sa.bindparam("of", type_=sa.Uuid()))
    .values(
        state=sa.bindparam("state", type_=sa.Text()),
        handled_by=sa.bindparam("by", type_=sa.Uuid()),
        handled_at=sa.bindparam("now", type_=INSTANT),
        reason=sa.bindparam("reason", type_=sa.Text()),
        kept=sa.bindparam("kept", type_=postgresql.ARRAY(sa.Text())),
    )
)


@may(MAY["request.make"])
@refuses(NotGuardian, CorrectionUnproven, RequestPending)
async def make_request(
    db: Db,
    kind: RequestKind,
    person: UUID | None = None,
    correction: CorrectionInput | None = None,
    *,
    fictional: bool = False,
) -> UUID:
    """Asks for one's own data, a correction, or that optional uses end; returns the request's id.

    A file and a restriction are answered at once, a correction by the community's staff. A child's request waits for a
    guardian; `person` is a child, for its guardian. A file that may still be fetched is given again. Raises
    InvalidInput, NotGuardian, RequestPending.
    """
    if kind is RequestKind.DELETE:
        raise InvalidInput(field="kind", reason="注销账户请使用 accountErase，并输入确认文字。")
    if (kind is RequestKind.CORRECT) != (correction is not None):
        raise InvalidInput(field="correction", reason="更正请求须填写要更正的内容，其他请求不填。")
    subject = await the_subject(db, person)
    row = await db.one(OPEN, person=subject.id, kind=kind)
    if row is not None:
        if kind not in FILES:
            raise RequestPending()
        if row["expires_at"] is None or row["expires_at"] > db.now:
            same: UUID = row["id"]
            return same if row["state"] != S.WAITING_COSIGN or subject.waits else await _cosigned(db, row, subject)
        await _finish(db, row["id"], step("withdraw", row["state"]))
    id_ = await _insert(db, subject, kind)
    if correction is not None:
        await propose(db, id_, subject, correction, fictional=fictional)
    if not subject.waits:
        await _go_on(db, id_, kind, subject, cancel=False)
    return id_


@may(MAY["account.erase"])
@refuses(NotGuardian, GuardianTooNew, ErasureBlocked)
async def erase_account(db: Db, confirm: str, person: UUID | None = None, *, cancel_open: bool = False) -> UUID:
    """Erases one's own account and personal fields, at once and for good; returns the request's id.

    `confirm` is the words 注销账户. A child's erasure waits for a guardian; `person` is a child, for its guardian, who
    must have been verified for a week. `cancel_open`: what is open is cancelled as far as that goes. Raises InvalidInput, NotGuardian, ErasureBlocked.
    """
    if confirm.strip() != CODE_WORD:
        raise InvalidInput(field="confirm", reason=f"请输入“{CODE_WORD}”以确认。")
    subject = await the_subject(db, person)
    row = await db.one(OPEN, person=subject.id, kind=RequestKind.DELETE)
    if row is not None:  # a child's, which waits
        same: UUID = row["id"]
        return same if subject.waits else await _cosigned(db, row, subject)
    id_ = await _insert(db, subject, RequestKind.DELETE, cancel=cancel_open)
    if not subject.waits:
        await _go_on(db, id_, RequestKind.DELETE, subject, cancel=cancel_open)
    return id_


async def _insert(db: Db, subject: Subject, kind: RequestKind, *, cancel: bool = False) -> UUID:
    state = S.WAITING_COSIGN if subject.waits else S.RECEIVED
    id_: UUID = await db.value(
        INSERT,
        kind=kind,
        state=state,
        person_id=subject.id,
        made_by=db.actor.person,
        area=subject.area,
        received_at=db.now,
        due_at=due(db.now, await entered(db)),
        cancel_open=cancel,
        kept=[],
    )
    db.detail.update(kind=kind.value, person=str(subject.id), waits=subject.waits)
    db.tell(f"subject_request.{state.value.lower()}", id_, area=subject.area, kind=kind.value)
    return id_


async def _finish(
    db: Db, id: UUID, state: RequestState, *, by: UUID | None = None, reason: str | None = None, kept: Any = ()
) -> None:
    await db.one(FINISH, of=id, state=state, by=by, reason=reason, kept=list(kept))


async def _go_on(db: Db, id: UUID, kind: RequestKind, subject: Subject, *, cancel: bool) -> None:
    """What a request that was received leads to by itself; a correction waits for staff."""
    match kind:
        case RequestKind.ACCESS | RequestKind.EXPORT:
            await db.one(READY, of=id, until=db.now + timedelta(days=EXPORT_DAYS))
        case RequestKind.RESTRICT:
            for purpose in ConsentPurpose:
                if purpose is not ConsentPurpose.PRIVACY_POLICY:
                    await withdraw(db, subject, purpose)
            await _finish(db, id, step("finish", S.RECEIVED))
        case RequestKind.DELETE:
            if subject.guardian is not None:
                await long_verified(db, subject.id, subject.guardian)
            for other in (k for k in RequestKind if k is not kind):
                if (row := await db.one(OPEN, person=subject.id, kind=other)) is not None:
                    await _finish(db, row["id"], step("withdraw", row["state"]))
            kept = await erase_person(db, subject.id, cancel=cancel)
            await _finish(db, id, step("finish", S.RECEIVED), kept=kept)
    db.detail.update(kind=kind.value, person=str(subject.id))


@may(MAY["request.cosign"])
@refuses(NotGuardian, GuardianTooNew, InvalidTransition, ErasureBlocked)
async def cosign_request(db: Db, id: UUID) -> UUID:
    """A guardian co-signs what a child under 14 asked for: from now on it is handled. Raises NotFound besides."""
    found = await _seen(db, id)
    subject = await the_ward(db, found["person_id"])
    row = await db.one(AGAIN, id=id)
    assert row is not None
    return await _cosigned(db, row, subject)


async def _cosigned(db: Db, row: asyncpg.Record, subject: Subject) -> UUID:
    """A guardian's word, or that of a person who has come of age meanwhile."""
    step("cosign", row["state"])
    await db.one(COSIGN, of=row["id"], by=subject.guardian)
    await _go_on(db, row["id"], RequestKind(row["kind"]), subject, cancel=row["cancel_open"])
    id_: UUID = row["id"]
    return id_


@may(MAY["request.withdraw"])
@refuses(NotGuardian, InvalidTransition)
async def withdraw_request(db: Db, id: UUID) -> UUID:
    """The person, or a child's guardian, takes a request back before it is answered. Raises NotFound besides."""
    found = await _seen(db, id)
    await the_subject(db, found["person_id"])
    row = await db.one(AGAIN, id=id)
    assert row is not None
    await _finish(db, id, step("withdraw", row["state"]), by=db.actor.person)
    return id


@may(MAY["correction.reveal"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def reveal_correction(db: Db, id: UUID) -> UUID:
    """Staff of the person's community read what he wants put right, to hold it against the papers, until they decide.

    It is on record for each reading, where the person sees it. Raises besides: Forbidden, NotFound, InvalidInput.
    """
    row = await _to_decide(db, id)
    step("finish", row["state"])
    await read_proposed(db, id, row["person_id"], row["area"])
    return id


@may(MAY["request.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest, CorrectionUnproven, DocumentTaken)
async def accept_correction(db: Db, id: UUID) -> UUID:
    """Staff of the person's community write what he proposed, once they have seen the papers. Nobody decides his own.

    An administrator sees no plain data: of who he is he accepts nothing, nor how he is reached. Raises besides:
    Forbidden, NotFound.
    """
    row = await _to_decide(db, id)
    state = step("finish", row["state"])
    if db.actor.role is Role.ADMIN:
        await unread(db, id)
    await write(db, id, row["person_id"])
    await _finish(db, id, state, by=db.actor.person)
    db.tell("subject_request.done", id, area=row["area"], kind=row["kind"])
    return id


@may(MAY["request.decide"])
@refuses(InvalidTransition, OwnCase, ConflictOfInterest)
async def refuse_correction(db: Db, id: UUID, reason: str) -> UUID:
    """Staff do not correct, with a reason that the person reads (PIPL art. 50). Raises besides: Forbidden, NotFound."""
    why = clean(reason, "reason")
    row = await _to_decide(db, id)
    await _finish(db, id, step("refuse", row["state"]), by=db.actor.person, reason=why)
    db.tell("subject_request.refused", id, area=row["area"], kind=row["kind"])
    return id


async def _seen(db: Db, id: UUID) -> asyncpg.Record:
    found = await db.one(ONE, id=id)
    if found is None:
        raise NotFound(what="该请求")
    return found


async def _to_decide(db: Db, id: UUID) -> asyncpg.Record:
    """A request of the staff's own community, or of nobody's for an administrator, locked."""
    found = await _seen(db, id)
    his = found["area"] is None if db.actor.role is Role.ADMIN else db.actor.covers(found["area"] or "")
    if not his:
        raise Forbidden()
    whose = [found["person_id"], found["made_by"], found["cosigned_by"]]
    if db.actor.person in whose:
        raise OwnCase()
    await no_conflict(db, concerns=whose)
    row = await db.one(AGAIN, id=id)
    assert row is not None
    db.detail.update(kind=row["kind"], person=str(row["person_id"]))
    return row
