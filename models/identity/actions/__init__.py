"""Verbs of signing in: open, refresh, switch and end a sign-in; make and revoke a machine's key."""

from models.identity.actions.keys import Made, make_key, revoke_key
from models.identity.actions.sign_ins import (
    Acting,
    Opened,
    end_all_sign_ins,
    end_everybodys,
    end_sign_in,
    end_sign_ins_of,
    open_again,
    open_sign_in,
    refresh,
    switch,
)

__all__ = [
    "Acting",
    "Made",
    "Opened",
    "end_all_sign_ins",
    "end_everybodys",
    "end_sign_in",
    "end_sign_ins_of",
    "make_key",
    "open_again",
    "open_sign_in",
    "refresh",
    "revoke_key",
    "switch",
]
