"""Random documents over the whole schema and the demo data: the fast and the standard path answer the same."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import Any

import asyncpg
import hypothesis_graphql
import orjson
import pytest
from graphql import (
    ArgumentNode,
    EnumValueNode,
    FieldNode,
    GraphQLError,
    GraphQLNonNull,
    IntValueNode,
    NullValueNode,
    StringValueNode,
    Undefined,
    get_named_type,
    parse,
    validate,
)
from hypothesis import Phase, given, note, seed, settings
from hypothesis import strategies as st

from api.app import engine as build_engine
from models import vault
from models.access import Actor
from resolvers.context import asker, replaced
from resolvers.engine import words
from resolvers.engine.documents import Refused
from resolvers.engine.engine import Engine, Request
from resolvers.engine.plans import Run
from tests.conftest import NOW
from tests.demo import Demo
from tests.engine import documents
from tests.engine.conftest import Reads, differences, keys

ROLES = ("community-staff", "volunteer", "ngo-staff", "fund-maker", "district-viewer", "public")
PARTS = 2
EXAMPLES = (3 * settings.default.max_examples) // 5
"""For each part: 30 in CI, 300 when thorough."""
THOROUGH = EXAMPLES > 30
SHARES = {"fast": 0.6, "rows": 0.2, "variables": 0.2, "fragments": 0.1, "directives": 0.05, "aliases": 0.05}
"""What at least so many of the examples must have had, not to compare nothing."""
SPARE = 1 if THOROUGH else 3
"""Few examples, with the ids of this run's data, scatter: so many times as many are tried for the same counts."""
NEEDS_PYTHON = ("__schema", "__type(")
TEXTS = {
    "from": ("2025-11-01", "2026-06-01"),
    "to": ("2026-11-01", "2026-11-30"),
    "category": ("ELDERLY", "ELDERLY.ESCORT", "CHILDCARE"),
    "under": ("2101", "210103", "210103005024"),
    "areaCode": ("2101", "210103", "210103005024"),
    "serves": ("210103005024",),
    "titleContains": ("陪", "%", "_"),
    "nameContains": ("社区", "基金"),
    "search": ("陪诊", "laoren", "lr", "%"),
    "name": ("NeedStatus", "Role"),
}
"""Values that fit rows, by the argument's name."""


@dataclasses.dataclass(slots=True)
class Opening(Request):
    """A request that opens what is sealed, and writes nothing about it."""

    held: vault.Keys

    async def unmark(self, text: bytes) -> bytes:
        return replaced(text, self.held, {}, set(), "/files/{}".format)


