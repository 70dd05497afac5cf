"""Asking the API's schema in tests, without HTTP: queries on both paths, which must agree; mutations in transactions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
import strawberry
from strawberry.schema.config import StrawberryConfig

from models import access
from models.access import Actor
from models.pool import Pool
from resolvers.context import Context, asker, perform
from resolvers.engine.engine import Engine, Rules
from resolvers.scalars import SCALARS


def engine_of(query: type, mutation: type) -> Engine:
    """An engine over some areas' part of the schema."""
    schema = strawberry.Schema(query, mutation, config=StrawberryConfig(scalar_map=SCALARS))
    rules = Rules(access.seen, access.PUBLIC, access.IMPLIED, access.VIEWER_TYPES)
    return Engine(schema, rules, set(access.VISIBLE), perform)


class Asked:
    """Somebody who asks."""

    def __init__(self, engine: Engine, pool: Pool, now: datetime) -> None:
        self.engine, self.pool, self.now = engine, pool, now

    async def __call__(self, actor: Actor, text: str, at: datetime | None = None, **variables: Any) -> Any:
        """The answer's data. Raises AssertionError for an answer with errors, and where the two paths disagree."""
        now = at or self.now
        context = Context(text, variables, None, actor, asker(actor, now), self.pool, self.pool, now, 10.0)
        document = self.engine.document(context)
        answer = await self.engine.answer(context, document)
        if not isinstance(answer, bytes):
            assert not answer.errors, answer.errors
            return answer.data
        if not text.lstrip().startswith("mutation"):
            standard = await self.engine.standard(context, document)
            assert not standard.errors, standard.errors
            assert orjson.loads(answer)["data"] == standard.data
        return orjson.loads(answer)["data"]
