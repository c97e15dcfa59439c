"""Messages: what a client may say over graphql-transport-ws, and the codes with which its socket is closed."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class CloseCode(IntEnum):
    """Those that are sent from here; `schema/STREAMS.md` lists the library's beside them."""

    INTERNAL_ERROR = 1011
    RESTART = 1012
    SIGNED_OUT = 4403
    INIT_TIMEOUT = 4408
    TOO_SLOW = 4413
    TOO_MANY_SOCKETS = 4430


def fault_of(message: Any) -> str | None:
    """What makes it no message of the protocol; the library takes the shape of what is there on trust."""
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return "A message is an object with a type"
    payload = message.get("payload")
    if message["type"] in ("connection_init", "ping", "pong"):
        return None if isinstance(payload, dict | None) else f"The payload of {message['type']} is an object"
    if message["type"] in ("subscribe", "complete") and not (isinstance(message.get("id"), str) and message["id"]):
        return "An operation is named by an id, a text of its own"
    return _fault_of_request(payload) if message["type"] == "subscribe" else None


def _fault_of_request(payload: Any) -> str | None:
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "The payload of subscribe has the text of a document as query"
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            return f"{name} is an object"
    return None if isinstance(payload.get("operationName"), str | None) else "operationName is a text"
