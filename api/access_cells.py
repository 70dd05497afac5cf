"""What one kind of caller may see, read off the rules themselves: never, always, or under a condition as SQL.

The words of the schema are built by the engine's own compiler, for a caller whose values stand as names
(`asker.person`) instead of parameters, so that what comes out can be read and compared. What is constant false, NULL,
or taken from rows that nobody of the role sees, is never there; what depends on who asks, or on rows that not
everybody sees, is conditional; all else is always there.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_abstract_type
from graphql.execution.values import VariableValues
from sqlalchemy.sql import elements, operators, selectable

from models.access import Role
from models.tables import METADATA
from resolvers.engine import words
from resolvers.engine.compiler import Compiler, Operation, place_in
from resolvers.engine.engine import Engine
from resolvers.engine.fixed import DIALECT
from resolvers.engine.guard import correlated
from resolvers.engine.scope import Columns
from resolvers.engine.text import sql_type


class How(enum.Enum):
    """Whether a caller sees something."""

    NEVER = "–"
    ALWAYS = "●"
    WHEN = "◐"
    LEADS = "→"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of the matrix; `when` is the condition as SQL."""

    how: How
    when: str = ""


NEVER, ALWAYS, LEADS = Cell(How.NEVER), Cell(How.ALWAYS), Cell(How.LEADS)
NULL = "NULL"
"""What the public is: nobody, of nothing, nowhere."""
COMPARED = (operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge)
SEEN = "seen_"
"""The prefix of a table's name where only those of its rows are read that the caller sees."""
PERSONAL = re.compile(rf"\basker\.(?!now\b)|\b{SEEN}")
"""What makes SQL depend on the caller; the time does not."""


class Looker:
    """The caller as a condition sees him: his role, and names for everything else."""

    def __init__(self, role: Role, types: Any) -> None:
        self.role, self._types = role, types

    def __getattr__(self, name: str) -> Any:
        nobody = NULL if self.role is Role.PUBLIC else f"asker.{name}"
        return sa.literal_column("now" if name == "now" else nobody, self._types[name])


@functools.lru_cache(2_000)
def alias_of(table: sa.Table, name: str) -> Any:
    """A table under a name: made once, since its columns cost more than all that is said of them."""
    return table.alias(name)


class Reader(Compiler):
    """The engine's compiler with readable names: tables are called what they are called."""

    def __init__(self, engine: Engine, role: Role) -> None:
        nothing: Any = None
        super().__init__(
            engine.schema, engine.rules, Operation(nothing, {}, VariableValues({}, {})), role, strict=False
        )
        self.asker: Any = Looker(role, engine.rules.viewer)
        self.view: Any = Sight(self)
        self.base: Any = None
        """The table whose row is looked at."""
        self.empty: set[str] = set()
        """Names of tables of which the role sees no row."""
        self._taken: dict[str, int] = {}

    def called(self, table: sa.Table, name: str) -> Any:
        """A table under a readable name that no other has."""
        self._taken[name] = self._taken.get(name, 0) + 1
        made = alias_of(table, name if self._taken[name] == 1 else f"{name}_{self._taken[name]}")
        self.made.add(made.name)
        return made

    def alias(self, table: sa.Table) -> Any:
        self.base = self.called(table, table.name)
        return self.base


class Sight:
    """What a hand-written expression may look at; rows that only some see stand under a name that says so."""

    def __init__(self, reader: Reader) -> None:
        self.actor = reader.asker
        self._reader = reader

    def rows(self, table: Any, order: Sequence[str] = (), where: Callable[[Any], Any] | None = None) -> Any:
        reader = self._reader
        source: sa.Table = table if isinstance(table, sa.Table) else table.__table__
        conditions = reader.rules.seen(alias_of(source, "probe"), source.name, self.actor)
        alias = reader.called(source, (SEEN if conditions else "") + source.name)
        if any(truth(c, reader.empty) is False for c in conditions):
            reader.empty.add(alias.name)
        if not order and where is None:
            return alias
        some = sa.select(*alias.c, place_in(alias, order)).where(*((where(alias),) if where is not None else ()))
        return some.subquery(f"some_{alias.name}")


