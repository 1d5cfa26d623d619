"""What a server may answer: wrong content is refused, passing faults are tried again, others are not."""

from __future__ import annotations

import time
from typing import Any

import pytest

from anomalyclip.errors import HubError
from anomalyclip.hub import http
from anomalyclip.hub.download import download
from anomalyclip.hub.http import StatusError


def test_a_wrong_checksum_leaves_nothing_behind(server, remote, target, body) -> None:
    server.files["/clip/tiny.pt"] = bytes([body[0] ^ 1]) + body[1:]
    with pytest.raises(HubError, match=r"its sha256 is [0-9a-f]{64}, expected [0-9a-f]{64}.*Nothing was kept"):
        download(remote, target)
    assert list(target.parent.iterdir()) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("difference", [-1, 1, 10**9])
def test_a_wrong_content_length_is_refused_before_the_transfer(
    server, remote, target, body, answers, difference
) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.announce(len(body) + difference)]
    with pytest.raises(HubError, match=f"offers {len(body) + difference:,} bytes, but tiny.pt has {len(body):,}"):
        download(remote, target)
    assert not target.exists()


def test_an_endless_body_is_stopped(server, remote, target, answers) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.endless]
    with pytest.raises(HubError, match="sends more than the"):
        download(remote, target)
    assert list(target.parent.iterdir()) == []
    time.sleep(0.1)
    assert server.requests[0].get("sent", 0) < 20_000_000  # hung up early


def test_a_body_without_length_is_fine(server, remote, target, body) -> None:
    def chunked(handler: Any, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(data), 100_000):
            chunk = data[start : start + 100_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")

    server.scripts["/clip/tiny.pt"] = [chunked]
    download(remote, target)
    assert target.read_bytes() == body


def test_a_login_page_of_the_network_is_told(server, remote, target, naps) -> None:
    def portal(handler, _) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html; charset=utf-8")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"6\r\n<html>\r\n0\r\n\r\n")

    server.scripts["/clip/tiny.pt"] = [portal]
    with pytest.raises(HubError, match=r"answers with a web page in place of tiny\.pt: a login page of the network"):
        download(remote, target, patience=naps.patience())
    assert naps == []
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_repeated(server, remote, target, answers, naps, code: int) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.status(code)]
    with pytest.raises(StatusError, match=f"/clip/tiny.pt answered {code} .*; take another source"):
        download(remote, target, patience=naps.patience())
    assert len(server.requests) == 1
    assert naps == []


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_repeated(server, remote, target, body, answers, naps, code: int) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.status(code), answers.status(code)]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    assert 0.4 <= naps[0] <= 0.6
    assert 0.8 <= naps[1] <= 1.2


def test_retry_after_is_honoured_within_bounds(server, remote, target, answers, naps) -> None:
    past = "Wed, 21 Oct 2015 07:28:00 GMT"
    script = [("7", 7.0), ("86400", 30.0), (past, 0.0)]
    server.scripts["/clip/tiny.pt"] = [answers.status(503, Retry_After=value) for value, _ in script]
    download(remote, target, patience=naps.patience())
    assert naps == [wait for _, wait in script]


def test_a_connection_dropped_before_the_answer_is_repeated(server, remote, target, body, answers, naps) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.hang_up]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body


def test_a_stalled_connection_is_dropped(server, remote, target, body, answers, naps, monkeypatch) -> None:
    monkeypatch.setattr(http, "READ_TIMEOUT", 0.2)
    server.scripts["/clip/tiny.pt"] = [answers.slow]
    download(remote, target, patience=naps.patience())
    assert target.read_bytes() == body
    assert len(server.requests) == 2
