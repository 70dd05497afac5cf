"""The pages' files, without a browser: all from here, kept by browsers, licensed, absent in production."""

import gzip
import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from graphql import OperationDefinitionNode, parse
from starlette.applications import Starlette

from api.web import pages

WEB = Path(pages.__file__).parent
ADDRESS = re.compile(r"https?://([\w.-]+)")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=Starlette(routes=[*pages.routes("demo")]))
    async with httpx.AsyncClient(transport=transport, base_url="http://pages.test") as client:
        yield client


class Addresses(HTMLParser):
    """Every address that a page would have its browser fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetched = ("src", "href", "data-samples", "data-variables")
        self.found += [value or "" for name, value in attrs if name in fetched and value != "data:,"]


def test_production_has_no_pages() -> None:
    assert pages.routes("production") == []


async def test_the_icon_that_browsers_ask_for_is_no_error(client: httpx.AsyncClient) -> None:
    assert (await client.get("/favicon.ico")).status_code == 204


async def test_the_home_page_leads_to_graphiql(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/graphiql")


async def test_all_that_the_page_names_is_served_from_here(client: httpx.AsyncClient) -> None:
    html = (await client.get("/graphiql")).text
    assert not ADDRESS.search(html)
    found = Addresses(html).found
    assert len(found) >= 4 + len(pages.ROLES)
    for address in found:
        assert address.startswith("/graphiql/")
        assert (await client.get(address)).status_code == 200, address


async def test_the_policy_allows_no_other_origin_and_no_inline_code(client: httpx.AsyncClient) -> None:
    first, second = [await client.get("/graphiql") for _ in range(2)]
    [nonce] = re.findall('data-nonce="([^"]+)"', first.text)
    assert first.headers["content-security-policy"] == (
        f"default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert first.headers["cache-control"] == "no-store"
    assert nonce not in second.text
    assert "<style" not in first.text
    assert " style=" not in first.text
    assert re.findall("<script[^>]*>(.*?)</script>", first.text, re.DOTALL) == [""]


def test_our_scripts_and_styles_name_no_other_machine() -> None:
    for name in ("console.js", "console.css", "vendor.css"):
        text = (WEB / "graphiql" / name).read_text("utf-8")
        assert set(ADDRESS.findall(text)) <= {"www.w3.org"}, name  # the name space of SVG
        assert all(url.startswith("data:") for url in re.findall(r"""url\(["']?([^)]*)""", text)), name
        assert "@import" not in text, name


def test_the_bundle_has_addresses_only_to_be_read() -> None:
    """Name spaces, and links in messages and in GraphiQL's help, which a person may follow."""
    text = (WEB / "graphiql/vendor.js").read_text("utf-8")
    assert set(ADDRESS.findall(text)) == {
        "www.w3.org",
        "codemirror.net",
        "commonmark.org",
        "en.wikipedia.org",
        "github.com",
        "react.dev",
        "www.onegraph.com",
        "yarnpkg.com",
    }


async def test_browsers_may_keep_files_for_a_year(client: httpx.AsyncClient) -> None:
    [address] = re.findall(r"/graphiql/static/\w+/vendor\.js", (await client.get("/graphiql")).text)
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    async with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as zipped:
        raw = b"".join([piece async for piece in zipped.aiter_raw()])
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content == (WEB / "graphiql/vendor.js").read_bytes()
    assert len(raw) < 600_000
    assert plain.headers["etag"] != zipped.headers["etag"]
    for etag, coding in ((plain.headers["etag"], "identity"), (zipped.headers["etag"], "gzip")):
        again = await client.get(address, headers={"If-None-Match": etag, "Accept-Encoding": coding})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "address",
    [
        "/graphiql/static/000000000000/vendor.js",
        "/graphiql/static/000000000000/%2e%2e%2fpages.py",
        "/graphiql/samples/nobody.graphql",
        "/graphiql/samples/%2e%2e%2fpages.py",
    ],
)
async def test_other_files_are_absent(client: httpx.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code == 404


@pytest.mark.parametrize("role", pages.ROLES)
async def test_every_role_has_samples(client: httpx.AsyncClient, role: str) -> None:
    document = parse((await client.get(f"/graphiql/samples/{role}.graphql")).text)
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    names = [operation.name.value for operation in operations if operation.name]
    assert len(set(names)) == len(operations) >= 1
    variables = await client.get(f"/graphiql/samples/{role}.variables.json")
    given = variables.json() if variables.status_code == 200 else {}
    declared = {v.variable.name.value for operation in operations for v in operation.variable_definitions or ()}
    assert set(given) <= declared


def test_samples_belong_to_roles() -> None:
    assert {path.name.split(".")[0] for path in (WEB / "samples").iterdir()} == set(pages.ROLES)


def test_licences_and_versions_stand_beside_the_bundle() -> None:
    notice = (WEB / "graphiql/THIRD-PARTY.txt").read_text("utf-8")
    built_from = json.loads((WEB / "build/package.json").read_text("utf-8"))["devDependencies"]
    for package, version in built_from.items():
        assert f"\n{package} {version} (" in notice or package == "esbuild"
    assert notice.count("Permission is hereby granted") > 20


def test_the_lock_file_names_no_address_of_a_registry() -> None:
    lock = (WEB / "build/package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert "registry" not in lock


def test_the_committed_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in (WEB / "graphiql").iterdir()) < 2_000_000
