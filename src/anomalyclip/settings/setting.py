"""What a setting is: its name, type, default, range, one sentence, and the faces that have it."""

from __future__ import annotations

import math
import numbers
import sys
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from anomalyclip.errors import ConfigError

_SHOWN = 100  # characters of what was given, in refusals
_MANY = 1e5  # bounds from here on only keep out nonsense; help does not name them


class Range(NamedTuple):
    """What a number may be; unit says what it counts. open: both ends are excluded."""

    low: float
    high: float
    unit: str
    open: bool = False

    def holds(self, value: float) -> bool:
        """Whether a finite number lies in it."""
        inside = self.low < value < self.high if self.open else self.low <= value <= self.high
        return inside and math.isfinite(value)  # in this order: a float holds no whole number of 400 digits

    def expected(self) -> str:
        """For refusals.

        >>> Range(16, 10**6, "pixels").expected()
        'pixels from 16 to 1,000,000'
        """
        low, high = (f"{end:,}" if isinstance(end, int) else f"{end:g}" for end in self[:2])
        return f"{self.unit} between {low} and {high}" if self.open else f"{self.unit} from {low} to {high}"

    def in_per_cent(self, value: float) -> str:
        """Behind a refusal: the share that somebody meant who counts in per cent, or nothing.

        >>> Range(0, 1, "a rate").in_per_cent(5), Range(16, 512, "pixels").in_per_cent(5)
        ('; give 0.05 for 5%', '')
        """
        meant = self.high <= 1 and 0 < value <= 100 and self.holds(value / 100)
        return f"; give {value / 100:g} for {value:g}%" if meant else ""

    def told(self) -> str:
        """For help and tables: "0 to 1", or "from 1" where the upper end is out of reach.

        >>> Range(0, 1, "a share").told(), Range(1, 10**9, "pixels").told()
        ('0 to 1', 'from 1')
        """
        return f"{self.low:g} to {self.high:g}" if self.high < _MANY else f"from {self.low:g}"


@dataclass(frozen=True)
class Setting:
    """One setting, declared once; options, keywords, request fields, checks and tables are drawn from it.

    Attributes:
        name: as Python, records and requests spell it; the command line writes dashes.
        type: of one value: bool, int, float, str or Path.
        help: one sentence for people.
        where: the faces that have it (see `anomalyclip.settings.FACES`).
        default: where it is not given; None leaves the choice to the prompts, the model or the machine, as help says.
        method: what the method takes where neither the user nor the prompts say anything (of what decides a score).
        range: for numbers.
        choices: for words.
        many: takes several values.
        required: must be given on the command line.
        panel: heading in `--help`; None is the first.
        flags: on the command line, where that is not `--` and the name with dashes.
        argument: a word without a flag on the command line.
        metavar: what stands for the value in `--help`.
        pattern: regular expression that requests are held to.
        read: turns what was given (text of the command line, or a value of Python) into the value, or raises
            ConfigError; called with it and the spelling to name in the message.
        part: which object takes the value ("opening", "layout", ...): see `Given.part`.
        later: came after files had been recorded without it: left out of records while it has its `method`'s value, so
            that what was recorded before stays the same.
        differs: face -> attributes that are different there.
    """

    name: str
    type: type
    help: str
    where: tuple[str, ...]
    _: KW_ONLY
    default: Any = None
    method: Any = None
    range: Range | None = None
    choices: tuple[str, ...] = ()
    many: bool = False
    required: bool = False
    panel: str | None = None
    flags: tuple[str, ...] = ()
    argument: bool = False
    metavar: str | None = None
    pattern: str | None = None
    read: Callable[[Any, str], Any] | None = None
    part: str = ""
    later: bool = False
    differs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def at(self, face: str) -> Setting:
        """The setting as one face has it."""
        return replace(self, **self.differs.get(face, {}))

    @property
    def flag(self) -> str:
        """The longest spelling on the command line, such as ``--map-weight``; an argument's metavar."""
        if self.argument:
            return self.metavar or self.name.upper()
        return max(self.flags, key=len).partition("/")[0] if self.flags else f"--{self.name.replace('_', '-')}"

    @property
    def sentence(self) -> str:
        """Help with the range."""
        near = self.range is not None and self.range.high < _MANY
        return f"{self.help} Range: {self.range.told()}." if self.range is not None and near else self.help

    def value(self, given: Any, spelled: str | None = None) -> Any:
        """`given` checked, and read where text stands for something else; None is not given and passes.

        Raises ConfigError that names the setting as `spelled` (default: as Python does), the value and what was
        expected.
        """
        spelled = spelled or self.name
        if given is None:
            return None
        if self.read is not None:
            given = self.read(given, spelled)
        values = given if self.many else (given,)
        for one in values:
            self._check(one, spelled)
        return given

    def _check(self, value: Any, spelled: str) -> None:
        if self.range is not None:
            if self._is_no_number(value):
                raise ConfigError(f"{spelled} {self.no_number(value)}")
            if not self.range.holds(value):
                raise ConfigError(
                    f"{spelled} {_number(value)} is out of range: expected {self.range.expected()}"
                    f"{self.range.in_per_cent(value)}"
                )
        elif self.choices:
            if value not in self.choices:
                raise ConfigError(f"{spelled} {value!r}: expected one of {', '.join(self.choices)}")
        elif self.type is bool and not isinstance(value, bool):
            raise ConfigError(f"{spelled} {value!r}: expected True or False")
        elif self.type is str and self.read is None and not isinstance(value, str | Path):
            raise ConfigError(f"{spelled} {value!r}: expected text")

    def no_number(self, value: Any) -> str:
        """How a value is refused that is not of the setting's type, a number."""
        kind = "whole number" if self.type is int else "number"
        within = f", {self.range.expected()}" if self.range else ""
        return f"{_cut(repr(value))} is no {kind}: expected a {kind}{within}"

    def _is_no_number(self, value: Any) -> bool:
        wanted = numbers.Integral if self.type is int else numbers.Real  # NumPy's numbers are registered as these
        return isinstance(value, bool) or not isinstance(value, wanted)


def _number(value: Any) -> str:
    try:
        return _cut(f"{value:g}")
    except OverflowError:
        return f"of more than {sys.float_info.max_10_exp} digits"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
