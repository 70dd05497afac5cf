"""Every table has a rule, is open to all, or is no table of the API's; plain names are read where they may be."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_named_type, is_abstract_type, is_leaf_type

from models.access import PUBLIC, PUBLIC_ACTOR, VISIBLE, Role
from models.tables import METADATA
from resolvers.engine import words
from resolvers.engine.engine import Engine
from tests.access.crawl import GIVEN, Crawler, without_limits

WITHOUT_A_RULE = {
    "availability",
    "claim_try",
    "client_release",
    "data_key",
    "demand",
    "event",
    "idempotency_record",
    "login_code",
    "need_attention",
    "person_merge",
    "platform_token",
    "rate_bucket",
    "refresh_token",
    "registered_document",
    "relay_position",
    "trusted_document",
}
"""The machinery's: no type shows them, and no rule means that none can."""
SECRETS = {
    "person_name": {"Person.fullName", "Me.name", "RevealedContact.name"},
    "person_contact": {
        "Me.phone",
        "Me.phoneWhose",
        "Me.address",
        "RevealedContact.phone",
        "RevealedContact.phoneWhose",
        "RevealedContact.address",
    },
    "person_identity": {"Me.idType", "Me.idNumberMasked", "RevealedContact.idNumber"},
    "donor_name": {"Donor.name"},
    "session_code": {"SessionCode.code"},
}
"""Tables of plain values, and the only fields whose statements read them."""


def test_every_table_has_a_rule_or_is_public(engine: Engine) -> None:
    assert not PUBLIC & VISIBLE.keys()
    assert METADATA.tables.keys() - PUBLIC - VISIBLE.keys() == WITHOUT_A_RULE
    assert METADATA.tables.keys() >= PUBLIC | VISIBLE.keys()


def test_types_show_tables_with_a_rule(engine: Engine) -> None:
    shown = {e.table.name for t in engine.schema.type_map.values() if (e := words.entity_of(t)) is not None}
    assert shown and shown <= PUBLIC | VISIBLE.keys()
    assert not shown & {"person_name", "person_contact", "person_identity", "donor_name"}


def paths(engine: Engine) -> dict[str, list[Any]]:
    """The shortest way from the root to every object type: (name, arguments, the type that is looked into) by step."""
    schema = engine.schema
    assert schema.query_type is not None
    found: dict[str, list[Any]] = {"Query": []}
    waiting: deque[Any] = deque([schema.query_type])
    while waiting:
        type_ = waiting.popleft()
        for name, field in type_.fields.items():
            named = get_named_type(field.type)
            if is_leaf_type(named):
                continue
            arguments = {k: GIVEN[k] for k in field.args if k in GIVEN}
            for kind in schema.get_possible_types(named) if is_abstract_type(named) else [named]:
                if "id" in field.args:
                    entity = words.entity_of(kind)
                    if entity is None or entity.prefix is None:
                        continue
                    arguments["id"] = f'"{entity.prefix}_00000000-0000-7000-8000-000000000000"'
                if kind.name not in found:
                    step = (name, dict(arguments), kind.name if is_abstract_type(named) else None)
                    found[kind.name] = [*found[type_.name], step]
                    waiting.append(kind)
    return found


def document(steps: list[Any], leaf: str) -> str:
    text = leaf
    for name, arguments, kind in reversed(steps):
        given = f"({', '.join(f'{k}: {v}' for k, v in arguments.items())})" if arguments else ""
        text = f"{name}{given} {{ {f'... on {kind} {{ {text} }}' if kind else text} }}"
    return f"{{ {text} }}"


def through(engine: Engine, type_name: str, steps: list[Any]) -> Iterator[bool]:
    """Of each step of a way, whether Python computes it: such a field is compiled for the columns that it needs."""
    type_: Any = engine.schema.query_type
    for name, _, kind in steps:
        field = type_.fields[name]
        yield isinstance(words.word_of(field), words.Computed)
        type_ = engine.schema.type_map[kind] if kind else get_named_type(field.type)
    assert type_.name == type_name


@pytest.mark.parametrize("role", [Role.NGO_STAFF, Role.FUND_MAKER, Role.RESIDENT])
def test_only_these_fields_read_plain_values(engine: Engine, role: Role) -> None:
    crawler: Any = Crawler(engine, PUBLIC_ACTOR, None)  # type: ignore[arg-type]
    reached = paths(engine)
    read: dict[str, set[str]] = {table: set() for table in SECRETS}
    looked = 0
    with without_limits():
        for type_name, steps in reached.items():
            for name, field in crawler.schema.type_map[type_name].fields.items():
                if not is_leaf_type(get_named_type(field.type)) or not steps:
                    continue
                asked = engine.documents.get(document(steps, name), None)
                computed = any(through(engine, type_name, steps))
                sql = engine.plan(asked, asked.coerce({}), role, strict=not computed).sql
                looked += 1
                for table in SECRETS:
                    if re.search(rf"\b{table}\b", sql):
                        read[table].add(f"{type_name}.{name}")
    assert looked > 300
    assert read == SECRETS
