"""What needs and offers are made of: kinds, units, and who stands on which side."""

from __future__ import annotations

import enum

from models.labels import labelled


class Kind(enum.StrEnum):
    """What sort of thing is needed or offered."""

    SERVICE = "SERVICE"
    GOODS = "GOODS"
    CASH_AID = "CASH_AID"
    VENUE = "VENUE"
    JOB = "JOB"
    LIVELIHOOD_ITEM = "LIVELIHOOD_ITEM"


labelled(
    Kind,
    {
        Kind.SERVICE: "服务",
        Kind.GOODS: "物资",
        Kind.CASH_AID: "资金救助",
        Kind.VENUE: "场地",
        Kind.JOB: "就业岗位",
        Kind.LIVELIHOOD_ITEM: "民生实事",
    },
    description="What sort of thing is needed or offered.",
    describe={
        Kind.SERVICE: "Somebody's time.",
        Kind.GOODS: "Things.",
        Kind.CASH_AID: "Money, paid by a fund.",
        Kind.VENUE: "A room or a place.",
        Kind.JOB: "Work for somebody who looks for it.",
        Kind.LIVELIHOOD_ITEM: "A practical matter of a community, to be taken on and settled.",
    },
)


class Unit(enum.StrEnum):
    """What a quantity counts."""

    HELPER = "HELPER"
    VISIT = "VISIT"
    SESSION = "SESSION"
    HOUR = "HOUR"
    PIECE = "PIECE"
    SET = "SET"
    HOUSEHOLD = "HOUSEHOLD"
    POST = "POST"
    ITEM = "ITEM"


labelled(
    Unit,
    {
        Unit.HELPER: "人",
        Unit.VISIT: "次",
        Unit.SESSION: "场",
        Unit.HOUR: "小时",
        Unit.PIECE: "件",
        Unit.SET: "套",
        Unit.HOUSEHOLD: "户",
        Unit.POST: "岗",
        Unit.ITEM: "项",
    },
    description="What a quantity counts.",
    describe={
        Unit.HELPER: "Persons who help.",
        Unit.VISIT: "Times that somebody comes.",
        Unit.SESSION: "Service sessions.",
        Unit.HOUR: "Hours.",
        Unit.PIECE: "Pieces.",
        Unit.SET: "Sets or parcels.",
        Unit.HOUSEHOLD: "Households.",
        Unit.POST: "Posts of work.",
        Unit.ITEM: "Matters to settle.",
    },
)


class Sensitivity(enum.StrEnum):
    """Who may read of a need at all."""

    NORMAL = "NORMAL"
    RESTRICTED = "RESTRICTED"


labelled(
    Sensitivity,
    {Sensitivity.NORMAL: "一般", Sensitivity.RESTRICTED: "敏感"},
    colours={Sensitivity.RESTRICTED: "red"},
    description="Who may read of a need at all.",
    describe={
        Sensitivity.NORMAL: "Listed, without what identifies anybody.",
        Sensitivity.RESTRICTED: "Seen by those whom it concerns and by the staff named for it, nobody else.",
    },
)


class GenderPreference(enum.StrEnum):
    """Whom the beneficiary would rather have."""

    ANY = "ANY"
    FEMALE = "FEMALE"
    MALE = "MALE"


labelled(
    GenderPreference,
    {GenderPreference.ANY: "不限", GenderPreference.FEMALE: "希望女性", GenderPreference.MALE: "希望男性"},
    description="Whom the beneficiary would rather have. A wish, not a bar.",
    describe={
        GenderPreference.ANY: "Anybody.",
        GenderPreference.FEMALE: "A woman, if possible.",
        GenderPreference.MALE: "A man, if possible.",
    },
)


class Hint(enum.StrEnum):
    """What whoever helps should know or bring, and how one gets in."""

    STEADY_ARM = "STEADY_ARM"
    WHEELCHAIR = "WHEELCHAIR"
    STAIRS = "STAIRS"
    LIFTING = "LIFTING"
    FIRST_AID = "FIRST_AID"
    PATIENCE = "PATIENCE"
    SPEAK_CLEARLY = "SPEAK_CLEARLY"
    GUIDE_BY_VOICE = "GUIDE_BY_VOICE"
    SIGN_LANGUAGE = "SIGN_LANGUAGE"
    DIET = "DIET"
    NO_LIFT = "NO_LIFT"
    STEPS_AT_DOOR = "STEPS_AT_DOOR"
    NARROW_DOOR = "NARROW_DOOR"
    BARRIER_FREE = "BARRIER_FREE"
    NO_PARKING = "NO_PARKING"


