"""From where a request comes: the address that the audit log keeps (网络安全法: network logs name both ends)."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, MutableMapping
from typing import Any

FORWARDED = b"x-forwarded-for"


def client_address(scope: MutableMapping[str, Any], proxies: int) -> str | None:
    """The address of a request's client, of whom so many proxies of ours stand in front.

    Each proxy appends to `X-Forwarded-For` whom it heard; the last so many are therefore true, and whatever stands
    before them the client may have written himself. Without proxies the header is not looked at.
    """
    client = scope.get("client")
    peer = None if client is None else plain(str(client[0]))
    if not proxies:
        return peer
    heard = [*_listed(value for name, value in scope["headers"] if name == FORWARDED), peer or ""]
    return plain(heard[max(0, len(heard) - 1 - proxies)]) or peer


def _listed(values: Iterable[bytes]) -> list[str]:
    return [part.strip() for value in values for part in value.decode("latin-1").split(",")]


@functools.lru_cache(maxsize=4096)
def plain(text: str) -> str | None:
    """An IP address as it is usually written, without a port; None for anything else.

    A client's is read with each of his requests, and reading it costs as much as a sixth of the whole door.
    """
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)
