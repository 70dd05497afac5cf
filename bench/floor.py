"""The floor: the best SQL that we can write by hand, behind bare ASGI.

It has the same uvicorn, the same pool, the same token check and the same conditions of visibility as the server, and
answers the same bytes; it knows nothing of GraphQL, and each question has a path of its own. What the server costs
above this is what GraphQL costs.
"""

# ruff: noqa: S608 (statements made of constants)

from __future__ import annotations

import re
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from api.auth import NotSignedIn
from api.settings import Settings
from bench.serving import App, opened, serve
from models import clock
from models.access import Actor, Role
from models.exchange.actions.claims import CLAIM
from models.reports.queries import MONTHS_AT_MOST

IN_AREA = "{0}.area >= $2 AND {0}.area < $4"
IN_COMMUNITY = "left({0}.area, 12) = $2"
NEED = (
    IN_COMMUNITY + " AND ({0}.sensitivity = 'NORMAL' AND {0}.status <> 'DRAFT' OR {0}.requester_id = $3"
    " OR EXISTS (SELECT FROM need_staff s WHERE s.need_id = {0}.id AND s.person_id = $3))"
)
COMMITMENT = (
    IN_COMMUNITY + " AND ({0}.sensitivity = 'NORMAL'"
    " OR EXISTS (SELECT FROM need_staff s WHERE s.need_id = {0}.need_id AND s.person_id = $3))"
)
AROUND = "ARRAY[left($2, 4), left($2, 6), left($2, 9), left($2, 12), $2]"
OFFER = (
    "({0}.status = 'PUBLISHED' AND {0}.kind <> 'CASH_AID' OR {0}.status <> 'DRAFT' AND ("
    + IN_AREA
    + " OR {0}.service_areas && "
    + AROUND
    + "))"
)
ORGANIZATION = "({0}.verified_state = 'VERIFIED' OR {0}.contact_id = $3 OR " + IN_AREA + ")"
"""What a community's staff see: $2 and $4 are the ends of their area, $3 is the person."""

AT = """'"' || to_char(timezone('Asia/Shanghai', {0}), 'YYYY-MM-DD"T"HH24:MI:SS.MS"+08:00"') || '"'"""
STATUS = "CASE WHEN {0}.status = 'PROPOSED' AND {0}.hold_until <= $5 THEN 'LAPSED' ELSE {0}.status END"
YUAN = """'{{"amount":"' || ({0} * 0.01)::text || '"}}'"""


def bytes_of(text: str) -> str:
    """A statement that answers one cell: the text in UTF-8."""
    return re.sub(r"\s+", " ", f"SELECT convert_to({text}, 'UTF8')")


Q1 = bytes_of(f"""
'{{"data":{{"need":' || coalesce((
    SELECT '{{"no":' || to_json(n.no)::text || ',"title":' || to_json(n.title)::text || ',"status":"' || n.status
        || '","urgency":' || n.urgency || ',"createdAt":' || {AT.format("n.created_at")}
        || ',"category":{{"name":' || to_json(k.name)::text || '}},"community":{{"name":' || to_json(d.name)::text
        || '}},"grid":' || coalesce('{{"name":' || to_json(g.name)::text || '}}', 'null') || '}}'
    FROM need n
    JOIN service_category k ON k.id = n.category_id
    JOIN division d ON d.id = n.community_id
    LEFT JOIN grid g ON g.id = n.grid_id
    WHERE n.id = $1 AND {NEED.format("n")}), 'null') || '}}}}'""")


def q2(need: str, commitment: str, offer: str, organization: str, grid: str) -> str:
    """Twenty open needs as somebody with these conditions sees them; `grid`: for which needs he is told the grid."""
    return bytes_of(f"""
(SELECT '{{"data":{{"needs":{{"edges":[' || coalesce(string_agg(q.j, ',' ORDER BY q.at DESC, q.id DESC), '') || ']}}}}}}'
FROM (
    SELECT p.created_at AS at, p.id, '{{"node":{{"no":' || to_json(p.no)::text || ',"title":' || to_json(p.title)::text
        || ',"urgency":' || p.urgency || ',"createdAt":' || {AT.format("p.created_at")}
        || ',"community":{{"name":' || to_json(d.name)::text
        || '}},"grid":' || coalesce('{{"name":' || to_json(g.name)::text || '}}', 'null')
        || ',"commitments":[' || coalesce((
            SELECT string_agg('{{"quantity":' || c.qty || ',"status":"' || {STATUS.format("c")} || '","offer":'
                || coalesce('{{"title":' || to_json(o.title)::text || '}}', 'null') || ',"organization":'
                || coalesce('{{"name":' || to_json(r.name)::text || '}}', 'null') || '}}',
                ',' ORDER BY c.created_at, c.id)
            FROM (SELECT c.* FROM commitment c WHERE c.need_id = p.id AND {commitment}
                ORDER BY c.created_at, c.id LIMIT 3) c
            LEFT JOIN offer o ON o.id = c.offer_id AND {offer}
            LEFT JOIN organization r ON r.id = c.organization_id AND {organization}), '') || ']}}}}' AS j
    FROM (SELECT n.* FROM need n WHERE n.community_id = $1 AND n.status = 'OPEN' AND {need}
        ORDER BY n.created_at DESC, n.id DESC LIMIT 20) p
    JOIN division d ON d.id = p.community_id
    LEFT JOIN grid g ON g.id = p.grid_id AND {grid}
) q)""")


