"""A client that may meet trouble: every answer is looked at, and whatever is no answer of ours fails the test."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import time
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

from api.auth import Tokens
from models import clock
from models.access import Claims
from models.pool import Pool
from tests.site import SECRET

REFUSED = "... on Problem { code message retry }"
SUBMIT = f"""mutation ($input: NeedInput!, $key: String!) {{
  needSubmit(input: $input, idempotencyKey: $key) {{ {REFUSED} ... on Need {{ id }} }}
}}"""
VERIFY = f"""mutation ($id: ID!, $key: String!) {{
  needVerify(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on Need {{ id status }} }}
}}"""
CLAIM = f"""mutation ($id: ID!, $offer: ID, $key: String!) {{
  needClaim(id: $id, offer: $offer, idempotencyKey: $key) {{
    {REFUSED} ... on NeedFullyCommitted {{ remaining }} ... on Commitment {{ id status }}
  }}
}}"""
DECLINE = f"""mutation ($id: ID!, $key: String!) {{
  commitmentDecline(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on Commitment {{ id status }} }}
}}"""
OFFER = f"""mutation ($input: OfferInput!, $key: String!) {{
  offerSubmit(input: $input, idempotencyKey: $key) {{ {REFUSED} ... on Offer {{ id }} }}
}}"""
PUBLISH = f"""mutation ($id: ID!, $key: String!) {{
  offerPublish(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on Offer {{ id status }} }}
}}"""
WITHDRAW = f"""mutation ($id: ID!, $key: String!) {{
  offerWithdraw(id: $id, idempotencyKey: $key) {{ {REFUSED} ... on Offer {{ id status }} }}
}}"""
CANCEL = f"""mutation ($id: ID!, $key: String!) {{
  needCancel(id: $id, reason: "不再需要", idempotencyKey: $key) {{ {REFUSED} ... on Need {{ id status }} }}
}}"""
FUND = f"""mutation ($input: FundCreateInput!, $key: String!) {{
  fundCreate(input: $input, idempotencyKey: $key) {{ {REFUSED} ... on Fund {{ id }} }}
}}"""
RECEIVE = f"""mutation ($input: DonationRecordInput!, $key: String!) {{
  donationRecord(input: $input, idempotencyKey: $key) {{ {REFUSED} ... on Donation {{ id amount {{ amount }} }} }}
}}"""
NEED = "query ($id: ID!) { need(id: $id) { id status quantityLeft } }"
NEEDS = "{ needs(first: 20) { edges { node { id title } } } }"
CATEGORIES = "{ serviceCategories { id code } }"

NAMED = {"UNAVAILABLE", "BUSY", "DEADLINE"}
"""What a failure that a client may repeat is called."""


def key() -> str:
    """A new idempotency key."""
    return f"fault-{uuid.uuid4()}"


def bare(id: str) -> uuid.UUID:
    """The id as the database has it."""
    return uuid.UUID(id.partition("_")[2])


def token(claims: Claims) -> str:
    """What somebody signs in with."""
    return Tokens(SECRET.encode(), Pool("", 1)).issue(claims, clock.now())


@dataclasses.dataclass(frozen=True)
class Answer:
    """A response: its status, its JSON, and how long it took."""

    status: int
    json: Any
    wal: str | None
    seconds: float

    @property
    def code(self) -> str | None:
        """The name of a failure at the top level; None for data."""
        return self.json["errors"][0]["extensions"]["code"] if "errors" in self.json else None

    @property
    def outcome(self) -> Any:
        """The one field of data."""
        assert self.status == 200 and self.code is None, (self.status, self.json)
        (found,) = self.json["data"].values()
        return found


class Client:
    """Sends to one or several API processes, in turn."""

    def __init__(self, *urls: str) -> None:
        # A connection that idles is dropped before the server, after 5 s, does so under a request of ours.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=2)
        self.http = httpx.AsyncClient(timeout=30, limits=limits, trust_env=False)
        self._turn = itertools.cycle(urls)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def ask(
        self, signed: str | None, query: str, *, to: str | None = None, wal: str | None = None, **variables: Any
    ) -> Answer:
        """One operation. A failure must be named, in Chinese, and leak nothing."""
        headers = {} if signed is None else {"authorization": f"Bearer {signed}"}
        if wal is not None:
            headers["x-wushe-wal"] = wal
        began = time.monotonic()
        response = await self.http.post(
            f"{to or next(self._turn)}/graphql", json={"query": query, "variables": variables}, headers=headers
        )
        answer = Answer(
            response.status_code, response.json(), response.headers.get("x-wushe-wal"), time.monotonic() - began
        )
        if answer.status >= 500:
            (error,) = answer.json["errors"]
            assert answer.status == 503 and answer.code in NAMED, (answer.status, answer.json)
            assert set(error) == {"message", "extensions"} and not error["message"].isascii()
            assert error["extensions"]["retry"] == "LATER" and "requestId" in error["extensions"]
            assert response.headers["retry-after"]
        return answer

    async def do(self, signed: str, query: str, **variables: Any) -> Any:
        """The outcome of a mutation that must succeed."""
        outcome = (await self.ask(signed, query, key=key(), **variables)).outcome
        assert "code" not in outcome, outcome
        return outcome


async def need(client: Client, staff: str, quantity: int = 1) -> str:
    """An open need of the community, of a kind that any volunteer may serve."""
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    given = {"title": "社区活动帮手", "category": categories["ELDERLY.ESCORT"], "quantity": quantity}
    made: str = (await client.do(staff, SUBMIT, input=given))["id"]
    assert (await client.do(staff, VERIFY, id=made))["status"] == "OPEN"
    return made


async def send_raw(port: int, signed: str, query: str, **variables: Any) -> asyncio.StreamWriter:
    """Sends one operation on a connection of its own and does not read: the caller closes it, as who leaves does."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    return writer


async def leave(writer: asyncio.StreamWriter) -> None:
    """Closes the connection without having read the answer."""
    writer.close()
    await writer.wait_closed()


def shares(total: int, parts: int) -> Sequence[range]:
    """So many numbers, dealt to so many hands."""
    return [range(part, total, parts) for part in range(parts)]
