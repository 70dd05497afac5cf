"""Volunteers of the scenarios: they come by the mini-program, register, are verified, and say when and where they help."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.scenarios.client import Api
from tests.scenarios.phones import Phone, a_number, come

NORTH_KM = 1 / 111.32
"""A kilometre to the north, in degrees of latitude."""
MORNINGS = [{"weekday": 2, "fromMinute": 480, "toMinute": 720}]
EVENINGS = [{"weekday": 2, "fromMinute": 1080, "toMinute": 1260}]
SURNAMES = "王赵孙周吴郑冯陈褚卫蒋沈韩杨朱"


@dataclasses.dataclass
class Neighbour:
    """Somebody who would help, and whether the need is to be shown to him."""

    name: str
    volunteer: str
    phone: Phone
    shown: bool


async def neighbourhood(api: Api, staff: str, community: Any) -> list[Neighbour]:
    """Twelve who live within 2 km of a community's centre and have time on Tuesday mornings; then one who sets out
    from 6 km away, one who has time in the evening only, and one who does not want to be matched."""
    near = [await _arrived(api, staff, community, n, 0.1 + n * 0.1, MORNINGS) for n in range(12)]
    far = await _arrived(api, staff, community, 12, 6.0, MORNINGS, shown=False)
    late = await _arrived(api, staff, community, 13, 0.5, EVENINGS, shown=False)
    unwilling = await _arrived(api, staff, community, 14, 0.5, MORNINGS, shown=False, noMatching=True)
    return [*near, far, late, unwilling]


async def _arrived(
    api: Api, staff: str, community: Any, n: int, km: float, windows: Any, *, shown: bool = True, **said: Any
) -> Neighbour:
    name, number = f"{SURNAMES[n]}晓{'春夏秋冬'[n % 4]}", a_number()
    person = {"name": name, "phone": number, "phoneWhose": "OWN", "gender": "FEMALE", "birthDate": "1990-05-04"}
    where = {"community": community["id"], "address": f"万莲路 {n + 20} 号楼 1 单元 101"}
    await api.done(staff, "Register", input={**where, "person": person})
    phone = await come(api, number, name)
    given = {"community": community["id"], "categories": ["ELDERLY"], **said}
    volunteer = await api.done(await phone.token(), "Volunteer", input=given)
    verified = await api.done(staff, "VerifyVolunteer", id=volunteer["id"])
    assert verified["state"] == "ACTIVE"
    centre = community["position"]
    point = {"latitude": round(centre["latitude"] + km * NORTH_KM, 5), "longitude": centre["longitude"]}
    offered = {"windows": windows, "radiusKm": 3.0, "point": point}
    token = await phone.token("VOLUNTEER")
    await api.done(token, "Availability", id=volunteer["id"], version=verified["version"], input=offered)
    return Neighbour(name, volunteer["id"], phone, shown)
