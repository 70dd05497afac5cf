"""Lists: bounded ones, and connections with keyset cursors.

The page is limited before it is joined, ordered where it is aggregated, and fenced (`OFFSET 0`) where its items are
both counted and joined: PostgreSQL would otherwise pull the sub-select up and compute every item twice.

Two lists are found otherwise. One that is *sought* (a search) is looked for in an index that knows of no order, which is
quick for what is rare; what is common is looked for among the first rows in the list's order before, and where these
fill the page that is all. One that is ordered by a *measure* (a distance) is the first rows of
each of its branches, put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    get_named_type,
)
from graphql.execution.values import get_argument_values
from sqlalchemy.sql import operators

from resolvers.engine import plans, words
from resolvers.engine.plans import BadInput, NotCompilable
from resolvers.engine.scope import From, Scope
from resolvers.engine.text import TEXT, L, Parts, concat, join, literal, number, or_null, sql_type, text

if TYPE_CHECKING:
    from resolvers.engine.compiler import Compiler, Details


def _named(type_: GraphQLObjectType, field: str) -> GraphQLObjectType:
    named = get_named_type(type_.fields[field].type)
    assert isinstance(named, GraphQLObjectType)
    return named


def _table(type_: GraphQLNamedType) -> sa.Table:
    entity = words.entity_of(type_)
    if entity is None:
        raise NotCompilable(f"{type_.name} has no table")
    return entity.table


def of_parent(c: Compiler, alias: Any, word: words.Many | words.Connection, scope: Scope | None) -> list[Any]:
    """The conditions that tie a list's items to its parent, and narrow them."""
    out = []
    if word.on is not None and scope is not None:
        out.append(alias.c[word.on] == scope.row.id)
    if word.match is not None and scope is not None:
        out.append(c.checked(word.match(alias.c, scope.row, c.view)))
    if word.where is not None:
        out.append(c.checked(word.where(alias.c, c.view)))
    return out


def within(select: Any, scope: Scope | None) -> Any:
    """A sub-select that may read its parent's row."""
    return select if scope is None else select.correlate(scope.alias)


def many(
    c: Compiler, field: GraphQLField, type_: GraphQLNamedType, word: words.Many, details: Details, scope: Scope | None
) -> Parts:
    """A bounded list."""
    assert isinstance(type_, GraphQLObjectType)
    node = details[0].node
    get_argument_values(field, node, c.values)  # null is refused here
    table = _table(type_)
    alias = c.alias(table)
    order = [alias.c[n].desc() if down else alias.c[n] for n, down in word.order]
    limit = c.argument(field, node, ("first",), sa.Integer(), plans.a_page_size(word.limit, least=0))
    conditions = [*of_parent(c, alias, word, scope), *c.seen(alias, table)]
    page = within(sa.select(*alias.c).where(*conditions).order_by(*order).limit(limit), scope)
    rows = page.subquery(c.name("p"))
    c.made.add(rows.name)
    source = From(rows)
    doubts = c.doubts
    inner = join(c.object(type_, details, Scope(rows.c, source, rows)))
    listed = sa.select(inner.label("j"), *ordering(rows.c[n] for n, _ in word.order)).select_from(source.clause)
    directions = [" DESC" if down else "" for _, down in word.order]
    return [as_list(c, listed, directions, scope, sure=c.doubts == doubts)]


def ordering(columns: Iterable[Any]) -> list[Any]:
    """What rows are ordered by, carried out of a sub-select to where they are aggregated: `o0`, `o1`, …"""
    return [column.label(f"o{i}") for i, column in enumerate(columns)]


DIRECTIONS = {
    operators.asc_op: "",
    operators.desc_op: " DESC",
    operators.nulls_first_op: " NULLS FIRST",
    operators.nulls_last_op: " NULLS LAST",
}


def directed(clause: Any) -> tuple[Any, str]:
    """An element of ORDER BY as what it orders by, and its direction."""
    direction = ""
    while isinstance(clause, sa.UnaryExpression) and clause.modifier in DIRECTIONS:
        direction = DIRECTIONS[clause.modifier] + direction
        clause = clause.element
    return clause, direction


