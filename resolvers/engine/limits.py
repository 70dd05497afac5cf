"""What an operation may ask for at most, measured before it is validated or compiled, in time linear in its text.

Each fragment is measured once, so a chain of fragments that doubles at each step costs no more than its text. The
walk runs before validation: it must survive cycles, unknown names and wrong values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from resolvers.engine import words

TOKENS = 1000
TEXT = 64_000
"""Characters of a document: comments and strings are no tokens, and are read at some 130 ns a character."""
DEPTH = 10
ALIASES = 15
COST = 1000
FIELDS = 1500
"""Fields after fragments are expanded: the size of the statement."""
SPREADS = 60
"""Fragment spreads: validation compares their fields pairwise."""
PAIRS = 5000
"""Pairs of fields that answer under one name: validation compares each (graphql-core's OverlappingFieldsCanBeMerged, some
9 µs a pair), so that a thousand tokens could cost a third of a second."""
INTROSPECTION_DEPTH = 20
TOP = 10**9


class OverLimit(GraphQLError):
    """An operation asks for more than is allowed."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message, extensions={"code": code})


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """What an operation asks for."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    cost: int = 0
    """Points: one for each row that is read or related, times the sizes of the lists around it."""


class Measure:
    """The sizes of one document's operations."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self.schema = schema
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.sized: set[str] = set()
        """Variables that say how long a list is."""
        self.spreads = 0

    def operation(self, node: OperationDefinitionNode, variables: Mapping[str, Any] | None) -> Size:
        """What one operation asks for, with these variables; without any, what it asks for at least."""
        self.variables = None if variables is None else {**_defaults(node), **variables}
        self.memo: dict[str, Size] = {}
        self.open: set[str] = set()
        self.spreads = 0
        roots = {
            OperationType.QUERY: self.schema.query_type,
            OperationType.MUTATION: self.schema.mutation_type,
            OperationType.SUBSCRIPTION: self.schema.subscription_type,
        }
        return self._of(node.selection_set.selections, roots[node.operation])

    def _of(self, selections: Any, type_: Any) -> Size:
        depth = aliases = fields = cost = 0
        for node in selections:
            match node:
                case FieldNode():
                    size = self._field(node, type_)
                case InlineFragmentNode():
                    on = node.type_condition
                    size = self._of(
                        node.selection_set.selections, self.schema.type_map.get(on.name.value) if on else type_
                    )
                case FragmentSpreadNode():
                    self.spreads += 1
                    size = self._fragment(node.name.value)
                case _:
                    continue
            depth = max(depth, size.depth)
            aliases = min(aliases + size.aliases, TOP)
            fields = min(fields + size.fields, TOP)
            cost = min(cost + size.cost, TOP)
        return Size(depth, aliases, fields, cost)

    def _fragment(self, name: str) -> Size:
        found = self.memo.get(name)
        if found is None:
            fragment = self.fragments.get(name)
            if fragment is None or name in self.open:
                return Size()  # validation will say so
            self.open.add(name)
            on = self.schema.type_map.get(fragment.type_condition.name.value)
            found = self.memo[name] = self._of(fragment.selection_set.selections, on)
            self.open.discard(name)
        return found

    def _field(self, node: FieldNode, type_: Any) -> Size:
        aliased = node.alias is not None
        if node.selection_set is None:
            return Size(1, aliased, 1, 0)
        field = getattr(type_, "fields", {}).get(node.name.value)
        inner = self._of(node.selection_set.selections, get_named_type(field.type) if field else None)
        own, times = self._weight(node, field)
        cost = min(own + times * inner.cost, TOP)
        return Size(inner.depth + 1, min(inner.aliases + aliased, TOP), min(inner.fields + 1, TOP), cost)

    def _weight(self, node: FieldNode, field: Any) -> tuple[int, int]:
        """(points of the field itself, how often what is inside it counts)."""
        word = words.word_of(field) if field is not None else None
        match word:
            case words.Many() | words.Connection() | words.Listing():
                size = self._listed(node, word)
                return 1 + size, size
            case words.Report():
                return 1 + word.size, word.size
            case words.One() | words.Variant() | words.ById() | words.Single() | words.Change() | words.Subject():
                return 1, 1
            case words.Verb():
                return 10, 1
        return 0, 1

    def _listed(self, node: FieldNode, word: words.Many | words.Connection | words.Listing) -> int:
        most = word.maximum if isinstance(word, words.Connection) else word.limit
        values = [a.value for a in node.arguments or () if a.name.value in ("first", "last")]
        self.sized.update(v.name.value for v in values if isinstance(v, VariableNode))  # each, whichever has a value
        for value in values:
            given: int | None = None
            if isinstance(value, IntValueNode) and len(value.value) < 10:
                given = int(value.value)
            elif isinstance(value, VariableNode):
                if self.variables is None:
                    return 1
                given = whole(self.variables.get(value.name.value))
            if given is not None:
                return max(1, min(given, most))
        return word.default


