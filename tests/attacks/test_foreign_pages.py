"""Pages of other sites, names and ports: refused by their headers, and in a real browser."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.datastructures import Headers

from anomalyclip.serve.foreign import hosts_for, refuse_foreign
from anomalyclip.serve.refusals import Refused

ATTACK = Path(__file__).parents[2] / "attacks" / "foreign_page.html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LOOPBACK = hosts_for("127.0.0.1", [])


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9555"},
        {"origin": "http://127.0.0.1"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1.evil.example:8000"},
        {"origin": "chrome-extension://abc"},
        {"origin": "http://127.0.0.1:bad"},
        {"origin": "http://evil.example@127.0.0.1:8000"},
        {"origin": "http://evil.example\\@127.0.0.1:8000"},
        {"origin": "http://evil.example#@127.0.0.1:8000"},
        {"origin": "http://127.0.0.1:8000/page"},
        {"origin": "http://127.0.0.1:8000 http://evil.example"},
        {"origin": "http://127.0.0.1.:8000"},
        {"origin": "http://2130706433:8000"},
        {"origin": "http://[::ffff:127.0.0.1]:8000"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8000"},
    ],
)
def test_foreign_headers(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        refuse_foreign(method, Headers({"host": "127.0.0.1:8000", **headers}), LOOPBACK)
    assert refused.value.status == 403
    refuse_foreign("GET", Headers({"host": "127.0.0.1:8000", **headers}), LOOPBACK)  # changes nothing, is not readable


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_our_own_page_and_programs(host: str) -> None:
    for headers in (
        {},
        {"origin": f"http://{host}", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ):
        refuse_foreign("POST", Headers({"host": host, **headers}), LOOPBACK)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "",
        "169.254.169.254",
        "a@localhost.x",
        "evil.example@localhost:8000",
        "localhost/evil.example",
        "localhost#evil.example",
        "localhost:8000:9000",
        "localhost:port",
        "localhost.",
        "[::1%25eth0]",
        "2130706433",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_dns_rebinding(method: str, host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    with pytest.raises(Refused, match="--allow-host"):
        refuse_foreign(method, Headers(headers), LOOPBACK)
    refuse_foreign("POST", Headers({"host": "inspect.test"}), hosts_for("127.0.0.1", ["Inspect.TEST"]))


@pytest.mark.parametrize("twice", ["host", "origin", "sec-fetch-site"])
def test_headers_that_stand_twice(twice: str) -> None:
    fine = {"host": "localhost", "origin": "http://localhost", "sec-fetch-site": "same-origin"}
    raw = [(name.encode(), value.encode()) for name, value in fine.items()]
    refuse_foreign("POST", Headers(raw=raw), LOOPBACK)
    with pytest.raises(Refused, match=f"several headers {twice}"):
        refuse_foreign("POST", Headers(raw=[*raw, (twice.encode(), b"evil.example")]), LOOPBACK)


def test_behind_a_proxy_with_tls() -> None:
    anyone = hosts_for("0.0.0.0", [])
    refuse_foreign("POST", Headers({"host": "qc.example", "origin": "https://qc.example"}), anyone)
    refuse_foreign("POST", Headers({"host": "qc.example:443", "origin": "https://qc.example"}), anyone)
    with pytest.raises(Refused):
        refuse_foreign("POST", Headers({"host": "qc.example", "origin": "https://other.example"}), anyone)
    with pytest.raises(Refused):
        refuse_foreign("GET", Headers({"host": "other.example"}), hosts_for("0.0.0.0", ["qc.example"]))


@pytest.fixture
def server() -> Iterator[int]:
    """`anomalyclip serve` as it is started, on the embedded model; its port."""
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--image-size", "96", "--offline"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        found = next(one for one in (re.search(r"http://127\.0\.0\.1:(\d+)/", line) for line in process.stderr) if one)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield int(found[1])
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@contextlib.contextmanager
def foreign_site() -> Iterator[int]:
    class Page(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(ATTACK.read_bytes())

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield site.server_port
        site.shutdown()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_foreign_page(server: int) -> None:
    """In Chromium: another name, another port of this machine, and a name that was made to point here."""
    sync = pytest.importorskip("playwright.sync_api")

    def made() -> list[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{server}/v1/profiles", timeout=30) as answer:
            return [profile["name"] for profile in json.load(answer)["profiles"]]

    with foreign_site() as site, sync.sync_playwright() as playwright:
        names = "MAP evil.example 127.0.0.1, MAP rebound.example 127.0.0.1"
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", f"--host-resolver-rules={names}"]
        )
        for page_at, target in (
            (f"http://evil.example:{site}", f"http://127.0.0.1:{server}"),
            (f"http://127.0.0.1:{site}", f"http://127.0.0.1:{server}"),
            (f"http://evil.example:{site}", f"http://rebound.example:{server}"),
        ):
            page = browser.new_page()
            page.goto(page_at)
            for method in ("POST", "DELETE"):
                page.evaluate("([target, method]) => attack(target, method)", [target, method])
            page.close()
            assert made() == [], (page_at, target)
        rebound = browser.new_page()
        assert rebound.goto(f"http://rebound.example:{server}/").status == 403
        rebound.close()
        own = browser.new_page()
        own.goto(f"http://127.0.0.1:{server}/")
        assert own.evaluate(f"async () => {{ {ATTACK.read_text().split('<script>')[1].split('</script>')[0]}"
                            " return await attack(location.origin, 'POST', 'cors'); }") == 200  # fmt: skip
        browser.close()
    assert made() == ["attacked"]
