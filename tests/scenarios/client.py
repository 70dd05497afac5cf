"""A client as a front end would write it: over HTTP alone, signed in as demo accounts, with a given clock."""

from __future__ import annotations

import dataclasses
import uuid
from pathlib import Path
from typing import Any

import httpx
from graphql import OperationDefinitionNode, parse, print_ast

HERE = Path(__file__).parent


class Documents:
    """The operations of a `.graphql` file, each with the fragments beside it, by name."""

    def __init__(self, name: str) -> None:
        definitions = parse((HERE / f"{name}.graphql").read_text(encoding="utf-8")).definitions
        fragments = [d for d in definitions if not isinstance(d, OperationDefinitionNode)]
        self.by_name: dict[str, str] = {}
        for d in definitions:
            if isinstance(d, OperationDefinitionNode) and d.name is not None:
                text = print_ast(d)
                used = _reached(text, {f.name.value: print_ast(f) for f in fragments})  # type: ignore[attr-defined]
                self.by_name[d.name.value] = "\n".join([text, *used])

    def __getitem__(self, name: str) -> str:
        return self.by_name[name]


def _reached(text: str, fragments: dict[str, str]) -> list[str]:
    out: dict[str, str] = {}
    waiting = [text]
    while waiting:
        here = waiting.pop()
        for name, fragment in fragments.items():
            if f"...{name}" in here.replace("... ", "...") and name not in out:
                out[name] = fragment
                waiting.append(fragment)
    return list(out.values())


@dataclasses.dataclass
class Api:
    """The API at an address; `at` is the clock that its requests carry, the machine's own if it is None."""

    http: httpx.AsyncClient
    documents: Documents
    at: str | None

    async def sign_in(self, slug: str) -> str:
        """A demo account's token."""
        answer = await self.http.get(f"/demo/token/{slug}")
        assert answer.status_code == 200, (slug, answer.text)
        found: str = answer.json()["token"]
        return found

    async def send(self, token: str | None, name: str, /, key: str | None = None, **variables: Any) -> Any:
        """The data of one operation of the file; `key` is made when it declares one and none is given."""
        text = self.documents[name]
        if "$key: String!" in text:
            variables["key"] = key or f"scenario-{uuid.uuid4()}"
        headers = {} if self.at is None else {"x-wushe-now": self.at}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        answer = await self.http.post("/graphql", json={"query": text, "variables": variables}, headers=headers)
        told = answer.json()
        assert "errors" not in told, (name, told["errors"])
        return told["data"]

    async def do(self, token: str | None, name: str, /, key: str | None = None, **variables: Any) -> Any:
        """The outcome of a mutation, or its refusal: the one field of the answer."""
        (outcome,) = (await self.send(token, name, key, **variables)).values()
        return outcome

    async def done(self, token: str | None, name: str, /, **variables: Any) -> Any:
        """The outcome of a mutation that must succeed."""
        outcome = await self.do(token, name, **variables)
        assert "code" not in outcome, (name, outcome)
        return outcome
