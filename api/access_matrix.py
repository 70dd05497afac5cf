"""The access matrix, `docs/access.md`: kind of caller by table, by field, by root and by mutation, from the code alone."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator
from typing import Any

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, get_named_type

from api.access_cells import ALWAYS, LEADS, NEVER, Cell, Cells, How, item_of
from models.access import PUBLIC, ROLE_LABELS, VISIBLE, Role
from models.tables import AREAS, METADATA
from resolvers.engine import words
from resolvers.engine.build import data_types
from resolvers.engine.engine import Engine
from resolvers.scopes import scope_of

Row = dict[Role, Cell]
UNMARKED = frozenset({"Money"})
"""Objects whose fields are shown together or not at all: one line is enough for them."""

HEAD = """\
# Who may see and do what

Written by `./wushe access` from the code; never by hand. `./wushe check` fails when it differs: run the command, and
look at what changes. A widened rule is a changed cell, or a changed condition in a list below its table.

## How to read it

- Columns are the capacities in which somebody asks; a token is for one person in one capacity.
- **–** nothing, ever. **●** all; for a field, in every row that the caller sees. **◐1** under condition 1 of the list
  below the table. **→** leads to rows of another table, as far as the caller sees those.
- A field is never wider than its row: first look at the table under *Rows*, then at the field.
- Conditions are SQL. `asker.person`, `asker.organization`, `asker.area` … `asker.area_end` are the caller's own,
  `now` is the time; `seen_x` is table `x`, only those rows that the caller sees.
- `sealed` (with the kind of its key): the database holds it encrypted; it is opened on the way out, and who opened
  whose is on the audit log. `told once`: it stands in the answer of the mutation that made it, and is null elsewhere.
- Under *Mutations*, ● says that a role may call it at all. On which rows, is the rows that it sees and the rules of
  the area. `key` is the scope that an API key needs; where there is none, no key may call it.

What no cell can say: a plain personal value leaves only by a reveal, with a purpose, on the record (I27), save one's
own under `me` and the names of an organization's own volunteers for its staff. Nobody approves what he made, nor what
pays himself, his organization or a declared relative (I17). An administrator sees no plain personal data; an auditor
reads logs and books, masked; a department sees what it is called to. Statistics suppress groups under five (I30).
"""


@dataclasses.dataclass
class Legend:
    """The conditions of one table, numbered as they appear."""

    conditions: dict[str, int] = dataclasses.field(default_factory=dict)

    def mark(self, cell: Cell) -> str:
        if cell.how is not How.WHEN:
            return str(cell.how.value)
        return f"{How.WHEN.value}{self.conditions.setdefault(cell.when, len(self.conditions) + 1)}"

    def lines(self) -> Iterator[str]:
        if self.conditions:
            yield ""
        for when, number in self.conditions.items():
            yield f"- ◐{number}: `{when}`"


def header(first: str, *more: str) -> Iterator[str]:
    """A table's head: roles in both languages."""
    names = [f"{ROLE_LABELS[role]} {role.value}" for role in Role]
    yield "| " + " | ".join([first, *names, *more]) + " |"
    yield "|" + " --- |" * (1 + len(names) + len(more))


def line(name: str, legend: Legend, row: Row, *more: str) -> str:
    return "| " + " | ".join([name, *(legend.mark(row[role]) for role in Role), *more]) + " |"


