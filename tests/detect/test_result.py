"""Rows: the keys of the issue, readable by any CSV and JSON reader, exact for names of any bytes."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.detect import InputItem, Provenance, Result
from anomalyclip.detect.flat import FIELDS, csv_header, csv_line
from anomalyclip.detect.result import COLUMNS, json_line, one_line, to_row
from anomalyclip.geometry.regions import find_regions

KEYS = ["path", "width", "height", "score", "p_value", "decision", "regions", "geometry", "notes"]
KEYS += ["error", "model", "prompts", "settings", "frame"]
STUB = Provenance("stub", "none", {"layers": [1, 2], "threshold": None})
BYTES = st.binary(min_size=1, max_size=40).filter(lambda b: b"\0" not in b)


def table(*lines: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(lines).decode("utf-8"), newline="")))


def test_the_keys_are_those_of_the_issue(result_of: Callable[..., Result]) -> None:
    row = to_row(result_of("a.png", score=0.25), STUB)
    assert list(row) == KEYS == list(COLUMNS)
    assert json.loads(json_line(row)) == row
    (cells,) = table(csv_header(), csv_line(row))
    assert list(cells) == list(FIELDS)
    assert (cells["path"], cells["width"], cells["score"], cells["decision"]) == ("a.png", "8", "0.25", "normal")
    assert (cells["error"], cells["regions"], cells["region_peak"]) == ("", "0", "")


def test_a_table_has_one_value_per_cell(result_of: Callable[..., Result]) -> None:
    """As pandas and spreadsheets read it: no JSON in a cell, the strongest region spelled out."""
    regions = find_regions(np.array([[0.9, 0, 0, 0.7], [0, 0, 0, 0.8]], np.float32), 0.5)
    geometry = {"views": 4, "box": [0, 0, 8, 6], "inside": 0.5}
    result = replace(result_of("a.png", score=0.9), regions=regions, geometry=geometry, notes=("one", "two"))
    row = to_row(result, STUB)
    (cells,) = table(csv_header(), csv_line(row))
    assert not any(cell.startswith(("[", "{")) for cell in cells.values())
    told = {key: cells[key] for key in cells if key.startswith("region")}
    assert told == {
        "regions": "2", "region_peak": repr(float(np.float32(0.9))), "region_area": "1", "region_x": "0",
        "region_y": "0", "region_width": "1", "region_height": "1",
    }  # fmt: skip
    assert (cells["views"], cells["inside"], cells["notes"]) == ("4", "0.5", "one; two")
    assert row["regions"] == regions, "the JSON lines keep all"


def test_a_failed_row_has_nulls(result_of: Callable[..., Result]) -> None:
    row = to_row(Result(InputItem("a", "a", b"a"), error="why"), STUB)
    nulls = ("width", "height", "score", "p_value", "decision")
    assert [row[k] for k in (*nulls, "regions", "error")] == [*[None] * len(nulls), [], "why"]
    assert json.loads(json_line(row))["score"] is None
    (cells,) = table(csv_header(), csv_line(row))
    assert (cells["score"], cells["regions"]) == ("", "")


@given(BYTES)
def test_any_file_name_goes_through_json_exactly_and_csv_as_one_utf8_row(raw: bytes) -> None:
    path = os.fsdecode(b"/" + raw)
    row = to_row(Result(InputItem(path, "a", b"a"), error=f"{path}: bad"), STUB)
    line = json_line(row)
    assert line.count(b"\n") == 1
    line.decode("utf-8")
    assert os.fsencode(json.loads(line)["path"]) == b"/" + raw
    (cells,) = table(csv_header(), csv_line(row))
    assert cells["path"] == path.encode("utf-8", "backslashreplace").decode()


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\t=1"])
def test_texts_that_a_spreadsheet_would_run_are_defused(result_of: Callable[..., Result], text: str) -> None:
    row = to_row(replace(result_of("a.png"), notes=(text,)), STUB)
    (cells,) = table(csv_header(), csv_line(row))
    assert cells["notes"] == f"'{text}"
    assert json.loads(json_line(row))["notes"] == [text]


def test_infinite_scores_never_reach_json(result_of: Callable[..., Result]) -> None:
    assert to_row(result_of("a", score=float("inf")), STUB)["score"] is None


def test_provenance_joins_hashes_and_thresholds_into_the_settings() -> None:
    class Model:
        def provenance(self) -> dict[str, object]:
            return {"model": "m", "prompts": "p", "settings": {"layers": (1,)}, "version": "9", "weights_sha256": "ab"}

    found = Provenance.of(Model(), threshold=0.5)
    assert (found.model, found.prompts) == ("m", "p")
    assert found.settings == {"layers": [1], "version": "9", "weights_sha256": "ab", "threshold": 0.5}


def test_reasons_are_one_line_and_never_empty() -> None:
    assert one_line("a\n b\t c") == "a b c"
    assert one_line(MemoryError()) == "MemoryError"
