"""Variables, coerced as graphql-core coerces them; only what never changes is done once, when the document is read.

graphql-core looks at each definition's type and default anew for each request, which costs more than the values do.
Whatever is out of the ordinary (a wrong value, a default) is left to graphql-core itself, and so are its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphql import GraphQLNonNull, GraphQLSchema, Undefined, VariableDefinitionNode, is_leaf_type
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, input_is_nested_too_deeply
from graphql.utilities import coerce_input_value


class Known(NamedTuple):
    """A definition that was looked at: its values are coerced by `read`, which raises or answers Undefined."""

    name: str
    signature: GraphQLVariableSignature
    nullable: bool
    read: Callable[[Any], Any]


class Quick:
    """Coerces the variables of one operation."""

    def __init__(self, schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> None:
        self.known: list[Known] = []
        for definition in definitions:
            signature = get_variable_signature(schema, definition)
            assert isinstance(signature, GraphQLVariableSignature), "the document was validated"
            type_ = signature.type
            nullable = not isinstance(type_, GraphQLNonNull)
            inner: Any = type_ if nullable else type_.of_type  # type: ignore[union-attr]
            read = inner.coerce_input_value if is_leaf_type(inner) else _reader(inner)
            self.known.append(Known(definition.variable.name.value, signature, nullable, read))

    def __call__(self, given: Mapping[str, Any]) -> VariableValues | None:
        """The values; None where graphql-core has to say what is wrong, or to apply a default."""
        sources: dict[str, VariableValueSource] = {}
        coerced: dict[str, Any] = {}
        for name, signature, nullable, read in self.known:
            if name in given:
                value = given[name]
                sources[name] = VariableValueSource(signature, value)
                if value is not None:
                    try:
                        coerced[name] = found = read(value)
                    except Exception:
                        return None
                    if found is Undefined:
                        return None
                    continue
                coerced[name] = None
            elif signature.default is not None:
                return None
            else:
                sources[name] = VariableValueSource(signature)
            if not nullable:
                return None
        return VariableValues(sources, coerced)


def _reader(type_: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        return Undefined if input_is_nested_too_deeply(value, type_) else coerce_input_value(value, type_)

    return read
