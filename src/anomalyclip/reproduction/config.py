"""Everything that decides what is reproduced and how, as plain data that is saved beside the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anomalyclip.data.known import find_known
from anomalyclip.errors import ConfigError
from anomalyclip.reproduction.plan import METHODS, TABLES, find_method, find_table
from anomalyclip.settings.inputs import InputsConfig

EPOCHS, SEED = 15, 111  # METHOD section 6
ALL = "all"


@dataclass(frozen=True)
class ReproduceConfig(InputsConfig):
    """One call of `reproduce`. How images and weights are read stands in
    :class:`anomalyclip.settings.inputs.InputsConfig`.

    Attributes:
        root: folder below which the data sets lie. output: folder for tables, cells and trainings.
        tables: names of `TABLES`, or "all". methods: names of `METHODS`, or "all"; for Tables 1 to 3.
        model: a known name or a weights file.
        prompts: judge Tables 1 and 2 with these instead of the protocol's.
        train: learn the prompts of Tables 1 and 2 here, too; the other tables always do.
        auxiliary: learn on these (names of data sets found below root, or paths) instead of the protocol's.
        datasets: only these targets, also such as the paper's table does not have; empty for the table's own.
        epochs, seed, batch_size: of training; published values by default.
        image_size: None takes the model's default.
        missing_masks: as for `anomalyclip.data.open_dataset`.
        cache: keep the encoder's features of test images too (fp16, as training does), for the cells that share them.
        cache_dir: where features are kept, those of training in any case.
        device, threads, workers, offline: as for `anomalyclip evaluate`.

    Raises:
        ConfigError, InputError: an unknown name.
    """

    root: Path
    output: Path
    tables: tuple[str, ...] = ("1", "2")
    methods: tuple[str, ...] = ("anomalyclip",)
    model: str = "pocket"
    prompts: str | None = None
    train: bool = False
    auxiliary: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    epochs: int = EPOCHS
    seed: int = SEED
    batch_size: int = 8
    image_size: int | None = None
    missing_masks: Literal["error", "image-only"] = "error"
    cache: bool = False
    cache_dir: str | None = None
    device: str = "auto"
    threads: int | None = None
    workers: int = 2
    offline: bool = False

    def __post_init__(self) -> None:
        if self.train and self.prompts is not None:
            raise ConfigError("train learns prompts and prompts gives them: choose one")
        if not self.tables or not self.methods:
            raise ConfigError("name at least one table and one method")
        for name in () if ALL in self.tables else self.tables:
            find_table(name)
        for name in () if ALL in self.methods else self.methods:
            find_method(name)
        for name in self.datasets:
            find_known(name)

    @property
    def table_names(self) -> tuple[str, ...]:
        """Without doubles, in the order given; "all" is every one."""
        return tuple(TABLES) if ALL in self.tables else tuple(dict.fromkeys(self.tables))

    @property
    def method_names(self) -> tuple[str, ...]:
        """Likewise."""
        return tuple(METHODS) if ALL in self.methods else tuple(dict.fromkeys(self.methods))

    @property
    def targets(self) -> tuple[str, ...]:
        """`datasets` under the paper's names."""
        return tuple(dict.fromkeys(find_known(name).name for name in self.datasets))
