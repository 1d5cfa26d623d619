"""From a seed to a Sample: scene, defects, camera and captions draw on separate random streams.

So `anomalous=True` and `anomalous=False` of one seed show the same scene through the same camera.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from anomalyclip.errors import ConfigError

from . import camera as cameras
from .benign import benign
from .captions import damaged_caption, normal_caption
from .catalogue import FAMILIES, LATEST_WORLD, WORLD, applicable, inhabitants
from .looks import look
from .noise import Array, Rng, blur, chance, log_uniform
from .sample import Region, Sample
from .scene import Family, Scene
from .spot import Defect, Spot
from .spots_fallback import plain_stain

MARGIN = 1.12  # canvas / picture side: what the camera may crop
_TRIES = 14
_LOOKS = 4  # the first world whose pictures get looks


def render(
    seed: int,
    size: int = 192,
    *,
    anomalous: bool | None = None,
    families: Sequence[str | Family] | None = None,
    world: int | None = None,
) -> Sample:
    """Render one picture; the same seed and arguments give the same bytes (same numpy and OpenCV).

    size: side in pixels, 32..1024. anomalous: None tosses a coin. families: restrict to these, keys of FAMILIES
    or families of your own.
    world: version of the tables of families and defects, 1 to 5; the same seed shows another picture in each. None is
    4, or the first that has the families named.
    Raises ConfigError for an unknown family or a size out of range.
    """
    if world is None:
        named = [FAMILIES[name] for name in families or () if isinstance(name, str) and name in FAMILIES]
        world = max([WORLD, *(family.world for family in named)])
    table = _allowed(families, world)
    if not 32 <= size <= 1024:
        raise ConfigError(f"size {size} is out of range: expected 32..1024 pixels. Render at up to 1024 and resize.")
    choice, scene_rng, defect_rng, lens_rng, photo_rng, words_rng, look_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(7)
    )
    weights = np.array([f.weight for f in table])
    family = table[int(choice.choice(len(table), p=weights / weights.sum()))]
    coin = chance(choice, 0.5)
    wanted = coin if anomalous is None else anomalous

    n = round(size * MARGIN)
    scene = family.renderer(n, scene_rng)
    benign(scene, family.traits, scene_rng)
    lens = cameras.set_up(lens_rng, family, n, size)
    gain = cameras.auto_exposure(family, scene.image)
    image, labels, regions = _damage(scene, family, lens, defect_rng, world) if wanted else (scene.image, None, ())
    shot, flat = cameras.shoot_geometry(lens, image, labels)
    picture = cameras.expose(lens, photo_rng, shot * gain)
    flat = np.zeros((size, size), np.uint8) if flat is None else flat
    medical = family.domain == "medical"
    if world >= _LOOKS:
        picture = look(look_rng, picture, medical)
    colour = scene.colour if not lens.grey and chance(words_rng, 0.6) and not medical else ""
    normal = normal_caption(words_rng, scene.subject, colour, medical, lens.grey)
    caption = (
        damaged_caption(words_rng, scene.subject, colour, medical, lens.grey, [r.caption for r in regions])
        if wanted
        else normal
    )
    return Sample(picture, flat, caption, normal, regions, scene.subject, family.name, family.domain, wanted)


def _allowed(families: Sequence[str | Family] | None, world: int) -> list[Family]:
    if not 1 <= world <= LATEST_WORLD:
        raise ConfigError(f"world {world} is unknown: expected 1 to {LATEST_WORLD}.")
    known = {family.name: family for family in inhabitants(world)}
    if families is None:
        return list(known.values())
    unknown = [f for f in families if isinstance(f, str) and f not in known]
    if unknown or not families:
        raise ConfigError(f"unknown families {unknown}: expected at least one of {', '.join(known)}.")
    return [known[f] if isinstance(f, str) else f for f in families]


def _damage(
    scene: Scene, family: Family, lens: cameras.Camera, rng: Rng, world: int
) -> tuple[Array, Array, tuple[Region, ...]]:
    """Apply one to three defects, mostly of one kind; at least one is visible in the picture."""
    options = applicable(family.traits, world)
    weights = np.array([d.weight for d in options])
    weights /= weights.sum()
    count = int(rng.choice([1, 2, 3], p=[0.68, 0.21, 0.11]))
    window = scene.where & cameras.visible(lens, scene.n)
    if not window.any():
        window = cameras.visible(lens, scene.n)
        scene.where = window
    labels = np.zeros((scene.n, scene.n), np.uint8)
    regions: list[Region] = []
    defect: Defect | None = None
    for _ in range(_TRIES):
        if len(regions) == count:
            break
        if defect is None or not regions or chance(rng, 0.3):
            defect = options[int(rng.choice(len(options), p=weights))]
        region = _try(scene, labels, window, defect, len(regions) + 1, rng, lens)
        if region is None:
            defect = None
        else:
            regions.append(region)
    if not regions:
        regions.append(plain_stain(scene, labels, window, rng))
    return scene.image, labels, tuple(regions)


def _try(
    scene: Scene, labels: Array, window: Array, defect: Defect, index: int, rng: Rng, lens: cameras.Camera
) -> Region | None:
    """Apply one defect in place if it can be seen; None (and no change) otherwise."""
    ys, xs = np.nonzero(window)
    k = int(rng.integers(len(ys)))
    area = log_uniform(rng, *defect.area)
    share = max(0.1, float(scene.where.mean()))  # small objects get small defects
    radius = max(1.6, scene.n * np.sqrt(area * share / np.pi))
    edit = defect.maker(scene, Spot(float(xs[k]), float(ys[k]), radius, log_uniform(rng, 0.15, 1.0)), rng)
    if edit is None:
        return None
    new = np.clip(edit.image, 0, 1).astype(np.float32)
    if defect.name not in _BEYOND:
        new = np.where(scene.where[..., None], new, scene.image)
    mask = changed(scene.image, new, defect.name in _FILLED) if edit.mask is None else edit.mask & scene.where
    if not _visible(scene.image, new, mask, lens, faint=defect.name in _FAINT):
        return None
    if defect.name in _REARRANGED and not _odd(scene, new, mask):
        return None
    old = labels.copy()
    labels[mask] = index
    if any((labels == i).sum() < 4 for i in range(1, index + 1)):
        labels[:] = old
        return None
    scene.image = new
    return Region(index, defect.name, edit.words)


_BEYOND = frozenset(
    {"broken_edge", "misplaced", "extra", "missing", "fibre", "wrong_part"}
)  # may change the ground beside the object
_FILLED = frozenset(
    {
        "hole",
        "dent",
        "stain",
        "particle",
        "polyp",
        "lesion",
        "knot",
        "paste",
        "foreign",
        "turned",
        "bend",
        "uneven_patch",
        "recolour",
        "roughened",
        "mole",
        "ulcer",
    }
)


_FAINT = frozenset(
    {"protrusion", "mass", "zone", "coarse", "groove"}
)  # large or long enough to be seen at half the contrast
_REARRANGED = frozenset({"paste", "turned", "bend"})  # the same stuff in another place


def _odd(scene: Scene, new: Array, mask: Array) -> bool:
    """Moved texture shows only where the texture has an order to break, or where tones no longer meet."""
    ordered = scene.grain is not None or scene.parts or scene.prints is not None or scene.behind is not None
    shift = np.abs(blur((new - scene.image).mean(2), 3.0))[mask]
    return bool(shift.mean() > (0.015 if ordered else 0.05))


def changed(old: Array, new: Array, filled: bool) -> Array:
    """Pixels that a defect really changed, as an annotator draws them: gaps closed, one pixel of rim. Bool (n, n)."""
    diff = np.abs(new - old).max(2)
    strong = float(np.quantile(diff[diff > 0.01], 0.9)) if (diff > 0.01).any() else 0.0
    mask = (diff > max(0.02, min(0.06, 0.18 * strong))).astype(np.uint8)
    k = 3 + 2 * round(old.shape[0] / 110) if filled else 3
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (k, k))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel)
    return cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0


def _visible(old: Array, new: Array, mask: Array, lens: cameras.Camera, faint: bool) -> bool:
    """Would a person see it? Enough pixels in the picture, changed enough against the local texture."""
    n = old.shape[0]
    if mask.sum() < max(12, 0.0005 * n * n) or mask.mean() > 0.45:
        return False
    _, shot = cameras.shoot_geometry(lens, mask.astype(np.float32), mask.astype(np.uint8))
    assert shot is not None
    if shot.sum() < max(10, 0.0004 * lens.size**2):
        return False
    diff = blur(np.abs(new - old).mean(2), 0.8)
    core = float(np.quantile(diff[mask], 0.75))
    grey = old.mean(2)
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    rough = float((grey - blur(grey, 3.0))[ring].std())
    return core > (0.035 + 0.45 * rough) * (0.5 if faint else 1.0)
