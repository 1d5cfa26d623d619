"""TLS, the road every real download takes, against a server with a certificate of our own making."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomalyclip.hub.http import StatusError, UnreachableError, get, mirrored

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    extensions = "subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:TRUE"
    command += [part for extension in extensions for part in ("-addext", extension)]
    subprocess.run([*command, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True)
    with path.open("ab") as stream:
        stream.write(Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def tls_url(server, certificate: Path) -> Iterator[str]:
    """The scripted server again, spoken to over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with type(server)() as secure:
        secure.socket = context.wrap_socket(secure.socket, server_side=True)
        secure.files["/x"] = b"over tls"
        thread = threading.Thread(target=secure.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{secure.server_port}/x"
        secure.shutdown()
        thread.join()


def test_a_trusted_server_is_read(tls_url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    with get(tls_url, {"Range": "bytes=5-"}) as response:
        assert (response.status, response.read()) == (206, b"tls")


def test_an_untrusted_server_is_refused_with_a_way_out(tls_url: str) -> None:
    with pytest.raises(UnreachableError, match=r"its certificate does not hold \(.*\); .*SSL_CERT_FILE"):
        get(tls_url)


def test_tls_never_falls_back_to_plain(server, tls_url: str, certificate: Path, answers, monkeypatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    server.files["/x"] = b"plain"
    server.scripts["/x"] = [answers.redirect(tls_url)]
    with get(f"{server.url}/x") as response:  # upwards is fine
        assert response.read() == b"over tls"


def test_a_status_carries_what_the_caller_needs(server, answers) -> None:
    server.scripts["/x"] = [answers.status(503, Retry_After="12"), answers.status(429, Retry_After="soon")]
    found = []
    for _ in range(2):
        with pytest.raises(StatusError) as caught:
            get(f"{server.url}/x")
        found.append((caught.value.status, caught.value.retry_after))
    assert found == [(503, 12.0), (429, None)]


def test_we_say_who_we_are_and_ask_for_plain_bytes(server) -> None:
    seen = {}

    def look(handler, data: bytes) -> None:
        seen.update(handler.headers.items())
        handler.send(200)

    server.usual = look
    get(f"{server.url}/x").close()
    assert seen["User-Agent"].startswith("anomalyclip/")
    assert seen["Accept-Encoding"] == "identity"


def test_mirrored_keeps_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mirrored("https://a.example/b/c.pt") == "https://a.example/b/c.pt"
    monkeypatch.setenv("ANOMALYCLIP_MIRROR", "http://files.local:8080/deep/er/")
    assert mirrored("https://a.example/b/c.pt") == "http://files.local:8080/deep/er/b/c.pt"
