"""Documents, read once: parsed, measured, validated; and the keys under which their plans are kept."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    parse,
    validate,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues, get_variable_values

from resolvers.engine import limits, words
from resolvers.engine.garbage import cleared
from resolvers.engine.plans import sayable, storable
from resolvers.engine.variables import Quick

DOCUMENTS_TEXT = 16_000_000
"""Characters of documents that are kept."""


_serials = itertools.count()


class Refused(Exception):
    """A document that cannot be run: the errors to answer, and nothing else."""

    def __init__(self, errors: list[GraphQLError], *, variables: bool = False) -> None:
        self.errors = errors
        self.variables = variables
        """Whether it is the variables that do not fit, and not the document."""


def too_long(text: str | None) -> None:
    """Raises Refused for a text that is not worth its reading."""
    if text is not None and len(text) > limits.TEXT:
        raise Refused([limits.OverLimit(f"查询过长，最多 {limits.TEXT} 个字符。", "TOO_LONG")])


def shape(value: Any) -> Any:
    """Given or null; for input objects, key by key. Values and lengths of lists are no shape."""
    if value is None:
        return 0
    if isinstance(value, dict):
        return tuple(sorted((k, shape(v)) for k, v in value.items()))
    return 1


class Document:
    """One operation of a text: what it asks for, and what its plans depend on."""

    def __init__(
        self,
        schema: GraphQLSchema,
        text: str,
        name: str | None,
        *,
        introspection: bool,
        suggestions: bool,
        prefixes: frozenset[str],
    ) -> None:
        self.schema, self.prefixes = schema, prefixes
        self.serial = next(_serials)
        """Unlike `id`, never given to another document."""
        too_long(text)
        try:
            storable(text)
            self.node: DocumentNode = parse(text, max_tokens=limits.TOKENS)
        except GraphQLError as error:
            if "Parsing aborted" in error.message:  # graphql-core gives its own limits no other mark
                error = (
                    limits.OverLimit(f"查询过长，最多 {limits.TOKENS} 个词法单位。", "TOO_LONG")
                    if "tokens" in error.message
                    else limits.OverLimit("查询嵌套过深。", "TOO_DEEP")
                )
            raise Refused([error]) from None
        self.operation = self._chosen(name)
        self.kind = self.operation.operation
        self.measure = limits.Measure(schema, self.node)
        self.introspects = limits.only_introspects(self.operation)
        self._sizes: OrderedDict[Any, int] = OrderedDict()
        """What the operation costs, by the variables that say how long its lists are."""
        try:
            self._least = self.measure_with(None).cost
            if limits.Pairs(self.node).too_many:
                raise limits.OverLimit("查询里同名的字段过多，请合并。", "TOO_MANY_FIELDS")
        except limits.OverLimit as error:
            raise Refused([error]) from None
        errors = validate(schema, self.node, max_errors=20)
        if errors:
            errors = [_readable(e) for e in errors]
            raise Refused(errors if suggestions else [_without_suggestion(e) for e in errors])
        if not introspection and _introspects(self.node):
            raise Refused(
                [
                    GraphQLError(
                        "正式环境不提供结构自省，请查阅 schema.graphql。", extensions={"code": "INTROSPECTION_OFF"}
                    )
                ]
            )
        self.fragments = {n: FragmentDetails(d) for n, d in self.measure.fragments.items()}
        self.definitions = self.operation.variable_definitions or ()
        self.names = [d.variable.name.value for d in self.definitions]
        self.quick = Quick(schema, self.definitions)
        look = _Look(schema)
        visit(self.node, look.visitor())
        self.by_value = look.by_value
        """Variables whose values are part of a plan's key: those in directives, orders and constants."""
        self.by_prefix: set[str] = set()
        """Variables whose type prefix is part of a plan's key: ids given to `node`."""

    def _chosen(self, name: str | None) -> OperationDefinitionNode:
        operations = [d for d in self.node.definitions if isinstance(d, OperationDefinitionNode)]
        if name is not None:
            operations = [d for d in operations if d.name is not None and d.name.value == name]
            if not operations:
                raise Refused(
                    [GraphQLError(f"文档中没有名为“{name[:60]}”的操作。", extensions={"code": "UNKNOWN_OPERATION"})]
                )
        if len(operations) != 1:
            told = (
                "文档中没有可执行的操作。"
                if not operations
                else "文档含有多个操作，请用 operationName 指明执行哪一个。"
            )
            raise Refused([GraphQLError(told, extensions={"code": "UNKNOWN_OPERATION"})])
        return operations[0]

    def measure_with(self, variables: Mapping[str, Any] | None) -> limits.Size:
        """What the operation asks for with these variables, or at least. Raises OverLimit."""
        size = self.measure.operation(self.operation, variables)
        limits.check(size, self.measure.spreads, self.introspects)
        return size

    def limit(self, variables: Mapping[str, Any]) -> None:
        """Checks the limits that depend on variables; the same sizes are not measured twice."""
        sized = self.measure.sized
        if not sized:
            return
        key = self._sized(variables)
        if key not in self._sizes:
            self._sizes[key] = self.measure_with(variables).cost
            if len(self._sizes) > 200:
                self._sizes.popitem(last=False)

    def cost(self, variables: Mapping[str, Any]) -> int:
        """The points that the operation costs with these variables, whose limits were checked."""
        return self._sizes[self._sized(variables)] if self.measure.sized else self._least

    def _sized(self, variables: Mapping[str, Any]) -> tuple[int | None, ...]:
        return tuple(limits.whole(variables.get(n)) for n in sorted(self.measure.sized))

    def coerce(self, variables: Mapping[str, Any]) -> VariableValues:
        """The variables as the executor would coerce them. Raises Refused."""
        quick = self.quick(variables)
        if quick is not None:
            return quick
        found = get_variable_values(self.schema, self.definitions, variables)  # type: ignore[arg-type]
        if isinstance(found, list):
            for error in found:
                error.message = sayable(error.message)
            raise Refused(found, variables=True)
        return found

    def key(self, coerced: Mapping[str, Any], role: Any, strict: bool) -> Any:
        """What changes a plan's shape; nothing that merely says who asks."""
        shapes = tuple(
            [(1 if type(coerced[n]) is str else shape(coerced[n])) if n in coerced else 2 for n in self.names]
        )
        if not self.by_value and not self.by_prefix:
            return role, strict, shapes
        values = tuple([repr(coerced.get(n)) for n in sorted(self.by_value)])
        given = [str(coerced.get(n)).rpartition("_")[0] for n in sorted(self.by_prefix)]
        prefixes = tuple([p if p in self.prefixes else None for p in given])
        return role, strict, shapes, values, prefixes


