"""The work that is measured: the same questions, asked of each server in its own words.

Q1 is one need with three to-one relations; Q2 twenty open needs of a community, each with community, grid and its top
three commitments, each with offer and organization; Q2V the same, asked by a volunteer, who sees grids and
commitments of his own only; Q3 twelve months of a foundation's funds from the roll-up, as its reporter; Q3A of all fifty,
as an auditor: 600 rows; M1 claims a need. Only this server is asked
Q4, ten ranked candidates for a need; Q5, twenty recommended needs for a volunteer (`bench.candidates`); Q6, a search
with two filters; and Q7, needs by distance (`bench.search`).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson

from bench import candidates, search
from bench.city import Subjects

WORKS = ("Q1", "Q2", "Q2V", "Q3", "Q3A", "Q4", "Q5", "Q6", "Q7", "M1")
ALONE = {"Q2V": ("wushe", "floor"), "Q4": ("wushe",), "Q5": ("wushe",), "Q6": ("wushe",), "Q7": ("wushe",)}
"""What only some servers are asked: Q2 as a volunteer sees it, which the others have no rules for."""

OURS = {
    "Q1": """query Q1($id: ID!) {
  need(id: $id) { no title status urgency createdAt category { name } community { name } grid { name } }
}""",
    "Q2": """query Q2($community: ID!) {
  needs(first: 20, filter: { community: $community, status: [OPEN] }, order: NEWEST) {
    edges { node {
      no title urgency createdAt community { name } grid { name }
      commitments(first: 3) { quantity status offer { title } organization { name } }
    } }
  }
}""",
    "Q3": """query Q3($from: Date!, $months: Int!) {
  fundMonths(from: $from, months: $months) {
    month received { amount } spent { amount } closing { amount } donationCount fund { name }
  }
}""",
    "M1": """mutation M1($id: ID!, $key: String!) {
  needClaim(id: $id, quantity: 1, idempotencyKey: $key) {
    __typename ... on Commitment { quantity status need { no quantityLeft } }
  }
}""",
}
OURS |= candidates.DOCUMENTS | search.DOCUMENTS
OURS["Q2V"] = OURS["Q2"].replace("query Q2", "query Q2V")
OURS["Q3A"] = OURS["Q3"].replace("query Q3", "query Q3A")
"""What this server takes, and the usual one, whose schema has the same names."""

POSTGRAPHILE = {
    "Q1": """query Q1($id: UUID!) {
  need: needByRowId(rowId: $id) {
    no title status urgency createdAt
    category: serviceCategoryByCategoryId { name } community: divisionByCommunityId { name } grid: gridByGridId { name }
  }
}""",
    "Q2": """query Q2($community: UUID!) {
  needs: allNeeds(
    first: 20, condition: { communityId: $community, status: "OPEN" }, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]
  ) {
    edges { node {
      no title urgency createdAt community: divisionByCommunityId { name } grid: gridByGridId { name }
      commitments: commitmentsByNeedId(first: 3, orderBy: [CREATED_AT_ASC, ROW_ID_ASC]) { nodes {
        quantity: qty status: standing offer: offerByOfferId { title } organization: organizationByOrganizationId { name }
      } }
    } }
  }
}""",
    "Q3": """query Q3($organization: UUID!, $from: Date!, $months: Int!) {
  fundMonths: fundMonthsFrom(organization: $organization, since: $from, months: $months) { nodes {
    month received: receivedFen spent: spentFen closing: closingFen donationCount: giftCount fund: fundByFundId { name }
  } }
}""",
    "M1": """mutation M1($id: UUID!, $person: UUID!) {
  needClaim: claimNeed(input: { need: $id, quantity: 1, person: $person }) {
    commitment: result { quantity: qty status: standing need: needByNeedId { no quantityLeft } }
  }
}""",
}
POSTGRAPHILE["Q3A"] = POSTGRAPHILE["Q3"].replace("query Q3($organization: UUID!", "query Q3A($organization: UUID")


@dataclasses.dataclass(frozen=True)
class Work:
    """One kind of request to one server: where it goes, and the bodies that are sent in turn."""

    name: str
    path: str
    bodies: list[bytes]

    def written(self, folder: Path, server: str) -> Path:
        """A file with the bodies, one a line."""
        path = folder / f"{server}-{self.name}.jsonl"
        path.write_bytes(b"\n".join(self.bodies) + b"\n")
        return path


def of(server: str, about: Subjects) -> dict[str, Work]:
    """A server's kinds of request. M1's come in the same order for all."""
    asked = [name for name in WORKS if server in ALONE.get(name, (server,))]
    return {name: Work(name, _path(server, name), _bodies(server, name, about)) for name in asked}


def _path(server: str, name: str) -> str:
    return {"floor": f"/{name}", "usual": "/"}.get(server, "/graphql")


def _bodies(server: str, name: str, about: Subjects) -> list[bytes]:
    ours = server != "postgraphile"
    return [_body(server, name, variables) for variables in _variables(name, about, ours=ours)]


def _body(server: str, name: str, variables: dict[str, Any]) -> bytes:
    if server == "floor":
        return orjson.dumps(variables)
    document = (POSTGRAPHILE if server == "postgraphile" else OURS)[name]
    return orjson.dumps({"query": document, "variables": variables})


def _variables(name: str, about: Subjects, *, ours: bool) -> list[dict[str, Any]]:
    need, division = ("need_", "division_") if ours else ("", "")
    match name:
        case "Q1":
            return [{"id": f"{need}{id}"} for id in about.needs]
        case "Q4":
            return [{"id": f"need_{id}"} for id in about.wanted]
        case "Q5":
            return [{}]
        case "Q6" | "Q7":
            return search.variables(name)
        case "Q2" | "Q2V":
            return [{"community": f"{division}{about.community}"}]
        case "Q3" | "Q3A":
            whose = {} if ours else {"organization": str(about.foundation) if name == "Q3" else None}
            return [{"from": about.since.isoformat(), "months": 12, **whose}]
    if ours:
        return [{"id": f"need_{id}", "key": f"bench-{n:08}"} for n, id in enumerate(about.claimable)]
    return [{"id": str(id), "person": str(about.volunteer.person)} for id in about.claimable]
