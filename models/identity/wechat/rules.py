"""How long a code, a proof and a try count, and by what two records are one person."""

from __future__ import annotations

import enum
from datetime import timedelta

from models.access import Role
from models.labels import labelled
from models.people.scopes import SIGNED_IN

CODE_LIFE = timedelta(minutes=5)
"""How long a code of wx.login lives, and how long a lost answer can be had again with it."""
PROOF_LIFE = timedelta(minutes=15)
"""How long a proven phone number serves to claim a record."""
STAFF_PROOF_LIFE = timedelta(hours=24)
"""How long it serves staff who join two records that have the number: he need not come to them at once."""
CARD_AGE = timedelta(hours=24)
"""How long the number of an identity card has been on record before somebody may claim the record by it alone."""
TRIES = 5
"""Failed claims in `TRY_PERIOD`, of one person and on one record."""
TRY_PERIOD = timedelta(days=1)
PROOF_KEPT = timedelta(days=30)
"""How long a proof stays on record, that a retried request finds its outcome."""


class MergeProof(enum.StrEnum):
    """By what two records were known to be one person."""

    PHONE = "PHONE"
    IDENTITY = "IDENTITY"
    STAFF = "STAFF"


labelled(
    MergeProof,
    {
        MergeProof.PHONE: "本人手机号与姓名一致",
        MergeProof.IDENTITY: "身份证号与姓名一致",
        MergeProof.STAFF: "社区核对",
    },
    description="By what two records were known to be one person.",
    describe={
        MergeProof.PHONE: "He proved the record's phone number and gave its name.",
        MergeProof.IDENTITY: "He gave the record's identity card number and its name.",
        MergeProof.STAFF: "Community staff compared them: they have the same phone or identity card number.",
    },
)

OF_HIS_OWN = frozenset({Role.PERSON, Role.RESIDENT, Role.VOLUNTEER})
"""Capacities in which somebody acts for himself: these may prove a number and claim a record."""

MAY: dict[str, frozenset[Role]] = {
    "wechat.sign_in": frozenset(Role),
    "wechat.bind": SIGNED_IN,
    "wechat.unbind": SIGNED_IN,
    "phone.bind": OF_HIS_OWN,
    "person.claim": OF_HIS_OWN,
    "person.merge": frozenset({Role.COMMUNITY_STAFF}),
}
"""Which roles may take each step."""
