"""The words that say where a GraphQL field lives in the database.

A word is put into a Strawberry field's metadata and read back from the built schema: there is no second description
of the API. `title: str = column(table.Need.title)` is checked by type: the attribute's type must be the field's.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import sqlalchemy as sa
import strawberry
from graphql import GraphQLField, GraphQLInputField, GraphQLNamedType
from sqlalchemy.sql import operators
from strawberry.annotation import StrawberryAnnotation
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import StrawberryArgument

BACKREF = GraphQLCoreConverter.DEFINITION_BACKREF
T = TypeVar("T")
Row = Any
"""The columns of one row of a table, as SQL: `row.title`."""
View = Any
"""Who looks, and at what: `view.actor` (a Viewer), `view.rows(Table)` (its rows that he may see)."""
Order = tuple[tuple[str, bool], ...]
"""(column, descending), the last one unique."""


@dataclasses.dataclass(frozen=True, eq=False)
class Word:
    """Where a field lives."""


@dataclasses.dataclass(frozen=True, eq=False)
class Column(Word):
    """A column of the row."""

    name: str


@dataclasses.dataclass(frozen=True, eq=False)
class Expression(Word):
    """SQL over the row."""

    build: Callable[[Row, View], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Inside(Word):
    """An object that is no row of its own: its fields live in the same row, or in the columns that `build` names."""

    build: Callable[[Row, View], Mapping[str, Any]] | None
    present: str | None
    """The name among them that is NULL when the object is absent."""


@dataclasses.dataclass(frozen=True, eq=False)
class One(Word):
    """The row that a column refers to."""

    on: str
    target: str = "id"
    """The target's column that is referred to."""
    when: Callable[[Row, View], Any] | None = None
    """For which rows the relation is shown at all."""


@dataclasses.dataclass(frozen=True, eq=False)
class Variant(Word):
    """One of several kinds of row: the first column that refers to one that may be seen."""

    on: Mapping[str, str]
    """Column -> GraphQL type."""


@dataclasses.dataclass(frozen=True, eq=False)
class Many(Word):
    """A short list: the rows whose column refers to this one, at most `limit`."""

    on: str | None
    order: Order
    limit: int
    default: int
    where: Callable[[Row, View], Any] | None
    match: Callable[[Row, Row, View], Any] | None = None
    """(item, parent, view) -> which items belong to the parent, where no column says so."""


@dataclasses.dataclass(frozen=True, eq=False)
class Connection(Word):
    """A list that can grow, by pages."""

    on: str | None
    orders: Mapping[str | None, Order]
    where: Callable[[Row, View], Any] | None
    match: Callable[[Row, Row, View], Any] | None = None
    measure: Measure | None = None
    """Orders that name it are by it; its value stands in the page's rows when its filter is given."""
    maximum: int = 100
    default: int = 20


@dataclasses.dataclass(frozen=True, eq=False)
class ById(Word):
    """A root: the row of an id."""


