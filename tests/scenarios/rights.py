"""What is known of me, who may use it, and that it goes.

A resident becomes a volunteer and serves; he fetches all that is known of him, withdraws from matching, and has himself
erased: his hours stay, under a pseudonym. A girl of 13 may ask for the same, and her guardian co-signs: whom one of the
staff put on record, and another one verified.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from tests.scenarios.client import Api
from tests.scenarios.need_to_hours import clock
from tests.scenarios.phones import Phone, a_code, a_number, come, prove

NAME, ADDRESS, NOTE = "周屿安", "文艺路 7 号楼 3 单元 201", "独居老人，视力残疾二级"
CHILD, GUARDIAN = "林知夏", "林望舒"
ERASE = "注销账户"
CREDIT = [{"kind": "CREDIT", "minutes": 150, "trust": "SYSTEM"}]


async def play(api: Api, weeks: int = 6) -> dict[str, Any]:
    """Plays both to the end; what was shown at the steps that matter."""
    at = clock(weeks)
    api.at = at("1 08:00")
    staff = await api.sign_in("community-staff")
    home = (await api.send(await api.sign_in("resident"), "Home"))["me"]["resident"]
    return {
        "adult": await _an_adult(api, at, staff, home),
        "child": await _a_child(api, at, staff, home, date.fromisoformat(at("1 08:00")[:10])),
    }


async def _registered(api: Api, staff: str, home: Any, person: dict[str, Any], **more: Any) -> Any:
    where = {"community": home["community"]["id"], "grid": home["grid"]["id"], "address": ADDRESS}
    return await api.done(staff, "Register", input={**where, "person": person, **more})


async def _an_adult(api: Api, at: Callable[[str], str], staff: str, home: Any) -> dict[str, Any]:
    number = a_number()
    given = {"name": NAME, "phone": number, "phoneWhose": "OWN", "birthDate": "1990-05-04"}
    person = (await _registered(api, staff, home, given))["person"]
    phone = await come(api, number, NAME)
    given = {"community": home["community"]["id"], "categories": ["ELDERLY.ESCORT"], "birthDate": "1990-05-04"}
    volunteer = await api.done(await phone.token(), "Volunteer", input=given)
    assert (await api.done(staff, "VerifyVolunteer", id=volunteer["id"]))["state"] == "ACTIVE"
    session = await _serve(api, at, staff, home, phone)

    api.at = at("3 09:00")
    token = await phone.token("VOLUNTEER")
    mine = await api.send(token, "Mine")
    assert mine == {
        "me": {"id": mine["me"]["id"], "volunteer": {"noMatching": False}},
        "myHours": {"totalMinutes": 150},
    }

    asked = await api.done(token, "Export")
    assert asked["state"] == "IN_PROGRESS" and asked["file"]["isAvailable"], asked
    file = await _fetch(api, token, asked["file"]["path"])
    stranger = await api.http.get(asked["file"]["path"], headers=_headers(api, staff))
    assert stranger.status_code in (403, 404), stranger.status_code

    await api.done(token, "Withdraw", purpose="MATCHING")
    assert (await api.send(token, "Mine"))["me"]["volunteer"]["noMatching"]

    before = await api.send(staff, "Session", id=session)
    assert "code" in await api.do(token, "Erase", confirm="好的")
    erased = await api.done(token, "Erase", confirm=ERASE)
    after = await api.send(staff, "Session", id=session)
    dead = await api.http.post("/graphql", json={"query": "{ me { id } }"}, headers=_headers(api, token))
    assert dead.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    return {
        "file": file,
        "plain": (NAME, number, ADDRESS),
        "before": _served(before),
        "after": _served(after),
        "kept": erased["kept"],
        "node": (await api.send(staff, "Node", id=person["id"]))["node"],
        "number_is_free": await _again(api, number),
    }


async def _again(api: Api, number: str) -> bool:
    """Whether somebody who proves the number now finds no record."""
    signed = await api.done(None, "WechatSignIn", code=f"code-again{number}")
    bound = await api.done(signed["accessToken"], "BindPhone", code=f"phone-{number}-again")
    return not bound["recordsFound"]


async def _serve(api: Api, at: Callable[[str], str], staff: str, home: Any, phone: Phone) -> str:
    """A need, claimed and served by him alone: 150 minutes. The session."""
    categories = {c["code"]: c["id"] for c in (await api.send(None, "Categories"))["serviceCategories"]}
    given = {
        "title": "陪老人办理残疾证",
        "note": NOTE,
        "category": categories["ELDERLY.ESCORT"],
        "windowFrom": at("2 08:30"),
        "windowTo": at("2 11:00"),
        "dueAt": at("2 11:00"),
    }
    need = await api.done(await api.sign_in("resident"), "Submit", input=given)
    await api.done(staff, "Verify", id=need["id"])
    commitment = await api.done(await phone.token("VOLUNTEER"), "ClaimNeed", id=need["id"])
    await api.done(staff, "Accept", id=commitment["id"])
    await api.done(staff, "Confirm", id=commitment["id"])
    times = {"startsAt": at("2 08:30"), "endsAt": at("2 11:00"), "place": "社区服务站"}
    session = await api.done(staff, "CreateSession", input={"commitments": [{"commitment": commitment["id"]}], **times})
    published = await api.done(staff, "PublishSession", id=session["id"])
    ((attendance),) = [e["node"]["id"] for e in published["attendances"]["edges"]]
    code = {"code": published["signCode"]["code"]}
    api.at = at("2 08:30")
    await api.done(await phone.token(), "CheckIn", id=attendance, input=code)
    api.at = at("2 11:00")
    assert (await api.done(await phone.token(), "CheckOut", id=attendance, input=code))["creditedMinutes"] == 150
    await api.done(await api.sign_in("resident"), "Complete", id=commitment["id"], rating=5)
    found: str = session["id"]
    return found


def _served(answer: Any) -> Any:
    (edge,) = answer["session"]["attendances"]["edges"]
    return edge["node"]


def _headers(api: Api, token: str) -> dict[str, str]:
    assert api.at is not None
    return {"authorization": f"Bearer {token}", "x-wushe-now": api.at}


async def _fetch(api: Api, token: str, path: str) -> Any:
    answer = await api.http.get(path, headers=_headers(api, token))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def _join(api: Api, staff: str, record: str, number: str) -> Phone:
    """A child's record is not to be had by a telephone: the community joins it with whoever stands before them."""
    code = a_code()
    signed = await api.done(None, "WechatSignIn", code=code)
    await prove(api, signed["accessToken"], number)
    assert (await api.do(signed["accessToken"], "Claim", name=CHILD))["code"] == "CLAIM_NEEDS_STAFF"
    me = (await api.send(signed["accessToken"], "Mine"))["me"]["id"]
    given = {"from": me, "into": record, "reason": "监护人带孩子到社区，已核对户口簿"}
    await api.done(staff, "Merge", **given)
    again = await api.done(None, "WechatSignIn", code=f"{code}-again")
    return Phone(api, again["refreshToken"])


