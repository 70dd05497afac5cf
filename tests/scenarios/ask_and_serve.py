"""Ask and serve: a daughter asks for her mother, twelve neighbours are shown it, two of three get it, and serve.

The community registers 李奶奶 (82, alone), whose number on record is her daughter's, and the daughter. The daughter
comes by the mini-program, proves her number and says her name, and is the person on record from then on. She asks for
her mother; twelve volunteers who live within 2 km are shown it with the reasons, without door or phone; one who lives
farther away, one who has no time then and one who does not want to be matched are not. Of three who claim it two get
it. They may read the number from their confirmation until a day after the service; the hours are counted to the
minute. A second telephone of the daughter's hears of each step as it happens. Then the mother, by her identity card,
looks who has read her number.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from models.people.identity import check_digit
from tests.scenarios.client import Api
from tests.scenarios.hearing import heard
from tests.scenarios.need_to_hours import clock
from tests.scenarios.neighbours import Neighbour, neighbourhood
from tests.scenarios.phones import Phone, a_code, a_number, prove

MOTHER, DAUGHTER = "李淑贞", "赵明玥"
NOTE = "老人髋关节术后，行动不便，需要搀扶上下楼"
CARE = "高血压，每日服药，子女不同住"


async def play(api: Api, weeks: int = 4) -> dict[str, Any]:
    """Plays it to the end; the reveals that were refused and allowed, in order, who read, and what was heard live."""
    at = clock(weeks)
    api.at = at("1 08:00")
    staff = await api.sign_in("community-staff")
    home = (await api.send(await api.sign_in("resident"), "Home"))["me"]["resident"]
    number = a_number()
    mother, daughter = await _register(api, staff, home, number)
    neighbours = await neighbourhood(api, staff, home["community"])

    phone = await _come_by_wechat(api, number)
    api.at = at("1 09:00")
    me = (await api.send(await phone.token(), "Me"))["me"]
    assert (me["name"], me["phone"], me["acting"]["role"]) == (DAUGHTER, number, "RESIDENT")
    assert me["resident"]["id"] == daughter["id"]
    assert {p["person"]["name"] for p in me["resident"]["household"]} == {"李*", "赵*"}

    need = await _ask(api, at, await phone.token(), mother["id"])
    async with heard(api, await phone.token(), need) as changes:
        api.at = at("1 09:40")
        assert (await api.done(staff, "Verify", id=need))["status"] == "OPEN"
        await _recommended(api, staff, home, need, neighbours)

        api.at = at("1 12:00")
        wang, zhao, sun = [await n.phone.token("VOLUNTEER") for n in neighbours[:3]]
        seen = (await api.send(wang, "Open", id=need))["need"]
        assert seen["category"]["name"] == "陪诊" and seen["community"]["name"] == home["community"]["name"]
        assert (seen["note"], seen["grid"], seen["requester"], seen["beneficiary"]) == (None, None, None, None)
        first = await api.done(wang, "ClaimNeed", id=need)
        both = await asyncio.gather(*[api.do(token, "ClaimNeed", id=need) for token in (zhao, sun)])
        (second,) = [n for n, o in zip(neighbours[1:3], both, strict=True) if "code" not in o]
        (lost,) = [o for o in both if "code" in o]
        assert (lost["code"], lost["remaining"]) == ("NEED_FULLY_COMMITTED", 0)
        (got,) = [o["id"] for o in both if "code" not in o]
        won = [(neighbours[0], first["id"]), (second, got)]
        told = await _serve(api, at, phone, staff, need, mother["person"]["id"], number, won)
        await changes.until("CLOSED")

    api.at = at("3 12:00")
    card = await _show_card(api, staff, mother["person"]["id"])
    api.at = at("4 12:00")  # a number that was put on record today opens nothing
    tablet = await _come_by_card(api, card)
    readers = [e["node"] for e in (await api.send(await tablet.token(), "WhoRead"))["piiAccesses"]["edges"]]
    return {
        "number": number,
        "told": told,
        "readers": readers,
        "mother": mother["person"]["id"],
        "heard": changes.topics,
    }


async def _recommended(api: Api, staff: str, home: Any, need: str, neighbours: list[Neighbour]) -> None:
    """Staff see the twelve among the candidates, each with the reasons; each of the twelve is shown the need, the
    others are not."""
    shown = [n for n in neighbours if n.shown]
    assert len(shown) == 12
    candidates = (await api.send(staff, "Candidates", id=need))["need"]["matchCandidates"]
    found = {c["volunteer"]["id"]: c for c in candidates if c["volunteer"] is not None}
    assert {n.volunteer for n in neighbours if n.volunteer in found} == {n.volunteer for n in shown}
    for neighbour in shown:
        candidate = found[neighbour.volunteer]
        assert candidate["distanceKm"] <= 2 and sum(t["points"] for t in candidate["terms"]) == candidate["score"]
        assert "公里 +" in candidate["sentence"]
    for neighbour in neighbours:
        answer = await api.send(await neighbour.phone.token("VOLUNTEER"), "Recommended")
        mine = [r for r in answer["recommendedNeeds"] if r["need"]["id"] == need]
        assert len(mine) == neighbour.shown, neighbour.name
        for recommended in mine:
            asked = recommended["need"]
            assert (asked["category"]["name"], asked["community"]["name"]) == ("陪诊", home["community"]["name"])
            assert (asked["note"], asked["grid"], asked["beneficiary"]) == (None, None, None)
            assert recommended["sentence"].startswith("距您") and recommended["distanceKm"] <= 2


async def _register(api: Api, staff: str, home: Any, number: str) -> tuple[Any, Any]:
    """The two residents of one household, entered by the community."""
    where = {"community": home["community"]["id"], "grid": home["grid"]["id"], "address": "万莲路 18 号楼 2 单元 501"}
    person = {"name": MOTHER, "phone": number, "phoneWhose": "RELATIVE", "gender": "FEMALE", "birthDate": "1944-03-01"}
    given = {**where, "person": person, "tags": ["LIVES_ALONE", "DEPENDENT"], "careNote": CARE}
    mother = await api.done(staff, "Register", input=given)
    assert (mother["person"]["name"], mother["person"]["phone"]) == ("李*", f"{number[:3]}****{number[-4:]}")
    assert (mother["tags"], mother["careNote"]) == (["LIVES_ALONE", "DEPENDENT"], CARE)
    assert mother["isVerified"]
    person = {"name": DAUGHTER, "phone": number, "phoneWhose": "OWN", "gender": "FEMALE", "birthDate": "1971-06-12"}
    return mother, await api.done(staff, "Register", input={**where, "person": person, "householdOf": mother["id"]})


async def _come_by_wechat(api: Api, number: str) -> Phone:
    """The daughter signs in for the first time, and becomes the person on record."""
    code = a_code()
    signed = await api.done(None, "WechatSignIn", code=code)
    assert (signed["role"], signed["secondFactor"]) == ("PERSON", False)
    again = await api.done(None, "WechatSignIn", code=code)  # the answer was lost
    assert again["id"] == signed["id"] and again["refreshToken"] != signed["refreshToken"]
    token = again["accessToken"]

    early = await api.do(token, "Claim", name=DAUGHTER)
    assert early["code"] == "PHONE_NOT_PROVEN"
    bound = await prove(api, token, number)
    assert bound == {"phoneMasked": f"{number[:3]}****{number[-4:]}", "recordsFound": True}
    for wrong in ("赵明月", MOTHER):  # her mother's record has the number too, as a relative's
        assert "code" in await api.do(token, "Claim", name=wrong), wrong
    claimed = await api.done(token, "Claim", name=DAUGHTER)
    assert claimed["role"] == "RESIDENT"
    return Phone(api, claimed["refreshToken"])


async def _show_card(api: Api, staff: str, mother: str) -> str:
    """The community has seen the mother's identity card: its number."""
    number = f"219999{'19440301'}{secrets.randbelow(1000):03d}"
    number += check_digit(number)
    await api.done(staff, "Document", id=mother, number=number)
    signed = await api.done(None, "WechatSignIn", code=a_code())
    early = await api.do(signed["accessToken"], "Claim", name=MOTHER, idNumber=number)
    assert early["code"] == "CLAIM_NEEDS_STAFF"
    return number


