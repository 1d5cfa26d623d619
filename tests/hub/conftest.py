"""A real HTTP server on this machine that follows a script, and a cache folder of its own for every test."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.hub import registry
from anomalyclip.hub.download import Patience
from anomalyclip.hub.registry import Entry, RemoteFile

Answer = Callable[[Any, bytes], None]


class Record(dict):
    """What a request was. ``sent`` is known once the handler's thread is done, which may be after the client is."""

    def __missing__(self, key: str) -> object:
        deadline = time.monotonic() + 10
        while key not in self and time.monotonic() < deadline:
            time.sleep(0.01)
        if key in self:
            return self[key]
        raise KeyError(key)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the next scripted behaviour of the path, or properly."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        self.sent = 0
        script = self.server.scripts.get(path, [])
        answer = script.pop(0) if script else self.server.usual
        fields = {"path": self.path, "range": self.headers.get("Range"), "if_range": self.headers.get("If-Range")}
        record = Record(fields)
        self.server.requests.append(record)
        with contextlib.suppress(ConnectionError):
            answer(self, self.server.files.get(path, b""))
        record["sent"] = self.sent

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.sent += len(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.scripts: dict[str, list[Answer]] = {}
        self.requests: list[dict[str, Any]] = []
        self.usual: Answer = Answers.ranges

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: Any) -> None:
        pass  # clients that hang up are part of the tests


class Answers:
    """Behaviours a server may show."""

    @staticmethod
    def ranges(handler: Handler, data: bytes) -> None:
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        start = int(found[1]) if found and handler.headers.get("If-Range", tag) == tag else 0
        if start and start >= len(data):
            handler.send(416, Content_Range=f"bytes */{len(data)}")
        elif start:
            rest = f"bytes {start}-{len(data) - 1}/{len(data)}"
            handler.send(206, data[start:], Content_Range=rest, ETag=tag)
        else:
            handler.send(200, data, ETag=tag)

    @staticmethod
    def no_ranges(handler: Handler, data: bytes) -> None:
        handler.send(200, data)

    @staticmethod
    def cut(after: int) -> Answer:
        """Announces everything, sends ``after`` bytes of what is left, hangs up."""

        def answer(handler: Handler, data: bytes) -> None:
            tag = f'"{hashlib.md5(data).hexdigest()}"'
            found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
            start = int(found[1]) if found else 0
            handler.send_response(206 if start else 200)
            if start:
                handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            handler.send_header("Content-Length", str(len(data) - start))
            handler.send_header("ETag", tag)
            handler.end_headers()
            handler.wfile.write(data[start : start + after])
            handler.sent += after
            handler.close_connection = True

        return answer

    @staticmethod
    def status(code: int, **headers: str) -> Answer:
        return lambda handler, data: handler.send(code, b"sorry", **headers)

    @staticmethod
    def redirect(url: str, code: int = 302) -> Answer:
        return lambda handler, data: handler.send(code, Location=url)

    @staticmethod
    def announce(length: int) -> Answer:
        def answer(handler: Handler, data: bytes) -> None:
            handler.send(200, data, Content_Length=str(length))
            handler.close_connection = True

        return answer

    @staticmethod
    def endless(handler: Handler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(data)
        for _ in range(2000):  # 130 MB: far more than any file of the tests, yet not for ever if a test fails
            handler.wfile.write(b"x" * 65536)
            handler.sent += 65536

    @staticmethod
    def hang_up(handler: Handler, data: bytes) -> None:
        handler.close_connection = True
        handler.connection.shutdown(2)

    @staticmethod
    def slow(handler: Handler, data: bytes) -> None:
        time.sleep(0.6)
        Answers.ranges(handler, data)


class Naps(list[float]):
    """Collects the waits instead of waiting."""

    def patience(self, **options: Any) -> Patience:
        return Patience(sleep=self.append, **options)


@pytest.fixture
def answers() -> type[Answers]:
    return Answers


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees this machine's real caches, proxies or switches."""
    caches = ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME")
    for name in ("ANOMALYCLIP_OFFLINE", "ANOMALYCLIP_MIRROR", *caches):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("ANOMALYCLIP_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def body() -> bytes:
    """A megabyte and a bit: several chunks, no period."""
    return b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(40_000)) + b"end"


@pytest.fixture
def remote(server: Server, body: bytes) -> RemoteFile:
    """A file of the server, pinned by sha256."""
    server.files["/clip/tiny.pt"] = body
    return RemoteFile(
        "openai", f"{server.url}/clip/tiny.pt", "tiny.pt", len(body), hashlib.sha256(body).hexdigest(),
        known_copy="clip/tiny.pt",
    )  # fmt: skip


@pytest.fixture
def target(cache_home: Path) -> Path:
    folder = cache_home / "models" / "tiny"
    folder.mkdir(parents=True)
    return folder / "tiny.pt"


@pytest.fixture
def tiny(server: Server, remote: RemoteFile, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """A registered model ``tiny`` with two sources, and prompts ``tiny-prompts`` pinned by git blob id."""
    other = b"the same model in another format"
    server.files["/hf/tiny.safetensors"] = other
    second = RemoteFile(
        "huggingface", f"{server.url}/hf/tiny.safetensors", "tiny.safetensors", len(other),
        hashlib.sha256(other).hexdigest(), known_copy="models--x--tiny/snapshots/1/tiny.safetensors",
    )  # fmt: skip
    words = b"learned words"
    server.files["/prompts/words.pth"] = words
    blob = hashlib.sha1(b"blob 13\0learned words").hexdigest()
    pinned = RemoteFile("github", f"{server.url}/prompts/words.pth", "tiny-prompts.pth", len(words), git_blob=blob)
    prompts = Entry("tiny-prompts", "prompts", "for tests", "MIT", (pinned,))
    entry = Entry("tiny", "model", "for tests", "MIT", (remote, second), default_prompts="tiny-prompts")
    monkeypatch.setitem(registry.MODELS, "tiny", entry)
    monkeypatch.setitem(registry.PROMPTS, "tiny-prompts", prompts)
    return entry
