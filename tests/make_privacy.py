"""One person's whole life on the platform, with something in each of the twelve categories. All of it is invented."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from models import vault
from models.access import Actor, Role
from models.people.care import written_tags
from models.vault import NO_ONE, Kind
from tests.make_people import Town, identity, insert, membership, organization, person, volunteer

NAME, PHONE, NUMBER = "欧阳淑芬", "10055501234", "219999194403080011"
ADDRESS, NOTE, TAG = "多福社区暖阳小区7号楼3单元501", "冠心病术后，需搀扶", "LIVES_ALONE"
OPENID, LOGIN = "oInvented-openid-77", "shufen@example.invalid"
LICENCE = "2021010012345678"
"""The number of a paper."""
CONDITION, WORDS = "膝关节置换术后复查", "扶得很稳，谢谢"
ILLNESS = "本人住院，不能参加"
PLAIN = (NAME, PHONE, NUMBER[:17], LICENCE, ADDRESS, NOTE, OPENID, LOGIN, CONDITION, WORDS, ILLNESS, "陪诊：心内科")
"""What may stand nowhere in the clear, and nowhere at all after an erasure."""


@dataclasses.dataclass(frozen=True)
class Life:
    """Who lives it, and some of the rows."""

    person: UUID
    resident: UUID
    volunteer: UUID
    need: UUID
    served: UUID
    session: UUID
    donation: UUID
    relative: UUID
    sign_in: UUID
    me: Actor


async def life(c: asyncpg.Connection, where: Town, now: datetime, *, locked: bool = True) -> Life:
    """Somebody who is served, serves, gives and receives, signs in and was read about; nothing of it is open."""
    keys = await vault.of(c).keys(c)
    category = await c.fetchrow(
        "SELECT id, code FROM service_category WHERE code LIKE 'ELDERLY%' ORDER BY place LIMIT 1"
    )
    grown = date(1944, 3, 8)
    me = await person(c, NAME, phone=PHONE, address=ADDRESS, birth_date=grown, gender="FEMALE", area=Town.GRID)
    await identity(c, me, NUMBER)
    other = await person(c, "王小二", phone="10055509999", area=Town.GRID)
    house = {"community_id": where.community, "grid_id": where.grid, "area": Town.GRID, "household": "h-77"}
    resident = await insert(
        c,
        "resident",
        person_id=me,
        created_at=now - timedelta(days=100),
        care=keys.seal(Kind.CARE, written_tags([TAG]), me),  # type: ignore[list-item]
        care_note=keys.seal(Kind.CARE, NOTE, me),
        **house,
    )
    await insert(c, "resident", person_id=other, created_at=now, care=keys.seal(Kind.CARE, "[]", other), **house)
    registered = await volunteer(c, where, person=me, skills=("BLOOD_PRESSURE",), born=grown)
    staff = await person(c, "陈社工", phone="10055508888", acts=True)
    await insert(c, "volunteer_window", person_id=me, weekday=1, from_minute=540, to_minute=660)
    await insert(c, "volunteer_absence", person_id=me, starts_on=now.date(), ends_on=now.date())
    await insert(
        c,
        "qualification",
        person_id=me,
        type="NURSE",
        number=keys.seal(Kind.IDENTITY, LICENCE, me),
        number_index=keys.index(Kind.IDENTITY, LICENCE),
        number_masked="20****78",
        issued_by="沈阳市卫生健康委员会",
        status="VERIFIED",
        decided_by=staff,
        decided_at=now,
        created_at=now,
    )
    await insert(c, "avoidance", person_id=me, avoided_person_id=staff, created_at=now)
    await insert(c, "avoidance", person_id=staff, avoided_person_id=me, created_at=now)
    ngo = await organization(c, where)
    foundation = await organization(c, where, "甲试验基金会", kind="FOUNDATION")
    left = {"community_id": where.neighbour, "area": Town.NEIGHBOUR, "ended_by": me}
    await insert(
        c,
        "former_residence",
        person_id=me,
        since=now - timedelta(days=400),
        until=now - timedelta(days=100),
        **left,
    )
    asked = {"joins_as": "VOLUNTEER", "made_by": me, "state": "ACCEPTED", "decided_by": staff}
    await insert(
        c,
        "membership_request",
        organization_id=ngo,
        person_id=me,
        made_at=now - timedelta(days=51),
        until=now,
        decided_at=now - timedelta(days=50),
        **asked,
    )
    await insert(c, "organization_volunteer", organization_id=ngo, person_id=me, since=now - timedelta(days=50))
    await membership(c, me, Role.PARTY_SECRETARY, area=Town.COMMUNITY)

    async def need(whose: UUID, subject: UUID, title: str) -> UUID:
        return await insert(
            c,
            "need",
            title=title,
            note=keys.seal(Kind.CARE, CONDITION, subject),
            subject_id=subject,
            kind="SERVICE",
            category_id=category["id"],
            category_code=category["code"],
            beneficiary_id=resident if subject == me else None,
            household="h-77" if subject == me else None,
            requester_id=whose,
            submitted_via="ONLINE",
            community_id=where.community,
            grid_id=where.grid,
            area=Town.GRID,
            unit="HELPER",
            qty_total=1,
            qty_committed=1,
            qty_delivered=1,
            due_at=now,
            answer_due_at=now,
            status="CLOSED",
            closed_at=now,
            created_at=now - timedelta(days=20),
        )

    mine = await need(me, me, "陪诊：心内科")
    window = {"starts_at": now - timedelta(days=19), "ends_at": now - timedelta(days=19, hours=-2)}
    await insert(c, "need_option", need_id=mine, place=0, **window)
    theirs = await need(other, NO_ONE, "社区清扫")

    async def commitment(of: UUID, serving: UUID, subject: UUID) -> UUID:
        return await insert(
            c,
            "commitment",
            need_id=of,
            person_id=serving,
            volunteer_person_id=serving,
            community_id=where.community,
            area=Town.GRID,
            subject_id=subject,
            qty=1,
            qty_delivered=1,
            origin="CLAIM",
            status="COMPLETED",
            hold_until=now,
            ended_at=now,
            rating=5,
            comment=keys.seal(Kind.CARE, WORDS, subject),
            created_at=now - timedelta(days=19),
        )

    await commitment(mine, other, me)
    served = await commitment(theirs, me, NO_ONE)
    session = await insert(
        c,
        "service_session",
        title="周六清扫",
        category_id=category["id"],
        category_code=category["code"],
        community_id=where.community,
        area=Town.COMMUNITY,
        starts_at=now - timedelta(days=9, hours=3),
        ends_at=now - timedelta(days=9),
        place="社区广场",
        capacity=5,
        accepted_count=1,
        created_by=staff,
        created_at=now - timedelta(days=12),
        published_at=now - timedelta(days=12),
        status="CONFIRMED",
    )
    attendance = await insert(
        c,
        "attendance",
        session_id=session,
        volunteer_id=me,
        status="CONFIRMED",
        position=1,
        applied_at=now - timedelta(days=11),
        accepted_at=now - timedelta(days=11),
        starts_at=now - timedelta(days=9, hours=3),
        credited_minutes=150,
        reason=keys.seal(Kind.CARE, ILLNESS, me),
        area=Town.COMMUNITY,
    )
    hours = {"session_id": session, "volunteer_id": me, "attendance_id": attendance, "area": Town.COMMUNITY}
    await insert(
        c,
        "hour_entry",
        kind="CREDIT",
        revision=1,
        minutes=150,
        trust="SYSTEM",
        served_on=now.date(),
        credited_on=now.date(),
        at=now - timedelta(days=8),
        category_code=category["code"],
        **hours,
    )
    if locked:
        await c.execute("UPDATE service_session SET status = 'LOCKED' WHERE id = $1", session)
    await insert(
        c,
        "offer",
        title="量血压",
        note="周末可上门",
        person_id=me,
        kind="SERVICE",
        category_id=category["id"],
        category_code=category["code"],
        unit="HELPER",
        qty_total=3,
        window_from=now - timedelta(days=30),
        window_to=now - timedelta(days=2),
        area=Town.COMMUNITY,
        status="EXPIRED",
        created_at=now - timedelta(days=31),
    )
    donation = await gift(c, keys, me, foundation, staff, now)
    await signed_in(c, keys, me, now)
    await read_about(c, me, staff, ngo, now)
    sign_in = await c.fetchval("SELECT id FROM sign_in WHERE person_id = $1", me)
    actor = Actor(Role.RESIDENT, me, None, Town.GRID, sign_in=sign_in)
    return Life(me, resident, registered.id, mine, served, session, donation, other, sign_in, actor)


async def guardianship(c: asyncpg.Connection, minor: UUID, guardian: UUID, at: datetime) -> UUID:
    """That somebody is a minor's guardian: recorded by one of the staff and verified by another at an instant."""
    one, other = [await person(c, name) for name in ("甲登记", "乙核实")]
    of = {"minor_id": minor, "guardian_id": guardian, "relation": "PARENT", "area": Town.COMMUNITY}
    hands = {"recorded_by": one, "recorded_at": at, "verified_by": other, "verified_at": at}
    return await insert(c, "guardianship", evidence="HOUSEHOLD_REGISTER", **of, **hands)


