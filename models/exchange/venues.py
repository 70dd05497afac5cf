"""What a venue has to offer besides its room: equipment, and how one gets in and about."""

from __future__ import annotations

import enum

from models.labels import labelled


class VenueEquipment(enum.StrEnum):
    """What stands ready in a venue."""

    SEATS_AND_TABLES = "SEATS_AND_TABLES"
    PROJECTOR = "PROJECTOR"
    SOUND = "SOUND"
    WHITEBOARD = "WHITEBOARD"
    COMPUTERS = "COMPUTERS"
    KITCHEN = "KITCHEN"
    PIANO = "PIANO"
    MATS = "MATS"
    PLAY_CORNER = "PLAY_CORNER"


labelled(
    VenueEquipment,
    {
        VenueEquipment.SEATS_AND_TABLES: "桌椅",
        VenueEquipment.PROJECTOR: "投影",
        VenueEquipment.SOUND: "音响",
        VenueEquipment.WHITEBOARD: "白板",
        VenueEquipment.COMPUTERS: "电脑",
        VenueEquipment.KITCHEN: "厨房",
        VenueEquipment.PIANO: "钢琴",
        VenueEquipment.MATS: "活动垫",
        VenueEquipment.PLAY_CORNER: "儿童活动角",
    },
    description="What stands ready in a venue.",
    describe={
        VenueEquipment.SEATS_AND_TABLES: "Tables and chairs.",
        VenueEquipment.PROJECTOR: "A projector, or a large screen.",
        VenueEquipment.SOUND: "Microphones and loudspeakers.",
        VenueEquipment.WHITEBOARD: "A board to write on.",
        VenueEquipment.COMPUTERS: "Computers to work at.",
        VenueEquipment.KITCHEN: "A kitchen that may be cooked in.",
        VenueEquipment.PIANO: "A piano.",
        VenueEquipment.MATS: "Mats for gymnastics.",
        VenueEquipment.PLAY_CORNER: "A corner where children play.",
    },
)


class VenueAccess(enum.StrEnum):
    """How people with disabilities get into a venue and about in it."""

    STEP_FREE = "STEP_FREE"
    LIFT = "LIFT"
    ACCESSIBLE_TOILET = "ACCESSIBLE_TOILET"
    ACCESSIBLE_PARKING = "ACCESSIBLE_PARKING"
    HEARING_LOOP = "HEARING_LOOP"
    TACTILE_PAVING = "TACTILE_PAVING"


labelled(
    VenueAccess,
    {
        VenueAccess.STEP_FREE: "无障碍进入",
        VenueAccess.LIFT: "电梯",
        VenueAccess.ACCESSIBLE_TOILET: "无障碍卫生间",
        VenueAccess.ACCESSIBLE_PARKING: "无障碍车位",
        VenueAccess.HEARING_LOOP: "助听设备",
        VenueAccess.TACTILE_PAVING: "盲道",
    },
    description="How people with disabilities get into a venue and about in it.",
    describe={
        VenueAccess.STEP_FREE: "One gets in, and to the room, without a step.",
        VenueAccess.LIFT: "There is a lift.",
        VenueAccess.ACCESSIBLE_TOILET: "A toilet for wheelchairs.",
        VenueAccess.ACCESSIBLE_PARKING: "A place to park for people with disabilities.",
        VenueAccess.HEARING_LOOP: "Equipment for hearing aids.",
        VenueAccess.TACTILE_PAVING: "Paving that the blind can follow.",
    },
)
