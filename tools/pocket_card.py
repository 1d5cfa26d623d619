"""Measure pocket and honest alternatives on real sets it never saw: python tools/pocket_card.py REALVAL --output DIR

REALVAL holds folders with a ``meta.json``; the solar cells come from PyPI's ``elpv-dataset`` if it is installed and are
written to ``elpv/``, so that `anomalyclip evaluate` reads them, too. Writes ``card.json`` and ``card.md`` (the tables
of docs/models/pocket.md, with each row's command), and ``failures.png``: the images it judged worst. Every finished row
is kept in ``rows/``; the same command goes on with the others.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from PIL import Image
from rich.progress import track

import anomalyclip
from anomalyclip.clip.config import PRESETS
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.weights import save_clip
from anomalyclip.data.synthetic import FAMILIES, render
from anomalyclip.detector import Detector
from anomalyclip.hub import resolve_model, resolve_prompts
from anomalyclip.io import draw_overlay, read_image
from anomalyclip.opening import from_files
from anomalyclip.pretraining.recipe import VALIDATION_SEED
from anomalyclip.pretraining.validate import Judge, Labelled, measure, real
from anomalyclip.version import __version__

ELPV_IMAGES = 400
SEED = 0
FAMILY_RENDERS = 9
WORDS = "--class-agnostic --dpam vv --exact-pixels"
#: row -> options of `anomalyclip evaluate SET` that give its numbers (a mean over a set's classes, here one pool)
COMMANDS = {
    "pocket": "",
    "pocket, its prompts alone": "--prompts pocket",
    "pocket, its prompts alone, without DPAM": "--prompts pocket --dpam qk",
    "pocket, hand-written prompts (clip)": f"--prompts clip {WORDS}",
    "pocket, hand-written prompts (winclip-ensemble)": f"--prompts winclip-ensemble {WORDS}",
}


class SpectralResidual:
    """Hou and Zhang's saliency (CVPR 2007): what differs from the smooth part of the log spectrum. Score: the peak."""

    size, working = 320, 64

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Grey, at the size the method was published for."""
        grey = image.convert("L").resize((self.working, self.working), Image.Resampling.BICUBIC)
        return np.asarray(grey, dtype=np.float32) / 255

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps divided by a fixed number, so that images can be compared."""
        maps = np.stack([self._saliency(values) for values in pixels])
        return maps.max(axis=(1, 2)), maps

    def _saliency(self, grey: np.ndarray) -> np.ndarray:
        spectrum = np.fft.fft2(grey)
        log = np.log(np.abs(spectrum) + 1e-8).astype(np.float32)
        residual = log - cv2.blur(log, (3, 3))
        saliency = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        smooth = cv2.GaussianBlur(saliency.astype(np.float32), (0, 0), 2.5)
        return np.clip(cv2.resize(smooth, (self.size, self.size)) * 50, 0, 1)


def untrained(folder: Path) -> Detector:
    """The same network with random weights, asked in plain words."""
    save_clip(folder / "random.safetensors", random_clip(PRESETS["pocket"], SEED))
    return from_files(folder / "random.safetensors", "clip", dpam="vv")


def judges(folder: Path) -> dict[str, Callable[[], Judge]]:
    """The rows of the comparison, by name."""
    files = resolve_model("pocket", offline=True)
    heads, learned = (resolve_prompts(name, offline=True) for name in (files.prompts_or_error(), "pocket"))
    return {
        "pocket": lambda: from_files(files.weights, heads, name="pocket"),
        "pocket, its prompts alone": lambda: from_files(files.weights, learned, name="pocket"),
        "pocket, its prompts alone, without DPAM": lambda: from_files(files.weights, learned, dpam="qk"),
        "untrained network of the same shape": lambda: untrained(folder),
        "spectral residual saliency": SpectralResidual,
        "pocket, hand-written prompts (clip)": lambda: from_files(files.weights, "clip", dpam="vv"),
        "pocket, hand-written prompts (winclip-ensemble)": lambda: from_files(
            files.weights, "winclip-ensemble", dpam="vv"
        ),
    }


def solar_cells(folder: Path) -> None:
    """Write a seeded sample of the electroluminescence images in MVTec's layout, with a ``meta.json``; defective where
    the experts said at least "rather yes"."""
    from elpv_dataset.utils import load_dataset

    images, probabilities, _ = load_dataset()
    entries = []
    for index in np.random.default_rng(SEED).permutation(len(images))[:ELPV_IMAGES]:
        defective = bool(probabilities[index] >= 0.5)
        kind = "defective" if defective else "good"
        name = f"cell/test/{kind}/{index:04d}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).convert("RGB").save(folder / name)
        told = {"img_path": name, "mask_path": "", "cls_name": "cell", "specie_name": kind, "anomaly": int(defective)}
        entries.append(told)
    (folder / "meta.json").write_text(json.dumps({"train": {}, "test": {"cell": entries}}))


