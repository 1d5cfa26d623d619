"""GeoJSON: a feature per region, a MultiPolygon in pixels of its image, y down; there is no map behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from anomalyclip.detect.findings.parts import listed, scored_rows

_MEASURES = ("box", "area", "peak", "peak_xy", "mean", "centroid")


def geojson(path: Path) -> Iterator[str]:
    """The parts of the file."""
    yield '{"type": "FeatureCollection",\n"unit": "pixels of the image at `path`, y down",\n"features": [\n'
    yield from listed(
        {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": region["polygons"]},
            "properties": {
                **{key: row[key] for key in ("path", "width", "height", "score", "decision")},
                **{key: dict(region)[key] for key in _MEASURES},
            },
        }
        for _, row in scored_rows(path)
        for region in row["regions"]
    )
    yield "]}\n"
