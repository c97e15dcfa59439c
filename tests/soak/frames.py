"""Frames: the client's side of RFC 6455 and graphql-transport-ws, no more of it than a subscriber needs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
OPERATION = "1"
DOCUMENT = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  __typename ... on StreamEvent { cursor } ... on VehicleChanged { n: odometerMeters plate } } }"""
#: an event as orjson writes it; whatever looks different is read as JSON
_EVENT = re.compile(
    rb'\{"id":"1","type":"next","payload":\{"data":\{"opsDispatchUpdates":'
    rb'\{"__typename":"VehicleChanged","cursor":"([\w-]+)","n":(\d+),"plate":"\w*"\}\}\}\}'
)


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscriber has to know of a text frame."""

    #: the type of the protocol; `event`, `resync` and `errors` for those of `next`
    type: str
    number: int = 0
    cursor: str = ""
    #: codes of errors
    detail: str = ""


def read(text: bytes) -> Message:
    if found := _EVENT.fullmatch(text):
        return Message("event", int(found[2]), found[1].decode())
    message = json.loads(text)
    payload = message.get("payload")
    if message["type"] == "next" and not payload.get("errors"):
        (event,) = payload["data"].values()
        if event["__typename"] == "ResyncRequired":
            return Message("resync", 0, event["cursor"])
        return Message("event", event["n"], event["cursor"])
    errors = payload if isinstance(payload, list) else (payload or {}).get("errors", [])
    detail = ",".join(one.get("extensions", {}).get("code") or one["message"] for one in errors)
    return Message("errors" if message["type"] == "next" else message["type"], detail=detail)


def masked(opcode: int, payload: bytes) -> bytes:
    """A frame of a client. A mask of zeros leaves the payload as it is."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes((0x80 | opcode,)) + length + b"\0\0\0\0" + payload


def split(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """Opcode, payload and end of the server's frame that begins at `at`; None when it is not whole."""
    if len(data) < at + 2:
        return None
    size, start = data[at + 1], at + 2
    if size == 126:
        size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
    elif size == 127:
        size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
    end = start + size
    if len(data) < max(start, end):
        return None
    return data[at] & 0x0F, data[start:end], end


def handshake(port: int) -> bytes:
    return (
        f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    ).encode()


def connection_init(token: str) -> bytes:
    message = {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}
    return masked(TEXT, json.dumps(message).encode())


def subscribe(metro_id: str, after: str) -> bytes:
    payload = {"query": DOCUMENT, "variables": {"id": metro_id, "after": after}}
    return masked(TEXT, json.dumps({"id": OPERATION, "type": "subscribe", "payload": payload}).encode())
