"""Somebody with an account binds his WeChat over HTTP, with his password, and unbinds it."""

from __future__ import annotations

import asyncio
from typing import Any

from api.wechat.fake import Fake
from tests.door.test_password import ACTIVATE, PASSWORD, PHONE, Staff, command
from tests.server import Server, name_of
from tests.wechat import served_with_wechat, sign_in

BIND = """mutation ($code: String!, $password: String!) { outcome: wechatBind(code: $code, password: $password) {
    __typename ... on Me { id wechatBound } ... on Problem { code } } }"""
UNBIND = """mutation ($key: String!) { outcome: wechatUnbind(idempotencyKey: $key) {
    __typename ... on Me { wechatBound } ... on Problem { code } } }"""
ME = "{ me { id wechatBound } }"


async def test_a_wechat_is_bound_by_a_password_and_unbound(server: Server, committed: str) -> None:
    owner = server.owner_url(name_of(committed))
    done = await asyncio.to_thread(command, committed, owner, "--name", "孙管理", "--phone", PHONE)
    async with served_with_wechat(committed, Fake()) as site:
        here = Staff(site, owner, done.stdout)
        token = (await here.do(ACTIVATE, token=here.invitation, password=PASSWORD))["accessToken"]
        me = (await site.ask(ME, token=token))["me"]
        assert me["wechatBound"] is False

        async def bind(code: str, password: str) -> Any:
            return await here.do(BIND, token, code=code, password=password)

        assert await bind("code-sun", "wrong-wrong-wrong") == {
            "__typename": "PasswordRefused",
            "code": "PASSWORD_REFUSED",
        }
        assert await bind("code-sun", PASSWORD) == {"__typename": "Me", "id": me["id"], "wechatBound": True}
        by_wechat = (await sign_in(site, "code-sun-again"))["accessToken"]
        assert (await site.ask(ME, token=by_wechat))["me"]["id"] == me["id"]
        assert await here.do(UNBIND, token, key="unbind-wechat-1") == {"__typename": "Me", "wechatBound": False}
        other = await sign_in(site, "code-sun-third")
        assert (await site.ask(ME, token=other["accessToken"]))["me"]["id"] != me["id"]
        told = await here.do(UNBIND, other["accessToken"], key="unbind-wechat-2")
        assert told["code"] == "WECHAT_ONLY"
        (row,) = await here.fetch(
            "SELECT detail::text FROM audit_event WHERE action = 'wechatBind' AND result = 'DONE'"
        )
        assert '"person"' in row["detail"] and '"wechat"' in row["detail"]
