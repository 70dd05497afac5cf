"""What needs, offers, organizations and service points are found by: keys of their words, of their category's and of
their place's name; and points, to find what is near.

The keys are made in Python (`models.search`); what is there already gets them here. `grams_of` puts a row's own keys
together with those of its category and its community, so that no verb has to read their names.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from models import search

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

NAMED = {"division": "code", "service_category": "code"}
FOUND = {
    "need": ("title", "category_code"),
    "offer": ("title", "category_code"),
    "organization": ("name", "NULL"),
    "service_point": ("name", "NULL"),
}
PLACED = ("division", "service_point", "offer")
POINT = "point(x::double precision, y::double precision)"
GRAMS_OF = """
CREATE FUNCTION grams_of(own integer[], category text, area text) RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN own || coalesce((SELECT c.grams FROM service_category c WHERE c.code = grams_of.category), '{}')
           || coalesce((SELECT d.grams FROM division d WHERE d.code = left(grams_of.area, 12)), '{}')
"""
IS_COMMON = """
CREATE FUNCTION is_common(of text, keys integer[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(min(k.share) FILTER (WHERE NOT k.narrows), 0)
         * coalesce(exp(sum(ln(k.share)) FILTER (WHERE k.narrows)), 1) >= 0.03
    FROM (
        SELECT key BETWEEN -536870912 AND -268435457 AS narrows, coalesce(known.share, 0.0001) AS share
        FROM unnest(keys) key LEFT JOIN (
            SELECT u.key, u.share
            FROM pg_stats s, unnest(s.most_common_elems::text::integer[], s.most_common_elem_freqs) u (key, share)
            WHERE s.schemaname = current_schema() AND s.tablename = of AND s.attname = 'grams'
        ) known USING (key)
    ) k
)
"""
"""Whether about three rows in a hundred or more have all these keys, by the statistics that ANALYZE keeps: a word is as
common as the rarest of its pairs, and in so many of a place's or category's rows as elsewhere. It is only asked to choose
between two ways to the same answer."""
BATCH = 5_000
PENDING = {"gin_pending_list_limit": "256"}
"""A search reads what is not yet in the index's tree: so let that be little."""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in (*NAMED, *FOUND):
        kind = postgresql.ARRAY(sa.Integer())
        op.add_column(table, sa.Column("grams", kind, server_default="{}", nullable=False))
    op.execute(GRAMS_OF)
    op.execute(IS_COMMON)
    connection = op.get_bind()
    keys = {"division": search.place_keys, "service_category": search.category_keys}
    for table in NAMED:
        rows = connection.execute(sa.text(f"SELECT id, name, code FROM {table}")).all()  # noqa: S608 - tables and columns named here
        write(connection, table, [(row.id, [*search.grams(row.name), *keys[table](row.code)]) for row in rows], "own")
    for table, (text, category) in FOUND.items():
        rows = connection.execute(sa.text(f"SELECT id, {text} AS text FROM {table}")).all()  # noqa: S608 - tables and columns named here
        write(connection, table, [(r.id, search.grams(r.text)) for r in rows], f"grams_of(own, {category}, area)")
    for table in FOUND:
        op.create_index(f"ix_{table}_grams", table, ["grams"], postgresql_using="gin", postgresql_with=PENDING)
    for table in PLACED:
        op.create_index(f"ix_{table}_point", table, [sa.text(POINT)], postgresql_using="gist")


def write(connection: sa.Connection, table: str, rows: Sequence[tuple[UUID, Iterable[int]]], value: str) -> None:
    update = sa.text(f"UPDATE {table} SET grams = {value.replace('own', 'CAST(:own AS integer[])')} WHERE id = :id")  # noqa: S608 - tables and columns named here
    for at in range(0, len(rows), BATCH):
        connection.execute(update, [{"id": id, "own": list(own)} for id, own in rows[at : at + BATCH]])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in PLACED:
        op.drop_index(f"ix_{table}_point", table)
    for table in FOUND:
        op.drop_index(f"ix_{table}_grams", table)
    op.execute("DROP FUNCTION grams_of, is_common")
    for table in (*NAMED, *FOUND):
        op.drop_column(table, "grams")
