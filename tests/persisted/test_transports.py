"""The same names over a socket and over a stream."""

from __future__ import annotations

from typing import Any

from tests.live.talking import Talk, talking
from tests.persisted.conftest import DIVISIONS, Place, by_hash, persisted
from tests.site import Site

ANSWER = {"data": {"divisions": {"edges": []}}}


async def payload(talk: Talk, id: str, **given: Any) -> Any:
    """What is answered to one subscribe message: its data, or its errors' codes."""
    await talk.say({"type": "subscribe", "id": id, "payload": given})
    answer = await talk.hear()
    assert answer["id"] == id
    if answer["type"] == "error":
        return [error["extensions"]["code"] for error in answer["payload"]]
    assert (answer["type"], (await talk.hear())["type"]) == ("next", "complete")
    return answer["payload"]


async def test_a_socket(site: Site, strict: Site, place: Place) -> None:
    async with talking(site) as talk:
        await talk.greet()
        assert await payload(talk, "1", **by_hash(DIVISIONS)) == ["PERSISTED_QUERY_NOT_FOUND"]
        assert await payload(talk, "2", query=DIVISIONS, **by_hash(DIVISIONS)) == ANSWER
        assert await payload(talk, "3", variables={"n": 1}, **by_hash(DIVISIONS)) == ANSWER
        assert await payload(talk, "4", query="{ __typename }", **by_hash(DIVISIONS)) == ["DOCUMENT_HASH_MISMATCH"]
    async with talking(strict) as talk:
        await talk.greet()
        assert await payload(talk, "1", query=DIVISIONS) == ["DOCUMENT_NOT_PUBLISHED"]
        await place.publish("socket", "1", DIVISIONS)
        persisted(strict)._looked = -1e9
        assert await payload(talk, "2", **by_hash(DIVISIONS)) == ANSWER
        assert await payload(talk, "3", query=DIVISIONS) == ANSWER
        assert await talk.alive()


async def test_a_stream(site: Site, strict: Site) -> None:
    for each, known in ((site, False), (strict, True)):
        headers = {"accept": "text/event-stream"}
        wrong = "query Other { divisions { totalCount } }"
        for given, said in (
            ({"query": DIVISIONS, **by_hash(DIVISIONS)}, '"edges":[]'),
            (by_hash(DIVISIONS), '"edges":[]'),
            (by_hash(wrong), "DOCUMENT_NOT_PUBLISHED" if known else "PERSISTED_QUERY_NOT_FOUND"),
        ):
            answer = await each.client.post("/graphql", json=given, headers=headers)
            assert said in answer.text, (answer.status_code, answer.text)