async def _a_child(api: Api, at: Callable[[str], str], staff: str, home: Any, today: date) -> dict[str, Any]:
    """A girl of 13: what she agrees to, and asks for, waits for her guardian."""
    api.at = at("4 09:00")
    numbers = a_number(), a_number()
    given = {"name": GUARDIAN, "phone": numbers[0], "phoneWhose": "OWN", "birthDate": "1985-02-03"}
    guardian = await _registered(api, staff, home, given)
    born = today.replace(year=today.year - 13, day=1)
    given = {"name": CHILD, "phone": numbers[1], "phoneWhose": "OWN", "birthDate": born.isoformat()}
    child = await _registered(api, staff, home, given, householdOf=guardian["id"])
    link = {"minor": child["person"]["id"], "guardian": guardian["person"]["id"], "relation": "PARENT"}
    recorded = await api.done(staff, "Guardianship", input={**link, "evidence": "HOUSEHOLD_REGISTER"})
    assert recorded["verifiedAt"] is None
    seen = {"id": recorded["id"], "evidence": "HOUSEHOLD_REGISTER"}
    assert (await api.do(staff, "VerifyGuardian", **seen))["code"] == "CONFLICT_OF_INTEREST"
    assert (await api.done(await api.sign_in("social-worker"), "VerifyGuardian", **seen))["verifiedAt"]

    small, grown = await _join(api, staff, child["person"]["id"], numbers[1]), await come(api, numbers[0], GUARDIAN)
    hers, his = await small.token(), await grown.token()
    stranger = await api.sign_in("resident")
    versions = {t["purpose"]: t["version"] for t in (await api.send(hers, "Texts"))["consentTexts"] if t["isCurrent"]}
    consent = await api.done(hers, "Give", purpose="SENSITIVE_CARE", version=versions["SENSITIVE_CARE"])
    states = [consent["state"]]
    assert "code" in await api.do(hers, "CosignConsent", id=consent["id"])
    assert "code" in await api.do(stranger, "CosignConsent", id=consent["id"])
    states.append((await api.done(his, "CosignConsent", id=consent["id"]))["state"])

    request = await api.done(hers, "Export")
    states.append(request["state"])
    assert not (request["file"] or {}).get("isAvailable")
    assert "code" in await api.do(stranger, "CosignRequest", id=request["id"])
    signed = await api.done(his, "CosignRequest", id=request["id"])
    states.append(signed["state"])
    file = await _fetch(api, hers, signed["file"]["path"])
    return {"states": states, "cosigned_by": signed["cosignedBy"]["name"], "file": file}
