"""Both files hold each row once, wherever the watcher was killed while it wrote them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.detect.flat import csv_header, csv_line
from anomalyclip.detect.result import COLUMNS, json_line
from anomalyclip.errors import ConfigError
from anomalyclip.watching.arrival import LiveMark
from anomalyclip.watching.database import Database
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.results import ResultFiles, refuse_other_model


def _row(path: str) -> bytes:
    return json_line({**dict.fromkeys(COLUMNS), "path": path, "regions": [], "settings": {"a": 1}})


@given(
    done=st.integers(0, 3),
    pending=st.integers(0, 3),
    cut=st.floats(0, 1),
    table_cut=st.floats(0, 1),
    name=st.text(max_size=4),
)
def test_a_tail_cut_anywhere_is_completed(done: int, pending: int, cut: float, table_cut: float, name: str) -> None:
    rows = [_row(f"{i}{name}.png") for i in range(done + pending)]
    lines = [csv_line(json.loads(row)) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder))
        journal = Journal(database)
        files = ResultFiles(Path(folder), journal)
        for row in rows[:done]:
            journal.record(LiveMark(), row, [], 0.0)
        files.flush()
        for row in rows[done:]:
            journal.record(LiveMark(), row, [], 0.0)
        # What a killed `flush` may have left: a beginning of what was to be appended, in either file.
        for suffix, tail, part in (("jsonl", b"".join(rows[done:]), cut), ("csv", b"".join(lines[done:]), table_cut)):
            path = Path(folder, f"results.{suffix}")
            if path.exists():
                with path.open("ab") as file:
                    file.write(tail[: round(part * len(tail))])
        database.close()
        database = Database(Path(folder))
        ResultFiles(Path(folder), Journal(database))
        assert Journal(database).outbox() == []
        database.close()
        if rows:
            assert Path(folder, "results.jsonl").read_bytes() == b"".join(rows)
            assert Path(folder, "results.csv").read_bytes() == csv_header() + b"".join(lines)


def test_rotated_files_are_begun_anew_and_foreign_lines_stay(output: Path, journal: Journal) -> None:
    files = ResultFiles(output, journal)
    journal.record(LiveMark(), _row("a.png"), [], 0.0)
    files.flush()
    for name in ("results.jsonl", "results.csv"):
        (output / name).rename(output / f"old-{name}")
    journal.record(LiveMark(), _row("b.png"), [], 0.0)
    files.flush()
    assert (output / "results.jsonl").read_bytes() == _row("b.png")
    assert (output / "results.csv").read_bytes().startswith(csv_header())
    with (output / "results.jsonl").open("ab") as file:
        file.write(b"a note by hand\n")
    journal.record(LiveMark(), _row("c.png"), [], 0.0)
    ResultFiles(output, journal)
    assert (output / "results.jsonl").read_bytes() == _row("b.png") + b"a note by hand\n" + _row("c.png")


@pytest.mark.parametrize("last", [b"", b"{}\n", b"[1]\n", b"\xff\n", b'{"settings": 1}\n', b'{"settings": {"weights'])
def test_rows_of_another_version_of_the_model_are_not_joined(tmp_path: Path, last: bytes) -> None:
    now = {"weights_sha256": "b" * 64, "prompts_sha256": "c" * 64}
    refuse_other_model(tmp_path, now)
    row = json_line({**dict.fromkeys(COLUMNS), "path": "a.png", "regions": [], "settings": {**now, "sigma": 1.0}})
    (tmp_path / "results.jsonl").write_bytes(row + last)
    refuse_other_model(tmp_path, now)
    (tmp_path / "results.jsonl").write_bytes(last + b"\n" + row)
    refuse_other_model(tmp_path, {**now, "sigma": 2.0})
    with pytest.raises(ConfigError, match=r"weights_sha256 b{12}\.\.\. then, a{12}\.\.\. now\. Name another folder"):
        refuse_other_model(tmp_path, {**now, "weights_sha256": "a" * 64})
