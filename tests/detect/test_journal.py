"""The journal against a plain list of lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.detect.journal import LineFile, compact, read_rows, row_at
from anomalyclip.errors import OutputError

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=25)


def line(key: int, value: int) -> bytes:
    return json.dumps({"k": key, "v": value}).encode() + b"\n"


@given(ROWS, st.integers(0, 30), st.booleans())
def test_compact_leaves_the_newest_row_per_key_in_first_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int]], cut: int, damage: bool
) -> None:
    path = tmp_path_factory.mktemp("journal") / "r.jsonl"
    lines = [line(*row) for row in rows]
    if damage:
        lines.insert(len(lines) // 2, b"\0\0garbage\n")
    path.write_bytes(b"".join(lines) + line(99, 99)[: min(cut, len(line(99, 99)) - 1)])  # the last line is cut
    compact(path, lambda row: bytes([row["k"]]))
    newest = dict(rows)  # which keeps the place of the first and the value of the last
    assert [(row["k"], row["v"]) for _, row in read_rows(path)] == list(newest.items())
    assert path.read_bytes() == b"".join(line(k, v) for k, v in newest.items())


def test_a_clean_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line(1, 1) + line(2, 2))
    before = path.stat().st_ino
    compact(path, lambda row: bytes([row["k"]]))
    assert path.stat().st_ino == before


def test_rows_without_a_key_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"x": 1}\n[1, 2]\n' + line(2, 2))
    compact(path, lambda row: bytes([row["k"]]) if "k" in row else None)
    assert path.read_bytes() == line(2, 2)


def test_a_row_after_one_that_was_cut_is_not_lost_with_it(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line(1, 10) + line(2, 20)[:5])
    file = LineFile(path)
    file.append(line(3, 30))
    file.close()
    assert [row["v"] for _, row in read_rows(path)] == [10, 30]


def test_offsets_lead_back_to_rows(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line(1, 10) + b"bad\n" + line(2, 20))
    with path.open("rb") as file:
        assert [row_at(file, offset)["v"] for offset, _ in read_rows(path)] == [10, 20]
        with pytest.raises(OutputError, match="changed"):
            row_at(file, len(line(1, 10)))


def test_missing_files_have_no_rows(tmp_path: Path) -> None:
    assert list(read_rows(tmp_path / "none")) == []
    compact(tmp_path / "none", lambda row: b"")


def test_lines_are_on_disk_at_once(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "r.jsonl")
    file.append(line(1, 1))
    assert (tmp_path / "r.jsonl").read_bytes() == line(1, 1)
    file.append(line(2, 2))
    assert (tmp_path / "r.jsonl").read_bytes() == line(1, 1) + line(2, 2)
    file.close()


def test_a_full_disk_is_an_output_error_that_says_how_to_go_on() -> None:
    file = LineFile(Path("/dev/full"))
    with pytest.raises(OutputError, match=r"disk is full.*--resume"):
        file.append(line(1, 1))
    file.close()


def test_a_line_that_only_half_fits_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    import signal

    file = LineFile(tmp_path / "r.jsonl")
    file.append(line(1, 1))
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(line(1, 1)) + 5, before[1]))
    try:
        with pytest.raises(OutputError):
            file.append(line(2, 2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "r.jsonl").read_bytes() == line(1, 1)
    file.append(line(3, 3))
    assert (tmp_path / "r.jsonl").read_bytes() == line(1, 1) + line(3, 3)
    file.close()
