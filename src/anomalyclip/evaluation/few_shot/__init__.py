"""Few-shot evaluation: lines drawn from k good pictures, as `calibrate` draws them, measured on all other pictures."""
