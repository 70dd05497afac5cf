"""GraphiQL in a real browser with the network closed. Any server with the demo's routes will do for `site`."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from graphql import build_schema, graphql_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.web.pages import HERE, ROLES, routes
from tests.e2e.browser import Page, chromium, hosts_asked, needs_chromium

pytestmark = needs_chromium

SCHEMA = build_schema('''
"""查询"""
type Query {
  "需求"
  need(id: ID!): Need
}

"""居民的需求"""
type Need {
  "标题"
  title: String!
}
''')


async def graphql(request: Request) -> Response:
    body = await request.json()
    result = graphql_sync(
        SCHEMA,
        body["query"],
        {"need": lambda info, id: {"title": f"需求{id}"}},
        variable_values=body.get("variables"),
        operation_name=body.get("operationName"),
    )
    return JSONResponse(result.formatted, media_type="application/graphql-response+json")


async def demo_token(request: Request) -> Response:
    return JSONResponse({"token": f"token-of-{request.path_params['role']}"})


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a running server, without a slash at its end."""
    app = Starlette(
        routes=[
            *routes("demo"),
            Route("/graphql", graphql, methods=["POST"]),
            Route("/demo/token/{role}", demo_token),
        ]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def editor(area: str) -> str:
    """JavaScript: the text in one of GraphiQL's editors."""
    return f"document.querySelector('.graphiql-{area} .CodeMirror').CodeMirror.getValue()"


def wait_until_ready(page: Page, role: str) -> None:
    page.wait_for(f"(new URLSearchParams(location.search).get('role') ?? 'resident') === '{role}'")
    page.wait_for("!!document.querySelector('.graphiql-query-editor .CodeMirror')")
    page.wait_for("!document.querySelector('.graphiql-spinner')")


def run(page: Page) -> dict[str, object]:
    """Execute the first operation in the editor and return the answer."""
    page.click(".graphiql-execute-button")
    if page.evaluate(f"({editor('query-editor')}.match(/^(query|mutation)\\b/gm) ?? []).length") > 1:
        page.click(".graphiql-dropdown-item")  # the button offers the operations' names
    page.wait_for("document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror.getValue() ?? ''")
    return dict(json.loads(page.evaluate(editor("response"))))


def queries(page: Page) -> list[dict[str, str]]:
    """The headers of each request to /graphql."""
    return [r["headers"] for r in page.requests if r["method"] == "POST" and urlsplit(r["url"]).path == "/graphql"]


def test_graphiql_works_and_asks_no_other_machine(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql?role=volunteer")
        wait_until_ready(page, "volunteer")
        assert page.evaluate("document.title") == "五社联动 · GraphQL 控制台"
        assert page.evaluate("role.selectedOptions[0].text") == "志愿者（volunteer）"
        assert page.evaluate(editor("query-editor")) == (HERE / "samples/volunteer.graphql").read_text("utf-8")

        # The documentation shows the schema, the explorer its fields, the settings a dialog.
        page.click("[aria-label='Show Documentation Explorer']")
        page.wait_for("document.querySelector('.graphiql-plugin').innerText.includes('Query')")
        page.click("[aria-label='Show GraphiQL Explorer']")
        page.wait_for("!!document.querySelector('.graphiql-explorer-root')")
        page.click("[aria-label='Open settings dialog']")
        page.wait_for("!!document.querySelector('.graphiql-dialog')")
        page.click(".graphiql-dialog-close")
        page.wait_for("!document.querySelector('.graphiql-dialog')")

        # The sample runs, and completion offers the schema's fields.
        assert "data" in run(page)
        page.screenshot(tmp_path / "volunteer.png")
        page.evaluate("document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('')")
        page.click(".graphiql-query-editor .CodeMirror-lines")
        page.write("{ __t")
        page.wait_for("document.querySelector('.CodeMirror-hints')?.innerText.includes('__typename')")
        page.screenshot(tmp_path / "completion.png")
        assert {h.get("Authorization", "").split(" ")[0] for h in queries(page)} == {"Bearer"}
        volunteers = {h["Authorization"] for h in queries(page)}

        # Another role is another account, with its own samples; the clock goes along.
        page.evaluate("role.value = 'fund-maker', role.dispatchEvent(new Event('change'))")
        wait_until_ready(page, "fund-maker")
        page.evaluate("clock.value = '2026-06-01T08:27', clock.dispatchEvent(new Event('change'))")
        assert "data" in run(page)
        assert page.evaluate(editor("query-editor")) == (HERE / "samples/fund-maker.graphql").read_text("utf-8")
        assert queries(page)[-1]["X-Wushe-Now"] == "2026-06-01T08:27+08:00"
        assert queries(page)[-1]["Authorization"] not in volunteers

        # The public has no token.
        page.goto(f"{site}/graphiql?role=public")
        wait_until_ready(page, "public")
        assert "data" in run(page)
        assert "Authorization" not in queries(page)[-1]
        page.screenshot(tmp_path / "public.png")

        assert page.complaints == []
        assert {urlsplit(r["url"]).hostname for r in page.requests if not r["url"].startswith("data:")} == {"127.0.0.1"}
    assert hosts_asked(tmp_path / "netlog.json") == {"127.0.0.1"}


def test_what_is_written_outlives_a_reload_until_samples_are_restored(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql?role=auditor")
        wait_until_ready(page, "auditor")
        sample = page.evaluate(editor("query-editor"))
        page.evaluate(
            "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('{a: __typename}')"
        )
        page.wait_for("sessionStorage.getItem('wushe:auditor:graphiql:tabState')?.includes('{a: __typename}')")
        page.wait_for("sessionStorage.getItem('wushe:auditor:graphiql:query') === '{a: __typename}'")
        page.goto(f"{site}/graphiql?role=auditor")
        wait_until_ready(page, "auditor")
        assert page.evaluate(editor("query-editor")) == "{a: __typename}"
        page.click("#samples")
        page.wait_for(f"{editor('query-editor')} === {json.dumps(sample)}")
        assert page.evaluate("document.querySelectorAll('.graphiql-tab').length") <= 1
        assert page.complaints == []


def test_the_page_may_not_reach_another_origin(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql?role=public")
        wait_until_ready(page, "public")
        assert page.evaluate("fetch('http://example.org/').then(() => 'answered', () => 'refused')") == "refused"
        assert any("Content Security Policy" in complaint for complaint in page.complaints)
    assert hosts_asked(tmp_path / "netlog.json") == {"127.0.0.1"}


def test_a_request_to_another_machine_would_be_noticed(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql/samples/public.graphql")  # a page without a policy
        assert page.evaluate("fetch('http://example.org/').then(() => 'answered', () => 'failed')") == "failed"
    assert "example.org" in hosts_asked(tmp_path / "netlog.json")


def test_every_role_can_be_chosen(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql")
        wait_until_ready(page, "resident")
        assert page.evaluate("[...role.options].map(({value}) => value)") == list(ROLES)
