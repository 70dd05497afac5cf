"""Live documents are held against the schema: what a change of it breaks is named, with its client and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema

from api.app import engine
from api.commands import checking, documents
from api.settings import ROOT, Trouble
from models.manifests import Entry, digest
from resolvers.engine.documents import Documents
from tests.persisted.conftest import Place

USED = "query List($n: Int) {\n  divisions(first: $n) {\n    edges { node { code name } }\n  }\n}"
NEIGHBOUR = "query Other { divisions(first: 1) { totalCount } }"


def entry(text: str, name: str) -> Entry:
    return Entry(digest(text), name, text)


@pytest.fixture(scope="module")
def changed() -> Documents:
    """The schema as it is, but that a division has no `name` any more."""
    kept = engine(production=True)
    found: GraphQLSchema = build_schema((ROOT / "schema.graphql").read_text("utf-8"))
    assert "name" in found.type_map["Division"].fields  # type: ignore[attr-defined]
    del found.type_map["Division"].fields["name"]  # type: ignore[attr-defined]
    assert kept.schema is not found
    return Documents(found, introspection=False, suggestions=False)


def test_a_removed_field_names_who_still_asks_for_it(changed: Documents, capsys: pytest.CaptureFixture[str]) -> None:
    releases = [
        ("miniprogram 1.4.0", [entry(USED, "List"), entry(NEIGHBOUR, "Other")]),
        ("web 2", [entry(NEIGHBOUR, "Other")]),
    ]
    assert documents.broken(releases) == 0
    assert capsys.readouterr().out == ""
    assert documents.broken(releases, changed) == 1
    assert capsys.readouterr().out == (
        f"miniprogram 1.4.0: List ({digest(USED)[:12]}), line 3 column 25: Cannot query field 'name' on type 'Division'.\n"
    )


def test_every_operation_of_a_document_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    two = f"query A {{ __typename }} query B {{ {' '.join(f'a{n}: __typename' for n in range(16))} }}"
    assert documents.broken([("x 1", [entry(two, "A")])]) == 1
    assert capsys.readouterr().out == f"x 1: A ({digest(two)[:12]}), 查询用了 16 个别名，最多 15 个。\n"
    for text in (
        "{",
        "fragment F on Division { id }",
        "{ __schema { queryType { name } } }",
        "subscription S { nope }",
    ):
        assert documents.broken([("x 1", [entry(text, "x")])]) == 1, text


def test_what_breaks_everywhere_is_told_so_often_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [entry(f"query Q{n} {{ nope{n} }}", f"Q{n}") for n in range(documents.SHOWN + 7)]
    assert documents.broken([("x 1", wrong)]) == len(wrong)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == documents.SHOWN + 1 and lines[-1] == "x 1: and 7 more"


async def test_what_the_database_has_live(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert await place.publish("miniprogram", "1.4.0", USED, NEIGHBOUR) == 0
    assert await place.publish("web", "2", NEIGHBOUR) == 0
    capsys.readouterr()
    assert await place.run("check", files=[]) == 0
    assert capsys.readouterr().out == "3 documents of 2 releases; 0 do not fit the schema.\n"
    # As if the schema had lost what one of them asks for since it was published.
    gone = USED.replace("name", "gone")
    await place.sql("UPDATE trusted_document SET text = $1 WHERE name = 'List'", gone)
    assert await place.run("check", files=[]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("miniprogram 1.4.0: List (")
    assert told[0].endswith("line 3 column 25: Cannot query field 'gone' on type 'Division'.")
    assert told[1] == "3 documents of 2 releases; 1 do not fit the schema."
    assert await place.run("retire", client="miniprogram", version="1.4.0") == 0
    capsys.readouterr()
    assert await place.run("check", files=[]) == 0
    assert capsys.readouterr().out == "1 documents of 1 releases; 0 do not fit the schema.\n"


async def test_manifests_before_they_are_published(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    good = place.manifest(USED, name="web@3.json")
    bad = place.manifest("{ nope }", name="web@4.json")
    assert await place.run("check", files=[good]) == 0
    assert await place.run("check", files=[good, bad]) == 1
    assert f"web@4: {digest('{ nope }')[:12]} (" in capsys.readouterr().out
    (place.folder / "web@5.json").write_text("[]")
    with pytest.raises(Trouble, match=r"web@5.json cannot be taken: it is not a JSON object\."):
        await place.run("check", files=[str(place.folder / "web@5.json")])


def test_the_checkouts_own_manifests(capsys: pytest.CaptureFixture[str]) -> None:
    assert documents.committed() == 0
    told = capsys.readouterr().out
    assert told.endswith("; 0 do not fit the schema.\n") and int(told.split()[0]) > 50
    assert "documents.committed" in Path(checking.__file__).read_text("utf-8")
