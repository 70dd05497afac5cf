"""Whether all servers give the same answer: their JSON, brought into one form."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from api.settings import Trouble

SAMPLES = 20
"""How many of a work's bodies are compared. For M1 they are the first ones, claimed on each server's own copy."""


def canonical(name: str, answer: Any) -> Any:
    """What an answer says, whatever wrappers it came in. Raises Trouble for one that has errors, or says nothing."""
    data = answer.get("data") or {}
    if answer.get("errors") or any(value is None for value in data.values()):
        raise Trouble(f"{name} was answered with {str(answer)[:400]}")
    match name:
        case "Q1":
            return need(data["need"])
        case "Q2" | "Q2V":
            return [need(edge["node"]) for edge in data["needs"]["edges"]]
        case "Q4":
            return [row["score"] for row in data["need"]["matchCandidates"]]
        case "Q5":
            return [row["score"] for row in data["recommendedNeeds"]]
        case "Q6" | "Q7":
            return [edge["node"]["id"] for edge in data["needs"]["edges"]]
        case "Q3" | "Q3A":
            return [month(row) for row in listed(data["fundMonths"])]
    made = data["needClaim"].get("commitment") or data["needClaim"]
    if "quantity" not in made:
        raise Trouble(f"M1 was refused: {made}")
    return made["quantity"], made["status"], made["need"]["no"], made["need"]["quantityLeft"]


def need(node: dict[str, Any]) -> dict[str, Any]:
    """A need of Q1 or Q2: milliseconds since 1970 for the instant, names for what it refers to."""
    out = dict(node)
    out["createdAt"] = int(datetime.fromisoformat(node["createdAt"]).timestamp() * 1000)
    for name in ("category", "community", "grid"):
        if name in node:
            out[name] = node[name] and node[name]["name"]
    if "commitments" in node:
        out["commitments"] = [
            (c["quantity"], c["status"], c["offer"] and c["offer"]["title"], (c["organization"] or {}).get("name"))
            for c in listed(node["commitments"])
        ]
    return out


def month(row: dict[str, Any]) -> dict[str, Any]:
    """A month of Q3: amounts in fen."""
    out = {**row, "fund": row["fund"]["name"]}
    for name in ("received", "spent", "closing"):
        amount = row[name]
        out[name] = int(Decimal(amount["amount"]) * 100) if isinstance(amount, dict) else int(amount)
    return out


def listed(value: Any) -> list[Any]:
    """A list, or the nodes of a connection."""
    found: list[Any] = value["nodes"] if isinstance(value, dict) else value
    return found


def compare(name: str, given: dict[str, list[Any]]) -> Any:
    """The answer that all servers gave. Raises Trouble, with both, where one differs from the first."""
    (first, expected), *others = given.items()
    for server, found in others:
        for n, (a, b) in enumerate(zip(expected, found, strict=True)):
            if a != b:
                raise Trouble(f"{name}, body {n}: {first} and {server} differ.\n{first}: {a}\n{server}: {b}")
    return expected
