"""GraphiQL in a real browser with the network closed, on the real server with demo data."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api.web.pages import HERE, ROLES
from tests.conftest import NOW
from tests.demo import Demo
from tests.e2e.browser import Page, chromium, hosts_asked, needs_chromium
from tests.faults.client import CLAIM, key
from tests.faults.processes import Api
from tests.worker.conftest import relaying

pytestmark = needs_chromium
NO_LISTS = "arg mismatch between arg and selection"
"""What the explorer, which cannot show a list of enum values, says of one."""
CLOCK = NOW.strftime("%Y-%m-%dT%H:%M")


@pytest.fixture(scope="module")
def site(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server, without a slash at its end."""
    log = tmp_path_factory.mktemp("site") / "log"
    api = Api(demo.api, log, WUSHE_MODE="demo")
    try:
        asyncio.run(api.ready())
        yield api.url
    finally:
        api.kill()
    assert "Traceback" not in log.read_text(), log.read_text()


def at_the_time_of_the_data(page: Page, site: str) -> None:
    """Sets the console's clock, as a person would have done on another page of this tab."""
    page.goto(f"{site}/graphiql/samples/public.graphql")
    page.evaluate(f"sessionStorage.setItem('wushe:now', '{CLOCK}')")


def editor(area: str) -> str:
    """JavaScript: the text in one of GraphiQL's editors."""
    return f"document.querySelector('.graphiql-{area} .CodeMirror').CodeMirror.getValue()"


def wait_until_ready(page: Page, role: str) -> None:
    page.wait_for(f"(new URLSearchParams(location.search).get('role') ?? 'resident') === '{role}'")
    page.wait_for("!!document.querySelector('.graphiql-query-editor .CodeMirror')")
    page.wait_for("!document.querySelector('.graphiql-spinner')")


def run(page: Page) -> Any:
    """Execute the first operation in the editor and return the answer's data."""
    answered = "document.querySelector('.graphiql-response .CodeMirror')?.CodeMirror.getValue()"
    page.click(".graphiql-execute-button")
    page.wait_for(f"!!document.querySelector('.graphiql-dropdown-item') || !!{answered}")
    if page.evaluate("!!document.querySelector('.graphiql-dropdown-item')"):
        page.click(".graphiql-dropdown-item")  # the button offers the operations' names
    page.wait_for(answered)
    answer = json.loads(page.evaluate(editor("response")))
    assert "errors" not in answer, answer
    return answer["data"]


def queries(page: Page) -> list[dict[str, str]]:
    """The headers of each request to /graphql."""
    return [r["headers"] for r in page.requests if r["method"] == "POST" and urlsplit(r["url"]).path == "/graphql"]


def test_graphiql_works_and_asks_no_other_machine(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        at_the_time_of_the_data(page, site)
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
        assert run(page)["needs"]["edges"]
        assert queries(page)[-1]["X-Wushe-Now"] == f"{CLOCK}+08:00"
        page.screenshot(tmp_path / "volunteer.png")
        page.evaluate("document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('')")
        page.click(".graphiql-query-editor .CodeMirror-lines")
        page.write("{ tri")
        page.wait_for("document.querySelector('.CodeMirror-hints')?.innerText.includes('triageQueue')")
        page.screenshot(tmp_path / "completion.png")
        assert {h.get("Authorization", "").split(" ")[0] for h in queries(page)} == {"Bearer"}
        volunteers = {h["Authorization"] for h in queries(page)}

        # Another role is another account, with its own samples; the clock goes along.
        page.evaluate("role.value = 'fund-maker', role.dispatchEvent(new Event('change'))")
        wait_until_ready(page, "fund-maker")
        page.evaluate("clock.value = '2026-06-01T08:27', clock.dispatchEvent(new Event('change'))")
        assert run(page)["fundStatement"]
        assert page.evaluate(editor("query-editor")) == (HERE / "samples/fund-maker.graphql").read_text("utf-8")
        assert queries(page)[-1]["X-Wushe-Now"] == "2026-06-01T08:27+08:00"
        assert queries(page)[-1]["Authorization"] not in volunteers

        # The public has no token.
        page.goto(f"{site}/graphiql?role=public")
        wait_until_ready(page, "public")
        assert run(page)["needs"]["edges"]
        assert "Authorization" not in queries(page)[-1]
        page.screenshot(tmp_path / "public.png")

        assert [c for c in page.complaints if not c.startswith(NO_LISTS)] == []
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
        page.goto("about:blank")  # a page without a policy: ours all have one
        assert page.evaluate("fetch('http://example.org/').then(() => 'answered', () => 'failed')") == "failed"
    assert "example.org" in hosts_asked(tmp_path / "netlog.json")


def test_every_role_can_be_chosen(site: str, tmp_path: Path) -> None:
    with chromium(tmp_path) as page:
        page.goto(f"{site}/graphiql")
        wait_until_ready(page, "resident")
        assert page.evaluate("[...role.options].map(({value}) => value)") == list(ROLES)


def test_a_subscription_shows_what_comes(site: str, demo: Demo, tmp_path: Path) -> None:
    """The volunteer's sample watches a need, which somebody claims meanwhile."""
    with relaying(demo.api), chromium(tmp_path) as page, httpx.Client(base_url=site) as client:
        signed = client.get("/demo/token/volunteer").json()["token"]
        headers = {"Authorization": f"Bearer {signed}", "X-Wushe-Now": f"{CLOCK}+08:00"}

        def ask(query: str, **variables: Any) -> Any:
            return client.post("/graphql", json={"query": query, "variables": variables}, headers=headers).json()[
                "data"
            ]

        at_the_time_of_the_data(page, site)
        page.goto(f"{site}/graphiql?role=volunteer")
        wait_until_ready(page, "volunteer")
        id = ask("{ needs(first: 1, filter: {status: [OPEN]}) { edges { node { id } } } }")["needs"]["edges"][0][
            "node"
        ]["id"]
        watch = f'subscription {{ needChanged(id: "{id}") {{ label need {{ id }} }} }}'
        page.evaluate(
            f"document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue({json.dumps(watch)})"
        )
        page.wait_for(f"sessionStorage.getItem('wushe:volunteer:graphiql:query') === {json.dumps(watch)}")
        before = len(queries(page))
        page.click(".graphiql-execute-button")
        page.wait_for("!!document.querySelector('.graphiql-execute-button[aria-label*=Stop]')")
        assert len(queries(page)) == before + 1
        time.sleep(1)  # until the server listens for it
        claimed = ask(CLAIM, id=id, key=key())["needClaim"]
        assert claimed.get("status") == "PROPOSED", claimed
        page.wait_for(f"{editor('response')}.includes({json.dumps(id)})")
        answer = json.loads(page.evaluate(editor("response")))
        assert answer["data"]["needChanged"]["need"] == {"id": id}
        page.screenshot(tmp_path / "subscription.png")
        assert page.complaints == []
