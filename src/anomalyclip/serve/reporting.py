"""`report.html` of rows that a client sends back: the pictures are its own small ones, nothing is kept."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from anomalyclip.detect.report_card import Card
from anomalyclip.detect.report_parts import pages
from anomalyclip.detect.result import Provenance
from anomalyclip.detect.summary import Summary
from anomalyclip.serve.parsing import parsed

MOST_ROWS = 20_000
_PARTS = 50  # of JSON that a row may have, as a mean over MOST_ROWS: its keys are 13, a region has 8

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=4096)]
Picture = Annotated[str, Field(pattern=r"^data:image/(jpeg|png);base64,[A-Za-z0-9+/=]+$", max_length=2**20)]


class ReportRegion(BaseModel):
    """What the report tells of a region; further keys are ignored."""

    box: tuple[int, int, int, int]
    peak: Share


class ReportRow(BaseModel):
    """One image: keys of `results.jsonl`, and its two small pictures as `data:` URIs."""

    model_config = ConfigDict(extra="forbid")

    path: Text
    frame: int | None = None
    width: int | None = None
    height: int | None = None
    score: Share | None = None
    p_value: Share | None = None
    decision: Literal["anomalous", "normal"] | None = None
    regions: list[ReportRegion] = Field(default=[], max_length=1000)
    notes: list[Text] = Field(default=[], max_length=20)
    error: Text | None = None
    image: Picture | None = None
    heat: Picture | None = None


class ReportBody(BaseModel):
    """Rows of one report, and what they were decided by."""

    model_config = ConfigDict(extra="forbid")

    threshold: Share | None = None
    pixel_threshold: Share | None = None
    profile: Text | None = None
    rows: list[ReportRow] = Field(min_length=1, max_length=MOST_ROWS)


def report_of(body: bytes, served: Provenance) -> bytes:
    """The page, UTF-8. served: the model and settings that it tells. Raises Refused (400, 422). Blocks."""
    asked = parsed(ReportBody, body, _PARTS * MOST_ROWS, "the report")
    decided = {name: getattr(asked, name) for name in ("threshold", "pixel_threshold", "profile")}
    told = {"model": served.model, "prompts": served.prompts, "settings": {**served.settings, **decided}}
    rows = [{**row.model_dump(exclude={"image", "heat"}), **told} for row in asked.rows]
    summary = Summary(keep=MOST_ROWS)
    for number, row in enumerate(rows):
        summary.add(row, number)
    scores = array("f", (row["score"] for row in rows if row["score"] is not None))

    def cards() -> Iterator[Card]:
        for number in summary.top():
            yield Card(rows[number], asked.rows[number].image, asked.rows[number].heat)

    shown = [rows[number] for number in summary.top()]
    return "".join(pages(summary, rows[0], shown, cards(), scores=scores)).encode("utf-8", "backslashreplace")
