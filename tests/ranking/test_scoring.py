"""The score: exact terms, their words, and that the database reckons as Python does."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exchange import scoring
from models.exchange.scoring import MatchTerm, Pair, Reader
from models.exchange.weights import DEFAULTS, Weights
from tests.make_exchange import START
from tests.ranking.conftest import Streets

T = MatchTerm


def test_the_terms_of_a_pair() -> None:
    pair = Pair(0.6, 3.0, continuity=True, certificate=True, reliability=0.9, choice=1)
    assert scoring.points(pair, DEFAULTS) == {
        T.PROXIMITY: 2800,
        T.CONTINUITY: 2500,
        T.CERTIFICATE: 1500,
        T.RELIABILITY: 720,
        T.GENDER: 800,
        T.LANGUAGE: 500,
        T.TIME: 200,
        T.ATTENTION: 0,
    }


def test_what_is_said_to_whom() -> None:
    pair = Pair(0.6, 3.0, continuity=True, certificate=True, gender_asked=True)
    terms = [
        (t, n) for t, n in scoring.points(pair, DEFAULTS).items() if t in (T.PROXIMITY, T.CONTINUITY, T.CERTIFICATE)
    ]
    assert scoring.sentence(terms, pair, Reader.VOLUNTEER) == "距您0.6公里 +2800 · 上次也是您服务 +2500 · 您持证 +1500"
    assert scoring.sentence(terms, pair, Reader.STAFF) == "距需求0.6公里 +2800 · 上次也是TA服务 +2500 · 持证 +1500"
    assert scoring.sentence([(T.GENDER, 800)], pair, Reader.STAFF) == "符合性别意愿 +800"
    assert scoring.sentence([(T.GENDER, 800), (T.ATTENTION, -5)], Pair(None, None), Reader.STAFF) == (
        "不限性别 +800 · 关注度 -5"
    )


@pytest.mark.parametrize(
    ("shown", "connected", "points"),
    [(0, 0, 600), (30, 0, 0), (0, 1, 0), (150, 0, -600), (9000, 50, -600), (10, 0, 300)],
)
def test_attention_sinks_by_the_logarithm(shown: int, connected: int, points: int) -> None:
    assert scoring.attention(600, shown, connected) == points


@given(st.floats(0, 60), st.floats(0.5, 50), st.floats(0, 1), st.integers(0, 10**6), st.integers(0, 1000))
def test_the_score_stays_within_its_weights(km: float, radius: float, reliable: float, shown: int, made: int) -> None:
    pair = Pair(scoring.near(km), radius, reliability=reliable, shown=shown, connected=made, listed=True)
    terms = scoring.points(pair, DEFAULTS)
    assert 0 <= terms[T.PROXIMITY] <= 3500
    assert 0 <= terms[T.RELIABILITY] <= 800
    assert -600 <= terms[T.ATTENTION] <= 600
    assert scoring.score(terms) == sum(terms.values())


async def test_the_database_reckons_as_python_does(streets: Streets) -> None:
    """On pairs drawn by chance: places, radii, wishes, papers, past services, choices, what was shown; odd weights."""
    rng, c, n = random.Random(7), streets.c, streets.n
    weights = Weights(3333, 2111, 1777, 901, 802, 503, 404, 205, 606)
    await c.execute(
        "INSERT INTO match_weights (version, proximity, continuity, certificate, reliability, gender, language,"
        " first_choice, second_choice, attention, note, valid_from)"
        " VALUES (2, 3333, 2111, 1777, 901, 802, 503, 404, 205, 606, 'x', '2026-01-01')"
    )
    compared = 0
    for _ in range(40):
        who = rng.choice(("wang", "zhao"))
        x, y = round(rng.uniform(-2, 2), 2), round(rng.uniform(-2, 2), 2)
        radius, reliable = rng.choice((1.2, 3.0, 5.0, 25.0)), round(rng.random(), 3)
        own = rng.choice(("FEMALE", "MALE", "UNKNOWN"))
        tongues = rng.choice(([], ["KOREAN"], ["MONGOLIAN", "SIGN"]))
        week = [(day, 480, 720) for day in (2, 3)]
        await streets.volunteers(
            who, x=x, y=y, radius_km=radius, reliability=reliable, languages=tongues, windows=week, weekly_cap=21
        )
        await c.execute("UPDATE person SET gender = $2 WHERE id = $1", n.people[who], own)
        await c.execute("DELETE FROM qualification")
        paper = rng.choice((None, date(2026, 11, 2), date(2026, 12, 1)))
        if paper is not None:
            await streets.qualified(who, "NURSE", paper)
        gender, tongue = rng.choice(("ANY", "FEMALE", "MALE")), rng.choice(("MANDARIN", "KOREAN", "MONGOLIAN"))
        id = await streets.need(beneficiary=n.residents["grandmother"], quantity=50)
        place = rng.choice((0, 1, 2))
        await c.execute(
            "UPDATE need SET x = $2, y = $3, gender_preference = $4, language = $5 WHERE id = $1",
            *(id, round(rng.uniform(-1, 1), 2), round(rng.uniform(-1, 1), 2), gender, tongue),
        )
        # only the drawn option lies in the volunteer's week
        for k in range(3):
            at = START + timedelta(days=0 if k == place else 3, minutes=k)
            await c.execute(
                "INSERT INTO need_option (need_id, place, starts_at, ends_at) VALUES ($1, $2, $3, $4)",
                *(id, k, at, at + timedelta(hours=1)),
            )
        shown, made = rng.choice((0, 7, 40, 900)), rng.choice((0, 1, 4))
        await c.execute(
            "INSERT INTO need_attention (need_id, shown, connected, updated_at) VALUES ($1, $2, $3, now())",
            *(id, shown, made),
        )
        at = await c.fetchrow("SELECT x::float8, y::float8 FROM need WHERE id = $1", id)
        home = await c.fetchrow(
            "SELECT x::float8, y::float8, radius_km::float8, reliability::float8 FROM volunteer WHERE person_id = $1",
            n.people[who],
        )
        far = scoring.distance(home["x"], home["y"], at["x"], at["y"])
        pair = Pair(
            scoring.near(far),
            home["radius_km"],
            certificate=paper is not None and paper >= START.date(),
            reliability=home["reliability"],
            gender=gender in ("ANY", own),
            language=tongue == "MANDARIN" or tongue in tongues,
            choice=place,
        )
        expected = scoring.points(pair, weights)
        found = {r["provider_id"]: r for r in await streets.listed("match_candidates", id)}
        assert (n.people[who] in found) == (far * far <= home["radius_km"] ** 2)
        if n.people[who] in found:
            row = found[n.people[who]]
            assert (row["points"], row["score"]) == (list(expected.values()), sum(expected.values()))
            assert row["weights_version"] == 2
            (row,) = [r for r in await streets.listed("match_needs", n.people[who]) if r["need_id"] == id]
            pair = Pair(
                **{
                    **{f: getattr(pair, f) for f in Pair.__dataclass_fields__},
                    "shown": shown,
                    "connected": made,
                    "listed": True,
                }
            )
            expected = scoring.points(pair, weights)
            assert (row["points"], row["score"]) == (list(expected.values()), sum(expected.values()))
            compared += 1
        await c.execute("UPDATE need SET status = 'CANCELLED' WHERE id = $1", id)
    assert compared >= 20


async def test_the_last_helper_comes_first(streets: Streets) -> None:
    """Who served the grandmother last stands above who lives nearer; and hers stands first for him."""
    await streets.volunteers("wang", x=2.0)
    await streets.volunteers("zhao", x=0.1)
    whom = {"beneficiary": streets.n.residents["grandmother"]}
    done = await streets.delivered(await streets.need(quantity=1, **whom))
    await streets.c.execute("UPDATE commitment SET status = 'COMPLETED', ended_at = created_at WHERE id = $1", done)
    await streets.c.execute("DELETE FROM booking")
    other, again = await streets.need(), await streets.need(**whom)
    assert await streets.candidates(again) == ["wang", "zhao"]
    assert await streets.candidates(other) == ["zhao", "wang"]
    assert await streets.needs("wang") == [again, other]
