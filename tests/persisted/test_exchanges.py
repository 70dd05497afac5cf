"""What Apollo Client 4.3.8 and @urql/core 6.0.3 with @urql/exchange-persisted 5.0.1 send, and how they take our answers.

`exchanges.json` is what the packages wrote to an API with an empty database, each query asked twice: by hash alone,
after `PersistedQueryNotFound` with its text, and the second time by hash alone. Each of them ended with its data.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.persisted.conftest import Place
from tests.site import served

RECORDED: list[dict[str, Any]] = json.loads(Path(__file__).with_name("exchanges.json").read_text("utf-8"))
CLIENTS = {client: list(steps) for client, steps in groupby(RECORDED, lambda step: step["client"])}


@pytest.mark.parametrize("trusted", [False, True])
async def test_as_they_were_recorded(place: Place, trusted: bool) -> None:
    """Where only published documents are taken, each is refused with a code that neither client takes for a miss; recorded
    there, none asked again and none fell back to sending texts."""
    await place.sql("DELETE FROM registered_document")
    async with served(place.api, WUSHE_DOCUMENTS="trusted" if trusted else "open") as site:
        for step in RECORDED:
            headers = {"accept": step["accept"]} | ({"content-type": "application/json"} if step["body"] else {})
            body = json.dumps(step["body"]) if step["body"] else None
            url = f"/graphql?{step['query']}" if step["query"] else "/graphql"
            answer = await site.client.request(step["method"], url, content=body, headers=headers)
            found = answer.json()
            for error in found.get("errors", ()):
                del error["extensions"]["requestId"]
            if trusted:
                assert answer.status_code == 400
                assert [e["extensions"]["code"] for e in found["errors"]] == ["DOCUMENT_NOT_PUBLISHED"]
            else:
                assert (answer.status_code, found) == (step["status"], step["answer"]), step


def test_every_way_was_recorded() -> None:
    assert list(CLIENTS) == ["apollo POST", "apollo GET", "urql POST", "urql GET", "urql documentId"]
    for client, steps in CLIENTS.items():
        if client != "urql documentId":
            assert ["errors" in step["answer"] for step in steps] == [True, False, False]
            assert [step["method"] for step in steps[::2]] == [client.split()[1]] * 2
    assert [set(step["body"]) for step in CLIENTS["urql documentId"]] == [{"documentId", "variables"}]
