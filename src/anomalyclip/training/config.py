"""Everything that decides a training run, as plain data that is saved beside its result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from anomalyclip.encoders.formats import RuntimeName
from anomalyclip.errors import ConfigError
from anomalyclip.features.key import CacheDtype
from anomalyclip.io import atomic_write
from anomalyclip.io.names import printable
from anomalyclip.settings import Range, Setting, settings_of
from anomalyclip.settings.faces import TRAIN
from anomalyclip.settings.inputs import InputsConfig
from anomalyclip.training.recipes import RECIPES, Level, Method, Recipe

CONFIG = "config.yaml"
#: what no face but this one has
_ONLY_HERE = (
    Setting(name="pixel_weight", type=float, help="Of the local terms.", where=(), range=Range(0, 1e6, "a weight")),
    Setting(
        name="checkpoint_steps",
        type=int,
        help="Steps between checkpoints.",
        where=(),
        range=Range(1, 10**9, "steps"),
    ),
)


@dataclass(frozen=True)
class TrainConfig(InputsConfig):
    """One training run; the defaults are the published hyper-parameters (METHOD section 6). How images and weights are
    read stands in :class:`anomalyclip.settings.inputs.InputsConfig`.

    Attributes:
        data: data sets to train on, all at once: folders, ``meta.json`` or CSV files (see ``anomalyclip.data``), or
            ``NAME=PATH`` where the folder's name does not tell which known data set it holds.
        output: the run folder; holds the prompts, this configuration, metrics, a loss curve and the environment.
        model: a known name or a weights file.
        method: "anomalyclip"; "object-aware", its ablation that names each class; "heads", see
            :mod:`anomalyclip.judges.heads`; or a baseline of the paper, "coop" or "vand". What is None
            below takes the method's own value (:data:`anomalyclip.training.recipes.RECIPES`).
        split: which images of each set; "test", the auxiliary split with anomalies, is the paper's.
        missing_masks: "error", or "image-only" to train the global term alone on anomalous images without a mask.
        level: which terms of the loss: "both", "image" (the global one), "pixel" (the local ones); None: the method's.
        epochs, batch_size, learning_rate, betas, seed: of Adam; the batch is the one over all devices together.
        pixel_weight: of the local terms; None: the method's.
        layers, image_size, dpam, dpam_blocks: of the frozen encoder; None takes the method's, then the model's default.
        n_ctx, depth, deep_length, round_deep_to_half: see :class:`anomalyclip.prompts.PromptSettings`; None is the
            method's own (the paper's 12 vectors and depth 9, or all text blocks of a text tower that has fewer).
        start: of heads: the prompts whose text embeddings the vectors start from, a name, file or run folder; None is
            the two sentences of "clip".
        validation: share of the images, stratified by data set, class and label, that is held out to choose
            ``prompts_best.safetensors``; 0 trains on everything and keeps the last epoch, the paper's rule.
        cache: encode every image once and keep the features on disk; False encodes in every epoch.
        cache_dir: where features are kept; None is ``features`` in anomalyclip's cache folder.
        cache_dtype: "fp16", or "fp32" for parameters equal to those without a cache.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        devices: how many of them; above 1 the strategy is distributed.
        strategy, precision: passed to Lightning's Trainer.
        loggers: "csv", "tensorboard", "mlflow", "wandb"; "csv" is ``metrics.csv`` and always written.
        threads: of torch on the CPU; None leaves them.
        offline: never touch the network for the model's weights.
        overwrite: replace a run that lies in ``output``.
        runtime: what encodes the images: "torch", "native", "openvino" or "onnx"; its rounding names the cache.
        checkpoint_steps: steps between checkpoints within an epoch; the end of an epoch always writes one.

    Raises:
        ConfigError: a value is out of its range.
    """

    data: tuple[str, ...]
    output: str
    model: str = "pocket"
    method: Method = "anomalyclip"
    split: str = "test"
    missing_masks: Literal["error", "image-only"] = "error"
    level: Level | None = None
    epochs: int = 15
    batch_size: int = 8
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    seed: int = 111
    pixel_weight: float | None = None
    layers: tuple[int, ...] | None = None
    image_size: int | None = None
    dpam: str | None = None
    dpam_blocks: int | None = None
    n_ctx: int | None = None
    depth: int | None = None
    deep_length: int = 4
    round_deep_to_half: bool = False
    start: str | None = None
    validation: float = 0.0
    cache: bool = True
    cache_dir: str | None = None
    cache_dtype: CacheDtype = "fp16"
    device: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    loggers: tuple[str, ...] = ("csv",)
    threads: int | None = None
    offline: bool = False
    overwrite: bool = False
    checkpoint_steps: int = 100
    runtime: RuntimeName = "torch"

    def __post_init__(self) -> None:
        _check_ranges(self)
        if not self.data:
            raise ConfigError("no data set given; name at least one folder, meta.json or CSV file")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must be two numbers from 0 to below 1, got {self.betas}")
        _check_recipe(self)

    @property
    def folder(self) -> Path:
        """``output`` as a path."""
        return Path(self.output)

    @property
    def recipe(self) -> Recipe:
        """The method's hyper-parameters with those that are given in their place."""
        own = RECIPES[self.method]
        given = {name: getattr(self, name) for name in _RECIPE if getattr(self, name) is not None}
        return replace(own, **given)

    def decisive(self) -> dict[str, Any]:
        """The values that decide the learned numbers: equal in a run and its continuation."""
        values = plain(self) | {name: getattr(self.recipe, name) for name in _RECIPE}
        later = {name for name in _LATER if values[name] is None}  # runs from before them stay the same runs
        return {name: value for name, value in values.items() if name not in _INDECISIVE | later}


