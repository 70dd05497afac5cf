"""Rows on their way into the database: a sheet for each table, written by COPY in the order of references.

Instants are whole microseconds since 2000-01-01 UTC, as PostgreSQL stores them: arithmetic on them is cheap, and a
codec of the connection sends them as they are. Ids are version 7 UUIDs made of a row's time and a number of its own,
so that the ids of one table lie in the order of their time.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pgproto.pgproto import UUID as FastUUID

from models.seed import finding

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = 8 * HOUR
"""Shanghai is eight hours ahead of UTC all the year."""
FIRST_DAY = date(2000, 1, 1).toordinal()

Row = tuple[Any, ...]

COLUMNS: dict[str, str] = {
    "person": "id name_masked phone_masked address_masked gender birth_date pinyin area acts state created_at",
    "person_name": "person_id name",
    "person_contact": "person_id phone phone_index phone_whose address",
    "grid": "id code name community_id area officer_id valid_from x y",
    "building": "id grid_id community_id name area x y",
    "resident": "id person_id area community_id grid_id household care care_tier created_at verified_at verified_by",
    "volunteer": "id person_id volunteer_no state state_reason area adult_on skills categories no_matching created_at"
    " x y own_point radius_km weekly_cap languages",
    "guardian_consent": "id minor_id guardian_id recorded_by area given_at",
    "social_worker": "id person_id level licence_no licence_until area",
    "organization": "id name pinyin kind legal_status uscc filing_no verified_state rejection is_charity division_id area"
    " contact_id created_at",
    "membership": "id person_id organization_id role area starts_on granted_by granted_at",
    "organization_volunteer": "id organization_id person_id since",
    "need": "id no title note subject_id kind category_id category_code beneficiary_id household requester_id submitted_via"
    " community_id grid_id area unit qty_total qty_committed qty_delivered window_from window_to due_at answer_due_at"
    " urgency sensitivity gender_preference status reason referred_to reopened opened_at closed_at created_at"
    " assigned_to hints x y skill_code certificate language gender_required vulnerability duration_minutes rrule options"
    " parent_id series_id result",
    "need_staff": "id need_id person_id named_at",
    "offer": "id no title note organization_id person_id kind category_id category_code unit qty_total qty_reserved"
    " qty_consumed window_from window_to service_areas area status reason created_at x y radius_km min_notice_minutes rrule"
    " duration_minutes parallel weekly_cap skills certificates languages external_id venue_address venue_seats"
    " venue_equipment venue_access",
    "offer_occurrence": "id offer_id starts_at ends_at",
    "commitment": "id need_id offer_id organization_id person_id volunteer_person_id social_worker_id community_id area"
    " sensitivity subject_id qty qty_delivered origin status hold_until slot_from slot_to accepted_at confirmed_at"
    " started_at delivered_at ended_at rating comment cancelled_by reason open_until created_at party_unit_id"
    " result",
    "contact_grant": "id viewer_person_id viewer_organization_id subject_id source_id since until for_staff",
    "booking": "person_id during commitment_id attendance_id created_at",
    "service_activity": "id title description organization_id category_id category_code community_id area starts_on"
    " ends_on created_by created_at",
    "service_session": "id title activity_id organization_id need_id restricted_need_id category_id category_code"
    " community_id area starts_at ends_at place latitude longitude capacity accepted_count arrivals open_sign_up"
    " needs_approval sign_code_hash status headcount_registered headcount_unregistered cancelled_reason created_by created_at"
    " published_at",
    "session_commitment": "id session_id commitment_id quantity organization_id area",
    "session_code": "id session_id code organization_id area",
    "attendance": "id session_id volunteer_id commitment_id status position applied_at accepted_at starts_at"
    " check_in_at check_in_method check_in_by check_out_at check_out_method credited_minutes rating reason restricted_need_id"
    " organization_id area",
    "hour_entry": "id attendance_id session_id volunteer_id kind revision reverses_id follows_id minutes trust"
    " approved_by reason served_on credited_on at category_code organization_id area",
    "manual_proposal": "id attendance_id session_id volunteer_id minutes reason evidence status proposed_by proposed_at"
    " organization_id area",
    "fund": "id organization_id name kind category_code restricted_area restricted_from restricted_to created_by"
    " created_at",
    "donor": "id organization_id kind label person_id giver_organization_id created_at",
    "donor_name": "donor_id kind organization_id name",
    "donation": "id no organization_id fund_id donor_id person_id amount_fen channel external_txn received_at"
    " designation restricted category_code restricted_area restricted_from restricted_to breadth publish_name"
    " public_name status allocated_fen spent_fen recorded_by recorded_at reason",
    "allocation": "id organization_id fund_id title spending category_code area need_id amount_fen committed_fen"
    " spent_fen status requested_by requester_organization_id requested_at submitted_by submitted_at approved_by"
    " approved_at closed_at reason",
    "allocation_line": "id allocation_id donation_id position fund_id restricted amount_fen consumed_fen returned_fen"
    " held_fen"
    " organization_id area requested_by",
    "disbursement": "id organization_id allocation_id area requested_by requester_organization_id spending"
    " needs_authoriser payee_name payee_organization_id payee_resident_id payee_person_id amount_fen purpose status"
    " maker_id made_at checker_id checked_at authoriser_id authorised_at handed_at attempts paid_at bank_ref"
    " confirmation confirmed_by confirmed_at reason",
    "ledger_txn": "id organization_id kind at month donation_id disbursement_id reverses_id made_by made_at",
    "ledger_entry": "id txn_id account_id fund_id organization_id at amount_fen",
    "spend_trace": "id donation_id disbursement_id line_id fund_id amount_fen at on_day reverses_id organization_id"
    " title spending category_code area requested_by donor_person_id",
    "person_identity": "person_id id_type number number_index number_masked recorded_by recorded_at",
    "need_foundation": "id need_id organization_id asked_by asked_at",
    "disbursement_line": "id disbursement_id line_id amount_fen",
    "service_point": "id name pinyin kind community_id area x y address opening valid_from",
    "need_option": "id need_id place starts_at ends_at",
    "volunteer_window": "id person_id weekday from_minute to_minute",
    "volunteer_absence": "id person_id starts_on ends_on",
    "qualification": "id person_id type number number_index number_masked issued_by valid_to status decided_by"
    " decided_at created_at",
    "party_unit": "id name pinyin level parent_id area valid_from",
}
"""What is written of each table, in the order in which references allow. Other columns have their defaults."""

KIND = {table: number << 64 for number, table in enumerate(COLUMNS, 1)}
SPREAD, LOW = 0x9E3779B97F4A7C15, (1 << 62) - 1
UNIX_MS = int(EPOCH.timestamp()) * 1000


def uuid7(table: str, number: int, at: int) -> UUID:
    """The id of a table's row by its number, which no other row of the table has, and its time."""
    ms = UNIX_MS + at // 1000
    low = number * SPREAD & LOW  # odd, so no two numbers meet
    made: UUID = FastUUID((ms << 80 | 7 << 76 | KIND[table] | 2 << 62 | low).to_bytes(16, "big"))
    return made


