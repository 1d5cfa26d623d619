"""Connections that begin a request and never end it: each costs its sender nothing, and a server that has places for so
many only has none for anybody else.
"""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack

HALF = b"POST /v1/detect HT"


def answer(port: int, number: int = 600) -> bytes:
    """What a server on this machine says to a whole request while so many half ones are held."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)).sendall(HALF)
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        client.sendall(f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while piece := client.recv(65536):
            said += piece
        return said


if __name__ == "__main__":
    print(answer(int(sys.argv[1])).decode())
