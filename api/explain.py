"""What a document becomes: its cost in points, its statement, and PostgreSQL's plan for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson

from api.app import engine
from api.auth import Tokens, issue_demo_token
from api.settings import Settings, Trouble
from models import clock
from models.access import PUBLIC_ACTOR
from models.pool import Pool
from resolvers.context import Context, asker
from resolvers.engine.engine import Engine, Refused
from resolvers.engine.plans import NotCompilable, Run


def run(file: Path, role: str, settings: Settings) -> None:
    """Prints it, for the demo account of a role; variables are read from a `.variables.json` of the same name."""
    try:
        text = file.read_text(encoding="utf-8")
        beside = file.with_suffix(".variables.json")
        variables = orjson.loads(beside.read_bytes()) if beside.exists() else {}
    except (OSError, ValueError) as no:
        raise Trouble(f"{file} cannot be read: {no}.") from no
    print(asyncio.run(_explained(engine(production=False), text, variables, role, settings)))


async def _explained(made: Engine, text: str, variables: dict[str, Any], role: str, settings: Settings) -> str:
    assert settings.database_url is not None
    pool = Pool(settings.database_url, 1)
    try:
        now = clock.now()
        if role == "public":
            actor = PUBLIC_ACTOR
        else:
            token = await asyncio.to_thread(issue_demo_token, role, settings)
            actor = await Tokens(pool, demo=True).actor(f"Bearer {token}", now)
        context = Context(text, variables, None, actor, asker(actor, now), pool, pool, now, settings.deadline)
        document = made.document(context)
        size = document.measure_with(variables)
        values = made.coerced(document, context)
        plan = made.plan(document, values, actor.role, strict=True)
        async with pool.connection() as connection:
            rows = await connection.fetch(
                f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {plan.sql}", *plan.arguments(Run(values, context.asker))
            )
    except Refused as refused:
        raise Trouble("The document is refused: " + "; ".join(e.message for e in refused.errors)) from refused
    except NotCompilable as no:
        raise Trouble(f"The document takes the standard path: {no}.") from no
    except LookupError as no:
        raise Trouble(str(no)) from no
    finally:
        await pool.close()
    head = f"-- depth {size.depth}, aliases {size.aliases}, fields {size.fields}, cost {size.cost} points of 1000, as {actor.role.slug}"
    return "\n".join([head, plan.sql, "", *[r[0] for r in rows]])
