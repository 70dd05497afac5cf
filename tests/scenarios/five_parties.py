"""The five parties linked by one query: need, commitment, offer, organization, volunteer, social worker, hours, money."""

from __future__ import annotations

from typing import Any

import httpx

from tests.scenarios import need_to_hours, restricted_gifts
from tests.scenarios.client import Api, Documents


async def play(http: httpx.AsyncClient, weeks: int = 0) -> Any:
    """A need served by an organization's volunteer and by one of his own accord, paid for by gifts: walked in one query."""
    at = need_to_hours.clock(weeks)
    api = Api(http, Documents("need_to_hours"), at("1 09:00"))
    need = await need_to_hours.ask(api, at, "DISABLED.ESCORT")

    ngo, staff, volunteer = [await api.sign_in(s) for s in ("ngo-staff", "community-staff", "volunteer")]
    categories = {c["code"]: c["id"] for c in (await api.send(None, "Categories"))["serviceCategories"]}
    home = (await api.send(await api.sign_in("resident"), "Me"))["me"]["resident"]["community"]["id"]
    offer = await api.done(
        ngo,
        "Offer",
        input={
            "title": "陪诊小队",
            "category": categories["DISABLED.ESCORT"],
            "windowFrom": at("1 00:00"),
            "windowTo": at("7 00:00"),
            "quantity": 10,
            "areas": [home],
        },
    )
    await api.done(staff, "PublishOffer", id=offer["id"])
    (membership, *_) = (await api.send(ngo, "Organization"))["me"]["memberships"]
    theirs = membership["organization"]["volunteers"]["edges"][0]["node"]["volunteer"]["id"]
    api.at = at("1 12:00")
    by_ngo = await api.done(ngo, "Claim", id=need, offer=offer["id"], volunteer=theirs)
    alone = await api.done(volunteer, "Claim", id=need)
    provided = [(ngo, by_ngo["id"]), (volunteer, alone["id"])]
    await need_to_hours.serve(api, at, provided, ("CONFIRMED", "SYSTEM"))

    (office, *_) = (await api.send(await api.sign_in("fund-maker"), "Organization"))["me"]["memberships"]
    asked = await api.done(staff, "AskFoundation", id=need, foundation=office["organization"]["id"])
    assert asked["foundations"] == [{"organization": {"id": office["organization"]["id"]}}]
    await restricted_gifts.play(Api(http, Documents("restricted_gifts"), restricted_gifts.RECEIVED), need=need)
    walk = Api(http, Documents("five_parties"), at("2 18:00"))
    return (await walk.send(staff, "FiveParties", need=need))["need"]
