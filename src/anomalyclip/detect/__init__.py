"""Detection over many files: inputs in, a bounded stream of results out, an output folder that survives anything.

>>> from anomalyclip.detect import detect_stream, iter_inputs
>>> for result in detect_stream(model, iter_inputs(["photos/"])):  # doctest: +SKIP
...     print(result.item.path, result.score, result.error)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.detect.artifacts import ImageFiles
    from anomalyclip.detect.findings import write_findings
    from anomalyclip.detect.inputs import InputItem, iter_inputs, survey_inputs
    from anomalyclip.detect.pipeline import Finished, Rules, detect_stream
    from anomalyclip.detect.report import write_report
    from anomalyclip.detect.result import Provenance, Result, Thumbnails
    from anomalyclip.detect.scored import Scored, read_results
    from anomalyclip.detect.summary import Summary
    from anomalyclip.detect.writers import OutputFolder

_HOME = {
    "Finished": "pipeline",
    "ImageFiles": "artifacts",
    "InputItem": "inputs",
    "OutputFolder": "writers",
    "Provenance": "result",
    "Result": "result",
    "Rules": "pipeline",
    "Scored": "scored",
    "Summary": "summary",
    "Thumbnails": "result",
    "detect_stream": "pipeline",
    "iter_inputs": "inputs",
    "read_results": "scored",
    "survey_inputs": "inputs",
    "write_findings": "findings",
    "write_report": "report",
}

__all__ = [
    "Finished",
    "ImageFiles",
    "InputItem",
    "OutputFolder",
    "Provenance",
    "Result",
    "Rules",
    "Scored",
    "Summary",
    "Thumbnails",
    "detect_stream",
    "iter_inputs",
    "read_results",
    "survey_inputs",
    "write_findings",
    "write_report",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