class _Look(Visitor):
    """Finds the variables whose values are shape; checks that text literals can be stored."""

    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.by_value: set[str] = set()
        self.info = TypeInfo(schema)

    def visitor(self) -> Visitor:
        return TypeInfoVisitor(self.info, self)

    def enter_directive(self, node: Any, *_: Any) -> None:
        self.by_value.update(a.value.name.value for a in node.arguments or () if isinstance(a.value, VariableNode))

    def enter_argument(self, node: Any, *_: Any) -> None:
        field = self.info.get_field_def()
        if self.info.get_directive() is not None or field is None:
            return
        word = words.word_of(field)
        ordered = isinstance(word, words.Connection) and node.name.value == "order"
        if ordered or isinstance(word, words.Constant):
            self.by_value.update(_variables(node.value))


def _variables(node: Any) -> set[str]:
    if isinstance(node, VariableNode):
        return {node.name.value}
    inner = getattr(node, "values", None) or [f.value for f in getattr(node, "fields", None) or ()]
    return set().union(*[_variables(n) for n in inner]) if inner else set()


def _introspects(node: DocumentNode) -> bool:
    found = False

    class Find(Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            nonlocal found
            found = found or node.name.value in ("__schema", "__type")

    visit(node, Find())
    return found


def _readable(error: GraphQLError) -> GraphQLError:
    """An error of a literal that Python would not read, such as a number of 5,000 digits, as one of the document."""
    if error.original_error is None or isinstance(error.original_error, GraphQLError):
        return error
    return GraphQLError("A value cannot be read.", error.nodes, error.source, error.positions)


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    message = error.message.split(" Did you mean")[0]
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, error.original_error, error.extensions
    )


class Documents:
    """The documents that were read, the least used given up first."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool, suggestions: bool) -> None:
        self.schema, self.introspection, self.suggestions = schema, introspection, suggestions
        entities = [words.entity_of(type_) for type_ in schema.type_map.values()]
        self.prefixes = frozenset(e.prefix for e in entities if e is not None and e.prefix is not None)
        self._kept: OrderedDict[tuple[str, str | None], Document] = OrderedDict()
        self._size = 0

    def known(self, text: str, name: str | None) -> Document | None:
        """A document that was read before."""
        found = self._kept.get((text, name))
        if found is not None:
            self._kept.move_to_end((text, name))
        return found

    def get(self, text: str, name: str | None) -> Document:
        """A document, read now or before. Raises Refused; what is refused is not kept."""
        key = (text, name)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
            return found
        with cleared():
            made = Document(
                self.schema,
                text,
                name,
                introspection=self.introspection,
                suggestions=self.suggestions,
                prefixes=self.prefixes,
            )
        self._kept[key] = made
        self._size += len(text) + 2000
        while self._size > DOCUMENTS_TEXT:
            (old, _), _ = self._kept.popitem(last=False)
            self._size -= len(old) + 2000
        return made
