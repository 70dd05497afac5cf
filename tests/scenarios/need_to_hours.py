"""Ask and serve: a need of quantity 2, claimed by three at once, served by two, credited to the minute."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from tests.scenarios.client import Api

PROVIDERS = ("volunteer", "volunteer-2", "volunteer-3")


def clock(weeks: int) -> Callable[[str], str]:
    """Times of a week, so many weeks later: `2 08:27` is Tuesday's."""
    monday = date(2026, 11, 23) + timedelta(weeks=weeks)

    def at(text: str) -> str:
        day, _, time = text.partition(" ")
        return f"{monday + timedelta(days=int(day) - 1)}T{time}:00+08:00"

    return at


async def play(api: Api, weeks: int = 0) -> dict[str, Any]:
    """Plays it to the end; the need's id, and what stands in the ledger then."""
    at = clock(weeks)
    need = await ask(api, at, "ELDERLY.ESCORT")

    api.at = at("1 12:00")
    tokens = [await api.sign_in(slug) for slug in PROVIDERS]
    outcomes = await asyncio.gather(*[api.do(token, "Claim", id=need) for token in tokens])
    won = [(token, o["id"]) for token, o in zip(tokens, outcomes, strict=True) if "code" not in o]
    lost = [o for o in outcomes if "code" in o]
    assert [(o["code"], o["remaining"]) for o in lost] == [("NEED_FULLY_COMMITTED", 0)], outcomes
    assert len(won) == 2

    await serve(api, at, won, ("SYSTEM", "SYSTEM"))
    staff = await api.sign_in("community-staff")
    return {"id": need, "result": (await api.send(staff, "Result", id=need))["need"]}


async def ask(api: Api, at: Callable[[str], str], category: str) -> str:
    """A resident submits a need of quantity 2 for Tuesday morning; the community verifies it in 40 minutes."""
    resident, staff = await api.sign_in("resident"), await api.sign_in("community-staff")
    categories = {c["code"]: c["id"] for c in (await api.send(None, "Categories"))["serviceCategories"]}
    api.at = at("1 09:00")
    need = await api.done(
        resident,
        "Submit",
        input={
            "title": "陪家人去医院复查",
            "category": categories[category],
            "quantity": 2,
            "windowFrom": at("2 08:30"),
            "windowTo": at("2 11:00"),
            "dueAt": at("2 11:00"),
            "genderPreference": "FEMALE",
        },
    )
    assert (need["status"], need["quantityLeft"]) == ("SUBMITTED", 2)
    api.at = at("1 09:40")
    assert (await api.done(staff, "Verify", id=need["id"]))["status"] == "OPEN"
    found: str = need["id"]
    return found


async def serve(api: Api, at: Callable[[str], str], commitments: list[tuple[str, str]], trusts: Sequence[str]) -> None:
    """(who checks in, commitment), and what trust his hours come to: accepted, confirmed, in at 08:27 and out at 11:05, completed with five stars."""
    resident, staff = await api.sign_in("resident"), await api.sign_in("community-staff")
    worker = (await api.send(staff, "SocialWorkers"))["socialWorkers"]["edges"][0]["node"]["id"]
    for _, commitment in commitments:
        assert (await api.done(staff, "Accept", id=commitment))["status"] == "ACCEPTED"
        assert (await api.done(staff, "Confirm", id=commitment, socialWorker=worker))["status"] == "CONFIRMED"

    session = await api.done(
        staff,
        "CreateSession",
        input={
            "commitments": [{"commitment": c} for _, c in commitments],
            "startsAt": at("2 08:30"),
            "endsAt": at("2 11:00"),
            "place": "社区服务站门口集合",
        },
    )
    published = await api.done(staff, "PublishSession", id=session["id"])
    roster = {e["node"]["commitment"]["id"]: e["node"]["id"] for e in published["attendances"]["edges"]}
    assert len(roster) == len(commitments)
    code = {"code": published["signCode"]["code"]}
    for (token, commitment), trust in zip(commitments, trusts, strict=True):
        attendance = roster[commitment]
        api.at = at("2 08:27")
        assert (await api.done(token, "CheckIn", id=attendance, input=code))["status"] == "CHECKED_IN"
        api.at = at("2 11:05")
        left = await api.done(token, "CheckOut", id=attendance, input=code)
        assert left["creditedMinutes"] == 150
        assert left["entries"] == [{"kind": "CREDIT", "minutes": 150, "trust": trust}]

    api.at = at("2 18:00")
    for _, commitment in commitments:
        last = await api.done(resident, "Complete", id=commitment, rating=5)
    assert last["need"] == {"status": "CLOSED", "quantityDelivered": 2, "fulfilment": "FULL"}


SERVED = {
    "status": "COMPLETED",
    "quantity": 1,
    "quantityDelivered": 1,
    "attendances": [
        {
            "status": "CONFIRMED",
            "creditedMinutes": 150,
            "entries": [{"kind": "CREDIT", "minutes": 150, "trust": "SYSTEM"}],
        }
    ],
}
RESULT = {
    "status": "CLOSED",
    "quantity": 2,
    "quantityCommitted": 2,
    "quantityDelivered": 2,
    "fulfilment": "FULL",
    "commitments": [SERVED, SERVED],
}
