"""A camera that answers with a playlist (HLS) whose parts lie elsewhere: whoever watches it asks there, from inside.

169.254.169.254, a cloud's metadata, gives keys to whoever can ask.
"""

from __future__ import annotations

import http.server
import threading
from contextlib import suppress

from anomalyclip.errors import InputError
from anomalyclip.watching.capture import open_capture


class _Camera(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = b""
        if self.path == "/camera.m3u8":
            elsewhere = f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere.ts"
            lines = (
                "#EXTM3U",
                "#EXT-X-VERSION:3",
                "#EXT-X-TARGETDURATION:1",
                "#EXTINF:1,",
                elsewhere,
                "#EXT-X-ENDLIST",
                "",
            )
            body = "\n".join(lines).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.apple.mpegurl")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


def asked(*, link_local: bool = False) -> set[str]:
    """What is asked for when the camera is watched. link_local: with `--allow-link-local`."""
    handler = type("Handler", (_Camera,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with suppress(InputError):
            open_capture(f"http://127.0.0.1:{server.server_port}/camera.m3u8", link_local=link_local)
        server.shutdown()
    return set(handler.asked)


if __name__ == "__main__":
    print(asked())
