"""Features in, maps and scores out: pure, small, and the same whatever gives the features."""
