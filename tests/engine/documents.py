"""Random documents over the small domain: what hypothesis-graphql writes, made to be like what people write.

It writes no variables, directives, named fragments, aliases or second operations, its ids, cursors and sizes fit no
row, and it seldom goes into a list: all of that is put in here, by chance drawn from one seed.
"""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from typing import Any

import hypothesis_graphql
from graphql import (
    ArgumentNode,
    BooleanValueNode,
    DirectiveNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentSpreadNode,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Undefined,
    VariableNode,
    Visitor,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    parse,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from tests.engine import reference
from tests.engine.rows import NOW, WORDS, World
from tests.engine.tables import Actor, Role

OFFSETS = ("+08:00", "Z", "-05:30")
SCALARS = {
    "DateTime": st.builds(
        lambda days, offset: nodes.String((NOW + timedelta(days)).replace(tzinfo=None).isoformat() + offset),
        st.integers(-4000, 4000),
        st.sampled_from(OFFSETS),
    ),
    "Date": st.integers(-4000, 4000).map(lambda d: nodes.String((NOW + timedelta(d)).date().isoformat())),
    "Decimal": st.decimals(-1000, 1000, places=2).map(lambda d: nodes.String(format(d, "f"))),
}


CONDITIONS = ("state", "kinds", "urgent", "mine", "pledged", "urgencyMin", "weightMin", "priceMax", "titleHas", "due", "atAfter", "ids", "asker")  # fmt: skip


def plain(schema: Any) -> st.SearchStrategy[str]:
    """Documents as hypothesis-graphql writes them."""
    return hypothesis_graphql.queries(schema.as_str(), custom_scalars=SCALARS, allow_x00=False)


def cursors(oracle: GraphQLSchema, world: World) -> dict[str, list[str]]:
    """Real cursors: by the order's name for tasks, by the type of the item for the rest."""
    every = Actor(Role.STAFF, path="")
    asked = " ".join(f"{o}: tasks(first: 60, order: {o}) {{ edges {{ cursor }} }}" for o in reference.ORDERS)
    asked += " PledgeConnection: pledges { edges { cursor } } PersonConnection: people { edges { cursor } }"
    asked += " TeamConnection: places(first: 1) { teams { edges { cursor } } }"
    data = reference.run(oracle, world.rows, every, "{" + asked + "}").data
    data["TeamConnection"] = data["TeamConnection"][0]["teams"]
    return {name: [edge["cursor"] for edge in page["edges"]] for name, page in data.items()}


def snippet(name: str) -> NameNode:
    return NameNode(value=name)


class Writer:
    """One document, made lifelike."""

    OTHER = "kinds { said }"
    """What a second operation asks for."""

    def __init__(self, schema: GraphQLSchema, world: World, real: dict[str, list[str]], seed: int) -> None:
        self.schema, self.world, self.real, self.seed = schema, world, real, seed
        self.r = random.Random()
        self.definitions: list[str] = []
        self.values: dict[str, Any] = {}
        self.fragments: list[str] = []
        self.features: set[str] = set()
        self.again: dict[str, Any] = {}
        """Other values for the variables that are given: the same shape, so the same plan."""

    def some(self, share: float) -> bool:
        return self.r.random() < share

    def write(self, text: str) -> tuple[str, dict[str, Any], str | None]:
        """(text, variables, operation name)."""
        self.r.seed(f"{self.seed} {text}")
        info = TypeInfo(self.schema)
        document = visit(parse(text), TypeInfoVisitor(info, _Real(self, info)))
        info = TypeInfo(self.schema)
        document = visit(document, TypeInfoVisitor(info, _Rich(self, info)))
        asked = print_ast(document.definitions[0].selection_set)
        defined = f"({', '.join(self.definitions)})" if self.definitions else ""
        parts, name = [f"query{defined} {asked}", *self.fragments], None
        if self.some(0.2):
            self.features.add("operations")
            parts[0] = parts[0].replace("query", "query Asked", 1)
            parts.append(f"query Other {{ {self.OTHER} __typename }}")
            name = "Asked"
        self.r.shuffle(parts)
        return "\n".join(parts), self.values, name

    # values

    def real_arguments(self, field: Any, node: FieldNode) -> list[ArgumentNode]:
        """Arguments that mostly fit: few, with pages of some rows, real ids and cursors."""
        given = {a.name.value: a.value for a in node.arguments or () if self.some(0.6) or _required(field, a)}
        if "first" in field.args and "last" in given and self.some(0.9):
            given.pop("first", None)
        elif "first" in field.args and "first" not in given and self.some(0.8):
            given["first"] = IntValueNode(value="1")
        order = given.get("order")
        tag = order.value if isinstance(order, EnumValueNode) else self.default_order(field)
        kind = tag if "order" in field.args else get_named_type(field.type).name
        arguments = {name: self.real_value(name, value, kind) for name, value in given.items()}
        if "filter" in field.args and self.some(0.5):
            arguments["filter"] = self.a_filter()
        if "id" in arguments and self.some(0.9):
            arguments["id"] = StringValueNode(value=self.an_id(get_named_type(field.type), node))
        return [ArgumentNode(name=snippet(name), value=value) for name, value in arguments.items()]

    def a_filter(self) -> ObjectValueNode:
        """A filter with some conditions."""
        names = self.r.sample(CONDITIONS, self.r.randrange(1, 4))
        fields = [ObjectFieldNode(name=snippet(n), value=self.real_value(n, StringValueNode(value="A"))) for n in names]
        return ObjectValueNode(fields=tuple(fields))

    def an_id(self, type_: Any, node: FieldNode) -> str:
        """The id of a row of a type that the selection looks into."""
        inner = [
            s.type_condition.name.value for s in node.selection_set.selections if isinstance(s, InlineFragmentNode)
        ]
        kinds = [k.lower() for k in inner] if is_abstract_type(type_) else [type_.name.lower()]
        fit = [i for i in self.world.ids if i.partition("_")[0] in kinds]
        return self.r.choice(fit or self.world.ids)

    def chosen(self, type_: Any, depth: int) -> SelectionSetNode:
        """Some fields of a type."""
        if is_abstract_type(type_):
            (one,) = self.r.sample(self.schema.get_possible_types(type_), 1)
            on = NamedTypeNode(name=snippet(one.name))
            inline = InlineFragmentNode(type_condition=on, selection_set=self.chosen(one, depth))
            return SelectionSetNode(selections=(FieldNode(name=snippet("__typename")), inline))
        names = [n for n, f in type_.fields.items() if depth or is_leaf_type(get_named_type(f.type))]
        fields = []
        for name in self.r.sample(names, min(len(names), self.r.randrange(1, 5))):
            field = type_.fields[name]
            named = get_named_type(field.type)
            first = ArgumentNode(name=snippet("first"), value=IntValueNode(value=str(self.r.randrange(1, 5))))
            fields.append(
                FieldNode(
                    name=snippet(name),
                    arguments=(first,) if "first" in field.args else (),
                    selection_set=None if is_leaf_type(named) else self.chosen(named, depth - 1),
                )
            )
        return SelectionSetNode(selections=tuple(fields))

    def default_order(self, field: Any) -> str:
        argument = field.args.get("order")
        return argument.default_value.name if argument is not None else ""

    def real_value(self, name: str, value: Any, kind: str = "") -> Any:
        """A value for an argument or an input field, mostly one that fits."""
        r = self.r
        if name in ("howOften", "howPolite"):
            return IntValueNode(value=str(r.randrange(4)))
        if (isinstance(value, NullValueNode) and self.some(0.7)) or self.some(0.03):
            return value
        match name:
            case "first" | "last":
                return IntValueNode(
                    value=str(r.choice((1, 1, 2, 2, 3, 4, 7, 0, -1, 101) if self.some(0.1) else (1, 2, 3, 4)))
                )
            case "order":
                return (
                    EnumValueNode(value=r.choice(list(reference.ORDERS))) if isinstance(value, EnumValueNode) else value
                )
            case "id" | "asker":
                return StringValueNode(value=r.choice(self.world.ids))
            case "ids":
                return ListValueNode(
                    values=tuple(StringValueNode(value=r.choice(self.world.ids)) for _ in range(r.randrange(4)))
                )
            case "after" | "before":
                known = self.real.get(kind) if self.some(0.9) else r.choice(list(self.real.values()))
                return StringValueNode(value=r.choice(known)) if known else value
            case "state" | "kinds":
                of = ("OPEN", "DONE", "LOST") if name == "state" else ("LIFT", "READ", "COOK")
                return ListValueNode(values=tuple(EnumValueNode(value=v) for v in r.sample(of, r.randrange(4))))
            case "urgent" | "mine" | "pledged":
                return BooleanValueNode(value=self.some(0.5))
            case "urgencyMin" | "minUrgency":
                return IntValueNode(value=str(r.randrange(4)))
            case "weightMin":
                return FloatValueNode(value=r.choice(("0.1", "0.0", "1e300", "-2")))
            case "priceMax":
                return StringValueNode(value=r.choice(("1.5", "3.99", "2")))
            case "titleHas":
                return StringValueNode(value=r.choice((*WORDS, "\x00")))
            case "due":
                return StringValueNode(value=f"2026-11-0{r.randrange(1, 4)}")
            case "atAfter":
                return StringValueNode(value=(NOW + timedelta(days=r.randrange(-3, 3))).isoformat())
        return value

    def variable(self, type_: Any, called: str, value: Any, default: Any) -> VariableNode | None:
        """A variable in the place of what `called` is given: given, null, absent, or by its default."""
        name = f"v{len(self.definitions)}"
        optional = not isinstance(type_, GraphQLNonNull) or default
        told = str(type_)
        if optional and isinstance(type_, GraphQLNonNull) and self.some(0.7):
            told = told[:-1]  # a nullable variable where the argument has a default
        nullable = not told.endswith("!")
        way = self.r.choice(("given", "given", "null", "absent", "default", "overridden"))
        if (way in ("null", "absent") and not nullable) or isinstance(value, NullValueNode):
            way = "given"
        if isinstance(value, NullValueNode) and not nullable:
            return None
        literal = print_ast(value)
        if "$" in literal:
            return None
        plain = value_from_ast_untyped(value)
        defined = f"${name}: {told}"
        match way:
            case "given":
                self.values[name] = plain
            case "null":
                self.values[name] = None
            case "default":
                defined += f" = {literal}"
            case "overridden":
                defined += f" = {literal}"
                self.values[name] = plain if not nullable or self.some(0.5) else None
        self.definitions.append(defined)
        self.features |= {"variables", f"variable {way}"}
        if self.values.get(name) is not None:
            other = self.real_value(called, value)
            self.again[name] = self.values[name] if isinstance(other, NullValueNode) else value_from_ast_untyped(other)
        return VariableNode(name=snippet(name))

    def directives(self) -> tuple[DirectiveNode, ...]:
        """@skip or @include, by a literal or a variable."""
        self.features.add("directives")
        value: Any = BooleanValueNode(value=self.some(0.5))
        if self.some(0.8):
            name = f"v{len(self.definitions)}"
            self.definitions.append(f"${name}: Boolean!" + (" = true" if self.some(0.3) else ""))
            if not self.definitions[-1].endswith("true") or self.some(0.5):
                self.values[name] = value.value
                self.again[name] = not value.value
            value = VariableNode(name=snippet(name))
        kind = self.r.choice(("skip", "include"))
        return (DirectiveNode(name=snippet(kind), arguments=(ArgumentNode(name=snippet("if"), value=value),)),)


def _required(field: Any, argument: ArgumentNode) -> bool:
    found = field.args[argument.name.value]
    return isinstance(found.type, GraphQLNonNull) and argument.name.value == "id"


class _Real(Visitor):
    """Puts values in that fit."""

    def __init__(self, writer: Writer, info: TypeInfo) -> None:
        super().__init__()
        self.writer, self.info = writer, info

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        if node.name.value in ("shouted", "summary") and self.writer.some(0.8):
            return dataclasses.replace(node, name=snippet("title"), arguments=())  # or the fast path is seldom taken
        field = self.info.get_field_def()
        if field is None or not field.args:
            return None
        return dataclasses.replace(node, arguments=tuple(self.writer.real_arguments(field, node)))

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> Any:
        """Into the lists, and some fields more."""
        type_, writer = self.info.get_parent_type(), self.writer
        if not isinstance(type_, GraphQLObjectType) or type_.name == "Query":
            return None
        more: tuple[Any, ...] = ()
        if type_.name.endswith("Connection") and writer.some(0.6):
            edge = get_named_type(type_.fields["edges"].type)
            inside = FieldNode(name=snippet("node"), selection_set=writer.chosen(edge.fields["node"].type.of_type, 2))
            cursor = (FieldNode(name=snippet("cursor")),) if writer.some(0.5) else ()
            edges = SelectionSetNode(selections=(inside, *cursor))
            more = (FieldNode(name=snippet("edges"), selection_set=edges),)
        elif "id" in type_.fields and writer.some(0.3):
            more = tuple(
                dataclasses.replace(s, alias=snippet(f"more{n}")) if s.arguments else s
                for n, s in enumerate(writer.chosen(type_, 2).selections)
            )
        return dataclasses.replace(node, selections=(*node.selections, *more)) if more else None

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> Any:
        return dataclasses.replace(node, value=self.writer.real_value(node.name.value, node.value))


class _Rich(Visitor):
    """Puts variables, directives, aliases and fragments in."""

    def __init__(self, writer: Writer, info: TypeInfo) -> None:
        super().__init__()
        self.writer, self.info = writer, info

    def enter_field(self, node: FieldNode, *_: Any) -> Any:
        """Some arguments that are not given are given as variables that are not, as clients do."""
        field, given = self.info.get_field_def(), {a.name.value for a in node.arguments or ()}
        more = []
        for name, argument in (field.args if field is not None else {}).items():
            if name not in given and not isinstance(argument.type, GraphQLNonNull) and self.writer.some(0.1):
                way = self.writer.r.choice(("null", "absent"))
                variable = f"v{len(self.writer.definitions)}"
                self.writer.definitions.append(f"${variable}: {argument.type}")
                if way == "null":
                    self.writer.values[variable] = None
                self.writer.features |= {"variables", f"variable {way}"}
                more.append(ArgumentNode(name=snippet(name), value=VariableNode(name=snippet(variable))))
        return dataclasses.replace(node, arguments=(*(node.arguments or ()), *more)) if more else None

    def leave_argument(self, node: ArgumentNode, *_: Any) -> Any:
        if self.info.get_directive() is None and self.writer.some(0.35):
            found = self.info.get_argument()
            made = self.writer.variable(
                found.type,
                node.name.value,
                node.value,
                (found.ast_node and found.ast_node.default_value) or _has_default(found),
            )
            if made is not None:
                return dataclasses.replace(node, value=made)
        return None

    def leave_object_field(self, node: ObjectFieldNode, *_: Any) -> Any:
        if self.writer.some(0.9):
            parent = get_named_type(self.info.get_parent_input_type() or self.info.get_input_type())
            type_ = self.info.get_input_type()
            if isinstance(parent, GraphQLInputObjectType) or type_ is not None:
                made = self.writer.variable(type_, node.name.value, node.value, None)
                if made is not None:
                    self.writer.features.add("variables in inputs")
                    return dataclasses.replace(node, value=made)
        return None

    def leave_field(self, node: FieldNode, *_: Any) -> Any:
        return dataclasses.replace(node, directives=self.writer.directives()) if self.writer.some(0.08) else None

    def leave_inline_fragment(self, node: InlineFragmentNode, *_: Any) -> Any:
        return dataclasses.replace(node, directives=self.writer.directives()) if self.writer.some(0.1) else None

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> Any:
        writer, type_ = self.writer, self.info.get_parent_type()
        out: list[Any] = list(node.selections)
        for n, field in enumerate(list(out)):
            if isinstance(field, FieldNode) and writer.some(0.06):
                writer.features.add("aliases")
                name = writer.r.choice((f"z{n}", f"z{n}", "__t", "__error", "id_"))
                out.append(dataclasses.replace(field, alias=snippet(name)))
            elif isinstance(field, FieldNode) and writer.some(0.06):
                writer.features.add("merged")
                out.append(field)
        if type_ is None:
            return None
        if writer.some(0.08):
            out.append(FieldNode(name=snippet("__typename")))
        if isinstance(type_, GraphQLObjectType) and type_.interfaces and writer.some(0.15):
            on = writer.r.choice(type_.interfaces)
            out.append(self.spread(on, self.inside(on)))
        if writer.some(0.12) and not any(isinstance(s, FragmentSpreadNode) for s in out):
            kept = out[:1] if writer.some(0.5) else []
            out = [*kept, self.spread(type_, tuple(out))]
        return dataclasses.replace(node, selections=tuple(out))

    def inside(self, on: GraphQLInterfaceType) -> tuple[Any, ...]:
        """A selection on an interface."""
        leaf = next((n for n, f in on.fields.items() if not f.args), None)
        if leaf is not None:
            return (FieldNode(name=snippet(leaf)),)
        first = ArgumentNode(name=snippet("first"), value=IntValueNode(value="2"))
        total = SelectionSetNode(selections=(FieldNode(name=snippet("totalCount")),))
        return (FieldNode(name=snippet("tasks"), alias=snippet("counted"), arguments=(first,), selection_set=total),)

    def spread(self, type_: Any, selections: tuple[Any, ...]) -> Any:
        """The selections as a named fragment, or an inline one."""
        writer = self.writer
        directives = writer.directives() if writer.some(0.1) else ()
        chosen = SelectionSetNode(selections=selections)
        if writer.some(0.2):
            on = NamedTypeNode(name=snippet(type_.name)) if writer.some(0.5) else None
            return InlineFragmentNode(type_condition=on, directives=directives, selection_set=chosen)
        writer.features.add("fragments")
        name = f"F{len(writer.fragments)}"
        writer.fragments.append(f"fragment {name} on {type_.name} {print_ast(chosen)}")
        return FragmentSpreadNode(name=snippet(name), directives=directives)


def _has_default(argument: Any) -> bool:
    return argument.default_value is not Undefined
