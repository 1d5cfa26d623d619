"""The metrics of a watch, as Prometheus's own parser reads them over HTTP."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from anomalyclip.cli import main
from anomalyclip.detect import read_results
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.integrations.prometheus import Exposition, parse_place


def row(score: float | None, decision: str | None, **more: Any) -> dict[str, Any]:
    return {"path": "a.png", "score": score, "decision": decision, "p_value": None, "regions": [], **more}


def read(port: int) -> dict[tuple[str, str], float]:
    """(sample, its last label) -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = (sample for family in families for sample in family.samples)
    return {(one.name, next(iter(one.labels.values()), "")): one.value for one in samples}


def test_counts_are_those_of_the_rows() -> None:
    waiting = {"mqtt": 0}
    told = Exposition("0", "in", lambda: waiting)
    told.start()
    try:
        first = read(told.port)
        assert first["anomalyclip_watch_pictures_total", "anomalous"] == 0, "before there is one"
        told.show(row(0.95, "anomalous", p_value=0.004, regions=[{}, {}]))
        told.show(row(0.15, "normal", p_value=0.7))
        told.show(row(0.25, None))
        told.show(row(None, None))
        waiting["mqtt"] = 3
        found = read(told.port)
    finally:
        told.close(5)
    counted = {
        name: found["anomalyclip_watch_pictures_total", name] for name in ("anomalous", "normal", "undecided", "failed")
    }
    assert counted == dict.fromkeys(counted, 1)
    assert found["anomalyclip_watch_regions_total", ""] == 2
    assert found["anomalyclip_watch_messages_waiting", "mqtt"] == 3
    assert (found["anomalyclip_watch_score_count", ""], found["anomalyclip_watch_score_sum", ""]) == (
        3,
        pytest.approx(1.35),
    )
    assert found["anomalyclip_watch_score_bucket", "0.2"] == 1
    assert found["anomalyclip_watch_p_value_bucket", "0.005"] == 1
    assert found["anomalyclip_watch_last_picture_timestamp_seconds", ""] > 1.7e9
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system says: nobody answers
        read(told.port)


def test_it_answers_on_loopback_only_and_says_what_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"127.0.0.1:{port} cannot be had"):
            Exposition(str(port), "in").start()


def test_a_watch_answers_while_it_runs(
    results_of: Callable[..., Path], tmp_path: Path, golden_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked at its very end, as all rows are known then."""
    pictures = next(read_results(results_of())).file.parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = []

    def asked_first(self: Exposition, grace: float) -> None:
        if not answers:
            answers.append(read(port))
        close(self, grace)

    close = Exposition.close
    monkeypatch.setattr(Exposition, "close", asked_first)
    small = ["--model", golden_folder / "clip_small_openai.safetensors", "--prompts", golden_folder / "epoch_1.pth"]
    quick = ["--once", "--interval", "0.02", "--settle", "0.05", "--quiet", "--threshold", "0.5", "--metrics", port]
    with pytest.raises(SystemExit) as ended:
        main(
            ["watch", *map(str, [pictures, *small, "--image-size", "70", "--layers", "6", *quick]), "-o", str(tmp_path)]
        )
    assert ended.value.code == 3, "one picture cannot be read"
    (found,) = answers
    assert found["anomalyclip_watch_pictures_total", "failed"] == 1
    assert sum(found["anomalyclip_watch_pictures_total", name] for name in ("anomalous", "normal")) == 3


@pytest.mark.parametrize("given", ["", "x", "99999", "a:b", "http://h:1", "1:2:3", "h:"])
def test_places_that_cannot_be(given: str) -> None:
    with pytest.raises(ConfigError, match="PORT or HOST:PORT"):
        parse_place(given)
