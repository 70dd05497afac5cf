"""What PostGraphile needs in the database, as its documentation advises: computed columns, a custom query, a mutation.

They say the same as the server's expressions, and the claim is the server's own statement, so that both do the same
work. Made in PostGraphile's copy of the database alone, by the owner of the tables.
"""

# ruff: noqa: S608 (statements made of constants)

from __future__ import annotations

import re

from bench.floor import CLAIMED

PLACES = {"need": "claim_need.need", "qty": "claim_need.quantity", "viewer_person": "claim_need.person"}


def _claim() -> str:
    sql = re.sub(r"RETURNING commitment\.id, commitment\.area\s*$", "RETURNING commitment.*", CLAIMED.sql)
    assert sql != CLAIMED.sql

    def place(match: re.Match[str]) -> str:
        name = CLAIMED.order[int(match[1]) - 1]
        return f"'{CLAIMED.constants[name]}'" if name in CLAIMED.constants else PLACES.get(name, "now()")

    return re.sub(r"\$(\d+)(::[A-Z]+( WITH TIME ZONE)?)?", place, sql)


SQL = f"""
CREATE FUNCTION need_quantity_left(n need) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT n.qty_total - n.qty_committed
        + CASE WHEN n.qty_committed > n.qty_delivered THEN need_overdue(n.id, now()) ELSE 0 END
$$;
CREATE FUNCTION commitment_standing(c commitment) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN c.status = 'PROPOSED' AND c.hold_until <= now() THEN 'LAPSED' ELSE c.status END
$$;
CREATE TYPE month_of_fund AS (
    fund_id uuid, month date, received_fen bigint, spent_fen bigint, closing_fen bigint, gift_count integer
);
COMMENT ON TYPE month_of_fund IS '@foreignKey (fund_id) references fund (id)';
CREATE FUNCTION fund_months_from(organization uuid, since date, months integer) RETURNS SETOF month_of_fund
LANGUAGE sql STABLE AS $$
    SELECT f.id, s.at::date, coalesce(m.received_fen, 0), coalesce(m.spent_fen, 0),
        coalesce(m.closing_fen, (SELECT b.closing_fen FROM fund_month b WHERE b.fund_id = f.id AND b.month < s.at
            ORDER BY b.month DESC LIMIT 1), 0), coalesce(m.gift_count, 0)
    FROM fund f
    CROSS JOIN generate_series(since::timestamp, since::timestamp + make_interval(months => months - 1),
        interval '1 month') s (at)
    LEFT JOIN fund_month m ON m.fund_id = f.id AND m.month = s.at::date
    WHERE organization IS NULL OR f.organization_id = organization
    ORDER BY f.name, f.id, s.at
$$;
CREATE FUNCTION claim_need(need uuid, quantity integer, person uuid) RETURNS commitment LANGUAGE sql VOLATILE AS $$
    {_claim()}
$$;
"""
