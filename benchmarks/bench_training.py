"""What an epoch of training costs with cached features and without, in one run; projected to MVTec AD's 1,725 images.

    python benchmarks/bench_training.py                                        # pocket, 16 images: a quick look
    python benchmarks/bench_training.py --model vit-l-14-336                   # the paper's backbone
    python benchmarks/bench_training.py --random vit-l-14-336 --layers 24      # the same cost with random weights
    python benchmarks/bench_training.py --random tiny --image-size 64          # seconds; to see that it works

Images are noise, features go to a temporary folder, everything runs through `anomalyclip.training.train`, so files,
checksums, checkpoints and a start-up of about 0.1 s are paid for as in a real run. Costs are measured on --images and
multiplied up to --target-images and to MVTec AD; take more images for the steady cost. Needs the extra `train`.

encoder pass   reading, encoding and writing every image's features once
records        one record written, verified and read, by themselves
cached epoch   prompt steps on cached features; streamed epoch: the encoder runs in every step
overhead       a cached run of --target-epochs as a multiple of one encoder pass plus the bare prompt steps
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

MVTEC_IMAGES = 1725
now: Callable[[], float] = time.perf_counter  # --cpu-time puts the process's CPU seconds in its place


class Clock:
    """Seconds spent in each stage of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._since = "", 0.0

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.stop()
        self._name, self._since = name, now()

    def stop(self) -> None:
        if self._name:
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now() - self._since
        self._name = ""

    def advance(self, images: int) -> None: ...

    def note(self, line: str) -> None:
        if "cache" in line:
            print(line)

    def problem(self, line: str) -> None:
        print(line)


def noise_images(folder: Path, count: int, size: int):
    """A data set of noise, every other image anomalous with a square mask."""
    from anomalyclip.data.dataset import Dataset, Item

    random, items = np.random.default_rng(0), []
    for index in range(count):
        image, mask = folder / f"{index}.png", folder / f"{index}_mask.png"
        Image.fromarray(random.integers(0, 256, (size, size, 3), np.uint8)).save(image)
        marked = np.zeros((size, size), np.uint8)
        marked[: size // 3, : size // 3] = 255
        Image.fromarray(marked).save(mask)
        label = index % 2
        items.append(Item(image, mask if label else None, label, "noise", "square" if label else "good", True))
    return Dataset("noise", folder, "test", tuple(items))


def weights(args: argparse.Namespace, folder: Path) -> str:
    """The model to time: a name, a path, or random weights of a known architecture."""
    if args.random is None:
        return args.model
    from anomalyclip.clip.config import PRESETS, CLIPConfig, TextConfig, VisionConfig
    from anomalyclip.clip.model import random_clip
    from anomalyclip.clip.weights import save_clip

    tiny = CLIPConfig(64, VisionConfig(64, 16, 64, 3, 1), TextConfig(77, 49408, 64, 3, 1))
    path = folder / f"{args.random}.safetensors"
    save_clip(path, random_clip({**PRESETS, "tiny": tiny}[args.random]))
    return str(path)


def bare_step(config, dataset, batch: int) -> float:
    """Seconds of one prompt step on features in memory: forward, backward, Adam, nothing else."""
    from anomalyclip.clip.weights import load_clip
    from anomalyclip.encoders.devices import pick_device
    from anomalyclip.encoders.torch import TorchEncoder
    from anomalyclip.hub import resolve_model
    from anomalyclip.training.batches import Batch
    from anomalyclip.training.encoder import encoder_settings, features_of
    from anomalyclip.training.module import PromptTraining
    from anomalyclip.training.students import make_student

    clip = load_clip(resolve_model(config.model).weights)
    settings, device = encoder_settings(config, clip), pick_device(config.device)
    key = features_of(config, settings, TorchEncoder(clip.visual, name="noise", weights_sha256="").facts, dtype="fp32")
    student = make_student(config, clip, settings, ("noise",))
    module = PromptTraining(student, None, key, [], [], config).to(device)  # type: ignore[arg-type]
    masks = torch.zeros(batch, settings.image_size, settings.image_size, dtype=torch.uint8, device=device)
    rows = torch.randn(batch, *key.shape, device=device)
    labels, known = torch.arange(batch, device=device) % 2, torch.ones(batch, dtype=torch.bool, device=device)
    sample = Batch(rows, None, labels, masks, known, torch.zeros_like(labels))
    optimiser, times = module.configure_optimizers(), []
    for _ in range(4):
        start = now()
        optimiser.zero_grad()
        module.training_step(sample).backward()
        optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(now() - start)
    return float(np.median(times[1:]))  # the first warms up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pocket", help="a known name or a weights file")
    parser.add_argument("--random", help="random weights of this architecture: vit-l-14-336, pocket, ..., or tiny")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=3, help="cached epochs to average over")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--layers", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--cache-dtype", choices=("fp16", "fp32"), default="fp16")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--cpu-time", action="store_true", help="count CPU seconds: neighbours on a shared machine then do not matter"
    )
    parser.add_argument("--target-images", type=int, default=200)
    parser.add_argument("--target-epochs", type=int, default=15)
    parser.add_argument("--output", type=Path, help="write training.json and training.md there")
    args = parser.parse_args()
    if args.cpu_time:
        global now
        now = time.process_time

    import anomalyclip.training.module  # noqa: F401  seconds of imports that no stage should pay for
    from anomalyclip.training import TrainConfig, train

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = TrainConfig(
            data=("noise",),
            output=str(folder / "cached"),
            model=weights(args, folder),
            epochs=args.epochs,
            image_size=args.image_size,
            layers=args.layers,
            cache_dir=str(folder / "cache"),
            cache_dtype=args.cache_dtype,
            device=args.device,
            threads=args.threads,
        )
        dataset = noise_images(folder, args.images, args.image_size or 518)
        cached = timed(train, config, dataset)
        streamed = timed(train, changed(config, folder), dataset)
        step, records = bare_step(config, dataset, config.batch_size), record_costs(config)
    figures, report = summarise(args, cached, streamed, step, config.batch_size, records)
    print(f"\n{report}", end="")
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        facts = {name: str(value) for name, value in vars(args).items()} | {"torch": torch.__version__}
        (args.output / "training.json").write_text(json.dumps(facts | figures, indent=2) + "\n")
        (args.output / "training.md").write_text(report)


