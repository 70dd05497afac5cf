"""A client that may meet trouble: every answer is looked at, and whatever is no answer of ours fails the test."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models import clock
from models.access import Claims
from models.identity.tokens import DEMO, sign
from models.vault import Keys

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

NAMED = {"UNAVAILABLE", "BUSY", "DEADLINE", "STORAGE_FULL"}
"""What a failure that a client may repeat is called."""


def key() -> str:
    """A new idempotency key."""
    return f"fault-{uuid.uuid4()}"


def bare(id: str) -> uuid.UUID:
    """The id as the database has it."""
    return uuid.UUID(id.partition("_")[2])


def token(claims: Claims, keys: Keys) -> str:
    """What somebody signs in with."""
    return sign(keys, claims, clock.now(), DEMO)


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


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request on a connection of its own. Raises OSError when no answer comes.

    Written out, because a pool of kept connections has failures of its own, and these tests tell whose they are.
    """
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.transport.abort()
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if len(body) != int(headers.get("content-length", -1)):
        raise ConnectionResetError("the answer broke off")
    return int(first.split()[1]), headers, body


def posted(
    query: str, variables: dict[str, Any], signed: str | None, wal: str | None = None, at: datetime | None = None
) -> bytes:
    """One operation as a request. `at`: when it says that it is."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    head = "POST /graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    head += "" if signed is None else f"Authorization: Bearer {signed}\r\n"
    head += "" if wal is None else f"X-Wushe-Wal: {wal}\r\n"
    head += "" if at is None else f"X-Wushe-Now: {at.isoformat()}\r\n"
    return f"{head}\r\n".encode() + body


class Client:
    """Sends to one or several API processes, in turn."""

    def __init__(self, *ports: int) -> None:
        self._turn = itertools.cycle(ports)

    async def ask(
        self,
        signed: str | None,
        query: str,
        *,
        to: int | None = None,
        wal: str | None = None,
        at: datetime | None = None,
        **variables: Any,
    ) -> Answer:
        """One operation. A failure must be named, in Chinese, and leak nothing."""
        began = time.monotonic()
        status, headers, body = await exchange(to or next(self._turn), posted(query, variables, signed, wal, at))
        answer = Answer(status, json.loads(body), headers.get("x-wushe-wal"), time.monotonic() - began)
        if answer.status >= 500:
            (error,) = answer.json["errors"]
            assert answer.status == 503 and answer.code in NAMED, (answer.status, answer.json)
            assert set(error) == {"message", "extensions"} and not error["message"].isascii()
            assert error["extensions"]["retry"] == "LATER" and "requestId" in error["extensions"]
            assert headers["retry-after"]
        return answer

    async def do(self, signed: str, query: str, **variables: Any) -> Any:
        """The outcome of a mutation that must succeed."""
        outcome = (await self.ask(signed, query, key=key(), **variables)).outcome
        assert "code" not in outcome, outcome
        return outcome


async def need(client: Client, tokens: Mapping[str, str], quantity: int = 1) -> str:
    """An open need of the community, of a kind that any volunteer may serve: a social worker wrote it down, staff checked."""
    categories = {c["code"]: c["id"] for c in (await client.ask(None, CATEGORIES)).outcome}
    given = {"title": "社区活动帮手", "category": categories["ELDERLY.ESCORT"], "quantity": quantity}
    made: str = (await client.do(tokens["social-worker"], SUBMIT, input=given))["id"]
    assert (await client.do(tokens["community-staff"], VERIFY, id=made))["status"] == "OPEN"
    return made


async def status(port: int, path: str) -> int:
    """The status of a page."""
    return (await exchange(port, _got(path)))[0]


async def page(port: int, path: str) -> bytes:
    """A page that is there."""
    status, _, body = await exchange(port, _got(path))
    assert status == 200, body
    return body


def _got(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


async def send_raw(port: int, signed: str, query: str, **variables: Any) -> asyncio.StreamWriter:
    """Sends one operation on a connection of its own and does not read: the caller closes it, as who leaves does."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(posted(query, variables, signed))
    await writer.drain()
    return writer


async def leave(writer: asyncio.StreamWriter) -> None:
    """Closes the connection without having read the answer."""
    writer.close()
    await writer.wait_closed()


def shares(total: int, parts: int) -> Sequence[range]:
    """So many numbers, dealt to so many hands."""
    return [range(part, total, parts) for part in range(parts)]
