"""An organization's system sends its offers over HTTP, with a key: five hundred at once, again, and some that are wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from models import clock
from models.identity.rules import ApiScope
from tests.door.test_api_keys import Place, place

__all__ = ["place"]  # the fixture

UPSERT = """mutation ($items: [OfferUpsertInput!]!, $key: String!) { offersUpsert(items: $items, idempotencyKey: $key) {
  __typename
  ... on OfferBatch { id created updated unchanged refused items { externalId outcome problem { code field message } } }
  ... on Problem { code message } } }"""
OFFERS = """query ($numbers: [String!]!) { myOffers(filter: {externalId: $numbers}, order: OLDEST) { totalCount edges { node {
  externalId title status parallel rrule durationMinutes radiusKm position { latitude longitude }
  nextOccurrences(first: 2) { startsAt endsAt } venue { address seats equipment access } skills languages certificates } } } }"""

BATCHES = """query ($id: ID!) { node(id: $id) { id } myOfferBatches(first: 1) { edges { node {
  id created updated unchanged refused items { externalId outcome problem { code field message } } } } } }"""


@pytest.fixture
async def category(place: Place) -> str:
    (row,) = await place.sql("SELECT id FROM service_category WHERE code = 'ELDERLY.ESCORT'")
    return f"service_category_{row['id']}"


def sent(of: str, number: str, **over: Any) -> dict[str, Any]:
    begins = clock.now().replace(microsecond=0) + timedelta(days=1)
    return {
        "externalId": number,
        "title": "陪诊服务",
        "category": of,
        "quantity": 10,
        "windowFrom": begins.replace(hour=9, minute=0, second=0).isoformat(),
        "windowTo": (begins + timedelta(days=60)).replace(hour=12, minute=0, second=0).isoformat(),
        **over,
    }


async def test_five_hundred_at_once_with_a_key(place: Place, category: str) -> None:
    key = (await place.key(ApiScope.OFFERS, ApiScope.READ))["secret"]
    more = {
        "note": "全程陪同挂号、就诊、取药，请至少提前一天预约。" * 8,
        "rrule": "FREQ=WEEKLY;COUNT=8",
        "durationMinutes": 120,
    }
    items = [sent(category, f"GY-{n:04d}", **more) for n in range(500)]
    assert len(json.dumps(items)) > 500_000
    first = await place.site.ask(UPSERT, {"items": items, "key": "batch-0001"}, token=key)
    batch = first["offersUpsert"]
    assert (batch["__typename"], batch["created"], batch["refused"]) == ("OfferBatch", 500, 0)
    assert [item["externalId"] for item in batch["items"]] == [f"GY-{n:04d}" for n in range(500)]
    again = await place.site.ask(UPSERT, {"items": items, "key": "batch-0001"}, token=key)
    assert again["offersUpsert"] == batch  # the same call, answered as it was
    same = (await place.site.ask(UPSERT, {"items": items, "key": "batch-0002"}, token=key))["offersUpsert"]
    assert (same["created"], same["updated"], same["unchanged"]) == (0, 0, 500)
    assert await place.sql("SELECT count(*) FROM offer") == [(500,)]
    away = await place.site.ask(OFFERS, {"numbers": ["GY-0001"]}, token=place.stranger)
    assert away["myOffers"] == {"totalCount": 0, "edges": []}
    many = [sent(category, f"X-{n}") for n in range(501)]
    refused = (await place.site.ask(UPSERT, {"items": many, "key": "batch-0003"}, token=key))["offersUpsert"]
    assert refused == {"__typename": "InvalidInput", "code": "INVALID_INPUT", "message": "每次须提交 1 至 500 项供给。"}


async def test_each_is_answered_in_its_place(place: Place, category: str) -> None:
    key = (await place.key(ApiScope.OFFERS, ApiScope.READ))["secret"]
    venue = {"address": "沈河区试验路1号一层", "seats": 60, "equipment": ["SOUND"], "access": ["STEP_FREE", "LIFT"]}
    items = [
        sent(
            category, "CD-1", kind="VENUE", venue=venue, position={"latitude": 41.8, "longitude": 123.43}, radiusKm=2.3
        ),
        sent(category, "CD-2", category="陪诊"),
        sent(category, "CD-3", skills=["HOSPITAL_ESCORT"], languages=["SIGN"], certificates=["NURSE"]),
        sent(category, "CD-3"),
        sent(category, "CD-4", rrule="FREQ=DAILY"),
    ]
    batch = (await place.site.ask(UPSERT, {"items": items, "key": "batch-1001"}, token=key))["offersUpsert"]
    outcomes = [(i["outcome"], i["problem"] and (i["problem"]["code"], i["problem"]["field"])) for i in batch["items"]]
    assert outcomes == [
        ("CREATED", None),
        ("REFUSED", ("INVALID_INPUT", "category")),
        ("REFUSED", ("INVALID_INPUT", "externalId")),
        ("REFUSED", ("INVALID_INPUT", "externalId")),
        ("REFUSED", ("INVALID_INPUT", "rrule")),
    ]
    page = (await place.site.ask(OFFERS, {"numbers": ["CD-1", "CD-2"]}, token=key))["myOffers"]
    (edge,) = page["edges"]
    node = edge["node"]
    assert node["venue"] == {**venue, "access": ["STEP_FREE", "LIFT"]}
    assert (node["position"], node["radiusKm"]) == ({"latitude": 41.8, "longitude": 123.43}, 2.3)
    assert (len(node["nextOccurrences"]), node["status"], node["parallel"]) == (1, "PENDING_REVIEW", 10)


async def test_a_key_needs_the_scope(place: Place, category: str) -> None:
    key = (await place.key(ApiScope.READ))["secret"]
    answer = await place.site.ask(UPSERT, {"items": [sent(category, "N-1")], "key": "batch-2001"}, token=key)
    assert answer["offersUpsert"]["code"] == "FORBIDDEN"
    assert await place.sql("SELECT FROM offer WHERE external_id = 'N-1'") == []


async def test_batches_are_their_senders(place: Place, category: str) -> None:
    """A partner finds them again, refusals included; another organization finds none, by its id neither."""
    key = (await place.key(ApiScope.OFFERS, ApiScope.READ))["secret"]
    items = [sent(category, "P-1"), sent(category, "P-2", rrule="FREQ=DAILY")]
    made = (await place.site.ask(UPSERT, {"items": items, "key": "batch-3001"}, token=key))["offersUpsert"]
    mine = await place.site.ask(BATCHES, {"id": made["id"]}, token=key)
    told = {name: made[name] for name in ("id", "created", "updated", "unchanged", "refused", "items")}
    assert mine == {"myOfferBatches": {"edges": [{"node": told}]}, "node": {"id": made["id"]}}
    away = await place.site.ask(BATCHES, {"id": made["id"]}, token=place.stranger)
    assert away == {"myOfferBatches": {"edges": []}, "node": None}
