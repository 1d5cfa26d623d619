"""The camera: geometry, light, colour, optics, sensor, file format. It sees normal and anomalous scenes alike."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .noise import Array, Rng, blur, chance, coords, log_uniform, smooth, white
from .scene import Family


@dataclass(frozen=True)
class Profile:
    """Habits of one kind of camera: shares of pictures and ranges of settings."""

    grey: float = 0.35  # share of monochrome pictures
    tilt: float = 0.05  # standard deviation of the rotation, radians
    turns: tuple[int, ...] = (0, 1, 2, 3)  # allowed quarter turns
    flip: bool = True
    keystone: float = 0.05
    light: float = 1.0  # strength of the illumination field
    tint: float = 0.06
    noise: tuple[float, float] = (0.002, 0.03)
    blur: tuple[float, float] = (0.3, 1.5)


PROFILES: dict[str, Profile] = {
    "photo": Profile(),
    "upright": Profile(turns=(0,), flip=False),
    "inspection": Profile(grey=0.75, keystone=0.015, noise=(0.002, 0.02)),
    "line": Profile(grey=0.6, keystone=0.0, tilt=0.01, light=0.7),
    "scope": Profile(grey=0.04, turns=(0,), keystone=0.0, tilt=0.0, light=0.4, tint=0.08, blur=(0.4, 1.6)),
    "scan": Profile(grey=1.0, turns=(0,), keystone=0.0, tilt=0.04, light=0.15, tint=0.0, noise=(0.001, 0.03)),
    "glow": Profile(grey=1.0, keystone=0.01, tilt=0.01, light=0.3, tint=0.0, noise=(0.002, 0.04), blur=(0.4, 1.8)),
}


@dataclass(frozen=True)
class Camera:
    """One set-up: where the canvas lands in the picture, and the seed of everything photometric."""

    matrix: Array  # 3 x 3, canvas pixels -> picture pixels
    size: int
    grey: bool
    profile: Profile


def set_up(rng: Rng, family: Family, n: int, size: int) -> Camera:
    """Choose crop, rotation, flip, scale, perspective; free families turn to any angle, print is never mirrored."""
    p = PROFILES[family.camera]
    angle = float(rng.normal(0, p.tilt)) + float(rng.choice(p.turns)) * np.pi / 2
    if family.free and chance(rng, 0.3):
        angle = float(rng.uniform(0, 2 * np.pi))
    zoom = size / n * rng.uniform(1.02, 1.12) * (rng.uniform(1.05, 1.5) if chance(rng, 0.15) else 1.0)
    mirror = -1.0 if p.flip and "print" not in family.traits and chance(rng, 0.5) else 1.0
    c, s = np.cos(angle) * zoom, np.sin(angle) * zoom
    slack = max(0.0, n * zoom - size) / 2
    tx, ty = size / 2 + rng.uniform(-slack, slack), size / 2 + rng.uniform(-slack, slack)
    h = (n - 1) / 2
    lin = np.array([[c * mirror, -s], [s * mirror, c]])
    m = np.eye(3)
    m[:2, :2] = lin
    m[:2, 2] = (tx, ty) - lin @ (h, h)
    k = rng.normal(0, p.keystone, 2) / size if chance(rng, 0.5) else np.zeros(2)
    keystone = np.array([[1, 0, 0], [0, 1, 0], [k[0], k[1], 1 - (k[0] + k[1]) * size / 2]])
    return Camera(keystone @ m, size, bool(chance(rng, p.grey)), p)


def visible(camera: Camera, n: int) -> Array:
    """Canvas pixels that land inside the picture, away from its very rim: bool (n, n)."""
    inner = np.zeros((camera.size, camera.size), np.uint8)
    edge = max(2, camera.size // 40)
    inner[edge:-edge, edge:-edge] = 1
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(inner, camera.matrix, (n, n), flags=flags) > 0


def shoot_geometry(camera: Camera, image: Array, labels: Array | None = None) -> tuple[Array, Array | None]:
    """Move picture and labels to the picture plane."""
    at = (camera.size, camera.size)
    shot = cv2.warpPerspective(image, camera.matrix, at, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if labels is None:
        return shot, None
    return shot, cv2.warpPerspective(
        labels, camera.matrix, at, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
    )


def auto_exposure(family: Family, image: Array) -> Array:
    """Gain that keeps dark scenes legible; measured on the normal scene, so that a defect cannot give itself away."""
    level = float(np.quantile(image[::4, ::4].max(2), 0.9))
    floor = 0.12 if family.camera == "scan" else 0.38
    return np.float32(min(5.0, max(1.0, floor / max(level, 0.01))))


def expose(camera: Camera, rng: Rng, image: Array) -> Array:
    """Light, colour, optics, noise and JPEG: float (S, S, 3) in [0, 1] -> uint8 (S, S, 3) RGB."""
    p, n = camera.profile, camera.size
    image = image * _light(rng, n, p.light)[..., None]
    image = _colour(rng, image, camera.grey, p)
    image = _optics(rng, image, p)
    image = _sensor(rng, image, camera.grey, p)
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _file(rng, out, camera.grey)


def _light(rng: Rng, n: int, strength: float) -> Array:
    x, y = coords(n, rng.uniform(0, 2 * np.pi))
    field = np.ones((n, n), np.float32) * np.float32(rng.uniform(0.88, 1.12))
    if chance(rng, 0.6):
        field += x * np.float32(rng.uniform(0, 0.7) * strength / n)
    if chance(rng, 0.35):
        x0, y0 = rng.normal(0, 0.3, 2) * n
        wide = n * rng.uniform(0.3, 0.8)
        field += np.exp(
            -((x - np.float32(x0)) ** 2 + (y - np.float32(y0)) ** 2) / np.float32(wide * wide)
        ) * np.float32(rng.normal(0, 0.3) * strength)
    if chance(rng, 0.35):
        field *= 1 - np.float32(rng.uniform(0, 0.9) * strength) * (x * x + y * y) / np.float32(n * n)
    if chance(rng, 0.12):  # something out of the frame throws a soft shadow
        edge = x - np.float32(rng.normal(0, 0.35) * n) + smooth(rng, n, 1.5) * np.float32(n * 0.05)
        field *= 1 - np.float32(rng.uniform(0.1, 0.4) * strength) / (
            1 + np.exp(np.clip(-edge / np.float32(n * rng.uniform(0.01, 0.12)), -30, 30))
        )
    return np.clip(field, 0.12, 1.8)


def _colour(rng: Rng, image: Array, grey: bool, p: Profile) -> Array:
    if grey:
        weights = rng.dirichlet((6, 10, 4)).astype(np.float32)
        image = np.repeat((image @ weights)[..., None], 3, 2)
    else:
        image = image * np.exp(rng.normal(0, p.tint, 3)).astype(np.float32)
        if chance(rng, 0.5):
            mean = image.mean(2, keepdims=True)
            image = mean + (image - mean) * np.float32(rng.uniform(0.4, 1.3))
    image = np.clip(image, 0, 1.4)
    if chance(rng, 0.6):
        image = np.power(image + np.float32(1e-4), np.float32(log_uniform(rng, 0.65, 1.5)))
    if chance(rng, 0.4):
        pivot = np.float32(0.0 if p.light < 0.2 else 0.5)  # a scan keeps its black background
        gain, offset = np.float32(rng.uniform(0.7, 1.35)), np.float32(rng.normal(0, 0.1))
        image = pivot + (image - pivot) * gain + offset * pivot
    return image


def _optics(rng: Rng, image: Array, p: Profile) -> Array:
    n = image.shape[0]
    if chance(rng, 0.5):
        image = blur(image, log_uniform(rng, *p.blur) * n / 215)
    if chance(rng, 0.06):
        k = int(rng.integers(3, 7))
        kernel = np.zeros((k, k), np.float32)
        cv2.line(kernel, (0, int(rng.integers(k))), (k - 1, int(rng.integers(k))), 1.0, 1)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    if chance(rng, 0.25):
        image = image + (image - blur(image, rng.uniform(0.8, 1.6))) * np.float32(rng.uniform(0.2, 1.2))
    return np.clip(image, 0, 1)


def _sensor(rng: Rng, image: Array, grey: bool, p: Profile) -> Array:
    n, level = image.shape[0], np.float32(log_uniform(rng, *p.noise))
    grain = white(rng, n, n, 1 if grey else 3)
    if chance(rng, 0.4):
        grain = grain * 0.6 + smooth(rng, n, n / 2.5)[..., None] * 0.8
    image = image + grain * level * (np.float32(0.4) + np.sqrt(image) * np.float32(0.8))
    if chance(rng, 0.3):
        image = image + (smooth(rng, n, 24) * np.float32(rng.uniform(0, 0.006)))[..., None]
    if chance(rng, 0.04):  # scan lines
        image[:: int(rng.integers(2, 4))] *= np.float32(rng.uniform(0.9, 0.98))
    return image


def _file(rng: Rng, image: Array, grey: bool) -> Array:
    if chance(rng, 0.25):
        return image
    options = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 99))]
    source: Array = image[..., 0] if grey else image[..., ::-1]
    _, code = cv2.imencode(".jpg", source, options)
    back: Array = cv2.imdecode(code, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    return np.repeat(back[..., None], 3, 2) if grey else np.ascontiguousarray(back[..., ::-1])
