"""`benchmarks/record.py`: tables of README and docs say what the recorded files say; a failed part loses nothing."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import record as script  # type: ignore[import-not-found]

    return script  # type: ignore[no-any-return]


def test_every_marked_table_is_that_of_its_file(record: ModuleType) -> None:
    for page in record.PAGES:
        text = page.read_text("utf-8")
        assert record.drawn(text) == text, f"{page.name}: run python benchmarks/record.py --docs"
        assert text.count("<!-- record:") == len(record.MARKED.findall(text)), f"{page.name}: a mark without its end"
        assert text.count("<!-- figure:") == len(record.SINGLE.findall(text)), f"{page.name}: a mark without its end"


def test_recorded_files_hold_known_parts_and_say_how_they_were_made(record: ModuleType) -> None:
    for file in record.FOLDER.glob("*.csv"):
        for name, rows in record.read(file).items():
            assert rows[record.ABOUT]["command"] == f"python {record.PARTS[name].command}"
            assert {"time", "processor", "anomalyclip"} <= set(rows[record.ABOUT])


def test_a_part_is_measured_written_and_drawn(
    record: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    works, fails = tmp_path / "works.py", tmp_path / "fails.py"
    works.write_text("import sys; open(sys.argv[1], 'w').write('{\"ours\": 0.5, \"theirs\": 2}')")
    fails.write_text("raise SystemExit(3)")
    rows = lambda found: {name: {"s": value, "x": None} for name, value in found.items()}  # noqa: E731
    parts = {name: record.Part(f"{path} OUT", "", rows, {"s": ".2f", "x": ".1f"}) for name, path in
             (("works", works), ("fails", fails))}  # fmt: skip
    page = tmp_path / "page.md"
    figure = "<!-- figure: here.csv works, theirs, s -->old<!-- / -->"
    page.write_text(f"Before {figure}.\n\n<!-- record: here.csv works -->\nold\n<!-- end -->\nAfter.\n")
    monkeypatch.setattr(record, "PARTS", parts)
    monkeypatch.setattr(record, "PAGES", [page])
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["record.py", "--parts", "works,fails", "--file", str(tmp_path / "here.csv")])
    with pytest.raises(SystemExit) as ended:
        record.main()
    assert ended.value.code == 1
    with (tmp_path / "here.csv").open() as stream:
        found = {(line["part"], line["row"], line["figure"]): line["value"] for line in csv.DictReader(stream)}
    assert found["works", "ours", "s"] == "0.5"
    assert not any(part == "fails" for part, _, _ in found)
    assert found["works", "about", "command"] == f"python {works} OUT"
    assert "| ours | 0.50 |\n| theirs | 2.00 |" in page.read_text()
    assert "| x |" not in page.read_text()  # nowhere measured
    assert page.read_text().startswith("Before <!-- figure: here.csv works, theirs, s -->2.00<!-- / -->.")
    assert page.read_text().endswith("<!-- end -->\nAfter.\n")
