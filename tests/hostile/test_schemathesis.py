"""Every operation of the schema with arguments that schemathesis makes up, against a real process: nothing breaks.

    .venv/bin/pytest tests/hostile                                  4 examples of each: what a build runs
    WUSHE_TEST_PROFILE=thorough .venv/bin/pytest tests/hostile      50, by chance: four minutes of CPU

Those ask who may: the roles of the verb's `@may`, and for a query those that it shows anything. Some arguments stand in
the text and some travel as variables; some are made up, and some name what is there, so that a verb begins. What is
wrong with an argument, a state or a right is told by name; nothing is a 5xx, an INTERNAL, or says anything of how we
are made. `-s` prints what each operation answered.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
import schemathesis
from graphql import (
    REMOVE,
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    IntValueNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    parse,
    parse_type,
    print_ast,
    value_from_ast_untyped,
    visit,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes

from api.access_cells import Cells, How
from api.app import engine
from models.access import Role
from resolvers.engine import words
from tests.faults.conftest import THOROUGH, Town
from tests.faults.processes import Api
from tests.faults.test_hostile import LEAKS, RATES

EXAMPLES = 50 if THOROUGH else 4
CODES = re.compile(r"[A-Z][A-Z_]+")
ENGINE = engine(production=False)
SCHEMA = schemathesis.graphql.from_file(ENGINE.strawberry.as_str())
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())}


def _offsets(offset: int) -> timezone:
    return timezone(timedelta(minutes=offset))


SCALARS: dict[str, st.SearchStrategy[str]] = {
    "Date": st.dates(date(1, 1, 1), date(9999, 12, 31)).map(str) | st.text(),
    "DateTime": st.datetimes(
        datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.integers(-1439, 1439).map(_offsets)
    ).map(lambda at: at.isoformat())
    | st.text(),
    "Decimal": st.decimals().map(str) | st.integers().map(str) | st.text(),
    "Upload": st.text(),
}
for _name, _values in SCALARS.items():
    schemathesis.graphql.scalar(_name, _values.map(nodes.String))


@pytest.fixture(scope="module")
def api(here: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process with demo data, which has not had a bug when all is done."""
    made = Api(here.api_url, tmp_path_factory.mktemp("random") / "log", WUSHE_LOG="error", **RATES)
    try:
        asyncio.run(made.ready())
        yield made
    finally:
        made.kill()
    said = made.said()
    assert "Traceback" not in said and '"bug"' not in said, said[:5000]


@pytest.fixture(scope="module")
def client(api: Api) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api.url, timeout=30) as made:
        yield made


