"""Run an export without anomalyclip or torch: `anomalyclip export pocket -f openvino -p int8 -o export`, then

pip install numpy pillow openvino
python openvino_standalone.py export part.png heat.png
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

sys.modules["openvino_telemetry"] = None  # else Google Analytics hears of the next line
import openvino  # noqa: E402

folder, picture, heat_map = sys.argv[1:4]
sidecar = json.loads((Path(folder) / "anomalyclip.json").read_text(encoding="utf-8"))
model = openvino.Core().compile_model(Path(folder) / "model.xml", "CPU")

image = Image.open(picture).convert("RGB")
side = sidecar["image_size"]
pixels = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))[None]  # uint8 (1, S, S, 3)
if sidecar["pixels"] == "normalised":  # a graph that was exported without its normalisation
    scaled = (pixels / 255 - sidecar["input"]["mean"]) / sidecar["input"]["std"]
    pixels = scaled.transpose(0, 3, 1, 2).astype(np.float32)
answer = model({sidecar["input"]["name"]: pixels})
score, anomaly_map = answer["score"], answer["anomaly_map"]

strength = Image.fromarray(np.uint8(255 * anomaly_map[0])).resize(image.size, Image.Resampling.BILINEAR)
Image.composite(Image.new("RGB", image.size, "red"), image, strength).save(heat_map)
print(f"{picture}: score {score[0]:.4f}, highest pixel {anomaly_map.max():.4f}, heat map {heat_map}")