class Stock:
    """What of the demo has a name: ids by prefix, hidden ones among them, and cursors by list and order."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        entities = [words.entity_of(t) for t in engine.schema.type_map.values()]
        self.tables = {e.prefix: e.table.name for e in entities if e is not None and e.prefix is not None}
        self.ids: dict[str, list[str]] = {}
        self.cursors: dict[tuple[str, str], list[str]] = {}

    async def fill(self, demo: Demo, reads: Reads) -> None:
        owner = await asyncpg.connect(demo.owner)
        try:
            for prefix, table in self.tables.items():
                found = await owner.fetch(f"SELECT id FROM {table} ORDER BY id LIMIT 25")
                self.ids[prefix] = [f"{prefix}_{row[0]}" for row in found]
            self.held = await vault.load(owner)
        finally:
            await owner.close()
        actor = demo.actors["community-staff"]
        assert self.engine.schema.query_type is not None
        for name, field in self.engine.schema.query_type.fields.items():
            if isinstance(words.word_of(field), words.Connection):
                for order in get_named_type(field.args["order"].type).values if "order" in field.args else ("",):
                    given = f", order: {order}" if order else ""
                    if order == "NEAREST":
                        given += ", filter: {near: {latitude: 41.8, longitude: 123.43}}"
                    asked = f"{{ found: {name}(first: 5{given}) {{ edges {{ cursor }} }} }}"
                    request = Opening(asked, {}, None, actor, asker(actor, NOW), reads, self.held)
                    answer: Any = await self.engine.answer(request)
                    edges = orjson.loads(answer)["data"]["found"]["edges"]
                    key = (get_named_type(field.type).name, order)
                    self.cursors.setdefault(key, []).extend(edge["cursor"] for edge in edges)


class Writer(documents.Writer):
    """Documents over this schema."""

    OTHER = "problems { code }"

    def __init__(self, stock: Stock, chance: int) -> None:
        super().__init__(stock.engine.schema, None, {}, chance)  # type: ignore[arg-type]
        self.stock = stock

    def real_arguments(self, field: Any, node: FieldNode) -> list[ArgumentNode]:
        """Few, with pages of some rows, real ids and cursors."""
        needed = {
            n for n, a in field.args.items() if isinstance(a.type, GraphQLNonNull) and a.default_value is Undefined
        }
        kept = {"after": 0.15, "before": 0.15, "filter": 0.4}
        given = {
            a.name.value: a.value
            for a in node.arguments or ()
            if a.name.value in needed or self.some(kept.get(a.name.value, 0.6))
        }
        if "first" in field.args:
            backward = "last" in given and self.some(0.9)
            given.pop("first" if backward else "last", None)
            given.setdefault("last" if backward else "first", IntValueNode(value="2"))
        order = given.get("order")
        named = order.value if isinstance(order, EnumValueNode) else ""
        if "order" in field.args and not named:
            named = field.args["order"].default_value.name
        page = (get_named_type(field.type).name, named)
        out = []
        for name, value in given.items():
            if name in ("after", "before"):
                known = self.stock.cursors.get(page) or [""]
                value = StringValueNode(value=self.r.choice(known))
            elif name == "id" and self.some(0.9):
                value = StringValueNode(value=self.an_id(get_named_type(field.type), node))
            else:
                value = self.real_value(name, value)
            out.append(ArgumentNode(name=documents.snippet(name), value=value))
        return out

    def an_id(self, type_: Any, node: FieldNode) -> str:
        entity = words.entity_of(type_)
        kinds = [entity.prefix] if entity is not None else list(self.stock.ids)
        return self.r.choice(self.stock.ids.get(self.r.choice(kinds) or "") or ["need_0"])

    def real_value(self, name: str, value: Any, kind: str = "") -> Any:
        if isinstance(value, NullValueNode):
            return value
        if name in ("first", "last"):
            sizes = (0, -1, 101, 7) if self.some(0.05) else (1, 2, 3, 4)
            return IntValueNode(value=str(self.r.choice(sizes)))
        if name == "months":
            return IntValueNode(value=str(self.r.choice((1, 3, 12, 0))))
        if name in self.stock.ids:
            return StringValueNode(value=self.r.choice(self.stock.ids[name] or ["need_0"]))
        if name in TEXTS and isinstance(value, StringValueNode):
            return StringValueNode(value=self.r.choice(TEXTS[name]))
        return value


class Comparison:
    """What the examples of one test are asked of, and what they had in them."""

    def __init__(self, engine: Engine, demo: Demo) -> None:
        self.engine, self.demo, self.stock = engine, demo, Stock(engine)
        self.seen: collections.Counter[str] = collections.Counter()
        self.runner = asyncio.Runner()

    def __enter__(self) -> Comparison:
        self.runner.__enter__()
        session = {"jit": "off", "timezone": "Asia/Shanghai"}
        url = self.demo.api
        self.connection = self.runner.run(asyncpg.connect(url, server_settings=session, statement_cache_size=0))
        self.reads = Reads(self.connection)
        self.runner.run(self.stock.fill(self.demo, self.reads))
        return self

    def __exit__(self, *_: Any) -> None:
        self.runner.run(self.connection.close())
        self.runner.__exit__(None, None, None)

    def example(self, document: str, actor: Actor, chance: int) -> None:
        writer = Writer(self.stock, chance)
        text, variables, name = writer.write(document)
        wrong = validate(self.engine.schema, parse(text))
        if wrong:
            self.seen["invalid"] += 1
            return
        note(f"{actor}\n{text}\n{variables}")
        self.runner.run(self.compare(actor, text, variables, name, writer.features))

    async def compare(self, actor: Actor, text: str, variables: Any, name: str | None, features: set[str]) -> None:
        """Asks twice."""
        request = Opening(text, variables, name, actor, asker(actor, NOW), self.reads, self.stock.held)
        try:
            found = self.engine.document(request)
            values = self.engine.coerced(found, request)
        except Refused as refused:
            assert refused.errors
            self.seen["refused"] += 1
            return
        self.reads.statements.clear()
        fast = await self.engine.fast(request, found, values)
        assert len(self.reads.statements) <= 1
        self.reads.statements.clear()
        try:
            standard = await self.engine.standard(request, found)
        except Refused:
            assert fast is None
            self.seen["refused"] += 1
            return
        assert len(self.reads.statements) <= 1
        for error in standard.errors or ():
            assert isinstance(error.original_error, GraphQLError | None), (error, error.original_error)
        if fast is None:
            if not standard.errors and not any(word in text for word in NEEDS_PYTHON):
                with pytest.raises(GraphQLError):  # a wrong argument that no row reaches; else a fast path lost
                    plan = self.engine.plan(found, values, actor.role, strict=True)
                    plan.arguments(Run(values, request.asker))
            self.seen["standard"] += 1
            return
        assert not standard.errors, standard.errors
        data = orjson.loads(fast)["data"]
        assert not list(differences(data, standard.data))
        assert list(keys(data)) == list(keys(standard.data))
        self.seen["fast"] += 1
        self.seen["rows"] += b"[{" in fast
        self.seen.update(features)


@pytest.mark.parametrize("part", range(PARTS))
def test_both_paths_answer_the_same(demo: Demo, part: int, capsys: Any) -> None:
    engine = build_engine(production=False)
    assert engine.schema.query_type is not None
    fields = engine.schema.query_type.fields
    lists = [name for name, f in fields.items() if isinstance(words.word_of(f), words.Connection)]
    text = engine.strawberry.as_str()

    def plain(root: str) -> st.SearchStrategy[str]:
        return hypothesis_graphql.queries(text, fields=(root,), custom_scalars=documents.SCALARS, allow_x00=False)

    with Comparison(engine, demo) as comparison:
        filled = {type_ for (type_, _), cursors in comparison.stock.cursors.items() if cursors}
        full = [name for name in lists if get_named_type(fields[name].type).name in filled]
        roots = sorted([*fields, *lists, *full * 3])  # what has rows, oftener: rows are what is compared

        @settings(
            max_examples=EXAMPLES * SPARE,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            report_multiple_bugs=False,
        )
        @given(st.sampled_from(roots).flatmap(plain), st.sampled_from(ROLES), st.integers(0, 2**32))
        def examples(document: str, slug: str, chance: int) -> None:
            comparison.example(document, demo.actors[slug], chance)

        (examples if THOROUGH else seed(part)(examples))()
    seen = comparison.seen
    with capsys.disabled():
        print("\n", dict(seen))
    few = {what: seen[what] for what, least in SHARES.items() if seen[what] < least * EXAMPLES}
    assert not few, (few, dict(seen))