def written(expression: Any, base: Any = None) -> str:
    """SQL on one line, without what a reader does not need; `base` is the table whose row it is about."""
    select = sa.select(correlated(expression).label(LABEL))
    if base is not None:
        select = select.select_from(base)
    try:
        text = str(select.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    except (sa.exc.CompileError, NotImplementedError):
        text = str(select.compile(dialect=DIALECT))
    text = text[len("SELECT ") : text.rindex(f" AS {LABEL}")]
    for pattern, short in SHORTER:
        text = pattern.sub(short, text)
    return _bare(text)


LABEL = "written_out"
SHORTER: tuple[tuple[re.Pattern[str], Any], ...] = (
    (re.compile(r"\s+"), " "),
    (re.compile(r"\( "), "("),
    (re.compile(r" \)"), ")"),
    (re.compile(r"\b(\w+) AS \1\b"), r"\1"),
    (re.compile(r"::(VARCHAR|UUID|TEXT|DATE|INTEGER)\b"), ""),
    (
        re.compile(r"([\w.]+) = ('\w+')((?: OR \1 = '\w+')+)"),
        lambda m: f"{m[1]} IN ({m[2]}, {', '.join(re.findall(chr(39) + r'[A-Z_]+' + chr(39), m[3]))})",
    ),
    (re.compile(r"\((\w[\w.]* IN \([^()]*\))\)"), r"\1"),
    (re.compile(r"coalesce(\([^()]*), false\)"), r"\1)"),
    (re.compile(r" OR false\b"), ""),
)


def _bare(text: str) -> str:
    """A condition without what stands around the whole of it: brackets, and that the unknown is no."""
    for start, end in (("coalesce(", ", false)"), ("(", ")")):
        inner = text[len(start) : len(text) - len(end)]
        if text.startswith(start) and text.endswith(end) and _whole(inner):
            return _bare(inner)
    return text


def _whole(text: str) -> bool:
    """Whether every bracket in a text is closed in it."""
    depth = 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            return False
    return depth == 0


def truth(e: Any, empty: Iterable[str] = ()) -> bool | None:
    """What a condition always is; None where it depends on something."""
    match e:
        case elements.True_():
            return True
        case elements.False_():
            return False
        case elements.BindParameter():
            return e.value if isinstance(e.value, bool) else None
        case elements.ColumnClause() if e.is_literal:
            return {"true": True, "false": False}.get(e.name)
        case elements.AsBoolean() | elements.Grouping():
            of = truth(e.element, empty)
            negated = getattr(e, "operator", None) is operators.is_false
            return not of if of is not None and negated else of
        case elements.ExpressionClauseList() | elements.BooleanClauseList() if e.operator in (
            operators.and_,
            operators.or_,
        ):
            decisive = e.operator is operators.or_
            parts = [truth(clause, empty) for clause in e.clauses]
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        case selectable.Exists():
            return False if nothing(e.element, empty) else None
        case elements.UnaryExpression() if e.operator is operators.inv:
            of = truth(e.element, empty)
            return None if of is None else not of
        case elements.BinaryExpression() if e.operator is operators.in_op and nothing(e.right, empty):
            return False
        case elements.BinaryExpression() if e.operator in COMPARED and NULL in (_name(e.left), _name(e.right)):
            return False
        case sa.sql.functions.coalesce():
            parts = [truth(clause, empty) for clause in e.clauses]
            return parts[0] if len(set(parts)) == 1 or parts[0] is not None else None
    return None


def _name(e: Any) -> Any:
    return getattr(e, "name", None) if getattr(e, "is_literal", False) else None


def nothing(select: Any, empty: Iterable[str]) -> bool:
    """Whether a sub-select has no row, whoever of the role asks."""
    while isinstance(select, selectable.ScalarSelect | selectable.SelectStatementGrouping | elements.Grouping):
        select = select.element
    if isinstance(select, sa.CompoundSelect):
        return all(nothing(part, empty) for part in select.selects)
    if not isinstance(select, sa.Select):
        return False
    if any(truth(clause, empty) is False for clause in select._where_criteria):
        return True
    return any(_lacks(source, empty) for source in select.get_final_froms())


def _lacks(source: Any, empty: Iterable[str]) -> bool:
    if isinstance(source, selectable.Join):
        return _lacks(source.left, empty) or (not source.isouter and _lacks(source.right, empty))
    if isinstance(source, selectable.Subquery | selectable.CTE):
        return nothing(source.element, empty)
    name: Any = getattr(source, "name", None)
    return name in empty


def condition(e: Any, reader: Reader) -> Cell:
    """A condition on a row that decides whether it, or something of it, is shown."""
    known = truth(e, reader.empty)
    return Cell(How.WHEN, written(e, reader.base)) if known is None else ALWAYS if known else NEVER


def value(e: Any, reader: Reader) -> Cell:
    """A value: never there, always there as far as the row has it, or only for some callers and rows."""
    empty = reader.empty
    if isinstance(e, elements.ColumnClause) and not e.is_literal:
        return ALWAYS
    if _absent(e, empty):
        return NEVER
    text = written(e, reader.base)
    if isinstance(e, elements.Case) and (e.else_ is None or _absent(e.else_, empty)):
        shown = [(when, what) for when, what in e.whens if truth(when, empty) is not False]
        if all(truth(when, empty) is True and value(what, reader) == ALWAYS for when, what in shown):
            return ALWAYS
        if all(value(what, reader) == ALWAYS for _, what in shown) and PERSONAL.search(text):
            return Cell(How.WHEN, " OR ".join(written(when, reader.base) for when, _ in shown))
    return Cell(How.WHEN, text) if PERSONAL.search(text) else ALWAYS


def _absent(e: Any, empty: Iterable[str]) -> bool:
    match e:
        case None | elements.Null():
            return True
        case elements.BindParameter():
            return e.value is None and not e.required
        case elements.Grouping() | elements.Cast():
            return _absent(getattr(e, "element", None) if isinstance(e, elements.Grouping) else e.clause, empty)
        case elements.Case():
            whats = [what for when, what in e.whens if truth(when, empty) is not False]
            return all(_absent(what, empty) for what in whats) and (e.else_ is None or _absent(e.else_, empty))
        case selectable.ScalarSelect():
            return nothing(e, empty)
        case sa.sql.functions.coalesce():
            return all(_absent(clause, empty) for clause in e.clauses)
        case sa.sql.functions.FunctionElement() if isinstance(e.type, sa.LargeBinary):
            return any(_absent(clause, empty) for clause in e.clauses)
    return False


class Cells:
    """The cells of one role."""

    def __init__(self, engine: Engine, role: Role) -> None:
        self.engine, self.role = engine, role
        self.rows = functools.cache(self._rows)

    def _rows(self, table: str) -> Cell:
        """Which rows of a table are seen."""
        reader = Reader(self.engine, self.role)
        conditions = self.engine.rules.seen(reader.alias(METADATA.tables[table]), table, reader.asker)
        return condition(sa.and_(*conditions), reader) if conditions else ALWAYS

    def field(self, type_: GraphQLObjectType, field: GraphQLField) -> Cell:
        """A field of a type that has a table, in the rows that are seen."""
        entity = words.entity_of(type_)
        assert entity is not None
        if self.rows(entity.table.name) == NEVER:
            return NEVER
        reader = Reader(self.engine, self.role)
        return self.within(reader, reader.alias(entity.table).c, field, entity.table.name)

    def inside(
        self, type_: GraphQLObjectType, path: tuple[tuple[GraphQLField, words.Inside], ...], field: GraphQLField
    ) -> Cell:
        """A field of an object that lies in a row: itself, and what it lies in."""
        entity = words.entity_of(type_)
        assert entity is not None
        if self.rows(entity.table.name) == NEVER:
            return NEVER
        reader = Reader(self.engine, self.role)
        row: Any = reader.alias(entity.table).c
        for _, word in path:
            if word.build is not None:
                row = Columns(word.build(row, reader.view))
        yes_or_no = path[-1][1].build is None
        return self.within(reader, row, field, None, yes_or_no=yes_or_no)

    def within(
        self, reader: Reader, row: Any, field: GraphQLField, table: str | None, *, yes_or_no: bool = False
    ) -> Cell:
        """A field of a row, by its word."""
        word, type_ = words.word_of(field), get_named_type(field.type)
        match word:
            case words.Column():
                return value(getattr(row, word.name), reader)
            case words.Expression() | words.Sealed() | words.Made():
                e = word.build(row, reader.view)
                return condition(e, reader) if yes_or_no else value(e, reader)
            case words.Inside() if word.build is not None:
                built = word.build(row, reader.view)
                parts = [built[word.present]] if word.present is not None else list(built.values())
                return joined([value(e, reader) for e in parts])
            case words.One():
                shown = ALWAYS if word.when is None else condition(word.when(row, reader.view), reader)
                known = table is not None and (table, word.on) in self.engine.rules.implied
                return self.related(shown, [type_], known=known)
            case words.Variant():
                return self.related(ALWAYS, [self.engine.schema.type_map[name] for name in word.on.values()])
            case words.Many() | words.Connection():
                return self.listed(reader, word, type_)
            case words.Listing():
                return self.by_hand(reader, field, lambda **given: word.rows(row, reader.view, **given))
        return ALWAYS

    def listed(self, reader: Reader, word: words.Many | words.Connection, type_: Any) -> Cell:
        """A list: what narrows it, and the rows of its items."""
        item = item_of(type_)
        if word.where is None:
            return self.related(ALWAYS, [item])
        entity = words.entity_of(item)
        assert entity is not None
        narrowed = word.where(reader.alias(entity.table).c, reader.view)
        found = condition(narrowed, reader)
        depends = found.how is not How.WHEN or PERSONAL.search(found.when)
        return self.related(found if depends else ALWAYS, [item])

    def related(self, shown: Cell, types: list[Any], *, known: bool = False) -> Cell:
        """What leads to other rows: as far as it is shown, and they are seen."""
        entities = [words.entity_of(t) for t in types]
        rows = [ALWAYS if e is None else self.rows(e.table.name) for e in entities]
        if shown == NEVER or all(cell == NEVER for cell in rows):
            return NEVER
        if shown.how is How.WHEN:
            return shown
        return ALWAYS if known or all(cell == ALWAYS for cell in rows) else LEADS

    def root(self, field: GraphQLField) -> Cell:
        """A field of the query."""
        word, type_ = words.word_of(field), get_named_type(field.type)
        reader = Reader(self.engine, self.role)
        match word:
            case words.ById() if is_abstract_type(type_):
                return LEADS
            case words.ById():
                return self.related(ALWAYS, [type_])
            case words.Single():
                entity = words.entity_of(type_)
                assert entity is not None
                narrowed = condition(word.where(reader.alias(entity.table).c, reader.view), reader)
                return self.related(narrowed, [type_])
            case words.Many() | words.Connection():
                return self.listed(reader, word, type_)
            case words.Report():
                return self.by_hand(reader, field, lambda **given: word.rows(reader.view, **given))
            case words.Listing():
                return self.by_hand(reader, field, lambda **given: word.rows(None, reader.view, **given))
        return ALWAYS

    def by_hand(self, reader: Reader, field: GraphQLField, rows: Callable[..., Any]) -> Cell:
        """A SELECT written by hand: nothing, where its rows are nobody's; else what it reads of rows that not everybody
        sees."""
        given = {name: sa.literal_column(f":{name}", sql_type(a.type)) for name, a in field.args.items()}
        select = rows(**words.by_python_name(field, given))
        if nothing(select, reader.empty):
            return NEVER
        conditions = _conditions(select, reader)
        return Cell(How.WHEN, "; ".join(conditions)) if conditions else ALWAYS

    def filtered(self, type_: Any, word: words.Where, type_of_value: Any) -> Cell:
        """A field of a filter: whether the caller may ask by it."""
        entity = words.entity_of(type_)
        assert entity is not None
        reader = Reader(self.engine, self.role)
        given: Any = (
            sa.literal_column("value", sql_type(type_of_value))
            if word.reads is None
            else SimpleNamespace(**{k: sa.literal_column(f"value_{k}", r.type) for k, r in word.reads.items()})
        )
        found = condition(word.build(reader.alias(entity.table).c, given, reader.view), reader)
        return found if found == NEVER or PERSONAL.search(found.when) else ALWAYS


def _conditions(select: Any, reader: Reader) -> list[str]:
    """Every condition of a report that depends on the caller, and the tables of which it reads only what he sees."""
    found: dict[str, None] = dict.fromkeys(sorted(n for n in reader.made if n.startswith(SEEN)))
    for part in sa.sql.visitors.iterate(select):
        if isinstance(part, sa.Select):
            for clause in part._where_criteria:
                if re.search(r"\basker\.(?!now\b)", text := written(clause)):
                    found[text] = None
    return list(found)


def joined(cells: list[Cell]) -> Cell:
    """Several values that are shown together."""
    if all(cell == NEVER for cell in cells):
        return NEVER
    conditions = dict.fromkeys(cell.when for cell in cells if cell.how is How.WHEN)
    return Cell(How.WHEN, "; ".join(conditions)) if conditions else ALWAYS


def item_of(type_: Any) -> Any:
    """The type of a list's items; a page's items are its edges'."""
    edges = getattr(type_, "fields", {}).get("edges")
    return type_ if edges is None else get_named_type(get_named_type(edges.type).fields["node"].type)
