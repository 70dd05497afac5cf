"""The twelve categories of one's own data, and what a statement of the file is."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping

from models.vault import Kind


class Category(enum.Enum):
    """The twelve categories: their keys in the file, in order, with their names."""

    IDENTITY = ("identity", "身份信息", "Who you are on record as")
    CONTACT = ("contact", "联系方式", "How you are reached")
    RESIDENCE = ("residence", "居住、家庭与关爱信息", "Residence, household, care")
    VOLUNTEERING = ("volunteering", "志愿者与社工登记", "Registrations as a volunteer or social worker")
    CONSENTS = ("consents", "同意与监护", "Consents and guardianships")
    NEEDS = ("needs", "需求", "What you asked for, or was asked for you")
    COMMITMENTS = ("commitments", "对接与供给", "Commitments and offers")
    SESSIONS = ("sessions", "场次与参与记录", "Sessions and attendances")
    HOURS = ("hours", "服务时长", "Hours of service")
    DONATIONS = ("donations", "捐赠与资助", "Gifts, where they went, and aid received")
    ACCOUNTS = ("accounts", "任职、账号与登录", "Capacities, accounts, sign-ins")
    ACCESS = ("access", "查阅记录与权利请求", "Who read your data, and what you asked of us")


@dataclasses.dataclass(frozen=True)
class Source:
    """One statement of the file. `$1` is the person; a column whose name begins with `_` is not written."""

    category: Category
    name: str
    zh: str
    en: str
    sql: str
    names: tuple[str, ...]
    """The columns by which it finds him: `table.column`."""
    opened: Mapping[str, tuple[Kind, str]] = dataclasses.field(default_factory=dict)
    """Column -> (kind, the column that holds whom it is bound to)."""
    parsed: tuple[str, ...] = ()
    """Opened columns that hold JSON."""
    one: bool = False
    """Whether there is at most one row: an object, or null."""
