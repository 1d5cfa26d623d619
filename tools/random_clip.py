"""Write a CLIP of a true architecture with seeded random weights, for speed and memory measurements.

    python tools/random_clip.py vit-l-14-336 runs/random-l14-336.safetensors
    anomalyclip detect images/ --model runs/random-l14-336.safetensors --prompts clip --output runs/l14

The scores mean nothing; time and memory are those of the real model.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.weights import save_clip


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("architecture", choices=sorted(PRESETS))
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    save_clip(options.output, random_clip(PRESETS[options.architecture], options.seed))
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
