"""From tables to cells: one variant on one data set each; and what cannot be run, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.known import KNOWN
from anomalyclip.data.opening import open_dataset
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.reproduction.config import ReproduceConfig
from anomalyclip.reproduction.finding import Found
from anomalyclip.reproduction.plan import INITIAL, PROTOCOL, TRAINED, Table, Towers, Variant, find_table


@dataclass(frozen=True)
class Cell:
    """One evaluation: a variant, the data set it is measured on, and the sets its prompts are learned on."""

    variant: Variant
    target: str
    auxiliary: tuple[str, ...]


@dataclass(frozen=True)
class Skipped:
    """A cell that cannot be run, and why."""

    variant: str
    target: str
    reason: str


@dataclass(frozen=True)
class Page:
    """A table with its cells in order. missing: targets that do not lie below the root."""

    table: Table
    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...]
    missing: tuple[str, ...]


class Shelf:
    """The data sets at hand, each opened once: those found, by name, and auxiliary ones by path."""

    def __init__(self, found: Found, config: ReproduceConfig) -> None:
        self.found, self._config = found, config
        self._open: dict[str, Dataset | InputError] = {}

    def get(self, name: str) -> Dataset:
        """Open a data set by the paper's name, or by path. Raises InputError if it is not there or cannot be read."""
        if name not in self._open:
            try:
                self._open[name] = self._read(name)
            except InputError as error:
                self._open[name] = error
        opened = self._open[name]
        if isinstance(opened, InputError):
            raise opened
        return opened

    def problem(self, name: str) -> str | None:
        """What `get` would raise."""
        try:
            self.get(name)
        except InputError as error:
            return str(error)
        return None

    def path(self, name: str) -> Path:
        """Where it lies; InputError as `get`."""
        if name in self.found.paths:
            return self.found.paths[name]
        if name in KNOWN or not Path(name).exists():
            raise InputError(
                f"prompts are to be learned on {printable(name)}, which was not found; put it below the root, or name "
                "other data with --auxiliary"
            )
        return Path(name)

    def _read(self, name: str) -> Dataset:
        known = name if name in KNOWN else None
        return open_dataset(self.path(name), name=known, missing_masks=self._config.missing_masks)


def lay_out(config: ReproduceConfig, shelf: Shelf, towers: Towers) -> list[Page]:
    """The pages that were asked for."""
    return [_page(find_table(name), config, shelf, towers) for name in config.table_names]


def _page(table: Table, config: ReproduceConfig, shelf: Shelf, towers: Towers) -> Page:
    targets = config.targets or table.targets
    lines = table.lines(towers, config.method_names)
    cells: list[Cell] = []
    skipped: list[Skipped] = []
    for target in targets:
        if target not in shelf.found.paths:
            continue
        for variant in lines:
            chosen = config.auxiliary if learns(variant, config) else ()
            cell = Cell(variant, target, chosen or (table.auxiliary(target),))
            reason = next(_reasons(cell, config, shelf), None)
            if reason is None:
                cells.append(cell)
            else:
                skipped.append(Skipped(variant.label, target, reason))
    missing = tuple(target for target in targets if target not in shelf.found.paths)
    return Page(table, tuple(cells), tuple(skipped), missing)


def learns(variant: Variant, config: ReproduceConfig) -> bool:
    """Whether the prompts of this variant are made here."""
    return variant.prompts in (TRAINED, INITIAL) or (variant.prompts == PROTOCOL and config.train)


def _reasons(cell: Cell, config: ReproduceConfig, shelf: Shelf) -> Iterator[str]:
    """Why a cell cannot be run."""
    learned_on = cell.auxiliary if learns(cell.variant, config) and cell.variant.prompts != INITIAL else ()
    yield from filter(None, (shelf.problem(name) for name in (cell.target, *learned_on)))
    for name in learned_on:
        if _overlap(shelf.path(name), shelf.path(cell.target)):
            yield f"its prompts would be learned on {printable(name)}, the data they are tested on"


def _overlap(one: Path, other: Path) -> bool:
    """Whether one folder is, or lies in, the other."""
    one, other = one.resolve(), other.resolve()
    return one.is_relative_to(other) or other.is_relative_to(one)
