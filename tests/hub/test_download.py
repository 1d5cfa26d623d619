"""Downloads against a real server that cuts, starts over, stops and fills the disk."""

from __future__ import annotations

import errno
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.errors import HubError
from anomalyclip.hub import download as module
from anomalyclip.hub.download import Patience, download
from anomalyclip.hub.registry import RemoteFile


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def test_a_file_arrives_whole_and_leaves_no_companions_but_its_stamp(server, remote, target, body) -> None:
    assert download(remote, target) == target
    assert target.read_bytes() == body
    assert sorted(path.name for path in target.parent.iterdir()) == ["tiny.pt", "tiny.pt.verified.json"]
    assert [request["range"] for request in server.requests] == [None]


def test_a_cut_connection_is_continued_where_it_broke(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(700_000)]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    first, second = server.requests
    assert second["range"] == "bytes=700000-"
    assert second["if_range"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert (first["sent"], second["sent"]) == (700_000, len(body) - 700_000)
    assert len(naps) == 1


def test_a_later_run_continues_the_partial_file(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(300_000), *[answers.status(503)] * 3]
    with pytest.raises(HubError, match=r"300\.0 kB are kept, run the same command again"):
        download(remote, target, patience=naps.patience(failures=3))
    assert not target.exists()
    assert part_of(target).stat().st_size == 300_000
    server.requests.clear()
    download(remote, target)
    assert [request["range"] for request in server.requests] == ["bytes=300000-"]
    assert server.requests[0]["sent"] == len(body) - 300_000
    assert target.read_bytes() == body


def test_many_cuts_are_fine_as_long_as_each_brings_something(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(100_000)] * 9
    download(remote, target, patience=naps.patience(failures=2))
    assert target.read_bytes() == body
    assert len(server.requests) == 10
    assert sum(request["sent"] for request in server.requests) == len(body)


def test_a_server_without_ranges_starts_over(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(500_000)]
    server.usual = answers.no_ranges
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    assert server.requests[-1]["sent"] == len(body)


def test_a_server_without_ranges_that_always_cuts_is_given_up(server, remote, target, answers, naps) -> None:
    sizes = (500_000, 200_000, 500_000, 200_000, 500_000)

    def cut(number: int) -> Any:
        def answer(handler: Any, data: bytes) -> None:
            del handler.headers["Range"]
            answers.cut(number)(handler, data)

        return answer

    server.scripts["/clip/tiny.pt"] = [cut(size) for size in sizes]
    with pytest.raises(HubError, match="4 tries in a row brought nothing"):
        download(remote, target, patience=naps.patience(failures=4))


def test_a_file_that_changed_meanwhile_is_fetched_anew(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(400_000)]
    old = b"old" * 500_000
    server.files["/clip/tiny.pt"] = old[: len(body)]

    def now_changed(seconds: float) -> None:
        server.files["/clip/tiny.pt"] = body

    download(remote, target, patience=Patience(sleep=now_changed))
    assert server.requests[1]["range"] == "bytes=400000-"
    assert server.requests[1]["sent"] == len(body)  # If-Range did its work
    assert target.read_bytes() == body


def test_a_partial_file_that_does_not_fit_is_replaced(server, remote, target, body) -> None:
    """A server without ETags would happily continue foreign bytes; the checksum notices and one clean try follows."""
    part_of(target).write_bytes(b"?" * 1000)
    note = f'{{"checksum": "{remote.checksum}", "etag": null}}'
    target.with_name("tiny.pt.part.json").write_text(note)
    download(remote, target)
    assert [request["range"] for request in server.requests] == ["bytes=1000-", None]
    assert target.read_bytes() == body


@pytest.mark.parametrize("note", [None, "{", "[]", '{"checksum": "sha256 of something else"}'])
def test_a_partial_file_of_something_else_is_not_continued(server, remote, target, body, note: str | None) -> None:
    part_of(target).write_bytes(b"?" * 1000)
    if note is not None:
        target.with_name("tiny.pt.part.json").write_text(note)
    download(remote, target)
    assert [request["range"] for request in server.requests] == [None]
    assert target.read_bytes() == body


def test_a_complete_partial_file_needs_no_network(server, remote, target, body) -> None:
    part_of(target).write_bytes(body)
    target.with_name("tiny.pt.part.json").write_text(f'{{"checksum": "{remote.checksum}"}}')
    download(remote, target)
    assert target.read_bytes() == body
    assert server.requests == []


def test_range_not_satisfiable_starts_over(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.cut(400_000), answers.status(416)]
    download(remote, target, patience=naps.patience())
    assert [request["range"] for request in server.requests] == [None, "bytes=400000-", None]
    assert target.read_bytes() == body


def test_a_wrong_range_is_not_pasted_into_the_file(server, remote, target, body, answers, naps) -> None:
    def wrong(handler: Any, data: bytes) -> None:
        handler.send(206, data[100:], Content_Range=f"bytes 100-{len(data) - 1}/{len(data)}")

    server.scripts["/clip/tiny.pt"] = [answers.cut(400_000), wrong]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    assert server.requests[-1]["range"] is None


def test_too_little_space_is_said_before_the_transfer(server, remote, target, monkeypatch) -> None:
    usage = shutil.disk_usage(target.parent)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage._replace(free=10))
    with pytest.raises(HubError, match=r"has 10 B free, 1\.3 MB are needed.*ANOMALYCLIP_HOME"):
        download(remote, target)
    assert server.requests == []