def family_scores(model: Detector) -> dict[str, float]:
    """Median score of good renders by family, most suspected first."""
    found = {}
    for family in track(FAMILIES, description="families"):
        good = [
            model.detect(render(VALIDATION_SEED + i, 320, anomalous=False, families=(family,)).image).score
            for i in range(FAMILY_RENDERS)
        ]
        found[family] = float(np.median(good))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def main(
    root: Annotated[Path, typer.Argument(help="Folder of real sets, each with a meta.json.")],
    output: Annotated[Path, typer.Option(help="Where card.json, card.md and failures.png go.")],
) -> None:
    """Measure every row on every set, with 95% bootstrap intervals over images."""
    output.mkdir(parents=True, exist_ok=True)
    sets: dict[str, Callable[[], Iterator[Labelled]]] = {
        meta.parent.name: (lambda folder=meta.parent: real(folder))  # type: ignore[misc]
        for meta in sorted(root.glob("*/meta.json"))
    }
    if find_spec("elpv_dataset"):
        if not (output / "elpv" / "meta.json").is_file():
            solar_cells(output / "elpv")
        sets["elpv"] = lambda: real(output / "elpv")
    with tempfile.TemporaryDirectory() as scratch:
        table: dict[str, dict[str, Any]] = {}
        for name, build in track(judges(Path(scratch)).items(), description="measuring"):
            kept = output / "rows" / f"{name}.json"
            if not kept.is_file():
                judge = build()
                kept.parent.mkdir(exist_ok=True)
                kept.write_text(json.dumps({data: measure(judge, source()) for data, source in sets.items()}))
            table[name] = json.loads(kept.read_text())
    pocket = anomalyclip.load("pocket", runtime="torch")
    record = pocket.provenance() | {"torch": torch.__version__, "version": __version__, "elpv_images": ELPV_IMAGES}
    families = family_scores(pocket)
    told = {"rows": table, "commands": COMMANDS, "median_good_renders": families}
    (output / "card.json").write_text(json.dumps(record | told, indent=2) + "\n")
    (output / "card.md").write_text(markdown(table, families))
    cv2.imwrite(str(output / "failures.png"), failures(pocket, root)[..., ::-1])


def markdown(table: dict[str, dict[str, Any]], families: dict[str, float]) -> str:
    """Tables: pocket per set with intervals, every row's means and its command, and good renders by family."""
    lines = ["| set | images | image AUROC (95%) | pixel AUROC (95%) | median good score |", "|---|---|---|---|---|"]
    for data, row in table["pocket"].items():
        good = "none" if row["median_good"] is None else f"{row['median_good']:.2f}"
        lines.append(f"| {data} | {row['images']} | {_cell(row, 'image')} | {_cell(row, 'pixel')} | {good} |")
    names = list(table["pocket"])
    lines += ["", "| | " + " | ".join(names) + " | mean |", "|---" * (len(names) + 2) + "|"]
    for kind in ("image", "pixel"):
        for name, rows in table.items():
            values = [row[f"{kind}_auroc"] for row in rows.values()]
            known = [value for value in values if value is not None]
            cells = [f"{value:.3f}" if value is not None else "" for value in values]
            lines.append(f"| {kind}: {name} | " + " | ".join(cells) + f" | {np.mean(known):.3f} |")
    lines += ["", "| row | command |", "|---|---|"]
    lines += [
        f"| {name} | `{' '.join(['anomalyclip evaluate SET', flags]).strip()}` |" for name, flags in COMMANDS.items()
    ]
    lines += ["", ", ".join(f"{name} {score:.2f}" for name, score in families.items())]
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any], kind: str) -> str:
    if row[f"{kind}_auroc"] is None:
        return "undefined"
    low, high = row[f"{kind}_interval"]
    return f"{row[f'{kind}_auroc']:.3f} ({low:.3f} to {high:.3f})"


def failures(model: Detector, root: Path, columns: int = 6, side: int = 200) -> np.ndarray:
    """Per set: anomalous images that scored lowest, then normal ones that scored highest; image above heat map."""
    rows = []
    for meta in sorted(root.glob("*/meta.json")):
        entries = [entry for group in json.loads(meta.read_text())["test"].values() for entry in group]
        judged = [(entry, model.detect(meta.parent / entry["img_path"])) for entry in entries]
        missed = sorted((pair for pair in judged if pair[0]["anomaly"]), key=lambda pair: pair[1].score)[: columns // 2]
        alarms = sorted((pair for pair in judged if not pair[0]["anomaly"]), key=lambda pair: -pair[1].score)
        chosen = (missed + alarms)[:columns]
        tiles = []
        for entry, prediction in chosen:
            image = read_image(meta.parent / entry["img_path"])
            heat = draw_overlay(image, prediction.anomaly_map, colour_bar=False)
            pair = [np.asarray(one.convert("RGB").resize((side, side))) for one in (image, heat)]
            tiles.append(np.vstack(pair))
        tiles += [np.zeros_like(tiles[0])] * (columns - len(tiles))
        rows.append(np.hstack(tiles))
    return np.vstack(rows)


if __name__ == "__main__":
    typer.run(main)
