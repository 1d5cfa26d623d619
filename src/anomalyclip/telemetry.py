"""Libraries below us report to their makers what runs here; on our account none does.

onnxruntime's builds send events to Microsoft and keep an identifier of the machine in the home folder, OpenVINO and
NNCF send every import and conversion to Google Analytics, Ray, MLflow and FiftyOne count who uses them. A program for
factories and hospitals, which says that it works without a network, must not. Each is told by the means that its own
documentation names; OpenVINO, which has none but a file in the home folder, finds the package that sends missing and
goes on without it.
"""

from __future__ import annotations

import os
import sys

#: environment variable -> value that sends nothing; a value that the user has set stays
SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "FIFTYONE_DO_NOT_TRACK": "true",
}
_SENDS = "openvino_telemetry"


def refuse() -> None:
    """Has to come before these libraries are imported: they read it, and send, while they are."""
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
    sys.modules.setdefault(_SENDS, None)  # type: ignore[arg-type]  # to import None is an ImportError