@dataclasses.dataclass(frozen=True, eq=False)
class Single(Word):
    """A root: the one row that meets a condition, such as the caller's own."""

    where: Callable[[Row, View], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Report(Word):
    """A root: the rows of a SELECT written by hand, over rows that may be seen."""

    rows: Callable[..., sa.Select[Any]]
    size: int
    """How many rows it is counted as."""
    check: Callable[[Mapping[str, Any]], None] | None = None
    """Raises BadInput for arguments, by their Python names, that are wrong."""


@dataclasses.dataclass(frozen=True, eq=False)
class Listing(Word):
    """A short list whose rows are no table's: of a SELECT written by hand, over a row or, at a root, over nothing."""

    rows: Callable[..., sa.Select[Any]]
    limit: int
    default: int
    shows: bool
    """Whether its answers are noted, as a sample: what is listed is seen by somebody."""
    check: Callable[[Mapping[str, Any]], None] | None = None
    """Raises BadInput for arguments, by their Python names, that are wrong."""


@dataclasses.dataclass(frozen=True, eq=False)
class Constant(Word):
    """A root: data known without the database, as dicts, lists and scalars; arguments are part of the plan's key."""

    value: Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Computed(Word):
    """A field that needs Python: these columns, and a function over them."""

    needs: tuple[str, ...]
    run: Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Sealed(Word):
    """A value that the database keeps sealed: it leaves the statement as it is, and the request opens it."""

    kind: str
    build: Callable[[Row, View], Any]
    subject: Callable[[Row, View], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Once(Word):
    """A value that only this request knows, such as a token just made; null wherever else it is asked for."""

    name: str


@dataclasses.dataclass(frozen=True, eq=False)
class Made(Word):
    """Text that the request makes of a value when the answer is ready, such as an address signed for whoever asks."""

    name: str
    build: Callable[[Row, View], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Verb(Word):
    """A mutation: a resolver that runs in a transaction and returns the id of its outcome."""

    outcome: str
    """The GraphQL type of the outcome."""
    idempotent: bool = True
    before: Callable[..., Awaitable[Any]] | None = None
    """What is done before the transaction begins: slow checks, calls to other systems."""
    does: Callable[..., Any] | None = None
    """The function of the models that it calls."""


@dataclasses.dataclass(frozen=True, eq=False)
class Change(Word):
    """A subscription: what happens to the thing of the argument `id`, one answer for each row of a table of events."""

    events: sa.Table
    """Ordered by `xid` and `id`; `at` says when each was."""
    subject: str
    """The GraphQL type of the thing."""
    ways: tuple[Callable[[Row, Any], Any], ...]
    """(event, the thing's id) -> which events concern it, each way by an index of its own; no event goes two ways."""
    told: Callable[[Row, Row, View], Any]
    """(event, the thing, view) -> whether the asker, who sees the thing, is told of the event."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stream(Change):
    """A subscription's root: what happens to whatever is the asker's, or lies in his area; new things among it."""

    sources: tuple[Callable[[Row, View, Callable[[Any], Any]], tuple[Any, Any, Any]], ...] = ()
    """(event, view, table -> all of its rows) -> FROM, which events of it, and the thing that each is about."""
    keys: Callable[[Any], Sequence[Any]] | None = None
    """The asker -> by what an announcement wakes him; nothing where it is not for him."""
    seconds: float = 0.0
    """How long nothing more is told after something was, where only the newest counts; 0 where each event does."""
    hidden: bool = False
    """Whether an event is told though its thing is not seen by now."""


@dataclasses.dataclass(frozen=True, eq=False)
class Subject(Word):
    """The thing that a change is about, as it is when it is told."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """A parameter that Python makes of what a filter's field was given, or of the whole filter."""

    type: Any
    """What it is bound as."""
    make: Callable[[Any], Any]
    """Raises BadInput for what cannot be."""
    whole: bool = False
    """Whether it is made of the filter's other fields, too: a mapping by their GraphQL names."""


@dataclasses.dataclass(frozen=True, eq=False)
class Where(Word):
    """The condition that an input field of a filter stands for."""

    build: Callable[..., Any]
    null: Callable[[Row], Any] | None = None
    reads: Mapping[str, Reading] | None = None
    """The parameters that `build` is given in place of the value, as attributes of one object."""
    sought: Callable[[str, Any, str], Any] | None = None
    """For what an index of its own finds, in no order (see `pages`): (the table's name, value, the column that the list
    is ordered by first) -> whether it is common among the first rows."""


@dataclasses.dataclass(frozen=True)
class Branch:
    """Rows of a list in the order of a measure: those that are joined to `beside`, or all of the table's."""

    measure: Any
    """What they are ordered by, smallest first."""
    beside: Any = None
    """A FROM, in the order of the measure itself."""
    on: tuple[Any, ...] = ()
    """What ties a row to it, and what parts these rows from the other branches'."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """What a list may be ordered by though no column holds it: made of what a field of the filter was given."""

    name: str
    """What it is called in the rows of the page."""
    of: str
    """The GraphQL name of the filter's field."""
    branches: Callable[[Row, Any, View], Sequence[Branch]]
    """(a row, that field's parameters, view) -> where the rows are found; each row in one of them."""
    wanted: str
    """What is said when the order is asked for without it."""


@dataclasses.dataclass(frozen=True)
class Entity:
    """The table behind a GraphQL type, and its ids' prefix."""

    table: sa.Table
    prefix: str | None


def _viewed(build: Callable[..., Any], given: int = 1) -> Callable[..., Any]:
    """Lets a function over a row leave out the `view` that it does not need."""
    if len(inspect.signature(build).parameters) > given:
        return build
    return lambda *args: build(*args[:given])


def _field(word: Word, arguments: Mapping[str, tuple[Any, Any]] | None = None, **kw: Any) -> Any:
    space = kw.pop("space", None)
    field = strawberry.field(metadata={Word: word}, **kw)
    told = ARGUMENTS | (
        {"first": f"How many items, from the start: 0 to {word.limit}."} if isinstance(word, Many | Listing) else {}
    )
    if arguments:
        field.arguments = [
            StrawberryArgument(
                name,
                None,
                StrawberryAnnotation(annotation, namespace=space),
                default=default,
                description=told.get(name),
            )
            for name, (annotation, default) in arguments.items()
        ]
    return field


ARGUMENTS = {
    "first": "How many items, from the start: 1 to 100.",
    "last": "How many items, from the end: 1 to 100.",
    "after": "Only items after this cursor.",
    "before": "Only items before this cursor.",
    "filter": "Only items that meet every condition given here.",
    "order": "In which order.",
    "search": "What was searched for, as the list's filter was given it.",
    "id": "The id, as another answer gave it.",
    "name": "Only the one of this name.",
    "since": "The cursor of the last change that arrived: everything after it comes first, and then what happens.",
}


def column(attribute: T, **kw: Any) -> T:
    """A column of the type's table: `title: str = column(tables.Need.title)`."""
    return cast(T, _field(Column(cast(Any, attribute).key), **kw))


def named(name: str, **kw: Any) -> Any:
    """A column of a report's row, or of what `inside` names."""
    return _field(Column(name), **kw)


def expression(build: Callable[..., Any], **kw: Any) -> Any:
    """SQL over the row: `expression(lambda row: row.total - row.taken)`, or `lambda row, view: ...`."""
    return _field(Expression(_viewed(build)), **kw)


def sealed(kind: str, build: Callable[..., Any], subject: Callable[..., Any], **kw: Any) -> Any:
    """A sealed value: `sealed("PHONE", lambda row, view: …bytea…, subject=lambda row: row.person_id)`.

    `subject` is the person that it is about, to whom it was bound when it was sealed. What is opened is text; for a
    field of another type than String, JSON text.
    """
    return _field(Sealed(kind, _viewed(build), _viewed(subject)), **kw)


def once(name: str, **kw: Any) -> Any:
    """A value that the verb of this very request told by this name (`call.once(name, value)`); null otherwise."""
    return _field(Once(name), **kw)


def made(name: str, build: Callable[..., Any], **kw: Any) -> Any:
    """Text that the request makes of an id, by this name, once the statement has run: `made("file", lambda row: row.id)`."""
    return _field(Made(name, _viewed(build)), **kw)


def identity(**kw: Any) -> Any:
    """The row's global id."""
    return _field(Expression(lambda row, view: row.id), **kw)


def inside(build: Callable[..., Mapping[str, Any]] | None = None, *, present: str | None = None, **kw: Any) -> Any:
    """An object over the same row, such as `viewerCan`; or over columns that `build` makes of it, such as Money."""
    return _field(Inside(_viewed(build) if build else None, present), **kw)


def one(attribute: Any, *, target: str = "id", when: Callable[..., Any] | None = None, **kw: Any) -> Any:
    """The row that a column refers to: `community: Division = one(tables.Need.community_id)`.

    `when` (`lambda row, view: …`) says for whom: where it does not hold the relation looks absent, so it is nullable.
    """
    name = attribute if isinstance(attribute, str) else attribute.key
    return _field(One(name, target, _viewed(when) if when else None), **kw)


def variant(on: Mapping[Any, str], **kw: Any) -> Any:
    """One of several kinds: `variant({tables.Offer.organization_id: "Organization", tables.Offer.person_id: "Person"})`."""
    return _field(Variant({k.key: v for k, v in on.items()}), **kw)


def ordering(order: Sequence[Any]) -> Order:
    """(column, descending) of columns and `desc(column)`; `id` comes last, to make the order whole."""
    out = [
        (cast(Any, by.element).key, by.modifier is operators.desc_op)
        if isinstance(by, sa.UnaryExpression)
        else (by if isinstance(by, str) else by.key, False)
        for by in order
    ]
    return tuple(out if out[-1][0] == "id" else [*out, ("id", out[-1][1])])


def many(
    on: Any = None,
    *,
    order: Sequence[Any],
    limit: int = 20,
    default: int | None = None,
    where: Callable[..., Any] | None = None,
    match: Callable[..., Any] | None = None,
    **kw: Any,
) -> Any:
    """A bounded list: the rows whose column `on` refers to this row, in that order, at most `limit`; all by default.

    `where` narrows the items: `lambda item, view: …`; `match` ties them to the parent where no column does:
    `lambda item, parent, view: …`.
    """
    word = Many(
        None if on is None else on.key,
        ordering(order),
        limit,
        limit if default is None else default,
        _viewed(where) if where else None,
        _viewed(match, 2) if match else None,
    )
    return _field(word, {"first": (int, word.default)}, **kw)


def connection(
    on: Any = None,
    *,
    order: Sequence[Any] | Mapping[Any, Sequence[Any]],
    filter: Any = None,
    where: Callable[..., Any] | None = None,
    match: Callable[..., Any] | None = None,
    measure: Measure | None = None,
    **kw: Any,
) -> Any:
    """A list by pages. `order`: columns, or for each value of an enumeration its columns (the first is the default); the
    name of a `measure` may stand among them."""
    arguments: dict[str, tuple[Any, Any]] = {
        name: (int | None if name in ("first", "last") else str | None, strawberry.UNSET)
        for name in ("first", "after", "last", "before")
    }
    if filter is not None:
        arguments["filter"] = (filter | None, strawberry.UNSET)
    orders: dict[str | None, Order]
    if isinstance(order, Mapping):
        first = next(iter(order))
        arguments["order"] = (type(first), first)
        orders = {cast(enum.Enum, k).name: ordering(v) for k, v in order.items()}
    else:
        orders = {None: ordering(order)}
    word = Connection(
        None if on is None else on.key,
        orders,
        _viewed(where) if where else None,
        _viewed(match, 2) if match else None,
        measure,
    )
    return _field(word, arguments, **kw)


def by_id(**kw: Any) -> Any:
    """A root field with the argument `id`."""
    return _field(ById(), {"id": (strawberry.ID, strawberry.UNSET)}, **kw)


def change(
    events: Any, subject: str, *ways: Callable[[Row, Any], Any], told: Callable[[Row, Row, View], Any], **kw: Any
) -> Any:
    """A subscription's root field: `change(EventRow, "Need", lambda event, id: event.subject == id, told=…)`."""
    arguments = {"id": (strawberry.ID, strawberry.UNSET), "since": (str | None, strawberry.UNSET)}
    return _field(Change(events.__table__, subject, ways, told), arguments, **kw)


def stream(
    events: Any,
    subject: str,
    *sources: Callable[[Row, View, Callable[[Any], Any]], tuple[Any, Any, Any]],
    keys: Callable[[Any], Sequence[Any]],
    told: Callable[[Row, Row, View], Any],
    seconds: float = 0.0,
    hidden: bool = False,
    **kw: Any,
) -> Any:
    """A subscription's root field over many things: `stream(EventRow, "Need", my_need_events, keys=…, told=…)`."""
    word = Stream(events.__table__, subject, (), told, sources, keys, seconds, hidden)
    return _field(word, {} if seconds else {"since": (str | None, strawberry.UNSET)}, **kw)


def subject(**kw: Any) -> Any:
    """The thing that a change is about."""
    return _field(Subject(), **kw)


def single(where: Callable[..., Any], **kw: Any) -> Any:
    """A root field for the one row that meets a condition: `single(lambda row, view: row.id == view.actor.person)`."""
    return _field(Single(_viewed(where)), **kw)


def report(
    rows: Callable[..., sa.Select[Any]],
    arguments: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    size: int = 60,
    check: Callable[[Mapping[str, Any]], None] | None = None,
    **kw: Any,
) -> Any:
    """A root field: `rows(view, **arguments as SQL binds)` gives a SELECT with ORDER BY; `view.rows(Table)` its FROMs.

    An argument that is not given is bound as NULL. `size` is how many rows the cost limit counts it as. `check` is given
    the arguments at each run, and raises BadInput.
    """
    return _field(Report(rows, size, check), arguments, **kw)


def listing(
    rows: Callable[..., sa.Select[Any]],
    arguments: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    limit: int,
    default: int | None = None,
    shows: bool = False,
    check: Callable[[Mapping[str, Any]], None] | None = None,
    **kw: Any,
) -> Any:
    """A short list of what is no row of a table: `rows(parent, view, first=…)` gives a SELECT with ORDER BY.

    `parent` is the row that it hangs on, None at a root; with a `default` it takes `first`, bound like the other
    arguments, up to `limit`. `shows`: requests tell `Engine.shown` of what was listed.
    """
    known = dict(arguments or {})
    if default is not None:
        known = {"first": (int, default), **known}
    return _field(Listing(rows, limit, limit if default is None else default, shows, check), known, **kw)


def constant(value: Callable[..., Any], arguments: Mapping[str, tuple[Any, Any]] | None = None, **kw: Any) -> Any:
    """A root field whose data is known without the database; `value(**arguments)` gives dicts keyed by GraphQL names."""
    return _field(Constant(value), arguments, **kw)


def computed(*needs: Any, **kw: Any) -> Callable[[Callable[..., T]], T]:
    """A field that needs Python: `needs` are the columns that its function is given, by name."""

    def wrap(run: Callable[..., T]) -> T:
        parameters = list(inspect.signature(run).parameters.values())[1:]
        arguments = {
            p.name: (p.annotation, strawberry.UNSET if p.default is p.empty else p.default) for p in parameters
        }
        word = Computed(tuple(n.key for n in needs), run)
        space = sys.modules[run.__module__].__dict__
        return cast(T, _field(word, arguments, space=space, graphql_type=run.__annotations__["return"], **kw))

    return wrap


def where(
    build: Callable[..., Any],
    null: Callable[[Row], Any] | None = None,
    *,
    reads: Mapping[str, Reading] | None = None,
    sought: Callable[[str, Any, str], Any] | None = None,
    **kw: Any,
) -> Any:
    """An input field of a filter: `status: list[Status] | None = where(lambda row, value: row.status == any_(value))`.

    With `reads`, `value` has their parameters as attributes: `where(lambda row, near: …near.x…, reads={"x": Reading(…)})`.
    """
    word = Where(_viewed(build, 2), null, reads, sought)
    return strawberry.field(default=strawberry.UNSET, metadata={Word: word}, **kw)


def measured(name: str, build: Callable[[Any], Any], **kw: Any) -> Any:
    """A measure's value, where the row stands in a page that has it; null elsewhere. `build` makes of it what is shown."""
    return expression(lambda row: build(getattr(row, name)) if hasattr(row, name) else sa.null(), **kw)


def entity(table: Any, prefix: str | None = None) -> Callable[[type[T]], type[T]]:
    """Says which table a GraphQL type shows: `@entity(tables.Need, "need")`, above `@strawberry.type`."""

    def wrap(cls: type[T]) -> type[T]:
        cls.__entity__ = Entity(table if isinstance(table, sa.Table) else table.__table__, prefix)  # type: ignore[attr-defined]
        return cls

    return wrap


def word_of(field: GraphQLField | GraphQLInputField) -> Any:
    """The word of a field of the built schema, or None."""
    definition = field.extensions.get(BACKREF)
    return definition.metadata.get(Word) if definition is not None else None


def by_python_name(field: GraphQLField, given: Mapping[str, Any]) -> dict[str, Any]:
    """A field's arguments under the names that its Python has for them."""
    return {field.args[name].extensions[BACKREF].python_name: value for name, value in given.items()}


def entity_of(type_: GraphQLNamedType) -> Entity | None:
    """The entity of a type of the built schema, or None."""
    definition = type_.extensions.get(BACKREF)
    return getattr(getattr(definition, "origin", None), "__entity__", None)