def microseconds(at: datetime) -> int:
    """An instant as sheets hold it."""
    return (at - EPOCH) // (datetime.resolution)


def day_number(at: int) -> int:
    """The Shanghai day of an instant, counted from 2000-01-01."""
    return (at + AHEAD) // DAY


def midnight(day: int) -> int:
    """The first instant of a Shanghai day."""
    return day * DAY - AHEAD


_days: dict[int, date] = {}


def day(at: int) -> date:
    """The Shanghai day of an instant."""
    number = (at + AHEAD) // DAY
    found = _days.get(number)
    if found is None:
        found = _days[number] = date.fromordinal(FIRST_DAY + number)
    return found


class Sheets(defaultdict[str, list[Row]]):
    """Rows by table, and how many ids each table has given out."""

    def __init__(self) -> None:
        super().__init__(list)
        self.made: dict[str, int] = dict.fromkeys(COLUMNS, 0)
        self.finding: finding.Finding | None = None
        """What rows are found by; read when the first are written."""

    def id(self, table: str, at: int) -> UUID:
        """The next id of a table, for a row of this time."""
        number = self.made[table] = self.made[table] + 1
        return uuid7(table, number, at)

    async def write(self, connection: asyncpg.Connection) -> None:
        """Copies every row into its table, with what it is found by, and empties the sheets."""
        if self.finding is None:
            self.finding = await finding.read(connection)
        for table, listed in COLUMNS.items():
            if rows := self.pop(table, None):
                columns = listed.split()
                keyed = self.finding.keyed(table, columns, rows)
                names = [*columns, "grams"] if table in finding.FOUND else columns
                await connection.copy_records_to_table(table, records=keyed, columns=names)


async def prepare(connection: asyncpg.Connection) -> None:
    """Teaches a connection to take instants as whole microseconds."""
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=lambda at: (at,),
        decoder=lambda wire: wire[0],
        format="tuple",
    )
