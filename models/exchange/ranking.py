"""Lists of matches: who may serve a need, and what a provider may serve, best first and with the reasons.

Two tables mirror what is searched, written by triggers in the transaction that changes what they mirror: `availability`
says who is free when and where, `demand` what is wanted. The database's functions search them by category, half day and
cell without reading anything else, score what is left, and ask the hard rules (`VOLUNTEER_RULES`, `OFFER_RULES` of
`models.migrations.functions_0028.rules`) from the best down until the list is full: see docs/decisions/matching.md.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field

from models.access import NOBODY, Role
from models.base import INSTANT, READ_ONLY, Table
from models.exchange.rules import STAFF, TRIAGERS
from models.exchange.scoring import PHRASES, UNASKED, MatchTerm, Reader
from models.exchange.tables import Need, Offer
from models.people.tables import Volunteer

FOUND: tuple[tuple[str, Any], ...] = (
    ("provider_id", sa.Uuid()),
    ("volunteer", sa.Boolean()),
    ("need_id", sa.Uuid()),
    ("option", sa.SmallInteger()),
    ("km", sa.REAL()),
    ("score", sa.Integer()),
    ("points", ARRAY(sa.Integer())),
    ("wishes", sa.Integer()),
    ("weights_version", sa.Integer()),
)
"""What the database's functions answer. `wishes`: 1 where a gender was asked for, 2 more where a language was."""
TERMS = tuple(MatchTerm)
GENDER, LANGUAGE = 1, 2
READS_CANDIDATES = STAFF
"""Who reads whom a need could be served by; `TRIAGERS` propose them."""
LONGEST = 50
"""The most matches that one list has."""


def _small(**kw: Any) -> Any:
    return Field(sa_type=sa.SmallInteger, **kw)


def _real(**kw: Any) -> Any:
    return Field(sa_type=sa.REAL, **kw)


class Availability(Table, table=True):
    """可服务时段: one row for each category, half day and place in which somebody may be found. Kept by triggers.

    `slot`: (ISO weekday − 1)·3 + 0, 1, 2 for the time before noon, before 18:00 and after it; −1 for any time, one row of
    each provider; −2 for offers that may be given at every time of their window. `cell`: the square kilometre of a
    provider who goes up to 10 km, larger squares for wider radii (`reach_cell`); for offers without a radius a number
    made of the area that they serve, below 0. Neither is a secret that leaves: no query of the API reads this table.
    """

    __tablename__ = "availability"
    __table_args__ = (
        sa.Index(
            "ix_availability_search",
            "category",
            "slot",
            "cell",
            postgresql_include=[
                *("provider_id", "kind", "x", "y", "radius", "from_minute", "to_minute", "gender", "languages"),
                *("skills", "certificates", "certified_until", "reliability"),
            ],
        ),
        {"info": READ_ONLY},
    )
    provider_id: UUID = Field(primary_key=True)
    """A volunteer's person, or an offer."""
    kind: str = Field(sa_type=sa.Text)
    category: str = Field(sa_type=sa.Text, primary_key=True)
    """`*` for a volunteer who has named none."""
    slot: int = _small(primary_key=True)
    cell: int = Field(primary_key=True)
    x: float | None = _real(nullable=True)
    y: float | None = _real(nullable=True)
    radius: float | None = _real(nullable=True)
    from_minute: int = _small(primary_key=True)
    to_minute: int = _small()
    """The whole window, whatever part of it lies in the slot."""
    gender: str = Field(sa_type=sa.Text)
    languages: int = _small()
    """Bits: 1 Korean, 2 Mongolian, 4 sign language."""
    skills: int = Field(sa_type=sa.BigInteger)
    certificates: int = Field(sa_type=sa.BigInteger)
    """Bits by which most who lack something are passed over (`match_bits`); whether it is held is asked exactly."""
    certified_until: date
    """The first day on which one of his papers ends, or infinity: before it their bits are exact."""
    reliability: float = _real()


