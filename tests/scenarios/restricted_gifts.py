"""Restricted gifts to the last fen: 50,000 bound to 助残 in 沈河区, 20,000 free, 30,000 anonymous and bound to 济困."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from tests.scenarios.client import Api

RECEIVED, SPENT = "2026-11-10T10:00:00+08:00", "2026-11-12T10:00:00+08:00"
DISTRICT = "210103"
SLUGS = ("fund-maker", "fund-checker", "fund-authoriser", "fund-reporter")


def yuan(amount: str) -> dict[str, str]:
    return {"amount": amount}


async def play(api: Api, need: str | None = None) -> dict[str, Any]:
    """Plays it to the end; `need` is what the money is allocated to, where there is one."""
    maker, checker, authoriser, reporter = await asyncio.gather(*[api.sign_in(s) for s in SLUGS])
    api.at = RECEIVED
    fund = await api.done(
        maker, "CreateFund", input={"name": f"邻里互助专项{uuid.uuid4().hex[:8]}", "kind": "UNRESTRICTED"}
    )

    async def receive(amount: str, **more: Any) -> str:
        gift = await api.done(
            maker, "Receive", input={"fund": fund["id"], "amount": yuan(amount), "channel": "TARGETED", **more}
        )
        found: str = gift["id"]
        return found

    bound = await receive(
        "50000.00",
        newDonor={"kind": "PERSON", "name": "闻人溪"},
        restriction={"categoryCode": "DISABLED", "areaCode": DISTRICT},
    )
    free = await receive("20000.00", newDonor={"kind": "PERSON", "name": "东方屿"})
    await receive("30000.00", newDonor={"kind": "ANONYMOUS"}, restriction={"categoryCode": "POVERTY"})

    api.at = SPENT
    wrong = await api.do(
        maker,
        "Allocate",
        input={
            "title": "为老服务",
            "amount": yuan("10000.00"),
            "fund": fund["id"],
            "categoryCode": "ELDERLY",
            "areaCode": DISTRICT,
            "donations": [bound],
        },
    )
    assert wrong["code"] == "RESTRICTION_VIOLATION", wrong

    purpose = {"categoryCode": "DISABLED", "areaCode": DISTRICT} if need is None else {"need": need}
    right: dict[str, Any] = {"title": "助残服务", "amount": yuan("60000.00"), "fund": fund["id"], **purpose}
    allocation = await api.done(maker, "Allocate", input=right)
    await api.done(maker, "SubmitAllocation", id=allocation["id"])
    assert (await api.done(checker, "ApproveAllocation", id=allocation["id"]))["status"] in ("APPROVED", "ACTIVE")

    payment = await api.done(
        maker,
        "Make",
        input={"allocation": allocation["id"], "amount": yuan("60000.00"), "payeeName": "沈河区助残服务站"},
    )
    assert payment["needsAuthoriser"] is True
    await api.done(maker, "Submit", id=payment["id"])
    assert (await api.do(maker, "Approve", id=payment["id"]))["__typename"] in (
        "SameHands",
        "Forbidden",
        "MakerIsChecker",
    )
    await api.done(checker, "Approve", id=payment["id"])
    early = await api.do(maker, "Pay", id=payment["id"])
    assert "code" in early, "nothing is paid before it is authorised"
    await api.done(authoriser, "Authorise", id=payment["id"])
    await api.done(maker, "Pay", id=payment["id"])
    paid = await api.done(maker, "Settle", id=payment["id"], ref=f"BANK-{payment['id'][-12:]}")
    assert paid["status"] == "PAID"
    traced = [(t["donation"]["id"], t["amount"]["amount"]) for t in paid["traces"]]
    assert traced == [(bound, "50000.00"), (free, "10000.00")]

    totals = (await api.send(reporter, "Fund", id=fund["id"]))["fund"]["totals"]
    assert totals == {"balance": yuan("40000.00"), "received": yuan("100000.00"), "spent": yuan("60000.00")}
    gifts = await api.send(reporter, "Gifts", fund=fund["id"])
    assert len(gifts["donations"]["edges"]) == 3
    period = {"from": "2026-11-01", "to": "2026-11-30"}
    (statement,) = (await api.send(reporter, "Statement", id=fund["id"], **period))["fundStatement"]
    return {"fund": fund["id"], "allocation": allocation["id"], "statement": statement}


STATEMENT = {
    "total": {
        "opening": yuan("0.00"),
        "received": yuan("100000.00"),
        "spent": yuan("60000.00"),
        "closing": yuan("40000.00"),
    },
    "restricted": {"closing": yuan("30000.00")},
    "unrestricted": {"closing": yuan("10000.00")},
}
