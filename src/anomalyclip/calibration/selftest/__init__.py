"""The self-test: faults painted on a line's own good pictures, and which of them it finds."""