class Demand(Table, table=True):
    """待对接需求: one row for each category and appointment in which an open need may be found. Kept by triggers.

    NORMAL needs in OPEN or IN_PROGRESS with something left. A need of a child category stands under its parent, too.
    """

    __tablename__ = "demand"
    __table_args__ = (
        sa.Index(
            "ix_demand_search",
            "category",
            "slot",
            "cell",
            postgresql_include=[
                *("need_id", "place", "kind", "x", "y", "starts_at", "ends_at", "from_minute", "to_minute", "due_at"),
                *("gender", "gender_required", "language", "skills", "certificates", "beneficiary_id", "priority"),
                *("area", "licence"),
            ],
        ),
        {"info": READ_ONLY},
    )
    need_id: UUID = Field(primary_key=True)
    category: str = Field(sa_type=sa.Text, primary_key=True)
    place: int = _small(primary_key=True)
    """Which of its appointments, from 0, in the asker's order."""
    slot: int = _small()
    """−1 where any time will do."""
    cell: int
    kind: str = Field(sa_type=sa.Text)
    x: float = _real()
    y: float = _real()
    starts_at: datetime | None = Field(default=None, sa_type=INSTANT, nullable=True)
    ends_at: datetime | None = Field(default=None, sa_type=INSTANT, nullable=True)
    from_minute: int = _small()
    to_minute: int = _small()
    due_at: datetime = Field(sa_type=INSTANT)
    gender: str = Field(sa_type=sa.Text)
    gender_required: bool
    language: int = _small()
    skills: int = Field(sa_type=sa.BigInteger)
    certificates: int = Field(sa_type=sa.BigInteger)
    beneficiary_id: UUID | None = None
    priority: int = _small()
    area: str = Field(sa_type=sa.Text)
    licence: int = Field(sa_type=sa.BigInteger)
    """The papers of which its category asks for one, as bits; 0 where it asks for none."""


def _found(name: str, *arguments: Any) -> Any:
    """What a function of the database lists, as a FROM."""
    columns = [sa.column(n, t) for n, t in FOUND]
    return getattr(sa.func, name)(*arguments).table_valued(*columns).render_derived()


def _listed(found: Any, *more: Any) -> list[Any]:
    return [found.c.score, found.c.km, found.c.points, found.c.wishes, found.c.weights_version, found.c.option, *more]


def _order(found: Any) -> list[Any]:
    return [found.c.score.desc(), found.c.km.asc().nulls_last(), found.c.need_id, found.c.provider_id]


def candidates(need: Any, view: Any, first: Any) -> sa.Select[Any]:
    """Volunteers and offers that may serve a need, for the staff of its area; of those that the asker sees."""
    reads = view.actor.role in READS_CANDIDATES
    found = _found("match_candidates", need.id, view.actor.now, first if reads else sa.literal_column("0"))
    volunteers, offers = view.rows(Volunteer), view.rows(Offer)
    known = sa.and_(found.c.volunteer, volunteers.c.person_id == found.c.provider_id)
    given = sa.and_(sa.not_(found.c.volunteer), offers.c.id == found.c.provider_id)
    source = found.outerjoin(volunteers, known).outerjoin(offers, given)
    seen = sa.func.num_nonnulls(volunteers.c.id, offers.c.id) > sa.literal_column("0")
    there = seen if reads else NOBODY
    ids = [volunteers.c.id.label("volunteer_id"), offers.c.id.label("offer_id")]
    return sa.select(*_listed(found, *ids)).select_from(source).where(there).order_by(*_order(found))


def recommended(view: Any, first: Any, within_km: Any) -> sa.Select[Any]:
    """Needs for the volunteer who asks; of those that he sees in the public list, and nobody else's."""
    volunteer = view.actor.role is Role.VOLUNTEER
    wanted = first if volunteer else sa.literal_column("0")
    found = _found("match_needs", view.actor.person, view.actor.now, wanted, sa.cast(within_km, sa.REAL()))
    return _of_needs(found, view).where(sa.true() if volunteer else NOBODY)