class Matrix:
    """Every cell, for every role."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.of = {role: Cells(engine, role) for role in Role}
        self._fields: dict[str, list[tuple[str, GraphQLField, Row]]] = {}

    def each(self, cell: Any) -> Row:
        return {role: cell(cells) for role, cells in self.of.items()}

    def rows(self, table: str) -> Row:
        """Which rows of a table each role sees."""
        return self.each(lambda cells: cells.rows(table))

    def types(self) -> list[GraphQLObjectType]:
        """The types that show rows, by name."""
        found = [t for t in data_types(self.engine.schema) if words.entity_of(t) is not None]
        return sorted(found, key=lambda t: t.name)

    def fields(self, type_: GraphQLObjectType) -> list[tuple[str, GraphQLField, Row]]:
        """(path, field, cells) of every field of a type, and of the objects that lie in its rows."""
        if type_.name not in self._fields:
            self._fields[type_.name] = list(self._read(type_))
        return self._fields[type_.name]

    def _read(self, type_: GraphQLObjectType) -> Iterator[tuple[str, GraphQLField, Row]]:
        for name, field in type_.fields.items():
            if not _aside(field):
                yield name, field, self.each(lambda cells, field=field: cells.field(type_, field))
            yield from self._inside(type_, name, ((field, words.word_of(field)),))

    def _inside(
        self, type_: GraphQLObjectType, path: str, through: tuple[tuple[GraphQLField, Any], ...]
    ) -> Iterator[tuple[str, GraphQLField, Row]]:
        field, word = through[-1]
        inner: Any = get_named_type(field.type)
        if not isinstance(word, words.Inside) or inner.name in UNMARKED:
            return
        for name, part in inner.fields.items():
            yield (
                f"{path}.{name}",
                part,
                self.each(lambda cells, part=part: cells.inside(type_, through, part)),
            )
            yield from self._inside(type_, f"{path}.{name}", (*through, (part, words.word_of(part))))

    @functools.cached_property
    def roots(self) -> list[tuple[str, GraphQLField, Row]]:
        """Every field of the query."""
        assert self.engine.schema.query_type is not None
        return [
            (name, field, self.each(lambda cells, field=field: cells.root(field)))
            for name, field in sorted(self.engine.schema.query_type.fields.items())
        ]

    def filters(self) -> Iterator[tuple[str, str, Row]]:
        """(filter, field, cells) of every way to narrow a list, once for each type of filter."""
        known: set[str] = set()
        for type_ in data_types(self.engine.schema):
            for field in type_.fields.values():
                given = field.args.get("filter")
                filter_: Any = None if given is None else get_named_type(given.type)
                if not isinstance(filter_, GraphQLInputObjectType) or filter_.name in known:
                    continue
                known.add(filter_.name)
                item = item_of(get_named_type(field.type))
                for name, part in filter_.fields.items():
                    word = words.word_of(part)
                    cells = self.each(lambda c, i=item, w=word, t=part.type: c.filtered(i, w, t))
                    yield filter_.name, name, cells

    def mutations(self) -> Iterator[tuple[str, str, Row, str]]:
        """(area, mutation, cells, scope of keys)."""
        assert self.engine.schema.mutation_type is not None
        for name, field in sorted(self.engine.schema.mutation_type.fields.items()):
            verb = words.word_of(field).does
            may = verb.may
            python = field.extensions[words.BACKREF].python_name
            row = {role: ALWAYS if role in may else NEVER for role in Role}
            yield verb.__module__.split(".")[1], name, row, scope_of(python) or ""


def _aside(field: GraphQLField) -> bool:
    """Whether a field only holds others, over the same row."""
    word = words.word_of(field)
    return isinstance(word, words.Inside) and word.build is None


def document(matrix: Matrix) -> str:
    """The whole of `docs/access.md`."""
    parts = [HEAD, *_rows(matrix), *_fields(matrix), *_roots(matrix), *_filters(matrix), *_mutations(matrix)]
    return "\n".join(parts).rstrip() + "\n"


def _area(table: str) -> str:
    """The area that a table is declared in."""
    for mapper in _mappers():
        if mapper.local_table is METADATA.tables[table]:
            return str(mapper.class_.__module__.split(".")[1])
    return "reports"


def _mappers() -> Iterable[Any]:
    from sqlmodel import SQLModel

    return SQLModel._sa_registry.mappers


def _rows(matrix: Matrix) -> Iterator[str]:
    yield "## Rows\n\nWhich rows of each table. Tables of the machinery, which no type shows, have no line."
    grouped = collections.defaultdict(list)
    for table in sorted(PUBLIC | VISIBLE.keys()):
        grouped[_area(table)].append(table)
    for area in sorted(grouped, key=_place):
        legend = Legend()
        yield f"\n### {area}\n"
        yield from header("table")
        for table in grouped[area]:
            yield line(table, legend, matrix.rows(table))
        yield from legend.lines()


def _place(area: str) -> tuple[int, str]:
    return (AREAS.index(area) if area in AREAS else len(AREAS), area)


def _fields(matrix: Matrix) -> Iterator[str]:
    yield "\n## Fields"
    for type_ in matrix.types():
        entity = words.entity_of(type_)
        assert entity is not None
        legend = Legend()
        yield f"\n### {type_.name}\n\nTable `{entity.table.name}`.\n"
        yield from header("field", "")
        for name, field, row in matrix.fields(type_):
            yield line(name, legend, row, _note(words.word_of(field)))
        yield from legend.lines()


def _note(word: Any) -> str:
    match word:
        case words.Sealed():
            return f"sealed {word.kind}"
        case words.Once():
            return "told once"
        case words.Made():
            return "signed for the caller"
    return ""


def _roots(matrix: Matrix) -> Iterator[str]:
    yield "\n## Roots\n\nWhat a query can begin with. A report's condition names what it reads of rows that only some see.\n"
    legend = Legend()
    yield from header("root")
    for name, _, row in matrix.roots:
        yield line(name, legend, row)
    yield from legend.lines()


def _filters(matrix: Matrix) -> Iterator[str]:
    yield "\n## Filters\n\nBy what a list may be narrowed: what a caller may not ask by finds nothing.\n"
    legend = Legend()
    yield from header("filter")
    for of, name, row in sorted(matrix.filters(), key=lambda found: found[0]):
        yield line(f"{of}.{name}", legend, row)
    yield from legend.lines()


def _mutations(matrix: Matrix) -> Iterator[str]:
    yield "\n## Mutations"
    grouped = collections.defaultdict(list)
    for area, name, row, scope in matrix.mutations():
        grouped[area].append((name, row, scope))
    for area in sorted(grouped, key=_place):
        yield f"\n### {area}\n"
        yield from header("mutation", "key")
        for name, row, scope in grouped[area]:
            yield line(name, Legend(), row, f"`{scope}`" if scope else "")


__all__ = ["ALWAYS", "LEADS", "NEVER", "Matrix", "document"]
