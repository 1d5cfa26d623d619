"""The places where a user meets settings: verbs of the command line, calls of Python, requests."""

from __future__ import annotations

DETECT, CALIBRATE, WATCH, SERVE, EVALUATE = "detect", "calibrate", "watch", "serve", "evaluate"
EXPORT, TRAIN, REPRODUCE = "export", "train", "reproduce"
LOAD, PYTHON, REST = "load", "model.detect", "POST /v1/detect"

#: The verbs that open a detector and score images with it.
SCORING = (DETECT, CALIBRATE, WATCH, SERVE, EVALUATE)
#: Verbs whose options are all declared here.
VERBS = (*SCORING, EXPORT)
#: Face -> what a user calls it.
FACES = {
    **{verb: f"anomalyclip {verb}" for verb in (*VERBS, TRAIN, REPRODUCE)},
    LOAD: "anomalyclip.load",
    PYTHON: "model.detect",
    REST: "POST /v1/detect",
}
