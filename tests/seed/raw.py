"""Promises recomputed in plain Python from raw rows, apart from the queries that the load checks itself with."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import asyncpg

from models.activity.rules import HOLDS_SEAT, credited_minutes
from models.exchange.states import HOLDING, SERVED
from models.funds.books import Account, Entry, TxnKind, standing
from models.funds.restrictions import Purpose, Restriction
from models.people.reliability import COUNTS, LATE, reliability
from tests.conftest import NOW

HELD = {s.value for s in HOLDING} - {s.value for s in SERVED}
DONE = {s.value for s in SERVED}


async def marketplace(connection: asyncpg.Connection) -> None:
    """Needs and offers count what their commitments hold and have delivered."""
    held: Counter[Any] = Counter()
    done: Counter[Any] = Counter()
    for c in await connection.fetch("SELECT * FROM commitment"):
        for of in (c["need_id"], c["offer_id"]):
            held[of] += c["qty"] if c["status"] in HELD else 0
            done[of] += c["qty_delivered"] if c["status"] in DONE else 0
    for n in await connection.fetch("SELECT * FROM need"):
        assert (n["qty_committed"], n["qty_delivered"]) == (held[n["id"]] + done[n["id"]], done[n["id"]]), n
    for o in await connection.fetch("SELECT * FROM offer"):
        assert (o["qty_reserved"], o["qty_consumed"]) == (held[o["id"]], done[o["id"]]), o


async def hours(connection: asyncpg.Connection) -> None:
    """Rosters fill seats, and credits are the rule's minutes of presence."""
    sessions = {s["id"]: s for s in await connection.fetch("SELECT * FROM service_session")}
    seated, arrivals = Counter[Any](), Counter[Any]()
    balance: Counter[Any] = Counter()
    for h in await connection.fetch("SELECT attendance_id, minutes FROM hour_entry"):
        balance[h["attendance_id"]] += h["minutes"]
    for a in await connection.fetch("SELECT * FROM attendance"):
        session = sessions[a["session_id"]]
        seated[a["session_id"]] += a["status"] in HOLDS_SEAT
        arrivals[a["session_id"]] += 1
        assert balance[a["id"]] == (a["credited_minutes"] or 0), a
        if a["status"] == "CONFIRMED":
            due = credited_minutes(a["check_in_at"], a["check_out_at"], session["starts_at"], session["ends_at"])
            assert a["credited_minutes"] == due, a
    for s in sessions.values():
        assert (s["accepted_count"], s["arrivals"]) == (seated[s["id"]], arrivals[s["id"]]), s


async def volunteers(connection: asyncpg.Connection) -> None:
    """How reliable each is, from what he did; and that whoever serves what takes a paper holds it (I11)."""
    commitments = {c["id"]: c for c in await connection.fetch("SELECT * FROM commitment")}
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    ends = {"COMPLETED": "completed", "NO_SHOW": "no_shows", "CONFIRMED": "completed", "ABSENT": "no_shows"}
    for c in commitments.values():
        who, recent = c["volunteer_person_id"], c["ended_at"] and NOW - c["ended_at"] < COUNTS
        if recent and c["status"] in ("COMPLETED", "NO_SHOW"):
            counts[who][ends[c["status"]]] += 1
        his = c["person_id"] == who and c["cancelled_by"] == "PROVIDER" and c["status"] == "CANCELLED"
        if recent and his and c["slot_from"] and c["slot_from"] - c["ended_at"] < LATE:
            counts[who]["late_cancels"] += 1
    for a in await connection.fetch("SELECT * FROM attendance"):
        carried = a["commitment_id"] and commitments[a["commitment_id"]]["volunteer_person_id"]
        if NOW - a["starts_at"] < COUNTS and a["status"] in ("CONFIRMED", "ABSENT") and carried != a["volunteer_id"]:
            counts[a["volunteer_id"]][ends[a["status"]]] += 1
    for v in await connection.fetch("SELECT * FROM volunteer"):
        found = counts[v["person_id"]]
        stored = {name: v[name] for name in ("completed", "no_shows", "late_cancels")}
        assert stored == {name: found[name] for name in stored}, v
        assert abs(v["reliability"] - reliability(**stored)) < 1e-6
        assert v["x"] is not None
    needs = {n["id"]: n for n in await connection.fetch("SELECT * FROM need")}
    takes = {r["code"]: set(r["certificates"]) for r in await connection.fetch("SELECT * FROM service_category")}
    held = defaultdict(set)
    for q in await connection.fetch("SELECT * FROM qualification WHERE status = 'VERIFIED'"):
        if q["valid_to"] is None or q["valid_to"] >= NOW.date():
            held[q["person_id"]].add(q["type"])
    for c in commitments.values():
        need = needs[c["need_id"]]
        if c["volunteer_person_id"] is None or c["party_unit_id"] is not None:
            continue
        papers = held[c["volunteer_person_id"]]
        assert need["certificate"] in (None, *papers), c
        assert not takes[need["category_code"]] or takes[need["category_code"]] & papers, c


async def money(connection: asyncpg.Connection) -> None:
    """Balances are those of the ledger; gifts are spent inside their restriction, and never more than they are."""
    accounts = {
        a["id"]: Account(a["account"]) for a in await connection.fetch("SELECT id, account FROM ledger_account")
    }
    postings: dict[Any, list[Entry[Any]]] = defaultdict(list)
    for e in await connection.fetch("SELECT * FROM ledger_entry"):
        postings[e["txn_id"]].append(Entry(e["fund_id"], accounts[e["account_id"]], e["amount_fen"]))
    kinds = {t["id"]: TxnKind(t["kind"]) for t in await connection.fetch("SELECT id, kind FROM ledger_txn")}
    assert set(kinds) == set(postings)
    assert all(sum(e.amount_fen for e in entries) == 0 for entries in postings.values())
    stands = standing((kinds[id], entries) for id, entries in postings.items())
    for b in await connection.fetch("SELECT * FROM fund_balance"):
        s = stands[b["fund_id"]]
        assert (b["balance_fen"], b["restricted_fen"], b["received_fen"], b["spent_fen"]) == (
            *(s.balance, s.restricted, s.received, s.spent),
        )
    months = await connection.fetch("SELECT * FROM fund_month ORDER BY fund_id, month")
    for before, after in pairwise(months):
        if before["fund_id"] == after["fund_id"]:
            assert after["opening_fen"] == before["closing_fen"]
    gifts = {d["id"]: d for d in await connection.fetch("SELECT * FROM donation")}
    spent: Counter[Any] = Counter()
    for t in await connection.fetch("SELECT * FROM spend_trace"):
        d = gifts[t["donation_id"]]
        bound = Restriction(d["category_code"], d["restricted_area"], d["restricted_from"], d["restricted_to"])
        assert t["reverses_id"] or bound.admits(Purpose(t["category_code"], t["area"], t["on_day"])), t
        assert d["breadth"] == bound.breadth
        spent[d["id"]] += t["amount_fen"]
    for d in gifts.values():
        assert spent[d["id"]] == d["spent_fen"] <= d["allocated_fen"] <= d["amount_fen"]
