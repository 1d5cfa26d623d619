"""`calibrate --again FILE[:NAME]`: a profile made anew from its own pictures, as for a new version of the model."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError

_PLAIN = {"tile": None, "overlap": 0.25, "scales": [1.0], "keep_aspect": False, "roi": None, "ignore_mask": None}


def again_given(given: Given) -> tuple[Given, list[str]]:
    """The call with the pictures, rates and name of the profile, and lines on pictures that are gone.

    The profile takes its own place, unless `--output` names another. Raises ConfigError for further pictures in the
    call, for a layout that is not the profile's, and where no picture is left.
    """
    from anomalyclip.calibration import read_profile
    from anomalyclip.calibration.recipe import again

    if given.inputs:
        raise ConfigError("--again takes the pictures of the profile: leave others out, or add them with --more")
    profile = read_profile(given.again)
    settings = profile.provenance.get("settings", {})
    if lacking := [
        name for name, plain in _PLAIN.items() if settings.get(name, plain) != plain and not getattr(given, name)
    ]:
        options = ", ".join(f"{name} {settings[name]}" for name in lacking)
        raise ConfigError(f"the profile was made with {options}: give the same options with --again")
    inputs, told = again(profile.recipe, profile.name)
    recipe = profile.recipe
    assert recipe is not None
    place = Path(given.again)
    file = place if place.is_file() else Path(given.again.rpartition(":")[0])
    if not file.is_file():
        raise ConfigError("--again takes the file of a profile, as line.json or plant.json:camera-2")
    changed = {
        "inputs": tuple(inputs),
        "name": profile.name,
        "fpr": recipe.fpr,
        "pixel_fpr": recipe.pixel_fpr,
        "pixel_rule": profile.pixel.rule,
        "memory": recipe.method,
        "no_memory": not recipe.memory,
        "aligned": recipe.aligned,
        "augment": recipe.augment,
        "split": recipe.split,
    }
    if given.output == Path("profile.json"):
        changed |= {"output": file, "overwrite": True, "add": True}
    return given.changed(**changed), told
