"""What a profile is bound to: the model, its settings, and how pictures are read and laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading


def provenance_of(
    model: Any, geometry: Geometry | None = None, areas: Areas | None = None, reading: Reading | None = None
) -> dict[str, Any]:
    """What a profile is bound to: `model.provenance()`, with the layout and reading of images among its settings."""
    told = dict(model.provenance())
    layout = (geometry.settings() if geometry is not None else {}) | (areas.settings() if areas is not None else {})
    how = reading.recorded() | reading.found() if reading is not None else {}
    return told | {"settings": {**told["settings"], **layout, **how}}
