"""The embedded model's own training: renders in, a small CLIP and its prompts out (``python -m anomalyclip.pretraining``)."""