async def gift(c: asyncpg.Connection, keys: vault.Keys, me: UUID, foundation: UUID, by: UUID, now: datetime) -> UUID:
    """A gift of 5,000 yuan whose donor wishes to be named, posted to the books."""
    fund = await insert(
        c, "fund", organization_id=foundation, name="综合基金", kind="UNRESTRICTED", created_by=by, created_at=now
    )
    donor = await insert(
        c, "donor", organization_id=foundation, kind="PERSON", label="欧阳*", person_id=me, created_at=now
    )
    sealed = keys.seal(Kind.NAME, NAME, donor)
    await insert(c, "donor_name", "donor_id", donor_id=donor, kind="PERSON", organization_id=foundation, name=sealed)
    return await insert(
        c,
        "donation",
        organization_id=foundation,
        fund_id=fund,
        donor_id=donor,
        person_id=me,
        amount_fen=500_000,
        channel="OWN_SITE",
        received_at=now - timedelta(days=5),
        breadth=9,
        publish_name=True,
        public_name="欧阳女士",
        recorded_by=by,
        recorded_at=now,
    )


async def signed_in(c: asyncpg.Connection, keys: vault.Keys, me: UUID, now: datetime) -> None:
    """A sign-in by WeChat, an account with a password, what was proven."""
    await insert(
        c,
        "sign_in",
        person_id=me,
        method="WECHAT",
        role="RESIDENT",
        device="红米手机",
        network="10.0.0",
        created_at=now - timedelta(hours=1),
        last_seen_at=now,
        expires_at=now + timedelta(days=30),
    )
    await insert(
        c,
        "wechat_identity",
        person_id=me,
        appid="wx-invented",
        openid=keys.seal(Kind.LOGIN, f"wx-invented:{OPENID}", me),
        openid_index=keys.index(Kind.LOGIN, f"wx-invented:{OPENID}"),
        bound_at=now,
    )
    await insert(c, "account", person_id=me, created_at=now)
    await insert(
        c,
        "account_login",
        person_id=me,
        kind="EMAIL",
        login=keys.seal(Kind.LOGIN, LOGIN, me),
        login_index=keys.index(Kind.LOGIN, LOGIN),
        masked="s***@example.invalid",
    )
    await insert(c, "recovery_code", person_id=me, code_hash=b"x" * 32)
    sign_in = await c.fetchval("SELECT id FROM sign_in WHERE person_id = $1", me)
    await insert(
        c,
        "bound_phone",
        person_id=me,
        phone=keys.seal(Kind.PHONE, PHONE, me),
        phone_index=keys.index(Kind.PHONE, PHONE),
        phone_masked="100****1234",
        sign_in_id=sign_in,
        proven_at=now,
    )


async def read_about(c: asyncpg.Connection, me: UUID, staff: UUID, ngo: UUID, now: datetime) -> None:
    """Somebody of the staff read her phone number; an organization may, for another day."""
    what: dict[str, Any] = {"at": now - timedelta(days=3), "role": "SOCIAL_WORKER", "purpose": "VISIT"}
    reveal = await insert(c, "contact_reveal", person_id=staff, subject_count=1, **what)
    await insert(c, "pii_access", reveal_id=reveal, actor_id=staff, subject_id=me, fields=["PHONE"], **what)
    await insert(
        c,
        "contact_grant",
        viewer_organization_id=ngo,
        subject_id=me,
        source_id=reveal,
        since=now - timedelta(days=3),
        until=now + timedelta(days=1),
    )


__all__ = ["PLAIN", "Life", "life"]