def test_a_full_disk_keeps_what_arrived(server, remote, target, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "fsync", full)
        with pytest.raises(HubError, match=r"is full; what arrived is kept"):
            download(remote, target)
    assert part_of(target).exists()
    assert not target.exists()


def test_progress_counts_every_byte_and_resumes_from_where_it_was(server, remote, target, body, answers, naps) -> None:
    seen: list[int] = []
    labels: list[tuple[str, int]] = []

    class Meter:
        def __init__(self, label: str, total: int) -> None:
            labels.append((label, total))

        def __enter__(self) -> Any:
            return seen.append

        def __exit__(self, *_: object) -> None:
            pass

    server.scripts["/clip/tiny.pt"] = [answers.cut(700_000)]
    download(remote, target, meter=Meter, label="tiny", patience=naps.patience())
    assert labels == [("tiny", len(body))]
    assert seen == sorted(seen)
    assert 700_000 in seen
    assert seen[-1] == len(body)


_PULL = """
import sys, dataclasses
from anomalyclip.hub import obtain
from anomalyclip.hub.registry import Entry, RemoteFile
url, size, sha = sys.argv[1:]
file = RemoteFile("openai", url, "tiny.pt", int(size), sha)
print(obtain(Entry("tiny", "model", "", "", (file,))))
"""


def test_two_processes_download_once(server, remote: RemoteFile, cache_home: Path, body, answers) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.slow]
    command = [sys.executable, "-c", _PULL, remote.url, str(remote.size), str(remote.sha256)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].strip() for process in both]
    expected = cache_home / "models" / "tiny" / "tiny.pt"
    assert outputs == [str(expected)] * 2
    assert [process.returncode for process in both] == [0, 0]
    assert expected.read_bytes() == body
    assert len(server.requests) == 1


def test_a_killed_download_leaves_no_lock(server, remote: RemoteFile, cache_home: Path, body, answers) -> None:
    def stall(handler: Any, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:600_000])
        time.sleep(5)

    server.scripts["/clip/tiny.pt"] = [stall]
    command = [sys.executable, "-c", _PULL, remote.url, str(remote.size), str(remote.sha256)]
    part = cache_home / "models" / "tiny" / "tiny.pt.part"
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size >= 2**18) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    kept = part.stat().st_size
    assert kept >= 2**18
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert Path(done.stdout.strip()).read_bytes() == body
    assert server.requests[1]["range"] == f"bytes={kept}-"
