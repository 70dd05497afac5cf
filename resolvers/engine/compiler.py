"""A GraphQL operation as one statement whose answer is the response text. SQLAlchemy Core writes it, once for a plan.

A *strict* plan is for the fast path: where the type says non-null, a NULL is left to poison everything above it, so
that the whole answer is NULL, and the standard path finds out what broke. A *loose* plan is for the standard path:
every NULL is written as null, objects under abstract types carry their type, computed fields carry their columns, and a field whose arguments are wrong carries the error.

Every alias of a table, wherever it is reached, gets the condition of `visible`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import VariableValues, get_argument_values

from resolvers.engine import fixed, handwritten, pages, plans, words
from resolvers.engine.guard import correlated, covered
from resolvers.engine.plans import NotCompilable, Plan
from resolvers.engine.scope import Columns, From, Scope
from resolvers.engine.text import TEXT, L, Parts, always, certain, falls_with, join, literal, or_null, scalar, text

JSON = " json"
"""Ends the name of a column that has another one's text as JSON: no table's column is called so."""
Details = list[FieldDetails]
Seen = Callable[[Any, str, Any], tuple[Any, ...]]
"""(alias, table, viewer) -> the conditions under which its rows may be seen."""


@dataclasses.dataclass(frozen=True)
class Rules:
    """What the engine is handed when the schema is built: it knows no table by name."""

    seen: Seen
    public: set[str]
    implied: set[tuple[str, str]]
    viewer: Mapping[str, sa.types.TypeEngine[Any]]
    """What of the asker a condition may bind, and as what."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """What is compiled: one operation of a document with its fragments, and the variables of one request."""

    node: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    values: VariableValues


class Asker:
    """The viewer, as the statement sees him: his role is known, everything else is bound."""

    def __init__(self, compiler: Compiler, role: Any) -> None:
        self.role = role
        self._compiler = compiler

    def __getattr__(self, name: str) -> Any:
        return self._compiler.bind(("asker", name), self._compiler.rules.viewer[name], plans.asker(name))


def place_in(alias: Any, order: Sequence[str]) -> Any:
    """A row's `place` in an order of its columns, from 1 on."""
    return sa.func.row_number().over(order_by=[alias.c[name] for name in order]).label("place")


class View:
    """What a hand-written expression may look at: who asks, and rows that he may see."""

    def __init__(self, compiler: Compiler) -> None:
        self.actor = compiler.asker
        self._compiler = compiler

    def rows(self, table: Any, order: Sequence[str] = (), where: Callable[[Any], Any] | None = None) -> Any:
        """A table's rows that the asker may see, as a FROM; `where`, of an alias of it, leaves some of them out.

        With an order's columns each row has its `place` in it, from 1 on, and its texts are there as JSON, too: where few
        rows stand in many lines each, these are sorted sooner by one number, and each text is written once.
        """
        compiler = self._compiler
        source: sa.Table = table if isinstance(table, sa.Table) else table.__table__
        alias = compiler.alias(source)
        conditions = (*compiler.seen(alias, source), *((compiler.checked(where(alias)),) if where is not None else ()))
        more = []
        if order:
            assert "place" not in alias.c, f"{source.name} has a place of its own"
            texts = [c for c in alias.c if isinstance(c.type, sa.Text)]
            more = [place_in(alias, order), *(text(sa.func.to_json(c)).label(c.key + JSON) for c in texts)]
        rows = alias
        if conditions or more:
            rows = sa.select(*alias.c, *more).where(*conditions).subquery(compiler.name("v"))
            compiler.made.add(rows.name)
        compiler.handed[rows] = source
        return rows