_RECIPE = ("level", "pixel_weight", "dpam", "n_ctx", "depth")  # None takes the method's own
_LATER = ("max_pixels", "full_scale")
_INDECISIVE = frozenset(  # weights and items are compared by content
    {"data", "output", "start", "epochs", "cache_dir", "device", "devices", "strategy", "loggers", "threads", "offline"}
    | {
        "overwrite",
        "checkpoint_steps",
        "model",
        "missing_masks",
        "split",
        "runtime",
        "activation",
        "heads",
        "architecture",
    }
)


def plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as plain lists and scalars."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}


def write_config(path: Path, config: TrainConfig, resolved: dict[str, Any]) -> None:
    """Write YAML: the configuration, then under ``resolved`` what its defaults became and what was found."""
    with atomic_write(path) as temporary:
        text = import_module("yaml").safe_dump(plain(config) | {"resolved": resolved}, sort_keys=False)
        temporary.write_text(text, encoding="utf-8")


def read_config(path: str | Path) -> TrainConfig:
    """Read a ``config.yaml`` of a run (or one written by hand: what is left out has its default).

    Raises:
        ConfigError: no such file, no YAML, an unknown key or a value of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

    yaml = import_module("yaml")
    try:
        with Path(path).open("rb") as stream:
            values = yaml.safe_load(stream.read(2**20))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"cannot read {printable(path)} as YAML ({reason}); give a run's {CONFIG}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{printable(path)} holds no settings; expected `key: value` lines as in a run's {CONFIG}")
    values.pop("resolved", None)
    unknown = sorted(map(str, set(values) - {field.name for field in fields(TrainConfig)}))
    if unknown:
        raise ConfigError(f"{printable(path)} has unknown settings: {', '.join(unknown)}")
    try:
        return TypeAdapter(TrainConfig).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{printable(path)}: {where}: {first['msg']}, got {first.get('input')!r}") from error


def _check_recipe(config: TrainConfig) -> None:
    """What a method cannot do, told before anything is loaded."""
    recipe = config.recipe
    if recipe.level == "pixel" and recipe.pixel_weight == 0:
        raise ConfigError("level 'pixel' with pixel_weight 0 leaves nothing to train; give pixel_weight above 0")
    if config.start is not None and recipe.learns != "heads":
        raise ConfigError(f"method {config.method} starts from seeded numbers, so start means nothing; leave it out")
    if recipe.learns == "layers":
        _check_layers(config, recipe)
    given = [name for name in ("n_ctx", "depth") if getattr(config, name) is not None]
    if given and recipe.learns != "prompts":
        raise ConfigError(f"method {config.method} learns no prompts, so {given[0]} means nothing; leave it out")


def _check_layers(config: TrainConfig, recipe: Recipe) -> None:
    if recipe.level != "pixel":
        raise ConfigError(f"method {config.method} trains on pixels alone, got level {config.level!r}; leave level out")
    if recipe.dpam != "qk":
        raise ConfigError(f"method {config.method} reads plain CLIP's one path, got dpam {config.dpam!r}; leave it out")


def _check_ranges(config: TrainConfig) -> None:
    """Raises ConfigError in the words of the command line; None takes the method's own value."""
    own = {field.name for field in fields(TrainConfig)}
    for setting in (*(one for one in settings_of(TRAIN).values() if one.name in own), *_ONLY_HERE):
        value = getattr(config, setting.name)
        if value is None and setting.default is not None:
            raise ConfigError(f"{setting.name} is None: expected a value, such as {setting.default}")
        setting.value(value)
    if config.learning_rate == 0:
        raise ConfigError("learning_rate 0 learns nothing; the paper's is 0.001")
