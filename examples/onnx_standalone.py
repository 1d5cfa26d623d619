"""Run an export without anomalyclip or torch: `anomalyclip export pocket -f onnx -o export`, then

pip install numpy pillow onnxruntime
python onnx_standalone.py export part.png heat.png
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # which is read, and events are sent, as it is imported
import onnxruntime

folder, picture, heat_map = sys.argv[1:4]
sidecar = json.loads((Path(folder) / "anomalyclip.json").read_text(encoding="utf-8"))
model = onnxruntime.InferenceSession(str(Path(folder) / "model.onnx"), providers=["CPUExecutionProvider"])

image = Image.open(picture)
if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA") or getattr(image, "n_frames", 1) > 1:
    sys.exit(f"{picture}: deep, of other colours or several pictures: anomalyclip detect reads it as it is meant")
image = ImageOps.exif_transpose(image)  # upright
if image.has_transparency_data:
    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
image = image.convert("RGB")
side = sidecar["image_size"]
pixels = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))[None]  # uint8 (1, S, S, 3)
if sidecar["pixels"] == "normalised":  # a graph that was exported without its normalisation
    scaled = (pixels / 255 - sidecar["input"]["mean"]) / sidecar["input"]["std"]
    pixels = scaled.transpose(0, 3, 1, 2).astype(np.float32)
score, anomaly_map = model.run(["score", "anomaly_map"], {sidecar["input"]["name"]: pixels})

strength = Image.fromarray(np.uint8(255 * anomaly_map[0])).resize(image.size, Image.Resampling.BILINEAR)
Image.composite(Image.new("RGB", image.size, "red"), image, strength).save(heat_map)
print(f"{picture}: score {score[0]:.4f}, highest pixel {anomaly_map.max():.4f}, heat map {heat_map}")