class Compiler:
    """Compiles one operation, or the payload of one mutation, for one kind of asker."""

    def __init__(self, schema: GraphQLSchema, rules: Rules, operation: Operation, role: Any, strict: bool) -> None:
        self.schema, self.rules, self.operation, self.strict = schema, rules, operation, strict
        self.values = operation.values
        self.run = plans.Run(operation.values, {})
        self.asker = Asker(self, role)
        self.view = View(self)
        self.made: set[str] = set()
        """The names of every alias and sub-select that the asker's conditions are on."""
        self.handed: dict[Any, sa.Table] = {}
        """What hand-written SELECTs were given to read, and of which table these rows are."""
        self.by_prefix: set[str] = set()
        """Variables whose type prefix is part of the plan's key."""
        self.failed = 0
        self.marked = False
        self.shows = False
        """Whether what is being written lists something that is noted as seen."""
        self.shown: list[str] = []
        self.doubts = 0
        """How many non-null promises rest on something that could be NULL."""
        self._sources: dict[Any, str] = {}
        self._gets: dict[str, plans.Get] = {}
        self._names = 0

    # parameters and names

    def bind(self, source: Any, type_: Any, get: plans.Get) -> Any:
        """A parameter; the same source is the same parameter."""
        name = self._sources.get(source)
        if name is None:
            name = self._sources[source] = f"p{len(self._sources)}"
            self._gets[name] = get
        return sa.bindparam(name, type_=type_, unique=False)

    def argument(
        self,
        field: GraphQLField,
        node: FieldNode,
        path: tuple[str, ...],
        type_: Any,
        convert: plans.Convert | None,
        tag: Any = None,
    ) -> Any:
        """An argument's value: a parameter, or what the document says itself."""
        get = plans.argument(field, node, path, convert, self.values)
        value = get(self.run)  # one that is wrong is an error here, in its field's place
        if not plans.varies(node, path):
            said = fixed.said(plans.argument(field, node, path, None, self.values)(self.run), value, type_)
            if said is not None:
                return said
        return self.bind(("argument", id(field), id(node), path, tag), type_, get)

    def name(self, letter: str) -> str:
        """A name that no other alias has."""
        self._names += 1
        return f"{letter}{self._names}"

    def alias(self, table: sa.Table) -> Any:
        """A table under a name of its own."""
        made = table.alias(self.name("t"))
        self.made.add(made.name)
        return made

    def seen(self, alias: Any, table: sa.Table) -> tuple[Any, ...]:
        """The conditions under which the asker may see a table's rows."""
        return tuple(correlated(condition) for condition in self.rules.seen(alias, table.name, self.asker))

    def checked(self, expression: Any) -> Any:
        """A hand-written expression, after a look that it reads nothing but rows that may be seen."""
        covered(expression, self.made)
        return correlated(expression)

    # selections

    def selection(self, type_: GraphQLObjectType, details: Details) -> dict[str, Details]:
        """The fields selected under a field, merged and by response key, as the executor would collect them."""
        op = self.operation
        return collect_subfields(self.schema, op.fragments, self.values, op.node, type_, details).grouped_field_set

    def object(self, type_: GraphQLObjectType, details: Details, scope: Scope, typed: bool = False) -> Parts:
        """The text of an object over one row."""
        parts: Parts = [L("{")]
        comma = ""
        if typed and not self.strict:
            parts.append(L(f'"{plans.TYPE}":"{type_.name}"'))
            comma = ","
        for key, fields in self.selection(type_, details).items():
            parts.append(L(f'{comma}"{key}":'))
            comma = ","
            name = fields[0].node.name.value
            parts += (
                [L(f'"{type_.name}"')] if name == "__typename" else self.field(type_, type_.fields[name], fields, scope)
            )
        return [*parts, L("}")]

    def field(self, type_: GraphQLObjectType, field: GraphQLField, details: Details, scope: Scope) -> Parts:
        """The text of a field; in a loose plan, the error of one whose arguments are wrong."""
        try:
            return self.worded(type_, field, details, scope)
        except GraphQLError as error:
            return self.error(error)

    def error(self, error: GraphQLError) -> Parts:
        """An error in its field's place, for the standard path to raise."""
        if self.strict:
            raise error
        self.failed += 1
        told = {plans.ERROR: plans.sayable(error.message), "extensions": error.extensions or {}}
        return [literal(orjson.dumps(told).decode())]

    def worded(self, type_: GraphQLObjectType, field: GraphQLField, details: Details, scope: Scope) -> Parts:
        """The text of a field, by its word."""
        word = words.word_of(field)
        named = get_named_type(field.type)
        match word:
            case words.Column():
                column = getattr(scope.row, word.name)
                written = getattr(scope.row, word.name + JSON, None)
                if written is not None and named.name == "String":
                    return self.leaf(field, [written], sure=False)
                sure = scope.alias is not None and not getattr(column, "nullable", True) and always(field.type)
                return self.leaf(field, scalar(field.type, column, _prefix(type_), strict=self.strict), sure)
            case words.Expression():
                e = self.checked(word.build(scope.row, self.view))
                sure = e is getattr(scope.row, "id", None) or (
                    scope.alias is not None and certain(e) and always(field.type)
                )
                return self.leaf(field, scalar(field.type, e, _prefix(type_), strict=self.strict), sure)
            case words.Sealed():
                return self.sealed(field, word, scope)
            case words.Once():
                self.marked = True
                return [L(f"{plans.MARK}?:{word.name}{plans.MARK}")]
            case words.Made():
                self.marked = True
                of = text(self.checked(word.build(scope.row, self.view)))
                return self.leaf(field, [L(f"{plans.MARK}!:{word.name}:"), of, L(plans.MARK)], sure=False)
            case words.Inside():
                return self.inside(field, named, word, details, scope)
            case words.One():
                return self.one(field, named, word, details, scope)
            case words.Variant():
                return self.variant(word, details, scope)
            case words.Many():
                return pages.many(self, field, named, word, details, scope)
            case words.Connection():
                return pages.connection(self, field, named, word, details, scope)
            case words.Listing():
                return handwritten.listing(self, field, named, word, details, scope)
            case words.Computed():
                return self.computed(word, scope)
            case words.Subject():
                assert isinstance(named, GraphQLObjectType)
                thing = getattr(scope.row, "thing", None)  # of a stream each event has its own
                return self.row(
                    named, details, lambda alias: alias.c.id == (self.reference if thing is None else thing)
                )
        raise NotCompilable(f"{type_.name}.{details[0].node.name.value} has no word that says where it lives")

    def leaf(self, field: GraphQLField, parts: Parts, sure: bool) -> Parts:
        """A scalar; where it is non-null and not sure, its NULL poisons."""
        if isinstance(field.type, GraphQLNonNull) and self.strict:
            self.doubts += not sure
            return parts
        return or_null(parts)

    def sealed(self, field: GraphQLField, word: words.Sealed, scope: Scope) -> Parts:
        """A mark around a sealed value, what it is and whom it is about; the request opens it."""
        self.marked = True
        value = self.checked(word.build(scope.row, self.view))
        subject = self.checked(word.subject(scope.row, self.view))
        how = "s" if get_named_type(field.type).name == "String" and not is_list(field.type) else "j"
        parts: Parts = [
            L(f"{plans.MARK}{how}:{word.kind}:"),
            text(subject),
            L(":"),
            sa.func.encode(value, literal("hex"), type_=TEXT),
            L(plans.MARK),
        ]
        return self.leaf(field, parts, sure=False)

    def inside(
        self, field: GraphQLField, type_: GraphQLNamedType, word: words.Inside, details: Details, scope: Scope
    ) -> Parts:
        """An object over the same row, or over columns made of it."""
        assert isinstance(type_, GraphQLObjectType)
        if word.build is None:
            return self.object(type_, details, scope)
        columns = {k: self.checked(e) for k, e in word.build(scope.row, self.view).items()}
        inner = self.object(type_, details, Scope(Columns(columns), scope.source))
        if word.present is None:
            return inner
        absent = self.absent(field)
        if absent is None and any(falls_with(part, [columns[word.present]]) for part in inner):
            return inner  # which is poison by itself
        present = columns[word.present].is_not(None)
        return [sa.case((present, join(inner)), else_=absent)]

    def absent(self, field: GraphQLField) -> Any:
        """What stands for an absent object: null, or poison where the type says that it cannot be absent."""
        if isinstance(field.type, GraphQLNonNull) and self.strict:
            self.doubts += 1
            return None
        return literal("null")

    def joined(self, type_: GraphQLObjectType, on: Any, target: str, scope: Scope) -> Scope:
        """The scope of a related row, joined to this one's SELECT; hidden looks like absent."""
        assert scope.source is not None
        entity = words.entity_of(type_)
        assert entity is not None
        alias = self.alias(entity.table)
        condition = sa.and_(alias.c[target] == on, *self.seen(alias, entity.table))
        scope.source.clause = scope.source.clause.outerjoin(alias, condition)
        return Scope(alias.c, scope.source, alias)

    def one(
        self, field: GraphQLField, type_: GraphQLNamedType, word: words.One, details: Details, scope: Scope
    ) -> Parts:
        """The row that a column refers to."""
        assert isinstance(type_, GraphQLObjectType)
        entity = words.entity_of(type_)
        assert entity is not None
        row = scope.beside.get((word.on, entity.table.name)) if word.target == "id" else None
        related = (
            self.joined(type_, getattr(scope.row, word.on), word.target, scope)
            if row is None
            else Scope(row, scope.source, scope.alias)
        )
        inner = self.object(type_, details, related)
        there = getattr(related.row, word.target).is_not(None)
        absent = self.absent(field)
        if word.when is not None:
            there = sa.and_(there, self.checked(word.when(scope.row, self.view)))
        elif absent is None and any(falls_with(part, list(related.row)) for part in inner):
            return inner  # which is poison by itself
        return [sa.case((there, join(inner)), else_=absent)]

    def variant(self, word: words.Variant, details: Details, scope: Scope) -> Parts:
        """The first of several references that leads to a row that may be seen."""
        whens = []
        for column, name in word.on.items():
            type_ = self.schema.type_map[name]
            assert isinstance(type_, GraphQLObjectType)
            related = self.joined(type_, getattr(scope.row, column), "id", scope)
            whens.append((related.row.id.is_not(None), join(self.object(type_, details, related, typed=True))))
        return [sa.case(*whens, else_=literal("null"))]

    def computed(self, word: words.Computed, scope: Scope) -> Parts:
        """The columns that a field's Python needs, under the field's own response key."""
        if self.strict:
            raise NotCompilable("a computed field")
        parts: Parts = [L("{")]
        for n, name in enumerate(word.needs):
            column = getattr(scope.row, name)
            if isinstance(column.type, sa.Numeric) and column.type.python_type is Decimal:
                column = text(column)  # JSON's numbers lose digits
            parts += [L(("," if n else "") + f'"{name}":'), *or_null([text(sa.func.to_json(column))])]
        return [*parts, L("}")]

    # roots

    def query(self) -> Plan:
        """The plan of a query: every root field in one statement, so that the answer is one snapshot."""
        root = self.schema.query_type
        assert root is not None
        op = self.operation
        try:
            fields = collect_fields(self.schema, op.fragments, self.values, root, op.node).grouped_field_set
        except GraphQLError:  # null for a directive's `if`: the executor will say so itself
            if self.strict:
                raise
            self.failed += 1
            fields = {}
        parts: Parts = [L('{"data":{')]
        comma = ""
        for key, details in fields.items():
            name = details[0].node.name.value
            if name in ("__schema", "__type"):
                if self.strict:
                    raise NotCompilable("introspection")
                continue
            parts.append(L(f'{comma}"{key}":'))
            comma = ","
            if name == "__typename":
                parts.append(L(f'"{root.name}"'))
                continue
            self.shows = False
            try:
                parts += self.root(root.fields[name], details)
            except GraphQLError as error:
                parts += self.error(error)
            if self.shows:
                self.shown.append(key)
        return self.finish(join([*parts, L("}}")]))

    def root(self, field: GraphQLField, details: Details) -> Parts:
        """The text of a root field."""
        word = words.word_of(field)
        type_ = get_named_type(field.type)
        match word:
            case words.ById():
                return self.by_id(field, type_, details)
            case words.Single():
                assert isinstance(type_, GraphQLObjectType)
                return self.row(type_, details, lambda alias: self.checked(word.where(alias.c, self.view)))
            case words.Connection():
                return pages.connection(self, field, type_, word, details, None)
            case words.Many():
                return pages.many(self, field, type_, word, details, None)
            case words.Report():
                return handwritten.report(self, field, type_, word, details)
            case words.Listing():
                return handwritten.listing(self, field, type_, word, details, None)
            case words.Constant():
                arguments = get_argument_values(field, details[0].node, self.values)
                known = word.value(**words.by_python_name(field, arguments))
                return [L(self.constant(field.type, known, details))]
        raise NotCompilable(f"the root {details[0].node.name.value} has no word")

    def row(
        self, type_: GraphQLObjectType, details: Details, where: Callable[[Any], Any], typed: bool = False
    ) -> Parts:
        """The one row of a table that meets a condition, or null."""
        entity = words.entity_of(type_)
        assert entity is not None
        alias = self.alias(entity.table)
        source = From(alias)
        doubts = self.doubts
        inner = join(self.object(type_, details, Scope(alias.c, source, alias), typed))
        sure = not self.strict or self.doubts == doubts
        if not sure:  # poison goes up marked, so that it is not taken for an absent row
            inner = sa.func.coalesce(inner, literal("?"), type_=TEXT)
        rows = sa.select(inner).select_from(source.clause).where(where(alias), *self.seen(alias, entity.table))
        found = or_null([rows.scalar_subquery()])
        return found if sure else [sa.func.nullif(*found, literal("?"), type_=TEXT)]

    def by_id(self, field: GraphQLField, type_: GraphQLNamedType, details: Details) -> Parts:
        """The row of an id; under an abstract type, the id's prefix says which table."""
        node = details[0].node
        given = str(get_argument_values(field, node, self.values)["id"])
        if not is_abstract_type(type_):
            assert isinstance(type_, GraphQLObjectType)
            entity = words.entity_of(type_)
            assert entity is not None
            known = self.argument(field, node, ("id",), sa.Uuid(), plans.an_id_of(entity.prefix))
            return self.row(type_, details, lambda alias: alias.c.id == known)
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.by_prefix.add(argument.value.name.value)
        key = self.argument(field, node, ("id",), sa.Uuid(), plans.an_id)
        for kind in self.schema.get_possible_types(type_):
            entity = words.entity_of(kind)
            if entity is not None and entity.prefix == given.rpartition("_")[0]:
                return self.row(kind, details, lambda alias: alias.c.id == key, typed=True)
        return [L("null")]

    def constant(self, type_: Any, value: Any, details: Details) -> str:
        """The text of data that is known now."""
        if isinstance(type_, GraphQLNonNull):
            return self.constant(type_.of_type, value, details)
        if value is None:
            return "null"
        if isinstance(value, list | tuple):
            return "[" + ",".join(self.constant(type_.of_type, v, details) for v in value) + "]"
        if is_leaf_type(type_):
            return orjson.dumps(value).decode()
        out = []
        for key, fields in self.selection(type_, details).items():
            name = fields[0].node.name.value
            told = (
                f'"{type_.name}"'
                if name == "__typename"
                else self.constant(type_.fields[name].type, value[name], fields)
            )
            out.append(f'"{key}":{told}')
        return "{" + ",".join(out) + "}"

    # payloads

    def payload(self, type_: GraphQLObjectType, details: Details) -> Plan:
        """The plan that reads a mutation's outcome: one row by id, on the verb's own connection."""
        entity = words.entity_of(type_)
        assert entity is not None
        alias = self.alias(entity.table)
        source = From(alias)
        inner = join(self.object(type_, details, Scope(alias.c, source, alias), typed=True))
        mine = alias.c.id == self.reference
        rows = sa.select(inner).select_from(source.clause).where(mine, *self.seen(alias, entity.table))
        return self.finish(rows.scalar_subquery())

    @property
    def reference(self) -> Any:
        """The id of a mutation's outcome, or of a subscription's subject."""
        return self.bind(("reference",), sa.Uuid(), plans.reference)

    def finish(self, whole: Any) -> Plan:
        """The statement of one cell, as bytes of UTF-8, and where its parameters come from."""
        return self.written(sa.select(utf8(whole)))

    def written(self, statement: sa.Select[Any]) -> Plan:
        """A statement, and where its parameters come from."""
        compiled = statement.compile(dialect=fixed.DIALECT)
        names = compiled.positiontup or []
        gets = [self._gets.get(n) or plans.constant(compiled.params[n]) for n in names]
        checks = [get for name, get in self._gets.items() if name not in names]
        return Plan(str(compiled), gets, checks, self.failed, self.marked, tuple(self.shown))


def utf8(whole: Any) -> Any:
    """Text as bytes of UTF-8."""
    return sa.func.convert_to(whole, literal("UTF8"), type_=sa.LargeBinary())


def is_list(type_: Any) -> bool:
    """Whether a type is a list."""
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)


def _prefix(type_: GraphQLObjectType) -> str | None:
    entity = words.entity_of(type_)
    return entity.prefix if entity is not None else None


__all__ = ["TEXT", "Compiler", "Operation", "Rules", "place_in"]
