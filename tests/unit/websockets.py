"""The server's side of a WebSocket, as far as tests need it: messages of one frame."""

from __future__ import annotations

import base64
import hashlib
import struct
from http.server import BaseHTTPRequestHandler


def accept(handler: BaseHTTPRequestHandler) -> None:
    """Agree to what the client asks for."""
    key = handler.headers["Sec-WebSocket-Key"]
    accepted = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode())
    handler.send_response(101)
    for name, value in {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(accepted.digest()).decode(),
        "Sec-WebSocket-Protocol": handler.headers["Sec-WebSocket-Protocol"],
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.flush()


def send(handler: BaseHTTPRequestHandler, message: bytes) -> None:
    size = len(message)
    length = struct.pack("!B", size) if size < 126 else struct.pack("!BH", 126, size)
    handler.wfile.write(b"\x82" + length + message)
    handler.wfile.flush()


def receive(handler: BaseHTTPRequestHandler) -> bytes:
    _, length = handler.rfile.read(2)
    size = length & 127
    if size > 125:
        form, more = ("!H", 2) if size == 126 else ("!Q", 8)
        [size] = struct.unpack(form, handler.rfile.read(more))
    mask, message = handler.rfile.read(4), handler.rfile.read(size)
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(message))
