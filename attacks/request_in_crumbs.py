"""A body in chunks of one byte: every chunk is an event of its own for the one thread that answers everybody, so that a
few megabytes of them keep all others waiting for many seconds.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

CHUNKS = 2_000_000


def answer(port: int, chunks: int = CHUNKS, size: int = 1) -> bytes:
    """What a server on this machine says to a form of so many chunks of `size` bytes, before it ends the connection."""
    head = f"POST /v1/detect HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        parts = (form, *[b"a" * size] * chunks, b"\r\n--x--", b"")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        with suppress(OSError):  # it may be cut off, with the answer on its way
            client.sendall(f"{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode() + body)
        said = b""
        with suppress(OSError):
            while piece := client.recv(65536):
                said += piece
        return said


if __name__ == "__main__":
    print(answer(int(sys.argv[1])).decode())
