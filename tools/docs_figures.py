"""Figures of docs/method-pictures.md: python tools/docs_figures.py [FOLDER]

Drawn by `pocket` on renders it never saw (its validation seeds); the numbers on them are pocket's, not the paper's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import matplotlib
import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor

import anomalyclip
from anomalyclip import Detector
from anomalyclip.clip.attention import DPAM_MODES
from anomalyclip.data.synthetic import Sample, render
from anomalyclip.io import draw_overlay
from anomalyclip.pretraining.recipe import VALIDATION_SEED
from anomalyclip.scoring import anomaly_map, cosines, on_grid, similarity, upsample

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.colors import PowerNorm

SIDE = 320
WIDE = 10.0  # inches, about the width of the site's text at 96 dpi
HEAT = {"cmap": "inferno", "interpolation": "nearest"}
PLAIN, FAINT = ("fabric", 1), ("wood", 3)  # family, and which of its renders
SHOWN = (PLAIN, FAINT, ("bottle", 4), ("circuit_board", 2))


def main(folder: Annotated[Path, typer.Argument(help="Where the figures go.")] = Path("docs/images")) -> None:
    """Write method-pipeline.png, method-attention.png, method-paths.png and method-texts.png."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    model = anomalyclip.load("pocket", runtime="torch")
    with torch.inference_mode():
        pipeline(model, example(*PLAIN)).savefig(folder / "method-pipeline.png")
        attention(model, example(*FAINT)).savefig(folder / "method-attention.png")
        paths(model, [example(*one) for one in SHOWN]).savefig(folder / "method-paths.png")
        texts(model, [render(VALIDATION_SEED + 500 + i, SIDE) for i in range(40)]).savefig(folder / "method-texts.png")


def example(family: str, number: int) -> Sample:
    return render(VALIDATION_SEED + number, SIDE, anomalous=True, families=(family,))


def pixels(model: Detector, sample: Sample) -> Tensor:
    return model.preprocess(Image.fromarray(sample.image))[None]


