"""Whose phone number it is, and who may read it when.

The community registers 李奶奶 (82, alone), whose number on record is her daughter's, and the daughter. The daughter
comes by the mini-program, proves her number and says her name, and is the person on record from then on. She asks for
her mother; what volunteers see of it before they are confirmed, while they serve, and a day after. Then the mother, by her identity card, looks who has read her number.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from models.people.identity import check_digit
from tests.scenarios.client import Api
from tests.scenarios.need_to_hours import PROVIDERS, clock
from tests.scenarios.phones import Phone, a_code, a_number, prove

MOTHER, DAUGHTER = "李淑贞", "赵明玥"
NOTE = "老人髋关节术后，行动不便，需要搀扶上下楼"
CARE = "高血压，每日服药，子女不同住"


async def play(api: Api, weeks: int = 4) -> dict[str, Any]:
    """Plays it to the end; the reveals that were refused and allowed, in order, and who read."""
    at = clock(weeks)
    api.at = at("1 08:00")
    staff = await api.sign_in("community-staff")
    home = (await api.send(await api.sign_in("resident"), "Home"))["me"]["resident"]
    number = a_number()
    mother, daughter = await _register(api, staff, home, number)

    phone = await _come_by_wechat(api, number)
    api.at = at("1 09:00")
    me = (await api.send(await phone.token(), "Me"))["me"]
    assert (me["name"], me["phone"], me["acting"]["role"]) == (DAUGHTER, number, "RESIDENT")
    assert me["resident"]["id"] == daughter["id"]
    assert {p["person"]["name"] for p in me["resident"]["household"]} == {"李*", "赵*"}

    need = await _ask(api, at, await phone.token(), staff, mother["id"])
    api.at = at("1 12:00")
    volunteers = [await api.sign_in(slug) for slug in PROVIDERS]
    for volunteer in volunteers:
        seen = (await api.send(volunteer, "Open", id=need))["need"]
        assert seen["category"]["name"] == "陪诊" and seen["community"]["name"] == home["community"]["name"]
        assert (seen["note"], seen["grid"], seen["requester"], seen["beneficiary"]) == (None, None, None, None)
    outcomes = await asyncio.gather(*[api.do(v, "ClaimNeed", id=need) for v in volunteers])
    won = [(v, o["id"]) for v, o in zip(volunteers, outcomes, strict=True) if "code" not in o]
    assert [o["code"] for o in outcomes if "code" in o] == ["NEED_FULLY_COMMITTED"]
    told = await _serve(api, at, phone, staff, need, mother["person"]["id"], number, won)

    api.at = at("3 12:00")
    card = await _show_card(api, staff, mother["person"]["id"])
    api.at = at("4 12:00")  # a number that was put on record today opens nothing
    tablet = await _come_by_card(api, card)
    readers = [e["node"] for e in (await api.send(await tablet.token(), "WhoRead"))["piiAccesses"]["edges"]]
    return {"number": number, "told": told, "readers": readers, "mother": mother["person"]["id"]}


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


async def _ask(api: Api, at: Callable[[str], str], token: str, staff: str, mother: str) -> str:
    """A need for the mother, verified in 40 minutes."""
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
    assert need["note"] == NOTE
    api.at = at("1 09:40")
    assert (await api.done(staff, "Verify", id=need["id"]))["status"] == "OPEN"
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
    won: list[tuple[str, str]],
) -> list[str]:
    """From the claims to the hours; at each step the two try to read the mother's number."""
    told: list[str] = []

    async def reveal() -> None:
        for volunteer, _ in won:
            outcome = await api.do(volunteer, "Reveal", persons=[mother])
            told.append(outcome.get("code") or outcome["contacts"][0]["phone"])

    await reveal()
    for _, commitment in won:
        await api.done(staff, "Accept", id=commitment)
    await reveal()
    for _, commitment in won:
        await api.done(staff, "Confirm", id=commitment)
    for volunteer, _ in won:
        seen = (await api.send(volunteer, "Open", id=need))["need"]
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
        await api.done(volunteer, "CheckIn", id=roster[commitment], input=code)
        api.at = at("2 11:05")
        left = await api.done(volunteer, "CheckOut", id=roster[commitment], input=code)
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
        seen = (await api.send(volunteer, "Open", id=need))["need"]
        assert seen is None or (seen["note"], seen["beneficiary"]) == (None, None)
    return told
