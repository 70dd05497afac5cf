"""The console where only published documents are taken: the samples run, and it says why anything else does not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.demo import Demo, demo
from tests.e2e.browser import chromium, needs_chromium
from tests.e2e.test_graphiql import at_the_time_of_the_data, editor, run, wait_until_ready
from tests.faults.processes import Api

pytestmark = needs_chromium
__all__ = ["demo"]


def test_the_console(demo: Demo, tmp_path: Path) -> None:
    api = Api(demo.api, tmp_path / "log", WUSHE_MODE="demo", WUSHE_DOCUMENTS="trusted")
    try:
        asyncio.run(api.ready())
        with chromium(tmp_path) as page:
            at_the_time_of_the_data(page, api.url)
            page.goto(f"{api.url}/graphiql?role=public")
            wait_until_ready(page, "public")
            assert "此平台只接受已发布的查询文档" in page.evaluate("document.getElementById('notice').innerText")
            assert page.evaluate("document.getElementById('notice').offsetHeight") > 0
            assert run(page)["needs"]["edges"]  # the sample as it was opened
            page.click("[aria-label='Show Documentation Explorer']")  # it may read the schema
            page.wait_for("document.querySelector('.graphiql-plugin').innerText.includes('Query')")
            free = "{ funds(first: 1) { totalCount } }"
            page.evaluate(f"document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('{free}')")
            page.wait_for(f"sessionStorage.getItem('wushe:public:graphiql:query') === '{free}'")  # GraphiQL has seen it
            page.click(".graphiql-execute-button")
            told = "document.querySelector('.graphiql-response .CodeMirror').CodeMirror.getValue().includes('NOT_PUBLISHED')"
            page.wait_for(told)
            error = json.loads(page.evaluate(editor("response")))["errors"][0]
            page.screenshot(tmp_path / "refused.png")
            assert error["message"] == "本平台只接受已发布的查询文档，不接受自拟的。"
    finally:
        api.kill()