def sheet(rows: int, columns: int, height: float) -> tuple[plt.Figure, np.ndarray]:
    """Axes without ticks."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDE, height), dpi=96, layout="constrained", squeeze=False, facecolor="white"
    )
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    return figure, axes


def pipeline(model: Detector, sample: Sample) -> plt.Figure:
    """Picture, similarity per patch, upsampled, smoothed, overlay."""
    size, layer = model.image_size, model.settings.layers[-1]
    features = model.encode(pixels(model, sample))
    patches = features.patches[layer]
    coarse = on_grid(similarity(patches, model.text_features, model.settings.tau))[:, 1:]
    fine = upsample(coarse, size)
    smooth = anomaly_map([patches], model.text_features, size, tau=model.settings.tau, sigma=model.settings.sigma)
    score, _ = model.judge(features, (size, size))
    overlay = draw_overlay(Image.fromarray(sample.image), smooth[0].numpy(), colour_bar=False)
    figure, axes = sheet(1, 5, 2.5)
    side = coarse.shape[-1]
    shown = [
        (sample.image, f"image, {size} x {size}"),
        (coarse[0, 0], f"softmax per patch, {side} x {side}"),
        (fine[0, 0], "upsampled"),
        (smooth[0], f"smoothed, sigma {model.settings.sigma:g}"),
        (np.asarray(overlay), f"overlay, score {score.item():.2f}"),
    ]
    for axis, (values, title) in zip(axes[0], shown, strict=True):
        axis.imshow(values, vmin=0, vmax=1, **HEAT)
        axis.set_title(title, fontsize=9)
    return figure


def attention(model: Detector, sample: Sample) -> plt.Figure:
    """Where a patch on the defect and a flawless one look in the last block: by Q-K, and by V-V."""
    plain, own = last_attention(model, pixels(model, sample))
    side = round(plain.shape[0] ** 0.5)
    truth = np.asarray(
        Image.fromarray((sample.labels > 0).astype(np.float32)).resize((side, side), Image.Resampling.BOX)
    )
    damaged = np.unravel_index(truth.argmax(), truth.shape)
    flawless = (side - 1 - damaged[0], side - 1 - damaged[1])
    figure, axes = sheet(2, 3, 6.9)
    for row, ((y, x), name) in zip(axes, [(damaged, "defect"), (flawless, "flawless")], strict=True):
        row[0].imshow(sample.image)
        step = SIDE / side
        row[0].plot((x + 0.5) * step, (y + 0.5) * step, "o", mfc="none", mec="cyan", ms=11, mew=2)
        row[0].set_title(f"a patch: {name}", fontsize=10)
        for axis, weights, title in ((row[1], plain, "Q-K: the original path"), (row[2], own, "V-V: the local path")):
            values = weights[y * side + x].reshape(side, side)
            axis.imshow(values, norm=PowerNorm(0.5, vmin=0), **HEAT)  # so that weak weights can be seen
            axis.plot(x, y, "o", mfc="none", mec="cyan", ms=11, mew=2)
            axis.set_title(f"{title}, highest {values.max() / values.mean():.0f} x mean", fontsize=10)
    return figure


def last_attention(model: Detector, pixel_values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """softmax(Q K^T) and softmax(V V^T) of the last block, mean over heads, (N, N) between patches."""
    tokens = model.visual.embed(pixel_values)
    *before, last = model.visual.transformer.resblocks
    for block in before:
        tokens = block(tokens)
    query, key, value = last.attn._qkv(last.ln_1(tokens))  # (1, heads, 1 + N, d) each
    scale = query.shape[-1] ** -0.5
    weights = [(a @ b.mT * scale).softmax(-1).mean(1)[0, 1:, 1:].numpy() for a, b in ((query, key), (value, value))]
    return weights[0], weights[1]


def paths(model: Detector, samples: list[Sample]) -> plt.Figure:
    """The map by each kind of local path; one row per picture."""
    order = list(reversed(DPAM_MODES))
    variants = {mode: anomalyclip.load("pocket", runtime="torch", dpam=mode) for mode in order}
    titles = {"qk": "Q-K (no local path)", "qq": "Q-Q", "kk": "K-K", "vv": "V-V (the method)"}
    figure, axes = sheet(len(samples), 1 + len(order), 2.05 * len(samples))
    for row, sample in zip(axes, samples, strict=True):
        row[0].imshow(sample.image)
        row[0].contour(sample.labels > 0, levels=[0.5], colors="cyan", linewidths=1.5)
        for axis, mode in zip(row[1:], order, strict=True):
            axis.imshow(variants[mode].predict(pixels(model, sample))[1][0], vmin=0, vmax=1, **HEAT)
    for axis, title in zip(axes[0], ["image, true defect", *(titles[mode] for mode in order)], strict=True):
        axis.set_title(title, fontsize=10)
    return figure


def texts(model: Detector, samples: list[Sample]) -> plt.Figure:
    """How much nearer patches are to "damaged object" than to "object": flawless ones, and those on defects."""
    flawless, damaged = [], []
    for sample in samples:
        near = cosines(model.encode(pixels(model, sample)).patches[model.settings.layers[-1]], model.text_features)[0]
        gain = ((near[:, 1] - near[:, 0]) / model.settings.tau).numpy()
        side = round(len(gain) ** 0.5)
        covered = Image.fromarray((sample.labels > 0).astype(np.float32)).resize((side, side), Image.Resampling.BOX)
        share = np.asarray(covered).ravel()
        flawless.append(gain[share == 0])
        damaged.append(gain[share > 0.5])
    groups = {
        "flawless patches": np.concatenate(flawless),
        "patches mostly covered by a defect": np.concatenate(damaged),
    }
    figure, axis = plt.subplots(figsize=(WIDE, 3.2), dpi=96, layout="constrained", facecolor="white")
    bins = np.linspace(*np.quantile(np.concatenate(list(groups.values())), [0.0005, 0.9995]), 70)
    for (name, values), colour in zip(groups.items(), ["tab:blue", "tab:red"], strict=True):
        axis.hist(values, bins=bins, density=True, alpha=0.6, color=colour, label=f"{name} ({len(values):,})")
    axis.axvline(0, color="black", linewidth=1, linestyle="--")
    axis.set_xlabel('(cosine to "damaged object" - cosine to "object") / tau; right of 0 the softmax exceeds 0.5')
    axis.set_ylabel("density")
    axis.legend()
    return figure


if __name__ == "__main__":
    typer.run(main)
