"""A watch's rows as server-sent events: the last 50, then every new one, whole lines only."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest

from anomalyclip.serve import ServeConfig


def line(number: int, decision: str = "normal") -> str:
    row = {"path": f"{number}.png", "score": number / 100, "decision": decision, "regions": [{}] * 2, "model": "secret"}
    return json.dumps(row) + "\n"


def read(reply: http.client.HTTPResponse, rows: int) -> list[dict]:
    """So many rows of a stream."""
    found: list[dict] = []
    while len(found) < rows:
        text = reply.readline().decode()
        assert text, "the stream ended"
        if text.startswith("data: "):
            found.append(json.loads(text[6:]))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def up(serve, folder):
    with serve(ServeConfig(live=folder, drain_seconds=0.0)) as running:
        yield running


def test_the_last_fifty_and_then_every_new_one(up, folder) -> None:
    file = folder / "results.jsonl"
    file.write_text("".join(line(number) for number in range(70)) + "damaged\n" + line(70)[:20])
    connection = http.client.HTTPConnection("127.0.0.1", up.port, timeout=30)
    connection.request("GET", "/v1/live")
    reply = connection.getresponse()
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert [row["path"] for row in read(reply, 50)] == [f"{number}.png" for number in range(20, 70)]
    evidence = folder / "evidence" / "20261129T020000.000Z-71-0123abcd"
    evidence.mkdir(parents=True)
    (evidence / "row.json").write_text(line(71, "anomalous"))
    (evidence / "overlay.png").write_bytes(b"a picture")
    with file.open("a") as more:
        more.write(line(70)[20:] + line(71, "anomalous"))
    seventy, anomalous = read(reply, 2)
    assert (seventy["path"], seventy["regions"], seventy["overlay"]) == ("70.png", 2, None)
    assert "model" not in seventy
    assert up.ask("GET", f"/v1/live/overlays/{anomalous['overlay']}").body == b"a picture"
    file.rename(folder / "results.old")
    file.write_text(line(72))
    assert read(reply, 1)[0]["path"] == "72.png", "rotated files are followed"
    connection.close()


@pytest.mark.parametrize("name", ["gone", "..", "%2e%2e", "..%2f..%2fresults.jsonl"])
def test_nothing_else_of_the_folder_is_given(up, name) -> None:
    assert up.ask("GET", f"/v1/live/overlays/{name}").status in (404, 405)


def test_without_a_watch_it_says_how(server) -> None:
    answer = server.ask("GET", "/v1/live")
    assert (answer.status, "--live DIR" in answer.json["error"]["message"]) == (404, True)
    assert server.ask("GET", "/v1/models").json["live"] is False
