"""The messages of `graphql-transport-ws`, and the codes by which it ends a socket."""

from __future__ import annotations

from typing import Any

from api import strict
from api.asgi import Message

PROTOCOL = "graphql-transport-ws"
LONGEST_ID = 128
"""Characters of an operation's id. Clients send a UUID or a number."""
GOING_AWAY, LATER = 1001, 1013
INVALID, UNAUTHORIZED, FORBIDDEN, SUBPROTOCOL, TIMEOUT, TAKEN, AGAIN, INTERNAL = (
    4400, 4401, 4403, 4406, 4408, 4409, 4429, 4500,
)  # fmt: skip
OBJECTS = {"connection_init", "ping", "pong"}
"""Messages whose payload may be an object, null or left out."""


class Closed(Exception):
    """The socket ends, with a code and a few words."""

    def __init__(self, code: int, reason: str) -> None:
        self.code, self.reason = code, reason


def read(message: Message) -> dict[str, Any]:
    """A message as an object with a type. Raises Closed."""
    text = message.get("text")
    if text is None:
        raise Closed(INVALID, "a message is text")
    try:
        said = strict.loads(text)
    except ValueError:
        raise Closed(INVALID, "a message is JSON") from None
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise Closed(INVALID, "a message is an object with a type")
    if said["type"] in OBJECTS and not isinstance(said.get("payload"), dict | None):
        raise Closed(INVALID, f"{said['type']}: the payload is an object")
    return said


def id_of(said: dict[str, Any]) -> str:
    """The id of the operation that a message is about. Raises Closed."""
    id = said.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
        raise Closed(INVALID, f"{said['type']}: the id is a string of 1 to {LONGEST_ID} characters")
    return id