def for_offer(offer: Any, view: Any, first: Any, among: Any = None) -> sa.Select[Any]:
    """Needs for an offer, for whoever makes it and the staff who see it."""
    role, actor = view.actor.role, view.actor
    if role is Role.NGO_STAFF:
        mine: Any = offer.organization_id == actor.organization
    elif role is Role.VOLUNTEER:
        mine = offer.person_id == actor.person
    else:
        mine = sa.true() if role in TRIAGERS else NOBODY
    wanted = sa.case((mine, first), else_=sa.literal_column("0"))
    found = _found("match_needs_for_offer", offer.id, actor.now, wanted)
    return _of_needs(found, view, among).where(NOBODY if mine is NOBODY else sa.true())


def for_offer_of(view: Any, offer: Any, first: Any) -> sa.Select[Any]:
    """The same, of an offer by its id, as far as the asker sees it."""
    rows = view.rows(Offer)
    return for_offer(rows.c, view, first, rows).where(rows.c.id == offer)


def _of_needs(found: Any, view: Any, among: Any = None) -> sa.Select[Any]:
    """`among`: a FROM whose columns are the function's arguments."""
    needs = view.rows(Need)
    listed = found if among is None else among.join(found, sa.true())
    return (
        sa.select(*_listed(found, needs.c.id.label("need_id")))
        .select_from(listed.join(needs, needs.c.id == found.c.need_id))
        .order_by(*_order(found))
    )


def reader_of(view: Any) -> Reader:
    """To whom reasons are told."""
    role = view.actor.role
    if role is Role.VOLUNTEER:
        return Reader.VOLUNTEER
    return Reader.ORGANIZATION if role is Role.NGO_STAFF else Reader.STAFF


def _text(words: str) -> Any:
    assert "'" not in words
    return sa.literal_column(f"'{words}'", sa.Text())


def _spelled(row: Any, reader: Reader, term: MatchTerm) -> Any:
    """A term's phrase, as SQL over a row of a list."""
    before, holds, after = PHRASES[reader][term].partition("{km}")
    if holds:
        said = sa.func.coalesce(sa.func.to_char(row.km, _text("FM990.0")), _text(""), type_=sa.Text())
        return _text(before).concat(said).concat(_text(after))
    if term not in UNASKED:
        return _text(before)
    bit: Any = sa.literal_column(str(GENDER if term is MatchTerm.GENDER else LANGUAGE))
    return sa.case((row.wishes.op("&")(bit) != sa.literal_column("0"), _text(before)), else_=_text(UNASKED[term]))


def terms(row: Any, view: Any) -> sa.Select[Any]:
    """The reasons of one match: those that have points, in their order."""
    reader = reader_of(view)
    each = sa.func.unnest(row.points).table_valued(sa.column("points", sa.Integer()), with_ordinality="place", name="t")
    each = each.render_derived()
    numbered = [(each.c.place == sa.literal_column(str(i)), term) for i, term in enumerate(TERMS, 1)]
    code = sa.case(*((at, _text(term.value)) for at, term in numbered))
    said = sa.case(*((at, _spelled(row, reader, term)) for at, term in numbered))
    return (
        sa.select(code.label("code"), said.label("label"), each.c.points)
        .where(each.c.points != sa.literal_column("0"))
        .order_by(each.c.place)
    )


def sentence(row: Any, view: Any) -> Any:
    """The reasons of one match as a line (`scoring.sentence`)."""
    reader = reader_of(view)
    told = []
    for i, term in enumerate(TERMS, 1):
        n = row.points[sa.literal_column(str(i))]
        signed = sa.case((n > sa.literal_column("0"), _text("+")), else_=_text("")).concat(sa.cast(n, sa.Text()))
        told.append(
            sa.case((n != sa.literal_column("0"), _spelled(row, reader, term).concat(_text(" ")).concat(signed)))
        )
    return sa.func.concat_ws(_text(" · "), *told, type_=sa.Text())
