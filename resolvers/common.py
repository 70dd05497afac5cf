"""Types that every area uses: nodes, pages, money."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import strawberry

from models.problems import InvalidInput
from models.territory import geo
from resolvers.engine import words as w

T = TypeVar("T")


@strawberry.interface(description="Anything with an id of its own.")
class Node:
    id: strawberry.ID = w.identity(description="The global id: a readable prefix and a UUID, such as `need_0199…`.")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there is more before this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the page's first item; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(description="The cursor of the page's last item; null on an empty page.")


@strawberry.type(description="An item of a page.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(
        description="Where the item stands in its list; opaque, and valid for the same `order` only."
    )
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list that can grow.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The page's items, in order.")
    page_info: PageInfo = strawberry.field(description="Where the page lies.")
    total_count: int | None = strawberry.field(
        description="How many items the whole list has; counted only if asked for."
    )


class Currency(enum.StrEnum):
    CNY = "CNY"


strawberry.enum(Currency, description="Money's unit.")
Currency.__strawberry_definition__.values[0].description = "Yuan renminbi."  # type: ignore[attr-defined]


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal = w.expression(
        lambda row: yuan(row.fen), description='Yuan with two decimals, as text: `"1200.00"`.'
    )
    currency: Currency = w.expression(lambda row: sa.literal_column("'CNY'", sa.Text()), description="Always CNY.")


def yuan(fen: Any) -> Any:
    """An amount in fen as yuan with two decimals."""
    # a product has as many decimals as its factors together; a division would cost several times as much
    return sa.cast(fen, sa.Numeric()) * sa.literal_column("0.01", sa.Numeric())


def money(fen: Any, **kw: Any) -> Any:
    """A Money field over a column, or over SQL: `money(tables.Donation.amount_fen)`, `money(lambda row: row.a - row.b)`."""
    build = (
        fen
        if callable(fen) and not hasattr(fen, "key")
        else lambda row, view: getattr(row, fen if isinstance(fen, str) else fen.key)
    )
    viewed = w._viewed(build)
    return w.inside(lambda row, view: {"fen": viewed(row, view)}, present="fen", **kw)


@strawberry.input(description="An amount of money that comes in.")
class MoneyInput:
    amount: Decimal = strawberry.field(description='Yuan, at most two decimals, as text: `"1200.00"`.')
    currency: Currency = strawberry.field(default=Currency.CNY, description="Always CNY.")

    def fen(self, field: str = "amount") -> int:
        """The amount in fen. Raises InvalidInput when it has fractions of a fen, is not above zero, or is over 100 billion yuan."""
        fen = self.amount * 100
        if fen != fen.to_integral_value():
            raise InvalidInput(field=field, reason="金额最多两位小数，不能有不足一分的零头。")
        if not 0 < fen <= 10**13:
            raise InvalidInput(field=field, reason="金额必须大于零，且不超过一千亿元。")
        return int(fen)


@strawberry.type(description="A place in the city, in degrees, WGS 84.")
class Position:
    latitude: float = w.expression(
        lambda row: degrees(geo.LATITUDE, row.y, geo.KM_NORTH), description="Degrees north, to 0.0001: about 10 m."
    )
    longitude: float = w.expression(
        lambda row: degrees(geo.LONGITUDE, row.x, geo.KM_EAST), description="Degrees east, to 0.0001: about 10 m."
    )


def degrees(zero: float, km: Any, km_in_one: float) -> Any:
    """A coordinate on the city's plane in degrees: `geo.in_degrees`."""
    exact: Any = sa.literal_column(str(zero)) + sa.cast(km, sa.Numeric()) / sa.literal_column(f"{km_in_one:.6f}")
    return sa.cast(sa.func.round(exact, sa.literal_column("4")), sa.Double())


def position(x: str = "x", y: str = "y", **kw: Any) -> Any:
    """A Position over two columns of the row, in km; null where they are."""
    return w.inside(lambda row, view: {"x": getattr(row, x), "y": getattr(row, y)}, present="x", **kw)


@strawberry.input(description="A position in degrees, WGS 84.")
class PositionInput:
    latitude: float = strawberry.field(description="Degrees north, -90 to 90.")
    longitude: float = strawberry.field(description="Degrees east, -180 to 180.")