def looked_at(answer: httpx.Response, query: str) -> list[str]:
    """The codes of an answer's errors, if it is one that may be given to anybody."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:1000], query)
    said: dict[str, Any] = answer.json()
    errors = said.get("errors", [])
    codes = [e["extensions"]["code"] for e in errors]
    assert all(CODES.fullmatch(code) and code != "INTERNAL" for code in codes), (said, query)
    assert all(not e["message"].isascii() for e in errors), (said, query)
    told = json.dumps([{k: v for k, v in e["extensions"].items() if k != "detail"} for e in errors]).encode()
    details = " ".join(str(e["extensions"].get("detail", "")) for e in errors)
    assert not LEAKS.search(told), (said, query)
    assert not re.search(r"Traceback|\.py\b|asyncpg|pg_|sqlalchemy|object at 0x|site-packages", details), (said, query)
    return codes


NAMES = {
    **dict.fromkeys(("guardian", "minor", "subject", "staff", "persons", "socialWorker"), "person"),
    **dict.fromkeys(("foundation", "payeeOrganization"), "organization"),
    "community": "division",
    "category": "service_category",
    "donations": "donation",
    "donors": "donor",
    "payeeResident": "resident",
}
"""What is named by an argument of another name than its kind of id."""


PAGING = {"last": 0.8, "before": 0.8, "after": 0.5}
"""How often these are left out: with `first` they make no page, and no cursor that is made up is one."""


@pytest.fixture(scope="module")
def stock(here: Town) -> dict[str, list[str]]:
    """Some ids of what is there, by kind."""
    entities = [words.entity_of(t) for t in ENGINE.schema.type_map.values()]
    tables = {e.prefix: e.table.name for e in entities if e is not None and e.prefix is not None}

    async def read() -> dict[str, list[str]]:
        return {
            prefix: [f"{prefix}_{row['id']}" for row in await here.sql(f"SELECT id FROM {table} ORDER BY id LIMIT 10")]
            for prefix, table in tables.items()
        }

    return asyncio.run(read())


def field_of(label: str) -> GraphQLField:
    root, _, name = label.partition(".")
    found: GraphQLField = getattr(ENGINE.schema, f"{root.lower()}_type").fields[name]
    return found


@functools.cache
def cells(role: Role) -> Cells:
    return Cells(ENGINE, role)


def askers(label: str) -> list[Role]:
    """Who may: of a mutation, the roles of its verb; of a query, those that it shows anything."""
    field = field_of(label)
    word = words.word_of(field)
    if isinstance(word, words.Verb):
        may: frozenset[Role] = getattr(word.does, "may")  # noqa: B009  (a function has none by its type)
        return [role for role in Role if role in may]
    return [role for role in Role if cells(role).root(field).how is not How.NEVER]


class Rewriter(Visitor):
    """Makes of a document with values one whose values may travel as variables, and may be ids of what is there."""

    def __init__(self, info: TypeInfo, stock: Mapping[str, list[str]], chance: str) -> None:
        super().__init__()
        self.info, self.stock, self.random = info, stock, random.Random(chance)
        self.variables: dict[str, Any] = {}
        self.declared: list[VariableDefinitionNode] = []
        self.real = 0
        self.inside = 0
        """In how many fields one is: the first is the operation."""

    def enter_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        self.inside += 1
        if self.inside > 1 or node.selection_set is None:
            return None
        name = FieldNode(
            name=NameNode(value="__typename"), alias=NameNode(value="answered"), arguments=(), directives=()
        )
        chosen = SelectionSetNode(selections=(*node.selection_set.selections, name))
        return dataclasses.replace(node, selection_set=chosen)

    def leave_field(self, *_: Any) -> None:
        self.inside -= 1

    def leave_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> OperationDefinitionNode:
        return dataclasses.replace(node, variable_definitions=tuple(self.declared))

    def enter_value(
        self, node: StringValueNode | IntValueNode, key: Any, parent: Any, *_: Any
    ) -> StringValueNode | None:
        type_ = self.info.get_input_type()
        if type_ is None or get_named_type(type_).name != "ID" or self.random.random() < 0.3:
            return None
        self.real += 1
        return StringValueNode(value=self.an_id(getattr(parent, "name", None)))

    enter_string_value = enter_int_value = enter_value

    def an_id(self, given: NameNode | None) -> str:
        name = "" if given is None else given.value
        kind = NAMES.get(name, name)
        if name == "id" and (field := self.info.get_field_def()) is not None:
            word = words.word_of(field)
            outcome = (
                ENGINE.schema.type_map[word.outcome] if isinstance(word, words.Verb) else get_named_type(field.type)
            )
            entity = words.entity_of(outcome)
            kind = "" if entity is None else entity.prefix or ""
        return self.random.choice(self.stock.get(kind) or ["need_00000000-0000-0000-0000-000000000000"])

    def leave_argument(self, node: ArgumentNode, *_: Any) -> Any:
        if self.random.random() < PAGING.get(node.name.value, 0):
            return REMOVE
        declared: GraphQLArgument | None = self.info.get_argument()
        value: ValueNode = node.value
        if node.name.value == "idempotencyKey" and self.random.random() < 0.9:
            value = StringValueNode(value=f"key-{self.random.getrandbits(60)}")
        if node.name.value == "first" and self.random.random() < 0.7:
            value = IntValueNode(value=str(self.random.randint(1, 5)))
        if declared is not None and self.random.random() < 0.5:
            name = f"v{len(self.declared)}"
            self.variables[name] = value_from_ast_untyped(value)
            variable = VariableNode(name=NameNode(value=name))
            self.declared.append(
                VariableDefinitionNode(variable=variable, type=parse_type(str(declared.type)), directives=())
            )
            value = variable
        return None if value is node.value else dataclasses.replace(node, value=value)


def rewritten(text: str, stock: Mapping[str, list[str]], chance: str) -> tuple[str, dict[str, Any], int]:
    """The document as it is sent, its variables, and how many ids of what is there it names."""
    info = TypeInfo(ENGINE.schema)
    rewriter = Rewriter(info, stock, chance)
    document: DocumentNode = visit(parse(text), TypeInfoVisitor(info, rewriter))
    return print_ast(document), rewriter.variables, rewriter.real


SEEN: Counter[str] = Counter()
"""What all the examples of a run had."""


@pytest.mark.parametrize("label", OPERATIONS)
def test_operation(here: Town, client: httpx.Client, stock: dict[str, list[str]], label: str) -> None:
    seen: Counter[str] = Counter()
    roles = askers(label)
    assert roles, "nobody may"
    turns = itertools.count(sum(label.encode()))  # the same in every run

    @given(case=OPERATIONS[label].as_strategy(), chance=st.integers(0, 2**32))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=not THOROUGH,
    )
    def asks(case: Any, chance: int) -> None:
        turn = next(turns)  # another chance by itself: hypothesis says 0 half the time
        role = roles[turn % len(roles)]
        signed = here.tokens.get(role.slug)
        assert role is Role.PUBLIC or signed is not None, role
        headers = {} if signed is None else {"authorization": f"Bearer {signed}"}
        query, variables, real = rewritten(case.body, stock, f"{turn} {chance}")
        answer = client.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        codes = looked_at(answer, f"{query} {variables}")
        answered = next(iter((answer.json().get("data") or {}).values()), None) if not codes else None
        seen.update(codes or [answered["answered"] if isinstance(answered, dict) else "DATA"])
        SEEN.update({"examples": 1, "variables": bool(variables), "ids": bool(real), role.slug: 1})

    asks()
    SEEN.update(seen)
    print(label, dict(seen))


def test_they_were_asked_by_who_may_and_of_what_is_there() -> None:
    """Not that nothing breaks where nothing begins."""
    if not SEEN:
        pytest.skip("no operation was tried in this run")
    count = SEEN["examples"]
    print(dict(SEEN))
    assert SEEN["variables"] >= 0.6 * count and SEEN["ids"] >= 0.4 * count
    assert SEEN["Forbidden"] + SEEN["FORBIDDEN"] < 0.1 * count