def changed(config, folder: Path):
    from dataclasses import replace

    return replace(config, cache=False, epochs=1, output=str(folder / "streamed"))


def timed(train, config, dataset) -> dict[str, float]:
    clock = Clock()
    start = now()
    train(config, datasets=[dataset], reporter=clock)
    clock.stop()
    return clock.seconds | {"whole": now() - start}


def record_costs(config, cache_images: int = 8) -> dict[str, float]:
    """Seconds per image of writing a record, of verifying its checksum, and of reading it into memory."""
    from anomalyclip.clip.weights import load_clip
    from anomalyclip.encoders.torch import TorchEncoder
    from anomalyclip.features import FeatureCache
    from anomalyclip.hub import resolve_model
    from anomalyclip.training.encoder import encoder_settings, features_of

    clip = load_clip(resolve_model(config.model).weights)
    facts = TorchEncoder(clip.visual, name="noise", weights_sha256="").facts
    key = features_of(config, encoder_settings(config, clip), facts, dtype=config.cache_dtype)
    cache = FeatureCache.open(Path(config.cache_dir) / "records", key)
    random, names = np.random.default_rng(0), [f"{index:064x}" for index in range(cache_images)]
    image = random.normal(size=key.embed_dim).astype(np.float32)
    patches = random.normal(size=key.local_shape).astype(np.float32)
    start = now()
    for name in names:
        cache.put(name, image, patches)
    written = now()
    verified = [cache.has(name) for name in names]
    checked = now()
    for name in names:
        np.array(cache.get(name), dtype=np.float32)
    read = now()
    assert all(verified)
    seconds = {"write": written - start, "verify": checked - written, "read": read - checked}
    return {name: value / cache_images for name, value in seconds.items()} | {"bytes": float(cache.record_bytes())}


def summarise(
    args, cached: dict[str, float], streamed: dict[str, float], step: float, batch: int, records: dict[str, float]
) -> tuple[dict[str, float], str]:
    """The figures, per image, and the report in Markdown: what was measured, and what follows from it by counting."""
    n, epochs = args.images, args.target_epochs
    encode, per_cached = cached["encoding"] / n, cached["training"] / args.epochs / n
    per_streamed, bare = streamed["training"] / n, step / batch
    fixed = (cached["checking files"] + cached["verifying cache"]) / n
    whole, ideal = fixed + encode + epochs * per_cached, encode + epochs * bare
    rows = {
        "encoder pass into the cache": encode,
        "of which: write a record": records["write"],
        "verify a record (once per run)": records["verify"],
        "read a record (every epoch)": records["read"],
        "bare prompt step": bare,
        "epoch, cached": per_cached,
        "epoch, streamed": per_streamed,
        f"{epochs} epochs, cached (all in)": whole,
        f"{epochs} epochs, streamed": epochs * per_streamed,
    }
    lines = [
        f"{args.random or args.model}{' (random weights)' if args.random else ''}, measured on {n} images,"
        f" {torch.get_num_threads()} threads; a record has {records['bytes'] / 1e6:.2f} MB ({args.cache_dtype})."
        f" {'CPU seconds' if args.cpu_time else 'Seconds'}; the last two columns are the first times the number of"
        " images.",
        "",
        f"| | per image | {args.target_images} images | {MVTEC_IMAGES:,} images (MVTec AD) |",
        "|---|---:|---:|---:|",
        *(
            f"| {label} | {value:.4f} | {value * args.target_images:,.1f} | {value * MVTEC_IMAGES:,.1f} |"
            for label, value in rows.items()
        ),
        "",
        f"One epoch: streamed / cached = {per_streamed / per_cached:.1f}. {epochs} epochs with the encoder pass:"
        f" streamed / cached = {epochs * per_streamed / whole:.1f}. {epochs} cached epochs, all in, cost"
        f" {whole / ideal:.2f} times (one encoder pass + {epochs} epochs of bare prompt steps).",
    ]
    figures = {
        "encode": encode,
        "cached": per_cached,
        "streamed": per_streamed,
        "bare": bare,
        "overhead": whole / ideal,
    }
    return figures | {f"record_{name}": value for name, value in records.items()}, "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