class Pairs:
    """How many pairs of fields validation compares in a document: at most, and in time linear in what it merges.

    Fields of one name are merged, and so is what they select; of n that meet in one place there are n(n-1)/2 pairs.
    Every definition counts, since every one is validated, used or not.
    """

    def __init__(self, document: DocumentNode) -> None:
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.count = self.seen = 0
        for definition in document.definitions:
            selected = getattr(definition, "selection_set", None)
            if selected is not None:
                self._merged([selected], 0)

    @property
    def too_many(self) -> bool:
        return self.count > PAIRS or self.seen > PAIRS

    def _merged(self, together: list[SelectionSetNode], depth: int) -> None:
        by_name: dict[str, list[FieldNode]] = {}
        spread: set[str] = set()
        while together:
            for node in together.pop().selections:
                self.seen += 1
                match node:
                    case FieldNode():
                        by_name.setdefault((node.alias or node.name).value, []).append(node)
                    case InlineFragmentNode():
                        together.append(node.selection_set)
                    case FragmentSpreadNode():
                        name = node.name.value
                        if name not in spread and name in self.fragments:
                            spread.add(name)
                            together.append(self.fragments[name].selection_set)
        for fields in by_name.values():
            self.count += len(fields) * (len(fields) - 1) // 2
            inside = [f.selection_set for f in fields if f.selection_set is not None]
            if inside and not self.too_many and depth < 100:  # what goes on and on is left to validation
                self._merged(inside, depth + 1)


def whole(value: Any) -> int | None:
    """A variable's value as the Int that it will be coerced to: JSON may write 20 as 20.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _defaults(node: OperationDefinitionNode) -> dict[str, Any]:
    return {
        d.variable.name.value: int(d.default_value.value)
        for d in node.variable_definitions or ()
        if isinstance(d.default_value, IntValueNode) and len(d.default_value.value) < 10
    }


def only_introspects(node: OperationDefinitionNode) -> bool:
    """Whether an operation asks for nothing but the schema."""
    names = [s.name.value for s in node.selection_set.selections if isinstance(s, FieldNode)]
    return len(names) == len(node.selection_set.selections) and set(names) <= {"__schema", "__type", "__typename"}


def check(size: Size, spreads: int, introspects: bool) -> None:
    """Raises OverLimit, by name."""
    depth = INTROSPECTION_DEPTH if introspects else DEPTH
    if size.depth > depth:
        raise OverLimit(f"查询嵌套 {_said(size.depth)} 层，最多 {depth} 层。", "TOO_DEEP")
    if size.aliases > ALIASES:
        raise OverLimit(f"查询用了 {_said(size.aliases)} 个别名，最多 {ALIASES} 个。", "TOO_MANY_ALIASES")
    if spreads > SPREADS:
        raise OverLimit(f"查询引用了 {_said(spreads)} 次片段，最多 {SPREADS} 次。", "TOO_MANY_FRAGMENTS")
    if size.fields > FIELDS:
        raise OverLimit(f"查询展开后有 {_said(size.fields)} 个字段，最多 {FIELDS} 个。", "TOO_MANY_FIELDS")
    if size.cost > COST:
        raise OverLimit(
            f"查询需要 {_said(size.cost)} 点，每次最多 {COST} 点：请减少每页条数或嵌套的列表。", "TOO_EXPENSIVE"
        )


def _said(n: int) -> str:
    return "超过十亿" if n >= TOP else str(n)
