"""The architecture of weights: sizes from the tensors' shapes, the rest from whoever knows it, and both must agree."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from anomalyclip.clip.config import Activation, CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.containers import Entry
from anomalyclip.clip.facts import Facts, Given, TowerFacts
from anomalyclip.clip.formats import RawWeights
from anomalyclip.clip.published import OPEN_CLIP, heads_of_shape, published_facts
from anomalyclip.errors import ConfigError, WeightsError


def infer_config(raw: RawWeights) -> CLIPConfig:
    """The architecture: the configuration that files of ours carry, else from shapes and facts.

    Raises:
        WeightsError: a tensor needed for the inference is missing or has too few dimensions; the facts contradict the
            shapes; or nobody says with which heads and activation the weights work.
    """
    try:
        return _given(raw.config, raw.given) if raw.config is not None else _config(raw)
    except KeyError as error:
        raise WeightsError(f"{raw.path} lacks {error.args[0]}; expected a whole CLIP with both towers") from error
    except (ConfigError, IndexError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(f"{raw.path}: the tensors' shapes describe no CLIP ({error})") from error


def _config(raw: RawWeights) -> CLIPConfig:
    vision, text, embed_dim = _shapes(raw.entries)
    facts = raw.facts
    published = raw.given.published
    if published is not None and (facts is None or not published.startswith("openai:")):  # a config says more
        facts = published_facts(published)
    if facts is None:
        facts = _from_user(raw, vision, text, embed_dim)
    _check_shapes(raw, facts, vision, text, embed_dim)
    whole = CLIPConfig(
        embed_dim,
        replace(_as_told(vision, facts.vision), preprocessing=facts.preprocessing, told_by=facts.told_by),
        replace(_as_told(text, facts.text), end=facts.end),
    )
    return _given(whole, raw.given)


def _shapes(entries: Mapping[str, Entry]) -> tuple[VisionConfig, TextConfig, int]:
    """The towers with one head each, and the width of the shared embedding."""
    width, channels, patch, other = entries["visual.conv1.weight"].shape
    positions, _ = entries["visual.positional_embedding"].shape
    grid = math.isqrt(max(positions - 1, 0))
    if channels != 3 or patch != other or grid * grid != positions - 1:
        raise ConfigError(f"patches of {patch} x {other} in {channels} channels, {positions} positions")
    context, text_width = entries["positional_embedding"].shape
    vocabulary, _ = entries["token_embedding.weight"].shape
    towers = ("visual.transformer", "transformer")
    depths, hidden = ([find(entries, name) for name in towers] for find in (_depth, _hidden))
    vision = VisionConfig(patch * grid, patch, width, depths[0], 1, mlp_width=hidden[0])
    text = TextConfig(context, vocabulary, text_width, depths[1], 1, mlp_width=hidden[1])
    return vision, text, entries["visual.proj"].shape[1]


def _depth(entries: Mapping[str, Entry], tower: str) -> int:
    """Blocks of a tower, whose numbers leave none out: one name could otherwise ask for millions of them."""
    pattern = re.compile(re.escape(tower) + r"\.resblocks\.(\d{1,9})\.")
    numbers = {int(match.group(1)) for match in map(pattern.match, entries) if match}
    if numbers != set(range(len(numbers))):
        missing = next(number for number in range(len(numbers) + 1) if number not in numbers)
        raise ConfigError(f"{tower} has a block {max(numbers)} and none of number {missing}")
    return len(numbers)


def _hidden(entries: Mapping[str, Entry], tower: str) -> int:
    name = f"{tower}.resblocks.0.mlp.c_fc.weight"
    return entries[name].shape[0] if name in entries else 0


Tower = TypeVar("Tower", VisionConfig, TextConfig)


def _as_told(tower: Tower, facts: TowerFacts) -> Tower:
    hidden = 0 if tower.mlp_width == 4 * tower.width else tower.mlp_width
    return replace(tower, heads=facts.heads, activation=facts.activation, norm_eps=facts.norm_eps, mlp_width=hidden)


def _check_shapes(raw: RawWeights, facts: Facts, vision: VisionConfig, text: TextConfig, embed_dim: int) -> None:
    """Does what was told belong to these weights at all?"""
    said = {"embed_dim": (facts.embed_dim, embed_dim)}
    for tower, told, found in (("vision", facts.vision, vision), ("text", facts.text, text)):
        said |= {f"{tower} {name}": (value, getattr(found, name)) for name, value in told.shapes.items()}
    wrong = [f"{name} {told}, the weights have {is_}" for name, (told, is_) in said.items() if told not in (None, is_)]
    if wrong:
        raise WeightsError(
            f"{raw.path}: {facts.told_by} says {'; '.join(wrong)}: it belongs to other weights. Put the model's own "
            "config beside them"
        )


def _from_user(raw: RawWeights, vision: VisionConfig, text: TextConfig, embed_dim: int) -> Facts:
    """Facts of weights that come alone: the user's word, an archive's code, and heads where all published models of
    this shape agree."""
    given = raw.given
    same = heads_of_shape(embed_dim, vision.patch_size, (vision.width, text.width), (vision.layers, text.layers))
    known = {OPEN_CLIP[name].heads for name in same}
    heads = given.heads or (known.pop() if len(known) == 1 else None)
    activation = given.activation or raw.activation
    if activation is None or heads is None:
        raise _unknown(raw, same, activation, heads)
    told = [given.words()] if given else []
    told += [] if given.activation else ["the archive's code"]
    told += [] if given.heads else [f"heads as open_clip:{min(same, key=len)} has them"]
    towers = [TowerFacts(count, activation) for count in heads]
    return Facts("; ".join(told), towers[0], towers[1])


def _unknown(
    raw: RawWeights, same: set[str], activation: Activation | None, heads: tuple[int, int] | None
) -> WeightsError:
    lacking = [
        (what, flag)
        for value, what, flag in (
            (activation, "the activation", "--activation quick_gelu or gelu"),
            (heads, "the numbers of heads", "--heads VISION,TEXT"),
        )
        if value is None
    ]
    wanted, flags = (" and ".join(words) for words in zip(*lacking, strict=True))
    names = sorted(f"open_clip:{name}" for name in same)
    model = (
        f"the published model ({' or '.join(names)}, with -quickgelu where its name has it)"
        if names
        else ("the published model, such as open_clip:ViT-B-16-plus-240")
    )
    return WeightsError(
        f"{raw.path} does not say {wanted}, and a wrong guess gives wrong scores without a word: put the model's "
        f"open_clip_config.json (or Hugging Face's config.json) beside it, or give {flags}, or --architecture with "
        f"{model}"
    )


def _given(config: CLIPConfig, given: Given) -> CLIPConfig:
    """The user's word goes before the file's."""
    if not given:
        return config
    activation: Activation = given.activation or config.vision.activation
    heads = given.heads or (config.vision.heads, config.text.heads)
    told_by = config.vision.told_by
    if not told_by.startswith("given"):
        told_by = f"{given.words()}; else {told_by or 'the file itself'}"
    vision = replace(config.vision, activation=activation, heads=heads[0], told_by=told_by)
    text_activation = given.activation or config.text.activation
    return replace(config, vision=vision, text=replace(config.text, activation=text_activation, heads=heads[1]))
