"""What is told of sessions; and that what is due is found by indexes, however much has happened."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from typing import Any
from uuid import uuid4

from models.access import Actor, Role
from models.activity import actions
from models.relay import Told, concerned
from resolvers.engine.engine import Engine
from tests.live.conftest import WATCH, Live
from tests.make_activity import at
from tests.make_exchange import HERE

SESSION = """subscription ($id: ID!) {
  sessionChanged(id: $id) { topic label at session { id status placesLeft } }
}"""


async def planned(live: Live, **over: Any) -> Any:
    """A session of the organization tomorrow morning, not announced yet."""
    given: dict[str, Any] = {
        "title": "周六托管",
        "starts_at": at("09:00"),
        "ends_at": at("12:00"),
        "community": live.n.communities[HERE],
        "category": live.n.categories["ELDERLY"],
        "capacity": 2,
    }
    return await live.act("ngo", actions.create_session, actions.SessionDraft(**{**given, **over}))


async def volunteer(live: Live) -> Actor:
    """One more, of age."""
    person = await live.scene.c.fetchval(
        "INSERT INTO person (name_masked, pinyin, area, acts, created_at) VALUES ('王*', '', $1, true, $2) RETURNING id",
        HERE,
        live.scene.now,
    )
    made = "INSERT INTO volunteer (person_id, state, area, adult_on, created_at) VALUES ($1, 'ACTIVE', $2, $3, $4)"
    await live.scene.c.execute(made, person, HERE, date(2000, 1, 1), live.scene.now)
    return Actor(Role.VOLUNTEER, person, area=HERE)


async def test_a_session_is_told_to_organizers_volunteers_and_everybody(live: Live) -> None:
    session = await planned(live)
    ngo = await live.watch("ngo", session, text=SESSION, kind="session")
    await live.act("ngo", actions.publish_session, session)
    assert await ngo.topics(1) == ["PUBLISHED"]
    one, other = await volunteer(live), await volunteer(live)
    stranger = await live.watch("public", session, text=SESSION, kind="session")
    mine = await live.watch(one, session, text=SESSION, kind="session")
    part = await live.act(one, actions.sign_up, session)
    await live.act(other, actions.sign_up, session)
    await live.act(one, actions.withdraw, part)
    await live.act("ngo", actions.cancel_session, session, "下雨")
    assert await ngo.topics(3) == ["ROSTER"] * 3
    assert await stranger.topics(3) == ["PLACES"] * 3
    assert await mine.topics(3) == ["ROSTER", "PLACES", "ROSTER"]
    for watch in (ngo, stranger, mine):
        rest = await watch.topics(2)  # the other's place is given back, and the session called off
        assert rest[-1] == "CANCELLED" and watch.seen[-1]["label"] == "已取消"
        assert watch.seen[-1]["session"]["status"] == "CANCELLED"
        await watch.nothing(0.1)


async def test_what_was_before_it_was_announced_is_its_organizers(live: Live) -> None:
    live.scene.later(hours=-1)
    await planned(live, title="另一场")
    before = await live.scene.c.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    session = await planned(live)
    await live.act("ngo", actions.edit_session, session, 1, {"capacity": 3})
    live.scene.later(hours=1)
    await live.act("ngo", actions.publish_session, session)
    at_ = int(live.scene.now.timestamp() * 1000)
    start = base64.b64encode(f"{before['xid']}.{before['id']}.{at_}".encode()).decode()
    text = SESSION.replace("($id: ID!)", "($id: ID!, $since: String)").replace("(id: $id)", "(id: $id, since: $since)")
    watches = [await live.watch(who, session, text=text, kind="session", since=start) for who in ("ngo", "public")]
    assert await watches[0].topics(3) == ["PLANNED", "EDITED", "PUBLISHED"]
    assert await watches[1].topics(1) == ["PUBLISHED"]
    await watches[1].nothing(0.2)


def test_an_announcement_names_what_the_subject_is_a_part_of() -> None:
    subject, need, session = uuid4(), uuid4(), uuid4()
    told = Told(1, 1, at("09:00"), "x", subject, None, json.dumps({"need": str(need), "minutes": 3}))
    assert concerned(told) == {str(subject), str(need)}
    told = Told(1, 1, at("09:00"), "x", subject, None, json.dumps({"session": str(session), "need": None}))
    assert concerned(told) == {str(subject), str(session)}


async def test_what_is_due_is_found_by_indexes(live: Live, engine: Engine) -> None:
    """Of 40,000 events, a thousand of them of its own, the next twenty are read without looking at the others."""
    need = await live.opened()
    write = """
    INSERT INTO event (at, topic, subject, role, data)
    SELECT $1, topic, subject, 'ADMIN', data FROM unnest($2::text[], $3::uuid[], $4::jsonb[]) AS e (topic, subject, data)
    """
    others, mine = [uuid4() for _ in range(39_000)], [need if n % 2 else uuid4() for n in range(1000)]
    topics = ["need.edited"] * 39_000 + ["need.edited" if n % 2 else "commitment.proposed" for n in range(1000)]
    data = ["{}"] * 39_000 + ["{}" if n % 2 else json.dumps({"need": str(need)}) for n in range(1000)]
    await live.scene.c.execute(write, live.scene.now, topics, [*others, *mine], data)
    owner_less = "SELECT count(*) FROM event WHERE subject = $1 OR data ->> 'need' = $1::text"
    assert await live.scene.c.fetchval(owner_less, need) >= 1000
    context = live.context(live.n.actor("staff"), WATCH, id=f"need_{need}")
    asked = engine.subscription(context, engine.document(context))
    plan, arguments, final = engine.due(context, asked, ((0, 0), (2**62, 0)))
    assert final
    rows = await live.scene.c.fetch(plan.sql, *arguments)
    assert len(rows) == 20 and [tuple(r)[:2] for r in rows] == sorted(tuple(r)[:2] for r in rows)
    given = ", ".join("NULL" if a is None else f"'{a}'" for a in arguments)
    async with live.scene.c.transaction():
        await live.scene.c.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await live.scene.c.execute(f"PREPARE due AS {plan.sql}")
        explained = "\n".join(r[0] for r in await live.scene.c.fetch(f"EXPLAIN (ANALYZE) EXECUTE due ({given})"))
    assert sum(map(int, re.findall(r"Rows Removed by Filter: (\d+)", explained))) < 100, explained
