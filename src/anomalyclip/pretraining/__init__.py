"""The embedded model's own training (`python -m anomalyclip.pretraining`): renders in, a small CLIP and prompts out."""
