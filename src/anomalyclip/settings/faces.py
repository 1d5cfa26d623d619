"""The places where a user meets settings: verbs of the command line, calls of Python, requests."""

from __future__ import annotations

DETECT, CALIBRATE, WATCH, SERVE, EVALUATE = "detect", "calibrate", "watch", "serve", "evaluate"
EXPORT, TRAIN, REPRODUCE, BENCH = "export", "train", "reproduce", "bench"
COMPARE, DOCTOR, CORRECT, VALIDATE = "compare", "doctor", "correct", "validate"
DATA_LIST, DATA_INFO, DATA_CHECK, DATA_META = "data list", "data info", "data check", "data meta"
DATA_MAKE = "data make"
MODELS_LIST, MODELS_PULL, MODELS_VERIFY, MODELS_PATH = "models list", "models pull", "models verify", "models path"
LOAD, PYTHON, PYTHON_BATCH = "anomalyclip.load", "model.detect", "model.detect_batch"
REST, REST_CALIBRATE = "POST /v1/detect", "POST /v1/calibrate"
REST_CORRECT = "POST /v1/profiles/NAME/corrections"

#: The verbs that open a detector and score images with it.
SCORING = (DETECT, CALIBRATE, WATCH, SERVE, EVALUATE)
#: Every command, as it is typed after `anomalyclip`.
COMMANDS = (
    *SCORING,
    EXPORT,
    TRAIN,
    REPRODUCE,
    BENCH,
    COMPARE,
    CORRECT,
    VALIDATE,
    DOCTOR,
    DATA_LIST,
    DATA_INFO,
    DATA_CHECK,
    DATA_META,
    DATA_MAKE,
    MODELS_LIST,
    MODELS_PULL,
    MODELS_VERIFY,
    MODELS_PATH,
)
FACES = (*COMMANDS, LOAD, PYTHON, PYTHON_BATCH, REST, REST_CALIBRATE, REST_CORRECT)
