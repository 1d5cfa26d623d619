"""Headings of `--help`, in their order."""

from __future__ import annotations

LOOKING, DECISIONS, ANOMALIES, TELLING = (
    "What to look at, and when",
    "Decisions",
    "With labelled anomalies",
    "On an anomaly",
)
PROTOCOL, INT8 = "Protocol", "Int8"
BATCH = "A batch by itself"
FEW_SHOT = "From few good pictures"
ACCURACY, WHOLE_COMMAND, FILES = "Accuracy", "The command, end to end", "Files"
MODEL, LAYOUT, METRICS = "Model", "Large and odd images", "Metrics"
PROMPTS, LEARNING, TRAINING, CACHE = "Prompts", "Learning", "Training", "Feature cache"
OUTPUT, SPEED, MACHINE, CLUSTERS = "Output", "Speed and limits", "Machine", "Clusters"

#: None is the panel of options without a heading.
PANELS: tuple[str | None, ...] = (
    None,
    LOOKING,
    DECISIONS,
    BATCH,
    ANOMALIES,
    FEW_SHOT,
    TELLING,
    PROTOCOL,
    INT8,
    ACCURACY,
    WHOLE_COMMAND,
    FILES,
    MODEL,
    LAYOUT,
    METRICS,
    PROMPTS,
    LEARNING,
    TRAINING,
    CACHE,
    OUTPUT,
    SPEED,
    MACHINE,
    CLUSTERS,
)