async def _come_by_card(api: Api, number: str) -> Phone:
    """The mother, on a tablet: no number of her own, but an identity card that the community has seen."""
    signed = await api.done(None, "WechatSignIn", code=a_code())
    refused = await api.do(signed["accessToken"], "Claim", name=DAUGHTER, idNumber=number)
    assert "code" in refused
    claimed = await api.done(signed["accessToken"], "Claim", name=MOTHER, idNumber=number)
    return Phone(api, claimed["refreshToken"])


async def _ask(api: Api, at: Callable[[str], str], token: str, mother: str) -> str:
    """A need for the mother: two helpers, on Tuesday from 08:30 to 11:00, a woman preferred."""
    categories = {c["code"]: c["id"] for c in (await api.send(None, "Categories"))["serviceCategories"]}
    given = {
        "title": "陪老人去医院复查",
        "note": NOTE,
        "category": categories["ELDERLY.ESCORT"],
        "quantity": 2,
        "windowFrom": at("2 08:30"),
        "windowTo": at("2 11:00"),
        "dueAt": at("2 11:00"),
        "genderPreference": "FEMALE",
        "beneficiary": mother,
    }
    need = await api.done(token, "Submit", input=given)
    assert (need["note"], need["status"]) == (NOTE, "SUBMITTED")
    found: str = need["id"]
    return found