Q2 = q2(NEED.format("n"), COMMITMENT.format("c"), OFFER.format("o"), ORGANIZATION.format("r"), "true")
MINE = "EXISTS (SELECT FROM commitment m WHERE m.need_id = {0}.id AND m.volunteer_person_id = $2{1})"
Q2V = q2(
    "n.sensitivity = 'NORMAL' AND n.kind <> 'CASH_AID'",  # and OPEN: it stands in the public list
    "c.volunteer_person_id = $2 AND c.sensitivity = 'NORMAL'",
    "(o.status = 'PUBLISHED' AND o.kind <> 'CASH_AID' OR o.person_id = $2)",
    "(r.verified_state = 'VERIFIED' OR r.contact_id = $2)",
    MINE.format("p", " AND m.open_until > $5"),
).replace("$5", "$3")
"""What a volunteer sees: of commitments his own, and grids while he serves."""


def q3(whose: str) -> str:
    """Twelve months of some funds. The series has a length that the planner knows: it would plan anew at each run else."""
    return bytes_of(f"""
(SELECT '{{"data":{{"fundMonths":[' || coalesce(string_agg(
    '{{"month":"' || q.month || '","received":' || {YUAN.format("q.received")} || ',"spent":' || {YUAN.format("q.spent")}
        || ',"closing":' || {YUAN.format("q.closing")} || ',"donationCount":' || q.gifts
        || ',"fund":{{"name":' || q.fund || '}}}}',
    ',' ORDER BY q.place), '') || ']}}}}'
FROM (
    SELECT f.place, f.fund, f.month, coalesce(m.received_fen, 0) AS received,
        coalesce(m.spent_fen, 0) AS spent, coalesce(m.gift_count, 0) AS gifts,
        coalesce(m.closing_fen, (SELECT b.closing_fen FROM fund_month b WHERE b.fund_id = f.id AND b.month < f.month
            ORDER BY b.month DESC LIMIT 1), 0) AS closing
    FROM (SELECT f.id, f.fund, f.place * {MONTHS_AT_MOST} + n AS place, ($1::date + make_interval(months => n))::date AS month
        FROM (SELECT id, to_json(name)::text AS fund, row_number() OVER (ORDER BY name, id) AS place FROM fund f WHERE {whose}) f,
            generate_series(0, {MONTHS_AT_MOST - 1}) n WHERE n < $2 OFFSET 0) f
    LEFT JOIN fund_month m ON m.fund_id = f.id AND m.month = f.month
) q)""")


Q3 = q3("f.organization_id = $3")
Q3A = q3("true")

CLAIMED = CLAIM.for_role(Role.VOLUNTEER)
LEFT = """h.qty_total - h.qty_committed + CASE WHEN h.qty_committed > h.qty_delivered
    THEN need_overdue(h.id, ${now}) ELSE 0 END"""


def _claim() -> tuple[str, tuple[str, ...]]:
    """The server's own statement of a claim, with its answer written from the rows that it returns."""
    match = re.fullmatch(r"WITH held AS\s*\((.*) RETURNING (.*?)\)\s*(INSERT .*) RETURNING .*", CLAIMED.sql, re.S)
    assert match, CLAIMED.sql
    update, returned, insert = match.groups()
    now = CLAIMED.order.index("viewer_now") + 1
    left = LEFT.format(now=now)
    text = (
        """SELECT '{"data":{"needClaim":{"__typename":"Commitment","quantity":' || m.qty || ',"status":"' || m.status"""
        """ || '","need":{"no":' || to_json(h.no)::text || ',"quantityLeft":' || (""" + left + ")"
        """ || '}}}}' FROM held h, made m"""
    )
    sql = (
        f"WITH held AS ({update} RETURNING {returned}, need.no, need.qty_total, need.qty_committed, need.qty_delivered),"
        f" made AS ({insert} RETURNING commitment.qty, commitment.status) SELECT convert_to(({text}), 'UTF8')"
    )
    return sql, CLAIMED.order


M1, M1_ORDER = _claim()


def arguments(path: str, given: dict[str, Any], actor: Actor, now: Any) -> tuple[str, tuple[Any, ...]]:
    """The statement of a path and its parameters."""
    match path:
        case "/Q1":
            return Q1, (UUID(given["id"][5:]), actor.area, actor.person)
        case "/Q2":
            return Q2, (UUID(given["community"][9:]), actor.area, actor.person, actor.area_end, now)
        case "/Q2V":
            return Q2V, (UUID(given["community"][9:]), actor.person, now)
        case "/Q3":
            return Q3, (date.fromisoformat(given["from"]), given["months"], actor.organization)
        case "/Q3A":
            return Q3A, (date.fromisoformat(given["from"]), given["months"])
    values = {
        **CLAIMED.constants,
        "need": UUID(given["id"][5:]),
        "qty": 1,
        "viewer_person": actor.person,
        "viewer_organization": actor.organization,
        "viewer_area": actor.area,
        "viewer_area_end": actor.area_end,
        "viewer_now": now,
    }
    return M1, tuple(values[name] for name in M1_ORDER)


def create(settings: Settings) -> App:
    """The ASGI application: `POST /Q1` with the question's variables as JSON."""
    pool, tokens = opened(settings)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            await _send(send, 200, b"")
            return
        headers = dict(scope["headers"])
        message = await receive()
        body = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        now = clock.now()
        try:
            actor = await tokens.actor(headers[b"authorization"].decode("latin-1"), now)
        except NotSignedIn:
            await _send(send, 401, b"")
            return
        sql, values = arguments(scope["path"], orjson.loads(body), actor, now)
        await _send(send, 200, await pool.fetchval(sql, *values) or b"null")

    return app


async def _send(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(create)