def as_list(c: Compiler, items: Any, directions: list[str], scope: Scope | None, *, sure: bool) -> Any:
    """The rows of `items` (`j`, and `ordering`) as a list; a NULL among them poisons it, unless sure."""
    if not sure and c.strict:
        items = items.offset(number(0))
    rows = within(items, scope).subquery(c.name("q"))
    order = ", ".join(f"{rows.name}.o{i}{direction}" for i, direction in enumerate(directions))
    whole = join([L("["), _aggregated(rows.name, "j", order), L("]")])
    if not sure and c.strict:
        whole = sa.case((sa.func.count() == sa.func.count(rows.c.j), whole))
    return sa.select(whole).select_from(rows).scalar_subquery()


def connection(
    c: Compiler,
    field: GraphQLField,
    type_: GraphQLNamedType,
    word: words.Connection,
    details: Details,
    scope: Scope | None,
) -> Parts:
    """A page of a list that can grow."""
    assert isinstance(type_, GraphQLObjectType)
    return _Page(c, field, type_, word, details, scope).write()


def filters(
    c: Compiler, field: GraphQLField, node: Any, type_: GraphQLInputObjectType, given: dict[str, Any], row: Any
) -> list[Any]:
    """The conditions of a filter: those fields that are given; null where a field says what null means."""
    out = []
    for name, part in type_.fields.items():
        key = part.out_name or name
        if key not in given:
            continue
        word = words.word_of(part)
        if given[key] is None:
            if word.null is not None:
                out.append(c.checked(word.null(row)))
            continue
        value = (
            c.argument(field, node, ("filter", key), sql_type(part.type), plans.converter(part.type))
            if word.reads is None
            else read(c, field, node, key, word.reads)
        )
        out.append(c.checked(word.build(row, value, c.view)))
    return out


def read(c: Compiler, field: GraphQLField, node: Any, key: str, reads: Mapping[str, words.Reading]) -> Any:
    """The parameters that are made of a filter's field."""

    def one(name: str, reading: words.Reading) -> Any:
        path = ("filter",) if reading.whole else ("filter", key)
        return c.argument(field, node, path, reading.type, reading.make, tag=(key, name))

    return SimpleNamespace(**{name: one(name, reading) for name, reading in reads.items()})


def _aggregated(name: str, column: str, order: str) -> Any:
    parts = sa.func.string_agg(sa.literal_column(f"{name}.{column}", TEXT), sa.text(f"',' ORDER BY {order}"))
    return sa.func.coalesce(parts, literal(""), type_=TEXT)


FIRST = 1_000
"""Among so many rows that may be seen, the first in a list's order, what is common is looked for."""
MEASURE: sa.Double[float] = sa.Double()
"""What a measure is."""


