"""How fast, how exact and how large: every way of running a model, measured side by side in one run."""