labelled(
    Hint,
    {
        Hint.STEADY_ARM: "走路需搀扶",
        Hint.WHEELCHAIR: "需推轮椅",
        Hint.STAIRS: "上下楼需协助",
        Hint.LIFTING: "需搬抬",
        Hint.FIRST_AID: "最好会急救",
        Hint.PATIENCE: "需耐心、多重复",
        Hint.SPEAK_CLEARLY: "说话请慢而清楚",
        Hint.GUIDE_BY_VOICE: "需言语引路",
        Hint.SIGN_LANGUAGE: "最好会手语",
        Hint.DIET: "饮食有忌口",
        Hint.NO_LIFT: "楼内没有电梯",
        Hint.STEPS_AT_DOOR: "门口有台阶",
        Hint.NARROW_DOOR: "门窄，轮椅难进",
        Hint.BARRIER_FREE: "可无障碍进入",
        Hint.NO_PARKING: "附近不便停车",
    },
    description="What whoever helps should know or bring, and how one gets in: what there is to do, never why.",
    describe={
        Hint.STEADY_ARM: "Somebody walks with an arm to hold on to.",
        Hint.WHEELCHAIR: "A wheelchair is to be pushed.",
        Hint.STAIRS: "Help on stairs.",
        Hint.LIFTING: "Something, or somebody, is to be lifted.",
        Hint.FIRST_AID: "Somebody who knows first aid, if possible.",
        Hint.PATIENCE: "Patience: things are said more than once.",
        Hint.SPEAK_CLEARLY: "Speak slowly and clearly.",
        Hint.GUIDE_BY_VOICE: "Say where to go, and what is there.",
        Hint.SIGN_LANGUAGE: "Somebody who knows sign language, if possible.",
        Hint.DIET: "Ask what may be eaten.",
        Hint.NO_LIFT: "There are stairs, and no lift.",
        Hint.STEPS_AT_DOOR: "There are steps before the door.",
        Hint.NARROW_DOOR: "The door is narrow: a wheelchair hardly passes.",
        Hint.BARRIER_FREE: "One gets in without a step, with a wheelchair too.",
        Hint.NO_PARKING: "There is hardly anywhere to park.",
    },
)


ACCESS = (Hint.NO_LIFT, Hint.STEPS_AT_DOOR, Hint.NARROW_DOOR, Hint.BARRIER_FREE, Hint.NO_PARKING)
"""How one gets in: of the hints, these are for whoever asks to give; the others are the staff's choice."""


class Missing(enum.StrEnum):
    """What somebody lacks to serve a need. Stored nowhere; the SQL function `need_misses` says the same words."""

    SKILL = "SKILL"
    CERTIFICATE = "CERTIFICATE"
    LANGUAGE = "LANGUAGE"
    GENDER = "GENDER"
    AGE = "AGE"


labelled(
    Missing,
    {
        Missing.AGE: "年满18周岁",
        Missing.SKILL: "所需技能",
        Missing.CERTIFICATE: "所需资质证书",
        Missing.LANGUAGE: "手语",
        Missing.GENDER: "受助人要求的性别",
    },
    description="What somebody lacks to serve a need.",
    describe={
        Missing.AGE: "Eighteen years: a minor serves neither what is risky nor between 22:00 and 06:00.",
        Missing.SKILL: "The skill that it takes.",
        Missing.CERTIFICATE: "A certificate that it, or its category, takes, verified and valid.",
        Missing.LANGUAGE: "Sign language.",
        Missing.GENDER: "The gender that the beneficiary insists on.",
    },
)


class SubmittedVia(enum.StrEnum):
    """How a need came in."""

    ONLINE = "ONLINE"
    COUNTER = "COUNTER"
    PHONE = "PHONE"
    GRID = "GRID"
    VISIT = "VISIT"


labelled(
    SubmittedVia,
    {
        SubmittedVia.ONLINE: "居民自助",
        SubmittedVia.COUNTER: "社区窗口",
        SubmittedVia.PHONE: "电话",
        SubmittedVia.GRID: "网格走访",
        SubmittedVia.VISIT: "探访发现",
    },
    description="How a need came in.",
    describe={
        SubmittedVia.ONLINE: "Written by a resident himself.",
        SubmittedVia.COUNTER: "At the community's counter.",
        SubmittedVia.PHONE: "By telephone.",
        SubmittedVia.GRID: "On a grid officer's round.",
        SubmittedVia.VISIT: "Found on a care visit.",
    },
)


class Fulfilment(enum.StrEnum):
    """How much of a need has been delivered: derived from its quantities."""

    NONE = "NONE"
    PARTIAL = "PARTIAL"
    FULL = "FULL"


labelled(
    Fulfilment,
    {Fulfilment.NONE: "未满足", Fulfilment.PARTIAL: "部分满足", Fulfilment.FULL: "全部满足"},
    colours={Fulfilment.PARTIAL: "orange", Fulfilment.FULL: "green"},
    description="How much of a need has been delivered: derived from its quantities.",
    describe={
        Fulfilment.NONE: "Nothing yet.",
        Fulfilment.PARTIAL: "Some of it.",
        Fulfilment.FULL: "All of it.",
    },
)


class Origin(enum.StrEnum):
    """Who made the first move towards a commitment."""

    CLAIM = "CLAIM"
    PROPOSAL = "PROPOSAL"


labelled(
    Origin,
    {Origin.CLAIM: "主动认领", Origin.PROPOSAL: "社区推荐"},
    description="Who made the first move towards a commitment; the other side accepts it.",
    describe={
        Origin.CLAIM: "The provider claimed the need; the beneficiary, or staff for him, accepts.",
        Origin.PROPOSAL: "Staff proposed the provider, who accepts.",
    },
)


class Side(enum.StrEnum):
    """Where somebody stands towards a commitment."""

    PROVIDER = "PROVIDER"
    BENEFICIARY = "BENEFICIARY"
    STAFF = "STAFF"


labelled(
    Side,
    {Side.PROVIDER: "服务方", Side.BENEFICIARY: "受助方", Side.STAFF: "社区"},
    description="Where somebody stands towards a commitment.",
    describe={
        Side.PROVIDER: "Who serves: the volunteer, or the organization's staff.",
        Side.BENEFICIARY: "Who is served, or asked on his behalf.",
        Side.STAFF: "The community's staff and social workers.",
    },
)