async def _serve(
    api: Api,
    at: Callable[[str], str],
    phone: Phone,
    staff: str,
    need: str,
    mother: str,
    number: str,
    won: list[tuple[Neighbour, str]],
) -> list[str]:
    """From the claims to the hours; at each step the two try to read the mother's number."""
    told: list[str] = []

    async def reveal() -> None:
        for volunteer, _ in won:
            outcome = await api.do(await volunteer.phone.token("VOLUNTEER"), "Reveal", persons=[mother])
            told.append(outcome.get("code") or outcome["contacts"][0]["phone"])

    await reveal()
    for _, commitment in won:
        await api.done(staff, "Accept", id=commitment)
    await reveal()
    for _, commitment in won:
        await api.done(staff, "Confirm", id=commitment)
    for volunteer, _ in won:
        seen = (await api.send(await volunteer.phone.token("VOLUNTEER"), "Open", id=need))["need"]
        assert seen["note"] == NOTE and seen["beneficiary"]["person"]["name"] == "李*"
        assert seen["beneficiary"]["person"]["phone"] == f"{number[:3]}****{number[-4:]}"

    session = await api.done(
        staff,
        "CreateSession",
        input={
            "commitments": [{"commitment": c} for _, c in won],
            "startsAt": at("2 08:30"),
            "endsAt": at("2 11:00"),
            "place": "社区服务站门口集合",
        },
    )
    published = await api.done(staff, "PublishSession", id=session["id"])
    roster = {e["node"]["commitment"]["id"]: e["node"]["id"] for e in published["attendances"]["edges"]}
    code = {"code": published["signCode"]["code"]}
    api.at = at("2 08:00")
    await reveal()
    for volunteer, commitment in won:
        api.at = at("2 08:27")
        await api.done(await volunteer.phone.token("VOLUNTEER"), "CheckIn", id=roster[commitment], input=code)
        api.at = at("2 11:05")
        left = await api.done(await volunteer.phone.token("VOLUNTEER"), "CheckOut", id=roster[commitment], input=code)
        assert left["creditedMinutes"] == 150
        assert left["entries"] == [{"kind": "CREDIT", "minutes": 150, "trust": "SYSTEM"}]
    api.at = at("2 18:00")
    daughter = await phone.token()
    for _, commitment in won:
        last = await api.done(daughter, "Complete", id=commitment, rating=5)
    assert last["need"] == {"status": "CLOSED", "quantityDelivered": 2}

    api.at = at("3 11:00")  # 24 h after the session's end, to the minute
    await reveal()
    for volunteer, _ in won:
        seen = (await api.send(await volunteer.phone.token("VOLUNTEER"), "Open", id=need))["need"]
        assert seen is None or (seen["note"], seen["beneficiary"]) == (None, None)
    return told
