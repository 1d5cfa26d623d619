"""Results as Parquet: the keys of `results.jsonl` as columns, what made them in the file's metadata."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from anomalyclip.detect.result import COLUMNS, Provenance

#: In the file's metadata: model, prompts and settings as JSON.
METADATA = b"anomalyclip"

_TEXT = pa.dictionary(pa.int32(), pa.string())  # the same in every row: a few bytes per file
REGION = pa.struct(
    [
        ("box", pa.list_(pa.int32())),
        ("area", pa.int64()),
        ("peak", pa.float64()),
        ("peak_xy", pa.list_(pa.int32())),
        ("mean", pa.float64()),
        ("centroid", pa.list_(pa.float64())),
    ]
)
_TYPES = {
    "path": pa.string(),
    "frame": pa.int32(),
    "width": pa.int32(),
    "height": pa.int32(),
    "score": pa.float64(),
    "p_value": pa.float64(),
    "decision": pa.string(),
    "regions": pa.list_(REGION),
    "geometry": pa.string(),  # JSON, as in results.csv
    "notes": pa.list_(pa.string()),
    "error": pa.string(),
    "model": _TEXT,
    "prompts": _TEXT,
    "settings": _TEXT,  # JSON
}
SCHEMA = pa.schema([("input", pa.int64()), *((name, _TYPES[name]) for name in COLUMNS), ("identity", pa.binary())])
"""`input` is the running number in the manifest: it tells rows apart whose paths had to be escaped. `identity` is the
scored file's (`Identity.packed`), null for URLs: by it a resumed run knows a file that was replaced."""

_JSON = ("geometry", "settings")
_ESCAPED = ("path", "error", "model", "prompts")


def encode_rows(rows: Sequence[Mapping[str, Any]], provenance: Provenance) -> bytes:
    """Rows of `to_row`, each with its `input` and perhaps its `identity`, as one Parquet file.

    Bytes of a file name that are no UTF-8 are written as backslash escapes: Parquet holds valid text only.
    """
    columns = {name: [_cell(name, row.get(name)) for row in rows] for name in SCHEMA.names}
    made = {"model": provenance.model, "prompts": provenance.prompts, "settings": dict(provenance.settings)}
    table = pa.table(columns, schema=SCHEMA.with_metadata({METADATA: json.dumps(made).encode()}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def decode_rows(data: bytes | None) -> list[dict[str, Any]]:
    """The rows of a file, as `encode_rows` took them; [] for none and for a damaged one."""
    if data is None:
        return []
    try:
        rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(data), schema=SCHEMA).to_pylist()
    except pa.ArrowInvalid:
        return []
    for row in rows:
        for name in _JSON:
            row[name] = None if row[name] is None else json.loads(row[name])
    return rows


def _cell(name: str, value: Any) -> Any:
    if name in _JSON and value is not None:
        return json.dumps(value, ensure_ascii=True)
    if name in _ESCAPED and value is not None:
        return str(value).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return value