class _Page:
    """One connection under construction."""

    def __init__(
        self,
        compiler: Compiler,
        field: GraphQLField,
        type_: GraphQLObjectType,
        word: words.Connection,
        details: Details,
        scope: Scope | None,
    ) -> None:
        self.c, self.field, self.type, self.word, self.details, self.scope = (
            compiler,
            field,
            type_,
            word,
            details,
            scope,
        )
        self.node = details[0].node
        self.edge = _named(type_, "edges")
        self.item = _named(self.edge, "node")
        self.given = get_argument_values(field, self.node, compiler.values)
        order = self.given.get("order")
        self.tag = None if order is None else getattr(order, "name", order)
        self.order = word.orders[self.tag]
        self.filter: dict[str, Any] = self.given.get("filter") or {}
        self.measure = word.measure if word.measure is not None and self.filter.get(word.measure.of) else None
        self.by_measure = word.measure is not None and any(name == word.measure.name for name, _ in self.order)
        if self.by_measure and self.measure is None:
            assert word.measure is not None
            raise BadInput(word.measure.wanted)
        if self.given.get("first") is not None and self.given.get("last") is not None:
            raise BadInput("first 与 last 不能同时使用。")
        self.back = self.given.get("last") is not None
        self.limit = self._limit()
        self.cursors = {
            name: self._cursor_cells(name) for name in ("after", "before") if self.given.get(name) is not None
        }
        self.columns: dict[str, Any] = {}

    def _limit(self) -> Any:
        name = "last" if self.back else "first"
        if self.given.get(name) is None:
            return number(self.word.default)
        return self.c.argument(self.field, self.node, (name,), sa.Integer(), plans.a_page_size(self.word.maximum))

    def _cursor_cells(self, name: str) -> list[Any]:
        """The values of a cursor, as parameters."""
        kinds = [MEASURE if self._measured(n) else _table(self.item).c[n].type for n, _ in self.order]
        types = tuple(kind.python_type for kind in kinds)
        return [
            self.c.argument(self.field, self.node, (name,), kind, plans.a_cursor_cell(self.tag or "", types, i), tag=i)
            for i, kind in enumerate(kinds)
        ]

    def _measured(self, name: str) -> bool:
        return self.word.measure is not None and name == self.word.measure.name

    @property
    def filter_type(self) -> GraphQLInputObjectType:
        """The type of the list's filter."""
        found = get_named_type(self.field.args["filter"].type)
        assert isinstance(found, GraphQLInputObjectType)
        return found

    def write(self) -> Parts:
        """The connection's text."""
        c = self.c
        selected = c.selection(self.type, self.details)
        names = {d[0].node.name.value for d in selected.values()}
        table = _table(self.item)
        paged = names & {"edges", "pageInfo"}
        counted = self._rows(table, paged=False) if "totalCount" in names or not paged else None
        if not paged:  # where nothing is counted either, the filter's values are looked at all the same
            return self._object(self.type, self.details, {"totalCount": lambda _: self._total(counted)})
        self._page(table, self._more_wanted(selected))
        parts = self._object(
            self.type,
            self.details,
            {"totalCount": lambda _: self._total(counted), "edges": self._edges, "pageInfo": self._info},
        )
        by = [self.page.c.rn_.label("rn_")] if self.numbered else ordering(self.page.c[n] for n, _ in self.order)
        inner = sa.select(*[e.label(k) for k, e in self.columns.items()], *by).select_from(self.source.clause)
        inner = within(inner.offset(number(0)), self.scope).subquery(self.q)
        # HAVING: one row, even when nothing that is selected is an aggregate
        return [sa.select(join(parts)).select_from(inner).having(sa.literal_column("true")).scalar_subquery()]

    def _object(
        self, type_: GraphQLObjectType, details: Details, write: dict[str, Callable[[Details], Parts]]
    ) -> Parts:
        parts: Parts = [L("{")]
        for key, fields in self.c.selection(type_, details).items():
            name = fields[0].node.name.value
            parts.append(L(("" if len(parts) == 1 else ",") + f'"{key}":'))
            parts += [L(f'"{type_.name}"')] if name == "__typename" else write[name](fields)
        return [*parts, L("}")]

    def _rows(self, table: sa.Table, *, paged: bool) -> tuple[Any, list[Any]]:
        """An alias of the list's table, and the conditions on it."""
        alias = self.c.alias(table)
        return alias, [*self._bounds(alias, paged=paged), *self._conditions(alias, table)]

    def _bounds(self, alias: Any, *, paged: bool) -> list[Any]:
        """What ties rows to their parent, and where the page begins."""
        beyond = [self._beyond(alias.c, cells, name == "before") for name, cells in self.cursors.items() if paged]
        return [*of_parent(self.c, alias, self.word, self.scope), *beyond]

    def _conditions(self, alias: Any, table: sa.Table, but: str = "") -> list[Any]:
        """What the filter asks for, `but` for one of its fields, and what may be seen."""
        return [*self._asked(alias, but), *self.c.seen(alias, table)]

    def _asked(self, alias: Any, but: str = "") -> list[Any]:
        if not self.filter:
            return []
        given = {name: value for name, value in self.filter.items() if name != but}
        return filters(self.c, self.field, self.node, self.filter_type, given, alias.c)

    def _total(self, counted: tuple[Any, list[Any]] | None) -> Parts:
        assert counted is not None
        alias, conditions = counted
        select = sa.select(text(sa.func.count())).select_from(alias).where(*conditions)
        return [within(select, self.scope).scalar_subquery()]

    def _beyond(self, row: Any, cells: list[Any], flip: bool) -> Any:
        """Rows after (or before) a cursor: one row comparison where every column runs the same way, so that an index serves."""
        columns = [row[n] for n, _ in self.order]
        downs = [down != flip for _, down in self.order]
        if len(set(downs)) == 1:
            left, right = sa.tuple_(*columns), sa.tuple_(*cells)
            return left < right if downs[0] else left > right
        ors = []
        for i, down in enumerate(downs):
            beyond = columns[i] < cells[i] if down else columns[i] > cells[i]
            ors.append(sa.and_(*[columns[k] == cells[k] for k in range(i)], beyond))
        return sa.and_(columns[0] <= cells[0] if downs[0] else columns[0] >= cells[0], sa.or_(*ors))

    def _more_wanted(self, selected: dict[str, Details]) -> bool:
        """Whether the answer says if there is more: only then is one row more read."""
        wanted = "hasPreviousPage" if self.back else "hasNextPage"
        for fields in selected.values():
            if fields[0].node.name.value == "pageInfo":
                info = self.c.selection(_named(self.type, "pageInfo"), fields)
                if any(d[0].node.name.value == wanted for d in info.values()):
                    return True
        return False

    def _page(self, table: sa.Table, more: bool) -> None:
        """The page: its rows limited, before anything is joined; numbered where one row more is read than shown."""
        c = self.c
        self.numbered = more
        limit = self.limit + number(1) if more else self.limit
        conditions: list[Any] = []
        if self.measure is not None:
            rows = self._branched(table, self.measure, limit)
        elif self.scope is None and (common := self._common(table)) is not None:
            rows = self._sought(table, limit, common)
        else:
            rows, conditions = self._rows(table, paged=True)
        order = self._ordered(rows.c)
        numbered = [sa.func.row_number().over(order_by=order).label("rn_")] if more else []
        page = sa.select(*rows.c, *numbered).where(*conditions).order_by(*order).limit(limit)
        self.page = within(page, self.scope).subquery(c.name("p"))
        c.made.add(self.page.name)
        self.source = From(self.page)
        self.row = Scope(self.page.c, self.source, self.page)
        self.q = c.name("q")
        self.inside = self.page.c.rn_ <= self.limit if more else None

    def _ordered(self, row: Any) -> list[Any]:
        return [row[n].desc() if down != self.back else row[n].asc() for n, down in self.order]

    def _common(self, table: sa.Table) -> Any:
        """Whether what is sought is common, as SQL; None where nothing is asked for that an index of its own finds."""
        for name, part in self.filter_type.fields.items() if self.filter else ():
            word, key = words.word_of(part), part.out_name or name
            if word.sought is not None and self.filter.get(key) is not None:
                value = read(self.c, self.field, self.node, key, word.reads)
                return self.c.checked(word.sought(table.name, value, self.order[0][0]))
        return None

    def _sought(self, table: sa.Table, limit: Any, common: Any) -> Any:
        """The rows of a page that is sought: those among the first in order; or, if they are too few, all that there are."""
        c = self.c
        alias = c.alias(table)
        bounds = [common, *self._bounds(alias, paged=True), *c.seen(alias, table)]
        newest = sa.select(*alias.c).where(*bounds).order_by(*self._ordered(alias.c)).limit(number(FIRST))
        first = newest.subquery(c.name("f"))
        c.made.add(first.name)
        quick = sa.select(*first.c).where(*self._asked(first)).order_by(*self._ordered(first.c)).limit(limit)
        found = quick.cte(c.name("w"), nesting=True)
        enough = sa.select(sa.func.count()).select_from(found).scalar_subquery() >= limit
        alias, conditions = self._rows(table, paged=True)
        # fenced: the order must not tempt into reading the list in it
        every = sa.select(*alias.c).where(sa.not_(enough), *conditions).offset(number(0)).subquery(c.name("s"))
        either = sa.union_all(
            sa.select(*found.c).where(enough), sa.select(*every.c).order_by(*self._ordered(every.c)).limit(limit)
        )
        return self._named(either)

    def _branched(self, table: sa.Table, measure: words.Measure, limit: Any) -> Any:
        """The rows of a page with a measure: the first of each of its branches."""
        c = self.c
        reads = words.word_of(self.filter_type.fields[measure.of]).reads
        asked = read(c, self.field, self.node, measure.of, reads)
        parts = []
        for place in range(len(measure.branches(c.alias(table).c, asked, c.view))):
            alias = c.alias(table)
            branch = measure.branches(alias.c, asked, c.view)[place]
            value = c.checked(branch.measure).label(measure.name)
            row = {**{column.name: column for column in alias.c}, measure.name: value.element}
            source = alias if branch.beside is None else branch.beside.join(alias, sa.and_(*map(c.checked, branch.on)))
            tied = map(c.checked, branch.on) if branch.beside is None else ()
            beyond = [self._beyond(row, cells, name == "before") for name, cells in self.cursors.items()]
            part = sa.select(*alias.c, value).select_from(source)
            part = part.where(*of_parent(c, alias, self.word, self.scope), *tied, *beyond)
            part = part.where(*self._conditions(alias, table, but=measure.of))
            parts.append(within(part.order_by(*self._ordered(row)).limit(limit), self.scope))
        return self._named(sa.union_all(*parts))

    def _named(self, rows: Any) -> Any:
        found = rows.subquery(self.c.name("u"))
        self.c.made.add(found.name)
        return found

    def _by(self, forward: bool) -> str:
        """The order of the list, or the contrary one, over what the inner select carries out."""
        if self.numbered:
            return f"{self.q}.rn_" + (" DESC" if forward == self.back else "")
        downs = [down == forward for _, down in self.order]
        return ", ".join(f"{self.q}.o{i}" + (" DESC" if down else "") for i, down in enumerate(downs))

    def _column(self, name: str) -> Any:
        return sa.literal_column(f"{self.q}.{name}", TEXT)

    def _cursor(self) -> Any:
        cells = sa.func.json_build_array(literal(self.tag or ""), *[text(self.page.c[n]) for n, _ in self.order])
        encoded = sa.func.encode(sa.func.convert_to(text(cells), literal("UTF8")), literal("base64"))
        return sa.func.replace(encoded, literal("\n"), literal(""), type_=TEXT)

    def _edges(self, details: Details) -> Parts:
        c = self.c
        doubts = c.doubts
        write: dict[str, Callable[[Details], Parts]] = {
            "cursor": lambda _: [L('"'), self._cursor(), L('"')],
            "node": lambda fields: c.object(self.item, fields, self.row),
        }
        item = join(self._object(self.edge, details, write))
        sure = c.doubts == doubts
        name = f"e{len(self.columns)}"
        self.columns[name] = item if self.inside is None else sa.case((self.inside, item))
        whole = join([L("["), _aggregated(self.q, name, self._by(True)), L("]")])
        if c.strict and not sure:
            if self.inside is not None:
                self.columns.setdefault("inside", self.inside)
                shown: Any = sa.func.count().filter(sa.literal_column(f"{self.q}.inside", sa.Boolean()))
            else:
                shown = sa.func.count()
            whole = sa.case((shown == sa.func.count(self._column(name)), whole))
        return [whole]

    def _info(self, details: Details) -> Parts:
        more: Parts = [text(sa.func.count() > self.limit)]
        given = self.given

        def edge(first: bool) -> Parts:
            self.columns["cur"] = self._cursor() if self.inside is None else sa.case((self.inside, self._cursor()))
            name = f"{self.q}.cur"
            picked = f"(array_agg({name} ORDER BY {self._by(first)}) FILTER (WHERE {name} IS NOT NULL))[1]"
            return or_null([concat(literal('"'), sa.literal_column(picked, TEXT), literal('"'))])

        def known(cursor: str) -> Parts:
            return [L("true" if given.get(cursor) is not None else "false")]

        return self._object(
            _named(self.type, "pageInfo"),
            details,
            {
                "hasNextPage": lambda _: known("before") if self.back else more,
                "hasPreviousPage": lambda _: more if self.back else known("after"),
                "startCursor": lambda _: edge(True),
                "endCursor": lambda _: edge(False),
            },
        )
